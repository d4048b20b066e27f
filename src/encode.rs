//! Events and notes as lines: `(event, viewer, view) -> bytes`. Pure. The same code prints what happens now and what
//! happened years ago; a live line is made once for each set of capabilities and shared by all who have that set.

use std::fmt::Write;
use std::sync::Arc;

use crate::event::{Body, Event, Kind, Millis, Note, NoteBody, Speech, Who, pieces};
use crate::proto::caps::{Cap, CapSet};
use crate::proto::line::{BODY_MAX, Line, cut};

/// Whether a line is news or history. History is told in a batch where the client knows batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Live,
    History,
}

/// The capabilities that change how any event is printed; their order is that of the bits of [`slot`]. The bit after
/// them is for what matters to this event alone.
const RELEVANT: [Cap; 3] = [Cap::ServerTime, Cap::MessageTags, Cap::AccountTag];

/// Which of the shared encodings a client with these capabilities reads; below [`crate::log::ENCODINGS`].
pub fn slot(event: &Event, caps: CapSet) -> usize {
    let own = match &event.body {
        Body::Join { .. } => caps.contains(Cap::ExtendedJoin),
        Body::Redacted { .. } => caps.contains(Cap::MessageRedaction),
        _ => is_batch(event, caps),
    };
    let shared: usize = RELEVANT.iter().enumerate().map(|(bit, cap)| usize::from(caps.contains(*cap)) << bit).sum();
    shared | usize::from(own) << RELEVANT.len()
}

/// Whether the event is told as a batch of its own: a long message, to those who know such. To the others it is told
/// line by line.
pub fn is_batch(event: &Event, caps: CapSet) -> bool {
    caps.contains(Cap::Multiline) && caps.contains(Cap::Batch) && event.is_long()
}

