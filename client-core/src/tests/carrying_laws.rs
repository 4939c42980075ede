//! Whoever brings it first, in whatever order and however often: in the end all devices hold the same, and
//! the server has each change once.

use proptest::prelude::*;
use ruhu_survey::household::NewHousehold;

use super::carrying::meet_for;
use super::server::Fault;
use super::*;
use crate::Edit;

const DEVICES: usize = 3;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    Edits(usize, u8),
    Syncs(usize, Vec<Fault>),
    /// Two devices meet, and the link breaks after so many messages.
    Meet(usize, usize, usize),
    /// A device appends to one of two sticks.
    Exports(usize, bool),
    /// A device reads a stick that was cut at some byte: none of it at 0, all of it at 255.
    Imports(usize, bool, u8),
    /// One stick is appended to the other.
    Joins,
    IsKilled(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let device = 0..DEVICES;
    let fault = prop_oneof![Just(Fault::LosesTheAnswer), (0_usize..4_000).prop_map(Fault::CutsAfter)];
    prop_oneof![
        5 => (device.clone(), any::<u8>()).prop_map(|(device, number)| Event::Edits(device, number)),
        2 => (device.clone(), prop::collection::vec(fault, 0..3))
            .prop_map(|(device, faults)| Event::Syncs(device, faults)),
        3 => (device.clone(), 1..DEVICES, prop_oneof![Just(usize::MAX), 0_usize..12])
            .prop_map(|(one, further, cut)| Event::Meet(one, (one + further) % DEVICES, cut)),
        3 => (device.clone(), any::<bool>()).prop_map(|(device, stick)| Event::Exports(device, stick)),
        3 => (device.clone(), any::<bool>(), prop_oneof![Just(255), any::<u8>()])
            .prop_map(|(device, stick, end)| Event::Imports(device, stick, end)),
        1 => Just(Event::Joins),
        1 => device.prop_map(Event::IsKilled),
    ]
}

/// Three devices, two sticks and a server.
struct World {
    server: FakeServer,
    tablets: Vec<Tablet>,
    sticks: [Vec<u8>; 2],
    household: HouseholdId,
    written: usize,
}

impl World {
    fn new() -> Self {
        let server = FakeServer::new();
        let mut tablets: Vec<Tablet> =
            (1..).take(DEVICES).map(|seed| Tablet::enrolled(&server, seed)).collect();
        let new = NewHousehold { group_name: "三组".to_owned(), address: None, phone: None };
        let household = tablets[0].client.new_household(server.villages[0], &new, &[]).unwrap();
        tablets.iter_mut().for_each(|tablet| drop(tablet.sync(&server)));
        Self { server, tablets, sticks: Default::default(), household, written: 0 }
    }

    fn live_through(&mut self, event: &Event) {
        let village = self.server.villages[0];
        match event {
            Event::Edits(device, number) => {
                let edit = Edit::text("remarks", format!("第{number}条"));
                self.tablets[*device].client.edit_household(self.household, &[edit]).unwrap();
                self.written += 1;
            }
            Event::Syncs(device, faults) => {
                self.server.faults(faults);
                drop(self.tablets[*device].sync(&self.server));
            }
            Event::Meet(one, other, cut) => {
                let mut caller = self.tablets.remove(*one);
                let other = if other > one { other - 1 } else { *other };
                drop(meet_for(&mut caller, &mut self.tablets[other], *cut));
                self.tablets.insert(*one, caller);
            }
            Event::Exports(device, stick) => {
                let stick = &mut self.sticks[usize::from(*stick)];
                let appended = self.tablets[*device].client.bundle_export(stick, &[village], None).unwrap();
                stick.extend(appended);
            }
            Event::Imports(device, stick, end) => {
                let stick = &self.sticks[usize::from(*stick)];
                let end = stick.len() * usize::from(*end) / 255;
                self.tablets[*device].client.bundle_import(&stick[..end]).unwrap();
            }
            Event::Joins => {
                let [one, other] = &mut self.sticks;
                one.extend_from_slice(other);
            }
            Event::IsKilled(device) => {
                let killed = self.tablets.remove(*device).restarted();
                self.tablets.insert(*device, killed);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whoever_brings_it_first_the_server_and_all_devices_end_equal(
        events in prop::collection::vec(event(), 1..32),
    ) {
        let mut world = World::new();
        events.iter().for_each(|event| world.live_through(event));
        let World { server, mut tablets, household, written, .. } = world;
        server.faults(&[]);
        for _ in 0..2 {
            for tablet in &mut tablets {
                let report = tablet.sync(&server);
                prop_assert_eq!(report.waiting, 0);
            }
        }
        prop_assert_eq!(server.accepted(server.villages[0]), written + 1);
        let registers: Vec<_> =
            tablets.iter().map(|tablet| tablet.client.stored(household.into()).unwrap().register).collect();
        prop_assert!(registers.iter().all(|register| *register == registers[0]));
        for tablet in &tablets {
            let status = tablet.client.status().unwrap();
            prop_assert_eq!((status.unsent.carried, status.unsent.staged), (0, 0));
            prop_assert!(status.villages.iter().all(|village| village.mismatch_ms.is_none()));
            prop_assert!(status.forks.is_empty());
            prop_assert_eq!(status.set_aside, 0);
        }
    }
}
