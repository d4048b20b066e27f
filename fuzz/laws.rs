//! What must hold whatever bytes come: a law for each place where the server reads what strangers write. Plain functions,
//! so that they are tried in two ways: `tests/it/fuzz.rs` runs them over the corpus and some mutations of it with every
//! test run, and the targets beside this file hand them to libFuzzer for as long as one likes (see `docs/fuzzing.md`).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use chatd::auth::{HashSettings, Hasher, Logins, Password, Secret};
use chatd::clock;
use chatd::config::Config;
use chatd::log::{self, Intent, Log, Order, Running};
use chatd::net::conn::{Conn, Turn};
use chatd::net::framing::{Frame, LineReader, fits};
use chatd::net::limits::{LoginThrottle, PlaceThrottle, Rate};
use chatd::net::proxy::read_source;
use chatd::proto::line::{Line, Message, Tags, escape, unescape};
use chatd::proto::sasl::{CHUNK, Chunks, Plain};
use chatd::proto::tags::{TagFilter, is_passing};
use chatd::session::{Context, Info, Newcomers, Peer, Settings};
use chatd::web::{self, Patience, Site};

/// A law, by its name.
pub type Law = (&'static str, fn(&[u8]));

/// All of them. Each has a folder of this name in `corpus`, and a file in `fuzz_targets`.
pub const LAWS: &[Law] = &[
    ("line", line),
    ("tags", tags),
    ("sasl", sasl),
    ("chathistory", chathistory),
    ("session", session),
    ("http", http),
    ("websocket", websocket),
    ("config", config),
    ("proxy", proxy),
];

/// Longer than anything that is read at once.
const PLENTY: Duration = Duration::from_secs(60);

/// The pieces in which bytes come make no difference to the lines; a line that is a message, printed and read again, is the
/// same message.
pub fn line(data: &[u8]) {
    let whole = frames([data]);
    let (first, second) = data.split_at(data.len() / 3);
    assert_eq!(frames([first, second]), whole);
    assert_eq!(frames(data.chunks(1)), whole);
    for line in whole.into_iter().flatten() {
        assert!(fits(line.as_bytes()));
        let Ok(message) = Message::parse(&line) else { continue };
        let mut printed = Line::new();
        for (key, value) in values(message.tags) {
            printed = printed.tag(&key, &value);
        }
        if let Some(source) = message.source {
            printed = printed.source(source);
        }
        printed = printed.command(message.command);
        for (at, param) in message.params.iter().enumerate() {
            printed = if at + 1 == message.params.len() { printed.last(param) } else { printed.param(param) };
        }
        let again = Message::parse(printed.as_str()).expect("what is printed can be read");
        assert_eq!((again.source, again.command), (message.source, message.command));
        assert_eq!(again.params[..], message.params[..]);
        assert_eq!(values(again.tags), values(message.tags));
    }
}

fn values(tags: Tags<'_>) -> Vec<(String, String)> {
    tags.raw_pairs().map(|(key, value)| (key.to_owned(), unescape(value))).collect()
}

/// The lines of these pieces; `None`: one that is not taken.
fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Option<String>> {
    let (mut reader, mut input, mut found) = (LineReader::new(), BytesMut::new(), Vec::new());
    for piece in pieces {
        input.extend_from_slice(piece);
        while let Some(frame) = reader.next(&mut input) {
            found.push(match frame {
                Frame::Line(line) => Some(line.to_owned()),
                Frame::TooLong | Frame::NotUtf8(_) => None,
            });
        }
        assert!(input.len() <= chatd::net::framing::PARTIAL_MAX);
    }
    found
}

/// A text comes back from a tag as it went in; what is relayed of a line's tags are client-only tags, each once, and would
/// be relayed again.
pub fn tags(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut escaped = String::new();
    escape(&text, &mut escaped);
    assert!(!escaped.contains([' ', ';', '\r', '\n']));
    assert_eq!(unescape(&escaped), text);

    let (denied, line) = text.split_once('\n').unwrap_or(("", &text));
    let words: Vec<&str> = denied.split(',').filter(|word| !word.is_empty()).collect();
    let Ok(filter) = TagFilter::parse(&words) else { return };
    let tags = Tags::of(line);
    let relayed = filter.relayed(&tags);
    let keys: Vec<&str> = relayed.split(';').filter(|tag| !tag.is_empty()).map(key_of).collect();
    assert!(keys.iter().all(|key| key.starts_with('+')), "{relayed:?}");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{relayed:?}");
    for key in keys {
        assert_eq!(Tags::of(&format!("@{relayed} X")).value(key), tags.value(key));
    }
    assert_eq!(filter.relayed(&Tags::of(&format!("@{relayed} X"))), relayed);
    is_passing(&relayed);
}

fn key_of(tag: &str) -> &str {
    tag.split_once('=').map_or(tag, |(key, _)| key)
}

/// A message that was taken is what was sent, and PLAIN's three parts are the message again.
pub fn sasl(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (mut chunks, mut sent) = (Chunks::default(), String::new());
    for param in text.split('\n') {
        match chunks.push(param) {
            Ok(None) => {
                assert_eq!(param.len(), CHUNK);
                sent.push_str(param);
            }
            Ok(Some(message)) => {
                sent.push_str(if param == "+" { "" } else { param });
                assert_eq!(STANDARD.encode(&*message), sent);
                sent.clear();
                if let Ok(Plain { authorize_as, account, password }) = Plain::parse(&message) {
                    assert_eq!([&*authorize_as, "\0", &*account, "\0", &**password].concat().as_bytes(), &**message);
                    assert!(!account.is_empty() && !password.is_empty());
                }
            }
            Err(_) => sent.clear(),
        }
    }
    if let Ok(plain) = Plain::parse(data) {
        assert!(!format!("{plain:?}").contains(&*plain.password) || plain.password.len() < 20);
    }
}

/// A question for history has one answer: a refusal that says what is wrong, or a batch with what was asked for in order.
pub fn chathistory(data: &[u8]) {
    let text: String = String::from_utf8_lossy(data).chars().filter(|c| !matches!(c, '\r' | '\n' | '\0')).collect();
    let text: String = text.chars().take(120).collect();
    let answer = STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(Stage::new);
        stage.ask(&format!("CHATHISTORY {text}")).expect("the connection goes on")
    });
    let messages: Vec<Message<'_>> = answer.iter().map(|line| Message::parse(line).expect("a line")).collect();
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { panic!("{text:?} has no answer") };
    if messages.len() == 1 {
        assert!(["FAIL", "461", "417"].contains(&first.command), "{answer:?}");
        return;
    }
    assert!(first.command == "BATCH" && last.command == "BATCH", "{answer:?}");
    let reference = first.params[0].strip_prefix('+').expect("it begins");
    assert_eq!(last.params[0].strip_prefix('-'), Some(reference));
    let inside = &messages[1..messages.len() - 1];
    assert!(inside.len() <= 50 && inside.iter().all(|line| line.tags.value("batch").as_deref() == Some(reference)));
    let times: Vec<Option<String>> = inside.iter().map(|line| line.tags.value("time")).collect();
    assert!(times.is_sorted(), "{answer:?}");
}

