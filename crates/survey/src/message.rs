//! The words that programs say to people, in Chinese and English, from `schemas/messages.toml`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use serde::Deserialize;

/// A language that people are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    /// Simplified Chinese (简体中文).
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The language of `LANG`: English if it says so, Chinese otherwise.
    #[must_use]
    pub fn of_environment(lang: Option<&str>) -> Self {
        match lang {
            Some(text) if text.starts_with("en") => Self::En,
            _ => Self::Zh,
        }
    }
}

impl std::str::FromStr for Lang {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "zh" => Ok(Self::Zh),
            "en" => Ok(Self::En),
            _ => Err(format!("{text:?} is not a language: zh or en")),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    zh: String,
    en: String,
}

static TABLE: LazyLock<BTreeMap<String, Words>> = LazyLock::new(|| {
    // A test reads the same file, so a broken one is not released.
    toml::from_str(include_str!("../../../schemas/messages.toml")).unwrap_or_default()
});

/// The message of a code, with each `{name}` replaced; the code itself when the table does not have it.
#[must_use]
pub fn say(lang: Lang, code: &str, values: &[(&str, &dyn Display)]) -> String {
    let words = match (TABLE.get(code), lang) {
        (None, _) => code,
        (Some(words), Lang::Zh) => &words.zh,
        (Some(words), Lang::En) => &words.en,
    };
    values.iter().fold(words.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &value.to_string())
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_message_says_the_same_in_both_languages() {
        let table: BTreeMap<String, Words> =
            toml::from_str(include_str!("../../../schemas/messages.toml")).unwrap();
        for (code, words) in &table {
            assert_eq!(placeholders(&words.zh), placeholders(&words.en), "{code}");
            assert!(!words.zh.trim().is_empty() && !words.en.trim().is_empty(), "{code}");
        }
    }

    #[test]
    fn the_language_is_chinese_unless_the_environment_says_english() {
        assert_eq!(Lang::of_environment(None), Lang::Zh);
        assert_eq!(Lang::of_environment(Some("C.UTF-8")), Lang::Zh);
        assert_eq!(Lang::of_environment(Some("zh_CN.UTF-8")), Lang::Zh);
        assert_eq!(Lang::of_environment(Some("en_GB.UTF-8")), Lang::En);
    }

    #[test]
    fn an_unknown_code_is_said_as_it_is() {
        assert_eq!(say(Lang::Zh, "no_such_code", &[]), "no_such_code");
    }
}
