//! The one object a program holds: a device's store, opened.

use std::path::Path;

use ruhu_survey::change::ActorId;
use ruhu_survey::replay::founded_id;

use crate::env::{Environment, random};
use crate::error::Error;
use crate::folder::Folder;
use crate::identity::Identity;
use crate::key_file::Cost;
use crate::phone_lock::PhoneLock;
use crate::store::batch::number;
use crate::store::set_aside::{self, SetAside};
use crate::store::village::{self, Village};
use crate::store::{OpenReport, Store};

/// A device: its store, opened, and who it is.
///
/// Every method but [`Client::enrol`] and [`Client::sync`] is short and needs no network. Whatever a
/// method that writes has returned from is durable: a kill at any moment loses nothing that was answered.
pub struct Client {
    pub(crate) store: Store,
    environment: Box<dyn Environment>,
    identity: Option<Identity>,
    /// 8 random bytes of this opening: every change written through it is by an actor of its own.
    pub(crate) opening: [u8; 8],
    /// When the nonce held came, by the monotonic clock; none when that was not in this run.
    pub(crate) nonce_ms: Option<u64>,
    /// How many documents this run of the program has founded.
    founded: u64,
    report: OpenReport,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a store in an empty or absent folder, locked with a passphrase of at least
    /// [`crate::PASSPHRASE_CHARACTERS_MIN`] characters.
    ///
    /// # Errors
    /// [`Error::StoreExists`], [`Error::PassphraseTooShort`], [`Error::Io`], [`Error::DiskFull`].
    pub fn create(folder: &Path, passphrase: &str, environment: Box<dyn Environment>) -> Result<Self, Error> {
        Self::create_with_cost(folder, passphrase, Cost::default(), environment)
    }

    /// As [`Client::create`], with another cost of guessing the passphrase.
    ///
    /// # Errors
    /// Those of [`Client::create`], and [`Error::Cost`].
    pub fn create_with_cost(
        folder: &Path,
        passphrase: &str,
        cost: Cost,
        environment: Box<dyn Environment>,
    ) -> Result<Self, Error> {
        let store = Store::create(folder, passphrase, cost, environment.as_ref())?;
        Self::begin(store, OpenReport::default(), environment)
    }

    /// Opens a store.
    ///
    /// # Errors
    /// What is wrong with the folder, the key file, the passphrase or the database; the files are left
    /// as they are. After [`Error::DatabaseDamaged`] or [`Error::DatabaseNewer`] a person may decide for
    /// [`Client::open_aside`].
    pub fn open(folder: &Path, passphrase: &str, environment: Box<dyn Environment>) -> Result<Self, Error> {
        let (store, report) = Store::open(folder, passphrase, environment.as_ref())?;
        Self::begin(store, report, environment)
    }

    /// Opens a store with what the phone's own lock answered to [`Client::phone_lock`].
    ///
    /// # Errors
    /// [`Error::PhoneLock`] when that does not open it, and those of [`Client::open`].
    pub fn open_by_phone(
        folder: &Path,
        secret: &[u8; 32],
        environment: Box<dyn Environment>,
    ) -> Result<Self, Error> {
        let (store, report) = Store::open_by_phone(folder, secret, environment.as_ref())?;
        Self::begin(store, report, environment)
    }

    /// What the phone's lock is to be asked with, where it is a way into the store of this folder.
    #[must_use]
    pub fn phone_lock(folder: &Path, environment: &dyn Environment) -> Option<PhoneLock> {
        Folder::new(folder, environment.files()).phone_lock().map(|file| file.lock)
    }

    /// Renames what is in the folder to `….aside-N`, where it stays with its key, and begins a new store.
    /// The new one is empty and has to be enrolled; [`Client::open_report`] names what was set aside.
    ///
    /// # Errors
    /// Those of [`Client::create`].
    pub fn open_aside(
        folder: &Path,
        passphrase: &str,
        environment: Box<dyn Environment>,
    ) -> Result<Self, Error> {
        let (store, report) = Store::open_aside(folder, passphrase, Cost::default(), environment.as_ref())?;
        Self::begin(store, report, environment)
    }

    fn begin(store: Store, report: OpenReport, environment: Box<dyn Environment>) -> Result<Self, Error> {
        let identity = Identity::load(store.read())?;
        let opening = random(environment.as_ref())?;
        Ok(Self { store, environment, identity, opening, nonce_ms: None, founded: 0, report })
    }

    /// What was found besides the store when it was opened.
    #[must_use]
    pub fn open_report(&self) -> &OpenReport {
        &self.report
    }

    /// Locks the store with another passphrase. Only the key file is written, in one step; the phone's lock opens the
    /// store no more.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`] when `old` is not the present one, [`Error::PassphraseTooShort`].
    pub fn change_passphrase(&self, old: &str, new: &str) -> Result<(), Error> {
        self.store.change_passphrase(old, new, Cost::default(), self.environment())
    }

    /// Lets the phone's own lock open the store too; `secret` is what it answers to `lock`.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`], [`Error::PhoneLock`], [`Error::Io`], [`Error::DiskFull`].
    pub fn set_phone_lock(&self, passphrase: &str, lock: PhoneLock, secret: &[u8; 32]) -> Result<(), Error> {
        self.store.set_phone_lock(passphrase, lock, secret, self.environment())
    }

    /// From now on the passphrase alone opens the store.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_phone_lock(&self) -> Result<(), Error> {
        self.store.remove_phone_lock()
    }

    /// The id of the next document founded here. It derives from the opening, so a sync need not carry it.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`].
    pub(crate) fn next_founded_id(&mut self) -> Result<[u8; 16], Error> {
        let actor = ActorId::derive(self.identity()?.device(), self.opening);
        let id = founded_id(actor, self.founded);
        self.founded += 1;
        Ok(id)
    }

    pub(crate) fn environment(&self) -> &dyn Environment {
        self.environment.as_ref()
    }

    /// The store to write to, and the environment beside it.
    pub(crate) fn store_and_environment(&mut self) -> (&mut Store, &dyn Environment) {
        (&mut self.store, self.environment.as_ref())
    }

    /// The villages of this device, by code.
    ///
    /// # Errors
    /// When the store fails.
    pub fn villages(&self) -> Result<Vec<Village>, Error> {
        village::all(self.store.read())
    }

    /// What came from the server and could not be used, the newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub fn set_aside(&self) -> Result<Vec<SetAside>, Error> {
        set_aside::all(self.store.read())
    }

    pub(crate) fn waiting(&self) -> Result<u64, Error> {
        let mut statement = self
            .store
            .read()
            .prepare_cached("SELECT count(*) FROM batch WHERE own = 1 AND state IN (0, 1)")?;
        Ok(number(statement.query_row([], |row| row.get(0))?))
    }

    pub(crate) fn identity(&self) -> Result<&Identity, Error> {
        self.identity.as_ref().ok_or(Error::NotEnrolled)
    }

    pub(crate) fn identity_if_any(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    pub(crate) fn set_identity(&mut self, identity: Option<Identity>) {
        self.identity = identity;
    }
}
