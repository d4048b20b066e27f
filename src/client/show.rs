//! How times, names and messages look in print. Pure, but for the time zone.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde::Serialize;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use super::heard::{Happened, Said, Speech, What};
use super::text::key;
use crate::event::Millis;

/// Whose clock times are shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Local,
    Utc,
}

/// The offsets of this place and the days from which they hold, the oldest first.
static OFFSETS: OnceLock<Vec<(i64, UtcOffset)>> = OnceLock::new();
const DAY: i64 = 24 * 3600;
const YEARS_BACK: i64 = 20;

/// Learns the time zone. To be called before there are other threads: afterwards it cannot safely be asked for.
pub fn learn_zone(now: Millis) {
    let today = now.0 / 1000 / DAY;
    let mut offsets: Vec<(i64, UtcOffset)> = Vec::new();
    for day in today - YEARS_BACK * 365..today + 365 {
        let noon = utc(Millis((day * DAY + DAY / 2) * 1000));
        let Ok(offset) = UtcOffset::local_offset_at(noon) else { return };
        if offsets.last().is_none_or(|(_, last)| *last != offset) {
            offsets.push((day * DAY, offset));
        }
    }
    let _ = OFFSETS.set(offsets);
}

fn local_offset(at: OffsetDateTime) -> UtcOffset {
    UtcOffset::local_offset_at(at).unwrap_or_else(|_| {
        let offsets = OFFSETS.get().map_or(&[][..], Vec::as_slice);
        let holds = offsets.iter().rev().find(|(from, _)| *from <= at.unix_timestamp()).or(offsets.first());
        holds.map_or(UtcOffset::UTC, |(_, offset)| *offset)
    })
}

impl Zone {
    fn moment(self, at: Millis) -> OffsetDateTime {
        let utc = utc(at);
        match self {
            Zone::Utc => utc,
            Zone::Local => utc.to_offset(local_offset(utc)),
        }
    }

    /// When a day begins.
    pub fn start_of(self, day: Date) -> Millis {
        let utc = day.midnight().assume_utc();
        let offset = match self {
            Zone::Utc => UtcOffset::UTC,
            Zone::Local => local_offset(utc),
        };
        Millis((utc.unix_timestamp() - i64::from(offset.whole_seconds())) * 1000)
    }

    pub fn day(self, at: Millis) -> Date {
        self.moment(at).date()
    }

    /// `12:01`
    pub fn minute(self, at: Millis) -> String {
        let time = self.moment(at);
        format!("{:02}:{:02}", time.hour(), time.minute())
    }

    /// `2026-11-23 12:01:05`
    pub fn second(self, at: Millis) -> String {
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        self.moment(at).format(format).unwrap_or_default()
    }
}

/// `Monday, 23 November 2026`
pub fn day_in_words(day: Date) -> String {
    format!("{}, {} {} {}", day.weekday(), day.day(), day.month(), day.year())
}

/// `Mon 23 Nov 2026`
pub fn day_in_short(day: Date) -> String {
    let short = |name: String| name.chars().take(3).collect::<String>();
    format!("{} {} {} {}", short(day.weekday().to_string()), day.day(), short(day.month().to_string()), day.year())
}

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    pub on: bool,
}

