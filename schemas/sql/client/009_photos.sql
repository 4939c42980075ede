-- Photos and signatures (照片、签名): sealed files as `schemas/wire/photo.md` describes them, taken here or fetched.

CREATE TABLE photo (
    photo       INTEGER PRIMARY KEY AUTOINCREMENT, -- number on this device, in order of taking or fetching
    address     BLOB    NOT NULL UNIQUE,         -- SHA-256 of the file, its name
    village     BLOB    NOT NULL,
    household   BLOB    NOT NULL,                -- HouseholdId
    check_id    BLOB,                            -- the check it was taken in; NULL: taken on another device
    kind        INTEGER NOT NULL,                -- 1 photo, 2 signature
    taken_ms    INTEGER NOT NULL,                -- clock of the device that took it
    total       INTEGER NOT NULL,                -- bytes of the file
    sent        INTEGER NOT NULL DEFAULT 0,      -- how many of them the server is known to hold
    received_ms INTEGER,                         -- when it said that it has all of them, device's clock
    epoch       BLOB                             -- the epoch in which it said so
) STRICT;

CREATE INDEX photo_household ON photo (household);

CREATE INDEX photo_check ON photo (check_id) WHERE check_id IS NOT NULL;

CREATE TABLE photo_part (
    photo INTEGER NOT NULL REFERENCES photo (photo),
    start INTEGER NOT NULL,                      -- its first byte
    bytes BLOB    NOT NULL,
    PRIMARY KEY (photo, start)
) STRICT;
