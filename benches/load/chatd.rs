//! chatd's data folder made ready for a load: accounts without a thousand hashes, logs of any length.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use chatd::auth::{HashSettings, Hasher, Memory, Password, Secret, Token};
use chatd::event::{AccountId, Body, Event, EventId, Millis, RoomId, RoomKind, Speech, Who};
use chatd::proto::names::{AccountName, RoomName};
use chatd::store::{CertificateRow, Lock, MemberRow, NewAccount, TokenRow, Writer};
use serde::{Deserialize, Serialize};

use super::server::{Kind, PASSWORD, Running, free_port};

/// argon2id as chatd has it by default: KiB and passes.
pub const DEFAULT_HASH: (u32, u32) = (19_456, 2);

/// What differs from the defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// argon2id: KiB and passes. Cheap where logins are not what is measured.
    pub hash: (u32, u32),
    /// Whether the limits by address stay as they are by default; those of messages a second never do.
    pub limited: bool,
    /// Whether each account gets a token and a certificate.
    pub proofs: bool,
    /// Where the figures can be read.
    pub metrics: Option<u16>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { hash: (8, 1), limited: false, proofs: false, metrics: None }
    }
}

/// The nth account.
pub fn nick(n: usize) -> String {
    format!("u{n:05}")
}

/// The token of the nth account's device.
pub fn token(n: usize) -> String {
    format!("{}benchmark-{n:05}", chatd::auth::TOKEN_PREFIX)
}

/// Where the nth account's certificate and key are.
pub fn certificate(dir: &Path, n: usize) -> PathBuf {
    dir.join(format!("certificates/{n:05}.pem"))
}

/// Writes the configuration and the certificate, and makes the accounts.
pub fn prepare(dir: &Path, port: u16, accounts: usize, settings: &Settings) -> Result<()> {
    configure(dir, port, settings)?;
    populate(dir, accounts, settings)
}

fn configure(dir: &Path, port: u16, settings: &Settings) -> Result<()> {
    let (memory, passes) = settings.hash;
    let mut config = format!(
        "[server]\nname = \"irc.bench\"\nlisten = [\"127.0.0.1:{port}\"]\ndata_dir = \"data\"\nmax_connections = 50000\n\
         [tls]\ncert = \"server.crt\"\nkey = \"server.key\"\n[rooms]\nauto_join = []\n\
         [auth]\nargon2_memory_kib = {memory}\nargon2_iterations = {passes}\n\
         [limits]\nmessages_per_second = 1000000\nmessage_burst = 1000000\nrooms_per_account = 100000\n"
    );
    if !settings.limited {
        config += "connections_per_ip = 100000\nconnects_per_minute = 1000000\nlogins_per_minute = 1000000\n\
                   ping_interval = \"1h\"\n";
    }
    if let Some(port) = settings.metrics {
        write!(config, "[metrics]\nlisten = \"127.0.0.1:{port}\"\n")?;
    }
    std::fs::write(dir.join("config.toml"), config)?;
    let cert = chatd::net::cert::make(&["localhost".to_owned()], chatd::clock::now())?;
    Ok(cert.write(&dir.join("server.crt"), &dir.join("server.key"), true)?)
}

fn populate(dir: &Path, accounts: usize, settings: &Settings) -> Result<()> {
    let (memory_kib, iterations) = settings.hash;
    let hasher = Hasher::new(HashSettings { memory_kib, iterations, parallelism: 1 })?;
    let hash = hasher.hash(&Password::entered(&Secret::new(PASSWORD.to_owned()))?, &mut Memory::default())?;
    let (data, now) = (dir.join("data"), chatd::clock::now());
    let _lock = Lock::take(&data)?;
    let mut writer = Writer::open(&data)?;
    let tx = writer.begin()?;
    std::fs::create_dir_all(dir.join("certificates"))?;
    for n in 0..accounts {
        let name = AccountName::parse(&nick(n))?;
        let account = tx.create_account(&NewAccount {
            name: name.display().into(),
            key: name.key().to_owned(),
            skeleton: name.skeleton().to_owned(),
            hash: hash.clone().into(),
            admin: false,
            bot: false,
            created: now,
        })?;
        if settings.proofs {
            let token = Token::entered(&Secret::new(token(n))).context("a token looks otherwise now")?;
            let hash = token.hash().into();
            tx.set_token(&TokenRow { hash, account, device: "bench".into(), created: now, last_used: None })?;
            let cert = chatd::net::cert::make(&["localhost".to_owned()], now)?;
            std::fs::write(certificate(dir, n), &*cert.pem())?;
            let fingerprint = cert.fingerprint.hex().into();
            tx.add_certificate(&CertificateRow {
                fingerprint,
                account,
                label: "bench".into(),
                created: now,
                proven: true,
            })?;
        }
    }
    Ok(tx.commit()?)
}

/// What is known of a long log.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Long {
    pub lines: usize,
    /// The first message's id and time; each further one has the next id and the next millisecond.
    pub first: i64,
    pub start: i64,
    /// Of the database, with its index.
    pub bytes: u64,
}

/// People who are members of [`long`]'s room.
pub const LONG_MEMBERS: usize = 60;

