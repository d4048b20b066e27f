//! The way to the server: name, address, TCP, TLS, and the question whether a certificate seen for the first time is
//! the right one.
//!
//! Knows trust, pins and the link. Promises that no password is sent to a server that is not trusted, and that each
//! failure says what it is and what to do.

use std::io;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::Error as TlsError;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::Address;
use super::heard::{Heard, LoginError};
use super::link::{Link, Lost};
use super::login::Credentials;
use super::pins::{Fingerprint, Pin, PinError, Pins};
use super::session::Session;
use super::trust::{Identity, Trust, client_config};
use crate::clock;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// A server under a login storm lets people wait; more than this is too much.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

pub type TlsLink = Link<TlsStream<TcpStream>>;

#[derive(Debug, thiserror::Error)]
pub enum DialError {
    #[error("there is no host '{host}' ({error}): check the name and the network")]
    Resolve { host: String, error: io::Error },
    #[error("nothing answers at {place}: is the server running, and is the port right?")]
    Refused { place: String },
    #[error("cannot reach {place}: {why}")]
    Unreachable { place: String, why: String },
    #[error("'{0}' cannot be the name of a server")]
    Name(String),
    #[error("{place} does not speak TLS: is {port} the right port (6697 is usual)?")]
    Plain { place: String, port: u16 },
    #[error("no encrypted connection with {place}: {why}")]
    Tls { place: String, why: String },
    #[error(
        "the certificate of {place} is not known here: {why}\n\
         its SHA-256 fingerprint is {shown}\n\
         compare it with what 'chatd cert show' prints on the server; if they are the same, say\n\
         --fingerprint {shown}\n\
         or connect once on a terminal ('chat {place}') and answer yes"
    )]
    Unknown { place: String, shown: Fingerprint, why: String },
    #[error(
        "THE CERTIFICATE OF {place} HAS CHANGED: somebody may be listening in, or the server got a new one\n\
         known since {}: {}\n\
         shown now:              {shown}\n\
         nothing was sent; ask who runs the server ('chatd cert show' prints the fingerprint); if the new one is right:\n\
         chat forget {place}",
        pin.since, pin.fingerprint
    )]
    Changed { place: String, pin: Box<Pin>, shown: Fingerprint },
    #[error("{place} shows another certificate than --fingerprint asks for\nwanted: {wanted}\nshown:  {shown}")]
    OtherFingerprint { place: String, wanted: Fingerprint, shown: Fingerprint },
    #[error("the certificate of {place} does not fit --ca: {why}\nits SHA-256 fingerprint is {shown}")]
    NotByCa { place: String, shown: Fingerprint, why: String },
    #[error("not connected: the certificate was not accepted")]
    Declined,
    #[error(transparent)]
    Pins(#[from] PinError),
    #[error(
        "{place} does not let {user} in: wrong name or password ({why}){}\n\
         who has forgotten the password asks who runs the server ('chatd user passwd {user}' sets a new one)",
        origin.as_ref().map_or(String::new(), |origin| format!("\n{origin}"))
    )]
    Denied { place: String, user: String, why: String, origin: Option<String> },
    #[error("{0}")]
    Login(#[from] LoginError),
    #[error("{0}")]
    Lost(#[from] Lost),
    #[error("the server did not finish the login within {} seconds", LOGIN_TIMEOUT.as_secs())]
    Slow,
}

impl DialError {
    /// Whether it may go better after a while, without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            DialError::Resolve { .. }
                | DialError::Refused { .. }
                | DialError::Unreachable { .. }
                | DialError::Tls { .. }
                | DialError::Lost(_)
                | DialError::Slow
        )
    }
}

/// Asks a person whether this certificate is the right one: place, fingerprint, why it is not trusted by itself.
pub type Ask = fn(&str, &Fingerprint, &str) -> bool;

/// All it takes to get to the server, again and again.
pub struct Dialer {
    pub address: Address,
    pub credentials: Credentials,
    /// Where a password came from that nobody typed.
    pub origin: Option<String>,
    /// What was said on the command line; else pins and the system decide.
    pub fixed: Option<Trust>,
    /// The client certificate to show.
    pub identity: Option<Identity>,
    pub pins: Pins,
    /// `None`: nobody to ask.
    pub ask: Option<Ask>,
    /// See [`Session::new`].
    pub fetch: u32,
    /// See [`Session::for_screen`].
    pub screen: bool,
}

