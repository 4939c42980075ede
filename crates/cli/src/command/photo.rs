//! `ruhu photo`: pictures into a draft, where they stand, and out to files; and their sending after a sync.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use indicatif::{ProgressBar, ProgressStyle};
use ruhu_client_core::{
    Asked, Client, Error, HttpTransport, ListedPhoto, NewPhoto, PhotoOutcome, PhotoPart, PhotoReport,
    PhotoState,
};
use ruhu_survey::id::HouseholdId;
use ruhu_survey::limits::{PHOTO_BYTES_MAX, PHOTO_BYTES_USUAL};
use ruhu_survey::photo::PhotoAddress;
use serde_json::{Value, json};

use super::bare::bare;
use super::{transport, wait};
use crate::arguments::{Photo, PhotoAdd, PhotoSave};
use crate::failure::Failure;
use crate::output::{Output, local, utc};
use crate::pick;

/// Characters of a photo's name in a table: enough to tell those of a household apart.
const NAME_CHARACTERS: usize = 12;

pub(super) fn run(client: &mut Client, asked: &Photo, output: &Output) -> Result<(), Failure> {
    match asked {
        Photo::Add(asked) => add(client, asked, output),
        Photo::Remove { check, key } => {
            client.remove_photo(*check, key)?;
            output.say("ruhu_photo_removed", &[("key", key)]);
            output.json(&json!({ "check": check, "key": key }));
            Ok(())
        }
        Photo::List(one) => list(client, &one.household, output),
        Photo::Save(asked) => save(client, asked, output),
    }
}

fn add(client: &mut Client, asked: &PhotoAdd, output: &Output) -> Result<(), Failure> {
    let original = bare(&read(&asked.file)?);
    let limit = if asked.large { PHOTO_BYTES_MAX } else { PHOTO_BYTES_USUAL };
    if original.len() > limit {
        return Err(Failure::LargePicture(original.len()));
    }
    let thumbnail = asked.thumbnail.as_deref().map(read).transpose()?;
    let thumbnail = thumbnail.map_or_else(Vec::new, |thumbnail| bare(&thumbnail));
    let question = Asked { question: &asked.question, member: None, element: None };
    let new = NewPhoto { original: &original, thumbnail: &thumbnail, taken_ms: written_ms(&asked.file)? };
    let address = client.add_photo(asked.check, &question, &new)?;
    let photos = client.photos_of_check(asked.check)?;
    let key = photos.into_iter().filter(|photo| photo.address == address).map(|photo| photo.key).next_back();
    let key = key.unwrap_or_default();
    output.say("ruhu_photo_added", &[("key", &key), ("photo", &address)]);
    output.json(&json!({ "photo": address.to_string(), "key": key }));
    Ok(())
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file).map_err(|error| failed(file, &error))
}

