//! Reads an XLSForm into a form of ours, with a report of what could not be carried over.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_survey::form::{
    Choice, Form, Group, Label, QUESTIONS_MAX, Question, QuestionType, Required, Section, Severity,
    Validation, is_version, load,
};
use serde_json::Value;

use crate::columns::{is_yes, label, others};
use crate::report::{Report, XlsformError};
use crate::rows::{What, is_reserved, left_out, own_question, what};
use crate::settle::take_out;
use crate::sheet::{Book, Row, read};
use crate::spoken::{Names, Spoken, decimals, names, plain};
use crate::to_cel::{Place, tag, to_cel};
use crate::to_xpath::to_xpath;

/// Decimals of a number of which nothing says how many.
const DECIMALS: u32 = 2;
/// Columns that carry something we have no place for.
const COLUMNS_LOST: [&str; 7] =
    ["default", "trigger", "parameters", "repeat_count", "read_only", "readonly", "guidance_hint"];
/// Columns of choices that are no tags.
const CHOICE_COLUMNS: [&str; 5] = ["list_name", "name", "value", "label", "image"];

/// A form that was read, and what was lost on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The form. It holds together.
    pub form: Form,
    /// What could not be carried over.
    pub report: Report,
}

/// Reads an XLSForm workbook, `.xlsx`, `.xls` or `.ods`.
///
/// # Errors
/// When it is no workbook, has no sheet of questions, or nothing of it could be carried over.
pub fn import(bytes: &[u8]) -> Result<Imported, XlsformError> {
    let book = read(bytes)?;
    if !book.survey.iter().any(|row| row.cells.contains_key("type") && row.cells.contains_key("name")) {
        return Err(XlsformError::NoSurvey);
    }
    if book.survey.len() > QUESTIONS_MAX * 2 {
        return Err(XlsformError::TooMuch(QUESTIONS_MAX, "questions"));
    }
    let mut importer = Importer::new(&book);
    importer.lists = importer.lists(&book.choices);
    importer.name_all(&book.survey);
    if importer.names.len() > QUESTIONS_MAX {
        return Err(XlsformError::TooMuch(QUESTIONS_MAX, "questions"));
    }
    importer.walk(&book.survey);
    let form = importer.form(book.settings.as_ref());
    importer.settle(form)
}

/// A group or a repeat that is open.
#[derive(Debug, Clone, Default)]
struct Frame {
    /// Where it begins; 0 for what stands in none.
    row: u32,
    key: String,
    title: Label,
    relevant: Option<String>,
    repeat: bool,
    /// What an export of ours said of the section or group.
    rest: Value,
}

struct Importer {
    report: Report,
    /// The questions by their names in the workbook.
    names: Names,
    /// The same by their keys here.
    by_key: Names,
    repeats: BTreeSet<String>,
    columns: BTreeSet<String>,
    lists: BTreeMap<String, Vec<Choice>>,
    sections: Vec<Section>,
    /// Where the section and the group of the last question begin.
    last: Option<(u32, u32)>,
    rows: BTreeMap<String, u32>,
    keys: BTreeSet<String>,
}

impl Importer {
    fn new(book: &Book) -> Self {
        let of_choices = book.choices.iter().flat_map(|row| row.cells.keys());
        let columns =
            of_choices.filter(|column| !CHOICE_COLUMNS.contains(&column.as_str()) && !column.contains("::"));
        let mut columns: BTreeSet<String> = columns.cloned().collect();
        columns.insert("name".to_owned());
        Self {
            report: Report::default(),
            names: Names::new(),
            by_key: Names::new(),
            repeats: BTreeSet::new(),
            columns,
            lists: BTreeMap::new(),
            sections: Vec::new(),
            last: None,
            rows: BTreeMap::new(),
            keys: BTreeSet::new(),
        }
    }

    fn lists(&mut self, rows: &[Row]) -> BTreeMap<String, Vec<Choice>> {
        let mut lists: BTreeMap<String, Vec<Choice>> = BTreeMap::new();
        for row in rows {
            let list = row.get("list_name");
            let code = if row.get("name").is_empty() { row.get("value") } else { row.get("name") };
            if list.is_empty() || code.is_empty() {
                self.report.lose("choices", row.number, list, "a choice without a list or a name");
                continue;
            }
            let said = label(row, "label").map_or_else(|| Label::new(code, code), |(label, _)| label);
            let choices = lists.entry(list.to_owned()).or_default();
            if choices.iter().any(|choice| choice.code == code) {
                self.report.lose("choices", row.number, list, format!("{code} is listed twice"));
                continue;
            }
            let tags =
                row.cells.iter().filter(|(column, _)| self.columns.contains(*column) && *column != "name");
            let tags = tags.map(|(column, text)| (tag(column), text.clone())).collect();
            choices.push(Choice { code: code.to_owned(), label: said, tags });
        }
        lists
    }

