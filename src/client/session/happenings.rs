//! Who comes and goes, topics and modes: what happens in rooms, and which rooms we are in by that.

use super::{Frame, ROOMS_MAX, Session};
use crate::client::heard::{Happened, Heard, What};
use crate::client::text::{clean, key, same};
use crate::proto::line::Message;

impl Session {
    pub(super) fn happened(&mut self, message: &Message, frame: &Frame, who: String) {
        let param = |at: usize| message.params.get(at).map(|text| clean(text));
        let own = same(&who, &self.nick);
        let reason = |at: usize| param(at).unwrap_or_default();
        let (room, what) = match message.command.to_ascii_uppercase().as_str() {
            "JOIN" => (param(0), What::Join),
            "PART" => (param(0), What::Part { reason: reason(1) }),
            "QUIT" => (None, What::Quit { reason: reason(0) }),
            "KICK" => (param(0), What::Kick { target: reason(1), reason: reason(2) }),
            "TOPIC" => (param(0), What::Topic { text: reason(1) }),
            "MODE" => {
                let room = param(0).filter(|target| self.is_room(target));
                if room.is_none() {
                    return;
                }
                let changes: Vec<String> = message.params[1..].iter().map(|text| clean(text)).collect();
                (room, What::Mode { changes: changes.join(" ") })
            }
            "NICK" => (None, What::Nick { new: reason(0) }),
            "INVITE" => (param(1), What::Invite { target: reason(0) }),
            "AWAY" => (None, What::Away { reason: param(0) }),
            _ => (None, What::Realname { text: reason(0) }),
        };
        if !frame.replayed {
            self.change_rooms(own, room.as_deref(), &what, message.source);
        }
        let (at, msgid, replayed) = (frame.at, frame.msgid.clone(), frame.replayed);
        self.emit(frame, Heard::Happened(Happened { room, who, own, what, at, msgid, replayed }));
    }

    fn change_rooms(&mut self, own: bool, room: Option<&str>, what: &What, source: Option<&str>) {
        match (what, room) {
            (What::Join, Some(room)) if own => {
                if self.rooms.len() < ROOMS_MAX {
                    self.rooms.insert(key(room), room.to_owned());
                    if self.fetch > 0 && self.has_chathistory() {
                        self.unread.insert(key(room));
                    }
                }
                self.mask_len = source.map(str::len);
            }
            (What::Part { .. }, Some(room)) if own => {
                self.rooms.remove(&key(room));
            }
            (What::Kick { target, .. }, Some(room)) if same(target, &self.nick) => {
                self.rooms.remove(&key(room));
            }
            (What::Nick { new }, _) if own => self.nick.clone_from(new),
            _ => {}
        }
    }
}
