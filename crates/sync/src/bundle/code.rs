//! A bundle as texts for QR codes: as many as it takes, scanned in any order.
//!
//! A text is made of the 45 characters that a QR code packs into eleven bits a pair: `RUHU/1/`, then in
//! base 45 (RFC 9285) four bytes that name the bundle, the place of the text, how many there are, and its
//! piece.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::limits::CODES_MAX;

const PREFIX: &str = "RUHU/1/";
/// The bytes before the piece: name, place, count.
const HEAD_BYTES: usize = 6;
/// The most bytes of a piece. A code of version 40 at the lowest level of correction holds 4,296 characters:
/// without the prefix 4,289, which is 2,858 bytes in base 45.
pub const PIECE_BYTES_MAX: usize = 2858 - HEAD_BYTES;

/// Texts that are not, or not all, of one bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Something was scanned that is no text of ours.
    #[error("text {0} is not a code of ours")]
    Foreign(usize),
    /// Texts of different bundles.
    #[error("text {0} belongs to another set of codes")]
    Mixed(usize),
    /// Some were not scanned.
    #[error("{} of {count} codes are missing: number {}", missing.len(), list(missing))]
    Missing {
        /// How many there are.
        count: usize,
        /// Those missing, from 1.
        missing: Vec<usize>,
    },
    /// Together they are not what was shown.
    #[error("the codes do not fit together: scan them again")]
    Damaged,
    /// More than a person would scan.
    #[error("that would be {0} codes, the limit is {CODES_MAX}: export fewer batches, or a file")]
    TooMany(usize),
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How many texts a bundle takes.
#[must_use]
pub fn count(bundle: &[u8]) -> usize {
    bundle.len().div_ceil(PIECE_BYTES_MAX).max(1)
}

/// Cuts a bundle into texts.
///
/// # Errors
/// [`CodeError::TooMany`].
pub fn split(bundle: &[u8]) -> Result<Vec<String>, CodeError> {
    let count = count(bundle);
    let many = || CodeError::TooMany(count);
    let total = u8::try_from(count).ok().filter(|_| count <= CODES_MAX).ok_or_else(many)?;
    let name = name(bundle);
    // Pieces of one size: the last code is not harder to see than the others.
    let pieces = bundle.chunks(bundle.len().div_ceil(count).max(1));
    let text = |(place, piece): (u8, &[u8])| {
        let bytes = [name.as_slice(), &[place, total], piece].concat();
        format!("{PREFIX}{}", base45::encode(&bytes))
    };
    Ok((1..).zip(pieces).map(text).collect())
}

/// Puts a bundle together from its texts, in any order and repeated at will.
///
/// # Errors
/// [`CodeError`].
pub fn join<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, CodeError> {
    let mut set: Option<([u8; 4], u8)> = None;
    let mut pieces: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
    for (index, text) in (1..).zip(texts) {
        let (own, place, piece) = parse(text).ok_or(CodeError::Foreign(index))?;
        if *set.get_or_insert(own) != own {
            return Err(CodeError::Mixed(index));
        }
        pieces.insert(place, piece);
    }
    let (expected, total) = set.ok_or(CodeError::Foreign(1))?;
    let missing: Vec<usize> =
        (1..=total).filter(|place| !pieces.contains_key(place)).map(usize::from).collect();
    if !missing.is_empty() {
        return Err(CodeError::Missing { count: usize::from(total), missing });
    }
    let bundle: Vec<u8> = pieces.into_values().flatten().collect();
    if name(&bundle) == expected { Ok(bundle) } else { Err(CodeError::Damaged) }
}

/// The first four bytes of the bundle's SHA-256.
fn name(bundle: &[u8]) -> [u8; 4] {
    let mut name = [0; 4];
    name.iter_mut().zip(Sha256::digest(bundle)).for_each(|(to, from)| *to = from);
    name
}

type Parsed = (([u8; 4], u8), u8, Vec<u8>);

fn parse(text: &str) -> Option<Parsed> {
    let bytes = base45::decode(text.trim().strip_prefix(PREFIX)?).ok()?;
    let (head, piece) = bytes.split_at_checked(HEAD_BYTES)?;
    let &[a, b, c, d, place, total] = head else { return None };
    let fits = place > 0 && place <= total && usize::from(total) <= CODES_MAX;
    (fits && piece.len() <= PIECE_BYTES_MAX).then(|| (([a, b, c, d], total), place, piece.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect()
    }

    #[test]
    fn what_fits_one_code_is_one_code_of_at_most_4296_characters() {
        let texts = split(&bundle(PIECE_BYTES_MAX)).unwrap();
        assert_eq!(texts.len(), 1);
        assert!(texts[0].len() <= 4296, "{}", texts[0].len());
        assert_eq!(split(&bundle(PIECE_BYTES_MAX + 1)).unwrap().len(), 2);
    }

    #[test]
    fn codes_are_scanned_in_any_order_and_again() {
        let whole = bundle(3 * PIECE_BYTES_MAX);
        let texts = split(&whole).unwrap();
        let order = [&texts[2], &texts[0], &texts[2], &texts[1]];
        assert_eq!(join(order.map(String::as_str)).unwrap(), whole);
    }

    #[test]
    fn a_missing_code_is_named() {
        let texts = split(&bundle(3 * PIECE_BYTES_MAX)).unwrap();
        let error = join([texts[1].as_str()]).unwrap_err();
        assert_eq!(error.to_string(), "2 of 3 codes are missing: number 1, 3");
    }

    #[test]
    fn other_codes_are_not_taken_for_ours() {
        let (one, other) = (split(&bundle(4000)).unwrap(), split(&bundle(5000)).unwrap());
        assert_eq!(join([one[0].as_str(), &other[1]]), Err(CodeError::Mixed(2)));
        assert_eq!(join(["https://example.cn"]), Err(CodeError::Foreign(1)));
        assert_eq!(join([]), Err(CodeError::Foreign(1)));
        let mut bytes = base45::decode(split(&bundle(40)).unwrap()[0].strip_prefix(PREFIX).unwrap()).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let altered = format!("{PREFIX}{}", base45::encode(&bytes));
        assert_eq!(join([altered.as_str()]), Err(CodeError::Damaged));
    }

    #[test]
    fn more_codes_than_anybody_scans_are_refused() {
        assert_eq!(split(&bundle(CODES_MAX * PIECE_BYTES_MAX)).unwrap().len(), CODES_MAX);
        let error = split(&bundle(CODES_MAX * PIECE_BYTES_MAX + 1)).unwrap_err();
        assert_eq!(error, CodeError::TooMany(CODES_MAX + 1));
    }
}
