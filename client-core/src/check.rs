//! A visit (入户排查) from the doorstep to the submission.
//!
//! Every answer is a row of the draft table before the call returns, and nothing else, until the person
//! submits: then the check is one change of its document, the visit and the edited register values are
//! one change of the household's, both in one transaction and in one batch.

use ruhu_survey::change::{DocumentKind, Value};
use ruhu_survey::check::{self, NewCheck, Told};
use ruhu_survey::code_list::code;
use ruhu_survey::field_table::{
    AnswerState, Field, FieldKey, InputError, Merge, Part, Source, field, parse_text,
};
use ruhu_survey::form::day_in_china;
use ruhu_survey::household::{Because, Input, set_field};
use ruhu_survey::id::{CheckId, HouseholdId};
use ruhu_survey::register::ChangeBuilder;
use ruhu_survey::role::Role;
use ruhu_survey::sealed::Sealer;
use rusqlite::params;

use crate::author::Pen;
use crate::client::Client;
use crate::edit::Keys;
use crate::error::Error;
use crate::form::{Judged, current_form};
use crate::list::{CheckState, ListedCheck};
use crate::photo;
use crate::store::document::{self, Place, Stored};
use crate::store::draft::{self, DraftAnswer};

/// Fields of a check that this program writes itself.
const WRITTEN_HERE: [&str; 8] = [
    "household_id",
    "check_type",
    "started_by",
    "form_id",
    "form_version",
    "started_at",
    "ruleset_version",
    "ended_at",
];

