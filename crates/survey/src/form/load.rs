//! Reads a form and finds out whether it holds together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::format::{Form, Group, Label, Question, QuestionType, Required, Section, Severity, Validation};
use super::names::{FormNames, OfChoice, choice_codes, is_reserved};
use super::problem::{Fault, InvalidForm, Reason};
use super::text::QuestionText;
use super::{bound_field, choices, field_of, is_of_register};
use crate::code_list::code_list;
use crate::expression::{Expression, Kind, Names};
use crate::field_table::{Field, Type, Unit};

/// Questions of a form, at most.
pub const QUESTIONS_MAX: usize = 2_000;
/// Bytes of a form's file.
const BYTES_MAX: usize = 4 * 1_024 * 1_024;

/// A form that holds together, with its expressions parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedForm {
    form: Form,
    names: FormNames,
    places: Vec<Place>,
    by_key: BTreeMap<String, usize>,
    /// Places in an order in which each comes after all that its relevance depends on.
    order: Vec<usize>,
    /// Whether what is asked depends on a formula of the rules.
    asks_by_formula: bool,
    validations: Vec<Compiled>,
}

/// A question in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Which section.
    pub section: usize,
    /// Which group of the section.
    pub group: usize,
    /// The question.
    pub question: Question,
    /// Whether it is asked of each member.
    pub each_member: bool,
    /// In the short form it is asked where one of these is ticked as changed: its own and its section's.
    pub changed: Vec<String>,
    /// The field that holds its answer: looked up once, as a screen asks for it at every answer.
    pub(super) bound: Option<&'static Field>,
    /// Whether that field is the household's register's, not the check's.
    pub(super) of_register: bool,
    /// What is always so of the question, for those who show it.
    pub(super) text: Arc<QuestionText>,
    /// All of these must hold for it to be asked.
    pub(super) relevant: Vec<Expression>,
    /// When an answer must be there; `None` for never.
    pub(super) required: Option<Expression>,
    pub(super) filter: Option<Expression>,
    pub(super) value: Option<Expression>,
}

/// A validation with its expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compiled {
    pub(super) id: String,
    /// The place it is about.
    pub(super) at: usize,
    /// Looked at for each member by itself.
    pub(super) each_member: bool,
    pub(super) must: Expression,
    pub(super) severity: Severity,
    pub(super) message: Label,
}

impl Place {
    /// The field that holds the answer, with its path.
    pub(super) fn field_and_path(&self) -> Option<(&'static Field, &str)> {
        Some((self.bound?, self.question.field.as_deref()?))
    }
}

impl LoadedForm {
    /// What the file says.
    #[must_use]
    pub const fn form(&self) -> &Form {
        &self.form
    }

    /// Id and version as a check pins them: `ruhu-first/1.0.0`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.form.form, self.form.version)
    }

    /// Every question in its place, in the order of the form.
    #[must_use]
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The place of a question.
    #[must_use]
    pub fn place(&self, key: &str) -> Option<&Place> {
        self.places.get(*self.by_key.get(key)?)
    }

    /// The number of a question's place.
    pub(super) fn index(&self, key: &str) -> Option<usize> {
        self.by_key.get(key).copied()
    }

    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(super) const fn asks_by_formula(&self) -> bool {
        self.asks_by_formula
    }

    pub(super) fn validations(&self) -> &[Compiled] {
        &self.validations
    }

    /// The names that rules and other readers may use, outside any section of members.
    pub fn names(&self) -> impl Names + '_ {
        self.names.within(false)
    }
}

/// Reads a form from its file's text.
///
/// # Errors
/// Every fault that was found, each with its place and reason.
pub fn load_text(file: &str, text: &str) -> Result<LoadedForm, InvalidForm> {
    let refuse = |reason: String| InvalidForm {
        file: file.to_owned(),
        faults: vec![Fault { at: "form".to_owned(), reason: Reason::Format(reason) }],
    };
    if text.len() > BYTES_MAX {
        return Err(refuse(format!("longer than {BYTES_MAX} bytes")));
    }
    let form: Form = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
    load(file, form)
}

