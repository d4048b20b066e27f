//! The server's side of TLS: 1.2 and 1.3 only, a certificate that can be exchanged while running.
//!
//! Knows the two files and rustls, and of ours only how a connection moves. Promises: a handshake ends within its time;
//! a bad pair of files is refused with its reason and the old pair stays in use; new handshakes see a new pair at once,
//! open connections are left alone.

mod client;
mod fingerprint;
pub mod pem;
mod trusted;
mod watch;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Acceptor, ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::event::Millis;

use super::listener::Movable;

pub use fingerprint::{Fingerprint, fingerprint};
pub use watch::Watch;

/// The protocols we speak, as clients may ask for by ALPN.
pub const IRC: &[u8] = b"irc";
pub const HTTP: &[u8] = b"http/1.1";
/// What an authority asks for that wants to see whether a name is ours (RFC 8737).
const CHALLENGE: &[u8] = b"acme-tls/1";

/// Encrypted bytes that rustls may hold for one connection; beyond it, writing waits.
const BUFFER_LIMIT: usize = 32 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error(
        "cannot read {path} ({source}); check [tls] cert and key, or make a self-signed pair with `chatd cert new`",
        path = path.display()
    )]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} holds no certificate; it must be a PEM file with a CERTIFICATE block", path = path.display())]
    NoCertificate { path: PathBuf },
    #[error("{path} holds no private key; it must be a PEM file with an unencrypted PRIVATE KEY block", path = path.display())]
    NoKey { path: PathBuf },
    #[error("{path} is damaged ({source}); write the PEM file again", path = path.display())]
    Damaged { path: PathBuf, source: io::Error },
    #[error(
        "{cert} and {key} do not make a pair ({source}); the key must be the one the certificate was made for, and the \
         server's certificate must come first in its file",
        cert = cert.display(), key = key.display()
    )]
    NotAPair { cert: PathBuf, key: PathBuf, source: rustls::Error },
    #[error("TLS cannot be set up ({0}); this is a fault of the program or the machine")]
    Setup(#[from] rustls::Error),
}

/// Why a connection did not become a TLS connection. Never worth more than a debug line: anybody can cause it.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    #[error("the TLS handshake took longer than {0:?}")]
    Timeout(Duration),
    #[error("a certificate authority has looked whether the name is ours")]
    Challenge,
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[from] io::Error),
}

/// Makes connections TLS connections, with the pair of files it was loaded from.
pub struct ServerTls {
    current: Arc<Current>,
    irc: Arc<ServerConfig>,
    /// For browsers: they are not asked for a certificate, since they would ask the person before the screen.
    http: Option<Arc<ServerConfig>>,
    /// For clients that offer only protocols we do not know: rustls would refuse them, though they may well be IRC
    /// clients with a habit.
    without_alpn: Arc<ServerConfig>,
    /// What an authority is shown that asks for one of these names.
    challenges: ArcSwap<HashMap<String, Arc<ServerConfig>>>,
}

impl ServerTls {
    /// Reads and verifies the pair of files.
    pub fn load(cert: &Path, key: &Path) -> Result<ServerTls, TlsError> {
        let current = Arc::new(Current(ArcSwap::from_pointee(Pair::load(cert, key)?)));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(client::AnyCertificate::new())
            .with_cert_resolver(current.clone());
        // Tickets (they hold the client's certificate, sealed) let a thousand clients that come back at once skip most of the work, and cost no memory here.
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        let without_alpn = Arc::new(config.clone());
        let mut http = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        http.ticketer = aws_lc_rs::Ticketer::new()?;
        http.session_storage = Arc::new(NoServerSessionStorage {});
        http.alpn_protocols = vec![HTTP.to_vec()];
        config.alpn_protocols = vec![IRC.to_vec()];
        Ok(ServerTls {
            current,
            irc: Arc::new(config),
            http: Some(Arc::new(http)),
            without_alpn,
            challenges: ArcSwap::default(),
        })
    }

    /// The same, but HTTP is not offered.
    pub fn without_http(self) -> ServerTls {
        ServerTls { http: None, ..self }
    }

