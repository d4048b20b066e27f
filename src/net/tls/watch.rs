//! Whether the files of a certificate have changed, by what is in them: links, mounts and tools that write in their
//! own ways make dates and notifications unreliable, and two small files are quickly read.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{ServerTls, TlsError, pem};

/// Remembers what was last tried. Looks at two files, a megabyte each at most; blocks while it reads.
pub struct Watch {
    cert: PathBuf,
    key: PathBuf,
    tried: [Look; 2],
}

/// What a file held, or why it could not be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Content([u8; 32]),
    Unreadable(io::ErrorKind),
}

impl Watch {
    /// Takes what the files hold now as tried.
    pub fn new(cert: &Path, key: &Path) -> Watch {
        Watch { cert: cert.to_owned(), key: key.to_owned(), tried: [look(cert), look(key)] }
    }

    /// Loads the files if they are others than at the last time, or differ from then. `None`: nothing is new. A pair
    /// that was refused is refused once: it is tried again when one of the files has changed.
    pub fn reload(&mut self, tls: &ServerTls) -> Option<Result<bool, TlsError>> {
        let now = [look(&self.cert), look(&self.key)];
        if now == self.tried {
            return None;
        }
        self.tried = now;
        Some(tls.reload_from(&self.cert, &self.key))
    }
}

fn look(path: &Path) -> Look {
    let read = || {
        let mut hash = Sha256::new();
        io::copy(&mut pem::limited(path)?, &mut hash)?;
        io::Result::Ok(hash.finalize().into())
    };
    match read() {
        Ok(content) => Look::Content(content),
        Err(error) => Look::Unreadable(error.kind()),
    }
}