/// Finds out whether a form holds together.
///
/// # Errors
/// Every fault that was found, each with its place and reason.
pub fn load(file: &str, form: Form) -> Result<LoadedForm, InvalidForm> {
    let names = FormNames::of(&form);
    let mut loader = Loader { form: &form, names: &names, faults: Vec::new() };
    loader.header();
    let places = loader.places();
    let by_key = places.iter().enumerate().map(|(at, place)| (place.question.key.clone(), at)).collect();
    let validations = loader.validations(&places, &by_key);
    let order = loader.order(&places, &by_key);
    let faults = loader.faults;
    if faults.is_empty() {
        let asks_by_formula = asks_by_formula(&places, &order);
        Ok(LoadedForm { names, places, by_key, order, asks_by_formula, validations, form })
    } else {
        Err(InvalidForm { file: file.to_owned(), faults })
    }
}

struct Loader<'a> {
    form: &'a Form,
    names: &'a FormNames,
    faults: Vec<Fault>,
}

impl Loader<'_> {
    fn fault(&mut self, at: &str, reason: Reason) {
        self.faults.push(Fault { at: at.to_owned(), reason });
    }

    fn header(&mut self) {
        let form = self.form;
        if !is_id(&form.form) {
            self.fault("form", Reason::Name(form.form.clone(), "an id of letters, digits and hyphens"));
        }
        if !is_version(&form.version) {
            self.fault("form", Reason::Name(form.version.clone(), "a version such as 1.0.0"));
        }
        self.label("form", &form.title);
        for (name, list) in &form.lists {
            let mut seen = BTreeSet::new();
            for choice in list {
                self.label(name, &choice.label);
                if choice.code.is_empty() || !seen.insert(&choice.code) {
                    self.fault(name, Reason::DuplicateKey);
                }
            }
            if list.is_empty() {
                self.fault(name, Reason::NoChoices);
            }
        }
    }

    fn label(&mut self, at: &str, label: &Label) {
        for (text, lang) in [(&label.zh, "zh"), (&label.en, "en")] {
            if text.trim().is_empty() {
                self.fault(at, Reason::MissingLabel(lang));
            }
        }
    }

    fn places(&mut self) -> Vec<Place> {
        let form = self.form;
        let mut places = Vec::new();
        let mut sections = BTreeSet::new();
        for (number, section) in form.sections.iter().enumerate() {
            self.label(&section.key, &section.title);
            let mut groups = BTreeSet::new();
            if !is_key(&section.key) || !sections.insert(&section.key) {
                self.fault(&section.key, Reason::DuplicateKey);
            }
            for (group_number, group) in section.groups.iter().enumerate() {
                if !is_key(&group.key) || !groups.insert(&group.key) {
                    self.fault(&format!("{}/{}", section.key, group.key), Reason::DuplicateKey);
                }
                if let Some(title) = &group.title {
                    self.label(&group.key, title);
                }
                for question in &group.questions {
                    places.push(self.place((number, section), (group_number, group), question));
                }
            }
        }
        if places.len() > QUESTIONS_MAX {
            self.fault("form", Reason::TooMany(QUESTIONS_MAX, "questions"));
        }
        self.keys(&places);
        places
    }

    fn keys(&mut self, places: &[Place]) {
        let mut seen = BTreeSet::new();
        for place in places {
            let key = &place.question.key;
            if !is_key(key) {
                self.fault(key, Reason::Name(key.clone(), "a key of small letters, digits and underscores"));
            } else if is_reserved(key) || !seen.insert(key) {
                self.fault(key, Reason::DuplicateKey);
            }
        }
    }

    fn place(
        &mut self,
        (section_number, section): (usize, &Section),
        (group_number, group): (usize, &Group),
        question: &Question,
    ) -> Place {
        let key = &question.key;
        self.label(key, &question.label);
        if let Some(hint) = &question.hint {
            self.label(key, hint);
        }
        self.bound(question, section.each_member);
        self.offered(question);
        let names = self.names;
        let within = || names.within(section.each_member);
        let mut relevant = Vec::new();
        for text in [&section.relevant, &group.relevant, &question.relevant].into_iter().flatten() {
            relevant.extend(self.condition(key, "relevant", text, &within()));
        }
        let required = match &question.required {
            Required::Fixed(false) => None,
            Required::Fixed(true) => self.condition(key, "required", "true", &within()),
            Required::When(text) => self.condition(key, "required", text, &within()),
        };
        let value = question.value.as_ref().and_then(|text| self.expression(key, "value", text, &within()));
        let value = value.map(|(value, _)| value);
        if question.value.is_some() != (question.kind == QuestionType::Calculated) {
            self.fault(key, Reason::Value);
        }
        let tags =
            choices(self.form, question).iter().flat_map(|choice| choice.tags.keys().cloned()).collect();
        let of_choice = OfChoice { within: within(), tags };
        let filter = question.choice_filter.as_ref();
        let filter = filter.and_then(|text| self.condition(key, "choice_filter", text, &of_choice));
        let bound = bound_field(question);
        Place {
            section: section_number,
            group: group_number,
            text: Arc::new(QuestionText::of(self.form, question)),
            of_register: question.field.as_deref().is_some_and(is_of_register),
            bound,
            question: question.clone(),
            each_member: section.each_member,
            changed: section.changed.iter().chain(&question.changed).cloned().collect(),
            relevant,
            required,
            filter,
            value,
        }
    }

    fn expression(
        &mut self,
        at: &str,
        part: &'static str,
        text: &str,
        names: &dyn Names,
    ) -> Option<(Expression, Kind)> {
        let parsed =
            Expression::parse(text).and_then(|parsed| parsed.check(names).map(|kind| (parsed, kind)));
        match parsed {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(at, Reason::Expression { part, error });
                None
            }
        }
    }

    fn condition(
        &mut self,
        at: &str,
        part: &'static str,
        text: &str,
        names: &dyn Names,
    ) -> Option<Expression> {
        let (parsed, kind) = self.expression(at, part, text, names)?;
        if matches!(kind, Kind::Bool | Kind::Any) {
            return Some(parsed);
        }
        self.fault(at, Reason::NoCondition(part));
        None
    }

    /// Whether the fields exist, take such answers, and are asked of members where the question is.
    fn bound(&mut self, question: &Question, each_member: bool) {
        for path in [&question.field, &question.register].into_iter().flatten() {
            match field_of(path) {
                None => self.fault(&question.key, Reason::UnknownField(path.clone())),
                Some(field) => {
                    let of_member = field.per_member || field.path.starts_with("member/");
                    if of_member != each_member || !takes(field, question.kind) {
                        self.fault(&question.key, Reason::UnfitField(path.clone()));
                    }
                }
            }
        }
    }

    fn offered(&mut self, question: &Question) {
        let key = &question.key;
        if let Some(name) = &question.list
            && !self.form.lists.contains_key(name)
            && code_list(name).is_none()
        {
            return self.fault(key, Reason::UnknownList(name.clone()));
        }
        let chooses = matches!(question.kind, QuestionType::One | QuestionType::Many);
        let codes = choice_codes(self.form, question);
        if chooses && codes.is_empty() {
            return self.fault(key, Reason::NoChoices);
        }
        let all = choice_codes(self.form, &Question { only: Vec::new(), ..question.clone() });
        if question.none_of_these && question.kind != QuestionType::Many {
            self.fault(key, Reason::NoneOfThese);
        }
        let unknown = question.only.iter().find(|code| !all.contains(code)).cloned();
        if let Some(code) = unknown {
            self.fault(key, Reason::UnknownCode(code));
        }
    }

    fn validations(&mut self, places: &[Place], by_key: &BTreeMap<String, usize>) -> Vec<Compiled> {
        let form = self.form;
        let standing = places.iter().flat_map(|place| {
            place
                .question
                .validations
                .iter()
                .map(|validation| (Some(place.question.key.as_str()), validation))
        });
        let all: Vec<(Option<&str>, &Validation)> =
            standing.chain(form.validations.iter().map(|validation| (None, validation))).collect();
        let mut ids = BTreeSet::new();
        let mut compiled = Vec::new();
        for (standing, validation) in all {
            self.label(&validation.id, &validation.message);
            if validation.id.trim().is_empty() || !ids.insert(&validation.id) {
                self.fault(&validation.id, Reason::DuplicateKey);
            }
            let about = validation.at.as_deref().or(standing).and_then(|key| by_key.get(key).copied());
            let Some((at, place)) = about.and_then(|at| Some((at, places.get(at)?))) else {
                self.fault(&validation.id, Reason::NoPlace);
                continue;
            };
            let each_member = place.each_member && !validation.once;
            let names = self.names.within(each_member);
            let must = self.condition(&validation.id, "must", &validation.must, &names);
            compiled.extend(must.map(|must| Compiled {
                id: validation.id.clone(),
                at,
                each_member,
                must,
                severity: validation.severity,
                message: validation.message.clone(),
            }));
        }
        compiled
    }

    /// Places after all that their relevance, and what it is worked out from, depends on.
    fn order(&mut self, places: &[Place], by_key: &BTreeMap<String, usize>) -> Vec<usize> {
        let needs: Vec<BTreeSet<usize>> = places
            .iter()
            .map(|place| {
                let expressions = place.relevant.iter().chain(&place.value);
                let names = expressions.flat_map(Expression::names);
                names.filter_map(|name| by_key.get(&name).copied()).collect()
            })
            .collect();
        let mut walk = Walk {
            needs: &needs,
            order: Vec::new(),
            state: vec![State::New; places.len()],
            path: Vec::new(),
        };
        for start in 0..places.len() {
            if let Some(circle) = walk.visit(start) {
                let key = |at: &usize| places.get(*at).map(|place| place.question.key.clone());
                let circle: Vec<String> = circle.iter().filter_map(key).collect();
                let at = circle.first().cloned().unwrap_or_default();
                self.fault(&at, Reason::Cycle(circle));
                break;
            }
        }
        walk.order
    }
}

