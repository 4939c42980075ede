//! The private file system: SQLite's pool of files, and two small files for their names.
//!
//! Handles of JavaScript stay in the worker's one thread, while the core's files may be asked from any. So
//! they are kept beside the thread, and the types here only stand for them.

use std::cell::RefCell;
use std::io;

use js_sys::Uint8Array;
use sqlite_wasm_rs::vfs::VfsFilesManager;
use sqlite_wasm_rs::vfs::transfer::{DbTransfer, ExportSource};
use sqlite_wasm_vfs::sahpool::{OpfsSAHPoolCfgBuilder, OpfsSAHPoolUtil, install};
use wasm_bindgen::JsValue;
use web_sys::{FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

use crate::names::{Pool, Slots};

/// Where the pool's files are, from the root of the private file system.
const DIRECTORY: &str = "ruhu-pool";
/// Files of the pool: a database and its journal, and as much again for each one set aside.
const CAPACITY: usize = 12;

thread_local! {
    static POOL: RefCell<Option<OpfsSAHPoolUtil>> = const { RefCell::new(None) };
    static SLOTS: RefCell<Vec<FileSystemSyncAccessHandle>> = const { RefCell::new(Vec::new()) };
}

/// SQLite's pool of files.
#[derive(Debug)]
pub(super) struct OpfsPool;

impl OpfsPool {
    /// Makes the pool SQLite's file system.
    pub(super) async fn open() -> Result<Self, String> {
        let wanted = OpfsSAHPoolCfgBuilder::new().directory(DIRECTORY).initial_capacity(CAPACITY).build();
        let opened = install::<sqlite_wasm_rs::WasmOsCallback>(&wanted, true).await;
        let pool = opened.map_err(|error| error.to_string())?;
        POOL.set(Some(pool));
        Ok(Self)
    }
}

fn with_pool<T>(ask: impl FnOnce(&OpfsSAHPoolUtil) -> Result<T, String>) -> io::Result<T> {
    POOL.with_borrow(|pool| {
        let pool = pool.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        ask(pool).map_err(io::Error::other)
    })
}

impl Pool for OpfsPool {
    fn holds(&self, name: &str) -> io::Result<bool> {
        with_pool(|pool| pool.contains(name).map_err(|error| error.to_string()))
    }

    fn head(&self, name: &str, limit: usize) -> io::Result<Vec<u8>> {
        with_pool(|pool| {
            let mut source = pool.open_export(name).map_err(|error| error.to_string())?;
            let there = usize::try_from(source.size()).unwrap_or(usize::MAX);
            let mut bytes = vec![0; limit.min(there)];
            let read = source.read_at(0, &mut bytes).map_err(|error| error.to_string())?;
            bytes.truncate(read);
            Ok(bytes)
        })
    }
}

/// The two small files.
#[derive(Debug)]
pub(super) struct OpfsSlots;

impl OpfsSlots {
    /// Keeps the two handles for as long as the worker lives.
    pub(super) fn keep(first: FileSystemSyncAccessHandle, second: FileSystemSyncAccessHandle) -> Self {
        SLOTS.set(vec![first, second]);
        Self
    }
}

fn with_slot<T>(
    slot: usize,
    ask: impl FnOnce(&FileSystemSyncAccessHandle) -> Result<T, JsValue>,
) -> io::Result<T> {
    SLOTS.with_borrow(|slots| {
        let handle = slots.get(slot).ok_or(io::ErrorKind::NotConnected)?;
        ask(handle).map_err(|error| explain(&error))
    })
}

/// A full disk is told apart: the core says so to people.
fn explain(error: &JsValue) -> io::Error {
    let name = js_sys::Reflect::get(error, &"name".into()).ok().and_then(|name| name.as_string());
    let text = name.unwrap_or_default();
    let kind = if text == "QuotaExceededError" { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    io::Error::new(kind, text)
}

fn at_start() -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at(0.0);
    options
}

impl Slots for OpfsSlots {
    fn read(&self, slot: usize) -> io::Result<Vec<u8>> {
        with_slot(slot, |handle| {
            let bytes = Uint8Array::new_with_length(length(handle.get_size()?));
            handle.read_with_buffer_source_and_options(&bytes, &at_start())?;
            Ok(bytes.to_vec())
        })
    }

    fn write(&self, slot: usize, bytes: &[u8]) -> io::Result<()> {
        let buffer = Uint8Array::from(bytes);
        let written = with_slot(slot, |handle| {
            let written = handle.write_with_buffer_source_and_options(&buffer, &at_start())?;
            handle.flush()?;
            Ok(length(written))
        })?;
        if written == buffer.length() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
    }
}

/// A size as JavaScript counts it; a slot is a few kilobytes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest whole number in range"
)]
fn length(size: f64) -> u32 {
    size as u32
}
