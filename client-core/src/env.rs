//! The environment: the only door through which a clock, randomness and files enter the device.
//!
//! Everything else takes times and random bytes from here, so a test can turn the clock by hand and
//! the same inputs give the same bytes.

use std::sync::Arc;

use crate::error::Error;
use crate::files::Files;

/// The clock, the randomness and the files of one device.
pub trait Environment: Send {
    /// Milliseconds since 1970 by the device's clock, which may be wrong.
    fn now_ms(&self) -> i64;

    /// Milliseconds since some fixed moment of this run; never goes back.
    fn monotonic_ms(&self) -> u64;

    /// Fills `bytes` from a source fit for keys.
    ///
    /// # Errors
    /// [`Error::NoRandomness`] when the system has none to give.
    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error>;

    /// The files: those of the operating system, unless the environment has others.
    #[cfg(not(target_arch = "wasm32"))]
    fn files(&self) -> Arc<dyn Files> {
        Arc::new(crate::files::SystemFiles)
    }

    /// The files. A browser has no others than those that its page brings.
    #[cfg(target_arch = "wasm32")]
    fn files(&self) -> Arc<dyn Files>;
}

/// `N` random bytes.
///
/// # Errors
/// [`Error::NoRandomness`].
pub(crate) fn random<const N: usize>(environment: &dyn Environment) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    environment.fill_random(&mut bytes)?;
    Ok(bytes)
}

/// The clock in whole seconds, as a change carries it.
pub(crate) fn now_s(environment: &dyn Environment) -> i64 {
    environment.now_ms().div_euclid(1000)
}

/// The real clock and the operating system's randomness.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
pub struct SystemEnvironment {
    started: std::time::Instant,
}

#[cfg(not(target_arch = "wasm32"))]
impl SystemEnvironment {
    /// The environment of this process; its monotonic clock starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the device's environment: the clock enters here")]
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Default for SystemEnvironment {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl Environment for SystemEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the device's environment: the clock enters here")]
    fn now_ms(&self) -> i64 {
        let since_1970 =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|_| Error::NoRandomness)
    }
}

#[cfg(test)]
pub(crate) mod by_hand {
    //! An environment whose clock a test turns and whose randomness repeats.

    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, Ordering};

    use sha2::{Digest, Sha256};

    use super::{Environment, Error};

    /// A clock turned by hand and randomness from a counter.
    #[derive(Debug)]
    pub(crate) struct HandEnvironment {
        now_ms: AtomicI64,
        counter: Mutex<u64>,
        seed: u8,
    }

    impl HandEnvironment {
        pub(crate) fn new(seed: u8) -> Self {
            Self { now_ms: AtomicI64::new(1_750_000_000_000), counter: Mutex::new(0), seed }
        }
    }

    impl Environment for HandEnvironment {
        fn now_ms(&self) -> i64 {
            self.now_ms.fetch_add(1_000, Ordering::SeqCst)
        }

        fn monotonic_ms(&self) -> u64 {
            self.now_ms.load(Ordering::SeqCst).unsigned_abs() % 1_000_000_000
        }

        fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
            let mut counter = self.counter.lock().unwrap();
            for chunk in bytes.chunks_mut(32) {
                *counter += 1;
                let block = Sha256::digest([&[self.seed][..], &counter.to_be_bytes()].concat());
                chunk.copy_from_slice(&block[..chunk.len()]);
            }
            Ok(())
        }
    }
}
