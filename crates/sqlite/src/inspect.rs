//! Looking at a file: its schema as text, and whether its pages are sound.

use std::fmt::Write as _;

use rusqlite::Connection;

use crate::error::is_corrupt;

/// The whole schema as SQL text in a fixed order, for a committed `current.sql` that a test compares.
///
/// # Errors
/// What SQLite says when the schema cannot be read.
pub fn schema_dump(connection: &Connection) -> rusqlite::Result<String> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let mut dump = format!("-- schema version {version}\n");
    let mut statement = connection.prepare(
        "SELECT sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY tbl_name, type = 'table' DESC, type, name",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let sql: String = row.get(0)?;
        // Writing to a string cannot fail.
        let _ = write!(dump, "\n{};\n", sql.trim_end());
    }
    Ok(dump)
}

/// Reads every page and answers with what is wrong; an empty list means the file is sound.
///
/// Takes about as long as reading the file. With a key every page's authentication is checked on the way.
///
/// # Errors
/// What SQLite says when the check could not run at all, for instance because the disk fails.
pub fn quick_check(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let findings = connection.prepare("PRAGMA quick_check").and_then(|mut statement| {
        statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()
    });
    match findings {
        Ok(lines) if lines == ["ok"] => Ok(Vec::new()),
        Ok(lines) => Ok(lines),
        Err(error) if is_corrupt(&error) => Ok(vec![error.to_string()]),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{quick_check, schema_dump};

    #[test]
    fn the_dump_does_not_depend_on_the_order_of_creation() {
        let one = Connection::open_in_memory().unwrap();
        one.execute_batch(
            "CREATE TABLE a (x); CREATE TABLE b (y); CREATE INDEX b_y ON b (y); CREATE INDEX a_x ON a (x);",
        )
        .unwrap();
        let two = Connection::open_in_memory().unwrap();
        two.execute_batch(
            "CREATE TABLE b (y); CREATE INDEX b_y ON b (y); CREATE TABLE a (x); CREATE INDEX a_x ON a (x);",
        )
        .unwrap();
        assert_eq!(schema_dump(&one).unwrap(), schema_dump(&two).unwrap());
        assert_eq!(
            schema_dump(&one).unwrap(),
            "-- schema version 0\n\nCREATE TABLE a (x);\n\nCREATE INDEX a_x ON a (x);\n\nCREATE TABLE b (y);\n\n\
             CREATE INDEX b_y ON b (y);\n"
        );
    }

    #[test]
    fn tables_of_sqlite_itself_are_not_in_the_dump() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT);").unwrap();
        assert!(!schema_dump(&connection).unwrap().contains("sqlite_sequence"));
    }

    #[test]
    fn a_sound_file_has_no_findings() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE a (x);").unwrap();
        assert_eq!(quick_check(&connection).unwrap(), Vec::<String>::new());
    }
}
