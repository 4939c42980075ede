-- operational: the bytes of a device's request that was cut, so that it goes on where it was cut (断点续传).
-- They prove nothing and may be lost: the device then sends the whole request again.
CREATE TABLE held_request (
    device  BLOB    NOT NULL PRIMARY KEY, -- device id; one request of each is kept
    request BLOB    NOT NULL, -- the request's own id, 16 bytes
    bytes   BLOB    NOT NULL, -- its body as far as it came
    held_ms INTEGER NOT NULL  -- when it was cut; kept for 24 hours
) STRICT;
CREATE INDEX held_request_age ON held_request (held_ms);
