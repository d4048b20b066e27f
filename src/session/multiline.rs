//! `draft/multiline`: a message that comes as a batch of lines, is gathered, and then said as one
//! (<https://ircv3.net/specs/extensions/multiline>). One at a time, bounded in bytes, lines and time; what is wrong with
//! it is said once, and what still comes of it is passed over.

use std::time::Instant;

use crate::event::Speech;
use crate::proto::caps::Cap;
use crate::proto::line::Message;
use crate::proto::names::{AccountName, RoomName};
use crate::proto::numerics::*;

use super::Session;
use super::commands::Row;
use super::rooms::clean;
use super::talk::Words;

/// What the capability's value announces (a test compares).
const BYTES_MAX: usize = 16_384;
const LINES_MAX: usize = 100;
/// Bytes of a batch's reference at most.
const REFERENCE_MAX: usize = 64;
/// So many lines, or so many bytes, cost as much as one message.
const LINES_A_MESSAGE: usize = 5;
const BYTES_A_MESSAGE: usize = 512;

/// A batch that the client has opened.
pub(super) struct Open {
    reference: String,
    target: String,
    tags: String,
    label: Option<String>,
    speech: Speech,
    text: String,
    cuts: Vec<u32>,
    lines: usize,
    /// Until when it has to be whole. `None`: it was refused, and what still comes of it is passed over.
    until: Option<Instant>,
}

impl Open {
    pub fn until(&self) -> Option<Instant> {
        self.until
    }

    pub fn into_label(self) -> Option<String> {
        self.label
    }
}

impl Session {
    /// Whether a line belongs to a batch and is not to be said by itself.
    pub(super) fn in_batch(&self, message: &Message<'_>, row: &Row) -> bool {
        row.is_speech()
            && !message.tags.is_empty()
            && self.caps().contains(Cap::Multiline)
            && message.tags.value("batch").is_some()
    }

    /// `BATCH +reference draft/multiline target`, and `BATCH -reference`.
    pub(super) async fn batch(&mut self, message: &Message<'_>) {
        if !self.caps().contains(Cap::Multiline) {
            self.numeric(ERR_UNKNOWNCOMMAND, &["BATCH"], "Unknown command");
            return;
        }
        let sign = message.params[0];
        match (sign.strip_prefix('+'), sign.strip_prefix('-')) {
            (Some(reference), _) => self.open_batch(reference, message),
            (_, Some(reference)) => self.close_batch(reference).await,
            _ => self.invalid("A batch begins with + and its name, and ends with - and its name"),
        }
    }

    fn open_batch(&mut self, reference: &str, message: &Message<'_>) {
        if self.open.as_ref().is_some_and(|open| open.until.is_some()) {
            self.invalid("Another batch was open; neither is sent");
            return;
        }
        let (Some(kind), Some(target)) = (message.param(1), message.param(2)) else {
            self.numeric(ERR_NEEDMOREPARAMS, &["BATCH"], "Not enough parameters");
            return;
        };
        let until = Some(Instant::now() + self.settings.ping_timeout);
        self.open = Some(Box::new(Open {
            reference: reference.to_owned(),
            target: target.to_owned(),
            tags: self.settings.client_tags.relayed(&message.tags),
            label: None,
            speech: Speech::Privmsg,
            text: String::new(),
            cuts: Vec::new(),
            lines: 0,
            until,
        }));
        if reference.is_empty() || reference.len() > REFERENCE_MAX {
            self.invalid("The name of a batch has 1 to 64 bytes");
        } else if kind != "draft/multiline" {
            self.invalid("The only kind of batch that can be sent is draft/multiline");
        } else if message.tags.value("batch").is_some() {
            self.invalid("There are no batches in batches");
        } else if target.contains(',') {
            self.invalid("A message of several lines goes to one receiver");
        } else if let Some(open) = &mut self.open {
            // The echo is the answer, or what is said against it.
            open.label = self.answer.label.take();
        }
    }

