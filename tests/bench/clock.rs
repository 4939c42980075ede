//! Time and memory as the system counts them.

use std::time::{Duration, Instant};

/// How long it takes.
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let started = now();
    work();
    started.elapsed()
}

/// The median of several times.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A time as a person reads it.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark's clock; nothing decides by it")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Processor time of this process so far, in seconds, as Linux counts it.
pub(crate) fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks: f64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|part| part.parse::<f64>().ok()).sum();
    ticks / 100.0
}
