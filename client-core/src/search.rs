//! Finding a household by what a person remembers: a piece of a name, its pinyin initials, the end of
//! a certificate number.

use pinyin::ToPinyin;

/// Surnames that are read otherwise than the same character elsewhere, with that reading.
/// 覃 is Qin in Hunan.
const SURNAMES: &[(char, &str)] = &[
    ('单', "shan"),
    ('曾', "zeng"),
    ('解', "xie"),
    ('仇', "qiu"),
    ('朴', "piao"),
    ('查', "zha"),
    ('区', "ou"),
    ('盖', "ge"),
    ('乐', "yue"),
    ('覃', "qin"),
    ('召', "shao"),
    ('折', "she"),
    ('员', "yun"),
    ('种', "chong"),
    ('翟', "zhai"),
    ('尉', "yu"),
    ('秘', "bi"),
    ('繁', "po"),
    ('洗', "xian"),
    ('缪', "miao"),
    ('重', "chong"),
    ('卜', "bu"),
];

/// What a search text is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Needle {
    /// Nothing: every household.
    All,
    /// A piece of a name, address or group.
    Text(String),
    /// Pinyin, in lower case: initials, or whole syllables without tones.
    Pinyin(String),
    /// The end of a certificate number, at most four characters.
    Tail(String),
}

/// Decides what `text` is: Latin letters are pinyin, digits (with a closing X) a certificate's end.
pub(crate) fn needle(text: &str) -> Needle {
    let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    let digits = text.strip_suffix(['x', 'X']).unwrap_or(&text);
    if text.is_empty() {
        Needle::All
    } else if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let from = text.len().saturating_sub(4);
        Needle::Tail(text.get(from..).unwrap_or(&text).to_ascii_uppercase())
    } else if text.chars().all(|character| character.is_ascii_alphabetic()) {
        Needle::Pinyin(text.to_ascii_lowercase())
    } else {
        Needle::Text(text)
    }
}

/// What a list keeps of `name` to be found by pinyin: ` lsf lisifang`, each word after a space.
pub(crate) fn pinyin_words(name: &str) -> String {
    let (mut initials, mut whole) = (String::new(), String::new());
    let mut first = true;
    for character in name.chars().filter(|character| !character.is_whitespace()) {
        let syllable = syllable(character, first);
        initials.extend(syllable.chars().next());
        whole.push_str(&syllable);
        first = false;
    }
    if initials.is_empty() { String::new() } else { format!(" {initials} {whole}") }
}

fn syllable(character: char, is_surname: bool) -> String {
    let special = SURNAMES.iter().find(|(surname, _)| is_surname && *surname == character);
    if let Some((_, reading)) = special {
        return (*reading).to_owned();
    }
    match character.to_pinyin() {
        Some(reading) => reading.plain().to_owned(),
        None if character.is_ascii_alphanumeric() => character.to_ascii_lowercase().to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_initials_and_by_whole_syllables() {
        assert_eq!(pinyin_words("李四方"), " lsf lisifang");
        assert_eq!(pinyin_words("Zhang 三"), " zhangs zhangsan");
    }

    #[test]
    fn a_surname_is_read_as_a_surname_and_only_in_first_place() {
        assert_eq!(pinyin_words("单田"), " st shantian");
        assert_eq!(pinyin_words("曾国"), " zg zengguo");
        assert_eq!(pinyin_words("解明"), " xm xieming");
        assert_eq!(pinyin_words("覃小花"), " qxh qinxiaohua");
        assert_eq!(pinyin_words("王解放"), " wjf wangjiefang");
    }

    #[test]
    fn every_listed_surname_changes_the_reading() {
        let idle: Vec<_> = SURNAMES
            .iter()
            .filter(|(surname, reading)| surname.to_pinyin().is_some_and(|common| common.plain() == *reading))
            .collect();
        assert!(idle.is_empty(), "{idle:?}");
    }

    #[test]
    fn letters_are_pinyin_digits_are_a_certificate_and_the_rest_is_text() {
        assert_eq!(needle("  "), Needle::All);
        assert_eq!(needle("LSF"), Needle::Pinyin("lsf".to_owned()));
        assert_eq!(needle("li si fang"), Needle::Pinyin("lisifang".to_owned()));
        assert_eq!(needle("001x"), Needle::Tail("001X".to_owned()));
        assert_eq!(needle("439921197603150018"), Needle::Tail("0018".to_owned()));
        assert_eq!(needle("x"), Needle::Pinyin("x".to_owned()));
        assert_eq!(needle("三组18"), Needle::Text("三组18".to_owned()));
    }
}
