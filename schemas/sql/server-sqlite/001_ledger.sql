-- The ledger and what is derived from it.
--
-- Raw tables hold what cannot be made again: batches as their devices signed them, the changes in them,
-- receipts, decisions and the log. Derived tables are marked so; `ruhu-server rebuild` empties and refills them.
-- Ids are 16 bytes, hashes 32, times milliseconds since 1970 by this server's clock unless a column says otherwise.

-- raw: the one installation this file belongs to.
CREATE TABLE deployment (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1), -- always 1
    id       BLOB    NOT NULL  -- deployment id, 16 bytes
) STRICT;

-- raw: the lives of this server's log; a restore from a backup starts another (纪元).
CREATE TABLE epoch (
    number     INTEGER NOT NULL PRIMARY KEY, -- 1, 2, 3 …; the highest is the present one
    id         BLOB    NOT NULL UNIQUE,      -- epoch id, 16 bytes
    leaf_index INTEGER NOT NULL UNIQUE,      -- its leaf in the log
    bytes      BLOB    NOT NULL              -- signed beginning, with the key that signs in this epoch
) STRICT;

-- raw: the order in which things became readable; its number is the sync cursor.
CREATE TABLE feed (
    sequence    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- the cursor number
    village     BLOB    NOT NULL, -- village id (行政村)
    kind        INTEGER NOT NULL, -- 1 batch, 2 decision, 3 certificate, 4 revocation
    subject     INTEGER NOT NULL, -- log leaf of what it announces
    fingerprint INTEGER NOT NULL  -- the village's fingerprint after this entry, 64 bits as two's complement
) STRICT;
CREATE INDEX feed_village ON feed (village, sequence);

-- raw: batches that were received, as signed by their devices (批次).
CREATE TABLE batch (
    sequence    INTEGER NOT NULL PRIMARY KEY REFERENCES feed (sequence), -- its feed entry
    id          BLOB    NOT NULL UNIQUE, -- SHA-256 of the header
    village     BLOB    NOT NULL, -- village id
    device      BLOB    NOT NULL, -- device id of the author
    user        BLOB    NOT NULL, -- user id of the author
    number      INTEGER NOT NULL, -- its number in the chain of (device, village), from 1
    previous    BLOB,             -- id of the batch before it; null for number 1
    header      BLOB    NOT NULL, -- canonical header
    signature   BLOB    NOT NULL, -- the device's signature over the id, 64 bytes
    payload     BLOB    NOT NULL, -- mode byte and body, as received
    received_ms INTEGER NOT NULL, -- when it became durable: "not after"
    anchor_ms   INTEGER,          -- when the log reached the size the header is anchored to: "not before"; null when unproved
    leaf_index  INTEGER NOT NULL UNIQUE, -- its leaf in the log
    receipt     BLOB    NOT NULL  -- signed receipt
) STRICT;
CREATE INDEX batch_chain ON batch (village, device, number);
CREATE INDEX batch_device ON batch (device, received_ms);

-- raw: batches waiting for the one before them; nothing was receipted (待接续). Bounded per device.
CREATE TABLE staged_batch (
    id          BLOB    NOT NULL PRIMARY KEY, -- batch id
    device      BLOB    NOT NULL, -- device id of the author
    village     BLOB    NOT NULL, -- village id
    number      INTEGER NOT NULL, -- its number in the chain
    previous    BLOB    NOT NULL, -- id of the batch it waits for
    bytes       BLOB    NOT NULL, -- the whole batch as received
    received_ms INTEGER NOT NULL  -- when it came
) STRICT;
CREATE INDEX staged_batch_previous ON staged_batch (previous);
CREATE INDEX staged_batch_device ON staged_batch (device, received_ms);

