//! Reads a snapshot's content, building every accepted change anew as its author must have.

use std::collections::BTreeMap;
use std::sync::Arc;

use ruhu_ledger::batch::BatchId;
use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::limits::{CHANGE_BYTES_MAX, CHANGES_PER_BATCH_MAX, OPENINGS_PER_BATCH_MAX};
use ruhu_ledger::verdict::Verdict;
use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, DocumentKind};
use ruhu_survey::codec::{CodecError, Reader};
use ruhu_survey::gate::register_at;
use ruhu_survey::id::{DeviceId, HouseholdId, UserId};
use ruhu_survey::limits::{CHANGES_PER_DOCUMENT_MAX, DEPENDENCIES_MAX, KEY_BYTES_MAX, OPS_MAX};
use ruhu_survey::register::{ChangeBuilder, Register};
use ruhu_survey::replay::founded_id;

use super::SnapshotError;
use super::content::{BatchLine, ChangeLine, Content, DocumentPart, LeftOut};
use super::encode::{Last, VERSION, VERSION_OLDEST, encode, signed};
use super::key::{Named, has_id, key_of, read_value, unzigzag};
use crate::limits::{
    CERTIFICATE_BYTES_MAX, REVOCATION_BYTES_MAX, SNAPSHOT_BATCHES_MAX, SNAPSHOT_CREDENTIALS_MAX,
    SNAPSHOT_DOCUMENTS_MAX, SNAPSHOT_TEMPLATES_MAX, VERDICT_BYTES_MAX,
};
use crate::state::DocumentToken;

/// The columns of the content, and what was read so far.
struct Decoder<'a> {
    version: u8,
    batches: Reader<'a>,
    changes: Reader<'a>,
    puts: Reader<'a>,
    ids: Reader<'a>,
    apart: Reader<'a>,
    random: Reader<'a>,
    templates: Vec<(&'a str, Reader<'a>)>,
    authors: Vec<(DeviceId, UserId)>,
    actors: Vec<ActorId>,
    openings: BTreeMap<ActorId, [u8; 8]>,
    chains: BTreeMap<(DeviceId, u64), BatchId>,
    roots: BTreeMap<(DeviceId, u64), u64>,
    last: Last,
}

/// The content of these bytes, refusing every form but the one that [`encode`] writes in their version.
///
/// # Errors
/// [`SnapshotError`] saying what is wrong.
pub(super) fn decode(bytes: &[u8]) -> Result<Content, SnapshotError> {
    let mut reader = Reader::new(bytes);
    let version = reader.u8()?;
    if !(VERSION_OLDEST..=VERSION).contains(&version) {
        return Err(SnapshotError::Version(version));
    }
    let count = reader.count("certificates", SNAPSHOT_CREDENTIALS_MAX)?;
    let certificates = (0..count).map(|_| {
        Ok::<_, SnapshotError>(SignedCertificate::from_bytes(
            reader.bytes("certificate", CERTIFICATE_BYTES_MAX)?,
        )?)
    });
    let certificates = certificates.collect::<Result<Vec<_>, _>>()?;
    let count = reader.count("revocations", SNAPSHOT_CREDENTIALS_MAX)?;
    let revocations = (0..count).map(|_| {
        Ok::<_, SnapshotError>(SignedRevocation::from_bytes(
            reader.bytes("revocation", REVOCATION_BYTES_MAX)?,
        )?)
    });
    let revocations = revocations.collect::<Result<Vec<_>, _>>()?;
    let mut decoder = Decoder::open(&mut reader, version)?;
    let batches = decoder.all_batches()?;
    let documents = decoder.all_documents(batches.len())?;
    let left_out = read_left_out(&mut reader)?;
    reader.end()?;
    let content = Content { certificates, revocations, batches, documents, left_out };
    check_order(&content)?;
    // What is signed has one form: every other is somebody's experiment.
    if encode(&content, version)? == bytes { Ok(content) } else { Err(SnapshotError::NotCanonical) }
}

