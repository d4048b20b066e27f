//! The real `chatd` in a directory of its own: certificate, accounts, config, log; killed, restarted, looked into.
//!
//! When a [`Server`] goes out of scope its log must not hold a panic; when the test has failed, the end of the log
//! is printed with it.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use super::cli::{self, Finished};
use super::client::{Client, MODERN, Tls};
use super::line::Line;
use super::tls::{self, ClientCertificate, TlsOptions};
use super::{DEADLINE, eventually};

/// Accounts every server has; `root` is an administrator.
pub const PEOPLE: &[&str] = &["alice", "bob", "carol", "dave", "root"];

/// The password of the account `name` in these tests.
pub fn password_of(name: &str) -> String {
    format!("the-word-of-{name}")
}

pub struct Server {
    setup: Setup,
    dir: TempDir,
    child: Option<Child>,
    log: Log,
    address: Option<SocketAddr>,
}

/// What is different about a server: `Server::configure().set("limits.rooms_per_account", 3).start()`.
pub struct Setup {
    keys: BTreeMap<String, BTreeMap<String, String>>,
    users: Vec<(String, Vec<String>)>,
    env: Vec<(String, String)>,
}

/// One line of `chatd history --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub room: String,
    pub seq: u64,
    pub msgid: String,
    pub time: String,
    pub from: Option<String>,
    pub kind: String,
    pub text: Option<String>,
}

impl Entry {
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }
}

/// A value as a config file writes it.
pub trait TomlValue {
    fn toml(&self) -> String;
}

impl TomlValue for &str {
    fn toml(&self) -> String {
        format!("{self:?}")
    }
}

impl TomlValue for i64 {
    fn toml(&self) -> String {
        self.to_string()
    }
}

impl TomlValue for bool {
    fn toml(&self) -> String {
        self.to_string()
    }
}

impl<const N: usize> TomlValue for [&str; N] {
    fn toml(&self) -> String {
        format!("{:?}", self.as_slice())
    }
}

impl Setup {
    /// Sets `table.key`.
    pub fn set(mut self, key: &str, value: impl TomlValue) -> Setup {
        let (table, key) = key.split_once('.').expect("table.key");
        self.keys.entry(table.to_owned()).or_default().insert(key.to_owned(), value.toml());
        self
    }

    /// Adds an account beside [`PEOPLE`].
    pub fn user(mut self, name: &str) -> Setup {
        self.users.push((name.to_owned(), Vec::new()));
        self
    }

    /// Adds an account that may act as administrator.
    pub fn administrator(mut self, name: &str) -> Setup {
        self.users.push((name.to_owned(), vec!["--admin".to_owned()]));
        self
    }

    pub fn users<T: AsRef<str>>(self, names: impl IntoIterator<Item = T>) -> Setup {
        names.into_iter().fold(self, |setup, name| setup.user(name.as_ref()))
    }

    /// An environment variable of the server and of all commands.
    pub fn env(mut self, name: &str, value: &str) -> Setup {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Everything but the running server.
    pub fn prepare(self) -> Server {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let server = Server { setup: self, dir, child: None, log: Log::default(), address: None };
        copy_files(template(), server.dir());
        copy_files(&template().join("data"), &server.data_dir());
        server.write_config();
        for (name, flags) in &server.setup.users {
            server.add_user(name, flags);
        }
        server
    }

    pub async fn start(self) -> Server {
        let mut server = self.prepare();
        server.boot().await;
        server
    }

    fn config(&self) -> String {
        let mut text = String::new();
        for (table, keys) in &self.keys {
            text.push_str(&format!("[{table}]\n"));
            for (key, value) in keys {
                text.push_str(&format!("{key} = {value}\n"));
            }
        }
        text
    }
}

impl Default for Setup {
    fn default() -> Setup {
        let setup = Setup { keys: BTreeMap::new(), users: Vec::new(), env: Vec::new() };
        setup
            .set("server.name", "chat.test")
            .set("server.listen", ["127.0.0.1:0"])
            .set("server.data_dir", "data")
            .set("server.presence_grace", "100ms")
            .set("tls.cert", "server.crt")
            .set("tls.key", "server.key")
            .set("auth.argon2_memory_kib", 64)
            .set("auth.argon2_iterations", 1)
            .set("limits.messages_per_second", 1_000_000)
            .set("limits.message_burst", 1_000_000)
            .set("limits.connections_per_ip", 10_000)
            .set("limits.connects_per_minute", 1_000_000)
            .set("limits.logins_per_minute", 100_000)
            .set("log.format", "json")
    }
}

impl Server {
    /// A server like any, running.
    pub async fn start() -> Server {
        Setup::default().start().await
    }

