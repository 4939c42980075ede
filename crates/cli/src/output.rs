//! Printing: tables and sentences for people, one JSON value for scripts.

use std::fmt::Display;

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ruhu_survey::message::{Lang, say};
use serde_json::{Value, json};

use crate::failure::Failure;

/// Where a command's result goes, and in which form.
#[derive(Debug)]
pub(crate) struct Output {
    lang: Lang,
    json: bool,
}

impl Output {
    pub(crate) fn new(lang: Lang, json: bool) -> Self {
        Self { lang, json }
    }

    pub(crate) fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether a script reads this.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The message of a code in the person's language.
    pub(crate) fn message(&self, code: &str, values: &[(&str, &dyn Display)]) -> String {
        say(self.lang, code, values)
    }

    /// Prints a sentence to people; scripts do not see it.
    pub(crate) fn say(&self, code: &str, values: &[(&str, &dyn Display)]) {
        if !self.json {
            println!("{}", self.message(code, values));
        }
    }

    /// Prints text to people as it is.
    pub(crate) fn text(&self, text: &str) {
        if !self.json {
            println!("{text}");
        }
    }

    /// Tells whoever waits, on standard error: standard output is the result's.
    pub(crate) fn notice(&self, text: &str) {
        eprintln!("{text}");
    }

    /// Prints the result to scripts.
    pub(crate) fn json(&self, value: &Value) {
        if self.json {
            println!("{value:#}");
        }
    }

    /// Prints a table to people; `heads` are message codes.
    pub(crate) fn table(&self, heads: &[&str], rows: Vec<Vec<String>>) {
        if self.json {
            return;
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(heads.iter().map(|head| self.message(head, &[])));
        table.add_rows(rows);
        println!("{table}");
    }

    /// Says why a command failed, on standard error, and what to do.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.json {
            let problem = json!({ "error": { "code": failure.code(), "detail": failure.to_string() } });
            eprintln!("{problem:#}");
            return;
        }
        eprintln!("ruhu: {failure}");
        let advice = self.message(&format!("ruhu_advice_{}", failure.code()), &[]);
        if !advice.starts_with("ruhu_advice_") {
            eprintln!("{advice}");
        }
    }
}

/// A moment in milliseconds as RFC 3339 in UTC, always with three decimals, as the server's API writes it;
/// empty when there is none.
pub(crate) fn utc(at_ms: Option<i64>) -> String {
    at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok()).map(|at| format!("{at:.3}")).unwrap_or_default()
}

/// A claimed time in seconds as RFC 3339 in UTC, without decimals.
pub(crate) fn utc_second(at: i64) -> String {
    Timestamp::from_second(at).map(|at| format!("{at:.0}")).unwrap_or_default()
}

/// A moment in milliseconds as people in China read it; a dash when there is none.
pub(crate) fn local(at_ms: Option<i64>) -> String {
    let at = at_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let beijing = TimeZone::fixed(jiff::tz::offset(8));
    at.map_or_else(|| "—".to_owned(), |at| at.to_zoned(beijing).strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_as_many_decimals_whatever_it_is() {
        assert_eq!(utc(Some(1_700_000_000_120)), "2023-11-14T22:13:20.120Z");
        assert_eq!(utc(Some(1_700_000_000_000)), "2023-11-14T22:13:20.000Z");
        assert_eq!(utc_second(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!((utc(None), utc_second(i64::MAX)), (String::new(), String::new()));
    }
}
