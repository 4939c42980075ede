//! The device: an encrypted store of household checks that works for weeks without a network.

mod author;
mod check;
mod client;
mod edit;
mod enrol;
mod env;
mod error;
mod exchange;
mod files;
mod folder;
mod form;
#[cfg(not(target_arch = "wasm32"))]
mod http;
mod identity;
mod key_file;
mod list;
mod mend;
mod new_key;
mod overview;
mod peer;
mod phone_lock;
mod photo;
mod pin;
mod problem;
mod reauthor;
mod receive;
mod record;
mod repair;
mod replay;
mod search;
mod snapshot;
mod status;
mod store;
mod sync;
mod transport;
mod view;
mod workbench;

#[cfg(test)]
mod tests;

pub use client::Client;
pub use edit::{Edit, IssueEntry};
pub use enrol::{Enrolled, Invitation};
pub use env::Environment;
#[cfg(not(target_arch = "wasm32"))]
pub use env::SystemEnvironment;
pub use error::Error;
pub use files::Files;
#[cfg(not(target_arch = "wasm32"))]
pub use files::SystemFiles;
pub use form::{Asked, CheckForm, FormUpdate, has_elements};
#[cfg(not(target_arch = "wasm32"))]
pub use http::HttpTransport;
pub use key_file::{Cost, PASSPHRASE_CHARACTERS_MIN};
pub use list::{CheckState, ListedCheck, ListedHousehold, Order, Query, SendState};
pub use overview::{AnnouncedUnsent, DeviceSeen, Overview};
#[cfg(not(target_arch = "wasm32"))]
pub use peer::SocketLink;
pub use peer::{BundlePart, BundleReport, Carried, Link, Peer, PeerReport};
pub use phone_lock::PhoneLock;
pub use photo::{ListedPhoto, NewPhoto, PhotoOutcome, PhotoPart, PhotoProgress, PhotoReport, PhotoState};
pub use pin::PIN_DIGITS_MIN;
pub use receive::Restored;
pub use record::{DecidedByPeople, OpenConflict, Written};
pub use ruhu_sqlite::Profile;
pub use status::{DeviceStatus, Fork, KnownDevice, LastSync, NotAccepted, ReceiptLine, Status, Unsent};
pub use store::OpenReport;
pub use store::draft::DraftAnswer;
pub use store::repair::Repair;
pub use store::set_aside::SetAside;
pub use store::village::Village;
pub use sync::{Progress, SyncOutcome, SyncReport};
pub use transport::{HttpRequest, HttpResponse, Transport, TransportError};
pub use view::{CheckView, Draft, FieldView, HouseholdView};
