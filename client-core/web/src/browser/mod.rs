//! What only a browser has: the private file system, `fetch`, the clock; and the object that a worker holds.

mod environment;
mod opfs;
mod transport;

use std::path::PathBuf;
use std::sync::Arc;

use js_sys::Function;
use ruhu_client_core::{Files, PhotoProgress, Progress};
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};
use web_sys::FileSystemSyncAccessHandle;

use self::environment::PageEnvironment;
use self::opfs::{OpfsPool, OpfsSlots};
use self::transport::FetchTransport;
use crate::call::Call;
use crate::names::NamedFiles;
use crate::photo::{self, PhotoCall, WantedPicture};
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
        let call: Call = read(&json)?;
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

#[wasm_bindgen]
impl Core {
    /// One call about photos, in JSON; its answer, in JSON. The bytes of a picture to take come beside, and are
    /// empty for every other call.
    ///
    /// # Errors
    /// A problem as JSON.
    pub fn photo_call(&mut self, json: &str, original: &[u8], thumbnail: &[u8]) -> Result<String, JsValue> {
        let call: PhotoCall = read(json)?;
        self.device.photo_call(call, original, thumbnail).map_err(|problem| thrown(&problem))
    }

    /// The bytes of a picture; nothing when it is not here, and was not to be fetched.
    ///
    /// # Errors
    /// A problem as JSON.
    pub async fn picture(&mut self, json: String) -> Result<Option<Vec<u8>>, JsValue> {
        let wanted: WantedPicture = read(&json)?;
        self.device.picture(&wanted, &self.transport).await.map_err(|problem| thrown(&problem))
    }

    /// Sends the photos that wait; `progress` is given how far that has come, as JSON. Answers what came of it.
    ///
    /// # Errors
    /// A problem as JSON.
    pub async fn send_photos(&mut self, progress: Function) -> Result<String, JsValue> {
        let mut tell = |said: PhotoProgress| {
            if let Ok(text) = serde_json::to_string(&photo::PhotoProgress::from(said)) {
                let _ = progress.call1(&JsValue::NULL, &JsValue::from_str(&text));
            }
        };
        self.device.send_photos(&self.transport, &mut tell).await.map_err(|problem| thrown(&problem))
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, JsValue> {
    serde_json::from_str(json).map_err(|error| thrown(&Problem::new("argument", error.to_string())))
}

fn thrown(problem: &Problem) -> JsValue {
    JsValue::from_str(&serde_json::to_string(problem).unwrap_or_default())
}
