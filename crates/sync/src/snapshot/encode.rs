//! Writes a snapshot's content: columns in which like stands beside like, for the packer to find.

use std::collections::BTreeMap;

use ruhu_ledger::batch::BatchId;
use ruhu_survey::change::{ActorId, Change, ChangeHash, DocumentId, parse};
use ruhu_survey::codec::Writer;
use ruhu_survey::id::{DeviceId, UserId};
use ruhu_survey::register::Register;
use ruhu_survey::replay::founders;

use super::SnapshotError;
use super::content::{BatchLine, ChangeLine, Content, DocumentPart};
use super::key::{Named, has_id, id_of, template_of, write_value, zigzag};

/// The version of the content's format that is written.
pub(super) const VERSION: u8 = 2;
/// The oldest version that is read.
pub(super) const VERSION_OLDEST: u8 = 1;

/// Everything accepted so far that the next items refer to.
#[derive(Default)]
struct Encoder {
    version: u8,
    founded: BTreeMap<DocumentId, u64>,
    authors: BTreeMap<(DeviceId, UserId), u64>,
    chains: BTreeMap<(DeviceId, u64), BatchId>,
    roots: BTreeMap<(DeviceId, u64), u64>,
    actors: BTreeMap<ActorId, u64>,
    templates: BTreeMap<String, u64>,
    template_list: Vec<String>,
    values: Vec<Writer>,
    random: Writer,
    batches: Writer,
    changes: Writer,
    puts: Writer,
    ids: Writer,
    apart: Writer,
    last: Last,
}

/// What the columns are written as differences from.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Last {
    pub(super) sequence: u64,
    pub(super) received_ms: i64,
    pub(super) batch: usize,
    pub(super) position: u16,
    pub(super) claimed_at: i64,
}

impl Last {
    /// The place that the next change of a batch most often has.
    pub(super) fn expected(&self, batch: usize) -> u16 {
        if batch == self.batch { self.position.saturating_add(1) } else { 0 }
    }
}

/// The content as bytes; every content has one such form in each version.
///
/// # Errors
/// [`SnapshotError`] when an accepted change is none that its document could have.
pub(super) fn encode(content: &Content, version: u8) -> Result<Vec<u8>, SnapshotError> {
    let founded = if version == VERSION_OLDEST { BTreeMap::new() } else { founded(&content.documents)? };
    let mut encoder = Encoder { version, founded, ..Encoder::default() };
    encoder.batches.varint(content.batches.len() as u64);
    for batch in &content.batches {
        encoder.batch(batch);
    }
    encoder.changes.varint(content.documents.len() as u64);
    for part in &content.documents {
        encoder.document(part)?;
    }
    Ok(encoder.finish(content))
}

/// The documents whose ids derive from the actor of their first change, with the number.
fn founded(documents: &[DocumentPart]) -> Result<BTreeMap<DocumentId, u64>, SnapshotError> {
    let mut first = Vec::new();
    for part in documents {
        if let Some(line) = part.accepted.first() {
            let (change, _) = parse(&line.bytes).map_err(|_| SnapshotError::Change(part.id))?;
            first.push((part.id.id, change.actor));
        }
    }
    let founders = founders(first);
    let number = |part: &DocumentPart| Some((part.id, founders.get(&part.id.id)?.1));
    Ok(documents.iter().filter_map(number).collect())
}

impl Encoder {
    fn batch(&mut self, batch: &BatchLine) {
        let known = self.authors.len() as u64;
        let author = (batch.device, batch.user);
        let author_code = self.authors.get(&author).map_or(0, |place| place.saturating_add(1));
        if author_code == 0 {
            self.authors.insert(author, known);
            self.random.raw(batch.device.as_bytes()).raw(batch.user.as_bytes());
        }
        self.random.raw(&batch.id.0);
        let above = batch.number.checked_sub(1).and_then(|number| self.chains.get(&(batch.device, number)));
        let above = above.copied();
        self.chains.insert((batch.device, batch.number), batch.id);
        let writer = &mut self.batches;
        writer
            .varint(batch.sequence.wrapping_sub(self.last.sequence))
            .varint(author_code)
            .varint(batch.number);
        match batch.previous {
            None => writer.u8(0),
            Some(previous) if above == Some(previous) => writer.u8(1),
            Some(previous) => {
                self.random.raw(&previous.0);
                writer.u8(2)
            }
        };
        writer.u8(u8::from(batch.tip));
        writer.varint(zigzag(batch.received_ms.wrapping_sub(self.last.received_ms)));
        writer.varint(zigzag(batch.received_ms.wrapping_sub(batch.wall_ms)));
        match batch.anchor_ms {
            None => writer.u8(0),
            Some(anchor_ms) => writer.u8(1).varint(zigzag(batch.received_ms.wrapping_sub(anchor_ms))),
        };
        writer.varint(batch.openings.len() as u64);
        for opening in &batch.openings {
            let actor = ActorId::derive(batch.device, *opening);
            let known = self.actors.len() as u64;
            if let Some(place) = self.actors.get(&actor) {
                writer.varint(place.saturating_add(1));
                continue;
            }
            self.actors.insert(actor, known);
            writer.varint(0);
            self.random.raw(opening);
        }
        self.roots(batch);
        self.last.sequence = batch.sequence;
        self.last.received_ms = batch.received_ms;
    }

