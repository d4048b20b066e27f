//! Messages of several lines (`draft/multiline`), and messages that answer one: how they are sent and how they come in.
//!
//! Part of the session, and as pure. Promises that what is sent is cut into messages the server takes, without losing a
//! character, and that what comes in is bounded.

use crate::client::heard::Speech;
use crate::client::text::split_whole;
use crate::proto::line::{Line, Message};

use super::{BatchKind, Frame, PENDING_MAX, Pending, Session};

pub const MULTILINE: &str = "draft/multiline";
/// The tag of an answer; its value is the message that is answered.
pub const REPLY: &str = "+draft/reply";
const JOINED: &str = "draft/multiline-concat";
/// What is kept of a message that comes in: what exceeds it is left away.
const BYTES_MAX: usize = 64 * 1024;
/// Lines of one message where the server names no bound.
const LINES_USUAL: usize = 100;

/// How large a message of several lines may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub bytes: usize,
    pub lines: usize,
}

impl Limits {
    /// Reads `max-bytes=16384,max-lines=100`. `None`: it does not say how many bytes it takes.
    pub fn parse(value: &str) -> Option<Limits> {
        let number = |name: &str| {
            let mut keys = value.split(',').filter_map(|key| key.split_once('='));
            keys.find(|(key, _)| *key == name).and_then(|(_, number)| number.parse::<usize>().ok())
        };
        let bytes = number("max-bytes").filter(|bytes| *bytes > 0)?;
        Some(Limits { bytes, lines: number("max-lines").filter(|lines| *lines > 0).unwrap_or(LINES_USUAL) })
    }
}

/// What came with a message, and the lines that have come of it.
pub(super) struct Gathered {
    pub frame: Frame,
    /// The batch it stands in.
    pub around: Option<String>,
    pub from: String,
    pub source: Option<String>,
    pub target: String,
    pub reply_to: Option<String>,
    pub bot: bool,
    speech: Speech,
    text: String,
    begun: bool,
}

impl Gathered {
    pub fn of(message: &Message, frame: Frame, around: Option<String>, from: String, target: &str) -> Gathered {
        let clean = crate::client::text::clean;
        let answered = message.tags.value(REPLY).or_else(|| message.tags.value("+reply"));
        Gathered {
            frame,
            around,
            from,
            source: message.source.map(str::to_owned),
            target: target.to_owned(),
            reply_to: answered.map(|id| clean(&id)).filter(|id| !id.is_empty()),
            bot: message.tags.raw_pairs().any(|(key, _)| key == "bot"),
            speech: Speech::Message,
            text: String::new(),
            begun: false,
        }
    }
}

impl Session {
    /// How large a message of several lines may be; `None`: the server knows only lines.
    pub fn multiline(&self) -> Option<Limits> {
        let can = self.caps.has(MULTILINE) && self.caps.has("message-tags") && self.labels();
        Limits::parse(self.caps.value(MULTILINE)).filter(|_| can)
    }

    /// Whether messages may say which message they answer.
    pub fn has_replies(&self) -> bool {
        self.caps.has("message-tags")
    }

    /// The messages that it takes to say a text as a whole: where the server takes messages of several lines and the
    /// text is not too large, that is one; else one for each line that is not blank.
    pub fn messages(&self, target: &str, text: &str) -> Vec<String> {
        let Some(limits) = self.multiline() else {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            return lines.flat_map(|line| self.pieces(target, Speech::Message, line)).collect();
        };
        let max = self.room_for_text(target, Speech::Message);
        let mut messages: Vec<String> = Vec::new();
        let (mut message, mut lines) = (String::new(), 0);
        for line in text.trim_end().split('\n').map(|line| line.trim_end_matches('\r')) {
            // A line that takes as many pieces as a message may have lines goes into several messages.
            let parts = split_whole(line, (limits.bytes / 2).min(max * limits.lines / 2).max(8));
            for (at, part) in parts.into_iter().enumerate() {
                let pieces = split_whole(part, max).len();
                let full = lines + pieces > limits.lines || message.len() + 1 + part.len() > limits.bytes;
                if lines > 0 && (at > 0 || full) {
                    messages.push(std::mem::take(&mut message));
                    lines = 0;
                }
                if lines > 0 {
                    message.push('\n');
                }
                message.push_str(part);
                lines += pieces;
            }
        }
        messages.push(message);
        messages.retain(|message| !message.trim().is_empty());
        messages
    }

    /// Sends one of [`Session::messages`], as the answer to another message if need be, and gives a ticket for it.
    /// `None`: too much is under way, or there is nothing to say.
    pub fn say_whole(&mut self, target: &str, text: &str, reply_to: Option<&str>) -> Option<u64> {
        if text.trim().is_empty() || self.pending.len() >= PENDING_MAX {
            return None;
        }
        let max = self.room_for_text(target, Speech::Message);
        if self.multiline().is_none() || (text.len() <= max && !text.contains('\n')) {
            return Some(self.say_piece(target, Speech::Message, text.to_owned(), reply_to));
        }
        let ticket = self.new_id();
        let reference = format!("m{ticket}");
        let open = Line::new().tag("label", &ticket.to_string());
        let open = reply_to.into_iter().fold(open, |line, msgid| line.tag(REPLY, msgid));
        self.out.push(open.command("BATCH").param(&format!("+{reference}")).param(MULTILINE).param(target));
        for line in text.split('\n') {
            for (at, piece) in split_whole(line, max).into_iter().enumerate() {
                let tagged = Line::new().tag("batch", &reference);
                let tagged = if at > 0 { tagged.tag(JOINED, "") } else { tagged };
                self.out.push(tagged.command("PRIVMSG").param(target).last(piece));
            }
        }
        self.out.push(Line::new().command("BATCH").param(&format!("-{reference}")));
        self.pending.push_back(Pending { ticket, target: target.to_owned(), text: text.to_owned() });
        Some(ticket)
    }

    /// Takes a line that belongs to a message of several; false if it stands for itself.
    pub(super) fn gather(&mut self, message: &Message) -> bool {
        let Some(batch) = message.tags.value("batch") else { return false };
        let batch = self.batches.iter_mut().find(|known| known.id == batch);
        let Some(BatchKind::Lines(gathered)) = batch.map(|batch| &mut batch.kind) else { return false };
        let text = message.params.get(1).copied().unwrap_or_default();
        if gathered.text.len() + text.len() >= BYTES_MAX {
            return true;
        }
        if gathered.begun && !message.tags.raw_pairs().any(|(key, _)| key == JOINED) {
            gathered.text.push('\n');
        }
        if message.command.eq_ignore_ascii_case("NOTICE") {
            gathered.speech = Speech::Notice;
        }
        gathered.begun = true;
        gathered.text.push_str(text);
        true
    }

    /// All lines of a message have come.
    pub(super) fn gathered(&mut self, mut gathered: Gathered) {
        if gathered.begun {
            let (speech, text) = (gathered.speech, std::mem::take(&mut gathered.text));
            self.tell(gathered, speech, &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(Limits::parse("max-bytes=4096,max-lines=24"), Some(Limits { bytes: 4096, lines: 24 }));
        assert_eq!(Limits::parse("x=1,max-bytes=4096"), Some(Limits { bytes: 4096, lines: LINES_USUAL }));
        for none in ["", "max-lines=3", "max-bytes=x", "max-bytes=0"] {
            assert_eq!(Limits::parse(none), None, "{none}");
        }
    }
}
