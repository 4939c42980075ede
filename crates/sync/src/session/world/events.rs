//! What happens in the model world, and what its link does to a request.

use proptest::collection::vec;
use proptest::prelude::*;

/// What the link does to one request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fault {
    None,
    LoseRequest,
    CutRequest(u16),
    LoseAnswer,
    CutAnswer(u16),
    RepeatRequest,
    /// The answer to an earlier request comes in the place of this one's.
    OldAnswer,
    /// The app is killed before it has stored the answer.
    Kill,
}

pub(super) fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        2 => Just(Fault::None),
        1 => Just(Fault::LoseRequest),
        2 => any::<u16>().prop_map(Fault::CutRequest),
        1 => Just(Fault::LoseAnswer),
        3 => any::<u16>().prop_map(Fault::CutAnswer),
        1 => Just(Fault::RepeatRequest),
        1 => Just(Fault::OldAnswer),
        1 => Just(Fault::Kill),
    ]
}

/// What happens in the world.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Write {
        device: usize,
        village: usize,
        content: Vec<u8>,
    },
    Found {
        device: usize,
        household: u8,
    },
    Sync {
        device: usize,
    },
    /// One device gives another the last batch it has not sent, face to face.
    Carry {
        from: usize,
        to: usize,
    },
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let device = || 0_usize..4;
    prop_oneof![
        4 => (device(), 0_usize..2, vec(any::<u8>(), 1..200))
            .prop_map(|(device, village, content)| Event::Write { device, village, content }),
        1 => (device(), any::<u8>()).prop_map(|(device, household)| Event::Found { device, household }),
        2 => device().prop_map(|device| Event::Sync { device }),
        1 => (device(), device()).prop_map(|(from, to)| Event::Carry { from, to }),
    ]
}
