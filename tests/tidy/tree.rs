//! The project's own files.

use std::fs;
use std::path::{Path, PathBuf};

/// A file and what it says.
pub(crate) struct Source {
    /// Its path from the project's root.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Folders that hold what was made, not written.
const MADE: [&str; 5] = ["target", "node_modules", "dist", ".git", "ruhu-demo"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !MADE.contains(&name.as_str()) {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// Every file of the project that is text.
pub(crate) fn all_texts() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let path = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
            Some(Source { path, text })
        })
        .collect()
}

/// Every Rust file of the project.
pub(crate) fn rust_sources() -> Vec<Source> {
    all_texts().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

/// The names under `[dependencies]` of a package.
pub(crate) fn normal_dependencies(package: &str) -> Vec<String> {
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    dependencies.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}
