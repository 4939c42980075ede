//! The transport over real HTTP: reqwest, with rustls on ring.
//!
//! There is no limit on the whole time of a request, only on time without progress: on a weak link a
//! slow request that moves is worth more than a fresh one. How much of a body has left the machine cannot
//! be seen from here, so until the answer begins a request is given as long as the slowest link would take.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use rustls::crypto::ring;
use tokio::time::timeout;

use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError};

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a connection may stand still.
const STALL: Duration = Duration::from_secs(60);
/// Bytes a second of a link that is as good as none (4 kbit/s): a body that moves no faster has stood still.
const SLOWEST: u64 = 512;
/// How long a connection may be idle and still be used again.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// The largest answer taken, bytes: far above what a session asks for in one request.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// HTTP to one server.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    base: Url,
    client: reqwest::Client,
    patience: Patience,
}

/// How long to wait for something to move.
#[derive(Debug, Clone, Copy)]
struct Patience {
    stall: Duration,
    /// Bytes a second.
    slowest: u64,
}

impl Patience {
    /// How long an answer to a body of so many bytes may take to begin.
    fn until_answer(self, body_bytes: usize) -> Duration {
        let upload_ms = (body_bytes as u64).saturating_mul(1000) / self.slowest.max(1);
        self.stall.saturating_add(Duration::from_millis(upload_ms))
    }
}

impl HttpTransport {
    /// A transport to the server at `address`, such as `https://ruhu.example.cn` or
    /// `http://127.0.0.1:8080`. Certificates are judged by the system's roots.
    ///
    /// # Errors
    /// [`TransportError::Address`] when the address is none or plain HTTP to another machine,
    /// [`TransportError::Insecure`] when TLS cannot be set up.
    pub fn new(address: &str) -> Result<Self, TransportError> {
        Self::build(address, None)
    }

    /// As [`HttpTransport::new`], trusting only the certificates in `roots_pem`: for a server inside a
    /// county network with a certificate of its own.
    ///
    /// # Errors
    /// Those of [`HttpTransport::new`].
    pub fn with_roots(address: &str, roots_pem: &[u8]) -> Result<Self, TransportError> {
        Self::build(address, Some(roots_pem))
    }

    fn build(address: &str, roots_pem: Option<&[u8]>) -> Result<Self, TransportError> {
        let base = base_url(address)?;
        // Another part of the program may have chosen already; either choice will do.
        let _ = ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        let insecure = |error: reqwest::Error| TransportError::Insecure(error.to_string());
        if base.scheme() == "http" {
            builder = builder.tls_certs_only([]);
        } else if let Some(pem) = roots_pem {
            let roots = reqwest::Certificate::from_pem_bundle(pem).map_err(insecure)?;
            builder = builder.tls_certs_only(roots).https_only(true);
        } else {
            builder = builder.https_only(true);
        }
        let patience = Patience { stall: STALL, slowest: SLOWEST };
        Ok(Self { base, client: builder.build().map_err(insecure)?, patience })
    }

    fn url(&self, path: &str) -> Result<Url, TransportError> {
        let address = || TransportError::Address(self.base.to_string());
        self.base.join(path.trim_start_matches('/')).map_err(|_| address())
    }
}

impl Transport for HttpTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let method = if request.method == "GET" { reqwest::Method::GET } else { reqwest::Method::POST };
        let mut outgoing = self.client.request(method, self.url(&request.path)?);
        for (name, value) in &request.headers {
            outgoing = outgoing.header(*name, value);
        }
        let wait = self.patience.until_answer(request.body.len());
        let answered = timeout(wait, outgoing.body(request.body).send()).await;
        let mut response = answered.map_err(|_| TransportError::Stalled)?.map_err(|error| explain(&error))?;
        let mut answer = HttpResponse {
            status: response.status().as_u16(),
            headers: texts(response.headers()),
            body: Vec::new(),
            whole: false,
        };
        loop {
            let Ok(chunk) = timeout(self.patience.stall, response.chunk()).await else { return Ok(answer) };
            match chunk {
                Ok(Some(chunk)) if answer.body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                    return Err(TransportError::TooLarge);
                }
                Ok(Some(chunk)) => answer.body.extend_from_slice(&chunk),
                Ok(None) => {
                    answer.whole = true;
                    return Ok(answer);
                }
                Err(_) => return Ok(answer),
            }
        }
    }
}

fn texts(headers: &HeaderMap<HeaderValue>) -> Vec<(String, String)> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| {
        value.to_str().ok().map(|value| (name.as_str().to_owned(), value.to_owned()))
    };
    headers.iter().filter_map(text).collect()
}

fn explain(error: &reqwest::Error) -> TransportError {
    if error.is_timeout() {
        return if error.is_connect() { TransportError::Unreachable } else { TransportError::Stalled };
    }
    if let Some(tls) = std::error::Error::source(error).and_then(tls_error) {
        return TransportError::Insecure(tls.to_string());
    }
    if error.is_connect() { TransportError::Unreachable } else { TransportError::Cut }
}

