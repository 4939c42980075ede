//! The server's part in replay streams.

use super::*;

impl FakeServer {
    /// What both sides know before the first batch of a stream.
    pub(super) fn stream_start(&self, state: &State, hello: &Hello) -> StreamStart {
        let (epoch, size) = (self.epoch(), hello.checkpoint_size);
        let leaves = usize::try_from(size).ok().and_then(|size| state.leaves.get(..size));
        let root = leaves.map_or(EMPTY_ROOT, |leaves| root_of(leaves.iter().copied()));
        StreamStart { device: hello.device, anchor: Anchor { epoch, size, root } }
    }

    pub(super) fn replay(
        &self,
        state: &mut State,
        stream: &mut ReplayReader,
        bytes: &[u8],
        (village, place): (VillageId, u64),
        fault: Option<Fault>,
    ) -> ResponseFrame {
        let read = stream.batch(bytes, false).unwrap();
        let shelf = state.shelves.entry(village).or_default();
        let whole = shelf.whole(&read, self.deployment, village);
        // After a fork the batch before it may be the other branch's: the signature tells.
        let signed = |batch: &Batch| {
            let certificate = state.certificates.get(&batch.header.device);
            certificate.is_some_and(|certificate| batch.verify(&certificate.statement).is_ok())
        };
        match whole.filter(|batch| signed(batch) && fault != Some(Fault::WantsRaw)) {
            Some(batch) => {
                state.replayed += 1;
                self.take(state, &batch.to_bytes(), fault)
            }
            None => ResponseFrame::BatchProblem(BatchProblem {
                batch: BatchId([0; 32]),
                code: "replay_unknown_document".to_owned(),
                detail: String::new(),
                outcome: ProblemOutcome::RawWanted { place },
            }),
        }
    }
}
