//! The configuration of `chat`: servers with names, `--save`, where passwords come from, and what is said of faults.

use std::os::unix::fs::PermissionsExt;

use crate::chat_client::Chat;
use crate::harness::{Finished, Server, eventually, fingerprint, password_of, run};

/// `chat` with nothing but what stands in its home.
fn chat(alice: &Chat, args: &[&str], input: &str) -> Finished {
    run(alice.bare().args(args), input)
}

#[tokio::test]
async fn what_is_saved_is_used() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    let (place, print) = (alice.place(), fingerprint(&server.certificate()));
    let path = alice.home.join("config/chat/config.toml");
    let password = format!("{}\n", password_of("alice"));
    let saving = ["--password-stdin", "--fingerprint", &print, "--server", &place, "send", "#lobby", "one"];

    let failed = chat(&alice, &[&["--save"] as &[&str], &saving].concat(), "wrong\n").fails(1);
    assert!(failed.contains("127.0.0.1") && failed.contains("alice") && failed.contains("standard input"), "{failed}");
    assert!(!path.exists(), "only what has worked is saved");

    let saved = chat(&alice, &[&["--save"] as &[&str], &saving].concat(), &password);
    assert!(saved.stderr.contains("saved as 127.0.0.1"), "{saved:?}");
    saved.ok();
    let text = std::fs::read_to_string(&path).expect("saved");
    assert!(text.contains(&place) && text.contains(&print) && !text.contains(&password_of("alice")), "{text}");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    bob.expect_from("alice", "PRIVMSG #lobby :one").await;

    // Server and certificate are known now; the password is not.
    chat(&alice, &["--password-stdin", "send", "#lobby", "two"], &password).ok();
    bob.expect_from("alice", "PRIVMSG #lobby :two").await;
    let asked = chat(&alice, &["send", "#lobby", "no"], "").fails(1);
    assert!(asked.contains("password_command"), "{asked}");

    chat(&alice, &[&["--save=work", "--save-password"] as &[&str], &saving].concat(), &password).ok();
    chat(&alice, &["--server", "work", "send", "#lobby", "three"], "").ok();
    bob.expect_from("alice", "PRIVMSG #lobby :one").await;
    bob.expect_from("alice", "PRIVMSG #lobby :three").await;
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    chat(&alice, &["--save-password", "send", "#lobby", "no"], &password).fails(2);

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("opened");
    let warned = chat(&alice, &["--server", "work", "history", "#lobby"], "");
    assert!(warned.stderr.contains("chmod 600") && !warned.stderr.contains(&password_of("alice")), "{warned:?}");
}

#[tokio::test]
async fn a_command_gives_the_password() {
    let server = Server::start().await;
    let _bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    let (place, print) = (alice.place(), fingerprint(&server.certificate()));
    let path = alice.home.join("config/chat/config.toml");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let write = |text: &str| std::fs::write(&path, text).expect("written");
    let word = password_of("alice");
    write(&format!(
        "[servers.work]\naddress = '{place}'\nfingerprint = '{print}'\npassword_command = 'test $CHAT_USER = alice && echo {word}'\n"
    ));
    chat(&alice, &["send", "#lobby", "one"], "").ok();
    chat(&alice, &["work", "send", "#lobby", "two"], "").ok();
    chat(&alice, &["send", &place, "#lobby", "three"], "").ok();
    let failed = chat(&alice, &["--password-command", "echo wrong-word", "send", "#lobby", "no"], "").fails(1);
    assert!(failed.contains("echo wrong-word"), "the command is named: {failed}");
    let failed = chat(&alice, &["--password-command", "exit 7", "send", "#lobby", "no"], "").fails(1);
    assert!(failed.contains('7'), "{failed}");
    assert_eq!(server.said("#lobby"), ["one", "two", "three"]);

    write("\n[servers.work]\nadress = 'x'\n");
    let fault = chat(&alice, &["send", "#lobby", "no"], "").fails(2);
    assert!(fault.contains("config.toml, line 3") && fault.contains("`address`"), "{fault}");
}

#[tokio::test]
async fn trouble_is_told_in_words() {
    let server = Server::start().await;
    let alice = Chat::of(&server, "alice");
    let place = alice.place();
    let (name, port) = place.rsplit_once(':').expect("a port");
    let pins = alice.home.join("data/chat/known_hosts");
    std::fs::create_dir_all(pins.parent().expect("a folder")).expect("made");
    std::fs::write(&pins, format!("127.0.0.1:{port} {} 2026-01-02\n", "ab".repeat(32))).expect("written");
    let send = |place: &str| {
        let file = alice.home.join("password").display().to_string();
        chat(&alice, &["--password-file", &file, "--server", place, "send", "#lobby", "no"], "").fails(1)
    };
    let changed = send(&place);
    for wanted in ["CHANGED", "2026-01-02", "chat forget", &fingerprint(&server.certificate())] {
        assert!(changed.contains(wanted), "{wanted}: {changed}");
    }
    chat(&alice, &["forget", place.split('@').next_back().expect("a host")], "").ok();
    let unknown = send(&place);
    assert!(unknown.contains("not known here") && unknown.contains("--fingerprint"), "{unknown}");
    server.sigterm();
    let address = server.address();
    eventually("nobody listens", async || std::net::TcpStream::connect(address).is_err().then_some(())).await;
    let away = send(&place);
    assert!(away.contains("is the server running"), "{away}");
    assert!(send(&format!("{name}x@no-such-host.invalid")).contains("no host"));
}
