//! Events and notes as lines: `(event, viewer, view) -> bytes`. Pure. The same code prints what happens now and what
//! happened years ago; a live line is made once for each set of capabilities and shared by all who have that set.

use std::fmt::Write;

use crate::event::{Body, Event, Kind, Millis, Note, NoteBody, Speech};
use crate::proto::caps::{Cap, CapSet};
use crate::proto::line::{BODY_MAX, Line};

/// Whether a line is news or history. History is told in a batch where the client knows batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Live,
    History,
}

/// The capabilities that change how an event is printed; their order is that of the bits of [`slot`].
const RELEVANT: [Cap; 4] = [Cap::ServerTime, Cap::MessageTags, Cap::AccountTag, Cap::ExtendedJoin];

/// Which of the shared encodings a client with these capabilities reads; below [`crate::log::ENCODINGS`].
pub fn slot(caps: CapSet) -> usize {
    RELEVANT.iter().enumerate().map(|(bit, cap)| usize::from(caps.contains(*cap)) << bit).sum()
}

/// Whether a client with these capabilities is shown events of this kind.
pub fn shows(kind: Kind, caps: CapSet, view: View) -> bool {
    match (kind, view) {
        (Kind::Privmsg | Kind::Notice, _) => true,
        (_, View::History) => false,
        (Kind::Tagmsg, View::Live) => caps.contains(Cap::MessageTags),
        (Kind::Invite, View::Live) => caps.contains(Cap::InviteNotify),
        (Kind::Redacted | Kind::Created | Kind::Reset, View::Live) => false,
        _ => true,
    }
}

/// What stands before a `!`, the user and host of an account: nobody's address is shown, so both are made up.
pub fn source(nick: &str, host: &str) -> String {
    format!("{nick}!{nick}@{host}")
}

/// The longest line that others get of what `nick` says: those who say more must be told, or the end would be lost.
pub fn said_len(nick: &str, host: &str, command: &str, target: &str, text: &str) -> usize {
    ":!@   :\r\n".len() + 2 * nick.len() + host.len() + command.len() + target.len() + text.len()
}

/// The line of an event with CR LF, for clients with these capabilities. Ask [`shows`] first.
pub fn event(event: &Event, room: &str, host: &str, caps: CapSet) -> Vec<u8> {
    finish(event_line(event, room, host, caps))
}

/// An event of the past for a client that cannot be told its time by a tag: the time stands in front of the text.
/// What no longer fits into one line goes on in a second one.
pub fn dated(event: &Event, room: &str, host: &str, caps: CapSet) -> Vec<u8> {
    let Body::Said { speech, to, text, tags } = &event.body else { return self::event(event, room, host, caps) };
    let time = stamp(event.time);
    let text = match text.strip_prefix("\x01ACTION ").map(|act| act.trim_end_matches('\x01')) {
        Some(act) => {
            let nick = event.actor.as_ref().map_or(host, |who| &who.nick);
            format!("[{time}] * {nick} {act}")
        }
        None => format!("[{time}] {text}"),
    };
    let overhead = event_line(event, room, host, CapSet::EMPTY).as_str().len() + 2 - said_text(event).len();
    let room_left = BODY_MAX.saturating_sub(overhead);
    let (first, rest) = split(&text, room_left);
    let mut bytes = Vec::new();
    for part in [first, rest].into_iter().filter(|part| !part.is_empty()) {
        let body = Body::Said { speech: *speech, to: to.clone(), text: part.into(), tags: tags.clone() };
        let part = Event { body, ..event.clone() };
        bytes.extend(self::event(&part, room, host, caps));
    }
    bytes
}

