//! The example `findings` as a module for a browser's engine, so that both builds can be asked the same.
#![cfg(target_arch = "wasm32")]

/// The report of [`ruhu_sample::leads`].
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn report(households: u32, seed: u32) -> String {
    ruhu_sample::leads(households.into(), seed.into()).to_string()
}
