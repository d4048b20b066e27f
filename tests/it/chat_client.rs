//! The `chat` program as scripts use it: send, tail, history and the plain pipe.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{ClientCertificate, DEADLINE, Finished, Server, fingerprint, password_of, run, signal};

/// `chat` of the person `name`, who has a home of their own.
pub struct Chat<'a> {
    server: &'a Server,
    name: &'static str,
    pub home: PathBuf,
}

impl<'a> Chat<'a> {
    pub fn of(server: &'a Server, name: &'static str) -> Chat<'a> {
        let home = server.dir().join(format!("home-{name}"));
        std::fs::create_dir_all(&home).expect("a home");
        let password = home.join("password");
        std::fs::write(&password, format!("{}\n", password_of(name))).expect("written");
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).expect("made private");
        Chat { server, name, home }
    }

    pub fn place(&self) -> String {
        format!("{}@127.0.0.1:{}", self.name, self.server.address().port())
    }

    /// The command with nothing of this machine's user in it.
    pub fn bare(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", &self.home).env("LANG", "C.UTF-8");
        command.env("XDG_CONFIG_HOME", self.home.join("config")).env("XDG_DATA_HOME", self.home.join("data"));
        command.env("XDG_STATE_HOME", self.home.join("state")).env("TZ", "UTC");
        command
    }

    pub fn command(&self) -> Command {
        let mut command = self.bare();
        command.arg("--password-file").arg(self.home.join("password"));
        command.arg("--fingerprint").arg(fingerprint(&self.server.certificate()));
        command
    }

    pub fn run(&self, args: &[&str], input: &str) -> Finished {
        run(self.command().args(["--server", &self.place()]).args(args), input)
    }
}

#[tokio::test]
async fn send() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    alice.run(&["send", "#lobby", "deploy ok"], "").ok();
    bob.expect_from("alice", "PRIVMSG #lobby :deploy ok").await;
    alice.run(&["send", "#lobby"], "one\ntwo\n第三\n").ok();
    alice.run(&["send", "bob", "-"], "in private\n").ok();
    for (target, text) in [("#lobby", "one"), ("#lobby", "two"), ("#lobby", "第三"), ("bob", "in private")] {
        bob.expect_from("alice", &format!("PRIVMSG {target} :{text}")).await;
    }
    assert_eq!(server.said("#lobby"), ["deploy ok", "one", "two", "第三"], "exit 0 means stored");
    bob.ask("JOIN #closed").await;
    bob.ask("MODE #closed +i").await;
    let complaint = alice.run(&["send", "#closed", "hello?"], "").fails(1);
    assert!(complaint.contains("#closed"), "{complaint}");
    alice.run(&["send", "nobody", "hello?"], "").fails(1);
}

#[tokio::test]
async fn a_long_text_is_sent_in_pieces_that_fit() {
    let server = Server::start().await;
    let _bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    let words: Vec<String> = (0..300).map(|n| format!("word{n}")).collect();
    alice.run(&["send", "#lobby", &words.join(" ")], "").ok();
    assert_eq!(server.said("#lobby"), [words.join(" ")], "what is given as one text is one message");
    alice.run(&["send", "#lobby"], &words.join(" ")).ok();
    let said = server.said("#lobby")[1..].to_vec();
    assert!(said.len() > 1);
    assert_eq!(said.join(" ").split_whitespace().collect::<Vec<_>>(), words, "no word is lost or torn");
}

