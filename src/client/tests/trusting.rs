//! Who is believed, and what people are told: over TLS on loopback, with certificates made for the test.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{CAPS, Peer, alice};
use crate::client::address::Address;
use crate::client::dial::{Ask, DialError, Dialer};
use crate::client::heard::LoginError;
use crate::client::pins::{Fingerprint, Pins};
use crate::client::trust::{Trust, read_ca};

/// A server on loopback that lets in everyone whose password is right. Its task gives the lines of those it did not
/// let in.
struct Server {
    port: u16,
    certificate: CertificateDer<'static>,
    heard: JoinHandle<Vec<String>>,
}

impl Server {
    async fn new() -> Server {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Server::with(made.cert.der().clone(), &made.signing_key, 0, 1).await
    }

    /// Accepts as many connections as it says, one after the other.
    async fn with(certificate: CertificateDer<'static>, key: &KeyPair, port: u16, count: usize) -> Server {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let mut failed = Vec::new();
            for _ in 0..count {
                let (tcp, _) = listener.accept().await.unwrap();
                match TlsAcceptor::from(Arc::new(config.clone())).accept(tcp).await {
                    Ok(stream) => Peer::new(stream).log_in(CAPS).await,
                    Err(error) => failed.push(error.to_string()),
                }
            }
            failed
        });
        Server { port, certificate, heard }
    }

    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }
}

fn dialer(port: u16, pins: &Path, fixed: Option<Trust>, ask: Option<Ask>) -> Dialer {
    let address = Address::parse(&format!("alice@127.0.0.1:{port}")).unwrap();
    Dialer {
        address,
        credentials: alice(),
        origin: Some("it lay in a drawer".into()),
        fixed,
        identity: None,
        pins: Pins::new(pins.to_owned()),
        ask,
        fetch: 0,
        screen: false,
    }
}

async fn dial(dialer: &Dialer) -> Result<String, DialError> {
    let link = dialer.dial(|_| {}).await?;
    Ok(link.session.nick().to_owned())
}

fn yes(_: &str, _: &Fingerprint, why: &str) -> bool {
    assert!(why.contains("signed"), "{why}");
    true
}

fn no(_: &str, _: &Fingerprint, _: &str) -> bool {
    false
}

fn never(_: &str, _: &Fingerprint, _: &str) -> bool {
    panic!("nothing to ask")
}

#[tokio::test]
async fn trust_on_first_use_asks_once_and_stops_when_the_certificate_changes() {
    let dir = tempfile::tempdir().unwrap();
    let pins = dir.path().join("known_hosts");
    let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    // Shown and refused, then with the pin, then again later.
    let server = Server::with(one.cert.der().clone(), &one.signing_key, 0, 3).await;
    let port = server.port;
    assert_eq!(dial(&dialer(port, &pins, None, Some(yes))).await.unwrap(), "alice");
    assert_eq!(dial(&dialer(port, &pins, None, Some(never))).await.unwrap(), "alice");
    assert_eq!(server.heard.await.unwrap().len(), 1);

    let two = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let server = Server::with(two.cert.der().clone(), &two.signing_key, port, 1).await;
    let error = dial(&dialer(port, &pins, None, Some(never))).await.unwrap_err();
    let told = error.to_string();
    let (old, new) = (Fingerprint::of(one.cert.der()).to_string(), Fingerprint::of(two.cert.der()).to_string());
    assert!(told.contains("CHANGED") && told.contains(&old) && told.contains(&new), "{told}");
    assert!(told.contains(&format!("chat forget 127.0.0.1:{port}")), "{told}");
    assert!(!error.may_pass());
    assert_eq!(server.heard.await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_unknown_certificate_is_refused_when_nobody_is_there_or_says_no() {
    let dir = tempfile::tempdir().unwrap();
    let pins = dir.path().join("known_hosts");
    let server = Server::new().await;
    let told = dial(&dialer(server.port, &pins, None, None)).await.unwrap_err().to_string();
    assert!(told.contains(&format!("--fingerprint {}", server.fingerprint())), "{told}");
    assert_eq!(server.heard.await.unwrap().len(), 1);

    let server = Server::new().await;
    let error = dial(&dialer(server.port, &pins, None, Some(no))).await.unwrap_err();
    assert!(matches!(error, DialError::Declined));
    assert!(!pins.exists());
}

#[tokio::test]
async fn a_fingerprint_lets_in_this_certificate_only() {
    let dir = tempfile::tempdir().unwrap();
    let pins = dir.path().join("known_hosts");
    let server = Server::new().await;
    let right = Trust::Fingerprint(server.fingerprint().with_colons().parse().unwrap());
    assert!(dial(&dialer(server.port, &pins, Some(right), None)).await.is_ok());
    let server = Server::new().await;
    let wrong = Trust::Fingerprint(Fingerprint::of(b"another"));
    let error = dial(&dialer(server.port, &pins, Some(wrong), None)).await.unwrap_err();
    assert!(matches!(error, DialError::OtherFingerprint { .. }), "{error}");
    assert!(!pins.exists());
}

#[tokio::test]
async fn a_ca_file_holds_the_certificate_itself_or_its_signer() {
    let dir = tempfile::tempdir().unwrap();
    let (pins, pem) = (dir.path().join("known_hosts"), dir.path().join("ca.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&pem, made.cert.pem()).unwrap();
    let server = Server::with(made.cert.der().clone(), &made.signing_key, 0, 1).await;
    let trust = Trust::Ca(read_ca(&pem).unwrap());
    assert!(dial(&dialer(server.port, &pins, Some(trust.clone()), None)).await.is_ok());

    let server = Server::new().await;
    let error = dial(&dialer(server.port, &pins, Some(trust), None)).await.unwrap_err();
    assert!(matches!(error, DialError::NotByCa { .. }), "{error}");

    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(&pem, issuer.pem()).unwrap();
    let trust = Trust::Ca(read_ca(&pem).unwrap());
    let key = KeyPair::generate().unwrap();
    let leaf = |name: &str| CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let server = Server::with(leaf("127.0.0.1").der().clone(), &key, 0, 1).await;
    assert!(dial(&dialer(server.port, &pins, Some(trust.clone()), None)).await.is_ok());
    let server = Server::with(leaf("other.example").der().clone(), &key, 0, 1).await;
    let told = dial(&dialer(server.port, &pins, Some(trust), None)).await.unwrap_err().to_string();
    assert!(told.contains("another host name"), "{told}");

    std::fs::write(&pem, "nothing").unwrap();
    assert!(read_ca(&pem).unwrap_err().to_string().contains("no certificate"));
}

#[tokio::test]
async fn a_refused_login_and_an_absent_server_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let pins = dir.path().join("known_hosts");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b":irc.example NOTICE * :*** Looking up your host name\r\n").await.unwrap();
    });
    let error = dial(&dialer(port, &pins, None, None)).await.unwrap_err();
    assert!(matches!(error, DialError::Plain { .. }), "{error}");
    plain.await.unwrap();
    let error = dial(&dialer(port, &pins, None, None)).await.unwrap_err();
    assert!(matches!(error, DialError::Refused { .. }), "{error}");

    let told = DialError::Login(LoginError::Denied("no".into())).to_string();
    assert_eq!(told, "wrong name or password (no)");
    assert!(!format!("{:?}", alice()).contains("secret"));
}
