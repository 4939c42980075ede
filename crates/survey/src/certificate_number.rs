//! Certificate numbers (证件号码): the identity number of GB 11643-1999 and the disability card.
//!
//! An identity number has 18 characters: area (6), birth date (8), sequence (3, odd for men), check
//! character. A disability card (残疾人证) is that number with a type digit and a grade digit, 20 in all;
//! a reissued card has two more.

use crate::field_table::date::parse_date;

/// The weights of GB 11643 for the first 17 digits.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// The check characters by the weighted sum modulo 11.
const CHECK_CHARACTERS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// What national sheets write where somebody has no number.
const NO_NUMBER: &str = "999999";

/// A certificate number that is well formed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateNumber(String);

/// Somebody's sex, as the number tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sex {
    /// An odd sequence number (男).
    Male,
    /// An even sequence number (女).
    Female,
}

impl Sex {
    /// The code in `schemas/codes/sex.toml`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Male => "male",
            Self::Female => "female",
        }
    }
}

/// What a disability card says (残疾类别、等级).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disability {
    /// 1 sight, 2 hearing, 3 speech, 4 physical, 5 intellectual, 6 mental, 7 multiple.
    pub kind: u8,
    /// 1, the most severe, to 4.
    pub grade: u8,
}

/// Why a text is not a certificate number. None of them repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificateNumber {
    /// Neither 18, 20 nor 22 characters.
    #[error("a certificate number has 18, 20 or 22 characters, this has {0}")]
    Length(usize),
    /// A letter where a digit belongs.
    #[error("a character is not a digit")]
    NotDigits,
    /// `999999…`: somebody without a number.
    #[error("999999 stands for somebody without a certificate number")]
    NoNumber,
    /// The birth date does not exist.
    #[error("the birth date does not exist")]
    BirthDate,
    /// The check character does not fit: something was mistyped.
    #[error("the check character should be {expected}")]
    CheckCharacter {
        /// What it should be.
        expected: char,
    },
    /// The disability type is not 1 to 7, or the grade not 1 to 4.
    #[error("the disability type is 1 to 7 and the grade 1 to 4")]
    Disability,
}

impl CertificateNumber {
    /// Reads a number; spaces are left out and a small x becomes X.
    ///
    /// # Errors
    /// What is wrong, the first thing found.
    pub fn parse(text: &str) -> Result<Self, InvalidCertificateNumber> {
        let text: String =
            text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase();
        let length = text.chars().count();
        if text.starts_with(NO_NUMBER) {
            return Err(InvalidCertificateNumber::NoNumber);
        }
        if ![18, 20, 22].contains(&length) {
            return Err(InvalidCertificateNumber::Length(length));
        }
        check_identity(&text)?;
        let number = Self(text);
        if length > 18 && number.disability().is_none() {
            return Err(InvalidCertificateNumber::Disability);
        }
        let reissue = number.part(20, length);
        let plain = reissue.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if plain { Ok(number) } else { Err(InvalidCertificateNumber::NotDigits) }
    }

    /// Whether a text says that somebody has no number.
    #[must_use]
    pub fn is_none(text: &str) -> bool {
        text.trim().starts_with(NO_NUMBER)
    }

    /// All characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The identity number: the first 18 characters.
    #[must_use]
    pub fn identity(&self) -> &str {
        self.part(0, 18)
    }

    /// The area code (GB/T 2260).
    #[must_use]
    pub fn area(&self) -> &str {
        self.part(0, 6)
    }

    /// Whether the area is of a prefecture `xx99`, which nobody has: such numbers are invented.
    #[must_use]
    pub fn is_unissued_area(&self) -> bool {
        self.part(2, 4) == "99"
    }

    /// The birth date, `YYYY-MM-DD`.
    #[must_use]
    pub fn birth_date(&self) -> String {
        birth_date(&self.0)
    }

    /// The sex, by the sequence number.
    #[must_use]
    pub fn sex(&self) -> Sex {
        let odd = self.part(16, 17).bytes().any(|byte| byte % 2 == 1);
        if odd { Sex::Male } else { Sex::Female }
    }

    /// What the disability card says, of a number with 20 or 22 characters.
    #[must_use]
    pub fn disability(&self) -> Option<Disability> {
        let kind: u8 = self.part(18, 19).parse().ok()?;
        let grade: u8 = self.part(19, 20).parse().ok()?;
        ((1..=7).contains(&kind) && (1..=4).contains(&grade)).then_some(Disability { kind, grade })
    }

    /// What lists show: four stars and the last four characters.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.0)
    }

    fn part(&self, from: usize, to: usize) -> &str {
        self.0.get(from..to).unwrap_or_default()
    }
}

/// Nothing prints a whole number by mistake.
impl std::fmt::Debug for CertificateNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertificateNumber({})", self.masked())
    }
}

