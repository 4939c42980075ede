//! Checks by their form: screens, reasons, what is carried forward, updates, and findings on both sides.

use ruhu_survey::change::Value;
use ruhu_survey::expression::Val;
use ruhu_survey::field_table::Source;
use ruhu_survey::household::{Because, Input, NewHousehold, NewMember};
use ruhu_survey::id::CheckId;
use ruhu_survey::rule::RuleAnswer;

use super::*;
use crate::{Asked, CheckForm, has_elements};

const HEAD: &str = "439921197603150018";
const WIFE: &str = "439921197808220024";

fn member(name: &str, certificate: &str, relation: &str) -> NewMember {
    let fields = [("relation_to_head", relation), ("certificate_type", "identity_card")];
    NewMember {
        full_name: name.to_owned(),
        cert_no: Some(certificate.to_owned()),
        fields: fields.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
        source: None,
    }
}

struct Visit {
    tablet: Tablet,
    household: HouseholdId,
    check: CheckId,
}

impl Visit {
    fn begun(server: &FakeServer, members: &[NewMember]) -> Self {
        let mut tablet = Tablet::enrolled(server, 1);
        let household = NewHousehold { group_name: "三组".to_owned(), ..NewHousehold::default() };
        let household = tablet.client.new_household(server.villages[0], &household, members).unwrap();
        let check = tablet.client.start_check(household, "routine").unwrap();
        Self { tablet, household, check }
    }

    fn couple(server: &FakeServer) -> Self {
        Self::begun(server, &[member("李四方", HEAD, "head"), member("覃小花", WIFE, "spouse")])
    }

    fn form(&self) -> CheckForm {
        self.tablet.client.check_form(self.check, false).unwrap()
    }

    fn say(&mut self, question: &str, text: &str) {
        self.tell(question, None, None, text);
    }

    fn tell(&mut self, question: &str, member: Option<&str>, element: Option<&str>, text: &str) {
        let asked = Asked { question, member, element };
        let input = Input::Text(text.to_owned());
        self.tablet.client.answer_question(self.check, &asked, &input, &Because::default()).unwrap();
    }

    fn members(&self) -> Vec<String> {
        let household = self.tablet.client.household(self.household).unwrap().household;
        household.active_members().into_iter().map(|member| member.id.clone()).collect()
    }

    /// Answers income, so that the formulas can be worked out.
    fn say_income(&mut self) {
        self.say("wage_income", "20000");
        self.say("business_income", "3000");
        self.say("business_cost", "1000");
        self.say("property_income", "0");
        let count = self.tablet.client.zero_rest(self.check, "income/transfer", false).unwrap();
        assert_eq!(count, 9);
    }
}

fn page<'a>(form: &'a CheckForm, id: &str) -> Option<&'a ruhu_survey::form::Page> {
    form.view.pages.iter().find(|page| page.id == id)
}

#[test]
fn a_form_grows_with_its_answers_and_survives_a_restart() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    let before = visit.form();
    assert_eq!(before.view.form, "ruhu-first/1.1.0");
    assert!(page(&before, "water/supply").is_none() && before.update.is_none());
    visit.say("visit_result", "完成");
    let head = visit.members()[0].clone();
    visit.tell("labour_ability", Some(&head), None, "普通劳动力");
    visit.tell("health_status", Some(&head), Some("healthy"), "是");
    let form = visit.form();
    let health = page(&form, &format!("members/health@{head}")).unwrap();
    assert_eq!((health.member_name.as_deref(), health.answered), (Some("李四方"), 1));
    assert!(page(&form, "water/supply").is_some());
    assert!(form.view.progress.answered >= 3 && form.view.progress.missing > 20);
    let json = serde_json::to_value(&form).unwrap();
    assert_eq!(json["view"]["pages"][0]["items"][0]["value"], "completed");
    assert!(json["formulas"]["net_income"].is_null());
    visit.tablet = visit.tablet.restarted();
    assert_eq!(visit.form(), form, "nothing is lost, and the same page is drawn");
    // The answer goes into the check and into the register.
    let keys: Vec<String> = visit
        .tablet
        .client
        .draft(visit.check)
        .unwrap()
        .answers
        .into_iter()
        .map(|answer| answer.key)
        .collect();
    assert!(keys.contains(&format!("member/{head}/labour_ability")));
    assert!(keys.contains(&format!("answer/member/labour_ability/{head}")));
    assert!(has_elements("health_status") && !has_elements("labour_ability"));
}

