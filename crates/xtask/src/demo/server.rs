//! The demonstration's server: `ruhu-server`, as its operator would run it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};

use super::device::Device;
use super::{Programs, typed};
use crate::command::{output, run};

/// A server in a folder, running or not.
pub(crate) struct Server {
    program: PathBuf,
    data: PathBuf,
    address: String,
    /// The pages of the phone app, where it could be built.
    app: Option<PathBuf>,
    child: Option<Child>,
}

impl Server {
    /// Sets up keys, regions and the roster of one village.
    pub(crate) fn set_up(programs: &Programs, folder: &Path, village: &str) -> anyhow::Result<Self> {
        let address = free_address()?;
        let (program, app) = (programs.server.clone(), programs.app.clone());
        let server = Self { program, data: folder.join("server"), address, app, child: None };
        server.say(&["init", "--name", "慈利县演示"])?;
        let config = "allow_unissued_area = true\nmetrics_listen = \"off\"\n";
        std::fs::write(server.data.join("ruhu-server.toml"), config)?;
        server.say(&["regions", "import", &folder.join("regions.csv").to_string_lossy()])?;
        let roster = folder.join("roster-0.csv");
        server.say(&["roster", "import", &roster.to_string_lossy(), "--village", village])?;
        Ok(server)
    }

    /// Starts answering, and returns when it does.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let mut command = self.command(&["serve", "--listen", &self.address]);
        if let Some(app) = &self.app {
            command.arg("--app-folder").arg(app);
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.data.join("serve.log"))?;
        println!("$ {}", typed(&command));
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.contains(&self.address), "the server did not start: see {}", self.data.display());
        self.child = Some(child);
        Ok(())
    }

    /// Stops it as an operator would, letting it finish what it accepted.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        run(Command::new("kill").arg(child.id().to_string()))?;
        child.wait()?;
        Ok(())
    }

    /// The address that devices on this machine are told.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes an account and an invitation to `url`, and answers what was said: the code to scan and the link.
    fn invitation(&self, name: &str, role: &str, village: &str, url: &str) -> anyhow::Result<String> {
        output(&mut self.command(&["user", "add", name, "--role", role, "--region", village]))?;
        output(&mut self.command(&["device", "invite", name, "--url", url]))
    }

    /// Makes an account and an invitation to `url`, and answers the invitation's link.
    pub(crate) fn invite(&self, name: &str, role: &str, village: &str, url: &str) -> anyhow::Result<String> {
        let said = self.invitation(name, role, village, url)?;
        let link = said.lines().map(str::trim).find(|line| line.starts_with("ruhu:enrol?"));
        link.map(ToOwned::to_owned).context("the invitation has no link")
    }

    /// Says where the phone app is and shows the code that enrols a phone in it.
    pub(crate) fn invite_phone(&self, name: &str, village: &str) -> anyhow::Result<()> {
        if self.app.is_none() {
            return Ok(());
        }
        let url = self.url();
        let port = self.address.rsplit(':').next().unwrap_or_default();
        println!(
            "打开 Open {url} in a browser, choose a passphrase, and scan or paste this; then sync once."
        );
        println!("一部接了数据线的安卓手机 An Android phone on a cable: adb reverse tcp:{port} tcp:{port}");
        print!("{}", self.invitation(name, "work_team", village, &url)?);
        Ok(())
    }

    /// Recomputes every signature, chain and the log.
    pub(crate) fn verify(&self) -> anyhow::Result<()> {
        self.say(&["verify"])
    }

    /// Ends the demonstration: stops the server, or says how to look further while it runs.
    pub(crate) fn leave(mut self, once: bool, device: &Device) -> anyhow::Result<()> {
        if once {
            return self.stop();
        }
        let said = output(&mut self.command(&["user", "token", "王建平"]))?;
        let token = said.lines().next().unwrap_or_default().trim();
        if self.app.is_some() {
            println!("\nThe phone app is at {}; the code at the top enrols it.", self.url());
        }
        println!("\nThe server runs at http://{} until Ctrl-C. In another terminal:", self.address);
        println!("  curl -H 'Authorization: Bearer {token}' http://{}/v1/villages", self.address);
        println!("  {}", device.typed(&["list"]));
        println!("  {}", device.typed(&["conflicts"]));
        println!("  {}", typed(&self.command(&["device", "list"])));
        if let Some(child) = &mut self.child {
            child.wait()?;
        }
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--data").arg(&self.data);
        command
    }

    fn say(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let mut command = self.command(arguments);
        println!("$ {}", typed(&command));
        run(&mut command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
        }
    }
}

/// A loopback address whose port nobody uses.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
