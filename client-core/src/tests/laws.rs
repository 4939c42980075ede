//! Whatever is edited, cut, lost and killed in between: in the end all devices hold the same, and all of it.

use proptest::prelude::*;
use ruhu_survey::household::NewHousehold;

use super::server::Fault;
use super::*;
use crate::Edit;

const DEVICES: usize = 3;

/// One thing that happens to a device.
#[derive(Debug, Clone)]
enum Event {
    Edits(usize, u8),
    Syncs(usize, Vec<Fault>),
    IsKilled(usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        Just(Fault::LosesTheAnswer),
        (0_usize..4_000).prop_map(Fault::CutsAfter),
        Just(Fault::IsDown),
        Just(Fault::ForgetsNonces),
        Just(Fault::SaysThatNothingIsHeld),
        Just(Fault::IsAPortal),
        Just(Fault::SignsWithAnotherKey),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let device = 0..DEVICES;
    prop_oneof![
        4 => (device.clone(), any::<u8>()).prop_map(|(device, number)| Event::Edits(device, number)),
        3 => (device.clone(), prop::collection::vec(fault(), 0..8))
            .prop_map(|(device, faults)| Event::Syncs(device, faults)),
        1 => device.prop_map(Event::IsKilled),
    ]
}

/// The events on three devices that share one household; how many changes were written.
fn live_through(
    server: &FakeServer,
    tablets: &mut Vec<Tablet>,
    household: HouseholdId,
    events: &[Event],
) -> usize {
    let mut written = 0;
    for event in events {
        match event {
            Event::Edits(device, number) => {
                let edit = Edit::text("remarks", format!("第{number}条"));
                tablets[*device].client.edit_household(household, &[edit]).unwrap();
                written += 1;
            }
            Event::Syncs(device, faults) => {
                server.faults(faults);
                tablets[*device].sync(server);
            }
            Event::IsKilled(device) => {
                let killed = tablets.remove(*device).restarted();
                tablets.insert(*device, killed);
            }
        }
    }
    written
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_the_end_all_devices_hold_the_same_and_nothing_is_missing(
        events in prop::collection::vec(event(), 1..24),
    ) {
        let server = FakeServer::new();
        let village = server.villages[0];
        let mut tablets: Vec<Tablet> =
            (1..).take(DEVICES).map(|seed| Tablet::enrolled(&server, seed)).collect();
        let new = NewHousehold { group_name: "三组".to_owned(), address: None, phone: None };
        let household = tablets[0].client.new_household(village, &new, &[]).unwrap();
        tablets.iter_mut().for_each(|tablet| drop(tablet.sync(&server)));
        let written = live_through(&server, &mut tablets, household, &events);
        server.faults(&[]);
        for _ in 0..2 {
            for tablet in &mut tablets {
                let report = tablet.sync(&server);
                prop_assert_eq!(report.waiting, 0);
            }
        }
        prop_assert_eq!(server.accepted(village), written + 1);
        let registers: Vec<_> = tablets
            .iter()
            .map(|tablet| tablet.client.stored(household.into()).unwrap().register)
            .collect();
        prop_assert!(registers.iter().all(|register| *register == registers[0]));
        for tablet in &tablets {
            let status = tablet.client.status().unwrap();
            prop_assert!(status.villages.iter().all(|village| village.mismatch_ms.is_none()));
            prop_assert!(status.forks.is_empty());
        }
    }
}