/// Whether a condition speaks of a formula, or of a question that is worked out from one.
fn asks_by_formula(places: &[Place], order: &[usize]) -> bool {
    let mut from_formula: BTreeSet<&str> = BTreeSet::new();
    let speaks = |expressions: &mut dyn Iterator<Item = &Expression>, known: &BTreeSet<&str>| {
        let mut names = expressions.flat_map(Expression::names);
        names.any(|name| name.starts_with("formula.") || known.contains(name.as_str()))
    };
    for place in order.iter().filter_map(|at| places.get(*at)) {
        if speaks(&mut place.relevant.iter(), &from_formula) {
            return true;
        }
        if speaks(&mut place.value.iter(), &from_formula) {
            from_formula.insert(&place.question.key);
        }
    }
    false
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

/// A walk through what depends on what.
struct Walk<'a> {
    needs: &'a [BTreeSet<usize>],
    order: Vec<usize>,
    state: Vec<State>,
    path: Vec<usize>,
}

impl Walk<'_> {
    /// The circle that was found, if there is one. With a stack of its own: a form may be long.
    fn visit(&mut self, start: usize) -> Option<Vec<usize>> {
        let mut todo = vec![(start, false)];
        while let Some((at, leaving)) = todo.pop() {
            let state = self.state.get_mut(at)?;
            if leaving {
                *state = State::Done;
                self.path.pop();
                self.order.push(at);
                continue;
            }
            match *state {
                State::Done => {}
                State::Open => {
                    let begin = self.path.iter().position(|step| *step == at).unwrap_or_default();
                    let mut circle: Vec<usize> = self.path.iter().skip(begin).copied().collect();
                    circle.push(at);
                    return Some(circle);
                }
                State::New => {
                    *state = State::Open;
                    self.path.push(at);
                    todo.push((at, true));
                    let needs = self.needs.get(at)?;
                    todo.extend(needs.iter().rev().map(|need| (*need, false)));
                }
            }
        }
        None
    }
}

