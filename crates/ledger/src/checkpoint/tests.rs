//! Notes as other tools write them, and notes that are not quite right.

use super::*;
use crate::example;

fn key() -> NoteKey {
    NoteKey::of_log(example::deployment(), example::server_key().public())
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(example::deployment(), 41, [0x44; 32])
}

fn note() -> String {
    checkpoint().sign(&example::server_key()).unwrap()
}

fn witness_line() -> String {
    let key_hash_and_signature = [[5; 4].as_slice(), [6; 72].as_slice()].concat();
    format!("{SIGNATURE_LINE}witness.example/1 {}\n", STANDARD.encode(key_hash_and_signature))
}

#[test]
fn a_note_reads_back_and_names_its_log() {
    assert_eq!(Checkpoint::open(&note(), &key()), Ok(checkpoint()));
    assert!(note().starts_with("ruhu/d0d0d0d0-d0d0-d0d0-d0d0-d0d0d0d0d0d0\n41\nRERE"));
}

#[test]
fn the_lines_of_witnesses_are_passed_over() {
    let cosigned = note() + &witness_line();
    assert_eq!(Checkpoint::open(&cosigned, &key()), Ok(checkpoint()));
    let first = note().replacen("\n\n", &format!("\n\n{}", witness_line()), 1);
    assert_eq!(Checkpoint::open(&first, &key()), Ok(checkpoint()));
}

#[test]
fn a_note_of_another_key_or_log_is_not_signed() {
    let stranger = NoteKey::of_log(example::deployment(), example::device_key().public());
    assert_eq!(Checkpoint::open(&note(), &stranger), Err(VerifyError::NotSigned));
    let other = NoteKey::new("ruhu/other".to_owned(), example::server_key().public()).unwrap();
    assert_eq!(Checkpoint::open(&note(), &other), Err(VerifyError::NotSigned));
    let only_witness = format!("{}\n{}", checkpoint().text(), witness_line());
    assert_eq!(Checkpoint::open(&only_witness, &key()), Err(VerifyError::NotSigned));
}

#[test]
fn a_changed_size_or_root_breaks_the_signature() {
    for changed in [note().replacen("\n41\n", "\n40\n", 1), note().replacen("RERE", "RERF", 1)] {
        assert_eq!(Checkpoint::open(&changed, &key()), Err(VerifyError::Signature));
    }
}

#[test]
fn a_second_wrong_signature_by_the_same_key_is_not_passed_over() {
    let wrong = [key().key_hash().as_slice(), [6; 64].as_slice()].concat();
    let line = format!("{SIGNATURE_LINE}{} {}\n", key().name(), STANDARD.encode(wrong));
    assert_eq!(Checkpoint::open(&(note() + &line), &key()), Err(VerifyError::Signature));
    let short = [key().key_hash().as_slice(), [6; 63].as_slice()].concat();
    let line = format!("{SIGNATURE_LINE}{} {}\n", key().name(), STANDARD.encode(short));
    assert_eq!(Checkpoint::open(&(note() + &line), &key()), Err(VerifyError::Signature));
}

#[test]
fn a_note_in_any_other_form_is_refused() {
    let good = note();
    let wrong = [
        String::new(),
        "\n\n".to_owned(),
        good.trim_end().to_owned(),
        good.replacen("\n\n", "\n", 1),
        good.replacen('\u{2014}', "-", 1),
        good.replacen("\n41\n", "\n041\n", 1),
        good.replacen("\n41\n", "\n+41\n", 1),
        good.replacen("\n41\n", "\n9007199254740992\n", 1),
        good.replacen("\n41\n", "\n41\r\n", 1),
        good.replacen("\n41\n", "\n0\n", 1),
        good.replacen("=\n", "\n", 1),
        good.replacen("\n\n", "\nmore\n\n", 1),
        good.replacen("ruhu/", "ruhu ", 1),
        good.replacen("ruhu/", "ruhu+", 1),
        good.clone() + "\n",
        good.clone() + "trailing\n",
        good.clone() + "\u{2014} witness\n",
        good.clone() + "\u{2014} witness AAAA\n",
        good.clone() + "\u{2014} witness !!!!\n",
    ];
    for note in wrong {
        let refusal = Checkpoint::open(&note, &key());
        assert!(matches!(refusal, Err(VerifyError::Format(FormatError::Note(_)))), "{note:?}: {refusal:?}");
    }
}

#[test]
fn the_empty_log_has_the_empty_root() {
    let empty = Checkpoint::new(example::deployment(), 0, EMPTY_ROOT);
    let note = empty.sign(&example::server_key()).unwrap();
    assert_eq!(Checkpoint::open(&note, &key()), Ok(empty));
    let contradictory = Checkpoint::new(example::deployment(), 0, [1; 32]);
    assert!(contradictory.sign(&example::server_key()).is_err());
}

#[test]
fn a_checkpoint_that_would_not_read_back_is_not_signed() {
    for origin in ["", "ruhu two", "ruhu\nruhu", "ruhu+1"] {
        let checkpoint = Checkpoint { origin: origin.to_owned(), ..checkpoint() };
        assert!(checkpoint.sign(&example::server_key()).is_err(), "{origin:?}");
    }
}

#[test]
fn a_note_key_reads_back_from_its_text_and_from_no_other() {
    let text = key().to_string();
    assert_eq!(text.parse(), Ok(key()));
    let upper = text.replacen(&text[text.find('+').unwrap()..], "", 1);
    for wrong in ["", "ruhu", "ruhu+00000000", &text[1..], &upper, &format!("{text}A"), &format!("{text}+")] {
        assert!(wrong.parse::<NoteKey>().is_err(), "{wrong:?}");
    }
    let other_algorithm = format!("ruhu+00000000+{}", STANDARD.encode([2; 33]));
    assert_eq!(other_algorithm.parse::<NoteKey>(), Err(FormatError::Algorithm(2)));
}
