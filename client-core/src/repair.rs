//! Repairing a village whose fingerprint differs from the server's, in the same sync.
//!
//! Which documents differ is found by set reconciliation, in bytes that grow with the differences. Those of
//! which the server has more are fetched with their proofs; of those the server lacks, the batches are
//! queued again. A second session then shows whether both hold the same.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_sync::limits::{REPAIR_DOCUMENTS_MAX, REPAIR_SYMBOLS_MAX};
use ruhu_sync::reconcile::{Difference, Item, Symbol, difference};
use ruhu_sync::repair::{RepairQuestion, SymbolsAnswer};
use ruhu_sync::session;
use ruhu_sync::{DocumentToken, ResponseFrame};

use crate::client::Client;
use crate::env::random;
use crate::error::Error;
use crate::mend::Mended;
use crate::receive::Receiver;
use crate::snapshot::Asked;
use crate::store::document::{self, Standing};
use crate::store::repair::{self, Repair};
use crate::store::{batch, snapshot};
use crate::sync::{Answered, Tally, read_frames};
use crate::transport::{Transport, TransportError};

/// The symbols of the first question; each further one doubles what there is.
const SYMBOLS_FIRST: u64 = 64;
/// Answers about the same documents, beyond which the rest waits for the next sync.
const ANSWERS_MAX: usize = 64;

/// What this device holds, by item.
enum Mine {
    Document(DocumentToken, Standing),
    LeftOut(DocumentToken),
}

