//! Forms go out and come back, and spreadsheets that others made are read with a report.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proptest::prelude::*;
use ruhu_survey::form::{Choice, Form, Group, Label, Question, QuestionType, Required, Section, load};
use ruhu_xlsform::{Imported, XlsformError, export, import};
use rust_xlsxwriter::Workbook;

/// A workbook of a survey, choices and settings; each row's cells under the header of its sheet.
fn workbook(survey: &[&[&str]], choices: &[&[&str]], settings: &[&[&str]]) -> Vec<u8> {
    let mut book = Workbook::new();
    for (name, rows) in [("survey", survey), ("choices", choices), ("settings", settings)] {
        let sheet = book.add_worksheet().set_name(name).unwrap();
        for (line, row) in rows.iter().enumerate() {
            for (column, text) in row.iter().enumerate() {
                sheet
                    .write_string(u32::try_from(line).unwrap(), u16::try_from(column).unwrap(), *text)
                    .unwrap();
            }
        }
    }
    book.save_to_buffer().unwrap()
}

const HEAD: &[&str] = &[
    "type",
    "name",
    "label::English (en)",
    "label::中文 (zh)",
    "relevant",
    "constraint",
    "required",
    "calculation",
    "choice_filter",
];

fn imported(survey: &[&[&str]]) -> Imported {
    let rows: Vec<&[&str]> = std::iter::once(HEAD).chain(survey.iter().copied()).collect();
    let choices: &[&[&str]] = &[
        &["list_name", "name", "label", "province"],
        &["yn", "yes", "Yes", ""],
        &["yn", "no", "No", ""],
        &["towns", "a", "A", "1"],
        &["towns", "b", "B", "2"],
        &["provinces", "1", "One", ""],
        &["provinces", "2", "Two", ""],
    ];
    import(&workbook(&rows, choices, &[&["form_title", "form_id"], &["A form", "a_form"]])).unwrap()
}

fn question<'a>(form: &'a Form, key: &str) -> &'a Question {
    let questions =
        form.sections.iter().flat_map(|section| &section.groups).flat_map(|group| &group.questions);
    questions.into_iter().find(|question| question.key == key).unwrap()
}

fn losses(imported: &Imported) -> Vec<String> {
    imported.report.losses.iter().map(ToString::to_string).collect()
}

#[test]
fn what_others_write_is_translated() {
    let survey: &[&[&str]] = &[
        &["select_one provinces", "province", "Province", "省"],
        &[
            "select_one towns",
            "town",
            "Town",
            "镇",
            "${province} != ''",
            "",
            "yes",
            "",
            "province = ${province}",
        ],
        &["integer", "age_years", "Age", "年龄", "", ". >= 0 and . <= 120", "true()"],
        &["decimal", "weight", "Weight", "体重", "${age_years} > 5", ". > 1.5"],
        &["select_multiple yn", "many", "Many", "多", "selected(${town}, 'a') or not(${age_years} = 3)"],
        &[
            "text",
            "phone",
            "Phone",
            "电话",
            "count-selected(${many}) >= 1",
            "regex(., '[0-9]{11}')",
            "${age_years} >= 18",
        ],
        &["calculate", "twice", "Twice", "两倍", "", "", "", "${age_years} * 2"],
        &["date", "born", "Born", "生", "", ". <= today()"],
        &["note", "thanks", "Thanks", "谢谢", "if(${age_years} > 3, true(), false())"],
    ];
    let imported = imported(survey);
    assert_eq!(losses(&imported), [""; 0]);
    let form = &imported.form;
    assert_eq!(question(form, "town").relevant.as_deref(), Some("known(province)"));
    assert_eq!(question(form, "town").choice_filter.as_deref(), Some("choice.province == province"));
    assert_eq!(question(form, "town").required, Required::Fixed(true));
    assert_eq!(question(form, "age_years").validations[0].must, "(age_years >= 0) && (age_years <= 120)");
    assert_eq!(question(form, "weight").validations[0].must, "weight > 150", "kept in hundredths");
    assert_eq!(question(form, "many").relevant.as_deref(), Some("(town == 'a') || !((age_years == 3))"));
    assert_eq!(question(form, "phone").validations[0].must, "matches(phone, '^(?:[0-9]{11})$')");
    assert_eq!(question(form, "phone").required, Required::When("age_years >= 18".to_owned()));
    assert_eq!(question(form, "twice").value.as_deref(), Some("age_years * 2"));
    assert_eq!(question(form, "thanks").relevant.as_deref(), Some("(age_years > 3) ? true : false"));
    assert!(load("again", form.clone()).is_ok());
}

