//! The shelf: in files, in memory, and in a server that speaks S3 and runs beside the test.

use std::net::SocketAddr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;

use super::*;
use crate::config::Password;

const VILLAGE: VillageId = VillageId::from_bytes([1; 16]);
const KEY_ID: &str = "ruhu-test";
const SECRET: &str = "a secret of a test";
const BUCKET: &str = "ruhu-photos";

/// A store that speaks S3, on this machine, with one bucket; its address.
async fn s3_server(root: &Path) -> SocketAddr {
    std::fs::create_dir_all(root.join(BUCKET)).unwrap();
    let mut service = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single(KEY_ID, SECRET));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let server = Builder::new(TokioExecutor::new());
                let _ = server.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    address
}

fn bucket(address: SocketAddr, secret: &str) -> PhotosIn {
    PhotosIn::S3(S3Bucket {
        endpoint: format!("http://{address}"),
        name: BUCKET.to_owned(),
        region: "us-east-1".to_owned(),
        key_id: KEY_ID.to_owned(),
        secret: Password::from(secret.to_owned()),
    })
}

/// What every shelf does.
async fn keeps(shelf: &PhotoShelf) {
    let file: Vec<u8> = (0..200_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let photo = PhotoAddress::of(&file);
    assert_eq!(shelf.bytes_of(VILLAGE, &photo).await.unwrap(), None);
    assert_eq!(shelf.read(VILLAGE, &photo, 0..10).await.unwrap(), None);
    for _ in 0..2 {
        shelf.put(VILLAGE, &photo, file.clone()).await.unwrap();
        assert_eq!(shelf.bytes_of(VILLAGE, &photo).await.unwrap(), Some(200_000));
    }
    for range in [0..10, 70_000..140_000, 199_999..200_000] {
        let read = shelf.read(VILLAGE, &photo, range.clone()).await.unwrap().unwrap();
        let bytes = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        assert_eq!(read, file[bytes], "{range:?}");
    }
    let elsewhere = VillageId::from_bytes([2; 16]);
    assert_eq!(shelf.bytes_of(elsewhere, &photo).await.unwrap(), None);
}

#[tokio::test]
async fn files_are_kept_in_a_folder_and_are_there_again() {
    let data = TempDir::new().unwrap();
    keeps(&PhotoShelf::open(&PhotosIn::Files, data.path()).unwrap()).await;
    let again = PhotoShelf::open(&PhotosIn::Files, data.path()).unwrap();
    let file: Vec<u8> = b"another".to_vec();
    let photo = PhotoAddress::of(&file);
    again.put(VILLAGE, &photo, file.clone()).await.unwrap();
    let path = data.path().join(PHOTO_FOLDER).join(name(VILLAGE, &photo));
    assert_eq!(std::fs::read(path).unwrap(), file);
    keeps(&PhotoShelf::in_memory()).await;
}

#[tokio::test]
async fn a_store_that_speaks_s3_keeps_them_too() {
    let root = TempDir::new().unwrap();
    let address = s3_server(root.path()).await;
    let shelf = PhotoShelf::open(&bucket(address, SECRET), Path::new("nowhere")).unwrap();
    keeps(&shelf).await;
}

#[tokio::test]
async fn a_bucket_that_refuses_is_an_error_and_not_a_missing_photo() {
    let root = TempDir::new().unwrap();
    let address = s3_server(root.path()).await;
    let shelf = PhotoShelf::open(&bucket(address, "another secret"), Path::new("nowhere")).unwrap();
    let photo = PhotoAddress::of(b"photo");
    let refused = shelf.put(VILLAGE, &photo, b"photo".to_vec()).await;
    assert!(matches!(refused, Err(PhotoShelfError::Store(_))), "{refused:?}");
    let refused = shelf.bytes_of(VILLAGE, &photo).await;
    assert!(matches!(refused, Err(PhotoShelfError::Store(_))), "{refused:?}");
}

#[test]
fn a_full_disk_is_told_apart_from_other_failures() {
    let io =
        |kind| object_store::Error::Generic { store: "files", source: Box::new(std::io::Error::from(kind)) };
    let full = PhotoShelfError::from(io(std::io::ErrorKind::StorageFull));
    assert!(matches!(full, PhotoShelfError::DiskFull));
    let other = PhotoShelfError::from(io(std::io::ErrorKind::PermissionDenied));
    assert!(matches!(other, PhotoShelfError::Store(_)));
}
