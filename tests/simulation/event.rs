//! Troubles of a world beyond its link: kills, backups that come back, copies, revocations, wrong clocks.

use std::rc::Rc;

use ruhu_survey::change::Value;

use crate::breakage::Breakage;
use crate::dice::Dice;
use crate::host::ServerBackup;
use crate::node::Backup;
use crate::rogue;
use crate::world::{Job, Plan, World};

/// One trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    /// The server is killed, and started again a while later.
    KillServer,
    /// A device is killed in the middle of a sync.
    KillInSync,
    /// A device's disk is backed up.
    BackUp,
    /// A device's disk is lost, and its backup comes back.
    Restore,
    /// A device is copied, and both go on.
    Copy,
    /// A device is revoked, and goes on writing.
    Revoke,
    /// A device's certificate is to end soon.
    Expire,
    /// A device gets a new certificate.
    Renew,
    /// A device's clock is set wrong, or right again.
    SetClock,
    /// The server writes what only it may write.
    ServerWrites,
    /// A modified program sends what it may not.
    Rogue,
    /// A stick carries what one device holds to another.
    Stick,
    /// Two devices sync with one another.
    Meet,
    /// The server's disk is backed up.
    BackUpServer,
    /// The server's disk is lost, and its backup comes back.
    RestoreServer,
}

/// The troubles of a world: how often each strikes in a week, and what is under way.
#[derive(Debug, Default)]
pub struct Trouble {
    /// Weeks of a device without a network, in a thousand.
    pub partitioned_per_mille: u64,
    /// Steps of a device in which it dies at some operation of its disk, in a thousand.
    pub device_dies_per_mille: u64,
    /// Steps of a request in which the server dies at some operation of its disk, in a thousand.
    pub server_dies_per_mille: u64,
    /// How often, in a thousand weeks.
    often: Vec<(Strike, u64)>,
    /// What is still to come this week.
    coming: Vec<Strike>,
    backups: Vec<(usize, Backup)>,
    /// Steps until the server is started again.
    down: usize,
    revoked: bool,
    copied: bool,
    pub(crate) restored: usize,
    /// The last backup of the server.
    pub(crate) server_backup: Option<ServerBackup>,
    pub(crate) expiring: Option<usize>,
    pub(crate) rogue: Option<rogue::Rogue>,
    /// What is on the stick that goes around.
    pub(crate) stick: Vec<u8>,
}

/// Steps of a week in which troubles come one by one.
const STEPS: u64 = 40;
/// Restores in one world: a chain takes only so many branches.
const RESTORES_MAX: usize = 4;
const DAY_MS: i64 = 24 * 3_600_000;
/// The rules that keep apart what a device writes whose key was in two places: the key's, and for a check
/// that both submitted `late` under one key, `not_the_starter` under two.
const COPIED: [&str; 4] = ["late", "not_the_starter", "device_revoked", "device_provisional"];

impl Trouble {
    /// The troubles of one world: each in half of the worlds, with a frequency of its own. What a broken
    /// guarantee would have guarded against comes every week.
    pub fn draw(dice: &mut Dice, plan: &Plan) -> Self {
        let kinds = [
            (Strike::KillServer, 700),
            (Strike::KillInSync, 700),
            (Strike::BackUp, 500),
            (Strike::Restore, 250),
            (Strike::Copy, 120),
            (Strike::Revoke, 150),
            (Strike::Expire, 150),
            (Strike::Renew, 200),
            (Strike::SetClock, 400),
            (Strike::ServerWrites, 500),
            (Strike::Rogue, 400),
            (Strike::Stick, 600),
            (Strike::Meet, 600),
        ];
        let drawn = kinds.into_iter().filter(|_| dice.per_mille(500));
        let mut often: Vec<_> = drawn.collect();
        if plan.loses_server {
            often.extend([(Strike::BackUpServer, 500), (Strike::RestoreServer, 200)]);
        }
        often.extend(plan.breakage.and_then(guarded).map(|strike| (strike, 1_000)));
        let partitioned_per_mille = *dice.pick(&[0, 50, 200, 400]);
        let device_dies_per_mille = *dice.pick(&[0, 5, 20, 60]);
        let server_dies_per_mille = *dice.pick(&[0, 0, 2, 8]);
        Self { partitioned_per_mille, device_dies_per_mille, server_dies_per_mille, often, ..Self::default() }
    }
}

