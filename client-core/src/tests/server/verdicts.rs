//! What becomes of changes: what they put and stand on, and what is decided later.

use ruhu_ledger::batch::{Batch, BatchId, change_hash};
use ruhu_ledger::decision::{Decision, SignedDecision};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ChangeHash, parse};
use ruhu_survey::id::{UserId, VillageId};

use super::{FakeServer, Item, State};

impl State {
    /// What becomes of a change by what it puts and stands on.
    pub(super) fn verdict(&self, raw: &[u8]) -> Verdict {
        let (change, _) = parse(raw).unwrap();
        let kept_apart = |hash: &&ChangeHash| {
            matches!(self.refuse.get(*hash), Some(Verdict::Quarantined { .. } | Verdict::Refused { .. }))
        };
        if let Some(because) = change.dependencies.iter().find(kept_apart) {
            quarantined("depends_on_quarantined", Some(*because))
        } else if change.puts.iter().any(|put| Some(&put.key) == self.forbidden.as_ref()) {
            quarantined("role_may_not_write", None)
        } else {
            Verdict::Accepted
        }
    }
}

pub(super) fn quarantined(rule: &str, because: Option<ChangeHash>) -> Verdict {
    Verdict::Quarantined { rule: rule.to_owned(), because }
}

impl FakeServer {
    /// Quarantines every change that puts this key, and what stands on it.
    pub(in crate::tests) fn forbid(&self, key: &str) {
        self.state.lock().unwrap().forbidden = Some(key.to_owned());
    }

    /// Quarantines an accepted change, and those that stand on it, by decisions, as the belt does.
    pub(in crate::tests) fn quarantine(&self, village: VillageId, offender: ChangeHash) {
        let mut state = self.state.lock().unwrap();
        for (batch, raw) in changes(&state, village) {
            let change = change_hash(&raw).unwrap();
            let verdict = match state.verdict(&raw) {
                _ if change == offender => {
                    Verdict::Quarantined { rule: "not_loadable".to_owned(), because: None }
                }
                Verdict::Accepted => continue,
                verdict => verdict,
            };
            state.accepted.entry(village).or_default().remove(&change);
            state.refuse.insert(change, verdict.clone());
            self.decide(&mut state, village, (batch, change), verdict);
        }
    }

    fn decide(
        &self,
        state: &mut State,
        village: VillageId,
        (batch, change): (BatchId, ChangeHash),
        verdict: Verdict,
    ) {
        let decision = Decision {
            epoch: self.epoch(),
            batch,
            change,
            verdict,
            decided_ms: 1_760_000_000_000,
            by: UserId::from_bytes([8; 16]),
            people: None,
        };
        let signed = SignedDecision::sign(decision, &self.key).unwrap();
        state.feeds.entry(village).or_default().push(Item::Decision(signed));
    }

    /// Decides on every change that was not accepted so far.
    pub(in crate::tests) fn decide_all(&self, village: VillageId, verdict: &Verdict) {
        let mut state = self.state.lock().unwrap();
        let open: Vec<(ChangeHash, BatchId)> = open_changes(&state, village);
        for (change, batch) in open {
            self.decide(&mut state, village, (batch, change), verdict.clone());
            if *verdict == Verdict::Accepted {
                state.accepted.entry(village).or_default().insert(change);
            }
        }
    }
}

/// Every change of a village's feed, with its batch.
fn changes(state: &State, village: VillageId) -> Vec<(BatchId, Vec<u8>)> {
    let feed = state.feeds.get(&village).map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    for item in feed {
        let Item::Batch { bytes, .. } = item else { continue };
        let batch = Batch::from_bytes(bytes).unwrap();
        found.extend(batch.open().unwrap().changes.into_iter().map(|(_, raw)| (batch.id(), raw)));
    }
    found
}

fn open_changes(state: &State, village: VillageId) -> Vec<(ChangeHash, BatchId)> {
    let accepted = state.accepted.get(&village);
    let all = changes(state, village).into_iter().map(|(batch, raw)| (change_hash(&raw).unwrap(), batch));
    all.filter(|(hash, _)| !accepted.is_some_and(|accepted| accepted.contains(hash))).collect()
}
