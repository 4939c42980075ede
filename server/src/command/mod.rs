//! The commands of `ruhu-server`: what can be asked for, and what every command has at hand.

mod backup;
mod bundle;
mod device;
mod init;
mod ledger;
mod quarantine;
mod regions;
mod roster;
mod serve;
mod user;
mod village;
mod wording;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use ruhu_sqlite::Key32;
use ruhu_survey::message::{Lang, say};

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Settings};
use crate::enrol::EnrolError;
use crate::keys::{KeyError, ServerKeys};
use crate::roster::RosterError;
use crate::store::{PeopleStore, SqliteStore, StoreError};

/// The database's name in the data directory.
pub const DATABASE_FILE: &str = "ruhu.db";

/// The server of Ruhu (入户): enrols devices, receives their signed batches, relays and answers.
#[derive(Debug, Parser)]
#[command(name = "ruhu-server", version)]
pub struct Cli {
    /// Where the server keeps everything (数据目录)
    #[arg(long, env = "RUHU_DATA", global = true, default_value = "./ruhu-data", value_name = "DIR")]
    pub data: PathBuf,
    /// The configuration file; without it, ruhu-server.toml in the data directory if it is there (配置文件)
    #[arg(long, env = "RUHU_CONFIG", global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The language of what is printed; without it, that of LANG, Chinese first (语言)
    #[arg(long, global = true, value_name = "zh|en")]
    pub lang: Option<Lang>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a new server: its keys, its database, its log (初始化)
    Init {
        /// What the server is called in its certificate
        #[arg(long, default_value = "ruhu-server")]
        name: String,
    },
    /// Answer devices and readers until told to stop (运行)
    Serve(ServeFlags),
    /// The official list of regions (行政区划)
    #[command(subcommand)]
    Regions(Regions),
    /// Rosters of households (名册)
    #[command(subcommand)]
    Roster(Roster),
    /// Villages (行政村)
    #[command(subcommand)]
    Village(Village),
    /// People with accounts (用户)
    #[command(subcommand)]
    User(User),
    /// Devices (设备)
    #[command(subcommand)]
    Device(Device),
    /// Bundles, `.ruhu` files that devices carry (离线包)
    #[command(subcommand)]
    Bundle(Bundle),
    /// What is kept apart, and what two people decide about it (隔离区)
    #[command(subcommand)]
    Quarantine(Quarantine),
    /// Recompute every signature, chain, the log and all derived tables, and name the first bad position (校验)
    Verify,
    /// Empty and refill everything that is derived from the batches (重建)
    Rebuild,
    /// Copy everything into a folder of backups, read the copy back, and tell devices how far it goes (备份)
    Backup {
        /// The folder of backups; this one gets a folder of its own in it
        folder: PathBuf,
        /// Copy server.key too: whoever has the backup can then pose as this server
        #[arg(long)]
        with_key: bool,
    },
    /// Set up a server from a backup, in a new epoch; devices bring back what came after it (恢复)
    Restore {
        /// The backup's folder
        backup: PathBuf,
        /// The new data directory; it must be empty
        #[arg(long, value_name = "FOLDER")]
        into: PathBuf,
        /// Who restores it; every device is told
        #[arg(long, value_name = "PERSON")]
        by: String,
        /// The folder that holds the old server.key, when the backup does not
        #[arg(long, value_name = "FOLDER")]
        key: Option<PathBuf>,
        /// The old signing key is lost: every device has to enrol again
        #[arg(long)]
        signing_key_lost: bool,
    },
    /// What is proved to have existed and is not here (缺口)
    Gaps,
}

