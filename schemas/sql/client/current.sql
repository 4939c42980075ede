-- schema version 10

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

CREATE TABLE batch (
    batch         INTEGER PRIMARY KEY AUTOINCREMENT, -- number on this device, in order of arrival
    id            BLOB    NOT NULL UNIQUE,       -- BatchId, 32 bytes
    village       BLOB    NOT NULL REFERENCES village (village),
    device        BLOB    NOT NULL,              -- DeviceId of the author
    user_id       BLOB    NOT NULL,              -- UserId of the author
    number        INTEGER NOT NULL,              -- place in the author's chain in this village
    previous      BLOB,                          -- BatchId of the one before it in that chain; NULL for the first
    own           INTEGER NOT NULL,              -- 1: sealed here, 0: relayed
    bytes         BLOB    NOT NULL,              -- Batch::to_bytes
    state         INTEGER NOT NULL,              -- 0 sealed, 1 sent, 2 received (a receipt is held), 3 turned away
    sequence      INTEGER,                       -- the server's number in the village; relayed batches only
    receipt       BLOB,                          -- SignedReceipt, verified
    not_before_ms INTEGER,                       -- when the anchored log size was reached, by the server's log
    received_ms   INTEGER,                       -- when the server had it durable, by the server's clock
    problem       TEXT    NOT NULL DEFAULT ''    -- why it was turned away, a stable code
, above_cursor INTEGER NOT NULL DEFAULT 1, inside INTEGER NOT NULL DEFAULT 0, roots INTEGER, receipt_epoch BLOB GENERATED ALWAYS AS (substr(receipt, 3, 16)) VIRTUAL, receipt_leaf BLOB GENERATED ALWAYS AS (substr(receipt, 51, 8)) VIRTUAL) STRICT;

CREATE INDEX batch_above ON batch (village) WHERE above_cursor = 1;

CREATE INDEX batch_chain ON batch (village, device, number);

CREATE INDEX batch_uncounted ON batch (village, number) WHERE roots IS NULL;

CREATE INDEX batch_waiting ON batch (village, number) WHERE state IN (0, 1);