#[tokio::test]
async fn history_goes_back_as_far_as_is_wanted() {
    let server = Server::configure()
        .set("history.page_lines", 40)
        .set("limits.messages_per_second", 1000)
        .set("limits.message_burst", 1000)
        .start()
        .await;
    let mut bob = server.login("bob").await;
    for n in 0..130 {
        bob.send(format!("PRIVMSG #lobby :line {n}.")).await;
    }
    bob.send("PRIVMSG alice :between us").await;
    bob.sync().await;
    let alice = Chat::of(&server, "alice");
    let said = server.history("#lobby").into_iter().filter(|entry| entry.kind == "message").map(|entry| entry.msgid);
    let said: Vec<String> = said.collect();
    let msgids = |printed: String| -> Vec<String> {
        let objects = printed.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an object"));
        objects.map(|object| object["msgid"].as_str().expect("an id").to_owned()).collect()
    };
    for last in [1, 40, 41, 120, 130, 999] {
        let printed = alice.run(&["history", "#lobby", "--last", &last.to_string(), "--format", "json"], "").ok();
        assert_eq!(msgids(printed), said[said.len().saturating_sub(last)..], "--last {last}");
    }
    let printed = alice.run(&["history", "bob"], "").ok();
    assert!(printed.lines().count() == 1 && printed.ends_with("<bob> between us\n"), "{printed}");
}

#[tokio::test]
async fn search_finds_what_one_may_read() {
    let server =
        Server::configure().set("limits.messages_per_second", 1000).set("limits.message_burst", 1000).start().await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #other").await;
    for n in 0..120 {
        bob.send(format!("PRIVMSG #lobby :tea {n}.")).await;
    }
    bob.send("PRIVMSG alice :green tea; and cake").await;
    bob.send("PRIVMSG #other :black tea").await;
    bob.sync().await;
    let mut alice_herself = server.login("alice").await;
    alice_herself.send("PRIVMSG #lobby :my tea").await;
    alice_herself.sync().await;
    let alice = Chat::of(&server, "alice");
    let lines = |args: &[&str]| alice.run(&[&["search"], args].concat(), "").ok().lines().count();
    assert_eq!(lines(&["tea", "--last", "200"]), 122, "page by page, and nothing of #other");
    assert_eq!(lines(&["tea", "--last", "7"]), 7);
    assert_eq!(lines(&["tea", "--in", "#lobby", "--from", "alice"]), 1);
    assert_eq!(lines(&["--in", "bob"]), 1);
    assert_eq!(lines(&["coffee"]), 0);
    let printed = alice.run(&["search", "green", "tea;"], "").ok();
    assert!(printed.ends_with(" bob <bob> green tea; and cake\n"), "{printed}");
    let printed = alice.run(&["search", "--format", "json", "green"], "").ok();
    assert!(printed.contains(r#""room":"bob""#) && printed.contains(r#""kind":"message""#), "{printed}");
    alice.run(&["search"], "").fails(2);
}

#[tokio::test]
async fn history_and_tail() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    for n in 0..5 {
        bob.send(format!("PRIVMSG #lobby :past {n}")).await;
    }
    bob.sync().await;
    let alice = Chat::of(&server, "alice");
    let printed = alice.run(&["history", "#lobby", "--last", "3"], "").ok();
    assert!(!printed.contains("past 1") && printed.contains("past 2") && printed.contains("past 4"), "{printed}");
    assert!(printed.lines().all(|line| line.contains("bob")), "{printed}");

    let mut child = alice
        .command()
        .args(["--server", &alice.place(), "tail", "#lobby", "--last", "2"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("chat");
    let (lines, mut printed) = tokio::sync::mpsc::channel(100);
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            let _ = lines.blocking_send(line);
        }
    });
    let mut next = async || tokio::time::timeout(DEADLINE, printed.recv()).await.expect("a line").expect("a line");
    for text in ["past 3", "past 4"] {
        let line = next().await;
        assert!(line.ends_with(text), "{line:?}");
    }
    bob.send("PRIVMSG #lobby :live, with \u{1b}[31mcolour\u{1b}[0m and \u{7}bell").await;
    let line = next().await;
    assert!(line.contains("live, with") && line.contains("colour"), "{line:?}");
    assert!(!line.contains(['\u{1b}', '\u{7}']), "control sequences are stripped: {line:?}");
    signal(child.id(), "INT");
    child.wait().expect("our child");
}

