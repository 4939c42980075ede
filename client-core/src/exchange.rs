//! One signed exchange with the server: nonces, and going on where a cut left a request.
//!
//! A request that is cut is resumed as long as the server holds more of it each time; only then is the
//! session told that it failed. Whatever goes wrong with resuming, the request is sent whole: see
//! `ruhu_sync::resume`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ruhu_sync::authenticate::{
    HEADER_ANSWERS, HEADER_DEVICE, HEADER_NONCE, HEADER_SIGNATURE, REQUEST_DOMAIN, request_digest,
    request_name,
};
use ruhu_sync::limits::FAILURES_MAX;
use ruhu_sync::resume::{HEADER_OFFSET, HEADER_REQUEST, RequestId};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::env::random;
use crate::error::Error;
use crate::identity::Identity;
use crate::problem::code;
use crate::store::meta::{self, Fact};
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

const NONCE_PATH: &str = "/v1/nonces";
/// The problem code of a request whose nonce the server has forgotten.
const NONCE_UNKNOWN: &str = "nonce_unknown";
/// The problem code of a rest whose beginning the server does not hold.
const NOT_HELD: &str = "request_not_held";
/// The problem code of a signature that does not hold; for a rest it says that the beginning is another's.
const SIGNATURE_INVALID: &str = "signature_invalid";
pub(crate) const CONTENT_TYPE: &str = "application/octet-stream";

/// Bytes of a body above which a nonce is not risked that the server may have forgotten: where it does not keep
/// them, all of them are sent again.
const NONCE_RISK_BYTES: usize = 4 * 1024;
/// Milliseconds in which a nonce is taken to be known; the server keeps it for twice as long.
const NONCE_FRESH_MS: u64 = 5 * 60 * 1000;

/// How often in a row a request is sent again of which the server then holds no more than before.
const STANDING_MAX: u32 = 3;

/// What is sent, and what has become of it.
struct Sending<'a> {
    path: &'static str,
    body: &'a [u8],
    digest: [u8; 32],
    id: RequestId,
    offset: usize,
}

impl Sending<'_> {
    /// What the server is not known to hold.
    fn rest(&self) -> &[u8] {
        self.body.get(self.offset..).unwrap_or_default()
    }
}

/// What one exchange moved besides its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Bytes of request bodies handed to the transport.
    pub(crate) sent_bytes: u64,
    /// How often a request was sent.
    pub(crate) requests: u64,
    /// How often it went on where a cut had left it.
    pub(crate) resumed: u64,
}

/// How much of a request the server holds.
#[derive(Deserialize)]
struct HeldAnswer {
    bytes: u64,
}

impl Client {
    /// Posts a body and gives the answer. After a cut it goes on where the server says that it is;
    /// `is_enough` says of an answer that was cut whether what came of it is to be used.
    ///
    /// # Errors
    /// When the store fails, or the server refuses a nonce. A failing link is the inner error.
    pub(crate) async fn exchange(
        &mut self,
        transport: &impl Transport,
        path: &'static str,
        body: &[u8],
        is_enough: impl Fn(&HttpResponse) -> bool,
        moved: &mut Moved,
    ) -> Result<Result<HttpResponse, TransportError>, Error> {
        let id = RequestId(random(self.environment())?);
        let digest = Sha256::digest(body).into();
        let mut sending = Sending { path, body, digest, id, offset: 0 };
        let mut partial = None;
        let mut standing = 0;
        let mut signed_again = false;
        loop {
            let outcome = self.send_rest(transport, &sending, moved).await?;
            let error = match outcome {
                Ok(response) if nonce_is_unknown(&response) && response.whole && !signed_again => {
                    // The server has kept what came with it.
                    signed_again = true;
                    sending.offset = body.len();
                    continue;
                }
                Ok(response) if sending.offset > 0 && beginning_is_lost(&response) => {
                    sending.id = RequestId(random(self.environment())?);
                    sending.offset = 0;
                    standing += 1;
                    if standing < STANDING_MAX {
                        continue;
                    }
                    TransportError::Unclear
                }
                // Nothing was left out of this request, so nothing can be missing.
                Ok(response) if nothing_is_held(&response) => TransportError::Unclear,
                Ok(response) if response.whole || response.status != 200 || is_enough(&response) => {
                    return Ok(Ok(response));
                }
                Ok(response) => {
                    partial = Some(response);
                    TransportError::Cut
                }
                Err(error) => error,
            };
            let held = self.held_after(&error, transport, sending.id).await?;
            let at = usize::try_from(held).unwrap_or(0).min(body.len());
            standing = if at > sending.offset { 0 } else { standing + 1 };
            let goes_on = at > sending.offset || (at > 0 && at == body.len());
            if !goes_on || standing > STANDING_MAX {
                return Ok(partial.ok_or(error));
            }
            sending.offset = at;
            moved.resumed += 1;
        }
    }