/// When a file was last written: a camera writes it when it takes the picture.
fn written_ms(file: &Path) -> Result<i64, Failure> {
    let written =
        fs::metadata(file).and_then(|about| about.modified()).map_err(|error| failed(file, &error))?;
    let since = written.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

fn failed(file: &Path, error: &std::io::Error) -> Failure {
    Failure::File { path: file.to_owned(), what: error.to_string() }
}

fn list(client: &Client, household: &str, output: &Output) -> Result<(), Failure> {
    let photos = client.photos(pick::household(client, household)?)?;
    let rows = photos.iter().map(|photo| {
        let name: String = photo.address.to_string().chars().take(NAME_CHARACTERS).collect();
        let kind = photo.kind.map(|kind| output.message(&format!("ruhu_photo_kind_{}", kind.name()), &[]));
        let place = format!("{} {}", photo.document, photo.key);
        vec![name, place, kind.unwrap_or_default(), local(photo.taken_ms), state(photo, output)]
    });
    output.table(
        &["ruhu_head_photo", "ruhu_head_where", "ruhu_head_kind", "ruhu_head_taken", "ruhu_head_state"],
        rows.collect(),
    );
    output.json(&photos.iter().map(as_json).collect::<Value>());
    Ok(())
}

fn state(photo: &ListedPhoto, output: &Output) -> String {
    match photo.state {
        PhotoState::Draft => output.message("ruhu_photo_state_draft", &[]),
        PhotoState::Waiting { sent, total } => {
            output.message("ruhu_photo_state_waiting", &[("sent", &sent), ("total", &total)])
        }
        PhotoState::Received { .. } => output.message("ruhu_photo_state_received", &[]),
        PhotoState::Others { here: true } => output.message("ruhu_photo_state_here", &[]),
        PhotoState::Others { here: false } => output.message("ruhu_photo_state_elsewhere", &[]),
    }
}

fn as_json(photo: &ListedPhoto) -> Value {
    let state = match photo.state {
        PhotoState::Draft => json!({ "state": "draft" }),
        PhotoState::Waiting { sent, total } => json!({ "state": "waiting", "sent": sent, "total": total }),
        PhotoState::Received { at_ms } => json!({ "state": "received", "at": utc(Some(at_ms)) }),
        PhotoState::Others { here } => json!({ "state": "others", "here": here }),
    };
    json!({
        "photo": photo.address.to_string(), "document": photo.document.to_string(), "key": photo.key,
        "kind": photo.kind.map(ruhu_survey::photo::PhotoKind::name), "taken": utc(photo.taken_ms), "state": state,
    })
}

fn save(client: &mut Client, asked: &PhotoSave, output: &Output) -> Result<(), Failure> {
    let household = pick::household(client, &asked.household)?;
    let address = named(client, household, &asked.photo)?;
    let part = if asked.thumbnail { PhotoPart::Thumbnail } else { PhotoPart::Original };
    let bytes = match client.photo(&address, part)? {
        Some(bytes) => bytes,
        None => {
            let server = client.status()?.device.ok_or(Error::NotEnrolled)?.server;
            wait(client.fetch_photo(&transport(&server)?, household, &address, part))??
        }
    };
    fs::write(&asked.file, &bytes).map_err(|error| failed(&asked.file, &error))?;
    output.say("ruhu_photo_saved", &[("file", &asked.file.display()), ("bytes", &bytes.len())]);
    output.json(&json!({ "photo": address.to_string(), "bytes": bytes.len() }));
    Ok(())
}

/// The one photo of a household whose name begins so.
fn named(client: &Client, household: HouseholdId, text: &str) -> Result<PhotoAddress, Failure> {
    let photos = client.photos(household)?.into_iter().map(|photo| photo.address);
    let mut found = photos.filter(|address| address.to_string().starts_with(text)).collect::<Vec<_>>();
    found.dedup();
    match found.as_slice() {
        [only] => Ok(*only),
        _ => Err(Failure::Unknown(text.to_owned())),
    }
}

/// Sends what waits; none when nothing does.
pub(super) fn send(
    client: &mut Client,
    transport: &HttpTransport,
    output: &Output,
) -> Result<Option<PhotoReport>, Failure> {
    if client.photos_waiting()?.0 == 0 {
        return Ok(None);
    }
    let bar = bar(output);
    let mut show = |progress: ruhu_client_core::PhotoProgress| {
        bar.set_length(progress.bytes_to_send);
        bar.set_position(progress.bytes);
        bar.set_message(format!("{}/{}", progress.received, progress.to_send));
    };
    let report = wait(client.send_photos(transport, &mut show, &|| false))??;
    bar.finish_and_clear();
    Ok(Some(report))
}

fn bar(output: &Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&output.message("ruhu_photo_bar", &[]));
    let bar = ProgressBar::new(0);
    style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
}

/// Says what became of the photos, and what still waits.
pub(super) fn tell_sent(
    client: &Client,
    report: Option<&PhotoReport>,
    output: &Output,
) -> Result<(), Failure> {
    if let Some(report) = report {
        let received = report.progress.received;
        output.say("ruhu_photos_sent", &[("received", &received), ("sent", &report.sent_bytes)]);
        for (photo, code) in &report.refused {
            output.say("ruhu_photo_refused", &[("photo", photo), ("code", code)]);
        }
        match &report.outcome {
            PhotoOutcome::Later { code } => output.say("ruhu_photos_later", &[("code", code)]),
            PhotoOutcome::Interrupted(why) => output.say("ruhu_photos_interrupted", &[("why", why)]),
            PhotoOutcome::Complete | PhotoOutcome::TextFirst | PhotoOutcome::Stopped => {}
        }
    }
    tell_waiting(client, output)
}

/// Says how many photos wait, if any does.
pub(super) fn tell_waiting(client: &Client, output: &Output) -> Result<(), Failure> {
    if client.status()?.device.is_none() {
        return Ok(());
    }
    let (photos, bytes) = client.photos_waiting()?;
    if photos > 0 {
        output.say("ruhu_photos_waiting", &[("photos", &photos), ("bytes", &bytes)]);
    }
    Ok(())
}

pub(super) fn sent_json(report: &PhotoReport) -> Value {
    let outcome = match &report.outcome {
        PhotoOutcome::Complete => "complete".to_owned(),
        PhotoOutcome::TextFirst => "text_first".to_owned(),
        PhotoOutcome::Stopped => "stopped".to_owned(),
        PhotoOutcome::Later { code } => code.clone(),
        PhotoOutcome::Interrupted(_) => "interrupted".to_owned(),
    };
    let refused =
        report.refused.iter().map(|(photo, code)| json!({ "photo": photo.to_string(), "code": code }));
    json!({
        "outcome": outcome, "received": report.progress.received, "to_send": report.progress.to_send,
        "bytes": report.progress.bytes, "sent_bytes": report.sent_bytes, "requests": report.requests,
        "failures": report.failures, "refused": refused.collect::<Value>(),
    })
}
