-- What each device last announced as unsent (未送出) in a village: its own word, and evidence of nothing.

-- operational: it may be lost, and is forgotten with its epoch: each device announces anew in its next request.
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
