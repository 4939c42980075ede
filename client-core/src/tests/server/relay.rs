//! What the server in memory relays, and its checkpoints.

use super::*;

/// Whether the device says that it holds a batch.
fn names(query: &VillageQuery, batch: &[u8]) -> bool {
    let header = Batch::from_bytes(batch).unwrap().header;
    query.vector.iter().any(|tip| tip.device == header.device && tip.next > header.number)
}

impl FakeServer {
    pub(super) fn relay(
        &self,
        state: &State,
        hello: &Hello,
        query: &VillageQuery,
        fault: Option<Fault>,
        (writer, answers): (&mut ReplayWriter, &mut Vec<ResponseFrame>),
    ) {
        let village = query.village;
        answers.push(ResponseFrame::VillageKeys(VillageKeys {
            village,
            given: 1 + state.keys.len() as u64,
            search_key: Some(KeyBytes([5; 32])),
            households: state.keys.clone(),
        }));
        let from = query.cursor.map_or(0, |cursor| cursor.number);
        let feed = state.feeds.get(&village).map_or(&[][..], Vec::as_slice);
        let batches = |place: usize| {
            feed[..place].iter().filter(|item| matches!(item, Item::Batch { .. })).count() as u64
        };
        for (place, item) in feed.iter().enumerate().skip(usize::try_from(from).unwrap()) {
            let sequence = place as u64 + 1;
            match item {
                Item::Batch { device, .. }
                    if *device == hello.device && !state.forked.contains(device) && !state.tells_own => {}
                Item::Batch { device, bytes, .. }
                    if !state.forked.contains(device) && names(query, bytes) => {}
                Item::Batch { bytes, receipt, .. } => {
                    let shelf = state
                        .shelves
                        .get(&village)
                        .filter(|_| hello.replay && fault != Some(Fault::DamagesBatches));
                    let read = Batch::from_bytes(bytes).unwrap();
                    let written =
                        shelf.and_then(|shelf| shelf.written(&read, receipt, batches(place), writer));
                    if let Some(mut bytes) = written {
                        if fault == Some(Fault::SpoilsTheStream) {
                            *bytes.last_mut().unwrap() ^= 1;
                        }
                        answers.push(ResponseFrame::Replay(RelayedReplay { village, sequence, bytes }));
                        continue;
                    }
                    let mut batch = bytes.clone();
                    if fault == Some(Fault::DamagesBatches) {
                        *batch.last_mut().unwrap() ^= 1;
                    }
                    let receipt = receipt.clone();
                    answers.push(ResponseFrame::Relayed(Relayed { village, sequence, batch, receipt }));
                }
                Item::Decision(decision) => {
                    let decision = decision.clone();
                    answers.push(ResponseFrame::Decision(RelayedDecision { village, sequence, decision }));
                }
            }
        }
        answers.extend(self.announced(state, hello, query));
        let accepted = state.accepted.get(&village).cloned().unwrap_or_default();
        let fingerprint: Fingerprint = accepted.iter().collect();
        let miscount = u64::from(fault == Some(Fault::Miscounts) || state.miscounts);
        answers.push(ResponseFrame::VillageDone(VillageDone {
            village,
            cursor: Cursor { epoch: self.epoch(), number: feed.len() as u64 },
            fingerprint: fingerprint.value().wrapping_add(miscount),
            more: false,
        }));
    }

    pub(super) fn checkpoint(&self, state: &State, hello: &Hello, fault: Option<Fault>) -> ResponseFrame {
        let mut leaves = state.leaves.clone();
        if fault == Some(Fault::RewritesTheLog) {
            leaves.iter_mut().for_each(|leaf| leaf[0] ^= 1);
            leaves.push([9; 32]);
        }
        let told = State { leaves, ..State::default() };
        let size = told.leaves.len() as u64;
        let root = root_of(told.leaves.iter().copied());
        let note = Checkpoint::new(self.deployment, size, root).sign(&self.key).unwrap();
        let from_size = hello.checkpoint_size;
        let consistency = consistency_proof(from_size, size, &told).unwrap_or_default();
        ResponseFrame::Checkpoint(CheckpointFrame { note, from_size, consistency })
    }
}
