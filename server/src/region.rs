//! Official region codes (行政区划代码): reading a list, and what importing it changes.
//!
//! A list is CSV with a code and a name in each row. Codes have 2, 4, 6, 9 or 12 digits, or 12 digits
//! filled up with zeros. Villages keep their own id for ever; the code is an attribute with dates.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::people::Region;

/// The longest name taken, in characters.
pub const NAME_CHARS_MAX: usize = 60;

/// The level of a place (行政层级).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// 2 digits (省).
    Province,
    /// 4 digits (市、州).
    Prefecture,
    /// 6 digits (县、市、区).
    County,
    /// 9 digits (乡、镇、街道).
    Township,
    /// 12 digits (村、社区).
    Village,
}

impl Level {
    /// How many digits a code of this level has.
    #[must_use]
    pub const fn digits(self) -> usize {
        match self {
            Self::Province => 2,
            Self::Prefecture => 4,
            Self::County => 6,
            Self::Township => 9,
            Self::Village => 12,
        }
    }

    /// The number kept in the database, from 1.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Province => 1,
            Self::Prefecture => 2,
            Self::County => 3,
            Self::Township => 4,
            Self::Village => 5,
        }
    }

    /// The level of a code of so many digits.
    #[must_use]
    pub const fn of_digits(digits: usize) -> Option<Self> {
        match digits {
            2 => Some(Self::Province),
            4 => Some(Self::Prefecture),
            6 => Some(Self::County),
            9 => Some(Self::Township),
            12 => Some(Self::Village),
            _ => None,
        }
    }

    const fn above(self) -> Option<Self> {
        match self {
            Self::Province => None,
            Self::Prefecture => Some(Self::Province),
            Self::County => Some(Self::Prefecture),
            Self::Township => Some(Self::County),
            Self::Village => Some(Self::Township),
        }
    }
}

/// Why a row of a list was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// The line is not a row of CSV.
    #[error("the line cannot be read as CSV: {0}")]
    Csv(String),
    /// There are not two columns.
    #[error("expected a code and a name, separated by a comma")]
    Columns,
    /// The code is not one.
    #[error("{0:?} is not a region code: expected 2, 4, 6, 9 or 12 digits")]
    Code(String),
    /// The name is missing or too long.
    #[error("the name must have 1 to {NAME_CHARS_MAX} characters")]
    Name,
    /// Another row gave the code another name.
    #[error("the code {code} has another name in line {line}")]
    Twice {
        /// The code.
        code: String,
        /// The line that counts.
        line: u64,
    },
    /// The place one level up is nowhere.
    #[error("{parent}, one level above {code}, is neither in the list nor known")]
    Orphan {
        /// The code.
        code: String,
        /// The missing code.
        parent: String,
    },
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Its line in the file, from 1.
    pub line: u64,
    /// Why.
    pub problem: RowProblem,
}

/// A good row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, from 1.
    pub line: u64,
    /// The code without trailing zero groups.
    pub code: String,
    /// The name.
    pub name: String,
}

/// A list, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct List {
    /// The good rows by code.
    pub rows: BTreeMap<String, Row>,
    /// The rows that are left out.
    pub bad: Vec<BadRow>,
}

/// What importing a list changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// New places, parents first.
    pub added: Vec<Row>,
    /// Places with a new name, or that hold again: code, old name, new name.
    pub renamed: Vec<(String, String, String)>,
    /// How many are as they were.
    pub unchanged: usize,
    /// Known codes that the list leaves out although it lists others under the same parent.
    pub vanished: Vec<Region>,
    /// The rows that are left out.
    pub bad: Vec<BadRow>,
}

/// The code in its short form: 2, 4, 6, 9 or 12 digits without trailing zero groups.
#[must_use]
pub fn normalise(code: &str) -> Option<&str> {
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    Level::of_digits(code.len()).filter(|_| digits)?;
    let mut short = code;
    for (level, zeros) in [(12, "000"), (9, "000"), (6, "00"), (4, "00")] {
        if short.len() == level
            && let Some(shorter) = short.strip_suffix(zeros)
        {
            short = shorter;
        }
    }
    (short != "00").then_some(short)
}

