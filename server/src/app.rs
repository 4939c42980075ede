//! The phone app's files, served from a folder to whoever asks: they hold no data, and the page that enrols a
//! device has no identity yet.

use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use tower::ServiceExt as _;
use tower_http::services::ServeDir;

/// The app runs its own scripts and its module, talks to this server alone, and stands in no other page.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
    media-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The camera reads the code that a device is enrolled with and takes photos; a visit says where it was.
const PERMISSIONS: &str = "camera=(self), geolocation=(self), microphone=()";
/// Files with a hash in their name.
const NAMED_BY_CONTENT: &str = "/assets/";

/// The API with the app beside it.
pub(crate) fn with_app(api: Router, folder: &Path) -> Router {
    let files = ServeDir::new(folder).precompressed_br().precompressed_gzip();
    api.layer(from_fn_with_state(files, app_or_api))
}

async fn app_or_api(State(files): State<ServeDir>, request: Request, next: Next) -> Response {
    if is_api(request.uri().path()) {
        return next.run(request).await;
    }
    let immutable = request.uri().path().starts_with(NAMED_BY_CONTENT);
    let Ok(mut response) = files.oneshot(request).await;
    let kept = immutable && response.status().is_success();
    set_headers(response.headers_mut(), kept);
    response.map(Body::new)
}

/// The API's paths; all others are the app's.
fn is_api(path: &str) -> bool {
    path.starts_with("/v1/") || matches!(path, "/healthz" | "/readyz")
}

fn set_headers(headers: &mut HeaderMap, immutable: bool) {
    let cache = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    let fixed = [
        (CACHE_CONTROL, cache),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("permissions-policy"), PERMISSIONS),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::routing::{get, post};

    use super::*;

    async fn asked(path: &str, accepts: &str) -> Response {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        write("index.html", "<!doctype html>");
        write("sw.js", "self");
        write("assets/core-1.wasm", "plain");
        write("assets/core-1.wasm.br", "packed");
        let api = Router::new().route("/healthz", get(|| async { "ok" }));
        let api = api.route("/v1/sync", post(|| async { "synced" }));
        let app = with_app(api, folder.path());
        let request = Request::get(path).header("accept-encoding", accepts).body(Body::empty()).unwrap();
        app.oneshot(request).await.unwrap()
    }

    fn header<'a>(response: &'a Response, name: &str) -> &'a str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn the_page_may_not_be_kept_and_the_module_for_ever() {
        let page = asked("/", "identity").await;
        assert_eq!((page.status(), header(&page, "content-type")), (StatusCode::OK, "text/html"));
        assert_eq!(header(&page, "cache-control"), "no-cache");
        assert!(header(&page, "content-security-policy").contains("'wasm-unsafe-eval'"));
        let worker = asked("/sw.js", "identity").await;
        assert_eq!(header(&worker, "cache-control"), "no-cache");
        let module = asked("/assets/core-1.wasm", "identity").await;
        assert_eq!(header(&module, "content-type"), "application/wasm");
        assert_eq!(header(&module, "cache-control"), "public, max-age=31536000, immutable");
    }

    #[tokio::test]
    async fn a_browser_that_can_is_given_the_packed_file() {
        let module = asked("/assets/core-1.wasm", "br, gzip").await;
        assert_eq!(header(&module, "content-encoding"), "br");
        assert_eq!(header(&asked("/assets/core-1.wasm", "identity").await, "content-encoding"), "");
    }

    #[tokio::test]
    async fn the_api_is_as_it_was_and_what_is_missing_is_missing() {
        let health = asked("/healthz", "identity").await;
        assert_eq!((health.status(), header(&health, "content-security-policy")), (StatusCode::OK, ""));
        assert_eq!(asked("/v1/sync", "identity").await.status(), StatusCode::METHOD_NOT_ALLOWED);
        let missing = asked("/assets/other.js", "identity").await;
        assert_eq!(
            (missing.status(), header(&missing, "cache-control")),
            (StatusCode::NOT_FOUND, "no-cache")
        );
        assert_eq!(asked("/../Cargo.toml", "identity").await.status(), StatusCode::NOT_FOUND);
    }
}
