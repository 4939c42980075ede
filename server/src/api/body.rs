//! Reading a request's body as it arrives, with limits on its size and on time without progress.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

use super::problem::ApiError;

/// How large a body may be, and how long it may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes.
    pub(crate) bytes_max: u64,
    /// Time without a byte.
    pub(crate) stall: Duration,
    /// Time from the first look to the end.
    pub(crate) whole: Duration,
}

/// A body on its way in.
#[derive(Debug)]
pub(crate) struct Incoming {
    body: Body,
    bounds: Bounds,
    until: Instant,
    before: u64,
    seen: u64,
}

impl Incoming {
    pub(crate) fn new(body: Body, bounds: Bounds) -> Self {
        Self { body, bounds, until: Instant::now() + bounds.whole, before: 0, seen: 0 }
    }

    /// What comes is the rest of a body of which so many bytes came before.
    pub(crate) fn after(&mut self, before: usize) {
        self.before = before as u64;
    }

    /// The next bytes; none when the body has ended.
    ///
    /// # Errors
    /// [`ApiError::TooLarge`], [`ApiError::Stalled`], [`ApiError::TooSlow`], [`ApiError::BodyCut`].
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let stalled_at = Instant::now() + self.bounds.stall;
            let waited = timeout_at(stalled_at.min(self.until), self.body.frame()).await;
            let Ok(frame) = waited else { return Err(self.late(stalled_at)) };
            let Some(frame) = frame else { return Ok(None) };
            let Ok(bytes) = frame.map_err(|_| ApiError::BodyCut)?.into_data() else { continue };
            self.seen = self.seen.saturating_add(bytes.len() as u64);
            if self.before.saturating_add(self.seen) > self.bounds.bytes_max {
                return Err(ApiError::TooLarge(self.bounds.bytes_max));
            }
            return Ok(Some(bytes));
        }
    }

    /// How many bytes have come.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// The whole body.
    ///
    /// # Errors
    /// Those of [`Incoming::next`].
    pub(crate) async fn whole(mut self) -> Result<Vec<u8>, ApiError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await? {
            whole.extend_from_slice(&bytes);
        }
        Ok(whole)
    }

    /// Takes in what is left without looking at it, so that the caller comes to read the answer.
    pub(crate) async fn drain(mut self) {
        while let Ok(Some(_)) = self.next().await {}
    }

    fn late(&self, stalled_at: Instant) -> ApiError {
        if stalled_at <= self.until {
            ApiError::Stalled(self.bounds.stall.as_secs())
        } else {
            ApiError::TooSlow(self.bounds.whole.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    fn bounds(bytes_max: u64, stall_ms: u64, whole_ms: u64) -> Bounds {
        let (stall, whole) = (Duration::from_millis(stall_ms), Duration::from_millis(whole_ms));
        Bounds { bytes_max, stall, whole }
    }

    #[tokio::test]
    async fn a_body_of_exactly_the_limit_is_read_and_one_byte_more_is_not() {
        let read = |bytes: usize| Incoming::new(Body::from(vec![7; bytes]), bounds(10, 1_000, 1_000)).whole();
        assert_eq!(read(10).await.unwrap().len(), 10);
        assert!(matches!(read(11).await, Err(ApiError::TooLarge(10))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stands_still_is_given_up() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let read = Incoming::new(silent, bounds(10, 60_000, 600_000)).whole().await;
        assert!(matches!(read, Err(ApiError::Stalled(60))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_moves_is_not_given_up_until_the_very_end_of_its_time() {
        let trickle = || {
            Body::from_stream(stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_secs(59)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), ()))
            }))
        };
        let mut moving = Incoming::new(trickle(), bounds(1_000, 60_000, 600_000));
        for _ in 0..10 {
            assert!(moving.next().await.unwrap().is_some());
        }
        assert!(matches!(moving.next().await, Err(ApiError::TooSlow(600))));
    }

    #[tokio::test]
    async fn a_body_that_breaks_says_so() {
        let broken = stream::iter([Ok(Bytes::from_static(b"first")), Err(std::io::Error::other("gone"))]);
        let mut incoming = Incoming::new(Body::from_stream(broken), bounds(10, 1_000, 1_000));
        assert_eq!(incoming.next().await.unwrap().unwrap(), "first");
        assert!(matches!(incoming.next().await, Err(ApiError::BodyCut)));
        assert_eq!(incoming.seen(), 5);
    }
}
