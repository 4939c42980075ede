-- People, their devices, the places they look after, the keys of private values, and what rosters said.
-- Times are milliseconds since 1970 by the server's clock; dates are YYYY-MM-DD in China Standard Time.

CREATE TABLE region (
    code        TEXT NOT NULL PRIMARY KEY, -- 2, 4, 6, 9 or 12 digits without trailing zero groups (区划代码)
    level       INTEGER NOT NULL,          -- 1 province 省, 2 prefecture 市, 3 county 县, 4 township 乡镇, 5 village 村
    name        TEXT NOT NULL,             -- the name in the last list that had the code (名称)
    parent      TEXT,                      -- the code one level up; null at the top (上级)
    valid_from  TEXT NOT NULL,             -- the date it was first listed (启用日期)
    valid_until TEXT                       -- the date a list of its county first left it out; null while it holds (停用日期)
) STRICT;

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

CREATE TABLE access_token (
    hash       BLOB NOT NULL PRIMARY KEY,  -- SHA-256 of the token; the token itself is shown once and kept nowhere (令牌)
    person     BLOB NOT NULL REFERENCES person (id), -- whose
    created_ms INTEGER NOT NULL,           -- when it was made
    revoked_ms INTEGER                     -- when it was withdrawn; null while it holds (撤销时间)
) STRICT;

CREATE INDEX access_token_person ON access_token (person);

CREATE TABLE invite (
    hash       BLOB NOT NULL PRIMARY KEY,  -- SHA-256 of the one-time enrolment code (注册码)
    person     BLOB NOT NULL REFERENCES person (id), -- for whom
    created_ms INTEGER NOT NULL,           -- when it was made
    expires_ms INTEGER NOT NULL,           -- until when it may be used (有效期)
    used_ms    INTEGER,                    -- when it was used; null while it is open
    used_by    BLOB                        -- the public key that used it; null while it is open
) STRICT;

CREATE TABLE certificate_village (
    village BLOB NOT NULL,                 -- a village the certificate is for
    serial  INTEGER NOT NULL,              -- the certificate's number, as in the table certificate
    PRIMARY KEY (village, serial)
) STRICT, WITHOUT ROWID;

CREATE TABLE village_key (
    village BLOB NOT NULL PRIMARY KEY,     -- the village
    wrapped BLOB NOT NULL                  -- its 32-byte search key, wrapped (XChaCha20-Poly1305) under the server's wrap key
) STRICT;

CREATE TABLE household_key (
    village   BLOB NOT NULL,               -- the village
    household BLOB NOT NULL,               -- the household (农户)
    wrapped   BLOB NOT NULL,               -- its 64-byte key of private values, wrapped under the server's wrap key
    PRIMARY KEY (village, household)
) STRICT, WITHOUT ROWID;

-- A row holds when its change was accepted: it is written before the change is taken in, so that an import that is
-- cut off between the two is neither forgotten nor believed.
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
