//! The census texts: comma-separated cells without quotes, read by column name.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::CensusError;

/// One line of a census text.
#[derive(Clone, Debug)]
pub(super) struct Record<'a> {
    /// The line's number, 1 for the header.
    pub(super) line: usize,
    columns: Rc<BTreeMap<&'a str, usize>>,
    cells: Vec<&'a str>,
}

/// Reads all lines below the header.
pub(super) fn read(text: &str) -> Result<Vec<Record<'_>>, CensusError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header = lines.next().unwrap_or_default().split(',');
    let columns: Rc<BTreeMap<&str, usize>> = Rc::new(header.zip(0..).collect());
    let mut records = Vec::new();
    for (line, text) in (2..).zip(lines) {
        let cells: Vec<&str> = text.split(',').collect();
        if cells.len() != columns.len() {
            return Err(CensusError::Cells(line));
        }
        records.push(Record { line, columns: Rc::clone(&columns), cells });
    }
    Ok(records)
}

impl<'a> Record<'a> {
    /// The text of a cell.
    pub(super) fn text(&self, column: &'static str) -> Result<&'a str, CensusError> {
        let position = self.columns.get(column).ok_or(CensusError::MissingColumn(column))?;
        self.cells.get(*position).copied().ok_or(CensusError::Cells(self.line))
    }

    /// The texts of several cells.
    pub(super) fn key<const N: usize>(
        &self,
        columns: [&'static str; N],
    ) -> Result<Vec<&'a str>, CensusError> {
        columns.into_iter().map(|column| self.text(column)).collect()
    }

    /// The number in a cell; none when it is blank, which means "not applicable".
    pub(super) fn number(&self, column: &'static str) -> Result<Option<i64>, CensusError> {
        match self.text(column)? {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| self.wrong(column, text)),
        }
    }

    /// The number in a cell that is never blank.
    pub(super) fn required(&self, column: &'static str) -> Result<i64, CensusError> {
        self.number(column)?.ok_or_else(|| self.wrong(column, ""))
    }

    /// The error of a cell whose value the census does not define.
    pub(super) fn wrong(&self, column: &'static str, value: &str) -> CensusError {
        CensusError::Value { line: self.line, column, value: value.to_owned() }
    }
}
