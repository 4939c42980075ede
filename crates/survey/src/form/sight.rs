//! A form and the facts seen together: the value of every name, and what is asked.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::facts::Facts;
use super::key_of;
use super::load::{LoadedForm, Place};
use super::names::OF_MEMBERS;
use crate::change::DocumentKind;
use crate::expression::{Expression, Scope, Truth, Val, age_on, evaluate, value_of};
use crate::field_table::field_by_path;

/// A form and the facts seen together.
#[derive(Debug)]
pub struct Sight<'a> {
    pub(super) form: &'a LoadedForm,
    pub(super) facts: &'a Facts,
    /// The members of today.
    members: Vec<String>,
    /// The members of until today: with those who leave by this visit.
    pub(super) listed: Vec<String>,
    /// The day that ages are of.
    age_day: Val,
    formulas: Cow<'a, BTreeMap<String, Val>>,
    /// By place, and in a section of members by the number of the member among [`Self::listed`].
    asked: Vec<Vec<Asked>>,
}

/// Whether a question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Yes,
    /// Its condition does not hold: it does not apply.
    No,
    /// That depends on a question that is asked and not answered yet.
    Later,
}

impl<'a> Sight<'a> {
    /// Works out what applies.
    #[must_use]
    pub fn new(form: &'a LoadedForm, facts: &'a Facts) -> Self {
        let (members, listed) = (facts.members(), facts.listed());
        let formulas = Cow::Borrowed(&facts.formulas);
        let age_day = facts.age_day();
        let mut sight = Self { form, facts, members, listed, age_day, formulas, asked: Vec::new() };
        sight.work_out_all();
        sight
    }

    /// Takes over what the formulas come to. They are worked out from a sight that does not know them yet.
    pub fn learn(&mut self, formulas: BTreeMap<String, Val>) {
        self.formulas = Cow::Owned(formulas);
        if self.form.asks_by_formula() {
            self.work_out_all();
        }
    }

    fn work_out_all(&mut self) {
        let slots = |place: &Place| if place.each_member { self.listed.len() } else { 1 };
        self.asked = self.form.places().iter().map(|place| vec![Asked::No; slots(place)]).collect();
        for at in self.form.order() {
            let Some(place) = self.form.places().get(*at) else { continue };
            for (slot, member) in self.members_of(place).iter().enumerate() {
                let asked = self.work_out(place, member.as_deref());
                if let Some(known) = self.asked.get_mut(*at).and_then(|slots| slots.get_mut(slot)) {
                    *known = asked;
                }
            }
        }
    }

    /// The value of a name, outside any section of members.
    #[must_use]
    pub fn value(&self, name: &str) -> Val {
        self.seen(None).value(name)
    }

    /// What expressions see at a place of this member, or of the household.
    pub(super) const fn seen<'b>(&'b self, member: Option<&'b str>) -> Seen<'b> {
        Seen { sight: self, member }
    }

    /// A value of a member.
    #[must_use]
    pub fn of_member(&self, member: &str, name: &str) -> Val {
        self.member_value(member, name)
    }

    /// Of whom a question may be asked: of each member, or of the household.
    pub(super) fn members_of(&self, place: &Place) -> Vec<Option<String>> {
        if place.each_member { self.listed.iter().cloned().map(Some).collect() } else { vec![None] }
    }

    pub(super) fn asked(&self, at: usize, member: Option<&str>) -> Asked {
        let slot = match member {
            None => Some(0),
            Some(member) => self.listed.iter().position(|one| one == member),
        };
        let found = slot.and_then(|slot| self.asked.get(at)?.get(slot));
        found.copied().unwrap_or(Asked::No)
    }

    /// What an expression comes to at a place of this member, or of the household.
    pub(super) fn come_to(&self, expression: &Expression, member: Option<&str>) -> Val {
        value_of(expression, &self.seen(member))
    }

    fn work_out(&self, place: &Place, member: Option<&str>) -> Asked {
        let leaves = member.is_some_and(|member| !self.members.iter().any(|one| one == member));
        if leaves && !place.question.of_leaving {
            return Asked::No;
        }
        let mut asked = Asked::Yes;
        for condition in &place.relevant {
            match self.come_to(condition, member).truth() {
                Truth::False => return Asked::No,
                Truth::True => {}
                Truth::Unknown if self.waits_for_any(condition, member) => asked = Asked::Later,
                // Nobody will be asked what is missing: rather a question too many than one too few.
                Truth::Unknown => {}
            }
        }
        asked
    }

    fn waits_for_any(&self, condition: &Expression, member: Option<&str>) -> bool {
        let used = evaluate(condition, &self.seen(member)).used;
        used.iter().any(|(name, value)| self.waits(name, value, member))
    }

