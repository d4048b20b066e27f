//! Strict transport (`sts`): clients are told to use nothing but TLS when they can believe the certificate, and only then.

use std::path::Path;

use crate::harness::{Client, Server, TlsOptions, eventually};

/// An authority, and a certificate for these names that it has signed.
struct Authority {
    pem: String,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "An authority for the test");
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { pem, issuer: rcgen::Issuer::new(params, key) }
    }

    /// Puts a certificate for `name` where the server looks for it.
    fn certify(&self, name: &str, dir: &Path) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("parameters");
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = time::OffsetDateTime::now_utc() - time::Duration::days(1);
        params.not_after = time::OffsetDateTime::now_utc() + time::Duration::days(90);
        let cert = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(dir.join("server.key"), key.serialize_pem()).expect("the key");
        std::fs::write(dir.join("server.crt"), cert.pem()).expect("the certificate");
    }
}

/// The value of `sts`, as a client is told it who knows of values; `None`: nothing is said.
async fn told(server: &Server) -> Option<String> {
    // Whatever certificate it has at the moment.
    let stream = server.handshake_pinned(server.connect_tcp().await, &TlsOptions::default(), None).await;
    let mut client = Client::new("somebody", stream.expect("a TLS connection"));
    client.send("CAP LS 302").await;
    let mut value = None;
    loop {
        let line = client.expect("CAP * LS").await;
        let word = line.text().split(' ').find_map(|word| word.strip_prefix("sts"));
        value = word.map(|word| word.trim_start_matches('=').to_owned()).or(value);
        if line.param(2) != "*" {
            return value;
        }
    }
}

async fn becomes(server: &Server, wanted: Option<&str>) {
    eventually(&format!("sts to be {wanted:?}"), async || (told(server).await.as_deref() == wanted).then_some(()))
        .await;
}

#[tokio::test]
async fn whoever_can_believe_the_certificate_is_told_to_insist_on_it() {
    let authority = Authority::new();
    let trusted = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(trusted.path(), &authority.pem).expect("the authority");
    let path = trusted.path().to_str().expect("UTF-8").to_owned();
    let mut server = Server::configure().env("SSL_CERT_FILE", &path).prepare();
    authority.certify("chat.test", server.dir());
    server.boot().await;
    assert_eq!(told(&server).await.as_deref(), Some("duration=2592000"));

    // It is told, and no more: nobody can ask for it, and clients that know no values hear nothing.
    let mut old = server.connect_raw().await;
    old.send("CAP LS").await;
    assert!(!old.expect("CAP * LS").await.text().contains("sts"));
    for wish in ["sts", "sts=duration=1", "-sts"] {
        old.send(format!("CAP REQ :{wish}")).await;
        old.expect("CAP * NAK").await;
    }

    server.reconfigure("tls.sts", "1h");
    server.sighup();
    becomes(&server, Some("duration=3600")).await;
    server.reconfigure("tls.sts", "off");
    server.sighup();
    becomes(&server, None).await;
    server.reconfigure("tls.sts", "1h");
    server.sighup();
    becomes(&server, Some("duration=3600")).await;

    // With a certificate for another name, whoever kept to it would be shut out.
    authority.certify("other.test", server.dir());
    server.sighup();
    becomes(&server, None).await;
    authority.certify("chat.test", server.dir());
    server.sighup();
    becomes(&server, Some("duration=3600")).await;
    server.chatd(&["cert", "new", "--name", "chat.test", "--force"]).ok();
    server.sighup();
    becomes(&server, None).await;

    // To forget it, everybody can be told.
    server.reconfigure("tls.sts", "0s");
    server.sighup();
    becomes(&server, Some("duration=0")).await;
}

#[tokio::test]
async fn with_a_certificate_of_ones_own_making_nothing_is_said() {
    let server = Server::start().await;
    assert_eq!(told(&server).await, None);
}
