//! Sessions over pipes in memory, on a real log: what is said arrives once, in order, with the right labels, whatever
//! the publisher, the readers and the pipes are up to at that moment.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_util::sync::CancellationToken;

use super::{Context, Info, Newcomers, Peer, Settings, serve};
use crate::auth::{HashSettings, Hasher, Logins, Password, Secret};
use crate::clock;
use crate::event::EventId;
use crate::log::{self, Intent, Log, Order, Reply, Running};
use crate::net::conn::Conn;
use crate::net::limits::{LoginThrottle, PlaceThrottle, Rate};
use crate::room::{Actor, Wish};
use crate::store::Writer;

#[cfg(test)]
mod dialogues;
#[cfg(test)]
mod races;

const HOST: &str = "chat.test";
const ALL_CAPS: &str = "message-tags server-time batch echo-message labeled-response account-tag extended-join";
const PLENTY: Duration = Duration::from_secs(20);

/// A server without sockets.
struct Bench {
    dir: TempDir,
    ctx: Arc<Context>,
    running: Running,
}

impl Bench {
    /// With these accounts; the first may do anything.
    async fn new(names: &[&str]) -> Bench {
        let bench = Bench::open(tempfile::tempdir().unwrap(), 50);
        let logins = bench.ctx.logins.load_full();
        for name in names {
            let password = Password::entered(&Secret::new(format!("{name}-password"))).unwrap();
            let hash = logins.hash(password, std::net::IpAddr::from([127, 0, 0, 1])).await.unwrap();
            let hash = serde_json::from_value(hash.into()).unwrap();
            let order = Order::AddUser { name: (*name).to_owned(), hash, admin: *name == names[0], bot: false };
            bench.ctx.log.ask(Intent::Order { row: None, order, by: None }).await.unwrap();
        }
        bench
    }

    fn open(dir: TempDir, replay_lines: usize) -> Bench {
        let log_settings = log::Settings {
            host: "chat.example".into(),
            auto_join: Vec::new(),
            everyone_creates: true,
            rooms_per_account: 100,
            tail_memory: 1 << 26,
        };
        let (log, running) = Log::start(dir.path(), clock::now, log_settings).unwrap();
        let quick = HashSettings { memory_kib: 32, iterations: 1, parallelism: 1 };
        let settings = Settings {
            motd: String::new(),
            icon: String::new(),
            admin_contact: String::new(),
            replay_lines,
            missed_lines: 500,
            page_lines: 1000,
            rooms_per_account: 100,
            messages_per_second: 1_000_000,
            message_burst: 1_000_000,
            flood_delay_max: PLENTY,
            client_tags: Default::default(),
            redaction_window: None,
            registration_timeout: PLENTY,
            ping_interval: PLENTY,
            ping_timeout: PLENTY,
            write_deadline: PLENTY,
            presence_grace: Duration::ZERO,
            newcomers: Newcomers::Closed,
        };
        let ctx = Context::new(
            log,
            Logins::new(Arc::new(Hasher::new(quick).unwrap()), 2),
            (LoginThrottle::new(1000, 1000), PlaceThrottle::new(Rate::per_hour(10))),
            settings,
            Info { name: HOST.to_owned(), network: "Test".to_owned(), started: clock::now() },
            clock::now,
            CancellationToken::new(),
        );
        Bench { dir, ctx, running }
    }

    /// Ends the server in order and starts it again on the same data.
    async fn restart(self, replay_lines: usize) -> Bench {
        self.ctx.stopping.cancel();
        self.ctx.tasks.close();
        self.ctx.tasks.wait().await;
        self.ctx.log.stop().await;
        self.running.ended().await;
        drop(self.ctx);
        Bench::open(self.dir, replay_lines)
    }

    /// A client that is logged in; `pipe`: how many bytes are on their way at most.
    async fn login_by(&self, name: &str, caps: &str, pipe: usize) -> Client {
        let (io, server) = duplex(pipe);
        self.login_over(name, caps, io, server).await
    }

