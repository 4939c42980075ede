//! The link between the devices of a world and its server: it carries requests to the real API, and fails.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use futures_util::stream::{Stream, poll_fn};
use http_body_util::BodyExt as _;
use ruhu_client_core::{HttpRequest, HttpResponse, Transport, TransportError};
use tower::ServiceExt as _;

use crate::breakage::Meddler;
use crate::dice::Dice;
use crate::host::Host;
use crate::tally::Tally;
use crate::turn::Turn;
use crate::weather::{Fate, Weather};

/// Pieces that a body travels in at most.
const PIECES_MAX: usize = 4;
/// Requests of which no more than this many are under way late.
const LATE_MAX: usize = 8;

/// What all links of a world share.
#[derive(Debug)]
pub struct Net {
    /// The server.
    pub host: Host,
    /// Whose turn it is.
    pub turn: Turn,
    /// What happens to requests.
    pub dice: RefCell<Dice>,
    /// How often.
    pub weather: RefCell<Weather>,
    /// What is counted.
    pub tally: RefCell<Tally>,
    /// Requests that their devices gave up, on their way.
    pub late: RefCell<Vec<HttpRequest>>,
    /// What a deliberate breakage does to answers.
    pub meddler: RefCell<Meddler>,
    answers: RefCell<BTreeMap<usize, HttpResponse>>,
    callers: RefCell<u32>,
}

impl Net {
    /// A link to a server, in calm weather.
    #[must_use]
    pub fn new(host: Host, turn: Turn, dice: Dice, tally: Tally, meddler: Meddler) -> Self {
        Self {
            host,
            turn,
            dice: RefCell::new(dice),
            weather: RefCell::new(Weather::calm()),
            tally: RefCell::new(tally),
            late: RefCell::default(),
            meddler: RefCell::new(meddler),
            answers: RefCell::default(),
            callers: RefCell::default(),
        }
    }

    fn fault(&self, fate: Fate) {
        self.tally.borrow_mut().fault(fate.name());
    }

    fn below(&self, bound: usize) -> usize {
        self.dice.borrow_mut().below(bound)
    }

    /// Delivers a request as far as `bytes`, and answers what the server said, unless it was killed.
    pub async fn deliver(&self, request: &HttpRequest, bytes: usize, pieces: usize) -> Option<HttpResponse> {
        let life = self.host.life();
        let router = self.host.router()?;
        self.meddler.borrow_mut().before_request(&self.host);
        let request = self.http(request, bytes, pieces);
        let mut answer = Box::pin(async move {
            let response = router.oneshot(request).await.ok()?;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.ok()?.to_bytes().to_vec();
            let header = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), header(value)));
            let headers = headers.collect();
            Some(HttpResponse { status: parts.status.as_u16(), headers, body, whole: true })
        });
        let lives = |context: &mut Context<'_>| {
            if self.host.life() == life { answer.as_mut().poll(context) } else { Poll::Ready(None) }
        };
        let answer = std::future::poll_fn(lives).await;
        self.meddler.borrow_mut().after_request(&self.host);
        answer
    }

    fn http(&self, request: &HttpRequest, bytes: usize, pieces: usize) -> Request<Body> {
        let method = if request.method == "GET" { Method::GET } else { Method::POST };
        let mut built = Request::builder().method(method).uri(&request.path);
        for (name, value) in &request.headers {
            built = built.header(*name, value);
        }
        // Every request from an address of its own: rates are counted by the real clock.
        let mut callers = self.callers.borrow_mut();
        *callers = callers.wrapping_add(1);
        built = built.header("x-forwarded-for", std::net::Ipv4Addr::from(*callers).to_string());
        let sent = request.body.get(..bytes).unwrap_or(&request.body);
        let whole = sent.len() == request.body.len();
        let body = match (whole, pieces) {
            (true, 0 | 1) => Body::from(sent.to_vec()),
            _ => Body::from_stream(in_pieces(sent, pieces.max(1), whole, self.turn.clone())),
        };
        built.body(body).unwrap()
    }
}

