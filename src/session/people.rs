//! WHOIS, WHOWAS, ISON, USERHOST, AWAY, SETNAME, NICK: people as this account may see them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::encode::source;
use crate::event::{Note, NoteBody, RoomKind};
use crate::live::Person;
use crate::proto::caps::Cap;
use crate::proto::isupport::TEXT_MAX;
use crate::proto::line::Message;
use crate::proto::masks;
use crate::proto::names::{AccountName, SERVICE};
use crate::proto::numerics::*;
use crate::room::RoomState;

use super::Session;
use super::rooms::{clean, cut, prefix};
use super::service;
use super::talk::TARGETS_MAX;

/// Bytes of a display name at most.
pub(super) const REALNAME_MAX: usize = 150;

impl Session {
    /// `WHOIS [server] nick[,nick...]`: the server may be named by anybody who is on it.
    pub(super) fn whois(&mut self, message: &Message<'_>) {
        let nicks = match (message.params.first(), message.params.get(1)) {
            (Some(server), Some(nicks)) => {
                if !self.is_here(Some(*server)) {
                    return;
                }
                *nicks
            }
            (Some(nicks), None) => *nicks,
            (None, _) => "",
        };
        let nicks: Vec<&str> = nicks.split(',').filter(|nick| !nick.is_empty()).take(TARGETS_MAX).collect();
        if nicks.is_empty() {
            self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given");
        }
        for nick in nicks {
            let found = self.find_person(nick).filter(|person| person.is_online());
            let shown = match found {
                _ if service::is_service(nick) => {
                    self.whois_service();
                    SERVICE.to_owned()
                }
                Some(person) => {
                    self.whois_person(&person);
                    person.nick.to_string()
                }
                None => {
                    self.numeric(ERR_NOSUCHNICK, &[&clean(nick)], "Nobody of this name is online");
                    clean(nick)
                }
            };
            self.numeric(RPL_ENDOFWHOIS, &[&shown], "End of /WHOIS list");
        }
    }

    fn whois_person(&mut self, person: &Arc<Person>) {
        let (host, nick) = (self.ctx.info.name.clone(), person.nick.clone());
        self.numeric(RPL_WHOISUSER, &[&nick, &nick, &host, "*"], &person.realname());
        let mut rooms = String::new();
        let hidden = person.is_invisible() && person.id != self.person.id && !self.powers();
        for id in person.rooms() {
            if hidden && !self.person.is_in(id) {
                continue;
            }
            let Some(room) = self.ctx.log.directory().by_id(id) else { continue };
            let state = room.snapshot().state;
            if room.kind == RoomKind::Direct || !self.may_see(&state) {
                continue;
            }
            let Some(member) = state.member(person.id) else { continue };
            let word = format!("{}{} ", prefix(member, self.caps().contains(Cap::MultiPrefix)), state.name);
            if rooms.len() + word.len() > 300 {
                self.numeric(RPL_WHOISCHANNELS, &[&nick], rooms.trim_end());
                rooms.clear();
            }
            rooms.push_str(&word);
        }
        if !rooms.is_empty() {
            self.numeric(RPL_WHOISCHANNELS, &[&nick], rooms.trim_end());
        }
        let network = self.ctx.info.network.clone();
        self.numeric(RPL_WHOISSERVER, &[&nick, &host], &network);
        if person.is_oper() {
            self.numeric(RPL_WHOISOPERATOR, &[&nick], "is an administrator");
        }
        if person.shows_as_bot() {
            self.numeric(RPL_WHOISBOT, &[&nick], "is a bot");
        }
        self.numeric(RPL_WHOISACCOUNT, &[&nick, &nick], "is logged in as");
        if let Some(away) = person.away() {
            self.numeric(RPL_AWAY, &[&nick], &away);
        }
        self.whois_metadata(person);
        let (active, since) = person.times();
        let idle = ((self.ctx.clock)().0 - active.0).max(0) / 1000;
        let (idle, since) = (idle.to_string(), (since.0 / 1000).to_string());
        self.numeric(RPL_WHOISIDLE, &[&nick, &idle, &since], "seconds idle, signon time");
        self.numeric(RPL_WHOISSECURE, &[&nick], "is using a secure connection");
        self.whois_certificates(person);
    }

    /// Accounts stay, so whoever was here is known, with the time of the last farewell.
    pub(super) async fn whowas(&mut self, message: &Message<'_>) {
        let nick = message.params[0];
        if !self.is_here(message.param(2)) {
            return;
        }
        let (host, person) = (self.ctx.info.name.clone(), self.find_person(nick));
        let seen = match AccountName::parse(nick).ok().filter(|_| person.is_some()) {
            Some(name) => match self.ctx.log.readers().account(name.key().to_owned()).await {
                Ok(row) => row.filter(|row| !row.removed).and_then(|row| row.last_seen),
                Err(error) => {
                    tracing::error!(%error, "accounts cannot be read");
                    None
                }
            },
            None => None,
        };
        let now = person.as_ref().filter(|person| person.is_online()).map(|_| (self.ctx.clock)());
        match person.zip(now.or(seen)) {
            Some((person, at)) => {
                let realname = person.realname();
                self.numeric(RPL_WHOWASUSER, &[&person.nick, &person.nick, &host, "*"], &realname);
                let at = format!("{} UTC", crate::encode::stamp(at));
                self.numeric(RPL_WHOISSERVER, &[&person.nick, &host], &at);
            }
            None => self.numeric(ERR_WASNOSUCHNICK, &[&clean(nick)], "There was no such nickname"),
        }
        self.numeric(RPL_ENDOFWHOWAS, &[&clean(nick)], "End of WHOWAS");
    }

