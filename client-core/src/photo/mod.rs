//! Photos and signatures (照片、签名): taken into a draft, listed, and read.
//!
//! A photo is sealed and kept in the same transaction as the answer that names it, and the check is submitted
//! without waiting for it. [`Client::send_photos`] sends what was submitted, after everything else;
//! [`Client::fetch_photo`] brings what other devices took.

mod fetch;
mod send;

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::change::{DocumentId, DocumentKind, Value};
use ruhu_survey::field_table::{Type, field};
use ruhu_survey::form::{QuestionType, bound_field, clear_values, key_of};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::{CheckId, HouseholdId, VillageId};
use ruhu_survey::photo::{Extent, PhotoAddress, PhotoError, PhotoKind, PhotoSealer, Picture};
use rusqlite::Transaction;

pub use self::send::{PhotoOutcome, PhotoProgress, PhotoReport};
use crate::client::Client;
use crate::edit::Keys;
use crate::error::Error;
use crate::form::{Asked, question};
use crate::list::{CheckState, ListedCheck};
use crate::store::draft::{self, DraftAnswer};
use crate::store::photo::{self, NewRow, StoredPhoto};

/// A photo as a front end hands it over: encoded anew, so that it tells no position, and small enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPhoto<'a> {
    /// The JPEG or PNG.
    pub original: &'a [u8],
    /// A small JPEG or PNG for lists; nothing where nobody made one.
    pub thumbnail: &'a [u8],
    /// When it was taken, milliseconds since 1970.
    pub taken_ms: i64,
}

/// Which part of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoPart {
    /// The small picture for lists; the original where there is none.
    Thumbnail,
    /// The picture itself.
    Original,
}

/// Where a photo stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhotoState {
    /// In a draft, on this device only.
    Draft,
    /// To be sent; so many bytes of so many are on the server.
    Waiting {
        /// Bytes that the server is known to hold.
        sent: u64,
        /// Bytes of the sealed file.
        total: u64,
    },
    /// The server has it durably, since this moment by the device's clock.
    Received {
        /// Milliseconds since 1970.
        at_ms: i64,
    },
    /// Taken on another device; whether this one has the picture too.
    Others {
        /// Whether the original is here.
        here: bool,
    },
}

/// A photo that a document names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPhoto {
    /// Its name.
    pub address: PhotoAddress,
    /// The document that names it: a check, or the household.
    pub document: DocumentId,
    /// The key at which it does, such as `answer/evidence/house/1`.
    pub key: String,
    /// What it shows; none while nothing of it is here.
    pub kind: Option<PhotoKind>,
    /// When it was taken, by the clock of the device that took it.
    pub taken_ms: Option<i64>,
    /// Where it stands.
    pub state: PhotoState,
}

impl Client {
    /// Takes a photo or signature as the answer to a question of a draft, durably. A question with several answers
    /// gets it as one more, or as the one that `asked` names.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::UnknownQuestion`] when the question asks for no
    /// picture, [`Error::TooManyPhotos`], [`Error::Photo`], [`Error::NoHouseholdKey`], [`Error::DiskFull`] when
    /// there is no room for a photo, though there may be for text. Nothing is written then.
    pub fn add_photo(
        &mut self,
        check: CheckId,
        asked: &Asked<'_>,
        new: &NewPhoto<'_>,
    ) -> Result<PhotoAddress, Error> {
        let line = self.a_draft(check)?;
        let (key, kind) = self.place_of(&line, asked)?;
        let picture =
            Picture { kind, taken_ms: new.taken_ms, thumbnail: new.thumbnail, original: new.original };
        let keys = self.photo_keys(line.village, line.household)?;
        let file = keys.photo_sealer(line.village, line.household).seal(&picture)?;
        let (address, head_end) = (PhotoAddress::of(&file), Extent::of(&file)?.head_end);
        let input = Input::Stored(Value::Text(address.to_string()));
        let source = question(asked.question)?.question.source;
        let answer = self.draft_answer(&line, &key, &input, &Because { source, reason: None })?;
        let row = NewRow {
            address,
            village: line.village,
            household: line.household,
            check: Some(check),
            kind,
            taken_ms: new.taken_ms,
            total: file.len(),
        };
        self.store.write(|tx| {
            let before = named_at(&draft::all(tx, check)?, &key);
            draft::put(tx, check, &answer)?;
            let row = photo::put(tx, &row)?;
            photo::put_file(tx, row, &file, head_end)?;
            forget_unnamed(tx, check, before)?;
            photo::keep_reserve(tx, row)
        })?;
        Ok(address)
    }

