//! Writes a form as an XLSForm.

use std::collections::BTreeMap;

use ruhu_survey::form::{Choice, Form, Group, Label, Question, QuestionType, Required, Section, choices};
use rust_xlsxwriter::{Workbook, Worksheet};
use serde_json::{Map, Value, json};

use crate::columns::{CHINESE, ENGLISH};
use crate::report::{Report, XlsformError};
use crate::spoken::{Names, names};
use crate::to_xpath::to_xpath;

const SURVEY: [&str; 15] = [
    "type",
    "name",
    "label::中文 (zh)",
    "label::English (en)",
    "hint::中文 (zh)",
    "hint::English (en)",
    "required",
    "relevant",
    "constraint",
    "constraint_message::中文 (zh)",
    "constraint_message::English (en)",
    "calculation",
    "choice_filter",
    "appearance",
    "ruhu",
];

/// Writes a form as an XLSForm workbook. What XLSForm has no place for stands in the column `ruhu`; what its
/// expressions cannot say is named in the report.
///
/// # Errors
/// When the workbook cannot be written.
pub fn export(form: &Form) -> Result<(Vec<u8>, Report), XlsformError> {
    let names = names(form);
    let mut writer =
        Writer { names: &names, lists: BTreeMap::new(), rows: Vec::new(), report: Report::default() };
    for section in &form.sections {
        writer.section(form, section);
    }
    let mut book = Workbook::new();
    let survey = book.add_worksheet().set_name("survey")?;
    write(survey, &SURVEY, &writer.rows)?;
    choices_sheet(&mut book, &writer.lists)?;
    let settings = book.add_worksheet().set_name("settings")?;
    let rest = json!({ "validations": form.validations, "title": form.title });
    let row = [
        ("form_title", form.title.zh.clone()),
        ("form_id", form.form.clone()),
        ("version", form.version.clone()),
        ("default_language", CHINESE.to_owned()),
        ("ruhu", rest.to_string()),
    ];
    let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
    write(settings, &columns, &[row.iter().cloned().collect()])?;
    Ok((book.save_to_buffer()?, writer.report))
}

type Cells = BTreeMap<&'static str, String>;

fn write(sheet: &mut Worksheet, columns: &[&str], rows: &[Cells]) -> Result<(), XlsformError> {
    for (at, column) in columns.iter().enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        sheet.write_string(0, at, *column)?;
        for (line, row) in rows.iter().enumerate() {
            if let Some(text) = row.get(column).filter(|text| !text.is_empty()) {
                sheet.write_string(u32::try_from(line + 1).unwrap_or(u32::MAX), at, text)?;
            }
        }
    }
    Ok(())
}

fn choices_sheet(book: &mut Workbook, lists: &BTreeMap<String, Vec<Choice>>) -> Result<(), XlsformError> {
    let sheet = book.add_worksheet().set_name("choices")?;
    let mut columns = vec![
        "list_name".to_owned(),
        "name".to_owned(),
        format!("label::{CHINESE}"),
        format!("label::{ENGLISH}"),
    ];
    let tags = lists.values().flatten().flat_map(|choice| choice.tags.keys());
    for tag in tags {
        if !columns.contains(tag) {
            columns.push(tag.clone());
        }
    }
    for (at, column) in columns.iter().enumerate() {
        sheet.write_string(0, u16::try_from(at).unwrap_or(u16::MAX), column)?;
    }
    let lines = lists.iter().flat_map(|(name, choices)| choices.iter().map(move |choice| (name, choice)));
    for (line, (name, choice)) in lines.enumerate() {
        let line = u32::try_from(line + 1).unwrap_or(u32::MAX);
        let fixed = [name, &choice.code, &choice.label.zh, &choice.label.en];
        for (at, column) in columns.iter().enumerate() {
            let text = fixed.get(at).copied().or_else(|| choice.tags.get(column));
            if let Some(text) = text {
                sheet.write_string(line, u16::try_from(at).unwrap_or(u16::MAX), text)?;
            }
        }
    }
    Ok(())
}

struct Writer<'a> {
    names: &'a Names,
    lists: BTreeMap<String, Vec<Choice>>,
    rows: Vec<Cells>,
    report: Report,
}

