//! `chat rooms`: the rooms of the server, and which of them one is in.

use std::io::Write;

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite};

use super::done_if_closed;
use crate::client::args::Format;
use crate::client::heard::Heard;
use crate::client::link::Link;
use crate::client::pipe::{PipeError, next, settle};
use crate::client::show::csv_field;
use crate::client::text::key;

/// The contract with programs: these keys, in this order.
#[derive(Serialize)]
struct Room {
    room: String,
    /// How many are there now.
    members: u32,
    joined: bool,
    topic: String,
}

/// Prints the rooms that the server lists and those one is in, by name. `joined`: only those.
pub async fn rooms<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    joined: bool,
    format: Format,
    out: &mut dyn Write,
) -> Result<(), PipeError> {
    settle(link, |_| {}).await?;
    link.session.command("LIST", &[]);
    let fence = link.session.fence();
    let mut found = Vec::new();
    loop {
        match next(link).await? {
            Heard::Listed { room, members, topic } => {
                let joined = link.session.room(&room).is_some();
                found.push(Room { room, members, joined, topic });
            }
            Heard::Refused { said: None, why, .. } => return Err(PipeError::Rooms(why)),
            Heard::Fence(id) if id == fence => break,
            _ => {}
        }
    }
    // A room may be hidden from the list, but not from who is in it.
    for room in link.session.rooms() {
        if !found.iter().any(|known| key(&known.room) == key(room)) {
            found.push(Room { room: room.to_owned(), members: 0, joined: true, topic: String::new() });
        }
    }
    found.retain(|room| room.joined || !joined);
    found.sort_by_key(|room| key(&room.room));
    let mut text = String::new();
    if format == Format::Csv {
        text.push_str("room,members,joined,topic\r\n");
    }
    let widest = found.iter().map(|room| room.room.chars().count()).max().unwrap_or(0);
    for room in &found {
        text.push_str(&match format {
            Format::Text => {
                let (mark, name) = (if room.joined { '*' } else { ' ' }, &room.room);
                let line = format!("{mark} {name:<widest$}  {:>5}  {}", room.members, room.topic);
                format!("{}\n", line.trim_end())
            }
            Format::Json => format!("{}\n", serde_json::to_string(room).unwrap_or_default()),
            Format::Csv => {
                let (members, joined) = (room.members.to_string(), room.joined.to_string());
                format!("{}\r\n", [&room.room, &members, &joined, &room.topic].map(|field| csv_field(field)).join(","))
            }
        });
    }
    done_if_closed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}
