//! What keeps the rooms tidy: sizes, opening comments, arrows between packages, and nobody's data.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first surprise")]

#[path = "tidy/personal_data.rs"]
mod personal_data;
#[path = "tidy/shape.rs"]
mod shape;
#[path = "tidy/tree.rs"]
mod tree;

use std::collections::{BTreeMap, BTreeSet};

use tree::Source;

/// A file stops at this many lines that are not tests.
const FILE_LINES_MAX: usize = 600;
/// A function stops at this many lines.
const FUNCTION_LINES_MAX: usize = 70;

/// Which of our packages each package may use.
fn arrows() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let rows: [(&str, &[&str]); 13] = [
        ("crates/survey", &[]),
        ("crates/ledger", &["ruhu-survey"]),
        ("crates/sync", &["ruhu-survey", "ruhu-ledger"]),
        ("crates/sqlite", &[]),
        ("crates/sample", &["ruhu-survey"]),
        ("crates/cli", &["ruhu-survey", "ruhu-ledger", "ruhu-sync", "ruhu-client-core", "ruhu-xlsform"]),
        ("crates/link", &[]),
        ("crates/xlsform", &["ruhu-survey"]),
        ("crates/bindings", &[]),
        ("crates/xtask", &["ruhu-link"]),
        ("client-core", &["ruhu-survey", "ruhu-ledger", "ruhu-sync", "ruhu-sqlite"]),
        ("client-core/web", &["ruhu-survey", "ruhu-client-core"]),
        ("server", &["ruhu-survey", "ruhu-ledger", "ruhu-sync", "ruhu-sqlite"]),
    ];
    rows.into_iter().map(|(package, uses)| (package, uses.iter().copied().collect())).collect()
}

/// Packages that know nothing of networks, databases or threads.
const PURE: [&str; 5] = ["crates/survey", "crates/ledger", "crates/sync", "crates/sample", "crates/xlsform"];
/// What a pure package never names.
const IMPURE: [&str; 5] = ["tokio", "axum", "reqwest", "rusqlite", "getrandom"];

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let silent: Vec<_> = tree::rust_sources()
        .iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| format!("{}: opens without //!", source.path))
        .collect();
    report(&silent);
}

#[test]
fn no_file_outgrows_its_name() {
    let long: Vec<_> = tree::rust_sources()
        .iter()
        .filter(|source| !shape::LISTS_OF_CASES.contains(&source.path.as_str()))
        .map(|source| (source, shape::lines_without_tests(&source.text)))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(source, lines)| format!("{}: {lines} lines, the limit is {FILE_LINES_MAX}", source.path))
        .collect();
    report(&long);
}

#[test]
fn no_function_is_too_long_to_read() {
    let long: Vec<_> = tree::rust_sources()
        .iter()
        .flat_map(|source| shape::functions(&source.text).into_iter().map(move |function| (source, function)))
        .filter(|(_, function)| function.lines > FUNCTION_LINES_MAX)
        .map(|(source, function)| format!("{}: {} has {} lines", source.path, function.name, function.lines))
        .collect();
    report(&long);
}

#[test]
fn packages_point_one_way() {
    let mut problems = Vec::new();
    for (package, allowed) in arrows() {
        for used in tree::normal_dependencies(package) {
            if used.starts_with("ruhu-") && !allowed.contains(used.as_str()) {
                problems.push(format!("{package} must not use {used}"));
            }
            if PURE.contains(&package) && IMPURE.contains(&used.as_str()) {
                problems.push(format!("{package} is pure and must not use {used}"));
            }
        }
    }
    report(&problems);
}

#[test]
fn nothing_is_left_unfinished_or_skipped() {
    let marks =
        [concat!("#[ig", "nore"), concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimple", "mented!")];
    let found: Vec<_> = tree::rust_sources()
        .iter()
        .flat_map(|source| {
            marks
                .iter()
                .filter(|mark| source.text.contains(**mark))
                .map(|mark| format!("{}: holds {mark}", source.path))
        })
        .collect();
    report(&found);
}

#[test]
fn no_certificate_number_could_be_anybodys() {
    let found: Vec<_> = tree::all_texts()
        .iter()
        .flat_map(|Source { path, text }| {
            personal_data::issued_numbers(text).into_iter().map(move |number| format!("{path}: {number}"))
        })
        .collect();
    report(&found);
}
