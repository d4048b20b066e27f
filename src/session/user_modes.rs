//! MODE of people: one's own. They belong to the session, not to the account: a phone may be found where a desk is not
//! raised; whether an account is invisible is what any of its sessions says.

use crate::live::UserModes;
use crate::proto::line::{Line, Message};
use crate::proto::numerics::*;

use super::Session;
use super::rooms::clean;

/// For RPL_MYINFO.
pub(super) const LETTERS: &str = "Biow";

impl Session {
    pub(super) fn user_mode(&mut self, message: &Message<'_>) {
        let target = message.params[0];
        match self.find_person(target) {
            None => self.numeric(ERR_NOSUCHNICK, &[&clean(target)], "There is no account of this name"),
            Some(person) if person.id != self.person.id => {
                self.numeric(ERR_USERSDONTMATCH, &[], "You can only see and change your own modes");
            }
            Some(_) => match message.params.get(1) {
                None => {
                    let modes = self.user_modes();
                    let line = self.numeric_line(RPL_UMODEIS, &[&modes]);
                    self.say(line);
                }
                Some(changes) => self.change_user_modes(changes),
            },
        }
    }

    /// `+io`, or `+`.
    fn user_modes(&self) -> String {
        let UserModes { invisible, wallops, .. } = self.person.modes(self.id);
        let mut modes = String::from("+");
        for (letter, on) in [('B', self.is_bot()), ('i', invisible), ('o', self.powers()), ('w', wallops)] {
            modes.extend(on.then_some(letter));
        }
        modes
    }

    fn change_user_modes(&mut self, changes: &str) {
        let mut modes = self.person.modes(self.id);
        let (mut on, mut unknown, mut drop_powers) = (true, false, false);
        let mut done = String::new();
        let mut sign = None;
        for letter in changes.chars() {
            let news = match letter {
                '+' | '-' => {
                    on = letter == '+';
                    continue;
                }
                // The account of a bot is one without being told, and stays one.
                'B' => std::mem::replace(&mut modes.bot, on) != on && !self.person.is_bot(),
                'i' => std::mem::replace(&mut modes.invisible, on) != on,
                'w' => std::mem::replace(&mut modes.wallops, on) != on,
                // Who wants it asks with OPER.
                'o' if on => false,
                'o' => self.powers() && !std::mem::replace(&mut drop_powers, true),
                _ => {
                    unknown = true;
                    false
                }
            };
            if news {
                if sign != Some(on) {
                    done.push(if on { '+' } else { '-' });
                    sign = Some(on);
                }
                done.push(letter);
            }
        }
        self.bot = modes.bot;
        self.person.set_modes(self.id, modes);
        if drop_powers {
            self.drop_powers();
        }
        if !done.is_empty() {
            self.tell_mode(&done);
        }
        if unknown {
            self.numeric(ERR_UMODEUNKNOWNFLAG, &[], "There is no such user mode");
        }
    }

    /// Tells the client of a change of its own modes.
    pub(super) fn tell_mode(&mut self, change: &str) {
        let line = Line::new().source(&self.source()).command("MODE").param(&self.person.nick).param(change);
        self.say(line);
    }
}
