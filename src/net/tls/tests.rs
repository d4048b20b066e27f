//! Real handshakes over a pipe in memory.

use std::fs;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::TlsConnector;

use super::*;
use crate::event::Millis;
use crate::net::cert;

const PATIENCE: Duration = Duration::from_secs(20);

struct Files {
    _dir: tempfile::TempDir,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    fn new() -> Files {
        let dir = tempfile::tempdir().unwrap();
        let files = Files { cert: dir.path().join("c.crt"), key: dir.path().join("c.key"), _dir: dir };
        files.renew();
        files
    }

    fn renew(&self) -> Fingerprint {
        let made = cert::make(&[], Millis(1_800_000_000_000)).unwrap();
        made.write(&self.cert, &self.key, true).unwrap();
        made.fingerprint
    }

    fn load(&self) -> ServerTls {
        ServerTls::load(&self.cert, &self.key).unwrap()
    }
}

/// Takes any certificate, but checks that the server holds its key.
#[derive(Debug)]
struct AnyCert;

impl ServerCertVerifier for AnyCert {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

type Client = tokio_rustls::client::TlsStream<DuplexStream>;

fn client(version: &'static SupportedProtocolVersion, alpn: &[&str]) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCert))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

async fn handshake(
    server: &ServerTls,
    client: ClientConfig,
) -> (Result<TlsStream<DuplexStream>, AcceptError>, io::Result<Client>) {
    handshake_over(4096, server, client).await
}

/// With room for so many bytes on the way.
async fn handshake_over(
    room: usize,
    server: &ServerTls,
    client: ClientConfig,
) -> (Result<TlsStream<DuplexStream>, AcceptError>, io::Result<Client>) {
    let (ours, theirs) = duplex(room);
    let connector = TlsConnector::from(Arc::new(client));
    let name = ServerName::try_from("localhost").unwrap();
    tokio::join!(server.accept(ours, PATIENCE), connector.connect(name, theirs))
}

async fn connect(server: &ServerTls, config: ClientConfig) -> (TlsStream<DuplexStream>, Client) {
    let (ours, theirs) = handshake(server, config).await;
    (ours.unwrap(), theirs.unwrap())
}

fn seen(client: &Client) -> Fingerprint {
    fingerprint(&client.get_ref().1.peer_certificates().unwrap()[0])
}

#[tokio::test]
async fn both_versions_shake_hands_and_carry_bytes() {
    let files = Files::new();
    let server = files.load();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (mut ours, mut theirs) = connect(&server, client(version, &["irc"])).await;
        assert_eq!(theirs.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(theirs.get_ref().1.alpn_protocol(), Some(&b"irc"[..]));
        assert_eq!(seen(&theirs), server.fingerprint());
        theirs.write_all(b"NICK a\r\n").await.unwrap();
        theirs.flush().await.unwrap();
        let mut line = [0; 8];
        ours.read_exact(&mut line).await.unwrap();
        assert_eq!(&line, b"NICK a\r\n");
    }
}

#[tokio::test]
async fn the_key_exchange_is_safe_from_tomorrows_computers() {
    let (ours, _theirs) = connect(&Files::new().load(), client(&rustls::version::TLS13, &[])).await;
    let group = ours.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn a_client_comes_in_with_known_foreign_or_no_protocols() {
    let server = Files::new().load();
    let cases: [(&[&str], Option<&[u8]>); 4] =
        [(&[], None), (&["irc"], Some(b"irc")), (&["h2", "irc"], Some(b"irc")), (&["h2", "imap"], None)];
    for (offered, chosen) in cases {
        let (ours, _theirs) = connect(&server, client(&rustls::version::TLS13, offered)).await;
        assert_eq!(ours.get_ref().1.alpn_protocol(), chosen, "{offered:?}");
    }
}

#[tokio::test]
async fn a_client_that_comes_back_resumes() {
    let server = Files::new().load();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let config = client(version, &["irc"]);
        let (mut ours, mut theirs) = connect(&server, config.clone()).await;
        // The tickets of 1.3 come after the handshake: a byte from the server brings them along.
        ours.write_all(b"x").await.unwrap();
        ours.flush().await.unwrap();
        theirs.read_exact(&mut [0]).await.unwrap();
        let (_ours, theirs) = connect(&server, config).await;
        assert_eq!(theirs.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Resumed), "{version:?}");
    }
}

/// Settings of a client that shows so many copies of its certificate as a chain.
fn certified(version: &'static SupportedProtocolVersion, copies: usize) -> (ClientConfig, Fingerprint, usize) {
    let made = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
    let der = made.cert.der().clone();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCert))
        .with_client_auth_cert(vec![der.clone(); copies], key)
        .unwrap();
    (config, fingerprint(&der), der.len())
}

