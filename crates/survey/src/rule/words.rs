//! What a rule looked at, as people read it.

use super::format::Formula;
use super::load::LoadedRules;
use crate::change::DocumentKind;
use crate::code_list::{CodeList, code_list};
use crate::expression::Val;
use crate::field_table::{AnswerState, Field, Unit, field_by_path, format_number};
use crate::form::{Choice, Label, LoadedForm, bound_field, choices};
use crate::message::{Lang, say};

/// Names that are neither questions nor fields, with the list that their codes come from.
const NAMES: [(&str, Option<&str>); 12] = [
    ("population", None),
    ("today", None),
    ("age_day", None),
    ("check.type", Some("check_type")),
    ("check.short", None),
    ("check.has_prior", None),
    ("age", None),
    ("sex", Some("sex")),
    ("birth_date", None),
    ("is_head", None),
    ("is_new", None),
    ("disability_grade", None),
];

/// One input of a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken<'a> {
    /// Whose it is.
    pub member: Option<&'a str>,
    /// What was looked at.
    pub label: Label,
    /// What stood there, with its unit.
    pub text: Label,
}

/// What is known of a name.
struct Meant {
    label: Label,
    unit: Option<Unit>,
    choices: Vec<Choice>,
    /// A share in basis points, said in percent.
    share: bool,
}

impl Meant {
    const fn plain(label: Label) -> Self {
        Self { label, unit: None, choices: Vec::new(), share: false }
    }
}

/// An input of a finding in words; `None` of the list of members, which says nothing by itself.
#[must_use]
pub fn in_words<'a>(
    rules: &LoadedRules,
    form: &LoadedForm,
    name: &'a str,
    value: &Val,
) -> Option<Spoken<'a>> {
    if name == "members" {
        return None;
    }
    let (member, name) = match name.strip_prefix("member/").and_then(|rest| rest.split_once('/')) {
        Some((member, name)) => (Some(member), name),
        None => (None, name),
    };
    let meant = meant(rules, form, name);
    let text = Label::new(text(&meant, value, Lang::Zh), text(&meant, value, Lang::En));
    Some(Spoken { member, label: meant.label, text })
}

fn message(code: &str) -> Label {
    Label::new(say(Lang::Zh, code, &[]), say(Lang::En, code, &[]))
}

fn meant(rules: &LoadedRules, form: &LoadedForm, name: &str) -> Meant {
    let split = name.split_once('.');
    match split {
        Some(("last", rest)) => at_last(meant(rules, form, rest)),
        Some(("before", rest)) => at_last(of_formula(rules, rest)),
        Some(("formula", rest)) => of_formula(rules, rest),
        Some(("household", path)) => of_field(field_by_path(DocumentKind::Household, path), name),
        Some(("limit", limit)) => {
            let unit = rules.set.limits.get(limit).and_then(|limit| limit.unit);
            Meant { unit, ..Meant::plain(message(&format!("limit_{limit}"))) }
        }
        Some(("rule", rule)) => {
            let found = rules.rules.iter().find(|(found, _)| found.id.replace('-', "_") == rule);
            Meant::plain(found.map_or_else(|| Label::new(rule, rule), |(found, _)| found.title.clone()))
        }
        _ => of_name(form, name),
    }
}

fn at_last(mut meant: Meant) -> Meant {
    let before = message("name_last");
    meant.label =
        Label::new(format!("{}{}", before.zh, meant.label.zh), format!("{}{}", before.en, meant.label.en));
    meant
}

fn of_formula(rules: &LoadedRules, name: &str) -> Meant {
    let found: Option<&Formula> =
        rules.formulas.iter().map(|(formula, _)| formula).find(|formula| formula.name == name);
    match found {
        Some(formula) => {
            let share = formula.unit.is_none();
            Meant { unit: formula.unit, share, ..Meant::plain(formula.label.clone()) }
        }
        None => Meant::plain(Label::new(name, name)),
    }
}

fn of_field(field: Option<&Field>, name: &str) -> Meant {
    let Some(field) = field else { return Meant::plain(Label::new(name, name)) };
    let choices = field.codes().map(of_list).unwrap_or_default();
    Meant { unit: field.unit, choices, ..Meant::plain(Label::new(&field.zh, &field.en)) }
}

fn of_list(list: &CodeList) -> Vec<Choice> {
    let plain = |code: &crate::code_list::Code| Choice {
        code: code.code.clone(),
        label: Label::new(&code.zh, &code.en),
        tags: std::collections::BTreeMap::new(),
    };
    list.codes.iter().map(plain).collect()
}

