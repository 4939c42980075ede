//! How a request reaches the server: a trait, so that the core waits for nothing it knows about.

use std::future::Future;

/// One HTTP request to the server this transport is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path with its query, from the first slash.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the server answered, as far as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, or its beginning.
    pub body: Vec<u8>,
    /// Whether the body arrived whole. What arrived of a sync counts even when it did not.
    pub whole: bool,
}

impl HttpResponse {
    /// The value of a header; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// No answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection: no network, a wrong address, or the server is down.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The connection broke before an answer began.
    #[error("the connection broke")]
    Cut,
    /// Nothing moved for too long.
    #[error("the connection stood still for too long")]
    Stalled,
    /// The server's TLS certificate does not hold.
    #[error("the connection is not secure: {0}")]
    Insecure(String),
    /// The address is none, or would send secrets in the clear: plain HTTP is for loopback only.
    #[error("the server's address {0} cannot be used: https is needed, plain http only for this machine")]
    Address(String),
    /// Something answered that is no answer of ours, such as the log-in page of a network.
    #[error("what answered is not the server")]
    Unclear,
    /// The answer is larger than any answer of ours.
    #[error("the answer is too large")]
    TooLarge,
}

/// Carries requests to one server.
pub trait Transport {
    /// Sends one request and waits for its answer. A redirect is not followed.
    fn send(&self, request: HttpRequest) -> impl Future<Output = Result<HttpResponse, TransportError>>;
}
