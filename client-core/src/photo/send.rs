//! Sending photos: after all text, the oldest first, piece by piece, from the last byte that the server holds.
//!
//! A piece counts when the server has answered it, and after whatever goes wrong the server is asked how much it
//! holds; so a cut costs at most the piece in flight. Pieces shrink when they do not get through and grow again
//! when they do: on a link that is cut every few seconds a large piece would never arrive.

use ruhu_survey::photo::PhotoAddress;
use ruhu_sync::limits::{FAILURES_MAX, PHOTO_PIECE_BYTES, PHOTO_PIECE_BYTES_MIN};
use ruhu_sync::photo::{held_path, piece_path};
use serde::Deserialize;

use crate::client::Client;
use crate::error::Error;
use crate::problem::code;
use crate::snapshot::Asked;
use crate::store::photo::{self, StoredPhoto};
use crate::sync::Tally;
use crate::transport::{HttpResponse, Transport, TransportError};

/// The problem code of a piece that does not begin where the server's bytes end.
const MISPLACED: &str = "photo_piece_misplaced";
/// The problem code of bytes that are not the photo.
const DIFFERS: &str = "photo_hash_differs";
/// The problem code of a village that is no longer this device's.
const NOT_GRANTED: &str = "village_not_granted";
/// How many pieces have to get through before they grow: a link that breaks after every other piece of one size is
/// no link for larger ones.
const GROWS_AFTER: u32 = 4;
/// How often a photo whose bytes arrived as others is sent from the beginning.
const BEGINNINGS_MAX: u32 = 2;

/// How far the photos have come. Counted in the server's answers, never guessed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhotoProgress {
    /// Photos that the server has, in this run.
    pub received: u64,
    /// Photos that this run set out to send.
    pub to_send: u64,
    /// Bytes that the server holds of those, beyond what it was known to hold before.
    pub bytes: u64,
    /// Bytes that it was not known to hold when the run began.
    pub bytes_to_send: u64,
}

/// How a run of sending photos ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhotoOutcome {
    /// Every photo that could be sent was.
    Complete,
    /// Text waits to be sent: it comes first.
    TextFirst,
    /// The caller wanted it to stop.
    Stopped,
    /// The server takes no more now, for the reason with this stable code: send the rest later.
    Later {
        /// The code.
        code: String,
    },
    /// The link failed too often. What came before it counts; send the rest later.
    Interrupted(TransportError),
}

/// What a run of sending photos did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PhotoReport {
    /// How it ended.
    pub outcome: PhotoOutcome,
    /// How far it came.
    pub progress: PhotoProgress,
    /// Photos that the server does not take, with the stable codes of why.
    pub refused: Vec<(PhotoAddress, String)>,
    /// Requests made.
    pub requests: u64,
    /// Bytes of pieces handed to the transport.
    pub sent_bytes: u64,
    /// Pieces that did not get through, or whose answers did not.
    pub failures: u64,
}

/// What is counted and kept in mind during a run.
struct Run {
    tally: Tally,
    progress: PhotoProgress,
    refused: Vec<(PhotoAddress, String)>,
    /// Bytes of the next piece.
    piece: usize,
    /// Pieces of the present size that got through since the last that did not, or since they grew.
    through: u32,
    /// Failures since something got through.
    in_a_row: u32,
    failures: u64,
}

/// Why a photo was left before it was received.
enum Left {
    /// The run ends here.
    Ends(PhotoOutcome),
    /// The server does not take this photo.
    Refused(String),
}

/// Where the sending of one photo stands.
struct Onward {
    /// Bytes that progress has counted.
    counted: u64,
    /// Bytes that the server said it holds; none while that has to be asked.
    held: Option<u64>,
    beginnings: u32,
}

