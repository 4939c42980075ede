//! The device's core for a browser: calls and answers as JSON, files on the origin private file system.
//!
//! [`Device`] is an ordinary library over [`ruhu_client_core::Client`] and is tested as one. What only a
//! browser has (the private file system, `fetch`, its clock) is in `browser`, which is compiled for
//! `wasm32-unknown-unknown` alone and runs in a dedicated worker.

pub mod answer;
#[cfg(target_arch = "wasm32")]
pub mod browser;
pub mod call;
mod device;
pub mod names;
mod problem;
pub mod tries;
mod work;

pub mod photo;

#[cfg(test)]
mod tests;

pub use device::Device;
pub use problem::Problem;
