//! Writes a county's regions and the rosters of invented villages into a folder, and prints what it wrote.
//!
//! `cargo run -p ruhu-sample --example write_villages -- FOLDER HOUSEHOLDS VILLAGES`

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use ruhu_sample::{Date, Parameters, REGIONS_CILI, VillageRequest, roster_csv, village};

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
    match write(&folder, households, villages) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &std::path::Path, households: usize, villages: u64) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut regions = REGIONS_CILI.to_owned();
    for ordinal in 0..villages {
        let request = VillageRequest { seed: SEED, ordinal, households, on: ON };
        let village = village(&request, Parameters::bundled());
        let people: usize = village.households.iter().map(|household| household.members.len()).sum();
        fs::write(folder.join(format!("roster-{ordinal}.csv")), roster_csv(&village))?;
        regions.push_str(&format!("{},{}\n", village.code, village.name));
        println!("{} {} {} {people}", village.code, village.name, village.households.len());
    }
    fs::write(folder.join("regions.csv"), regions)
}
