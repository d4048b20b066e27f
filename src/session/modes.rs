//! MODE: of rooms; `user_modes` has those of people.

use crate::event::Who;
use crate::proto::line::{BODY_MAX, Message};
use crate::proto::modes::{self as table, ModeFault};
use crate::proto::numerics::*;
use crate::room::{ModeChange, Wish};

use super::Session;
use super::rooms::clean;

impl Session {
    pub(super) async fn mode(&mut self, message: &Message<'_>) {
        let target = message.params[0];
        if target.starts_with('#') {
            self.room_mode(target, &message.params[1..]).await
        } else {
            self.user_mode(message)
        }
    }

    async fn room_mode(&mut self, name: &str, params: &[&str]) {
        let Some(state) = self.visible_room(name) else {
            self.numeric(ERR_NOSUCHCHANNEL, &[&clean(name)], "There is no such room");
            return;
        };
        if params.is_empty() {
            let inside = state.member(self.person.id).is_some() || self.powers();
            let modes = state.modes.print(inside);
            let mut words = vec![&*state.name];
            words.extend(modes.split(' '));
            let line = self.numeric_line(RPL_CHANNELMODEIS, &words);
            self.say(line);
            let created = (state.created.0 / 1000).to_string();
            let line = self.numeric_line(RPL_CREATIONTIME, &[&state.name, &created]);
            self.say(line);
            return;
        }
        let parsed = table::parse(params);
        for fault in &parsed.faults {
            match fault {
                ModeFault::Unknown(letter) => {
                    self.numeric(ERR_UNKNOWNMODE, &[&letter.to_string()], &fault.to_string());
                }
                ModeFault::Missing(letter) => {
                    let letter = letter.to_string();
                    self.numeric(ERR_INVALIDMODEPARAM, &[&state.name, &letter, "*"], &fault.to_string());
                }
                ModeFault::Invalid { letter, param } => {
                    let (letter, param) = (letter.to_string(), clean(param));
                    self.numeric(ERR_INVALIDMODEPARAM, &[&state.name, &letter, &param], &fault.to_string());
                }
                ModeFault::TooMany(letter) => {
                    self.numeric(ERR_UNKNOWNMODE, &[&letter.to_string()], &fault.to_string());
                }
            }
        }
        let mut changes = Vec::new();
        for change in parsed.changes {
            match change {
                table::ModeChange::Flag(letter, on) => changes.push(ModeChange::Flag { letter, on }),
                table::ModeChange::Key(key) => changes.push(ModeChange::Key(key.map(Into::into))),
                table::ModeChange::Limit(limit) => changes.push(ModeChange::Limit(limit)),
                table::ModeChange::Member { letter, nick, on } => match self.find_person(&nick) {
                    Some(person) => changes.push(ModeChange::Rank { letter, who: person.who(), on }),
                    None => self.numeric(ERR_NOSUCHNICK, &[&clean(&nick)], "There is no account of this name"),
                },
                table::ModeChange::Query(letter) => self.empty_list(&state.name, letter),
                table::ModeChange::List { .. } => {}
            }
        }
        // Each rank by itself, so that one wrong nick does not undo the others; the rest in one go.
        let (ranks, others): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|change| matches!(change, ModeChange::Rank { who, .. } if unknown(&state, who)));
        for changes in self.fitting(&state.name, others) {
            self.wish(name, "MODE", Wish::Mode { changes }).await;
        }
        for change in ranks {
            self.wish(name, "MODE", Wish::Mode { changes: vec![change] }).await;
        }
    }

    /// Cuts changes into groups of which each fits into one line: whoever reads half of them is wrong about the room.
    fn fitting(&self, room: &str, changes: Vec<ModeChange>) -> Vec<Vec<ModeChange>> {
        let most = BODY_MAX.saturating_sub(":  MODE  \r\n".len() + self.source().len() + room.len());
        let mut groups: Vec<Vec<ModeChange>> = Vec::new();
        let mut len = 0;
        for change in changes {
            // A sign, the letter, a blank, the parameter.
            let more = match &change {
                ModeChange::Rank { who, .. } => 3 + who.nick.len(),
                ModeChange::Key(Some(key)) => 3 + key.len(),
                ModeChange::Key(None) => 4,
                ModeChange::Limit(_) => 3 + "4294967295".len(),
                ModeChange::Flag { .. } => 2,
            };
            len += more;
            match groups.last_mut().filter(|_| len <= most) {
                Some(group) => group.push(change),
                None => {
                    groups.push(vec![change]);
                    len = more;
                }
            }
        }
        groups
    }

    fn empty_list(&mut self, room: &str, letter: char) {
        match letter {
            'b' => self.numeric(RPL_ENDOFBANLIST, &[room], "End of channel ban list"),
            'e' => self.numeric(RPL_ENDOFEXCEPTLIST, &[room], "End of channel exception list"),
            _ => self.numeric(RPL_ENDOFINVEXLIST, &[room], "End of channel invite exception list"),
        }
    }
}

fn unknown(state: &crate::room::RoomState, who: &Who) -> bool {
    state.member(who.id).is_none()
}
