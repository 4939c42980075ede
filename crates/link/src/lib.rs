//! A bad link on one machine: a TCP proxy on loopback with a bit rate each way, a round trip, and cuts.
//!
//! It stands between a device and a server to measure and to test what a weak connection does. Everything
//! that passes is counted. A link can also gather whole requests before it passes them on, as some
//! carriers' proxies do: then nothing of a request arrives unless all of it got through.
//!
//! Each direction is a thread that takes what comes in slices and hands them over when a link of that rate
//! and latency would have delivered them. A cut ends both directions at once and drops what is on its way.

mod gather;
mod pump;

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use gather::Gate;
use pump::{Direction, now, pump};

/// What a link is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bits a second from the device to the server.
    pub up_bits: u64,
    /// Bits a second from the server to the device.
    pub down_bits: u64,
    /// The time there and back.
    pub round_trip: Duration,
    /// The time after which each connection is cut; `None`: never.
    pub cut_every: Option<Duration>,
    /// The bytes from the device after which each connection is cut; `None`: never.
    pub cut_after: Option<u64>,
    /// Whether requests are passed on only when they are whole.
    pub gathers_requests: bool,
}

impl Shape {
    /// The weak mobile link of the project's aims: 20 kbit/s up, 40 down, 700 ms there and back.
    pub const WEAK: Self = Self {
        up_bits: 20_000,
        down_bits: 40_000,
        round_trip: Duration::from_millis(700),
        cut_every: None,
        cut_after: None,
        gathers_requests: false,
    };

    /// A link that is no hindrance.
    pub const WIDE: Self = Self {
        up_bits: 1_000_000_000,
        down_bits: 1_000_000_000,
        round_trip: Duration::ZERO,
        cut_every: None,
        cut_after: None,
        gathers_requests: false,
    };
}

/// What has passed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Bytes that arrived at the server, headers included.
    pub up_bytes: u64,
    /// Bytes that arrived at the device.
    pub down_bytes: u64,
    /// Connections that the device made.
    pub connections: u64,
    /// Connections that were cut.
    pub cuts: u64,
}

#[derive(Debug, Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
    connections: AtomicU64,
    cuts: AtomicU64,
}

/// An open link. It is closed when it is dropped; connections under way go on until they end.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    counts: Arc<Counts>,
    closed: Arc<AtomicBool>,
    listening: Option<thread::JoinHandle<()>>,
}

impl Link {
    /// Opens a link from `listen` to the server at `server`.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub fn open(listen: SocketAddr, server: SocketAddr, shape: Shape) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        let address = listener.local_addr()?;
        let mut link = Self { address, counts: Arc::default(), closed: Arc::default(), listening: None };
        let (counts, closed) = (Arc::clone(&link.counts), Arc::clone(&link.closed));
        link.listening = Some(thread::spawn(move || {
            for device in listener.incoming() {
                if closed.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(device) = device else { continue };
                counts.connections.fetch_add(1, Ordering::Relaxed);
                let counts = Arc::clone(&counts);
                // A server that is down looks to the device like a connection that ends at once.
                thread::spawn(move || connect(device, server, shape, &counts));
            }
        }));
        Ok(link)
    }

    /// Where the device connects to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has passed so far.
    #[must_use]
    pub fn counted(&self) -> Counted {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counted {
            up_bytes: read(&self.counts.up),
            down_bytes: read(&self.counts.down),
            connections: read(&self.counts.connections),
            cuts: read(&self.counts.cuts),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // The listener waits for a connection: this one lets it see that it is closed.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            drop(listening.join());
        }
    }
}

/// Carries one connection until either side ends it or its time is over.
fn connect(device: TcpStream, server: SocketAddr, shape: Shape, counts: &Arc<Counts>) -> io::Result<()> {
    let began = now();
    let server = TcpStream::connect(server)?;
    device.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let until = shape.cut_every.map(|time| began + time);
    let direction = |bits, bytes_max| Direction {
        bits,
        opens: began + shape.round_trip,
        delay: shape.round_trip / 2,
        until,
        bytes_max,
    };
    let up = {
        let (from, to, counts) = (device.try_clone()?, server.try_clone()?, Arc::clone(counts));
        let gate = if shape.gathers_requests { Gate::whole_requests() } else { Gate::open() };
        let way = direction(shape.up_bits, shape.cut_after);
        thread::spawn(move || pump(from, to, way, gate, &counts.up))
    };
    let way = direction(shape.down_bits, None);
    let down = {
        let (from, to, counts) = (server.try_clone()?, device.try_clone()?, Arc::clone(counts));
        thread::spawn(move || pump(from, to, way, Gate::open(), &counts.down))
    };
    let ended = [up.join().unwrap_or(false), down.join().unwrap_or(false)];
    if ended.contains(&true) {
        counts.cuts.fetch_add(1, Ordering::Relaxed);
    }
    drop((device.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both)));
    Ok(())
}

#[cfg(test)]
mod tests;
