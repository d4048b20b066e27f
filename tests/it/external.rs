//! Logins with a client certificate: SASL EXTERNAL, who may use which certificate, and how certificates are managed.

use tokio_rustls::rustls::HandshakeKind;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::version;

use crate::harness::{
    Client, ClientCertificate, Line, MODERN, Server, TlsOptions, connector, login_over, password_of, sasl_plain,
    welcome,
};

/// CAP, NICK and USER, as far as the server waits for SASL.
async fn greet(client: &mut Client, nick: &str) {
    client.send("CAP REQ :sasl message-tags").await;
    client.expect("CAP * ACK").await;
    client.send(format!("NICK {nick}")).await;
    client.send(format!("USER {nick} 0 * :{nick}")).await;
}

/// Does SASL EXTERNAL with this base64 (`+`: empty); the numeric that decided.
async fn external(client: &mut Client, payload: &str) -> Line {
    client.send("AUTHENTICATE EXTERNAL").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {payload}")).await;
    client.expect("902|903|904|905|906|907|ERROR").await
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A session of `name`, logged in with its certificate.
async fn login_certified(server: &Server, certificate: &ClientCertificate, name: &str) -> Client {
    let mut client = server.connect_certified(certificate).await;
    greet(&mut client, name).await;
    assert!(external(&mut client, "+").await.is("903"));
    client.send("CAP END").await;
    welcome(client).await
}

async fn sasl_value(client: &mut Client) -> String {
    let lines = client.ask("CAP LS 302").await;
    let words = lines.iter().filter(|line| line.matches("CAP * LS")).flat_map(|line| line.text().split_whitespace());
    words.into_iter().find(|word| word.starts_with("sasl=")).expect("sasl with its mechanisms").to_owned()
}

#[tokio::test]
async fn a_certificate_logs_in() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint(), "--name", "laptop"]).ok();
    let mut client = server.connect_certified(&own).await;
    assert_eq!(sasl_value(&mut client).await, "sasl=PLAIN,EXTERNAL");
    greet(&mut client, "somebody").await;
    client.send("AUTHENTICATE EXTERNAL").await;
    client.expect("AUTHENTICATE +").await;
    client.send("AUTHENTICATE +").await;
    client.expect("900 somebody alice!alice@chat.test alice :*").await;
    client.expect_numeric("903").await;
    client.send("CAP END").await;
    let mut alice = welcome(client).await;
    assert!(alice.greeting[0].matches("001 alice"));
    alice.send("PRIVMSG #lobby :without a password").await;
    alice.sync().await;
    assert_eq!(server.said("#lobby"), ["without a password"]);
}

#[tokio::test]
async fn external_is_offered_only_where_it_can_work() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    assert_eq!(sasl_value(&mut client).await, "sasl=PLAIN");
    greet(&mut client, "alice").await;
    client.send("AUTHENTICATE EXTERNAL").await;
    assert_eq!(client.expect_numeric("908").await.params[1], "PLAIN");
    client.expect_numeric("904").await;
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"));

    let mut client = server.connect_certified(&ClientCertificate::make()).await;
    greet(&mut client, "alice").await;
    client.send("AUTHENTICATE MAGIC").await;
    assert_eq!(client.expect_numeric("908").await.params[1], "PLAIN,EXTERNAL");
    client.expect_numeric("904").await;
}

#[tokio::test]
async fn a_certificate_that_nobody_registered_is_no_login_and_no_hindrance() {
    let server = Server::start().await;
    let mut client = server.connect_certified(&ClientCertificate::make()).await;
    greet(&mut client, "alice").await;
    assert!(external(&mut client, "+").await.is("904"));
    assert!(external(&mut client, &base64("alice")).await.is("904"));
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"), "the password still works");
}

#[tokio::test]
async fn the_authorization_identity_is_ones_own_or_empty() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    for (authzid, answer) in [
        ("alice", "903"),
        ("ALICE", "903"),
        ("alice/phone", "903"),
        ("bob", "904"),
        ("bob/phone", "904"),
        ("a\0b", "904"),
    ] {
        let mut client = server.connect_certified(&own).await;
        greet(&mut client, "x").await;
        assert_eq!(external(&mut client, &base64(authzid)).await.command, answer, "{authzid:?}");
    }
    let mut client = server.connect_certified(&own).await;
    greet(&mut client, "x").await;
    assert!(external(&mut client, "!!").await.is("904"), "not base64");
    assert!(external(&mut client, "/w==").await.is("904"), "not UTF-8");
}

