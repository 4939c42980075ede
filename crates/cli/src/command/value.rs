//! Values and fields as people read them.

use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::field_table::{self, AnswerState};
use ruhu_survey::message::Lang;
use serde_json::json;

use crate::output::Output;

/// The label of a key: the field's name, with the element or the companion it stands for.
pub(super) fn label(kind: DocumentKind, key: &str, lang: Lang) -> String {
    let Some(found) = field_table::field(kind, key) else { return key.to_owned() };
    let name = match lang {
        Lang::Zh => &found.field.zh,
        Lang::En => &found.field.en,
    };
    let element = found.element.map(|element| match found.field.codes().and_then(|list| list.get(element)) {
        Some(code) if lang == Lang::Zh => code.zh.clone(),
        Some(code) => code.en.clone(),
        None => element.to_owned(),
    });
    element.map_or_else(|| name.clone(), |element| format!("{name} · {element}"))
}

/// A value as people read it: yuan for fen, labels for codes, dots for what is sealed.
pub(super) fn text(kind: DocumentKind, key: &str, value: &Value, output: &Output) -> String {
    if let Some(state) = AnswerState::of(value)
        && output.lang() == Lang::Zh
    {
        return state.zh().to_owned();
    }
    match (value, field_table::field(kind, key)) {
        (Value::Null, _) => output.message("ruhu_value_withdrawn", &[]),
        (Value::Bytes(_), _) => output.message("ruhu_value_sealed", &[]),
        (_, Some(found)) => field_table::format_value(found.field, value),
        (_, None) => plain(value),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Text(text) => text.clone(),
        Value::Bytes(_) => "…".to_owned(),
    }
}

/// A value as it is stored, for scripts; a sealed one says only that it is sealed.
pub(super) fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(flag) => json!(flag),
        Value::Int(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Bytes(_) => json!({ "sealed": true }),
    }
}