#[tokio::test]
async fn a_clients_certificate_is_known_by_its_fingerprint_and_need_not_be_there() {
    let server = Files::new().load();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (config, own, _) = certified(version, 2);
        let (ours, _theirs) = connect(&server, config).await;
        assert_eq!(peer_certificate(&ours), Some(own));
        let (ours, _theirs) = connect(&server, client(version, &[])).await;
        assert_eq!(peer_certificate(&ours), None);
    }
}

#[tokio::test]
async fn a_client_with_too_long_a_chain_is_refused() {
    let server = Files::new().load();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (_, _, size) = certified(version, 1);
        let (config, ..) = certified(version, super::client::CHAIN_MAX / size - 1);
        // The tickets hold the chain, and nobody reads them here.
        handshake_over(1 << 17, &server, config).await.0.unwrap();
        let (config, ..) = certified(version, super::client::CHAIN_MAX / size + 2);
        let (ours, _theirs) = handshake_over(1 << 17, &server, config).await;
        assert!(matches!(ours, Err(AcceptError::Handshake(_))), "{version:?}");
    }
}

#[tokio::test]
async fn a_new_pair_is_taken_up_and_a_bad_one_is_not() {
    let files = Files::new();
    let server = files.load();
    let first = server.fingerprint();
    assert!(!server.reload().unwrap(), "nothing changed");

    let second = files.renew();
    assert!(server.reload().unwrap());
    assert_ne!(first, second);
    let (_ours, theirs) = connect(&server, client(&rustls::version::TLS13, &[])).await;
    assert_eq!(seen(&theirs), second);

    let other = Files::new();
    fs::copy(&other.key, &files.key).unwrap();
    assert!(matches!(server.reload(), Err(TlsError::NotAPair { .. })));
    fs::write(&files.key, "nothing").unwrap();
    assert!(matches!(server.reload(), Err(TlsError::NoKey { .. })));
    fs::remove_file(&files.cert).unwrap();
    assert!(matches!(server.reload(), Err(TlsError::Read { .. })));
    let (_ours, theirs) = connect(&server, client(&rustls::version::TLS13, &[])).await;
    assert_eq!(seen(&theirs), second, "the old pair stays");

    assert!(server.reload_from(&other.cert, &other.key).unwrap(), "and other files can be named");
}

