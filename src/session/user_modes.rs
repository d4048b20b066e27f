//! MODE of people: one's own, and each session has its own.

use crate::proto::line::{Line, Message};
use crate::proto::numerics::*;

use super::Session;
use super::rooms::clean;

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
                    let mut modes = String::from("+");
                    if self.is_bot() {
                        modes.push('B');
                    }
                    if self.powers() {
                        modes.push('o');
                    }
                    let line = self.numeric_line(RPL_UMODEIS, &[&modes]);
                    self.say(line);
                }
                Some(changes) => self.change_user_modes(changes),
            },
        }
    }

    fn change_user_modes(&mut self, changes: &str) {
        let mut on = true;
        let mut unknown = false;
        for letter in changes.chars() {
            match letter {
                '+' => on = true,
                '-' => on = false,
                // Who wants it asks with OPER.
                'o' if on => {}
                'o' => {
                    if self.powers() {
                        self.tell_mode("-o");
                    }
                    if self.grant.is_some() {
                        self.drop_powers();
                    }
                }
                'B' => self.mark_bot(on),
                'i' | 'w' => {}
                _ => unknown = true,
            }
        }
        if unknown {
            self.numeric(ERR_UMODEUNKNOWNFLAG, &[], "There is no such user mode");
        }
    }

    /// The account of a bot is one without being told, and stays one.
    fn mark_bot(&mut self, on: bool) {
        let before = self.is_bot();
        self.bot = on;
        self.person.set_bot(self.id, on);
        if self.is_bot() != before {
            self.tell_mode(if on { "+B" } else { "-B" });
        }
    }

    /// Tells the client of a change of its own modes.
    pub(super) fn tell_mode(&mut self, change: &str) {
        let line = Line::new().source(&self.source()).command("MODE").param(&self.person.nick).param(change);
        self.say(line);
    }
}