    /// Roots as differences to what is expected: after the batch before, and one after the other.
    fn roots(&mut self, batch: &BatchLine) {
        let before = batch.number.checked_sub(1).and_then(|number| self.roots.get(&(batch.device, number)));
        let expected = before.copied().unwrap_or(0);
        self.roots.insert((batch.device, batch.number), batch.roots_after());
        let writer = &mut self.batches;
        writer.varint(zigzag(batch.roots_before.wrapping_sub(expected).cast_signed()));
        writer.varint(batch.roots.len() as u64);
        let mut next = 0_u16;
        for position in &batch.roots {
            writer.varint(u64::from(position.wrapping_sub(next)));
            next = position.wrapping_add(1);
        }
    }

    fn document(&mut self, part: &DocumentPart) -> Result<(), SnapshotError> {
        self.changes.u8(part.id.kind.code()).varint(part.accepted.len() as u64);
        self.changes.varint(part.apart.len() as u64);
        match self.founded.get(&part.id) {
            Some(number) => {
                self.changes.varint(number.saturating_add(1));
            }
            None => {
                if self.version > VERSION_OLDEST {
                    self.changes.varint(0);
                }
                self.random.raw(&part.id.id);
            }
        }
        let (mut register, mut hashes, mut named) = (Register::default(), Vec::new(), Named::default());
        for line in &part.accepted {
            let (change, hash) = parse(&line.bytes).map_err(|_| SnapshotError::Change(part.id))?;
            self.accepted(line, &change, &register, &hashes, &mut named)
                .ok_or(SnapshotError::Change(part.id))?;
            register.apply(&change, hash);
            hashes.push(hash);
        }
        for (line, verdict) in &part.apart {
            self.place(line);
            self.apart.bytes(&line.bytes).bytes(&verdict.to_bytes());
        }
        Ok(())
    }

    fn place(&mut self, line: &ChangeLine) {
        let expected = self.last.expected(line.batch);
        self.changes.varint(zigzag(signed(line.batch).wrapping_sub(signed(self.last.batch))));
        self.changes.varint(zigzag(i64::from(line.position) - i64::from(expected)));
        (self.last.batch, self.last.position) = (line.batch, line.position);
    }

    /// One accepted change; `None` when it stands on something that is not before it.
    fn accepted(
        &mut self,
        line: &ChangeLine,
        change: &Change,
        register: &Register,
        hashes: &[ChangeHash],
        named: &mut Named,
    ) -> Option<()> {
        self.place(line);
        self.changes.varint(*self.actors.get(&change.actor)?);
        self.changes.varint(zigzag(change.claimed_at.wrapping_sub(self.last.claimed_at)));
        self.last.claimed_at = change.claimed_at;
        let mut usual = register.heads().clone();
        usual.extend(register.last_change(change.actor));
        if usual.iter().eq(&change.dependencies) {
            self.changes.u8(0);
        } else {
            self.changes.varint((change.dependencies.len() as u64).saturating_add(1));
            for dependency in &change.dependencies {
                let place = hashes.iter().position(|hash| hash == dependency)?;
                self.changes.varint(place as u64);
            }
        }
        self.changes.varint(change.puts.len() as u64);
        for (index, put) in change.puts.iter().enumerate() {
            let template = self.template(&put.key)?;
            self.puts.varint(template);
            if let Some(id) = id_of(&put.key) {
                named.write(&mut self.ids, id, change.op_id(index));
            }
            let writer = self.values.get_mut(usize::try_from(template).ok()?)?;
            let random = (self.version > VERSION_OLDEST).then_some(&mut self.random);
            write_value(writer, random, named, &put.value);
        }
        Some(())
    }

    /// The number of a key's template; none for a key that cannot be told from a template.
    fn template(&mut self, key: &str) -> Option<u64> {
        let template = template_of(key);
        if has_id(&template) != id_of(key).is_some() {
            return None;
        }
        if let Some(number) = self.templates.get(&template) {
            return Some(*number);
        }
        let number = self.template_list.len() as u64;
        self.templates.insert(template.clone(), number);
        self.template_list.push(template);
        self.values.push(Writer::new());
        Some(number)
    }

    fn finish(self, content: &Content) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(self.version);
        writer.varint(content.certificates.len() as u64);
        for certificate in &content.certificates {
            writer.bytes(&certificate.to_bytes());
        }
        writer.varint(content.revocations.len() as u64);
        for revocation in &content.revocations {
            writer.bytes(&revocation.to_bytes());
        }
        for column in [self.batches, self.changes, self.puts, self.ids, self.apart] {
            writer.bytes(&column.finish());
        }
        writer.varint(self.template_list.len() as u64);
        for (template, values) in self.template_list.iter().zip(self.values) {
            writer.text(template).bytes(&values.finish());
        }
        writer.bytes(&self.random.finish());
        writer.varint(content.left_out.len() as u64);
        for left_out in &content.left_out {
            writer.raw(left_out.household.as_bytes()).raw(&left_out.token.0).u64(left_out.sum);
        }
        writer.finish()
    }
}

/// A place as a number that can be subtracted.
pub(super) fn signed(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}
