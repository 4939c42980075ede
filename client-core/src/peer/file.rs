//! Bundles: what this device hands on in a `.ruhu` file or as codes to scan, and what it takes from one.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::batch::{Batch, BatchHeader, BatchId};
use ruhu_survey::id::VillageId;
use ruhu_sync::bundle::{self, Contents, Damage, Header, Place, code};
use ruhu_sync::peer::{CarriedReplay, Holding, PeerFrame, PieceReader, replay_writer};

use crate::client::Client;
use crate::env::random;
use crate::error::Error;
use crate::peer::holding;
use crate::peer::take::Carried;
use crate::receive::Receiver;
use crate::replay::Outgoing;
use crate::store::batch::{self, Seal};
use crate::store::village;

/// What was found in a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BundleReport {
    /// Its parts, in their order.
    pub parts: Vec<BundlePart>,
    /// What is damaged; everything else counts.
    pub damage: Vec<Damage>,
    /// What was new here; nothing when it was only looked at.
    pub carried: Carried,
}

/// One part of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundlePart {
    /// The village.
    pub village: VillageId,
    /// Whether this device may read it: it was granted the village, by the same server.
    pub readable: bool,
    /// Segments that are whole.
    pub segments: u32,
    /// Segments that repeat an earlier one.
    pub repeated: u32,
    /// Segments lacking between those that are there.
    pub missing: u32,
    /// Batches in it.
    pub batches: u64,
    /// Batches in it that the server had received when they were written.
    pub received: u64,
    /// The devices that wrote them.
    pub devices: u64,
}

impl Client {
    /// What to append to a bundle so that it holds everything this device holds of these villages: nothing
    /// when it does already. An empty `file` begins a new one. Of batches that the server received before
    /// `since_ms` (milliseconds since 1970, by its clock) nothing is written.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], [`Error::UnknownVillage`] for one that is not granted,
    /// [`Error::NoVillageKey`] before its first sync, or that the store fails.
    pub fn bundle_export(
        &mut self,
        file: &[u8],
        villages: &[VillageId],
        since_ms: Option<i64>,
    ) -> Result<Vec<u8>, Error> {
        self.seal_all(villages)?;
        let contents = self.read_bundle(file)?;
        let (mut appended, mut end) = (Vec::new(), contents.end());
        for village in villages {
            let held = contents.holding(*village);
            let frames = holding::lacking(self.store.read(), &held, since_ms)?;
            if frames.is_empty() {
                continue;
            }
            let mut place = Place::after(end, self.new_header(*village)?);
            appended.extend(self.sealed(&mut place, *village, frames)?);
            end = Some(place);
        }
        Ok(appended)
    }

    /// Takes in everything of a bundle that this device may read and lacks.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`]; [`Error::LogInconsistent`] once the server was found to contradict itself; or
    /// that the store fails: what was taken in before stays. Damage is no error but reported.
    pub fn bundle_import(&mut self, file: &[u8]) -> Result<BundleReport, Error> {
        self.refuse_halted()?;
        let contents = self.read_bundle(file)?;
        let mut report = described(&contents);
        let mut pieces = PieceReader::default();
        for part in &contents.parts {
            for frames in part.frames.chunks(FRAMES_PER_TRANSACTION) {
                let carried = self.take_frames(frames, &mut pieces)?;
                report.carried.add(&carried);
            }
        }
        Ok(report)
    }

    /// Says what a bundle holds, and takes nothing in.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], or that the store fails.
    pub fn bundle_show(&self, file: &[u8]) -> Result<BundleReport, Error> {
        Ok(described(&self.read_bundle(file)?))
    }

    /// The last `batches` batches of this device in a village that the server has not received, all of
    /// them when `None`, as texts for QR codes: one where they fit one. The certificate and the keys that a
    /// reader may lack are in it as far as they take no further code.
    ///
    /// The batches are whole unless a replay stream takes fewer codes: whole ones can be read and carried by a
    /// device that does not hold what they stand on.
    ///
    /// # Errors
    /// Those of [`Client::bundle_export`]; [`Error::NothingToCarry`]; [`Error::Code`] when there are too many.
    pub fn bundle_codes(&mut self, village: VillageId, batches: Option<usize>) -> Result<Vec<String>, Error> {
        self.seal_all(&[village])?;
        let own = batch::own_unsent(self.store.read(), village)?;
        let chosen = own.split_at(own.len().saturating_sub(batches.unwrap_or(own.len()))).1;
        if chosen.is_empty() {
            return Err(Error::NothingToCarry);
        }
        let whole = Part { header: self.new_header(village)?, frames: self.whole(chosen)? };
        let replay = Header { replay: true, ..self.new_header(village)? };
        let spelled = Part { header: replay, frames: self.spelled(chosen)? };
        let (whole_bytes, spelled_bytes) = (self.part_of(&whole)?, self.part_of(&spelled)?);
        let (mut part, mut bundle) = match code::count(&spelled_bytes) < code::count(&whole_bytes) {
            true => (spelled, spelled_bytes),
            false => (whole, whole_bytes),
        };
        for frame in self.helpful(village)? {
            let frames = std::iter::once(frame).chain(part.frames.iter().cloned()).collect();
            let longer = Part { header: part.header, frames };
            let bytes = self.part_of(&longer)?;
            if code::count(&bytes) == code::count(&bundle) {
                (part, bundle) = (longer, bytes);
            }
        }
        Ok(code::split(&bundle)?)
    }

    /// Batches byte for byte.
    fn whole(&self, batches: &[BatchId]) -> Result<Vec<PeerFrame>, Error> {
        let frame = |id| Ok(PeerFrame::Batch(holding::carried(self.store.read(), id)?));
        batches.iter().map(frame).collect()
    }

