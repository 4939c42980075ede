//! `ruhu sync`: sends what is new and fetches what others wrote, counted in receipts.

use indicatif::{ProgressBar, ProgressStyle};
use ruhu_client_core::{Client, Error, PhotoReport, SyncOutcome, SyncReport};
use serde_json::json;

use super::{photo, status, transport, wait};
use crate::failure::Failure;
use crate::output::{Output, local, utc};

/// A sync that did a great deal and has more to do is continued at once, so often.
const ROUNDS_MAX: usize = 1_000;

pub(super) fn run(client: &mut Client, no_photos: bool, output: &Output) -> Result<(), Failure> {
    let server = client.status()?.device.ok_or(Error::NotEnrolled)?.server;
    let transport = transport(&server)?;
    let bar = bar(output);
    let mut whole: Option<SyncReport> = None;
    for _ in 0..ROUNDS_MAX {
        let mut show = |progress: ruhu_client_core::Progress| {
            bar.set_length(progress.to_send);
            bar.set_position(progress.receipts);
            bar.set_message(progress.relayed.to_string());
        };
        let report = wait(client.sync(&transport, &mut show))??;
        let more = report.outcome == SyncOutcome::Paused;
        whole = Some(sum(whole, report));
        if !more {
            break;
        }
    }
    bar.finish_and_clear();
    let Some(report) = whole else { return Ok(()) };
    let done = report.outcome == SyncOutcome::Complete && !report.provisional;
    let photos = if done && !no_photos { photo::send(client, &transport, output)? } else { None };
    tell(client, report, photos.as_ref(), output)
}

fn bar(output: &Output) -> ProgressBar {
    if output.is_json() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(&output.message("ruhu_sync_bar", &[]));
    let bar = ProgressBar::new(0);
    style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
}

fn sum(earlier: Option<SyncReport>, mut report: SyncReport) -> SyncReport {
    if let Some(earlier) = earlier {
        report.progress.receipts += earlier.progress.receipts;
        report.progress.relayed += earlier.progress.relayed;
        report.progress.carried += earlier.progress.carried;
        report.requests += earlier.requests;
        report.resumed += earlier.resumed;
        report.sent_bytes += earlier.sent_bytes;
        report.got_bytes += earlier.got_bytes;
        report.not_accepted += earlier.not_accepted;
        report.set_aside += earlier.set_aside;
        report.snapshots += earlier.snapshots;
        report.repairs.splice(0..0, earlier.repairs);
        report.rewritten += earlier.rewritten;
        report.restored = report.restored.or(earlier.restored);
    }
    report
}

fn tell(
    client: &Client,
    report: SyncReport,
    photos: Option<&PhotoReport>,
    output: &Output,
) -> Result<(), Failure> {
    let progress = report.progress;
    if let Some(restored) = &report.restored {
        output.say(
            "ruhu_sync_restored",
            &[
                ("by", &restored.by),
                ("at", &local(Some(restored.restored_ms))),
                ("backup", &local(Some(restored.backup_ms))),
                ("again", &restored.waiting_again),
            ],
        );
    }
    output.say(
        "ruhu_synced",
        &[
            ("receipts", &progress.receipts),
            ("relayed", &progress.relayed),
            ("sent", &report.sent_bytes),
            ("got", &report.got_bytes),
            ("requests", &report.requests),
        ],
    );
    if progress.carried > 0 {
        output.say("ruhu_sync_carried", &[("carried", &progress.carried)]);
    }
    if report.waiting > 0 {
        output.say("ruhu_sync_waiting", &[("waiting", &report.waiting)]);
    }
    if report.not_accepted > 0 {
        output.say("ruhu_sync_not_accepted", &[("count", &report.not_accepted)]);
    }
    if report.rewritten > 0 {
        output.say("ruhu_sync_rewritten", &[("count", &report.rewritten)]);
    }
    if report.provisional {
        output.say("ruhu_provisional", &[]);
    }
    if report.set_aside > 0 {
        output.say("ruhu_sync_set_aside", &[("count", &report.set_aside)]);
    }
    if report.snapshots > 0 {
        output.say("ruhu_sync_snapshots", &[("count", &report.snapshots)]);
    }
    for repair in &report.repairs {
        status::tell_repair(repair, &repair.village.to_string(), output);
    }
    for village in &report.mismatched {
        output.say("ruhu_sync_mismatch", &[("village", village)]);
    }
    photo::tell_sent(client, photos, output)?;
    output.json(&as_json(client, &report, photos)?);
    match report.outcome {
        SyncOutcome::Interrupted(error) => Err(Failure::Interrupted(error)),
        SyncOutcome::Complete | SyncOutcome::Paused => Ok(()),
    }
}

fn as_json(
    client: &Client,
    report: &SyncReport,
    photos: Option<&PhotoReport>,
) -> Result<serde_json::Value, Failure> {
    let progress = report.progress;
    let restored = report.restored.as_ref().map(|restored| {
        json!({
            "by": restored.by, "at": utc(Some(restored.restored_ms)), "backup_at": utc(Some(restored.backup_ms)),
            "again": restored.waiting_again,
        })
    });
    Ok(json!({
        "restored": restored,
        "receipts": progress.receipts, "relayed": progress.relayed, "carried": progress.carried, "waiting": report.waiting,
        "not_accepted": report.not_accepted, "set_aside": report.set_aside, "requests": report.requests,
        "resumed": report.resumed, "rewritten": report.rewritten, "provisional": report.provisional,
        "sent_bytes": report.sent_bytes, "got_bytes": report.got_bytes, "mismatched": report.mismatched,
        "snapshots": report.snapshots,
        "repairs": report.repairs.iter().map(status::repair_as_json).collect::<Vec<_>>(),
        "complete": report.outcome == SyncOutcome::Complete,
        "photos": photos.map(photo::sent_json),
        "unsent_drafts": client.status()?.unsent.drafts,
    }))
}
