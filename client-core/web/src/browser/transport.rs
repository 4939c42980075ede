//! Requests by way of the page's `fetch`.

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use ruhu_client_core::{HttpRequest, HttpResponse, Transport, TransportError};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A transport to the server that the page came from.
#[derive(Debug)]
pub(super) struct FetchTransport {
    pub(super) fetch: Function,
}

impl Transport for FetchTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let headers = Array::new();
        for (name, value) in &request.headers {
            headers.push(&pair(name, value));
        }
        let arguments = Array::of4(
            &request.method.into(),
            &request.path.into(),
            &headers,
            &Uint8Array::from(request.body.as_slice()),
        );
        let promise: Promise = self
            .fetch
            .apply(&JsValue::NULL, &arguments)
            .and_then(|promise| promise.dyn_into())
            .map_err(|error| failure(&error))?;
        let answer = JsFuture::from(promise).await.map_err(|error| failure(&error))?;
        read(&answer).ok_or(TransportError::Unclear)
    }
}

fn pair(name: &str, value: &str) -> Array {
    Array::of2(&name.into(), &value.into())
}

fn read(answer: &JsValue) -> Option<HttpResponse> {
    let part = |name: &str| Reflect::get(answer, &name.into()).ok();
    let headers: Array = part("headers")?.dyn_into().ok()?;
    let header = |one: JsValue| {
        let one: Array = one.dyn_into().ok()?;
        Some((one.get(0).as_string()?, one.get(1).as_string()?))
    };
    let body: Uint8Array = part("body")?.dyn_into().ok()?;
    Some(HttpResponse {
        status: status(part("status")?.as_f64()?),
        headers: headers.iter().filter_map(header).collect(),
        body: body.to_vec(),
        whole: part("whole")?.as_bool()?,
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number in range"
)]
fn status(number: f64) -> u16 {
    number as u16
}

/// What `fetch` was rejected with: one of the codes that the worker gives.
fn failure(error: &JsValue) -> TransportError {
    match error.as_string().as_deref() {
        Some("unreachable") => TransportError::Unreachable,
        Some("stalled") => TransportError::Stalled,
        Some("too_large") => TransportError::TooLarge,
        _ => TransportError::Cut,
    }
}