#[test]
fn files_that_are_no_pair_are_refused_with_their_names() {
    let (files, other) = (Files::new(), Files::new());
    let told = |cert: &Path, key: &Path| ServerTls::load(cert, key).err().unwrap().to_string();
    assert!(told(&files.cert, &other.key).contains("do not make a pair"));
    assert!(told(&files.key, &files.key).contains("c.key holds no certificate"));
    assert!(told(&files.cert, &files.cert).contains("c.crt holds no private key"));
    assert!(told(Path::new("/nowhere"), &files.key).contains("cannot read /nowhere"));
    fs::write(&other.cert, "").unwrap();
    assert!(told(&other.cert, &files.key).contains("holds no certificate"));
    fs::write(&other.cert, "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(told(&other.cert, &files.key).contains("is damaged"));
    fs::write(&other.cert, [0xff, 0xfe, 0x00]).unwrap();
    assert!(told(&other.cert, &files.key).contains("c.crt"));
    assert!(told(files.cert.parent().unwrap(), &files.key).contains("cannot read"));
}

#[tokio::test]
async fn garbage_before_tls_is_an_error_at_once() {
    let server = Files::new().load();
    for garbage in
        [&b"NICK alice\r\nUSER a 0 * :a\r\n"[..], b"GET / HTTP/1.1\r\n\r\n", &[0; 512], &[0x16, 3, 1, 0xff, 0xff, 1]]
    {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(garbage).await.unwrap();
        theirs.shutdown().await.unwrap();
        assert!(matches!(server.accept(ours, PATIENCE).await, Err(AcceptError::Handshake(_))), "{garbage:?}");
    }
}

#[tokio::test]
async fn half_a_handshake_runs_out_of_time() {
    const SHORT: Duration = Duration::from_millis(50);
    let server = Files::new().load();
    // Silence, and a hello that never ends.
    for start in [&b""[..], &[0x16, 3, 1, 2, 0, 1, 0, 1]] {
        let (ours, mut theirs) = duplex(4096);
        theirs.write_all(start).await.unwrap();
        assert!(matches!(server.accept(ours, SHORT).await, Err(AcceptError::Timeout(_))));
    }
    // A whole hello, after which the client falls silent: the same time covers the second half.
    let (ours, mut theirs) = duplex(1 << 16);
    let name = ServerName::try_from("localhost").unwrap();
    let mut hello = Vec::new();
    rustls::ClientConnection::new(Arc::new(client(&rustls::version::TLS13, &[])), name)
        .unwrap()
        .write_tls(&mut hello)
        .unwrap();
    theirs.write_all(&hello).await.unwrap();
    assert!(matches!(server.accept(ours, SHORT).await, Err(AcceptError::Timeout(_))));
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_of_this_decade_is_refused() {
    let server = Files::new().load();
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    hello[4] = (hello.len() - 5) as u8;
    hello[8] = (hello.len() - 9) as u8;
    let (ours, mut theirs) = duplex(4096);
    theirs.write_all(&hello).await.unwrap();
    assert!(matches!(server.accept(ours, PATIENCE).await, Err(AcceptError::Handshake(_))));
    let mut alert = Vec::new();
    theirs.read_to_end(&mut alert).await.unwrap();
    assert_eq!(alert.first(), Some(&0x15), "it is told by an alert");
}

#[test]
fn changed_files_are_taken_up_once_and_a_bad_pair_is_refused_once() {
    let files = Files::new();
    let tls = files.load();
    let mut watch = Watch::new(&files.cert, &files.key);
    assert!(watch.reload(&tls).is_none(), "nothing has changed");

    let new = files.renew();
    assert!(matches!(watch.reload(&tls), Some(Ok(true))));
    assert_eq!(tls.fingerprint(), new);
    assert!(watch.reload(&tls).is_none());

    // One file is written before the other.
    let next = Files::new();
    fs::copy(&next.cert, &files.cert).unwrap();
    assert!(matches!(watch.reload(&tls), Some(Err(TlsError::NotAPair { .. }))));
    assert!(watch.reload(&tls).is_none(), "said once");
    assert_eq!(tls.fingerprint(), new, "the old one stays");
    fs::copy(&next.key, &files.key).unwrap();
    assert!(matches!(watch.reload(&tls), Some(Ok(true))));
    assert_eq!(tls.fingerprint(), next.load().fingerprint());

    fs::remove_file(&files.cert).unwrap();
    assert!(matches!(watch.reload(&tls), Some(Err(TlsError::Read { .. }))));
    assert!(watch.reload(&tls).is_none());
}