CREATE TABLE certificate (
    device BLOB    NOT NULL,                     -- DeviceId, 16 bytes
    serial INTEGER NOT NULL,                     -- the server's number of the certificate
    name   TEXT    NOT NULL DEFAULT '',          -- the name on the certificate, for display
    bytes  BLOB    NOT NULL,                     -- SignedCertificate, verified
    PRIMARY KEY (device, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE change (
    change   INTEGER PRIMARY KEY AUTOINCREMENT,  -- number on this device, in order of arrival
    document INTEGER NOT NULL REFERENCES document (document),
    hash     BLOB    NOT NULL,                   -- SHA-256 of the bytes
    bytes    BLOB    NOT NULL,                   -- the change as Automerge stores it
    opening  BLOB,                               -- 8 bytes the actor was derived from; own changes only
    together INTEGER NOT NULL DEFAULT 0,         -- 1: goes into the same batch as the own change before it
    batch    INTEGER REFERENCES batch (batch),   -- NULL until sealed
    position INTEGER,                            -- place in the batch
    state    INTEGER NOT NULL,                   -- 0 own, no verdict yet; 1 accepted; 2 held; 3 quarantined; 4 refused; 5 set aside here
    rule     TEXT    NOT NULL DEFAULT '', replaced_by BLOB,        -- the rule or reason of states 2 to 5, a stable code
    UNIQUE (document, hash)
) STRICT;

CREATE INDEX change_batch ON change (batch, position);

CREATE INDEX change_needing ON change (change) WHERE rule = 'needs';

CREATE INDEX change_replaced ON change (document) WHERE replaced_by IS NOT NULL;

CREATE INDEX change_unsealed ON change (change) WHERE batch IS NULL;

CREATE INDEX change_unsettled ON change (document, state) WHERE state <> 1;

CREATE TABLE check_row (
    check_id   BLOB    NOT NULL PRIMARY KEY,     -- CheckId
    village    BLOB    NOT NULL,
    household  BLOB    NOT NULL,                 -- HouseholdId
    document   INTEGER REFERENCES document (document), -- NULL while a draft
    own        INTEGER NOT NULL,                 -- 1: started on this device
    check_type TEXT    NOT NULL DEFAULT '',      -- 排查类型 code
    state      INTEGER NOT NULL,                 -- 0 draft, 1 submitted, 2 withdrawn before submitting
    started_ms INTEGER NOT NULL DEFAULT 0,       -- device's clock; 0 when not known
    ended_ms   INTEGER,                          -- when it was submitted or withdrawn, device's clock
    result     TEXT    NOT NULL DEFAULT '',      -- 入户结果 code
    reason     TEXT    NOT NULL DEFAULT ''       -- why it was withdrawn
, form TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;

CREATE INDEX check_row_household ON check_row (household, state);

CREATE TABLE checkpoint (
    epoch   BLOB    NOT NULL PRIMARY KEY,        -- EpochId
    size    INTEGER NOT NULL,                    -- leaves in the log
    root    BLOB    NOT NULL,                    -- RFC 6962 root
    note    TEXT    NOT NULL,                    -- the signed note, verified; empty for an empty log
    seen_ms INTEGER NOT NULL                     -- device's clock
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
    decision   INTEGER PRIMARY KEY AUTOINCREMENT,
    village    BLOB    NOT NULL,
    sequence   INTEGER NOT NULL,                 -- the server's number in the village
    batch      BLOB    NOT NULL,                 -- BatchId
    hash       BLOB    NOT NULL,                 -- hash of the change it is about
    decided_ms INTEGER NOT NULL,                 -- server's clock
    bytes      BLOB    NOT NULL,                 -- SignedDecision
    UNIQUE (village, sequence)
) STRICT;

CREATE TABLE document (
    document     INTEGER PRIMARY KEY,            -- number on this device
    village      BLOB    NOT NULL REFERENCES village (village),
    kind         INTEGER NOT NULL,               -- 1 household, 2 check, 3 issue, 4 village
    id           BLOB    NOT NULL,               -- 16 bytes
    register     BLOB    NOT NULL,               -- the live operations, Register::to_bytes
    change_count INTEGER NOT NULL DEFAULT 0,     -- changes that stand in the register
    UNIQUE (village, kind, id)
) STRICT;

CREATE INDEX document_id ON document (id, kind);

CREATE TABLE document_name (
    village BLOB    NOT NULL,  -- VillageId
    device  BLOB    NOT NULL,  -- DeviceId: whose chain
    number  INTEGER NOT NULL,  -- number of the root; after a fork it may stand for two documents
    kind    INTEGER NOT NULL,  -- document kind
    id      BLOB    NOT NULL,  -- 16 bytes
    PRIMARY KEY (village, device, number, kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_name_id ON document_name (village, kind, id);

CREATE TABLE draft (
    check_id BLOB    NOT NULL REFERENCES check_row (check_id),
    target   INTEGER NOT NULL,                   -- 2: goes into the check, 1: into the household
    key      TEXT    NOT NULL,                   -- path of the field
    value    BLOB    NOT NULL,                   -- what was entered, in clear, as store/draft.rs writes it
    source   TEXT    NOT NULL DEFAULT '',        -- provenance (来源) code, empty: none given
    reason   TEXT    NOT NULL DEFAULT '',        -- why it was changed, empty: none given
    at_ms    INTEGER NOT NULL,                   -- when it was entered last, device's clock
    PRIMARY KEY (check_id, target, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (
    epoch      BLOB    NOT NULL PRIMARY KEY,     -- EpochId
    server_key BLOB    NOT NULL,                 -- its public key, 32 bytes
    link       BLOB,                             -- EpochLink, verified: how it followed another; NULL: not known
    known_ms   INTEGER NOT NULL                  -- device's clock
) STRICT, WITHOUT ROWID;

CREATE TABLE former_decision (
    former_decision INTEGER PRIMARY KEY AUTOINCREMENT,
    village         BLOB    NOT NULL,
    bytes           BLOB    NOT NULL UNIQUE      -- SignedDecision
) STRICT;

CREATE TABLE former_receipt (
    batch INTEGER NOT NULL REFERENCES batch (batch),
    bytes BLOB    NOT NULL,                      -- SignedReceipt, verified
    PRIMARY KEY (batch, bytes)
) STRICT, WITHOUT ROWID;

CREATE TABLE household_key (
    household BLOB    NOT NULL PRIMARY KEY,      -- HouseholdId
    village   BLOB    NOT NULL,
    key       BLOB    NOT NULL,                  -- 64 bytes, AES-SIV
    founded   INTEGER NOT NULL DEFAULT 0,        -- 1: made on this device
    uploaded  INTEGER NOT NULL DEFAULT 1         -- 0: the server is not known to have it
) STRICT, WITHOUT ROWID;

CREATE TABLE household_row (
    document     INTEGER PRIMARY KEY REFERENCES document (document),
    village      BLOB    NOT NULL,
    household    BLOB    NOT NULL,               -- HouseholdId
    head_name    TEXT    NOT NULL DEFAULT '',    -- 户主姓名
    group_name   TEXT    NOT NULL DEFAULT '',    -- 村民小组
    address      TEXT    NOT NULL DEFAULT '',    -- 居住地址
    number       TEXT    NOT NULL DEFAULT '',    -- 户编号 of the official roster
    names        TEXT    NOT NULL DEFAULT '',    -- names of all members, a space before each
    pinyin       TEXT    NOT NULL DEFAULT '',    -- initials and syllables of every name, a space before each
    tails        TEXT    NOT NULL DEFAULT '',    -- last four of every certificate number, a space before each
    members      INTEGER NOT NULL DEFAULT 0,     -- members who have not left
    conflicts    INTEGER NOT NULL DEFAULT 0,     -- fields of the household document that wait for a decision (冲突待裁定)
    differing    INTEGER NOT NULL DEFAULT 0,     -- fields with unequal concurrent values that ask nobody
    active       INTEGER NOT NULL DEFAULT 1,     -- 0: the file (档案) is closed
    last_checked TEXT    NOT NULL DEFAULT '',    -- date of the last visit known, empty: never
    last_result  TEXT    NOT NULL DEFAULT ''     -- its result code
) STRICT;

CREATE INDEX household_row_id ON household_row (household);

CREATE INDEX household_row_list ON household_row (village, group_name, head_name);

CREATE TABLE left_out (
    village   BLOB    NOT NULL REFERENCES village (village),
    token     BLOB    NOT NULL,                  -- DocumentToken: the document as the snapshot knew it
    household BLOB    NOT NULL,                  -- HouseholdId
    sum       INTEGER NOT NULL,                  -- its part of the village's fingerprint, two's complement
    PRIMARY KEY (village, token)
) STRICT, WITHOUT ROWID;

CREATE INDEX left_out_household ON left_out (household);

CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY, -- which fact
    value BLOB NOT NULL              -- in the canonical binary of that fact
) STRICT, WITHOUT ROWID;

CREATE TABLE offer (
    offer INTEGER PRIMARY KEY AUTOINCREMENT,     -- in the order of offering
    bytes BLOB    NOT NULL                       -- Offer
) STRICT;

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

CREATE INDEX photo_check ON photo (check_id) WHERE check_id IS NOT NULL;

CREATE INDEX photo_household ON photo (household);

CREATE TABLE photo_part (
    photo INTEGER NOT NULL REFERENCES photo (photo),
    start INTEGER NOT NULL,                      -- its first byte
    bytes BLOB    NOT NULL,
    PRIMARY KEY (photo, start)
) STRICT;

CREATE TABLE repair (
    repair    INTEGER PRIMARY KEY AUTOINCREMENT,
    village   BLOB    NOT NULL REFERENCES village (village),
    at_ms     INTEGER NOT NULL,                  -- device's clock
    fetched   INTEGER NOT NULL DEFAULT 0,        -- documents of which the server has more, or other, than was here
    returned  INTEGER NOT NULL DEFAULT 0,        -- batches that were queued again for the server
    unproved  INTEGER NOT NULL DEFAULT 0,        -- documents that the server named and did not prove
    outcome   TEXT    NOT NULL                   -- mended, or a stable code of why not
) STRICT;

CREATE TABLE revocation (
    device BLOB    NOT NULL PRIMARY KEY,         -- DeviceId, 16 bytes
    at_ms  INTEGER NOT NULL,                     -- when, by the server's clock
    bytes  BLOB    NOT NULL                      -- SignedRevocation, verified
) STRICT, WITHOUT ROWID;

CREATE TABLE set_aside (
    set_aside INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms     INTEGER NOT NULL,                  -- device's clock
    kind      TEXT    NOT NULL,                  -- batch, change, certificate, receipt, checkpoint ...
    code      TEXT    NOT NULL,                  -- why, a stable code
    subject   TEXT    NOT NULL DEFAULT '',       -- id of what it is about, as text
    bytes     BLOB    NOT NULL                   -- as it came
) STRICT;

CREATE TABLE snapshot (
    snapshot  INTEGER PRIMARY KEY AUTOINCREMENT,
    village   BLOB    NOT NULL REFERENCES village (village),
    id        BLOB    NOT NULL UNIQUE,           -- SHA-256 of the statement
    statement BLOB    NOT NULL,                  -- SignedSnapshot, verified
    state     INTEGER NOT NULL                   -- 0 on its way, 1 taken in, 2 set aside: it contradicts itself, 3 the server dropped it
) STRICT;

CREATE TABLE snapshot_part (
    snapshot INTEGER NOT NULL REFERENCES snapshot (snapshot),
    start    INTEGER NOT NULL,                   -- its first byte
    bytes    BLOB    NOT NULL,
    PRIMARY KEY (snapshot, start)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE sync_log (
    sync_log   INTEGER PRIMARY KEY AUTOINCREMENT,
    started_ms INTEGER NOT NULL,                 -- device's clock
    ended_ms   INTEGER,                          -- NULL: it was cut off
    outcome    TEXT    NOT NULL DEFAULT '',      -- done, or the code of what stopped it
    requests   INTEGER NOT NULL DEFAULT 0,
    sent_bytes INTEGER NOT NULL DEFAULT 0,       -- request bodies
    got_bytes  INTEGER NOT NULL DEFAULT 0,       -- response bodies
    receipts   INTEGER NOT NULL DEFAULT 0,       -- own batches received by the server
    batches    INTEGER NOT NULL DEFAULT 0        -- batches relayed to this device
) STRICT;

CREATE TABLE village (
    village      BLOB    NOT NULL PRIMARY KEY,   -- VillageId, 16 bytes
    code         TEXT    NOT NULL DEFAULT '',    -- official 12-digit code (行政区划代码) of today
    name         TEXT    NOT NULL DEFAULT '',    -- name as the server gave it
    granted      INTEGER NOT NULL DEFAULT 1,     -- 1 while the certificate names it
    search_key   BLOB,                           -- 32 bytes: keyed hashes for search and duplicates
    cursor_epoch BLOB,                           -- EpochId of the cursor, NULL before the first sync
    cursor       INTEGER NOT NULL DEFAULT 0,     -- server's number of the last batch or decision held
    mismatch_ms  INTEGER,                        -- when the fingerprints were last found to differ, NULL: they agree
    synced_ms    INTEGER                         -- when a sync of the village last ended whole, device's clock
, keys_given INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE TABLE watermark (
    epoch BLOB    NOT NULL,                      -- EpochId
    size  INTEGER NOT NULL,                      -- leaves that the backup holds
    at_ms INTEGER NOT NULL,                      -- when it had been read back, server's clock
    bytes BLOB    NOT NULL,                      -- SignedWatermark, verified
    PRIMARY KEY (epoch, size)
) STRICT, WITHOUT ROWID;