#[test]
fn groups_become_sections_and_repeats_are_of_members() {
    let survey: &[&[&str]] = &[
        &["text", "first", "First", "一"],
        &["begin group", "outer", "Outer", "外", "${first} = 'x'"],
        &["begin group", "inner", "Inner", "内"],
        &["begin group", "deep", "Deep", "深", "${first} != 'y'"],
        &["text", "second", "Second", "二", "${first} != ''"],
        &["end group", ""],
        &["end group", ""],
        &["end group", ""],
        &["begin repeat", "people", "People", "人"],
        &["integer", "years", "Years", "岁"],
        &["end repeat", ""],
        &["calculate", "total", "Total", "总", "", "", "", "sum(${years}) + count(${people})"],
    ];
    let imported = imported(survey);
    assert_eq!(losses(&imported), ["survey 10: people: a repeat is asked of each member of the household"]);
    let sections: Vec<(&str, bool)> =
        imported.form.sections.iter().map(|section| (section.key.as_str(), section.each_member)).collect();
    assert_eq!(sections, [("form", false), ("outer", false), ("people", true), ("form_2", false)]);
    assert_eq!(imported.form.sections[1].relevant.as_deref(), Some("first == 'x'"));
    assert_eq!(imported.form.sections[1].groups[0].key, "inner");
    assert_eq!(
        question(&imported.form, "second").relevant.as_deref(),
        Some("(first != 'y') && (known(first))")
    );
    let total = question(&imported.form, "total").value.clone();
    assert_eq!(total.as_deref(), Some("sum(members.map(m, m.years)) + size(members)"));
}

#[test]
fn questions_outside_of_groups_stay_together() {
    let survey: &[&[&str]] = &[
        &["begin group", "outer", "Outer", "外"],
        &["text", "first", "First", "一"],
        &["begin group", "inner", "Inner", "内"],
        &["text", "second", "Second", "二"],
        &["end group", ""],
        &["text", "third", "Third", "三"],
        &["text", "fourth", "Fourth", "四"],
        &["end group", ""],
        &["text", "fifth", "Fifth", "五"],
        &["text", "sixth", "Sixth", "六"],
    ];
    let form = imported(survey).form;
    let groups =
        form.sections.iter().flat_map(|section| section.groups.iter().map(move |group| (section, group)));
    let found: Vec<(&str, &str, usize)> = groups
        .map(|(section, group)| (section.key.as_str(), group.key.as_str(), group.questions.len()))
        .collect();
    let expected = [("outer", "main", 1), ("outer", "inner", 1), ("outer", "main_2", 2), ("form", "main", 2)];
    assert_eq!(found, expected);
}

#[test]
fn a_factor_has_no_unit_and_a_term_has() {
    let survey: &[&[&str]] = &[
        &["decimal", "weight", "Weight", "体重"],
        &["calculate", "twice", "Twice", "两倍", "", "", "", "${weight} * 2"],
        &["calculate", "half", "Half", "一半", "", "", "", "${weight} div 2"],
        &["calculate", "more", "More", "更多", "", "", "", "${weight} + 2"],
    ];
    let imported = imported(survey);
    assert_eq!(losses(&imported), [""; 0]);
    let value = |key: &str| question(&imported.form, key).value.clone();
    assert_eq!(value("twice").as_deref(), Some("weight * 2"));
    assert_eq!(value("half").as_deref(), Some("weight / 2"));
    assert_eq!(value("more").as_deref(), Some("weight + 200"), "kept in hundredths");
}

