//! The server: an axum API over an embedded store.