fn read_left_out(reader: &mut Reader<'_>) -> Result<Vec<LeftOut>, SnapshotError> {
    let count = reader.count("documents left out", SNAPSHOT_DOCUMENTS_MAX)?;
    let one = |_| {
        Ok(LeftOut {
            household: HouseholdId::from_bytes(reader.array()?),
            token: DocumentToken(reader.array()?),
            sum: reader.u64()?,
        })
    };
    (0..count).map(one).collect()
}

fn check_order(content: &Content) -> Result<(), SnapshotError> {
    let ascending = |what, sorted| if sorted { Ok(()) } else { Err(SnapshotError::Order(what)) };
    let serials = || content.certificates.iter().map(|signed| signed.statement.serial);
    ascending("certificates", serials().is_sorted_by(|a, b| a < b))?;
    let devices = || content.revocations.iter().map(|signed| signed.statement.device);
    ascending("revocations", devices().is_sorted_by(|a, b| a < b))?;
    ascending("batches", content.batches.iter().is_sorted_by(|a, b| a.sequence < b.sequence))?;
    ascending("documents", content.documents.iter().is_sorted_by(|a, b| a.id < b.id))?;
    ascending("documents left out", content.left_out.iter().is_sorted_by(|a, b| a < b))
}

impl<'a> Decoder<'a> {
    fn open(reader: &mut Reader<'a>, version: u8) -> Result<Self, SnapshotError> {
        let column = |reader: &mut Reader<'a>| reader.bytes("column", usize::MAX).map(Reader::new);
        let (batches, changes, puts) = (column(reader)?, column(reader)?, column(reader)?);
        let (ids, apart) = (column(reader)?, column(reader)?);
        let count = reader.count("templates", SNAPSHOT_TEMPLATES_MAX)?;
        let templates = (0..count).map(|_| Ok((reader.text("template", KEY_BYTES_MAX)?, column(reader)?)));
        let templates = templates.collect::<Result<Vec<_>, CodecError>>()?;
        let random = column(reader)?;
        let (authors, actors) = (Vec::new(), Vec::new());
        let (openings, chains) = (BTreeMap::new(), BTreeMap::new());
        let last = Last::default();
        Ok(Self {
            version,
            batches,
            changes,
            puts,
            ids,
            apart,
            random,
            templates,
            authors,
            actors,
            openings,
            chains,
            roots: BTreeMap::new(),
            last,
        })
    }

    fn all_batches(&mut self) -> Result<Vec<BatchLine>, SnapshotError> {
        let count = self.batches.count("batches", SNAPSHOT_BATCHES_MAX)?;
        (0..count).map(|_| self.batch()).collect()
    }

    fn batch(&mut self) -> Result<BatchLine, SnapshotError> {
        let sequence = self.last.sequence.wrapping_add(self.batches.varint()?);
        let (device, user) = self.author()?;
        let id = BatchId(self.random.array()?);
        let number = self.batches.varint()?;
        let above = number.checked_sub(1).and_then(|number| self.chains.get(&(device, number))).copied();
        self.chains.insert((device, number), id);
        let previous = match self.batches.u8()? {
            0 => None,
            1 => Some(above.ok_or(CodecError::Unknown("previous batch"))?),
            2 => Some(BatchId(self.random.array()?)),
            _ => return Err(CodecError::Unknown("previous batch").into()),
        };
        let tip = match self.batches.u8()? {
            0 => false,
            1 => true,
            _ => return Err(CodecError::Unknown("tip").into()),
        };
        let received_ms = self.last.received_ms.wrapping_add(unzigzag(self.batches.varint()?));
        let wall_ms = received_ms.wrapping_sub(unzigzag(self.batches.varint()?));
        let anchor_ms = match self.batches.u8()? {
            0 => None,
            1 => Some(received_ms.wrapping_sub(unzigzag(self.batches.varint()?))),
            _ => return Err(CodecError::Unknown("anchor").into()),
        };
        let count = self.batches.count("openings", OPENINGS_PER_BATCH_MAX)?;
        let openings = (0..count).map(|_| self.opening(device)).collect::<Result<_, _>>()?;
        let (roots_before, roots) = self.roots(device, number)?;
        (self.last.sequence, self.last.received_ms) = (sequence, received_ms);
        Ok(BatchLine {
            sequence,
            id,
            device,
            user,
            number,
            previous,
            wall_ms,
            received_ms,
            anchor_ms,
            tip,
            openings,
            roots_before,
            roots,
        })
    }

