//! A check as its form asks it: what to show now, what it would find, and answers given to questions.
//!
//! Front ends draw [`CheckForm`] and ask for it again after every answer; all of it is plain data that
//! serialises to JSON. Nothing here keeps state between calls.

use std::collections::BTreeMap;

use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::expression::Val;
use ruhu_survey::field_table::{Source, Type};
use ruhu_survey::form::{
    self, Changes, Facts, Item, LoadedForm, Misfit, Place, Severity, View, bound_field, changes,
    clear_values, day_in_china, key_of, look, misfits, submitted_facts, told_in, visit_before,
};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::CheckId;
use ruhu_survey::rule::{self, Findings, LoadedRules, find, find_pinned, look_by};
use serde::Serialize;

use crate::client::Client;
use crate::edit::Keys;
use crate::error::Error;
use crate::list::{CheckState, ListedCheck};
use crate::store::draft::{self, DraftAnswer};

/// What a front end shows of a check that is being filled in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckForm {
    /// The screens, what is missing, and what does not hold.
    pub view: View,
    /// What the formulas come to so far, such as `per_capita_net_income`, in fen or basis points; null where it is
    /// not known.
    pub formulas: BTreeMap<String, Val>,
    /// What an update of the form means for this draft; `None` when it was begun under this version.
    pub update: Option<FormUpdate>,
}

/// A form was updated while a draft was open. The draft goes on under the new version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FormUpdate {
    /// The version the draft was begun under; empty when that is not known.
    pub from: String,
    /// What differs; `None` when this program no longer has the old version.
    pub changes: Option<Changes>,
    /// Answers that the new version has no place for. They are kept, and submitted as they are.
    pub misfits: Vec<Misfit>,
}

/// The form that checks are filled in by.
pub(crate) fn current_form() -> Result<&'static LoadedForm, Error> {
    form::newest(form::FIRST).ok_or(Error::UnknownForm(form::FIRST.to_owned()))
}

fn rules_of(facts: &Facts) -> Result<&'static LoadedRules, Error> {
    rule::rules_of(facts).ok_or_else(|| Error::UnknownForm(format!("rules of {:?}", facts.today)))
}

impl Client {
    /// A draft as its form asks it now; with `short` only the starred questions and what was ticked as changed.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::UnknownForm`], or that the store fails.
    pub fn check_form(&self, check: CheckId, short: bool) -> Result<CheckForm, Error> {
        let line = self.a_draft(check)?;
        let form = current_form()?;
        let mut facts = self.draft_facts(&line)?;
        facts.short = short;
        let (view, formulas) = look_by(rules_of(&facts)?, form, &facts);
        let update = self.update_of(check, form, &facts)?;
        Ok(CheckForm { view, formulas, update })
    }

    /// What the rules find in a check: in a draft as it stands, in a submitted one as it was submitted, with
    /// the form and the rules that it has pinned.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::UnknownForm`] when this program does not have its form, or that the
    /// store fails.
    pub fn findings(&self, check: CheckId) -> Result<Findings, Error> {
        let line = self.check_line(check)?;
        if line.state != CheckState::Submitted {
            let facts = self.draft_facts(&line)?;
            return Ok(find(rules_of(&facts)?, current_form()?, &facts));
        }
        let facts = self.submitted_facts(&line)?;
        find_pinned(&facts).ok_or_else(|| match facts.answers.get("form_version") {
            Some(Value::Text(name)) => Error::UnknownForm(name.clone()),
            _ => Error::UnknownForm(String::new()),
        })
    }

    /// Answers a question of the form: the answer goes into the check and, where the question says so, into
    /// the household's register. For a question with several answers `input` is one element's.
    ///
    /// # Errors
    /// [`Error::UnknownQuestion`], and those of [`Client::set_answer`].
    pub fn answer_question(
        &mut self,
        check: CheckId,
        asked: &Asked<'_>,
        input: &Input,
        because: &Because,
    ) -> Result<(), Error> {
        let place = question(asked.question)?;
        let because =
            Because { source: because.source.or(place.question.source), reason: because.reason.clone() };
        let keys = keys_of(place, asked);
        let answers: Vec<_> = keys.iter().map(|key| (key.as_str(), input)).collect();
        self.set_answers(check, &answers, &because)
    }

