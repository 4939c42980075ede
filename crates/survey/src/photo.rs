//! Photos and signatures (照片、签名): sealed into one file whose hash is the file's name.
//!
//! `schemas/wire/photo.md` is the byte table. A file holds a sealed head, with kind, time and thumbnail, and
//! then the sealed original, so the first bytes of a file are enough for a list. Both are sealed as private
//! values are ([`crate::sealed`]) under the household's key, for the household: sealing is deterministic, so
//! the same photo of the same household has one name on every device. What stands in documents is the name.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::codec::{CodecError, Reader, Writer};
use crate::id::{HouseholdId, VillageId};
use crate::limits::{PHOTO_BYTES_MAX, THUMBNAIL_BYTES_MAX};
use crate::sealed::{HouseholdKey, SEALED_OVER, SealError, open_bytes, seal_bytes};

/// The first byte of a photo's file.
const VERSION: u8 = 1;
/// What stands for the key of a document when the head is sealed.
const HEAD: &str = "photo/head";
/// What stands for the key of a document when the original is sealed.
const ORIGINAL: &str = "photo/original";
/// Kind and time before the thumbnail.
const FIXED: usize = 1 + 8;
/// Bytes of version and lengths, at most.
const LENGTHS_MAX: usize = 1 + 3 + 3;
/// The most bytes of a sealed head.
const SEALED_HEAD_MAX: usize = SEALED_OVER + FIXED + THUMBNAIL_BYTES_MAX;
/// The most bytes of a sealed original.
const SEALED_ORIGINAL_MAX: usize = SEALED_OVER + PHOTO_BYTES_MAX;

/// The most bytes from the beginning of a photo's file that hold the whole head.
pub const HEAD_BYTES_MAX: usize = LENGTHS_MAX + SEALED_HEAD_MAX;
/// The most bytes of a photo's file.
pub const FILE_BYTES_MAX: usize = HEAD_BYTES_MAX + SEALED_ORIGINAL_MAX;

/// The name of a photo's file: its SHA-256, in text 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhotoAddress(pub [u8; 32]);

impl PhotoAddress {
    /// The name of a file with these bytes.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }
}

impl fmt::Display for PhotoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PhotoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhotoAddress({self})")
    }
}

impl FromStr for PhotoAddress {
    type Err = PhotoError;

    fn from_str(text: &str) -> Result<Self, PhotoError> {
        // The decoder takes lower-case digits only: one photo, one text.
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| PhotoError::Address)?;
        bytes.try_into().map(Self).map_err(|_| PhotoError::Address)
    }
}

/// What a photo shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhotoKind {
    /// A photo (照片).
    Photo,
    /// A signature, drawn by finger (签名).
    Signature,
}

impl PhotoKind {
    /// Its number in a file and in stores.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Photo => 1,
            Self::Signature => 2,
        }
    }

    /// The kind of this number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Photo, Self::Signature].into_iter().find(|kind| kind.code() == code)
    }

    /// Its name in machine-readable output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Signature => "signature",
        }
    }
}

/// A photo in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture<'a> {
    /// What it shows.
    pub kind: PhotoKind,
    /// When it was taken, milliseconds since 1970 by the device's clock.
    pub taken_ms: i64,
    /// A small JPEG or PNG for lists; nothing where nobody made one.
    pub thumbnail: &'a [u8],
    /// The JPEG or PNG itself.
    pub original: &'a [u8],
}

/// The head of a photo, opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// What it shows.
    pub kind: PhotoKind,
    /// When it was taken, milliseconds since 1970 by the clock of the device that took it.
    pub taken_ms: i64,
    /// A small JPEG or PNG; empty when there is none.
    pub thumbnail: Vec<u8>,
}

/// What is wrong with a photo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// Neither a JPEG nor a PNG.
    #[error("the picture is neither a JPEG nor a PNG")]
    NotAPicture,
    /// The picture has more bytes than one may have: make it smaller.
    #[error("the picture has {bytes} bytes, the limit is {PHOTO_BYTES_MAX}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// The thumbnail has more bytes than one may have.
    #[error("the thumbnail has {bytes} bytes, the limit is {THUMBNAIL_BYTES_MAX}")]
    ThumbnailTooLarge {
        /// How many it has.
        bytes: usize,
    },
    /// The file is of a format that this program does not know.
    #[error("the photo is in format {0}, which this program does not know")]
    Version(u8),
    /// The file is cut off or is none.
    #[error("the photo's file cannot be read")]
    Format(#[from] CodecError),
    /// The key is another household's, or the bytes were changed.
    #[error(transparent)]
    Sealed(#[from] SealError),
    /// The bytes are not the photo of the name that was asked for.
    #[error("the bytes are not the photo of this name")]
    Differs,
    /// A text that is no name of a photo.
    #[error("a photo is named by 64 lower-case hexadecimal digits")]
    Address,
}

/// Whose photo it is: what seals and opens it.
#[derive(Debug, Clone, Copy)]
pub struct PhotoSealer<'a> {
    /// The household's key.
    pub key: &'a HouseholdKey,
    /// The village.
    pub village: VillageId,
    /// The household.
    pub household: HouseholdId,
}

