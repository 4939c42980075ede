//! A check as its form asks it, and what its rules find, for a page. The form's own types are given as they are;
//! what is added here are words, and masks over private texts that nobody typed in this visit.

use std::collections::BTreeSet;

use ruhu_client_core::{Client, Error, FormUpdate};
use ruhu_survey::certificate_number::mask;
use ruhu_survey::expression::Val;
use ruhu_survey::form::{self, Item, Label, QuestionType, View};
use ruhu_survey::id::CheckId;
use ruhu_survey::rule::{RuleAnswer, in_words, pinned_rules};
use serde::Serialize;

use super::household::{CheckLine, DraftLine};

/// A draft as its form asks it now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct FormPage {
    /// What lists show of it.
    pub line: CheckLine,
    /// The screens, what is missing, and what does not hold.
    pub view: View,
    /// What an update of the form means for this draft.
    pub update: Option<FormUpdate>,
    /// The answers that the new version has no place for.
    pub misfits: Vec<DraftLine>,
}

/// What a rule found: a lead, never a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LeadLine {
    /// The rule.
    pub rule: String,
    /// What people read.
    pub title: Label,
    /// Whether it hits.
    pub answer: RuleAnswer,
    /// 1 very urgent to 3 ordinary.
    pub urgency: u8,
    /// What it looked at.
    pub inputs: Vec<InputLine>,
}

/// Something that a rule looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct InputLine {
    /// The name of the member whose it is.
    pub member_name: Option<String>,
    /// What was looked at.
    pub label: Label,
    /// What stood there.
    pub text: Label,
}

pub(crate) fn form_page(client: &Client, check: CheckId, short: bool) -> Result<FormPage, Error> {
    let draft = client.draft(check)?;
    let said: BTreeSet<&str> = draft.answers.iter().map(|answer| answer.key.as_str()).collect();
    let shown = client.check_form(check, short)?;
    let mut view = shown.view;
    for item in view.pages.iter_mut().flat_map(|page| &mut page.items) {
        hide(item, &said);
    }
    let is_misfit = |key: &str| {
        let misfits = shown.update.iter().flat_map(|update| &update.misfits);
        misfits.into_iter().any(|misfit| misfit.key == key)
    };
    let misfits = draft.answers.iter().filter(|answer| is_misfit(&answer.key)).cloned();
    let misfits = misfits.map(DraftLine::from).collect();
    Ok(FormPage { line: draft.line.into(), view, update: shown.update, misfits })
}

/// Masks what an earlier visit left of a private text. It can be accepted as it is or typed anew, neither of which
/// needs it on the screen.
fn hide(item: &mut Item, said: &BTreeSet<&str>) {
    if !item.text.private || !matches!(item.text.kind, QuestionType::Text | QuestionType::Position) {
        return;
    }
    let typed_now = item.key.as_deref().is_some_and(|key| said.contains(key));
    if !typed_now {
        hide_text(&mut item.value);
    }
    if let Some(last) = &mut item.last {
        hide_text(&mut last.value);
    }
}

fn hide_text(value: &mut Val) {
    if let Val::Text(text) = value {
        *text = mask(text);
    }
}

/// What the rules find in a check and what they could not judge, in words.
pub(crate) fn leads(client: &Client, check: CheckId) -> Result<Vec<LeadLine>, Error> {
    let findings = client.findings(check)?;
    let household = client.household(client.check_line(check)?.household)?.household;
    let unknown = || Error::UnknownForm(findings.form.clone());
    let form = form::pinned(&findings.form).ok_or_else(unknown)?;
    let rules = pinned_rules(&findings.ruleset).ok_or_else(unknown)?;
    let name = |member: &str| household.members.get(member).and_then(|member| member.full_name.clone());
    let found = findings.findings.into_iter().filter(|found| found.answer != RuleAnswer::Clear);
    let line = |found: ruhu_survey::rule::RuleFinding| {
        let spoken = found.inputs.iter().filter_map(|(name, value)| in_words(rules, form, name, value));
        let inputs = spoken.map(|spoken| InputLine {
            member_name: spoken.member.and_then(name),
            label: spoken.label,
            text: spoken.text,
        });
        LeadLine {
            inputs: inputs.collect(),
            rule: found.rule,
            title: found.title,
            answer: found.answer,
            urgency: found.urgency,
        }
    };
    Ok(found.map(line).collect())
}

/// The answers that a submission with this result would replace.
pub(crate) fn not_applicable(client: &Client, check: CheckId, result: &str) -> Result<Vec<DraftLine>, Error> {
    let keys = client.not_applicable(check, result)?;
    let answers = client.draft(check)?.answers.into_iter();
    Ok(answers.filter(|answer| keys.contains(&answer.key)).map(DraftLine::from).collect())
}

#[cfg(test)]
mod tests {
    use ruhu_survey::change::Value;
    use ruhu_survey::form::{FIRST, Facts, look, newest};

    use super::*;

    const CERTIFICATE: &str = "439921197603150018";
    const HEAD: &str = "abcdefgh";

    fn certificate(said: &[&str]) -> Val {
        let key = |name: &str| format!("member/{HEAD}/{name}");
        let values =
            [("full_name", "李四方"), ("certificate_type", "identity_card"), ("cert_no", CERTIFICATE)];
        let facts = Facts {
            answers: [("visit_result".to_owned(), Value::Text("completed".to_owned()))].into(),
            register: values.map(|(name, text)| (key(name), Value::Text(text.to_owned()))).into(),
            ..Facts::default()
        };
        let mut view = look(newest(FIRST).unwrap(), &facts);
        let items = view.pages.iter_mut().flat_map(|page| &mut page.items);
        let item = items.into_iter().find(|item| item.question == "cert_no").unwrap();
        hide(item, &said.iter().copied().collect());
        assert_eq!(item.last.as_ref().unwrap().value, Val::text("****0018"));
        item.value.clone()
    }

    #[test]
    fn a_private_text_of_an_earlier_visit_is_masked_and_what_was_typed_now_is_not() {
        assert_eq!(certificate(&[]), Val::text("****0018"));
        assert_eq!(certificate(&[&format!("member/{HEAD}/cert_no")]), Val::text(CERTIFICATE));
    }
}