    /// Batches on a replay stream; those that cannot be spelled byte for byte.
    fn spelled(&mut self, batches: &[BatchId]) -> Result<Vec<PeerFrame>, Error> {
        self.store.write(|tx| {
            let mut outgoing = Outgoing::on(tx, replay_writer());
            let (mut frames, mut begins) = (Vec::new(), true);
            for id in batches {
                let batch = batch::read(&batch::bytes(tx, id)?)?;
                let Some(piece) = outgoing.piece(&batch)? else {
                    frames.push(PeerFrame::Batch(holding::carried(tx, id)?));
                    continue;
                };
                let BatchHeader { village, previous, .. } = batch.header;
                frames.push(PeerFrame::Replay(CarriedReplay { village, begins, previous, piece }));
                begins = false;
            }
            Ok(frames)
        })
    }

    /// What a reader of a code may lack: this device's certificate, and keys that the server does not have.
    fn helpful(&self, village: VillageId) -> Result<Vec<PeerFrame>, Error> {
        let device = self.identity()?.device();
        let lacking = holding::lacking(self.store.read(), &Holding::nothing(village), None)?;
        let helpful = lacking.into_iter().filter(|frame| match frame {
            PeerFrame::Certificate(signed) => signed.statement.device() == device,
            PeerFrame::Keys(keys) => keys.households.values().any(|(at_server, _)| !at_server),
            _ => false,
        });
        Ok(helpful.map(unconfirmed).collect())
    }

    /// Seals what waits in villages that this device may hand on.
    fn seal_all(&mut self, villages: &[VillageId]) -> Result<(), Error> {
        let identity = self.identity()?.clone();
        let (store, environment) = self.store_and_environment();
        store.write(|tx| {
            for village in villages {
                if !village::is_granted(tx, *village)? {
                    return Err(Error::UnknownVillage(*village));
                }
                batch::seal(tx, &identity, *village, environment, Seal::All)?;
            }
            Ok(())
        })
    }

    /// Takes in frames of another device in one transaction.
    pub(crate) fn take_frames(
        &mut self,
        frames: &[PeerFrame],
        pieces: &mut PieceReader,
    ) -> Result<Carried, Error> {
        let identity = self.identity()?.clone();
        let now_ms = self.environment().now_ms();
        let carried =
            self.store.write(|tx| Receiver::new(tx, &identity, now_ms)?.take_carried(frames, pieces))?;
        self.reload_identity()?;
        Ok(carried)
    }

    fn read_bundle(&self, file: &[u8]) -> Result<Contents, Error> {
        self.identity()?;
        let mut keys = BTreeMap::new();
        for village in self.villages()?.into_iter().filter(|village| village.granted) {
            keys.extend(village::search_key(self.store.read(), village.id)?.map(|key| (village.id, *key)));
        }
        let key_of = |header: &Header| keys.get(&header.village).copied().filter(|_| self.is_ours(header));
        Ok(bundle::read(file, key_of))
    }

    fn is_ours(&self, header: &Header) -> bool {
        self.identity().is_ok_and(|identity| identity.certificate.deployment == header.deployment)
    }

    fn new_header(&self, village: VillageId) -> Result<Header, Error> {
        let deployment = self.identity()?.certificate.deployment;
        Ok(Header { deployment, village, file: random(self.environment())?, replay: false })
    }

    /// Frames as they are appended to a file.
    fn sealed(
        &self,
        place: &mut Place,
        village: VillageId,
        frames: Vec<PeerFrame>,
    ) -> Result<Vec<u8>, Error> {
        let key = village::search_key(self.store.read(), village)?;
        let key = key.ok_or(Error::NoVillageKey(village))?;
        place.append(&key, frames, || random(self.environment()))
    }

    /// A whole file of its own.
    fn part_of(&self, part: &Part) -> Result<Vec<u8>, Error> {
        self.sealed(&mut Place::after(None, part.header), part.header.village, part.frames.clone())
    }
}

/// One part before it is sealed.
struct Part {
    header: Header,
    frames: Vec<PeerFrame>,
}

/// How many frames are taken in at once: a kill costs no more than these.
const FRAMES_PER_TRANSACTION: usize = 64;

/// Of keys, those that the server is not known to have: a code has little room.
fn unconfirmed(frame: PeerFrame) -> PeerFrame {
    match frame {
        PeerFrame::Keys(mut keys) => {
            keys.households.retain(|_, (at_server, _)| !*at_server);
            PeerFrame::Keys(keys)
        }
        other => other,
    }
}

fn described(contents: &Contents) -> BundleReport {
    let part = |part: &bundle::PartFound| {
        let mut held = Holding::nothing(part.header.village);
        part.frames.iter().for_each(|frame| held.note(frame));
        let mut pieces = PieceReader::default();
        let (mut batches, mut devices) = (0, BTreeSet::new());
        for frame in &part.frames {
            let device = match frame {
                PeerFrame::Batch(carried) => {
                    Batch::from_bytes(&carried.batch).ok().map(|one| one.header.device)
                }
                PeerFrame::Replay(piece) => pieces.read(piece).ok().map(|read| read.header.device),
                _ => None,
            };
            batches += u64::from(device.is_some());
            devices.extend(device);
        }
        BundlePart {
            village: part.header.village,
            readable: part.readable,
            segments: part.segments,
            repeated: part.repeated,
            missing: part.missing,
            batches,
            received: held.batches.values().filter(|received| **received).count() as u64,
            devices: devices.len() as u64,
        }
    };
    BundleReport {
        parts: contents.parts.iter().map(part).collect(),
        damage: contents.damage.clone(),
        carried: Carried::default(),
    }
}