    /// Takes a photo out of a draft again, by the key of its answer. Its bytes go too, unless another answer of the
    /// draft names them.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::UnknownQuestion`] when there is no photo.
    pub fn remove_photo(&mut self, check: CheckId, key: &str) -> Result<(), Error> {
        self.a_draft(check)?;
        let removed = named_at(&draft::all(self.store.read(), check)?, key);
        if removed.is_none() {
            return Err(Error::UnknownQuestion(key.to_owned()));
        }
        self.store.write(|tx| {
            draft::remove(tx, check, key)?;
            forget_unnamed(tx, check, removed)
        })
    }

    /// The photos that a household's checks and its register name, the newest check first.
    ///
    /// # Errors
    /// [`Error::UnknownHousehold`], or that the store fails.
    pub fn photos(&self, household: HouseholdId) -> Result<Vec<ListedPhoto>, Error> {
        let stored = self.stored_household(household)?;
        let keys = Keys::load(self.store.read(), stored.village, household)?;
        let mut listed = Vec::new();
        for line in self.checks(household)? {
            listed.extend(self.photos_of(&line, keys.as_ref())?);
        }
        let sealer = keys.as_ref().map(|keys| keys.sealer(stored.village, household.into()));
        let values = clear_values(&stored.register, DocumentKind::Household, sealer.as_ref());
        listed.extend(self.listed(household.into(), &values)?);
        Ok(listed)
    }

    /// The photos that a check names, in the order of their keys.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], or that the store fails.
    pub fn photos_of_check(&self, check: CheckId) -> Result<Vec<ListedPhoto>, Error> {
        let line = self.check_line(check)?;
        let keys = Keys::load(self.store.read(), line.village, line.household)?;
        self.photos_of(&line, keys.as_ref())
    }

    fn photos_of(&self, line: &ListedCheck, keys: Option<&Keys>) -> Result<Vec<ListedPhoto>, Error> {
        let values: BTreeMap<String, Value> = if line.state == CheckState::Submitted {
            let sealer = keys.map(|keys| keys.sealer(line.village, line.id.into()));
            clear_values(&self.stored(line.id.into())?.register, DocumentKind::Check, sealer.as_ref())
        } else {
            let answers = draft::all(self.store.read(), line.id)?;
            answers.into_iter().map(|answer| (answer.key, answer.value)).collect()
        };
        self.listed(line.id.into(), &values)
    }

    fn listed(
        &self,
        document: DocumentId,
        values: &BTreeMap<String, Value>,
    ) -> Result<Vec<ListedPhoto>, Error> {
        let named = values.iter().filter_map(|(key, value)| {
            let address = address_at(document.kind, key, value)?;
            Some((key, address))
        });
        named
            .map(|(key, address)| {
                let stored = photo::find(self.store.read(), &address)?;
                Ok(ListedPhoto {
                    address,
                    document,
                    key: key.clone(),
                    kind: stored.map(|stored| stored.kind),
                    taken_ms: stored.map(|stored| stored.taken_ms),
                    state: self.state_of(stored.as_ref())?,
                })
            })
            .collect()
    }

    fn state_of(&self, stored: Option<&StoredPhoto>) -> Result<PhotoState, Error> {
        let Some(stored) = stored else { return Ok(PhotoState::Others { here: false }) };
        let Some(check) = stored.check else {
            let here = photo::bytes_here(self.store.read(), stored.row)? == stored.total;
            return Ok(PhotoState::Others { here });
        };
        Ok(match (self.check_line(check)?.state, stored.received) {
            (CheckState::Submitted, Some((at_ms, epoch))) if epoch == self.identity()?.epoch => {
                PhotoState::Received { at_ms }
            }
            (CheckState::Submitted, _) => PhotoState::Waiting { sent: stored.sent, total: stored.total },
            _ => PhotoState::Draft,
        })
    }

    /// A part of a photo; none when that is not on this device: see [`Client::fetch_photo`].
    ///
    /// # Errors
    /// [`Error::NoHouseholdKey`], [`Error::Photo`] when what is here is damaged, or that the store fails.
    pub fn photo(&self, address: &PhotoAddress, part: PhotoPart) -> Result<Option<Vec<u8>>, Error> {
        let Some(stored) = photo::find(self.store.read(), address)? else { return Ok(None) };
        let keys = self.photo_keys(stored.village, stored.household)?;
        let sealer = keys.photo_sealer(stored.village, stored.household);
        if part == PhotoPart::Thumbnail {
            let first = photo::first_part(self.store.read(), stored.row)?;
            if let Some(thumbnail) = opened(&sealer, &first, part, stored.total)? {
                return Ok(Some(thumbnail));
            }
        }
        opened(&sealer, &photo::bytes(self.store.read(), stored.row)?, part, stored.total)
    }