    /// A key of ours for a name of theirs; each is given once.
    fn key(&mut self, row: &Row) -> String {
        let name = row.get("name");
        let mut key: String = plain(name).chars().take(50).collect();
        if !key.starts_with(|c: char| c.is_ascii_lowercase()) || is_reserved(&key) {
            key = format!("q_{key}");
        }
        let key = free(&key, |key| self.keys.contains(key));
        self.keys.insert(key.clone());
        if key != name {
            self.report.lose("survey", row.number, name, format!("is called {key}"));
        }
        key
    }

    /// Every question by its name, so that expressions can speak of those below them.
    fn name_all(&mut self, rows: &[Row]) {
        let mut open = Vec::new();
        for row in rows {
            match what(row) {
                Some(What::Begin { repeat }) => {
                    open.push(repeat);
                    if repeat {
                        self.repeats.insert(row.get("name").to_owned());
                    }
                }
                Some(What::End) => {
                    open.pop();
                }
                Some(What::Question(kind, _)) if !self.names.contains_key(row.get("name")) => {
                    let key = self.key(row);
                    self.rows.insert(key.clone(), row.number);
                    let ours = own_question(row);
                    let spoken = Spoken {
                        key,
                        kind: ours.as_ref().map_or(kind, |question| question.kind),
                        decimals: match &ours {
                            Some(question) => decimals(question),
                            None if kind == QuestionType::Decimal => DECIMALS,
                            None => 0,
                        },
                        each_member: open.contains(&true),
                    };
                    self.by_key.insert(spoken.key.clone(), spoken.clone());
                    self.names.insert(row.get("name").to_owned(), spoken);
                }
                _ => {}
            }
        }
    }

    fn walk(&mut self, rows: &[Row]) {
        let mut open: Vec<Frame> = Vec::new();
        let mut seen = BTreeSet::new();
        for row in rows {
            let name = row.get("name");
            match what(row) {
                None => self.report.lose(
                    "survey",
                    row.number,
                    name,
                    format!("the type {:?} is not known", row.get("type")),
                ),
                Some(What::Lost(why)) => self.report.lose("survey", row.number, name, why),
                Some(What::Begin { repeat }) => open.push(self.frame(row, repeat)),
                Some(What::End) => {
                    if open.pop().is_none() {
                        self.report.lose("survey", row.number, name, "an end without a beginning");
                    }
                }
                Some(What::Question(..)) if !seen.insert(name.to_owned()) => {
                    self.report.lose("survey", row.number, name, "a second question of this name");
                }
                Some(What::Question(kind, list)) => {
                    let question = self.question(row, kind, list);
                    self.place(&open, question);
                }
            }
        }
    }

    fn frame(&mut self, row: &Row, repeat: bool) -> Frame {
        let rest: Value = serde_json::from_str(row.get("ruhu")).unwrap_or_default();
        let known = rest.get("section").or_else(|| rest.get("group")).and_then(|part| part.get("relevant"));
        let ours = known.and_then(Value::as_str).map(str::to_owned);
        let relevant = self.column(row, "relevant", ours.as_deref());
        if repeat && rest.is_null() {
            self.report.lose(
                "survey",
                row.number,
                row.get("name"),
                "a repeat is asked of each member of the household",
            );
        }
        let title = label(row, "label")
            .map_or_else(|| Label::new(row.get("name"), row.get("name")), |(label, _)| label);
        let key: String = plain(row.get("name")).chars().take(60).collect();
        let key = if key.starts_with(|c: char| c.is_ascii_lowercase()) { key } else { format!("g_{key}") };
        Frame { row: row.number, key, title, relevant, repeat, rest }
    }

    fn question(&mut self, row: &Row, kind: QuestionType, list: Option<String>) -> Question {
        let name = row.get("name").to_owned();
        let key = self.names.get(&name).map_or_else(|| name.clone(), |spoken| spoken.key.clone());
        for column in COLUMNS_LOST {
            if !row.get(column).is_empty() {
                self.report.lose(
                    "survey",
                    row.number,
                    &name,
                    format!("the column {column} has no counterpart"),
                );
            }
        }
        if let Some(what) = left_out(row) {
            self.report.lose("survey", row.number, &name, what);
        }
        for language in others(row) {
            self.report.lose("survey", row.number, &name, format!("the language {language} is left out"));
        }
        if row.cells.keys().any(|column| column.starts_with("media") || column.starts_with("image::")) {
            self.report.lose(
                "survey",
                row.number,
                &name,
                "pictures and sounds beside a question are left out",
            );
        }
        let ours = own_question(row);
        let mut question = ours.clone().unwrap_or_else(|| Question { kind, ..Question::default() });
        question.key = key;
        question.label = self.said(row, "label", &name);
        question.hint = label(row, "hint").map(|(hint, _)| hint);
        if ours.is_none() {
            question.list = list;
            question.decimals = (kind == QuestionType::Decimal).then_some(DECIMALS);
        }
        question.required = self.required(row, &question.required);
        question.relevant = self.column(row, "relevant", question.relevant.as_deref());
        question.choice_filter = self.column(row, "choice_filter", question.choice_filter.as_deref());
        if question.kind == QuestionType::Calculated {
            question.value = self.column(row, "calculation", question.value.as_deref());
        } else if !row.get("calculation").is_empty() {
            self.report.lose(
                "survey",
                row.number,
                &name,
                "a calculation of a question that is asked has no counterpart",
            );
        }
        self.constraint(row, &mut question);
        question
    }

