//! Automerge's own sync protocol on the same documents, as the peer to compare with: one session per document,
//! messages both ways until neither side has anything to say.

use automerge::sync::{State, SyncDoc};
use automerge::{AutoCommit, Change};

/// What the protocol took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// Messages both ways.
    pub(crate) messages: u64,
    /// Bytes of messages from the device.
    pub(crate) up: u64,
    /// Bytes of messages to the device.
    pub(crate) down: u64,
}

/// One document: the raw changes both sides have, and those that only the device has.
pub(crate) struct Held {
    pub(crate) common: Vec<Vec<u8>>,
    pub(crate) fresh: Vec<Vec<u8>>,
}

/// Syncs each document by Automerge's protocol, as a device that has met the server before.
pub(crate) fn sync_all(documents: &[Held]) -> Spent {
    let mut spent = Spent::default();
    for held in documents {
        let mut server = AutoCommit::new();
        server.apply_changes(held.common.iter().map(|bytes| change(bytes))).unwrap();
        let mut device = server.clone();
        let mut states = (State::new(), State::new());
        // The sync before this one, which is not counted: both sides come to know what the other has.
        exchange(&mut device, &mut server, &mut states, &mut Spent::default());
        device.apply_changes(held.fresh.iter().map(|bytes| change(bytes))).unwrap();
        // Only what both sides would have kept on disk is kept.
        states = (kept(&states.0), kept(&states.1));
        exchange(&mut device, &mut server, &mut states, &mut spent);
        assert_eq!(device.get_heads(), server.get_heads());
    }
    spent
}

fn kept(state: &State) -> State {
    State::decode(&state.encode()).unwrap()
}

fn change(bytes: &[u8]) -> Change {
    Change::from_bytes(bytes.to_vec()).unwrap()
}

fn exchange(
    device: &mut AutoCommit,
    server: &mut AutoCommit,
    states: &mut (State, State),
    spent: &mut Spent,
) {
    loop {
        let up = device.sync().generate_sync_message(&mut states.0);
        if let Some(message) = &up {
            spent.messages += 1;
            spent.up += message.clone().encode().len() as u64;
            server.sync().receive_sync_message(&mut states.1, message.clone()).unwrap();
        }
        let down = server.sync().generate_sync_message(&mut states.1);
        if let Some(message) = &down {
            spent.messages += 1;
            spent.down += message.clone().encode().len() as u64;
            device.sync().receive_sync_message(&mut states.0, message.clone()).unwrap();
        }
        if up.is_none() && down.is_none() {
            return;
        }
    }
}
