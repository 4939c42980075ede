//! What devices announced, once a world has come to rest: whoever oversees the work is told of nothing that is missing.

use ruhu_client_core::DeviceSeen;
use ruhu_server::store::{AnnouncementStore as _, LedgerStore as _, SqliteStore};

use crate::book::Book;
use crate::host::VILLAGE;
use crate::node::Node;

/// Whatever a device announced is received at rest, unless its store was in two places: of what an earlier store
/// announced and a later one never wrote, something is missing for good, and is said to be.
pub fn violations(store: &SqliteStore, book: &Book, nodes: &[Node]) -> Vec<String> {
    let counts = |node: &&Node| !node.barred && !book.parted.contains(&node.device);
    let mut found = Vec::new();
    for told in store.announcements(VILLAGE).unwrap() {
        let next = store.tip(VILLAGE, told.device).unwrap().map_or(0, |tip| tip.number + 1);
        let missing = told.announced.missing(next);
        if missing > 0 && nodes.iter().filter(counts).any(|node| node.device == told.device) {
            found.push(format!("{} announced {missing} batches that never came", told.device));
        }
    }
    for reader in nodes.iter().filter(counts).filter(|node| node.role.oversees()) {
        let seen = reader.client().overview(VILLAGE, "").unwrap().devices;
        let line = |node: &&Node| seen.iter().find(|seen| seen.device == node.device);
        for other in nodes.iter().filter(counts).filter(|node| node.device != reader.device) {
            if let Some(wrong) = line(&other).map_or(Some("is not listed".to_owned()), wrong) {
                found.push(format!("node {}: the line of node {} {wrong}", reader.index, other.index));
            }
        }
    }
    found
}

/// What is wrong with the line of another device, if anything is.
fn wrong(seen: &DeviceSeen) -> Option<String> {
    match &seen.announced {
        None => Some("says nothing of what it announced".to_owned()),
        Some(said) if said.missing > 0 || said.checks > 0 => Some(format!("is {said:?}")),
        Some(_) => None,
    }
}