impl Writer<'_> {
    fn section(&mut self, form: &Form, section: &Section) {
        let kind = if section.each_member { "begin_repeat" } else { "begin_group" };
        let rest = json!({ "section": { "no": section.no, "changed": section.changed, "relevant": section.relevant } });
        self.bracket(kind, &section.key, &section.title, section.relevant.as_deref(), "", &rest);
        for group in &section.groups {
            self.group(form, section, group);
        }
        self.rows.push(Cells::from([("type", kind.replace("begin", "end")), ("name", section.key.clone())]));
    }

    fn group(&mut self, form: &Form, section: &Section, group: &Group) {
        let name = format!("{}_{}", section.key, group.key);
        let rest = json!({ "group": { "key": group.key, "title": group.title, "relevant": group.relevant } });
        let title = group.title.as_ref().unwrap_or(&section.title);
        self.bracket("begin_group", &name, title, group.relevant.as_deref(), "field-list", &rest);
        for question in &group.questions {
            self.question(form, question);
        }
        self.rows.push(Cells::from([("type", "end_group".to_owned()), ("name", name)]));
    }

    fn bracket(
        &mut self,
        kind: &str,
        name: &str,
        title: &Label,
        relevant: Option<&str>,
        appearance: &str,
        rest: &Value,
    ) {
        let relevant = relevant.map(|text| self.expression(name, "relevant", text)).unwrap_or_default();
        self.rows.push(Cells::from([
            ("type", kind.to_owned()),
            ("name", name.to_owned()),
            ("label::中文 (zh)", title.zh.clone()),
            ("label::English (en)", title.en.clone()),
            ("relevant", relevant),
            ("appearance", appearance.to_owned()),
            ("ruhu", rest.to_string()),
        ]));
    }

    fn question(&mut self, form: &Form, question: &Question) {
        let key = question.key.as_str();
        let list = self.list(form, question);
        let (kind, appearance) = kind_of(question, &list);
        let required = match &question.required {
            Required::Fixed(yes) => (if *yes { "yes" } else { "" }).to_owned(),
            Required::When(text) => self.expression(key, "required", text),
        };
        let relevant = question.relevant.as_deref().map(|text| self.expression(key, "relevant", text));
        let value = question.value.as_deref().map(|text| self.expression(key, "calculation", text));
        let filter =
            question.choice_filter.as_deref().map(|text| self.expression(key, "choice_filter", text));
        let (constraint, message) = self.constraint(question);
        let hint = question.hint.clone().unwrap_or_default();
        self.rows.push(Cells::from([
            ("type", kind),
            ("name", key.to_owned()),
            ("label::中文 (zh)", question.label.zh.clone()),
            ("label::English (en)", question.label.en.clone()),
            ("hint::中文 (zh)", hint.zh),
            ("hint::English (en)", hint.en),
            ("required", required),
            ("relevant", relevant.unwrap_or_default()),
            ("constraint", constraint),
            ("constraint_message::中文 (zh)", message.zh),
            ("constraint_message::English (en)", message.en),
            ("calculation", value.unwrap_or_default()),
            ("choice_filter", filter.unwrap_or_default()),
            ("appearance", appearance.to_owned()),
            ("ruhu", rest(question).to_string()),
        ]));
    }

    /// The list of a question, under a name of its own where only some of its codes are offered.
    fn list(&mut self, form: &Form, question: &Question) -> String {
        if question.kind == QuestionType::Bool {
            let choice = |code: &str, zh: &str| Choice {
                code: code.to_owned(),
                label: Label::new(zh, code),
                tags: BTreeMap::new(),
            };
            self.lists.insert("yes_no".to_owned(), vec![choice("yes", "是"), choice("no", "否")]);
        }
        if !matches!(question.kind, QuestionType::One | QuestionType::Many) {
            return String::new();
        }
        let of_field = || {
            let field = ruhu_survey::form::bound_field(question)?;
            match &field.kind {
                ruhu_survey::field_table::Type::Code { list }
                | ruhu_survey::field_table::Type::Set { list } => Some(list.clone()),
                _ => None,
            }
        };
        let name = question.list.clone().or_else(of_field).unwrap_or_else(|| question.key.clone());
        let name = if question.only.is_empty() { name } else { format!("{name}_{}", question.key) };
        self.lists.insert(name.clone(), choices(form, question));
        name
    }

    /// XLSForm has one constraint a question: all of ours that it can say, joined.
    fn constraint(&mut self, question: &Question) -> (String, Label) {
        let mut said = Vec::new();
        let mut message = Label::default();
        for validation in &question.validations {
            match to_xpath(&validation.must, self.names, Some(&question.key)) {
                Ok(text) => {
                    said.push(text);
                    message = validation.message.clone();
                }
                Err(reason) => self.lose(
                    &question.key,
                    format!("{} stands in the column ruhu alone: {reason}", validation.id),
                ),
            }
        }
        (said.join(" and "), message)
    }

    fn expression(&mut self, name: &str, part: &str, text: &str) -> String {
        match to_xpath(text, self.names, None) {
            Ok(said) => said,
            Err(reason) => {
                self.lose(name, format!("{part} stands in the column ruhu alone: {reason}"));
                String::new()
            }
        }
    }

    fn lose(&mut self, name: &str, reason: String) {
        let row = u32::try_from(self.rows.len() + 2).unwrap_or(u32::MAX);
        self.report.lose("survey", row, name, reason);
    }
}

/// What of a question XLSForm has no column for, and the expressions as they are here.
fn rest(question: &Question) -> Value {
    let mut all = match serde_json::to_value(question) {
        Ok(Value::Object(all)) => all,
        _ => Map::new(),
    };
    for shown in ["key", "label", "hint"] {
        all.remove(shown);
    }
    json!({ "question": all })
}

fn kind_of(question: &Question, list: &str) -> (String, &'static str) {
    let plain = |kind: &str| (kind.to_owned(), "");
    match question.kind {
        QuestionType::One => (format!("select_one {list}"), ""),
        QuestionType::Many => (format!("select_multiple {list}"), ""),
        QuestionType::Int => plain("integer"),
        QuestionType::Decimal => plain("decimal"),
        QuestionType::Text | QuestionType::Member => plain("text"),
        QuestionType::Date => plain("date"),
        QuestionType::Month => ("date".to_owned(), "month-year"),
        QuestionType::Bool => plain("select_one yes_no"),
        QuestionType::Photo => plain("image"),
        QuestionType::Signature => ("image".to_owned(), "signature"),
        QuestionType::Position => plain("geopoint"),
        QuestionType::Calculated => plain("calculate"),
        QuestionType::Note => plain("note"),
    }
}