    /// Sends what is left of a request.
    async fn send_rest(
        &mut self,
        transport: &impl Transport,
        sending: &Sending<'_>,
        moved: &mut Moved,
    ) -> Result<Result<HttpResponse, TransportError>, Error> {
        let rest = sending.rest();
        moved.requests += 1;
        moved.sent_bytes += rest.len() as u64;
        let mut request = HttpRequest {
            method: "POST",
            path: sending.path.to_owned(),
            headers: vec![
                ("content-type", CONTENT_TYPE.to_owned()),
                (HEADER_REQUEST, sending.id.to_string()),
            ],
            body: rest.to_vec(),
        };
        if sending.offset > 0 {
            request.headers.push((HEADER_OFFSET, sending.offset.to_string()));
        }
        let nonce = match self.next_nonce(transport, rest.len()).await? {
            Ok(nonce) => nonce,
            Err(none) => return Ok(none),
        };
        self.send_signed(transport, request, &nonce, &sending.digest).await
    }

    /// How many bytes the server holds of a request that was cut; 0 when it cannot be asked.
    async fn held_after(
        &mut self,
        error: &TransportError,
        transport: &impl Transport,
        id: RequestId,
    ) -> Result<u64, Error> {
        if !matches!(error, TransportError::Cut | TransportError::Stalled) {
            return Ok(0);
        }
        for _ in 0..FAILURES_MAX {
            match self.ask_without_nonce(transport, id.held_path()).await? {
                Ok(response) if response.whole => {
                    let held = serde_json::from_slice::<HeldAnswer>(&response.body);
                    return Ok(held.map_or(0, |held| if response.status == 200 { held.bytes } else { 0 }));
                }
                Ok(_) | Err(TransportError::Cut) => {}
                Err(_) => return Ok(0),
            }
        }
        Ok(0)
    }

    /// Asks what the server holds of this device's own sending: the question needs no nonce, and its answer brings
    /// the one for the rest.
    pub(crate) async fn ask_without_nonce(
        &mut self,
        transport: &impl Transport,
        path: String,
    ) -> Result<Result<HttpResponse, TransportError>, Error> {
        let request = HttpRequest { method: "GET", path, headers: Vec::new(), body: Vec::new() };
        let empty: [u8; 32] = Sha256::digest([]).into();
        self.send_signed(transport, request, "", &empty).await
    }

    /// Sends a signed request. A nonce that the server does not know any more is replaced once.
    pub(crate) async fn signed(
        &mut self,
        transport: &impl Transport,
        request: HttpRequest,
        digest: &[u8; 32],
    ) -> Result<Result<HttpResponse, TransportError>, Error> {
        let nonce = match self.next_nonce(transport, request.body.len()).await? {
            Ok(nonce) => nonce,
            Err(none) => return Ok(none),
        };
        let first = self.send_signed(transport, request.clone(), &nonce, digest).await?;
        let fresh = match &first {
            Ok(response) if nonce_is_unknown(response) => {
                response.header(HEADER_NONCE).map(ToOwned::to_owned)
            }
            _ => None,
        };
        match fresh.filter(|nonce| !nonce.is_empty()) {
            Some(nonce) => self.send_signed(transport, request, &nonce, digest).await,
            None => Ok(first),
        }
    }

    /// The nonce for a body of so many bytes: that of the last answer, or one that is asked for. Without one,
    /// what came of asking.
    async fn next_nonce(
        &self,
        transport: &impl Transport,
        body_bytes: usize,
    ) -> Result<Result<String, Result<HttpResponse, TransportError>>, Error> {
        if let Some(nonce) = self.held_nonce(body_bytes)? {
            return Ok(Ok(nonce));
        }
        Ok(match fetch_nonce(transport).await {
            Ok(Nonce::Given(nonce)) => Ok(nonce),
            Ok(Nonce::Refused(response)) => Err(Ok(response)),
            Err(error) => Err(Err(error)),
        })
    }

