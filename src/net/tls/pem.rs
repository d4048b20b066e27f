//! Reading PEM files. The only place that knows `rustls_pemfile`, whose types are those of `rustls::pki_types`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// A chain of certificates is a few KiB; a file beyond this is some other file.
const MAX_BYTES: u64 = 1 << 20;

/// All certificates of a file, in its order. Never empty.
pub fn certs(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certs: Vec<_> =
        rustls_pemfile::certs(&mut open(path)?).collect::<Result<_, _>>().map_err(|e| broken(path, e))?;
    if certs.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certs)
}

/// The first private key of a file (PKCS#8, PKCS#1 or SEC1).
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    rustls_pemfile::private_key(&mut open(path)?)
        .map_err(|e| broken(path, e))?
        .ok_or_else(|| TlsError::NoKey { path: path.to_owned() })
}

fn open(path: &Path) -> Result<BufReader<io::Take<File>>, TlsError> {
    let file = limited(path).map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    Ok(BufReader::new(file))
}

/// A file, of which no more is read than it may have.
pub(super) fn limited(path: &Path) -> io::Result<io::Take<File>> {
    Ok(File::open(path)?.take(MAX_BYTES))
}

/// A file that is no PEM at all reads as an error of kind `InvalidData`; anything else is the disk's.
fn broken(path: &Path, source: io::Error) -> TlsError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => TlsError::Damaged { path, source },
        _ => TlsError::Read { path, source },
    }
}