#[test]
fn an_answer_that_is_taken_back_goes_from_check_and_register_alike() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    let head = visit.members()[0].clone();
    visit.tell("health_status", Some(&head), Some("chronic"), "是");
    visit.tell("health_status", Some(&head), Some("disabled"), "是");
    let keys = |visit: &Visit| visit.tablet.client.draft(visit.check).unwrap().answers.len();
    assert_eq!(keys(&visit), 5);
    let one = Asked { question: "health_status", member: Some(&head), element: Some("chronic") };
    visit.tablet.client.clear_question(visit.check, &one).unwrap();
    assert_eq!(keys(&visit), 3);
    visit.tablet.client.clear_question(visit.check, &Asked { element: None, ..one }).unwrap();
    assert_eq!(keys(&visit), 1);
    let unknown = visit.tablet.client.clear_question(visit.check, &Asked { question: "nothing", ..one });
    assert!(matches!(unknown, Err(Error::UnknownQuestion(_))));
}

#[test]
fn income_is_totalled_to_the_fen_and_the_rules_look_at_it() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    visit.say_income();
    let found = visit.tablet.client.findings(visit.check).unwrap();
    let formula = |name: &str| found.formulas[name].int();
    assert_eq!((formula("net_income"), formula("per_capita_net_income")), (Some(2_200_000), Some(1_100_000)));
    let income = found.findings.iter().find(|finding| finding.rule == "RK-INC-1").unwrap();
    assert_eq!(income.answer, RuleAnswer::Unknown, "nobody knows the line of this year");
    let form = visit.form();
    assert_eq!(form.formulas, found.formulas);
    let confirm = page(&form, "income/confirm").unwrap();
    assert_eq!(confirm.items[1].value.int(), Some(1_100_000));
    let nowhere = visit.tablet.client.zero_rest(visit.check, "income/nothing", false);
    assert!(matches!(nowhere, Err(Error::UnknownQuestion(named)) if named == "income/nothing"));
}

#[test]
fn a_finding_is_confirmed_beside_the_answer_and_auditors_see_the_reason() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    visit.say("wage_income", "50");
    let open = |visit: &Visit, id: &str| {
        visit
            .form()
            .view
            .findings
            .into_iter()
            .find(|found| found.id == id)
            .map(|found| (found.key.clone(), found.is_open()))
    };
    let (key, is_open) = open(&visit, "V-INC-1").unwrap();
    assert!(is_open);
    let key = key.unwrap();
    let empty = visit.tablet.client.confirm_finding(visit.check, &key, " ");
    assert!(matches!(empty, Err(Error::ReasonNeeded)));
    visit.tablet.client.confirm_finding(visit.check, &key, "只卖了一次鸡蛋").unwrap();
    assert_eq!(open(&visit, "V-INC-1"), Some((Some(key.clone()), false)));
    // A question that was not asked is left open with a reason too.
    visit.tablet.client.confirm_finding(visit.check, "answer/living/food", "老人不便回答").unwrap();
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let fields = visit.tablet.client.check(visit.check).unwrap().fields;
    let reason =
        |key: &str| fields.iter().find(|field| field.key == key).and_then(|field| field.reason.clone());
    assert_eq!(reason(&key).as_deref(), Some("只卖了一次鸡蛋"));
    assert_eq!(reason("answer/living/food").as_deref(), Some("老人不便回答"));
}

#[test]
fn two_heads_keep_a_check_from_being_submitted() {
    let server = FakeServer::new();
    let mut visit = Visit::begun(&server, &[member("李四方", HEAD, "head"), member("覃小花", WIFE, "head")]);
    visit.say("visit_result", "completed");
    let blocked = visit.tablet.client.submit(visit.check, "completed", &[]);
    assert!(matches!(blocked, Err(Error::Blocked(what)) if what.starts_with("V-REL-1")));
    let second = visit.members()[1].clone();
    visit.tell("relation_to_head", Some(&second), None, "配偶");
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
}