/// A body that comes in pieces with a pause before each, and breaks at its end unless it is whole.
fn in_pieces(
    body: &[u8],
    pieces: usize,
    whole: bool,
    turn: Turn,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static {
    let size = body.len().div_ceil(pieces).max(1);
    let mut chunks: Vec<Bytes> = body.chunks(size).rev().map(Bytes::copy_from_slice).collect();
    let (mut paused, mut broken) = (false, whole);
    poll_fn(move |_| {
        if turn.poll_pause(&mut paused).is_pending() {
            return Poll::Pending;
        }
        paused = false;
        if let Some(chunk) = chunks.pop() {
            return Poll::Ready(Some(Ok(chunk)));
        }
        if broken {
            return Poll::Ready(None);
        }
        broken = true;
        Poll::Ready(Some(Err(std::io::Error::other("the connection broke"))))
    })
}

/// The link of one device.
#[derive(Debug, Clone)]
pub struct Link {
    net: Rc<Net>,
    node: usize,
    /// By the device's clock, when its last sync began; a broken cursor goes by it.
    now_ms: i64,
}

impl Link {
    /// The link of a device, at a moment of its clock.
    #[must_use]
    pub fn new(net: &Rc<Net>, node: usize, now_ms: i64) -> Self {
        Self { net: net.clone(), node, now_ms }
    }

    async fn carry(&self, request: &HttpRequest, fate: Fate) -> Result<HttpResponse, TransportError> {
        let net = &self.net;
        let length = request.body.len();
        match fate {
            Fate::NoNetwork => Err(TransportError::Unreachable),
            Fate::Lost => Err(TransportError::Stalled),
            Fate::Portal => Ok(page(200, "<html>欢迎使用无线网络</html>")),
            Fate::BadGateway => Ok(page(502, "<html>bad gateway</html>")),
            Fate::Cut => {
                let (at, pieces) = (net.below(length.max(1)), net.below(PIECES_MAX));
                net.deliver(request, at, pieces).await;
                Err(TransportError::Cut)
            }
            Fate::Late => {
                let mut late = net.late.borrow_mut();
                if late.len() < LATE_MAX {
                    late.push(request.clone());
                }
                Err(TransportError::Stalled)
            }
            Fate::Clean | Fate::Stale | Fate::AnswerLost | Fate::AnswerCut => {
                let pieces = net.below(PIECES_MAX);
                self.answered(net.deliver(request, length, pieces).await, fate)
            }
            Fate::Buffered | Fate::Twice => {
                for _ in 0..net.below(4) {
                    net.turn.pause().await;
                }
                let first = net.deliver(request, length, 1).await;
                if fate == Fate::Twice {
                    net.deliver(request, length, 1).await;
                }
                self.answered(first, fate)
            }
        }
    }

    /// What of an answer comes back to the device.
    fn answered(&self, answer: Option<HttpResponse>, fate: Fate) -> Result<HttpResponse, TransportError> {
        let mut answer = answer.ok_or(TransportError::Cut)?;
        answer.body = self.net.meddler.borrow_mut().answer(self.node, self.now_ms, answer.body);
        let before = self.net.answers.borrow_mut().insert(self.node, answer.clone());
        match fate {
            Fate::AnswerLost => Err(TransportError::Cut),
            Fate::AnswerCut => {
                answer.body.truncate(self.net.below(answer.body.len().max(1)));
                answer.whole = false;
                Ok(answer)
            }
            Fate::Stale => Ok(before.unwrap_or(answer)),
            _ => Ok(answer),
        }
    }
}

fn page(status: u16, text: &str) -> HttpResponse {
    let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
    HttpResponse { status, headers, body: text.as_bytes().to_vec(), whole: true }
}

impl Transport for Link {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        self.net.turn.pause().await;
        let fate = self.net.weather.borrow().fate(&mut self.net.dice.borrow_mut());
        if fate != Fate::Clean {
            self.net.fault(fate);
        }
        let answer = self.carry(&request, fate).await;
        let said = match &answer {
            Ok(answer) => format!("{} {} {}", answer.status, answer.body.len(), answer.whole),
            Err(error) => error.to_string(),
        };
        let line = format!("{} {} {} {said}", self.node, request.path, request.body.len());
        self.net.tally.borrow_mut().note(&line);
        answer
    }
}
