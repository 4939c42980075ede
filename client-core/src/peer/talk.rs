//! A sync of two devices: each proves itself, says what it holds, and is given what it lacks.
//!
//! Caller and listener take turns, so neither waits for the other to read. Every message is stored as it
//! comes; a link that breaks anywhere loses one message, and the next sync goes on from there.

use std::collections::BTreeSet;

use ruhu_survey::id::{DeviceId, UserId, VillageId};
use ruhu_survey::role::Role;
use ruhu_sync::bundle::segment_frames;
use ruhu_sync::encode_all;
use ruhu_sync::frame::decode_all;
use ruhu_sync::peer::{Holding, PeerFrame, PeerSide, PieceReader};

use super::holding;
use super::link::Link;
use super::take::Carried;
use crate::client::Client;
use crate::error::Error;
use crate::store::batch::{self, Seal};
use crate::store::village;
use crate::transport::TransportError;

/// The device at the other end, once it has proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its id.
    pub device: DeviceId,
    /// Its label.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// What they are.
    pub role: Role,
    /// Its key in six words.
    pub words: [&'static str; 6],
    /// Six digits that both devices show on the same link, and on no other.
    pub code: String,
    /// The villages that both are granted.
    pub villages: BTreeSet<VillageId>,
}

/// What a sync of two devices did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerReport {
    /// With whom.
    pub peer: Peer,
    /// What came, and was new here.
    pub taken: Carried,
    /// Batches given.
    pub given: u64,
    /// Receipts given for batches that the other had without.
    pub receipts_given: u64,
    /// Why it ended early; what came before is kept. `None` when both said everything.
    pub interrupted: Option<TransportError>,
}

/// Why a conversation ended early.
enum Ended {
    Link(TransportError),
    Store(Error),
}

impl From<TransportError> for Ended {
    fn from(error: TransportError) -> Self {
        Self::Link(error)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl Client {
    /// Gives a peer that has proved itself what it lacks of the villages both are granted, and takes what
    /// it gives.
    ///
    /// # Errors
    /// [`Error::NoSharedVillage`], or that the store fails. A link that breaks is no error but reported.
    pub(crate) async fn talk(
        &mut self,
        link: &mut impl Link,
        side: PeerSide,
        peer: Peer,
    ) -> Result<PeerReport, Error> {
        if peer.villages.is_empty() {
            return Err(Error::NoSharedVillage);
        }
        let (taken, interrupted) = (Carried::default(), None);
        let mut report = PeerReport { peer, taken, given: 0, receipts_given: 0, interrupted };
        match self.take_turns(link, side, &mut report).await {
            Ok(()) => {}
            Err(Ended::Link(error)) => report.interrupted = Some(error),
            Err(Ended::Store(error)) => return Err(error),
        }
        Ok(report)
    }

    async fn take_turns(
        &mut self,
        link: &mut impl Link,
        side: PeerSide,
        report: &mut PeerReport,
    ) -> Result<(), Ended> {
        let own = self.holdings(&report.peer.villages)?;
        match side {
            PeerSide::Caller => {
                send(link, own).await?;
                let held = self.listen(link, report).await?;
                self.give(link, &held, Vec::new(), report).await?;
                self.listen(link, report).await?;
            }
            PeerSide::Listener => {
                let held = self.listen(link, report).await?;
                self.give(link, &held, own, report).await?;
                self.listen(link, report).await?;
                send(link, Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// Seals what waits, and says what this device holds of villages.
    fn holdings(&mut self, villages: &BTreeSet<VillageId>) -> Result<Vec<PeerFrame>, Error> {
        let identity = self.identity()?.clone();
        let (store, environment) = self.store_and_environment();
        store.write(|tx| {
            let mut holdings = Vec::new();
            for village in villages {
                batch::seal(tx, &identity, *village, environment, Seal::All)?;
                holdings.push(PeerFrame::Holding(holding::holding(tx, identity.epoch, *village)?));
            }
            Ok(holdings)
        })
    }

    /// Takes in what the other says until it ends; what it holds of the villages both are granted.
    async fn listen(&mut self, link: &mut impl Link, report: &mut PeerReport) -> Result<Vec<Holding>, Ended> {
        let mut held = Vec::new();
        loop {
            let message = link.receive().await?;
            let mut frames = decode_all::<PeerFrame>(&message).map_err(|_| TransportError::Unclear)?;
            // Batches prove themselves; a key is only taken from somebody who may have it.
            let shared = &report.peer.villages;
            frames.retain(|frame| !matches!(frame, PeerFrame::Keys(keys) if !shared.contains(&keys.village)));
            let ended = frames.last() == Some(&PeerFrame::End);
            let carried = self.take_frames(&frames, &mut PieceReader::default())?;
            report.taken.add(&carried);
            held.extend(frames.into_iter().filter_map(|frame| match frame {
                PeerFrame::Holding(holding) => Some(holding),
                _ => None,
            }));
            if ended {
                held.retain(|holding| report.peer.villages.contains(&holding.village));
                return Ok(held);
            }
        }
    }

    /// Gives the other what it lacks, after `first`, and ends the turn.
    async fn give(
        &mut self,
        link: &mut impl Link,
        held: &[Holding],
        first: Vec<PeerFrame>,
        report: &mut PeerReport,
    ) -> Result<(), Ended> {
        let mut frames = first;
        for holding in held {
            frames.extend(holding::lacking(self.store.read(), holding, None)?);
        }
        let (mut given, mut receipts) = (0, 0);
        for frame in &frames {
            given += u64::from(matches!(frame, PeerFrame::Batch(_)));
            receipts += u64::from(matches!(frame, PeerFrame::Receipt(_)));
        }
        send(link, frames).await?;
        report.given += given;
        report.receipts_given += receipts;
        Ok(())
    }

    /// The villages of a peer's certificate that this device is granted too.
    pub(crate) fn shared_villages(
        &self,
        granted: &BTreeSet<VillageId>,
    ) -> Result<BTreeSet<VillageId>, Error> {
        let mut shared = BTreeSet::new();
        for id in granted {
            if village::is_granted(self.store.read(), *id)? {
                shared.insert(*id);
            }
        }
        Ok(shared)
    }
}

/// Sends frames in as few messages as they need, and ends the turn.
async fn send(link: &mut impl Link, mut frames: Vec<PeerFrame>) -> Result<(), TransportError> {
    frames.push(PeerFrame::End);
    for message in segment_frames(frames) {
        link.send(&encode_all(&message)).await?;
    }
    Ok(())
}