/// The trouble that a guarantee guards against.
const fn guarded(breakage: Breakage) -> Option<Strike> {
    match breakage {
        Breakage::AckBeforeCommit => Some(Strike::KillServer),
        Breakage::DropOnQuarantine => Some(Strike::Rogue),
        Breakage::WallClockCursor => Some(Strike::SetClock),
        Breakage::SkipForkCheck => Some(Strike::Copy),
        Breakage::AutomergeWinner => None,
    }
}

impl World<'_> {
    /// Draws the troubles of one week.
    pub(crate) fn plan_troubles(&mut self) {
        self.trouble.coming.clear();
        for (strike, often) in self.trouble.often.clone() {
            for _ in 0..2 {
                if self.dice.per_mille(often) {
                    self.trouble.coming.push(strike);
                }
            }
        }
        self.dice.shuffle(&mut self.trouble.coming);
    }

    /// Nothing more happens this week.
    pub(crate) fn end_troubles(&mut self) {
        self.trouble.coming.clear();
    }

    /// Lets the next trouble come, if it is time.
    pub(crate) fn trouble_strikes(&mut self) {
        if self.net.host.router().is_none() {
            self.trouble.down = self.trouble.down.saturating_sub(1);
            if self.trouble.down == 0 {
                self.start_server();
            }
            return;
        }
        if self.dice.per_mille(1_000 / STEPS)
            && let Some(strike) = self.trouble.coming.pop()
        {
            self.strike(strike);
        }
    }

    fn strike(&mut self, strike: Strike) {
        let index = self.dice.below(self.nodes.len());
        match strike {
            Strike::KillServer => self.kill_server(),
            Strike::KillInSync => self.kill_in_sync(),
            Strike::BackUp => self.back_up(index),
            Strike::Restore => self.restore(),
            Strike::Copy => self.copy(index),
            Strike::Revoke => self.revoke(index),
            Strike::Expire => self.expire(index),
            Strike::Renew => self.renew(),
            Strike::SetClock => self.set_clock(index),
            Strike::ServerWrites => self.server_writes(),
            Strike::Rogue => rogue::send(self),
            Strike::Stick => self.carry(),
            Strike::Meet => self.meet(),
            Strike::BackUpServer => self.back_up_server(),
            Strike::RestoreServer => self.restore_server(),
        }
    }

    pub(crate) fn fault(&self, kind: &'static str) {
        self.net.tally.borrow_mut().fault(kind);
    }

    fn kill_server(&mut self) {
        self.fault("server: killed and started again");
        self.end_server();
    }

    /// Ends the server; it is started again a while later.
    pub(crate) fn end_server(&mut self) {
        let end = self.end();
        self.net.host.end(end);
        // Requests under way learn of it, and let go of the files.
        for place in (0..self.jobs.len()).rev() {
            self.turn(place);
        }
        self.trouble.down = self.dice.below(6) + 1;
    }

    /// Starts the server again on what its disk holds.
    pub(crate) fn start_server(&mut self) {
        self.net.meddler.borrow_mut().after_kill(&self.net.host);
        self.net.host.start();
    }

    fn kill_in_sync(&mut self) {
        let syncing = self.jobs.iter().position(|job| matches!(job, Job::Sync(..)));
        let Some(place) = syncing else { return };
        let Job::Sync(index, running) = self.jobs.swap_remove(place) else { return };
        self.fault("device: killed in a sync");
        self.turns.cut(running);
        self.restart(index);
    }

    fn back_up(&mut self, index: usize) {
        if self.nodes[index].is_idle() {
            self.trouble.backups.retain(|(of, _)| *of != index);
            let backup = self.nodes[index].back_up();
            self.trouble.backups.push((index, backup));
            self.net.tally.borrow_mut().event("backups of a device");
        }
    }

    fn restore(&mut self) {
        let enough = self.trouble.restored >= RESTORES_MAX || self.book.server_restored;
        if self.trouble.backups.is_empty() || enough {
            return;
        }
        let place = self.dice.below(self.trouble.backups.len());
        let index = self.trouble.backups[place].0;
        if !self.nodes[index].is_idle() {
            return;
        }
        self.fault("device: restored from an old backup");
        self.trouble.restored += 1;
        self.book.parted.insert(self.nodes[index].device);
        let (_, backup) = self.trouble.backups.swap_remove(place);
        self.nodes[index].restore(&backup, &mut self.book, &self.time);
        // A check that was submitted after the backup is a draft again, and submitted twice.
        // What it sends is kept apart once its key is known to have been in two places.
        self.may_be_kept_apart(|node| node.index == index, &COPIED);
    }

    fn copy(&mut self, index: usize) {
        if self.trouble.copied || !self.nodes[index].is_idle() {
            return;
        }
        self.fault("device: copied, and both go on");
        self.trouble.copied = true;
        self.book.parted.insert(self.nodes[index].device);
        let copy = self.nodes.len();
        let copied = self.nodes[index].copied(copy, &self.time);
        self.nodes.push(copied);
        self.add_queue();
        // A check that was open is submitted by both, and the key ends for both.
        self.may_be_kept_apart(|node| node.index == index || node.index == copy, &COPIED);
    }

    fn revoke(&mut self, index: usize) {
        let device = self.nodes[index].device;
        if self.trouble.revoked || index == 0 || self.net.host.is_revoked(device) {
            return;
        }
        self.fault("device: revoked, and goes on writing");
        self.trouble.revoked = true;
        self.net.host.revoke(device);
        self.may_be_kept_apart(|node| node.device == device, &["device_revoked"]);
        for node in self.nodes.iter_mut().filter(|node| node.device == device) {
            (node.barred, node.revoked) = (true, true);
        }
    }

    fn expire(&mut self, index: usize) {
        let device = self.nodes[index].device;
        if self.trouble.expiring.is_some() || self.nodes[index].barred || self.net.host.is_revoked(device) {
            return;
        }
        self.fault("device: certificate ends");
        self.trouble.expiring = Some(index);
        let until_ms = self.net.host.now_ms() + self.dice.between(1, 10) * DAY_MS;
        self.net.host.certify_until(device, until_ms);
        self.may_be_kept_apart(|node| node.device == device, &["certificate_expired"]);
        self.bar(device, true);
    }

    fn renew(&mut self) {
        let Some(index) = self.trouble.expiring.take() else { return };
        let device = self.nodes[index].device;
        if self.net.host.is_revoked(device) {
            // Another copy gave the key up meanwhile, or it was revoked: only a new key helps.
            return;
        }
        self.net.tally.borrow_mut().event("certificates renewed");
        self.net.host.certify_until(device, self.net.host.now_ms() + 700 * DAY_MS);
        self.bar(device, false);
    }

    fn bar(&mut self, device: ruhu_survey::id::DeviceId, barred: bool) {
        for node in self.nodes.iter_mut().filter(|node| node.device == device) {
            node.barred = barred;
        }
    }

    fn set_clock(&mut self, index: usize) {
        self.fault("device: clock set wrong");
        let hours = 3_600_000;
        let year = 365 * DAY_MS;
        let off = *self.dice.pick(&[0, -hours, hours, -9 * DAY_MS, 30 * DAY_MS, -year, 3 * year, -50 * year]);
        self.nodes[index].skew.set(off);
    }

    fn server_writes(&mut self) {
        let Some(household) = self.household() else { return };
        let number = format!("{:012}", self.dice.below(1_000_000_000));
        let key = "national_household_no";
        let value = Value::Text(number);
        let written = self.net.host.write(household, |builder| {
            builder.put(key, value.clone());
        });
        self.net.tally.borrow_mut().event("changes by the server");
        if let Some(hash) = written {
            self.book.enter_from_elsewhere(household, hash, vec![(key.to_owned(), Some(value))]);
        }
    }

    /// What a modified program may send by, made when it is first needed.
    pub(crate) fn rogue(&mut self) -> rogue::Rogue {
        let net = Rc::clone(&self.net);
        self.trouble.rogue.take().unwrap_or_else(|| rogue::Rogue::enrolled(&net, &mut self.dice))
    }
}
