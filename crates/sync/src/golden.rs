//! Golden files: one example of every frame, byte for byte. A failing test here means that released
//! devices and servers no longer understand each other: raise the protocol version instead.

use std::fmt::Debug;
use std::path::Path;

use expect_test::expect_file;

use crate::frame::{Frame, decode_all, encode};
use crate::samples;

/// Lower-case digits, 32 bytes a line.
pub(crate) fn lines(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
    bytes.chunks(32).map(line).collect()
}

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(format!("{name}.hex"))
}

/// Compares every frame with its file, and reads the whole body back.
fn compare<F: Frame + Debug + PartialEq>(named: Vec<(&'static str, F)>) {
    let mut body = Vec::new();
    let mut frames = Vec::new();
    for (name, frame) in named {
        let bytes = encode(&frame);
        expect_file![path(name)].assert_eq(&lines(&bytes));
        body.extend(bytes);
        frames.push(frame);
    }
    assert_eq!(decode_all::<F>(&body).unwrap(), frames);
}

#[test]
fn every_request_frame_is_as_it_always_was() {
    compare(samples::request());
}

#[test]
fn every_response_frame_is_as_it_always_was() {
    compare(samples::response());
    compare(vec![("refused", samples::refused())]);
}

#[test]
fn there_is_no_golden_file_without_its_frame() {
    // The refusal, and the bundles.
    let named = samples::request().len() + samples::response().len() + 3;
    let files = std::fs::read_dir(path("x").parent().unwrap()).unwrap().count();
    assert_eq!(files, named);
}