    /// One line of the batch.
    pub(super) fn gather(&mut self, message: &Message<'_>) {
        let reference = message.tags.value("batch").unwrap_or_default();
        let Some(open) = &mut self.open else {
            self.invalid("There is no open batch of this name");
            return;
        };
        if open.reference != reference {
            self.invalid("The line does not belong to the open batch");
            return;
        }
        if open.until.is_none() {
            return;
        }
        let speech = match message.command.to_ascii_uppercase().as_str() {
            "PRIVMSG" => Speech::Privmsg,
            "NOTICE" => Speech::Notice,
            _ => return self.invalid("A message of several lines is made of PRIVMSG or of NOTICE"),
        };
        let (Some(target), Some(text)) = (message.param(0), message.params.get(1)) else {
            return self.invalid("A line has a receiver and a text");
        };
        let joined = message.tags.value("draft/multiline-concat").is_some();
        if !is_same(target, &open.target) {
            let context = [clean(&open.target), clean(target)];
            let context = [&*context[0], &*context[1]];
            return self.break_batch("MULTILINE_INVALID_TARGET", &context, "All lines go to the batch's receiver");
        }
        if open.lines > 0 && open.speech != speech {
            return self.invalid("PRIVMSG and NOTICE do not go together");
        }
        if joined && (text.is_empty() || open.lines == 0) {
            return self.invalid("A line that goes on has a text, and a line before it");
        }
        if message.tags.raw_pairs().any(|(key, _)| key.starts_with('+')) {
            return self.invalid("The tags of a message stand on its BATCH");
        }
        if open.lines == LINES_MAX {
            let limit = LINES_MAX.to_string();
            return self.break_batch("MULTILINE_MAX_LINES", &[&limit], "The message has too many lines");
        }
        let feed = usize::from(open.lines > 0 && !joined);
        if open.text.len() + feed + text.len() > BYTES_MAX {
            let limit = BYTES_MAX.to_string();
            return self.break_batch("MULTILINE_MAX_BYTES", &[&limit], "The message is too long");
        }
        match joined {
            true => open.cuts.push(u32::try_from(open.text.len()).unwrap_or(u32::MAX)),
            false if feed > 0 => open.text.push('\n'),
            false => {}
        }
        open.text.push_str(text);
        open.speech = speech;
        open.lines += 1;
    }

    async fn close_batch(&mut self, reference: &str) {
        let Some(open) = self.open.take_if(|open| open.reference == reference) else {
            return self.invalid("There is no open batch of this name");
        };
        if open.until.is_none() {
            return;
        }
        if open.text.bytes().all(|byte| byte == b'\n') {
            self.open = Some(open);
            self.invalid("There is nothing but blank lines in the message");
            self.open = None;
            return;
        }
        let Open { target, tags, label, speech, text, cuts, lines, .. } = *open;
        if let Some(own) = self.answer.label.take() {
            self.acknowledge(&own);
        }
        self.answer.label.clone_from(&label);
        self.person.active((self.ctx.clock)());
        let worth = lines.div_ceil(LINES_A_MESSAGE).max(text.len().div_ceil(BYTES_A_MESSAGE));
        self.acts += u32::try_from(worth).unwrap_or(u32::MAX).saturating_sub(1);
        let words = Words { speech, text: &text, tags: &tags, cuts: &cuts };
        self.talk_to(&target, words, label.as_deref()).await;
    }

    /// A line beside the batch, while it is open.
    pub(super) fn interrupted(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.until.is_some()) {
            let mine = self.answer.label.take();
            self.invalid("Something else was said while the batch was open");
            self.finish_answer();
            self.answer.label = mine;
        }
    }

    /// Gives up a batch that was left open.
    pub(super) fn batch_timeout(&mut self, now: Instant) {
        if let Some(open) = &self.open
            && open.until.is_some_and(|until| until <= now)
        {
            let reference = clean(&open.reference);
            self.break_batch("TIMEOUT", &[&reference], "The batch was left open for too long; it is not sent");
            self.finish_answer();
        }
    }

    fn invalid(&mut self, text: &str) {
        self.break_batch("MULTILINE_INVALID", &[], text);
    }

    /// Says what is wrong, under the label of the batch, of which nothing is kept but its name.
    fn break_batch(&mut self, code: &str, context: &[&str], text: &str) {
        if let Some(open) = &mut self.open {
            open.until = None;
            (open.text, open.cuts, open.tags) = Default::default();
            if let Some(label) = open.label.take() {
                self.answer.label.get_or_insert(label);
            }
        }
        self.fail("BATCH", code, context, text);
    }
}

/// Whether two names mean the same receiver.
fn is_same(one: &str, other: &str) -> bool {
    let room = |name| RoomName::parse(name).ok().map(|name| name.key().to_owned());
    let person = |name| AccountName::parse(name).ok().map(|name| name.key().to_owned());
    one == other
        || match one.starts_with('#') {
            true => room(one).is_some_and(|key| room(other) == Some(key)),
            false => person(one).is_some_and(|key| person(other) == Some(key)),
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::caps;

    #[test]
    fn what_is_announced_is_what_holds() {
        let row = caps::TABLE.iter().find(|row| row.cap == Cap::Multiline).unwrap();
        assert_eq!(row.value, format!("max-bytes={BYTES_MAX},max-lines={LINES_MAX}"));
    }

    #[test]
    fn receivers_are_compared_as_names() {
        assert!(is_same("#Room", "#room") && is_same("Anna", "anna") && is_same("x!", "x!"));
        assert!(!is_same("#room", "room") && !is_same("#a", "#b") && !is_same("anna", "bela"));
    }
}
