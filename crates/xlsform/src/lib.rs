//! XLSForm (the field's standard of questionnaires in spreadsheets) to Ruhu's form format and back.
//!
//! Sheets, columns and types are those of the XLSForm reference table (xlsform.org), its expressions the XPath of
//! the ODK XForms specification, of which [`import`] understands what forms commonly write.
//!
//! [`import`] reads the bytes of a workbook (`.xlsx`, `.xls` or `.ods`); what could not be carried over is named
//! by sheet, row and question in the report. [`export`] writes one; what XLSForm has no place for stands in a
//! column `ruhu`, which other tools pass over and [`import`] reads again. Nothing here touches files.

mod columns;
mod export;
mod import;
mod report;
mod rows;
mod settle;
mod sheet;
mod spoken;
mod to_cel;
mod to_xpath;
mod xpath;

pub use export::export;
pub use import::{Imported, import};
pub use report::{Loss, Report, XlsformError};
