-- Batches that devices hand one another before the server has them.

-- Batches (签名批次) of others that came from a device or a bundle before their predecessor. They are verified,
-- and neither received nor applied; each moves to the table batch when its predecessor is there.
CREATE TABLE staged_batch (
    staged   INTEGER PRIMARY KEY AUTOINCREMENT,  -- number on this device, in order of arrival
    id       BLOB    NOT NULL UNIQUE,            -- BatchId, 32 bytes
    village  BLOB    NOT NULL REFERENCES village (village),
    device   BLOB    NOT NULL,                   -- DeviceId of the author
    number   INTEGER NOT NULL,                   -- place in the author's chain in this village
    previous BLOB    NOT NULL,                   -- BatchId of the one that is lacking
    bytes    BLOB    NOT NULL,                   -- Batch::to_bytes
    sequence INTEGER NOT NULL DEFAULT 0,         -- the server's number in the village; 0: not known
    receipt  BLOB                                -- SignedReceipt that came with it, not verified yet
) STRICT;
CREATE INDEX staged_batch_previous ON staged_batch (previous);

-- Changes of others that wait for what they stand on: looked through after everything that arrives.
CREATE INDEX change_needing ON change (change) WHERE rule = 'needs';
