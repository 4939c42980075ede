//! The sheets of a workbook as rows of texts.

use std::collections::BTreeMap;
use std::io::Cursor;

use calamine::{Data, Reader, Sheets, open_workbook_auto_from_rs};

use crate::report::XlsformError;

/// Rows of a sheet.
const ROWS_MAX: usize = 20_000;
/// Characters of a cell.
const CELL_MAX: usize = 20_000;

/// A row: its number in the spreadsheet, and its cells by column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) cells: BTreeMap<String, String>,
}

impl Row {
    /// A cell's text; empty where there is none.
    pub(crate) fn get(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// A workbook's sheets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Book {
    pub(crate) survey: Vec<Row>,
    pub(crate) choices: Vec<Row>,
    pub(crate) settings: Option<Row>,
}

pub(crate) fn read(bytes: &[u8]) -> Result<Book, XlsformError> {
    let mut book = open_workbook_auto_from_rs(Cursor::new(bytes))
        .map_err(|error| XlsformError::Workbook(error.to_string()))?;
    let survey = rows(&mut book, "survey")?.ok_or(XlsformError::NoSurvey)?;
    let choices = rows(&mut book, "choices")?.unwrap_or_default();
    let settings = rows(&mut book, "settings")?.and_then(|rows| rows.into_iter().next());
    Ok(Book { survey, choices, settings })
}

fn rows(book: &mut Sheets<Cursor<&[u8]>>, name: &str) -> Result<Option<Vec<Row>>, XlsformError> {
    let found = book.sheet_names().into_iter().find(|sheet| sheet.trim().eq_ignore_ascii_case(name));
    let Some(sheet) = found else { return Ok(None) };
    let range = book.worksheet_range(&sheet).map_err(|error| XlsformError::Workbook(error.to_string()))?;
    if range.height() > ROWS_MAX {
        return Err(XlsformError::TooMuch(ROWS_MAX, "rows"));
    }
    let first = range.start().map_or(0, |(row, _)| row);
    let mut lines = range.rows();
    let header: Vec<String> =
        lines.next().unwrap_or_default().iter().map(|cell| column(&text(cell))).collect();
    let mut rows = Vec::new();
    for (at, line) in lines.enumerate() {
        let cells: BTreeMap<String, String> = header
            .iter()
            .zip(line)
            .map(|(name, cell)| (name.clone(), text(cell)))
            .filter(|(name, text)| !name.is_empty() && !text.is_empty())
            .collect();
        if !cells.is_empty() {
            let number = first + 2 + u32::try_from(at).unwrap_or(u32::MAX);
            rows.push(Row { number, cells });
        }
    }
    Ok(Some(rows))
}

/// A column's name in one spelling: languages stay as they are, `list name` and `constraint message` as well
/// as `constraint_message` are one.
fn column(name: &str) -> String {
    let name = name.trim();
    let (base, language) = name.split_once("::").map_or((name, None), |(base, rest)| (base, Some(rest)));
    let base = base.trim().to_lowercase().replace(' ', "_");
    let base = match base.as_str() {
        "relevance" => "relevant",
        "calculate" => "calculation",
        "list" => "list_name",
        "form_name" | "title" => "form_title",
        other => other,
    };
    language.map_or_else(|| base.to_owned(), |language| format!("{base}::{}", language.trim()))
}

fn text(cell: &Data) -> String {
    let text = match cell {
        Data::Empty | Data::Error(_) => String::new(),
        Data::Bool(yes) => (if *yes { "TRUE" } else { "FALSE" }).to_owned(),
        other => other.to_string(),
    };
    let plain: String = text.chars().map(|c| if c == '\u{a0}' { ' ' } else { c }).take(CELL_MAX).collect();
    plain.trim().to_owned()
}
