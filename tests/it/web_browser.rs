//! The page in a real browser (Debian's chromium, driven by playwright-core from npm): the scenarios in `tests/web`, each
//! with a server of its own. What a scenario cannot do itself (stop the server, speak IRC) it asks for by a line that
//! starts with `@`. The page's pure modules are tested under `node --test`.
//!
//! Installed by `tests/run`; without them the tests fail, unless CHATD_SKIP_REAL_CLIENTS=1 says that this is meant.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::harness::{Server, eventually};

/// When a scenario is given up as a whole. Its own waits end long before.
const GIVE_UP: std::time::Duration = std::time::Duration::from_secs(300);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Node.js, if these tests are not left out.
fn node(browser: bool) -> Option<Command> {
    if std::env::var("CHATD_SKIP_REAL_CLIENTS").is_ok_and(|value| value == "1") {
        eprintln!("skipped: CHATD_SKIP_REAL_CLIENTS=1");
        return None;
    }
    let clients = root().join("target/clients");
    let chromium = std::env::var_os("CHATD_CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    for path in [clients.join("node_modules/playwright-core"), chromium.clone()] {
        assert!(
            !browser || path.exists(),
            "{} is missing; `tests/run` installs what the tests need (or set CHATD_SKIP_REAL_CLIENTS=1)",
            path.display()
        );
    }
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let own = clients.join(format!("node_modules/node-linux-{arch}/bin/node"));
    let mut command = Command::new(if own.exists() { own } else { "node".into() });
    command.current_dir(root());
    command.env("CHATD_CHROMIUM", chromium).env("CHATD_CLIENTS", format!("{}/", clients.display()));
    Some(command)
}

