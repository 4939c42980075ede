//! The simulated world (模拟世界): the real devices and the real server over a simulated clock, link and disk.
//!
//! Everything is drawn from one seed, and the same seed gives the same trace. People edit, submit and settle;
//! links lose, cut, delay and repeat; programs are killed; disks come back from old backups; devices are
//! copied and revoked; clocks are years off. When it is quiet again, [`audit`] looks for each edit.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a simulation ends at the first surprise, with its seed"
)]

pub mod anew;
pub mod announced;
pub mod answers;
pub mod audit;
pub mod book;
pub mod breakage;
pub mod campaign;
pub mod carry;
pub mod clock;
pub mod dice;
pub mod disk;
pub mod enrolment;
pub mod event;
pub mod host;
pub mod link;
pub mod model;
pub mod node;
pub mod replica;
pub mod restore;
pub mod rogue;
pub mod tally;
pub mod turn;
pub mod weather;
pub mod work;
pub mod world;

pub use breakage::Breakage;
pub use tally::Tally;
pub use turn::Turns;
pub use world::{Outcome, Plan, live};
