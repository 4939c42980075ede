-- Short names of documents: what a replay stream calls a document by.

-- derived: how many roots (changes without dependencies) a chain has up to and with each batch.
CREATE TABLE named_batch (
    sequence INTEGER NOT NULL PRIMARY KEY, -- the batch's feed entry
    roots    INTEGER NOT NULL              -- roots in it and in those before it on its branch
) STRICT;

-- derived: the roots of each chain, counted from 0 in the order of its batches, whatever their verdicts (短名).
CREATE TABLE document_name (
    village  BLOB    NOT NULL, -- village id
    device   BLOB    NOT NULL, -- device id: whose chain
    number   INTEGER NOT NULL, -- the number of the root; after a fork it may stand for two documents
    kind     INTEGER NOT NULL, -- document kind
    document BLOB    NOT NULL, -- document id
    sequence INTEGER NOT NULL, -- feed entry of the batch with the root
    PRIMARY KEY (village, device, number, kind, document, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_name_document ON document_name (village, kind, document, sequence);