/// Flags of `serve`; what is absent comes from the environment, the file, the defaults.
#[derive(Debug, Default, Args)]
pub struct ServeFlags {
    /// Where the API listens, such as 127.0.0.1:8440
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    /// The address that devices are told, such as `https://ruhu.example.cn`
    #[arg(long, value_name = "URL")]
    pub public_url: Option<String>,
    /// The certificate chain of HTTPS, a PEM file
    #[arg(long, value_name = "FILE")]
    pub tls_certificate: Option<PathBuf>,
    /// The private key of HTTPS, a PEM file
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// The folder of the built phone app, served at `/`
    #[arg(long, value_name = "FOLDER")]
    pub app_folder: Option<PathBuf>,
    /// Where the metrics are read, or `off`
    #[arg(long, value_name = "ADDRESS")]
    pub metrics_listen: Option<crate::config::Listen>,
    /// How the log is written: `text` or `json`
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<crate::config::LogFormat>,
}

impl ServeFlags {
    /// The flags as settings of their own.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings {
            listen: self.listen,
            public_url: self.public_url.clone(),
            tls_certificate: self.tls_certificate.clone(),
            tls_key: self.tls_key.clone(),
            app_folder: self.app_folder.clone(),
            metrics_listen: self.metrics_listen,
            log_format: self.log_format,
            ..Settings::default()
        }
    }
}

/// `ruhu-server regions`
#[derive(Debug, Subcommand)]
pub enum Regions {
    /// Import a list of codes and names, CSV (导入)
    Import {
        /// The list: `code,name` in each row
        file: PathBuf,
        /// End the codes that the list leaves out beside listed ones; without it they are only reported
        #[arg(long)]
        end_missing: bool,
    },
}

/// `ruhu-server roster`
#[derive(Debug, Subcommand)]
pub enum Roster {
    /// Import a roster of one village, CSV or XLSX (导入)
    Import {
        /// The roster: one person a row, with at least 姓名 and 户编号 or 证件号码
        file: PathBuf,
        /// The village's 12-digit code
        #[arg(long, value_name = "CODE")]
        village: String,
        /// Only say what would change
        #[arg(long)]
        preview: bool,
        /// Who imports it
        #[arg(long, value_name = "USER")]
        by: Option<String>,
        /// Which roster it is: a later import under the same name is compared with this one
        #[arg(long, default_value = "national", value_name = "NAME")]
        roster: String,
    },
}

/// `ruhu-server village`
#[derive(Debug, Subcommand)]
pub enum Village {
    /// List villages (列表)
    List {
        /// Only those whose code begins with this
        #[arg(long, value_name = "CODE")]
        region: Option<String>,
    },
}

/// `ruhu-server user`
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make an account (新增)
    Add {
        /// The person's name; unique
        name: String,
        /// work_team, first_secretary, village_officer, township, county, department, supervisor,
        /// third_party or administrator
        #[arg(long)]
        role: String,
        /// A region code whose villages the person looks after; may be given several times
        #[arg(long = "region", value_name = "CODE", required = true, num_args = 1..)]
        regions: Vec<String>,
    },
    /// List accounts (列表)
    List,
    /// Make an access token for a person, shown once (令牌)
    Token {
        /// The person's name
        user: String,
        /// Withdraw all tokens of the person instead
        #[arg(long)]
        revoke: bool,
    },
}

/// `ruhu-server device`
#[derive(Debug, Subcommand)]
pub enum Device {
    /// Make a one-time enrolment code for a person's device (邀请)
    Invite {
        /// The person's name
        user: String,
        /// How long the code works: 30m, 24h, 7d
        #[arg(long, default_value = "24h", value_name = "TIME")]
        valid: String,
        /// The address that the device is told; without it, the configured one
        #[arg(long, value_name = "URL")]
        url: Option<String>,
    },
    /// List devices (列表)
    List,
    /// End a device's key: what it sends from now on is kept in quarantine (撤销)
    Revoke {
        /// The device's id, or its name if only one has it
        device: String,
        /// Why, without personal data
        #[arg(long)]
        reason: String,
    },
}

/// `ruhu-server bundle`
#[derive(Debug, Subcommand)]
pub enum Bundle {
    /// Take in everything that a bundle brings (导入)
    Import {
        /// The `.ruhu` file
        file: PathBuf,
    },
    /// Append what a bundle lacks of a village: receipts, everybody's batches, decisions (导出)
    Export {
        /// The `.ruhu` file; it is made if it is not there
        file: PathBuf,
        /// The village's 12-digit code
        #[arg(long, value_name = "CODE")]
        village: String,
    },
}

