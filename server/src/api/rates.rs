//! How often one caller may ask: by device or person once it is known who asks, by address before that.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};
use ruhu_survey::id::{DeviceId, UserId};

use super::problem::ApiError;
use crate::config::Limits;
use crate::limits::{NONCES_PER_MINUTE_MAX, PHOTO_REQUESTS_PER_MINUTE_MAX, RATE_KEYS_MAX};

/// The rates of all callers.
pub(crate) struct Rates {
    attempts: DefaultKeyedRateLimiter<IpAddr>,
    nonces: DefaultKeyedRateLimiter<IpAddr>,
    known: DefaultKeyedRateLimiter<Known>,
    photos: DefaultKeyedRateLimiter<Known>,
}

/// Somebody who has shown who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Known {
    /// A device.
    Device(DeviceId),
    /// A person.
    Person(UserId),
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rates").finish_non_exhaustive()
    }
}

impl Rates {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            attempts: DefaultKeyedRateLimiter::keyed(per_minute(limits.attempts_per_minute_max)),
            nonces: DefaultKeyedRateLimiter::keyed(per_minute(NONCES_PER_MINUTE_MAX)),
            known: DefaultKeyedRateLimiter::keyed(per_minute(limits.requests_per_minute_max)),
            photos: DefaultKeyedRateLimiter::keyed(per_minute(PHOTO_REQUESTS_PER_MINUTE_MAX)),
        }
    }

    /// Counts an enrolment, or an identity that did not hold.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`]
    pub(crate) fn attempt(&self, address: IpAddr) -> Result<(), ApiError> {
        check(&self.attempts, &address)
    }

    /// Counts a nonce given to somebody who has not shown who they are.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`]
    pub(crate) fn nonce(&self, address: IpAddr) -> Result<(), ApiError> {
        check(&self.nonces, &address)
    }

    /// Counts a request of somebody who has shown who they are.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`]
    pub(crate) fn request(&self, known: Known) -> Result<(), ApiError> {
        check(&self.known, &known)
    }

    /// Counts a piece of a photo, or a question about one.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`]
    pub(crate) fn photo(&self, device: DeviceId) -> Result<(), ApiError> {
        check(&self.photos, &Known::Device(device))
    }
}

fn per_minute(most: u32) -> Quota {
    Quota::per_minute(NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN))
}

fn check<K: Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>, key: &K) -> Result<(), ApiError> {
    if limiter.len() > RATE_KEYS_MAX {
        limiter.retain_recent();
    }
    limiter.check_key(key).map_err(|until| {
        let wait = until.wait_time_from(DefaultClock::default().now());
        ApiError::RateLimited(wait.as_secs().saturating_add(1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(attempts: u32, requests: u32) -> Rates {
        Rates::new(&Limits {
            request_bytes_max: 1,
            request_seconds_max: 1,
            requests_per_minute_max: requests,
            attempts_per_minute_max: attempts,
            photo_bytes_per_day_max: 1,
        })
    }

    #[test]
    fn the_last_attempt_within_the_limit_counts_and_the_next_says_how_long_to_wait() {
        let rates = rates(3, 1);
        let address = IpAddr::from([10, 0, 0, 7]);
        assert!((0..3).all(|_| rates.attempt(address).is_ok()));
        let ApiError::RateLimited(seconds) = rates.attempt(address).unwrap_err() else {
            panic!("not limited")
        };
        assert!((1..=21).contains(&seconds), "{seconds}");
    }

    #[test]
    fn one_caller_does_not_use_up_what_another_has() {
        let rates = rates(1, 1);
        assert!(rates.attempt(IpAddr::from([10, 0, 0, 7])).is_ok());
        assert!(rates.attempt(IpAddr::from([10, 0, 0, 8])).is_ok());
        let devices = [[1; 16], [2; 16]].map(|id| Known::Device(DeviceId::from_bytes(id)));
        assert!(devices.iter().all(|device| rates.request(*device).is_ok()));
        assert!(devices.iter().all(|device| rates.request(*device).is_err()));
    }

    #[test]
    fn photos_are_counted_apart_and_have_a_limit_of_their_own() {
        let rates = rates(1, 1);
        let device = DeviceId::from_bytes([1; 16]);
        let mut photos = (0..PHOTO_REQUESTS_PER_MINUTE_MAX).map(|_| rates.photo(device));
        assert!(photos.all(|counted| counted.is_ok()));
        // What has become free again while they were counted.
        let more = (0..PHOTO_REQUESTS_PER_MINUTE_MAX).filter(|_| rates.photo(device).is_ok()).count();
        assert!(more < PHOTO_REQUESTS_PER_MINUTE_MAX as usize, "{more}");
        assert!(rates.request(Known::Device(device)).is_ok());
    }
}