    /// Reads the same two files again. On an error the old pair stays in use. `Ok(true)`: the certificate changed.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let old = self.current.0.load();
        self.reload_from(&old.cert, &old.key)
    }

    /// Like [`ServerTls::reload`], from other files, for a configuration that names new ones.
    pub fn reload_from(&self, cert: &Path, key: &Path) -> Result<bool, TlsError> {
        let new = Pair::load(cert, key)?;
        let old = self.current.0.swap(Arc::new(new));
        Ok(old.fingerprint != self.fingerprint())
    }

    /// Of the certificate in use now.
    pub fn fingerprint(&self) -> Fingerprint {
        self.current.0.load().fingerprint
    }

    /// Until when clients that trust the authorities which this machine trusts believe that we are `name`; `None`: they do
    /// not. Blocks.
    pub fn trusted_until(&self, name: &str, now: Millis) -> Option<Millis> {
        trusted::until(&self.current.0.load().certified.cert, name, now)
    }

    /// Shows this certificate to an authority that asks for the name by TLS-ALPN-01, until [`ServerTls::forget_challenges`].
    pub fn add_challenge(
        &self,
        name: &str,
        cert: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        let key = aws_lc_rs::sign::any_supported_type(&key)?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            // Not checked: what makes it a challenge is an extension that no client is to understand.
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![cert], key))));
        config.alpn_protocols = vec![CHALLENGE.to_vec()];
        let mut all = HashMap::clone(&self.challenges.load());
        all.insert(name.to_ascii_lowercase(), Arc::new(config));
        self.challenges.store(Arc::new(all));
        Ok(())
    }

    pub fn forget_challenges(&self) {
        self.challenges.store(Arc::default());
    }

    /// Does the handshake, both halves of it within `timeout`.
    pub async fn accept<S>(&self, stream: S, timeout: Duration) -> Result<TlsStream<S>, AcceptError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = async {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
            let offers = |protocol: &[u8]| start.client_hello().alpn().map(|mut all| all.any(|one| one == protocol));
            let challenge = match start.client_hello().server_name() {
                Some(name) if offers(CHALLENGE) == Some(true) => {
                    self.challenges.load().get(&name.to_ascii_lowercase()).cloned()
                }
                _ => None,
            };
            let is_challenge = challenge.is_some();
            let own = match (offers(IRC), offers(HTTP), &self.http) {
                (None | Some(true), _, _) => &self.irc,
                (_, Some(true), Some(http)) => http,
                _ => &self.without_alpn,
            };
            let config = challenge.unwrap_or_else(|| own.clone());
            let handshake =
                start.into_stream_with(config, |connection| connection.set_buffer_limit(Some(BUFFER_LIMIT)));
            let stream = handshake.await?;
            if is_challenge { Err(AcceptError::Challenge) } else { Ok(stream) }
        };
        match tokio::time::timeout_at(Instant::now() + timeout, handshake).await {
            Ok(done) => done,
            Err(_) => Err(AcceptError::Timeout(timeout)),
        }
    }
}

/// The certificate that the peer of this connection has shown, and holds the key of.
pub fn peer_certificate<S>(stream: &TlsStream<S>) -> Option<Fingerprint> {
    stream.get_ref().1.peer_certificates()?.first().map(|first| fingerprint(first))
}

impl<S: Movable> Movable for TlsStream<S> {
    fn move_here(&mut self) -> io::Result<()> {
        self.get_mut().0.move_here()
    }
}

/// What the peer has asked for by ALPN, if it is one of ours.
pub fn protocol<S>(stream: &TlsStream<S>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

/// The one provider of cryptography. Always named: with two of them in the program rustls would not choose, and panic.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

struct Pair {
    cert: PathBuf,
    key: PathBuf,
    fingerprint: Fingerprint,
    certified: Arc<CertifiedKey>,
}

impl Pair {
    fn load(cert: &Path, key: &Path) -> Result<Pair, TlsError> {
        let chain = pem::certs(cert)?;
        let private = pem::private_key(key)?;
        let fingerprint = fingerprint(chain.first().map(|first| first.as_ref()).unwrap_or_default());
        // Checks that the key fits, too.
        let certified = CertifiedKey::from_der(chain, private, &provider()).map_err(|source| TlsError::NotAPair {
            cert: cert.to_owned(),
            key: key.to_owned(),
            source,
        })?;
        warn_if_readable_by_others(key);
        Ok(Pair { cert: cert.to_owned(), key: key.to_owned(), fingerprint, certified: Arc::new(certified) })
    }
}

struct Current(ArcSwap<Pair>);

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Current").field(&self.0.load().fingerprint).finish()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().certified.clone())
    }
}

fn warn_if_readable_by_others(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(about) = std::fs::metadata(key) else { return };
    let mode = about.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(
            key = %key.display(),
            mode = %format_args!("{mode:04o}"),
            "other users of this machine may read the private key; give it mode 0600"
        );
    }
}

#[cfg(test)]
mod tests;
