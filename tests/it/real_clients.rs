//! Clients that others wrote, as people run them: irssi and WeeChat from Debian, each in a terminal of its own (tmux).
//!
//! They log in by SASL with the certificate pinned, see the past, talk. Installed by `tests/run`; without them the
//! tests fail, unless CHATD_SKIP_REAL_CLIENTS=1 says that this is meant.

use std::path::Path;
use std::process::Command;

use crate::harness::{Server, eventually, fingerprint, password_of};

/// Whether to leave out these tests. Fails if a program is missing and nobody said that it may.
pub fn left_out() -> bool {
    if std::env::var("CHATD_SKIP_REAL_CLIENTS").is_ok_and(|value| value == "1") {
        eprintln!("skipped: CHATD_SKIP_REAL_CLIENTS=1");
        return true;
    }
    for program in ["tmux", "irssi", "weechat"] {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        assert!(
            found.is_ok_and(|output| output.status.success()),
            "{program} is not installed; `tests/run` installs what the tests need (or set CHATD_SKIP_REAL_CLIENTS=1)"
        );
    }
    false
}

/// A program in a terminal: keys go in, its screen is looked at.
pub struct Terminal {
    socket: std::path::PathBuf,
}

impl Terminal {
    fn open(home: &Path, command: &[&str]) -> Terminal {
        Terminal::open_sized(home, (150, 50), command)
    }

    pub fn open_sized(home: &Path, (columns, rows): (u16, u16), command: &[&str]) -> Terminal {
        std::fs::create_dir_all(home).expect("a home");
        let terminal = Terminal { socket: home.join("tmux") };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let size = ["new-session", "-d", "-x", &columns, "-y", &rows];
        let mut tmux = terminal.tmux();
        tmux.env("HOME", home).env_remove("TMUX").args(size).args(command);
        let output = tmux.output().expect("tmux");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        terminal
    }