/// Whether a client with these capabilities is shown events of this kind.
pub fn shows(kind: Kind, caps: CapSet, view: View) -> bool {
    match (kind, view) {
        (Kind::Privmsg | Kind::Notice, _) => true,
        (_, View::History) if !caps.contains(Cap::EventPlayback) => false,
        (Kind::Tagmsg, _) => caps.contains(Cap::MessageTags),
        (Kind::Invite, _) => caps.contains(Cap::InviteNotify),
        // Live, everybody is told; in a history that does not have the message there is nothing to explain.
        (Kind::Redacted, View::History) => caps.contains(Cap::MessageRedaction),
        // To the others the session tells that they left one room and came into another.
        (Kind::Renamed, _) => caps.contains(Cap::ChannelRename),
        (Kind::Created | Kind::Reset, _) => false,
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

/// The line of an event with CR LF, for clients with these capabilities; a message of several lines has several, or is
/// a batch ([`is_batch`]). Ask [`shows`] first, and whether it was taken back.
pub fn event(event: &Event, room: &str, host: &str, caps: CapSet) -> Vec<u8> {
    match event.is_long() {
        false => finish(event_line(event, room, host, caps)),
        true if is_batch(event, caps) => batch(event, room, host, caps),
        true => line_by_line(event, room, host, caps),
    }
}

/// `draft/multiline`: the lines as they were sent. The reference comes from the message's id, so that all can share it.
fn batch(event: &Event, room: &str, host: &str, caps: CapSet) -> Vec<u8> {
    let Body::Said { speech, to, text, cuts, .. } = &event.body else { return Vec::new() };
    let target = to.as_ref().map_or(room, |who| &who.nick);
    let reference = format!("m{}", event.id.msgid());
    let from = event.actor.as_ref().map_or_else(|| host.to_owned(), |who| source(&who.nick, host));
    let start = tags_of(event, caps).source(&from).command("BATCH");
    let mut bytes = finish(start.param(&format!("+{reference}")).param("draft/multiline").param(target));
    for (text, joined) in pieces(text, cuts) {
        let mut line = Line::new().tag("batch", &reference);
        if joined {
            line = line.tag("draft/multiline-concat", "");
        }
        bytes.extend(finish(line.source(&from).command(word(*speech)).param(target).last(text)));
    }
    bytes.extend(finish(Line::new().source(host).command("BATCH").param(&format!("-{reference}"))));
    bytes
}

/// A long message for those who know only lines: as it was sent, without the blank ones. The id stands on the first
/// alone, so that one message has it once.
fn line_by_line(event: &Event, room: &str, host: &str, caps: CapSet) -> Vec<u8> {
    let Body::Said { speech, to, text, cuts, .. } = &event.body else { return Vec::new() };
    let target = to.as_ref().map_or(room, |who| &who.nick);
    let from = event.actor.as_ref().map_or_else(|| host.to_owned(), |who| source(&who.nick, host));
    let first = tags_of(event, caps);
    let further = tags_without(event, caps);
    let mut bytes = Vec::new();
    for (text, _) in pieces(text, cuts).filter(|(text, _)| !text.is_empty()) {
        let line = if bytes.is_empty() { first.clone() } else { further.clone() };
        bytes.extend(finish(line.source(&from).command(word(*speech)).param(target).last(text)));
    }
    bytes
}

/// An event of the past for a client that cannot be told its time by a tag: the time stands in front of the text.
/// What no longer fits into one line goes on in a second one.
pub fn dated(event: &Event, room: &str, host: &str, caps: CapSet) -> Vec<u8> {
    let Body::Said { speech, to, text, tags, cuts } = &event.body else { return self::event(event, room, host, caps) };
    if event.is_long() {
        let lines = pieces(text, cuts).filter(|(text, _)| !text.is_empty());
        return lines
            .flat_map(|(text, _)| dated(&with_text(event, *speech, to, text, tags), room, host, caps))
            .collect();
    }
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
        bytes.extend(self::event(&with_text(event, *speech, to, part, tags), room, host, caps));
    }
    bytes
}

/// The line of a note with CR LF, if a client with these capabilities is told of it.
pub fn note(note: &Note, host: &str, caps: CapSet) -> Option<Vec<u8>> {
    let needs = match note.body {
        NoteBody::Tags { .. } => Some(Cap::MessageTags),
        NoteBody::Away { .. } => Some(Cap::AwayNotify),
        NoteBody::Realname { .. } => Some(Cap::Setname),
        NoteBody::Marked { .. } => Some(Cap::ReadMarker),
        NoteBody::Invited { .. } | NoteBody::Wallops { .. } => None,
        // Told by the session, which knows what its client has subscribed to, and whom it watches.
        NoteBody::Metadata { .. } | NoteBody::Here { .. } => return None,
    };
    if needs.is_some_and(|cap| !caps.contains(cap)) {
        return None;
    }
    let mut line = Line::new();
    if caps.contains(Cap::ServerTime) {
        line = line.tag("time", &iso(note.time));
    }
    if let NoteBody::Tags { msgid, .. } = &note.body {
        line = line.tag("msgid", msgid);
    }
    if caps.contains(Cap::AccountTag) {
        line = line.tag("account", &note.actor.nick);
    }
    // Last, so that they push none of the server's out of its bounds.
    if let NoteBody::Tags { tags, .. } = &note.body {
        line = line.raw_tags(tags);
    }
    line = line.user_source(&note.actor.nick, host);
    let line = match &note.body {
        NoteBody::Tags { target, .. } => line.command("TAGMSG").param(target),
        NoteBody::Away { message: Some(message) } => line.command("AWAY").last(message),
        NoteBody::Away { message: None } => line.command("AWAY"),
        NoteBody::Realname { realname } => line.command("SETNAME").last(realname),
        NoteBody::Marked { target, time } => return Some(finish(marker(host, target, Some(*time)))),
        NoteBody::Wallops { text } => line.command("WALLOPS").last(text),
        NoteBody::Invited { nick, room } => line.command("INVITE").param(nick).param(room),
        NoteBody::Metadata { .. } | NoteBody::Here { .. } => return None,
    };
    Some(finish(line))
}

/// How far somebody has read: the line that the server tells them alone.
pub fn marker(host: &str, target: &str, time: Option<Millis>) -> Line {
    let time = time.map_or_else(|| "*".to_owned(), |time| format!("timestamp={}", iso(time)));
    Line::new().source(host).command("MARKREAD").param(target).param(&time)
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

/// Reads what [`iso`] writes; `None` for anything else.
pub fn moment(text: &str) -> Option<Millis> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00.000Z";
    let alike = |(&byte, &shape): (&u8, &u8)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    if text.len() != SHAPE.len() || !text.as_bytes().iter().zip(SHAPE).all(alike) {
        return None;
    }
    let moment = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok().map(Millis)
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

fn with_text(event: &Event, speech: Speech, to: &Option<Who>, text: &str, tags: &Arc<str>) -> Event {
    let body = Body::Said { speech, to: to.clone(), text: text.into(), tags: tags.clone(), cuts: Arc::default() };
    Event { body, id: event.id, time: event.time, actor: event.actor.clone() }
}

/// The tags of an event.
fn tags_of(event: &Event, caps: CapSet) -> Line {
    tags(event, caps, caps.contains(Cap::MessageTags))
}

/// The same without its id.
fn tags_without(event: &Event, caps: CapSet) -> Line {
    tags(event, caps, false)
}

fn tags(event: &Event, caps: CapSet, id: bool) -> Line {
    let mut line = Line::new();
    if caps.contains(Cap::ServerTime) {
        line = line.tag("time", &iso(event.time));
    }
    if id {
        line = line.tag("msgid", &event.id.msgid().to_string());
    }
    if let (true, Some(who)) = (caps.contains(Cap::AccountTag), &event.actor) {
        line = line.tag("account", &who.nick);
    }
    if let (true, Body::Said { tags, .. }) = (caps.contains(Cap::MessageTags), &event.body) {
        line = line.raw_tags(tags);
    }
    line
}

fn word(speech: Speech) -> &'static str {
    match speech {
        Speech::Privmsg => "PRIVMSG",
        Speech::Notice => "NOTICE",
        Speech::Tagmsg => "TAGMSG",
    }
}

/// That a message was taken back, as those are told who do not know REDACT. In a channel the server says it; between
/// two the line has to come from the one to appear beside what it speaks of.
fn taken_back(event: &Event, room: &str, host: &str, of: Option<&Who>, reason: &str, line: Line) -> Line {
    let nick = event.actor.as_ref().map_or(host, |who| &*who.nick);
    let between_two = !room.starts_with('#');
    let whose = match of {
        Some(of) if !between_two && event.actor.as_ref() != Some(of) => format!("a message of {}", of.nick),
        _ => "a message".to_owned(),
    };
    let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    let line = if between_two { line.user_source(nick, host) } else { line.source(host) };
    let target = of.filter(|_| between_two).map_or(room, |of| &*of.nick);
    line.command("NOTICE").param(target).last(&format!("{nick} took back {whose}{because}"))
}

fn event_line(event: &Event, room: &str, host: &str, caps: CapSet) -> Line {
    let line = tags_of(event, caps);
    if let Body::Redacted { of, reason, .. } = &event.body
        && !caps.contains(Cap::MessageRedaction)
    {
        return taken_back(event, room, host, of.as_ref(), reason, line);
    }
    let line = match &event.actor {
        Some(who) => line.user_source(&who.nick, host),
        None => line.source(host),
    };
    match &event.body {
        Body::Said { speech, to, text, .. } => {
            let line = line.command(word(*speech)).param(to.as_ref().map_or(room, |who| &who.nick));
            if *speech == Speech::Tagmsg { line } else { line.last(text) }
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
        Body::Redacted { target, of, reason } => {
            let place = of.as_ref().filter(|_| !room.starts_with('#')).map_or(room, |of| &of.nick);
            optional(line.command("REDACT").param(place).param(&target.msgid().to_string()), reason)
        }
        Body::Renamed { old, new, reason } => line.command("RENAME").param(old).param(new).last(reason),
        // Never shown as lines of their own (see `shows`).
        Body::Created { .. } | Body::Reset => line.command("NOTE").param(room),
    }
}

fn optional(line: Line, text: &str) -> Line {
    if text.is_empty() { line } else { line.last(text) }
}

fn finish(line: Line) -> Vec<u8> {
    let mut bytes = line.into_string().into_bytes();
    bytes.truncate(cut(&bytes).len());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Cuts a text after at most `len` bytes, at a blank if there is one in the second half.
pub fn split(text: &str, len: usize) -> (&str, &str) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AccountId, EventId, Who};
    use crate::proto::line::Message;
    use proptest::prelude::*;

    const HOST: &str = "chat.example";
    const TIME: Millis = Millis(1_795_447_206_123);

    fn who(nick: &str) -> Who {
        Who { id: AccountId(1), nick: nick.into() }
    }

    fn of(body: Body) -> Event {
        Event { id: EventId(1000), time: TIME, actor: Some(who("anna")), body }
    }

    fn said(speech: Speech, to: Option<&str>, text: &str, tags: &str) -> Event {
        of(Body::Said { speech, to: to.map(who), text: text.into(), tags: tags.into(), cuts: Default::default() })
    }

    fn line(event: &Event, caps: &[Cap]) -> String {
        let bytes = super::event(event, "#room", HOST, CapSet::of(caps));
        String::from_utf8(bytes).unwrap().strip_suffix("\r\n").unwrap().to_owned()
    }

    #[test]
    fn every_kind_has_its_line() {
        let cases = [
            (said(Speech::Privmsg, None, "hello there", ""), "PRIVMSG #room :hello there"),
            (said(Speech::Notice, Some("bela"), ":)", ""), "NOTICE bela ::)"),
            (said(Speech::Tagmsg, None, "", "+draft/react=x"), "TAGMSG #room"),
            (of(Body::Join { realname: "Anna A".into() }), "JOIN #room"),
            (of(Body::Part { reason: "".into() }), "PART #room"),
            (of(Body::Part { reason: "bye now".into() }), "PART #room :bye now"),
            (of(Body::Quit { reason: "bye".into() }), "QUIT :bye"),
            (of(Body::Kick { target: who("bela"), reason: "why not".into() }), "KICK #room bela :why not"),
            (of(Body::Topic { text: "".into() }), "TOPIC #room :"),
            (of(Body::Mode { changes: "+o-k bela *".into() }), "MODE #room +o-k bela *"),
            (of(Body::Invite { target: who("bela") }), "INVITE bela #room"),
            (of(Body::Renamed { old: "#room".into(), new: "#hall".into(), reason: "".into() }), "RENAME #room #hall :"),
        ];
        for (event, expected) in cases {
            assert_eq!(line(&event, &[]), format!(":anna!anna@chat.example {expected}"));
        }
        let nobody = Event { actor: None, ..of(Body::Topic { text: "x".into() }) };
        assert_eq!(line(&nobody, &[Cap::AccountTag]), ":chat.example TOPIC #room :x");
    }

    #[test]
    fn capabilities_add_what_they_promise() {
        let event = said(Speech::Privmsg, None, "hi", "+reply=abc;+x");
        let all = [Cap::ServerTime, Cap::MessageTags, Cap::AccountTag];
        assert_eq!(
            line(&event, &all),
            "@time=2026-11-23T15:20:06.123Z;msgid=z8;account=anna;+reply=abc;+x :anna!anna@chat.example PRIVMSG #room :hi"
        );
        assert!(line(&event, &[Cap::AccountTag]).starts_with("@account=anna :anna!"));
        let join = of(Body::Join { realname: "Anna A".into() });
        assert!(line(&join, &[Cap::ExtendedJoin]).ends_with(" JOIN #room anna :Anna A"));
    }

    #[test]
    fn each_set_that_matters_has_its_slot() {
        let long = said(Speech::Privmsg, None, "one\ntwo", "");
        let redacted = of(Body::Redacted { target: EventId(1), of: None, reason: "".into() });
        let join = of(Body::Join { realname: "x".into() });
        for (event, own) in [
            (long, Some(Cap::Multiline)),
            (redacted, Some(Cap::MessageRedaction)),
            (join, Some(Cap::ExtendedJoin)),
            (said(Speech::Notice, None, "one", ""), None),
        ] {
            let slots = (0..16usize).map(|bits| {
                let mut caps = CapSet::of(&[Cap::Batch]);
                let relevant = RELEVANT.into_iter().chain(own).enumerate();
                relevant.filter(|(at, _)| bits >> at & 1 == 1).for_each(|(_, cap)| caps.insert(cap));
                slot(&event, caps)
            });
            let slots: std::collections::BTreeSet<usize> = slots.collect();
            assert!(slots.iter().all(|slot| *slot < 16));
            assert_eq!(slots.len(), if own.is_some() { 16 } else { 8 });
        }
        let all = CapSet::of(&[Cap::Multiline]);
        assert_eq!(slot(&said(Speech::Privmsg, None, "a\nb", ""), all), 0, "a batch needs both capabilities");
    }

    #[test]
    fn a_long_message_is_a_batch_or_its_lines() {
        let mut event = said(Speech::Privmsg, None, "hello\n\nhow is everyone?", "+x=1");
        let Body::Said { cuts, .. } = &mut event.body else { unreachable!() };
        *cuts = [14].into();
        let print = |event: &Event, caps: &[Cap]| {
            String::from_utf8(super::event(event, "#room", HOST, CapSet::of(caps))).unwrap()
        };
        assert_eq!(
            print(&event, &[Cap::Multiline, Cap::Batch, Cap::MessageTags, Cap::AccountTag]),
            "@msgid=z8;account=anna;+x=1 :anna!anna@chat.example BATCH +mz8 draft/multiline #room\r\n\
             @batch=mz8 :anna!anna@chat.example PRIVMSG #room :hello\r\n\
             @batch=mz8 :anna!anna@chat.example PRIVMSG #room :\r\n\
             @batch=mz8 :anna!anna@chat.example PRIVMSG #room :how is \r\n\
             @batch=mz8;draft/multiline-concat :anna!anna@chat.example PRIVMSG #room :everyone?\r\n\
             :chat.example BATCH -mz8\r\n"
        );
        assert_eq!(
            print(&event, &[Cap::Multiline, Cap::MessageTags, Cap::AccountTag]),
            "@msgid=z8;account=anna;+x=1 :anna!anna@chat.example PRIVMSG #room :hello\r\n\
             @account=anna;+x=1 :anna!anna@chat.example PRIVMSG #room :how is \r\n\
             @account=anna;+x=1 :anna!anna@chat.example PRIVMSG #room :everyone?\r\n"
        );
        let dated = String::from_utf8(dated(&event, "#room", HOST, CapSet::EMPTY)).unwrap();
        let start = ":anna!anna@chat.example PRIVMSG #room :[2026-11-23 15:20:06]";
        assert_eq!(dated, format!("{start} hello\r\n{start} how is \r\n{start} everyone?\r\n"));
    }

    #[test]
    fn a_message_taken_back_is_told_to_everybody() {
        let redacted = |of: Option<&str>, reason: &str| {
            let of = of.map(|nick| Who { id: AccountId(if nick == "anna" { 1 } else { 2 }), nick: nick.into() });
            super::tests::of(Body::Redacted { target: EventId(33), of, reason: reason.into() })
        };
        let know = [Cap::MessageRedaction];
        assert_eq!(line(&redacted(Some("bela"), "spam"), &know), ":anna!anna@chat.example REDACT #room 11 :spam");
        assert_eq!(line(&redacted(Some("anna"), ""), &know), ":anna!anna@chat.example REDACT #room 11");
        assert_eq!(
            line(&redacted(Some("bela"), "spam"), &[]),
            ":chat.example NOTICE #room :anna took back a message of bela: spam"
        );
        assert_eq!(line(&redacted(Some("anna"), ""), &[]), ":chat.example NOTICE #room :anna took back a message");
        let direct = |caps| {
            let bytes = super::event(&redacted(Some("bela"), ""), "anna,bela", HOST, CapSet::of(caps));
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(direct(&know), ":anna!anna@chat.example REDACT bela 11\r\n");
        assert_eq!(direct(&[]), ":anna!anna@chat.example NOTICE bela :anna took back a message\r\n");
    }

    #[test]
    fn history_is_what_was_spoken_and_server_matters_are_nobodys() {
        let all = CapSet::of(&[Cap::MessageTags, Cap::InviteNotify, Cap::ChannelRename]);
        for kind in Kind::ALL {
            assert_eq!(shows(kind, all, View::History), kind.is_spoken());
            let playback =
                CapSet::of(&[Cap::MessageTags, Cap::InviteNotify, Cap::EventPlayback, Cap::MessageRedaction]);
            assert_eq!(shows(kind, playback, View::History), shows(kind, playback, View::Live));
            let hidden = matches!(kind, Kind::Created | Kind::Reset);
            assert_eq!(shows(kind, all, View::Live), !hidden);
            let needs = matches!(kind, Kind::Tagmsg | Kind::Invite | Kind::Renamed);
            assert_eq!(shows(kind, CapSet::EMPTY, View::Live), !hidden && !needs);
        }
    }

    #[test]
    fn notes_go_to_who_asked_for_them() {
        let told = |body, caps: &[Cap]| {
            let note = Note { time: TIME, actor: who("anna"), session: 1, body };
            super::note(&note, HOST, CapSet::of(caps)).map(|bytes| String::from_utf8(bytes).unwrap())
        };
        let typing =
            || NoteBody::Tags { room: None, target: "#room".into(), tags: "+typing=active".into(), msgid: "u1".into() };
        assert_eq!(told(typing(), &[Cap::ServerTime]), None);
        assert_eq!(
            told(typing(), &[Cap::MessageTags]).as_deref(),
            Some("@msgid=u1;+typing=active :anna!anna@chat.example TAGMSG #room\r\n")
        );
        let invited = || NoteBody::Invited { nick: "bela".into(), room: "#room".into() };
        assert_eq!(told(invited(), &[]).as_deref(), Some(":anna!anna@chat.example INVITE bela #room\r\n"));
        let line = told(invited(), &[Cap::AccountTag]);
        assert_eq!(line.as_deref(), Some("@account=anna :anna!anna@chat.example INVITE bela #room\r\n"));
        let away = |message: Option<&str>| NoteBody::Away { message: message.map(Into::into) };
        assert_eq!(told(away(None), &[]), None);
        let line = told(away(Some("out for tea")), &[Cap::AwayNotify, Cap::AccountTag]);
        assert_eq!(line.as_deref(), Some("@account=anna :anna!anna@chat.example AWAY :out for tea\r\n"));
        assert_eq!(told(away(None), &[Cap::AwayNotify]).as_deref(), Some(":anna!anna@chat.example AWAY\r\n"));
        let name = NoteBody::Realname { realname: "Anna B".into() };
        assert_eq!(told(name, &[Cap::Setname]).as_deref(), Some(":anna!anna@chat.example SETNAME :Anna B\r\n"));
    }

    #[test]
    fn times_are_printed_in_full() {
        assert_eq!(iso(Millis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(TIME), "2026-11-23T15:20:06.123Z");
        assert_eq!(stamp(TIME), "2026-11-23 15:20:06");
        assert_eq!(iso(Millis(951_782_400_001)), "2000-02-29T00:00:00.001Z");
        // Beyond what can be printed: not a panic.
        assert_eq!(iso(Millis(i64::MAX)), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn the_past_is_dated() {
        let dated = |text: &str| {
            let bytes = dated(&said(Speech::Privmsg, None, text, ""), "#room", HOST, CapSet::EMPTY);
            String::from_utf8(bytes).unwrap()
        };
        let start = ":anna!anna@chat.example PRIVMSG #room :[2026-11-23 15:20:06]";
        assert_eq!(dated("hello there"), format!("{start} hello there\r\n"));
        assert_eq!(dated("\x01ACTION waves\x01"), format!("{start} * anna waves\r\n"));
        assert_eq!(dated("\x01ACTION waves"), format!("{start} * anna waves\r\n"));
        let topic = of(Body::Topic { text: "x".into() });
        let plain = event(&topic, "#room", HOST, CapSet::EMPTY);
        assert_eq!(super::dated(&topic, "#room", HOST, CapSet::EMPTY), plain);
    }

    #[test]
    fn a_text_is_cut_at_a_blank_or_between_letters() {
        assert_eq!(split("hello there", 11), ("hello there", ""));
        assert_eq!(split("hello there", 8), ("hello", "there"));
        assert_eq!(split("a hellothere", 8), ("a hellot", "here"));
        assert_eq!(split("ääää", 3), ("ä", "äää"));
        assert_eq!(split("äää", 0), ("", "äää"));
    }

    proptest! {
        /// However long a line was when it was sent: dated, each part fits, and no word is lost.
        #[test]
        fn dated_lines_fit_and_lose_nothing(
            text in "(\\PC| |[a-z ]{1,9}){1,160}",
            nick in "\\w{1,12}",
            action in any::<bool>(),
            direct in any::<bool>(),
            tagged in any::<bool>(),
        ) {
            let mut text = text;
            let wrap = |text: &str| if action { format!("\x01ACTION {text}\x01") } else { text.to_owned() };
            let target = if direct { "bela" } else { "#room" };
            while said_len(&nick, HOST, "PRIVMSG", target, &wrap(&text)) > BODY_MAX {
                text.pop();
            }
            prop_assume!(!text.is_empty());
            let mut event = said(Speech::Privmsg, direct.then_some("bela"), &wrap(&text), "");
            event.actor = Some(who(&nick));
            let caps = if tagged { CapSet::of(&[Cap::MessageTags, Cap::AccountTag]) } else { CapSet::EMPTY };
            let bytes = String::from_utf8(dated(&event, "#room", HOST, caps)).unwrap();
            let mut words = String::new();
            let parts: Vec<&str> = bytes.split_inclusive("\r\n").collect();
            prop_assert!(parts.len() <= 2);
            for part in parts {
                let line = part.strip_suffix("\r\n").unwrap();
                let tags = if line.starts_with('@') { line.find(' ').unwrap() + 1 } else { 0 };
                prop_assert!(part.len() - tags <= BODY_MAX, "{} bytes: {}", part.len() - tags, part);
                let message = Message::parse(line).unwrap();
                prop_assert_eq!(message.params[0], target);
                words.push_str(message.params[1]);
            }
            let whole = match action {
                true => format!("[{}] * {nick} {text}", stamp(TIME)),
                false => format!("[{}] {text}", stamp(TIME)),
            };
            let dense = |text: &str| text.replace(' ', "");
            prop_assert_eq!(dense(&words), dense(&whole));
        }

        #[test]
        fn times_sort_as_they_read(a in 0..253_402_300_799_999i64, b in 0..253_402_300_799_999i64) {
            prop_assert_eq!(iso(Millis(a)).len(), 24);
            prop_assert_eq!(moment(&iso(Millis(a))), Some(Millis(a)));
            prop_assert_eq!(a.cmp(&b), iso(Millis(a)).cmp(&iso(Millis(b))));
        }

        /// Whatever was said, one event is one line, and its length was foretold.
        #[test]
        fn one_event_is_one_line(text in "\\PC{0,60}", nick in "\\w{1,12}", bits in 0..8usize) {
            let mut event = said(Speech::Privmsg, None, &text, "");
            event.actor = Some(who(&nick));
            let mut caps = CapSet::EMPTY;
            RELEVANT.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).for_each(|(_, cap)| caps.insert(*cap));
            caps.insert(Cap::Multiline);
            caps.insert(Cap::Batch);
            let bytes = String::from_utf8(super::event(&event, "#room", HOST, caps)).unwrap();
            let line = bytes.strip_suffix("\r\n").unwrap();
            prop_assert!(!line.contains(['\r', '\n']));
            let message = Message::parse(line).unwrap();
            prop_assert_eq!(&message.params[..], &["#room", &text][..]);
            let tags = if line.starts_with('@') { line.find(' ').unwrap() + 1 } else { 0 };
            prop_assert_eq!(bytes.len() - tags, said_len(&nick, HOST, "PRIVMSG", "#room", &text));
        }
    }
}
