//! One device for a page: the store, open or not, and every call on it.

use std::path::PathBuf;

use ruhu_client_core::{Client, Environment, Error, Invitation, Progress, Transport};

use crate::answer::{self, Enrolment, Standing};
use crate::call::Call;
use crate::problem::Problem;
use crate::tries::{self, Tries};
use crate::work::{Answer, ask, bytes32, done, json};

/// The small file that counts wrong passphrases.
const TRIES: &str = "ruhu.tries";
const TRIES_BYTES_MAX: u64 = 64;
/// The small file that says where the person was. What a browser keeps by itself may be lost in a kill.
const PLACE: &str = "ruhu.place";
const PLACE_BYTES_MAX: u64 = 1_024;

/// Makes the environment of one opening.
type MakeEnvironment = Box<dyn Fn() -> Box<dyn Environment>>;

/// A device behind a page.
pub struct Device {
    folder: PathBuf,
    environment: MakeEnvironment,
    client: Option<Client>,
    /// The store is open and the screen is shut: only the PIN or the passphrase goes on.
    paused: bool,
    wrong_pins: u32,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("client", &self.client).finish_non_exhaustive()
    }
}

impl Device {
    /// The device whose store is, or will be, in `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, environment: impl Fn() -> Box<dyn Environment> + 'static) -> Self {
        Self { folder, environment: Box::new(environment), client: None, paused: false, wrong_pins: 0 }
    }

    /// Does what a call says and answers in JSON. `progress` hears from a sync.
    ///
    /// # Errors
    /// A [`Problem`] with a stable code; what was written before stays written.
    pub async fn handle(
        &mut self,
        call: Call,
        transport: &impl Transport,
        progress: &mut dyn FnMut(Progress),
    ) -> Answer {
        match call {
            Call::Standing => json(&self.standing()),
            Call::Create { passphrase } => self.create(&passphrase),
            Call::Unlock { passphrase } => self.unlock(&passphrase),
            Call::UnlockByPhone { secret } => self.unlock_by_phone(&secret),
            Call::Lock => {
                self.shut();
                done()
            }
            Call::Pause => self.pause(),
            Call::Resume { pin } => self.resume(&pin),
            Call::Remember { place } => {
                if place.len() as u64 > PLACE_BYTES_MAX {
                    return Err(Problem::argument("place"));
                }
                self.keep(PLACE, place.as_bytes())?;
                done()
            }
            Call::EnrolByLink { link, device_name } => {
                let invitation = Invitation::from_link(&link)?;
                json(&enrol(self.open()?, &invitation, &device_name, None, transport).await?)
            }
            Call::EnrolByCode { server, code, device_name, words } => {
                let invitation = Invitation::typed(&server, &code)?;
                json(&enrol(self.open()?, &invitation, &device_name, words, transport).await?)
            }
            Call::Sync => {
                let report = self.open()?.sync(transport, progress).await?;
                json(&answer::SyncResult::from(report))
            }
            asked => ask(self.open()?, asked),
        }
    }

    fn open(&mut self) -> Result<&mut Client, Problem> {
        let shut = || Problem::new("locked", "the store is not open");
        if self.paused {
            return Err(shut());
        }
        self.client.as_mut().ok_or_else(shut)
    }

    /// Closes the store; the key is gone with it.
    fn shut(&mut self) {
        self.client = None;
        self.paused = false;
        self.wrong_pins = 0;
    }

    fn pause(&mut self) -> Answer {
        match &self.client {
            Some(client) if client.has_pin()? => self.paused = true,
            _ => self.shut(),
        }
        json(&self.standing())
    }

    fn resume(&mut self, pin: &str) -> Answer {
        let Some(client) = self.client.as_ref().filter(|_| self.paused) else {
            return Err(Problem::new("locked", "the store is not open"));
        };
        if client.pin_fits(pin)? {
            self.paused = false;
            self.wrong_pins = 0;
            return json(&self.standing());
        }
        self.wrong_pins += 1;
        if self.wrong_pins < tries::FREE {
            return Err(Problem::new("wrong_pin", "the PIN is wrong"));
        }
        // They count as that many wrong passphrases: the next wrong one waits.
        let counted =
            Tries { wrong: self.tries().wrong.max(tries::FREE), last_ms: (self.environment)().now_ms() };
        self.shut();
        self.keep(TRIES, &counted.to_bytes())?;
        Err(Problem::new("pins_used_up", "too many wrong PINs: the passphrase is needed"))
    }

    fn standing(&self) -> Standing {
        let environment = (self.environment)();
        let tries = self.tries();
        let status = self.client.as_ref().and_then(|client| client.status().ok());
        Standing {
            there: environment.files().exists(&self.folder.join("ruhu.key")),
            open: self.client.is_some() && !self.paused,
            paused: self.paused,
            has_pin: self.client.as_ref().is_some_and(|client| client.has_pin().unwrap_or(false)),
            enrolled: status.is_some_and(|status| status.device.is_some()),
            phone_lock: Client::phone_lock(&self.folder, environment.as_ref()).map(Into::into),
            locked_ms: tries.locked_ms(environment.now_ms()),
            wrong_tries: tries.wrong,
            place: self.small(PLACE, PLACE_BYTES_MAX).and_then(|place| String::from_utf8(place).ok()),
        }
    }

    fn create(&mut self, passphrase: &str) -> Answer {
        match Client::create(&self.folder, passphrase, (self.environment)()) {
            Err(Error::StoreExists(_)) => return self.unlock(passphrase),
            made => self.client = Some(made?),
        }
        json(&self.standing())
    }

    fn unlock(&mut self, passphrase: &str) -> Answer {
        let environment = (self.environment)();
        let tries = self.tries();
        let wait_ms = tries.locked_ms(environment.now_ms());
        if wait_ms > 0 {
            return Err(Problem { wait_ms, ..Problem::new("locked_out", "too many wrong passphrases") });
        }
        // Counted before the passphrase is tried: closing the page in time saves nobody a wait.
        let counted = tries.and_wrong(environment.now_ms());
        self.keep(TRIES, &counted.to_bytes())?;
        self.shut();
        match Client::open(&self.folder, passphrase, (self.environment)()) {
            Ok(client) => {
                self.client = Some(client);
                self.keep(TRIES, &Tries::default().to_bytes())?;
                json(&self.standing())
            }
            Err(Error::WrongPassphrase) => {
                let wait_ms = counted.locked_ms(environment.now_ms());
                Err(Problem { wait_ms, ..Error::WrongPassphrase.into() })
            }
            Err(error) => {
                self.keep(TRIES, &tries.to_bytes())?;
                Err(error.into())
            }
        }
    }

    /// The phone counts wrong tries at its lock by itself; who passes it has shown who they are.
    fn unlock_by_phone(&mut self, secret: &str) -> Answer {
        let secret = bytes32("secret", secret)?;
        self.shut();
        self.client = Some(Client::open_by_phone(&self.folder, &secret, (self.environment)())?);
        self.keep(TRIES, &Tries::default().to_bytes())?;
        json(&self.standing())
    }

    /// The open store, for calls that carry more than JSON.
    pub(crate) fn client(&mut self) -> Result<&mut Client, Problem> {
        self.open()
    }

    fn tries(&self) -> Tries {
        self.small(TRIES, TRIES_BYTES_MAX).map(|bytes| Tries::from_bytes(&bytes)).unwrap_or_default()
    }

    /// A small file beside the key; `None` when it is not there.
    fn small(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        (self.environment)().files().read(&self.folder.join(name), limit).ok()
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Problem> {
        let files = (self.environment)().files();
        let path = self.folder.join(name);
        let written = files.make_folder(&self.folder).and_then(|()| files.write(&path, bytes));
        written.map_err(|error| Problem::new("failed", error.to_string()))
    }
}

/// Enrols; without compared words a typed code ends at the words. The code is kept for this device's key
/// by then, so the second call gives the same certificate.
async fn enrol(
    client: &mut Client,
    invitation: &Invitation,
    device_name: &str,
    compared: Option<String>,
    transport: &impl Transport,
) -> Result<Enrolment, Problem> {
    let mut shown = None;
    let mut confirm = |words: [&'static str; 6]| {
        let words = words.join(" ");
        let same = compared.as_deref() == Some(words.as_str());
        shown = Some(words);
        same
    };
    let enrolled = client.enrol(invitation, device_name, &mut confirm, transport).await;
    match (enrolled, shown) {
        (Ok(enrolled), _) => Ok(Enrolment {
            user_name: enrolled.user_name,
            villages: enrolled.villages,
            words: enrolled.server_words.join(" "),
            done: true,
        }),
        (Err(Error::OtherServer), Some(words)) if compared.is_none() => {
            Ok(Enrolment { user_name: String::new(), villages: 0, words, done: false })
        }
        (Err(error), _) => Err(error.into()),
    }
}
