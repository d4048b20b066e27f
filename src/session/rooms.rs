//! JOIN, PART, TOPIC, NAMES, KICK. The log decides; here names are resolved and answers are worded.

use std::sync::Arc;

use crate::event::EventId;
use crate::log::{Intent, Room};
use crate::proto::caps::Cap;
use crate::proto::isupport::{KICKS_MAX, ROOMS_MAX, TEXT_MAX};
use crate::proto::line::Message;
use crate::proto::names::{NameError, ROOM_BYTES, RoomName};
use crate::proto::numerics::*;
use crate::room::{Member, RoomState, Wish, may_rule};

use super::Session;
use super::deliver::Since;

impl Session {
    pub(super) async fn join(&mut self, message: &Message<'_>) {
        let mut words = message.params.get(1).map_or("", |keys| keys).split(',');
        if message.param(0) == Some("0") {
            let rooms: Vec<Arc<str>> = self.channels().iter().map(|room| room.name()).collect();
            for name in rooms {
                self.part_one(&name, "").await;
            }
            return;
        }
        for name in message.params[0].split(',').filter(|name| !name.is_empty()).take(ROOMS_MAX) {
            let word = words.next().filter(|word| !word.is_empty());
            self.join_one(name, word).await;
        }
    }

    async fn join_one(&mut self, text: &str, word: Option<&str>) {
        let name = match RoomName::parse(text) {
            Ok(name) => name,
            Err(error) => {
                let code = match error {
                    NameError::RoomStart | NameError::RoomTooLong => ERR_NOSUCHCHANNEL,
                    _ => ERR_BADCHANMASK,
                };
                self.numeric(code, &[&clean(text)], &error.to_string());
                return;
            }
        };
        let intent = Intent::Enter {
            name: name.shared(),
            key: name.key().to_owned(),
            actor: self.actor(),
            realname: self.person.realname(),
            word: word.map(str::to_owned),
        };
        let before = self.ctx.log.watermark();
        match self.ctx.log.ask(intent).await {
            Ok(receipt) => {
                self.acts += u32::from(receipt.event.is_some());
                let room = receipt.room.and_then(|room| self.ctx.log.directory().by_id(room));
                if let Some(room) = room
                    && !self.cursors.contains_key(&room.id)
                {
                    let since = if receipt.event.is_some() { Since::Event(before) } else { Since::Membership };
                    if let Err(error) = self.enter(room, since).await {
                        self.store_failed(&error);
                    }
                }
            }
            Err(refusal) => self.refuse(&refusal, "JOIN", &clean(text)),
        }
    }

    pub(super) async fn part(&mut self, message: &Message<'_>) {
        // Whoever is muted may go, without a word.
        let reason = message.params.get(1).copied().filter(|_| self.mute().is_none()).unwrap_or_default();
        for name in message.params[0].split(',').filter(|name| !name.is_empty()).take(ROOMS_MAX) {
            self.part_one(name, cut(reason)).await;
        }
    }

    async fn part_one(&mut self, name: &str, reason: &str) {
        self.wish(name, "PART", Wish::Part { reason: reason.into() }).await;
    }

    pub(super) async fn topic(&mut self, message: &Message<'_>) {
        let name = message.params[0];
        if let Some(text) = message.params.get(1) {
            self.wish(name, "TOPIC", Wish::Topic { text: cut(text).into() }).await;
            return;
        }
        let Some(state) = self.visible_room(name) else {
            self.numeric(ERR_NOSUCHCHANNEL, &[&clean(name)], "There is no such room");
            return;
        };
        match &state.topic {
            Some(topic) => {
                self.numeric(RPL_TOPIC, &[&state.name], &topic.text);
                let at = (topic.at.0 / 1000).to_string();
                let line = self.numeric_line(RPL_TOPICWHOTIME, &[&state.name, &topic.by, &at]);
                self.say(line);
            }
            None => self.numeric(RPL_NOTOPIC, &[&state.name], "No topic is set"),
        }
    }

    /// `KICK #room a,b :reason`, or a room for each: `KICK #one,#two a,b`.
    pub(super) async fn kick(&mut self, message: &Message<'_>) {
        let reason = message.param(2).map_or_else(|| self.person.nick.to_string(), |reason| cut(reason).to_owned());
        let split = |text: &str| text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let (rooms, nicks) = (split(message.params[0]), split(message.params[1]));
        if rooms.is_empty() || nicks.is_empty() || (rooms.len() > 1 && rooms.len() != nicks.len()) {
            self.numeric(ERR_NEEDMOREPARAMS, &["KICK"], "Name one room and people, or a room for each");
            return;
        }
        if let Some(nick) = nicks.get(KICKS_MAX) {
            self.numeric(ERR_TOOMANYTARGETS, &[&clean(nick)], "Too many people; nothing happened to this one");
        }
        let mut denied = None;
        for (at, nick) in nicks.iter().enumerate().take(KICKS_MAX) {
            let room = &rooms[at.min(rooms.len() - 1)];
            if denied != Some(room) && !self.kick_one(room, nick, &reason).await {
                denied = Some(room);
            }
        }
    }

