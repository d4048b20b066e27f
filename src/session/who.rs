//! WHO, plain and with fields of the asker's choice (<https://ircv3.net/specs/extensions/whox>): everybody in a room
//! this account may see, one account by its name, or those whose names fit a mask. Who is invisible is found by a mask
//! only by those who share a room.

use std::sync::Arc;

use crate::live::Person;
use crate::proto::caps::Cap;
use crate::proto::line::Message;
use crate::proto::names::SERVICE;
use crate::proto::numerics::*;
use crate::room::Member;

use super::Session;
use super::people::matches;
use super::rooms::{clean, prefix};
use super::service;

/// The fields of RPL_WHOSPCRPL, in the order they are sent.
const FIELDS: &str = "tcuihsnfdlaor";

/// What the second parameter asks for: `[flags][%fields[,token]]`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    operators: bool,
    /// `None`: the plain answer.
    fields: Option<String>,
    token: String,
}

impl Asked {
    fn parse(text: &str) -> Asked {
        let (flags, extended) = text.split_once('%').map_or((text, None), |(flags, rest)| (flags, Some(rest)));
        let operators = flags.contains('o');
        let Some(extended) = extended else { return Asked { operators, ..Asked::default() } };
        let (fields, token) = extended.split_once(',').unwrap_or((extended, ""));
        let fields = FIELDS.chars().filter(|field| fields.contains(*field)).collect();
        let fit = (1..=3).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_digit());
        Asked { operators, fields: Some(fields), token: if fit { token } else { "0" }.to_owned() }
    }
}

impl Session {
    pub(super) fn who(&mut self, message: &Message<'_>) {
        let mask = message.param(0).unwrap_or("*");
        let asked = Asked::parse(message.params.get(1).copied().unwrap_or_default());
        if mask.starts_with('#') {
            if let Some(state) = self.visible_room(mask) {
                let found: Vec<(Arc<Person>, Member)> = state
                    .present()
                    .filter_map(|(id, member)| Some((self.ctx.log.roster().by_id(id)?, member.clone())))
                    .filter(|(person, _)| !asked.operators || person.is_oper())
                    .collect();
                for (person, member) in found {
                    self.who_row(&state.name, &person, Some(&member), &asked);
                }
            }
        } else if service::is_service(mask) {
            if !asked.operators {
                self.who_line("*", SERVICE, "HB", 0, service::SELF, &asked);
            }
        } else if let Some(person) = self.find_person(mask) {
            if person.is_online() && (!asked.operators || person.is_oper()) {
                let shared = self.shared_room(&person);
                let member = shared.as_ref().and_then(|state| state.member(person.id).cloned());
                let name = shared.map_or_else(|| Arc::from("*"), |state| state.name.clone());
                self.who_row(&name, &person, member.as_ref(), &asked);
            }
        } else if mask.contains(['*', '?']) || mask == "0" {
            let mask = if mask == "0" { "*" } else { mask };
            let mut online = self.ctx.log.roster().online();
            online.retain(|person| matches(mask, &person.nick) && self.finds(person));
            online.sort_by(|a, b| a.nick.cmp(&b.nick));
            for person in online.into_iter().filter(|person| !asked.operators || person.is_oper()) {
                self.who_row("*", &person, None, &asked);
            }
        }
        self.numeric(RPL_ENDOFWHO, &[&clean(mask)], "End of /WHO list");
    }

    fn who_row(&mut self, room: &str, person: &Person, member: Option<&Member>, asked: &Asked) {
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
        let idle = ((self.ctx.clock)().0 - person.times().0.0).max(0) / 1000;
        self.who_line(room, &person.nick, &flags, idle, &person.realname(), asked);
    }

    fn who_line(&mut self, room: &str, nick: &str, flags: &str, idle: i64, realname: &str, asked: &Asked) {
        let host = self.ctx.info.name.clone();
        let Some(fields) = &asked.fields else {
            self.numeric(RPL_WHOREPLY, &[room, nick, &host, &host, nick, flags], &format!("0 {realname}"));
            return;
        };
        let mut line = self.numeric_line(RPL_WHOSPCRPL, &[]);
        for field in fields.chars() {
            line = match field {
                't' => line.param(&asked.token),
                'c' => line.param(room),
                'h' | 's' => line.param(&host),
                // Nobody's address is told.
                'i' => line.param("255.255.255.255"),
                'f' => line.param(flags),
                'd' => line.param("0"),
                'l' => line.param(&idle.to_string()),
                'o' => line.param("n/a"),
                'r' => line.last(realname),
                // The user name, the nick and the account are one.
                _ => line.param(nick),
            };
        }
        self.say(line);
    }

    /// Whether a search of this session's finds somebody.
    pub(super) fn finds(&self, person: &Person) -> bool {
        person.id == self.person.id || !person.is_invisible() || self.powers() || self.shares_room(person)
    }

    pub(super) fn shares_room(&self, person: &Person) -> bool {
        self.channels().iter().any(|room| person.is_in(room.id))
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;

    #[test]
    fn what_is_asked_for() {
        let asked = |text| {
            let Asked { operators, fields, token } = Asked::parse(text);
            (operators, fields.unwrap_or_else(|| "plain".to_owned()), token)
        };
        let is = |operators, fields: &str, token: &str| (operators, fields.to_owned(), token.to_owned());
        assert_eq!(asked(""), is(false, "plain", ""));
        assert_eq!(asked("o"), is(true, "plain", ""));
        assert_eq!(asked("%ro"), is(false, "or", "0"));
        assert_eq!(asked("o%nt,042"), is(true, "tn", "042"));
        assert_eq!(asked("%rnt,1234"), is(false, "tnr", "0"), "a token has three digits at most");
        assert_eq!(asked("%tx,1a"), is(false, "t", "0"), "and digits alone; unknown fields are passed over");
        assert_eq!(asked("%"), is(false, "", "0"));
    }
}
