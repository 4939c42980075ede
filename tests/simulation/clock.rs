//! The time of a world, and how each device reads it wrongly.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use ruhu_client_core::{Environment, Error, Files};
use ruhu_server::clock::Clock;

use crate::dice::Dice;

/// The morning of 2026-03-02 in China, when every world begins.
pub const MORNING_MS: i64 = 1_772_413_200_000;

/// The true time of a world, in milliseconds since 1970. The server's clock tells it.
#[derive(Debug, Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    /// The time at which a world begins.
    #[must_use]
    pub fn begin() -> Self {
        Self(Arc::new(AtomicI64::new(MORNING_MS)))
    }

    /// Lets time pass.
    pub fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }

    /// Lets time pass until a moment, if it is not past.
    pub fn reach(&self, moment_ms: i64) {
        self.0.fetch_max(moment_ms, Ordering::Relaxed);
    }
}

impl Clock for Time {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a device's clock is off by, in milliseconds; the device's program never sees it change.
#[derive(Debug, Clone, Default)]
pub struct Skew(Arc<AtomicI64>);

impl Skew {
    /// Sets the device's clock.
    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::Relaxed);
    }

    /// What it is off by.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The first 32 bytes that a device drew: the key of its database, by which a world reads it.
pub type FirstDraw = Arc<OnceLock<[u8; 32]>>;

/// The clock, the randomness and the files of one device.
#[derive(Debug)]
pub struct DeviceEnvironment {
    files: Arc<dyn Files>,
    time: Time,
    skew: Skew,
    dice: Mutex<Dice>,
    first: FirstDraw,
}

impl DeviceEnvironment {
    /// An environment whose randomness is drawn from `dice`.
    #[must_use]
    pub fn new(files: Arc<dyn Files>, (time, skew): (Time, Skew), dice: Dice, first: FirstDraw) -> Self {
        Self { files, time, skew, dice: Mutex::new(dice), first }
    }
}

impl Environment for DeviceEnvironment {
    fn now_ms(&self) -> i64 {
        self.time.now_ms().saturating_add(self.skew.get())
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.time.now_ms() - MORNING_MS).unwrap_or(0)
    }

    fn files(&self) -> Arc<dyn Files> {
        Arc::clone(&self.files)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.dice.lock().map_err(|_| Error::NoRandomness)?.fill(bytes);
        if let Ok(drawn) = <[u8; 32]>::try_from(&*bytes) {
            self.first.get_or_init(|| drawn);
        }
        Ok(())
    }
}
