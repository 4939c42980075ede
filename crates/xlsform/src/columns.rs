//! Labels in several languages.

use ruhu_survey::form::Label;

use crate::sheet::Row;

/// The Chinese and the English column of a kind, as an export writes them.
pub(crate) const CHINESE: &str = "中文 (zh)";
/// The English one.
pub(crate) const ENGLISH: &str = "English (en)";

/// The label in a row's columns of a kind (`label`, `hint`, `constraint_message`); which languages were missing.
pub(crate) fn label(row: &Row, kind: &str) -> Option<(Label, Vec<&'static str>)> {
    let prefix = format!("{kind}::");
    let texts: Vec<(&str, &str)> = row
        .cells
        .iter()
        .filter_map(|(column, text)| Some((column.strip_prefix(&prefix)?, text.as_str())))
        .collect();
    let of = |is: fn(&str) -> bool| texts.iter().find(|(language, _)| is(language)).map(|(_, text)| *text);
    let plain = Some(row.get(kind)).filter(|text| !text.is_empty());
    let any = plain.or_else(|| texts.first().map(|(_, text)| *text))?;
    let (zh, en) = (of(is_chinese), of(is_english).or(plain));
    let mut missing = Vec::new();
    if zh.is_none() {
        missing.push("zh");
    }
    if en.is_none() {
        missing.push("en");
    }
    Some((Label::new(zh.unwrap_or(any), en.unwrap_or(any)), missing))
}

/// Languages of a sheet's labels that are neither.
pub(crate) fn others(row: &Row) -> Vec<String> {
    let languages = row.cells.keys().filter_map(|column| column.strip_prefix("label::"));
    languages.filter(|language| !is_chinese(language) && !is_english(language)).map(str::to_owned).collect()
}

fn is_chinese(language: &str) -> bool {
    let language = language.to_lowercase();
    language.contains("(zh") || language.contains("中文") || language.contains("chinese") || language == "zh"
}

fn is_english(language: &str) -> bool {
    let language = language.to_lowercase();
    language.contains("(en") || language.contains("english") || language == "en"
}

/// Whether a cell says yes.
pub(crate) fn is_yes(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "yes" | "true" | "true()" | "1")
}