    pub fn configure() -> Setup {
        Setup::default()
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where `data_dir` of the config points.
    pub fn data_dir(&self) -> PathBuf {
        self.dir().join(self.setup.keys["server"]["data_dir"].trim_matches('"'))
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir().join("config.toml")
    }

    /// Changes `table.key` in the file; the running server learns of it by SIGHUP or a restart.
    pub fn reconfigure(&mut self, key: &str, value: impl TomlValue) {
        let setup = std::mem::take(&mut self.setup);
        self.setup = setup.set(key, value);
        self.write_config();
    }

    pub fn write_config(&self) {
        std::fs::write(self.config_path(), self.setup.config()).expect("config.toml");
    }

    // --- running and ending ---

    /// Starts the server and waits until it listens.
    pub async fn boot(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let mut command = self.command();
        let mut child = command
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chatd starts");
        let start = self.log.len();
        self.log.follow(child.stderr.take().expect("piped"));
        self.child = Some(child);
        let address = eventually("the line \"listening\" in the log", async || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().expect("our child")) {
                panic!("chatd ended at the start ({status}):\n{}", self.log.tail());
            }
            let listening = self.log.records(start).into_iter().find(|record| record.message == "listening")?;
            listening.field("address").parse().ok()
        })
        .await;
        self.address = Some(address);
    }

    pub fn address(&self) -> SocketAddr {
        self.address.expect("a running server")
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("a running server").id()
    }

