//! Devices that hand one another what they hold: on a stick that goes from one to the next, or in one room.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ruhu_client_core::{Client, Error, Link, PeerReport, TransportError};
use ruhu_sync::peer::PeerSide;

use crate::host::VILLAGE;
use crate::node::Node;
use crate::turn::Running;
use crate::world::World;

/// A stick is wiped when it holds more.
const STICK_BYTES_MAX: usize = 64 * 1024;
/// Messages of a meeting within which its link breaks, if it does.
const MESSAGES: usize = 12;
/// What keeps apart a change that stands on one which another device handed on and the server did not accept.
const ON_CARRIED: [&str; 1] = ["depends_on_quarantined"];

/// How a meeting ended for one of the two.
pub type Met = (Box<Client>, Result<PeerReport, Error>);

impl World<'_> {
    /// A stick with what one device holds goes to another one; on the way its file may be cut or damaged.
    pub(crate) fn carry(&mut self) {
        let Some((from, to)) = self.two_idle() else { return };
        self.fault("device: a stick carries what it holds to another");
        let mut stick = std::mem::take(&mut self.trouble.stick);
        let exported = self.with_doom(from, |node| node.client_mut().bundle_export(&stick, &[VILLAGE], None));
        stick.extend(exported.unwrap_or_default());
        if self.dice.per_mille(100) {
            self.fault("stick: cut off at a byte");
            stick.truncate(self.dice.below(stick.len() + 1));
        }
        if !stick.is_empty() && self.dice.per_mille(100) {
            self.fault("stick: a bit is turned");
            let place = self.dice.below(stick.len());
            stick[place] ^= 1 << self.dice.below(8);
        }
        self.may_stand_on_carried(to);
        self.with_doom(to, |node| node.client_mut().bundle_import(&stick));
        self.trouble.stick = if stick.len() > STICK_BYTES_MAX { Vec::new() } else { stick };
    }

    /// Two devices sync with one another; the link may break at any message, and either program may die.
    pub(crate) fn meet(&mut self) {
        let Some((one, other)) = self.two_idle() else { return };
        self.fault("device: syncs with another in one room");
        [one, other].into_iter().for_each(|index| self.may_stand_on_carried(index));
        let breaks = self.dice.per_mille(300).then(|| self.dice.below(MESSAGES));
        let (caller, listener) = wires(breaks.unwrap_or(usize::MAX));
        [one, other].into_iter().for_each(|index| self.may_die(index));
        let mut calls = self.nodes[one].begin_meeting(caller, PeerSide::Caller);
        let mut listens = self.nodes[other].begin_meeting(listener, PeerSide::Listener);
        for (index, (client, ended)) in [one, other].into_iter().zip(run_both(&mut calls, &mut listens)) {
            if self.nodes[index].spare() {
                drop(client);
                self.dies_in_between(index);
                continue;
            }
            self.nodes[index].end_sync(client, &mut self.book);
            self.note_meeting(index, ended);
        }
    }

    fn note_meeting(&mut self, index: usize, ended: Result<PeerReport, Error>) {
        let mut tally = self.net.tally.borrow_mut();
        tally.event(match &ended {
            Ok(report) if report.interrupted.is_none() => "meetings",
            Ok(_) | Err(Error::Transport(_)) => "meetings cut off",
            // A wrong clock, a certificate that ended, a key that was given up.
            Err(Error::Peer(_) | Error::PeerRefused(_) | Error::NoSharedVillage) => "meetings refused",
            Err(_) => "meetings that failed",
        });
        let excused = [
            matches!(ended, Ok(_) | Err(Error::Transport(_) | Error::Peer(_) | Error::PeerRefused(_))),
            matches!(ended, Err(Error::NoSharedVillage)),
        ];
        if let (Err(error), false) = (ended, excused.contains(&true)) {
            self.book.violations.push(format!("node {index}: a meeting failed: {error:?}"));
        }
    }

    /// One call of a program that may die at any operation of its disk.
    fn with_doom<T>(&mut self, index: usize, call: impl FnOnce(&mut Node) -> Result<T, Error>) -> Option<T> {
        self.may_die(index);
        let called = call(&mut self.nodes[index]);
        let died = self.nodes[index].spare();
        if died {
            self.dies_in_between(index);
            return None;
        }
        self.nodes[index].look_at_disk(&mut self.book);
        called
            .map_err(|error| self.book.violations.push(format!("node {index}: carrying failed: {error:?}")))
            .ok()
    }

    fn dies_in_between(&mut self, index: usize) {
        self.fault("device: dies at an operation of its disk while it hands on or takes");
        self.restart(index);
    }

    /// Two devices whose programs are not busy.
    fn two_idle(&mut self) -> Option<(usize, usize)> {
        let mut idle: Vec<usize> =
            self.nodes.iter().filter(|node| node.is_idle()).map(|node| node.index).collect();
        self.dice.shuffle(&mut idle);
        Some((*idle.first()?, *idle.get(1)?))
    }

    /// From now on this device works on what the server may not accept.
    fn may_stand_on_carried(&mut self, index: usize) {
        self.may_be_kept_apart(|node| node.index == index, &ON_CARRIED);
    }
}

