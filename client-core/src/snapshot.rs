//! A village in one piece: fetched byte by byte, kept as it came, and admitted change by change.
//!
//! A village that this device has nothing of begins so. Each answer's bytes are kept before the next is
//! asked for, so a cut or a kill costs what was under way. Whatever is wrong with a snapshot, the ordinary
//! feed gives the same and is used instead.

use ruhu_ledger::batch::change_hash;
use ruhu_ledger::snapshot::SignedSnapshot;
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::DocumentId;
use ruhu_survey::id::VillageId;
use ruhu_sync::Cursor;
use ruhu_sync::snapshot::{BatchLine, ChangeLine, Content, Sealed, check_piece, open};

use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::error::Error;
use crate::exchange::CONTENT_TYPE;
use crate::problem::{code, refusal};
use crate::receive::{Receiver, Taken};
use crate::store::batch::{self, DOCUMENT_SCHEMA};
use crate::store::document::{self, Arrived, ChangeState};
use crate::store::set_aside::{self, Item};
use crate::store::snapshot::{self, OnItsWay, SnapshotState};
use crate::store::{names, village};
use crate::sync::Tally;
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use crate::workbench::{NotApplied, name};

/// Requests in a row that may bring nothing before the snapshot waits for the next sync.
const FAILURES_MAX: u32 = 4;

/// What came of asking for something.
pub(crate) enum Asked {
    /// An answer with status 200, as far as it came.
    Answer(HttpResponse),
    /// The server does not give it, and why: that there is none, mostly.
    Refused(Error),
    /// The link or the server failed in a way that passes.
    Failed(TransportError),
}

impl Client {
    /// Takes over every village that this device has nothing of; why it stopped, if a link made it stop.
    pub(crate) async fn take_snapshots(
        &mut self,
        transport: &impl Transport,
        tally: &mut Tally,
    ) -> Result<Option<TransportError>, Error> {
        let mut without = Vec::new();
        for village in self.villages()?.into_iter().filter(|village| village.granted) {
            let connection = self.store.read();
            // A device that forgot its cursor still holds what it holds.
            let nothing = batch::tips(connection, village.id)?.is_empty();
            if nothing && village::cursor(connection, village.id)?.is_none() {
                without.push(village.id);
            }
        }
        for village in without {
            if let Some(error) = self.take_snapshot(transport, village, tally).await? {
                return Ok(Some(error));
            }
        }
        Ok(None)
    }

    async fn take_snapshot(
        &mut self,
        transport: &impl Transport,
        village: VillageId,
        tally: &mut Tally,
    ) -> Result<Option<TransportError>, Error> {
        let mut failures = 0;
        while failures < FAILURES_MAX {
            let Some(under_way) = snapshot::on_its_way(self.store.read(), village)? else {
                match self.ask(transport, &format!("/v1/villages/{village}/snapshot"), tally).await? {
                    Asked::Answer(response) if response.whole => {
                        if !self.begin_snapshot(village, &response.body, tally)? {
                            return Ok(None);
                        }
                    }
                    // The feed says the same, and why a device is given nothing.
                    Asked::Refused(_) => return Ok(None),
                    Asked::Answer(_) => failures += 1,
                    Asked::Failed(error) => return Ok(Some(error)),
                }
                continue;
            };
            if under_way.packed.len() as u64 == under_way.statement.statement.packed_bytes {
                self.admit_snapshot(village, under_way, tally)?;
                return Ok(None);
            }
            match self.fetch_more(transport, village, &under_way, tally).await? {
                Fetched::More => failures = 0,
                Fetched::Nothing => failures += 1,
                Fetched::Failed(error) if failures + 1 == FAILURES_MAX => return Ok(Some(error)),
                Fetched::Failed(_) => failures += 1,
                Fetched::Aside => return Ok(None),
            }
        }
        Ok(Some(TransportError::Cut))
    }

    /// Asks for something by a signed request without a body.
    pub(crate) async fn ask(
        &mut self,
        transport: &impl Transport,
        path: &str,
        tally: &mut Tally,
    ) -> Result<Asked, Error> {
        self.ask_with(transport, "GET", path, Vec::new(), tally).await
    }

