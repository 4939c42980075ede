//! What the expressions of a form may speak of, and of which kind it is.
//!
//! | name | what |
//! |---|---|
//! | a question's key | its answer; in a section of members, of the member who is asked |
//! | `last.<key>` | the answer of the last check |
//! | `household.<field>` | a field of the household's register |
//! | `members` | the members who have not left, for `exists` and the like: `m.<key>`, `m.age` … |
//! | `formula.<name>` | a formula of the rules, such as `formula.per_capita_net_income` ([`FORMULAS`]) |
//! | `population` | how many they are |
//! | `check.type`, `check.short`, `check.has_prior` | about the visit |
//! | `today`, `age_day` | the day of the visit, and the day that ages are of |
//! | `age`, `sex`, `birth_date`, `is_head`, `is_new`, `disability_grade` | of a member |

use std::collections::BTreeMap;

use super::format::{Form, Question, QuestionType};
use crate::change::DocumentKind;
use crate::code_list::{CodeList, code_list};
use crate::expression::{Kind, Names};
use crate::field_table::{Field, Type, field_by_path};

/// Names of a visit and of a household, which no question may bear.
const RESERVED: [&str; 8] =
    ["members", "population", "today", "age_day", "check", "household", "last", "formula"];

/// The formulas that a form may speak of, and that every set of rules defines (domain model, 3.16). Money in fen,
/// shares in basis points.
pub const FORMULAS: [&str; 9] = [
    "wages_by_members",
    "transfer_income",
    "gross_income",
    "net_income",
    "per_capita_net_income",
    "after_shock_per_capita",
    "labour_count",
    "labour_share",
    "wage_share",
];

/// Names of a member, which no question may bear either.
pub(super) const OF_MEMBERS: [&str; 6] =
    ["age", "sex", "birth_date", "is_head", "is_new", "disability_grade"];

/// Whether a name means something of its own in expressions, so that no question may bear it.
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    RESERVED.contains(&key) || OF_MEMBERS.contains(&key)
}

/// The names of a form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct FormNames {
    household: BTreeMap<String, Kind>,
    member: BTreeMap<String, Kind>,
}

impl FormNames {
    pub(super) fn of(form: &Form) -> Self {
        let mut names = Self::default();
        for section in &form.sections {
            for question in section.groups.iter().flat_map(|group| &group.questions) {
                let kind = kind_of(form, question);
                let names = if section.each_member { &mut names.member } else { &mut names.household };
                names.insert(question.key.clone(), kind);
            }
        }
        names
    }

    /// The names as they are in a section: of members or not.
    pub(super) const fn within(&self, each_member: bool) -> Within<'_> {
        Within { names: self, each_member }
    }

    fn of_household(&self, name: &str) -> Option<Kind> {
        let known = match name {
            "members" => Kind::List(Box::new(Kind::Member)),
            "population" => Kind::Int,
            "today" | "age_day" => Kind::Text,
            "check.type" => codes(code_list("check_type")),
            "check.short" | "check.has_prior" => Kind::Bool,
            _ => return self.asked_or_kept(name),
        };
        Some(known)
    }

    fn asked_or_kept(&self, name: &str) -> Option<Kind> {
        if let Some(field) = name.strip_prefix("household.") {
            return field_by_path(DocumentKind::Household, field).map(kind_of_field);
        }
        if let Some(formula) = name.strip_prefix("formula.") {
            return FORMULAS.contains(&formula).then_some(Kind::Int);
        }
        self.household.get(name.strip_prefix("last.").unwrap_or(name)).cloned()
    }

    fn of_member(&self, name: &str) -> Option<Kind> {
        Some(match name {
            "age" | "disability_grade" => Kind::Int,
            "is_head" | "is_new" => Kind::Bool,
            "birth_date" => Kind::Text,
            "sex" => codes(code_list("sex")),
            _ => self.member.get(name.strip_prefix("last.").unwrap_or(name))?.clone(),
        })
    }
}

/// The names that can be used at one place.
pub(super) struct Within<'a> {
    names: &'a FormNames,
    each_member: bool,
}

impl Names for Within<'_> {
    fn kind(&self, name: &str) -> Option<Kind> {
        let of_member = if self.each_member { self.names.of_member(name) } else { None };
        of_member.or_else(|| self.names.of_household(name))
    }

    fn member_kind(&self, name: &str) -> Option<Kind> {
        self.names.of_member(name)
    }
}

/// The names of a choice filter: those of its place and `choice.…`.
pub(super) struct OfChoice<'a> {
    pub(super) within: Within<'a>,
    pub(super) tags: Vec<String>,
}

impl Names for OfChoice<'_> {
    fn kind(&self, name: &str) -> Option<Kind> {
        match name.strip_prefix("choice.") {
            Some(tag) => (tag == "code" || self.tags.iter().any(|known| known == tag)).then_some(Kind::Text),
            None => self.within.kind(name),
        }
    }

    fn member_kind(&self, name: &str) -> Option<Kind> {
        self.within.member_kind(name)
    }
}

fn kind_of(form: &Form, question: &Question) -> Kind {
    match question.kind {
        QuestionType::One => Kind::Code(choice_codes(form, question)),
        QuestionType::Many => Kind::Set(choice_codes(form, question)),
        QuestionType::Int | QuestionType::Decimal => Kind::Int,
        QuestionType::Bool => Kind::Bool,
        QuestionType::Text | QuestionType::Photo | QuestionType::Signature if is_several(question) => {
            Kind::List(Box::new(Kind::Text))
        }
        QuestionType::Calculated | QuestionType::Note => Kind::Any,
        _ => Kind::Text,
    }
}

fn is_several(question: &Question) -> bool {
    super::bound_field(question)
        .is_some_and(|field| matches!(field.kind, Type::Slots { .. } | Type::Hashes { .. }))
}

/// The codes that a question can be answered with.
pub(super) fn choice_codes(form: &Form, question: &Question) -> Vec<String> {
    super::choices(form, question).into_iter().map(|choice| choice.code).collect()
}

fn kind_of_field(field: &Field) -> Kind {
    match &field.kind {
        Type::Int { .. } => Kind::Int,
        Type::Bool => Kind::Bool,
        Type::Code { list } => codes(code_list(list)),
        Type::Set { list } => match codes(code_list(list)) {
            Kind::Code(codes) => Kind::Set(codes),
            other => other,
        },
        Type::Slots { .. } | Type::Hashes { .. } => Kind::List(Box::new(Kind::Text)),
        _ => Kind::Text,
    }
}

fn codes(list: Option<&CodeList>) -> Kind {
    Kind::Code(list.into_iter().flat_map(|list| &list.codes).map(|code| code.code.clone()).collect())
}
