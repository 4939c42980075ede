//! `cargo xtask demo`: a server, a village and three devices that work offline and then meet.
//!
//! Everything is real: the two programs as a person would run them, HTTP on loopback, encrypted stores,
//! the regions of 慈利县, and a village of invented households.

pub(crate) mod device;
pub(crate) mod server;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::Value;

use crate::app;
use crate::command::{cargo, output, root, run};
use device::Device;
use server::Server;

/// How the demonstration ends.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Stops the server and exits instead of leaving it running
    #[arg(long)]
    once: bool,
    /// How many households the village has
    #[arg(long, default_value_t = 80)]
    households: u32,
    /// Does not build the phone app
    #[arg(long)]
    without_app: bool,
}

/// The two programs, built, and the pages of the phone app where they could be.
pub(crate) struct Programs {
    pub(crate) server: PathBuf,
    pub(crate) device: PathBuf,
    pub(crate) app: Option<PathBuf>,
}

/// Runs the demonstration.
pub(crate) fn show(demo: &Demo) -> anyhow::Result<()> {
    let programs = build(!demo.without_app)?;
    let folder = fresh_folder()?;
    say("1", "建立服务器，导入慈利县区划和名册", "a server, the regions of Cili county, a roster");
    let village = write_village(&folder, demo.households)?;
    let mut server = Server::set_up(&programs, &folder, &village)?;
    server.start()?;
    server.invite_phone("陈小燕", &village)?;
    say("2", "三台设备凭一次性邀请绑定并首次同步", "three devices enrol and sync for the first time");
    let mut devices = Vec::new();
    let people = [
        ("张秀英", "work_team", "平板1"),
        ("李国强", "work_team", "平板2"),
        ("王建平", "first_secretary", "平板3"),
    ];
    for (name, role, tablet) in people {
        let link = server.invite(name, role, &village, &server.url())?;
        let device = Device::enrol(&programs, &folder, name, tablet, &link)?;
        device.sync()?;
        devices.push(device);
    }
    let [first, second, secretary] = devices.as_slice() else { anyhow::bail!("three devices were enrolled") };
    say("3", "断网：服务器停止，三人各自入户", "no network: the server is stopped, three people work");
    server.stop()?;
    let disputed = work_offline(first, second, secretary)?;
    say("4", "恢复网络，按任意顺序同步", "the network is back, they sync in any order");
    server.start()?;
    for device in [second, first, secretary, second, first] {
        device.sync()?;
    }
    say(
        "5",
        "冲突：两个值都在，由第一书记裁定",
        "conflicts: both values are kept, the first secretary decides",
    );
    settle(secretary)?;
    for device in [secretary, first, second] {
        device.sync()?;
    }
    say("6", "谁写了什么", "who wrote what");
    secretary.print(&["history", &disputed, "group_name"])?;
    say("7", "三台设备与服务器一致，日志可核验", "devices and server agree, and the log verifies");
    check_agreement(first, second, secretary, &disputed)?;
    server.verify()?;
    server.leave(demo.once, secretary)
}

