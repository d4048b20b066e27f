//! Self-signed certificates, for servers without a certificate of an authority: clients pin the fingerprint.
//!
//! Promises: the private key is never readable by others, not even for a moment, and nothing is overwritten unless
//! that was asked for.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P256_SHA256};
use time::{Duration, OffsetDateTime};
use x509_parser::extensions::GeneralName;
use zeroize::Zeroizing;

use super::tls::{Fingerprint, fingerprint};
use crate::event::Millis;

/// Long, since everyone who pinned the fingerprint has to be told of a new one.
const VALID: Duration = Duration::days(3650);
/// Clocks differ; a certificate of this very second is "not yet valid" for some.
const BACKDATED: Duration = Duration::days(1);

/// A certificate and its key, not yet on disk.
pub struct NewCert {
    pub names: Vec<String>,
    pub fingerprint: Fingerprint,
    cert_pem: String,
    key_pem: Zeroizing<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum CertError {
    #[error("{0:?} cannot be in a certificate; write a host name such as chat.example.org, or an IP address")]
    Name(String),
    #[error("{path} is there already; keep it, or replace certificate and key with --force", path = .0.display())]
    Exists(PathBuf),
    #[error("cannot write {path} ({source}); check the folder and its permissions", path = path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("the certificate cannot be made ({0}); this is a fault of the program")]
    Make(#[from] rcgen::Error),
}

/// Makes a P-256 key and a certificate for `names` (host names and IP addresses), beside localhost, 127.0.0.1, ::1
/// and this host's own name.
pub fn make(names: &[String], now: Millis) -> Result<NewCert, CertError> {
    let mut all: Vec<String> = Vec::new();
    let builtin = ["localhost", "127.0.0.1", "::1"].map(String::from);
    for name in names.iter().cloned().chain(builtin).chain(host_name()) {
        if !is_name(&name) {
            return Err(CertError::Name(name));
        }
        if !all.contains(&name) {
            all.push(name);
        }
    }
    let mut params = CertificateParams::new(all.clone())?;
    let now = OffsetDateTime::from_unix_timestamp(now.0 / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = now - BACKDATED;
    params.not_after = now + VALID;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, all[0].as_str());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert = params.self_signed(&key)?;
    Ok(NewCert {
        fingerprint: fingerprint(cert.der()),
        names: all,
        cert_pem: cert.pem(),
        key_pem: Zeroizing::new(key.serialize_pem()),
    })
}

impl NewCert {
    /// Both in one PEM text, the certificate first.
    pub fn pem(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}", self.cert_pem, *self.key_pem))
    }

    /// Writes both files, and their folders if need be: the key 0600, the certificate 0644. With `force` files that
    /// are there are replaced, else they are an error and nothing is changed.
    pub fn write(&self, cert: &Path, key: &Path, force: bool) -> Result<(), CertError> {
        if !force && let Some(there) = [cert, key].into_iter().find(|path| path.symlink_metadata().is_ok()) {
            return Err(CertError::Exists(there.to_owned()));
        }
        put(key, self.key_pem.as_bytes(), 0o600, force)?;
        put(cert, self.cert_pem.as_bytes(), 0o644, force)
    }
}

/// What a certificate says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Host names and addresses that it is for.
    pub names: Vec<String>,
    pub not_before: Millis,
    pub not_after: Millis,
    /// It was issued by itself: nobody trusts it who was not told to.
    pub is_self_signed: bool,
}

/// Reads a certificate in DER form; `None`: it is none.
pub fn facts(der: &[u8]) -> Option<Facts> {
    let (_, cert) = x509_parser::parse_x509_certificate(der).ok()?;
    let address = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    };
    let names = cert.subject_alternative_name().ok().flatten();
    Some(Facts {
        names: names.map(|all| all.value.general_names.iter().filter_map(name).collect()).unwrap_or_default(),
        not_before: Millis(cert.validity().not_before.timestamp().saturating_mul(1000)),
        not_after: Millis(cert.validity().not_after.timestamp().saturating_mul(1000)),
        is_self_signed: cert.issuer() == cert.subject(),
    })
}

