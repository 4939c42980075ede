//! The real server of a world: its store, its API in this process, and what its operator does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use ruhu_ledger::certificate::{Certificate, Revocation, SignedCertificate, SignedRevocation};
use ruhu_ledger::epoch::{EpochStart, SignedEpochStart};
use ruhu_server::api::{AppState, router};
use ruhu_server::authoring::{Authoring, Pen};
use ruhu_server::clock::Clock as _;
use ruhu_server::config::Settings;
use ruhu_server::enrol::{EnrolmentCode, link, server_certificate};
use ruhu_server::keys::{KeyUse, ServerKeys};
use ruhu_server::restore::{Succeeding, succeed};
use ruhu_server::store::SqliteStore;
use ruhu_server::store::people::{NewVillage, PeopleStore as _, PlaceStore as _, RegionCommit, User};
use ruhu_survey::change::{ChangeHash, DocumentId};
use ruhu_survey::id::{DeploymentId, DeviceId, EpochId, UserId, VillageId};
use ruhu_survey::register::ChangeBuilder;
use ruhu_survey::role::Role;

use crate::clock::Time;
use crate::dice::Dice;
use crate::disk::{Copy, End, Place};

/// The village of every world: 云溪村.
pub const VILLAGE: VillageId = VillageId::from_bytes([0x11; 16]);
const VILLAGE_CODE: &str = "430821101201";
/// Where devices are told that the server is; nothing listens there.
const ADDRESS: &str = "http://127.0.0.1:1";
/// Long enough for whoever enrols in the same moment.
const CODE_MS: i64 = 3_600_000;

/// What wraps the keys in the database; it outlives the epochs.
const WRAP: [u8; 32] = [3; 32];

/// What is left of a server whose disk is lost.
pub struct ServerBackup {
    copy: Copy,
    keys: Arc<ServerKeys>,
    /// When it was made, milliseconds since 1970.
    pub made_ms: i64,
}

/// The server of a world.
#[derive(Debug)]
pub struct Host {
    place: RefCell<Place>,
    time: Time,
    keys: RefCell<Arc<ServerKeys>>,
    dice: RefCell<Dice>,
    running: RefCell<Option<Up>>,
    life: Cell<u64>,
}

#[derive(Debug)]
struct Up {
    store: Arc<SqliteStore>,
    router: Router,
}

impl Host {
    /// A server that was just set up, and runs.
    #[must_use]
    pub fn begin(time: &Time, dice: Dice) -> Self {
        let keys = RefCell::new(Arc::new(ServerKeys::from_seeds(&[[1; 32], [2; 32], WRAP])));
        let (dice, running) = (RefCell::new(dice), RefCell::new(None));
        let place = RefCell::new(Place::empty());
        let host = Self { place, time: time.clone(), keys, dice, running, life: Cell::new(0) };
        host.start();
        host.set_up();
        host
    }

    fn set_up(&self) {
        let (store, keys) = (self.store(), self.keys());
        let start = EpochStart {
            deployment: DeploymentId::from_bytes([0xd0; 16]),
            epoch: EpochId::from_bytes([0xe0; 16]),
            server_key: keys.signing.public(),
            started_ms: self.time.now_ms(),
            previous: None,
        };
        let certificate = server_certificate(&start, &keys, "server", 1).unwrap();
        store.deployment_begin(&SignedEpochStart::sign(start, &keys.signing).unwrap(), &certificate).unwrap();
        let village = NewVillage {
            id: VILLAGE,
            code: VILLAGE_CODE.to_owned(),
            name: "云溪村".to_owned(),
            wrapped_key: keys.wrap(KeyUse::Village(VILLAGE), &[5; 32]).unwrap(),
        };
        let commit = RegionCommit { villages: vec![village], ..RegionCommit::default() };
        store.regions_commit(&commit, self.time.now_ms()).unwrap();
    }