    /// Whether a value is unknown because a question that is asked, or may be, has no answer yet.
    fn waits(&self, name: &str, value: &Val, member: Option<&str>) -> bool {
        let (member, name) = match name.strip_prefix("member/").and_then(|rest| rest.split_once('/')) {
            Some((member, name)) => (Some(member), name),
            None => (member, name),
        };
        let Some(at) = self.form.index(name).filter(|_| !value.is_known()) else { return false };
        let Some(place) = self.form.places().get(at) else { return false };
        let member = member.filter(|_| place.each_member);
        let comes = self.asked(at, member) != Asked::No && self.is_in_form(place);
        comes && !self.is_answered(place, member)
    }

    /// Whether a question belongs to what is asked: the short form asks what is marked, and what was ticked
    /// as changed.
    pub(super) fn is_in_form(&self, place: &Place) -> bool {
        let ticked = || match self.value("anything_changed") {
            Val::List(changed) => {
                place.changed.iter().any(|code| changed.contains(&Val::text(code.as_str())))
            }
            _ => false,
        };
        !self.facts.short || place.question.short || ticked()
    }

    /// Whether a question has an answer, be it that nobody knows.
    pub(super) fn is_answered(&self, place: &Place, member: Option<&str>) -> bool {
        let Some((field, path)) = place.field_and_path() else { return false };
        let key = key_of(path, member);
        let stands = || place.of_register && self.facts.value(field, true, &key).is_known();
        self.facts.is_answered(field, &key) || stands()
    }

    pub(super) fn answer(&self, place: &Place, member: Option<&str>) -> Val {
        if let Some(value) = &place.value {
            return self.come_to(value, member);
        }
        let Some((field, path)) = place.field_and_path() else { return Val::Unknown };
        self.facts.value(field, place.of_register, &key_of(path, member))
    }

    pub(super) fn last(&self, place: &Place, member: Option<&str>) -> Val {
        let Some((field, path)) = place.field_and_path() else { return Val::Unknown };
        self.facts.last_value(field, place.of_register, &key_of(path, member))
    }

    /// The answer, or that the question does not apply.
    fn question(&self, key: &str, member: Option<&str>) -> Option<Val> {
        let at = self.form.index(key)?;
        let place = self.form.places().get(at)?;
        let member = if place.each_member { Some(member?) } else { None };
        // What stands in the register stands whether or not it is asked again.
        Some(match self.asked(at, member) {
            Asked::No if !place.of_register => Val::NotApplicable,
            _ => self.answer(place, member),
        })
    }

    fn earlier(&self, key: &str, member: Option<&str>) -> Option<Val> {
        let place = self.form.place(key)?;
        let member = if place.each_member { Some(member?) } else { None };
        Some(self.last(place, member))
    }

    fn member_value(&self, member: &str, name: &str) -> Val {
        let facts = self.facts;
        match name {
            "age" => age(&facts.birth_date(member), &self.age_day),
            "sex" => facts.sex(member),
            "birth_date" => facts.birth_date(member),
            "is_head" => facts.is_head(member),
            "is_new" => facts.is_new(member),
            "disability_grade" => facts.disability_grade(member),
            _ => match name.strip_prefix("last.") {
                Some(key) => self.earlier(key, Some(member)).unwrap_or(Val::Unknown),
                None => self.question(name, Some(member)).unwrap_or(Val::Unknown),
            },
        }
    }

    fn household_value(&self, name: &str) -> Val {
        match name {
            "members" => Val::List(self.members.iter().cloned().map(Val::Member).collect()),
            "population" => i64::try_from(self.members.len()).map_or(Val::Unknown, Val::Int),
            "today" => Val::text(&*self.facts.today),
            "age_day" => self.age_day.clone(),
            "check.type" => Val::text(&*self.facts.check_type),
            "check.short" => Val::Bool(self.facts.short),
            "check.has_prior" => Val::Bool(self.facts.last_on.is_some()),
            _ => {
                let kept = name.strip_prefix("household.").and_then(|path| {
                    let field = field_by_path(DocumentKind::Household, path)?;
                    Some(self.facts.value(field, true, path))
                });
                let formula = || self.formulas.get(name.strip_prefix("formula.")?).cloned();
                let earlier = || self.earlier(name.strip_prefix("last.")?, None);
                kept.or_else(formula)
                    .or_else(earlier)
                    .or_else(|| self.question(name, None))
                    .unwrap_or(Val::Unknown)
            }
        }
    }
}

/// What the expressions of one place see.
pub(super) struct Seen<'a> {
    sight: &'a Sight<'a>,
    member: Option<&'a str>,
}

impl Scope for Seen<'_> {
    fn value(&self, name: &str) -> Val {
        let plain = name.strip_prefix("last.").unwrap_or(name);
        let per_member = self.sight.form.place(plain).is_some_and(|place| place.each_member);
        match self.member {
            Some(member) if per_member || OF_MEMBERS.contains(&name) => self.sight.member_value(member, name),
            _ => self.sight.household_value(name),
        }
    }

    fn of_member(&self, member: &str, name: &str) -> Val {
        self.sight.member_value(member, name)
    }
}

fn age(birth: &Val, day: &Val) -> Val {
    match (birth, day) {
        (Val::Text(birth), Val::Text(day)) => age_on(birth, day).unwrap_or(Val::Unknown),
        _ => Val::Unknown,
    }
}
