//! The certificates this person has said yes to: one line each, `host:port sha256 date`, in a private file.
//!
//! Knows files, not TLS. A line it cannot read is an error, not a server without a pin.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate (DER). Printed as 64 lower-case hexadecimal digits, read also with colons.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    pub fn of(certificate: &[u8]) -> Fingerprint {
        Fingerprint(Sha256::digest(certificate).into())
    }

    /// `AB:CD:…`, as openssl and irssi write it.
    pub fn with_colons(&self) -> String {
        let pairs: Vec<String> = self.0.iter().map(|byte| format!("{byte:02X}")).collect();
        pairs.join(":")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = String;

    fn from_str(text: &str) -> Result<Fingerprint, String> {
        let wrong = || "a SHA-256 fingerprint is 64 hexadecimal digits, with or without colons".to_owned();
        let text = text.get(..7).filter(|start| start.eq_ignore_ascii_case("sha256:")).map_or(text, |_| &text[7..]);
        let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
        if digits.len() != 64 {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |at: usize| char::from(pair[at]).to_digit(16).ok_or_else(wrong);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).map_err(|_| wrong())?;
        }
        Ok(Fingerprint(bytes))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// `host:port`
    pub place: String,
    pub fingerprint: Fingerprint,
    /// The day it was said yes to, `2026-11-23`.
    pub since: String,
}

#[derive(Debug, thiserror::Error)]
pub enum PinError {
    #[error("cannot read or write the list of known servers {}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error(
        "line {line} of the list of known servers {} is broken: repair or delete it (it should be 'host:port sha256 date')",
        path.display()
    )]
    Broken { path: PathBuf, line: usize },
}

#[derive(Debug, Clone)]
pub struct Pins {
    path: PathBuf,
}

impl Pins {
    pub fn new(path: PathBuf) -> Pins {
        Pins { path }
    }

    pub fn find(&self, place: &str) -> Result<Option<Pin>, PinError> {
        Ok(self.load()?.into_iter().rfind(|pin| pin.place == place))
    }

    /// Remembers a certificate. Appends one line in one write, so that two clients at once do no harm.
    pub fn add(&self, pin: &Pin) -> Result<(), PinError> {
        let write = || -> io::Result<()> {
            private_parent(&self.path)?;
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
            file.write_all(line_of(pin).as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| self.file_error(error))
    }

    /// Forgets the pins for which `which` says so, and returns them.
    pub fn forget(&self, which: impl Fn(&Pin) -> bool) -> Result<Vec<Pin>, PinError> {
        let (gone, kept): (Vec<Pin>, Vec<Pin>) = self.load()?.into_iter().partition(|pin| which(pin));
        if !gone.is_empty() {
            let text: String = kept.iter().map(line_of).collect();
            replace_private(&self.path, &text).map_err(|error| self.file_error(error))?;
        }
        Ok(gone)
    }

    fn load(&self) -> Result<Vec<Pin>, PinError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.file_error(error)),
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let pin = |(at, line): (usize, &str)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                [place, fingerprint, since] => fingerprint.parse().ok().map(|fingerprint| Pin {
                    place: place.to_owned(),
                    fingerprint,
                    since: since.to_owned(),
                }),
                _ => None,
            }
            .ok_or(PinError::Broken { path: self.path.clone(), line: at + 1 })
        };
        lines.map(pin).collect()
    }

    fn file_error(&self, error: io::Error) -> PinError {
        PinError::File { path: self.path.clone(), error }
    }
}

/// Makes the folder of `path`, for its owner alone.
pub fn private_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(parent)
        }
        _ => Ok(()),
    }
}

/// Puts `text` in the place of what `path` held, at once and for the owner's eyes only.
pub fn replace_private(path: &Path, text: &str) -> io::Result<()> {
    private_parent(path)?;
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(new);
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&new)))
}

fn line_of(pin: &Pin) -> String {
    format!("{} {} {}\n", pin.place, pin.fingerprint, pin.since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn fingerprints_are_read_as_they_are_printed() {
        let print = Fingerprint::of(b"certificate");
        assert_eq!(print.to_string().parse(), Ok(print));
        assert_eq!(print.with_colons().parse(), Ok(print));
        assert_eq!(format!("SHA256:{print}").parse(), Ok(print));
        for wrong in ["", "ab", "g", &"0".repeat(63), &"é".repeat(32), &"x".repeat(64)] {
            assert!(wrong.parse::<Fingerprint>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn pins_are_kept_privately_and_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("chat/known_hosts");
        let pins = Pins::new(path.clone());
        assert_eq!(pins.find("h:1").unwrap(), None);
        let pin = |place: &str, text: &[u8]| Pin {
            place: place.to_owned(),
            fingerprint: Fingerprint::of(text),
            since: "2026-11-23".to_owned(),
        };
        pins.add(&pin("h:1", b"one")).unwrap();
        pins.add(&pin("h:2", b"two")).unwrap();
        assert_eq!(pins.find("h:2").unwrap(), Some(pin("h:2", b"two")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(pins.forget(|pin| pin.place == "h:1").unwrap().len(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(pins.find("h:1").unwrap(), None);
        assert_eq!(pins.find("h:2").unwrap(), Some(pin("h:2", b"two")));

        fs::write(&path, "h:2 nonsense\n").unwrap();
        assert!(matches!(pins.find("h:1"), Err(PinError::Broken { line: 1, .. })));
    }
}
