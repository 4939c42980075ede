//! The log: lines for people or JSON for machines, without personal data.
//!
//! What is logged are ids, codes, counts and templates. Nothing that a person typed is, and no path or
//! query of a request.

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt};

use crate::config::LogFormat;

/// What is logged unless `RUST_LOG` says otherwise.
const FILTER: &str = "info";

/// What is below a warning in these is never logged: it would hold paths and headers of requests.
const MUTED: [&str; 5] = ["hyper=warn", "h2=warn", "rustls=warn", "axum=warn", "tower_http=warn"];

/// Writes the log to the standard error stream from now on, if nothing else was chosen before.
pub fn init(format: LogFormat, filter: Option<&str>) {
    // Whoever runs the server inside a program of their own has chosen already.
    let _ = subscriber(format, filter, std::io::stderr).try_init();
}

/// A log in this format, written there.
pub fn subscriber<W>(
    format: LogFormat,
    filter: Option<&str>,
    writer: W,
) -> impl Subscriber + Send + Sync + 'static
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter.and_then(|filter| EnvFilter::try_new(filter).ok());
    let muted = MUTED.iter().filter_map(|directive| directive.parse().ok());
    let filter = muted.fold(filter.unwrap_or_else(|| EnvFilter::new(FILTER)), EnvFilter::add_directive);
    let lines = match format {
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(writer).boxed(),
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_writer(writer).boxed(),
    };
    Registry::default().with(filter).with(lines)
}