    /// Answers a question with none of its choices: a no is kept at each.
    ///
    /// # Errors
    /// [`Error::UnknownQuestion`] when that is no answer of it, and those of [`Client::set_answer`].
    pub fn answer_none(&mut self, check: CheckId, asked: &Asked<'_>, because: &Because) -> Result<(), Error> {
        let place = question(asked.question)?;
        if !place.question.none_of_these {
            return Err(Error::UnknownQuestion(asked.question.to_owned()));
        }
        let choices = form::choices(current_form()?.form(), &place.question);
        let of = |code: &str| keys_of(place, &Asked { element: Some(code), ..*asked });
        let keys: Vec<String> = choices.iter().flat_map(|choice| of(&choice.code)).collect();
        let no = Input::Stored(Value::Bool(false));
        let answers: Vec<_> = keys.iter().map(|key| (key.as_str(), &no)).collect();
        let because =
            Because { source: because.source.or(place.question.source), reason: because.reason.clone() };
        self.set_answers(check, &answers, &because)
    }

    /// Takes an answer back: the question is as if not answered. Without an element, all of its elements go.
    ///
    /// # Errors
    /// [`Error::UnknownQuestion`], and those of [`Client::clear_answer`].
    pub fn clear_question(&mut self, check: CheckId, asked: &Asked<'_>) -> Result<(), Error> {
        self.a_draft(check)?;
        let place = question(asked.question)?;
        let said = draft::all(self.store.read(), check)?;
        let mut gone = Vec::new();
        for key in keys_of(place, asked) {
            let below = format!("{key}/");
            let at = |said: &&DraftAnswer| said.key == key || said.key.starts_with(&below);
            gone.extend(said.iter().filter(at).map(|said| said.key.as_str()));
        }
        self.store.write(|tx| gone.iter().try_for_each(|key| draft::remove(tx, check, key)))
    }

    /// Accepts the last answer of a question as still true: it is written as carried forward.
    ///
    /// # Errors
    /// [`Error::UnknownQuestion`] when there is no last answer, and those of [`Client::set_answer`].
    pub fn accept_last(&mut self, check: CheckId, asked: &Asked<'_>) -> Result<(), Error> {
        let line = self.a_draft(check)?;
        let place = question(asked.question)?;
        let facts = self.draft_facts(&line)?;
        let path = place.question.field.as_deref().unwrap_or_default();
        let key = key_of(path, asked.member);
        let below = format!("{key}/");
        let fits = |found: &String| *found == key || found.starts_with(&below);
        let last: Vec<(String, Input)> = facts
            .last
            .iter()
            .chain(&facts.register)
            .filter(|(found, value)| fits(found) && !matches!(value, Value::Null | Value::Bytes(_)))
            .map(|(found, value)| (found.clone(), Input::Stored(value.clone())))
            .collect();
        if last.is_empty() {
            return Err(Error::UnknownQuestion(asked.question.to_owned()));
        }
        let because = Because { source: Some(Source::CarriedForward), reason: None };
        let answers: Vec<_> = last.iter().map(|(key, input)| (key.as_str(), input)).collect();
        self.set_answers(check, &answers, &because)
    }

    /// Says why a finding may stand: the reason is kept beside the answer, at `<key>/reason`, where auditors
    /// see it. `key` is the finding's.
    ///
    /// # Errors
    /// [`Error::ReasonNeeded`], and those of [`Client::set_answer`].
    pub fn confirm_finding(&mut self, check: CheckId, key: &str, reason: &str) -> Result<(), Error> {
        if reason.trim().is_empty() {
            return Err(Error::ReasonNeeded);
        }
        let line = self.a_draft(check)?;
        let answers = draft::all(self.store.read(), check)?;
        let said = answers.into_iter().find(|answer| answer.key == key);
        let source = said.as_ref().and_then(|answer| answer.source);
        let value = match said {
            Some(answer) => answer.value,
            // What stands in the register is confirmed as it stands.
            None => self.draft_facts(&line)?.register.remove(key).unwrap_or(Value::Null),
        };
        let input = if value == Value::Null { Input::Withdraw } else { Input::Stored(value) };
        self.set_answer(check, key, &input, &Because { source, reason: Some(reason.trim().to_owned()) })
    }

