//! Signed batches, receipts, certificates and the transparency log, with no I/O.
