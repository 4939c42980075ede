//! A register that remembers its last steps, so that what an author saw a little while ago is found without replaying
//! the document.

use std::collections::{BTreeSet, VecDeque};

use super::{Register, Slot};
use crate::change::{ActorId, Change, ChangeHash};

/// Steps that are remembered.
const STEPS_MAX: usize = 8;

/// The live values of a document at its heads, and the way there from a little before.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recent {
    register: Register,
    steps: VecDeque<Step>,
}

/// What one change replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    change: ChangeHash,
    /// The heads that it took the place of.
    heads: Vec<ChangeHash>,
    actor: ActorId,
    /// Its actor's change before it.
    last: Option<(u64, ChangeHash)>,
    max_op: u64,
    /// What the register knew of the keys that it put.
    slots: Vec<(String, Option<Slot>)>,
}

impl From<Register> for Recent {
    fn from(register: Register) -> Self {
        Self { register, steps: VecDeque::new() }
    }
}

impl Recent {
    /// The register at the heads.
    #[must_use]
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// As [`Register::apply`].
    pub fn apply(&mut self, change: &Change, hash: ChangeHash) {
        let register = &self.register;
        let stood_on = |head: &&ChangeHash| register.heads.contains(*head);
        let step = Step {
            change: hash,
            heads: change.dependencies.iter().filter(stood_on).copied().collect(),
            actor: change.actor,
            last: register.actors.get(&change.actor).copied(),
            max_op: register.max_op,
            slots: change
                .puts
                .iter()
                .map(|put| (put.key.clone(), register.keys.get(&put.key).cloned()))
                .collect(),
        };
        if self.steps.len() == STEPS_MAX {
            self.steps.pop_front();
        }
        self.steps.push_back(step);
        self.register.apply(change, hash);
    }

    /// The register that holds all that `change` stands on and nothing else, if it was at the heads a few steps ago.
    /// Whether there are such changes need not be known.
    #[must_use]
    pub fn seen_by(&self, change: &Change) -> Option<Register> {
        let mut heads = self.register.heads.clone();
        let mut last = self.register.last_change(change.actor);
        for (back, step) in self.steps.iter().rev().enumerate() {
            heads.remove(&step.change);
            heads.extend(&step.heads);
            if step.actor == change.actor {
                last = step.last.map(|(_, hash)| hash);
            }
            if is_all(&heads, last, &change.dependencies) {
                return Some(self.before(back.saturating_add(1)));
            }
        }
        None
    }

    /// The register so many steps ago.
    fn before(&self, steps: usize) -> Register {
        let mut register = self.register.clone();
        for step in self.steps.iter().rev().take(steps) {
            step.undo(&mut register);
        }
        register
    }
}

/// Whether what the dependencies stand on is what these heads do: they name every head, and besides only what one of
/// the heads stands on.
fn is_all(heads: &BTreeSet<ChangeHash>, last: Option<ChangeHash>, dependencies: &[ChangeHash]) -> bool {
    let named = dependencies.iter().filter(|dependency| heads.contains(*dependency)).count();
    let others = dependencies.len().saturating_sub(named);
    let own = || last.is_some_and(|last| !heads.contains(&last) && dependencies.contains(&last));
    named == heads.len() && (others == 0 || (others == 1 && own()))
}

impl Step {
    fn undo(&self, register: &mut Register) {
        for (key, slot) in &self.slots {
            match slot {
                Some(slot) => register.keys.insert(key.clone(), slot.clone()),
                None => register.keys.remove(key),
            };
        }
        register.heads.remove(&self.change);
        register.heads.extend(&self.heads);
        match self.last {
            Some(last) => register.actors.insert(self.actor, last),
            None => register.actors.remove(&self.actor),
        };
        register.max_op = self.max_op;
        register.change_count = register.change_count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::change::Value;
    use crate::gate::register_at;
    use crate::register::ChangeBuilder;

    /// Three people who see one another's changes now and then.
    fn written(steps: &[(u8, bool, u8)]) -> (Recent, BTreeMap<ChangeHash, Arc<Change>>, Vec<Change>) {
        let mut seen = vec![Register::default(); 3];
        let (mut recent, mut past, mut changes) = (Recent::default(), BTreeMap::new(), Vec::new());
        for (who, looks, key) in steps {
            let who = usize::from(who % 3);
            if *looks {
                seen[who] = recent.register().clone();
            }
            let actor = ActorId([u8::try_from(who).unwrap(); 16]);
            let mut builder = ChangeBuilder::new(&seen[who], actor, 1_790_000_000);
            builder.put(format!("key/{}", key % 4), Value::Int(i64::from(*key)));
            let (change, encoded) = builder.finish().unwrap();
            seen[who].apply(&change, encoded.hash);
            recent.apply(&change, encoded.hash);
            past.insert(encoded.hash, Arc::new(change.clone()));
            changes.push(change);
        }
        (recent, past, changes)
    }

    #[test]
    fn what_was_at_the_heads_a_step_ago_is_found_and_what_never_was_is_not() {
        let (mut recent, past, _) = written(&[(0, true, 1), (1, true, 2), (0, true, 1)]);
        let before = recent.register().clone();
        let write = |register: &Register, who, key: &str| {
            let mut builder = ChangeBuilder::new(register, ActorId([who; 16]), 1_790_000_000);
            builder.put(key, Value::Int(7));
            builder.finish().unwrap()
        };
        let (next, encoded) = write(&before, 1, "key/1");
        recent.apply(&next, encoded.hash);
        let (beside, _) = write(&before, 2, "key/1");
        assert_eq!(recent.seen_by(&beside), Some(before));
        let (root, _) = write(&Register::default(), 3, "key/1");
        assert_eq!(recent.seen_by(&root), Some(Register::default()), "four steps ago there was nothing");
        let mut unseen = beside;
        unseen.dependencies.push(ChangeHash([9; 32]));
        assert_eq!(recent.seen_by(&unseen), None);
        assert_eq!(past.len(), 3);
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_replaying_gives(
            steps in prop::collection::vec((any::<u8>(), any::<bool>(), any::<u8>()), 1..40), looks: bool,
        ) {
            let mut steps = steps;
            let last = steps.pop().map(|(who, _, key)| (who, looks, key)).unwrap();
            let (recent, past, changes) = written(&steps);
            let (_, _, with_last) = written(&[steps.as_slice(), &[last]].concat());
            for change in changes.iter().chain(with_last.last()) {
                if let Some(found) = recent.seen_by(change) {
                    prop_assert_eq!(Ok(found), register_at(&change.dependencies, &past));
                }
            }
        }
    }
}
