//! What the server asks of a database about announcements: what each device last said that it holds unsent.

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::announce::{Announced, Proof, Told};

use super::StoreError;

/// What devices announce as unsent. Every call is one transaction and may block.
pub trait AnnouncementStore: Send + Sync {
    /// Keeps what a device announces about these villages, each in the place of what it announced before, unless that
    /// is newer ([`Announced::replaces`]) and of the present epoch. What is kept gets the village's next number.
    fn announce(
        &self,
        device: DeviceId,
        said: &[(VillageId, Announced)],
        proof: Proof,
        now_ms: i64,
    ) -> Result<(), StoreError>;

    /// What the devices of a village last announced in the present epoch, by number.
    fn announcements(&self, village: VillageId) -> Result<Vec<Told>, StoreError>;
}
