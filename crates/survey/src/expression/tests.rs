//! Rules and laws of expressions.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Names with values, and two members.
#[derive(Default)]
struct World {
    values: BTreeMap<String, Val>,
    members: BTreeMap<(String, String), Val>,
}

impl Scope for World {
    fn value(&self, name: &str) -> Val {
        self.values.get(name).cloned().unwrap_or(Val::Unknown)
    }

    fn of_member(&self, member: &str, name: &str) -> Val {
        self.members.get(&(member.to_owned(), name.to_owned())).cloned().unwrap_or(Val::Unknown)
    }
}

fn world() -> World {
    let mut world = World::default();
    let member = |id: &str| Val::Member(id.to_owned());
    world.values.extend([
        ("yes".to_owned(), Val::Bool(true)),
        ("no".to_owned(), Val::Bool(false)),
        ("none".to_owned(), Val::NotApplicable),
        ("five".to_owned(), Val::Int(5)),
        ("grade".to_owned(), Val::text("c")),
        ("members".to_owned(), Val::List(vec![member("m1"), member("m2")])),
    ]);
    let of = |id: &str, name: &str, value: Val| ((id.to_owned(), name.to_owned()), value);
    world.members.extend([
        of("m1", "age", Val::Int(40)),
        of("m2", "age", Val::Int(8)),
        of("m1", "ill", Val::Bool(false)),
    ]);
    world
}

fn value(source: &str) -> Val {
    evaluate(&Expression::parse(source).unwrap(), &world()).value
}

