//! What only a browser has: the private file system, `fetch`, the clock; and the object that a worker holds.

mod environment;
mod opfs;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;

use js_sys::Function;
use ruhu_client_core::{Files, Progress};
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::FileSystemSyncAccessHandle;

use self::environment::PageEnvironment;
use self::opfs::{OpfsPool, OpfsSlots};
use self::transport::FetchTransport;
use crate::call::Call;
use crate::names::NamedFiles;
use crate::{Device, Problem};

/// The folder that the store believes in; the private file system has its own.
const FOLDER: &str = "/ruhu";

/// The core, as a worker holds it. Calls come one at a time.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Core {
    device: Device,
    transport: FetchTransport,
    progress: Function,
}

/// Opens the files and answers with the core.
///
/// `first` and `second` are two small files for the names; `fetch` sends one request:
/// `(method, path, headers as [name, value] pairs, body) => Promise<{ status, headers, body, whole }>`, which
/// rejects with a code of a failing link; `progress` is given a sync's progress as JSON.
///
/// # Errors
/// A problem as JSON.
#[wasm_bindgen]
pub async fn start(
    first: FileSystemSyncAccessHandle,
    second: FileSystemSyncAccessHandle,
    fetch: Function,
    progress: Function,
) -> Result<Core, JsValue> {
    let failed = |detail: String| thrown(&Problem::new("no_storage", detail));
    let pool = OpfsPool::open().await.map_err(failed)?;
    let files = NamedFiles::open(pool, OpfsSlots::keep(first, second));
    let files: Arc<dyn Files> = Arc::new(files.map_err(|error| failed(error.to_string()))?);
    let environment = move || -> Box<dyn ruhu_client_core::Environment> {
        Box::new(PageEnvironment { files: Arc::clone(&files) })
    };
    let device = Device::new(PathBuf::from(FOLDER), environment);
    Ok(Core { device, transport: FetchTransport { fetch }, progress })
}

#[wasm_bindgen]
impl Core {
    /// One call, in JSON; its answer, in JSON.
    ///
    /// # Errors
    /// A problem as JSON.
    pub async fn call(&mut self, json: String) -> Result<String, JsValue> {
        let call: Call = serde_json::from_str(&json)
            .map_err(|error| thrown(&Problem::new("argument", error.to_string())))?;
        let listener = self.progress.clone();
        let mut tell = |progress: Progress| {
            if let Ok(text) = serde_json::to_string(&progress) {
                // A page that does not listen is no reason to stop a sync.
                let _ = listener.call1(&JsValue::NULL, &JsValue::from_str(&text));
            }
        };
        self.device.handle(call, &self.transport, &mut tell).await.map_err(|problem| thrown(&problem))
    }
}

fn thrown(problem: &Problem) -> JsValue {
    JsValue::from_str(&serde_json::to_string(problem).unwrap_or_default())
}
