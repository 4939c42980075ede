//! What the server asks of a database about people, devices, places, keys and rosters.
//!
//! Every call is one transaction and may block. Nothing here signs, wraps or draws randomness: what
//! is secret arrives hashed or wrapped, what is signed arrives signed.

use std::collections::{BTreeMap, BTreeSet};

use ruhu_ledger::certificate::{SignedCertificate, SignedRevocation};
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_ledger::signature::PublicKey;
use ruhu_survey::change::ChangeHash;
use ruhu_survey::id::{DeviceId, HouseholdId, UserId, VillageId};
use ruhu_survey::role::Role;

use super::StoreError;
use crate::roster::state::RosterState;

/// A SHA-256 hash of a secret that is shown once and kept nowhere.
pub type SecretHash = [u8; 32];

/// A household's wrapped key with its number among the village's keys, in the order in which they became
/// durable; number 1 is the village's search key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedKey {
    /// Its number, from 2.
    pub number: u64,
    /// The household.
    pub household: HouseholdId,
    /// The wrapped key.
    pub wrapped: Vec<u8>,
}

/// A place of the official list (行政区划).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// 2, 4, 6, 9 or 12 digits.
    pub code: String,
    /// Its name in the last list that had it.
    pub name: String,
    /// The date it was first listed.
    pub valid_from: String,
    /// The date it ended, if it did.
    pub valid_until: Option<String>,
}

/// A village (行政村) with the code it has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Village {
    /// Its own id.
    pub id: VillageId,
    /// Its official 12 digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The date its code ended, if it did.
    pub valid_until: Option<String>,
}

/// A village met for the first time, with its search key made and wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVillage {
    /// The id it keeps for ever.
    pub id: VillageId,
    /// Its official 12 digits.
    pub code: String,
    /// Its name.
    pub name: String,
    /// The 32-byte search key under the wrap key.
    pub wrapped_key: Vec<u8>,
}

/// What an import of the official list writes, as one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionCommit {
    /// New places, parents first.
    pub added: Vec<Region>,
    /// New names of known codes (and an ended code that is listed again holds again).
    pub renamed: Vec<(String, String)>,
    /// Codes that end, and the date.
    pub ended: Vec<(String, String)>,
    /// The villages among the new places.
    pub villages: Vec<NewVillage>,
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The name they are called by; unique.
    pub name: String,
    /// Their role.
    pub role: Role,
    /// The region codes whose villages they look after.
    pub regions: BTreeSet<String>,
}

impl User {
    /// True if a village of this code lies in one of the person's regions.
    #[must_use]
    pub fn covers(&self, village_code: &str) -> bool {
        self.regions.iter().any(|region| village_code.starts_with(region.as_str()))
    }
}

/// An open enrolment code, with who it is for and the villages they look after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Whose device may enrol.
    pub user: User,
    /// Until when, in milliseconds.
    pub expires_ms: i64,
    /// The key that used it, if one has.
    pub used_by: Option<PublicKey>,
}

/// How the redeeming of an enrolment code ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    /// The certificate was written with its log leaf, and the code is used up.
    Granted,
    /// The code was used in the meantime.
    Used,
    /// The serial number was taken in the meantime: build the certificate again with this one.
    Serial(u64),
}

/// A device as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// What it is called.
    pub name: String,
    /// Its newest certificate.
    pub certificate: SignedCertificate,
    /// When it was enrolled, in milliseconds.
    pub enrolled_ms: i64,
    /// Its last authenticated request, in milliseconds.
    pub seen_ms: Option<i64>,
    /// Its batches and changes that wait: staged, held or in quarantine.
    pub pending: u64,
    /// When the server received its last batch, in milliseconds.
    pub received_ms: Option<i64>,
    /// Since when its key holds no longer, and why.
    pub revoked: Option<(i64, String)>,
    /// In how many villages its chain has more than one branch: its store was copied or restored.
    pub forks: u64,
    /// The device whose key it took the place of.
    pub replaces: Option<DeviceId>,
}

/// A household as a roster knew it at the last import that wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterHousehold {
    /// The household it stands for.
    pub household: HouseholdId,
    /// The change with which that import wrote it.
    pub change: ChangeHash,
    /// What that import left behind.
    pub state: RosterState,
}