#[tokio::test]
async fn a_pipe_in_and_out() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    let mut child = alice
        .command()
        .arg(alice.place())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("chat");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all("hello from a pipe\n你好\n".as_bytes()).expect("taken");
    for text in ["hello from a pipe", "你好"] {
        bob.expect_from("alice", &format!("PRIVMSG #lobby :{text}")).await;
    }
    drop(stdin);
    let status = crate::harness::wait(&mut child, DEADLINE).expect("it ends with its input");
    assert!(status.success(), "{status}");
    assert_eq!(server.said("#lobby"), ["hello from a pipe", "你好"]);
}

#[tokio::test]
async fn a_wrong_fingerprint_or_password_stops_it() {
    let server = Server::start().await;
    let _bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    let mut command = alice.bare();
    command.arg("--password-file").arg(alice.home.join("password"));
    command.args(["--fingerprint", &"00".repeat(32), "--server", &alice.place(), "send", "#lobby", "no"]);
    run(&mut command, "").fails(1);
    // Nobody to ask whether an unknown certificate is right: refused, with what to do.
    let mut command = alice.bare();
    command.arg("--password-file").arg(alice.home.join("password"));
    command.args(["--server", &alice.place(), "send", "#lobby", "no"]);
    let complaint = run(&mut command, "").fails(1);
    assert!(complaint.contains("--fingerprint"), "{complaint}");
    std::fs::write(alice.home.join("password"), "not-the-word\n").expect("written");
    let complaint = alice.run(&["send", "#lobby", "no"], "").fails(1);
    assert!(!complaint.contains("not-the-word"), "{complaint}");
    assert!(server.said("#lobby").is_empty());
    run(alice.bare().args(["send"]), "").fails(2);
}

#[tokio::test]
async fn a_certificate_file_can_be_trusted() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    let mut command = alice.bare();
    command.arg("--password-file").arg(alice.home.join("password"));
    command.arg("--ca").arg(server.dir().join("server.crt"));
    command.args(["--server", &alice.place(), "send", "#lobby", "trusted"]);
    run(&mut command, "").ok();
    bob.expect_from("alice", "PRIVMSG #lobby :trusted").await;
}

#[tokio::test]
async fn a_script_does_not_use_up_what_waits_for_its_person() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("PRIVMSG bob :only for your eyes").await;
    let bob = Chat::of(&server, "bob");
    bob.run(&["send", "#lobby", "I am a script"], "").ok();
    bob.run(&["history", "#lobby"], "").ok();
    assert!(waiting(&server).await, "the person is told");
    assert!(!waiting(&server).await, "and told once");
}

/// Whether bob, logging in as a person, is told of what alice wrote.
async fn waiting(server: &Server) -> bool {
    let bob = server.login_plain("bob").await;
    let told = bob.greeting.iter().any(|line| line.text().contains("only for your eyes"));
    bob.quit("").await;
    told
}

#[tokio::test]
async fn passwd() {
    let server = Server::start().await;
    let alice = Chat::of(&server, "alice");
    let old = password_of("alice");
    let chat = |args: &[&str], input: &str| {
        let mut command = alice.bare();
        command.arg("--fingerprint").arg(fingerprint(&server.certificate())).args(args);
        run(&mut command, input)
    };
    let new = r#"a "new" word \ of mine"#;
    let place = alice.place();
    let said = chat(&["passwd", &place, "--password-stdin"], &format!("{old}\n{new}\n")).ok();
    assert!(said.contains("is changed") && !said.contains(new), "{said}");
    assert_eq!(server.try_sasl("alice", new).await.0, "903");
    assert_eq!(server.try_sasl("alice", &old).await.0, "904");

    let said = chat(&["passwd", &place, "--password-stdin"], &format!("{new}\nshort\n")).fails(1);
    assert!(said.contains("too short"), "{said}");
    let said = chat(&["passwd", &place, "--password-stdin"], &format!("{old}\nanother-word\n")).fails(1);
    assert!(said.contains("wrong") && !said.contains(&old) && !said.contains("another-word"), "{said}");
    chat(&["passwd", &place, "--password-stdin"], &format!("{new}\n")).fails(1);
    let long = "x".repeat(300);
    assert!(
        chat(&["passwd", &place, "--password-stdin"], &format!("{new}\n{}\n", long.repeat(2)))
            .fails(1)
            .contains("long")
    );

    // The old one from a file, the new one from standard input.
    std::fs::write(alice.home.join("password"), format!("{new}\n")).expect("written");
    alice.run(&["passwd"], "the-third-word\n").ok();
    assert_eq!(server.try_sasl("alice", "the-third-word").await.0, "903");
    assert!(!server.log().text().contains("the-third-word"));
}

