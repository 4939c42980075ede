//! What to show now: the screens with their questions, what is missing, and what does not hold.

use std::sync::Arc;

use serde::Serialize;

use super::facts::{Facts, elements};
use super::format::{Choice, Label, Severity};
use super::load::{Compiled, LoadedForm, Place};
use super::sight::{Asked, Sight};
use super::text::{Offered, QuestionText};
use super::{choices, key_of};
use crate::change::Value;
use crate::expression::{Scope, Truth, Val, value_of};
use crate::field_table::{AnswerState, Unit};

/// The message of a question that has no answer.
const MISSING: (&str, &str) = ("必答题未答", "this needs an answer");
/// The question that says what came of the visit.
const RESULT: &str = "visit_result";

/// A form as it is to be shown now. A front end draws it and asks again after each answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct View {
    /// Id and version of the form.
    pub form: String,
    /// The title.
    pub title: Label,
    /// Whether only the short form is asked.
    pub short: bool,
    /// The screens that have something to ask, in order.
    pub pages: Vec<Page>,
    /// How far the visit is.
    pub progress: Progress,
    /// What does not hold, and what has no answer.
    pub findings: Vec<Finding>,
    /// Whether it can be submitted: nothing blocks, and each finding that needs a reason has one.
    pub ready: bool,
    /// The keys of answers to questions that no longer apply: they are submitted as not applicable.
    pub not_applicable: Vec<String>,
}

/// One screen.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Page {
    /// Its name: section, group, and the member: `members/health@<member>`.
    pub id: String,
    /// The section's key.
    pub section: String,
    /// The section's number on paper.
    pub no: Option<String>,
    /// The section's title.
    pub section_title: Label,
    /// The group's title, or the section's.
    pub title: Label,
    /// Whose screen it is, in a section of members: the member's id.
    pub member: Option<String>,
    /// The member's name, where it is known here.
    pub member_name: Option<String>,
    /// The questions.
    pub items: Vec<Item>,
    /// How many of them take an answer and have one.
    pub answered: usize,
    /// How many need one and have none.
    pub missing: usize,
}

/// A question on a screen: what may change with every answer. What is always so of it is its [`QuestionText`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Item {
    /// Its name in the form.
    pub question: String,
    /// What is always so of it. As JSON it goes apart, once for each form ([`super::question_texts`]).
    #[serde(skip)]
    pub text: Arc<QuestionText>,
    /// The key that its answer is kept under; of several, the one they begin with. `None` where no field
    /// takes it.
    pub key: Option<String>,
    /// The key of the register that takes the answer over.
    #[serde(skip)]
    pub register_key: Option<String>,
    /// The codes of the choices offered now; `None` for all that it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub offered: Option<Vec<String>>,
    /// Whether it needs an answer.
    pub required: bool,
    /// Whether it has one.
    pub answered: bool,
    /// The answer as it is kept; null where there is none.
    pub value: Val,
    /// Refused, unknown or not applicable, instead of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub state: Option<&'static str>,
    /// The reason that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub reason: Option<String>,
    /// The last answer, to be offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "ts", ts(optional))]
    pub last: Option<Last>,
}

impl Item {
    /// The choices offered now.
    pub fn choices(&self) -> impl Iterator<Item = &Offered> {
        let now = |one: &&Offered| self.offered.as_ref().is_none_or(|offered| offered.contains(&one.code));
        self.text.choices.iter().filter(now)
    }

    /// Whether a person answers it.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.text.kind.is_asked()
    }

    /// Whether it asks for an amount of money.
    #[must_use]
    pub fn is_money(&self) -> bool {
        matches!(self.text.unit, Some(Unit::Fen | Unit::FenPerYear))
    }
}

/// The answer of the last check.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Last {
    /// The answer.
    pub value: Val,
    /// The day of that check; `None` for what stands in the register.
    pub on: Option<String>,
}

/// How far a visit is. Counted in questions that are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[cfg_attr(feature = "ts", ts(rename = "FormProgress"))]
pub struct Progress {
    /// Questions that are asked now.
    pub asked: usize,
    /// Of these, those that have an answer.
    pub answered: usize,
    /// Questions that need an answer and have none.
    pub missing: usize,
    /// Screens with something to ask.
    pub pages: usize,
    /// Screens on which nothing is missing and something is answered.
    pub pages_done: usize,
}

/// Something that does not hold, or a missing answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Finding {
    /// The validation's name; `required` for a missing answer.
    pub id: String,
    /// What follows.
    pub severity: Severity,
    /// The question.
    pub question: String,
    /// Where a reason for it is kept: beside this key, at `<key>/reason`.
    pub key: Option<String>,
    /// Whose it is.
    pub member: Option<String>,
    /// The member's name, where it is known here.
    pub member_name: Option<String>,
    /// What the surveyor is told.
    pub message: Label,
    /// The reason that was given; a finding that needs one is settled by it.
    pub reason: Option<String>,
}

impl Finding {
    /// Whether it keeps the check from being submitted.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.severity, Severity::Block) || self.reason.is_none()
    }
}

