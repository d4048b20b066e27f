//! `chatd user export`: all that belongs to one person, as lines of JSON that a person can read.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::history::content;
use super::output::new_file;
use super::{Setup, text, user, user_devices};
use crate::event::{Body, EventId, Millis, Owner, RoomId};
use crate::store::{AccountRow, Reader, RoomKind};

/// Events in memory at a time.
const PAGE: usize = 500;

#[derive(Debug, clap::Args)]
pub struct Args {
    name: String,
    /// Where to; it must not be there yet. "-" or nothing: to the standard output
    #[arg(default_value = "-")]
    file: PathBuf,
}

pub fn run(setup: &Setup, args: &Args) -> anyhow::Result<()> {
    let reader = setup.reader()?;
    let account = user::existing(&reader, &args.name)?;
    if args.file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        tell(&reader, &account, &mut out)?;
        return Ok(out.flush()?);
    }
    let lines = new_file(&args.file, |out| tell(&reader, &account, out))?;
    Ok(writeln!(io::stdout(), "{}: {lines} lines about {}", args.file.display(), account.name)?)
}

/// A line for each thing: `account`, `room`, `device`, `certificate`, `event`.
fn tell(reader: &Reader, account: &AccountRow, out: &mut impl Write) -> anyhow::Result<u64> {
    let mut lines = 0;
    let mut line = |out: &mut dyn Write, value: Value| {
        lines += 1;
        writeln!(out, "{value}")
    };
    let when = |time: Millis| text::rfc3339(time);
    let metadata = reader.metadata(Owner::Account(account.id))?;
    let metadata: HashMap<&str, &str> = metadata.iter().map(|(key, value)| (&**key, &**value)).collect();
    line(
        out,
        json!({ "account": {
            "name": *account.name, "admin": account.admin, "bot": account.bot, "disabled": account.disabled,
            "created": when(account.created), "last_seen": account.last_seen.map(when), "metadata": metadata,
        }}),
    )?;
    let mut names: HashMap<RoomId, String> = HashMap::new();
    for room in reader.rooms_of(account.id)? {
        let members = reader.members(room.id)?;
        let own = members.iter().find(|member| member.account == account.id);
        let with = members.iter().find(|member| member.account != account.id).map(|member| member.nick.to_string());
        let read_up_to = reader.marker(account.id, room.id)?.map(when);
        let name = match room.kind {
            RoomKind::Channel => room.name.to_string(),
            RoomKind::Direct => with.unwrap_or_else(|| account.name.to_string()),
        };
        line(
            out,
            json!({ "room": {
                "name": name, "direct": room.kind == RoomKind::Direct, "operator": own.is_some_and(|own| own.op),
                "voice": own.is_some_and(|own| own.voice), "read_up_to": read_up_to,
            }}),
        )?;
        names.insert(room.id, name);
    }
    let (devices, tokens) = (reader.devices(account.id)?, reader.tokens(account.id)?);
    for (name, device, token) in user_devices::rows(&devices, &tokens) {
        line(
            out,
            json!({ "device": {
                "name": name, "first_seen": device.map(|device| when(device.first_seen)),
                "last_seen": device.map(|device| when(device.last_seen)),
                "token": token.map(|token| json!({ "created": when(token.created), "last_used": token.last_used.map(when) })),
            }}),
        )?;
    }
    for row in reader.certificates(account.id)? {
        line(
            out,
            json!({ "certificate": {
                "fingerprint": *row.fingerprint, "label": *row.label, "created": when(row.created),
            }}),
        )?;
    }
    let mut after = EventId(0);
    loop {
        let page = reader.events_by(account.id, after, PAGE)?;
        let Some((_, last)) = page.last() else { break };
        after = last.id;
        for (room, event) in &page {
            let room = match room {
                // Rooms that they are in no more have their names all the same.
                Some(id) => match names.get(id) {
                    Some(name) => Some(name.clone()),
                    None => reader
                        .room(*id)?
                        .filter(|room| room.kind == RoomKind::Channel)
                        .map(|room| room.name.to_string()),
                },
                None => None,
            };
            let tags = match &event.body {
                Body::Said { tags, .. } if !tags.is_empty() => Some(tags.to_string()),
                _ => None,
            };
            line(
                out,
                json!({ "event": {
                    "msgid": event.id.msgid().to_string(), "time": when(event.time), "room": room,
                    "kind": event.kind().word(), "text": content(event), "tags": tags, "taken_back": event.is_redacted(),
                }}),
            )?;
        }
    }
    Ok(lines)
}
