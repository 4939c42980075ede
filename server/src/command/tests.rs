//! The commands as a person types them, on a data directory of their own.

mod backup;
mod roster;
mod snapshot;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use clap::Parser as _;
use ruhu_ledger::certificate::CertificateKind;
use ruhu_ledger::signature::SecretKey;
use ruhu_survey::message::Lang;

use super::{Cli, Context, DATABASE_FILE, run};
use crate::clock::Clock;
use crate::enrol::{EnrolmentCode, EnrolmentRequest, PROOF_DOMAIN, enrol, proof_digest};
use crate::keys::{KEY_FILE, ServerKeys};
use crate::store::SqliteStore;
use crate::store::people::{PeopleStore as _, PlaceStore as _};

const CILI: &str = "code,name\n43,湖南省\n4308,张家界市\n430821,慈利县\n430821101,岩泊渡镇\n\
                    430821101203,永兴村委会\n430821101204,永乐村委会\n";

#[derive(Debug, Default)]
struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A data directory, a clock set by hand, and what was printed.
struct World {
    directory: tempfile::TempDir,
    clock: Arc<HandClock>,
    environment: BTreeMap<String, String>,
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(HandClock(AtomicI64::new(1_790_000_000_000)));
        let directory = tempfile::tempdir().unwrap();
        let environment = BTreeMap::from([("RUHU_ALLOW_UNISSUED_AREA".to_owned(), "true".to_owned())]);
        Self { directory, clock, environment }
    }

    /// Set up, with the regions of Cili, a first secretary and a county officer.
    fn cili() -> Self {
        let world = Self::new();
        world.run("init").unwrap();
        world.import_regions(CILI).unwrap();
        world.run("user add 李春生 --role first_secretary --region 430821101203").unwrap();
        world.run("user add 周桂香 --role county --region 430821000000").unwrap();
        world
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn wait(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn import_regions(&self, list: &str) -> Result<String, String> {
        let file = self.file("regions.csv", list);
        self.run(&format!("regions import {file}"))
    }

    /// What the command printed, or what went wrong, in English.
    fn run(&self, line: &str) -> Result<String, String> {
        let data = self.data();
        let words = ["ruhu-server", "--data", data.to_str().unwrap()].into_iter().chain(line.split(' '));
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let mut out = Vec::new();
        let mut context = Context {
            data: &cli.data,
            config: cli.config.as_deref(),
            lang: Lang::En,
            clock: self.clock.clone(),
            environment: &self.environment,
            out: &mut out,
        };
        run(cli.command, &mut context).map_err(|error| error.say(Lang::En))?;
        Ok(String::from_utf8(out).unwrap())
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.data().join(DATABASE_FILE), None).unwrap()
    }

    fn keys(&self) -> ServerKeys {
        ServerKeys::load(&self.data(), None).unwrap()
    }

    /// Invites a person and enrols a device for them; says its id.
    fn enrol(&self, person: &str, device: &str, seed: u8) -> String {
        let code = code_in(&self.run(&format!("device invite {person}")).unwrap());
        let key = SecretKey::from_seed([seed; 32]);
        let parsed: EnrolmentCode = code.parse().unwrap();
        let digest = proof_digest(&parsed, &key.public(), device);
        let request = EnrolmentRequest {
            code,
            public_key: key.public(),
            device_name: device.to_owned(),
            proof: key.sign(PROOF_DOMAIN, &digest),
        };
        enrol(&self.store(), &self.keys(), self.clock.as_ref(), &request).unwrap();
        key.public().device_id().to_string()
    }
}

/// The code in the link that was printed.
fn code_in(printed: &str) -> String {
    let rest = printed.split_once("&code=").unwrap().1;
    rest.split_once("&key=").unwrap().0.to_owned()
}

#[test]
fn the_arguments_are_well_formed() {
    use clap::CommandFactory as _;
    Cli::command().debug_assert();
}