/// Whatever somebody says who is logged in, each answer is a line, and the session goes on or takes its leave.
pub fn session(data: &[u8]) {
    STAGE.with_borrow_mut(|stage| {
        let stage = stage.get_or_insert_with(Stage::new);
        let mut bytes = data.to_vec();
        bytes.extend_from_slice(b"\r\n");
        stage.send(&bytes);
        match stage.until_pong() {
            Ok(lines) => {
                for line in lines {
                    Message::parse(&line).expect("a line");
                    assert!(fits(line.as_bytes()) || line.starts_with('@'), "{line:?}");
                }
                // It may be in the middle of something: a batch, a password that is asked for.
                stage.count += 1;
                if stage.count >= 200 {
                    stage.log_in_again();
                }
            }
            Err(lines) => {
                assert!(lines.iter().any(|line| line.contains("ERROR")), "it went without a word: {lines:?}");
                stage.log_in_again();
            }
        }
    });
}

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

/// A server without sockets that has a little to tell, and somebody who is logged in.
struct Stage {
    runtime: Runtime,
    ctx: Arc<Context>,
    io: DuplexStream,
    input: Vec<u8>,
    fences: usize,
    count: usize,
    _running: Running,
    _dir: tempfile::TempDir,
}

impl Stage {
    fn new() -> Stage {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let dir = tempfile::tempdir().expect("a directory");
        let (ctx, running) = runtime.block_on(open(dir.path()));
        let io = enter(&runtime, &ctx);
        let mut stage =
            Stage { runtime, ctx, io, input: Vec::new(), fences: 0, count: 0, _running: running, _dir: dir };
        stage.log_in();
        for command in ["JOIN #room", "JOIN #other"] {
            stage.ask(command).expect("an answer");
        }
        for n in 0..30 {
            stage.ask(&format!("PRIVMSG #room :line {n}")).expect("an answer");
        }
        stage.ask("PRIVMSG anna :to myself").expect("an answer");
        stage
    }

    fn log_in(&mut self) {
        let caps = "message-tags server-time batch echo-message labeled-response draft/chathistory draft/multiline \
                    draft/event-playback draft/message-redaction draft/channel-rename standard-replies";
        self.send(
            format!("CAP REQ :{caps}\r\nPASS :anna:a long password\r\nNICK anna\r\nUSER a 0 * :A\r\nCAP END\r\n")
                .as_bytes(),
        );
        self.until_pong().expect("a login");
    }

