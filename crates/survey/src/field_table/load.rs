//! Reads `schemas/document/*.toml` into tables.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{Class, Field, Merge, Table, Type, Unit};
use crate::code_list::code_list;
use crate::role::Role;

/// A table that does not parse.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidTable {
    /// Not TOML, or not of the expected shape.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A field does not hold together.
    #[error("{path}: {reason}")]
    Field {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: &'static str,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    #[expect(dead_code, reason = "for the reader of the file")]
    document: String,
    #[serde(default)]
    prefix: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    zh: String,
    #[expect(dead_code, reason = "for the reader of the file")]
    en: String,
    writers: BTreeSet<Role>,
    class: Class,
    merge: Merge,
    #[serde(default)]
    required_all: Vec<String>,
    #[serde(default)]
    required_any: Vec<String>,
    fields: Vec<FieldLine>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldLine {
    path: String,
    zh: String,
    en: String,
    r#type: String,
    min: Option<i64>,
    max: Option<i64>,
    list: Option<String>,
    unit: Option<Unit>,
    writers: Option<BTreeSet<Role>>,
    class: Option<Class>,
    merge: Option<Merge>,
    #[serde(default)]
    per_member: bool,
    #[serde(default)]
    searchable: bool,
    #[serde(default)]
    ordered: bool,
}

/// The table that these files make together.
pub(super) fn parse_table(files: &[&str]) -> Result<Table, InvalidTable> {
    let mut table = Table::default();
    for text in files {
        let mut file: TableFile = toml::from_str(text)?;
        table.required_all.append(&mut file.required_all);
        table.required_any.append(&mut file.required_any);
        for line in std::mem::take(&mut file.fields) {
            let below = line.path.clone();
            let field = parse_field(line, &file)?;
            let twice = InvalidTable::Field { path: field.path.clone(), reason: "listed twice" };
            let earlier = match file.prefix.as_str() {
                "member" => table.members.insert(below, field),
                _ => table.fields.insert(field.path.clone(), field),
            };
            if earlier.is_some() {
                return Err(twice);
            }
        }
    }
    Ok(table)
}

fn parse_field(line: FieldLine, file: &TableFile) -> Result<Field, InvalidTable> {
    let path = match file.prefix.as_str() {
        "" => line.path.clone(),
        prefix => format!("{prefix}/{}", line.path),
    };
    let refuse = |reason| InvalidTable::Field { path: path.clone(), reason };
    let kind = parse_type(&line).map_err(refuse)?;
    let class = line.class.unwrap_or(file.class);
    if line.searchable && class != Class::P3 {
        return Err(refuse("only a sealed field is searchable by tag"));
    }
    if line.ordered && !matches!(kind, Type::Set { .. }) {
        return Err(refuse("only a set is ordered"));
    }
    Ok(Field {
        path,
        zh: line.zh,
        en: line.en,
        kind,
        unit: line.unit,
        writers: line.writers.unwrap_or_else(|| file.writers.clone()),
        class,
        merge: line.merge.unwrap_or(file.merge),
        per_member: line.per_member,
        searchable: line.searchable,
        ordered: line.ordered,
    })
}

fn parse_type(line: &FieldLine) -> Result<Type, &'static str> {
    let list = || {
        let name = line.list.clone().ok_or("no list")?;
        code_list(&name).map(|_| name).ok_or("no such code list")
    };
    let max = || line.max.ok_or("no max");
    let count = || usize::try_from(max()?).map_err(|_| "max is negative");
    Ok(match line.r#type.as_str() {
        "text" => {
            let min = usize::try_from(line.min.unwrap_or(1)).map_err(|_| "min is negative")?;
            Type::Text { min, max: count()? }
        }
        "int" => Type::Int { min: line.min.ok_or("no min")?, max: max()? },
        "bool" => Type::Bool,
        "code" => Type::Code { list: list()? },
        "set" => Type::Set { list: list()? },
        "slots" => Type::Slots { max: count()? },
        "hashes" => Type::Hashes { max: count()? },
        "date" => Type::Date,
        "month" => Type::Month,
        "digits" => Type::Digits { count: count()? },
        "member" => Type::Member,
        "uuid" => Type::Uuid,
        "version" => Type::Version,
        "hash" => Type::Hash,
        "phone" => Type::Phone,
        "certificate" => Type::Certificate,
        "point" => Type::Point,
        "entry" => Type::Entry,
        _ => return Err("no such type"),
    })
}
