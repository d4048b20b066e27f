//! What only the asker sees: numerics and standard replies, gathered while a command runs, and then sent with the
//! label the client gave: nothing to say becomes ACK, one line carries the label, several become a batch
//! (<https://ircv3.net/specs/extensions/labeled-response>). Lines of the log that a command caused belong to the
//! answer too, although they come later.

use bytes::BytesMut;

use crate::event::EventId;
use crate::proto::caps::Cap;
use crate::proto::line::{self, BODY_MAX, Line, escape};
use crate::proto::numerics::*;
use crate::room::Refusal;

use super::Session;

/// The answer to the command that is running.
#[derive(Default)]
pub(super) struct Answer {
    pub label: Option<String>,
    /// Without CR LF.
    pub lines: Vec<Vec<u8>>,
    /// Events that the command caused and that this session will be shown.
    pub caused: Vec<EventId>,
}

/// What is spliced into the line of an event that this session caused.
pub(super) struct Mine {
    pub event: EventId,
    pub mark: Mark,
}

pub(super) enum Mark {
    Nothing,
    Label(String),
    /// `last`: the batch ends after this line.
    Batch {
        reference: String,
        last: bool,
    },
}

impl Mark {
    /// As tags: `label=x`, `batch=y`, or nothing.
    pub fn tags(&self) -> String {
        match self {
            Mark::Nothing => String::new(),
            Mark::Label(label) => label_tag(label),
            Mark::Batch { reference, .. } => format!("batch={reference}"),
        }
    }
}

pub(super) fn label_tag(label: &str) -> String {
    let mut tag = String::from("label=");
    escape(label, &mut tag);
    tag
}

