//! The questions of a form in a terminal: one screen after the other, each answer kept before the next is asked.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write, stdin, stdout};

use dialoguer::Confirm;
use ruhu_client_core::{Asked, CheckForm, Client};
use ruhu_survey::change::DocumentKind;
use ruhu_survey::expression::Val;
use ruhu_survey::field_table::format_number;
use ruhu_survey::form::{Finding, Item, Label, Page, QuestionType};
use ruhu_survey::household::{Because, Input};
use ruhu_survey::id::CheckId;
use ruhu_survey::message::Lang;
use ruhu_survey::rule::{Findings, RuleAnswer};

use super::value::label;
use crate::failure::Failure;
use crate::output::Output;

/// Asks what the form asks until nothing is left; answers whether to submit.
pub(super) fn ask_all(
    client: &mut Client,
    check: CheckId,
    short: bool,
    output: &Output,
) -> Result<bool, Failure> {
    if !stdin().is_terminal() {
        return Err(Failure::BrokenOff);
    }
    output.say("ruhu_check_hint", &[]);
    let mut passed = BTreeSet::new();
    let mut screen = String::new();
    loop {
        let form = client.check_form(check, short)?;
        let Some((page, item)) = next(&form, &passed) else {
            reasons(client, check, &form, output)?;
            break;
        };
        if screen != page.id {
            screen.clone_from(&page.id);
            title(&form, page, output);
        }
        if !ask(client, check, (page, item), &form, output)? {
            passed.insert(place(page, item));
        }
    }
    let form = client.check_form(check, short)?;
    leads(&client.findings(check)?, output);
    replaced(&form.view.not_applicable, output);
    let question = output.message("ruhu_check_submit", &[]);
    Confirm::new().with_prompt(question).interact().map_err(|_| Failure::BrokenOff)
}

/// The first question that is asked, has no answer, and was not passed over.
fn next<'a>(form: &'a CheckForm, passed: &BTreeSet<String>) -> Option<(&'a Page, &'a Item)> {
    let items = form.view.pages.iter().flat_map(|page| page.items.iter().map(move |item| (page, item)));
    let mut open = items.filter(|(page, item)| {
        let here =
            item.is_asked() && !matches!(item.text.kind, QuestionType::Photo | QuestionType::Signature);
        here && item.key.is_some() && !item.answered && !passed.contains(&place(page, item))
    });
    open.next()
}

fn place(page: &Page, item: &Item) -> String {
    format!("{}/{}", page.id, item.question)
}

fn said(label: &Label, output: &Output) -> String {
    if output.lang() == Lang::Zh { label.zh.clone() } else { label.en.clone() }
}

/// The number of the screen, its title, and whose it is.
fn title(form: &CheckForm, page: &Page, output: &Output) {
    let number = form.view.pages.iter().position(|found| found.id == page.id).unwrap_or_default() + 1;
    let member = page.member_name.as_deref().map(|name| format!(" · {name}")).unwrap_or_default();
    let no = page.no.as_deref().unwrap_or_default();
    let (section, of) = (said(&page.section_title, output), form.view.pages.len());
    let group = said(&page.title, output);
    let group = if group == section { String::new() } else { format!(" / {group}") };
    println!("\n[{number}/{of}] {no} {section}{group}{member}");
    for item in page.items.iter().filter(|item| item.text.kind == QuestionType::Calculated) {
        println!("  {}: {}", said(&item.text.label, output), amount(item, &item.value, output));
    }
}

/// A value in the unit that people use.
fn amount(item: &Item, value: &Val, output: &Output) -> String {
    let text = |value: &Val| match value {
        Val::Int(number) => format_number(*number, item.text.decimals),
        Val::Text(code) => {
            let choice = item.choices().find(|choice| choice.code == *code);
            choice.map_or_else(|| code.clone(), |choice| said(&choice.label, output))
        }
        Val::Bool(yes) => yes_or_no(*yes, output.lang()).to_owned(),
        _ => "—".to_owned(),
    };
    match value {
        Val::List(items) if items.is_empty() => output.message("app_none_of_these", &[]),
        Val::List(items) => items.iter().map(text).collect::<Vec<_>>().join("、"),
        value => text(value),
    }
}

const fn yes_or_no(yes: bool, lang: Lang) -> &'static str {
    match (yes, lang) {
        (true, Lang::Zh) => "是",
        (false, Lang::Zh) => "否",
        (true, Lang::En) => "yes",
        (false, Lang::En) => "no",
    }
}

