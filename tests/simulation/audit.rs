//! What must hold when a world has come to rest.

use std::collections::BTreeMap;

use ruhu_server::ingest::Standing;
use ruhu_server::store::{EpochStore as _, LedgerStore as _, ReadStore as _, SqliteStore};
use ruhu_survey::change::{ChangeHash, DocumentId, OpId, Value};
use ruhu_survey::register::Register;

use crate::anew::{Anew, NOT_WRONG_ITSELF};
use crate::announced;
use crate::book::{Book, Expected, Line};
use crate::breakage::Breakage;
use crate::host::VILLAGE;
use crate::link::Net;
use crate::model::Model;
use crate::node::Node;
use crate::replica::ACCEPTED;

type Place = (DocumentId, ChangeHash);
/// How a change stands on the server, and the rule.
type Stands = (Standing, String);

/// How every change stands on a device, by the table's code, and the rule.
type Standings = BTreeMap<Place, (i64, String)>;

/// Violations named one by one; more of a kind are only counted.
const NAMED_MAX: usize = 12;

/// The audit of one world.
#[derive(Debug)]
pub struct Audit<'a> {
    net: &'a Net,
    store: &'a SqliteStore,
    book: &'a Book,
    standings: BTreeMap<Place, Stands>,
    violations: Vec<String>,
}

/// Every guarantee that does not hold, in words; `nodes` have synced until nothing moved any more.
#[must_use]
pub fn audit(net: &Net, book: &Book, nodes: &mut [Node]) -> Vec<String> {
    let store = net.host.store();
    let mut audit =
        Audit { net, store: &store, book, standings: BTreeMap::new(), violations: book.violations.clone() };
    audit.server();
    audit.lines(nodes);
    audit.replicas(nodes);
    audit.written_anew(nodes);
    audit.violations.extend(announced::violations(&store, book, nodes));
    if let Some(node) = nodes.iter_mut().find(|node| !node.barred) {
        audit.documents(node);
    }
    let more = audit.violations.len().saturating_sub(NAMED_MAX);
    audit.violations.truncate(NAMED_MAX);
    audit.violations.extend((more > 0).then(|| format!("and {more} more")));
    audit.violations
}