/// Writes a line, with or without CR LF, with more tags in front of those it has. All a session says comes by here.
pub(super) fn splice(out: &mut BytesMut, tags: &str, line: &[u8]) {
    let line = line::cut(line);
    if !tags.is_empty() {
        out.extend_from_slice(b"@");
        out.extend_from_slice(tags.as_bytes());
    }
    match (line.strip_prefix(b"@"), tags.is_empty()) {
        (_, true) => out.extend_from_slice(line),
        (Some(rest), false) => {
            out.extend_from_slice(b";");
            out.extend_from_slice(rest);
        }
        (None, false) => {
            out.extend_from_slice(b" ");
            out.extend_from_slice(line);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The lines of an event, and what is put in front of each. A label stands on the first alone; so does the reference of a
/// batch around an event that is a batch itself, and on its end.
pub(super) fn lines<'a>(tags: &'a str, bytes: &'a [u8], batch: bool) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let last = memchr::memchr_iter(b'\n', bytes).count() - 1;
    let labeled = tags.starts_with("label=");
    bytes.split_inclusive(|byte| *byte == b'\n').enumerate().map(move |(at, line)| {
        let bare = match at {
            0 => false,
            _ if labeled => true,
            at => batch && at != last,
        };
        (if bare { "" } else { tags }, line)
    })
}

/// A line with tags in front, without CR LF.
pub(super) fn tagged(tags: &str, line: &[u8]) -> Vec<u8> {
    let mut tagged = BytesMut::with_capacity(line.len() + tags.len() + 2);
    splice(&mut tagged, tags, line);
    tagged.truncate(tagged.len() - 2);
    tagged.to_vec()
}

/// Whether lines are a batch with what is in it and nothing else: that can carry a label itself.
fn is_one_batch(lines: &[Vec<u8>]) -> bool {
    let reference = |line: &[u8], sign: &str| -> Option<Vec<u8>> {
        let (_, rest) = std::str::from_utf8(line).ok()?.split_once(" BATCH ")?;
        Some(rest.split(' ').next()?.strip_prefix(sign)?.as_bytes().to_vec())
    };
    let [first, middle @ .., last] = lines else { return false };
    first.starts_with(b":")
        && last.starts_with(b":")
        && middle.iter().all(|line| line.starts_with(b"@batch="))
        && reference(first, "+").is_some_and(|open| reference(last, "-") == Some(open))
}

impl Session {
    /// Adds a line to the answer.
    pub(super) fn say(&mut self, line: Line) {
        self.answer.lines.push(line.into_string().into_bytes());
    }

    /// Adds a numeric; the last parameter is the text.
    pub(super) fn numeric(&mut self, code: &str, params: &[&str], text: &str) {
        let line = self.numeric_line(code, params).last(text);
        self.say(line);
    }

    /// A numeric whose last parameter is a list: at least one, and as many as it takes.
    pub(super) fn numeric_list(&mut self, code: &str, params: &[&str], words: &[String], separator: &str) {
        let room = (BODY_MAX - 4).saturating_sub(self.numeric_line(code, params).as_str().len());
        let mut text = String::new();
        for word in words {
            if !text.is_empty() && text.len() + separator.len() + word.len() > room {
                self.numeric(code, params, &std::mem::take(&mut text));
            }
            if !text.is_empty() {
                text.push_str(separator);
            }
            text.push_str(word);
        }
        self.numeric(code, params, &text);
    }

    pub(super) fn numeric_line(&self, code: &str, params: &[&str]) -> Line {
        let line = Line::new().source(&self.ctx.info.name).command(code).param(&self.person.nick);
        params.iter().fold(line, |line, param| line.param(param))
    }

    /// A standard reply that the specification of the command asks for. Whoever speaks the command, understands it; the
    /// capability `standard-replies` is only about those of our own, see [`Session::fail_own`].
    pub(super) fn fail(&mut self, command: &str, code: &str, context: &[&str], text: &str) {
        let line = Line::new().source(&self.ctx.info.name).command("FAIL").param(command).param(code);
        self.say(context.iter().fold(line, |line, param| line.param(param)).last(text));
    }

    /// A standard reply with a code of our own, to clients that take any; a notice to the others.
    pub(super) fn fail_own(&mut self, command: &str, code: &str, context: &[&str], text: &str) {
        if self.caps().contains(Cap::StandardReplies) {
            return self.fail(command, code, context, text);
        }
        let context = context.iter().map(|param| format!("{param}: ")).collect::<String>();
        let line = Line::new().source(&self.ctx.info.name).command("NOTICE").param(&self.person.nick);
        self.say(line.last(&format!("{context}{text}")));
    }

    /// The one place where a refusal of the log becomes words of the protocol.
    pub(super) fn refuse(&mut self, refusal: &Refusal, command: &str, target: &str) {
        let text = refusal.to_string();
        let speaking = matches!(command, "PRIVMSG" | "NOTICE" | "TAGMSG");
        // RFC 1459: a NOTICE is never answered with an error. That it was not stored, its sender must know.
        if command == "NOTICE" && !matches!(refusal, Refusal::NotStored(_)) {
            return;
        }
        match refusal {
            Refusal::NoSuchRoom => self.numeric(ERR_NOSUCHCHANNEL, &[target], &text),
            Refusal::NotInRoom => self.numeric(ERR_NOTONCHANNEL, &[target], &text),
            Refusal::TargetNotInRoom { nick } => self.numeric(ERR_USERNOTINCHANNEL, &[nick, target], &text),
            Refusal::AlreadyInRoom { nick } => self.numeric(ERR_USERONCHANNEL, &[nick, target], &text),
            Refusal::NotOperator => self.numeric(ERR_CHANOPRIVSNEEDED, &[target], &text),
            Refusal::InviteOnly => self.numeric(ERR_INVITEONLYCHAN, &[target], &text),
            Refusal::Banned => self.numeric(ERR_BANNEDFROMCHAN, &[target], &text),
            Refusal::WrongKey => self.numeric(ERR_BADCHANNELKEY, &[target], &text),
            Refusal::RoomFull => self.numeric(ERR_CHANNELISFULL, &[target], &text),
            Refusal::MembersOnly | Refusal::Moderated | Refusal::Muted => {
                self.numeric(ERR_CANNOTSENDTOCHAN, &[target], &text)
            }
            Refusal::ListFull { letter } => self.numeric(ERR_BANLISTFULL, &[target, &letter.to_string()], &text),
            Refusal::TooManyRooms => self.numeric(ERR_TOOMANYCHANNELS, &[target], &text),
            Refusal::RoomCreation => self.numeric(ERR_NOSUCHCHANNEL, &[target], &text),
            // METADATA words these itself.
            Refusal::KeyNotSet | Refusal::TooManyKeys => self.numeric(ERR_UNKNOWNERROR, &[command, target], &text),
            Refusal::NotStored(_) if self.caps().contains(Cap::StandardReplies) => {
                self.fail(command, "NOT_STORED", &[target], &text);
            }
            Refusal::NotStored(_) if speaking && target.starts_with('#') => {
                self.numeric(ERR_CANNOTSENDTOCHAN, &[target], &text);
            }
            // The last five have words of their own where they are met (REDACT, RENAME).
            Refusal::NotStored(_)
            | Refusal::NoSuchMessage
            | Refusal::NotYourMessage
            | Refusal::TooLate { .. }
            | Refusal::NameInUse
            | Refusal::SameName => self.numeric(ERR_UNKNOWNERROR, &[command, target], &text),
        }
    }

    /// Sends what was gathered.
    pub(super) fn finish_answer(&mut self) {
        let Answer { label, lines, caused } = std::mem::take(&mut self.answer);
        // It was looked at when the command came: the answer to one that switches labels off has its label yet.
        let Some(label) = label else {
            lines.iter().for_each(|line| splice(&mut self.out, "", line));
            self.mine.extend(caused.into_iter().map(|event| Mine { event, mark: Mark::Nothing }));
            return;
        };
        let host = self.ctx.info.name.clone();
        match (lines.as_slice(), caused.as_slice()) {
            ([], []) => self.acknowledge(&label),
            ([line], []) => splice(&mut self.out, &label_tag(&label), line),
            ([], [event]) => self.mine.push_back(Mine { event: *event, mark: Mark::Label(label) }),
            _ if !self.caps().contains(Cap::Batch) => {
                lines.iter().for_each(|line| splice(&mut self.out, "", line));
                self.mine.extend(caused.into_iter().map(|event| Mine { event, mark: Mark::Nothing }));
            }
            (lines, []) if is_one_batch(lines) => {
                for (at, line) in lines.iter().enumerate() {
                    splice(&mut self.out, &if at == 0 { label_tag(&label) } else { String::new() }, line);
                }
            }
            _ => {
                let reference = self.batch_reference();
                let start = format!(":{host} BATCH +{reference} labeled-response");
                splice(&mut self.out, &label_tag(&label), start.as_bytes());
                let tag = format!("batch={reference}");
                for line in &lines {
                    let nested = line.starts_with(b"@batch=");
                    splice(&mut self.out, if nested { "" } else { &tag }, line);
                }
                let count = caused.len();
                for (at, event) in caused.into_iter().enumerate() {
                    let mark = Mark::Batch { reference: reference.clone(), last: at + 1 == count };
                    self.mine.push_back(Mine { event, mark });
                }
                if count == 0 {
                    self.end_batch(&reference);
                }
            }
        }
    }

    /// There is nothing to say, and the client is told so.
    pub(super) fn acknowledge(&mut self, label: &str) {
        let ack = Line::new().source(&self.ctx.info.name).command("ACK").into_string();
        splice(&mut self.out, &label_tag(label), ack.as_bytes());
    }

    pub(super) fn end_batch(&mut self, reference: &str) {
        let end = format!(":{} BATCH -{reference}", self.ctx.info.name);
        splice(&mut self.out, "", end.as_bytes());
    }

    /// A new reference, unique in this session.
    pub(super) fn batch_reference(&mut self) -> String {
        self.batches += 1;
        format!("b{}", self.batches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::line::Message;
    use proptest::prelude::*;

    fn spliced(tags: &str, line: &str) -> String {
        let mut out = BytesMut::from(&b"before\r\n"[..]);
        splice(&mut out, tags, line.as_bytes());
        String::from_utf8(out.to_vec()).unwrap().strip_prefix("before\r\n").unwrap().to_owned()
    }

    #[test]
    fn tags_stand_in_front_of_tags() {
        assert_eq!(spliced("", ":a PONG"), ":a PONG\r\n");
        assert_eq!(spliced("label=x", ":a PONG\r\n"), "@label=x :a PONG\r\n");
        assert_eq!(spliced("label=x", "@time=1;msgid=2 :a PONG"), "@label=x;time=1;msgid=2 :a PONG\r\n");
        assert_eq!(spliced("", "@time=1 :a PONG\r\n"), "@time=1 :a PONG\r\n");
    }

    #[test]
    fn what_is_a_batch_already() {
        let is_one =
            |lines: &[&str]| is_one_batch(&lines.iter().map(|line| line.as_bytes().to_vec()).collect::<Vec<_>>());
        assert!(is_one(&[":s BATCH +a x y", "@batch=a :s 761 me", ":s BATCH -a"]));
        assert!(is_one(&[":s BATCH +a x", ":s BATCH -a"]));
        assert!(!is_one(&[":s BATCH +a x", ":s 761 me", ":s BATCH -a"]));
        assert!(!is_one(&[":s BATCH +a x", "@batch=a :s 1", ":s BATCH -a", ":s 770 me"]));
        assert!(!is_one(&[":s BATCH +a x", ":s BATCH -a", ":s BATCH +b x", ":s BATCH -b"]));
        assert!(!is_one(&[":s 770 me BATCH +a x", ":s BATCH -b"]));
    }

    proptest! {
        #[test]
        fn splicing_adds_tags_and_nothing_else(
            label in "\\PC{0,12}",
            tags in prop::collection::vec(("[a-z]{1,5}", "\\PC{0,6}"), 0..4),
            text in "[^\r\n\0]{0,20}",
            ended in any::<bool>(),
            spliced_tags in any::<bool>(),
        ) {
            let line = tags.iter().fold(Line::new(), |line, (key, value)| line.tag(key, value));
            let mut line = line.source("a!a@host").command("PRIVMSG").param("#room").last(&text).into_string();
            let bare = line.clone();
            if ended {
                line.push_str("\r\n");
            }
            let more = if spliced_tags { label_tag(&label) } else { String::new() };
            let whole = spliced(&more, &line);
            let read = Message::parse(whole.strip_suffix("\r\n").unwrap()).unwrap();
            let before = Message::parse(&bare).unwrap();
            prop_assert_eq!((read.source, read.command, &read.params), (before.source, before.command, &before.params));
            let old: Vec<_> = before.tags.raw_pairs().collect();
            let new: Vec<_> = read.tags.raw_pairs().collect();
            prop_assert_eq!(&new[usize::from(spliced_tags)..], &old[..]);
            if spliced_tags && !tags.iter().any(|(key, _)| key == "label") {
                prop_assert_eq!(read.tags.value("label"), Some(label));
            }
        }
    }
}