fn of_name(form: &LoadedForm, name: &str) -> Meant {
    if let Some((_, list)) = NAMES.iter().find(|(found, _)| *found == name) {
        let choices = list.and_then(code_list).map(of_list).unwrap_or_default();
        return Meant { choices, ..Meant::plain(message(&format!("name_{}", name.replace('.', "_")))) };
    }
    let Some(place) = form.place(name) else { return Meant::plain(Label::new(name, name)) };
    let question = &place.question;
    let unit = question.unit.or_else(|| bound_field(question).and_then(|field| field.unit));
    Meant { unit, choices: choices(form.form(), question), ..Meant::plain(question.label.clone()) }
}

fn text(meant: &Meant, value: &Val, lang: Lang) -> String {
    let state = |state: AnswerState| match lang {
        Lang::Zh => state.zh().to_owned(),
        Lang::En => say(lang, &format!("app_answer_{}", state.text().trim_start_matches('~')), &[]),
    };
    match value {
        Val::Unknown => state(AnswerState::Unknown),
        Val::NotApplicable => state(AnswerState::NotApplicable),
        Val::Bool(true) => say(lang, "app_yes", &[]),
        Val::Bool(false) => say(lang, "app_no", &[]),
        Val::Int(number) if meant.share => format!("{}%", format_number(*number, 2)),
        Val::Int(number) => amount(*number, meant.unit, lang),
        Val::Text(code) | Val::Member(code) => {
            let choice = meant.choices.iter().find(|choice| choice.code == *code);
            choice.map_or_else(|| code.clone(), |choice| pick(&choice.label, lang).to_owned())
        }
        Val::List(items) => {
            let items: Vec<String> = items.iter().map(|item| text(meant, item, lang)).collect();
            items.join(if lang == Lang::Zh { "、" } else { ", " })
        }
    }
}

fn pick(label: &Label, lang: Lang) -> &str {
    if lang == Lang::Zh { &label.zh } else { &label.en }
}

/// A number in the unit that people use, with the unit's name.
fn amount(number: i64, unit: Option<Unit>, lang: Lang) -> String {
    let written = format_number(number, unit.map_or(0, Unit::decimals));
    match unit {
        None | Some(Unit::Year) => written,
        Some(unit) => format!("{written} {}", say(lang, &format!("unit_{}", unit.code()), &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{FIRST, newest};
    use crate::rule::pinned_rules;

    fn said(name: &str, value: &Val) -> (String, String) {
        let spoken =
            in_words(pinned_rules("national/1.0.0").unwrap(), newest(FIRST).unwrap(), name, value).unwrap();
        (spoken.label.zh, spoken.text.zh)
    }

    #[test]
    fn amounts_codes_and_shares_are_said_as_people_say_them() {
        let income = said("formula.per_capita_net_income", &Val::Int(812_345));
        assert_eq!(income, ("人均纯收入".to_owned(), "8123.45 元/年".to_owned()));
        assert_eq!(said("formula.labour_share", &Val::Int(5_000)).1, "50.00%");
        assert_eq!(said("house_grade", &Val::text("d")).0, "房屋等级");
        assert_eq!(
            said("last.arable", &Val::Int(250)),
            ("上次：耕地（亩）".to_owned(), "2.50 亩".to_owned())
        );
        assert_eq!(said("member/abc/age", &Val::Unknown), ("年龄".to_owned(), "不详".to_owned()));
        assert!(
            in_words(
                pinned_rules("national/1.0.0").unwrap(),
                newest(FIRST).unwrap(),
                "members",
                &Val::Unknown
            )
            .is_none()
        );
    }

    #[test]
    fn every_limit_name_and_unit_has_words() {
        for file in ["national/1.0.0", "guizhou/1.0.0", "hunan/1.0.0"] {
            let rules = pinned_rules(file).unwrap();
            for limit in rules.set.limits.keys() {
                let code = format!("limit_{limit}");
                assert_ne!(say(Lang::Zh, &code, &[]), code);
            }
        }
        for (name, _) in NAMES {
            let code = format!("name_{}", name.replace('.', "_"));
            assert_ne!(say(Lang::Zh, &code, &[]), code);
        }
        for unit in Unit::ALL.into_iter().filter(|unit| *unit != Unit::Year) {
            let code = format!("unit_{}", unit.code());
            assert_ne!(say(Lang::Zh, &code, &[]), code);
        }
    }
}