impl Audit<'_> {
    fn hold(&mut self, holds: bool, says: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(says());
        }
    }

    /// The server's own word: everything recomputed agrees, and each change stands once.
    fn server(&mut self) {
        match self.store.verify() {
            Ok(verified) => {
                let bad = verified.first_bad;
                self.hold(bad.is_none(), || format!("verify names {bad:?}"));
            }
            Err(error) => self.violations.push(format!("verify failed: {error:?}")),
        }
        let mut cursor = 0;
        loop {
            let page = self.store.changes_since(VILLAGE, cursor, 500).unwrap();
            for seen in page.changes.iter().filter(|seen| seen.standing != Standing::Repeat) {
                let Some(hash) = seen.hash else { continue };
                let stands = (seen.standing, seen.rule.clone().unwrap_or_default());
                let before = self.standings.insert((seen.document, hash), stands);
                self.hold(before.is_none(), || {
                    format!("{} {hash} stands twice on the server", seen.document)
                });
            }
            cursor = page.cursor;
            if !page.more {
                return;
            }
        }
    }

    /// Every change of the book is in exactly one place, and the right one.
    fn lines(&mut self, nodes: &mut [Node]) {
        let mut waiting: BTreeMap<usize, BTreeMap<Place, i64>> = BTreeMap::new();
        for node in nodes.iter_mut() {
            let standings = node.replica().standings();
            waiting.insert(
                node.index,
                standings.into_iter().map(|(place, (state, _))| (place, state)).collect(),
            );
        }
        let held_somewhere = |place: &Place| {
            let served = nodes.iter().filter(|node| !node.barred).map(|node| node.index);
            served.filter_map(|index| waiting.get(&index)).any(|disk| disk.contains_key(place))
        };
        let names_gaps = self.store.gaps().unwrap().iter().any(|gap| gap.missing > 0);
        for (place, line) in &self.book.lines {
            let author = nodes.iter().find(|node| node.index == line.node);
            let barred = author.is_some_and(|author| author.barred);
            // What a lost server had, and no device, is gone: the server must know that something is. It cannot
            // where no device was told: of what it wrote itself, or took from a program that is no device of ours.
            let is_lost =
                self.book.server_restored && !self.standings.contains_key(place) && !held_somewhere(place);
            let was_told = line.received && author.is_some();
            if is_lost && (names_gaps || !was_told) {
                continue;
            }
            let on_disk = waiting.get(&line.node).and_then(|disk| disk.get(place)).copied();
            if let Some(wrong) = judge(line, self.standings.get(place), on_disk, barred) {
                let (document, hash) = place;
                self.violations.push(format!("node {}: {document} {hash}: {wrong}", line.node));
            }
        }
    }

    /// What was kept apart for a key alone counts in another change, once a person enrolled the device.
    fn written_anew(&mut self, nodes: &mut [Node]) {
        for node in nodes.iter_mut().filter(|node| !node.barred) {
            let (index, anew) = (node.index, Anew::of(node));
            let lines = self.book.lines.iter().filter(|(_, line)| line.node == index && !line.forgotten);
            for ((document, hash), line) in lines {
                let kept_apart = self.standings.get(&(*document, *hash)).is_some_and(|(standing, rule)| {
                    *standing == Standing::Quarantined && NOT_WRONG_ITSELF.contains(&rule.as_str())
                });
                let accepted = |new| {
                    let stands = self.standings.get(&(*document, new));
                    stands.is_some_and(|(standing, _)| *standing == Standing::Accepted)
                };
                let wrong = kept_apart.then(|| anew.misses(*hash, line, &accepted)).flatten();
                self.violations
                    .extend(wrong.map(|wrong| format!("node {index}: {document} {hash}: {wrong}")));
            }
        }
    }

    /// All devices that the server serves hold what it holds, and nothing waits.
    fn replicas(&mut self, nodes: &mut [Node]) {
        let mut first = None;
        for node in nodes.iter_mut().filter(|node| !node.barred) {
            let (digest, standings) = (node.replica().digest(), node.replica().standings());
            let index = node.index;
            if first.is_none() {
                self.as_the_server(node);
            }
            let (first, others) = first.get_or_insert_with(|| (digest, standings.clone()));
            let same = *first == digest;
            let differs = difference(others, &standings);
            let tells = differs.map(|place| node.replica().tells_of(&place.1)).unwrap_or_default();
            self.hold(same, || {
                let place = differs.map(|(document, hash)| format!("{document} {hash}"));
                format!("node {index} differs from the others: {place:?}: {tells}")
            });
            if !same {
                self.as_the_server(node);
            }
            let status = node.client().status().unwrap();
            let mismatched = status.villages.iter().any(|village| village.mismatch_ms.is_some());
            self.hold(!mismatched, || format!("node {index}: the fingerprints differ"));
            let waits = status.unsent;
            let none =
                waits.changes + waits.queued + waits.sent + waits.turned_away + waits.keys + waits.carried
                    == 0;
            self.hold(none, || format!("node {index}: something waits: {waits:?}"));
            self.hold(status.set_aside == 0, || {
                format!("node {index} set aside {:?}", node.client().set_aside().unwrap().first())
            });
        }
    }

    fn as_the_server(&mut self, node: &mut Node) {
        let index = node.index;
        for (document, register) in node.replica().registers() {
            let held = self.store.register(VILLAGE, document).unwrap();
            self.hold(held.to_bytes() == register, || {
                format!("node {index}: {document} has other live values than the server")
            });
        }
        let held = node.replica().standings();
        let stands = |place: &Place| {
            let theirs = self.standings.get(place).map(|(standing, _)| *standing == Standing::Accepted);
            let ours = held.get(place).map(|(state, _)| *state == ACCEPTED);
            (theirs, ours)
        };
        let differs = |place: &&Place| matches!(stands(place), (theirs, ours) if theirs != ours);
        let first = self.standings.keys().chain(held.keys()).find(differs);
        let wrong = first.map(|place| {
            let (document, hash) = place;
            let (theirs, ours) = (self.standings.get(place), held.get(place));
            format!("node {index}: {document} {hash} stands as {ours:?} and on the server as {theirs:?}")
        });
        self.violations.extend(wrong);
    }

    /// Every document read a second way: live values, what settlements promise, and the history.
    fn documents(&mut self, node: &mut Node) {
        let registers = node.replica().registers();
        for (document, raw) in node.replica().accepted() {
            let model = Model::of(&raw);
            let register = registers.get(&document).and_then(|bytes| Register::from_bytes(bytes).ok());
            let register = register.unwrap_or_default();
            let differs = model.differs_from(&register);
            self.hold(differs.is_none(), || format!("{document}: the live values of {differs:?} are wrong"));
            self.promises(document, &model, node);
            self.history(document, &model, node);
        }
    }

    fn promises(&mut self, document: DocumentId, model: &Model, node: &Node) {
        let promises = model.promises();
        if promises.is_empty() {
            return;
        }
        let automerge = self.net.meddler.borrow().breaks(Breakage::AutomergeWinner);
        let live = model.live();
        let views = node.client().document(document).unwrap();
        for promise in promises {
            let view = views.iter().find(|view| view.key == promise.key);
            let shown = if automerge {
                winner(live.get(promise.key.as_str()))
            } else {
                view.map(|view| view.written.value.clone())
            };
            self.hold(shown.as_ref() == Some(&promise.value), || {
                format!("{document}: {} was settled, and another value is shown", promise.key)
            });
        }
    }

    /// The history has one event for each value and entry that was accepted, on the device and on the server.
    fn history(&mut self, document: DocumentId, model: &Model, node: &Node) {
        let device = node.client().history(document, None).unwrap();
        let server = self.store.history(VILLAGE, document, None).unwrap().unwrap_or_default();
        for (events, who) in [(&device, "device"), (&server, "server")] {
            let events: BTreeMap<OpId, (&str, &Value)> =
                events.iter().map(|event| (event.op, (event.key.as_str(), &event.new))).collect();
            let missing = model
                .puts()
                .filter(|(key, ..)| !is_companion(key))
                .find(|(key, op, value, _)| events.get(op) != Some(&(*key, *value)));
            let missing = missing.map(|(key, ..)| key.to_owned());
            self.hold(missing.is_none(), || format!("{document}: {missing:?} is not in the {who}'s history"));
        }
    }
}