/// Works out what to show: which questions apply, what is missing, what does not hold.
#[must_use]
pub fn look(form: &LoadedForm, facts: &Facts) -> View {
    Sight::new(form, facts).view()
}

impl Sight<'_> {
    /// What to show.
    #[must_use]
    pub fn view(&self) -> View {
        view(self)
    }
}

fn view(sight: &Sight<'_>) -> View {
    let (form, facts) = (sight.form, sight.facts);
    let pages = pages(sight);
    let mut findings = missing(sight);
    findings.extend(form.validations().iter().flat_map(|validation| broken(sight, validation)));
    let progress = Progress {
        asked: pages.iter().map(|page| page.items.iter().filter(|item| item.is_asked()).count()).sum(),
        answered: pages.iter().map(|page| page.answered).sum(),
        missing: pages.iter().map(|page| page.missing).sum(),
        pages: pages.len(),
        pages_done: pages.iter().filter(|page| page.missing == 0 && page.answered > 0).count(),
    };
    View {
        form: form.name(),
        title: form.form().title.clone(),
        short: facts.short,
        progress,
        ready: !findings.iter().any(Finding::is_open),
        findings,
        not_applicable: not_applicable(sight),
        pages,
    }
}

fn pages(sight: &Sight<'_>) -> Vec<Page> {
    let mut pages = Vec::new();
    for (number, section) in sight.form.form().sections.iter().enumerate() {
        let members: Vec<Option<&str>> = match section.each_member {
            true => sight.listed.iter().map(|member| Some(member.as_str())).collect(),
            false => vec![None],
        };
        for member in members {
            for group in 0..section.groups.len() {
                pages.extend(page(sight, (number, group), member));
            }
        }
    }
    pages
}

fn page(sight: &Sight<'_>, (section, group): (usize, usize), member: Option<&str>) -> Option<Page> {
    let form = sight.form.form();
    let of_section = form.sections.get(section)?;
    let of_group = of_section.groups.get(group)?;
    let here = |(_, place): &(usize, &Place)| place.section == section && place.group == group;
    let places = sight.form.places().iter().enumerate().filter(here);
    let items: Vec<Item> = places
        .filter(|(at, place)| is_shown(sight, *at, place, member))
        .map(|(_, place)| item(sight, place, member))
        .collect();
    if items.is_empty() {
        return None;
    }
    let at = member.map(|member| format!("@{member}")).unwrap_or_default();
    Some(Page {
        id: format!("{}/{}{at}", of_section.key, of_group.key),
        section: of_section.key.clone(),
        no: of_section.no.clone(),
        section_title: of_section.title.clone(),
        title: of_group.title.clone().unwrap_or_else(|| of_section.title.clone()),
        member: member.map(str::to_owned),
        member_name: member.and_then(|member| member_name(sight, member)),
        answered: items.iter().filter(|item| item.answered).count(),
        missing: items.iter().filter(|item| item.required && !item.answered).count(),
        items,
    })
}

fn member_name(sight: &Sight<'_>, member: &str) -> Option<String> {
    match sight.of_member(member, "full_name") {
        Val::Text(name) => Some(name),
        _ => match sight.facts.register.get(&format!("member/{member}/full_name")).map(Val::of) {
            Some(Val::Text(name)) => Some(name),
            _ => None,
        },
    }
}

/// Whether a question is on a screen now: it applies, and belongs to the form that is asked.
fn is_shown(sight: &Sight<'_>, at: usize, place: &Place, member: Option<&str>) -> bool {
    sight.asked(at, member) == Asked::Yes && sight.is_in_form(place)
}

fn item(sight: &Sight<'_>, place: &Place, member: Option<&str>) -> Item {
    let question = &place.question;
    let key = place.field_and_path().map(|(_, path)| key_of(path, member));
    let value = sight.answer(place, member);
    let answered = question.kind.is_asked() && sight.is_answered(place, member);
    Item {
        question: question.key.clone(),
        text: Arc::clone(&place.text),
        register_key: question.register.as_deref().map(|path| key_of(path, member)),
        offered: offered(sight, place, member),
        required: question.kind.is_asked() && is_required(sight, place, member),
        answered,
        state: key.as_deref().and_then(|key| sight.facts.state(key)).map(AnswerState::text),
        reason: key.as_deref().and_then(|key| reason(sight, key)),
        last: last(sight, place, member),
        value,
        key,
    }
}

fn offered(sight: &Sight<'_>, place: &Place, member: Option<&str>) -> Option<Vec<String>> {
    let filter = place.filter.as_ref()?;
    let all = choices(sight.form.form(), &place.question).into_iter();
    let passes =
        |choice: &Choice| value_of(filter, &ChoiceScope { sight, member, choice }).truth() != Truth::False;
    Some(all.filter(passes).map(|choice| choice.code).collect())
}

/// What a choice filter sees.
struct ChoiceScope<'a> {
    sight: &'a Sight<'a>,
    member: Option<&'a str>,
    choice: &'a Choice,
}

