//! Clients that others wrote, without a terminal: irc-framework, The Lounge (both from npm) and irc (from PyPI), each
//! driven by a small script in `tests/clients`. They log in, see the past, talk, and come back after a restart of the
//! server without having missed a line.
//!
//! `tests/run` installs them into `target/clients`; as for `real_clients`, without them the tests fail, unless
//! CHATD_SKIP_REAL_CLIENTS=1 says that this is meant.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::harness::{DEADLINE, Server, eventually, password_of};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file that `tests/run` has installed; `None` if these tests are left out.
fn installed(path: &str) -> Option<PathBuf> {
    if std::env::var("CHATD_SKIP_REAL_CLIENTS").is_ok_and(|value| value == "1") {
        eprintln!("skipped: CHATD_SKIP_REAL_CLIENTS=1");
        return None;
    }
    let path = root().join("target/clients").join(path);
    assert!(
        path.exists(),
        "{} is missing; `tests/run` installs what the tests need (or set CHATD_SKIP_REAL_CLIENTS=1)",
        path.display()
    );
    Some(path)
}

/// Node.js: The Lounge wants a newer one than distributions have, so one comes with the clients.
fn node(modules: &Path) -> Command {
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" };
    let own = modules.join(format!("node-linux-{arch}/bin/node"));
    let mut command = Command::new(if own.exists() { own } else { "node".into() });
    command.env("NODE_PATH", modules);
    command
}

/// A server that has the same port after every start.
async fn server() -> Server {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    Server::configure().set("server.listen", [&*free.to_string()]).start().await
}

/// A program that is told what to do by lines, and says what happens by lines.
struct Program {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Program {
    fn start(command: &mut Command) -> Program {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("the client starts");
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        collect(child.stdout.take().expect("a pipe"), lines.clone());
        collect(child.stderr.take().expect("a pipe"), lines.clone());
        Program { child, lines }
    }

    fn irc_framework(server: &Server, modules: &Path, account: &str, login: &str) -> Program {
        let script = root().join("tests/clients/framework.js");
        let mut command = node(modules);
        command.arg(script).args([&*server.address().port().to_string(), account, login]);
        if login.starts_with("web") {
            // The test's certificate is nobody's; a WebSocket of Node.js can be told so in no other way.
            command.env("NODE_TLS_REJECT_UNAUTHORIZED", "0");
        }
        Program::start(command.env("CHAT_PASSWORD", password_of(account)))
    }

    fn python(server: &Server, python: &Path, account: &str, login: &str) -> Program {
        let mut command = Command::new(python);
        command.arg(root().join("tests/clients/bot.py"));
        command.args([&*server.address().port().to_string(), account, login]);
        Program::start(command.env("PYTHONUTF8", "1").env("CHAT_PASSWORD", password_of(account)))
    }

    fn told(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).expect("the client listens");
    }

    fn said(&self) -> Vec<String> {
        self.lines.lock().expect("no panic while held").clone()
    }

    /// Forgets what was said.
    fn forget(&self) {
        self.lines.lock().expect("no panic while held").clear();
    }

    /// Waits for a line that holds all of `words`; gives it back.
    async fn says(&self, words: &[&str]) -> String {
        let find = async || self.said().into_iter().find(|line| words.iter().all(|word| line.contains(word)));
        match tokio::time::timeout(DEADLINE, eventually("a line", find)).await {
            Ok(line) => line,
            Err(_) => panic!("no line with {words:?}:\n{}", self.said().join("\n")),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the client said ---\n{}\n---", self.said().join("\n"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(pipe: impl Read + Send + 'static, lines: Arc<Mutex<Vec<String>>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            lines.lock().expect("no panic while held").push(line);
        }
    });
}