-- raw: every change of every received batch, kept whatever its verdict (变更).
CREATE TABLE change (
    sequence  INTEGER NOT NULL REFERENCES batch (sequence), -- the batch it came in
    position  INTEGER NOT NULL, -- its place in the batch, from 0
    village   BLOB    NOT NULL, -- village id
    kind      INTEGER NOT NULL, -- document kind: 1 household, 2 check, 3 issue, 4 village
    document  BLOB    NOT NULL, -- document id inside the village
    hash      BLOB,             -- its name; null when the bytes are not a change
    bytes     BLOB    NOT NULL, -- the change as received
    standing  INTEGER NOT NULL, -- now: 0 refused, 1 accepted, 2 held, 3 quarantined, 4 a repeat of one already here
    admitted  INTEGER,          -- feed number at which it was accepted; null unless accepted
    rule      TEXT,             -- code of the rule or reason when refused or quarantined
    detail    TEXT,             -- the key or dependency concerned; never a value
    because   BLOB,             -- the quarantined or refused change it stands on, if that is why
    PRIMARY KEY (sequence, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_document ON change (village, kind, document, hash);
CREATE INDEX change_admitted ON change (village, kind, document, admitted, sequence, position) WHERE standing = 1;
CREATE INDEX change_unsettled ON change (village, kind, document, standing) WHERE standing IN (2, 3);

-- raw: verdicts given after the receipt: held to accepted, quarantined, adopted (裁定).
CREATE TABLE decision (
    sequence   INTEGER NOT NULL PRIMARY KEY REFERENCES feed (sequence), -- its feed entry
    batch      INTEGER NOT NULL, -- feed number of the batch
    position   INTEGER NOT NULL, -- place of the change in that batch
    decided_ms INTEGER NOT NULL, -- when
    leaf_index INTEGER NOT NULL UNIQUE, -- its leaf in the log
    bytes      BLOB    NOT NULL, -- signed decision
    FOREIGN KEY (batch, position) REFERENCES change (sequence, position)
) STRICT;
CREATE INDEX decision_change ON decision (batch, position);

-- raw: signed certificates of device keys (设备证书).
CREATE TABLE certificate (
    device     BLOB    NOT NULL, -- device id that it certifies
    serial     INTEGER NOT NULL UNIQUE, -- its number; the highest of a device counts
    leaf_index INTEGER NOT NULL UNIQUE, -- its leaf in the log
    issued_ms  INTEGER NOT NULL, -- when it was signed
    bytes      BLOB    NOT NULL, -- signed certificate
    PRIMARY KEY (device, serial)
) STRICT, WITHOUT ROWID;

-- raw: signed revocations of devices (吊销).
CREATE TABLE revocation (
    device     BLOB    NOT NULL PRIMARY KEY, -- device id
    revoked_ms INTEGER NOT NULL, -- batches received from then on are quarantined
    leaf_index INTEGER NOT NULL UNIQUE, -- its leaf in the log
    bytes      BLOB    NOT NULL  -- signed revocation
) STRICT;

-- raw: the transparency log, one canonical leaf per row (日志).
CREATE TABLE log_leaf (
    leaf_index INTEGER NOT NULL PRIMARY KEY, -- from 0, without gaps
    time_ms    INTEGER NOT NULL, -- the leaf's own time: when the log reached this size
    bytes      BLOB    NOT NULL  -- canonical leaf
) STRICT;

-- raw: hashes of the complete subtrees of the log (RFC 6962); recomputed by `verify`.
CREATE TABLE log_node (
    level      INTEGER NOT NULL, -- 0 leaf hashes, 1 pairs of them, …
    node_index INTEGER NOT NULL, -- from 0 in its level
    hash       BLOB    NOT NULL, -- 32 bytes
    PRIMARY KEY (level, node_index)
) STRICT, WITHOUT ROWID;

-- raw: signed checkpoints of the log, each signed after its leaves were durable (检查点).
CREATE TABLE checkpoint (
    size      INTEGER NOT NULL PRIMARY KEY, -- leaves it covers
    root      BLOB    NOT NULL, -- RFC 6962 root, 32 bytes
    signed_ms INTEGER NOT NULL, -- when it was signed
    note      TEXT    NOT NULL  -- C2SP signed note
) STRICT;

-- operational: when each device last spoke to this server; not part of any proof.
CREATE TABLE device_seen (
    device  BLOB    NOT NULL PRIMARY KEY, -- device id
    seen_ms INTEGER NOT NULL  -- its last authenticated request
) STRICT;

-- derived: the newest batches of each chain; more than one where a chain has forked (分叉).
CREATE TABLE chain_tip (
    village  BLOB    NOT NULL, -- village id
    device   BLOB    NOT NULL, -- device id
    id       BLOB    NOT NULL, -- id of the newest batch of this branch
    number   INTEGER NOT NULL, -- its number
    sequence INTEGER NOT NULL, -- its feed entry
    PRIMARY KEY (village, device, id)
) STRICT, WITHOUT ROWID;

-- derived: each document's live values (文档).
CREATE TABLE document (
    village   BLOB    NOT NULL, -- village id
    kind      INTEGER NOT NULL, -- document kind
    document  BLOB    NOT NULL, -- document id
    register  BLOB    NOT NULL, -- live operations per key at the heads
    changes   INTEGER NOT NULL, -- accepted changes
    UNIQUE (village, kind, document)
) STRICT;

-- derived: documents with accepted changes that Automerge has not yet been shown to load.
CREATE TABLE belt_pending (
    village  BLOB    NOT NULL, -- village id
    kind     INTEGER NOT NULL, -- document kind
    document BLOB    NOT NULL, -- document id
    since    INTEGER NOT NULL, -- first feed entry not yet shown to load; reads and relays stop before it
    PRIMARY KEY (village, kind, document)
) STRICT, WITHOUT ROWID;

-- derived: running totals of a village.
CREATE TABLE village_state (
    village     BLOB    NOT NULL PRIMARY KEY, -- village id
    fingerprint INTEGER NOT NULL, -- sum mod 2^64 of the first 8 bytes of the accepted hashes, two's complement
    accepted    INTEGER NOT NULL, -- accepted changes
    sequence    INTEGER NOT NULL  -- last feed entry
) STRICT;

-- derived: one row per household for lists and search (农户).
CREATE TABLE household_row (
    village      BLOB    NOT NULL, -- village id
    household    BLOB    NOT NULL, -- household id
    number       TEXT    NOT NULL, -- national household number, or '' (户编号)
    group_name   TEXT    NOT NULL, -- villagers' group, or '' (村民小组)
    head_name    TEXT    NOT NULL, -- name of the head or the first member, or '' (户主)
    names        TEXT    NOT NULL, -- names of the members living in it, one a line
    member_count INTEGER NOT NULL, -- members living in it (家庭人口)
    status       TEXT    NOT NULL, -- code of household_status, or '' (档案状态)
    category     TEXT    NOT NULL, -- code of monitor_category, or '' (监测对象类别)
    level        TEXT    NOT NULL, -- code of monitor_level, or '' (走访等级)
    conflicts    INTEGER NOT NULL, -- conflicts that wait for a person
    last_visit   TEXT,             -- day on which the last visit ended, by the device's clock; null before the first
    PRIMARY KEY (village, household)
) STRICT, WITHOUT ROWID;
CREATE INDEX household_row_list ON household_row (village, group_name, head_name, household);

-- derived: one row per check (入户排查).
CREATE TABLE check_row (
    village       BLOB    NOT NULL, -- village id
    check_id      BLOB    NOT NULL, -- check id
    household     BLOB,             -- household it visits; null while it names none
    check_type    TEXT    NOT NULL, -- code of check_type, or ''
    started_by    BLOB,             -- device id that writes it; null while it names none
    started_at_ms INTEGER,          -- start by the device's clock; null while it says none
    result        TEXT    NOT NULL, -- code of visit_result, or ''
    submitted     INTEGER NOT NULL, -- 1 once it holds a submit entry
    corrections   INTEGER NOT NULL, -- corrections after the submission
    PRIMARY KEY (village, check_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX check_row_household ON check_row (village, household, check_id);

-- derived: fields with unequal concurrent values (冲突).
CREATE TABLE conflict_row (
    village  BLOB    NOT NULL, -- village id
    kind     INTEGER NOT NULL, -- document kind
    document BLOB    NOT NULL, -- document id
    key      TEXT    NOT NULL, -- path key
    shown    BLOB    NOT NULL, -- change whose value is shown
    others   INTEGER NOT NULL, -- how many other values there are
    asks     INTEGER NOT NULL, -- 1 when a named person is asked to decide
    PRIMARY KEY (village, kind, document, key)
) STRICT, WITHOUT ROWID;

-- derived: each value ever put, for history at scale (修改记录).
CREATE TABLE field_event (
    village  BLOB    NOT NULL, -- village id
    kind     INTEGER NOT NULL, -- document kind
    document BLOB    NOT NULL, -- document id
    counter  INTEGER NOT NULL, -- operation counter
    actor    BLOB    NOT NULL, -- operation actor, 16 bytes
    key      TEXT    NOT NULL, -- path key
    position INTEGER NOT NULL, -- its place in the document's history, from 0
    event    BLOB    NOT NULL, -- the whole event in canonical binary
    PRIMARY KEY (village, kind, document, counter, actor)
) STRICT, WITHOUT ROWID;
CREATE INDEX field_event_key ON field_event (village, kind, document, key, position);