    /// The same by a stream whose other end is `server`.
    async fn login_over<S>(&self, name: &str, caps: &str, io: DuplexStream, server: S) -> Client
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + Sync + 'static,
    {
        tokio::spawn(serve(
            Conn::new(server),
            self.ctx.clone(),
            Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), since: std::time::Instant::now(), certificate: None },
        ));
        let mut client = Client { io, input: Vec::new(), syncs: 0 };
        if !caps.is_empty() {
            client.send(&format!("CAP REQ :{caps}")).await;
        }
        client.send(&format!("PASS {name}:{name}-password")).await;
        client.send(&format!("NICK {name}")).await;
        client.send("USER u 0 * :Somebody").await;
        client.send("CAP END").await;
        client
    }

    /// A client whose welcome is over.
    async fn login(&self, name: &str, caps: &str) -> Client {
        let mut client = self.login_by(name, caps, 1 << 16).await;
        client.sync().await;
        client
    }

    /// What an account says, without a session.
    fn says(&self, name: &str, room: &str, text: &str) -> Intent {
        let who = self.ctx.log.roster().by_key(name).unwrap().who();
        let room = self.ctx.log.directory().by_key(room).unwrap().id;
        let wish = Wish::Say {
            speech: crate::event::Speech::Privmsg,
            to: None,
            text: text.into(),
            tags: "".into(),
            cuts: Default::default(),
        };
        Intent::InRoom { room, actor: Actor { who, admin: true }, wish }
    }

    /// These intents in one commit.
    async fn together(&self, intents: Vec<Intent>) {
        let data_dir = self.dir.path().to_owned();
        let (held, is_held) = channel();
        let (release, released) = channel::<()>();
        // While somebody else writes, the writer waits with its group, and the next one gathers.
        let blocker = std::thread::spawn(move || {
            let mut writer = Writer::open(&data_dir).unwrap();
            let tx = writer.begin().unwrap();
            held.send(()).unwrap();
            released.recv().unwrap();
            drop(tx);
        });
        is_held.recv().unwrap();
        let nothing = Intent::Nothing;
        self.ctx.log.submit(nothing, Reply::Nobody).await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        for intent in intents {
            self.ctx.log.submit(intent, Reply::Nobody).await.unwrap();
        }
        release.send(()).unwrap();
        blocker.join().unwrap();
    }

    /// Holds a lock that the publisher needs to ring a room's bells, until the sender is used or dropped.
    fn hold_bells(&self, room: &str) -> Sender<()> {
        let room = self.ctx.log.directory().by_key(room).unwrap();
        hold(move |wait| room.each_reader(|_| wait()))
    }

    /// Holds a lock that the publisher needs to tell an account of a new room.
    fn hold_person(&self, name: &str) -> Sender<()> {
        let person = self.ctx.log.roster().by_key(name).unwrap();
        hold(move |wait| person.each_session(|_| wait()))
    }
}

/// Runs `lock` in a thread of its own; `wait`, called inside, comes back when the sender is used or dropped.
fn hold(lock: impl FnOnce(&dyn Fn()) + Send + 'static) -> Sender<()> {
    let (release, released) = channel();
    let (held, is_held) = channel();
    std::thread::spawn(move || {
        lock(&|| {
            let _ = held.send(());
            let _ = released.recv();
        });
    });
    is_held.recv().unwrap();
    release
}

struct Client {
    io: DuplexStream,
    input: Vec<u8>,
    syncs: usize,
}

impl Client {
    async fn send(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        tokio::time::timeout(PLENTY, self.io.write_all(line.as_bytes())).await.expect("a server that reads").unwrap();
    }

    /// The next line. PINGs of the server are not expected in so short a time.
    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.input.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = String::from_utf8(line).unwrap();
                return line.strip_suffix("\r\n").expect("CR LF").to_owned();
            }
            let mut some = [0; 4096];
            let read = tokio::time::timeout(PLENTY, self.io.read(&mut some)).await;
            let count = read.unwrap_or_else(|_| panic!("nothing came")).unwrap();
            assert!(count > 0, "the connection has ended");
            self.input.extend_from_slice(&some[..count]);
        }
    }

    /// All lines up to the PONG of a PING that is sent now.
    async fn sync(&mut self) -> Vec<String> {
        let token = self.ping().await;
        self.until(&token).await
    }

    async fn ping(&mut self) -> String {
        self.syncs += 1;
        let token = format!("sync-{}", self.syncs);
        self.send(&format!("PING {token}")).await;
        token
    }

    /// All lines up to the PONG with this token.
    async fn until(&mut self, token: &str) -> Vec<String> {
        let end = format!(":{HOST} PONG {HOST} :{token}");
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            if line == end || line == end.replace(&format!(":{token}"), token) {
                return lines;
            }
            lines.push(line);
        }
    }

    /// Sends a line and gives all that came up to the fence behind it.
    async fn ask(&mut self, line: &str) -> Vec<String> {
        self.send(line).await;
        self.sync().await
    }
}

/// The part of a line after tags and source, and only of these commands.
fn told(lines: &[String], command: &str) -> Vec<String> {
    let bare = |line: &String| {
        let line = line.strip_prefix('@').map_or(&**line, |rest| rest.split_once(' ').unwrap().1);
        line.strip_prefix(':').map_or(line, |rest| rest.split_once(' ').unwrap().1).to_owned()
    };
    lines.iter().map(bare).filter(|line| line.split(' ').next() == Some(command)).collect()
}

/// The value of a tag.
fn tag(line: &str, key: &str) -> Option<String> {
    let message = crate::proto::line::Message::parse(line).unwrap();
    message.tags.value(key)
}

/// The ids of the events behind lines, as far as they say.
fn events(lines: &[String]) -> Vec<EventId> {
    lines.iter().filter_map(|line| EventId::from_msgid(&tag(line, "msgid")?)).collect()
}
