-- Villages taken over in one piece, what such a piece left out, and repairs.

-- Signed snapshots of villages, kept as they came.
CREATE TABLE snapshot (
    snapshot  INTEGER PRIMARY KEY AUTOINCREMENT,
    village   BLOB    NOT NULL REFERENCES village (village),
    id        BLOB    NOT NULL UNIQUE,           -- SHA-256 of the statement
    statement BLOB    NOT NULL,                  -- SignedSnapshot, verified
    state     INTEGER NOT NULL                   -- 0 on its way, 1 taken in, 2 set aside: it contradicts itself, 3 the server dropped it
) STRICT;

-- The packed content, in the pieces in which it arrived; whatever a cut left is continued.
CREATE TABLE snapshot_part (
    snapshot INTEGER NOT NULL REFERENCES snapshot (snapshot),
    start    INTEGER NOT NULL,                   -- its first byte
    bytes    BLOB    NOT NULL,
    PRIMARY KEY (snapshot, start)
) STRICT, WITHOUT ROWID;

-- Documents that a snapshot left out and that were not asked for since: earlier checks, on the server.
CREATE TABLE left_out (
    village   BLOB    NOT NULL REFERENCES village (village),
    token     BLOB    NOT NULL,                  -- DocumentToken: the document as the snapshot knew it
    household BLOB    NOT NULL,                  -- HouseholdId
    sum       INTEGER NOT NULL,                  -- its part of the village's fingerprint, two's complement
    PRIMARY KEY (village, token)
) STRICT, WITHOUT ROWID;
CREATE INDEX left_out_household ON left_out (household);

-- 1: known from a snapshot, and others of its chain stand above it; the version vector does not name it.
ALTER TABLE batch ADD COLUMN inside INTEGER NOT NULL DEFAULT 0;

-- One row per repair (修复) of a village whose fingerprint differed from the server's.
CREATE TABLE repair (
    repair    INTEGER PRIMARY KEY AUTOINCREMENT,
    village   BLOB    NOT NULL REFERENCES village (village),
    at_ms     INTEGER NOT NULL,                  -- device's clock
    fetched   INTEGER NOT NULL DEFAULT 0,        -- documents of which the server has more, or other, than was here
    returned  INTEGER NOT NULL DEFAULT 0,        -- batches that were queued again for the server
    unproved  INTEGER NOT NULL DEFAULT 0,        -- documents that the server named and did not prove
    outcome   TEXT    NOT NULL                   -- mended, or a stable code of why not
) STRICT;
