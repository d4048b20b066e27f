//! `chatd room`.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use super::{Setup, confirm, text};
use crate::admin::{self, Order};
use crate::proto::names::RoomName;
use crate::store::{Keep, MaskRow, MemberRow, Reader, RoomRow};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// All rooms
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Make a room
    Create {
        /// In quotes, for the shell: '#name'
        name: String,
        #[arg(long)]
        topic: Option<String>,
    },
    /// All about one room
    Show {
        /// In quotes, for the shell: '#name'
        name: String,
    },
    /// How long a room keeps what is said in it; what is older is deleted for good
    Retention {
        /// In quotes, for the shell: '#name'
        name: String,
        /// A length of time ("90d", "1y"), "forever", or "default": as [history] retention says
        #[arg(value_name = "T", value_parser = term)]
        term: Term,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Take a room away with everything that was said in it
    Remove {
        /// In quotes, for the shell: '#name'
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub fn run(setup: &Setup, command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { json } => list(&setup.reader()?, json),
        Command::Show { name } => show(&setup.reader()?, &name),
        Command::Create { name, topic } => {
            let name = RoomName::parse(&with_sign(&name))?.display().to_owned();
            let (config, _) = setup.load()?;
            setup.order(&config, &Order::CreateRoom { name, topic }, false)
        }
        Command::Retention { name, term: Term(retention), yes } => {
            let reader = setup.reader()?;
            let name = existing(&reader, &name)?.name.to_string();
            if let Some(term) = retention.filter(|term| *term > 0) {
                let term = Keep::For(Duration::from_millis(term));
                let question = format!("Delete what was said in {name} more than {term} ago, now and from now on?");
                if !confirm(&question, yes)? {
                    anyhow::bail!("nothing was changed");
                }
            }
            let (config, _) = setup.load()?;
            setup.order(&config, &Order::KeepRoom { name, retention }, false)
        }
        Command::Remove { name, yes } => {
            let reader = setup.reader()?;
            let room = existing(&reader, &name)?;
            let messages = reader.room_stats(room.id)?.messages;
            let name = room.name.to_string();
            if !confirm(&format!("Remove {name} with its {messages} messages for good?"), yes)? {
                anyhow::bail!("nothing was changed");
            }
            let (config, _) = setup.load()?;
            setup.order(&config, &Order::RemoveRoom { name }, false)
        }
    }
}

/// What [`Order::KeepRoom`] wants.
#[derive(Clone, Copy, Debug)]
pub struct Term(Option<u64>);

fn term(text: &str) -> Result<Term, String> {
    admin::parse_retention(text)
        .map(Term)
        .ok_or_else(|| "write a length of time such as 90d, or forever, or default".to_owned())
}

/// The room that goes by this name; `#` may be left out, since shells take it for a comment.
pub fn existing(reader: &Reader, name: &str) -> anyhow::Result<RoomRow> {
    let name = with_sign(name);
    let advice = || format!("there is no room {:?}; `chatd room list` shows them all", text::clean(&name));
    let parsed = RoomName::parse(&name).ok().with_context(advice)?;
    reader.room_by_key(parsed.key())?.with_context(advice)
}

fn with_sign(name: &str) -> String {
    if name.starts_with('#') { name.to_owned() } else { format!("#{name}") }
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    topic: Option<&'a str>,
    modes: &'a str,
    members: u64,
    messages: u64,
    created: String,
    last: Option<String>,
    /// Seconds; 0: for ever; null: as the server does.
    retention: Option<u64>,
}

fn list(reader: &Reader, json: bool) -> anyhow::Result<()> {
    let rooms = reader.rooms()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if rooms.is_empty() && !json {
        writeln!(out, "There are no rooms. `chatd room create '#name'` makes one.")?;
    }
    let zone = text::zone();
    let mut rows = Vec::new();
    for room in &rooms {
        let stats = reader.room_stats(room.id)?;
        let topic = room.topic.as_ref().map(|topic| &*topic.text);
        if json {
            let listed = Listed {
                name: &room.name,
                topic,
                modes: &room.modes,
                members: stats.members,
                messages: stats.messages,
                created: text::rfc3339(room.created),
                last: stats.last.map(text::rfc3339),
                retention: match reader.kept(room.id)? {
                    Keep::AsTheServer => None,
                    Keep::Forever => Some(0),
                    Keep::For(term) => Some(term.as_secs()),
                },
            };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        } else {
            rows.push(vec![
                room.name.to_string(),
                stats.members.to_string(),
                stats.messages.to_string(),
                stats.last.map(|time| text::local(time, zone)).unwrap_or_default(),
                topic.unwrap_or_default().to_owned(),
            ]);
        }
    }
    if !rows.is_empty() {
        text::print_table(&mut out, &["ROOM", "MEMBERS", "MESSAGES", "LAST", "TOPIC"], rows)?;
    }
    Ok(out.flush()?)
}

fn show(reader: &Reader, name: &str) -> anyhow::Result<()> {
    let room = existing(reader, name)?;
    let stats = reader.room_stats(room.id)?;
    let zone = text::zone();
    let founder = match room.founder {
        Some(id) => reader.account(id)?.map(|row| row.name.to_string()),
        None => None,
    };
    let mut out = io::stdout().lock();
    writeln!(out, "name       {}", text::clean(&room.name))?;
    if let Some(topic) = &room.topic {
        let by = text::clean(&topic.by);
        writeln!(out, "topic      {} ({by}, {})", text::clean(&topic.text), text::local(topic.at, zone))?;
    }
    writeln!(out, "modes      {}", text::clean(&room.modes))?;
    writeln!(out, "founder    {}", founder.map_or("none".into(), |name| text::clean(&name)))?;
    writeln!(out, "created    {}", text::local(room.created, zone))?;
    writeln!(out, "messages   {}", stats.messages)?;
    writeln!(out, "kept       {}", reader.kept(room.id)?)?;
    if let Some(last) = stats.last {
        writeln!(out, "last       {}", text::local(last, zone))?;
    }
    let members = reader.members(room.id)?;
    writeln!(out, "members    {}", members.len())?;
    let row = |member: &MemberRow| {
        let standing = if member.op {
            "operator"
        } else if member.voice {
            "voice"
        } else {
            ""
        };
        let presence = if member.present { "online" } else { "" };
        vec![member.nick.to_string(), standing.into(), presence.into()]
    };
    if !members.is_empty() {
        text::print_table(&mut out, &["MEMBER", "", ""], members.iter().map(row).collect())?;
    }
    let masks = reader.masks(room.id)?;
    let row = |mask: &MaskRow| {
        let list = match mask.list {
            'b' => "banned",
            'e' => "excepted",
            'I' => "needs no invitation",
            'q' => "muted",
            _ => "",
        };
        vec![mask.mask.to_string(), list.into(), mask.by.to_string(), text::local(mask.at, zone)]
    };
    if !masks.is_empty() {
        text::print_table(&mut out, &["MASK", "", "SET BY", "SET AT"], masks.iter().map(row).collect())?;
    }
    Ok(())
}
