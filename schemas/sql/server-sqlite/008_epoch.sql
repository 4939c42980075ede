-- Backups, restores, and what devices bring back after one.
-- Times are milliseconds since 1970 by this server's clock unless a column says otherwise.

-- raw: how an epoch followed the one before it, as the restore signed it (纪元接续). Also of epochs that this file
-- never lived through: they lay between its backup and its restore, and devices brought their links.
CREATE TABLE epoch_link (
    epoch    BLOB    NOT NULL PRIMARY KEY, -- the epoch that began
    previous BLOB    NOT NULL, -- the epoch that ended
    known_ms INTEGER NOT NULL, -- when it was written here
    bytes    BLOB    NOT NULL  -- epoch link: both halves and the countersignature
) STRICT;

-- raw: what this server once signed in an epoch that ended, for batches that devices brought back (旧回执).
CREATE TABLE former_receipt (
    batch       BLOB    NOT NULL PRIMARY KEY, -- batch id
    epoch       BLOB    NOT NULL, -- the epoch in which it was signed
    leaf_index  INTEGER NOT NULL, -- the batch's leaf in that epoch's log
    received_ms INTEGER NOT NULL, -- "not after", by that epoch's clock: the new receipt repeats it
    bytes       BLOB    NOT NULL, -- signed receipt
    shown_by    BLOB    NOT NULL, -- device id that brought it
    shown_ms    INTEGER NOT NULL  -- when
) STRICT;
CREATE INDEX former_receipt_leaf ON former_receipt (epoch, leaf_index);

-- raw: what else devices brought of epochs that ended, and this file did not hold.
CREATE TABLE former_record (
    hash     BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of its bytes
    kind     INTEGER NOT NULL, -- 1 certificate, 2 revocation, 4 decision, 5 checkpoint note, 6 watermark
    epoch    BLOB    NOT NULL, -- the epoch in which it was signed
    bytes    BLOB    NOT NULL, -- as it was signed
    shown_by BLOB    NOT NULL, -- device id that brought it
    shown_ms INTEGER NOT NULL  -- when
) STRICT;
CREATE INDEX former_record_epoch ON former_record (epoch, kind);

-- raw: how far verified backups hold the log (持久水位); the newest counts.
CREATE TABLE watermark (
    leaf_index INTEGER NOT NULL PRIMARY KEY, -- its leaf in the log
    size       INTEGER NOT NULL, -- leaves that the backup holds
    bytes      BLOB    NOT NULL  -- signed watermark
) STRICT;

-- raw: what is proved to have existed and is not here (缺口). Never deleted: a gap that is filled keeps its row.
CREATE TABLE gap (
    gap          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind         INTEGER NOT NULL, -- 1 numbers of a chain of batches, 2 leaves of the log of an epoch that ended
    village      BLOB,             -- of a chain: village id
    device       BLOB,             -- of a chain: device id
    person       BLOB,             -- of a chain: user id
    proof        BLOB    NOT NULL, -- of a chain: the batch that waits; of a log: the epoch
    first_number INTEGER NOT NULL, -- the first number or leaf that was missing when it was found
    last_number  INTEGER NOT NULL, -- the last one
    missing      INTEGER NOT NULL, -- how many are missing now
    shown_by     BLOB    NOT NULL, -- device id that holds the proof
    found_ms     INTEGER NOT NULL, -- when it was found
    filled_ms    INTEGER,          -- when nothing was missing any more; null while it is open
    UNIQUE (kind, proof)
) STRICT;
CREATE INDEX gap_open ON gap (kind, village) WHERE filled_ms IS NULL;
