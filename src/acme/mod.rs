//! Certificates from an authority (ACME, RFC 8555), got and renewed while the server runs. The authority looks by
//! TLS-ALPN-01, on the port we serve anyway. Certificate and key lie in one file, so that they always fit; the account
//! beside it, both for nobody else to read. Knows `net` alone. What goes wrong is said in the log, and tried again; the
//! certificate in use stays until there is a better one.

mod order;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::event::Millis;
use crate::net::cert::{self, CertError, Facts};
use crate::net::tls::{ServerTls, TlsError, pem};

/// How often it is looked whether the certificate is old.
const LOOK_EVERY: Duration = Duration::from_secs(6 * 3600);
/// After a failure, doubled with each further one. Authorities allow a handful of failures an hour.
const AGAIN_FIRST: Duration = Duration::from_secs(5 * 60);
const AGAIN_MAX: Duration = Duration::from_secs(12 * 3600);
/// How long one attempt may take.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// For whom, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Never empty.
    pub domains: Vec<String>,
    /// A mail address; empty: none.
    pub contact: String,
    /// The address of the authority's directory.
    pub directory: String,
    /// The certificate of who vouches for the directory's own, if the system does not.
    pub ca_file: Option<PathBuf>,
    /// The folder of the files.
    pub folder: PathBuf,
}

/// Why there is no new certificate, in words for an administrator.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    #[error("the authority at {directory} refuses, or cannot be reached: {}", in_full(source))]
    Authority { directory: String, source: instant_acme::Error },
    #[error(
        "the authority could not see that {domain} is ours: {why}. It must reach this server at port 443 of every address \
         the name has in DNS, and nothing in front may end TLS"
    )]
    NotSeen { domain: String, why: String },
    #[error("the authority offers no TLS-ALPN-01 for {0}, which is the only way used here")]
    NoChallenge(String),
    #[error("the authority took longer than {0:?}")]
    Slow(Duration),
    #[error(transparent)]
    File(#[from] CertError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("cannot read {path} ({source})", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("a key or request cannot be made ({0}); this is a fault of the program")]
    Make(#[from] rcgen::Error),
}

impl Settings {
    /// The file with certificate and key.
    pub fn file(&self) -> PathBuf {
        self.folder.join("certificate.pem")
    }

    fn account_file(&self) -> PathBuf {
        self.folder.join("account.json")
    }

    /// Makes sure that there is some certificate to begin with: the one there is, else one of our own making, which
    /// nobody trusts.
    pub fn prepare(&self, now: Millis) -> Result<(), AcmeError> {
        if facts_of(&self.file()).is_some() && pem::private_key(&self.file()).is_ok() {
            return Ok(());
        }
        let own = cert::make(&self.domains, now)?;
        Ok(cert::put(&self.file(), own.pem().as_bytes(), 0o600, true)?)
    }

    /// Why a new certificate is due; `None`: it is not.
    pub fn due(&self, now: Millis) -> Option<&'static str> {
        match facts_of(&self.file()) {
            None => Some("there is none"),
            Some(facts) if facts.is_self_signed => Some("there is only one of our own making"),
            Some(facts) if !self.domains.iter().all(|domain| facts.names.contains(&domain.to_lowercase())) => {
                Some("the one there is lacks a name")
            }
            Some(Facts { not_before, not_after, .. }) => {
                let third = not_after.0.saturating_sub(not_before.0) / 3;
                (now.0 >= not_after.0.saturating_sub(third)).then_some("less than a third of its time is left")
            }
        }
    }
}

/// Gets a certificate whenever one is due, until the server stops.
pub async fn keep(settings: Settings, tls: Arc<ServerTls>, clock: Clock, stopping: CancellationToken) {
    let mut failures = 0;
    loop {
        let pause = match settings.due(clock()) {
            None => LOOK_EVERY,
            Some(why) => {
                tracing::info!(names = %settings.domains.join(" "), why, "asking for a certificate");
                let attempt = tokio::select! {
                    attempt = renew(&settings, &tls) => attempt,
                    () = stopping.cancelled() => return,
                };
                match attempt {
                    Ok(()) => {
                        failures = 0;
                        tracing::info!(fingerprint = %tls.fingerprint(), "a new certificate is in use");
                        LOOK_EVERY
                    }
                    Err(error) => {
                        let again = AGAIN_FIRST.saturating_mul(1 << failures.min(10)).min(AGAIN_MAX);
                        failures += 1;
                        let wait = humantime::format_duration(again).to_string();
                        tracing::error!(%error, again_in = %wait, "no new certificate; the one there is stays");
                        again
                    }
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(with_jitter(pause)) => {}
            () = stopping.cancelled() => return,
        }
    }
}

async fn renew(settings: &Settings, tls: &ServerTls) -> Result<(), AcmeError> {
    let ordered = tokio::time::timeout(PATIENCE, order::certificate(settings, tls)).await;
    tls.forget_challenges();
    let pem = ordered.unwrap_or(Err(AcmeError::Slow(PATIENCE)))?;
    cert::put(&settings.file(), pem.as_bytes(), 0o600, true)?;
    tls.reload_from(&settings.file(), &settings.file())?;
    Ok(())
}

/// What the first certificate of a file says; `None`: there is none that can be read.
fn facts_of(file: &Path) -> Option<Facts> {
    pem::certs(file).ok()?.first().and_then(|first| cert::facts(first))
}

/// Up to a fifth more: the servers of the world are not to come back in the same second.
fn with_jitter(pause: Duration) -> Duration {
    let mut random = [0u8; 2];
    let _ = getrandom::fill(&mut random);
    pause + pause.mul_f64(0.2 * f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX))
}

/// An error and what caused it: a client of HTTP says "client error" and keeps the reason behind it.
fn in_full(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        cause = error.source();
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_a_certificate_is_due() {
        let dir = tempfile::tempdir().unwrap();
        let settings = Settings {
            domains: vec!["Chat.example.org".into()],
            contact: String::new(),
            directory: String::new(),
            ca_file: None,
            folder: dir.path().join("acme"),
        };
        let now = crate::clock::now();
        assert_eq!(settings.due(now), Some("there is none"));
        settings.prepare(now).unwrap();
        assert_eq!(settings.due(now), Some("there is only one of our own making"));
        let own = std::fs::read(settings.file()).unwrap();
        settings.prepare(now).unwrap();
        assert_eq!(std::fs::read(settings.file()).unwrap(), own, "made once");

        let authority = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.distinguished_name.push(rcgen::DnType::CommonName, "An authority");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::Issuer::new(ca, authority);
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["chat.example.org".to_owned()]).unwrap();
        let day = 86_400_000;
        let at = |millis: i64| time::OffsetDateTime::from_unix_timestamp(millis / 1000).unwrap();
        params.not_before = at(now.0);
        params.not_after = at(now.0 + 90 * day);
        let cert = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(settings.file(), format!("{}{}", cert.pem(), key.serialize_pem())).unwrap();
        assert_eq!(settings.due(now), None);
        assert_eq!(settings.due(Millis(now.0 + 59 * day)), None);
        assert!(settings.due(Millis(now.0 + 61 * day)).is_some());
        let two = Settings { domains: vec!["chat.example.org".into(), "irc.example.org".into()], ..settings };
        assert_eq!(two.due(now), Some("the one there is lacks a name"));
    }

    #[test]
    fn jitter_only_adds() {
        let pause = Duration::from_secs(100);
        for _ in 0..100 {
            let with = with_jitter(pause);
            assert!(with >= pause && with <= pause.mul_f64(1.2));
        }
    }
}