    /// Asks for something by a signed request.
    pub(crate) async fn ask_with(
        &mut self,
        transport: &impl Transport,
        method: &'static str,
        path: &str,
        body: Vec<u8>,
        tally: &mut Tally,
    ) -> Result<Asked, Error> {
        tally.requests += 1;
        tally.sent_bytes += body.len() as u64;
        let digest = Sha256::digest(&body).into();
        let headers = vec![("content-type", CONTENT_TYPE.to_owned())];
        let request = HttpRequest { method, path: path.to_owned(), headers, body };
        let response = match self.signed(transport, request, &digest).await? {
            Ok(response) => response,
            Err(error) => return Ok(Asked::Failed(error)),
        };
        tally.got_bytes += response.body.len() as u64;
        match response.status {
            200 => Ok(Asked::Answer(response)),
            401 | 408 | 429 | 503 => {
                tally.busy = code(&response).map(|_| refusal(&response));
                Ok(Asked::Failed(TransportError::Stalled))
            }
            _ if !response.whole => Ok(Asked::Failed(TransportError::Cut)),
            // What does not explain itself is not the server but something before it.
            _ if code(&response).is_none() => Ok(Asked::Failed(TransportError::Unreachable)),
            _ => Ok(Asked::Refused(refusal(&response))),
        }
    }

    /// Verifies a statement and keeps it; `false` when it is none to be used.
    fn begin_snapshot(&mut self, village: VillageId, bytes: &[u8], tally: &mut Tally) -> Result<bool, Error> {
        let identity = self.identity()?;
        let refused = match SignedSnapshot::from_bytes(bytes) {
            Err(_) => Some("malformed"),
            Ok(signed) if signed.verify(&identity.server_key).is_err() => Some("signature"),
            Ok(signed) => {
                let said = &signed.statement;
                let ours = said.deployment == identity.certificate.deployment && said.village == village;
                // Of another epoch, or of a newer schema: the feed says what there is to say about that.
                if ours && (said.epoch != identity.epoch || said.schema > DOCUMENT_SCHEMA) {
                    return Ok(false);
                }
                (!ours).then_some("other_village")
            }
        };
        let now_ms = self.environment().now_ms();
        let statement = SignedSnapshot::from_bytes(bytes).ok();
        self.store.write(|tx| match (refused, &statement) {
            (None, Some(statement)) => snapshot::begin(tx, village, statement),
            (code, _) => {
                let code = code.unwrap_or("malformed");
                let subject = village.to_string();
                let item = Item { kind: "snapshot", code, subject: &subject, bytes };
                set_aside::keep(tx, now_ms, item).map(drop)
            }
        })?;
        tally.set_aside += u64::from(refused.is_some());
        // One that was found to contradict itself before is not begun again.
        Ok(refused.is_none() && snapshot::on_its_way(self.store.read(), village)?.is_some())
    }

    async fn fetch_more(
        &mut self,
        transport: &impl Transport,
        village: VillageId,
        under_way: &OnItsWay,
        tally: &mut Tally,
    ) -> Result<Fetched, Error> {
        let said = &under_way.statement.statement;
        let id = ruhu_survey::change::ChangeHash(said.id());
        let from = under_way.packed.len();
        let path = format!("/v1/villages/{village}/snapshot/{id}?from={from}");
        let response = match self.ask(transport, &path, tally).await? {
            Asked::Answer(response) => response,
            Asked::Failed(error) => return Ok(Fetched::Failed(error)),
            Asked::Refused(_) => {
                // The server has a newer one; what was fetched of this one stays where it is.
                self.store.write(|tx| snapshot::settle(tx, under_way.row, SnapshotState::Dropped))?;
                return Ok(Fetched::Nothing);
            }
        };
        if response.body.is_empty() {
            return Ok(Fetched::Nothing);
        }
        let held = [under_way.packed.as_slice(), &response.body].concat();
        let fits = check_piece(said, &held).is_ok();
        let now_ms = self.environment().now_ms();
        self.store.write(|tx| {
            if fits {
                return snapshot::append(tx, under_way.row, from, &response.body);
            }
            let subject = village.to_string();
            let item = Item { kind: "snapshot", code: "piece", subject: &subject, bytes: &response.body };
            set_aside::keep(tx, now_ms, item)?;
            snapshot::settle(tx, under_way.row, SnapshotState::SetAside)
        })?;
        tally.set_aside += u64::from(!fits);
        Ok(if fits { Fetched::More } else { Fetched::Aside })
    }

