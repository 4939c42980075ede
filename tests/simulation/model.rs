//! A second reading of documents, written without the product's registers: what is live, and what a
//! settlement promises to show.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::{Change, ChangeHash, OpId, Value, parse};
use ruhu_survey::register::Register;

/// One document as its accepted changes make it.
#[derive(Debug, Default)]
pub struct Model {
    changes: BTreeMap<ChangeHash, Change>,
}

/// A value that must be shown: nobody who had seen its settlement wrote the field again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The field.
    pub key: String,
    /// The value.
    pub value: Value,
}

impl Model {
    /// The document of these raw changes.
    #[must_use]
    pub fn of(raw: &[(ChangeHash, Vec<u8>)]) -> Self {
        let parsed = raw.iter().filter_map(|(hash, bytes)| Some((*hash, parse(bytes).ok()?.0)));
        Self { changes: parsed.collect() }
    }

    /// Every put of every change: the key, its operation, and the value.
    pub fn puts(&self) -> impl Iterator<Item = (&str, OpId, &Value, ChangeHash)> {
        self.changes.iter().flat_map(|(hash, change)| {
            let puts = change.puts.iter().enumerate();
            puts.map(|(index, put)| (put.key.as_str(), change.op_id(index), &put.value, *hash))
        })
    }

    /// The live values by key: those that no put of the document names as replaced.
    #[must_use]
    pub fn live(&self) -> BTreeMap<&str, BTreeMap<OpId, &Value>> {
        let replaced: BTreeSet<(&str, OpId)> = self
            .changes
            .values()
            .flat_map(|change| &change.puts)
            .flat_map(|put| put.predecessors.iter().map(|before| (put.key.as_str(), *before)))
            .collect();
        let mut live: BTreeMap<&str, BTreeMap<OpId, &Value>> = BTreeMap::new();
        for (key, op, value, _) in self.puts() {
            if !replaced.contains(&(key, op)) {
                live.entry(key).or_default().insert(op, value);
            }
        }
        live
    }

    /// The first key whose live values a register holds otherwise.
    #[must_use]
    pub fn differs_from(&self, register: &Register) -> Option<String> {
        let live = self.live();
        let held: BTreeMap<&str, BTreeMap<OpId, &Value>> = register
            .keys()
            .map(|(key, ops)| (key, ops.iter().map(|op| (op.id, &op.value)).collect()))
            .collect();
        let keys = live.keys().chain(held.keys());
        keys.copied().find(|key| live.get(key) != held.get(key)).map(ToOwned::to_owned)
    }

    /// What settlements promise to show: a field's only settlement, unless a later write had seen it.
    #[must_use]
    pub fn promises(&self) -> Vec<Promise> {
        let settlements = self.settlements();
        let mut promises = Vec::new();
        for (hash, key) in &settlements {
            let rivals = settlements.iter().filter(|(_, field)| field == key).count();
            let writes = |change: &Change| change.puts.iter().any(|put| put.key == *key);
            let overwritten = self
                .changes
                .iter()
                .any(|(other, change)| other != hash && writes(change) && self.stands_on(*other, *hash));
            let Some(put) =
                self.changes.get(hash).and_then(|change| change.puts.iter().find(|put| put.key == *key))
            else {
                continue;
            };
            if rivals == 1 && !overwritten {
                promises.push(Promise { key: key.clone(), value: put.value.clone() });
            }
        }
        promises
    }

    fn settlements(&self) -> Vec<(ChangeHash, String)> {
        let settled = |(hash, change): (&ChangeHash, &Change)| {
            let fields = ruhu_survey::register::settled_fields(change);
            fields.into_iter().map(|field| (*hash, field)).collect::<Vec<_>>()
        };
        self.changes.iter().flat_map(settled).collect()
    }

    /// Whether a change has another one in its past.
    fn stands_on(&self, change: ChangeHash, past: ChangeHash) -> bool {
        let (mut open, mut met) = (vec![change], BTreeSet::new());
        while let Some(hash) = open.pop() {
            if hash == past {
                return true;
            }
            if met.insert(hash) {
                open.extend(self.changes.get(&hash).into_iter().flat_map(|change| &change.dependencies));
            }
        }
        false
    }
}