/// Whether a field takes the answers of a question of this kind.
fn takes(field: &Field, kind: QuestionType) -> bool {
    let decimals = field.unit.map_or(0, Unit::decimals);
    match kind {
        QuestionType::One => matches!(field.kind, Type::Code { .. }),
        QuestionType::Many => matches!(field.kind, Type::Set { .. }),
        QuestionType::Int => matches!(field.kind, Type::Int { .. }) && decimals == 0,
        QuestionType::Decimal => matches!(field.kind, Type::Int { .. }) && decimals > 0,
        QuestionType::Text => matches!(
            field.kind,
            Type::Text { .. } | Type::Digits { .. } | Type::Phone | Type::Certificate | Type::Slots { .. }
        ),
        QuestionType::Date => field.kind == Type::Date,
        QuestionType::Month => field.kind == Type::Month,
        QuestionType::Bool => field.kind == Type::Bool,
        QuestionType::Member => field.kind == Type::Member,
        QuestionType::Photo | QuestionType::Signature => {
            matches!(field.kind, Type::Hash | Type::Hashes { .. })
        }
        QuestionType::Position => field.kind == Type::Point,
        QuestionType::Calculated | QuestionType::Note => false,
    }
}

/// A key that expressions can name.
fn is_key(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain)
}

fn is_id(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=40).contains(&text.len()) && text.chars().all(plain)
}

/// Whether a text is a version of a form: three numbers of one to four digits, such as `1.0.0`.
#[must_use]
pub fn is_version(text: &str) -> bool {
    let number = |part: &str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(number)
}
