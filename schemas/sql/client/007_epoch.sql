-- Epochs of the server, what it lost in a restore, and how far its backups go.

-- The lives of the server's log (纪元) that this device knows, each with the key that signed in it.
CREATE TABLE epoch (
    epoch      BLOB    NOT NULL PRIMARY KEY,     -- EpochId
    server_key BLOB    NOT NULL,                 -- its public key, 32 bytes
    link       BLOB,                             -- EpochLink, verified: how it followed another; NULL: not known
    known_ms   INTEGER NOT NULL                  -- device's clock
) STRICT, WITHOUT ROWID;
INSERT INTO epoch (epoch, server_key, known_ms)
    SELECT present.value, key.value, 0 FROM meta AS present, meta AS key
    WHERE present.name = 'epoch' AND key.name = 'server_key';

-- How far verified backups hold the log (持久水位). Bytes of batches above the newest are never dropped.
CREATE TABLE watermark (
    epoch BLOB    NOT NULL,                      -- EpochId
    size  INTEGER NOT NULL,                      -- leaves that the backup holds
    at_ms INTEGER NOT NULL,                      -- when it had been read back, server's clock
    bytes BLOB    NOT NULL,                      -- SignedWatermark, verified
    PRIMARY KEY (epoch, size)
) STRICT, WITHOUT ROWID;

-- What a restored server is still to be offered; a row goes when a request with it was answered to the end.
CREATE TABLE offer (
    offer INTEGER PRIMARY KEY AUTOINCREMENT,     -- in the order of offering
    bytes BLOB    NOT NULL                       -- Offer
) STRICT;

-- Receipts of epochs that ended, for batches that a later epoch has received again.
CREATE TABLE former_receipt (
    batch INTEGER NOT NULL REFERENCES batch (batch),
    bytes BLOB    NOT NULL,                      -- SignedReceipt, verified
    PRIMARY KEY (batch, bytes)
) STRICT, WITHOUT ROWID;

-- Decisions of epochs that ended; the server judges anew, and its feed is numbered anew.
CREATE TABLE former_decision (
    former_decision INTEGER PRIMARY KEY AUTOINCREMENT,
    village         BLOB    NOT NULL,
    bytes           BLOB    NOT NULL UNIQUE      -- SignedDecision
) STRICT;

-- Where the receipt's leaf is: bytes 2 to 18 and 50 to 58 of a signed receipt (schemas/wire/ledger.md).
ALTER TABLE batch ADD COLUMN receipt_epoch BLOB GENERATED ALWAYS AS (substr(receipt, 3, 16)) VIRTUAL; -- EpochId
ALTER TABLE batch ADD COLUMN receipt_leaf BLOB GENERATED ALWAYS AS (substr(receipt, 51, 8)) VIRTUAL; -- big-endian, so it compares as a number