/// The name this machine gives itself, if it can stand in a certificate.
pub fn host_name() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| fs::read_to_string("/etc/hostname")).ok()?;
    let name = text.trim();
    is_name(name).then(|| name.to_owned())
}

fn is_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let host = name.strip_prefix("*.").unwrap_or(name);
    name.parse::<std::net::IpAddr>().is_ok() || (host.len() <= 253 && host.split('.').all(label))
}

/// Writes a new file beside the old and renames it over, so that a server that reloads meets a whole file.
pub fn put(path: &Path, content: &[u8], mode: u32, force: bool) -> Result<(), CertError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| CertError::Write { path, source }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(format!(".new-{}", std::process::id()));
    let fresh = PathBuf::from(fresh);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&fresh)?;
        // A narrow umask takes the certificate from those who are to read it.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(content)?;
        file.sync_all()?;
        // A hard link, unlike a rename, refuses to replace what somebody else put there in the meantime.
        if force {
            fs::rename(&fresh, path)
        } else {
            fs::hard_link(&fresh, path).and_then(|()| fs::remove_file(&fresh))
        }
    })();
    written.map_err(|source: io::Error| {
        let _ = fs::remove_file(&fresh);
        match source.kind() {
            io::ErrorKind::AlreadyExists => CertError::Exists(path.to_owned()),
            _ => failed(path)(source),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::{ServerTls, pem};
    use std::os::unix::fs::PermissionsExt;

    const NOW: Millis = Millis(1_800_000_000_000);

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_pair_is_written_once_and_can_be_served() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("certs/server.crt"), dir.path().join("certs/server.key"));
        let made = make(&["chat.example.org".into(), "10.0.0.7".into()], NOW).unwrap();
        made.write(&cert, &key, false).unwrap();
        assert_eq!((mode(&cert), mode(&key)), (0o644, 0o600));
        assert_eq!(ServerTls::load(&cert, &key).unwrap().fingerprint(), made.fingerprint);
        assert!(
            ["chat.example.org", "10.0.0.7", "localhost", "127.0.0.1", "::1"]
                .iter()
                .all(|n| made.names.iter().any(|m| m == n))
        );

        let before = fs::read(&key).unwrap();
        let second = make(&[], NOW).unwrap();
        assert!(matches!(second.write(&cert, &key, false), Err(CertError::Exists(_))));
        assert_eq!(fs::read(&key).unwrap(), before);
        fs::remove_file(&cert).unwrap();
        assert!(
            matches!(second.write(&cert, &key, false), Err(CertError::Exists(path)) if path == key),
            "the key alone counts"
        );

        second.write(&cert, &key, true).unwrap();
        assert_eq!(mode(&key), 0o600);
        assert_eq!(ServerTls::load(&cert, &key).unwrap().fingerprint(), second.fingerprint);
        assert_eq!(fs::read_dir(cert.parent().unwrap()).unwrap().count(), 2, "nothing left lying about");
    }

    #[test]
    fn a_replaced_key_is_private_even_if_the_old_was_not() {
        let dir = tempfile::tempdir().unwrap();
        let (cert, key) = (dir.path().join("c"), dir.path().join("k"));
        fs::write(&key, "old").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        make(&[], NOW).unwrap().write(&cert, &key, true).unwrap();
        assert_eq!(mode(&key), 0o600);
        pem::private_key(&key).unwrap();
    }

    #[test]
    fn names_that_cannot_be() {
        for bad in ["", "two words", "a..b", "chät.example", "a/b", "-".repeat(64).as_str()] {
            assert!(matches!(make(&[bad.to_owned()], NOW), Err(CertError::Name(_))), "{bad}");
        }
        assert!(make(&["*.example.org".into()], NOW).is_ok());
    }
}