    fn roots(&mut self, device: DeviceId, number: u64) -> Result<(u64, Vec<u16>), SnapshotError> {
        let above = number.checked_sub(1).and_then(|number| self.roots.get(&(device, number))).copied();
        let before = above.unwrap_or(0).wrapping_add(unzigzag(self.batches.varint()?).cast_unsigned());
        let count = self.batches.count("roots", CHANGES_PER_BATCH_MAX)?;
        let (mut roots, mut next) = (Vec::with_capacity(count), 0_u64);
        for _ in 0..count {
            let position = next.saturating_add(self.batches.varint()?);
            let limit = CHANGES_PER_BATCH_MAX as u64;
            let place =
                u16::try_from(position).ok().filter(|_| position < limit).ok_or(CodecError::Number)?;
            roots.push(place);
            next = position.saturating_add(1);
        }
        self.roots.insert((device, number), before.wrapping_add(count as u64));
        Ok((before, roots))
    }

    fn author(&mut self) -> Result<(DeviceId, UserId), SnapshotError> {
        match self.batches.varint()?.checked_sub(1) {
            Some(place) => Ok(at(&self.authors, place, "author").copied()?),
            None => {
                let device = DeviceId::from_bytes(self.random.array()?);
                let author = (device, UserId::from_bytes(self.random.array()?));
                self.authors.push(author);
                Ok(author)
            }
        }
    }

    fn opening(&mut self, device: DeviceId) -> Result<[u8; 8], SnapshotError> {
        match self.batches.varint()?.checked_sub(1) {
            Some(place) => {
                let actor = at(&self.actors, place, "opening")?;
                self.openings.get(actor).copied().ok_or(CodecError::Unknown("opening").into())
            }
            None => {
                let opening = self.random.array()?;
                let actor = ActorId::derive(device, opening);
                self.actors.push(actor);
                self.openings.insert(actor, opening);
                Ok(opening)
            }
        }
    }

    fn all_documents(&mut self, batches: usize) -> Result<Vec<DocumentPart>, SnapshotError> {
        let count = self.changes.count("documents", SNAPSHOT_DOCUMENTS_MAX)?;
        let documents = (0..count).map(|_| self.document(batches)).collect::<Result<_, _>>()?;
        let columns = [&self.batches, &self.changes, &self.puts, &self.ids, &self.apart, &self.random];
        let left = columns.into_iter().chain(self.templates.iter().map(|(_, values)| values));
        let left = left.map(Reader::left).sum();
        if left == 0 { Ok(documents) } else { Err(CodecError::Trailing(left).into()) }
    }

    fn document(&mut self, batches: usize) -> Result<DocumentPart, SnapshotError> {
        let kind = DocumentKind::from_code(self.changes.u8()?).ok_or(CodecError::Unknown("document kind"))?;
        let accepted = self.changes.count("changes of a document", CHANGES_PER_DOCUMENT_MAX)?;
        let apart = self.changes.count("changes kept apart", SNAPSHOT_BATCHES_MAX)?;
        let founded = if self.version == VERSION_OLDEST { 0 } else { self.changes.varint()? };
        let written = if founded == 0 { self.random.array()? } else { [0; 16] };
        let mut history = History::default();
        let mut named = Named::default();
        let id = DocumentId { kind, id: written };
        let mut part = DocumentPart { id, accepted: Vec::new(), apart: Vec::new() };
        for _ in 0..accepted {
            let (batch, position) = self.place(batches)?;
            let bytes = self.accepted(&mut history, &mut named)?;
            part.accepted.push(ChangeLine { bytes, batch, position });
        }
        if let Some(number) = founded.checked_sub(1) {
            let founder = history.founder.ok_or(CodecError::Unknown("founder"))?;
            part.id.id = founded_id(founder, number);
        }
        for _ in 0..apart {
            let (batch, position) = self.place(batches)?;
            let bytes = self.apart.bytes("change", CHANGE_BYTES_MAX)?.to_vec();
            let verdict = Verdict::from_bytes(self.apart.bytes("verdict", VERDICT_BYTES_MAX)?)?;
            part.apart.push((ChangeLine { bytes, batch, position }, verdict));
        }
        Ok(part)
    }

