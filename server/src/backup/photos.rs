//! The files of photos in a backup: each is compared with its name as it is copied, there and back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use ruhu_survey::id::VillageId;
use ruhu_survey::photo::PhotoAddress;

use super::{BackupError, make_private, sync};
use crate::photos::{PHOTO_FOLDER, name};

/// What came of copying photos.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Photos that were copied.
    pub copied: u64,
    /// Photos whose files are not there, or are not what their names say.
    pub missing: u64,
}

/// Copies the files of `photos` from the folder of photos in `from` to that in `to`, durably. A file that is not
/// there or is damaged is counted and left out: the rest is worth keeping.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn copy(
    photos: &BTreeMap<(VillageId, PhotoAddress), u64>,
    from: &Path,
    to: &Path,
) -> Result<Copied, BackupError> {
    let (from, to) = (from.join(PHOTO_FOLDER), to.join(PHOTO_FOLDER));
    let mut copied = Copied::default();
    for (village, photo) in photos.keys() {
        let (source, target) = (from.join(name(*village, photo)), to.join(name(*village, photo)));
        let file = match fs::read(&source) {
            Ok(file) if PhotoAddress::of(&file) == *photo => file,
            Ok(_) => {
                copied.missing += 1;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                copied.missing += 1;
                continue;
            }
            Err(error) => return Err(BackupError::file(&source)(error)),
        };
        if let Some(folder) = target.parent() {
            make_private(folder)?;
        }
        fs::write(&target, file).map_err(BackupError::file(&target))?;
        sync(&target)?;
        copied.copied += 1;
    }
    let villages = photos.keys().map(|(village, _)| *village).collect::<std::collections::BTreeSet<_>>();
    let folders = villages.iter().map(|village| to.join(village.to_string())).chain([to.clone()]);
    folders.filter(|folder| folder.exists()).try_for_each(|folder| sync(&folder))?;
    Ok(copied)
}