    fn said(&mut self, row: &Row, column: &str, name: &str) -> Label {
        match label(row, column) {
            Some((label, missing)) => {
                if !missing.is_empty() {
                    let text = format!("no label in {}: the other one stands for it", missing.join(" and "));
                    self.report.lose("survey", row.number, name, text);
                }
                label
            }
            None => {
                if what(row).is_some_and(|what| !matches!(what, What::Question(QuestionType::Calculated, _)))
                {
                    self.report.lose("survey", row.number, name, "no label: the name stands for it");
                }
                Label::new(name, name)
            }
        }
    }

    fn required(&mut self, row: &Row, ours: &Required) -> Required {
        let text = row.get("required");
        match ours {
            Required::When(known) => self
                .column(row, "required", Some(known.as_str()))
                .map_or(Required::Fixed(false), Required::When),
            Required::Fixed(_) if is_yes(text) => Required::Fixed(true),
            Required::Fixed(_)
                if text.is_empty() || matches!(text.to_lowercase().as_str(), "no" | "false" | "false()") =>
            {
                Required::Fixed(false)
            }
            Required::Fixed(_) => {
                self.column(row, "required", None).map_or(Required::Fixed(false), Required::When)
            }
        }
    }

    /// An expression of a row: what an export of ours said, where the column still says the same; else what
    /// the column says now.
    fn column(&mut self, row: &Row, column: &str, ours: Option<&str>) -> Option<String> {
        let text = row.get(column);
        if let Some(ours) = ours
            && to_xpath(ours, &self.by_key, None).unwrap_or_default() == text
        {
            return Some(ours.to_owned());
        }
        if text.is_empty() {
            return None;
        }
        let none = BTreeSet::new();
        let columns = if column == "choice_filter" { &self.columns } else { &none };
        let place = Place { names: &self.names, own: row.get("name"), repeats: &self.repeats, columns };
        match to_cel(text, &place) {
            Ok(said) => Some(said),
            Err(why) => {
                self.report.lose("survey", row.number, row.get("name"), format!("{column}: {why}"));
                None
            }
        }
    }

    fn constraint(&mut self, row: &Row, question: &mut Question) {
        let said: Vec<String> = question
            .validations
            .iter()
            .filter_map(|validation| to_xpath(&validation.must, &self.by_key, Some(&question.key)).ok())
            .collect();
        if said.join(" and ") == row.get("constraint") {
            return;
        }
        question.validations.clear();
        let Some(must) = self.column(row, "constraint", None) else { return };
        let message = label(row, "constraint_message").map(|(message, _)| message);
        let message = message.unwrap_or_else(|| Label::new("不符合要求", "this does not fit"));
        question.validations.push(Validation {
            id: format!("C-{}", question.key),
            at: None,
            must,
            once: false,
            severity: Severity::Confirm,
            message,
        });
    }

    /// Puts a question into its section and group: a repeat is a section; of groups the outermost is one, the
    /// next the group, and the conditions of those further in come with the question.
    fn place(&mut self, open: &[Frame], mut question: Question) {
        let section_at = open.iter().position(|frame| frame.repeat).unwrap_or(0);
        let section = open.get(section_at).cloned().unwrap_or_else(|| Frame {
            key: "form".to_owned(),
            title: Label::new("问卷", "Form"),
            ..Frame::default()
        });
        let group = open.get(section_at + 1).cloned();
        let inner = open.iter().skip(section_at + 2).filter_map(|frame| frame.relevant.clone());
        question.relevant = all_of(inner.chain(question.relevant.take()));
        let here = (section.row, group.as_ref().map_or(0, |group| group.row));
        let before = self.last.replace(here);
        if before.is_none_or(|(row, _)| row != here.0) {
            let outer = open.iter().take(section_at).filter_map(|frame| frame.relevant.clone());
            let relevant = all_of(outer.chain(section.relevant.clone()));
            self.section(section, relevant);
        }
        if let Some(last) = self.sections.last_mut() {
            into_group(last, group, before == Some(here), question);
        }
    }

