//! What a row of the survey sheet is.

use ruhu_survey::form::{self, Question, QuestionType};
use serde_json::Value;

use crate::sheet::Row;

/// What a row of the survey is.
pub(crate) enum What {
    Question(QuestionType, Option<String>),
    Begin {
        repeat: bool,
    },
    End,
    /// Nothing of ours takes it, and why.
    Lost(&'static str),
}

/// Words that CEL keeps for itself.
const WORDS: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// Whether a key has a meaning of its own in expressions.
pub(crate) fn is_reserved(key: &str) -> bool {
    form::is_reserved(key) || WORDS.contains(&key)
}

/// What of a question's type is left out, where the question is taken over.
pub(crate) fn left_out(row: &Row) -> Option<&'static str> {
    let kind = row.get("type").to_lowercase();
    if kind.split_whitespace().any(|word| word == "or_other") {
        return Some("the choice that or_other adds, and its text, are left out");
    }
    (kind == "datetime").then_some("the time of day is left out")
}

/// What an export of ours said of a question, where the row is still of the type it had.
pub(crate) fn own_question(row: &Row) -> Option<Question> {
    let rest: Value = serde_json::from_str(row.get("ruhu")).ok()?;
    let mut question = rest.get("question")?.as_object()?.clone();
    question.insert("key".to_owned(), Value::from("x"));
    question.insert("label".to_owned(), serde_json::json!({ "zh": "x", "en": "x" }));
    let question: Question = serde_json::from_value(Value::Object(question)).ok()?;
    let (kind, _) = kind_and_list(row.get("type"), row.get("appearance"))?;
    let same = kind == question.kind
        || matches!(
            (question.kind, kind),
            (QuestionType::Bool, QuestionType::One)
                | (QuestionType::Member, QuestionType::Text)
                | (QuestionType::Month, QuestionType::Date)
        );
    same.then_some(question)
}

/// What a row is; nothing for a type that is not known.
pub(crate) fn what(row: &Row) -> Option<What> {
    let kind = row.get("type").trim().to_lowercase().replace('_', " ");
    let kind = kind.split_whitespace().collect::<Vec<_>>().join(" ");
    match kind.as_str() {
        "begin group" | "begin lgroup" => return Some(What::Begin { repeat: false }),
        "begin repeat" | "begin lrepeat" | "begin looped group" => return Some(What::Begin { repeat: true }),
        "end group" | "end repeat" | "end lgroup" | "end lrepeat" => return Some(What::End),
        "start" | "end" | "today" | "deviceid" | "device id" | "username" | "phonenumber"
        | "phone number" | "email" | "simserial" | "subscriberid" | "start-geopoint" | "audit"
        | "background-audio" => {
            return Some(What::Lost("kept with every check, or not at all: it is no question"));
        }
        "hidden" | "xml-external" | "csv-external" | "geotrace" | "geoshape" | "audio" | "video" | "file"
        | "rank" | "time" => {
            return Some(What::Lost("a question of this type has no counterpart"));
        }
        _ => {}
    }
    if kind.starts_with("rank ") || kind.contains("from file") || kind.contains("external") {
        return Some(What::Lost("a question of this type has no counterpart"));
    }
    kind_and_list(row.get("type"), row.get("appearance")).map(|(kind, list)| What::Question(kind, list))
}

fn kind_and_list(text: &str, appearance: &str) -> Option<(QuestionType, Option<String>)> {
    let mut words = text.split_whitespace();
    let first = words.next()?.to_lowercase();
    let plain = |kind| Some((kind, None));
    match first.as_str() {
        "select_one" | "select1" => Some((QuestionType::One, words.next().map(str::to_owned))),
        "select_multiple" => Some((QuestionType::Many, words.next().map(str::to_owned))),
        "select" => {
            let kind = if words.next()? == "one" { QuestionType::One } else { QuestionType::Many };
            Some((kind, words.rfind(|word| !word.eq_ignore_ascii_case("or_other")).map(str::to_owned)))
        }
        "integer" | "int" | "range" => plain(QuestionType::Int),
        "decimal" => plain(QuestionType::Decimal),
        "text" | "string" | "barcode" => plain(QuestionType::Text),
        "date" | "datetime" => plain(QuestionType::Date),
        "geopoint" | "gps" | "location" => plain(QuestionType::Position),
        "image" | "photo" if appearance.contains("signature") => plain(QuestionType::Signature),
        "image" | "photo" => plain(QuestionType::Photo),
        "acknowledge" | "trigger" => plain(QuestionType::Bool),
        "calculate" => plain(QuestionType::Calculated),
        "note" => plain(QuestionType::Note),
        _ => None,
    }
}