/// The TLS error in a chain of causes. An `io::Error` does not give what it wraps as its source.
fn tls_error<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    let wrapped = wrapped.map(|wrapped| wrapped as &(dyn std::error::Error + 'static));
    cause.downcast_ref().or_else(|| tls_error(wrapped.or_else(|| cause.source())?))
}

/// The address with a closing slash; plain HTTP only to this machine.
fn base_url(address: &str) -> Result<Url, TransportError> {
    let refuse = || TransportError::Address(address.to_owned());
    let mut url = Url::parse(address).map_err(|_| refuse())?;
    let allowed = match url.scheme() {
        "https" => url.host_str().is_some(),
        "http" => url.host_str().is_some_and(is_loopback),
        _ => false,
    };
    if !allowed || !url.username().is_empty() || url.password().is_some() {
        return Err(refuse());
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for address in
            ["http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:9", "https://ruhu.example.cn"]
        {
            assert!(HttpTransport::new(address).is_ok(), "{address}");
        }
        for address in [
            "http://ruhu.example.cn",
            "http://10.0.0.7:8080",
            "http://localhost.example.cn",
            "http://127.0.0.1@evil.example.cn",
            "https://name:word@ruhu.example.cn",
            "ftp://127.0.0.1",
            "127.0.0.1:8080",
            "",
        ] {
            assert!(matches!(base_url(address), Err(TransportError::Address(_))), "{address}");
        }
    }

    /// A server that gives one answer as it stands; its address.
    fn answers(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        });
        address.to_string()
    }

    async fn asked(address: &str) -> Result<HttpResponse, TransportError> {
        let request = HttpRequest {
            method: "POST",
            path: "/v1/sync".to_owned(),
            headers: vec![("ruhu-nonce", "7f3a".to_owned())],
            body: vec![1, 2, 3],
        };
        HttpTransport::new(address)?.send(request).await
    }

    #[tokio::test]
    async fn an_answer_comes_with_its_headers() {
        let address = answers(b"HTTP/1.1 200 OK\r\nRuhu-Nonce: 9b\r\ncontent-length: 3\r\n\r\nabc");
        let answer = asked(&format!("http://{address}")).await.unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.whole), (200, b"abc".as_slice(), true));
        assert_eq!(answer.header("ruhu-nonce"), Some("9b"));
    }

    #[tokio::test]
    async fn the_beginning_of_a_broken_answer_is_kept() {
        let address = answers(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc");
        let answer = asked(&format!("http://{address}")).await.unwrap();
        assert_eq!((answer.body.as_slice(), answer.whole), (b"abc".as_slice(), false));
    }

    /// A server that reads a request's body in small pieces, one each `pause`, and then answers; with no
    /// pause it reads nothing at all. Its address.
    fn reads_slowly(pause: Option<Duration>, body_bytes: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let Some(pause) = pause else {
                let (_wait, hold) = std::sync::mpsc::channel::<()>();
                let _ = hold.recv_timeout(Duration::from_secs(20));
                return;
            };
            let (_wait, tick) = std::sync::mpsc::channel::<()>();
            let (mut read, mut piece) = (0, [0; 1024]);
            while read < body_bytes {
                let _ = tick.recv_timeout(pause);
                read += stream.read(&mut piece).unwrap();
            }
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        });
        format!("http://{address}")
    }

    #[tokio::test]
    async fn a_slow_upload_that_moves_is_waited_for_and_one_that_stands_still_is_not() {
        const BODY: usize = 30 * 1024;
        let patience = Patience { stall: Duration::from_millis(100), slowest: 20 * 1024 };
        let post = async |address: String| {
            let transport = HttpTransport { patience, ..HttpTransport::new(&address).unwrap() };
            let (method, path) = ("POST", "/v1/sync".to_owned());
            transport.send(HttpRequest { method, path, headers: Vec::new(), body: vec![7; BODY] }).await
        };
        // 30 pieces at 10 ms each are three times what the bare stall allows.
        let moving = post(reads_slowly(Some(Duration::from_millis(10)), BODY)).await.unwrap();
        assert_eq!(moving.body, b"ok");
        assert_eq!(post(reads_slowly(None, BODY)).await, Err(TransportError::Stalled));
    }

    #[test]
    fn thirty_kilobytes_at_twenty_kilobits_are_well_within_patience() {
        let patience = Patience { stall: STALL, slowest: SLOWEST };
        let upload = Duration::from_secs(30 * 1024 * 8 / 20_000);
        assert!(patience.until_answer(30 * 1024) > 4 * upload);
        assert_eq!(patience.until_answer(0), STALL);
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let address =
            answers(b"HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(asked(&format!("http://{address}")).await.unwrap().status, 302);
    }

    #[tokio::test]
    async fn no_server_a_broken_connection_and_broken_tls_are_told_apart() {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(asked(&format!("http://{closed}")).await, Err(TransportError::Unreachable));
        assert_eq!(asked(&format!("http://{}", answers(b"HTTP"))).await, Err(TransportError::Cut));
        let plain = answers(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let transport = HttpTransport::build(&format!("https://{plain}"), Some(b"")).unwrap();
        let request =
            HttpRequest { method: "GET", path: "/".to_owned(), headers: Vec::new(), body: Vec::new() };
        let refused = transport.send(request).await;
        assert!(matches!(refused, Err(TransportError::Insecure(_))), "{refused:?}");
    }

    #[test]
    fn a_server_below_a_path_keeps_its_path() {
        let transport = HttpTransport::new("http://localhost:1/ruhu?x=1").unwrap();
        assert_eq!(transport.url("/v1/sync").unwrap().as_str(), "http://localhost:1/ruhu/v1/sync");
    }
}