    /// Its database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.place.borrow().folder().join("ruhu.db")
    }

    /// What its disk holds.
    #[must_use]
    pub fn copy(&self) -> Copy {
        self.place.borrow().copy()
    }

    /// Puts another disk in the place of this one, while the program does not run.
    pub fn put_back(&self, copy: &Copy) {
        self.place.replace(Place::holding(copy));
    }

    /// A backup of the disk, with the keys of this epoch.
    #[must_use]
    pub fn back_up(&self) -> ServerBackup {
        ServerBackup { copy: self.copy(), keys: self.keys(), made_ms: self.now_ms() }
    }

    /// Puts a backup in the place of the disk, while the program does not run, and begins a new epoch on it.
    pub fn restore(&self, backup: &ServerBackup) {
        self.put_back(&backup.copy);
        let mut dice = self.dice.borrow_mut();
        let keys = ServerKeys::from_seeds(&[dice.bytes(), dice.bytes(), WRAP]);
        let epoch = EpochId::from_bytes(dice.bytes());
        let store = SqliteStore::open(&self.database(), None).unwrap();
        let (backup_ms, now_ms) = (backup.made_ms, self.now_ms());
        let asked = Succeeding { epoch, backup_ms, by: "operator", now_ms };
        succeed(&store, &asked, &keys, Some(&backup.keys)).unwrap();
        self.keys.replace(Arc::new(keys));
    }

    /// Whether the certificate that the server has of a device ends before a moment.
    #[must_use]
    pub fn ends_before(&self, device: DeviceId, ms: i64) -> bool {
        let held = self.store().device(device).unwrap();
        held.is_some_and(|held| held.certificate.statement.until_ms < ms)
    }

    /// Lets the program die at one of its next operations.
    pub fn doom(&self, operations: usize) {
        self.place.borrow().doom(operations);
    }

    /// The program lives on, unless it died; whether it did.
    pub fn spare(&self) -> bool {
        self.place.borrow().spare()
    }

    /// Starts the program on what the disk holds.
    pub fn start(&self) {
        let store = Arc::new(SqliteStore::open(&self.database(), None).unwrap());
        let settings = Settings {
            requests_per_minute_max: Some(u32::MAX),
            attempts_per_minute_max: Some(u32::MAX),
            behind_proxy: Some(true),
            ..Settings::default()
        };
        let config = settings.complete().unwrap();
        let state = AppState::new(store.clone(), self.keys(), Arc::new(self.time.clone()), &config);
        *self.running.borrow_mut() = Some(Up { store, router: router(state).0 });
        self.life.set(self.life.get() + 1);
    }

    /// Ends the program; requests under way never hear of it.
    pub fn end(&self, end: End) {
        self.life.set(self.life.get() + 1);
        self.place.borrow().end(end, &mut self.dice.borrow_mut());
        *self.running.borrow_mut() = None;
    }

    /// Which life of the program this is: a request of an earlier one is cut.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.life.get()
    }

    /// The API, while the program runs.
    #[must_use]
    pub fn router(&self) -> Option<Router> {
        self.running.borrow().as_ref().map(|up| up.router.clone())
    }

    /// The store of the running program.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn store(&self) -> Arc<SqliteStore> {
        self.running.borrow().as_ref().map(|up| up.store.clone()).unwrap()
    }

    /// The server's keys.
    #[must_use]
    pub fn keys(&self) -> Arc<ServerKeys> {
        self.keys.borrow().clone()
    }

    /// The true time, which the server's clock tells.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.time.now_ms()
    }

    /// Adds a person and answers their id.
    pub fn add_person(&self, name: &str, role: Role) -> UserId {
        let id = UserId::from_bytes(self.dice.borrow_mut().bytes());
        let regions = BTreeSet::from([VILLAGE_CODE.to_owned()]);
        let user = User { id, name: name.to_owned(), role, regions };
        self.store().user_add(&user, self.now_ms()).unwrap();
        id
    }

    /// The enrolment link of a new code for a person.
    pub fn invite(&self, user: UserId) -> String {
        let code = self.code(user);
        link(ADDRESS, &code, &self.keys().signing.public())
    }

    fn code(&self, user: UserId) -> EnrolmentCode {
        let code = EnrolmentCode::from_random(self.dice.borrow_mut().bytes());
        let now_ms = self.now_ms();
        self.store().invite_add(user, &code.hash(), now_ms, now_ms + CODE_MS).unwrap();
        code
    }

    /// Gives a device a newer certificate that holds until a moment.
    pub fn certify_until(&self, device: DeviceId, until_ms: i64) {
        let store = self.store();
        let held = store.device(device).unwrap().unwrap().certificate.statement;
        self.certify(Certificate { until_ms, from_ms: self.now_ms(), ..held });
    }

    /// Writes a certificate under the next serial number.
    pub fn certify(&self, certificate: Certificate) {
        let code = self.code(certificate.user).hash();
        let store = self.store();
        let certificate = Certificate { serial: store.next_serial().unwrap(), ..certificate };
        let signed = SignedCertificate::sign(certificate, &self.keys().signing).unwrap();
        store.invite_redeem(&code, &signed, self.now_ms()).unwrap();
    }

    /// Revokes a device as of now.
    pub fn revoke(&self, device: DeviceId) {
        let deployment = self.store().deployment().unwrap().deployment;
        let revocation = Revocation { deployment, device, at_ms: self.now_ms(), reason: "lost".to_owned() };
        let signed = SignedRevocation::sign(revocation, &self.keys().signing).unwrap();
        self.store().device_revoke(&signed).unwrap();
    }

    /// Whether a device is revoked.
    #[must_use]
    pub fn is_revoked(&self, device: DeviceId) -> bool {
        self.store().device(device).unwrap().is_some_and(|device| device.revoked.is_some())
    }

    /// Writes one change as the server's own device.
    pub fn write(
        &self,
        document: DocumentId,
        write: impl FnOnce(&mut ChangeBuilder<'_>),
    ) -> Option<ChangeHash> {
        let store = self.store();
        let pen = Pen {
            device_key: &self.keys().device,
            signing_key: &self.keys().signing,
            opening: self.dice.borrow_mut().bytes(),
            user: ruhu_server::enrol::NOBODY,
            village: VILLAGE,
            schema: 1,
            now_ms: self.now_ms(),
        };
        let mut authoring = Authoring::new(store.as_ref(), pen);
        let written = authoring.change(document, write).unwrap();
        authoring.finish().unwrap();
        written
    }
}
