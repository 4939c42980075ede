//! The sync protocol as data: wire format and a session that does no I/O.