    fn section(&mut self, frame: Frame, relevant: Option<String>) {
        let key = free(&frame.key, |key| self.sections.iter().any(|section| section.key == key));
        let rest = frame.rest.get("section");
        let no = rest.and_then(|rest| rest.get("no")).and_then(Value::as_str).map(str::to_owned);
        let changed = rest.and_then(|rest| rest.get("changed")).cloned().unwrap_or_default();
        self.sections.push(Section {
            key,
            no,
            title: frame.title,
            each_member: frame.repeat,
            relevant,
            changed: serde_json::from_value(changed).unwrap_or_default(),
            groups: Vec::new(),
        });
    }

    fn form(&mut self, settings: Option<&Row>) -> Form {
        let empty = Row::default();
        let settings = settings.unwrap_or(&empty);
        let rest: Value = serde_json::from_str(settings.get("ruhu")).unwrap_or_default();
        let title = settings.get("form_title");
        let title = if title.is_empty() { Label::new("问卷", "Form") } else { Label::new(title, title) };
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let id: String = settings.get("form_id").chars().map(plain).take(40).collect();
        let version = settings.get("version");
        let fits = is_version(version);
        if !version.is_empty() && !fits {
            self.report.lose("settings", 2, "version", format!("{version} becomes 1.0.0"));
        }
        for column in settings.cells.keys() {
            let known = ["form_title", "form_id", "version", "default_language", "ruhu"];
            if !known.contains(&column.as_str()) {
                self.report.lose("settings", 2, column, "has no counterpart");
            }
        }
        let used: BTreeSet<String> = self.questions().filter_map(|question| question.list.clone()).collect();
        self.lists.retain(|name, _| used.contains(name));
        let of = |name: &str| rest.get(name).cloned().unwrap_or_default();
        Form {
            schema: None,
            form: if id.is_empty() { "imported".to_owned() } else { id },
            version: if fits { version.to_owned() } else { "1.0.0".to_owned() },
            title: serde_json::from_value(of("title")).unwrap_or(title),
            sections: std::mem::take(&mut self.sections),
            validations: serde_json::from_value(of("validations")).unwrap_or_default(),
            lists: std::mem::take(&mut self.lists),
        }
    }

    fn questions(&self) -> impl Iterator<Item = &Question> {
        self.sections.iter().flat_map(|section| &section.groups).flat_map(|group| &group.questions)
    }

    /// Takes out what does not hold together, piece by piece, until the rest does.
    fn settle(mut self, mut form: Form) -> Result<Imported, XlsformError> {
        for _ in 0..QUESTIONS_MAX {
            let faults = match load("import", form.clone()) {
                Ok(_) if names(&form).is_empty() => return Err(XlsformError::Nothing),
                Ok(_) => return Ok(Imported { form, report: self.report }),
                Err(invalid) => invalid.faults,
            };
            let before = form.clone();
            for fault in faults {
                let row = self.rows.get(&fault.at).copied().unwrap_or_default();
                self.report.lose("survey", row, &fault.at, format!("left out: {}", fault.reason));
                take_out(&mut form, &fault.at, &fault.reason);
            }
            // A fault of which no part can be taken out stays.
            if form == before {
                break;
            }
        }
        Err(XlsformError::Nothing)
    }
}

/// Puts a question into the last group of a section, or into a new one where another group begins.
fn into_group(section: &mut Section, frame: Option<Frame>, continues: bool, question: Question) {
    if !continues {
        let group = group_of(section, frame);
        section.groups.push(group);
    }
    if let Some(group) = section.groups.last_mut() {
        group.questions.push(question);
    }
}

fn group_of(section: &Section, frame: Option<Frame>) -> Group {
    let is_given = frame.is_some();
    let frame = frame.unwrap_or_else(|| Frame { key: "main".to_owned(), ..Frame::default() });
    let rest = frame.rest.get("group");
    let ours = rest.and_then(|rest| rest.get("key")).and_then(Value::as_str);
    let key = free(ours.unwrap_or(&frame.key), |key| section.groups.iter().any(|group| group.key == key));
    let title = match rest {
        Some(rest) => serde_json::from_value(rest.get("title").cloned().unwrap_or_default()).ok(),
        None => Some(frame.title).filter(|_| is_given),
    };
    Group { key, title, relevant: frame.relevant, questions: Vec::new() }
}

/// The name, or the first that is free with a number behind it.
fn free(name: &str, taken: impl Fn(&str) -> bool) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while taken(&free) {
        free = format!("{name}_{number}");
        number += 1;
    }
    free
}

fn all_of(parts: impl Iterator<Item = String>) -> Option<String> {
    let parts: Vec<String> = parts.collect();
    match parts.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(many.iter().map(|part| format!("({part})")).collect::<Vec<_>>().join(" && ")),
    }
}
