//! People look after their own way in, by the service account: another password, and their certificates.

use crate::harness::{Client, ClientCertificate, Line, Server, password_of, welcome};

async fn log_in_certified(server: &Server, certificate: &ClientCertificate) -> Client {
    let mut client = server.connect_certified(certificate).await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    client.send("AUTHENTICATE EXTERNAL").await;
    client.expect("AUTHENTICATE +").await;
    client.send("AUTHENTICATE +").await;
    client.expect_numeric("903").await;
    client.send("CAP END").await;
    welcome(client).await
}

#[tokio::test]
async fn passwd_changes_the_password() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask_service(&format!("passwd {} brand-new-word", password_of("alice"))).await.join("\n");
    assert!(answer.contains("is changed"), "{answer}");
    assert_eq!(server.try_sasl("alice", &password_of("alice")).await.0, "904");
    assert_eq!(server.try_sasl("alice", "brand-new-word").await.0, "903");
    let answer = alice.ask_service("passwd brand-new-word \"one with blanks\"").await.join("\n");
    assert!(answer.contains("is changed"), "twice in one session: {answer}");
    assert_eq!(server.try_sasl("alice", "one with blanks").await.0, "903");
}

#[tokio::test]
async fn other_sessions_by_the_old_password_end_and_the_rest_stays() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    let mut desk = server.login("alice").await;
    let mut phone = server.login("alice").await;
    let mut certified = log_in_certified(&server, &own).await;
    let mut bob = server.login("bob").await;
    let answer = desk.ask_service(&format!("passwd {} brand-new-word", password_of("alice"))).await.join("\n");
    assert!(answer.contains("is changed"), "{answer}");
    let last = phone.expect_end().await.pop().expect("a last word");
    assert!(last.is("ERROR") && last.text().contains("password"), "{last:?}");
    for stays in [&mut desk, &mut certified, &mut bob] {
        stays.sync().await;
    }
    desk.send("PRIVMSG #lobby :still here").await;
    certified.expect("PRIVMSG #lobby :still here").await;
    log_in_certified(&server, &own).await;
}

#[tokio::test]
async fn the_old_password_has_to_be_right_and_the_new_one_good() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let old = password_of("alice");
    for (question, complaint) in [
        ("passwd wrong-word brand-new-word".to_owned(), "wrong"),
        (format!("passwd {old} short"), "too short"),
        (format!("passwd {old}"), "old and the new"),
        ("passwd".to_owned(), "old and the new"),
        (format!("passwd {old} one two three"), "old and the new"),
        (format!("passwd {old} \"never ending"), "old and the new"),
    ] {
        let answer = alice.ask_service(&question).await.join("\n");
        assert!(answer.contains(complaint), "{question}: {answer}");
        assert!(!answer.contains(&old), "{answer}");
    }
    assert_eq!(server.try_sasl("alice", &old).await.0, "903");
}

#[tokio::test]
async fn guesses_of_the_old_password_are_throttled() {
    let server = Server::configure().set("limits.logins_per_minute", 2).start().await;
    let mut alice = server.login("alice").await;
    for _ in 0..2 {
        assert!(alice.ask_service("passwd wrong-word brand-new-word").await.join("\n").contains("wrong account"));
    }
    let answer = alice.ask_service(&format!("passwd {} brand-new-word", password_of("alice"))).await.join("\n");
    assert!(answer.contains("too many"), "{answer}");
}

#[tokio::test]
async fn passwords_are_seen_by_nobody() {
    let mut server = Server::start().await;
    let mut desk = server.login("alice").await;
    let mut other = server.login_with("bob", &["message-tags", "echo-message"]).await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &own.fingerprint()]).ok();
    let mut device = log_in_certified(&server, &own).await;
    desk.ask_service(&format!("passwd {} brand-new-word", password_of("alice"))).await.join("\n");
    for somebody in [&mut device, &mut other] {
        assert!(!somebody.sync().await.iter().any(|line| line.raw.contains("brand-new-word")));
    }
    server.sigterm();
    server.ended().await;
    let database = std::fs::read(server.data_dir().join("chat.db")).expect("the database");
    assert!(!database.windows(14).any(|bytes| bytes == b"brand-new-word"));
    let log = server.log().text();
    assert!(log.contains("password changed by its owner"), "it is told to administrators: {log}");
    assert!(!log.contains("brand-new-word") && !log.contains(&password_of("alice")), "{log}");
}