/// `ruhu-server quarantine`
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// List what is in quarantine, and what was proposed (列表)
    List {
        /// Only of the village with this 12-digit code
        #[arg(long, value_name = "CODE")]
        village: Option<String>,
    },
    /// Show one change (查看)
    Show {
        /// The change, or the beginning of its name
        change: String,
    },
    /// Propose to take a change over although it breaks a rule, or confirm it as the second person (采纳)
    Adopt(Word),
    /// Propose to refuse a change for good, or confirm it as the second person (驳回)
    Refuse(Word),
}

/// What a person says about a change in quarantine.
#[derive(Debug, Args)]
pub struct Word {
    /// The change, or the beginning of its name
    pub change: String,
    /// Who says so: a first secretary, a township or county officer or a supervisor of the village
    #[arg(long, value_name = "USER")]
    pub by: String,
    /// Why, without personal data
    #[arg(long)]
    pub reason: String,
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server's keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A device or code could not be made.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
    /// A roster could not be imported.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// A bundle could not be taken in or written.
    #[error(transparent)]
    Bundle(#[from] crate::bundle::BundleError),
    /// No backup could be made.
    #[error(transparent)]
    Backup(#[from] crate::backup::BackupError),
    /// The server could not be restored.
    #[error(transparent)]
    Restore(#[from] crate::restore::RestoreError),
    /// Photos cannot be kept or read.
    #[error(transparent)]
    Photos(#[from] crate::photos::PhotoShelfError),
    /// The server does not run.
    #[error(transparent)]
    Serve(#[from] crate::serve::ServeError),
    /// A file cannot be read or written.
    #[error("{path} cannot be read or written")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the machine said.
        #[source]
        source: std::io::Error,
    },
    /// Nothing can be printed.
    #[error("nothing can be printed")]
    Print(#[source] std::io::Error),
    /// The server ran and found or met something wrong; it has been said already.
    #[error("{0}")]
    Failed(&'static str),
    /// Something that a person asked for wrongly: the code of a message, and its value.
    #[error("{code}: {value}")]
    Asked {
        /// The code in `schemas/messages.toml`.
        code: &'static str,
        /// What `{value}` stands for.
        value: String,
    },
}

impl CommandError {
    fn asked(code: &'static str, value: impl Display) -> Self {
        Self::Asked { code, value: value.to_string() }
    }

    /// What to tell the person, in their language where the message table has it.
    #[must_use]
    pub fn say(&self, lang: Lang) -> String {
        match self {
            Self::Asked { code, value } => say(lang, code, &[("value", value)]),
            Self::Keys(KeyError::Missing(path)) => {
                say(lang, "server_error_not_set_up", &[("value", &path.display())])
            }
            Self::Enrol(EnrolError::NoVillages) => say(lang, "server_error_no_villages", &[]),
            Self::Roster(error) => wording::not_imported(lang, error).unwrap_or_else(|| with_sources(error)),
            other => with_sources(other),
        }
    }
}

/// An error and what brought it about, in one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}

/// What every command has at hand.
pub struct Context<'a> {
    /// Where the server keeps everything.
    pub data: &'a Path,
    /// The configuration file that was named.
    pub config: Option<&'a Path>,
    /// The language to print in.
    pub lang: Lang,
    /// The time.
    pub clock: std::sync::Arc<dyn Clock>,
    /// The variables of the environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Where people read.
    pub out: &'a mut dyn Write,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("data", &self.data).finish_non_exhaustive()
    }
}

impl Context<'_> {
    /// The configuration with the flags of a command.
    ///
    /// # Errors
    /// When a source cannot be read or holds a wrong value.
    pub fn config(&self, flags: Settings) -> Result<Config, ConfigError> {
        let environment = |name: &str| self.environment.get(name).cloned();
        Config::load(flags, &environment, self.config, self.data)
    }

    /// The store and the keys of a server that was set up.
    fn open(&self, config: &Config) -> Result<(SqliteStore, ServerKeys), CommandError> {
        let keys = ServerKeys::load(self.data, config.wrap_key.as_ref().map(|secret| secret.bytes()))?;
        Ok((self.open_store(config)?, keys))
    }

    fn open_store(&self, config: &Config) -> Result<SqliteStore, CommandError> {
        let key = config.database_key.as_ref().map(|secret| Key32::new(*secret.bytes()));
        Ok(SqliteStore::open(&self.data.join(DATABASE_FILE), key)?)
    }

    fn say(&mut self, code: &str, values: &[(&str, &dyn Display)]) -> Result<(), CommandError> {
        let text = say(self.lang, code, values);
        writeln!(self.out, "{text}").map_err(CommandError::Print)
    }

    fn print(&mut self, text: impl Display) -> Result<(), CommandError> {
        writeln!(self.out, "{text}").map_err(CommandError::Print)
    }
}

/// Does what was asked.
///
/// # Errors
/// [`CommandError`], to be told with [`CommandError::say`].
pub fn run(command: Command, context: &mut Context<'_>) -> Result<(), CommandError> {
    match command {
        Command::Init { name } => init::init(context, &name),
        Command::Serve(flags) => serve::serve(context, &flags),
        Command::Regions(Regions::Import { file, end_missing }) => {
            regions::import(context, &file, end_missing)
        }
        Command::Roster(Roster::Import { file, village, preview, by, roster }) => {
            let asked = roster::Asked { file, village, preview, by, roster };
            roster::import(context, &asked)
        }
        Command::Village(Village::List { region }) => village::list(context, region),
        Command::User(User::Add { name, role, regions }) => user::add(context, &name, &role, &regions),
        Command::User(User::List) => user::list(context),
        Command::User(User::Token { user, revoke: false }) => user::token(context, &user),
        Command::User(User::Token { user, revoke: true }) => user::revoke_tokens(context, &user),
        Command::Device(Device::Invite { user, valid, url }) => device::invite(context, &user, &valid, url),
        Command::Device(Device::List) => device::list(context),
        Command::Device(Device::Revoke { device, reason }) => device::revoke(context, &device, &reason),
        Command::Bundle(Bundle::Import { file }) => bundle::import(context, &file),
        Command::Bundle(Bundle::Export { file, village }) => bundle::export(context, &file, &village),
        Command::Quarantine(asked) => quarantined(asked, context),
        Command::Verify => ledger::verify(context),
        Command::Rebuild => ledger::rebuild(context),
        Command::Backup { folder, with_key } => backup::backup(context, &folder, with_key),
        Command::Restore { backup, into, by, key, signing_key_lost } => {
            backup::restore(context, &backup::Restore { backup, into, by, key, signing_key_lost })
        }
        Command::Gaps => backup::gaps(context),
    }
}

fn quarantined(asked: Quarantine, context: &mut Context<'_>) -> Result<(), CommandError> {
    use crate::quarantine::Choice;
    let word = |Word { change, by, reason }, choice| quarantine::Asked { change, choice, by, reason };
    match asked {
        Quarantine::List { village } => quarantine::list(context, village),
        Quarantine::Show { change } => quarantine::show(context, &change),
        Quarantine::Adopt(said) => quarantine::rule_on(context, &word(said, Choice::Adopt)),
        Quarantine::Refuse(said) => quarantine::rule_on(context, &word(said, Choice::Refuse)),
    }
}

/// The person of a name.
fn user_named(store: &dyn PeopleStore, name: &str) -> Result<crate::store::people::User, CommandError> {
    let found = store.users()?.into_iter().find(|user| user.name == name);
    found.ok_or_else(|| CommandError::asked("server_error_user_unknown", name))
}

/// A table with the given headings, in the width of the terminal.
fn table(headings: &[String]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY).set_header(headings);
    table.remove_style(comfy_table::TableComponent::HorizontalLines);
    table.remove_style(comfy_table::TableComponent::MiddleIntersections);
    table
}

#[cfg(test)]
mod tests;
