//! REDACT: messages are taken back (<https://ircv3.net/specs/extensions/message-redaction>). The log decides, and takes the
//! text away with the same commit that says so.

use crate::event::EventId;
use crate::log::{Intent, Place};
use crate::proto::line::Message;
use crate::room::Refusal;

use super::Session;
use super::rooms::{clean, cut};

impl Session {
    /// `REDACT <room or account> <msgid> [reason]`. Who may not read there gets the same answer as where there is nothing.
    pub(super) async fn redact(&mut self, message: &Message<'_>) {
        let (target, msgid) = (clean(message.params[0]), clean(message.params[1]));
        let (place, name) = if message.params[0].starts_with('#') {
            let room = self.known_room(message.params[0]);
            (room.as_ref().map(|room| Place::Room(room.id)), room.map(|room| room.name()))
        } else {
            let person = self.find_person(message.params[0]);
            (person.as_ref().map(|person| Place::With(person.who())), person.map(|person| person.nick.clone()))
        };
        let (Some(place), Some(name)) = (place, name) else {
            self.fail("REDACT", "INVALID_TARGET", &[&target], "You cannot take messages back there");
            return;
        };
        let intent = Intent::Redact {
            actor: self.actor(),
            place,
            // No event has the number 0: the log says so, if this account may know.
            target: EventId::from_msgid(message.params[1]).unwrap_or(EventId(0)),
            window: self.settings.redaction_window,
            reason: cut(message.params.get(2).copied().unwrap_or_default()).into(),
        };
        let direct = !name.starts_with('#');
        match self.ctx.log.ask(intent).await {
            Ok(receipt) => self.settle(&receipt, direct, &name),
            Err(refusal) => {
                let text = refusal.to_string();
                match refusal {
                    Refusal::NoSuchRoom | Refusal::NotInRoom => {
                        self.fail("REDACT", "INVALID_TARGET", &[&target], "You cannot take messages back there");
                    }
                    Refusal::NoSuchMessage => self.fail("REDACT", "UNKNOWN_MSGID", &[&name, &msgid], &text),
                    Refusal::NotYourMessage => self.fail("REDACT", "REDACT_FORBIDDEN", &[&name, &msgid], &text),
                    Refusal::TooLate { seconds } => {
                        let window = seconds.to_string();
                        self.fail("REDACT", "REDACT_WINDOW_EXPIRED", &[&name, &msgid, &window], &text);
                    }
                    other => self.refuse(&other, "REDACT", &name),
                }
            }
        }
    }
}
