//! Disks that fail and disks that are full, at every call of a session in turn.

use ruhu_client_core::Profile;

use super::found::examine;
use super::machines::Trouble;
use super::session::Session;
use crate::disk::{Disk, Failure};

/// Whose disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sick {
    Device,
    Server,
}

/// How many calls each disk of a whole session answers: the server's and the device's.
pub(crate) fn calls(profile: Profile) -> (u64, u64) {
    let (server, device) = (Disk::new(), Disk::new());
    let (_, ended) = Session::run(profile, &server, &device);
    ended.unwrap();
    (server.calls(), device.calls())
}

/// Runs a session in which one call of one disk fails, mends the disk, and holds what is there against what was
/// promised. Answers what stopped the session, if something did.
pub(crate) fn fail(
    profile: Profile,
    sick: Sick,
    call: u64,
    failure: Failure,
    lasting: bool,
) -> Result<Option<Trouble>, Trouble> {
    let (server, device) = (Disk::new(), Disk::new());
    let disk = match sick {
        Sick::Server => &server,
        Sick::Device => &device,
    };
    disk.fail_at(call, failure, lasting);
    let (session, ended) = Session::run(profile, &server, &device);
    if !disk.mend() && ended.is_err() {
        return Err(format!("the session stopped with no call having failed: {ended:?}"));
    }
    // The programs end and are started again.
    server.kill();
    device.kill();
    let examined = examine(&server, &device, profile, &session.facts, &session.facts);
    let last = session.facts.last().map(|(_, fact)| fact);
    examined.map_err(|trouble| format!("{trouble}; the session ended with {ended:?} after {last:?}"))?;
    Ok(ended.err())
}
