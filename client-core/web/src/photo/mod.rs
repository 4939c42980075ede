//! Calls about photos: the bytes of pictures go beside the JSON, not in it.

mod answer;

use ruhu_client_core as core;
use ruhu_client_core::{Asked, ListedPhoto, NewPhoto, PhotoPart, Transport};
use serde::{Deserialize, Serialize};

pub use self::answer::{PhotoLine, PhotoProgress, PhotoResult};
use crate::Device;
use crate::problem::Problem;

/// One call about photos. Ids are their texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are the arguments of the `Client` method that the variant names")]
pub enum PhotoCall {
    /// Takes a picture into a draft, as the answer to a question; answers with its name.
    AddPhoto {
        check: String,
        question: String,
        member: Option<String>,
        taken_ms: i64,
    },
    RemovePhoto {
        check: String,
        key: String,
    },
    /// The photos that a household's checks and its register name: answers [`PhotoLine`]s.
    Photos {
        household: String,
    },
    /// The photos that a check names: answers [`PhotoLine`]s.
    CheckPhotos {
        check: String,
    },
}

/// A picture to see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields)]
pub struct WantedPicture {
    /// The household whose it is.
    pub household: String,
    /// Its name.
    pub photo: String,
    /// The small one for lists.
    pub thumbnail: bool,
    /// Whether the server is to be asked for it when it is not here.
    pub fetch: bool,
}

impl Device {
    /// Does what a call about photos says and answers in JSON; the pictures are those of [`PhotoCall::AddPhoto`].
    ///
    /// # Errors
    /// A [`Problem`] with a stable code; nothing is kept then.
    pub fn photo_call(
        &mut self,
        call: PhotoCall,
        original: &[u8],
        thumbnail: &[u8],
    ) -> Result<String, Problem> {
        let client = self.client()?;
        match call {
            PhotoCall::AddPhoto { check, question, member, taken_ms } => {
                let asked = Asked { question: &question, member: member.as_deref(), element: None };
                let new = NewPhoto { original, thumbnail, taken_ms };
                json(&client.add_photo(id(&check, "check")?, &asked, &new)?.to_string())
            }
            PhotoCall::RemovePhoto { check, key } => json(&client.remove_photo(id(&check, "check")?, &key)?),
            PhotoCall::Photos { household } => lines(client.photos(id(&household, "household")?)?),
            PhotoCall::CheckPhotos { check } => lines(client.photos_of_check(id(&check, "check")?)?),
        }
    }

    /// The bytes of a picture; none when it is not here, and was not to be fetched.
    ///
    /// # Errors
    /// A [`Problem`] with a stable code.
    pub async fn picture(
        &mut self,
        wanted: &WantedPicture,
        transport: &impl Transport,
    ) -> Result<Option<Vec<u8>>, Problem> {
        let client = self.client()?;
        let (household, photo) = (id(&wanted.household, "household")?, id(&wanted.photo, "photo")?);
        let part = if wanted.thumbnail { PhotoPart::Thumbnail } else { PhotoPart::Original };
        match client.photo(&photo, part)? {
            None if wanted.fetch => Ok(Some(client.fetch_photo(transport, household, &photo, part).await?)),
            found => Ok(found),
        }
    }

    /// Sends the photos that wait, and answers in JSON what came of it.
    ///
    /// # Errors
    /// A [`Problem`] with a stable code; what the server has stays sent.
    pub async fn send_photos(
        &mut self,
        transport: &impl Transport,
        progress: &mut dyn FnMut(core::PhotoProgress),
    ) -> Result<String, Problem> {
        let client = self.client()?;
        let report = client.send_photos(transport, progress, &|| false).await?;
        json(&PhotoResult::new(&report, client.photos_waiting()?.0))
    }
}

fn json(answer: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(answer).map_err(|error| Problem::new("failed", error.to_string()))
}

fn lines(photos: Vec<ListedPhoto>) -> Result<String, Problem> {
    json(&photos.into_iter().map(PhotoLine::from).collect::<Vec<_>>())
}

fn id<T: std::str::FromStr>(text: &str, name: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::argument(name))
}

#[cfg(test)]
mod tests {
    use ruhu_client_core::{Environment, SystemEnvironment};

    use super::*;

    fn read(call: &str) -> PhotoCall {
        serde_json::from_str(call).unwrap()
    }

    #[test]
    fn a_locked_store_takes_no_photo_and_a_wrong_id_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let environment = || -> Box<dyn Environment> { Box::new(SystemEnvironment::new()) };
        let mut device = Device::new(folder.path().join("store"), environment);
        let call = r#"{"call": "check_photos", "check": "x"}"#;
        assert_eq!(device.photo_call(read(call), &[], &[]).unwrap_err().code, "locked");
        let create = serde_json::from_str(r#"{"call": "create", "passphrase": "four words of a test"}"#);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let made = runtime.block_on(device.handle(create.unwrap(), &NoNetwork, &mut |_| {}));
        assert!(made.is_ok(), "{made:?}");
        let problem = device.photo_call(read(call), &[], &[]).unwrap_err();
        assert_eq!(problem.detail, "the argument check cannot be read");
        let unknown = WantedPicture {
            household: "018f6d2e-7a10-7c3e-9b51-2f0c8f1d0001".to_owned(),
            photo: "0".repeat(64),
            thumbnail: true,
            fetch: false,
        };
        assert_eq!(runtime.block_on(device.picture(&unknown, &NoNetwork)), Ok(None));
        let sent = runtime.block_on(device.send_photos(&NoNetwork, &mut |_| {}));
        assert_eq!(sent.unwrap_err().code, "not_enrolled");
    }

    struct NoNetwork;

    impl Transport for NoNetwork {
        async fn send(&self, _: core::HttpRequest) -> Result<core::HttpResponse, core::TransportError> {
            Err(core::TransportError::Unreachable)
        }
    }
}