    pub(super) fn ison(&mut self, message: &Message<'_>) {
        let nicks = message.params.iter().flat_map(|param| param.split(' '));
        let online = |nick: &str| match service::is_service(nick) {
            true => Some(SERVICE.to_owned()),
            false => self.find_person(nick).filter(|person| person.is_online()).map(|person| person.nick.to_string()),
        };
        let online: Vec<String> = nicks.filter_map(online).collect();
        self.numeric_list(RPL_ISON, &[], &online, " ");
    }

    pub(super) fn userhost(&mut self, message: &Message<'_>) {
        let mut replies = Vec::new();
        for nick in message.params.iter().take(5) {
            if let Some(person) = self.find_person(nick).filter(|person| person.is_online()) {
                let star = if person.is_oper() { "*" } else { "" };
                let sign = if person.away().is_some() { '-' } else { '+' };
                replies.push(format!("{}{star}={sign}{}@{}", person.nick, person.nick, self.ctx.info.name));
            }
        }
        self.numeric_list(RPL_USERHOST, &[], &replies, " ");
    }

    pub(super) fn away(&mut self, message: &Message<'_>) {
        let text = message.param(0).map(|text| Arc::from(cut(text)));
        match &text {
            Some(_) => self.numeric(RPL_NOWAWAY, &[], "You have been marked as being away"),
            None => self.numeric(RPL_UNAWAY, &[], "You are no longer marked as being away"),
        }
        if let Some(message) = self.person.set_away(self.id, text) {
            self.tell_sharers(NoteBody::Away { message });
        }
    }

    pub(super) fn setname(&mut self, message: &Message<'_>) {
        let Some(realname) = message.params.first() else {
            self.numeric(ERR_NEEDMOREPARAMS, &["SETNAME"], "Not enough parameters");
            return;
        };
        if realname.trim().is_empty() || realname.len() > REALNAME_MAX || realname.contains(char::is_control) {
            let text = format!("A name has 1 to {REALNAME_MAX} bytes and no control characters");
            self.fail("SETNAME", "INVALID_REALNAME", &[], &text);
            return;
        }
        self.person.set_realname((*realname).into());
        let note = self.tell_sharers(NoteBody::Realname { realname: (*realname).into() });
        self.answer_note(&note);
    }

    /// Makes a note's line part of the answer, if this client is told of such things.
    pub(super) fn answer_note(&mut self, note: &Note) {
        if let Some(mut line) = crate::encode::note(note, &self.ctx.info.name, self.caps()) {
            line.truncate(line.len() - 2);
            self.answer.lines.push(line);
        }
    }

    /// The nick is the account's name; only its case may be written differently, and that changes nothing.
    pub(super) fn nick(&mut self, message: &Message<'_>) {
        let wanted = message.param(0).unwrap_or_default();
        match AccountName::parse(wanted) {
            Err(error) if wanted.is_empty() => self.numeric(ERR_NONICKNAMEGIVEN, &[], &error.to_string()),
            Err(error) => self.numeric(ERR_ERRONEUSNICKNAME, &[&clean(wanted)], &error.to_string()),
            Ok(name) if self.find_person(name.display()).is_some_and(|person| person.id == self.person.id) => {}
            Ok(name) if self.find_person(name.display()).is_some() => {
                self.numeric(ERR_NICKNAMEINUSE, &[name.display()], "This is the name of another account");
            }
            Ok(name) => {
                let text = "Your nickname is your account's name; change what people see with SETNAME";
                self.numeric(ERR_NICKNAMEINUSE, &[name.display()], text);
            }
        }
    }

    /// Tells everybody who shares a room with this account, once, and its other sessions.
    pub(super) fn tell_sharers(&self, body: NoteBody) -> Arc<Note> {
        let note = Arc::new(Note { time: (self.ctx.clock)(), actor: self.person.who(), session: self.id, body });
        let mut told = BTreeSet::from([self.id]);
        let directory = self.ctx.log.directory();
        // The account's rooms: this session may not be in all of them yet.
        for room in self.person.rooms().into_iter().filter_map(|id| directory.by_id(id)) {
            if room.kind == RoomKind::Direct {
                continue;
            }
            room.each_reader(|mailbox| {
                if told.insert(mailbox.session) {
                    mailbox.note(note.clone());
                }
            });
        }
        self.tell_watchers(&note, told);
        note
    }

    pub(super) fn shared_room(&self, person: &Person) -> Option<Arc<RoomState>> {
        let rooms = self.channels().into_iter().map(|room| room.snapshot().state);
        rooms
            .filter(|state| state.member(person.id).is_some_and(|member| member.present))
            .min_by(|a, b| a.name.cmp(&b.name))
    }

    /// How others see this session.
    pub(super) fn source(&self) -> String {
        source(&self.person.nick, &self.ctx.info.name)
    }
}

/// Whether a mask with `*` and `?` fits a text, letters of either case.
pub(super) fn matches(mask: &str, text: &str) -> bool {
    masks::glob(&masks::fold(mask), &masks::fold(text))
}

const _: () = assert!(REALNAME_MAX < TEXT_MAX);

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn masks() {
        for (mask, text, fits) in [
            ("*", "", true),
            ("*", "alice", true),
            ("a*e", "Alice", true),
            ("a?ice", "alice", true),
            ("a*i*e", "alice", true),
            ("a?e", "alice", false),
            ("*z", "alice", false),
            ("", "alice", false),
            ("中*", "中文", true),
        ] {
            assert_eq!(matches(mask, text), fits, "{mask} {text}");
        }
    }
}