/// The level of a code in its short form.
#[must_use]
pub fn level(code: &str) -> Option<Level> {
    Level::of_digits(code.len())
}

/// The code one level up; nothing for a province.
#[must_use]
pub fn parent(code: &str) -> Option<&str> {
    code.get(..level(code)?.above()?.digits())
}

/// Reads a list. A header is known by having no digit in its first column.
#[must_use]
pub fn read(text: &str) -> List {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut list = List::default();
    for (index, record) in reader.records().enumerate() {
        let row = match record {
            Ok(record) if index == 0 && is_header(&record) => continue,
            Ok(record) => read_row(&record),
            Err(error) => Err((error.position().map_or(0, csv::Position::line), csv_problem(&error))),
        };
        let kept = row.and_then(|row| list.keep(row));
        if let Err((line, problem)) = kept {
            list.bad.push(BadRow { line, problem });
        }
    }
    list
}

impl List {
    fn keep(&mut self, row: Row) -> Result<(), (u64, RowProblem)> {
        match self.rows.get(&row.code) {
            Some(first) if first.name == row.name => Ok(()),
            Some(first) => Err((row.line, RowProblem::Twice { code: row.code, line: first.line })),
            None => {
                self.rows.insert(row.code.clone(), row);
                Ok(())
            }
        }
    }
}

fn is_header(record: &csv::StringRecord) -> bool {
    record.get(0).is_some_and(|first| !first.bytes().any(|byte| byte.is_ascii_digit()))
}

fn csv_problem(error: &csv::Error) -> RowProblem {
    RowProblem::Csv(error.to_string())
}

fn read_row(record: &csv::StringRecord) -> Result<Row, (u64, RowProblem)> {
    let line = record.position().map_or(0, csv::Position::line);
    let (Some(code), Some(name)) = (record.get(0).map(str::trim), record.get(1).map(str::trim)) else {
        return Err((line, RowProblem::Columns));
    };
    let Some(short) = normalise(code) else {
        return Err((line, RowProblem::Code(code.chars().take(40).collect())));
    };
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err((line, RowProblem::Name));
    }
    Ok(Row { line, code: short.to_owned(), name: name.to_owned() })
}

/// What importing `list` changes in what is known.
#[must_use]
pub fn plan(known: &[Region], list: List) -> Plan {
    let known_by_code: BTreeMap<&str, &Region> =
        known.iter().map(|region| (region.code.as_str(), region)).collect();
    let mut plan = Plan { bad: list.bad, ..Plan::default() };
    let mut holding: BTreeSet<String> = known_by_code.keys().map(|code| (*code).to_owned()).collect();
    // Ascending codes are parents before children, because a parent's code begins its children's.
    for row in list.rows.values() {
        match known_by_code.get(row.code.as_str()) {
            Some(region) if region.name == row.name && region.valid_until.is_none() => plan.unchanged += 1,
            Some(region) => plan.renamed.push((row.code.clone(), region.name.clone(), row.name.clone())),
            None => plan.add(row, &mut holding),
        }
    }
    plan.vanished = vanished(known, &list.rows);
    plan.bad.sort_by_key(|bad| bad.line);
    plan
}

impl Plan {
    fn add(&mut self, row: &Row, holding: &mut BTreeSet<String>) {
        if let Some(parent) = parent(&row.code).filter(|parent| !holding.contains(*parent)) {
            let problem = RowProblem::Orphan { code: row.code.clone(), parent: parent.to_owned() };
            self.bad.push(BadRow { line: row.line, problem });
            return;
        }
        holding.insert(row.code.clone());
        self.added.push(row.clone());
    }
}