    /// Sends a request once, and keeps the nonce that its answer brings. What answers another request is no answer.
    async fn send_signed(
        &mut self,
        transport: &impl Transport,
        request: HttpRequest,
        nonce: &str,
        digest: &[u8; 32],
    ) -> Result<Result<HttpResponse, TransportError>, Error> {
        let signature = sign(self.identity()?, &request, nonce, digest);
        let name = request_name(&signature).map(ToOwned::to_owned);
        let sent = transport.send(with_proof(self.identity()?, request, nonce, signature)).await;
        let sent = sent.and_then(|response| match answers(&response, name.as_deref()) {
            true => Ok(response),
            false => Err(TransportError::Unclear),
        });
        // Without an answer nobody knows whether the server used the nonce up.
        let fresh = sent.as_ref().ok().and_then(|response| response.header(HEADER_NONCE)).unwrap_or_default();
        self.keep_nonce(fresh)?;
        Ok(sent)
    }

    /// The nonce of the last answer, if it may be risked on a body of so many bytes.
    fn held_nonce(&self, body_bytes: usize) -> Result<Option<String>, Error> {
        let now_ms = self.environment().monotonic_ms();
        let is_fresh = self.nonce_ms.is_some_and(|got_ms| now_ms.saturating_sub(got_ms) < NONCE_FRESH_MS);
        if body_bytes > NONCE_RISK_BYTES && !is_fresh {
            return Ok(None);
        }
        let held = meta::get(self.store.read(), Fact::Nonce)?.unwrap_or_default();
        Ok(String::from_utf8(held).ok().filter(|nonce| !nonce.is_empty()))
    }

    fn keep_nonce(&mut self, nonce: &str) -> Result<(), Error> {
        self.nonce_ms = (!nonce.is_empty()).then(|| self.environment().monotonic_ms());
        self.store.write(|tx| meta::set(tx, Fact::Nonce, nonce.as_bytes()))
    }
}

/// Whether the answer to a rest says that it is of no use without the beginning.
fn beginning_is_lost(response: &HttpResponse) -> bool {
    nothing_is_held(response)
        || response.status == 401 && code(response).as_deref() == Some(SIGNATURE_INVALID)
}

fn nothing_is_held(response: &HttpResponse) -> bool {
    response.status == 409 && code(response).as_deref() == Some(NOT_HELD)
}

/// Whether a refusal says that the nonce is not known.
pub(crate) fn nonce_is_unknown(response: &HttpResponse) -> bool {
    response.status == 401 && code(response).as_deref() == Some(NONCE_UNKNOWN)
}

/// What came of asking for a nonce.
enum Nonce {
    /// The server gave one.
    Given(String),
    /// It did not, and said why.
    Refused(HttpResponse),
}

/// Asks for a nonce. A page without one, such as the log-in page of a network, is not the server's.
async fn fetch_nonce(transport: &impl Transport) -> Result<Nonce, TransportError> {
    let request =
        HttpRequest { method: "POST", path: NONCE_PATH.to_owned(), headers: Vec::new(), body: Vec::new() };
    let response = transport.send(request).await?;
    if !(200..300).contains(&response.status) {
        return Ok(Nonce::Refused(response));
    }
    let nonce = response.header(HEADER_NONCE).filter(|nonce| !nonce.is_empty());
    nonce.map(|nonce| Nonce::Given(nonce.to_owned())).ok_or(TransportError::Unclear)
}

/// Whether a response may be used for the request of this name. A success names it; what stands between
/// this device and the server refuses without knowing of names.
fn answers(response: &HttpResponse, name: Option<&str>) -> bool {
    match response.header(HEADER_ANSWERS) {
        None => !(200..300).contains(&response.status),
        named => named == name,
    }
}

/// The signature that proves a request, in base64; `digest` is that of the whole body, of which the request
/// may carry the rest.
fn sign(identity: &Identity, request: &HttpRequest, nonce: &str, digest: &[u8; 32]) -> String {
    let digest = request_digest(request.method, &request.path, nonce, digest);
    STANDARD.encode(identity.key.sign(REQUEST_DOMAIN, &digest).0)
}

/// Adds the headers that prove a request.
fn with_proof(identity: &Identity, mut request: HttpRequest, nonce: &str, signature: String) -> HttpRequest {
    request.headers.extend([
        (HEADER_DEVICE, identity.device().to_string()),
        (HEADER_NONCE, nonce.to_owned()),
        (HEADER_SIGNATURE, signature),
    ]);
    request
}