#[tokio::test]
async fn cert_adds_lists_and_removes() {
    let server = Server::start().await;
    let (one, two) = (ClientCertificate::make(), ClientCertificate::make());
    let mut alice = server.login("alice").await;
    assert!(alice.ask_service("cert").await.join("\n").contains("no certificates"));
    assert!(alice.ask_service("cert add").await.join("\n").contains("shown no client certificate"));
    let answer = alice.ask_service(&format!("cert add {} the laptop", one.fingerprint())).await.join("\n");
    assert!(answer.contains("EXTERNAL") && answer.contains(&one.fingerprint()), "{answer}");

    // A connection that shows one adds it by itself.
    let client = server.connect_certified(&two).await;
    let mut certified = crate::harness::login_over(client, "alice", &[]).await;
    assert!(certified.ask_service("cert add my phone").await.join("\n").contains(&two.fingerprint()));
    let listed = certified.ask_service("CERT LIST").await.join("\n");
    let lines: Vec<&str> = listed.lines().collect();
    assert!(lines[0].starts_with(&format!("the laptop: {}", one.fingerprint())), "{listed}");
    assert!(lines[1].starts_with(&format!("my phone: {}", two.fingerprint())), "{listed}");
    assert!(lines[1].ends_with("that of this connection") && lines[2].starts_with("2 of 32"), "{listed}");

    let mut by_one = log_in_certified(&server, &one).await;
    let removed = alice.ask_service(&format!("cert remove {}", one.fingerprint().to_uppercase())).await.join("\n");
    assert!(removed.contains("no login any more"), "{removed}");
    assert!(by_one.expect_end().await.last().is_some_and(|line| line.text().contains("certificate")));
    log_in_certified(&server, &two).await;
}

#[tokio::test]
async fn cert_touches_nobody_elses() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "bob", &own.fingerprint()]).ok();
    let mut alice = server.login("alice").await;
    let answer = alice.ask_service(&format!("cert add {}", own.fingerprint())).await.join("\n");
    assert!(answer.contains("another account") && !answer.contains("bob"), "{answer}");
    let answer = alice.ask_service(&format!("cert remove {}", own.fingerprint())).await.join("\n");
    assert!(answer.contains("no such certificate"), "{answer}");
    for question in ["cert remove", "cert remove abcd", "cert sing", &format!("cert add {}", "0".repeat(63))] {
        assert!(alice.ask_service(question).await.join("\n").contains("Write: cert"), "{question}");
    }
}

/// The answer to EXTERNAL of a client that wants to be called `nick`; `alice` or so in 900 if it worked.
async fn external(server: &Server, certificate: &ClientCertificate, nick: &str) -> Line {
    let mut client = server.connect_certified(certificate).await;
    client.send("CAP REQ :sasl").await;
    client.send(format!("NICK {nick}")).await;
    client.send("AUTHENTICATE EXTERNAL").await;
    client.expect("AUTHENTICATE +").await;
    client.send("AUTHENTICATE +").await;
    client.expect_numeric("900|904").await
}

#[tokio::test]
async fn who_names_anothers_certificate_gains_nothing_by_it() {
    let server = Server::start().await;
    let bobs = ClientCertificate::make();
    let mut mallory = server.login("carol").await;
    mallory.ask_service(&format!("cert add {}", bobs.fingerprint())).await;
    assert!(external(&server, &bobs, "bob").await.is("904"), "bob would be somebody else without noticing");

    // Its holder takes it, and then it is his.
    let client = server.connect_certified(&bobs).await;
    let mut bob = crate::harness::login_over(client, "bob", &[]).await;
    assert!(bob.ask_service("cert add").await.join("\n").contains("You can log in"));
    assert_eq!(external(&server, &bobs, "anything").await.param(2), "bob");
    let answer = mallory.ask_service(&format!("cert add {}", bobs.fingerprint())).await.join("\n");
    assert!(answer.contains("another account"), "{answer}");
}

#[tokio::test]
async fn a_named_certificate_counts_for_good_once_its_holder_came_by_the_name() {
    let server = Server::start().await;
    let own = ClientCertificate::make();
    let mut alice = server.login("alice").await;
    let answer = alice.ask_service(&format!("cert add {}", own.fingerprint())).await.join("\n");
    assert!(answer.contains("NICK alice"), "{answer}");
    assert!(external(&server, &own, "somebody").await.is("904"));
    log_in_certified(&server, &own).await;
    assert_eq!(external(&server, &own, "somebody").await.param(2), "alice");
}

#[tokio::test]
async fn a_program_is_told_what_came_of_it() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for (question, ok) in [
        ("passwd \"not the word\" \"brand new\" json".to_owned(), false),
        (format!("passwd {} short json", password_of("alice")), false),
        (format!("passwd {} \"brand new\" json", password_of("alice")), true),
        // Two words are the two passwords, whatever they are.
        ("passwd \"brand new\" json".to_owned(), false),
    ] {
        let answer = alice.ask_service(&question).await.join("\n");
        match serde_json::from_str::<serde_json::Value>(&answer) {
            Ok(answer) => assert_eq!(answer["ok"], ok, "{question}: {answer}"),
            Err(_) => assert!(answer.contains("Not changed") && question.ends_with("\" json"), "{question}: {answer}"),
        }
    }
    assert_eq!(server.try_sasl("alice", "brand new").await.0, "903");
}