impl Client {
    /// Starts a check of a household; `check_type` is a code of `check_type`. It is a draft on this
    /// device until it is submitted.
    ///
    /// # Errors
    /// [`Error::UnknownHousehold`], [`Error::Input`] when there is no such type, [`Error::NotAllowed`]
    /// when this person does not check households.
    pub fn start_check(&mut self, household: HouseholdId, check_type: &str) -> Result<CheckId, Error> {
        let village = self.stored_household(household)?.standing()?.village;
        let started_by = field(DocumentKind::Check, "started_by").map(|found| found.field);
        may_write(started_by, self.identity()?.certificate.role, "started_by")?;
        if code("check_type", check_type).is_none() {
            let (text, choices) = (check_type.to_owned(), "check_type".to_owned());
            return Err(InputError::Code { key: "check_type".to_owned(), text, choices }.into());
        }
        let id = CheckId::from_bytes(self.next_founded_id()?);
        let form = current_form()?.name();
        let now_ms = self.environment().now_ms().max(0);
        self.author(village, |pen| {
            pen.tx.execute(
                "INSERT INTO check_row (check_id, village, household, own, check_type, state, started_ms, form)
                 VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7)",
                params![
                    id.as_bytes(),
                    village.as_bytes(),
                    household.as_bytes(),
                    check_type,
                    CheckState::Draft.code(),
                    now_ms,
                    form
                ],
            )?;
            Ok(id)
        })
    }

    /// Starts a check that takes the place of a submitted one, which stays as it was submitted and is named
    /// by the new one (`supersedes`).
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotSubmitted`], and those of [`Client::start_check`].
    pub fn replace_check(&mut self, check: CheckId) -> Result<CheckId, Error> {
        let line = self.check_line(check)?;
        if line.state != CheckState::Submitted {
            return Err(Error::NotSubmitted(check));
        }
        let id = self.start_check(line.household, &line.check_type)?;
        let old = Input::Stored(Value::Text(check.to_string()));
        let because = Because { source: Some(Source::Correction), reason: None };
        self.set_answer(id, "supersedes", &old, &because)?;
        Ok(id)
    }

    /// Keeps one answer of a draft, durably: `answer/<group>/<question>`, with the member's id at the end
    /// where it is asked for each; or a field of the household's register, such as `member/<id>/phone`,
    /// which is edited when the check is submitted. A second answer takes the place of the first.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::Input`] saying what would fit,
    /// [`Error::UnknownMember`], [`Error::NotAllowed`].
    pub fn set_answer(
        &mut self,
        check: CheckId,
        key: &str,
        input: &Input,
        because: &Because,
    ) -> Result<(), Error> {
        self.set_answers(check, &[(key, input)], because)
    }

    /// Keeps answers that belong together, all of them or none.
    ///
    /// # Errors
    /// Those of [`Client::set_answer`].
    pub(crate) fn set_answers(
        &mut self,
        check: CheckId,
        answers: &[(&str, &Input)],
        because: &Because,
    ) -> Result<(), Error> {
        let line = self.a_draft(check)?;
        let kept = answers.iter().map(|(key, input)| self.draft_answer(&line, key, input, because));
        let kept: Vec<DraftAnswer> = kept.collect::<Result<_, _>>()?;
        self.store.write(|tx| kept.iter().try_for_each(|answer| draft::put(tx, check, answer)))
    }

    /// An answer as a draft keeps it.
    ///
    /// # Errors
    /// Those of [`Client::set_answer`].
    pub(crate) fn draft_answer(
        &self,
        line: &ListedCheck,
        key: &str,
        input: &Input,
        because: &Because,
    ) -> Result<DraftAnswer, Error> {
        let (target, found) = target(key)?;
        may_write(Some(found.field), self.identity()?.certificate.role, key)?;
        if let Some(member) = found.member {
            let stored = self.stored_household(line.household)?;
            if stored.register.keys_under(&format!("member/{member}/")).next().is_none() {
                return Err(Error::UnknownMember(member.to_owned()));
            }
        }
        let reason = because.reason.as_deref().map(str::trim).unwrap_or_default().to_owned();
        let value = plain(found.field, key, input)?;
        if value == Value::Null && reason.is_empty() {
            return Err(InputError::NoReason(key.to_owned()).into());
        }
        let at_ms = self.environment().now_ms();
        Ok(DraftAnswer { target, key: key.to_owned(), value, source: because.source, reason, at_ms })
    }

    /// Takes an answer out of a draft again: the question is as if not asked.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`].
    pub fn clear_answer(&mut self, check: CheckId, key: &str) -> Result<(), Error> {
        self.a_draft(check)?;
        self.store.write(|tx| draft::remove(tx, check, key))
    }

    /// Gives a draft up. Its answers stay on this device, and nothing of it is ever sent.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::ReasonNeeded`].
    pub fn withdraw_check(&mut self, check: CheckId, reason: &str) -> Result<(), Error> {
        self.a_draft(check)?;
        if reason.trim().is_empty() {
            return Err(Error::ReasonNeeded);
        }
        let now_ms = self.environment().now_ms();
        self.store.write(|tx| {
            tx.execute(
                "UPDATE check_row SET state = ?2, ended_ms = ?3, reason = ?4 WHERE check_id = ?1",
                params![check.as_bytes(), CheckState::Withdrawn.code(), now_ms, reason.trim()],
            )?;
            Ok(())
        })
    }

    /// Submits a draft with a code of `visit_result`; `confirmed` are register fields that the household
    /// confirmed as they stand. Answers to questions that do not apply are submitted as not applicable, and what
    /// was answered there is gone with the draft ([`Client::not_applicable`] names them beforehand). The check is
    /// frozen from then on: see [`Client::correct`].
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`], [`Error::NoAnswers`] when a completed check has none,
    /// [`Error::Blocked`] when something about who the household is does not hold, [`Error::Input`] and
    /// [`Error::NotAllowed`] naming the field at fault; the draft is as it was then.
    pub fn submit(&mut self, check: CheckId, result: &str, confirmed: &[String]) -> Result<(), Error> {
        let line = self.a_draft(check)?;
        let answers = draft::all(self.store.read(), check)?;
        if answers.is_empty() && matches!(result, "completed" | "partial") {
            return Err(Error::NoAnswers(check));
        }
        let now_ms = self.environment().now_ms().max(0);
        let judged = self.judged(&line, result)?;
        let submission = Submission { line, answers, result, confirmed, now_ms, judged };
        self.author(submission.line.village, |pen| submission.write(pen))
    }

    /// Corrects an answer of a submitted check. The answer stays as it was submitted; the correction
    /// stands beside it.
    ///
    /// # Errors
    /// [`Error::UnknownDocument`], [`Error::Input`] when the value does not fit or there is no reason,
    /// [`Error::NotAllowed`].
    pub fn correct(&mut self, check: CheckId, key: &str, input: &Input, reason: &str) -> Result<(), Error> {
        let line = self.check_line(check)?;
        let village = line.village;
        let (_, found) = target(key)?;
        let value = plain(found.field, key, input)?;
        self.author(village, |pen| {
            let mut stored = pen.stored(village, check.into())?;
            let keys = Keys::load(pen.tx, village, line.household)?;
            let value = match seal_text(found.field, &value) {
                None => value,
                Some(text) => {
                    let keys = keys.as_ref().ok_or(Error::NoHouseholdKey(line.household))?;
                    Value::Bytes(keys.sealer(village, check.into()).seal(key, &text))
                }
            };
            pen.write(&mut stored, Place::Anywhere, |builder| {
                check::correct(builder, key, &value, reason)?;
                Ok(())
            })?;
            Ok(())
        })
    }

    /// A draft.
    ///
    /// # Errors
    /// [`Error::UnknownCheck`], [`Error::NotADraft`].
    pub(crate) fn a_draft(&self, check: CheckId) -> Result<ListedCheck, Error> {
        let line = self.check_line(check)?;
        if line.state == CheckState::Draft { Ok(line) } else { Err(Error::NotADraft(check)) }
    }
}

/// What one submission is made of.
struct Submission<'a> {
    line: ListedCheck,
    answers: Vec<DraftAnswer>,
    result: &'a str,
    confirmed: &'a [String],
    now_ms: i64,
    judged: Judged,
}

impl Submission<'_> {
    fn write(&self, pen: &Pen<'_>) -> Result<(), Error> {
        let ListedCheck { id, village, household, .. } = self.line;
        let keys = Keys::load(pen.tx, village, household)?;
        let mut stored = document::load_or_make(pen.tx, village, id.into())?;
        let sealer = keys.as_ref().map(|keys| keys.sealer(village, id.into()));
        let (_, head) =
            pen.write(&mut stored, Place::Anywhere, |builder| self.check(pen, builder, sealer.as_ref()))?;
        let head = head.ok_or(Error::NoAnswers(id))?;
        let mut register = pen.stored(village, household.into())?;
        let sealer = keys.as_ref().map(|keys| keys.sealer(village, household.into()));
        pen.write(&mut register, Place::WithTheOneBefore, |builder| {
            self.answers(DocumentKind::Household, builder, sealer.as_ref())?;
            check::tell_household(
                builder,
                &Told {
                    check: id,
                    head,
                    result: self.result.to_owned(),
                    confirmed: self.confirmed.to_vec(),
                    started: day_in_china(self.line.started_ms),
                    ended: day_in_china(self.now_ms),
                },
            );
            Ok(())
        })?;
        self.close(pen, &stored)
    }

    /// The check's own change: what it is, its answers, and the submit entry last.
    fn check(
        &self,
        pen: &Pen<'_>,
        builder: &mut ChangeBuilder<'_>,
        sealer: Option<&Sealer<'_>>,
    ) -> Result<(), Error> {
        let new = NewCheck {
            household: self.line.household,
            check_type: self.line.check_type.clone(),
            device: pen.identity.device(),
            form_version: self.judged.form.clone(),
            started_at_ms: self.line.started_ms,
        };
        check::start(builder, &new);
        builder.put("ruleset_version", Value::Text(self.judged.rules.clone()));
        builder.put("ended_at", Value::Int(self.now_ms));
        self.answers(DocumentKind::Check, builder, sealer)?;
        check::submit(builder, self.result)?;
        Ok(())
    }

    fn answers(
        &self,
        target: DocumentKind,
        builder: &mut ChangeBuilder<'_>,
        sealer: Option<&Sealer<'_>>,
    ) -> Result<(), Error> {
        for answer in self.answers.iter().filter(|answer| answer.target == target) {
            let does_not_apply = self.judged.not_applicable.contains(&answer.key);
            let input = match does_not_apply.then(|| not_applicable(target, &answer.key)) {
                None => Input::Stored(answer.value.clone()),
                Some(Some(state)) => state,
                // An element of a set, or a value that has no states, is left out.
                Some(None) => continue,
            };
            let reason = Some(answer.reason.clone()).filter(|reason| !reason.is_empty());
            let because = Because { source: answer.source, reason };
            set_field(builder, target, &answer.key, &input, &because, sealer)?;
        }
        Ok(())
    }

    /// The draft has become a document: its rows say so, and its answers are in the changes.
    fn close(&self, pen: &Pen<'_>, stored: &Stored) -> Result<(), Error> {
        pen.tx.execute(
            "UPDATE check_row SET state = ?2, document = ?3, ended_ms = ?4, result = ?5 WHERE check_id = ?1",
            params![
                self.line.id.as_bytes(),
                CheckState::Submitted.code(),
                stored.row,
                self.now_ms,
                self.result
            ],
        )?;
        draft::remove_all(pen.tx, self.line.id)?;
        let (kept, left_out): (Vec<_>, Vec<_>) =
            self.answers.iter().partition(|answer| !self.judged.not_applicable.contains(&answer.key));
        photo::forget_left_out(pen.tx, self.line.id, &kept, &left_out)
    }
}

/// "Does not apply" at a key, where the key can say so.
fn not_applicable(target: DocumentKind, key: &str) -> Option<Input> {
    let found = field(target, key).filter(|found| found.element.is_none())?;
    let state = Value::Text(AnswerState::NotApplicable.text().to_owned());
    found.field.check(&state).is_ok().then_some(Input::State(AnswerState::NotApplicable))
}

/// Where a key of a draft goes, taken apart.
fn target(key: &str) -> Result<(DocumentKind, FieldKey<'_>), Error> {
    let unknown = || Error::Input(InputError::UnknownKey(key.to_owned()));
    let of = |kind| field(kind, key).map(|found| (kind, found));
    let (kind, found) =
        of(DocumentKind::Check).or_else(|| of(DocumentKind::Household)).ok_or_else(unknown)?;
    let is_value = found.part == Part::Value && !found.field.is_entry();
    let written_here = kind == DocumentKind::Check && WRITTEN_HERE.contains(&key);
    if is_value && !written_here { Ok((kind, found)) } else { Err(unknown()) }
}

fn may_write(field: Option<&Field>, role: Role, key: &str) -> Result<(), Error> {
    match field {
        Some(field) if field.may_write(role) => Ok(()),
        Some(field) if field.merge == Merge::Server => {
            Err(Error::NotAllowed { key: key.to_owned(), rule: "server_only".to_owned() })
        }
        _ => Err(Error::NotAllowed { key: key.to_owned(), rule: "role_may_not_write".to_owned() }),
    }
}

/// The value in clear that an input stands for.
fn plain(field: &Field, key: &str, input: &Input) -> Result<Value, Error> {
    let misfit = |misfit| Error::Input(InputError::Misfit { key: key.to_owned(), misfit });
    let state = |state: AnswerState| {
        let value = Value::Text(state.text().to_owned());
        field.check(&value).map(|()| value).map_err(misfit)
    };
    match input {
        Input::Text(text) => Ok(parse_text(field, text)?),
        Input::State(said) => state(*said),
        Input::Withdraw => Ok(Value::Null),
        Input::Stored(value) => match AnswerState::of(value) {
            Some(said) => state(said),
            None if *value == Value::Null => Ok(Value::Null),
            None => field.check_plain(value).map(|()| value.clone()).map_err(misfit),
        },
    }
}

/// The text that is sealed for a value of a private field; `None` for what is not sealed.
fn seal_text(field: &Field, value: &Value) -> Option<String> {
    match value {
        _ if !field.is_sealed() || AnswerState::of(value).is_some() => None,
        Value::Text(text) => Some(text.clone()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Int(number) => Some(number.to_string()),
        Value::Null | Value::Bytes(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_goes_into_the_check_or_into_the_household() {
        assert_eq!(target("answer/income/wage_income").unwrap().0, DocumentKind::Check);
        assert_eq!(target("group_name").unwrap().0, DocumentKind::Household);
        for key in ["started_by", "ruleset_version", "group_name/reason", "event/aaaaaaaaaaaaaaaa", "nothing"]
        {
            assert!(matches!(target(key), Err(Error::Input(InputError::UnknownKey(_)))), "{key}");
        }
    }
}
