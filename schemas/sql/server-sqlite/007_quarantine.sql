-- What people propose about changes in quarantine, and the keys that devices gave up.

-- One person's word about a change in quarantine, which waits for a second person's; a decision takes its place.
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

-- A key that was found to be in two places, and the provisional ones that took its place.
CREATE TABLE key_replacement (
    device      BLOB    NOT NULL PRIMARY KEY, -- device id of the new key
    replaces    BLOB    NOT NULL, -- device id of the key that was given up
    replaced_ms INTEGER NOT NULL  -- when
) STRICT, WITHOUT ROWID;

CREATE INDEX key_replacement_replaces ON key_replacement (replaces);
