//! The device: an encrypted store of household checks that works offline.
