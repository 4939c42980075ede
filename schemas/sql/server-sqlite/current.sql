-- schema version 11

CREATE TABLE access_token (
    hash       BLOB NOT NULL PRIMARY KEY,  -- SHA-256 of the token; the token itself is shown once and kept nowhere (令牌)
    person     BLOB NOT NULL REFERENCES person (id), -- whose
    created_ms INTEGER NOT NULL,           -- when it was made
    revoked_ms INTEGER                     -- when it was withdrawn; null while it holds (撤销时间)
) STRICT;

CREATE INDEX access_token_person ON access_token (person);

CREATE TABLE announcement (
    village BLOB    NOT NULL, -- village id
    device  BLOB    NOT NULL, -- device id
    epoch   BLOB    NOT NULL, -- epoch in which it was announced
    number  INTEGER NOT NULL, -- among the announcements about the village in that epoch, from 1; the newest is highest
    next    INTEGER NOT NULL, -- one above the last batch of the device's chain, 0: it has written none
    checks  INTEGER NOT NULL, -- checks closed and in no receipt that the device holds
    drafts  INTEGER NOT NULL, -- checks begun and not closed
    at_ms   INTEGER NOT NULL, -- when the server had it
    PRIMARY KEY (village, device)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE belt_pending (
    village  BLOB    NOT NULL, -- village id
    kind     INTEGER NOT NULL, -- document kind
    document BLOB    NOT NULL, -- document id
    since    INTEGER NOT NULL, -- first feed entry not yet shown to load; reads and relays stop before it
    PRIMARY KEY (village, kind, document)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate (
    device     BLOB    NOT NULL, -- device id that it certifies
    serial     INTEGER NOT NULL UNIQUE, -- its number; the highest of a device counts
    leaf_index INTEGER NOT NULL UNIQUE, -- its leaf in the log
    issued_ms  INTEGER NOT NULL, -- when it was signed
    bytes      BLOB    NOT NULL, -- signed certificate
    PRIMARY KEY (device, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE certificate_village (
    village BLOB NOT NULL,                 -- a village the certificate is for
    serial  INTEGER NOT NULL,              -- the certificate's number, as in the table certificate
    PRIMARY KEY (village, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE chain_tip (
    village  BLOB    NOT NULL, -- village id
    device   BLOB    NOT NULL, -- device id
    id       BLOB    NOT NULL, -- id of the newest batch of this branch
    number   INTEGER NOT NULL, -- its number
    sequence INTEGER NOT NULL, -- its feed entry
    PRIMARY KEY (village, device, id)
) STRICT, WITHOUT ROWID;

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

CREATE INDEX change_unsettled ON change (village, kind, document, standing) WHERE standing IN (2, 3);

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

CREATE TABLE checkpoint (
    size      INTEGER NOT NULL PRIMARY KEY, -- leaves it covers
    root      BLOB    NOT NULL, -- RFC 6962 root, 32 bytes
    signed_ms INTEGER NOT NULL, -- when it was signed
    note      TEXT    NOT NULL  -- C2SP signed note
) STRICT;

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

CREATE TABLE deployment (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1), -- always 1
    id       BLOB    NOT NULL  -- deployment id, 16 bytes
) STRICT;

CREATE TABLE device_seen (
    device  BLOB    NOT NULL PRIMARY KEY, -- device id
    seen_ms INTEGER NOT NULL  -- its last authenticated request
) STRICT;

CREATE TABLE document (
    village   BLOB    NOT NULL, -- village id
    kind      INTEGER NOT NULL, -- document kind
    document  BLOB    NOT NULL, -- document id
    register  BLOB    NOT NULL, -- live operations per key at the heads
    changes   INTEGER NOT NULL, history BLOB, -- accepted changes
    UNIQUE (village, kind, document)
) STRICT;

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

CREATE TABLE epoch (
    number     INTEGER NOT NULL PRIMARY KEY, -- 1, 2, 3 …; the highest is the present one
    id         BLOB    NOT NULL UNIQUE,      -- epoch id, 16 bytes
    leaf_index INTEGER NOT NULL UNIQUE,      -- its leaf in the log
    bytes      BLOB    NOT NULL              -- signed beginning, with the key that signs in this epoch
) STRICT;

CREATE TABLE epoch_link (
    epoch    BLOB    NOT NULL PRIMARY KEY, -- the epoch that began
    previous BLOB    NOT NULL, -- the epoch that ended
    known_ms INTEGER NOT NULL, -- when it was written here
    bytes    BLOB    NOT NULL  -- epoch link: both halves and the countersignature
) STRICT;

CREATE TABLE feed (
    sequence    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, -- the cursor number
    village     BLOB    NOT NULL, -- village id (行政村)
    kind        INTEGER NOT NULL, -- 1 batch, 2 decision, 3 certificate, 4 revocation
    subject     INTEGER NOT NULL, -- log leaf of what it announces
    fingerprint INTEGER NOT NULL  -- the village's fingerprint after this entry, 64 bits as two's complement
) STRICT;

CREATE INDEX feed_village ON feed (village, sequence);

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

CREATE TABLE former_record (
    hash     BLOB    NOT NULL PRIMARY KEY, -- SHA-256 of its bytes
    kind     INTEGER NOT NULL, -- 1 certificate, 2 revocation, 4 decision, 5 checkpoint note, 6 watermark
    epoch    BLOB    NOT NULL, -- the epoch in which it was signed
    bytes    BLOB    NOT NULL, -- as it was signed
    shown_by BLOB    NOT NULL, -- device id that brought it
    shown_ms INTEGER NOT NULL  -- when
) STRICT;

CREATE INDEX former_record_epoch ON former_record (epoch, kind);

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

CREATE TABLE held_request (
    device  BLOB    NOT NULL PRIMARY KEY, -- device id; one request of each is kept
    request BLOB    NOT NULL, -- the request's own id, 16 bytes
    bytes   BLOB    NOT NULL, -- its body as far as it came
    held_ms INTEGER NOT NULL  -- when it was cut; kept for 24 hours
) STRICT;

CREATE INDEX held_request_age ON held_request (held_ms);

CREATE TABLE household_key (
    village   BLOB NOT NULL,               -- the village
    household BLOB NOT NULL,               -- the household (农户)
    wrapped   BLOB NOT NULL, sequence INTEGER NOT NULL DEFAULT 0,               -- its 64-byte key of private values, wrapped under the server's wrap key
    PRIMARY KEY (village, household)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX household_key_sequence ON household_key (village, sequence);

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

CREATE TABLE invite (
    hash       BLOB NOT NULL PRIMARY KEY,  -- SHA-256 of the one-time enrolment code (注册码)
    person     BLOB NOT NULL REFERENCES person (id), -- for whom
    created_ms INTEGER NOT NULL,           -- when it was made
    expires_ms INTEGER NOT NULL,           -- until when it may be used (有效期)
    used_ms    INTEGER,                    -- when it was used; null while it is open
    used_by    BLOB                        -- the public key that used it; null while it is open
) STRICT;

CREATE TABLE key_replacement (
    device      BLOB    NOT NULL PRIMARY KEY, -- device id of the new key
    replaces    BLOB    NOT NULL, -- device id of the key that was given up
    replaced_ms INTEGER NOT NULL  -- when
) STRICT, WITHOUT ROWID;

CREATE INDEX key_replacement_replaces ON key_replacement (replaces);

CREATE TABLE log_leaf (
    leaf_index INTEGER NOT NULL PRIMARY KEY, -- from 0, without gaps
    time_ms    INTEGER NOT NULL, -- the leaf's own time: when the log reached this size
    bytes      BLOB    NOT NULL  -- canonical leaf
) STRICT;

CREATE TABLE log_node (
    level      INTEGER NOT NULL, -- 0 leaf hashes, 1 pairs of them, …
    node_index INTEGER NOT NULL, -- from 0 in its level
    hash       BLOB    NOT NULL, -- 32 bytes
    PRIMARY KEY (level, node_index)
) STRICT, WITHOUT ROWID;

CREATE TABLE named_batch (
    sequence INTEGER NOT NULL PRIMARY KEY, -- the batch's feed entry
    roots    INTEGER NOT NULL              -- roots in it and in those before it on its branch
) STRICT;

CREATE TABLE person (
    id         BLOB NOT NULL PRIMARY KEY,  -- the user's id (用户)
    name       TEXT NOT NULL UNIQUE,       -- the name they are called by in commands and lists (姓名)
    role       INTEGER NOT NULL,           -- ruhu_survey::role::Role::code (角色)
    created_ms INTEGER NOT NULL            -- when the account was made
) STRICT;

CREATE TABLE person_region (
    person BLOB NOT NULL REFERENCES person (id), -- who
    region TEXT NOT NULL,                        -- a region code; every village whose code begins with it (辖区)
    PRIMARY KEY (person, region)
) STRICT;

CREATE TABLE photo (
    village     BLOB    NOT NULL, -- village id
    address     BLOB    NOT NULL, -- SHA-256 of the file, its name
    bytes       INTEGER NOT NULL, -- its length
    device      BLOB    NOT NULL, -- device id of the first that sent it
    received_ms INTEGER NOT NULL, -- when it was whole and durable
    PRIMARY KEY (village, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX photo_device ON photo (device, received_ms);

CREATE TABLE photo_piece (
    upload INTEGER NOT NULL REFERENCES photo_upload (upload),
    start  INTEGER NOT NULL, -- its first byte
    bytes  BLOB    NOT NULL,
    PRIMARY KEY (upload, start)
) STRICT;

CREATE TABLE photo_upload (
    upload   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    device   BLOB    NOT NULL, -- device id of the sender
    village  BLOB    NOT NULL, -- village id
    address  BLOB    NOT NULL, -- SHA-256 of the whole file
    total    INTEGER NOT NULL, -- its length, as the device says
    moved_ms INTEGER NOT NULL, -- when its last piece came
    UNIQUE (device, village, address)
) STRICT;

CREATE TABLE proposal (
    sequence    INTEGER NOT NULL, -- feed number of the change's batch
    position    INTEGER NOT NULL, -- place of the change in that batch
    choice      INTEGER NOT NULL, -- 1 adopt, 2 refuse
    person      BLOB    NOT NULL, -- user id of who proposes it
    name        TEXT    NOT NULL, -- their name, as it will stand in the decision
    reason      TEXT    NOT NULL, -- why
    proposed_ms INTEGER NOT NULL, -- when
    PRIMARY KEY (sequence, position),
    FOREIGN KEY (sequence, position) REFERENCES change (sequence, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE region (
    code        TEXT NOT NULL PRIMARY KEY, -- 2, 4, 6, 9 or 12 digits without trailing zero groups (区划代码)
    level       INTEGER NOT NULL,          -- 1 province 省, 2 prefecture 市, 3 county 县, 4 township 乡镇, 5 village 村
    name        TEXT NOT NULL,             -- the name in the last list that had the code (名称)
    parent      TEXT,                      -- the code one level up; null at the top (上级)
    valid_from  TEXT NOT NULL,             -- the date it was first listed (启用日期)
    valid_until TEXT                       -- the date a list of its county first left it out; null while it holds (停用日期)
) STRICT;

CREATE TABLE revocation (
    device     BLOB    NOT NULL PRIMARY KEY, -- device id
    revoked_ms INTEGER NOT NULL, -- batches received from then on are quarantined
    leaf_index INTEGER NOT NULL UNIQUE, -- its leaf in the log
    bytes      BLOB    NOT NULL  -- signed revocation
) STRICT;

CREATE TABLE roster_household (
    village   BLOB NOT NULL,               -- the village
    roster    TEXT NOT NULL,               -- which roster, such as 'national' (名册)
    number    TEXT NOT NULL,               -- the household's number on it (户编号)
    change    BLOB NOT NULL,               -- the change with which the import wrote the household
    household BLOB NOT NULL,               -- the household it stands for
    state     BLOB NOT NULL,               -- canonical binary: the document as the imports alone made it, the members
                                           -- as the roster tells them apart, a keyed hash of each imported cell
    PRIMARY KEY (village, roster, number, change)
) STRICT, WITHOUT ROWID;

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

CREATE TABLE staged_batch (
    id          BLOB    NOT NULL PRIMARY KEY, -- batch id
    device      BLOB    NOT NULL, -- device id of the author
    village     BLOB    NOT NULL, -- village id
    number      INTEGER NOT NULL, -- its number in the chain
    previous    BLOB    NOT NULL, -- id of the batch it waits for
    bytes       BLOB    NOT NULL, -- the whole batch as received
    received_ms INTEGER NOT NULL  -- when it came
) STRICT;

CREATE INDEX staged_batch_device ON staged_batch (device, received_ms);

CREATE INDEX staged_batch_previous ON staged_batch (previous);

CREATE TABLE village (
    id         BLOB NOT NULL PRIMARY KEY,  -- the village's own id, whatever its code is this year (行政村)
    name       TEXT NOT NULL,              -- the name in the last list (村名)
    created_ms INTEGER NOT NULL            -- when this server first met it
) STRICT;

CREATE TABLE village_code (
    code        TEXT NOT NULL PRIMARY KEY, -- the official 12 digits (行政村代码)
    village     BLOB NOT NULL REFERENCES village (id), -- whose code it is
    valid_from  TEXT NOT NULL,             -- from when (启用日期)
    valid_until TEXT                       -- until when; null while it holds (停用日期)
) STRICT;

CREATE INDEX village_code_village ON village_code (village);

CREATE TABLE village_key (
    village BLOB NOT NULL PRIMARY KEY,     -- the village
    wrapped BLOB NOT NULL                  -- its 32-byte search key, wrapped (XChaCha20-Poly1305) under the server's wrap key
) STRICT;

CREATE TABLE village_state (
    village     BLOB    NOT NULL PRIMARY KEY, -- village id
    fingerprint INTEGER NOT NULL, -- sum mod 2^64 of the first 8 bytes of the accepted hashes, two's complement
    accepted    INTEGER NOT NULL, -- accepted changes
    sequence    INTEGER NOT NULL  -- last feed entry
) STRICT;

CREATE TABLE watermark (
    leaf_index INTEGER NOT NULL PRIMARY KEY, -- its leaf in the log
    size       INTEGER NOT NULL, -- leaves that the backup holds
    bytes      BLOB    NOT NULL  -- signed watermark
) STRICT;
