//! chatd's data folder made ready for a load: accounts without a thousand hashes, logs of any length.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use chatd::auth::{HashSettings, Hasher, Memory, Password, Secret};
use chatd::event::{AccountId, Body, Event, EventId, Millis, RoomId, RoomKind, Speech, Who};
use chatd::proto::names::{AccountName, RoomName};
use chatd::store::{Lock, MemberRow, NewAccount, Writer};

use super::server::PASSWORD;

/// What differs from the defaults, besides the limits.
#[derive(Clone, Debug)]
pub struct Settings {
    /// argon2id: KiB and passes. Cheap where logins are not what is measured.
    pub hash: (u32, u32),
    pub concurrent_hashes: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { hash: (8, 1), concurrent_hashes: 0 }
    }
}

/// Writes the configuration and the certificate, and makes the accounts `u00000`, `u00001`, ...
pub fn prepare(dir: &Path, port: u16, accounts: usize, settings: &Settings) -> Result<()> {
    let (memory, passes) = settings.hash;
    let config = format!(
        "[server]\nname = \"irc.bench\"\nlisten = [\"127.0.0.1:{port}\"]\ndata_dir = \"data\"\nmax_connections = 50000\n\
         [tls]\ncert = \"server.crt\"\nkey = \"server.key\"\n[rooms]\nauto_join = []\n\
         [limits]\nmessages_per_second = 1000000\nmessage_burst = 1000000\nconnections_per_ip = 100000\nconnects_per_minute = 1000000\n\
         logins_per_minute = 1000000\nping_interval = \"1h\"\nrooms_per_account = 100000\n\
         [auth]\nargon2_memory_kib = {memory}\nargon2_iterations = {passes}\nargon2_parallelism = 1\n\
         concurrent_hashes = {}\n[log]\nlevel = \"warn\"\n",
        settings.concurrent_hashes
    );
    std::fs::write(dir.join("config.toml"), config)?;
    let cert = chatd::net::cert::make(&["localhost".to_owned()], chatd::clock::now())?;
    cert.write(&dir.join("server.crt"), &dir.join("server.key"), true)?;

    let hasher = Hasher::new(HashSettings { memory_kib: memory, iterations: passes, parallelism: 1 })?;
    let hash = hasher.hash(&Password::entered(&Secret::new(PASSWORD.to_owned()))?, &mut Memory::default())?;
    let data = dir.join("data");
    let _lock = Lock::take(&data)?;
    let mut writer = Writer::open(&data)?;
    let tx = writer.begin()?;
    for n in 0..accounts {
        let name = AccountName::parse(&format!("u{n:05}"))?;
        tx.create_account(&NewAccount {
            name: name.display().into(),
            key: name.key().to_owned(),
            skeleton: name.skeleton().to_owned(),
            hash: hash.clone().into(),
            admin: false,
            bot: false,
            created: chatd::clock::now(),
        })?;
    }
    tx.commit()?;
    Ok(())
}

/// A room with `lines` messages of the accounts, which are its members. Words from a small dictionary; the word
/// `needle` stands in one of a hundred thousand.
pub fn fill(dir: &Path, room: &str, lines: usize, members: usize) -> Result<()> {
    const WORDS: [&str; 16] = [
        "the", "meeting", "starts", "again", "tomorrow", "after", "lunch", "please", "bring", "your", "notes", "about",
        "network", "cables", "and", "coffee",
    ];
    let data = dir.join("data");
    let _lock = Lock::take(&data)?;
    let mut writer = Writer::open(&data)?;
    let name = RoomName::parse(room)?;
    let first = writer.next_event_id()?.0;
    let start = chatd::clock::now().0 - lines as i64 - 1000;
    let people: Vec<Who> =
        (0..members).map(|n| Who { id: AccountId(n as i64 + 1), nick: format!("u{n:05}").into() }).collect();
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
                        &MemberRow { account, nick, op: account.0 == 1, voice: false, present: false, joined: 1 },
                    )?;
                }
                *id.insert(room)
            }
        };
        let until = lines.min(written + 10_000);
        for n in written..until {
            let mut text = String::new();
            for word in 0..14 {
                text += WORDS[(n.wrapping_mul(2_654_435_761).wrapping_add(word * n + word * 7)) % WORDS.len()];
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
        tx.commit()?;
        written = until;
    }
    writer.checkpoint()?;
    Ok(())
}