impl Onward {
    /// Takes in what was said; why the photo is left, if it is.
    fn hears(&mut self, said: Said, run: &mut Run) -> Option<Left> {
        let before = self.held.take();
        match said {
            Said::Held(held) => {
                let moved = held.whole || before.is_some_and(|before| held.bytes > before);
                // A small photo that arrives says nothing about larger pieces.
                if before.is_some_and(|before| held.bytes.saturating_sub(before) >= run.piece as u64) {
                    run.got_through();
                }
                if moved || held.bytes > self.counted {
                    // What the last piece brought counts also where its answer was lost.
                    run.in_a_row = 0;
                } else if before.is_some() && run.failed() {
                    return Some(Left::Ends(PhotoOutcome::Interrupted(TransportError::Unclear)));
                }
                run.progress.bytes += held.bytes.saturating_sub(self.counted);
                self.counted = self.counted.max(held.bytes);
                self.held = Some(held.bytes);
                None
            }
            Said::Misplaced => {
                let end = || Left::Ends(PhotoOutcome::Interrupted(TransportError::Unclear));
                run.failed().then(end)
            }
            Said::Differs => {
                self.beginnings += 1;
                (self.beginnings == BEGINNINGS_MAX).then(|| Left::Refused(DIFFERS.to_owned()))
            }
            Said::Refused(code) => Some(Left::Refused(code)),
            Said::Later(code) => Some(Left::Ends(PhotoOutcome::Later { code })),
            Said::Failed(error) => run.weathered(error).map(Left::Ends),
        }
    }
}

/// How much of a photo the server holds.
#[derive(Deserialize)]
struct Held {
    bytes: u64,
    whole: bool,
}

impl Run {
    fn new(to_send: u64, bytes_to_send: u64) -> Self {
        Self {
            tally: Tally::default(),
            progress: PhotoProgress { to_send, bytes_to_send, ..PhotoProgress::default() },
            refused: Vec::new(),
            piece: PHOTO_PIECE_BYTES,
            through: 0,
            in_a_row: 0,
            failures: 0,
        }
    }

    /// A piece of the present size got through: after enough of them the next ones are larger.
    fn got_through(&mut self) {
        self.through += 1;
        if self.through >= GROWS_AFTER {
            self.through = 0;
            self.piece = self.piece.saturating_mul(2).min(PHOTO_PIECE_BYTES);
        }
    }

    /// Counts a failure; whether it was one too many.
    fn failed(&mut self) -> bool {
        self.failures += 1;
        self.in_a_row += 1;
        self.through = 0;
        self.piece = (self.piece / 2).max(PHOTO_PIECE_BYTES_MIN);
        self.in_a_row > FAILURES_MAX
    }

    /// Counts what the link did wrong; how the run ends, if that was once too often.
    fn weathered(&mut self, error: TransportError) -> Option<PhotoOutcome> {
        let is_final = matches!(error, TransportError::Insecure(_) | TransportError::Address(_));
        (self.failed() || is_final).then_some(PhotoOutcome::Interrupted(error))
    }

    fn report(self, outcome: PhotoOutcome) -> PhotoReport {
        PhotoReport {
            outcome,
            progress: self.progress,
            refused: self.refused,
            requests: self.tally.requests,
            sent_bytes: self.tally.sent_bytes,
            failures: self.failures,
        }
    }
}

impl Client {
    /// Sends the photos of submitted checks that the server is not known to have. To be called after a sync: while
    /// text waits, nothing is sent. `progress` is called after each answer, and `stop` asked before each piece;
    /// dropping the future at any moment is safe.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], [`Error::LogInconsistent`], or that the store fails. A failing link is no error but
    /// an outcome.
    pub async fn send_photos(
        &mut self,
        transport: &impl Transport,
        progress: &mut dyn FnMut(PhotoProgress),
        stop: &dyn Fn() -> bool,
    ) -> Result<PhotoReport, Error> {
        self.refuse_halted()?;
        let epoch = self.identity()?.epoch;
        let (to_send, bytes_to_send) = photo::to_send(self.store.read(), epoch)?;
        let mut run = Run::new(to_send, bytes_to_send);
        if photo::text_waits(self.store.read())? {
            return Ok(run.report(PhotoOutcome::TextFirst));
        }
        let mut after = 0;
        while let Some(stored) = photo::next_to_send(self.store.read(), epoch, after)? {
            after = stored.row;
            match self.send_photo(transport, &stored, &mut run, progress, stop).await? {
                Ok(()) => {
                    run.progress.received += 1;
                    progress(run.progress);
                }
                Err(Left::Refused(code)) => run.refused.push((stored.address, code)),
                Err(Left::Ends(outcome)) => return Ok(run.report(outcome)),
            }
        }
        Ok(run.report(PhotoOutcome::Complete))
    }