/// What every one of them does: sees the past, talks in a room and in private, comes back after a restart, and has
/// missed nothing that was said meanwhile.
async fn lives_through_a_restart(server: &mut Server, client: &mut Program, account: &str) {
    let mut carol = server.login("carol").await;
    client.says(&["REGISTERED"]).await;
    client.says(&["JOIN #lobby", account]).await;
    client.says(&["MESSAGE privmsg #lobby carol", "said before, 早安"]).await;
    client.told("say #lobby hello from a program, 你好");
    carol.expect_from(account, "PRIVMSG #lobby :hello from a program, 你好").await;
    client.told("say carol only for you");
    carol.expect_from(account, "PRIVMSG carol :only for you").await;
    carol.send(format!("PRIVMSG {account} :and for you")).await;
    client.says(&[&format!("MESSAGE privmsg {account} carol"), "and for you"]).await;
    carol.send("PRIVMSG #lobby :\u{1}ACTION waves\u{1}").await;
    client.says(&["MESSAGE action #lobby carol", "waves"]).await;
    client.forget();
    server.restart().await;
    let mut carol = server.login("carol").await;
    for line in 0..5 {
        carol.send(format!("PRIVMSG #lobby :said while it was away {line}")).await;
        carol.send(format!("PRIVMSG {account} :a word in private {line}")).await;
    }
    client.says(&["CLOSED"]).await;
    client.says(&["REGISTERED"]).await;
    for line in 0..5 {
        client.says(&["MESSAGE privmsg #lobby carol", &format!("said while it was away {line}")]).await;
        client.says(&[&format!("MESSAGE privmsg {account} carol"), &format!("a word in private {line}")]).await;
    }
    client.told("say #lobby back again");
    carol.expect_from(account, "PRIVMSG #lobby :back again").await;
    client.told("quit good night");
    let quit = carol.expect_from(account, "QUIT").await;
    assert!(quit.text().contains("good night"), "{quit:?}");
}

async fn said_before(server: &Server) {
    let mut carol = server.login("carol").await;
    carol.send("PRIVMSG #lobby :said before, 早安").await;
    carol.sync().await;
}

#[tokio::test]
async fn irc_framework_by_sasl() {
    let Some(modules) = installed("node_modules") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut client = Program::irc_framework(&server, &modules, "alice", "sasl");
    lives_through_a_restart(&mut server, &mut client, "alice").await;
}

#[tokio::test]
async fn irc_framework_by_pass() {
    let Some(modules) = installed("node_modules") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut client = Program::irc_framework(&server, &modules, "bob", "pass");
    lives_through_a_restart(&mut server, &mut client, "bob").await;
}

/// As it runs in a browser, in Kiwi IRC for example.
#[tokio::test]
async fn irc_framework_over_websocket() {
    let Some(modules) = installed("node_modules") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut client = Program::irc_framework(&server, &modules, "alice", "web");
    lives_through_a_restart(&mut server, &mut client, "alice").await;
}

/// As it does with servers that know of no subprotocol, at the root of the server.
#[tokio::test]
async fn irc_framework_over_websocket_without_a_subprotocol() {
    let Some(modules) = installed("node_modules") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut client = Program::irc_framework(&server, &modules, "alice", "web-plain");
    lives_through_a_restart(&mut server, &mut client, "alice").await;
}

/// A client that has CHATHISTORY is told nothing unasked; it fetches what it lacks, page by page.
#[tokio::test]
async fn irc_framework_pages_through_history() {
    let Some(modules) = installed("node_modules") else { return };
    let mut server = server().await;
    let mut carol = server.login("carol").await;
    for line in 0..25 {
        carol.send(format!("PRIVMSG #lobby :line {line:02}")).await;
    }
    carol.sync().await;
    let mut client = Program::irc_framework(&server, &modules, "alice", "history");
    client.says(&["USERS #lobby", "carol"]).await;
    assert!(!client.said().iter().any(|line| line.starts_with("MESSAGE")), "nothing unasked: {:?}", client.said());
    client.told("raw CHATHISTORY LATEST #lobby * 10");
    client.says(&["BATCH #lobby 10"]).await;
    let mut heard = Vec::new();
    let texts = |said: &[String]| -> Vec<String> {
        let messages = said.iter().filter(|line| line.starts_with("MESSAGE"));
        messages.map(|line| line[line.find("line ").expect("a text")..].to_owned()).collect()
    };
    for page in 0..3 {
        client.says(&["MESSAGE", &format!("line {:02}", 24 - 10 * page)]).await;
        let said = client.said();
        let messages: Vec<&String> = said.iter().filter(|line| line.starts_with("MESSAGE")).collect();
        assert!(messages.iter().all(|line| line.split(' ').nth(4) == Some("dated")), "{said:?}");
        let oldest = messages[0].split(' ').nth(5).expect("a msgid").to_owned();
        heard.splice(0..0, texts(&said));
        client.forget();
        client.told(&format!("raw CHATHISTORY BEFORE #lobby msgid={oldest} 10"));
        client.says(&["BATCH #lobby"]).await;
    }
    let all: Vec<String> = (0..25).map(|line| format!("line {line:02}")).collect();
    assert_eq!(heard, all);
    // What it missed while the server was away, it asks for by the last it has.
    client.forget();
    carol.send("PRIVMSG #lobby :the last it hears").await;
    let last = client.says(&["the last it hears"]).await.split(' ').nth(5).expect("a msgid").to_owned();
    client.forget();
    server.restart().await;
    let mut carol = server.login("carol").await;
    carol.send("PRIVMSG #lobby :line missed").await;
    carol.sync().await;
    client.says(&["USERS #lobby"]).await;
    client.forget();
    client.told(&format!("raw CHATHISTORY AFTER #lobby msgid={last} 10"));
    client.says(&["BATCH #lobby 1"]).await;
    client.says(&["MESSAGE privmsg #lobby carol", "line missed"]).await;
}