/// A list of one county says nothing about the others: only siblings of listed codes can be missing.
fn vanished(known: &[Region], rows: &BTreeMap<String, Row>) -> Vec<Region> {
    let listed_under: BTreeSet<Option<&str>> = rows.keys().map(|code| parent(code)).collect();
    let missing = known.iter().filter(|region| {
        region.valid_until.is_none()
            && !rows.contains_key(&region.code)
            && parent(&region.code).is_some_and(|parent| listed_under.contains(&Some(parent)))
    });
    missing.cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CILI: &str = "code,name\n43,湖南省\n4308,张家界市\n430821,慈利县\n430821101,岩泊渡镇\n\
                        430821101203,永兴村\n";

    fn region(code: &str, name: &str) -> Region {
        let valid_from = "2025-01-01".to_owned();
        Region { code: code.to_owned(), name: name.to_owned(), valid_from, valid_until: None }
    }

    fn known() -> Vec<Region> {
        let rows = plan(&[], read(CILI)).added;
        rows.iter().map(|row| region(&row.code, &row.name)).collect()
    }

    #[test]
    fn a_list_with_header_and_byte_order_mark_is_read() {
        let list = read(&format!("\u{feff}{CILI}"));
        assert_eq!(list.bad, []);
        assert_eq!(list.rows.len(), 5);
        assert_eq!(list.rows["430821101203"].name, "永兴村");
        assert_eq!(list.rows["430821101203"].line, 6);
    }

    #[test]
    fn a_list_without_header_is_read_from_its_first_row() {
        assert_eq!(read("43,湖南省\n").rows.len(), 1);
        assert_eq!(read("代码,名称\n43,湖南省\n").rows.len(), 1);
    }

    #[test]
    fn codes_filled_up_with_zeros_are_shortened() {
        assert_eq!(normalise("430000000000"), Some("43"));
        assert_eq!(normalise("430821000000"), Some("430821"));
        assert_eq!(normalise("430821101000"), Some("430821101"));
        assert_eq!(normalise("430800"), Some("4308"));
        assert_eq!(normalise("430821101203"), Some("430821101203"));
        for wrong in ["", "4", "4308211", "43082110120a", "４３", "000000000000", "4308211012030"] {
            assert_eq!(normalise(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bad_rows_are_named_by_line_and_left_out() {
        let list = read("43,湖南省\n4308\nabc,坏\n4309,\n43,湖北省\n4308,张家界市\n");
        let lines: Vec<u64> = list.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [2, 3, 4, 5]);
        assert_eq!(list.bad[3].problem.to_string(), "the code 43 has another name in line 1");
        assert_eq!(list.rows.len(), 2);
    }

    #[test]
    fn a_place_whose_parent_is_nowhere_is_left_out_with_all_below_it() {
        let plan = plan(&[], read("43,湖南省\n430821,慈利县\n430821101,岩泊渡镇\n"));
        assert_eq!(plan.added.len(), 1);
        let lines: Vec<u64> = plan.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [2, 3]);
        assert!(plan.bad[0].problem.to_string().contains("4308, one level above 430821"));
    }

    #[test]
    fn a_second_import_of_the_same_list_changes_nothing() {
        let again = plan(&known(), read(CILI));
        assert_eq!(again, Plan { unchanged: 5, ..Plan::default() });
    }

    #[test]
    fn a_new_name_is_a_rename_of_the_same_place() {
        let renamed = plan(&known(), read("430821101203,永兴新村\n"));
        let expected = ("430821101203".to_owned(), "永兴村".to_owned(), "永兴新村".to_owned());
        assert_eq!(renamed.renamed, [expected]);
        assert_eq!(renamed.added, []);
    }

    #[test]
    fn a_code_is_missed_only_where_its_siblings_are_listed() {
        let other_county = plan(&known(), read("430822,桑植县\n430822101,澧源镇\n"));
        assert_eq!(other_county.vanished, [region("430821", "慈利县")]);
        let sibling = plan(&known(), read("430821101204,永乐村\n"));
        assert_eq!(sibling.vanished, [region("430821101203", "永兴村")]);
    }

    #[test]
    fn an_ended_code_that_is_listed_again_holds_again() {
        let mut known = known();
        known[4].valid_until = Some("2026-01-01".to_owned());
        let plan = plan(&known, read(CILI));
        assert_eq!(plan.renamed.len(), 1);
        assert_eq!(plan.vanished, []);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC*") {
            let list = read(&text);
            let _ = plan(&known(), list);
        }
    }
}