#[test]
fn what_a_type_or_a_version_loses_is_named() {
    let survey: &[&[&str]] = &[
        HEAD,
        &["select_one yn or_other", "choice", "Choice", "选"],
        &["dateTime", "moment", "Moment", "时刻"],
    ];
    let choices: &[&[&str]] = &[&["list_name", "name", "label"], &["yn", "yes", "Yes"]];
    let settings: &[&[&str]] = &[&["form_id", "version"], &["a_form", "2024010100.1.1"]];
    let imported = import(&workbook(survey, choices, settings)).unwrap();
    let found = losses(&imported);
    for begins in [
        "survey 2: choice: the choice that or_other adds",
        "survey 3: moment: the time of day",
        "settings 2: version: 2024010100.1.1 becomes 1.0.0",
    ] {
        assert!(found.iter().any(|loss| loss.starts_with(begins)), "{begins}: {found:#?}");
    }
    assert_eq!(imported.form.version, "1.0.0");
    assert_eq!(question(&imported.form, "choice").list.as_deref(), Some("yn"));
}

#[test]
fn what_cannot_be_carried_over_is_named_by_row() {
    let survey: &[&[&str]] = &[
        &["start", "start", "", ""],
        &["geotrace", "line", "Line", "线"],
        &["whatever", "odd", "Odd", "怪"],
        &["text", "Name-1", "Name", "名", "pulldata('a', 'b', 'c', ${other}) = 1"],
        &["text", "members", "Members", "成员", "${missing} = 1"],
        &["text", "plain", "", "", "../x = 1"],
        &["integer", "number", "Number", "数", "${plain} > 3 and ${number} = 'a'"],
        &["integer", "number", "Again", "又"],
        &["select_one nowhere", "lost", "Lost", "失"],
        &["integer", "circle", "Circle", "圈", "${circle} > 1"],
    ];
    let imported = imported(survey);
    let found = losses(&imported);
    for (row, name, what) in [
        (2, "start", "no question"),
        (3, "line", "no counterpart"),
        (4, "odd", "not known"),
        (5, "Name-1", "is called name_1"),
        (5, "Name-1", "pulldata"),
        (6, "members", "is called q_members"),
        (6, "members", "${missing}"),
        (7, "plain", "no label"),
        (7, "plain", "path"),
        (8, "number", "no whole number"),
        (9, "number", "second question"),
        (10, "lost", "list"),
        (11, "circle", "depends on itself"),
    ] {
        let begins = format!("survey {row}: {name}: ");
        assert!(
            found.iter().any(|loss| loss.starts_with(&begins) && loss.contains(what)),
            "{begins}{what}: {found:#?}"
        );
    }
    assert!(load("again", imported.form).is_ok());
}

#[test]
fn what_is_no_form_is_refused() {
    assert!(matches!(import(b"no workbook"), Err(XlsformError::Workbook(_))));
    assert!(matches!(import(b""), Err(XlsformError::Workbook(_))));
    let mut empty = Workbook::new();
    empty.add_worksheet().set_name("other").unwrap();
    assert!(matches!(import(&empty.save_to_buffer().unwrap()), Err(XlsformError::NoSurvey)));
    let headless = workbook(&[&["a", "b"], &["text", "x"]], &[], &[]);
    assert!(matches!(import(&headless), Err(XlsformError::NoSurvey)));
    let hollow = workbook(&[&["type", "name"], &["start", "start"]], &[], &[]);
    assert!(matches!(import(&hollow), Err(XlsformError::Nothing)));
}

#[test]
fn the_first_form_comes_back_as_it_went() {
    let first = ruhu_survey::form::newest("ruhu-first").unwrap();
    let (bytes, report) = export(first.form()).unwrap();
    assert!(report.losses.iter().all(|loss| loss.reason.contains("column ruhu alone")), "{report:?}");
    let back = import(&bytes).unwrap();
    assert_eq!(losses(&back), [""; 0]);
    let mut expected = first.form().clone();
    expected.schema = None;
    assert_eq!(back.form.sections, expected.sections);
    assert_eq!(back.form, expected);
}

