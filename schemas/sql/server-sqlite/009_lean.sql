-- What an index saves has to be worth the page that every change of it costs.

-- The accepted changes of a document are found by change_document as well: hardly any change is not accepted.
DROP INDEX change_admitted;

-- The history of a document stands with the document, packed: a row and two indexes for each event took over half of
-- the database. Null until the document changes next or `rebuild` runs; it is read from the changes until then.
DROP TABLE field_event;
ALTER TABLE document ADD COLUMN history BLOB; -- its field events, packed
