//! Invented villages for demonstrations, tests and benchmarks.