    /// Admits a whole snapshot in one transaction, or sets it aside.
    fn admit_snapshot(
        &mut self,
        village: VillageId,
        under_way: OnItsWay,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let identity = self.identity()?.clone();
        let now_ms = self.environment().now_ms();
        let OnItsWay { row, statement, packed } = under_way;
        let sealed = Sealed { statement, packed };
        let content = match open(&sealed, &identity.server_key) {
            Ok(content) => content,
            Err(error) => {
                let bytes = [sealed.statement.to_bytes(), error.to_string().into_bytes()].concat();
                let subject = village.to_string();
                tally.set_aside += 1;
                return self.store.write(|tx| {
                    let item = Item { kind: "snapshot", code: "content", subject: &subject, bytes: &bytes };
                    set_aside::keep(tx, now_ms, item)?;
                    snapshot::settle(tx, row, SnapshotState::SetAside)
                });
            }
        };
        let taken = self.store.write(|tx| {
            let taken = Receiver::new(tx, &identity, now_ms)?.take_snapshot(village, &content)?;
            let said = &sealed.statement.statement;
            village::move_cursor(tx, village, Cursor { epoch: said.epoch, number: said.number })?;
            snapshot::settle(tx, row, SnapshotState::TakenIn)?;
            Ok(taken)
        })?;
        tally.add(&taken);
        tally.snapshots += 1;
        self.reload_identity()
    }

    /// How many earlier checks of a household are on the server only: [`Client::fetch_earlier`] brings them.
    ///
    /// # Errors
    /// When the store fails.
    pub fn earlier_on_server(&self, household: ruhu_survey::id::HouseholdId) -> Result<u64, Error> {
        snapshot::left_out_of(self.store.read(), household)
    }
}

/// What came of asking for more of a snapshot.
enum Fetched {
    More,
    Nothing,
    Failed(TransportError),
    Aside,
}

impl Receiver<'_> {
    /// Admits everything in a snapshot that was opened: certificates, batches, changes, and what is left out.
    fn take_snapshot(mut self, village: VillageId, content: &Content) -> Result<Taken, Error> {
        for certificate in &content.certificates {
            self.certificate(certificate)?;
        }
        for revocation in &content.revocations {
            self.revocation(revocation)?;
        }
        let own = self.identity.device();
        let mut batches = Vec::new();
        for line in &content.batches {
            batches.push((snapshot::insert_batch(self.tx, village, line, line.device == own)?, line));
        }
        for part in &content.documents {
            for line in &part.accepted {
                self.take_change(village, part.id, line, &Verdict::Accepted, &batches)?;
            }
            for (line, verdict) in &part.apart {
                self.take_change(village, part.id, line, verdict, &batches)?;
            }
        }
        for left in &content.left_out {
            snapshot::add_left_out(self.tx, village, left)?;
        }
        let Self { bench, taken, .. } = self;
        bench.finish()?;
        Ok(taken)
    }

    fn take_change(
        &mut self,
        village: VillageId,
        id: DocumentId,
        line: &ChangeLine,
        verdict: &Verdict,
        batches: &[(i64, &BatchLine)],
    ) -> Result<(), Error> {
        let Some(hash) = change_hash(&line.bytes) else { return Ok(()) };
        let Some((batch, from)) = batches.get(line.batch).copied() else { return Ok(()) };
        if let Some(number) = from.root_at(line.position) {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            names::put(self.tx, village, from.device, number, id)?;
        }
        let document = self.bench.row(village, id)?;
        if document::state_of(self.tx, document, hash)?.is_some() {
            return Ok(());
        }
        let (mut state, mut rule) = ChangeState::of(verdict);
        if state == ChangeState::Accepted {
            let applied = self.bench.apply_vouched(village, id, &line.bytes)?;
            if let Err(NotApplied { code }) = applied {
                self.put_aside("change", &code, &name(id, hash), &line.bytes)?;
                (state, rule) = (ChangeState::SetAside, code);
            }
        }
        let position = usize::from(line.position);
        let bytes = &line.bytes;
        document::add_arrived(
            self.tx,
            &Arrived { document, hash, bytes, batch, position, state, rule: &rule },
        )?;
        Ok(())
    }
}
