//! What the server says when it does not do what was asked (RFC 9457, `application/problem+json`).

use serde::Deserialize;

use crate::error::Error;
use crate::transport::HttpResponse;

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
}

/// The error that a refusing answer stands for.
pub(crate) fn refusal(response: &HttpResponse) -> Error {
    let status = response.status;
    match serde_json::from_slice::<Problem>(&response.body) {
        Ok(Problem { code, title, detail }) => Error::Refused { code, status, title, detail },
        Err(_) => Error::Answer(format!("status {status} without an explanation")),
    }
}

/// The stable code of a refusing answer, if it has one.
pub(crate) fn code(response: &HttpResponse) -> Option<String> {
    serde_json::from_slice::<Problem>(&response.body).ok().map(|problem| problem.code)
}
