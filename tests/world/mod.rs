//! A world of real processes: a server, its operator, and field devices, in a folder that goes away.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use ruhu_sample::{Date, Parameters, REGIONS_CILI, SampleVillage, VillageRequest, roster_csv, village};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PASSPHRASE: &str = "a passphrase of a test";
const SEED: u64 = 430_821;
const ON: Date = Date { year: 2026, month: 11, day: 1 };

/// A server in a folder, and whoever enrolled with it.
pub(crate) struct World {
    folder: TempDir,
    address: String,
    running: Option<Child>,
}

impl World {
    /// A server with the regions of 慈利县 and one imported village of so many households.
    pub(crate) fn new(households: usize) -> Self {
        let world = Self::without_rosters(&[village_of(0, households)]);
        world.import_roster(&village_of(0, households));
        world
    }

    /// A server that knows these villages and has no household yet.
    pub(crate) fn without_rosters(villages: &[SampleVillage]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let world = Self { folder, address, running: None };
        world.operate(&["init"]);
        fs::write(
            world.data().join("ruhu-server.toml"),
            "allow_unissued_area = true\nmetrics_listen = \"off\"\n",
        )
        .unwrap();
        let mut regions = REGIONS_CILI.to_owned();
        for village in villages {
            regions.push_str(&format!("{},{}\n", village.code, village.name));
        }
        let file = world.path("regions.csv");
        fs::write(&file, regions).unwrap();
        world.operate(&["regions", "import", &file.to_string_lossy()]);
        world
    }

    pub(crate) fn import_roster(&self, village: &SampleVillage) -> String {
        let file = self.path(&format!("roster-{}.csv", village.code));
        fs::write(&file, roster_csv(village)).unwrap();
        self.operate(&["roster", "import", &file.to_string_lossy(), "--village", &village.code])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("server")
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A command of the operator, which must succeed; answers what it printed.
    pub(crate) fn operate(&self, arguments: &[&str]) -> String {
        let output = self.try_operate(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn try_operate(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ruhu-server-under-test"));
        command.args(arguments).arg("--data").arg(self.data()).args(["--lang", "en"]).output().unwrap()
    }

    /// Starts the server and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// As [`World::start`], with variables of the environment.
    pub(crate) fn start_with(&mut self, variables: &[(&str, &str)]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("server.log")).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_ruhu-server-under-test"))
            .args(["serve", "--listen", &self.address, "--data"])
            .arg(self.data())
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains(&self.address), "the server did not start: {}", self.log());
        self.running = Some(child);
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The most memory that the running server ever held, as Linux counts it.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = format!("/proc/{}/status", self.running.as_ref().unwrap().id());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("server.log")).unwrap_or_default()
    }

    /// The link of a new invitation for a new person.
    pub(crate) fn invite(&self, name: &str, role: &str, region: &str) -> String {
        self.operate(&["user", "add", name, "--role", role, "--region", region]);
        link(&self.operate(&["device", "invite", name, "--url", &self.url()]))
    }

    /// A new person's device, enrolled. The server must run.
    pub(crate) fn enrol(&self, name: &str, role: &str, region: &str) -> Device {
        let link = self.invite(name, role, region);
        let device = self.device(name);
        device.run(&["enrol", &link, "--name", name]);
        device
    }

    /// A device's command with a store of its own, not enrolled.
    pub(crate) fn device(&self, name: &str) -> Device {
        Device { store: self.path(&format!("device-{name}")) }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The link in what an invitation prints.
pub(crate) fn link(printed: &str) -> String {
    let line = printed.lines().map(str::trim).find(|line| line.starts_with("ruhu:enrol?"));
    line.unwrap_or_else(|| panic!("no link in {printed}")).to_owned()
}

/// An invented village.
pub(crate) fn village_of(ordinal: u64, households: usize) -> SampleVillage {
    village(&VillageRequest { seed: SEED, ordinal, households, on: ON }, Parameters::bundled())
}

/// A field device: the `ruhu` command with a store.
pub(crate) struct Device {
    pub(crate) store: PathBuf,
}

impl Device {
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ruhu-under-test"));
        command.args(arguments).arg("--store").arg(&self.store).args(["--lang", "en"]);
        command.env("RUHU_PASSPHRASE", PASSPHRASE);
        command
    }

    pub(crate) fn try_run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that must succeed; answers what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must succeed with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.run(&arguments)).unwrap()
    }

    /// Runs a command that must fail with this exit code; answers what it said.
    pub(crate) fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.try_run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    pub(crate) fn sync(&self) -> Value {
        self.json(&["sync"])
    }

    /// The ids of the households of its village, by group and name.
    pub(crate) fn households(&self) -> Vec<String> {
        let listed = self.json(&["list", "--limit", "1000000"]);
        listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Fills and submits a check with these answers.
    pub(crate) fn check(&self, household: &str, answers: &Value) {
        let file = self.store.with_extension("answers.json");
        fs::write(&file, answers.to_string()).unwrap();
        self.run(&["check", household, "--answers", &file.to_string_lossy()]);
    }
}
