//! What the columns of a roster stand for, from `schemas/roster/national.toml`.

use std::sync::LazyLock;

use ruhu_survey::change::DocumentKind;
use ruhu_survey::field_table::{Field, field_by_path};
use serde::Deserialize;

/// What a column tells besides, or instead of, a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// Only its field.
    #[default]
    Field,
    /// The household's number (户编号).
    Number,
    /// The person's number (人编号).
    Person,
    /// The village's name (行政村).
    Village,
    /// How many people the household has (人数).
    People,
    /// Nothing that is imported.
    Ignored,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    headings: Vec<String>,
    #[serde(default)]
    means: Meaning,
    path: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    columns: Vec<Line>,
}

static NATIONAL: LazyLock<File> = LazyLock::new(|| {
    // A test reads the same file, so a broken one is not released.
    toml::from_str(include_str!("../../../schemas/roster/national.toml")).unwrap_or_default()
});

/// A column of a sheet that is known.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its place in the sheet, from 0.
    pub index: usize,
    /// What it tells.
    pub means: Meaning,
    /// The field it fills.
    pub field: Option<&'static Field>,
}

/// The known columns of a sheet, and the headings nobody knows. A heading that stands twice counts once.
#[must_use]
pub fn known(headings: &[String]) -> (Vec<Column>, Vec<String>) {
    let (mut columns, mut unknown) = (Vec::new(), Vec::new());
    let mut taken = std::collections::BTreeSet::new();
    for (index, heading) in headings.iter().enumerate().filter(|(_, heading)| !heading.is_empty()) {
        let found = NATIONAL.columns.iter().position(|line| line.headings.contains(heading));
        match found.and_then(|place| Some((place, NATIONAL.columns.get(place)?))) {
            Some((place, line)) if taken.insert(place) => {
                let field =
                    line.path.as_deref().and_then(|path| field_by_path(DocumentKind::Household, path));
                columns.push(Column { index, means: line.means, field });
            }
            _ => unknown.push(heading.clone()),
        }
    }
    (columns, unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::sheet::heading;

    #[test]
    fn every_line_of_the_file_names_a_field_or_says_what_it_means() {
        let file: File = toml::from_str(include_str!("../../../schemas/roster/national.toml")).unwrap();
        assert_eq!(file.columns.len(), 32);
        let mut seen = std::collections::BTreeSet::new();
        for line in &file.columns {
            assert!(line.path.is_some() || line.means != Meaning::Field, "{:?}", line.headings);
            for text in &line.headings {
                assert_eq!(*text, heading(text), "a heading is in its one form");
                assert!(seen.insert(text.clone()), "{text} stands twice");
            }
            if let Some(path) = &line.path {
                assert!(field_by_path(DocumentKind::Household, path).is_some(), "{path}");
            }
        }
    }

    #[test]
    fn variants_of_a_heading_are_the_same_column() {
        for county in ["县", "县（市、区、旗）", "县 (市、区、旗)"] {
            let (columns, unknown) = known(&[heading(county), heading("务工时间（月）")]);
            assert_eq!(unknown, Vec::<String>::new());
            assert_eq!(columns[0].means, Meaning::Ignored);
            assert_eq!(columns[1].field.unwrap().path, "member/work_months");
        }
    }

    #[test]
    fn unknown_and_repeated_headings_are_named() {
        let headings = ["姓名", "星座", "", "成员姓名"].map(str::to_owned);
        let (columns, unknown) = known(&headings);
        assert_eq!(columns.len(), 1);
        assert_eq!(unknown, ["星座", "成员姓名"]);
    }
}
