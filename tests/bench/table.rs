//! The table that a run prints.

use std::fmt::Write as _;

/// One measurement beside its aim.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    name: String,
    value: String,
    aim: String,
    beside: String,
}

impl Row {
    pub(crate) fn new(name: impl Into<String>, value: impl Into<String>, aim: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), aim: aim.into(), beside: String::new() }
    }

    /// What else belongs to it: what a peer took in the same run, or how it was counted.
    pub(crate) fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }
}

/// All rows of a run, printed as they come.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn add(&mut self, row: Row) {
        println!("{} | {} | {} | {}", row.name, row.value, row.aim, row.beside);
        self.rows.push(row);
    }

    /// The rows as Markdown.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("| work | measured | aim | beside it |\n|---|---|---|---|\n");
        for Row { name, value, aim, beside } in &self.rows {
            // Writing into a string does not fail.
            let _ = writeln!(text, "| {name} | {value} | {aim} | {beside} |");
        }
        text
    }
}