/// Four stars and the last four letters or digits; of fewer than nine, the stars alone.
#[must_use]
pub fn mask(text: &str) -> String {
    let plain: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let tail: String = plain.iter().skip(plain.len().saturating_sub(4)).collect();
    if plain.len() > 8 { format!("****{tail}") } else { "****".to_owned() }
}

/// The check character of 17 digits, or nothing when they are not digits.
#[must_use]
pub fn check_character(digits: &str) -> Option<char> {
    if digits.len() != 17 {
        return None;
    }
    let mut sum = 0;
    for (digit, weight) in digits.chars().zip(WEIGHTS) {
        sum += digit.to_digit(10)? * weight;
    }
    CHECK_CHARACTERS.get(usize::try_from(sum % 11).ok()?).copied()
}

fn birth_date(text: &str) -> String {
    let part = |from, to| text.get(from..to).unwrap_or_default();
    format!("{}-{}-{}", part(6, 10), part(10, 12), part(12, 14))
}

fn check_identity(text: &str) -> Result<(), InvalidCertificateNumber> {
    let digits = text.get(..17).ok_or(InvalidCertificateNumber::NotDigits)?;
    let expected = check_character(digits).ok_or(InvalidCertificateNumber::NotDigits)?;
    if parse_date(&birth_date(text)).is_none() {
        return Err(InvalidCertificateNumber::BirthDate);
    }
    if text.chars().nth(17) == Some(expected) {
        Ok(())
    } else {
        Err(InvalidCertificateNumber::CheckCharacter { expected })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_published_examples_have_their_check_characters() {
        assert_eq!(check_character("11010519491231002"), Some('X'));
        assert_eq!(check_character("44052418800101001"), Some('4'));
    }

    #[test]
    fn sex_and_birth_date_come_from_the_number() {
        let number = CertificateNumber::parse("439921197603150018").unwrap();
        assert_eq!((number.birth_date().as_str(), number.sex()), ("1976-03-15", Sex::Male));
        let number = CertificateNumber::parse("439921197808220024").unwrap();
        assert_eq!((number.birth_date().as_str(), number.sex().code()), ("1978-08-22", "female"));
        assert_eq!(number.area(), "439921");
    }

    #[test]
    fn a_disability_card_has_a_type_and_a_grade() {
        let card = CertificateNumber::parse("43992119501109004042").unwrap();
        assert_eq!(card.disability(), Some(Disability { kind: 4, grade: 2 }));
        assert_eq!(card.identity(), "439921195011090040");
        assert_eq!(
            CertificateNumber::parse("43992119501109004042B1").unwrap().disability(),
            card.disability()
        );
        assert_eq!(CertificateNumber::parse("439921195011090040").unwrap().disability(), None);
        for tail in ["82", "45", "00"] {
            let text = format!("439921195011090040{tail}");
            assert_eq!(CertificateNumber::parse(&text), Err(InvalidCertificateNumber::Disability));
        }
    }

    #[test]
    fn each_fault_is_named() {
        let cases = [
            ("43992119760315001", InvalidCertificateNumber::Length(17)),
            ("", InvalidCertificateNumber::Length(0)),
            ("4399211976031500１8", InvalidCertificateNumber::NotDigits),
            ("43992119760315001A8", InvalidCertificateNumber::Length(19)),
            ("439921197613150018", InvalidCertificateNumber::BirthDate),
            ("439921197603150019", InvalidCertificateNumber::CheckCharacter { expected: '8' }),
            ("999999197603150018", InvalidCertificateNumber::NoNumber),
            ("43992119501109004042--", InvalidCertificateNumber::NotDigits),
        ];
        for (text, fault) in cases {
            assert_eq!(CertificateNumber::parse(text), Err(fault), "{text}");
        }
        assert!(CertificateNumber::is_none("999999000000000000"));
    }

    #[test]
    fn a_small_x_and_spaces_are_understood() {
        let number = CertificateNumber::parse("110105 19491231 002x").unwrap();
        assert_eq!(number.as_str(), "11010519491231002X");
        assert!(!number.is_unissued_area());
        assert!(CertificateNumber::parse("439921197603150018").unwrap().is_unissued_area());
    }

    #[test]
    fn a_mask_shows_four_characters_at_most() {
        let number = CertificateNumber::parse("439921197603150018").unwrap();
        assert_eq!(number.masked(), "****0018");
        assert_eq!(format!("{number:?}"), "CertificateNumber(****0018)");
        assert_eq!(mask("13900000001"), "****0001");
        assert_eq!(mask("1234"), "****");
    }

    proptest! {
        #[test]
        fn one_mistyped_digit_is_always_found(place in 0_usize..17, digit in 0_u8..10) {
            let right = "439921197603150018";
            let mut wrong = right.as_bytes().to_vec();
            wrong[place] = b'0' + digit;
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(CertificateNumber::parse(&wrong).is_ok(), wrong == right);
        }

        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = CertificateNumber::parse(&text);
            let _ = mask(&text);
        }
    }
}