    fn photo_keys(&self, village: VillageId, household: HouseholdId) -> Result<Keys, Error> {
        let keys = Keys::load(self.store.read(), village, household)?;
        keys.ok_or(Error::NoHouseholdKey(household))
    }

    /// The key of the answer that a photo becomes, and what kind of photo the question asks for.
    fn place_of(&self, line: &ListedCheck, asked: &Asked<'_>) -> Result<(String, PhotoKind), Error> {
        let unknown = || Error::UnknownQuestion(asked.question.to_owned());
        let place = question(asked.question)?;
        let kind = match place.question.kind {
            QuestionType::Photo => PhotoKind::Photo,
            QuestionType::Signature => PhotoKind::Signature,
            _ => return Err(unknown()),
        };
        let path = place.question.field.as_deref().ok_or_else(unknown)?;
        let key = key_of(path, asked.member);
        let most = match bound_field(&place.question).map(|field| &field.kind) {
            Some(Type::Hashes { max }) => *max,
            _ => return Ok((key, kind)),
        };
        if let Some(element) = asked.element {
            return Ok((format!("{key}/{element}"), kind));
        }
        let answers = draft::all(self.store.read(), line.id)?;
        let mut slots = (1..=most).map(|slot| format!("{key}/{slot}"));
        let free = slots.find(|slot| named_at(&answers, slot).is_none());
        free.map(|key| (key, kind)).ok_or(Error::TooManyPhotos(most))
    }
}

/// A part of a file of which these bytes are here; none when they are too few.
fn opened(
    sealer: &PhotoSealer<'_>,
    file: &[u8],
    part: PhotoPart,
    total: u64,
) -> Result<Option<Vec<u8>>, Error> {
    let whole = file.len() as u64 == total;
    match part {
        PhotoPart::Original if whole => Ok(Some(sealer.open_original(file)?)),
        PhotoPart::Original => Ok(None),
        PhotoPart::Thumbnail => match sealer.open_head(file) {
            Ok(head) if !head.thumbnail.is_empty() => Ok(Some(head.thumbnail)),
            Ok(_) if whole => Ok(Some(sealer.open_original(file)?)),
            Ok(_) | Err(PhotoError::Format(_)) => Ok(None),
            Err(error) => Err(error.into()),
        },
    }
}

/// Forgets the photos of a check that was just submitted without the answers that named them.
pub(crate) fn forget_left_out(
    tx: &Transaction<'_>,
    check: CheckId,
    kept: &[&DraftAnswer],
    left_out: &[&DraftAnswer],
) -> Result<(), Error> {
    let named = |answer: &&DraftAnswer| address_at(DocumentKind::Check, &answer.key, &answer.value);
    let kept: BTreeSet<PhotoAddress> = kept.iter().filter_map(named).collect();
    for address in left_out.iter().filter_map(named).filter(|address| !kept.contains(address)) {
        match photo::find(tx, &address)? {
            Some(stored) if stored.check == Some(check) => photo::forget(tx, stored.row)?,
            _ => {}
        }
    }
    Ok(())
}

/// The photo that the answer at a key of a draft names.
fn named_at(answers: &[DraftAnswer], key: &str) -> Option<PhotoAddress> {
    let said = answers.iter().find(|answer| answer.key == key)?;
    address_at(DocumentKind::Check, key, &said.value)
}

/// Forgets a photo that was taken in a draft and that none of its answers names any more.
fn forget_unnamed(tx: &Transaction<'_>, check: CheckId, removed: Option<PhotoAddress>) -> Result<(), Error> {
    let Some(stored) = removed.map(|removed| photo::find(tx, &removed)).transpose()?.flatten() else {
        return Ok(());
    };
    let answers = draft::all(tx, check)?;
    let named = answers.iter().any(|answer| named_at(&answers, &answer.key) == removed);
    if named || stored.check != Some(check) { Ok(()) } else { photo::forget(tx, stored.row) }
}

/// The photo that a value names, where the field at its key holds photos.
fn address_at(kind: DocumentKind, key: &str, value: &Value) -> Option<PhotoAddress> {
    let field = field(kind, key)?.field;
    let holds_photos = field.is_sealed() && matches!(field.kind, Type::Hash | Type::Hashes { .. });
    match value {
        Value::Text(text) if holds_photos => text.parse().ok(),
        _ => None,
    }
}
