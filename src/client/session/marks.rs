//! What is said about messages and conversations: reactions, typing, redaction, how far one has read.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::multiline::REPLY;
use super::{Frame, Session};
use crate::client::heard::{Heard, Reacted};
use crate::client::login::{MARKERS, REDACTION};
use crate::client::show::rfc3339;
use crate::client::text::{clean, same};
use crate::event::Millis;
use crate::proto::line::{Line, Message};

/// Bytes of a reaction that are shown.
const REACTION_MAX: usize = 64;

/// The id of the message that this one answers.
fn reply_to(message: &Message) -> Option<String> {
    let id = message.tags.value(REPLY).or_else(|| message.tags.value("+reply"))?;
    Some(clean(&id)).filter(|id| !id.is_empty())
}

/// `timestamp=` is cut off, if it is there.
pub(super) fn moment(text: &str) -> Option<Millis> {
    let time = OffsetDateTime::parse(text.strip_prefix("timestamp=").unwrap_or(text), &Rfc3339).ok()?;
    Some(Millis(time.unix_timestamp() * 1000 + i64::from(time.millisecond())))
}

impl Session {
    pub fn has_markers(&self) -> bool {
        self.caps.has(MARKERS)
    }

    pub fn has_redaction(&self) -> bool {
        self.caps.has(REDACTION)
    }

    pub fn has_tags(&self) -> bool {
        self.caps.has("message-tags")
    }

    /// Asks how far this account has read there.
    pub fn ask_read(&mut self, with: &str) {
        self.command("MARKREAD", &[with]);
    }

    /// Says that all up to this time has been read.
    pub fn mark_read(&mut self, with: &str, at: Millis) {
        let time = format!("timestamp={}", rfc3339(at));
        self.out.push(Line::new().command("MARKREAD").param(with).param(&time));
    }

    /// Reacts to a message, or takes that back.
    pub fn react(&mut self, with: &str, msgid: &str, reaction: &str, take_back: bool) {
        let tag = if take_back { "+draft/unreact" } else { "+draft/react" };
        let line = Line::new().tag(tag, reaction).tag(REPLY, msgid);
        self.out.push(line.command("TAGMSG").param(with));
    }

    pub fn typing(&mut self, with: &str, going: bool) {
        let state = if going { "active" } else { "done" };
        self.out.push(Line::new().tag("+typing", state).command("TAGMSG").param(with));
    }

    pub(super) fn tagged(&mut self, message: &Message, frame: &Frame, from: String) {
        let Some(target) = message.param(0) else { return };
        let own = same(&from, &self.nick);
        let with = self.with(target, &from, own, message.source);
        if with.is_empty() {
            return;
        }
        let tag = |names: [&str; 2]| names.into_iter().find_map(|name| message.tags.value(name));
        if let Some(state) = tag(["+typing", "+draft/typing"]) {
            if !own && !frame.replayed {
                self.heard.push_back(Heard::Typing { with, from, going: state == "active" });
            }
            return;
        }
        let Some(target) = reply_to(message) else { return };
        let given = tag(["+draft/react", "+react"]).map(|reaction| (reaction, false));
        let Some((reaction, taken_back)) =
            given.or_else(|| tag(["+draft/unreact", "+unreact"]).map(|reaction| (reaction, true)))
        else {
            return;
        };
        let reaction = clean(&reaction);
        if !reaction.trim().is_empty() && reaction.len() <= REACTION_MAX {
            self.emit(frame, Heard::Reacted(Reacted { with, from, own, target, reaction, taken_back }));
        }
    }

    pub(super) fn redacted(&mut self, message: &Message, frame: &Frame, from: String) {
        let (Some(target), Some(msgid)) = (message.param(0), message.param(1)) else { return };
        let own = same(&from, &self.nick);
        let with = self.with(target, &from, own, message.source);
        // A server may speak of a conversation between two by the other's name.
        let with = if with.is_empty() { clean(target) } else { with };
        self.emit(frame, Heard::Redacted { with, by: from, target: clean(msgid) });
    }

    pub(super) fn marked(&mut self, message: &Message) {
        let (Some(with), Some(time)) = (message.param(0), message.param(1)) else { return };
        self.heard.push_back(Heard::Read { with: clean(with), at: moment(time) });
    }
}
