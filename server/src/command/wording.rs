//! What is wrong with a list or a roster, in the language of the person who imports it.

use std::fmt::Display;

use ruhu_survey::certificate_number::InvalidCertificateNumber;
use ruhu_survey::message::{Lang, say};

use crate::region::{NAME_CHARS_MAX, RowProblem};
use crate::roster::RosterError;
use crate::roster::household::{CellProblem, Problem};
use crate::roster::sheet::{FILE_BYTES_MAX, HEADER_ROWS_MAX, ROWS_MAX, SheetError};

/// Why a row of a list of regions was left out.
pub(super) fn region(lang: Lang, problem: &RowProblem) -> String {
    match problem {
        RowProblem::Csv(_) => say(lang, "server_row_broken", &[]),
        RowProblem::Columns => say(lang, "server_row_columns", &[]),
        RowProblem::Code(code) => say(lang, "server_row_code", &[("code", code)]),
        RowProblem::Name => say(lang, "server_row_name", &[("most", &NAME_CHARS_MAX)]),
        RowProblem::Twice { code, line } => say(lang, "server_row_twice", &[("code", code), ("line", line)]),
        RowProblem::Orphan { code, parent } => {
            say(lang, "server_row_orphan", &[("code", code), ("parent", parent)])
        }
    }
}

/// Why a row or a cell of a roster was left out.
pub(super) fn roster(lang: Lang, problem: &Problem) -> String {
    match problem {
        Problem::Broken => say(lang, "server_row_broken", &[]),
        Problem::Missing(heading) => say(lang, "server_row_missing", &[("heading", heading)]),
        Problem::Number => say(lang, "server_row_number", &[]),
        Problem::Name => say(lang, "server_row_person_name", &[]),
        Problem::Certificate(invalid) => certificate(lang, *invalid),
        Problem::UnissuedArea => say(lang, "server_row_unissued", &[]),
        Problem::Inexact(heading) => say(lang, "server_row_inexact", &[("heading", heading)]),
        Problem::Twice(line) => say(lang, "server_row_person_twice", &[("line", line)]),
        Problem::Cell { heading, problem } => cell(lang, heading, *problem),
        Problem::Differs { heading, line } => {
            say(lang, "server_cell_differs", &[("heading", heading), ("line", line)])
        }
        Problem::People { said, rows } => say(lang, "server_cell_people", &[("said", said), ("rows", rows)]),
    }
}

fn cell(lang: Lang, heading: &str, problem: CellProblem) -> String {
    let heading: &[(&str, &dyn Display)] = &[("heading", &heading)];
    match problem {
        CellProblem::Label => say(lang, "server_cell_label", heading),
        CellProblem::Number => say(lang, "server_cell_number", heading),
        CellProblem::YesOrNo => say(lang, "server_cell_yes_or_no", heading),
        CellProblem::Form => say(lang, "server_cell_form", heading),
    }
}

fn certificate(lang: Lang, invalid: InvalidCertificateNumber) -> String {
    match invalid {
        InvalidCertificateNumber::Length(found) => {
            say(lang, "server_certificate_length", &[("found", &found)])
        }
        InvalidCertificateNumber::CheckCharacter { expected } => {
            say(lang, "server_certificate_check", &[("expected", &expected)])
        }
        InvalidCertificateNumber::BirthDate => say(lang, "server_certificate_birth", &[]),
        InvalidCertificateNumber::Disability => say(lang, "server_certificate_disability", &[]),
        InvalidCertificateNumber::NotDigits | InvalidCertificateNumber::NoNumber => {
            say(lang, "server_certificate_digits", &[])
        }
    }
}

/// Why a roster was not imported, where a person can do something about it.
pub(super) fn not_imported(lang: Lang, error: &RosterError) -> Option<String> {
    let sheet = match error {
        RosterError::NoNumber => return Some(say(lang, "server_sheet_no_number", &[])),
        RosterError::Sheet(sheet) => sheet,
        _ => return None,
    };
    Some(match sheet {
        SheetError::TooLarge => {
            say(lang, "server_sheet_large", &[("bytes", &FILE_BYTES_MAX), ("rows", &ROWS_MAX)])
        }
        SheetError::OldExcel => say(lang, "server_sheet_old", &[]),
        SheetError::Encoding => say(lang, "server_sheet_encoding", &[]),
        SheetError::Workbook(_) => say(lang, "server_sheet_workbook", &[]),
        SheetError::NoHeader => say(lang, "server_sheet_no_header", &[("rows", &HEADER_ROWS_MAX)]),
    })
}
