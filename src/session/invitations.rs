//! INVITE: asking somebody in, and the rooms that one is invited to. The log keeps invitations, and decides whether
//! one may be given. <https://modern.ircdocs.horse/#invite-message>

use crate::log::Intent;
use crate::proto::line::Message;
use crate::proto::numerics::*;
use crate::room::Wish;

use super::Session;
use super::rooms::clean;

impl Session {
    pub(super) async fn invite(&mut self, message: &Message<'_>) {
        let (nick, room) = match (message.param(0), message.param(1)) {
            (None, _) => return self.invited_to(),
            (Some(nick), Some(room)) if !nick.is_empty() && !room.is_empty() => (nick, room),
            _ => return self.numeric(ERR_NEEDMOREPARAMS, &["INVITE"], "Not enough parameters"),
        };
        let Some(person) = self.find_person(nick) else {
            self.numeric(ERR_NOSUCHNICK, &[&clean(nick)], "There is no account of this name");
            return;
        };
        let Some(found) = self.known_room(room) else {
            self.numeric(ERR_NOSUCHCHANNEL, &[&clean(room)], "There is no such room");
            return;
        };
        let name = found.name();
        let wish = Wish::Invite { target: person.who() };
        match self.ctx.log.ask(Intent::InRoom { room: found.id, actor: self.actor(), wish }).await {
            Ok(receipt) => {
                self.acts += u32::from(receipt.event.is_some());
                let line = self.numeric_line(RPL_INVITING, &[&person.nick, &name]);
                self.say(line);
                if let Some(away) = person.away() {
                    self.numeric(RPL_AWAY, &[&person.nick], &away);
                }
            }
            Err(refusal) => self.refuse(&refusal, "INVITE", &name),
        }
    }

    /// Whoever is invited knows of the room, secret or not.
    fn invited_to(&mut self) {
        let rooms = self.ctx.log.directory().channels();
        let states = rooms.iter().map(|room| room.snapshot().state);
        let mut names: Vec<_> =
            states.filter(|state| state.invited.contains(&self.person.id)).map(|state| state.name.clone()).collect();
        names.sort();
        for name in names {
            let line = self.numeric_line(RPL_INVITELIST, &[&name]);
            self.say(line);
        }
        self.numeric(RPL_ENDOFINVITELIST, &[], "End of /INVITE list");
    }
}
