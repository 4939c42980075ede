//! One of the demonstration's devices: the `ruhu` command with a store of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{Programs, typed};
use crate::command::{output, run};

/// Unlocks the demonstration's stores, and nothing else.
const PASSPHRASE: &str = "demonstration only";

/// A device in a folder.
pub(crate) struct Device {
    program: PathBuf,
    store: PathBuf,
    name: String,
    answers: PathBuf,
}

impl Device {
    /// Makes a store and binds it to the server by an invitation.
    pub(crate) fn enrol(
        programs: &Programs,
        folder: &Path,
        name: &str,
        tablet: &str,
        link: &str,
    ) -> anyhow::Result<Self> {
        let device = Self {
            program: programs.device.clone(),
            store: folder.join(format!("device-{name}")),
            name: name.to_owned(),
            answers: folder.join(format!("answers-{name}.json")),
        };
        device.print(&["enrol", link, "--name", tablet])?;
        Ok(device)
    }

    /// Syncs and prints what moved.
    pub(crate) fn sync(&self) -> anyhow::Result<()> {
        self.print(&["sync"])
    }

    /// The households of the village.
    pub(crate) fn households(&self) -> anyhow::Result<Vec<Value>> {
        let listed = self.json(&["list", "--limit", "100000"])?;
        Ok(listed.as_array().cloned().unwrap_or_default())
    }

    /// The open conflicts.
    pub(crate) fn conflicts(&self) -> anyhow::Result<Vec<Value>> {
        Ok(self.json(&["conflicts"])?.as_array().cloned().unwrap_or_default())
    }

    /// Fills and submits a check.
    pub(crate) fn check(&self, household: &str, answers: &str) -> anyhow::Result<()> {
        std::fs::write(&self.answers, answers)?;
        self.run(&["check", household, "--answers", &self.answers.to_string_lossy()])
    }

    /// Runs without showing what it prints.
    pub(crate) fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        output(&mut self.command(arguments)).map(|_| ())
    }

    /// Runs and shows the command and what it prints.
    pub(crate) fn print(&self, arguments: &[&str]) -> anyhow::Result<()> {
        println!("$ {} ruhu {}", self.name, arguments.join(" "));
        run(&mut self.command(arguments))
    }

    /// Runs with `--json`.
    pub(crate) fn json(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&output(self.command(arguments).arg("--json"))?)?)
    }

    /// A command as it could be typed.
    pub(crate) fn typed(&self, arguments: &[&str]) -> String {
        format!("RUHU_PASSPHRASE='{PASSPHRASE}' {}", typed(&self.command(arguments)))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).arg("--store").arg(&self.store).env("RUHU_PASSPHRASE", PASSPHRASE);
        command
    }
}
