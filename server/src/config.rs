//! The configuration: flags come before the environment, the environment before the file, the file
//! before the defaults.
//!
//! A setting has one name: `request_bytes_max` in the file is `RUHU_REQUEST_BYTES_MAX` in the
//! environment and `--request-bytes-max` where a command has a flag for it.

mod photos;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use zeroize::Zeroizing;

pub use self::photos::{Password, PhotoPlace, PhotosIn, S3Bucket};
use crate::keys::unhex;

/// The file's name in the data directory, read when no other is named.
pub const CONFIG_FILE: &str = "ruhu-server.toml";

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {path} cannot be read")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the machine said.
        #[source]
        source: std::io::Error,
    },
    /// The file has an unknown key or a wrong value; the source names it.
    #[error("the configuration file {path} is wrong: {problem}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Which line and key, and what was expected.
        problem: Box<toml::de::Error>,
    },
    /// A variable of the environment has a wrong value.
    #[error("the environment variable {name} is wrong: {problem}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What was expected.
        problem: String,
    },
    /// Settings that contradict each other.
    #[error("{keys}: {problem}")]
    Together {
        /// The keys.
        keys: &'static str,
        /// What to do.
        problem: &'static str,
    },
}

/// Thirty-two secret bytes, written as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Secret(Zeroizing<[u8; 32]>);

impl Secret {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        unhex(text).map(|bytes| Self(Zeroizing::new(bytes))).ok_or("expected 64 hexadecimal digits")
    }
}

impl TryFrom<String> for Secret {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Zeroizing::new(text).parse()
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("expected `text` or `json`"),
        }
    }
}

/// An address to listen on, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// Nothing is listened on.
    Off,
    /// This address.
    On(SocketAddr),
}

impl FromStr for Listen {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::On).map_err(|_| "expected an address such as 127.0.0.1:9464, or `off`")
    }
}

impl TryFrom<String> for Listen {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The certificate and key of the HTTPS server, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// How much one caller may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes in the body of one request.
    pub request_bytes_max: u64,
    /// Seconds until an unfinished request is given up.
    pub request_seconds_max: u64,
    /// Requests a minute by one device or token.
    pub requests_per_minute_max: u32,
    /// Tries a minute by one address to enrol or to show a token that does not hold.
    pub attempts_per_minute_max: u32,
    /// Bytes of photos that one device may send in 24 hours.
    pub photo_bytes_per_day_max: u64,
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The address that devices are told, such as `https://ruhu.example.cn`.
    pub public_url: Option<String>,
    /// HTTPS; without it only a loopback address may be listened on, unless a proxy in front ends TLS.
    pub tls: Option<Tls>,
    /// True when a proxy in front of the server ends TLS, so that plain HTTP beyond loopback is meant.
    pub behind_proxy: bool,
    /// Where the metrics are read; loopback unless configured.
    pub metrics_listen: Listen,
    /// How the log is written.
    pub log_format: LogFormat,
    /// The key of the database file; without it the file is not encrypted.
    pub database_key: Option<Secret>,
    /// The wrap key of household keys, in the place of the key file's.
    pub wrap_key: Option<Secret>,
    /// True if rosters may hold certificate numbers of the unissued areas `xx99`: for demonstrations and tests.
    pub allow_unissued_area: bool,
    /// The folder of the built phone app, served at `/`; without it only the API is served.
    pub app_folder: Option<PathBuf>,
    /// Where photos are kept.
    pub photos: PhotosIn,
    /// How much one caller may ask for.
    pub limits: Limits,
}