/// The line of a note with CR LF, if a client with these capabilities is told of it.
pub fn note(note: &Note, host: &str, caps: CapSet) -> Option<Vec<u8>> {
    let needs = match note.body {
        NoteBody::Tags { .. } => Some(Cap::MessageTags),
        NoteBody::Away { .. } => Some(Cap::AwayNotify),
        NoteBody::Realname { .. } => Some(Cap::Setname),
        NoteBody::Invited { .. } => None,
    };
    if needs.is_some_and(|cap| !caps.contains(cap)) {
        return None;
    }
    let mut line = Line::new();
    if caps.contains(Cap::ServerTime) {
        line = line.tag("time", &iso(note.time));
    }
    if caps.contains(Cap::AccountTag) {
        line = line.tag("account", &note.actor.nick);
    }
    if let NoteBody::Tags { tags, .. } = &note.body {
        line = line.raw_tags(tags);
    }
    line = line.source(&source(&note.actor.nick, host));
    let line = match &note.body {
        NoteBody::Tags { target, .. } => line.command("TAGMSG").param(target),
        NoteBody::Away { message: Some(message) } => line.command("AWAY").last(message),
        NoteBody::Away { message: None } => line.command("AWAY"),
        NoteBody::Realname { realname } => line.command("SETNAME").last(realname),
        // The name of the invited is the receiver's own: the session puts it in by knowing itself.
        NoteBody::Invited { room } => line.command("INVITE").param("*").param(room),
    };
    Some(finish(line))
}

/// A time as `server-time` writes it: `2026-11-23T15:20:06.123Z`.
pub fn iso(time: Millis) -> String {
    let t = parts(time);
    let mut text = String::with_capacity(24);
    let _ = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.millisecond()
    );
    text
}

/// A time for people who see plain text: `2026-11-23 15:20:06` (UTC).
pub fn stamp(time: Millis) -> String {
    iso(time)[..19].replace('T', " ")
}

fn parts(time: Millis) -> time::OffsetDateTime {
    let nanos = i128::from(time.0) * 1_000_000;
    time::OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

fn said_text(event: &Event) -> &str {
    match &event.body {
        Body::Said { text, .. } => text,
        _ => "",
    }
}

fn event_line(event: &Event, room: &str, host: &str, caps: CapSet) -> Line {
    let mut line = Line::new();
    if caps.contains(Cap::ServerTime) {
        line = line.tag("time", &iso(event.time));
    }
    if caps.contains(Cap::MessageTags) {
        line = line.tag("msgid", &event.id.msgid().to_string());
    }
    if let (true, Some(who)) = (caps.contains(Cap::AccountTag), &event.actor) {
        line = line.tag("account", &who.nick);
    }
    if let (true, Body::Said { tags, .. }) = (caps.contains(Cap::MessageTags), &event.body) {
        line = line.raw_tags(tags);
    }
    line = match &event.actor {
        Some(who) => line.source(&source(&who.nick, host)),
        None => line.source(host),
    };
    match &event.body {
        Body::Said { speech, to, text, .. } => {
            let target = to.as_ref().map_or(room, |who| &who.nick);
            match speech {
                Speech::Privmsg => line.command("PRIVMSG").param(target).last(text),
                Speech::Notice => line.command("NOTICE").param(target).last(text),
                Speech::Tagmsg => line.command("TAGMSG").param(target),
            }
        }
        Body::Join { realname } => {
            let line = line.command("JOIN").param(room);
            match (&event.actor, caps.contains(Cap::ExtendedJoin)) {
                (Some(who), true) => line.param(&who.nick).last(realname),
                _ => line,
            }
        }
        Body::Part { reason } => optional(line.command("PART").param(room), reason),
        Body::Quit { reason } => line.command("QUIT").last(reason),
        Body::Kick { target, reason } => line.command("KICK").param(room).param(&target.nick).last(reason),
        Body::Topic { text } => line.command("TOPIC").param(room).last(text),
        Body::Mode { changes } => {
            changes.split(' ').fold(line.command("MODE").param(room), |line, word| line.param(word))
        }
        Body::Invite { target } => line.command("INVITE").param(&target.nick).param(room),
        // Never shown as lines of their own (see `shows`).
        Body::Redacted { .. } | Body::Created { .. } | Body::Reset => line.command("NOTE").param(room),
    }
}

fn optional(line: Line, text: &str) -> Line {
    if text.is_empty() { line } else { line.last(text) }
}

fn finish(line: Line) -> Vec<u8> {
    let mut bytes = line.into_string().into_bytes();
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Cuts a text after at most `len` bytes, at a blank if there is one in the second half.
fn split(text: &str, len: usize) -> (&str, &str) {
    if text.len() <= len {
        return (text, "");
    }
    let mut at = len;
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    let (first, _) = text.split_at(at);
    match first.rfind(' ').filter(|blank| *blank > at / 2) {
        Some(blank) => (&text[..blank], &text[blank + 1..]),
        None => text.split_at(at),
    }
}