#[test]
fn every_message_that_a_command_says_is_in_the_table() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/command");
    let mut codes = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() || path.ends_with("tests.rs") {
            continue;
        }
        let source = std::fs::read_to_string(path).unwrap();
        let quoted = source.split("\"server_").skip(1).filter_map(|rest| rest.split_once('"'));
        codes.extend(quoted.map(|(code, _)| format!("server_{code}")));
    }
    codes.remove("server_head_{code}");
    assert!(codes.len() > 50, "{}", codes.len());
    let unsaid: Vec<&String> =
        codes.iter().filter(|code| ruhu_survey::message::say(Lang::Zh, code, &[]) == **code).collect();
    assert!(unsaid.is_empty(), "{unsaid:?}");
}

#[test]
fn init_writes_keys_and_a_log_and_refuses_to_run_twice() {
    let world = World::new();
    let said = world.run("init").unwrap();
    let words = world.keys().signing.public().fingerprint_words().join(" ");
    assert!(said.contains(&words), "{said}");
    let store = world.store();
    let start = store.deployment().unwrap();
    assert_eq!(start.server_key, world.keys().signing.public());
    let server = store.devices().unwrap().pop().unwrap();
    assert_eq!(server.certificate.statement.kind, CertificateKind::Server);
    server.certificate.verify(&start.server_key).unwrap();
    let before = std::fs::read(world.data().join(KEY_FILE)).unwrap();
    let refusal = world.run("init").unwrap_err();
    assert!(refusal.contains("was set up before"), "{refusal}");
    assert_eq!(std::fs::read(world.data().join(KEY_FILE)).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn the_data_directory_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.run("init").unwrap();
    assert_eq!(std::fs::metadata(world.data()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn an_init_that_was_cut_off_after_the_keys_goes_on() {
    let world = World::new();
    std::fs::create_dir(world.data()).unwrap();
    let keys = ServerKeys::create(&world.data()).unwrap();
    world.run("init").unwrap();
    assert_eq!(world.keys().signing.public(), keys.signing.public());
}

#[test]
fn init_never_makes_new_keys_beside_an_old_database() {
    let world = World::cili();
    std::fs::remove_file(world.data().join(KEY_FILE)).unwrap();
    let refusal = world.run("init").unwrap_err();
    assert!(refusal.contains("restore server.key from a backup"), "{refusal}");
    let refusal = world.run("user list").unwrap_err();
    assert!(refusal.contains("run `ruhu-server init` first"), "{refusal}");
}

#[test]
fn a_command_before_init_says_what_to_do() {
    let refusal = World::new().run("village list").unwrap_err();
    assert!(refusal.contains("run `ruhu-server init` first"), "{refusal}");
}

#[test]
fn regions_are_imported_once_and_villages_keep_their_ids() {
    let world = World::new();
    world.run("init").unwrap();
    let said = world.import_regions(CILI).unwrap();
    assert!(said.contains("6 added (2 of them villages), 0 renamed, 0 unchanged, 0 bad rows"), "{said}");
    let before = world.store().village_of_code("430821101203").unwrap().unwrap();
    let said = world.import_regions(&CILI.replace("永兴村委会", "永兴新村委会")).unwrap();
    assert!(said.contains("0 added (0 of them villages), 1 renamed, 5 unchanged"), "{said}");
    let after = world.store().village_of_code("430821101203").unwrap().unwrap();
    assert_eq!((after.id, after.name.as_str()), (before.id, "永兴新村委会"));
    assert!(world.store().village_of_code("430821101").unwrap().is_none());
}

#[test]
fn bad_rows_of_a_list_of_regions_are_named_by_line() {
    let world = World::new();
    world.run("init").unwrap();
    let said = world.import_regions(&format!("{CILI}4308211012,短\n430821102201,孤村\n")).unwrap();
    assert!(said.contains("2 bad rows left out"), "{said}");
    assert!(said.contains("line 8 left out") && said.contains("line 9 left out"), "{said}");
}

#[test]
fn a_vanished_code_is_reported_and_ended_only_when_asked() {
    let world = World::cili();
    let less = world.file("less.csv", CILI.replace("430821101204,永乐村委会\n", ""));
    let said = world.run(&format!("regions import {less}")).unwrap();
    assert!(said.contains("no longer listed, and kept: 430821101204"), "{said}");
    assert_eq!(world.store().village_of_code("430821101204").unwrap().unwrap().valid_until, None);
    let said = world.run(&format!("regions import {less} --end-missing")).unwrap();
    assert!(said.contains("ended: 430821101204"), "{said}");
    let listed = world.run("village list").unwrap();
    assert!(listed.contains("永乐村委会 (ended 2026-09-21)"), "{listed}");
    world.import_regions(CILI).unwrap();
    assert_eq!(world.store().village_of_code("430821101204").unwrap().unwrap().valid_until, None);
}

#[test]
fn a_list_that_is_not_utf8_is_refused_with_what_to_do() {
    let world = World::cili();
    let file = world.file("gbk.csv", b"43,\xBA\xFE\xC4\xCF\n");
    let refusal = world.run(&format!("regions import {file}")).unwrap_err();
    assert!(refusal.contains("CSV UTF-8"), "{refusal}");
    assert!(world.run("regions import /no/such/file").unwrap_err().contains("cannot be read"));
}

#[test]
fn villages_are_listed_by_region() {
    let world = World::cili();
    assert!(world.run("village list").unwrap().contains("2 villages."));
    assert!(world.run("village list --region 430821101203").unwrap().contains("1 villages."));
    assert!(world.run("village list --region 44").unwrap().contains("0 villages."));
}

#[test]
fn an_account_covers_the_villages_of_its_regions() {
    let world = World::cili();
    let users = world.store().users().unwrap();
    let county = users.iter().find(|user| user.name == "周桂香").unwrap();
    assert!(county.covers("430821101204"));
    assert!(!county.covers("430822101204"));
    assert_eq!(world.store().villages_in(&county.regions).unwrap().len(), 2);
    assert!(world.run("user list").unwrap().contains("2 users."));
}

#[test]
fn an_account_with_overlapping_regions_has_each_village_once() {
    let world = World::cili();
    world.run("user add 王秀英 --role township --region 430821101203 430821101 430821").unwrap();
    let users = world.store().users().unwrap();
    let user = users.iter().find(|user| user.name == "王秀英").unwrap();
    assert_eq!(world.store().villages_in(&user.regions).unwrap().len(), 2);
}

#[test]
fn wrong_accounts_are_refused_with_what_to_do() {
    let world = World::cili();
    let cases = [
        ("user add 李春生 --role county --region 43", "The name 李春生 is taken"),
        ("user add 张三 --role king --region 43", "There is no role king"),
        ("user add 张三 --role server --region 43", "There is no role server"),
        ("user add 张三 --role county --region 44", "import the regions first"),
        ("user token 张三", "There is no user 张三"),
        ("device invite 张三", "There is no user 张三"),
    ];
    for (line, expected) in cases {
        let refusal = world.run(line).unwrap_err();
        assert!(refusal.contains(expected), "{line}: {refusal}");
    }
}

#[test]
fn a_token_is_shown_once_and_can_be_withdrawn() {
    let world = World::cili();
    let said = world.run("user token 周桂香").unwrap();
    let token = said.lines().next().unwrap();
    assert_eq!(token.len(), 43);
    let hash = crate::enrol::token_hash(token);
    assert_eq!(world.store().user_of_token(&hash).unwrap().unwrap().name, "周桂香");
    assert_eq!(world.store().user_of_token(&crate::enrol::token_hash("guess")).unwrap(), None);
    let database = std::fs::read(world.data().join(DATABASE_FILE)).unwrap();
    assert!(!database.windows(token.len()).any(|bytes| bytes == token.as_bytes()));
    assert!(world.run("user token 周桂香 --revoke").unwrap().contains("1 tokens of 周桂香"));
    assert_eq!(world.store().user_of_token(&hash).unwrap(), None);
    assert!(world.run("user token 周桂香 --revoke").unwrap().contains("0 tokens"));
}

#[test]
fn an_invitation_shows_a_picture_a_link_a_code_and_the_words() {
    let world = World::cili();
    let said = world.run("device invite 李春生 --valid 2h --url https://ruhu.example.cn/x?a=b").unwrap();
    assert!(said.contains('▀') || said.contains('▄'), "{said}");
    let link = said.lines().find(|line| line.starts_with("ruhu:enrol?")).unwrap();
    assert!(link.starts_with("ruhu:enrol?server=https://ruhu.example.cn/x%3Fa%3Db&code="), "{link}");
    let code = code_in(&said);
    assert_eq!(code.len(), 12);
    assert!(said.contains(&format!("to be used once: {code}")), "{said}");
    assert!(said.contains(&world.keys().signing.public().fingerprint_words().join(" ")));
    assert!(said.contains("It works until 2026-09-22 00:13"), "{said}");
}

#[test]
fn wrong_invitations_are_refused_with_what_to_do() {
    let world = World::cili();
    let refusal = world.run("device invite 李春生 --valid forever").unwrap_err();
    assert!(refusal.contains("write 30m, 24h or 7d"), "{refusal}");
    let refusal = world.run("device invite 李春生 --url http://ruhu.example.cn").unwrap_err();
    assert!(refusal.contains("https://"), "{refusal}");
    world.import_regions("430822,桑植县\n").unwrap();
    world.run("user add 向红 --role county --region 430822").unwrap();
    let refusal = world.run("device invite 向红").unwrap_err();
    assert!(refusal.contains("no villages"), "{refusal}");
}

#[test]
fn a_device_is_listed_and_revoked_once() {
    let world = World::cili();
    let id = world.enrol("李春生", "tablet-1", 9);
    let listed = world.run("device list").unwrap();
    assert!(listed.contains(&id) && listed.contains("tablet-1") && listed.contains("2 devices."), "{listed}");
    world.store().device_seen(id.parse().unwrap(), world.clock.now_ms()).unwrap();
    assert!(world.store().device(id.parse().unwrap()).unwrap().unwrap().seen_ms.is_some());
    world.wait(60_000);
    assert!(world.run("device revoke tablet-1 --reason lost").unwrap().contains(&id));
    assert!(world.run("device list").unwrap().contains("revoked 2026-09-21 22:14: lost"));
    let refusal = world.run(&format!("device revoke {id} --reason lost")).unwrap_err();
    assert!(refusal.contains("was revoked before"), "{refusal}");
    let (certificates, revocations) = world
        .store()
        .credentials(world.store().village_of_code("430821101203").unwrap().unwrap().id)
        .unwrap();
    assert_eq!((certificates.len(), revocations.len()), (2, 1));
    revocations[0].verify(&world.keys().signing.public()).unwrap();
}

#[test]
fn a_device_of_another_village_is_not_among_the_credentials() {
    let world = World::cili();
    world.enrol("李春生", "tablet-1", 9);
    let other = world.store().village_of_code("430821101204").unwrap().unwrap();
    let (certificates, _) = world.store().credentials(other.id).unwrap();
    assert_eq!(certificates.len(), 1, "only the server's own");
}

#[test]
fn wrong_revocations_are_refused_with_what_to_do() {
    let world = World::cili();
    world.enrol("李春生", "tablet", 9);
    world.enrol("周桂香", "tablet", 10);
    let refusal = world.run("device revoke tablet --reason lost").unwrap_err();
    assert!(refusal.contains("use the id"), "{refusal}");
    let refusal = world.run("device revoke phone --reason lost").unwrap_err();
    assert!(refusal.contains("There is no device phone"), "{refusal}");
    let server = world.keys().device.public().device_id();
    assert!(world.run(&format!("device revoke {server} --reason lost")).is_err());
    assert!(world.run(&format!("device revoke phone --reason {}", "x".repeat(500))).is_err());
}

#[test]
fn a_wrong_configuration_stops_every_command_and_names_the_key() {
    let world = World::cili();
    std::fs::write(world.data().join("ruhu-server.toml"), "listne = 'x'\n").unwrap();
    let refusal = world.run("user list").unwrap_err();
    assert!(refusal.contains("listne"), "{refusal}");
}

#[test]
fn an_encrypted_database_needs_its_key() {
    let mut world = World::new();
    world.environment.insert("RUHU_DATABASE_KEY".to_owned(), "ab".repeat(32));
    world.run("init").unwrap();
    world.run("village list").unwrap();
    world.environment.remove("RUHU_DATABASE_KEY");
    assert!(world.run("village list").is_err());
    world.environment.insert("RUHU_DATABASE_KEY".to_owned(), "cd".repeat(32));
    assert!(world.run("village list").is_err());
}