/// Settings of one source; what is absent is left to the next source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is the field of `Config` of the same name")]
pub struct Settings {
    pub listen: Option<SocketAddr>,
    pub public_url: Option<String>,
    pub tls_certificate: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub behind_proxy: Option<bool>,
    pub metrics_listen: Option<Listen>,
    pub log_format: Option<LogFormat>,
    pub database_key: Option<Secret>,
    pub wrap_key: Option<Secret>,
    pub allow_unissued_area: Option<bool>,
    pub app_folder: Option<PathBuf>,
    pub request_bytes_max: Option<u64>,
    pub request_seconds_max: Option<u64>,
    pub requests_per_minute_max: Option<u32>,
    pub attempts_per_minute_max: Option<u32>,
    pub photo_bytes_per_day_max: Option<u64>,
    pub photos: Option<PhotoPlace>,
    pub photos_s3_endpoint: Option<String>,
    pub photos_s3_bucket: Option<String>,
    pub photos_s3_region: Option<String>,
    pub photos_s3_key_id: Option<String>,
    pub photos_s3_secret: Option<Password>,
}

/// Reads a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Settings {
    /// The settings of a file's text.
    ///
    /// # Errors
    /// [`ConfigError::File`], naming the line and the key.
    pub fn from_toml(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text)
            .map_err(|problem| ConfigError::File { path: path.to_owned(), problem: Box::new(problem) })
    }

    /// The settings in the environment.
    ///
    /// # Errors
    /// [`ConfigError::Variable`], naming the variable.
    pub fn from_environment(environment: Environment<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            listen: variable(environment, "RUHU_LISTEN")?,
            public_url: variable(environment, "RUHU_PUBLIC_URL")?,
            tls_certificate: variable(environment, "RUHU_TLS_CERTIFICATE")?,
            tls_key: variable(environment, "RUHU_TLS_KEY")?,
            behind_proxy: variable(environment, "RUHU_BEHIND_PROXY")?,
            metrics_listen: variable(environment, "RUHU_METRICS_LISTEN")?,
            log_format: variable(environment, "RUHU_LOG_FORMAT")?,
            database_key: variable(environment, "RUHU_DATABASE_KEY")?,
            wrap_key: variable(environment, "RUHU_WRAP_KEY")?,
            allow_unissued_area: variable(environment, "RUHU_ALLOW_UNISSUED_AREA")?,
            app_folder: variable(environment, "RUHU_APP_FOLDER")?,
            request_bytes_max: variable(environment, "RUHU_REQUEST_BYTES_MAX")?,
            request_seconds_max: variable(environment, "RUHU_REQUEST_SECONDS_MAX")?,
            requests_per_minute_max: variable(environment, "RUHU_REQUESTS_PER_MINUTE_MAX")?,
            attempts_per_minute_max: variable(environment, "RUHU_ATTEMPTS_PER_MINUTE_MAX")?,
            photo_bytes_per_day_max: variable(environment, "RUHU_PHOTO_BYTES_PER_DAY_MAX")?,
            photos: variable(environment, "RUHU_PHOTOS")?,
            photos_s3_endpoint: variable(environment, "RUHU_PHOTOS_S3_ENDPOINT")?,
            photos_s3_bucket: variable(environment, "RUHU_PHOTOS_S3_BUCKET")?,
            photos_s3_region: variable(environment, "RUHU_PHOTOS_S3_REGION")?,
            photos_s3_key_id: variable(environment, "RUHU_PHOTOS_S3_KEY_ID")?,
            photos_s3_secret: variable(environment, "RUHU_PHOTOS_S3_SECRET")?,
        })
    }

    /// These settings, and where they are silent those of `next`.
    #[must_use]
    pub fn or(self, next: Self) -> Self {
        Self {
            listen: self.listen.or(next.listen),
            public_url: self.public_url.or(next.public_url),
            tls_certificate: self.tls_certificate.or(next.tls_certificate),
            tls_key: self.tls_key.or(next.tls_key),
            behind_proxy: self.behind_proxy.or(next.behind_proxy),
            metrics_listen: self.metrics_listen.or(next.metrics_listen),
            log_format: self.log_format.or(next.log_format),
            database_key: self.database_key.or(next.database_key),
            wrap_key: self.wrap_key.or(next.wrap_key),
            allow_unissued_area: self.allow_unissued_area.or(next.allow_unissued_area),
            app_folder: self.app_folder.or(next.app_folder),
            request_bytes_max: self.request_bytes_max.or(next.request_bytes_max),
            request_seconds_max: self.request_seconds_max.or(next.request_seconds_max),
            requests_per_minute_max: self.requests_per_minute_max.or(next.requests_per_minute_max),
            attempts_per_minute_max: self.attempts_per_minute_max.or(next.attempts_per_minute_max),
            photo_bytes_per_day_max: self.photo_bytes_per_day_max.or(next.photo_bytes_per_day_max),
            photos: self.photos.or(next.photos),
            photos_s3_endpoint: self.photos_s3_endpoint.or(next.photos_s3_endpoint),
            photos_s3_bucket: self.photos_s3_bucket.or(next.photos_s3_bucket),
            photos_s3_region: self.photos_s3_region.or(next.photos_s3_region),
            photos_s3_key_id: self.photos_s3_key_id.or(next.photos_s3_key_id),
            photos_s3_secret: self.photos_s3_secret.or(next.photos_s3_secret),
        }
    }

    /// The configuration, with the defaults where no source has spoken.
    ///
    /// # Errors
    /// [`ConfigError::Together`] when settings contradict each other.
    pub fn complete(self) -> Result<Config, ConfigError> {
        let photos = self.photos_in()?;
        let tls = match (self.tls_certificate, self.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls { certificate, key }),
            (None, None) => None,
            _ => {
                let problem = "set both, or neither";
                return Err(ConfigError::Together { keys: "tls_certificate, tls_key", problem });
            }
        };
        let listen = self.listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8440)));
        let behind_proxy = self.behind_proxy.unwrap_or(false);
        if tls.is_none() && !behind_proxy && !listen.ip().is_loopback() {
            let problem = "plain HTTP is served on loopback only: set tls_certificate and tls_key, or \
                           behind_proxy = true if a proxy in front ends TLS";
            return Err(ConfigError::Together { keys: "listen", problem });
        }
        Ok(Config {
            listen,
            public_url: self.public_url,
            tls,
            behind_proxy,
            metrics_listen: self
                .metrics_listen
                .unwrap_or(Listen::On(SocketAddr::from(([127, 0, 0, 1], 9464)))),
            log_format: self.log_format.unwrap_or(LogFormat::Text),
            database_key: self.database_key,
            wrap_key: self.wrap_key,
            allow_unissued_area: self.allow_unissued_area.unwrap_or(false),
            app_folder: self.app_folder,
            photos,
            limits: Limits {
                request_bytes_max: self.request_bytes_max.unwrap_or(8 << 20),
                request_seconds_max: self.request_seconds_max.unwrap_or(600),
                requests_per_minute_max: self.requests_per_minute_max.unwrap_or(600),
                attempts_per_minute_max: self.attempts_per_minute_max.unwrap_or(10),
                photo_bytes_per_day_max: self.photo_bytes_per_day_max.unwrap_or(1 << 30),
            },
        })
    }
}