/// A chatd with a log of so many lines in `#long`. The log is made once, kept under `target`, and copied for each use:
/// ten million lines take some minutes.
pub fn long(kind: &Kind, lines: usize, settings: &Settings) -> Result<(Running, Long)> {
    let (dir, port, about) = long_dir(lines, settings)?;
    Ok((Running::start_in(kind, dir, port)?, about))
}

/// The folder alone, and the port that it is meant for.
pub fn long_dir(lines: usize, settings: &Settings) -> Result<(tempfile::TempDir, u16, Long)> {
    let kept = keep(lines)?;
    let about: Long = serde_json::from_slice(&std::fs::read(kept.join("about.json"))?)?;
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("data"))?;
    std::fs::copy(kept.join("data/chat.db"), dir.path().join("data/chat.db"))?;
    let port = free_port()?;
    configure(dir.path(), port, settings)?;
    Ok((dir, port, about))
}

/// Makes the log if it is not there yet, for this schema and this dictionary.
pub fn keep(lines: usize) -> Result<PathBuf> {
    let schema = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))?.count();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("load/lines-{lines}-schema-{schema}-v1"));
    if !kept.join("about.json").exists() {
        let parent = kept.parent().context("a folder above")?;
        std::fs::create_dir_all(parent)?;
        let new = tempfile::tempdir_in(parent)?;
        eprintln!("making a log of {lines} lines, once");
        populate(new.path(), LONG_MEMBERS, &Settings::default())?;
        let about = fill(new.path(), "#long", lines, 0..LONG_MEMBERS)?;
        std::fs::write(new.path().join("about.json"), serde_json::to_vec(&about)?)?;
        let _ = std::fs::remove_dir_all(&kept);
        std::fs::rename(new.keep(), &kept)?;
    }
    Ok(kept)
}

/// A room with `lines` messages of about 100 bytes by the accounts, which are its members. The words are as frequent as
/// words are (Zipf), from 20,000; `needle` stands in one of a hundred thousand.
pub fn fill(dir: &Path, room: &str, lines: usize, members: Range<usize>) -> Result<Long> {
    let data = dir.join("data");
    let _lock = Lock::take(&data)?;
    let mut writer = Writer::open(&data)?;
    let name = RoomName::parse(room)?;
    let first = writer.next_event_id()?.0;
    let start = chatd::clock::now().0 - lines as i64 - 1000;
    let people: Vec<Who> = members.map(|n| Who { id: AccountId(n as i64 + 1), nick: nick(n).into() }).collect();
    let words: Vec<String> = (0..WORDS).map(dictionary).collect();
    let mut random = 0x853c_49e6_748f_ea9b_u64;
    let mut id: Option<RoomId> = None;
    let mut written = 0;
    while written < lines {
        let tx = writer.begin()?;
        let room = match id {
            Some(room) => room,
            None => {
                let display = Arc::from(name.display());
                let room =
                    tx.create_room(RoomKind::Channel, &display, name.key(), "+nt", Some(AccountId(1)), Millis(start))?;
                for who in &people {
                    let (account, nick) = (who.id, who.nick.clone());
                    tx.set_member(
                        room,
                        &MemberRow { account, nick, op: false, voice: false, present: false, joined: 1 },
                    )?;
                }
                *id.insert(room)
            }
        };
        let until = lines.min(written + 10_000);
        for n in written..until {
            let mut text = String::with_capacity(112);
            while text.len() < 94 {
                // xorshift: the same log each time.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let share = (random >> 11) as f64 / (1u64 << 53) as f64;
                text += &words[((WORDS as f64).powf(share) as usize - 1).min(WORDS - 1)];
                text.push(' ');
            }
            text += if n % 100_000 == 7 { "needle" } else { "end" };
            let body = Body::Said {
                speech: Speech::Privmsg,
                to: None,
                text: text.into(),
                tags: "".into(),
                cuts: Default::default(),
            };
            let event = Event {
                id: EventId(first + n as i64),
                time: Millis(start + n as i64),
                actor: Some(people[n % people.len()].clone()),
                body,
            };
            tx.append(&event, &[(room, n as u64 + 1)])?;
        }
        while tx.index(10_000)? == 10_000 {}
        tx.commit()?;
        written = until;
    }
    // Nothing was taken away, so nothing is to be looked for while something is measured.
    let tx = writer.begin()?;
    tx.swept(0)?;
    tx.commit()?;
    writer.checkpoint()?;
    drop(writer);
    Ok(Long { lines, first, start, bytes: std::fs::metadata(data.join("chat.db"))?.len() })
}

const WORDS: usize = 20_000;

/// The nth word of the dictionary, the most frequent first and short: 4 to 8 letters.
pub fn dictionary(n: usize) -> String {
    const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
    const VOWELS: &[u8] = b"aeiou";
    let (mut rest, mut word) = (n, String::new());
    while rest > 0 || word.len() < 4 {
        word.push(CONSONANTS[rest % 14].into());
        rest /= 14;
        word.push(VOWELS[rest % 5].into());
        rest /= 5;
    }
    word
}

/// A figure of a running chatd that was started with [`Settings::metrics`].
pub fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// All its figures.
pub async fn metrics(port: u16) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}