#[test]
fn what_does_not_apply_is_submitted_as_such() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    visit.say("water_piped", "自取");
    visit.say("fetch_minutes", "40");
    visit.tell("shock_kind", None, Some("fire"), "是");
    visit.say("shock_loss", "100");
    visit.say("water_piped", "入户");
    visit.tablet.client.clear_answer(visit.check, "answer/shock/kind/fire").unwrap();
    visit.tell("shock_kind", None, Some("none"), "是");
    let replaced = visit.tablet.client.not_applicable(visit.check, "completed").unwrap();
    assert_eq!(replaced, ["answer/water/fetch_minutes", "answer/shock/loss"]);
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let view = visit.tablet.client.check(visit.check).unwrap();
    let state = |key: &str| view.fields.iter().find(|field| field.key == key).and_then(|field| field.state);
    let not_applicable = Some(ruhu_survey::field_table::AnswerState::NotApplicable);
    assert_eq!(state("answer/water/fetch_minutes"), not_applicable);
    assert_eq!(state("answer/shock/loss"), not_applicable);
    assert_eq!(state("answer/water/piped"), None);
    let pinned =
        |key: &str| view.fields.iter().find(|field| field.key == key).map(|field| field.text.clone());
    assert_eq!(pinned("form_version").as_deref(), Some("ruhu-first/1.1.0"));
    assert_eq!(pinned("ruleset_version").as_deref(), Some("national/1.0.0"));
}

#[test]
fn none_of_these_is_an_answer_and_can_be_taken_back() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    let item = |visit: &Visit| {
        let form = visit.form();
        page(&form, "policy/flags").unwrap().items.first().unwrap().clone()
    };
    let asked = Asked { question: "exclusion_self", member: None, element: None };
    let because = Because::default();
    assert!(!item(&visit).answered);
    visit.tablet.client.answer_none(visit.check, &asked, &because).unwrap();
    assert!(item(&visit).answered && item(&visit).value == Val::List(Vec::new()));
    visit.tell("exclusion_self", None, Some("car"), "是");
    assert_eq!(item(&visit).value, Val::List(vec![Val::text("car")]));
    visit.tablet.client.clear_question(visit.check, &asked).unwrap();
    assert!(!item(&visit).answered);
    visit.tablet.client.answer_none(visit.check, &asked, &because).unwrap();
    let season = Asked { question: "shortage_season", ..asked };
    let never = visit.tablet.client.answer_none(visit.check, &season, &because);
    assert!(matches!(never, Err(Error::UnknownQuestion(named)) if named == "shortage_season"));
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let fields = visit.tablet.client.check(visit.check).unwrap().fields;
    let noes = fields.iter().filter(|field| field.key.starts_with("answer/policy/exclusion_self/"));
    let noes: Vec<Value> = noes.map(|field| field.written.value.clone()).collect();
    assert_eq!(noes, vec![Value::Bool(false); 4]);
    let register = visit.tablet.client.household(visit.household).unwrap().fields;
    assert_eq!(register.iter().filter(|field| field.key.starts_with("exclusion_self/")).count(), 4);
}

#[test]
fn the_reason_for_an_answered_set_stands_at_an_answer_and_for_an_open_one_at_its_question() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    let (head, wife) = (visit.members()[0].clone(), visit.members()[1].clone());
    visit.tell("health_status", Some(&head), Some("healthy"), "是");
    visit.tell("health_status", Some(&head), Some("chronic"), "是");
    let reason_at = |visit: &Visit, id: &str, member: &str| {
        let found = visit.form().view.findings.into_iter();
        let mut of = found.filter(|found| found.id == id && found.member.as_deref() == Some(member));
        of.find(|found| found.question == "health_status").and_then(|found| found.key).unwrap()
    };
    let at = reason_at(&visit, "V-HEALTH-1", &head);
    visit.tablet.client.confirm_finding(visit.check, &at, "两项都说了").unwrap();
    let open = reason_at(&visit, "required", &wife);
    visit.tablet.client.confirm_finding(visit.check, &open, "本人不在").unwrap();
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let answers = visit.tablet.client.household(visit.household).unwrap().latest_answers;
    let of = |member: &str| -> Vec<(bool, Option<&str>)> {
        let begin = format!("answer/medical/health_status/{member}/");
        let found = answers.iter().filter(|field| field.key.starts_with(&begin));
        found.map(|field| (field.written.value == Value::Null, field.reason.as_deref())).collect()
    };
    let head = of(&head);
    assert!(head.len() == 2 && head.iter().all(|(none, _)| !none), "{head:?}");
    assert_eq!(head.iter().filter_map(|(_, reason)| *reason).collect::<Vec<_>>(), ["两项都说了"]);
    assert_eq!(of(&wife), [(true, Some("本人不在"))]);
}

