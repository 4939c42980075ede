//! The page's clock and randomness.

use std::sync::Arc;

use ruhu_client_core::{Environment, Error, Files};

/// The environment of a worker.
#[derive(Debug)]
pub(super) struct PageEnvironment {
    pub(super) files: Arc<dyn Files>,
}

/// Whole milliseconds of a JavaScript time.
#[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest whole number in range")]
fn whole(ms: f64) -> i64 {
    ms as i64
}

impl Environment for PageEnvironment {
    fn now_ms(&self) -> i64 {
        whole(js_sys::Date::now())
    }

    /// A worker's clock since its start.
    fn monotonic_ms(&self) -> u64 {
        let performance = js_sys::Reflect::get(&js_sys::global(), &"performance".into());
        let now = performance.ok().map(web_sys::wasm_bindgen::JsCast::unchecked_into::<web_sys::Performance>);
        now.and_then(|performance| u64::try_from(whole(performance.now())).ok()).unwrap_or(0)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|_| Error::NoRandomness)
    }

    fn files(&self) -> Arc<dyn Files> {
        Arc::clone(&self.files)
    }
}
