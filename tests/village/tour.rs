//! A tour of bad input: each stop shows the message or stable code, that nothing wrong was taken in, and
//! that somebody else's honest work went on beside it.

#[path = "tour/batches.rs"]
mod batches;
#[path = "tour/clock.rs"]
mod clock;
#[path = "tour/damage.rs"]
mod damage;
#[path = "tour/disk.rs"]
mod disk;
#[path = "tour/enrolment.rs"]
mod enrolment;
#[path = "tour/revoked.rs"]
mod revoked;
#[path = "tour/roster.rs"]
mod roster;
#[path = "tour/versions.rs"]
mod versions;

use std::cell::Cell;

use rusqlite::Connection;

use crate::world::{Device, World, village_of};

/// A village with somebody who works honestly, and somebody who sees what comes of it.
pub(super) struct Scene {
    pub(super) world: World,
    /// The official code of the village.
    pub(super) code: String,
    pub(super) honest: Device,
    pub(super) witness: Device,
    /// The household that the honest device writes about.
    pub(super) household: String,
    day: Cell<u32>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let code = village_of(0, 3).code;
        let mut world = World::new(3);
        world.start();
        let honest = world.enrol("张秀英", "work_team", &code);
        let witness = world.enrol("王建平", "first_secretary", &code);
        honest.sync();
        let household = honest.households()[0].clone();
        Self { world, code, honest, witness, household, day: Cell::new(0) }
    }

    /// The honest device writes and syncs, and the other one sees it.
    pub(super) fn honest_work_goes_on(&self) {
        self.day.set(self.day.get() + 1);
        let remark = format!("第{}天已走访", self.day.get());
        self.honest.run(&["edit", &self.household, "remarks", &remark]);
        let synced = self.honest.sync();
        assert_eq!(synced["receipts"], 1, "{synced}");
        assert_eq!((&synced["waiting"], &synced["not_accepted"]), (&0.into(), &0.into()), "{synced}");
        assert_eq!(synced["complete"], true, "{synced}");
        self.witness.sync();
        assert_eq!(self.witness.shown(&self.household, "remarks"), remark);
    }

    /// A number out of the server's database.
    pub(super) fn count(&self, sql: &str) -> i64 {
        self.database().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The server's database file, beside the server.
    pub(super) fn database(&self) -> Connection {
        Connection::open(self.world.data().join("ruhu.db")).unwrap()
    }

    /// The server's books agree with everything that was signed.
    pub(super) fn verifies(&self) {
        let said = self.world.operate(&["verify"]);
        assert!(said.contains("agree"), "{said}");
    }
}

impl Device {
    /// The value that this device shows for a field of a household, as text.
    fn shown(&self, household: &str, key: &str) -> String {
        let shown = self.json(&["show", household]);
        let fields = shown["fields"].as_array().unwrap();
        let found = fields.iter().find(|field| field["key"] == key);
        found.map(|field| field["value"].as_str().unwrap_or_default().to_owned()).unwrap_or_default()
    }
}

/// Prints what a stop of the tour showed; `cargo test -- --nocapture` gives the whole tour.
pub(super) fn tell(stop: &str, said: &str) {
    println!("[{stop}] {}", said.trim());
}
