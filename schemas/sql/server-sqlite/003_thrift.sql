-- Keys are given to a device once: they are numbered per village in the order in which they became durable.

-- 1 is the village's search key, so the first household's key is number 2.
ALTER TABLE household_key ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
UPDATE household_key SET sequence = 1 + (
    SELECT count(*) FROM household_key AS upto
    WHERE upto.village = household_key.village AND upto.household <= household_key.household);
CREATE UNIQUE INDEX household_key_sequence ON household_key (village, sequence);
