//! Writes a county's regions and the rosters of invented villages into a folder, and prints what it wrote.
//!
//! `cargo run -p ruhu-sample --example write_villages -- FOLDER HOUSEHOLDS VILLAGES [VISITS]`
//!
//! With VISITS, the answers of a visit to each of so many households of the first village are written too, as
//! `visits/NUMBER.json` by household number, for `ruhu check --answers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ruhu_sample::{
    Date, Parameters, REGIONS_CILI, Random, SampleVillage, VillageRequest, roster_csv, village, visit_answers,
};
use ruhu_survey::change::Value;

const SEED: u64 = 430_821;
const ON: Date = Date { year: 2026, month: 11, day: 1 };

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    let households = arguments.next().and_then(|text| text.parse().ok());
    let villages = arguments.next().and_then(|text| text.parse().ok());
    let (Some(folder), Some(households), Some(villages)) = (folder, households, villages) else {
        eprintln!("usage: write_villages FOLDER HOUSEHOLDS VILLAGES");
        return ExitCode::from(2);
    };
    let visits = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    match write(&folder, households, villages, visits) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &Path, households: usize, villages: u64, visits: usize) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut regions = REGIONS_CILI.to_owned();
    for ordinal in 0..villages {
        let request = VillageRequest { seed: SEED, ordinal, households, on: ON };
        let village = village(&request, Parameters::bundled());
        let people: usize = village.households.iter().map(|household| household.members.len()).sum();
        fs::write(folder.join(format!("roster-{ordinal}.csv")), roster_csv(&village))?;
        if ordinal == 0 {
            write_visits(folder, &village, visits)?;
        }
        regions.push_str(&format!("{},{}\n", village.code, village.name));
        println!("{} {} {} {people}", village.code, village.name, village.households.len());
    }
    fs::write(folder.join("regions.csv"), regions)
}

fn write_visits(folder: &Path, village: &SampleVillage, visits: usize) -> std::io::Result<()> {
    let folder = folder.join("visits");
    fs::create_dir_all(&folder)?;
    let mut random = Random::new(SEED);
    for household in village.households.iter().take(visits) {
        let answers = visit_answers(&mut random, household);
        let lines =
            answers.map(|answer| format!("  \"{}\": {}", answer.key(), json(&answer.value.to_value())));
        let text = format!("{{\n{}\n}}\n", lines.join(",\n"));
        fs::write(folder.join(format!("{}.json", household.national_no)), text)?;
    }
    Ok(())
}

/// A sampled value as JSON; its texts are codes, which need no escapes.
fn json(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        Value::Int(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Bytes(_) => "null".to_owned(),
    }
}
