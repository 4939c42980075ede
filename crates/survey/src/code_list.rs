//! Code lists: the values that a coded field may have, with their labels and national codes.
//!
//! `schemas/codes/*.toml` are the only place that lists them. They are compiled in and parsed once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

/// One value of a code list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// The value in documents: stable English snake_case.
    pub code: String,
    /// The Chinese label.
    pub zh: String,
    /// The English label.
    pub en: String,
    /// The code in national forms and standards, where it is known.
    pub national: Option<String>,
    /// The code of a second standard, such as GB/T 4761 for the relation to the head.
    pub gb: Option<String>,
    /// The sex that the value implies: `male` or `female`.
    pub sex: Option<String>,
    /// A group inside the list, such as `development` for measures of that kind (开发式).
    pub group: Option<String>,
}

/// A list of codes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeList {
    /// The Chinese name.
    pub zh: String,
    /// The English name.
    pub en: String,
    /// Where the values come from.
    pub source: Option<String>,
    /// The values, in the order in which forms show them.
    pub codes: Vec<Code>,
}

impl CodeList {
    /// The value with this code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Code> {
        self.codes.iter().find(|entry| entry.code == code)
    }

    /// The value that a person or a national sheet means: by its code, its label in either language, or
    /// its national code. National labels of relations begin with 之, which may be left out.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<&Code> {
        let text = text.trim();
        self.get(text).or_else(|| self.codes.iter().find(|entry| means(entry, text)))
    }
}

fn means(entry: &Code, text: &str) -> bool {
    let bare = entry.zh.strip_prefix('之').unwrap_or(&entry.zh);
    entry.zh == text
        || bare == text
        || entry.en.eq_ignore_ascii_case(text)
        || entry.national.as_deref() == Some(text)
}

/// A code list that does not parse.
#[derive(Debug, thiserror::Error)]
#[error("schemas/codes/{name}.toml: {reason}")]
pub struct InvalidCodeList {
    name: String,
    reason: String,
}

/// The code list with this name, which is its file's name without `.toml`.
#[must_use]
pub fn code_list(name: &str) -> Option<&'static CodeList> {
    LISTS.get(name)
}

/// Every code list with its name, ascending by name.
pub fn code_lists() -> impl Iterator<Item = (&'static str, &'static CodeList)> {
    LISTS.iter().map(|(name, list)| (*name, list))
}

/// The value with this code in the list with this name.
#[must_use]
pub fn code(list: &str, code: &str) -> Option<&'static Code> {
    code_list(list)?.get(code)
}

/// A list that does not parse would leave its fields without values; a test parses all of them.
static LISTS: LazyLock<BTreeMap<&'static str, CodeList>> = LazyLock::new(|| parse_all().unwrap_or_default());

fn parse_all() -> Result<BTreeMap<&'static str, CodeList>, InvalidCodeList> {
    FILES.iter().map(|(name, text)| Ok((*name, parse(name, text)?))).collect()
}

fn parse(name: &str, text: &str) -> Result<CodeList, InvalidCodeList> {
    let refuse = |reason: String| InvalidCodeList { name: name.to_owned(), reason };
    let list: CodeList = toml::from_str(text).map_err(|error| refuse(error.to_string()))?;
    for (index, entry) in list.codes.iter().enumerate() {
        let stable = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if entry.code.is_empty() || !entry.code.chars().all(stable) {
            return Err(refuse(format!("{:?} is not snake_case", entry.code)));
        }
        if list.codes.iter().take(index).any(|earlier| earlier.code == entry.code) {
            return Err(refuse(format!("{} is listed twice", entry.code)));
        }
    }
    if list.codes.is_empty() { Err(refuse("no code".to_owned())) } else { Ok(list) }
}

