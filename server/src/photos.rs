//! Where the sealed files of photos are kept: in a folder, or in any store that speaks S3.
//!
//! A file is named by its village and its hash, and never changes. Nothing here opens one.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _, RetryConfig};
use ruhu_survey::id::VillageId;
use ruhu_survey::photo::PhotoAddress;
use rustls::crypto::ring;

use crate::config::{PhotosIn, S3Bucket};

/// The folder of photos in the data directory and in a backup.
pub const PHOTO_FOLDER: &str = "photos";

/// How long a request to an object store may be tried again.
const RETRY_TIME_MAX: Duration = Duration::from_secs(20);

/// Why photos cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum PhotoShelfError {
    /// The folder cannot be made.
    #[error("the folder of photos cannot be made")]
    Folder(#[source] std::io::Error),
    /// The disk is full; what was not whole is not kept.
    #[error("the disk of photos is full")]
    DiskFull,
    /// The folder or the object store refused or cannot be reached.
    #[error("the store of photos failed")]
    Store(#[source] object_store::Error),
}

impl From<object_store::Error> for PhotoShelfError {
    fn from(error: object_store::Error) -> Self {
        if is_full(&error) { Self::DiskFull } else { Self::Store(error) }
    }
}

/// Whether a full disk is what brought an error about.
fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let full = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
    };
    match error.downcast_ref::<std::io::Error>() {
        Some(io) if full(io) => true,
        _ => error.source().is_some_and(is_full),
    }
}

/// The files of photos.
#[derive(Debug, Clone)]
pub struct PhotoShelf {
    store: Arc<dyn ObjectStore>,
}

impl PhotoShelf {
    /// Opens what the configuration names; `data` is the data directory.
    ///
    /// # Errors
    /// [`PhotoShelfError`] when the folder cannot be made or the bucket's address is none. Whether a bucket can be
    /// reached shows when it is used.
    pub fn open(place: &PhotosIn, data: &Path) -> Result<Self, PhotoShelfError> {
        let store: Arc<dyn ObjectStore> = match place {
            PhotosIn::Files => {
                let folder = data.join(PHOTO_FOLDER);
                std::fs::create_dir_all(&folder).map_err(PhotoShelfError::Folder)?;
                Arc::new(LocalFileSystem::new_with_prefix(folder)?.with_fsync(true))
            }
            PhotosIn::S3(bucket) => Arc::new(s3(bucket)?),
        };
        Ok(Self { store })
    }

    /// A shelf that is gone with the process: for worlds that are.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { store: Arc::new(InMemory::new()) }
    }

    /// Keeps a file; it is durable when this returns. A second time is as the first.
    ///
    /// # Errors
    /// [`PhotoShelfError::DiskFull`], [`PhotoShelfError::Store`].
    pub async fn put(
        &self,
        village: VillageId,
        photo: &PhotoAddress,
        file: Vec<u8>,
    ) -> Result<(), PhotoShelfError> {
        self.store.put(&place(village, photo), file.into()).await?;
        Ok(())
    }

    /// How long a file is; none when it is not here.
    ///
    /// # Errors
    /// [`PhotoShelfError::Store`]
    pub async fn bytes_of(
        &self,
        village: VillageId,
        photo: &PhotoAddress,
    ) -> Result<Option<u64>, PhotoShelfError> {
        match self.store.head(&place(village, photo)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes of a file; none when it is not here.
    ///
    /// # Errors
    /// [`PhotoShelfError::Store`]
    pub async fn read(
        &self,
        village: VillageId,
        photo: &PhotoAddress,
        range: Range<u64>,
    ) -> Result<Option<Bytes>, PhotoShelfError> {
        match self.store.get_range(&place(village, photo), range).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The name of a photo's file on a shelf.
#[must_use]
pub fn name(village: VillageId, photo: &PhotoAddress) -> String {
    format!("{village}/{photo}")
}

fn place(village: VillageId, photo: &PhotoAddress) -> ObjectPath {
    ObjectPath::from(name(village, photo))
}

fn s3(bucket: &S3Bucket) -> Result<object_store::aws::AmazonS3, object_store::Error> {
    // Another part of the program may have chosen already; either choice will do.
    let _ = ring::default_provider().install_default();
    let plain = bucket.endpoint.starts_with("http://");
    AmazonS3Builder::new()
        .with_endpoint(&bucket.endpoint)
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&bucket.key_id)
        .with_secret_access_key(bucket.secret.text())
        // The configuration lets plain HTTP through for loopback only.
        .with_allow_http(plain)
        .with_virtual_hosted_style_request(false)
        // The device comes again by itself: it must not wait here for minutes.
        .with_retry(RetryConfig { max_retries: 2, retry_timeout: RETRY_TIME_MAX, ..RetryConfig::default() })
        .build()
}

#[cfg(test)]
mod tests;
