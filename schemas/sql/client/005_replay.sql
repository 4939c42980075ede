-- Short names of documents: what a replay stream calls a document by.

-- How many roots (changes without dependencies) a batch's chain has up to and with it; NULL until they are counted.
ALTER TABLE batch ADD COLUMN roots INTEGER;
CREATE INDEX batch_uncounted ON batch (village, number) WHERE roots IS NULL;

-- The roots of each chain, counted from 0 in the order of its batches, whatever their verdicts (短名).
CREATE TABLE document_name (
    village BLOB    NOT NULL,  -- VillageId
    device  BLOB    NOT NULL,  -- DeviceId: whose chain
    number  INTEGER NOT NULL,  -- number of the root; after a fork it may stand for two documents
    kind    INTEGER NOT NULL,  -- document kind
    id      BLOB    NOT NULL,  -- 16 bytes
    PRIMARY KEY (village, device, number, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_name_id ON document_name (village, kind, id);
