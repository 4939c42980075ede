//! A spreadsheet as rows of text, from CSV (UTF-8 or GB 18030) or XLSX, with its header row found.

use std::io::Cursor;

use calamine::{DataRef, Reader as _, Xlsx};

/// The largest file taken, in bytes.
pub const FILE_BYTES_MAX: usize = 64 << 20;
/// The most rows read; a village has far fewer people.
pub const ROWS_MAX: usize = 200_000;
/// The most columns read; the widest national export has about 180.
pub const COLUMNS_MAX: usize = 400;
/// The header is looked for in so many rows.
pub const HEADER_ROWS_MAX: usize = 20;

/// Numbers from here on no longer hold every digit in a spreadsheet.
const EXACT_MAX: f64 = 1e15;

/// Why a file is no roster.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// The file is too large.
    #[error("the file has more than {FILE_BYTES_MAX} bytes or {ROWS_MAX} rows: import one village at a time")]
    TooLarge,
    /// The file is an old Excel file.
    #[error("this is an old .xls file: save it as .xlsx or as “CSV UTF-8” and import it again")]
    OldExcel,
    /// The bytes are neither UTF-8 nor GB 18030.
    #[error("the text is neither UTF-8 nor GB 18030: save the file as “CSV UTF-8” and import it again")]
    Encoding,
    /// The workbook cannot be read.
    #[error("the workbook cannot be read: open it in a spreadsheet program and save it again as .xlsx")]
    Workbook(#[source] Box<calamine::XlsxError>),
    /// No row names the columns that are needed.
    #[error(
        "no header was found in the first {HEADER_ROWS_MAX} rows: one row must hold 姓名 and 户编号 or 证件号码"
    )]
    NoHeader,
}

/// One row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file or sheet, from 1.
    pub line: u64,
    /// Its cells, trimmed, in the order of the columns.
    pub cells: Vec<String>,
    /// Columns whose numbers were stored without their last digits.
    pub inexact: Vec<usize>,
    /// True if the line is not a row of CSV.
    pub broken: bool,
}

/// A sheet with its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The headings in one form: no white space, half-width brackets.
    pub headings: Vec<String>,
    /// The rows below the header that are not empty.
    pub rows: Vec<Row>,
}

/// Reads the first sheet that has a header.
///
/// # Errors
/// [`SheetError`], which says what to do.
pub fn read(bytes: &[u8]) -> Result<Sheet, SheetError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(SheetError::TooLarge);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        read_workbook(bytes)
    } else if bytes.starts_with(&[0xD0, 0xCF, 0x11, 0xE0]) {
        Err(SheetError::OldExcel)
    } else {
        under_header(read_csv(&decode(bytes)?)?).ok_or(SheetError::NoHeader)
    }
}

/// A heading in one form, so that `县（市、区、旗）` and `县 (市、区、旗)` are the same.
#[must_use]
pub fn heading(text: &str) -> String {
    let kept = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '*');
    kept.map(|letter| match letter {
        '（' => '(',
        '）' => ')',
        other => other,
    })
    .collect()
}

/// Chinese spreadsheet programs save CSV as GB 18030 unless told otherwise.
fn decode(bytes: &[u8]) -> Result<String, SheetError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(text.to_owned());
    }
    let text = encoding_rs::GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    text.map(String::from).ok_or(SheetError::Encoding)
}

fn read_csv(text: &str) -> Result<Vec<Row>, SheetError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.records() {
        rows.push(match record {
            Ok(record) => Row {
                line: record.position().map_or(0, csv::Position::line),
                cells: record.iter().take(COLUMNS_MAX).map(|cell| cell.trim().to_owned()).collect(),
                ..Row::default()
            },
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                Row { line, broken: true, ..Row::default() }
            }
        });
        if rows.len() > ROWS_MAX {
            return Err(SheetError::TooLarge);
        }
    }
    Ok(rows)
}

fn read_workbook(bytes: &[u8]) -> Result<Sheet, SheetError> {
    let broken = |error| SheetError::Workbook(Box::new(error));
    let mut workbook: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    for name in workbook.sheet_names() {
        let rows = read_worksheet(&mut workbook, &name)?;
        if let Some(sheet) = under_header(rows) {
            return Ok(sheet);
        }
    }
    Err(SheetError::NoHeader)
}