    /// Whether it may be asked for in this room at all.
    async fn kick_one(&mut self, room: &str, nick: &str, reason: &str) -> bool {
        let Some(state) = self.visible_room(room) else {
            self.numeric(ERR_NOSUCHCHANNEL, &[&clean(room)], "There is no such room");
            return false;
        };
        if let Err(refusal) = may_rule(&state, &self.actor()) {
            self.refuse(&refusal, "KICK", &state.name);
            return false;
        }
        match self.find_person(nick) {
            Some(person) => {
                let wish = Wish::Kick { target: person.who(), reason: reason.into() };
                self.wish(room, "KICK", wish).await;
            }
            None => self.numeric(ERR_NOSUCHNICK, &[&clean(nick)], "There is no account of this name"),
        }
        true
    }

    pub(super) fn names(&mut self, message: &Message<'_>) {
        let names = message.param(0).unwrap_or("*");
        for name in names.split(',').take(ROOMS_MAX) {
            match self.visible_room(name) {
                Some(state) => self.names_of(&state),
                None => self.numeric(RPL_ENDOFNAMES, &[&clean(name)], "End of /NAMES list"),
            }
        }
    }

    /// RPL_NAMREPLY lines that fit, and the end of them.
    pub(super) fn names_of(&mut self, state: &RoomState) {
        let symbol = if state.modes.secret { "@" } else { "=" };
        let full = self.caps().contains(Cap::UserhostInNames);
        let multi = self.caps().contains(Cap::MultiPrefix);
        let host = self.ctx.info.name.clone();
        let room_left = 480usize.saturating_sub(host.len() + self.person.nick.len() + state.name.len());
        let mut line = String::new();
        for (_, member) in state.present() {
            let nick = match full {
                true => crate::encode::source(&member.nick, &host),
                false => member.nick.to_string(),
            };
            let word = format!("{}{nick}", prefix(member, multi));
            if !line.is_empty() && line.len() + 1 + word.len() > room_left {
                self.numeric(RPL_NAMREPLY, &[symbol, &state.name], &line);
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        if !line.is_empty() {
            self.numeric(RPL_NAMREPLY, &[symbol, &state.name], &line);
        }
        self.numeric(RPL_ENDOFNAMES, &[&state.name], "End of /NAMES list");
    }

    /// Wishes something in a room by name and words the outcome.
    pub(super) async fn wish(&mut self, name: &str, command: &str, wish: Wish) -> Option<EventId> {
        let Some(room) = self.known_room(name) else {
            self.numeric(ERR_NOSUCHCHANNEL, &[&clean(name)], "There is no such room");
            return None;
        };
        let shown = room.name();
        let inside = self.cursors.contains_key(&room.id);
        match self.ctx.log.ask(Intent::InRoom { room: room.id, actor: self.actor(), wish }).await {
            Ok(receipt) => {
                self.acts += u32::from(receipt.event.is_some());
                if inside {
                    self.answer.caused.extend(receipt.event);
                }
                receipt.event
            }
            Err(refusal) => {
                self.refuse(&refusal, command, &shown);
                None
            }
        }
    }

    /// The channels this session reads.
    pub(super) fn channels(&self) -> Vec<Arc<Room>> {
        let rooms = self.cursors.values().map(|cursor| cursor.room.clone());
        rooms.filter(|room| room.kind == crate::event::RoomKind::Channel).collect()
    }

    /// A room, if this account may know of it. (To enter a room one need not know that it is there.)
    pub(super) fn known_room(&self, name: &str) -> Option<Arc<Room>> {
        self.find_room(name).filter(|room| self.may_see(&room.snapshot().state))
    }

    /// The state of a room this account may know of.
    pub(super) fn visible_room(&self, name: &str) -> Option<Arc<RoomState>> {
        self.known_room(name).map(|room| room.snapshot().state)
    }

    pub(super) fn visible_rooms(&self) -> Vec<Arc<RoomState>> {
        let rooms = self.ctx.log.directory().channels().into_iter().map(|room| room.snapshot().state);
        let mut rooms: Vec<Arc<RoomState>> = rooms.filter(|state| self.may_see(state)).collect();
        rooms.sort_by(|a, b| a.name.cmp(&b.name));
        rooms
    }

    pub(super) fn may_see(&self, state: &RoomState) -> bool {
        !state.modes.secret || self.powers() || state.member(self.person.id).is_some()
    }
}

/// The signs before a member's name: the highest, or all.
pub(super) fn prefix(member: &Member, all: bool) -> &'static str {
    match (member.op, member.voice, all) {
        (true, true, true) => "@+",
        (true, _, _) => "@",
        (false, true, _) => "+",
        (false, false, _) => "",
    }
}

/// A text that is quoted back where a word must stand. What could be a room's name comes back whole.
pub(super) fn clean(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars().filter(|c| !c.is_whitespace() && !c.is_control()) {
        if word.len() + c.len_utf8() > ROOM_BYTES {
            break;
        }
        word.push(c);
    }
    if word.is_empty() || word.starts_with(':') { "*".to_owned() } else { word }
}

/// A topic or reason, cut to what ISUPPORT promises.
pub(super) fn cut(text: &str) -> &str {
    let mut at = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    &text[..at]
}
