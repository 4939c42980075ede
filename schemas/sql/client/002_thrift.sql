-- What need not be sent again: the vector and the keys are told to the server as differences from the cursor.

-- 0 once the village's cursor stands for it, so that no version vector has to name it; 1 before, and for what
-- the cursor was never known to stand for. It only saves bytes.
ALTER TABLE batch ADD COLUMN above_cursor INTEGER NOT NULL DEFAULT 1;
CREATE INDEX batch_above ON batch (village) WHERE above_cursor = 1;

-- the number of the last of the village's keys that was given in the cursor's epoch; 0: none
ALTER TABLE village ADD COLUMN keys_given INTEGER NOT NULL DEFAULT 0;