impl Dialer {
    /// Connects, logs in, and returns at the moment the server has let us in. `told`: what the server said to the
    /// person meanwhile.
    pub async fn dial(&self, mut told: impl FnMut(String)) -> Result<TlsLink, DialError> {
        let stream = self.connect().await?;
        let mut link = Link::new(
            stream,
            match self.screen {
                true => Session::for_screen(self.credentials.clone()),
                false => Session::new(self.credentials.clone(), self.fetch),
            },
        );
        let login = async {
            loop {
                match link.next().await? {
                    Heard::LoggedIn { .. } => return Ok(()),
                    Heard::LoginFailed(LoginError::Denied(why)) => {
                        let (place, user) = (self.address.place(), self.credentials.user.clone());
                        return Err(DialError::Denied { place, user, why, origin: self.origin.clone() });
                    }
                    Heard::LoginFailed(error) => return Err(DialError::Login(error)),
                    Heard::Info(text) => told(text),
                    _ => {}
                }
            }
        };
        timeout(LOGIN_TIMEOUT, login).await.map_err(|_| DialError::Slow)??;
        Ok(link)
    }

    /// A connection to a server that is trusted, and not a word said.
    pub async fn connect(&self) -> Result<TlsStream<TcpStream>, DialError> {
        let place = self.address.place();
        let trust = match &self.fixed {
            Some(fixed) => fixed.clone(),
            None => self.pins.find(&place)?.map_or(Trust::System, Trust::Pin),
        };
        match (self.handshake(&trust).await, self.ask) {
            (Err(DialError::Unknown { shown, why, .. }), Some(ask)) => {
                if !ask(&place, &shown, &why) {
                    return Err(DialError::Declined);
                }
                let pin = Pin { place, fingerprint: shown, since: today() };
                let stream = self.handshake(&Trust::Pin(pin.clone())).await?;
                self.pins.add(&pin)?;
                Ok(stream)
            }
            (result, _) => result,
        }
    }

    async fn handshake(&self, trust: &Trust) -> Result<TlsStream<TcpStream>, DialError> {
        let place = self.address.place();
        let name =
            ServerName::try_from(self.address.host.clone()).map_err(|_| DialError::Name(self.address.host.clone()))?;
        let tls_error = |why: String| DialError::Tls { place: place.clone(), why };
        let (config, verdict) =
            client_config(trust, self.identity.as_ref()).map_err(|error| tls_error(error.to_string()))?;
        let tcp = self.tcp().await?;
        let handshake = timeout(HANDSHAKE_TIMEOUT, TlsConnector::from(config).connect(name, tcp)).await;
        let error = match handshake {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => return Err(tls_error("the handshake took too long".to_owned())),
        };
        if let Some(distrust) = verdict.take() {
            let (shown, why) = (distrust.shown, distrust.why);
            return Err(match trust {
                Trust::Fingerprint(wanted) => DialError::OtherFingerprint { place, wanted: *wanted, shown },
                Trust::Pin(pin) => DialError::Changed { place, pin: Box::new(pin.clone()), shown },
                Trust::Ca(_) => DialError::NotByCa { place, shown, why },
                Trust::System => DialError::Unknown { place, shown, why },
            });
        }
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
        Err(match tls {
            Some(TlsError::InvalidMessage(_)) => DialError::Plain { place, port: self.address.port },
            _ => tls_error(error.to_string()),
        })
    }

    /// Tries each address of the host in turn.
    async fn tcp(&self) -> Result<TcpStream, DialError> {
        let (host, place) = (&self.address.host, self.address.place());
        let found = timeout(CONNECT_TIMEOUT, lookup_host((host.as_str(), self.address.port))).await;
        let found = found.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer")));
        let found = found.map_err(|error| DialError::Resolve { host: host.clone(), error })?;
        let mut worst = None;
        for address in found {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(tcp)) => {
                    // Lines are small and somebody waits for each.
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Ok(Err(error)) => worst = Some(error),
                Err(_) => worst = Some(io::Error::new(io::ErrorKind::TimedOut, "no answer within 10 seconds")),
            }
        }
        Err(match worst {
            Some(error) if error.kind() == io::ErrorKind::ConnectionRefused => DialError::Refused { place },
            Some(error) => DialError::Unreachable { place, why: error.to_string() },
            None => DialError::Unreachable { place, why: "the name has no address".to_owned() },
        })
    }
}

fn today() -> String {
    let now = OffsetDateTime::from_unix_timestamp(clock::now().0 / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    now.date().to_string()
}