    fn log_in_again(&mut self) {
        self.io = enter(&self.runtime, &self.ctx);
        self.input.clear();
        self.count = 0;
        self.log_in();
    }

    fn send(&mut self, bytes: &[u8]) {
        // It may have ended: the answer says so.
        let _gone = self.runtime.block_on(self.io.write_all(bytes));
    }

    fn ask(&mut self, line: &str) -> Result<Vec<String>, Vec<String>> {
        self.send(format!("{line}\r\n").as_bytes());
        self.until_pong()
    }

    /// What comes before the answer to a PING; `Err`: what came before the end.
    fn until_pong(&mut self) -> Result<Vec<String>, Vec<String>> {
        self.fences += 1;
        let fence = format!("fence-{}", self.fences);
        self.send(format!("PING :{fence}\r\n").as_bytes());
        let mut lines = Vec::new();
        loop {
            while let Some(end) = memchr::memchr(b'\n', &self.input) {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                let line = line.strip_suffix(b"\r\n").expect("CR LF");
                let line = std::str::from_utf8(line).expect("UTF-8").to_owned();
                if line.ends_with(&fence) && line.contains(" PONG ") {
                    return Ok(lines);
                }
                lines.push(line);
            }
            let (io, input) = (&mut self.io, &mut self.input);
            let read = self.runtime.block_on(async { tokio::time::timeout(PLENTY, io.read_buf(input)).await });
            match read.expect("an answer in time") {
                Ok(0) | Err(_) => return Err(lines),
                Ok(_) => {}
            }
        }
    }
}

async fn open(dir: &std::path::Path) -> (Arc<Context>, Running) {
    let settings = log::Settings {
        host: "chat.test".into(),
        auto_join: Vec::new(),
        everyone_creates: true,
        rooms_per_account: 20,
        tail_memory: 1 << 20,
    };
    let (log, running) = Log::start(dir, clock::now, settings).expect("a log");
    let quick = HashSettings { memory_kib: 32, iterations: 1, parallelism: 1 };
    let settings = Settings {
        motd: String::new(),
        icon: String::new(),
        admin_contact: String::new(),
        replay_lines: 10,
        missed_lines: 10,
        page_lines: 50,
        rooms_per_account: 20,
        messages_per_second: 1_000_000,
        message_burst: 1_000_000,
        flood_delay_max: PLENTY,
        client_tags: TagFilter::default(),
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
        Logins::new(Arc::new(Hasher::new(quick).expect("argon2")), 1),
        (LoginThrottle::new(1_000_000, 1_000_000), PlaceThrottle::new(Rate::per_hour(1_000))),
        settings,
        Info { name: "chat.test".to_owned(), network: "Test".to_owned(), started: clock::now() },
        clock::now,
        CancellationToken::new(),
    );
    let password = Password::entered(&Secret::new("a long password".to_owned())).expect("a password");
    let hash = ctx.logins.load_full().hash(password, IpAddr::V4(Ipv4Addr::LOCALHOST)).await.expect("a hash");
    let hash = serde_json::from_value(hash.into()).expect("a hash");
    let order = Order::AddUser { name: "anna".to_owned(), hash, admin: false, bot: false };
    ctx.log.ask(Intent::Order { row: None, order, by: None }).await.expect("an account");
    (ctx, running)
}

fn enter(runtime: &Runtime, ctx: &Arc<Context>) -> DuplexStream {
    let (io, server) = duplex(1 << 20);
    let peer = Peer { address: IpAddr::V4(Ipv4Addr::LOCALHOST), since: Instant::now(), certificate: None };
    runtime.spawn(chatd::session::serve(Conn::new(server), ctx.clone(), peer));
    io
}

/// What HTTP answers does not depend on the pieces in which it was asked, and each answer says where it ends.
pub fn http(data: &[u8]) {
    let whole = RUNTIME.with(|runtime| runtime.block_on(exchange(&[data])));
    let (first, second) = data.split_at(data.len() / 2);
    let halves = RUNTIME.with(|runtime| runtime.block_on(exchange(&[first, second])));
    // Whoever hangs up at once may miss the last answers.
    let (short, long) = if whole.len() < halves.len() { (&whole, &halves) } else { (&halves, &whole) };
    assert!(
        long.starts_with(short),
        "{:?} and {:?}",
        String::from_utf8_lossy(&whole),
        String::from_utf8_lossy(&halves)
    );
    let text = String::from_utf8_lossy(&whole);
    assert!(text.is_empty() || text.starts_with("HTTP/1."), "{text:?}");
    assert!(!text.starts_with("HTTP/1.1 5"), "{text:?}");
}

