//! Fetching what other devices took: the first bytes for a list, the rest when somebody looks.

use ruhu_survey::id::{HouseholdId, VillageId};
use ruhu_survey::photo::{Extent, HEAD_BYTES_MAX, PhotoAddress, PhotoError};
use ruhu_sync::limits::PHOTO_ANSWER_BYTES;
use ruhu_sync::photo::read_path;

use super::{PhotoPart, opened};
use crate::client::Client;
use crate::error::Error;
use crate::snapshot::Asked;
use crate::store::photo::{self, NewRow};
use crate::sync::Tally;
use crate::transport::{Transport, TransportError};

impl Client {
    /// A part of a photo of a household, fetched where it is not here. What has come is kept: a thumbnail is asked
    /// for once, and an original goes on where it was cut.
    ///
    /// # Errors
    /// [`Error::UnknownHousehold`], [`Error::NoHouseholdKey`], [`Error::Refused`] when the server does not have the
    /// photo yet, [`Error::Photo`] when what it gives is not the photo, [`Error::Transport`].
    pub async fn fetch_photo(
        &mut self,
        transport: &impl Transport,
        household: HouseholdId,
        address: &PhotoAddress,
        part: PhotoPart,
    ) -> Result<Vec<u8>, Error> {
        let village = self.stored_household(household)?.village;
        let keys = self.photo_keys(village, household)?;
        let mut tally = Tally::default();
        loop {
            let stored = photo::find(self.store.read(), address)?;
            let file = match stored {
                Some(stored) => photo::bytes(self.store.read(), stored.row)?,
                None => Vec::new(),
            };
            if let Some(stored) = stored {
                let sealer = keys.photo_sealer(village, household);
                if let Some(found) = opened(&sealer, &file, part, stored.total)? {
                    return Ok(found);
                }
            }
            let first = file.is_empty() && part == PhotoPart::Thumbnail;
            let most = if first { HEAD_BYTES_MAX as u64 } else { PHOTO_ANSWER_BYTES };
            let path = read_path(village, address, file.len() as u64, most);
            let more = match self.ask(transport, &path, &mut tally).await? {
                Asked::Answer(response) => response.body,
                Asked::Refused(error) => return Err(error),
                Asked::Failed(error) => return Err(error.into()),
            };
            if more.is_empty() {
                return Err(TransportError::Cut.into());
            }
            self.keep_fetched((village, household), address, file, &more)?;
        }
    }

    /// Keeps bytes that follow those of `file`; the last are compared with the photo's name first.
    fn keep_fetched(
        &mut self,
        (village, household): (VillageId, HouseholdId),
        address: &PhotoAddress,
        file: Vec<u8>,
        more: &[u8],
    ) -> Result<(), Error> {
        let start = file.len();
        let file = [file.as_slice(), more].concat();
        let extent = Extent::of(&file)?;
        if file.len() > extent.file_end
            || file.len() == extent.file_end && PhotoAddress::of(&file) != *address
        {
            self.store.write(|tx| match photo::find(tx, address)? {
                Some(stored) => photo::forget(tx, stored.row),
                None => Ok(()),
            })?;
            return Err(PhotoError::Differs.into());
        }
        if file.len() < extent.head_end {
            // Too little to know what it shows: it is asked for again.
            return Err(TransportError::Cut.into());
        }
        let head = self.photo_keys(village, household)?.photo_sealer(village, household).open_head(&file)?;
        let row = NewRow {
            address: *address,
            village,
            household,
            check: None,
            kind: head.kind,
            taken_ms: head.taken_ms,
            total: extent.file_end,
        };
        self.store.write(|tx| {
            let row = photo::put(tx, &row)?;
            photo::append(tx, row, start, more)?;
            photo::keep_reserve(tx, row)
        })
    }
}