    fn place(&mut self, batches: usize) -> Result<(usize, u16), SnapshotError> {
        let batch = signed(self.last.batch).wrapping_add(unzigzag(self.changes.varint()?));
        let batch = usize::try_from(batch).ok().filter(|batch| *batch < batches);
        let batch = batch.ok_or(CodecError::Unknown("batch"))?;
        let expected = i64::from(self.last.expected(batch));
        let position = expected.wrapping_add(unzigzag(self.changes.varint()?));
        let position = u16::try_from(position).map_err(|_| CodecError::Number)?;
        (self.last.batch, self.last.position) = (batch, position);
        Ok((batch, position))
    }

    /// One accepted change, written again on what it stands on.
    fn accepted(&mut self, history: &mut History, named: &mut Named) -> Result<Vec<u8>, SnapshotError> {
        let actor = self.changes.varint()?;
        let actor = at(&self.actors, actor, "actor").copied()?;
        let claimed_at = self.last.claimed_at.wrapping_add(unzigzag(self.changes.varint()?));
        self.last.claimed_at = claimed_at;
        let older =
            match self.changes.count("dependencies", DEPENDENCIES_MAX.saturating_add(1))?.checked_sub(1) {
                None => None,
                Some(count) => Some(self.older(history, count)?),
            };
        let register = older.as_ref().unwrap_or(&history.register);
        let mut builder = ChangeBuilder::new(register, actor, claimed_at);
        for _ in 0..self.changes.count("puts", OPS_MAX)? {
            let template = self.puts.varint()?;
            let template = usize::try_from(template).ok().and_then(|place| self.templates.get_mut(place));
            let (template, values) = template.ok_or(CodecError::Unknown("template"))?;
            let id = match has_id(template) {
                true => Some(named.read(&mut self.ids, builder.next_op())?),
                false => None,
            };
            let random = (self.version > VERSION_OLDEST).then_some(&mut self.random);
            builder.put(key_of(template, id.as_deref()), read_value(values, random, named)?);
        }
        let (change, encoded) = builder.finish().ok_or(CodecError::Short)?;
        history.founder.get_or_insert(actor);
        history.register.apply(&change, encoded.hash);
        history.order.push(encoded.hash);
        history.changes.insert(encoded.hash, Arc::new(change));
        Ok(encoded.bytes)
    }

    /// The register at older changes of the document.
    fn older(&mut self, history: &History, count: usize) -> Result<Register, SnapshotError> {
        let mut dependencies = Vec::new();
        for _ in 0..count {
            dependencies.push(*at(&history.order, self.changes.varint()?, "dependency")?);
        }
        register_at(&dependencies, &history.changes).map_err(|_| CodecError::Unknown("dependency").into())
    }
}

/// The accepted changes of one document so far.
#[derive(Default)]
struct History {
    /// The actor of the first change.
    founder: Option<ActorId>,
    register: Register,
    order: Vec<ChangeHash>,
    changes: BTreeMap<ChangeHash, Arc<Change>>,
}

fn at<'a, T>(list: &'a [T], place: u64, what: &'static str) -> Result<&'a T, CodecError> {
    usize::try_from(place).ok().and_then(|place| list.get(place)).ok_or(CodecError::Unknown(what))
}
