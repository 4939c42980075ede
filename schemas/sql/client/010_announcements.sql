-- What other devices last announced as unsent (未送出), as the server told it to those who oversee the work: each
-- device's own word, and evidence of nothing.

CREATE TABLE announcement (
    village BLOB    NOT NULL,
    device  BLOB    NOT NULL,                    -- DeviceId of the device that announced it
    epoch   BLOB    NOT NULL,                    -- EpochId in which it was told; it counts in no other
    number  INTEGER NOT NULL,                    -- the server's number of it; the newest is highest
    next    INTEGER NOT NULL,                    -- one above the last batch of the device's chain, 0: it has written none
    checks  INTEGER NOT NULL,                    -- checks closed and in no receipt that it held
    drafts  INTEGER NOT NULL,                    -- checks begun and not closed
    at_ms   INTEGER NOT NULL,                    -- when the server had it, by the server's clock
    PRIMARY KEY (village, device)
) STRICT, WITHOUT ROWID;