#[test]
fn what_only_the_short_form_asks_is_not_taken_away_at_submission() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    visit.say("wage_income", "20000");
    visit.say("business_income", "3000");
    visit.say("income_confirm", "是");
    let short = visit.tablet.client.check_form(visit.check, true).unwrap();
    assert!(page(&short, "income/confirm").is_some() && page(&visit.form(), "income/confirm").is_none());
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let view = visit.tablet.client.check(visit.check).unwrap();
    let confirmed = view.fields.iter().find(|field| field.key == "answer/income/confirmed").unwrap();
    assert_eq!(confirmed.state, None, "the household's word stands");
}

#[test]
fn findings_of_a_submitted_check_stay_what_they_were() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    visit.say_income();
    let wife = visit.members()[1].clone();
    visit.tell("basic_medical", Some(&wife), None, "未参保");
    let drafted = visit.tablet.client.findings(visit.check).unwrap();
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let submitted = visit.tablet.client.findings(visit.check).unwrap();
    assert_eq!(submitted, drafted);
    let uninsured = submitted.findings.iter().find(|finding| finding.rule == "RK-MED-1").unwrap();
    assert_eq!(uninsured.answer, RuleAnswer::Hit);
    // Later edits of the household are no part of what the visit found.
    visit
        .tablet
        .client
        .end_member(visit.household, &wife, "2099-01-01", "death", &Because::default())
        .unwrap();
    assert_eq!(visit.tablet.client.findings(visit.check).unwrap(), submitted);
}

#[test]
fn the_last_answer_is_carried_forward_and_says_so() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    visit.say("water_source", "净化自来水");
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    visit.check = visit.tablet.client.start_check(visit.household, "routine").unwrap();
    visit.say("visit_result", "completed");
    let form = visit.tablet.client.check_form(visit.check, true).unwrap();
    assert!(page(&form, "visit/changes").is_some(), "there is a check before this one");
    let asked = Asked { question: "water_source", member: None, element: None };
    visit.tablet.client.accept_last(visit.check, &asked).unwrap();
    let answers = visit.tablet.client.draft(visit.check).unwrap().answers;
    let source = answers.iter().find(|answer| answer.key == "answer/water/source").unwrap();
    assert_eq!(
        (source.value.clone(), source.source),
        (Value::Text("purified_tap".to_owned()), Some(Source::CarriedForward))
    );
    let never = Asked { question: "food_ok", member: None, element: None };
    assert!(matches!(visit.tablet.client.accept_last(visit.check, &never), Err(Error::UnknownQuestion(_))));
    let unknown = Asked { question: "nothing", member: None, element: None };
    let input = Input::Text("1".to_owned());
    let answered = visit.tablet.client.answer_question(visit.check, &unknown, &input, &Because::default());
    assert!(matches!(answered, Err(Error::UnknownQuestion(_))));
}

#[test]
fn a_draft_begun_under_another_version_goes_on_and_says_what_no_longer_fits() {
    let server = FakeServer::new();
    let mut visit = Visit::couple(&server);
    visit.say("visit_result", "completed");
    // A field that the form does not ask for, as an older form may have.
    let road = Input::Text("水泥路".to_owned());
    visit
        .tablet
        .client
        .set_answer(visit.check, "answer/living/road_type", &road, &Because::default())
        .unwrap();
    let id = visit.check;
    visit
        .tablet
        .client
        .store
        .write(|tx| {
            tx.execute(
                "UPDATE check_row SET form = 'ruhu-first/0.9.0' WHERE check_id = ?1",
                [id.as_bytes()],
            )?;
            Ok(())
        })
        .unwrap();
    let update = visit.form().update.unwrap();
    assert_eq!((update.from.as_str(), update.changes), ("ruhu-first/0.9.0", None));
    assert_eq!(
        update.misfits.iter().map(|misfit| misfit.key.as_str()).collect::<Vec<_>>(),
        ["answer/living/road_type"]
    );
    visit.tablet.client.submit(visit.check, "completed", &[]).unwrap();
    let fields = visit.tablet.client.check(visit.check).unwrap().fields;
    assert!(fields.iter().any(|field| field.key == "answer/living/road_type"), "it is kept");
}
