-- The form that a draft is filled in by, `ruhu-first/1.0.0`; empty for drafts begun before forms were pinned.
ALTER TABLE check_row ADD COLUMN form TEXT NOT NULL DEFAULT '';
