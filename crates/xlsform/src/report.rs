//! What could not be carried over.

use std::fmt;

/// A spreadsheet that is no XLSForm, or a form that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum XlsformError {
    /// Not a workbook.
    #[error("this is no workbook: {0}")]
    Workbook(String),
    /// No sheet `survey`, or no columns `type` and `name`.
    #[error("the sheet survey is missing, or has no columns type and name")]
    NoSurvey,
    /// More than a form may have.
    #[error("more than {0} {1}")]
    TooMuch(usize, &'static str),
    /// No question was left.
    #[error("no question could be carried over")]
    Nothing,
    /// The workbook could not be written.
    #[error("the workbook could not be written: {0}")]
    Write(#[from] rust_xlsxwriter::XlsxError),
}

/// Something that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The sheet.
    pub sheet: &'static str,
    /// The row as the spreadsheet numbers it; 0 for the sheet as a whole.
    pub row: u32,
    /// The question, list or setting.
    pub name: String,
    /// What was lost or altered, and why.
    pub reason: String,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}: {}", self.sheet, self.row, self.name, self.reason)
    }
}

/// Everything that could not be carried over, in the order of the sheets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// The losses.
    pub losses: Vec<Loss>,
}

impl Report {
    pub(crate) fn lose(&mut self, sheet: &'static str, row: u32, name: &str, reason: impl Into<String>) {
        let loss = Loss { sheet, row, name: name.to_owned(), reason: reason.into() };
        if !self.losses.contains(&loss) {
            self.losses.push(loss);
        }
    }
}
