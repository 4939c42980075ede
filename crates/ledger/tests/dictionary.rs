//! The dictionary of replay streams is the one that training makes.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test ends at the first surprise")]

mod training;

#[test]
fn the_committed_dictionary_is_what_training_makes() {
    let packed = include_bytes!("../../../schemas/wire/dictionary-1.zstd");
    let committed = zstd::bulk::decompress(packed, 1 << 20).unwrap();
    assert!(committed == training::dictionary(), "run `cargo xtask dictionary`, and give it a new number");
}