/// The first change that stands otherwise on one device than on another.
fn difference<'a>(one: &'a Standings, other: &'a Standings) -> Option<&'a Place> {
    let state = |of: &Standings, place: &Place| of.get(place).map(|(state, _)| *state);
    one.keys().chain(other.keys()).find(|place| state(one, place) != state(other, place))
}

/// Companions stand beside a value and have no event of their own.
fn is_companion(key: &str) -> bool {
    ["/reason", "/source", "/mask", "/tag", "/sort"].iter().any(|name| key.ends_with(name))
}

/// The value that Automerge takes: that of the highest operation.
fn winner(live: Option<&BTreeMap<OpId, &Value>>) -> Option<Value> {
    live?.last_key_value().map(|(_, value)| (*value).clone())
}

/// What is wrong with where a change is, if anything is.
fn judge(line: &Line, server: Option<&Stands>, on_disk: Option<i64>, barred: bool) -> Option<String> {
    let Some((standing, rule)) = server else {
        let missing = line.received.then(|| "was shown as received and is not on the server".to_owned());
        return missing.or_else(|| match (&line.expected, on_disk) {
            (Expected::Lost, _) => None,
            (_, None) => Some("is nowhere".to_owned()),
            (_, Some(_)) if barred => None,
            (_, Some(_)) => Some("was never sent".to_owned()),
        });
    };
    let right = match (&line.expected, standing) {
        (Expected::Accepted, Standing::Accepted) => true,
        (Expected::AcceptedOrKeptApart(_) | Expected::Lost, Standing::Accepted) => true,
        (Expected::AcceptedOrKeptApart(rules), Standing::Quarantined) => rules.contains(&rule.as_str()),
        (Expected::Lost, Standing::Quarantined | Standing::Held) => true,
        (Expected::Quarantined(expected), Standing::Quarantined) => rule == expected,
        (Expected::Refused, Standing::Refused) => true,
        _ => false,
    };
    (!right).then(|| format!("is {standing:?} ({rule}), and should be {:?}", line.expected))
}