/// A scenario that is being played.
struct Play {
    name: &'static str,
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Drop for Play {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Play {
    fn start(name: &'static str, server: &Server) -> Option<Play> {
        let mut command = node(true)?;
        command.arg(format!("tests/web/{name}.mjs")).env("CHATD_URL", format!("https://{}/", server.address()));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("Node.js starts");
        let stdin = child.stdin.take().expect("a pipe");
        let pipe = BufReader::new(child.stdout.take().expect("a pipe"));
        let (told, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Some(Play { name, child, stdin, lines })
    }

    /// What it asks for next; `done` at its good end.
    async fn wish(&mut self) -> String {
        let mut said = Vec::new();
        loop {
            let line = timeout(GIVE_UP, self.lines.recv()).await;
            match line.expect("the scenario goes on") {
                Some(line) => match line.strip_prefix('@') {
                    Some(wish) => return wish.to_owned(),
                    None => said.push(line),
                },
                None => panic!("tests/web/{}.mjs failed:\n{}", self.name, said.join("\n")),
            }
        }
    }

    async fn wishes(&mut self, expected: &str) {
        assert_eq!(self.wish().await, expected, "{}", self.name);
    }

    fn answer(&mut self, answer: &str) {
        self.stdin.write_all(format!("{answer}\n").as_bytes()).expect("it listens");
    }
}

/// A scenario that needs nothing of us but the server.
async fn plays(name: &'static str, server: &Server) {
    if let Some(mut play) = Play::start(name, server) {
        play.wishes("done").await;
    }
}

/// A server that has the same port after every start.
async fn server() -> Server {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    Server::configure().set("server.listen", [&*free.to_string()]).start().await
}

#[tokio::test]
async fn pure_modules() {
    let Some(mut node) = node(false) else { return };
    let output = node.args(["--test", "--test-reporter=tap", "tests/web/unit.mjs"]).output().expect("Node.js");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn people_talk() {
    let server = server().await;
    let mut carol = server.login("carol").await;
    let Some(mut play) = Play::start("talk", &server) else { return };
    play.wishes("irc").await;
    carol.expect_from("alice", "PRIVMSG #lobby :hello from the page, 你好").await;
    carol.send("PRIVMSG #lobby :hello from IRC").await;
    carol.sync().await;
    play.answer("said");
    play.wishes("done").await;
    let said = server.said("#lobby");
    assert!(said.iter().any(|text| text.starts_with("first\n\n```\n  two < 3\n```\nword word")), "{said:?}");
}

#[tokio::test]
async fn ten_thousand_lines() {
    let server = server().await;
    let mut carol = server.login("carol").await;
    for start in (0..10_000).step_by(500) {
        let burst = (start..start + 500).map(|n| {
            let more = if n == 4321 { " needle" } else { "" };
            format!("PRIVMSG #lobby :line {n}{more}\r\n")
        });
        carol.send_bytes(burst.collect::<String>().as_bytes()).await;
        carol.sync().await;
    }
    plays("history", &server).await;
}

#[tokio::test]
async fn killed_and_back() {
    let mut server = server().await;
    let Some(mut play) = Play::start("resume", &server) else { return };
    play.wishes("kill").await;
    server.kill9();
    play.answer("killed");
    play.wishes("boot").await;
    server.boot().await;
    let mut carol = server.login("carol").await;
    for n in 0..20 {
        carol.send(format!("PRIVMSG #lobby :missed {n}")).await;
    }
    carol.sync().await;
    play.answer("up");
    let wish = play.wish().await;
    let text = wish.strip_prefix("count ").unwrap_or_else(|| panic!("{wish}"));
    let count = server.said("#lobby").iter().filter(|said| *said == text).count();
    play.answer(&count.to_string());
    play.wishes("done").await;
}

#[tokio::test]
async fn what_is_unread_in_many_rooms() {
    let mut server = server().await;
    let Some(mut play) = Play::start("unread", &server) else { return };
    play.wishes("kill").await;
    server.kill9();
    play.answer("killed");
    play.wishes("boot").await;
    server.boot().await;
    play.answer("up");
    play.wishes("done").await;
}

#[tokio::test]
async fn what_was_not_sent_survives_a_reload() {
    let mut server = server().await;
    let Some(mut play) = Play::start("unsent", &server) else { return };
    play.wishes("stored").await;
    eventually("the message", async || {
        server.said("#lobby").contains(&"stored and not confirmed".to_owned()).then_some(())
    })
    .await;
    play.answer("stored");
    play.wishes("kill").await;
    server.kill9();
    play.answer("killed");
    play.wishes("boot").await;
    server.boot().await;
    let mut carol = server.login("carol").await;
    // More than a page of history.
    let burst: String = (0..250).map(|n| format!("PRIVMSG #lobby :meanwhile {n}\r\n")).collect();
    carol.send_bytes(burst.as_bytes()).await;
    carol.sync().await;
    play.answer("up");
    for _ in 0..2 {
        play.wishes("check").await;
        let said = server.said("#lobby");
        for text in ["before", "stored and not confirmed", "never sent", "of several\nlines"] {
            assert_eq!(said.iter().filter(|each| *each == text).count(), 1, "{text}");
        }
        play.answer("so it is");
    }
    play.wishes("done").await;
}

#[tokio::test]
async fn newcomers_make_accounts() {
    for kind in ["open", "invite", "closed"] {
        let server = Server::configure().set("auth.registration", kind).start().await;
        let Some(mut play) = Play::start("newcomer", &server) else { return };
        play.wishes("kind").await;
        let code = if kind == "invite" { server.chatd(&["invite", "new"]).ok() } else { String::new() };
        play.answer(&format!("{kind} {}", code.trim()));
        play.wishes("done").await;
        assert_eq!(server.chatd(&["user", "list"]).ok().contains("zoë"), kind != "closed");
    }
}

#[tokio::test]
async fn what_is_ones_own() {
    let server = server().await;
    plays("own", &server).await;
}

#[tokio::test]
async fn operators_rule_their_rooms() {
    let server = server().await;
    plays("operators", &server).await;
}

#[tokio::test]
async fn on_a_phone_in_chinese() {
    let server = server().await;
    plays("phone", &server).await;
}

#[tokio::test]
async fn by_keyboard_alone() {
    let server = server().await;
    plays("keyboard", &server).await;
}

#[tokio::test]
async fn every_view_is_for_everybody() {
    let mut server = Server::configure().set("auth.registration", "open").start().await;
    let Some(mut play) = Play::start("access", &server) else { return };
    play.wishes("kill").await;
    server.kill9();
    play.answer("killed");
    play.wishes("done").await;
}

#[tokio::test]
async fn little_is_received_until_one_can_talk() {
    let server = server().await;
    let mut carol = server.login("carol").await;
    carol.send("PRIVMSG #lobby :hello").await;
    carol.sync().await;
    plays("bytes", &server).await;
}

#[tokio::test]
async fn administrators_administer() {
    let server = server().await;
    plays("admin", &server).await;
    assert!(server.chatd(&["user", "list"]).ok().contains("newcomer"));
    assert!(!server.chatd(&["room", "list"]).ok().contains("#plans"));
}
