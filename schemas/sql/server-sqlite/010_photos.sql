-- Photos and signatures (照片、签名). The sealed files themselves are where the configuration says, in files or in an
-- object store; here is what was received of which device, and the pieces of files that are not whole yet.

CREATE TABLE photo (
    village     BLOB    NOT NULL, -- village id
    address     BLOB    NOT NULL, -- SHA-256 of the file, its name
    bytes       INTEGER NOT NULL, -- its length
    device      BLOB    NOT NULL, -- device id of the first that sent it
    received_ms INTEGER NOT NULL, -- when it was whole and durable
    PRIMARY KEY (village, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX photo_device ON photo (device, received_ms);

-- operational: files on their way. They may be lost: the device then sends them from the beginning.
CREATE TABLE photo_upload (
    upload   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    device   BLOB    NOT NULL, -- device id of the sender
    village  BLOB    NOT NULL, -- village id
    address  BLOB    NOT NULL, -- SHA-256 of the whole file
    total    INTEGER NOT NULL, -- its length, as the device says
    moved_ms INTEGER NOT NULL, -- when its last piece came
    UNIQUE (device, village, address)
) STRICT;

CREATE TABLE photo_piece (
    upload INTEGER NOT NULL REFERENCES photo_upload (upload),
    start  INTEGER NOT NULL, -- its first byte
    bytes  BLOB    NOT NULL,
    PRIMARY KEY (upload, start)
) STRICT;
