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
        (_, View::History) if !caps.contains(Cap::EventPlayback) => false,
        (Kind::Tagmsg, _) => caps.contains(Cap::MessageTags),
        (Kind::Invite, _) => caps.contains(Cap::InviteNotify),
        (Kind::Redacted | Kind::Created | Kind::Reset, _) => false,
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
        NoteBody::Marked { .. } => Some(Cap::ReadMarker),
        NoteBody::Invited { .. } => None,
        // Told by the session, which knows what its client has subscribed to.
        NoteBody::Metadata { .. } => return None,
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
    line = line.source(&source(&note.actor.nick, host));
    let line = match &note.body {
        NoteBody::Tags { target, .. } => line.command("TAGMSG").param(target),
        NoteBody::Away { message: Some(message) } => line.command("AWAY").last(message),
        NoteBody::Away { message: None } => line.command("AWAY"),
        NoteBody::Realname { realname } => line.command("SETNAME").last(realname),
        NoteBody::Marked { target, time } => return Some(finish(marker(host, target, Some(*time)))),
        NoteBody::Invited { nick, room } => line.command("INVITE").param(nick).param(room),
        NoteBody::Metadata { .. } => return None,
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
        of(Body::Said { speech, to: to.map(who), text: text.into(), tags: tags.into() })
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
        let mut slots: Vec<usize> = (0..16usize)
            .map(|bits| {
                let mut caps = CapSet::of(&[Cap::Batch]);
                RELEVANT
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| bits >> at & 1 == 1)
                    .for_each(|(_, cap)| caps.insert(*cap));
                slot(caps)
            })
            .collect();
        slots.sort_unstable();
        assert_eq!(slots, (0..16).collect::<Vec<_>>());
    }

    #[test]
    fn history_is_what_was_spoken_and_server_matters_are_nobodys() {
        let all = CapSet::of(&[Cap::MessageTags, Cap::InviteNotify]);
        for kind in Kind::ALL {
            assert_eq!(shows(kind, all, View::History), kind.is_spoken());
            let playback = CapSet::of(&[Cap::MessageTags, Cap::InviteNotify, Cap::EventPlayback]);
            assert_eq!(shows(kind, playback, View::History), shows(kind, playback, View::Live));
            let hidden = matches!(kind, Kind::Redacted | Kind::Created | Kind::Reset);
            assert_eq!(shows(kind, all, View::Live), !hidden);
            let needs = matches!(kind, Kind::Tagmsg | Kind::Invite);
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
        fn one_event_is_one_line(text in "\\PC{0,60}", nick in "\\w{1,12}", bits in 0..16usize) {
            let mut event = said(Speech::Privmsg, None, &text, "");
            event.actor = Some(who(&nick));
            let mut caps = CapSet::EMPTY;
            RELEVANT.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).for_each(|(_, cap)| caps.insert(*cap));
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