#[tokio::test]
async fn both_versions_of_tls_and_their_resumption_keep_the_identity() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    for only in [&version::TLS12, &version::TLS13] {
        let certified = TlsOptions {
            versions: vec![only],
            certificate: Some(own.clone()),
            tickets: Some(Resumption::in_memory_sessions(8)),
            ..TlsOptions::default()
        };
        // One connector: rustls resumes only for the same configuration.
        let connector = connector(Some(server.certificate()), &certified);
        let name = || tokio_rustls::rustls::pki_types::ServerName::try_from("chat.test").expect("a name");
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let stream = connector.connect(name(), server.connect_tcp().await).await.expect("a handshake");
            let handshake = stream.get_ref().1.handshake_kind();
            let mut client = Client::new("alice", stream);
            greet(&mut client, "alice").await;
            assert!(external(&mut client, "+").await.is("903"), "{only:?} {kind:?}");
            client.quit("").await;
            // What is known only after the first bytes of 1.3 is the same from the start.
            let full = |kind| matches!(kind, HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest);
            assert_eq!(handshake.map(full), Some(full(kind)), "{only:?}");
        }
    }
}

#[tokio::test]
async fn somebody_elses_certificate_cannot_be_shown_without_its_key() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    for only in [&version::TLS12, &version::TLS13] {
        let stranger = ClientCertificate::make();
        // The certificate of one, the key of the other.
        let stolen = ClientCertificate { der: own.der.clone(), ..stranger };
        let options = TlsOptions { versions: vec![only], certificate: Some(stolen), ..TlsOptions::default() };
        let connector = connector(Some(server.certificate()), &options);
        let name = tokio_rustls::rustls::pki_types::ServerName::try_from("chat.test").expect("a name");
        let connected = connector.connect(name, server.connect_tcp().await).await;
        // In 1.3 the client has finished before the server looks: it finds out at the first read.
        if let Ok(stream) = connected {
            let mut client = Client::new("a thief", stream);
            client.send_bytes(b"CAP LS 302\r\n").await;
            assert!(client.expect_end().await.is_empty(), "{only:?}: not a word for a thief");
        }
    }
}

#[tokio::test]
async fn a_disabled_account_has_no_certificates() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    let mut alice = login_certified(&server, &own, "alice").await;
    server.chatd(&["user", "disable", "alice"]).ok();
    assert!(alice.expect_end().await.last().is_some_and(|line| line.is("ERROR")));
    let mut client = server.connect_certified(&own).await;
    greet(&mut client, "alice").await;
    assert!(external(&mut client, "+").await.is("904"));
    server.chatd(&["user", "enable", "alice"]).ok();
    login_certified(&server, &own, "alice").await;

    server.chatd(&["user", "remove", "alice", "--yes"]).ok();
    server.chatd(&["user", "cert", "add", "bob", &own.fingerprint()]).ok();
    login_certified(&server, &own, "bob").await;
}

#[tokio::test]
async fn the_removal_of_a_certificate_ends_the_sessions_that_logged_in_with_it() {
    let server = Server::start().await;
    let (laptop, phone) = (ClientCertificate::make(), ClientCertificate::make());
    server.chatd(&["user", "cert", "add", "alice", &laptop.fingerprint()]).ok();
    server.chatd(&["user", "cert", "add", "alice", &phone.fingerprint()]).ok();
    let mut by_laptop = login_certified(&server, &laptop, "alice").await;
    let mut by_phone = login_certified(&server, &phone, "alice").await;
    let mut by_password = login_over(server.connect_certified(&laptop).await, "alice", MODERN).await;
    server.chatd(&["user", "cert", "remove", "alice", &laptop.fingerprint()]).ok();
    assert!(by_laptop.expect_end().await.last().is_some_and(|line| line.text().contains("certificate")));
    by_phone.sync().await;
    by_password.sync().await;
    let mut client = server.connect_certified(&laptop).await;
    greet(&mut client, "alice").await;
    assert!(external(&mut client, "+").await.is("904"));
}

