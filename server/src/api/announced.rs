//! What devices announce as unsent: when it is believed, and whom it is told.
//!
//! An announcement in a request that has proved itself is the device's. One that is signed by itself is believed when it
//! arrives, so it stands though the request is cut behind it; any other one of a request that was cut is not: nobody
//! knows who wrote it.

use ruhu_survey::id::{DeviceId, VillageId};
use ruhu_sync::announce::{Announced, Announcement, Announcements, Proof, Subject, Told};
use ruhu_sync::answer::given_start;
use ruhu_sync::limits::ANNOUNCED_PER_FRAME;
use ruhu_sync::{Cursor, ResponseFrame};

use super::intake::Part;
use super::signed::in_force;
use crate::store::people::Device;
use crate::store::{Store, StoreError};

/// Believes an announcement as it arrives, if it is signed by itself and the device may work here.
pub(crate) fn hear_early(
    store: &dyn Store,
    device: &Device,
    village: VillageId,
    said: &Announcement,
    now_ms: i64,
) -> Result<(), StoreError> {
    let Some(signature) = &said.signature else { return Ok(()) };
    let present = store.deployment()?;
    let subject =
        Subject { deployment: present.deployment, epoch: present.epoch, device: device.id, village };
    let key = &device.certificate.statement.key;
    if in_force(device, now_ms).is_err() || !subject.is_signed(&said.announced, signature, key) {
        return Ok(());
    }
    store.announce(device.id, &[(village, said.announced)], Proof::Itself, now_ms)
}

/// Believes what a request that has proved itself announces.
pub(crate) fn hear(
    store: &dyn Store,
    device: DeviceId,
    parts: &[Part],
    now_ms: i64,
) -> Result<(), StoreError> {
    let said = |part: &Part| Some((part.village(), part.announcement.as_ref()?.announced));
    let said: Vec<(VillageId, Announced)> = parts.iter().filter_map(said).collect();
    store.announce(device, &said, Proof::Request, now_ms)
}

/// What the others of a village announced since the device was told last; nothing for those who do not oversee the
/// work, and for a device that announces nothing itself, which does not know these frames.
pub(crate) fn tell(
    store: &dyn Store,
    device: &Device,
    (village, cursor): (VillageId, Option<Cursor>),
    own: Option<&Announcement>,
) -> Result<Vec<ResponseFrame>, StoreError> {
    let Some(own) = own.filter(|_| device.certificate.statement.role.oversees()) else {
        return Ok(Vec::new());
    };
    let epoch = store.deployment()?.epoch;
    let all = store.announcements(village)?;
    let last = all.last().map_or(0, |told| told.number);
    let after = given_start(cursor, own.given, epoch, last);
    let is_news = |told: &Told| told.number > after && told.device != device.id;
    let news: Vec<Told> = all.into_iter().filter(is_news).collect();
    let frame = |told: &[Told]| ResponseFrame::Announcements(Announcements { village, told: told.to_vec() });
    Ok(news.chunks(ANNOUNCED_PER_FRAME).map(frame).collect())
}
