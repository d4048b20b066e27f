//! The encryption: versions, ALPN, and certificates that change while the server runs.

use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::{ProtocolVersion, version};

use crate::harness::{Client, MODERN, Server, TlsOptions, eventually, fingerprint, login_over, read_certificate};

/// The fingerprint a newcomer is shown.
async fn served(server: &Server) -> String {
    let stream = server.handshake_pinned(server.connect_tcp().await, &TlsOptions::default(), None).await;
    let stream = stream.expect("a handshake");
    let certificates = stream.get_ref().1.peer_certificates().expect("a certificate");
    fingerprint(&certificates[0])
}

#[tokio::test]
async fn both_versions_of_today() {
    let server = Server::start().await;
    for (only, wanted) in [(&version::TLS12, ProtocolVersion::TLSv1_2), (&version::TLS13, ProtocolVersion::TLSv1_3)] {
        let options = TlsOptions { versions: vec![only], ..TlsOptions::default() };
        let stream = server.handshake(server.connect_tcp().await, &options).await.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(wanted));
        let alice = login_over(Client::new("alice", stream), "alice", MODERN).await;
        alice.quit("").await;
    }
}

#[tokio::test]
async fn alpn() {
    let server = Server::start().await;
    for (offer, wanted) in [
        (vec!["irc"], Some(&b"irc"[..])),
        (vec!["h2", "irc"], Some(b"irc")),
        (vec![], None),
        (vec!["something-else"], None),
    ] {
        let options = TlsOptions { alpn: offer.clone(), ..TlsOptions::default() };
        let stream = server.handshake(server.connect_tcp().await, &options).await;
        let stream = stream.unwrap_or_else(|err| panic!("with {offer:?}: {err}"));
        assert_eq!(stream.get_ref().1.alpn_protocol(), wanted, "with {offer:?}");
        login_over(Client::new("alice", stream), "alice", MODERN).await.quit("").await;
    }
}

#[tokio::test]
async fn the_end_of_a_connection_is_said_in_tls() {
    let server = Server::start().await;
    let mut stream = server.handshake(server.connect_tcp().await, &TlsOptions::default()).await.expect("a handshake");
    stream.write_all(b"QUIT :bye\r\n").await.expect("sent");
    let mut rest = Vec::new();
    // Without close_notify this is an error: the stream could have been cut by anybody.
    stream.read_to_end(&mut rest).await.expect("a proper end");
    assert!(String::from_utf8_lossy(&rest).contains("ERROR"));
}

#[tokio::test]
async fn a_new_certificate_without_a_restart() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let old = served(&server).await;
    server.chatd(&["cert", "new", "--name", "chat.test", "--force"]).ok();
    assert_eq!(served(&server).await, old, "nothing changes unasked");
    server.sighup();
    let new = fingerprint(&read_certificate(&server.dir().join("server.crt")));
    assert_ne!(new, old);
    eventually("the new certificate", async || (served(&server).await == new).then_some(())).await;
    alice.send("PRIVMSG #lobby :who is in stays in").await;
    alice.expect("PRIVMSG #lobby :who is in stays in").await;
    server.login("bob").await;
}

#[tokio::test]
async fn a_bad_new_certificate_is_refused_and_the_old_one_stays() {
    let server = Server::start().await;
    let old = served(&server).await;
    let (crt, key) = (server.dir().join("server.crt"), server.dir().join("server.key"));
    let good = [std::fs::read(&crt).expect("read"), std::fs::read(&key).expect("read")];
    let spoil = |path: &Path, text: &[u8]| std::fs::write(path, text).expect("written");
    let other = Server::configure().prepare();
    other.chatd(&["cert", "new", "--name", "chat.test", "--force"]).ok();
    let foreign_key = std::fs::read(other.dir().join("server.key")).expect("read");
    for (what, file, bytes) in [
        ("garbage", &crt, &b"garbage"[..]),
        ("an empty file", &crt, b""),
        ("a key that belongs to another certificate", &key, &foreign_key),
        ("a file without a key", &key, &good[0]),
    ] {
        spoil(file, bytes);
        let start = server.log().len();
        server.sighup();
        let complaint = server.log().complaint(start).await;
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
        let told = complaint.json.to_string();
        assert!(told.contains(name) || told.contains("server."), "{what}: the log does not name the file: {told}");
        assert_eq!(served(&server).await, old, "{what}");
        spoil(&crt, &good[0]);
        spoil(&key, &good[1]);
    }
    server.login("alice").await;
}

#[tokio::test]
async fn a_bad_new_config_is_refused_and_the_old_one_stays() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    std::fs::write(server.config_path(), "[server]\nnmae = \"typo\"\n").expect("written");
    let start = server.log().len();
    server.sighup();
    let complaint = server.log().complaint(start).await.json.to_string();
    assert!(complaint.contains("nmae"), "{complaint}");
    alice.send("PRIVMSG #lobby :still here").await;
    alice.expect("PRIVMSG #lobby :still here").await;
    server.write_config();
    server.login("bob").await;
}

#[tokio::test]
async fn a_new_config_without_a_restart() {
    let mut server = Server::configure().set("server.motd", "before").start().await;
    server.reconfigure("server.motd", "after");
    server.sighup();
    eventually("the new message of the day", async || {
        let client = server.login("alice").await;
        client.greeting.iter().any(|line| line.is("372") && line.text().contains("after")).then_some(())
    })
    .await;
}