#[rustfmt::skip]
const FILES: &[(&str, &str)] = &[
    ("certificate_type", include_str!("../../../schemas/codes/certificate_type.toml")),
    ("changed", include_str!("../../../schemas/codes/changed.toml")),
    ("check_type", include_str!("../../../schemas/codes/check_type.toml")),
    ("chronic_signed", include_str!("../../../schemas/codes/chronic_signed.toml")),
    ("closeout_decision", include_str!("../../../schemas/codes/closeout_decision.toml")),
    ("closeout_side", include_str!("../../../schemas/codes/closeout_side.toml")),
    ("confirm_kind", include_str!("../../../schemas/codes/confirm_kind.toml")),
    ("contact_frequency", include_str!("../../../schemas/codes/contact_frequency.toml")),
    ("destitute_support", include_str!("../../../schemas/codes/destitute_support.toml")),
    ("dwelling_kind", include_str!("../../../schemas/codes/dwelling_kind.toml")),
    ("education_level", include_str!("../../../schemas/codes/education_level.toml")),
    ("education_state", include_str!("../../../schemas/codes/education_state.toml")),
    ("elimination_method", include_str!("../../../schemas/codes/elimination_method.toml")),
    ("ethnicity", include_str!("../../../schemas/codes/ethnicity.toml")),
    ("exclusion", include_str!("../../../schemas/codes/exclusion.toml")),
    ("exclusion_verdict", include_str!("../../../schemas/codes/exclusion_verdict.toml")),
    ("exit_state", include_str!("../../../schemas/codes/exit_state.toml")),
    ("food", include_str!("../../../schemas/codes/food.toml")),
    ("fuel", include_str!("../../../schemas/codes/fuel.toml")),
    ("grade_basis", include_str!("../../../schemas/codes/grade_basis.toml")),
    ("health_status", include_str!("../../../schemas/codes/health_status.toml")),
    ("house_grade", include_str!("../../../schemas/codes/house_grade.toml")),
    ("house_hazard", include_str!("../../../schemas/codes/house_hazard.toml")),
    ("house_structure", include_str!("../../../schemas/codes/house_structure.toml")),
    ("household_status", include_str!("../../../schemas/codes/household_status.toml")),
    ("household_type", include_str!("../../../schemas/codes/household_type.toml")),
    ("in_school_status", include_str!("../../../schemas/codes/in_school_status.toml")),
    ("income_concept", include_str!("../../../schemas/codes/income_concept.toml")),
    ("issue_category", include_str!("../../../schemas/codes/issue_category.toml")),
    ("issue_object", include_str!("../../../schemas/codes/issue_object.toml")),
    ("issue_origin", include_str!("../../../schemas/codes/issue_origin.toml")),
    ("labour_ability", include_str!("../../../schemas/codes/labour_ability.toml")),
    ("left_behind_kind", include_str!("../../../schemas/codes/left_behind_kind.toml")),
    ("loan_reason", include_str!("../../../schemas/codes/loan_reason.toml")),
    ("measure_type", include_str!("../../../schemas/codes/measure_type.toml")),
    ("medical_cover", include_str!("../../../schemas/codes/medical_cover.toml")),
    ("member_change", include_str!("../../../schemas/codes/member_change.toml")),
    ("micro_credit_use", include_str!("../../../schemas/codes/micro_credit_use.toml")),
    ("monitor_category", include_str!("../../../schemas/codes/monitor_category.toml")),
    ("monitor_level", include_str!("../../../schemas/codes/monitor_level.toml")),
    ("out_of_school_reason", include_str!("../../../schemas/codes/out_of_school_reason.toml")),
    ("pension", include_str!("../../../schemas/codes/pension.toml")),
    ("politics", include_str!("../../../schemas/codes/politics.toml")),
    ("poverty_attribute", include_str!("../../../schemas/codes/poverty_attribute.toml")),
    ("poverty_cause", include_str!("../../../schemas/codes/poverty_cause.toml")),
    ("protein", include_str!("../../../schemas/codes/protein.toml")),
    ("quality_basis", include_str!("../../../schemas/codes/quality_basis.toml")),
    ("recognition", include_str!("../../../schemas/codes/recognition.toml")),
    ("relation_to_head", include_str!("../../../schemas/codes/relation_to_head.toml")),
    ("renovation_stage", include_str!("../../../schemas/codes/renovation_stage.toml")),
    ("risk_type", include_str!("../../../schemas/codes/risk_type.toml")),
    ("road_type", include_str!("../../../schemas/codes/road_type.toml")),
    ("safe_by", include_str!("../../../schemas/codes/safe_by.toml")),
    ("school_aid", include_str!("../../../schemas/codes/school_aid.toml")),
    ("season", include_str!("../../../schemas/codes/season.toml")),
    ("sex", include_str!("../../../schemas/codes/sex.toml")),
    ("shock_kind", include_str!("../../../schemas/codes/shock_kind.toml")),
    ("source", include_str!("../../../schemas/codes/source.toml")),
    ("subsistence_allowance", include_str!("../../../schemas/codes/subsistence_allowance.toml")),
    ("toilet", include_str!("../../../schemas/codes/toilet.toml")),
    ("village_type", include_str!("../../../schemas/codes/village_type.toml")),
    ("visit_result", include_str!("../../../schemas/codes/visit_result.toml")),
    ("want", include_str!("../../../schemas/codes/want.toml")),
    ("water_enough", include_str!("../../../schemas/codes/water_enough.toml")),
    ("water_piped", include_str!("../../../schemas/codes/water_piped.toml")),
    ("water_quality", include_str!("../../../schemas/codes/water_quality.toml")),
    ("water_source", include_str!("../../../schemas/codes/water_source.toml")),
    ("welfare_post", include_str!("../../../schemas/codes/welfare_post.toml")),
    ("work_channel", include_str!("../../../schemas/codes/work_channel.toml")),
    ("work_place", include_str!("../../../schemas/codes/work_place.toml")),
    ("work_status", include_str!("../../../schemas/codes/work_status.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_list_parses() {
        let lists = parse_all().unwrap();
        assert_eq!(lists.len(), FILES.len());
        assert!(lists.values().map(|list| list.codes.len()).sum::<usize>() > 400);
    }

    #[test]
    fn every_code_list_file_is_compiled_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/codes");
        let mut found: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".toml").to_owned())
            .collect();
        found.sort();
        assert_eq!(found, FILES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    }

    #[test]
    fn a_list_with_a_code_twice_or_an_unstable_code_is_refused() {
        let twice = "zh='甲'\nen='x'\ncodes=[{code='a',zh='甲',en='a'},{code='a',zh='乙',en='b'}]";
        assert!(parse("twice", twice).unwrap_err().to_string().contains("listed twice"));
        let unstable = "zh='甲'\nen='x'\ncodes=[{code='甲',zh='甲',en='a'}]";
        assert!(parse("unstable", unstable).is_err());
    }

    #[test]
    fn a_value_is_found_by_code_label_or_national_code() {
        let list = code_list("relation_to_head").unwrap();
        for text in ["sons_son", "之孙子", "孙子", "07", "Son's son"] {
            assert_eq!(list.find(text).unwrap().code, "sons_son", "{text}");
        }
        assert_eq!(list.find("邻居"), None);
        assert_eq!(code("relation_to_head", "mother").unwrap().sex.as_deref(), Some("female"));
    }

    #[test]
    fn the_fifty_six_ethnicities_carry_their_numbers() {
        let list = code_list("ethnicity").unwrap();
        assert_eq!(list.codes.len(), 56);
        assert_eq!(list.find("土家族").unwrap().national.as_deref(), Some("15"));
        assert_eq!(list.find("56").unwrap().zh, "基诺族");
    }
}
