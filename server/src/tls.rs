//! TLS from PEM files, with rustls on ring.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or holds no PEM of its kind.
    #[error("{path} cannot be read as {expected} in PEM: {problem}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is the matter.
        problem: String,
    },
    /// The certificate and the key do not go together, or are of an unknown kind.
    #[error("the certificate and the key cannot be used together")]
    Pair(#[source] rustls::Error),
}

/// Reads the certificate chain and the key.
///
/// # Errors
/// [`TlsError`] naming the file.
pub fn load(tls: &Tls) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&tls.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|problem| unreadable(&tls.key, "a private key", problem))?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(TlsError::Pair)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let expected = "a certificate chain";
    let read = CertificateDer::pem_file_iter(path).map_err(|problem| unreadable(path, expected, problem))?;
    let chain: Vec<_> =
        read.collect::<Result<_, _>>().map_err(|problem| unreadable(path, expected, problem))?;
    if chain.is_empty() { Err(unreadable(path, expected, "it holds none")) } else { Ok(chain) }
}

fn unreadable(path: &Path, expected: &'static str, problem: impl ToString) -> TlsError {
    TlsError::File { path: path.to_owned(), expected, problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, certificate: &str, key: &str) -> Tls {
        let tls = Tls { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        std::fs::write(&tls.certificate, certificate).unwrap();
        std::fs::write(&tls.key, key).unwrap();
        tls
    }

    #[test]
    fn a_certificate_and_its_key_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let tls = files(folder.path(), &made.cert.pem(), &made.signing_key.serialize_pem());
        assert_eq!(load(&tls).unwrap().alpn_protocols.len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let empty = load(&files(folder.path(), "", &key)).unwrap_err().to_string();
        assert!(empty.contains("certificate.pem") && empty.contains("certificate chain"), "{empty}");
        let keyless = load(&files(folder.path(), &certificate, "no key")).unwrap_err().to_string();
        assert!(keyless.contains("key.pem") && keyless.contains("private key"), "{keyless}");
        let missing = Tls { certificate: folder.path().join("none.pem"), key: folder.path().join("key.pem") };
        assert!(load(&missing).unwrap_err().to_string().contains("none.pem"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] =
            [(); 2].map(|()| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
        let tls = files(folder.path(), &one.cert.pem(), &other.signing_key.serialize_pem());
        assert!(matches!(load(&tls), Err(TlsError::Pair(_))));
    }
}