/// Sends pieces, reads what is answered; without the date.
async fn exchange(pieces: &[&[u8]]) -> Vec<u8> {
    let (client, server) = duplex(1 << 16);
    let site = Arc::new(Site { name: "chat.test".to_owned(), ..Site::default() });
    let patience = Patience { head: PLENTY, answer: PLENTY };
    let stopping = CancellationToken::new();
    let served = web::serve(server, Bytes::new(), site, patience, &stopping);
    let (mut reading, mut writing) = tokio::io::split(client);
    let asking = async {
        for piece in pieces {
            if writing.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _gone = writing.shutdown().await;
    };
    let mut answer = Vec::new();
    let reads = async {
        let _gone = reading.read_to_end(&mut answer).await;
    };
    // A WebSocket, if it came to one, ends here.
    let serving = async { drop(served.await) };
    tokio::join!(serving, asking, reads);
    let mut kept = Vec::new();
    for line in answer.split_inclusive(|byte| *byte == b'\n') {
        if !line.to_ascii_lowercase().starts_with(b"date:") {
            kept.extend_from_slice(line);
        }
    }
    kept
}

/// The lines that come out of a WebSocket do not depend on the pieces in which its frames came, and each is one line.
pub fn websocket(data: &[u8]) {
    let whole = RUNTIME.with(|runtime| runtime.block_on(lines_of(&[data])));
    let (first, second) = data.split_at(data.len() / 2);
    assert_eq!(RUNTIME.with(|runtime| runtime.block_on(lines_of(&[first, second]))), whole);
    assert!(whole.is_empty() || whole.ends_with(b"\n"));
    assert!(whole.split(|byte| *byte == b'\n').all(|line| line.len() <= 16 * 1024));
}

async fn lines_of(pieces: &[&[u8]]) -> Vec<u8> {
    const REQUEST: &[u8] = b"GET /irc HTTP/1.1\r\nHost: chat.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let (client, server) = duplex(1 << 16);
    let site = Arc::new(Site { name: "chat.test".to_owned(), ..Site::default() });
    let patience = Patience { head: PLENTY, answer: PLENTY };
    let stopping = CancellationToken::new();
    let (mut reading, mut writing) = tokio::io::split(client);
    let asking = async {
        for piece in [REQUEST].iter().chain(pieces) {
            if writing.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _gone = writing.shutdown().await;
    };
    let reads = async {
        let mut answer = Vec::new();
        let _gone = reading.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 101"), "{:?}", String::from_utf8_lossy(&answer));
    };
    let mut lines = Vec::new();
    let serving = async {
        let served = web::serve(server, Bytes::new(), site, patience, &stopping).await;
        let mut conn = served.expect("a WebSocket");
        loop {
            let turn = conn.turn(true).await;
            lines.extend_from_slice(&conn.input);
            conn.input.clear();
            if !matches!(turn, Ok(turn) if turn != Turn::Eof) {
                return;
            }
        }
    };
    tokio::join!(serving, asking, reads);
    lines
}

/// A configuration is read, or each of its faults is said in a line; a remark more changes nothing.
pub fn config(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // It would be read.
    if text.contains("motd_file") {
        return;
    }
    let read = |text: &str| Config::from_text(text, None, std::iter::empty::<(&str, &str)>());
    match read(&text) {
        Ok(config) => {
            let again = read(&format!("{text}\n# a remark\n")).expect("it was good");
            assert_eq!(again, config);
        }
        Err(faults) => {
            assert!(!faults.list().is_empty());
            assert_eq!(faults.to_string().lines().count(), faults.list().len() + 1, "{faults}");
            assert!(faults.list().iter().all(|fault| !fault.what.trim().is_empty()));
        }
    }
}

/// Exactly the header is taken, in whatever pieces it comes: what follows it makes no difference, and stays.
pub fn proxy(data: &[u8]) {
    let read = |bytes: &[u8]| {
        let mut rest = bytes;
        let source = RUNTIME.with(|runtime| runtime.block_on(read_source(&mut rest)));
        (source.ok(), bytes.len() - rest.len())
    };
    let (source, taken) = read(data);
    let Some(source) = source else { return };
    for tail in [&b""[..], b"\x16\x03\x01", b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"] {
        let bytes = [&data[..taken], tail].concat();
        assert_eq!(read(&bytes), (Some(source), taken));
        let pieces = bytes.split_at(taken / 2);
        let mut rest = pieces.0.chain(pieces.1);
        let again = RUNTIME.with(|runtime| runtime.block_on(read_source(&mut rest)));
        assert_eq!(again.ok(), Some(source));
    }
    if let Some(address) = source {
        assert_eq!(address, address.to_canonical());
        let family = if address.is_ipv4() { "TCP4" } else { "TCP6" };
        let printed = format!("PROXY {family} {address} {address} 1 2\r\n");
        assert_eq!(read(printed.as_bytes()), (Some(source), printed.len()));
    }
}
