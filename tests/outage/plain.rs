//! The layer's own proof: SQLite itself under cuts, with the settings of the product, and with `synchronous = OFF`.

use ruhu_sqlite::{Key32, Migrations, Profile, migrate};
use rusqlite::Connection;

use super::machines::{Trouble, say};
use crate::disk::{Damage, Disk, Image, Tape};
use ruhu_sample::Random;

const TABLES: Migrations = Migrations(&[(
    "001_two",
    "CREATE TABLE one (id INTEGER PRIMARY KEY, text BLOB) STRICT;
     CREATE TABLE two (id INTEGER PRIMARY KEY, text BLOB) STRICT;",
)]);
const TRANSACTIONS: usize = 8;

fn connect(disk: &Disk, profile: Profile) -> Result<Connection, Trouble> {
    let opened = ruhu_sqlite::open(&disk.path("plain.db"), Some(&Key32::new([7; 32])), profile);
    let mut connection = opened.map_err(|e| say("open")(&e))?;
    migrate(&mut connection, &TABLES).map_err(|e| say("migrate")(&e))?;
    Ok(connection)
}

/// Writes a row to each of two tables, many times; the moments at which each commit had returned.
fn record(profile: Profile, synchronous: &str) -> (Tape, Vec<usize>) {
    let (disk, tape) = (Disk::new(), Tape::default());
    disk.record(&tape);
    let connection = connect(&disk, profile).unwrap();
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    let commits = (0..TRANSACTIONS).map(|number| {
        let text = vec![u8::try_from(number).unwrap(); 3_000];
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        for table in ["one", "two"] {
            connection.execute(&format!("INSERT INTO {table} (text) VALUES (?1)"), [&text]).unwrap();
        }
        connection.execute_batch("COMMIT").unwrap();
        tape.length()
    });
    let commits = commits.collect();
    // The connection is closed, and its log folded in, on the tape too.
    drop(connection);
    (tape, commits)
}

fn rows(connection: &Connection, table: &str) -> Result<usize, Trouble> {
    let count =
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    count.map(|count| usize::try_from(count).unwrap()).map_err(|e| say("count")(&e))
}

fn examine(disk: &Disk, profile: Profile, committed: usize) -> Result<(), Trouble> {
    let connection = connect(disk, profile)?;
    let sound: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .map_err(|e| say("integrity_check")(&e))?;
    let (one, two) = (rows(&connection, "one")?, rows(&connection, "two")?);
    if sound != "ok" || one != two || one < committed || one > committed + 1 {
        return Err(format!("{sound}; {one} and {two} rows, {committed} committed"));
    }
    connection.execute("INSERT INTO one (text) VALUES (x'00')", []).map(drop).map_err(|e| say("write")(&e))
}

/// Cuts at every moment with every kind of damage; how many cuts, and what was lost or broken.
pub(crate) fn cut_all(profile: Profile, synchronous: &str) -> (usize, Vec<Trouble>) {
    let (tape, commits) = record(profile, synchronous);
    let mut images = [Image::default()];
    let (mut cuts, mut troubles) = (0, Vec::new());
    for moment in 0..=tape.length() {
        let committed = commits.partition_point(|returned| *returned <= moment);
        for (place, damage) in Damage::ALL.into_iter().enumerate() {
            let seed = (moment * Damage::ALL.len() + place) as u64;
            let disk = Disk::mount(images[0].cut(damage, &mut Random::new(seed)));
            cuts += 1;
            if let Err(trouble) = examine(&disk, profile, committed) {
                troubles.push(format!("moment {moment}, {damage:?}: {trouble}"));
            }
        }
        if moment < tape.length() {
            tape.play(moment, &mut images, true);
        }
    }
    (cuts, troubles)
}