#[test]
fn a_missing_answer_is_unknown_and_neither_an_error_nor_a_no() {
    let cases = [
        ("missing", Val::Unknown),
        ("missing == 'x'", Val::Unknown),
        ("missing != 'x'", Val::Unknown),
        ("missing > 3", Val::Unknown),
        ("missing + 3", Val::Unknown),
        ("missing in ['a']", Val::Unknown),
        ("!missing", Val::Unknown),
        ("missing && no", Val::Bool(false)),
        ("no && missing", Val::Bool(false)),
        ("missing && yes", Val::Unknown),
        ("missing || yes", Val::Bool(true)),
        ("yes || missing", Val::Bool(true)),
        ("missing || no", Val::Unknown),
        ("missing ? 1 : 2", Val::Unknown),
        ("missing ? 1 : 1", Val::Int(1)),
        ("known(missing)", Val::Bool(false)),
        ("known(grade)", Val::Bool(true)),
        ("sum([1, missing])", Val::Unknown),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn what_does_not_apply_holds_not_and_counts_nothing() {
    let cases = [
        ("none", Val::NotApplicable),
        ("none == 'x'", Val::Bool(false)),
        ("none != 'x'", Val::Bool(true)),
        ("none > 3", Val::Bool(false)),
        ("none < 3", Val::Bool(false)),
        ("none in ['a']", Val::Bool(false)),
        ("'a' in none", Val::Bool(false)),
        ("none || no", Val::Bool(false)),
        ("!none", Val::Bool(true)),
        ("none + 3", Val::Int(3)),
        ("sum([1, none])", Val::Int(1)),
        ("size(none)", Val::Int(0)),
        ("known(none)", Val::Bool(true)),
        ("5 / none", Val::Unknown),
        ("none.exists(x, x == 'a')", Val::Bool(false)),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn members_are_walked() {
    let cases = [
        ("members.exists(m, m.age >= 6 && m.age < 16)", Val::Bool(true)),
        ("members.all(m, m.age > 7)", Val::Bool(true)),
        ("members.exists(m, m.ill)", Val::Unknown),
        ("members.all(m, m.ill)", Val::Bool(false)),
        ("members.exists(m, m.age > 50 && m.ill)", Val::Bool(false)),
        ("members.exists_one(m, m.age < 16)", Val::Bool(true)),
        ("members.exists_one(m, m.ill)", Val::Unknown),
        ("members.filter(m, m.age < 16).size()", Val::Int(1)),
        ("members.filter(m, m.ill).size()", Val::Unknown),
        ("sum(members.map(m, m.age))", Val::Int(48)),
        ("sum(members.map(m, m.age < 16, m.age))", Val::Int(8)),
        ("size(members)", Val::Int(2)),
        ("has_duplicates(members.map(m, m.age))", Val::Bool(false)),
        ("has_duplicates(members.map(m, m.ill))", Val::Unknown),
        ("has_duplicates(['a', 'b', 'a'])", Val::Bool(true)),
        ("missing.exists(m, m.age > 1)", Val::Unknown),
        ("members.exists(m, has(m.ill))", Val::Bool(true)),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn functions_and_whole_numbers() {
    let cases = [
        ("age_on('1976-03-15', '2024-03-14')", Val::Int(47)),
        ("age_on('1976-03-15', '2024-03-15')", Val::Int(48)),
        ("age_on('1976-02-30', '2024-03-15')", Val::Unknown),
        ("months_between('2023-05', '2024-04-30')", Val::Int(11)),
        ("floor_div(-5, 2)", Val::Int(-3)),
        ("-5 / 2", Val::Int(-2)),
        ("7 % 4", Val::Int(3)),
        ("five / 0", Val::Unknown),
        ("floor_div(five, 0)", Val::Unknown),
        ("9223372036854775807 + 1", Val::Unknown),
        ("matches('13900000001', '^1[3-9][0-9]{9}$')", Val::Bool(true)),
        ("'13900000001'.matches('[')", Val::Unknown),
        ("'430821'.startsWith('4308')", Val::Bool(true)),
        ("contains('三组18号', '18')", Val::Bool(true)),
        ("sex_of_relation('mother')", Val::text("female")),
        ("sex_of_relation('sibling')", Val::NotApplicable),
        ("min(five, 3)", Val::Int(3)),
        ("max('2024-01', '2023-12')", Val::text("2024-01")),
        ("'a' + text(five)", Val::text("a5")),
        ("five > 'a'", Val::Unknown),
        ("grade in ['c', 'd']", Val::Bool(true)),
        ("'2024-01' < '2024-02'", Val::Bool(true)),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source), expected, "{source}");
    }
}

#[test]
fn an_evaluation_says_what_it_looked_at() {
    let used = |source: &str| evaluate(&Expression::parse(source).unwrap(), &world()).used;
    let names: Vec<String> = used("grade == 'c' && members.exists(m, m.age < 16)").into_keys().collect();
    assert_eq!(names, ["grade", "member/m1/age", "member/m2/age", "members"]);
    assert_eq!(used("no && missing").into_keys().collect::<Vec<_>>(), ["no"]);
}

#[test]
fn what_is_not_an_expression_is_refused() {
    let refused = |source: &str| Expression::parse(source).unwrap_err();
    assert!(matches!(refused("a =="), ExpressionError::Syntax(_)));
    assert!(matches!(refused(""), ExpressionError::Syntax(_)));
    assert!(matches!(refused("a == null"), ExpressionError::Unsupported(_)));
    assert!(matches!(refused("a > 1.5"), ExpressionError::Unsupported(_)));
    assert!(matches!(refused("{'a': 1}"), ExpressionError::Unsupported(_)));
    assert!(matches!(refused("f(a).b"), ExpressionError::Unsupported(_)));
    assert_eq!(refused("now()"), ExpressionError::UnknownFunction("now".to_owned(), 0));
    assert_eq!(refused("size(a, b)"), ExpressionError::UnknownFunction("size".to_owned(), 2));
}

#[test]
fn an_expression_is_bounded_on_both_sides_of_each_bound() {
    let text = |length: usize| format!("a == '{}'", "x".repeat(length - 7));
    assert!(Expression::parse(&text(LENGTH_MAX)).is_ok());
    assert_eq!(Expression::parse(&text(LENGTH_MAX + 1)).unwrap_err(), ExpressionError::TooLong);
    let deep = |depth: usize| format!("{}a{}", "!(".repeat(depth), ")".repeat(depth));
    assert!(Expression::parse(&deep(20)).is_ok());
    assert_eq!(Expression::parse(&deep(DEPTH_MAX + 1)).unwrap_err(), ExpressionError::TooDeep);
    assert_eq!(Expression::parse(&"-".repeat(900)).unwrap_err(), ExpressionError::TooDeep);
    let long = |terms: usize| vec!["a"; terms].join(" + ");
    assert!(Expression::parse(&long(30)).is_ok());
    assert_eq!(Expression::parse(&long(200)).unwrap_err(), ExpressionError::TooDeep);
}

#[test]
fn an_evaluation_that_takes_too_long_is_unknown() {
    let items = |count: usize| format!("[{}]", vec!["1"; count].join(","));
    let walk = |count: usize| {
        let list = items(count);
        format!("{list}.all(a, {list}.all(b, {list}.all(c, a == b)))")
    };
    assert_eq!(value(&walk(10)), Val::Bool(true));
    assert_eq!(value(&walk(60)), Val::Unknown);
}

struct Known;

impl Names for Known {
    fn kind(&self, name: &str) -> Option<Kind> {
        let codes = |codes: &[&str]| codes.iter().map(|code| (*code).to_owned()).collect();
        Some(match name {
            "members" => Kind::List(Box::new(Kind::Member)),
            "grade" => Kind::Code(codes(&["a", "b", "c", "d"])),
            "hazards" => Kind::Set(codes(&["leaking", "none"])),
            "wage" => Kind::Int,
            "ok" => Kind::Bool,
            "note" => Kind::Text,
            _ => return None,
        })
    }

    fn member_kind(&self, name: &str) -> Option<Kind> {
        (name == "age").then_some(Kind::Int)
    }
}

#[test]
fn a_slip_of_the_pen_is_found_before_evaluation() {
    let found = |source: &str| Expression::parse(source).unwrap().check(&Known);
    for fine in [
        "grade in ['c', 'd'] && ok",
        "'leaking' in hazards || wage > 3",
        "members.exists(m, m.age < 16)",
        "sum(members.map(m, m.age)) > wage",
        "note == 'anything' && size(note) > 2",
        "hazards.exists(h, h != 'none')",
        "grade == 'a' ? 1 : 2",
    ] {
        assert!(found(fine).is_ok(), "{fine}: {:?}", found(fine));
    }
    assert_eq!(found("gade == 'a'"), Err(ExpressionError::UnknownName("gade".to_owned())));
    assert_eq!(
        found("members.exists(m, m.agee > 1)"),
        Err(ExpressionError::UnknownName("m.agee".to_owned()))
    );
    assert!(matches!(found("grade == 'e'"), Err(ExpressionError::UnknownCode { code, .. }) if code == "e"));
    assert!(matches!(found("grade in ['a', 'e']"), Err(ExpressionError::UnknownCode { .. })));
    assert!(matches!(found("'leking' in hazards"), Err(ExpressionError::UnknownCode { .. })));
    for wrong in [
        "wage == 'a'",
        "wage && ok",
        "hazards == 'leaking'",
        "ok > 1",
        "wage + ok",
        "ok in grade",
        "sum(wage)",
    ] {
        assert!(matches!(found(wrong), Err(ExpressionError::Mismatch { .. })), "{wrong}: {:?}", found(wrong));
    }
}

fn any_truth() -> impl Strategy<Value = Truth> {
    prop_oneof![Just(Truth::True), Just(Truth::False), Just(Truth::Unknown)]
}

fn of(truth: Truth) -> Val {
    truth.into()
}

proptest! {
    #[test]
    fn the_logic_is_kleenes(a in any_truth(), b in any_truth(), c in any_truth()) {
        let mut world = world();
        for (name, truth) in [("a", a), ("b", b), ("c", c)] {
            world.values.insert(name.to_owned(), of(truth));
        }
        let run = |source: &str| evaluate(&Expression::parse(source).unwrap(), &world).value;
        prop_assert_eq!(run("a && b"), run("b && a"));
        prop_assert_eq!(run("a || b"), run("b || a"));
        prop_assert_eq!(run("!(a && b)"), run("!a || !b"));
        prop_assert_eq!(run("a && (b || c)"), run("(a && b) || (a && c)"));
        prop_assert_eq!(run("!!a"), run("a"));
        prop_assert_eq!(run("(a && b) && c"), run("a && (b && c)"));
    }

    /// Learning an answer never turns a yes into a no: what was settled stays settled.
    #[test]
    fn more_knowledge_never_overturns(a in any_truth(), b in any_truth(), learnt in any::<bool>(), which in 0..4_usize) {
        let source = ["a && b", "a || !b", "b ? a : !a", "[a, b].exists(x, x) && !(a && b)"][which];
        let parsed = Expression::parse(source).unwrap();
        let mut world = world();
        world.values.insert("a".to_owned(), of(a));
        world.values.insert("b".to_owned(), of(b));
        let before = evaluate(&parsed, &world).value;
        if a == Truth::Unknown {
            world.values.insert("a".to_owned(), Val::Bool(learnt));
        }
        let after = evaluate(&parsed, &world).value;
        prop_assert!(before == Val::Unknown || before == after, "{} {:?} {:?}", source, before, after);
    }

    #[test]
    fn no_text_makes_it_panic(source in "[a-c0-9()\\[\\]!&|?:.<>=+'\" ,-]{0,60}") {
        if let Ok(parsed) = Expression::parse(&source) {
            let first = evaluate(&parsed, &world());
            prop_assert_eq!(first, evaluate(&parsed, &world()));
            let _ = parsed.check(&Known);
        }
    }

    #[test]
    fn no_characters_make_it_panic(source in "\\PC{0,40}") {
        prop_assert!(Expression::parse(&source).map_or(true, |parsed| parsed.source() == source));
    }
}