fn variable<T: FromStr>(environment: Environment<'_>, name: &'static str) -> Result<Option<T>, ConfigError>
where
    T::Err: fmt::Display,
{
    let read = |text: String| text.parse().map_err(|problem: T::Err| problem.to_string());
    let value = environment(name).filter(|text| !text.is_empty()).map(read).transpose();
    value.map_err(|problem| ConfigError::Variable { name, problem })
}

impl Config {
    /// Reads every source: the flags given, then the environment, then the file.
    ///
    /// `file` is the file named by the person; without one, [`CONFIG_FILE`] in the data directory is
    /// read if it is there.
    ///
    /// # Errors
    /// When a source cannot be read or holds a wrong value.
    pub fn load(
        flags: Settings,
        environment: Environment<'_>,
        file: Option<&Path>,
        data: &Path,
    ) -> Result<Self, ConfigError> {
        let path = file.map_or_else(|| data.join(CONFIG_FILE), Path::to_owned);
        let from_file = match std::fs::read_to_string(&path) {
            Ok(text) => Settings::from_toml(&path, &text)?,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                Settings::default()
            }
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        flags.or(Settings::from_environment(environment)?).or(from_file).complete()
    }

    /// The address that devices are told: the public URL, or that of the loopback listener.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.listen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn toml(text: &str) -> Result<Settings, ConfigError> {
        Settings::from_toml(Path::new("ruhu-server.toml"), text)
    }

    fn silent(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn flags_come_before_the_environment_before_the_file_before_the_defaults() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(CONFIG_FILE);
        std::fs::write(&file, "listen = '127.0.0.1:1'\nrequest_bytes_max = 1\nrequest_seconds_max = 1\n")
            .unwrap();
        let environment = |name: &str| match name {
            "RUHU_LISTEN" => Some("127.0.0.1:2".to_owned()),
            "RUHU_REQUEST_BYTES_MAX" => Some("2".to_owned()),
            _ => None,
        };
        let flags = Settings { listen: "127.0.0.1:3".parse().ok(), ..Settings::default() };
        let config = Config::load(flags, &environment, None, directory.path()).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.limits.request_bytes_max, 2);
        assert_eq!(config.limits.request_seconds_max, 1);
        assert_eq!(config.limits.attempts_per_minute_max, 10);
    }

    #[test]
    fn the_defaults_stay_on_loopback() {
        let directory = tempfile::tempdir().unwrap();
        let config = Config::load(Settings::default(), &silent, None, directory.path()).unwrap();
        assert!(config.listen.ip().is_loopback());
        assert!(matches!(config.metrics_listen, Listen::On(address) if address.ip().is_loopback()));
        assert!(!config.allow_unissued_area);
        assert_eq!(config.url(), "http://127.0.0.1:8440");
    }

    #[test]
    fn an_unknown_key_or_wrong_value_in_the_file_is_named() {
        let unknown = toml("listen = '127.0.0.1:1'\nlistne = 'x'\n").unwrap_err().to_string();
        assert!(unknown.contains("listne") && unknown.contains("line 2"), "{unknown}");
        let wrong = toml("listen = 'here'\n").unwrap_err().to_string();
        assert!(wrong.contains("listen"), "{wrong}");
        let secret = toml("database_key = 'short'\n").unwrap_err().to_string();
        assert!(secret.contains("64 hexadecimal digits"), "{secret}");
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let environment = |name: &str| (name == "RUHU_LOG_FORMAT").then(|| "loud".to_owned());
        let refusal = Settings::from_environment(&environment).unwrap_err().to_string();
        assert_eq!(refusal, "the environment variable RUHU_LOG_FORMAT is wrong: expected `text` or `json`");
    }

    #[test]
    fn a_named_file_must_be_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("other.toml");
        let refusal = Config::load(Settings::default(), &silent, Some(&file), directory.path());
        assert!(matches!(refusal, Err(ConfigError::Unreadable { .. })));
    }

    #[test]
    fn half_of_tls_is_refused() {
        let refusal = toml("tls_key = 'key.pem'").unwrap().complete().unwrap_err().to_string();
        assert!(refusal.contains("tls_certificate"), "{refusal}");
    }

    #[test]
    fn plain_http_beyond_loopback_must_be_meant() {
        assert!(toml("listen = '0.0.0.0:80'").unwrap().complete().is_err());
        assert!(toml("listen = '0.0.0.0:80'\nbehind_proxy = true").unwrap().complete().is_ok());
        let tls = "listen = '0.0.0.0:443'\ntls_certificate = 'a.pem'\ntls_key = 'b.pem'";
        assert!(toml(tls).unwrap().complete().is_ok());
    }

    #[test]
    fn the_metrics_can_be_turned_off() {
        assert_eq!(toml("metrics_listen = 'off'").unwrap().metrics_listen, Some(Listen::Off));
        assert!(toml("metrics_listen = 'on'").is_err());
    }

    #[test]
    fn secrets_are_not_printed() {
        let settings = toml(&format!("wrap_key = '{}'", "ab".repeat(32))).unwrap();
        assert_eq!(settings.wrap_key.as_ref().unwrap().bytes(), &[0xAB; 32]);
        assert!(!format!("{settings:?}").contains("171"));
        assert!(!format!("{settings:?}").contains("abab"));
    }
}