#[tokio::test]
async fn python_irc_by_sasl() {
    let Some(python) = installed("venv/bin/python") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut client = Program::python(&server, &python, "alice", "sasl");
    lives_through_a_restart(&mut server, &mut client, "alice").await;
}

#[tokio::test]
async fn python_irc_by_pass() {
    let Some(python) = installed("venv/bin/python") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut client = Program::python(&server, &python, "bob", "pass");
    lives_through_a_restart(&mut server, &mut client, "bob").await;
}

/// The Lounge is a client that never goes offline: it is told what to say as it connects, and what it sees stands in
/// the files it keeps.
#[tokio::test]
async fn the_lounge_sees_the_past_talks_and_comes_back() {
    let Some(modules) = installed("node_modules") else { return };
    let mut server = server().await;
    said_before(&server).await;
    let mut carol = server.login("carol").await;
    let home = server.dir().join("lounge");
    std::fs::create_dir_all(home.join("users")).expect("a home");
    let config = r#"module.exports = { public: false, host: "127.0.0.1", port: 0, prefetch: false, messageStorage: ["text"],
        fileUpload: { enable: false }, identd: { enable: false }, maxHistory: 1000 };"#;
    std::fs::write(home.join("config.js"), config).expect("written");
    let user = serde_json::json!({
        "password": "", "log": true, "awayMessage": "", "networks": [{
            "uuid": "7d2d5b8e-1f0a-4c56-9d6c-0a1b2c3d4e5f", "name": "chatd", "host": "127.0.0.1",
            "port": server.address().port(), "tls": true, "rejectUnauthorized": false,
            "nick": "alice", "username": "alice", "realname": "alice in The Lounge",
            "sasl": "plain", "saslAccount": "alice", "saslPassword": password_of("alice"),
            "commands": ["/msg #lobby here I am, 你好"], "channels": [{ "name": "#lobby" }]
        }]
    });
    std::fs::write(home.join("users/alice.json"), user.to_string()).expect("written");
    let mut command = node(&modules);
    command.arg(modules.join("thelounge/index.js")).arg("start").env("THELOUNGE_HOME", &home);
    let lounge = Program::start(&mut command);
    carol.expect_from("alice", "PRIVMSG #lobby :here I am, 你好").await;
    let logged = async |text: &str| {
        eventually("a line in the files of The Lounge", async || {
            files(&home.join("logs")).contains(text).then_some(())
        })
        .await;
    };
    logged("<carol> said before, 早安").await;
    carol.send("PRIVMSG #lobby :hello Lounge").await;
    carol.send("PRIVMSG alice :between us").await;
    logged("<carol> hello Lounge").await;
    logged("<carol> between us").await;
    // It comes back by itself only if it had been there for five seconds.
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    server.restart().await;
    let mut carol = server.login("carol").await;
    for line in 0..5 {
        carol.send(format!("PRIVMSG #lobby :said while it was away {line}")).await;
    }
    carol.expect_from("alice", "PRIVMSG #lobby :here I am, 你好").await;
    for line in 0..5 {
        logged(&format!("<carol> said while it was away {line}")).await;
    }
    drop(lounge);
    carol.expect_from("alice", "QUIT").await;
}

/// All that stands in the files below a folder.
fn files(folder: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(folder) else { return String::new() };
    let text = |path: PathBuf| match path.is_dir() {
        true => files(&path),
        false => std::fs::read_to_string(path).unwrap_or_default(),
    };
    entries.flatten().map(|entry| text(entry.path())).collect()
}
