//! A certificate from an authority: got, kept, renewed, while people chat. The authority is Let's Encrypt's own for tests,
//! pebble (a package of Debian, which `tests/run` installs), with a DNS that finds every name here.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::CertificateDer;

use crate::harness::{Client, MODERN, Server, Setup, TlsOptions, eventually, login_over, read_certificate};

const DOMAIN: &str = "chat.example.test";

/// An authority with its DNS; both end with it.
struct Authority {
    children: Vec<Child>,
    dir: TempDir,
    port: u16,
    /// Where it looks for whoever owns a name.
    looks_at: u16,
}

impl Drop for Authority {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

impl Authority {
    async fn start() -> Authority {
        let dir = tempfile::tempdir().expect("a folder");
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        std::fs::write(dir.path().join("cert.pem"), own.cert.pem()).expect("written");
        std::fs::write(dir.path().join("key.pem"), own.signing_key.serialize_pem()).expect("written");
        let (port, looks_at, dns) = (free_port(), free_port(), free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": "127.0.0.1:0",
            "certificate": "cert.pem", "privateKey": "key.pem", "httpPort": 1, "tlsPort": looks_at,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
        }});
        std::fs::write(dir.path().join("config.json"), config.to_string()).expect("written");
        let start = |program: &str, args: &[&str]| {
            let mut command = Command::new(program);
            command.args(args).current_dir(dir.path()).env("PEBBLE_VA_NOSLEEP", "1").stdin(Stdio::null());
            let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs the package pebble"))
        };
        let dns = format!("127.0.0.1:{dns}");
        let names = ["-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", &dns, "-http01", "", "-https01", ""];
        let rest = ["-tlsalpn01", "", "-management", "127.0.0.1:0"];
        let children = vec![
            start("pebble-challtestsrv", &[&names[..], &rest[..]].concat()),
            start("pebble", &["-config", "config.json", "-dnsserver", &dns]),
        ];
        let authority = Authority { children, dir, port, looks_at };
        for address in [dns, format!("127.0.0.1:{port}")] {
            eventually("the authority and its DNS", async || std::net::TcpStream::connect(&address).ok()).await;
        }
        authority
    }

    fn customer(&self) -> Setup {
        Server::configure()
            .set("server.listen", [format!("127.0.0.1:{}", self.looks_at).as_str()])
            .set("tls.acme.domains", [DOMAIN])
            .set("tls.acme.contact", "admin@example.test")
            .set("tls.acme.directory", format!("https://127.0.0.1:{}/dir", self.port).as_str())
            .set("tls.acme.ca_file", self.dir.path().join("cert.pem").to_str().expect("a path"))
    }
}

fn told(server: &Server, message: &str) -> usize {
    server.log().text().matches(message).count()
}

async fn renewed(server: &Server, times: usize) {
    eventually("a certificate of the authority", async || {
        (told(server, "a new certificate is in use") >= times).then_some(())
    })
    .await;
}

/// A connection to whoever has this certificate, or to anybody.
async fn connect(server: &Server, pinned: Option<CertificateDer<'static>>) -> Client {
    let tcp = server.connect_tcp().await;
    let stream = server.handshake_pinned(tcp, &TlsOptions::default(), pinned).await.expect("a TLS connection");
    Client::new("alice", stream)
}

/// In place of the file: a certificate of another authority for `days` more of its 90.
fn replace(file: &Path, days: i64) {
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).expect("parameters");
    ca.distinguished_name.push(rcgen::DnType::CommonName, "Another authority");
    let issuer = rcgen::Issuer::new(ca, rcgen::KeyPair::generate().expect("a key"));
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::new(vec![DOMAIN.to_owned()]).expect("parameters");
    let now = chatd::clock::now().0 / 1000;
    let at = |day: i64| time::OffsetDateTime::from_unix_timestamp(now + day * 86_400).expect("a time");
    (params.not_before, params.not_after) = (at(days - 90), at(days));
    let cert = params.signed_by(&key, &issuer).expect("signed");
    std::fs::write(file, format!("{}{}", cert.pem(), key.serialize_pem())).expect("written");
}

#[tokio::test]
async fn a_certificate_from_an_authority_and_its_renewal() {
    let authority = Authority::start().await;
    let mut server = authority.customer().start().await;
    let file = server.data_dir().join("acme/certificate.pem");
    renewed(&server, 1).await;
    connect(&server, Some(read_certificate(&file))).await;
    let first = chatd::net::cert::facts(&read_certificate(&file)).expect("a certificate");
    assert_eq!((first.names, first.is_self_signed), (vec![DOMAIN.to_owned()], false));
    for name in ["certificate.pem", "account.json"] {
        let about = std::fs::metadata(file.with_file_name(name)).expect("a file");
        assert_eq!(about.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let shown = server.chatd(&["cert", "show"]).ok();
    assert!(shown.contains("certificate.pem"), "{shown}");

    let asked = told(&server, "asking for a certificate");
    server.restart().await;
    connect(&server, Some(read_certificate(&file))).await;
    assert_eq!(told(&server, "asking for a certificate"), asked, "the one there is was good");

    server.sigterm();
    server.ended().await;
    replace(&file, 29);
    let old = read_certificate(&file);
    server.boot().await;
    let mut alice = login_over(connect(&server, None).await, "alice", MODERN).await;
    renewed(&server, 2).await;
    assert_ne!(read_certificate(&file), old);
    connect(&server, Some(read_certificate(&file))).await;
    alice.sync().await;
    assert!(!server.log().text().contains("no new certificate"), "{}", server.log().text());
}

#[tokio::test]
async fn what_goes_wrong_is_said_and_people_get_in_all_the_same() {
    let nobody = free_port();
    let server = Server::configure()
        .set("tls.acme.domains", [DOMAIN])
        .set("tls.acme.directory", format!("https://127.0.0.1:{nobody}/dir").as_str())
        .start()
        .await;
    eventually("the words", async || (told(&server, "cannot be reached") > 0).then_some(())).await;
    let text = server.log().text();
    assert!(text.contains("no new certificate") && text.contains("refused") && text.contains("again_in"), "{text}");
    let own = read_certificate(&server.data_dir().join("acme/certificate.pem"));
    login_over(connect(&server, Some(own)).await, "alice", MODERN).await;
}