    /// Answers every amount of money on a screen that has no answer with nothing: "the rest is 0".
    ///
    /// # Errors
    /// [`Error::UnknownQuestion`] when there is no such screen now, and those of [`Client::set_answer`].
    pub fn zero_rest(&mut self, check: CheckId, page: &str, short: bool) -> Result<usize, Error> {
        let shown = self.check_form(check, short)?.view;
        let found = shown.pages.into_iter().find(|found| found.id == page);
        let page = found.ok_or_else(|| Error::UnknownQuestion(page.to_owned()))?;
        let open = |item: &Item| !item.answered && item.is_money();
        let mut count = 0;
        for item in page.items.iter().filter(|item| open(item) && item.is_asked()) {
            let asked = Asked { question: &item.question, member: page.member.as_deref(), element: None };
            self.answer_question(check, &asked, &Input::Stored(Value::Int(0)), &Because::default())?;
            count += 1;
        }
        Ok(count)
    }

    /// What the form says of a draft that is to be submitted with this result.
    pub(crate) fn judged(&self, line: &ListedCheck, result: &str) -> Result<Judged, Error> {
        let form = current_form()?;
        let mut facts = self.draft_facts(line)?;
        facts.answers.insert("visit_result".to_owned(), Value::Text(result.to_owned()));
        let rules = rules_of(&facts)?;
        let (view, formulas) = look_by(rules, form, &facts);
        let blocking = view.findings.iter().find(|finding| finding.severity == Severity::Block);
        match blocking {
            Some(finding) => Err(Error::Blocked(format!("{} {}", finding.id, finding.message.zh))),
            None => {
                // What the short form asks may hang on its being short; which of the two was asked is not known.
                facts.short = true;
                facts.formulas = formulas;
                let in_short = look(form, &facts).not_applicable;
                let mut not_applicable = view.not_applicable;
                not_applicable.retain(|key| in_short.contains(key));
                Ok(Judged { form: form.name(), rules: rules.name(), not_applicable })
            }
        }
    }

    /// The keys of the answers that a submission with this result would replace by "not applicable", since their
    /// questions no longer apply: for a front end to show before it submits, as the draft is gone afterwards.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::Blocked`], or that the store fails.
    pub fn not_applicable(&self, check: CheckId, result: &str) -> Result<Vec<String>, Error> {
        let line = self.a_draft(check)?;
        Ok(self.judged(&line, result)?.not_applicable)
    }

    fn update_of(
        &self,
        check: CheckId,
        form: &LoadedForm,
        facts: &Facts,
    ) -> Result<Option<FormUpdate>, Error> {
        let begun: String = self.store.read().query_row(
            "SELECT form FROM check_row WHERE check_id = ?1",
            [check.as_bytes()],
            |row| row.get(0),
        )?;
        if begun == form.name() {
            return Ok(None);
        }
        let changes = form::pinned(&begun).map(|old| changes(old, form));
        Ok(Some(FormUpdate { from: begun, changes, misfits: misfits(form, &facts.answers) }))
    }

