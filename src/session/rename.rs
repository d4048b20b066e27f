//! RENAME: a room gets another name (<https://ircv3.net/specs/extensions/channel-rename>), and stays the same room. Clients
//! that do not know RENAME leave one room and come into another.

use std::sync::Arc;

use crate::event::{Event, RoomId};
use crate::log::Intent;
use crate::proto::caps::Cap;
use crate::proto::line::{Line, Message};
use crate::proto::names::RoomName;
use crate::proto::numerics::*;
use crate::room::Refusal;

use super::Session;
use super::deliver::Since;
use super::reply::splice;
use super::rooms::{clean, cut};

impl Session {
    /// `RENAME <room> <new name> [reason]`, for operators of the room.
    pub(super) async fn rename(&mut self, message: &Message<'_>) {
        let Some(room) = self.known_room(message.params[0]) else {
            self.numeric(ERR_NOSUCHCHANNEL, &[&clean(message.params[0])], "There is no such room");
            return;
        };
        let (old, wanted) = (room.name(), clean(message.params[1]));
        let name = match RoomName::parse(message.params[1]) {
            Ok(name) => name,
            Err(error) => {
                self.fail("RENAME", "CANNOT_RENAME", &[&old, &wanted], &error.to_string());
                return;
            }
        };
        let reason = cut(message.params.get(2).copied().unwrap_or_default());
        let intent = Intent::Rename {
            actor: self.actor(),
            room: room.id,
            name: name.shared(),
            key: name.key().to_owned(),
            reason: reason.into(),
        };
        match self.ctx.log.ask(intent).await {
            Ok(receipt) if self.cursors.contains_key(&room.id) => self.answer.caused.extend(receipt.event),
            Ok(_) => {
                let line = Line::new().source(&self.source()).command("RENAME").param(&old).param(&name.shared());
                self.say(line.last(reason));
            }
            Err(refusal @ Refusal::NameInUse) => {
                self.fail("RENAME", "CHANNEL_NAME_IN_USE", &[&old, &wanted], &refusal.to_string());
            }
            Err(refusal @ Refusal::SameName) => {
                self.fail("RENAME", "CANNOT_RENAME", &[&old, &wanted], &refusal.to_string());
            }
            Err(refusal) => self.refuse(&refusal, "RENAME", &old),
        }
    }

    /// The room has another name from here on. To a client that does not know RENAME, it leaves, and comes in again.
    pub(super) fn show_renamed(&mut self, room: RoomId, event: &Event, [old, new, reason]: [&Arc<str>; 3]) {
        let knows = self.caps().contains(Cap::ChannelRename);
        let key = |name: &str| RoomName::parse(name).ok().map(|name| name.key().to_owned());
        // Names that differ in case are one name to every client.
        if knows || key(old) == key(new) {
            if let Some(cursor) = self.cursors.get_mut(&room) {
                cursor.name = new.clone();
            }
            return;
        }
        let Some(cursor) = self.cursors.remove(&room) else { return };
        let line = self.own_line(event.time).command("PART").param(old);
        let line = if reason.is_empty() { line } else { line.last(reason) };
        splice(&mut self.out, "", line.as_str().as_bytes());
        self.entering.push_back((cursor.room.clone(), Since::Renamed(event.id)));
        // So that it is looked at what waits to be entered.
        self.rooms_changed = true;
    }
}
