//! A village of real processes: server, operator and devices, over real HTTP and real files.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first surprise")]
#![expect(clippy::cast_possible_truncation, reason = "counts of a test fit any machine word")]

#[path = "village/announced.rs"]
mod announced;
#[path = "village/carry.rs"]
mod carry;
#[path = "village/census.rs"]
mod census;
#[path = "village/findings.rs"]
mod findings;
#[path = "village/first_sync.rs"]
mod first_sync;
#[path = "village/hand.rs"]
mod hand;
#[path = "village/history.rs"]
mod history;
#[path = "village/kill.rs"]
mod kill;
#[path = "village/merge.rs"]
mod merge;
#[path = "village/photos.rs"]
mod photos;
#[path = "village/private.rs"]
mod private;
#[path = "village/restore.rs"]
mod restore;
#[path = "village/settle.rs"]
mod settle;
#[path = "village/tour.rs"]
mod tour;
#[path = "village/unlock.rs"]
mod unlock;
#[path = "village/weak_link.rs"]
mod weak_link;
mod world;

/// How much of something a test does, where a variable asks for another amount.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}