/// Reads cell by cell: a sheet with one cell far away would otherwise take all memory.
fn read_worksheet(workbook: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<Vec<Row>, SheetError> {
    let broken = |error| SheetError::Workbook(Box::new(error));
    let mut reader = workbook.worksheet_cells_reader(name).map_err(broken)?;
    let mut rows: Vec<Row> = Vec::new();
    while let Some(cell) = reader.next_cell().map_err(broken)? {
        let (row, column) = cell.get_position();
        let (line, column) = (u64::from(row) + 1, usize::try_from(column).unwrap_or(usize::MAX));
        if column >= COLUMNS_MAX || matches!(cell.get_value(), DataRef::Empty) {
            continue;
        }
        if rows.last().is_none_or(|last| last.line != line) {
            if rows.len() == ROWS_MAX {
                return Err(SheetError::TooLarge);
            }
            rows.push(Row { line, ..Row::default() });
        }
        if let Some(last) = rows.last_mut() {
            put(last, column, cell.get_value());
        }
    }
    Ok(rows)
}

fn put(row: &mut Row, column: usize, value: &DataRef<'_>) {
    if row.cells.len() <= column {
        row.cells.resize(column + 1, String::new());
    }
    if matches!(value, DataRef::Float(number) if number.abs() >= EXACT_MAX) {
        row.inexact.push(column);
    }
    if let Some(cell) = row.cells.get_mut(column) {
        *cell = text_of(value);
    }
}

fn text_of(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.trim().to_owned()
        }
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::Bool(true) => "是".to_owned(),
        DataRef::Bool(false) => "否".to_owned(),
        DataRef::DateTime(moment) => {
            let (year, month, day, ..) = moment.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}

fn under_header(rows: Vec<Row>) -> Option<Sheet> {
    let mut rows = rows.into_iter();
    for row in rows.by_ref().take(HEADER_ROWS_MAX) {
        let headings: Vec<String> = row.cells.iter().map(|cell| heading(cell)).collect();
        let has = |name: &str| headings.iter().any(|heading| heading == name);
        if has("姓名") && (has("户编号") || has("证件号码")) {
            let filled = rows.filter(|row| row.broken || row.cells.iter().any(|cell| !cell.is_empty()));
            return Some(Sheet { headings, rows: filled.collect() });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rust_xlsxwriter::{Format, Workbook};

    use super::*;

    const CSV: &str = "慈利县2026年名册,,\n\n户编号,姓名,证件号码 *\n1001,李春生,439921197603150018\n,,\n";

    fn cells(sheet: &Sheet) -> Vec<Vec<&str>> {
        sheet.rows.iter().map(|row| row.cells.iter().map(String::as_str).collect()).collect()
    }

    #[test]
    fn the_header_is_found_below_a_title_and_empty_rows_are_dropped() {
        let sheet = read(CSV.as_bytes()).unwrap();
        assert_eq!(sheet.headings, ["户编号", "姓名", "证件号码"]);
        assert_eq!(cells(&sheet), [["1001", "李春生", "439921197603150018"]]);
        assert_eq!(sheet.rows[0].line, 4);
    }

    #[test]
    fn a_byte_order_mark_and_the_chinese_national_encoding_are_read() {
        let expected = read(CSV.as_bytes()).unwrap();
        assert_eq!(read([b"\xEF\xBB\xBF", CSV.as_bytes()].concat().as_slice()).unwrap(), expected);
        assert_eq!(read(&encoding_rs::GB18030.encode(CSV).0).unwrap(), expected);
    }

    #[test]
    fn bytes_of_no_known_encoding_are_refused_with_what_to_do() {
        let refusal = read(&[0xFF, 0xFE, 0x37, 0x62, 0xFF]).unwrap_err().to_string();
        assert!(refusal.contains("CSV UTF-8"), "{refusal}");
    }

    #[test]
    fn a_file_without_a_header_is_refused() {
        assert!(matches!(read("户编号,名字\n1,李\n".as_bytes()), Err(SheetError::NoHeader)));
        assert!(matches!(read(b""), Err(SheetError::NoHeader)));
        let deep = format!("{}户编号,姓名\n1,李\n", "x,y\n".repeat(HEADER_ROWS_MAX));
        assert!(matches!(read(deep.as_bytes()), Err(SheetError::NoHeader)));
        let just = format!("{}户编号,姓名\n1,李\n", "x,y\n".repeat(HEADER_ROWS_MAX - 1));
        assert_eq!(read(just.as_bytes()).unwrap().rows.len(), 1);
    }

    #[test]
    fn old_excel_files_and_broken_workbooks_are_refused() {
        assert!(matches!(read(&[0xD0, 0xCF, 0x11, 0xE0, 0xA1]), Err(SheetError::OldExcel)));
        assert!(matches!(read(b"PK\x03\x04 but nothing more"), Err(SheetError::Workbook(_))));
    }

    #[test]
    fn too_many_rows_are_refused() {
        let rows = |count: usize| format!("户编号,姓名\n{}", "1,李\n".repeat(count));
        assert!(read(rows(ROWS_MAX - 1).as_bytes()).is_ok());
        assert!(matches!(read(rows(ROWS_MAX).as_bytes()), Err(SheetError::TooLarge)));
    }

    #[test]
    fn a_workbook_is_read_from_the_sheet_that_has_the_header() {
        let mut workbook = Workbook::new();
        workbook.add_worksheet().write(0, 0, "说明").unwrap();
        let sheet = workbook.add_worksheet();
        sheet.write(1, 0, "户编号").unwrap().write(1, 1, "姓名").unwrap().write(1, 2, "人数").unwrap();
        sheet.write(1, 3, "识别时间").unwrap();
        sheet.write(2, 0, "1001").unwrap().write(2, 1, " 李春生 ").unwrap().write(2, 2, 3).unwrap();
        let date = Format::new().set_num_format("yyyy-mm-dd");
        sheet.write_with_format(2, 3, 45_047, &date).unwrap();
        let sheet = read(&workbook.save_to_buffer().unwrap()).unwrap();
        assert_eq!(sheet.headings, ["户编号", "姓名", "人数", "识别时间"]);
        assert_eq!(cells(&sheet), [["1001", "李春生", "3", "2023-05-01"]]);
        assert_eq!(sheet.rows[0].line, 3);
    }

    #[test]
    fn a_certificate_number_stored_as_a_number_is_known_to_be_inexact() {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.write(0, 0, "姓名").unwrap().write(0, 1, "证件号码").unwrap();
        sheet.write(1, 0, "李春生").unwrap().write(1, 1, 439_921_197_603_150_018.0).unwrap();
        let sheet = read(&workbook.save_to_buffer().unwrap()).unwrap();
        assert_eq!(sheet.rows[0].inexact, [1]);
    }

    #[test]
    fn a_cell_far_away_takes_no_memory() {
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.write(0, 0, "户编号").unwrap().write(0, 1, "姓名").unwrap();
        sheet.write(1_048_575, 16_383, "x").unwrap();
        let sheet = read(&workbook.save_to_buffer().unwrap()).unwrap();
        assert_eq!(sheet.rows, []);
    }
}
