//! Running the server: listeners, signals, and an end that finishes what was begun.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use hyper_util::rt::TokioTimer;
use tokio::sync::oneshot;

use crate::api::{AppState, metrics_router, router};
use crate::app::with_app;
use crate::clock::Clock;
use crate::config::{Config, Listen};
use crate::keys::ServerKeys;
use crate::limits::{HEADER_SECONDS_MAX, STOP_SECONDS_MAX};
use crate::photos::PhotoShelf;
use crate::store::{Store, StoreError};
use crate::tls::{TlsError, load};

/// Why the server does not run, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Plain HTTP was asked for where anybody could read along.
    #[error(
        "plain HTTP is served on loopback only, not on {0}: set tls_certificate and tls_key, or \
         behind_proxy = true if a proxy in front ends TLS"
    )]
    PlainBeyondLoopback(SocketAddr),
    /// An address cannot be listened on.
    #[error("{address} cannot be listened on")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the machine said.
        #[source]
        source: io::Error,
    },
    /// The certificate or key of HTTPS cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Listening failed later.
    #[error("the server could not go on listening")]
    Io(#[from] io::Error),
    /// The store failed at the beginning or at the end.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a server runs with.
#[derive(Clone)]
pub struct Serving {
    /// Where it listens, and its limits.
    pub config: Config,
    /// Everything it keeps.
    pub store: Arc<dyn Store>,
    /// Where photos are.
    pub photos: PhotoShelf,
    /// Its secrets.
    pub keys: Arc<ServerKeys>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The addresses that are listened on; a port of 0 in the configuration has become a real one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// The API.
    pub api: SocketAddr,
    /// The metrics, unless they are off.
    pub metrics: Option<SocketAddr>,
}

/// Answers requests until `stop` is over, then finishes those under way and signs a last checkpoint.
///
/// `ready` is told the addresses as soon as they are listened on.
///
/// # Errors
/// [`ServeError`]
pub async fn serve(
    serving: Serving,
    ready: oneshot::Sender<Bound>,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let Serving { config, store, photos, keys, clock } = serving;
    let tls = config.tls.as_ref().map(load).transpose()?;
    if tls.is_none() && !config.behind_proxy && !config.listen.ip().is_loopback() {
        return Err(ServeError::PlainBeyondLoopback(config.listen));
    }
    let state = AppState::new(store, keys, clock, &config).with_photos(photos);
    state.checkpoint().await?;
    let (api, api_address) = listen(config.listen)?;
    let metrics = match config.metrics_listen {
        Listen::On(address) => Some(listen(address)?),
        Listen::Off => None,
    };
    let bound = Bound { api: api_address, metrics: metrics.as_ref().map(|(_, address)| *address) };
    tracing::info!(api = %bound.api, metrics = ?bound.metrics, tls = tls.is_some(), "listening");
    let handles = (Handle::new(), Handle::new());
    let routes = router(state.clone()).0;
    let routes = match &config.app_folder {
        Some(folder) => with_app(routes, folder),
        None => routes,
    };
    let api = run(api, routes, tls, handles.0.clone());
    let metrics = run_metrics(metrics, &state, handles.1.clone());
    // Nobody may be waiting for the addresses.
    let _ = ready.send(bound);
    let stopping = async {
        stop.await;
        tracing::info!("stopping");
        let grace = Some(Duration::from_secs(STOP_SECONDS_MAX));
        handles.0.graceful_shutdown(grace);
        handles.1.graceful_shutdown(grace);
        Ok(())
    };
    // A listener that fails ends the others at once: a server that listens by halves helps nobody.
    let served = tokio::try_join!(api, metrics, stopping);
    state.checkpoint().await?;
    tracing::info!("stopped");
    served.map(drop)
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn run(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    handle: Handle<SocketAddr>,
) -> Result<(), ServeError> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    let headers = Duration::from_secs(HEADER_SECONDS_MAX);
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(headers);
    let http2 = &mut server.http_builder().http2();
    http2.timer(TokioTimer::new()).keep_alive_interval(headers).keep_alive_timeout(headers);
    match tls {
        Some(config) => {
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(config));
            server.acceptor(acceptor).serve(service).await?;
        }
        None => server.serve(service).await?,
    }
    Ok(())
}

async fn run_metrics(
    listening: Option<(TcpListener, SocketAddr)>,
    state: &AppState,
    handle: Handle<SocketAddr>,
) -> Result<(), ServeError> {
    match listening {
        Some((listener, _)) => run(listener, metrics_router(state.clone()), None, handle).await,
        None => Ok(()),
    }
}

/// Over when the process is asked to end: SIGTERM, SIGINT, or Ctrl-C.
pub async fn asked_to_stop() {
    let interrupted = async {
        // Without signals there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                terminate.recv().await;
            }
            Err(_) => std::future::pending::<()>().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

#[cfg(test)]
mod tests;