impl Scope for ChoiceScope<'_> {
    fn value(&self, name: &str) -> Val {
        match name.strip_prefix("choice.") {
            Some("code") => Val::text(&*self.choice.code),
            Some(tag) => Val::text_or_unknown(self.choice.tags.get(tag).map(String::as_str)),
            None => self.sight.seen(self.member).value(name),
        }
    }

    fn of_member(&self, member: &str, name: &str) -> Val {
        self.sight.of_member(member, name)
    }
}

fn is_required(sight: &Sight<'_>, place: &Place, member: Option<&str>) -> bool {
    let required = place.required.as_ref();
    required.is_some_and(|required| sight.come_to(required, member).truth() == Truth::True)
}

fn last(sight: &Sight<'_>, place: &Place, member: Option<&str>) -> Option<Last> {
    let value = Some(sight.last(place, member)).filter(|value| place.question.prefill && value.is_known())?;
    let on = if place.of_register { None } else { sight.facts.last_on.clone() };
    Some(Last { value, on })
}

/// The reason at a key, or at one of the elements below it.
fn reason(sight: &Sight<'_>, key: &str) -> Option<String> {
    let reasons = &sight.facts.reasons;
    let below = format!("{key}/");
    let found = reasons.get(key).or_else(|| {
        let mut elements = reasons.range(below.clone()..);
        elements.next().filter(|(found, _)| found.starts_with(&below)).map(|(_, reason)| reason)
    });
    found.filter(|reason| !reason.trim().is_empty()).cloned()
}

/// Questions that need an answer and have none. A visit without a result cannot be submitted; anything else
/// may stay open with a reason.
fn missing(sight: &Sight<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, place) in sight.form.places().iter().enumerate() {
        for member in sight.members_of(place) {
            let member = member.as_deref();
            let needs = place.question.kind.is_asked()
                && is_shown(sight, at, place, member)
                && is_required(sight, place, member)
                && !sight.is_answered(place, member);
            if needs {
                let block = place.question.key == RESULT;
                let severity = if block { Severity::Block } else { Severity::Confirm };
                findings.push(finding(
                    sight,
                    "required",
                    severity,
                    place,
                    member,
                    &Label::new(MISSING.0, MISSING.1),
                ));
            }
        }
    }
    findings
}

fn finding(
    sight: &Sight<'_>,
    id: &str,
    severity: Severity,
    place: &Place,
    member: Option<&str>,
    message: &Label,
) -> Finding {
    let key = place.question.field.as_deref().map(|path| key_of(path, member));
    let kept_at = key.as_deref().map(|key| reason_key(sight, place, key));
    Finding {
        id: id.to_owned(),
        severity,
        question: place.question.key.clone(),
        reason: key.as_deref().and_then(|key| reason(sight, key)),
        key: kept_at,
        member: member.map(str::to_owned),
        member_name: member.and_then(|member| member_name(sight, member)),
        message: message.clone(),
    }
}

/// The key beside which a reason is kept: of a set one of its elements, and one that has an answer where any has,
/// so that a reason for what was answered stands at no empty place.
fn reason_key(sight: &Sight<'_>, place: &Place, key: &str) -> String {
    let all = place.bound.map(|field| elements(field, key)).unwrap_or_default();
    let answered = |(key, _): &&(String, String)| {
        sight.facts.answers.get(key).is_some_and(|value| *value != Value::Null)
    };
    let at = all.iter().find(answered).or_else(|| all.first());
    at.map_or_else(|| key.to_owned(), |(key, _)| key.clone())
}

/// Where a validation does not hold.
fn broken(sight: &Sight<'_>, validation: &Compiled) -> Vec<Finding> {
    let Some(place) = sight.form.places().get(validation.at) else { return Vec::new() };
    let asked = |member: Option<&str>| sight.asked(validation.at, member) == Asked::Yes;
    let fails = |member: Option<&str>| sight.come_to(&validation.must, member).truth() == Truth::False;
    let found = |member: Option<&str>| {
        finding(sight, &validation.id, validation.severity, place, member, &validation.message)
    };
    let members = || sight.listed.iter().map(|member| Some(member.as_str())).filter(|member| asked(*member));
    if validation.each_member {
        return members().filter(|member| fails(*member)).map(found).collect();
    }
    // Of the household as a whole; about a question of members it is said at the first who is asked.
    let at = if place.each_member { members().next() } else { Some(None).filter(|member| asked(*member)) };
    at.filter(|_| fails(None)).map(found).into_iter().collect()
}

/// The keys of answers whose questions do not apply. What is meant for the register stands: it is said of the
/// household, not of this visit.
fn not_applicable(sight: &Sight<'_>) -> Vec<String> {
    let mut keys = Vec::new();
    for (at, place) in sight.form.places().iter().enumerate() {
        let bound = place.field_and_path().filter(|_| !place.of_register);
        let Some((field, path)) = bound else { continue };
        for member in sight.members_of(place) {
            if sight.asked(at, member.as_deref()) != Asked::No {
                continue;
            }
            let key = key_of(path, member.as_deref());
            let below = elements(field, &key).into_iter().map(|(key, _)| key);
            let all = std::iter::once(key).chain(below);
            keys.extend(all.filter(|key| sight.facts.answers.contains_key(key)));
        }
    }
    keys
}
