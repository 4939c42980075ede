//! Where photos are kept: in files, or in a bucket of a store that speaks S3.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{ConfigError, Settings};

/// A secret of another service, as that service gave it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The secret itself.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl FromStr for Password {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text.to_owned()))
    }
}

/// What kind of place photos are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhotoPlace {
    /// The folder `photos` in the data directory.
    File,
    /// A bucket of a store that speaks S3.
    S3,
}

impl FromStr for PhotoPlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "file" => Ok(Self::File),
            "s3" => Ok(Self::S3),
            _ => Err("expected `file` or `s3`"),
        }
    }
}

/// Where photos are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhotosIn {
    /// In the folder `photos` of the data directory.
    Files,
    /// In a bucket of a store that speaks S3.
    S3(S3Bucket),
}

/// A bucket of a store that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Bucket {
    /// The store's address; plain HTTP on loopback only.
    pub endpoint: String,
    /// The bucket's name.
    pub name: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The id of the access key.
    pub key_id: String,
    /// The access key's secret.
    pub secret: Password,
}

impl Settings {
    /// Where photos are kept by these settings.
    pub(super) fn photos_in(&self) -> Result<PhotosIn, ConfigError> {
        let lacking = |keys| ConfigError::Together { keys, problem: "photos = \"s3\" needs it" };
        match self.photos.unwrap_or(PhotoPlace::File) {
            PhotoPlace::File => Ok(PhotosIn::Files),
            PhotoPlace::S3 => {
                let endpoint = self.photos_s3_endpoint.clone().ok_or(lacking("photos_s3_endpoint"))?;
                if !is_safe(&endpoint) {
                    let problem = "https is needed, plain http only for this machine";
                    return Err(ConfigError::Together { keys: "photos_s3_endpoint", problem });
                }
                Ok(PhotosIn::S3(S3Bucket {
                    endpoint,
                    name: self.photos_s3_bucket.clone().ok_or(lacking("photos_s3_bucket"))?,
                    region: self.photos_s3_region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
                    key_id: self.photos_s3_key_id.clone().ok_or(lacking("photos_s3_key_id"))?,
                    secret: self.photos_s3_secret.clone().ok_or(lacking("photos_s3_secret"))?,
                }))
            }
        }
    }
}

/// Whether requests to an address can be read by nobody between: HTTPS, or this machine.
fn is_safe(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<axum::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => loopback || host == "localhost",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    const BUCKET: &str = "photos = 's3'\nphotos_s3_endpoint = 'https://s3.example.cn'\nphotos_s3_bucket = 'ruhu'\n\
        photos_s3_key_id = 'id'\nphotos_s3_secret = 'a secret'\n";

    fn complete(text: &str) -> Result<Config, ConfigError> {
        Settings::from_toml(Path::new("ruhu-server.toml"), text)?.complete()
    }

    #[test]
    fn photos_are_files_unless_a_bucket_is_named_whole() {
        assert_eq!(complete("").unwrap().photos, PhotosIn::Files);
        let PhotosIn::S3(bucket) = complete(BUCKET).unwrap().photos else { panic!("no bucket") };
        assert_eq!((bucket.region.as_str(), bucket.secret.text()), ("us-east-1", "a secret"));
        for line in BUCKET.lines().skip(1) {
            let key = line.split(' ').next().unwrap();
            let refusal = complete(&BUCKET.replace(&format!("{line}\n"), "")).unwrap_err().to_string();
            assert!(refusal.starts_with(key), "{refusal}");
        }
        assert!(complete("photos = 'attic'").is_err());
    }

    #[test]
    fn a_bucket_is_reached_by_https_or_on_this_machine() {
        let at = |endpoint: &str| complete(&BUCKET.replace("https://s3.example.cn", endpoint));
        for endpoint in ["https://10.0.0.7", "http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost"]
        {
            assert!(at(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in
            ["http://10.0.0.7", "http://localhost.example.cn", "s3.example.cn", "ftp://127.0.0.1", ""]
        {
            let refusal = at(endpoint).unwrap_err().to_string();
            assert!(refusal.contains("https is needed"), "{endpoint}");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert!(!format!("{:?}", complete(BUCKET).unwrap()).contains("a secret"));
    }
}