/// A condition over a question.
fn condition_on(before: &Question, condition: usize, amount: i64) -> String {
    match (before.kind, condition) {
        (_, 0) => format!("known({})", before.key),
        (QuestionType::Int | QuestionType::Decimal, _) => {
            format!("{} > {amount} || {} == 0", before.key, before.key)
        }
        (QuestionType::One, _) => format!("{} in ['a', 'b'] && !({} == 'b')", before.key, before.key),
        (QuestionType::Many, _) => {
            format!("'a' in {} && size({}) < {amount}", before.key, before.key)
        }
        (QuestionType::Text, _) => {
            format!("matches({}, '^(?:[a-z]+)$') || {} == 'it\\'s'", before.key, before.key)
        }
        (QuestionType::Date, _) => format!("{} <= today", before.key),
        (QuestionType::Bool, _) => format!("{} == true", before.key),
        _ => "true".to_owned(),
    }
}

/// Questions of every kind that XLSForm knows, with conditions over those before them.
fn any_form() -> impl Strategy<Value = Form> {
    let kinds = [
        QuestionType::One,
        QuestionType::Many,
        QuestionType::Int,
        QuestionType::Decimal,
        QuestionType::Text,
        QuestionType::Date,
        QuestionType::Bool,
        QuestionType::Photo,
        QuestionType::Note,
    ];
    let question =
        (prop::sample::select(kinds.to_vec()), any::<bool>(), any::<bool>(), 0..6_usize, 0..500_i64);
    prop::collection::vec(question, 1..12).prop_map(|drawn| {
        let mut questions: Vec<Question> = Vec::new();
        for (number, (kind, required, short, condition, amount)) in drawn.into_iter().enumerate() {
            let chooses = matches!(kind, QuestionType::One | QuestionType::Many);
            let relevant = questions.last().map(|before| condition_on(before, condition, amount));
            questions.push(Question {
                key: format!("q{number}"),
                kind,
                label: Label::new(format!("问 {number}"), format!("Question {number}")),
                list: chooses.then(|| "letters".to_owned()),
                decimals: (kind == QuestionType::Decimal).then_some(2),
                required: Required::Fixed(required),
                short,
                relevant,
                ..Question::default()
            });
        }
        let choice =
            |code: &str| Choice { code: code.to_owned(), label: Label::new(code, code), tags: [].into() };
        let uses = questions.iter().any(|question| question.list.is_some());
        let group = Group { key: "all".to_owned(), questions, ..Group::default() };
        let section = Section {
            key: "one".to_owned(),
            title: Label::new("一", "One"),
            groups: vec![group],
            ..Section::default()
        };
        Form {
            schema: None,
            form: "drawn".to_owned(),
            version: "1.0.0".to_owned(),
            title: Label::new("抽取", "Drawn"),
            sections: vec![section],
            validations: Vec::new(),
            lists: if uses {
                [("letters".to_owned(), vec![choice("a"), choice("b"), choice("c")])].into()
            } else {
                [].into()
            },
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What goes out comes back the same, with nothing lost.
    #[test]
    fn a_form_comes_back_as_it_went(form in any_form()) {
        prop_assert!(load("drawn", form.clone()).is_ok());
        let (bytes, report) = export(&form).unwrap();
        prop_assert_eq!(&report.losses, &[]);
        let back = import(&bytes).unwrap();
        prop_assert_eq!(back.report.losses, []);
        prop_assert_eq!(back.form, form);
    }

    #[test]
    fn no_expression_makes_it_panic(text in "[a-z0-9${}().,'\"<>=!+* -]{0,40}") {
        let rows: Vec<Vec<&str>> = vec![vec!["type", "name", "label", "relevant"], vec!["integer", "a", "A", ""], vec!["text", "b", "B", &text]];
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        let imported = import(&workbook(&rows, &[], &[])).unwrap();
        prop_assert!(load("again", imported.form).is_ok());
    }
}
