//! A server on real sockets of this machine.

use std::io::{Read, Write};
use std::net::TcpStream;

use ruhu_sync::frame::decode_all;
use ruhu_sync::{ResponseFrame, encode_all};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::task::{JoinHandle, spawn_blocking};

use super::*;
use crate::api::fixture::{Fixture, batch, config, hello, signed, village};
use crate::config::Tls;
use crate::store::LedgerStore as _;
use crate::store::world::{LONGTAN, household};

struct Running {
    bound: Bound,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), ServeError>>,
}

fn loopback() -> Config {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    Config { listen: any, metrics_listen: Listen::On(any), ..config() }
}

async fn run_with(fixture: &Fixture, config: Config) -> Result<Running, ServeError> {
    let serving = Serving {
        config,
        store: fixture.store.clone(),
        photos: PhotoShelf::in_memory(),
        keys: fixture.keys.clone(),
        clock: fixture.clock.clone(),
    };
    let (ready, listening) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let ended = tokio::spawn(serve(serving, ready, async {
        let _ = stopped.await;
    }));
    match listening.await {
        Ok(bound) => Ok(Running { bound, stop, ended }),
        Err(_) => Err(ended.await.unwrap().unwrap_err()),
    }
}

impl Running {
    async fn stop(self) -> Result<(), ServeError> {
        self.stop.send(()).unwrap();
        self.ended.await.unwrap()
    }
}

async fn get(address: SocketAddr, path: &'static str) -> String {
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn a_server_answers_on_both_its_addresses_and_stops_when_told() {
    let fixture = Fixture::new();
    let running = run_with(&fixture, loopback()).await.unwrap();
    assert!(get(running.bound.api, "/healthz").await.starts_with("HTTP/1.1 200"));
    let metrics = running.bound.metrics.unwrap();
    assert!(get(metrics, "/metrics").await.contains("ruhu_http_requests_total"));
    assert!(get(metrics, "/v1/villages").await.starts_with("HTTP/1.1 404"), "the metrics are all there is");
    assert!(get(running.bound.api, "/metrics").await.starts_with("HTTP/1.1 404"));
    let api = running.bound.api;
    running.stop().await.unwrap();
    assert!(TcpStream::connect(api).is_err());
    let verified = fixture.store.verify().unwrap();
    assert_eq!(fixture.store.checkpoint().unwrap().unwrap().size, verified.leaves);
}

#[tokio::test]
async fn the_metrics_can_be_off() {
    let fixture = Fixture::new();
    let running = run_with(&fixture, Config { metrics_listen: Listen::Off, ..loopback() }).await.unwrap();
    assert_eq!(running.bound.metrics, None);
    running.stop().await.unwrap();
}

#[tokio::test]
async fn plain_http_is_not_served_where_others_can_read_along() {
    let fixture = Fixture::new();
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let refusal = run_with(&fixture, Config { listen: anywhere, ..loopback() }).await;
    assert!(matches!(refusal, Err(ServeError::PlainBeyondLoopback(_))));
    let behind = Config { listen: anywhere, behind_proxy: true, ..loopback() };
    run_with(&fixture, behind).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let fixture = Fixture::new();
    let running = run_with(&fixture, loopback()).await.unwrap();
    let again = run_with(&fixture, Config { listen: running.bound.api, ..loopback() }).await;
    let Err(ServeError::Listen { address, .. }) = again else { panic!("it listens twice") };
    assert_eq!(address, running.bound.api);
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_under_way_is_finished_before_the_server_ends() {
    let fixture = Fixture::new();
    let running = run_with(&fixture, loopback()).await.unwrap();
    let nonce = {
        let answer = get_nonce(running.bound.api).await;
        answer.lines().find_map(|line| line.strip_prefix("ruhu-nonce: ").map(str::to_owned)).unwrap()
    };
    let mut tablet = fixture.world().tablet(10);
    let [first, second] = [1, 2].map(|index| {
        let change = tablet.found(household(index), "一组");
        tablet.seal(&[&change])
    });
    let body = encode_all(&[hello(&tablet), village(LONGTAN, None), batch(&first), batch(&second)]);
    let (parts, ()) = signed("POST", "/v1/sync", &nonce, &tablet, &body).body(()).unwrap().into_parts();
    let mut head = format!("POST /v1/sync HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in &parts.headers {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    head.push_str("connection: close\r\n\r\n");
    let mut stream = TcpStream::connect(running.bound.api).unwrap();
    let (early, late) = body.split_at(body.len() - 10);
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(early).unwrap();
    // The first batch is durable before the request has ended.
    while fixture.store.receipt(first.id()).unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    assert!(fixture.store.receipt(second.id()).unwrap().is_none());
    running.stop.send(()).unwrap();
    stream.write_all(late).unwrap();
    let answer = spawn_blocking(move || {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    let frames: Vec<ResponseFrame> = decode_all(&answer[split..]).unwrap();
    assert_eq!(frames.iter().filter(|frame| matches!(frame, ResponseFrame::Receipt(_))).count(), 2);
    running.ended.await.unwrap().unwrap();
    fixture.world().assert_sound();
}

async fn get_nonce(address: SocketAddr) -> String {
    let ask = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let request =
            "POST /v1/nonces HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    spawn_blocking(ask).await.unwrap()
}

#[tokio::test]
async fn https_is_served_with_the_certificate_of_the_files() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let tls = Tls { certificate: folder.path().join("certificate.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&tls.certificate, made.cert.pem()).unwrap();
    std::fs::write(&tls.key, made.signing_key.serialize_pem()).unwrap();
    let root = CertificateDer::from_pem_file(&tls.certificate).unwrap();
    let running = run_with(&fixture, Config { tls: Some(tls), ..loopback() }).await.unwrap();
    let address = running.bound.api;
    let answer = spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 200"));
    // Whoever speaks plain HTTP to it is not answered.
    let plain = spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    });
    assert!(!plain.await.unwrap().starts_with(b"HTTP/1.1 200"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_without_its_certificate_does_not_start() {
    let fixture = Fixture::new();
    let tls = Tls { certificate: "none.pem".into(), key: "none.pem".into() };
    let refusal = run_with(&fixture, Config { tls: Some(tls), ..loopback() }).await;
    assert!(matches!(refusal, Err(ServeError::Tls(_))));
}