    /// Power cut.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("a running server");
        child.kill().expect("SIGKILL");
        child.wait().expect("our child");
    }

    /// Asks the server to stop; see [`Server::ended`].
    pub fn sigterm(&self) {
        cli::signal(self.pid(), "TERM");
    }

    pub fn sighup(&self) {
        cli::signal(self.pid(), "HUP");
    }

    /// Waits until the server has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("a running server");
        eventually("the end of the server", async || child.try_wait().expect("our child")).await
    }

    /// Stops politely and starts again.
    pub async fn restart(&mut self) {
        self.sigterm();
        let status = self.ended().await;
        assert!(status.success(), "the server ended with {status}");
        self.boot().await;
    }

    // --- commands ---

    /// Runs `chatd` with this server's config.
    pub fn chatd(&self, args: &[&str]) -> Finished {
        self.chatd_with_input(args, "")
    }

    pub fn chatd_with_input(&self, args: &[&str], input: &str) -> Finished {
        cli::run(self.command().args(args), input)
    }

    /// `chatd --config FILE`, to be completed.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
        command.current_dir(self.dir()).arg("--config").arg(self.config_path());
        command.env("NO_COLOR", "1").envs(self.setup.env.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn add_user(&self, name: &str, flags: &[String]) {
        let flags = flags.iter().map(String::as_str);
        let args: Vec<&str> = ["user", "add", name, "--password-stdin"].into_iter().chain(flags).collect();
        self.chatd_with_input(&args, &format!("{}\n", password_of(name))).ok();
    }

    /// The whole history of a room, as `chatd history` prints it.
    pub fn history(&self, room: &str) -> Vec<Entry> {
        let printed = self.chatd(&["history", room, "--last", "1000000", "--format", "json"]).ok();
        printed.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|err| panic!("{err}: {line}"))).collect()
    }

    /// What people said in a room, by the history.
    pub fn said(&self, room: &str) -> Vec<String> {
        let spoken = |entry: &Entry| entry.kind == "message" || entry.kind == "notice";
        self.history(room).into_iter().filter(spoken).map(|entry| entry.text().to_owned()).collect()
    }

    // --- looking in ---

    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Resident memory in bytes.
    pub fn rss(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("/proc");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
        let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
        kib * 1024
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        tls::read_certificate(&self.dir().join("server.crt"))
    }

    // --- connecting ---

    /// TCP alone.
    pub async fn connect_tcp(&self) -> TcpStream {
        timeout(DEADLINE, TcpStream::connect(self.address())).await.expect("in time").expect("a connection")
    }

    /// TLS, and not a word said.
    pub async fn connect_raw(&self) -> Client {
        let stream = self.handshake(self.connect_tcp().await, &TlsOptions::default()).await;
        Client::new("nobody yet", stream.expect("a TLS connection"))
    }

    /// TLS by a client that has this certificate, and not a word said.
    pub async fn connect_certified(&self, certificate: &ClientCertificate) -> Client {
        let options = TlsOptions { certificate: Some(certificate.clone()), ..TlsOptions::default() };
        let stream = self.handshake(self.connect_tcp().await, &options).await;
        Client::new("somebody certified", stream.expect("a TLS connection"))
    }

    /// TLS whose client takes in little by itself, so that not reading is felt by the server.
    pub async fn connect_narrow(&self, name: &str) -> Client {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a small buffer");
        let tcp = timeout(DEADLINE, socket.connect(self.address())).await.expect("in time").expect("a connection");
        Client::new(name, self.handshake(tcp, &TlsOptions::default()).await.expect("a TLS connection"))
    }

    pub async fn handshake(&self, tcp: TcpStream, options: &TlsOptions) -> std::io::Result<Tls> {
        self.handshake_pinned(tcp, options, Some(self.certificate())).await
    }

    /// A handshake that accepts `pinned` alone, or any certificate.
    pub async fn handshake_pinned(
        &self,
        tcp: TcpStream,
        options: &TlsOptions,
        pinned: Option<CertificateDer<'static>>,
    ) -> std::io::Result<Tls> {
        let name = ServerName::try_from("chat.test").expect("a name");
        let connector = tls::connector(pinned, options);
        timeout(DEADLINE, connector.connect(name, tcp)).await.expect("the handshake did not end")
    }

    /// Logs in as a client of today; returns when all of the login's lines have come (see [`Client::greeting`]).
    pub async fn login(&self, name: &str) -> Client {
        self.login_with(name, MODERN).await
    }

    /// Logs in as an administrator who uses the powers of one.
    pub async fn login_oper(&self, name: &str) -> Client {
        let mut client = self.login(name).await;
        let answer = client.ask(&format!("OPER {name} {}", password_of(name))).await;
        assert!(answer.iter().any(|line| line.is("381")), "{name} gets no powers: {answer:?}");
        client
    }

    /// Logs in by SASL with exactly these capabilities.
    pub async fn login_with(&self, name: &str, caps: &[&str]) -> Client {
        let stream = self.handshake(self.connect_tcp().await, &TlsOptions::default()).await;
        login_over(Client::new(name, stream.expect("a TLS connection")), name, caps).await
    }

    /// Logs in as a client of twenty years ago: PASS, NICK, USER.
    pub async fn login_plain(&self, name: &str) -> Client {
        let stream = self.handshake(self.connect_tcp().await, &TlsOptions::default()).await;
        let mut client = Client::new(name, stream.expect("a TLS connection"));
        client.send(format!("PASS {}", password_of(name))).await;
        client.send(format!("NICK {name}")).await;
        client.send(format!("USER {name} 0 * :{name} the tester")).await;
        welcome(client).await
    }

    /// Tries SASL PLAIN; the numeric that answered (`903` or an error) and the client as it stands.
    pub async fn try_sasl(&self, name: &str, password: &str) -> (String, Client) {
        let mut client = self.connect_raw().await;
        client.send("CAP REQ :sasl").await;
        client.expect("CAP * ACK :*sasl*").await;
        client.send(format!("NICK {name}")).await;
        client.send(format!("USER {name} 0 * :{name} the tester")).await;
        let line = sasl_plain(&mut client, name, password).await;
        (line.command, client)
    }
}