#[tokio::test]
async fn certificates_are_added_listed_and_removed_with_the_server_running_or_not() {
    let mut server = Server::start().await;
    let (one, two) = (ClientCertificate::make(), ClientCertificate::make());
    let file = server.dir().join("one.pem");
    std::fs::write(&file, &one.cert_pem).expect("written");
    let file = file.to_str().expect("a path");
    assert!(server.chatd(&["user", "cert", "list", "alice"]).ok().contains("no certificates"));
    server.chatd(&["user", "cert", "add", "Alice", file, "--name", "the laptop"]).ok();
    server.chatd(&["user", "cert", "add", "alice", file]).ok();
    let refused = server.chatd(&["user", "cert", "add", "bob", file]).fails(1);
    assert!(refused.contains("another account") && !refused.contains("alice"), "{refused}");
    server.sigterm();
    server.ended().await;

    let colons: Vec<String> = two
        .fingerprint()
        .to_uppercase()
        .as_bytes()
        .chunks(2)
        .map(|pair| String::from_utf8_lossy(pair).into())
        .collect();
    server.chatd(&["user", "cert", "add", "alice", &colons.join(":")]).ok();
    let listed = server.chatd(&["user", "cert", "list", "alice", "--json"]).ok();
    let listed: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0]["fingerprint"], one.fingerprint());
    assert_eq!((&listed[0]["name"], &listed[0]["account"]), (&"the laptop".into(), &"alice".into()));
    assert_eq!(listed[1]["fingerprint"], two.fingerprint());
    assert!(server.chatd(&["user", "cert", "list", "alice"]).ok().contains("the laptop"));

    server.chatd(&["user", "cert", "remove", "alice", file]).ok();
    server.chatd(&["user", "cert", "remove", "alice", file]).fails(1);
    server.chatd(&["user", "cert", "remove", "bob", &two.fingerprint()]).fails(1);
    server.chatd(&["user", "cert", "add", "alice", "abcd"]).fails(1);
    server.chatd(&["user", "cert", "add", "nobody", &one.fingerprint()]).fails(1);
    server.boot().await;
    login_certified(&server, &two, "alice").await;
}

#[tokio::test]
async fn an_account_has_a_bounded_number_of_certificates() {
    let server = Server::configure().prepare();
    for n in 0..32 {
        server.chatd(&["user", "cert", "add", "alice", &format!("{n:064x}")]).ok();
    }
    let refused = server.chatd(&["user", "cert", "add", "alice", &"f".repeat(64)]).fails(1);
    assert!(refused.contains("32"), "{refused}");
    server.chatd(&["user", "cert", "add", "bob", &"f".repeat(64)]).ok();
}

#[tokio::test]
async fn failed_logins_with_certificates_are_throttled() {
    let server = Server::configure().set("limits.logins_per_minute", 2).start().await;
    let stranger = ClientCertificate::make();
    let mut client = server.connect_certified(&stranger).await;
    greet(&mut client, "alice").await;
    for _ in 0..2 {
        assert!(!external(&mut client, "+").await.text().contains("too many"));
    }
    assert!(external(&mut client, "+").await.text().contains("too many"));
    let (answer, _) = server.try_sasl("alice", &password_of("alice")).await;
    assert_eq!(answer, "904", "one address has one allowance");
}

#[tokio::test]
async fn a_client_that_goes_on_trying_is_cut_off() {
    let server = Server::start().await;
    let mut client = server.connect_certified(&ClientCertificate::make()).await;
    greet(&mut client, "alice").await;
    for _ in 0..5 {
        assert!(external(&mut client, "+").await.is("904"));
    }
    assert!(client.expect_end().await.last().is_some_and(|line| line.is("ERROR")));
}

#[tokio::test]
async fn whois_shows_a_certificate_to_its_owner_alone() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    let mut alice = login_certified(&server, &own, "alice").await;
    let told = alice.ask("WHOIS alice").await;
    let line = told.iter().find(|line| line.is("276")).expect("276");
    assert_eq!(line.params, ["alice", "alice", &format!("has client certificate fingerprint {}", own.fingerprint())]);
    let mut bob = server.login("bob").await;
    assert!(!bob.ask("WHOIS alice").await.iter().any(|line| line.is("276")));
}
