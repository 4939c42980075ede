//! Power cuts, failing disks and full disks under a whole server and a whole device.

pub(crate) mod cuts;
pub(crate) mod faults;
pub(crate) mod found;
pub(crate) mod layer;
pub(crate) mod machines;
pub(crate) mod plain;
pub(crate) mod session;