    /// Types a line and Enter.
    pub fn types(&self, line: &str) {
        for keys in [&["-l", line][..], &["Enter"]] {
            let output = self.tmux().arg("send-keys").args(keys).output().expect("tmux");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Presses keys, as tmux calls them.
    pub fn keys(&self, keys: &[&str]) {
        let output = self.tmux().arg("send-keys").args(keys).output().expect("tmux");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Pastes as terminals do it, in brackets.
    pub fn paste(&self, text: &str) {
        for arguments in [&["set-buffer", text][..], &["paste-buffer", "-p", "-r"]] {
            let output = self.tmux().args(arguments).output().expect("tmux");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let output = self.tmux().args(["resize-window", "-x", &columns, "-y", &rows]).output().expect("tmux");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Writes what the program says to the terminal into a file, byte by byte, from now on.
    pub fn records(&self, file: &Path) {
        let output = self.tmux().args(["pipe-pane", &format!("cat > '{}'", file.display())]).output().expect("tmux");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The process id of a program that was started by the shell in here.
    pub fn program(&self, name: &str) -> String {
        let output = self.tmux().args(["display-message", "-p", "#{pane_pid}"]).output().expect("tmux");
        let shell = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let output = Command::new("pgrep").args(["-P", &shell, "-x", name]).output().expect("pgrep");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub fn screen(&self) -> String {
        let output = self.tmux().args(["capture-pane", "-p"]).output().expect("tmux");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until a line of the screen holds all of `words`; gives it back.
    pub async fn shows(&self, words: &[&str]) -> String {
        let seen = |screen: &str| {
            let mut lines = screen.lines();
            lines.find(|line| words.iter().all(|word| line.contains(word))).map(str::to_owned)
        };
        let waiting = eventually("a line on a screen", async || seen(&self.screen()));
        match tokio::time::timeout(crate::harness::DEADLINE - std::time::Duration::from_secs(1), waiting).await {
            Ok(line) => line,
            Err(_) => panic!("no line with {words:?} on the screen:\n{}", self.screen()),
        }
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-f", "/dev/null", "-S"]).arg(&self.socket).env("LANG", "C.UTF-8").env("LC_ALL", "C.UTF-8");
        tmux.env("TERM", "xterm-256color");
        tmux
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the screen ---\n{}\n---", self.screen());
        }
        let _ = self.tmux().arg("kill-server").output();
    }
}

/// irssi, logged in by SASL as `name`, the window of #lobby in front.
async fn irssi(server: &Server, name: &str) -> Terminal {
    let home = server.dir().join(format!("irssi-{name}"));
    std::fs::create_dir_all(&home).expect("a home");
    let plain = fingerprint(&server.certificate()).to_uppercase();
    let pin: Vec<&str> = (0..plain.len()).step_by(2).map(|at| &plain[at..at + 2]).collect();
    let config = format!(
        r#"servers = ({{ address = "127.0.0.1"; port = "{port}"; chatnet = "chatd"; autoconnect = "yes";
             use_tls = "yes"; tls_verify = "no"; tls_pinned_cert = "{pin}"; }});
           chatnets = {{ chatd = {{ type = "IRC"; nick = "{name}"; username = "{name}"; realname = "{name} in irssi";
             sasl_mechanism = "plain"; sasl_username = "{name}"; sasl_password = "{password}"; }}; }};
           settings = {{ core = {{ server_reconnect_time = "1s"; real_name = "{name} in irssi"; nick = "{name}"; user_name = "{name}"; }}; }};
        "#,
        port = server.address().port(),
        pin = pin.join(":"),
        password = password_of(name),
    );
    std::fs::write(home.join("config"), config).expect("written");
    let terminal = Terminal::open(&home, &["irssi", "--home", home.to_str().expect("UTF-8")]);
    eventually("the window of #lobby", async || {
        terminal.types("/window goto #lobby");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        terminal.screen().contains("[#lobby]").then_some(())
    })
    .await;
    terminal
}

/// WeeChat, logged in by SASL as `name`, the buffer of #lobby in front.
async fn weechat(server: &Server, name: &str) -> Terminal {
    let home = server.dir().join(format!("weechat-{name}"));
    let version = Command::new("weechat").arg("--version").output().expect("weechat");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let major: u32 = version.split('.').next().and_then(|number| number.trim().parse().ok()).unwrap_or(0);
    let tls = if major >= 4 { "tls" } else { "ssl" };
    let server_add = format!(
        "/server add chatd 127.0.0.1/{} -{tls} -{tls}_fingerprint={} -sasl_mechanism=plain -sasl_username={name} \
         -sasl_password={} -nicks={name} -autoreconnect_delay=1 -realname=\"{name} in WeeChat\"",
        server.address().port(),
        fingerprint(&server.certificate()),
        password_of(name),
    );
    let home_text = home.to_str().expect("UTF-8");
    let args = ["weechat", "-d", home_text, "-r", &server_add, "-r", "/connect chatd"];
    let terminal = Terminal::open(&home, &args);
    terminal.shows(&["#lobby"]).await;
    terminal.types("/buffer #lobby");
    terminal
}

#[tokio::test]
async fn irssi_sees_the_past_and_talks() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut carol = server.login("carol").await;
    carol.send("PRIVMSG #lobby :said before irssi came, 早安").await;
    carol.sync().await;
    let alice = irssi(&server, "alice").await;
    carol.expect_from("alice", "JOIN #lobby").await;
    alice.shows(&["carol", "said before irssi came, 早安"]).await;
    alice.types("hello from irssi, 你好");
    carol.expect_from("alice", "PRIVMSG #lobby :hello from irssi, 你好").await;
    carol.send("PRIVMSG #lobby :hello irssi").await;
    alice.shows(&["carol", "hello irssi"]).await;
    alice.types("/me waves");
    carol.expect_from("alice", "PRIVMSG #lobby :\u{1}ACTION waves\u{1}").await;
    alice.types("/topic #lobby set in irssi");
    alice.types("/join #made-in-irssi");
    carol.sync().await;
    alice.shows(&["#made-in-irssi"]).await;
    alice.types("/topic #made-in-irssi a topic of irssi's own");
    eventually("the topic", async || {
        let answer = carol.ask("LIST #made-in-irssi").await;
        answer.iter().any(|line| line.is("322") && line.text().contains("irssi's own")).then_some(())
    })
    .await;
    alice.types("/msg carol only for you");
    carol.expect_from("alice", "PRIVMSG carol :only for you").await;
    alice.types("/quit good night");
    let quit = carol.expect_from("alice", "QUIT").await;
    assert!(quit.text().contains("good night"), "{quit:?}");
}

#[tokio::test]
async fn weechat_sees_the_past_and_talks() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut carol = server.login("carol").await;
    carol.send("PRIVMSG #lobby :said before WeeChat came, 早安").await;
    carol.sync().await;
    let bob = weechat(&server, "bob").await;
    carol.expect_from("bob", "JOIN #lobby").await;
    bob.shows(&["carol", "said before WeeChat came, 早安"]).await;
    bob.types("hello from WeeChat, 你好");
    carol.expect_from("bob", "PRIVMSG #lobby :hello from WeeChat, 你好").await;
    carol.send("PRIVMSG #lobby :hello WeeChat").await;
    bob.shows(&["carol", "hello WeeChat"]).await;
    bob.types("/me waves");
    carol.expect_from("bob", "PRIVMSG #lobby :\u{1}ACTION waves\u{1}").await;
    bob.types("/msg carol only for you");
    carol.expect_from("bob", "PRIVMSG carol :only for you").await;
    bob.types("/quit good night");
    let quit = carol.expect_from("bob", "QUIT").await;
    assert!(quit.text().contains("good night"), "{quit:?}");
}

/// Both come back by themselves after a restart, are told what was said meanwhile, and page through what is older by
/// asking the service.
#[tokio::test]
async fn irssi_and_weechat_survive_a_restart_and_page_through_history() {
    if left_out() {
        return;
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let listen = free.to_string();
    let mut server = Server::configure().set("server.listen", [&*listen]).set("history.replay_lines", 5).start().await;
    let mut carol = server.login("carol").await;
    for line in 0..40 {
        carol.send(format!("PRIVMSG #lobby :number {line:02}.")).await;
    }
    carol.sync().await;
    let alice = irssi(&server, "alice").await;
    let bob = weechat(&server, "bob").await;
    for client in [&alice, &bob] {
        client.shows(&["carol", "number 39."]).await;
        client.types("/msg chatd history #lobby 10");
    }
    for (client, window) in [(&alice, "/query chatd"), (&bob, "/buffer chatd")] {
        let answer = async || {
            client.types(window);
            tokio::time::sleep(std::time::Duration::from_millis(300)).await;
            let screen = client.screen();
            screen.lines().find(|line| line.contains("before ")).map(str::to_owned)
        };
        eventually("the way to go on", answer).await;
        client.shows(&["number 30."]).await;
        client.types("/msg chatd history #lobby 10 before 2000-01-01");
    }
    alice.types("/window goto #lobby");
    bob.types("/buffer #lobby");
    server.restart().await;
    let mut carol = server.login("carol").await;
    carol.send("PRIVMSG #lobby :said while they were away").await;
    carol.sync().await;
    alice.shows(&["carol", "said while they were away"]).await;
    bob.shows(&["carol", "said while they were away"]).await;
    alice.types("irssi is back");
    carol.expect_from("alice", "PRIVMSG #lobby :irssi is back").await;
    bob.types("WeeChat is back");
    carol.expect_from("bob", "PRIVMSG #lobby :WeeChat is back").await;
}

#[tokio::test]
async fn irssi_and_weechat_talk_to_each_other() {
    if left_out() {
        return;
    }
    let mut server = Server::start().await;
    let alice = irssi(&server, "alice").await;
    let bob = weechat(&server, "bob").await;
    alice.shows(&["bob", "has joined"]).await;
    alice.types("can you read me in WeeChat?");
    bob.shows(&["alice", "can you read me in WeeChat?"]).await;
    bob.types("loud and clear, irssi");
    alice.shows(&["bob", "loud and clear, irssi"]).await;
    bob.types("/quit off");
    alice.shows(&["bob", "has quit"]).await;
    drop(bob);
    alice.types("written while bob was away");
    let bob = weechat(&server, "bob").await;
    bob.shows(&["alice", "can you read me in WeeChat?"]).await;
    bob.shows(&["bob", "loud and clear, irssi"]).await;
    bob.shows(&["alice", "written while bob was away"]).await;
    let said = ["can you read me in WeeChat?", "loud and clear, irssi", "written while bob was away"];
    assert_eq!(server.said("#lobby"), said);
    server.restart().await;
    assert_eq!(server.said("#lobby"), said);
}

/// Our own client on a terminal: the password of /oper is neither shown nor brought back.
#[tokio::test]
async fn chat_asks_for_the_password_of_oper() {
    if left_out() {
        return;
    }
    let server = Server::start().await;
    let mut carol = server.login("carol").await;
    let home = server.dir().join("chat-root");
    std::fs::create_dir_all(&home).expect("a home");
    let file = home.join("password");
    std::fs::write(&file, format!("{}\n", password_of("root"))).expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("made private");
    let (pin, place) = (fingerprint(&server.certificate()), format!("root@127.0.0.1:{}", server.address().port()));
    let file = file.to_str().expect("UTF-8");
    let chat = [env!("CARGO_BIN_EXE_chat"), "--plain", "--password-file", file, "--fingerprint", &pin, &place];
    let root = Terminal::open(&home, &chat);
    root.shows(&["#lobby", ">"]).await;
    root.types("/oper root typed-too-early");
    root.shows(&["/oper ACCOUNT, and you are asked"]).await;
    root.types("/oper");
    root.shows(&["Password of root:"]).await;
    root.types("wrong-word");
    root.shows(&["wrong account or password"]).await;
    root.types("/oper root");
    root.shows(&["Password of root:"]).await;
    root.types(&password_of("root"));
    root.shows(&["You are now an administrator"]).await;
    assert!(carol.query("WHO root").await[0].param(6).starts_with("H*"));
    root.types("after that");
    carol.expect_from("root", "PRIVMSG #lobby :after that").await;
    assert!(
        !root.screen().contains(&password_of("root")) && !root.screen().contains("wrong-word"),
        "{}",
        root.screen()
    );
    let _ = root.tmux().args(["send-keys", "Up", "Up", "Up"]).output();
    root.shows(&["> /oper"]).await;
    assert!(!root.screen().contains("typed-too-early"), "{}", root.screen());
}
