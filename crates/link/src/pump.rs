//! One direction of one connection.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::gather::Gate;

/// The bytes that are on their way together, about as many as a packet holds.
const SLICE_BYTES: usize = 1_400;
/// How long to wait for a byte before looking whether the time is over.
const TICK: Duration = Duration::from_millis(50);

/// The clock of the link.
#[expect(clippy::disallowed_methods, reason = "a link is made of time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// What one direction is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Direction {
    /// Bits a second.
    pub(crate) bits: u64,
    /// When the connection stands: one round trip after it was asked for.
    pub(crate) opens: Instant,
    /// How long a byte is on its way.
    pub(crate) delay: Duration,
    /// When the connection is cut.
    pub(crate) until: Option<Instant>,
    /// After how many bytes it is cut.
    pub(crate) bytes_max: Option<u64>,
}

impl Direction {
    fn is_over(&self) -> bool {
        self.until.is_some_and(|until| now() >= until)
    }

    /// How long these bytes occupy the link.
    fn takes(&self, bytes: usize) -> Duration {
        let bits = (bytes as u64).saturating_mul(8);
        Duration::from_nanos(bits.saturating_mul(1_000_000_000) / self.bits.max(1))
    }
}

/// Carries bytes from one side to the other until one ends or the time is over; whether it was cut.
pub(crate) fn pump(
    mut from: TcpStream,
    to: TcpStream,
    way: Direction,
    gate: Gate,
    count: &AtomicU64,
) -> bool {
    let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
    let mut slice = [0; SLICE_BYTES];
    let mut free_at = way.opens;
    let cut = thread::scope(|scope| {
        let delivery = scope.spawn(move || deliver(&receiver, to, way, gate, count));
        drop(from.set_read_timeout(Some(TICK)));
        while !way.is_over() && !delivery.is_finished() {
            let read = match from.read(&mut slice) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if is_silence(&error) => continue,
                Err(_) => break,
            };
            free_at = free_at.max(now()) + way.takes(read);
            let bytes = slice.get(..read).unwrap_or_default().to_vec();
            if sender.send((free_at + way.delay, bytes)).is_err() {
                break;
            }
            // The device must not be ahead of the link, or it takes for sent what is not.
            wait_until(free_at, way);
        }
        drop(sender);
        delivery.join().unwrap_or(false)
    });
    if cut {
        drop(from.shutdown(Shutdown::Both));
    }
    cut
}

fn is_silence(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

/// Hands bytes over when they are due; whether the connection was cut.
fn deliver(
    due: &Receiver<(Instant, Vec<u8>)>,
    mut to: TcpStream,
    way: Direction,
    mut gate: Gate,
    count: &AtomicU64,
) -> bool {
    let mut room = way.bytes_max.unwrap_or(u64::MAX);
    for (at, bytes) in due {
        if !wait_until(at, way) {
            break;
        }
        let mut passing = gate.pass(&bytes);
        passing.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        room = room.saturating_sub(passing.len() as u64);
        count.fetch_add(passing.len() as u64, Ordering::Relaxed);
        if to.write_all(&passing).is_err() || room == 0 {
            break;
        }
    }
    let cut = way.is_over() || room == 0;
    drop(to.shutdown(if cut { Shutdown::Both } else { Shutdown::Write }));
    cut
}

/// Waits; whether the connection still stands then.
fn wait_until(at: Instant, way: Direction) -> bool {
    let end = way.until.map_or(at, |until| until.min(at));
    thread::sleep(end.saturating_duration_since(now()));
    !way.is_over()
}