/// Runs the two ends of a link by turns until both ended; where neither goes on, the link is broken.
fn run_both(one: &mut Running<Met>, other: &mut Running<Met>) -> [Met; 2] {
    let mut ended = [None, None];
    let mut context = Context::from_waker(Waker::noop());
    while ended.iter().any(Option::is_none) {
        for (ended, running) in ended.iter_mut().zip([&mut *one, &mut *other]) {
            if ended.is_none()
                && let Poll::Ready(met) = running.as_mut().poll(&mut context)
            {
                *ended = Some(met);
            }
        }
    }
    ended.map(|met| met.unwrap_or_else(|| unreachable!("both have ended")))
}

/// What both ends of a link share.
#[derive(Debug, Default)]
struct Shared {
    /// Messages until it breaks.
    left: Cell<usize>,
    /// Whether it broke, or an end went away.
    broken: Cell<bool>,
    /// Times in a row that an end waited in vain.
    waits: Cell<usize>,
}

/// One end of a link in memory.
#[derive(Debug)]
pub struct Wire {
    out: Rc<RefCell<VecDeque<Vec<u8>>>>,
    inn: Rc<RefCell<VecDeque<Vec<u8>>>>,
    shared: Rc<Shared>,
}

fn wires(messages: usize) -> (Wire, Wire) {
    let (one, other) = (Rc::<RefCell<VecDeque<Vec<u8>>>>::default(), Rc::default());
    let shared = Rc::new(Shared { left: Cell::new(messages), ..Shared::default() });
    let wire = |out: &Rc<RefCell<_>>, inn: &Rc<RefCell<_>>| Wire {
        out: out.clone(),
        inn: inn.clone(),
        shared: shared.clone(),
    };
    (wire(&one, &other), wire(&other, &one))
}

impl Link for Wire {
    async fn send(&mut self, message: &[u8]) -> Result<(), TransportError> {
        let Some(left) = self.shared.left.get().checked_sub(1) else {
            self.shared.broken.set(true);
            return Err(TransportError::Cut);
        };
        self.shared.left.set(left);
        self.out.borrow_mut().push_back(message.to_vec());
        Ok(())
    }

    async fn receive(&mut self) -> Result<Vec<u8>, TransportError> {
        std::future::poll_fn(|_| {
            if let Some(message) = self.inn.borrow_mut().pop_front() {
                self.shared.waits.set(0);
                return Poll::Ready(Ok(message));
            }
            self.shared.waits.set(self.shared.waits.get() + 1);
            // Both wait for one another: somebody's message was lost with the link.
            let broken = self.shared.broken.get() || self.shared.waits.get() > 4;
            if broken { Poll::Ready(Err(TransportError::Cut)) } else { Poll::Pending }
        })
        .await
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.shared.broken.set(true);
    }
}