/// Logs in on a connection that is there already.
pub async fn login_over(mut client: Client, name: &str, caps: &[&str]) -> Client {
    client.send("CAP LS 302").await;
    client.send(format!("NICK {name}")).await;
    client.send(format!("USER {name} 0 * :{name} the tester")).await;
    client.expect("CAP * LS").await;
    client.send(format!("CAP REQ :sasl {}", caps.join(" "))).await;
    client.expect("CAP * ACK").await;
    let answer = sasl_plain(&mut client, name, &password_of(name)).await;
    assert_eq!(answer.command, "903", "{name} cannot log in: {answer:?}");
    client.send("CAP END").await;
    welcome(client).await
}

/// Does SASL PLAIN; the numeric that decided.
pub async fn sasl_plain(client: &mut Client, name: &str, password: &str) -> Line {
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload("", name, password))).await;
    client.expect("902|903|904|905|906|907|ERROR").await
}

pub fn sasl_payload(authzid: &str, name: &str, password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{authzid}\0{name}\0{password}"))
}

/// Reads on from a login that has been sent to its end.
pub async fn welcome(mut client: Client) -> Client {
    let mut greeting = client.expect_until("the welcome, 001", |line| line.is("001")).await;
    greeting.extend(client.sync().await);
    client.greeting = greeting;
    client
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.log.settle();
        if std::thread::panicking() {
            eprintln!("--- the end of the server's log ---\n{}\n---", self.log.tail());
        } else {
            assert!(!self.log.text().contains("panicked"), "the server panicked:\n{}", self.log.tail());
        }
    }
}

/// What the server wrote to standard error, over all its starts.
#[derive(Default)]
pub struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    readers: Vec<std::thread::JoinHandle<()>>,
}

/// One line of the log, as JSON.
#[derive(Debug)]
pub struct Record {
    pub level: String,
    pub message: String,
    pub json: serde_json::Value,
}

impl Record {
    pub fn field(&self, name: &str) -> &str {
        self.json["fields"][name].as_str().unwrap_or_default()
    }
}

impl Log {
    pub fn len(&self) -> usize {
        self.lines.lock().expect("no panic while held").len()
    }

    pub fn text(&self) -> String {
        self.lines.lock().expect("no panic while held").join("\n")
    }

    /// The JSON lines from line `start` on.
    pub fn records(&self, start: usize) -> Vec<Record> {
        let lines = self.lines.lock().expect("no panic while held");
        let read = |line: &String| {
            let json: serde_json::Value = serde_json::from_str(line).ok()?;
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            Some(Record { level: text(&json["level"]), message: text(&json["fields"]["message"]), json })
        };
        lines.iter().skip(start).filter_map(read).collect()
    }

    /// Waits for a warning or an error that was logged after line `start`.
    pub async fn complaint(&self, start: usize) -> Record {
        eventually("a warning in the log", async || {
            self.records(start).into_iter().find(|record| record.level == "WARN" || record.level == "ERROR")
        })
        .await
    }

    fn tail(&self) -> String {
        let lines = self.lines.lock().expect("no panic while held");
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    fn follow(&mut self, pipe: impl std::io::Read + Send + 'static) {
        let lines = self.lines.clone();
        self.readers.push(std::thread::spawn(move || {
            for line in std::io::BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                lines.lock().expect("no panic while held").push(String::from_utf8_lossy(&line).into_owned());
            }
        }));
    }

    /// After the server's end: everything it wrote has been read.
    fn settle(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

/// Certificate, config and [`PEOPLE`], made once by the real commands and copied for each server.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        remove_abandoned(parent);
        let dir = parent.join(format!("template-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("the template's directory");
        let setup = Setup::default();
        std::fs::write(dir.join("config.toml"), setup.config()).expect("config.toml");
        let chatd = |args: &[&str], input: &str| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_chatd"));
            cli::run(command.current_dir(&dir).args(["--config", "config.toml"]).args(args), input).ok()
        };
        chatd(&["cert", "new", "--name", "chat.test"], "");
        for name in PEOPLE {
            let mut args = vec!["user", "add", name, "--password-stdin"];
            if *name == "root" {
                args.push("--admin");
            }
            chatd(&args, &format!("{}\n", password_of(name)));
        }
        dir
    })
}

/// Removes the templates of test runs that are over.
fn remove_abandoned(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(pid) = name.strip_prefix("template-") else { continue };
        if !Path::new("/proc").join(pid).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("the template").flatten() {
        if entry.file_type().expect("its type").is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}
