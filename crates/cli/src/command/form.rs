//! `ruhu form`: checks a form's file, and carries forms from and to XLSForm.

use std::path::Path;

use ruhu_survey::form::{LoadedForm, load_text};
use ruhu_xlsform::{Report, export, import};
use serde_json::json;

use crate::arguments::Form;
use crate::failure::Failure;
use crate::output::Output;

/// Bytes of a file that is read.
const BYTES_MAX: u64 = 64 * 1_024 * 1_024;

pub(super) fn run(asked: &Form, output: &Output) -> Result<(), Failure> {
    match asked {
        Form::Check { file } => {
            let form = read_form(file)?;
            let questions = form.places().len();
            output.say("ruhu_form_sound", &[("form", &form.name()), ("count", &questions)]);
            output.json(&json!({ "form": form.name(), "questions": questions }));
            Ok(())
        }
        Form::Import { file, out } => {
            let imported = import(&read(file)?).map_err(|error| unfit(file, &error))?;
            let text = serde_json::to_string_pretty(&imported.form).map_err(|error| unfit(file, &error))?;
            write(out, format!("{text}\n").as_bytes())?;
            told(out, &imported.report, output);
            Ok(())
        }
        Form::Export { file, out } => {
            let form = read_form(file)?;
            let (bytes, report) = export(form.form()).map_err(|error| unfit(file, &error))?;
            write(out, &bytes)?;
            told(out, &report, output);
            Ok(())
        }
    }
}

/// What was lost, a line each.
fn told(out: &Path, report: &Report, output: &Output) {
    let losses = report.losses.len();
    for loss in &report.losses {
        output.text(&loss.to_string());
    }
    output.say("ruhu_form_written", &[("file", &out.display()), ("count", &losses)]);
    let lines: Vec<_> = report
        .losses
        .iter()
        .map(|loss| json!({ "sheet": loss.sheet, "row": loss.row, "name": loss.name, "reason": loss.reason }))
        .collect();
    output.json(&json!({ "file": out.display().to_string(), "losses": lines }));
}

fn read_form(file: &Path) -> Result<LoadedForm, Failure> {
    let text = String::from_utf8(read(file)?).map_err(|error| unfit(file, &error))?;
    load_text(&file.display().to_string(), &text).map_err(|invalid| {
        let lines: Vec<String> = invalid.faults.iter().map(ToString::to_string).collect();
        Failure::File { path: file.to_owned(), what: lines.join("\n  ") }
    })
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(file).map_err(|error| unfit(file, &error))?.len();
    if size > BYTES_MAX {
        return Err(unfit(file, &format!("larger than {BYTES_MAX} bytes")));
    }
    std::fs::read(file).map_err(|error| unfit(file, &error))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, bytes).map_err(|error| unfit(file, &error))
}

fn unfit(file: &Path, what: &dyn std::fmt::Display) -> Failure {
    Failure::File { path: file.to_owned(), what: what.to_string() }
}
