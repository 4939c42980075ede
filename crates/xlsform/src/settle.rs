//! Takes out of a form what does not hold together.

use ruhu_survey::form::{Form, Question, QuestionType, Reason, Required};

/// Takes the part of a form out that a fault is about.
pub(crate) fn take_out(form: &mut Form, at: &str, reason: &Reason) {
    form.validations.retain(|validation| validation.id != at);
    for section in &mut form.sections {
        for group in &mut section.groups {
            for question in &mut group.questions {
                question.validations.retain(|validation| validation.id != at);
                if question.key == at {
                    strip(question, reason, &mut group.relevant, &mut section.relevant);
                }
            }
            let gone = !is_a_part(reason);
            group.questions.retain(|question| question.key != at || !gone);
        }
        section.groups.retain(|group| !group.questions.is_empty());
    }
    form.sections.retain(|section| !section.groups.is_empty());
}

fn strip(
    question: &mut Question,
    reason: &Reason,
    of_group: &mut Option<String>,
    of_section: &mut Option<String>,
) {
    match reason {
        Reason::Expression { part: "relevant", .. } | Reason::NoCondition("relevant") | Reason::Cycle(_) => {
            // The innermost condition is the likeliest to be the one.
            [&mut question.relevant, of_group, of_section].into_iter().find_map(Option::take);
        }
        Reason::Expression { part: "required", .. } | Reason::NoCondition("required") => {
            question.required = Required::Fixed(false);
        }
        Reason::Expression { part: "choice_filter", .. } | Reason::NoCondition("choice_filter") => {
            question.choice_filter = None;
        }
        Reason::Expression { part: "value", .. } => {
            // A calculated question without its value is only a name.
            question.kind = QuestionType::Note;
            question.value = None;
        }
        Reason::UnknownField(_) | Reason::UnfitField(_) => {
            question.field = None;
            question.register = None;
        }
        Reason::UnknownCode(_) => question.only.clear(),
        _ => {}
    }
}

/// Whether a fault is about a part of a question that can be left out by itself.
const fn is_a_part(reason: &Reason) -> bool {
    matches!(
        reason,
        Reason::Expression { .. }
            | Reason::NoCondition(_)
            | Reason::Cycle(_)
            | Reason::UnknownField(_)
            | Reason::UnfitField(_)
            | Reason::UnknownCode(_)
    )
}
