//! MODE: of rooms; `user_modes` has those of people.

use crate::proto::line::{BODY_MAX, Message};
use crate::proto::modes::{self as table, ModeFault};
use crate::proto::numerics::*;
use crate::room::{LIST_MAX, ModeChange, Refusal, RoomState, Wish, may_rule};

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
        let (asked, changes): (Vec<_>, Vec<_>) =
            parsed.changes.into_iter().partition(|change| matches!(change, table::ModeChange::Query(_)));
        for change in asked {
            if let table::ModeChange::Query(letter) = change {
                self.masks(&state, letter);
            }
        }
        if changes.is_empty() && parsed.faults.is_empty() {
            return;
        }
        // Whoever may change nothing need not hear what is wrong with each change.
        if let Err(refusal) = may_rule(&state, &self.actor()) {
            self.refuse(&refusal, "MODE", &state.name);
            return;
        }
        for fault in &parsed.faults {
            self.fault(&state.name, fault);
        }
        let changes: Vec<ModeChange> = changes.into_iter().filter_map(|change| self.resolved(change)).collect();
        let adds = changes.iter().filter(|change| matches!(change, ModeChange::List { on: true, .. })).count();
        let crowded = state.masks.len() + adds > LIST_MAX;
        // What may be refused goes by itself, so that it does not undo the others; the rest in one go.
        let (alone, together): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| match change {
            ModeChange::Rank { who, .. } => state.member(who.id).is_none(),
            ModeChange::List { on, .. } => *on && crowded,
            _ => false,
        });
        for changes in self.fitting(&state.name, together) {
            self.wish(name, "MODE", Wish::Mode { changes }).await;
        }
        for change in alone {
            self.wish(name, "MODE", Wish::Mode { changes: vec![change] }).await;
        }
    }

    /// A change with the name in it turned into a person; `None`, after an answer, if there is nobody of this name.
    fn resolved(&mut self, change: table::ModeChange) -> Option<ModeChange> {
        Some(match change {
            table::ModeChange::Flag(letter, on) => ModeChange::Flag { letter, on },
            table::ModeChange::Key(key) => ModeChange::Key(key.map(Into::into)),
            table::ModeChange::Limit(limit) => ModeChange::Limit(limit),
            table::ModeChange::List { letter, mask, on } => ModeChange::List { letter, mask: mask.into(), on },
            table::ModeChange::Member { letter, nick, on } => match self.find_person(&nick) {
                Some(person) => ModeChange::Rank { letter, who: person.who(), on },
                None => {
                    self.numeric(ERR_NOSUCHNICK, &[&clean(&nick)], "There is no account of this name");
                    return None;
                }
            },
            table::ModeChange::Query(_) => return None,
        })
    }

    fn fault(&mut self, room: &str, fault: &ModeFault) {
        let text = fault.to_string();
        match fault {
            ModeFault::Unknown(letter) => self.numeric(ERR_UNKNOWNMODE, &[&letter.to_string()], &text),
            ModeFault::Missing(_) => self.numeric(ERR_NEEDMOREPARAMS, &["MODE"], &text),
            ModeFault::Invalid { letter, param } => {
                // A key is nobody's business, a bad one neither.
                let param = if *letter == 'k' { "*".to_owned() } else { clean(param) };
                self.numeric(ERR_INVALIDMODEPARAM, &[room, &letter.to_string(), &param], &text);
            }
            ModeFault::TooMany(_) => self.fail("MODE", "TOO_MANY_CHANGES", &[room], &text),
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
                ModeChange::List { mask, .. } => 3 + mask.len(),
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

    /// One list of a room. Who is banned or muted, everybody may see who sees the room; the exceptions, its members.
    fn masks(&mut self, state: &RoomState, letter: char) {
        let inside = state.member(self.person.id).is_some() || self.powers();
        if matches!(letter, 'e' | 'I') && !inside {
            self.refuse(&Refusal::NotInRoom, "MODE", &state.name);
            return;
        }
        let (entry, end, text) = match letter {
            'b' => (RPL_BANLIST, RPL_ENDOFBANLIST, "End of channel ban list"),
            'e' => (RPL_EXCEPTLIST, RPL_ENDOFEXCEPTLIST, "End of channel exception list"),
            'I' => (RPL_INVEXLIST, RPL_ENDOFINVEXLIST, "End of channel invite exception list"),
            _ => (RPL_QUIETLIST, RPL_ENDOFQUIETLIST, "End of channel quiet list"),
        };
        // Only this list has its letter in the answer.
        let of_quiet = (letter == 'q').then_some("q");
        let words: Vec<&str> = [&*state.name].into_iter().chain(of_quiet).collect();
        for masked in state.masks.list(letter) {
            let at = (masked.at.0 / 1000).to_string();
            let line = self.numeric_line(entry, &words).param(&masked.mask).param(&masked.by).param(&at);
            self.say(line);
        }
        self.numeric(end, &words, text);
    }
}