#[tokio::test]
async fn register() {
    let server = Server::configure().set("auth.registration", "invite").start().await;
    let erin = Chat::of(&server, "erin");
    let code = server.chatd(&["invite", "new"]).ok();
    let chat = |place: &str, input: &str| {
        let mut command = erin.bare();
        command.arg("--fingerprint").arg(fingerprint(&server.certificate())).args(["register", place]);
        run(&mut command, input)
    };
    let place = erin.place();
    let said = chat(&place.replace("erin", "alice"), "long-password\n").fails(1);
    assert!(said.contains("taken"), "{said}");
    assert!(chat(&place, "short\n").fails(1).contains("short"));
    chat(&place, "long-password\n").fails(1);
    let said = chat(&place, &format!("long-password\nno-code\n{code}")).ok();
    assert!(said.contains("erin") && !said.contains("long-password"), "{said}");
    assert_eq!(server.try_sasl("erin", "long-password").await.0, "903");

    let closed = Server::start().await;
    let frank = Chat::of(&closed, "frank");
    let mut command = frank.bare();
    command.arg("--fingerprint").arg(fingerprint(&closed.certificate())).args(["register", &frank.place()]);
    assert!(run(&mut command, "long-password\n").fails(1).contains("nobody can make an account"));
}

#[tokio::test]
async fn a_client_certificate_instead_of_a_password() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let own = ClientCertificate::make();
    let alice = Chat::of(&server, "alice");
    let (cert, key, both) = (alice.home.join("a.crt"), alice.home.join("a.key"), alice.home.join("a.pem"));
    std::fs::write(&cert, &own.cert_pem).expect("written");
    std::fs::write(&key, &own.key_pem).expect("written");
    std::fs::write(&both, format!("{}{}", own.key_pem, own.cert_pem)).expect("written");
    let chat = |args: &[&str]| {
        let mut command = alice.bare();
        command
            .arg("--fingerprint")
            .arg(fingerprint(&server.certificate()))
            .args(["--server", &alice.place()])
            .args(args);
        run(&mut command, "")
    };
    let (cert, key, both) =
        (cert.to_str().expect("a path"), key.to_str().expect("a path"), both.to_str().expect("a path"));
    let refused = chat(&["--cert", both, "send", "#lobby", "too early"]).fails(1);
    assert!(refused.contains("not registered"), "{refused}");
    server.chatd(&["user", "cert", "add", "alice", both]).ok();
    chat(&["--cert", both, "send", "#lobby", "from one file"]).ok();
    bob.expect_from("alice", "PRIVMSG #lobby :from one file").await;
    chat(&["--cert", cert, "--key", key, "send", "#lobby", "from two"]).ok();
    bob.expect_from("alice", "PRIVMSG #lobby :from two").await;
    chat(&["--cert", cert, "send", "#lobby", "no key"]).fails(2);
    chat(&["--cert", "/nowhere", "send", "#lobby", "no file"]).fails(2);
    chat(&["--key", key, "send", "#lobby", "no certificate"]).fails(2);
    assert_eq!(server.said("#lobby"), ["from one file", "from two"]);
}