/// Asks one question until an answer fits; answers whether it was answered.
fn ask(
    client: &mut Client,
    check: CheckId,
    (page, item): (&Page, &Item),
    form: &CheckForm,
    output: &Output,
) -> Result<bool, Failure> {
    let star = if item.required { "*" } else { "" };
    let mut choices: Vec<String> = item.choices().map(|choice| said(&choice.label, output)).collect();
    if item.text.kind == QuestionType::Bool {
        choices = [true, false].map(|yes| yes_or_no(yes, output.lang()).to_owned()).to_vec();
    }
    if item.text.none_of_these {
        choices.push(output.message("app_none_of_these", &[]));
    }
    let choices = if choices.is_empty() { String::new() } else { format!(" [{}]", choices.join(" / ")) };
    let last = item.last.as_ref().map(|last| {
        output.message(
            "ruhu_check_last",
            &[("value", &amount(item, &last.value, output)), ("on", &last.on.as_deref().unwrap_or("—"))],
        )
    });
    let no = item.text.no.as_deref().unwrap_or_default();
    let prompt =
        format!("{no}{star} {}{choices}{}", said(&item.text.label, output), last.unwrap_or_default());
    loop {
        let line = read(&prompt)?;
        if line.is_empty() {
            return Ok(false);
        }
        let none = item.text.none_of_these && line == output.message("app_none_of_these", &[]);
        let asked = Asked { question: &item.question, member: page.member.as_deref(), element: None };
        let answered = match none {
            true => client.answer_none(check, &asked, &Because::default()),
            false => answer(client, check, (page, item), form, &line),
        };
        match answered {
            Ok(()) => return Ok(true),
            Err(error) => println!("  {error}"),
        }
    }
}

fn read(prompt: &str) -> Result<String, Failure> {
    print!("{prompt}: ");
    stdout().flush().map_err(|_| Failure::BrokenOff)?;
    let mut line = String::new();
    let read = stdin().lock().read_line(&mut line).map_err(|_| Failure::BrokenOff)?;
    if read == 0 { Err(Failure::BrokenOff) } else { Ok(line.trim().to_owned()) }
}

/// `=` accepts the last answer; several answers of one question stand between commas.
fn answer(
    client: &mut Client,
    check: CheckId,
    (page, item): (&Page, &Item),
    form: &CheckForm,
    line: &str,
) -> Result<(), ruhu_client_core::Error> {
    let (question, member) = (item.question.as_str(), page.member.as_deref());
    let asked = Asked { question, member, element: None };
    if line == "=" && item.last.is_some() {
        return client.accept_last(check, &asked);
    }
    let because = Because::default();
    // Not between spaces: English labels and names have them.
    let pieces = || line.split(['，', ',', '、']).map(str::trim).filter(|piece| !piece.is_empty());
    if item.text.kind == QuestionType::Many {
        for piece in pieces() {
            let code = item
                .choices()
                .find(|choice| choice.code == piece || choice.label.zh == piece || choice.label.en == piece);
            let code = code.map_or_else(|| piece.to_owned(), |choice| choice.code.clone());
            let asked = Asked { element: Some(&code), ..asked };
            client.answer_question(check, &asked, &Input::Text("是".to_owned()), &because)?;
        }
        return Ok(());
    }
    if item.text.several > 0 {
        for (slot, piece) in pieces().enumerate() {
            let slot = (slot + 1).to_string();
            let asked = Asked { element: Some(&slot), ..asked };
            client.answer_question(check, &asked, &Input::Text(piece.to_owned()), &because)?;
        }
        return Ok(());
    }
    let text = if item.text.kind == QuestionType::Member { member_of(form, line) } else { line.to_owned() };
    client.answer_question(check, &asked, &Input::Text(text), &because)
}

/// The id of the member with this name, or what was typed.
fn member_of(form: &CheckForm, name: &str) -> String {
    let found = form.view.pages.iter().find(|page| page.member_name.as_deref() == Some(name));
    found.and_then(|page| page.member.clone()).unwrap_or_else(|| name.to_owned())
}

/// Asks for the reason of each finding that needs one. Return leaves it open.
fn reasons(client: &mut Client, check: CheckId, form: &CheckForm, output: &Output) -> Result<(), Failure> {
    let open: Vec<&Finding> = form.view.findings.iter().filter(|finding| finding.is_open()).collect();
    for finding in open {
        let member = finding.member_name.as_deref().map(|name| format!("{name}: ")).unwrap_or_default();
        let mut items = form.view.pages.iter().flat_map(|page| &page.items);
        let item = items.find(|item| item.question == finding.question);
        let question = item.map(|item| said(&item.text.label, output)).unwrap_or_default();
        let what = format!("{member}{question}: {}", said(&finding.message, output));
        let Some(key) = &finding.key else { continue };
        let reason = read(&output.message("ruhu_check_reason", &[("finding", &what)]))?;
        if !reason.is_empty()
            && let Err(error) = client.confirm_finding(check, key, &reason)
        {
            println!("  {error}");
        }
    }
    Ok(())
}

/// Which answers will not be submitted, as their questions no longer apply: the draft is gone afterwards.
pub(super) fn replaced(keys: &[String], output: &Output) {
    for key in keys {
        let question = label(DocumentKind::Check, key, output.lang());
        output.say("ruhu_check_not_applicable", &[("question", &question)]);
    }
}

/// What the rules find. Each is a lead, never a decision.
fn leads(found: &Findings, output: &Output) {
    for found in found.findings.iter().filter(|found| found.answer == RuleAnswer::Hit) {
        output.say("ruhu_check_lead", &[("rule", &found.rule), ("title", &said(&found.title, output))]);
    }
}
