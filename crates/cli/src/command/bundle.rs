//! `ruhu bundle`: carrying visits in a file or as codes, where no network goes.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use ruhu_client_core::{BundlePart, BundleReport, Client};
use ruhu_survey::id::VillageId;
use ruhu_sync::bundle::code;
use ruhu_sync::limits::BUNDLE_BYTES_MAX;
use serde_json::{Value, json};

use super::qr;
use crate::arguments::{Bundle, BundleExport, BundleImport, BundleQr, InVillage};
use crate::failure::Failure;
use crate::output::Output;
use crate::pick;

pub(super) fn run(client: &mut Client, asked: &Bundle, output: &Output) -> Result<(), Failure> {
    match asked {
        Bundle::Export(asked) => export(client, asked, output),
        Bundle::Import(asked) => import(client, asked, output),
        Bundle::Show { file } => tell(&client.bundle_show(&read(file)?)?, client, output),
        Bundle::Qr(asked) => codes(client, asked, output),
    }
}

fn export(client: &mut Client, asked: &BundleExport, output: &Output) -> Result<(), Failure> {
    let villages = villages(client, &asked.place)?;
    let since_ms = asked.since.as_deref().map(day_ms).transpose()?;
    let held = if asked.file.exists() { read(&asked.file)? } else { Vec::new() };
    let appended = client.bundle_export(&held, &villages, since_ms)?;
    append(&asked.file, &appended).map_err(|error| failed(&asked.file, &error))?;
    let length = held.len() + appended.len();
    output.say(
        "ruhu_bundle_exported",
        &[("file", &asked.file.display()), ("bytes", &appended.len()), ("length", &length)],
    );
    output.json(&json!({ "appended_bytes": appended.len(), "bytes": length }));
    Ok(())
}

/// The village that was named, or all that are granted.
fn villages(client: &Client, place: &InVillage) -> Result<Vec<VillageId>, Failure> {
    match place.village {
        Some(_) => Ok(vec![pick::village(client, place)?.id]),
        None => Ok(client.villages()?.into_iter().filter(|one| one.granted).map(|one| one.id).collect()),
    }
}

fn import(client: &mut Client, asked: &BundleImport, output: &Output) -> Result<(), Failure> {
    let file = match &asked.file {
        Some(file) => read(file)?,
        None => code::join(
            asked.qr_text.iter().flat_map(|text| text.lines()).filter(|text| !text.trim().is_empty()),
        )
        .map_err(|error| Failure::Device(error.into()))?,
    };
    let report = client.bundle_import(&file)?;
    super::peer::tell_carried(&report.carried, output);
    tell(&report, client, output)
}

fn tell(report: &BundleReport, client: &Client, output: &Output) -> Result<(), Failure> {
    let names = client.villages()?;
    for part in &report.parts {
        let known = names.iter().find(|village| village.id == part.village);
        let name = known.map_or_else(|| part.village.to_string(), |village| village.name.clone());
        let code = if part.readable { "ruhu_bundle_part" } else { "ruhu_bundle_part_sealed" };
        output.say(
            code,
            &[
                ("village", &name),
                ("segments", &part.segments),
                ("batches", &part.batches),
                ("received", &part.received),
                ("devices", &part.devices),
            ],
        );
        if part.missing > 0 {
            output.say("ruhu_bundle_missing", &[("missing", &part.missing)]);
        }
    }
    for damage in &report.damage {
        output.say("ruhu_bundle_damage", &[("at", &damage.at), ("what", &damage.kind)]);
    }
    output.json(&as_json(report));
    if report.parts.is_empty() {
        return Err(Failure::NotABundle);
    }
    Ok(())
}

fn as_json(report: &BundleReport) -> Value {
    let part = |part: &BundlePart| {
        json!({
            "village": part.village, "readable": part.readable, "segments": part.segments,
            "repeated": part.repeated, "missing": part.missing, "batches": part.batches,
            "received": part.received, "devices": part.devices,
        })
    };
    let damage =
        |damage: &ruhu_sync::bundle::Damage| json!({ "at": damage.at, "what": damage.kind.to_string() });
    json!({
        "parts": report.parts.iter().map(part).collect::<Value>(),
        "damage": report.damage.iter().map(damage).collect::<Value>(),
        "carried": super::peer::carried_json(&report.carried),
    })
}

fn codes(client: &mut Client, asked: &BundleQr, output: &Output) -> Result<(), Failure> {
    let village = pick::village(client, &asked.place)?.id;
    let texts = client.bundle_codes(village, asked.last)?;
    let codes = texts.iter().map(|text| qr::code(text)).collect::<Result<Vec<_>, _>>()?;
    match &asked.out {
        None => {
            for (place, code) in (1..).zip(&codes) {
                output.say("ruhu_bundle_code", &[("place", &place), ("count", &codes.len())]);
                output.text(&qr::terminal(code));
            }
        }
        Some(path) => {
            for (file, code) in qr::names(path, codes.len()).into_iter().zip(&codes) {
                let picture = qr::picture(&file, code)?;
                fs::write(&file, picture).map_err(|error| failed(&file, &error))?;
                output.say("ruhu_bundle_code_file", &[("file", &file.display())]);
            }
        }
    }
    output.json(&json!({ "codes": texts }));
    Ok(())
}

/// The beginning of a day in China, where all villages are.
fn day_ms(text: &str) -> Result<i64, Failure> {
    let unknown = || Failure::Unknown(text.to_owned());
    let beijing = TimeZone::fixed(jiff::tz::offset(8));
    let date: Date = text.parse().map_err(|_| unknown())?;
    Ok(date.to_zoned(beijing).map_err(|_| unknown())?.timestamp().as_millisecond())
}

/// Appends, and returns only when it is on the stick.
fn append(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let length = fs::metadata(file).map_err(|error| failed(file, &error))?.len();
    if length > BUNDLE_BYTES_MAX {
        let what = format!("it has {length} bytes, the limit is {BUNDLE_BYTES_MAX}: export into a new file");
        return Err(Failure::File { path: file.to_owned(), what });
    }
    fs::read(file).map_err(|error| failed(file, &error))
}

fn failed(file: &Path, error: &std::io::Error) -> Failure {
    Failure::File { path: file.to_owned(), what: error.to_string() }
}