    /// What is known on the doorstep: the draft, the register, and the household's last check.
    fn draft_facts(&self, line: &ListedCheck) -> Result<Facts, Error> {
        let household = self.stored_household(line.household)?;
        let keys = Keys::load(self.store.read(), line.village, line.household)?;
        let sealer = keys.as_ref().map(|keys| keys.sealer(line.village, line.household.into()));
        let before = visit_before(&household.register, line.id);
        let answers = draft::all(self.store.read(), line.id)?;
        let reasons = answers.iter().filter(|answer| !answer.reason.is_empty());
        Ok(Facts {
            reasons: reasons.map(|answer| (answer.key.clone(), answer.reason.clone())).collect(),
            answers: answers.into_iter().map(|answer| (answer.key, answer.value)).collect(),
            register: clear_values(&household.register, DocumentKind::Household, sealer.as_ref()),
            last: match &before {
                Some(visit) => self.last_answers(line, &visit.check)?,
                None => BTreeMap::new(),
            },
            last_on: before.map(|visit| visit.ended),
            check_type: line.check_type.clone(),
            today: day_in_china(line.started_ms),
            ..Facts::default()
        })
    }

    /// The answers of an earlier check of the household, where it is here.
    fn last_answers(&self, line: &ListedCheck, check: &str) -> Result<BTreeMap<String, Value>, Error> {
        let Some(id) = check.parse::<CheckId>().ok() else { return Ok(BTreeMap::new()) };
        let Ok(stored) = self.stored(id.into()) else { return Ok(BTreeMap::new()) };
        let keys = Keys::load(self.store.read(), line.village, line.household)?;
        let sealer = keys.as_ref().map(|keys| keys.sealer(line.village, id.into()));
        Ok(clear_values(&stored.register, DocumentKind::Check, sealer.as_ref()))
    }

    /// What was known when a check was submitted: the check, and the household as of its visit.
    fn submitted_facts(&self, line: &ListedCheck) -> Result<Facts, Error> {
        let check = self.stored(line.id.into())?;
        let now = self.stored_household(line.household)?;
        let household = match told_in(&now.register, line.id) {
            Some(change) => self.as_of(line.household.into(), &[change])?,
            None => now.register,
        };
        let keys = Keys::load(self.store.read(), line.village, line.household)?;
        let of_check = keys.as_ref().map(|keys| keys.sealer(line.village, line.id.into()));
        let of_household = keys.as_ref().map(|keys| keys.sealer(line.village, line.household.into()));
        let before = visit_before(&household, line.id);
        let mut facts = submitted_facts(
            form::Source { register: &check.register, sealer: of_check.as_ref() },
            form::Source { register: &household, sealer: of_household.as_ref() },
            None,
            before.as_ref(),
        );
        if let Some(visit) = &before {
            facts.last = self.last_answers(line, &visit.check)?;
        }
        Ok(facts)
    }
}

/// What a submission takes from the form.
pub(crate) struct Judged {
    pub(crate) form: String,
    pub(crate) rules: String,
    /// Keys of answers to questions that do not apply.
    pub(crate) not_applicable: Vec<String>,
}

/// Which question is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// Its name in the form.
    pub question: &'a str,
    /// The member, in a section of members.
    pub member: Option<&'a str>,
    /// The code or the number of one element, of a question with several answers.
    pub element: Option<&'a str>,
}

/// The keys that an answer is kept at: of the check and, where the question says so, of the register.
fn keys_of(place: &Place, asked: &Asked<'_>) -> Vec<String> {
    let paths = [&place.question.field, &place.question.register].into_iter().flatten();
    let key = |path: &String| {
        let key = key_of(path, asked.member);
        asked.element.map_or_else(|| key.clone(), |element| format!("{key}/{element}"))
    };
    paths.map(key).collect()
}

pub(crate) fn question(key: &str) -> Result<&'static Place, Error> {
    let place = current_form()?.place(key).filter(|place| place.question.kind.is_asked());
    place.ok_or_else(|| Error::UnknownQuestion(key.to_owned()))
}

/// Whether a question keeps several answers, each under a key of its own.
#[must_use]
pub fn has_elements(question: &str) -> bool {
    let field = current_form()
        .ok()
        .and_then(|form| form.place(question))
        .and_then(|place| bound_field(&place.question));
    field.is_some_and(|field| {
        matches!(field.kind, Type::Set { .. } | Type::Slots { .. } | Type::Hashes { .. })
    })
}
