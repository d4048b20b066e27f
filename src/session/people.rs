//! WHO, WHOIS, WHOWAS, ISON, USERHOST, AWAY, SETNAME, NICK: people as this account may see them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::encode::source;
use crate::event::{Note, NoteBody, RoomKind};
use crate::live::Person;
use crate::proto::caps::Cap;
use crate::proto::isupport::TEXT_MAX;
use crate::proto::line::Message;
use crate::proto::names::{AccountName, SERVICE};
use crate::proto::numerics::*;
use crate::room::{Member, RoomState};

use super::Session;
use super::rooms::{clean, cut, prefix};
use super::service;

/// Bytes of a display name at most.
pub(super) const REALNAME_MAX: usize = 150;

impl Session {
    /// `WHO #room`, `WHO nick`, `WHO` and masks: everybody in a room this account may see, or one account.
    pub(super) fn who(&mut self, message: &Message<'_>) {
        let mask = message.param(0).unwrap_or("*");
        let operators = message.params.get(1).is_some_and(|flags| flags.contains('o'));
        if mask.starts_with('#') {
            if let Some(state) = self.visible_room(mask) {
                let present: Vec<(Arc<Person>, Member)> = state
                    .present()
                    .filter(|(_, member)| !operators || member.op)
                    .filter_map(|(id, member)| Some((self.ctx.log.roster().by_id(id)?, member.clone())))
                    .collect();
                for (person, member) in present {
                    self.who_line(&state.name, &person, Some(&member));
                }
            }
        } else if service::is_service(mask) {
            if !operators {
                self.who_service();
            }
        } else if let Some(person) = self.find_person(mask) {
            if person.is_online() && (!operators || person.is_oper()) {
                let shared = self.shared_room(&person);
                let member = shared.as_ref().and_then(|state| state.member(person.id).cloned());
                let name = shared.map_or_else(|| Arc::from("*"), |state| state.name.clone());
                self.who_line(&name, &person, member.as_ref());
            }
        } else if mask.contains(['*', '?']) {
            let mut online = self.ctx.log.roster().online();
            online.sort_by(|a, b| a.nick.cmp(&b.nick));
            for person in online.into_iter().filter(|person| matches(mask, &person.nick)) {
                if !operators || person.is_oper() {
                    self.who_line("*", &person, None);
                }
            }
        }
        self.numeric(RPL_ENDOFWHO, &[&clean(mask)], "End of /WHO list");
    }

    fn who_line(&mut self, room: &str, person: &Person, member: Option<&Member>) {
        let mut flags = String::from(if person.away().is_some() { "G" } else { "H" });
        if person.is_oper() {
            flags.push('*');
        }
        if person.shows_as_bot() {
            flags.push('B');
        }
        if let Some(member) = member {
            flags.push_str(prefix(member, self.caps().contains(Cap::MultiPrefix)));
        }
        let host = self.ctx.info.name.clone();
        let params = [room, &person.nick, &host, &host, &person.nick, &flags];
        self.numeric(RPL_WHOREPLY, &params, &format!("0 {}", person.realname()));
    }

    pub(super) fn whois(&mut self, message: &Message<'_>) {
        // With two parameters the first names a server; there is one.
        let nicks = message.param(1).or(message.param(0));
        let Some(nick) = nicks.and_then(|nicks| nicks.split(',').find(|nick| !nick.is_empty())) else {
            self.numeric(ERR_NONICKNAMEGIVEN, &[], "No nickname given");
            return;
        };
        match self.find_person(nick).filter(|person| person.is_online()) {
            _ if service::is_service(nick) => self.whois_service(),
            Some(person) => self.whois_person(&person),
            None => self.numeric(ERR_NOSUCHNICK, &[&clean(nick)], "Nobody of this name is online"),
        }
        self.numeric(RPL_ENDOFWHOIS, &[&clean(nick)], "End of /WHOIS list");
    }

    fn whois_person(&mut self, person: &Arc<Person>) {
        let (host, nick) = (self.ctx.info.name.clone(), person.nick.clone());
        self.numeric(RPL_WHOISUSER, &[&nick, &nick, &host, "*"], &person.realname());
        let mut rooms = String::new();
        for id in person.rooms() {
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

    /// Accounts stay, so whoever was here is known; when, the history tells.
    pub(super) fn whowas(&mut self, message: &Message<'_>) {
        let nick = message.params[0];
        let host = self.ctx.info.name.clone();
        match self.find_person(nick) {
            Some(person) => {
                let realname = person.realname();
                self.numeric(RPL_WHOWASUSER, &[&person.nick, &person.nick, &host, "*"], &realname);
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
        self.numeric(RPL_ISON, &[], &online.join(" "));
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
        self.numeric(RPL_USERHOST, &[], &replies.join(" "));
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
        let realname = message.params[0];
        if realname.len() > REALNAME_MAX {
            self.fail("SETNAME", "INVALID_REALNAME", &[], &format!("A name has at most {REALNAME_MAX} bytes"));
            return;
        }
        self.person.set_realname(realname.into());
        let note = self.tell_sharers(NoteBody::Realname { realname: realname.into() });
        if let Some(mut line) = crate::encode::note(&note, &self.ctx.info.name, self.caps()) {
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
        note
    }

    fn shared_room(&self, person: &Person) -> Option<Arc<RoomState>> {
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
    let (mask, text): (Vec<char>, Vec<char>) =
        (mask.to_lowercase().chars().collect(), text.to_lowercase().chars().collect());
    let (mut m, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match mask.get(m) {
            Some('*') => {
                star = Some((m, t));
                m += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                m += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                m = at + 1;
                t = from + 1;
            }
        }
    }
    mask[m..].iter().all(|c| *c == '*')
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