impl PhotoSealer<'_> {
    /// The file of a picture.
    ///
    /// # Errors
    /// [`PhotoError::NotAPicture`], [`PhotoError::TooLarge`], [`PhotoError::ThumbnailTooLarge`].
    pub fn seal(&self, picture: &Picture<'_>) -> Result<Vec<u8>, PhotoError> {
        let Picture { kind, taken_ms, thumbnail, original } = *picture;
        if !is_picture(original) || !(thumbnail.is_empty() || is_picture(thumbnail)) {
            return Err(PhotoError::NotAPicture);
        }
        if original.len() > PHOTO_BYTES_MAX {
            return Err(PhotoError::TooLarge { bytes: original.len() });
        }
        if thumbnail.len() > THUMBNAIL_BYTES_MAX {
            return Err(PhotoError::ThumbnailTooLarge { bytes: thumbnail.len() });
        }
        let mut head = Writer::new();
        head.u8(kind.code()).i64(taken_ms).raw(thumbnail);
        let (head, original) = (self.seal_part(HEAD, &head.finish()), self.seal_part(ORIGINAL, original));
        let mut file = Writer::new();
        file.u8(VERSION).varint(head.len() as u64).varint(original.len() as u64).raw(&head).raw(&original);
        Ok(file.finish())
    }

    /// The head of a file of which at least [`Extent::head_end`] bytes are here.
    ///
    /// # Errors
    /// [`PhotoError::Version`], [`PhotoError::Format`], [`PhotoError::Sealed`].
    pub fn open_head(&self, file: &[u8]) -> Result<Head, PhotoError> {
        let extent = Extent::of(file)?;
        let sealed = file.get(extent.head_start..extent.head_end).ok_or(CodecError::Short)?;
        let plain = self.open_part(HEAD, sealed)?;
        let mut reader = Reader::new(&plain);
        let kind = PhotoKind::from_code(reader.u8()?).ok_or(CodecError::Unknown("the kind of a photo"))?;
        Ok(Head { kind, taken_ms: reader.i64()?, thumbnail: reader.raw(reader.left())?.to_vec() })
    }

    /// The original in a whole file.
    ///
    /// # Errors
    /// [`PhotoError::Version`], [`PhotoError::Format`], [`PhotoError::Sealed`].
    pub fn open_original(&self, file: &[u8]) -> Result<Vec<u8>, PhotoError> {
        let extent = Extent::of(file)?;
        let sealed = file.get(extent.head_end..extent.file_end).ok_or(CodecError::Short)?;
        Ok(self.open_part(ORIGINAL, sealed)?)
    }

    fn seal_part(&self, part: &str, plain: &[u8]) -> Vec<u8> {
        seal_bytes(self.key, self.village, self.household.into(), part, plain)
    }

    fn open_part(&self, part: &str, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        open_bytes(self.key, self.village, self.household.into(), part, sealed)
    }
}

/// Where the parts of a file are: read from its beginning, which is in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    head_start: usize,
    /// Where the head ends: so many bytes are enough for a list.
    pub head_end: usize,
    /// Where the file ends.
    pub file_end: usize,
}

impl Extent {
    /// What the first bytes of a file say.
    ///
    /// # Errors
    /// [`PhotoError::Version`], and [`PhotoError::Format`] when the lengths are not all here or above their limits.
    pub fn of(file: &[u8]) -> Result<Self, PhotoError> {
        let mut reader = Reader::new(file);
        match reader.u8()? {
            VERSION => {}
            other => return Err(PhotoError::Version(other)),
        }
        let head = reader.count("the head of a photo", SEALED_HEAD_MAX)?;
        let original = reader.count("the original of a photo", SEALED_ORIGINAL_MAX)?;
        let head_start = file.len() - reader.left();
        let head_end = head_start + head;
        Ok(Self { head_start, head_end, file_end: head_end + original })
    }
}

/// Whether bytes begin as a JPEG or a PNG does.
#[must_use]
pub fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff]) || bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}

#[cfg(test)]
mod tests;
