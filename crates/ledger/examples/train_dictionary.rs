//! Trains the dictionary of replay streams and writes it to the file named on the command line.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a training may end at the first surprise")]

#[path = "../tests/training/mod.rs"]
mod training;

fn main() {
    let file = std::env::args().nth(1).unwrap();
    let content = training::dictionary();
    let packed = zstd::bulk::compress(&content, 19).unwrap();
    println!("{} bytes, {} compressed", content.len(), packed.len());
    std::fs::write(file, packed).unwrap();
}