/// Places and the keys of private values.
pub trait PlaceStore: Send + Sync {
    /// Every place known, ascending by code.
    fn regions(&self) -> Result<Vec<Region>, StoreError>;
    /// Writes what an import found; [`StoreError::Conflict`] if a code was added in the meantime.
    fn regions_commit(&self, commit: &RegionCommit, now_ms: i64) -> Result<(), StoreError>;
    /// The villages whose code begins with one of the region codes, ascending by code.
    fn villages_in(&self, regions: &BTreeSet<String>) -> Result<Vec<Village>, StoreError>;
    /// The village of a 12-digit code.
    fn village_of_code(&self, code: &str) -> Result<Option<Village>, StoreError>;
    /// A village's wrapped search key.
    fn village_key(&self, village: VillageId) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keeps a household's wrapped key unless one is kept already; says which one holds.
    fn household_key_put(
        &self,
        village: VillageId,
        household: HouseholdId,
        wrapped: &[u8],
    ) -> Result<Vec<u8>, StoreError>;
    /// The wrapped keys of all households of a village, ascending by household.
    fn household_keys(&self, village: VillageId) -> Result<Vec<(HouseholdId, Vec<u8>)>, StoreError>;
    /// The keys of a village with a number above `after`, ascending by number.
    fn household_keys_after(&self, village: VillageId, after: u64) -> Result<Vec<NumberedKey>, StoreError>;
    /// The number of a village's newest key; 1, the search key's, when no household has one.
    fn household_keys_last(&self, village: VillageId) -> Result<u64, StoreError>;
}

/// People, their tokens and their devices.
pub trait PeopleStore: PlaceStore + RosterStore {
    /// Makes an account; [`StoreError::Conflict`] if the name is taken.
    fn user_add(&self, user: &User, now_ms: i64) -> Result<(), StoreError>;
    /// Every account, ascending by name.
    fn users(&self) -> Result<Vec<User>, StoreError>;
    /// Keeps the hash of a new token of a person.
    fn token_add(&self, user: UserId, hash: &SecretHash, now_ms: i64) -> Result<(), StoreError>;
    /// Withdraws every token of a person; says how many there were.
    fn tokens_revoke(&self, user: UserId, now_ms: i64) -> Result<usize, StoreError>;
    /// Whose token this is, if it holds.
    fn user_of_token(&self, hash: &SecretHash) -> Result<Option<User>, StoreError>;
    /// Keeps the hash of a new enrolment code.
    fn invite_add(
        &self,
        user: UserId,
        hash: &SecretHash,
        now_ms: i64,
        expires_ms: i64,
    ) -> Result<(), StoreError>;
    /// The invitation of an enrolment code, used or not.
    fn invite(&self, hash: &SecretHash) -> Result<Option<Invite>, StoreError>;
    /// The next certificate's number.
    fn next_serial(&self) -> Result<u64, StoreError>;
    /// Uses an enrolment code up and writes the certificate and its log leaf, all or nothing.
    fn invite_redeem(
        &self,
        hash: &SecretHash,
        certificate: &SignedCertificate,
        now_ms: i64,
    ) -> Result<Redeemed, StoreError>;
    /// Ends a key with its revocation, unless it ended before, and writes the provisional certificate that
    /// takes its place, each with its log leaf, all or nothing. [`Redeemed::Used`] when the key was given up
    /// as often as it may be.
    fn key_replace(
        &self,
        old: DeviceId,
        certificate: &SignedCertificate,
        revocation: Option<&SignedRevocation>,
        now_ms: i64,
    ) -> Result<Redeemed, StoreError>;
    /// Writes the deployment, its first epoch and the server's own certificate, each with its log leaf;
    /// [`StoreError::Conflict`] if there is a deployment already.
    fn deployment_begin(
        &self,
        start: &SignedEpochStart,
        certificate: &SignedCertificate,
    ) -> Result<(), StoreError>;
    /// The deployment and the present life of its log; [`StoreError::NotFound`] before `init`.
    fn deployment(&self) -> Result<EpochStart, StoreError>;
    /// A device by its id, revoked or not.
    fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError>;
    /// Every device, ascending by the date of enrolment.
    fn devices(&self) -> Result<Vec<Device>, StoreError>;
    /// Notes an authenticated request of a device.
    fn device_seen(&self, device: DeviceId, now_ms: i64) -> Result<(), StoreError>;
    /// Writes a revocation and its log leaf; [`StoreError::Conflict`] if the device was revoked before.
    fn device_revoke(&self, revocation: &SignedRevocation) -> Result<(), StoreError>;
    /// The certificates (oldest first) and revocations of all devices that may write in a village.
    fn credentials(
        &self,
        village: VillageId,
    ) -> Result<(Vec<SignedCertificate>, Vec<SignedRevocation>), StoreError>;
}

/// What rosters said when they were last imported.
pub trait RosterStore: Send + Sync {
    /// Every household of a roster of a village as its last accepted import left it, by its number.
    fn roster(
        &self,
        village: VillageId,
        roster: &str,
    ) -> Result<BTreeMap<String, RosterHousehold>, StoreError>;
    /// Keeps what an import is about to write; each holds once its change is accepted.
    fn roster_record(
        &self,
        village: VillageId,
        roster: &str,
        households: &BTreeMap<String, RosterHousehold>,
    ) -> Result<(), StoreError>;
}
