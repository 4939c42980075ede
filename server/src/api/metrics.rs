//! What is counted, in the text format of Prometheus (OpenMetrics).

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use ruhu_ledger::verdict::{Verdict, VerdictKind};

use crate::ingest::Outcome;

/// The type of the text.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BatchLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ChangeLabels {
    verdict: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByteLabels {
    direction: &'static str,
}

/// The counters of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    batches: Family<BatchLabels, Counter>,
    changes: Family<ChangeLabels, Counter>,
    receipts: Counter,
    bytes: Family<ByteLabels, Counter>,
    ingest_seconds: Histogram,
    log_leaves: Gauge,
    gaps_missing: Gauge,
    backup_leaves: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("ruhu"),
            requests: Family::default(),
            batches: Family::default(),
            changes: Family::default(),
            receipts: Counter::default(),
            bytes: Family::default(),
            ingest_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 14)),
            log_leaves: Gauge::default(),
            gaps_missing: Gauge::default(),
            backup_leaves: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("http_requests", "Requests answered", self.requests.clone());
        registry.register("sync_batches", "Batches handed in, by what became of them", self.batches.clone());
        registry.register("changes", "Changes of received batches, by verdict", self.changes.clone());
        registry.register("receipts", "Receipts signed for new batches", self.receipts.clone());
        registry.register_with_unit("body", "Bytes of bodies", Unit::Bytes, self.bytes.clone());
        let help = "Time to take one batch in, durably";
        registry.register_with_unit("ingest", help, Unit::Seconds, self.ingest_seconds.clone());
        registry.register("log_leaves", "Leaves under the newest checkpoint", self.log_leaves.clone());
        let help = "Batches and leaves that are proved to have existed and are not here";
        registry.register("gaps_missing", help, self.gaps_missing.clone());
        let help = "Leaves that a verified backup holds";
        registry.register("backup_leaves", help, self.backup_leaves.clone());
    }

    /// Counts an answered request. `route` is the template of the path.
    pub(crate) fn request(&self, method: &'static str, route: &str, status: u16) {
        let labels = RequestLabels { method, route: route.to_owned(), status: u32::from(status) };
        self.requests.get_or_create(&labels).inc();
    }

    /// Counts what came in and what went out.
    pub(crate) fn bytes(&self, received: u64, sent: u64) {
        self.bytes.get_or_create(&ByteLabels { direction: "in" }).inc_by(received);
        self.bytes.get_or_create(&ByteLabels { direction: "out" }).inc_by(sent);
    }

    /// Counts a batch that was handed in.
    pub(crate) fn batch(&self, outcome: &Outcome, took: Duration) {
        self.ingest_seconds.observe(took.as_secs_f64());
        let outcome = match outcome {
            Outcome::Received(receipt) => {
                self.received(&receipt.statement.verdicts);
                "received"
            }
            Outcome::Repeated(_) => "repeated",
            Outcome::Staged { .. } => "staged",
            Outcome::Rejected(_) => "rejected",
        };
        self.batches.get_or_create(&BatchLabels { outcome }).inc();
    }

    /// Counts a receipt, and its changes by verdict.
    pub(crate) fn received(&self, verdicts: &[Verdict]) {
        self.receipts.inc();
        for verdict in verdicts {
            let verdict = match verdict.kind() {
                VerdictKind::Accepted => "accepted",
                VerdictKind::Held => "held",
                VerdictKind::Quarantined => "quarantined",
                VerdictKind::Refused => "refused",
            };
            self.changes.get_or_create(&ChangeLabels { verdict }).inc();
        }
    }

    /// Notes how large the log is.
    pub(crate) fn log_leaves(&self, leaves: u64) {
        self.log_leaves.set(i64::try_from(leaves).unwrap_or(i64::MAX));
    }

    /// Notes how much is missing in open gaps.
    pub(crate) fn gaps_missing(&self, missing: u64) {
        self.gaps_missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
    }

    /// Notes how far verified backups hold the log.
    pub(crate) fn backup_leaves(&self, leaves: u64) {
        self.backup_leaves.set(i64::try_from(leaves).unwrap_or(i64::MAX));
    }

    /// Everything that was counted.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Rejection;

    #[test]
    fn what_was_counted_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.request("GET", "/v1/villages/{village}/households", 200);
        metrics.bytes(10, 20);
        let rejected = Outcome::Rejected(Rejection::new("bad_signature", "no"));
        metrics.batch(&rejected, Duration::from_millis(3));
        metrics.received(&[Verdict::Accepted, Verdict::Accepted]);
        metrics.log_leaves(7);
        let text = metrics.text();
        for line in [
            r#"ruhu_http_requests_total{method="GET",route="/v1/villages/{village}/households",status="200"} 1"#,
            r#"ruhu_sync_batches_total{outcome="rejected"} 1"#,
            r#"ruhu_changes_total{verdict="accepted"} 2"#,
            "ruhu_receipts_total 1",
            r#"ruhu_body_bytes_total{direction="in"} 10"#,
            r#"ruhu_body_bytes_total{direction="out"} 20"#,
            "ruhu_ingest_seconds_count 1",
            "ruhu_log_leaves 7",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