impl Style {
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub fn alarm(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// The same name always in the same colour, on every day and every machine.
    pub fn name(self, name: &str) -> String {
        const COLOURS: [&str; 10] = ["31", "32", "33", "34", "35", "36", "92", "93", "95", "96"];
        // FNV-1a: small, and the same everywhere.
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
        let hash = key(name).bytes().fold(2_166_136_261, step);
        self.wrap(COLOURS[hash as usize % COLOURS.len()], name)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Who and what: `<bob> hello`, `-bob- hello`, `* bob waves`. `name` is the name as it is to be shown.
pub fn utterance(said: &Said, name: &str) -> String {
    utterance_line(said, name, &said.text)
}

fn utterance_line(said: &Said, name: &str, text: &str) -> String {
    match said.speech {
        Speech::Message => format!("<{name}> {text}"),
        Speech::Notice => format!("-{name}- {text}"),
        Speech::Action => format!("* {name} {text}"),
    }
}

/// For pipes and files: `2026-11-23 12:01:05 #ops <bob> hello` and a line feed, for each line of the message; the
/// conversation only if it is asked for.
pub fn plain(said: &Said, zone: Zone, with: bool) -> String {
    let time = zone.second(said.at);
    let place = match (with, said.with.as_str()) {
        (false, _) => String::new(),
        (true, "") => " -".to_owned(),
        (true, with) => format!(" {with}"),
    };
    let line = |text: &str| format!("{time}{place} {}\n", utterance_line(said, &said.from, text));
    said.text.split('\n').map(line).collect()
}

/// One object or row of a format for programs: the keys of `chatd history`, as far as a client knows them, and more
/// behind them.
#[derive(Serialize)]
struct Object<'a> {
    room: &'a str,
    msgid: Option<&'a str>,
    time: String,
    from: &'a str,
    kind: &'static str,
    text: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    bot: bool,
}

fn object(said: &Said) -> Object<'_> {
    Object {
        room: &said.with,
        msgid: said.msgid.as_deref(),
        time: rfc3339(said.at),
        from: &said.from,
        kind: match said.speech {
            Speech::Message => "message",
            Speech::Notice => "notice",
            Speech::Action => "action",
        },
        text: Cow::Borrowed(&said.text),
        reply_to: said.reply_to.as_deref(),
        bot: said.bot,
    }
}

/// For programs: one object, as `chatd history --format json` prints it; `reply_to` and `bot` only where they say
/// something.
pub fn json(said: &Said) -> String {
    serde_json::to_string(&object(said)).unwrap_or_default()
}

pub const CSV_HEAD: &str = "room,msgid,time,from,kind,text,reply_to\r\n";

/// For spreadsheets (RFC 4180), with its line end.
pub fn csv(said: &Said) -> String {
    object_csv(&object(said))
}

fn object_csv(object: &Object<'_>) -> String {
    let Object { room, msgid, time, from, kind, text, reply_to, .. } = object;
    let fields = [room, msgid.unwrap_or_default(), time, from, kind, text, reply_to.unwrap_or_default()];
    format!("{}\r\n", fields.map(csv_field).join(","))
}

/// Something that happened, as a person would tell it; nothing for what is of no interest.
pub fn deed(happened: &Happened) -> Option<String> {
    let who = &happened.who;
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    Some(match &happened.what {
        What::Join => format!("{who} came in"),
        What::Part { reason } => format!("{who} left the room{}", because(reason)),
        What::Quit { reason } => format!("{who} went offline{}", because(reason)),
        What::Kick { target, reason } => format!("{who} put {target} out{}", because(reason)),
        What::Topic { text } if text.is_empty() => format!("{who} took the topic away"),
        What::Topic { text } => format!("{who} set the topic: {text}"),
        What::Mode { changes } => format!("{who} set {changes}"),
        What::Nick { new } => format!("{who} is called {new} now"),
        What::Invite { target } => format!("{who} invited {target}"),
        What::Away { .. } | What::Realname { .. } => return None,
    })
}

fn happened_object<'a>(happened: &'a Happened, room: &'a str) -> Option<Object<'a>> {
    let with = |first: &str, then: &str| format!("{first} {then}").trim_end().to_owned();
    let (kind, text) = match &happened.what {
        What::Join => ("join", String::new()),
        What::Part { reason } => ("part", reason.clone()),
        What::Quit { reason } => ("quit", reason.clone()),
        What::Kick { target, reason } => ("kick", with(target, reason)),
        What::Topic { text } => ("topic", text.clone()),
        What::Mode { changes } => ("mode", changes.clone()),
        What::Nick { new } => ("nick", new.clone()),
        What::Invite { target } => ("invite", target.clone()),
        What::Away { .. } | What::Realname { .. } => return None,
    };
    Some(Object {
        room,
        msgid: happened.msgid.as_deref(),
        time: rfc3339(happened.at),
        from: &happened.who,
        kind,
        text: text.into(),
        reply_to: None,
        bot: false,
    })
}

/// For pipes and files: `2026-11-23 12:01:05 * bob came in` and a line feed.
pub fn happened_plain(happened: &Happened, zone: Zone) -> String {
    deed(happened).map(|deed| format!("{} * {deed}\n", zone.second(happened.at))).unwrap_or_default()
}

/// One object and a line feed, with the keys of a message.
pub fn happened_json(happened: &Happened, room: &str) -> String {
    let object = happened_object(happened, room);
    object.map(|object| format!("{}\n", serde_json::to_string(&object).unwrap_or_default())).unwrap_or_default()
}

pub fn happened_csv(happened: &Happened, room: &str) -> String {
    happened_object(happened, room).map(|object| object_csv(&object)).unwrap_or_default()
}

pub fn csv_field(field: &str) -> String {
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

/// Always with milliseconds, so that equal times are equal texts.
pub fn rfc3339(at: Millis) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let time = utc(at);
    time.format(format).or_else(|_| time.format(&Rfc3339)).unwrap_or_default()
}

fn utc(at: Millis) -> OffsetDateTime {
    let nanos = i128::from(at.0) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_for_pipes_and_programs() {
        let said = Said {
            with: "#ops".into(),
            from: "bob".into(),
            own: false,
            speech: Speech::Message,
            text: "it \"works\"".into(),
            at: Millis(1_795_435_265_120),
            msgid: Some("k3".into()),
            reply_to: None,
            bot: false,
            replayed: false,
            ticket: None,
        };
        assert_eq!(plain(&said, Zone::Utc, true), "2026-11-23 12:01:05 #ops <bob> it \"works\"\n");
        let waves = Said { speech: Speech::Action, text: "waves".into(), ..said.clone() };
        assert_eq!(plain(&waves, Zone::Utc, false), "2026-11-23 12:01:05 * bob waves\n");
        let several = Said { text: "one\ntwo".into(), reply_to: Some("k2".into()), bot: true, ..said.clone() };
        assert_eq!(plain(&several, Zone::Utc, false), "2026-11-23 12:01:05 <bob> one\n2026-11-23 12:01:05 <bob> two\n");
        assert!(json(&several).ends_with(r#""text":"one\ntwo","reply_to":"k2","bot":true}"#));
        assert_eq!(csv(&several), "#ops,k3,2026-11-23T12:01:05.120Z,bob,message,\"one\ntwo\",k2\r\n");
        assert!(csv(&said).contains(r#","it ""works""","#));
        assert_eq!(
            json(&said),
            r##"{"room":"#ops","msgid":"k3","time":"2026-11-23T12:01:05.120Z","from":"bob","kind":"message","text":"it \"works\""}"##
        );
        assert_eq!(day_in_words(Zone::Utc.day(said.at)), "Monday, 23 November 2026");
    }

    #[test]
    fn a_name_keeps_its_colour() {
        let style = Style { on: true };
        assert_eq!(style.name("bob").replace("bob", ""), style.name("BOB").replace("BOB", ""));
        assert_eq!(Style { on: false }.name("bob"), "bob");
    }
}