/// Two people check the same household and move it to different groups; a third edits others.
fn work_offline(first: &Device, second: &Device, secretary: &Device) -> anyhow::Result<String> {
    let households = first.households()?;
    ensure!(households.len() > 10, "the village came with {} households", households.len());
    let id = |index: usize| -> anyhow::Result<&str> {
        let found = households.get(index).and_then(|household| household.get("id")).and_then(Value::as_str);
        found.with_context(|| format!("there is no household {index}"))
    };
    let disputed = id(0)?.to_owned();
    first.check(&disputed, r#"{"answer/income/wage_income": "26600", "answer/water/piped": "入户"}"#)?;
    second.check(&disputed, r#"{"answer/income/wage_income": "18000", "answer/water/piped": "入户"}"#)?;
    first.run(&["edit", &disputed, "group_name", "一组", "--reason", "户主自述"])?;
    second.run(&["edit", &disputed, "group_name", "二组", "--reason", "看门牌", "--source", "observed"])?;
    for index in 1..6 {
        first.check(id(index)?, r#"{"answer/housing/grade": "A"}"#)?;
        second.check(id(index + 3)?, r#"{"answer/housing/grade": "B"}"#)?;
    }
    secretary.run(&["edit", id(9)?, "remarks", "已走访,情况稳定"])?;
    for device in [first, second, secretary] {
        device.print(&["status"])?;
    }
    Ok(disputed)
}

fn settle(secretary: &Device) -> anyhow::Result<()> {
    secretary.print(&["conflicts"])?;
    for conflict in secretary.conflicts()? {
        let text = |name: &str| conflict.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (household, field) = (text("household"), text("field"));
        secretary.run(&["settle", &household, &field, "--choose", "1", "--reason", "到户核实"])?;
    }
    ensure!(secretary.conflicts()?.is_empty(), "a settled conflict is still open");
    Ok(())
}

fn check_agreement(first: &Device, second: &Device, third: &Device, household: &str) -> anyhow::Result<()> {
    let seen = first.json(&["show", household])?;
    ensure!(seen == second.json(&["show", household])?, "two devices show different households");
    ensure!(seen == third.json(&["show", household])?, "two devices show different households");
    first.print(&["show", household])
}

fn build(with_app: bool) -> anyhow::Result<Programs> {
    println!("building ruhu and ruhu-server (the first time takes several minutes) …");
    run(&mut cargo(&["build", "--locked", "--package", "ruhu-cli", "--package", "ruhu-server"]))?;
    let target = target_folder()?.join("debug");
    let app = if with_app { build_app()? } else { None };
    Ok(Programs { server: target.join("ruhu-server"), device: target.join("ruhu"), app })
}

/// The phone app's pages; the demonstration goes on without them where something to build them with is missing.
fn build_app() -> anyhow::Result<Option<PathBuf>> {
    println!("building the phone app …");
    match app::make(true)? {
        Ok(folder) => Ok(Some(folder)),
        Err(missing) => {
            println!(
                "the demonstration goes on without the phone app, which cannot be built without {missing}"
            );
            Ok(None)
        }
    }
}

fn target_folder() -> anyhow::Result<PathBuf> {
    let metadata = output(&mut cargo(&["metadata", "--no-deps", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let folder = metadata.get("target_directory").and_then(Value::as_str).context("cargo names no folder")?;
    Ok(PathBuf::from(folder))
}

/// Each demonstration has a folder of its own, so none deletes another's data.
fn fresh_folder() -> anyhow::Result<PathBuf> {
    let base = root().join("ruhu-demo");
    std::fs::create_dir_all(&base)?;
    for number in 1.. {
        let folder = base.join(number.to_string());
        if !folder.exists() {
            std::fs::create_dir(&folder)?;
            return Ok(folder);
        }
    }
    anyhow::bail!("there is no number left for a folder under {}", base.display())
}

/// Writes the regions and the roster, and answers the village's code.
fn write_village(folder: &std::path::Path, households: u32) -> anyhow::Result<String> {
    let mut writer = cargo(&["run", "--quiet", "--locked", "--package", "ruhu-sample", "--example"]);
    writer.args(["write_villages", "--"]).arg(folder).args([
        households.to_string(),
        "1".to_owned(),
        "0".to_owned(),
    ]);
    let written = output(&mut writer)?;
    let code = written.split_whitespace().next().context("no village was written")?;
    Ok(code.to_owned())
}

fn say(number: &str, zh: &str, en: &str) {
    println!("\n── {number}. {zh} · {en}");
}

/// Prints a command as it could be typed, from the project's folder.
fn typed(command: &Command) -> String {
    let shown = |part: &std::ffi::OsStr| {
        let text = part.to_string_lossy().replace(&format!("{}/", root().display()), "");
        if text.contains([' ', '&', '{']) { format!("'{text}'") } else { text }
    };
    let program = shown(command.get_program());
    command.get_args().fold(program, |line, argument| format!("{line} {}", shown(argument)))
}