    /// How many photos of submitted checks the server is not known to have, and how many of their bytes.
    ///
    /// # Errors
    /// [`Error::NotEnrolled`], or that the store fails.
    pub fn photos_waiting(&self) -> Result<(u64, u64), Error> {
        photo::to_send(self.store.read(), self.identity()?.epoch)
    }

    async fn send_photo(
        &mut self,
        transport: &impl Transport,
        stored: &StoredPhoto,
        run: &mut Run,
        progress: &mut dyn FnMut(PhotoProgress),
        stop: &dyn Fn() -> bool,
    ) -> Result<Result<(), Left>, Error> {
        let file = photo::bytes(self.store.read(), stored.row)?;
        let mut on = Onward { counted: stored.sent, held: None, beginnings: 0 };
        loop {
            if stop() {
                return Ok(Err(Left::Ends(PhotoOutcome::Stopped)));
            }
            let said = match on.held {
                None => self.ask_held(transport, stored, run).await?,
                Some(at) => self.send_piece(transport, stored, &file, at, run).await?,
            };
            let whole = match &said {
                Said::Held(held) => {
                    self.note(stored, held)?;
                    held.whole
                }
                _ => false,
            };
            match on.hears(said, run) {
                Some(left) => return Ok(Err(left)),
                None if whole => return Ok(Ok(())),
                None => {}
            }
            progress(run.progress);
        }
    }

    /// Keeps what the server says that it holds of a photo.
    fn note(&mut self, stored: &StoredPhoto, said: &Held) -> Result<(), Error> {
        let (epoch, now_ms) = (self.identity()?.epoch, self.environment().now_ms());
        self.store.write(|tx| {
            if said.whole {
                photo::mark_received(tx, stored.row, epoch, now_ms)
            } else {
                photo::mark_sent(tx, stored.row, said.bytes)
            }
        })
    }

    /// Asks how much of a photo the server holds. The question needs no nonce, and its answer brings the next one.
    async fn ask_held(
        &mut self,
        transport: &impl Transport,
        stored: &StoredPhoto,
        run: &mut Run,
    ) -> Result<Said, Error> {
        run.tally.requests += 1;
        let path = held_path(stored.village, &stored.address);
        Ok(match self.ask_without_nonce(transport, path).await? {
            Ok(response) => understood(&response),
            Err(error) => Said::Failed(error),
        })
    }

    async fn send_piece(
        &mut self,
        transport: &impl Transport,
        stored: &StoredPhoto,
        file: &[u8],
        at: u64,
        run: &mut Run,
    ) -> Result<Said, Error> {
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(file.len());
        let piece = file.get(from..from.saturating_add(run.piece).min(file.len())).unwrap_or_default();
        let path = piece_path(stored.village, &stored.address, at, file.len() as u64);
        let asked = self.ask_with(transport, "POST", &path, piece.to_vec(), &mut run.tally).await?;
        Ok(match asked {
            Asked::Answer(response) => understood(&response),
            Asked::Failed(error) => match run.tally.busy.take() {
                Some(Error::Refused { code, .. }) => Said::Later(code),
                _ => Said::Failed(error),
            },
            Asked::Refused(Error::Refused { code, status, .. }) => refused(status, code),
            Asked::Refused(_) => Said::Failed(TransportError::Unclear),
        })
    }
}

/// What came of a question or a piece.
enum Said {
    Held(Held),
    Misplaced,
    Differs,
    /// The server does not take this photo.
    Refused(String),
    /// The server takes nothing of this device now.
    Later(String),
    Failed(TransportError),
}

/// Reads an answer about what is held.
fn understood(response: &HttpResponse) -> Said {
    match response.status {
        _ if !response.whole => Said::Failed(TransportError::Cut),
        200 => {
            let held = serde_json::from_slice(&response.body);
            held.map_or(Said::Failed(TransportError::Unclear), Said::Held)
        }
        // What does not explain itself is not the server but something before it.
        status => {
            code(response).map_or(Said::Failed(TransportError::Unreachable), |code| refused(status, code))
        }
    }
}

/// What a refusal means for the photo, or for all of them.
fn refused(status: u16, code: String) -> Said {
    match (status, code.as_str()) {
        (_, MISPLACED) => Said::Misplaced,
        (_, DIFFERS) => Said::Differs,
        (_, NOT_GRANTED) => Said::Refused(code),
        (401 | 403 | 408 | 429 | 500.., _) => Said::Later(code),
        _ => Said::Refused(code),
    }
}
