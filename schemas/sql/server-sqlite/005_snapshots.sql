-- Signed snapshots of villages, verbatim: the same bytes for every device that reads one. They can be made again
-- from the ledger at any time, so old ones go when newer ones have come.

CREATE TABLE snapshot (
    snapshot  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    id        BLOB    NOT NULL UNIQUE, -- SHA-256 of the statement
    village   BLOB    NOT NULL, -- village id
    number    INTEGER NOT NULL, -- the feed entry up to which it reaches
    made_ms   INTEGER NOT NULL, -- when it was made
    statement BLOB    NOT NULL, -- signed statement
    packed    BLOB    NOT NULL  -- the packed content
) STRICT;

CREATE INDEX snapshot_village ON snapshot (village, number);