/// Why a repair ends before its end.
enum Ended {
    /// A stable code.
    Code(&'static str),
    /// The store, or a refusal that does not pass.
    Error(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Client {
    /// Repairs every village that was just found to differ; whether a second session should follow.
    pub(crate) async fn repair_all(
        &mut self,
        transport: &impl Transport,
        tally: &mut Tally,
    ) -> Result<bool, Error> {
        let villages = self.villages()?;
        let differing = villages.iter().filter(|village| village.granted && village.mismatch_ms.is_some());
        let differing: Vec<VillageId> = differing.map(|village| village.id).collect();
        for village in &differing {
            let mut repair = Repair {
                village: *village,
                at_ms: self.environment().now_ms(),
                fetched: 0,
                returned: 0,
                unproved: 0,
                outcome: String::new(),
            };
            match self.repair_village(transport, &mut repair, tally).await {
                Ok(()) => {}
                Err(Ended::Code(code)) => code.clone_into(&mut repair.outcome),
                // What the server refuses in a repair stops nothing else.
                Err(Ended::Error(Error::Refused { code, .. })) => repair.outcome = code,
                Err(Ended::Error(error)) => return Err(error),
            }
            tally.repairs.push(repair);
        }
        Ok(!differing.is_empty())
    }

    /// Says of every repair what the second session showed, and keeps it.
    pub(crate) fn conclude_repairs(&mut self, complete: bool, tally: &mut Tally) -> Result<(), Error> {
        let villages = self.villages()?;
        for repair in &mut tally.repairs {
            let differs =
                |id| villages.iter().any(|village| village.id == id && village.mismatch_ms.is_some());
            let outcome = match (differs(repair.village), repair.outcome.is_empty()) {
                _ if !complete => "interrupted",
                (false, _) => "mended",
                (true, false) => continue,
                // The server shows the same documents and another sum of them.
                (true, true) if repair.fetched + repair.returned + repair.unproved == 0 => {
                    "server_contradicts_itself"
                }
                (true, true) if repair.unproved > 0 => "unproved",
                (true, true) => "still_different",
            };
            outcome.clone_into(&mut repair.outcome);
        }
        let repairs = tally.repairs.clone();
        self.store.write(|tx| repairs.iter().try_for_each(|repair| repair::keep(tx, repair)))
    }

    async fn repair_village(
        &mut self,
        transport: &impl Transport,
        repair: &mut Repair,
        tally: &mut Tally,
    ) -> Result<(), Ended> {
        let key = random(self.environment())?;
        let mine = self.items(repair.village, &key)?;
        let path = format!("/v1/villages/{}/repair", repair.village);
        let Difference { ours, theirs } = self.differing(transport, &path, &key, &mine, tally).await?;
        let mut proved = Mended::default();
        let theirs: Vec<Item> = theirs.into_iter().collect();
        for documents in theirs.chunks(REPAIR_DOCUMENTS_MAX) {
            let question = |after| {
                let body = RepairQuestion::Documents { key, after, documents: documents.to_vec() }.to_bytes();
                ("POST", path.clone(), body)
            };
            let frames = self.frames(transport, question, tally).await?;
            let wanted = |_, token| documents.binary_search(&Item::of(&key, token)).is_ok();
            let mended = self.mend(repair.village, &frames, &wanted, tally)?;
            proved.returned += mended.returned;
            proved.documents.extend(mended.documents);
        }
        repair.fetched = proved.documents.len() as u64;
        repair.unproved = (theirs.len() as u64).saturating_sub(repair.fetched);
        repair.returned = proved.returned + self.give_back(repair.village, &ours, &mine)?;
        Ok(())
    }

    /// Everything this device holds of a village, what its snapshot left out too.
    fn items(&self, village: VillageId, key: &[u8; 16]) -> Result<BTreeMap<Item, Mine>, Error> {
        let connection = self.store.read();
        let mut items = BTreeMap::new();
        for (token, standing) in document::tokens(connection, village)? {
            items.insert(Item::of(key, token), Mine::Document(token, standing));
        }
        for token in snapshot::left_out(connection, village)? {
            items.insert(Item::of(key, token), Mine::LeftOut(token));
        }
        Ok(items)
    }

    async fn differing(
        &mut self,
        transport: &impl Transport,
        path: &str,
        key: &[u8; 16],
        mine: &BTreeMap<Item, Mine>,
        tally: &mut Tally,
    ) -> Result<Difference, Ended> {
        let own: BTreeSet<Item> = mine.keys().copied().collect();
        let mut symbols: Vec<Symbol> = Vec::new();
        while (symbols.len() as u64) < REPAIR_SYMBOLS_MAX {
            let from = symbols.len() as u64;
            let count = if from == 0 { SYMBOLS_FIRST } else { from };
            let question = RepairQuestion::Symbols { key: *key, from, count };
            let body = self.answer_to(transport, "POST", path, question.to_bytes(), tally).await?;
            let answer = SymbolsAnswer::from_bytes(&body).map_err(|_| Ended::Code("unclear"))?;
            if answer.symbols.len() as u64 != count {
                return Err(Ended::Code("unclear"));
            }
            symbols.extend(answer.symbols);
            if let Some(difference) = difference(&own, &symbols) {
                return Ok(difference);
            }
        }
        Err(Ended::Code("too_different"))
    }

    /// The whole body of an answer.
    async fn answer_to(
        &mut self,
        transport: &impl Transport,
        method: &'static str,
        path: &str,
        body: Vec<u8>,
        tally: &mut Tally,
    ) -> Result<Vec<u8>, Ended> {
        match self.ask_with(transport, method, path, body, tally).await? {
            Asked::Answer(response) if response.whole => Ok(response.body),
            Asked::Refused(_) => Err(Ended::Code("refused")),
            Asked::Answer(_) | Asked::Failed(_) => Err(Ended::Code("interrupted")),
        }
    }

    /// The frames of as many answers as the server needs to give all that was asked for.
    async fn frames(
        &mut self,
        transport: &impl Transport,
        question: impl Fn(u64) -> (&'static str, String, Vec<u8>),
        tally: &mut Tally,
    ) -> Result<Vec<ResponseFrame>, Ended> {
        let (mut all, mut after) = (Vec::new(), 0);
        for _ in 0..ANSWERS_MAX {
            let (method, path, body) = question(after);
            let response = match self.ask_with(transport, method, &path, body, tally).await? {
                Asked::Answer(response) => response,
                Asked::Refused(error) => return Err(Ended::Error(error)),
                Asked::Failed(_) => return Err(Ended::Code("interrupted")),
            };
            let frames = match read_frames(&response) {
                Answered::Frames(frames, None) => frames,
                Answered::Frames(_, Some(session::TransportError::Cut)) => {
                    return Err(Ended::Code("interrupted"));
                }
                _ => return Err(Ended::Code("unclear")),
            };
            let done = frames.iter().find_map(|frame| match frame {
                ResponseFrame::VillageDone(done) => Some((done.cursor.number, done.more)),
                _ => None,
            });
            all.extend(frames);
            match done {
                Some((number, true)) if number > after => after = number,
                _ => return Ok(all),
            }
        }
        Err(Ended::Code("too_much"))
    }

    /// Takes in what was given, and strikes off what is no longer left out.
    fn mend(
        &mut self,
        village: VillageId,
        frames: &[ResponseFrame],
        wanted: &dyn Fn(ruhu_survey::change::DocumentId, DocumentToken) -> bool,
        tally: &mut Tally,
    ) -> Result<Mended, Error> {
        let identity = self.identity()?.clone();
        let now_ms = self.environment().now_ms();
        let (taken, mended) = self.store.write(|tx| {
            let done = Receiver::new(tx, &identity, now_ms)?.mend(village, frames, wanted)?;
            for token in &done.1.documents {
                snapshot::strike_out(tx, village, *token)?;
            }
            Ok(done)
        })?;
        tally.add(&taken);
        Ok(mended)
    }

    /// Queues the batches again of what the server lacks; how many. What was left out and no longer stands
    /// so on the server was fetched as it stands now.
    fn give_back(
        &mut self,
        village: VillageId,
        ours: &BTreeSet<Item>,
        mine: &BTreeMap<Item, Mine>,
    ) -> Result<u64, Error> {
        self.store.write(|tx| {
            let here = document::tokens(tx, village)?;
            let mut returned = 0;
            for item in ours {
                match mine.get(item) {
                    None => {}
                    Some(Mine::LeftOut(token)) => {
                        snapshot::strike_out(tx, village, *token)?;
                    }
                    // Unless it was just made whole, the server has nothing of it.
                    Some(Mine::Document(token, standing)) if here.contains_key(token) => {
                        returned += batch::queue_document_again(tx, standing.row)?;
                    }
                    Some(Mine::Document(..)) => {}
                }
            }
            Ok(returned)
        })
    }

    /// Fetches the earlier checks of a household that the snapshot left out; how many documents came.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server does not give them, [`Error::Answer`] when the link fails or what
    /// came is not what was asked for; or that the store fails. Nothing is lost either way: ask again.
    pub async fn fetch_earlier(
        &mut self,
        transport: &impl Transport,
        household: HouseholdId,
    ) -> Result<u64, Error> {
        let village = self.stored_household(household)?.village;
        let left_out: BTreeSet<DocumentToken> =
            snapshot::left_out(self.store.read(), village)?.into_iter().collect();
        if snapshot::left_out_of(self.store.read(), household)? == 0 {
            return Ok(0);
        }
        let mut tally = Tally::default();
        let question =
            |after| ("GET", format!("/v1/households/{household}/batches?after={after}"), Vec::new());
        let frames = match self.frames(transport, question, &mut tally).await {
            Ok(frames) => frames,
            Err(Ended::Error(error)) => return Err(error),
            Err(Ended::Code("interrupted")) => return Err(Error::Transport(TransportError::Cut)),
            Err(Ended::Code(code)) => return Err(Error::Answer(code.to_owned())),
        };
        let mended = self.mend(village, &frames, &|_, token| left_out.contains(&token), &mut tally)?;
        Ok(mended.documents.len() as u64)
    }
}
