-- A change that was not accepted, and the one that was written in its place.

ALTER TABLE change ADD COLUMN replaced_by BLOB; -- hash of the own change that was written anew for it; NULL: none

CREATE INDEX change_replaced ON change (document) WHERE replaced_by IS NOT NULL;
