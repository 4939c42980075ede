//! The ruhu command: a field device in a terminal.
