//! The logs of WeeChat, irssi and ZNC: which file is of which room, and what a line says. What they told of coming and
//! going is passed over: who is a member here is another matter.

use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::civil::{Date, DateTime, Time};

use super::clock::Zone;
use super::gather::{Deed, Found, Gathered, files_below, nick, sayable, text};
use crate::event::{Millis, Speech};

const GOINGS: &str = "lines of joining, leaving, kicks and other nicks";
const MODES: &str = "changes of modes";
const REMARKS: &str = "remarks of the program";
const PRIVATE: &str = "files of private conversations, or of the program itself";
const OTHER_FILES: &str = "files that are no logs";

/// Whose logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    WeeChat,
    Irssi,
    Znc,
}

/// Where a file belongs.
#[derive(Debug, PartialEq, Eq)]
enum Of {
    Room { name: String, network: Option<String>, day: Option<Date> },
    Private,
    Nothing,
}

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
enum Line<'a> {
    Said {
        speech: Speech,
        nick: &'a str,
        text: String,
    },
    /// An empty text: it was taken away.
    Topic {
        nick: &'a str,
        text: &'a str,
    },
    Passed(&'static str),
    /// The lines below it are of this day.
    Day(Date),
    Unknown(&'static str),
}

pub fn read(
    program: Program,
    places: &[PathBuf],
    room: Option<&str>,
    zone: &Zone,
    now: Millis,
    out: &mut Gathered,
) -> anyhow::Result<()> {
    for file in files_below(places)? {
        let (name, network, day) = match (program.of(&file), room) {
            (Of::Room { network, day, .. }, Some(room)) => (room.to_owned(), network, day),
            (Of::Room { name, network, day }, None) => (name, network, day),
            (Of::Private | Of::Nothing, Some(room)) if places.contains(&file) => {
                (room.to_owned(), None, program.day_of(&file))
            }
            (Of::Private, _) => {
                out.pass(PRIVATE);
                continue;
            }
            (Of::Nothing, _) => {
                out.pass(OTHER_FILES);
                continue;
            }
        };
        let network = if room.is_some() { None } else { network };
        let room = out.room(&name, network.as_deref())?;
        let bytes = std::fs::read(&file).with_context(|| file.display().to_string())?;
        read_file(program, &file, &bytes, room, day, zone, now, out);
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "one file, and all that is known of it")]
fn read_file(
    program: Program,
    file: &Path,
    bytes: &[u8],
    room: usize,
    mut day: Option<Date>,
    zone: &Zone,
    now: Millis,
    out: &mut Gathered,
) {
    let mut last = i64::MIN;
    for (line, number) in bytes.split(|byte| *byte == b'\n').zip(1..) {
        let line = text(line);
        if line.trim().is_empty() {
            continue;
        }
        let (clock, said) = program.line(&line);
        let said = match said {
            Line::Passed(what) => {
                out.pass(what);
                continue;
            }
            Line::Day(new) => {
                day = Some(new);
                continue;
            }
            Line::Unknown(why) => {
                out.fault(file, number, why);
                continue;
            }
            said => said,
        };
        let at = match (clock, day) {
            (Clock::Full(at), _) => Some(at),
            (Clock::OfDay(time), Some(day)) => Some(day.to_datetime(time)),
            _ => None,
        };
        let Some(time) = at.and_then(|at| zone.moment(at, last)) else {
            out.fault(file, number, "of which day this is, no line above and no file name says");
            continue;
        };
        if time > now.0 {
            out.fault(file, number, "this is in the future; is the time zone right?");
            continue;
        }
        last = time;
        let (nick, deed) = match said {
            Line::Said { speech, nick, text } if !text.trim().is_empty() => {
                let text = match text.strip_prefix("\u{1}ACTION ") {
                    Some(done) => super::action(&sayable(done)),
                    None => sayable(&text),
                };
                (nick, Deed::Said { speech, text, answers: None })
            }
            Line::Topic { nick, text } => (nick, Deed::Topic(sayable(text).replace('\n', " "))),
            _ => {
                out.pass("empty lines");
                continue;
            }
        };
        let who = out.person(nick);
        out.entries.push(Found { time, room, who, deed });
    }
}

/// How much of the time a line says itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    Full(DateTime),
    OfDay(Time),
    None,
}

impl Program {
    fn of(self, file: &Path) -> Of {
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return Of::Nothing };
        let parent = |up: usize| {
            let folder = file.ancestors().nth(up)?.file_name()?.to_str()?;
            Some(folder.to_owned())
        };
        match self {
            // irc.libera.#rust.weechatlog
            Program::WeeChat => {
                let Some(buffer) = name.strip_suffix(".weechatlog") else { return Of::Nothing };
                let Some(rest) = buffer.strip_prefix("irc.") else { return Of::Private };
                match rest.split_once(".#") {
                    Some((network, room)) if !network.starts_with("server.") => {
                        Of::Room { name: format!("#{room}"), network: Some(network.to_owned()), day: None }
                    }
                    _ => Of::Private,
                }
            }
            // libera/#rust.log, perhaps with a date behind the room
            Program::Irssi => {
                let Some(stem) = name.strip_suffix(".log") else { return Of::Nothing };
                if !stem.starts_with('#') {
                    return Of::Private;
                }
                let room = without_date(stem);
                Of::Room { name: room.to_owned(), network: parent(1), day: None }
            }
            // libera/#rust/2026-11-23.log; of old: alice_libera_#rust_20261123.log
            Program::Znc => {
                let Some(stem) = name.strip_suffix(".log") else { return Of::Nothing };
                if let Some(day) = date(stem, "-") {
                    return match parent(1) {
                        Some(room) if room.starts_with('#') => {
                            Of::Room { name: room, network: parent(2), day: Some(day) }
                        }
                        _ => Of::Private,
                    };
                }
                match stem.rsplit_once('_') {
                    Some((rest, day)) if date(day, "").is_some() => match rest.split_once("_#") {
                        Some((network, room)) => {
                            Of::Room { name: format!("#{room}"), network: Some(network.to_owned()), day: date(day, "") }
                        }
                        None => Of::Private,
                    },
                    _ => Of::Nothing,
                }
            }
        }
    }

    /// The day in the name of a file that says nothing else.
    fn day_of(self, file: &Path) -> Option<Date> {
        let stem = file.file_stem()?.to_str()?;
        (self == Program::Znc).then(|| date(stem, "-").or_else(|| date(stem.rsplit('_').next()?, ""))).flatten()
    }

    fn line(self, line: &str) -> (Clock, Line<'_>) {
        match self {
            Program::WeeChat => weechat(line),
            Program::Irssi => irssi(line),
            Program::Znc => znc(line),
        }
    }
}

/// `2026-11-23 15:04:05<tab>@alice<tab>text`
fn weechat(line: &str) -> (Clock, Line<'_>) {
    let mut columns = line.splitn(3, '\t');
    let (Some(at), Some(prefix), Some(rest)) = (columns.next(), columns.next(), columns.next()) else {
        return (Clock::None, Line::Unknown("this is not a line of WeeChat: a time, a name and a text between tabs"));
    };
    let moment = at.split_once(' ').and_then(|(day, clock)| Some(date(day, "-")?.to_datetime(time(clock)?)));
    let Some(moment) = moment else {
        return (
            Clock::None,
            Line::Unknown("the time cannot be read; write logger.file.time_format as WeeChat has it"),
        );
    };
    let said = match prefix.trim() {
        "-->" | "<--" => Line::Passed(GOINGS),
        "--" => weechat_remark(rest),
        "*" => action(rest),
        "" | "=!=" | "<>" => Line::Passed(REMARKS),
        prefix => match nick(prefix) {
            Some(nick) => Line::Said { speech: Speech::Privmsg, nick, text: rest.to_owned() },
            None => Line::Unknown("whose line this is cannot be told"),
        },
    };
    (Clock::Full(moment), said)
}

fn weechat_remark(rest: &str) -> Line<'_> {
    if let Some((who, change)) = rest.split_once(" has changed topic for ")
        && let (Some(nick), Some((_, new))) = (nick(who), change.split_once(" to \""))
    {
        return Line::Topic { nick, text: new.strip_suffix('"').unwrap_or(new) };
    }
    if let Some((who, _)) = rest.split_once(" has unset topic for ")
        && let Some(nick) = nick(who)
    {
        return Line::Topic { nick, text: "" };
    }
    if let Some((who, text)) = rest.strip_prefix("Notice(").and_then(|rest| rest.split_once(')'))
        && let (Some(nick), Some((_, text))) = (nick(who), text.split_once(": "))
    {
        return Line::Said { speech: Speech::Notice, nick, text: text.to_owned() };
    }
    match () {
        () if rest.starts_with("Mode ") => Line::Passed(MODES),
        () if rest.contains(" is now known as ") || rest.contains(" are now known as ") => Line::Passed(GOINGS),
        () => Line::Passed(REMARKS),
    }
}

/// `15:04 <@alice> text`, and lines that say which day it is.
fn irssi(line: &str) -> (Clock, Line<'_>) {
    if let Some(remark) = line.strip_prefix("--- ") {
        let words: Vec<&str> = remark.split_whitespace().collect();
        let day = match words[..] {
            ["Log", "opened", _, month, day, _, year] | ["Day", "changed", _, month, day, year] => {
                by_month(month, day, year)
            }
            _ => return (Clock::None, Line::Passed(REMARKS)),
        };
        let unknown = Line::Unknown("the day cannot be read: it has to be as in \"Mon Nov 23 2026\"");
        return (Clock::None, day.map_or(unknown, Line::Day));
    }
    let Some((clock, rest)) = line.split_once(' ').and_then(|(clock, rest)| Some((time(clock)?, rest))) else {
        return (Clock::None, Line::Unknown("this is not a line of irssi: a time, then who said what"));
    };
    let said = if let Some((who, text)) = rest.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        match nick(who) {
            Some(nick) => Line::Said { speech: Speech::Privmsg, nick, text: text.to_owned() },
            None => Line::Unknown("whose line this is cannot be told"),
        }
    } else if let Some(rest) = rest.strip_prefix(" * ").or_else(|| rest.strip_prefix("* ")) {
        action(rest)
    } else if let Some(remark) = rest.strip_prefix("-!- ") {
        irssi_remark(remark)
    } else if let Some((who, text)) = rest.strip_prefix('-').and_then(|rest| rest.split_once("- ")) {
        let who = who.split_once(':').map_or(who, |(who, _)| who);
        match nick(who) {
            Some(nick) => Line::Said { speech: Speech::Notice, nick, text: text.to_owned() },
            None => Line::Unknown("whose notice this is cannot be told"),
        }
    } else if rest.starts_with('<') && rest.trim_end().ends_with('>') {
        Line::Passed("empty lines")
    } else {
        Line::Unknown("who said this cannot be told")
    };
    (Clock::OfDay(clock), said)
}

fn irssi_remark(remark: &str) -> Line<'_> {
    if let Some((who, change)) = remark.split_once(" changed the topic of ")
        && let (Some(nick), Some((_, text))) = (nick(who), change.split_once(" to: "))
    {
        return Line::Topic { nick, text };
    }
    if let Some(rest) = remark.strip_prefix("Topic unset by ")
        && let Some(nick) = rest.split(' ').next().and_then(nick)
    {
        return Line::Topic { nick, text: "" };
    }
    let goings = [" has joined ", " has left ", " has quit ", " was kicked ", " is now known as ", "now known as "];
    match () {
        () if goings.iter().any(|words| remark.contains(words)) => Line::Passed(GOINGS),
        () if remark.starts_with("mode/") || remark.starts_with("ServerMode/") => Line::Passed(MODES),
        () => Line::Passed(REMARKS),
    }
}

/// `[15:04:05] <alice> text`
fn znc(line: &str) -> (Clock, Line<'_>) {
    let split = line.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    let Some((clock, rest)) = split.and_then(|(clock, rest)| Some((time(clock)?, rest))) else {
        return (Clock::None, Line::Unknown("this is not a line of ZNC: a time in brackets, then who said what"));
    };
    let said = if let Some(remark) = rest.strip_prefix("*** ") {
        znc_remark(remark)
    } else if let Some((who, text)) = rest.strip_prefix('<').and_then(|rest| rest.split_once("> ")) {
        match nick(who) {
            Some(nick) => Line::Said { speech: Speech::Privmsg, nick, text: text.to_owned() },
            None => Line::Unknown("whose line this is cannot be told"),
        }
    } else if let Some(rest) = rest.strip_prefix("* ") {
        action(rest)
    } else if let Some((who, text)) = rest.strip_prefix('-').and_then(|rest| rest.split_once("- ")) {
        match nick(who) {
            Some(nick) => Line::Said { speech: Speech::Notice, nick, text: text.to_owned() },
            None => Line::Unknown("whose notice this is cannot be told"),
        }
    } else if rest.starts_with('<') && rest.trim_end().ends_with('>') {
        Line::Passed("empty lines")
    } else {
        Line::Unknown("who said this cannot be told")
    };
    (Clock::OfDay(clock), said)
}

fn znc_remark(remark: &str) -> Line<'_> {
    if let Some((who, text)) = remark.split_once(" changes topic to '")
        && let Some(nick) = nick(who)
    {
        return Line::Topic { nick, text: text.strip_suffix('\'').unwrap_or(text) };
    }
    let goings = ["Joins: ", "Parts: ", "Quits: "];
    match () {
        () if goings.iter().any(|words| remark.starts_with(words)) => Line::Passed(GOINGS),
        () if remark.contains(" was kicked by ") || remark.contains(" is now known as ") => Line::Passed(GOINGS),
        () if remark.contains(" sets mode: ") => Line::Passed(MODES),
        () => Line::Passed(REMARKS),
    }
}

/// `alice waves`
fn action(rest: &str) -> Line<'_> {
    let (who, text) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
    match nick(who) {
        Some(nick) => Line::Said { speech: Speech::Privmsg, nick, text: super::action(text) },
        None => Line::Unknown("who does this cannot be told"),
    }
}

/// `2026-11-23`, or with another sign between, or none.
fn date(text: &str, between: &str) -> Option<Date> {
    let mut rest = text;
    let mut take = |digits: usize, last: bool| -> Option<i16> {
        let (number, after) = rest.split_at_checked(digits)?;
        rest = if last { after } else { after.strip_prefix(between)? };
        number.bytes().all(|b| b.is_ascii_digit()).then(|| number.parse().ok()).flatten()
    };
    let (year, month, day) = (take(4, false)?, take(2, false)?, take(2, true)?);
    if !rest.is_empty() {
        return None;
    }
    Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
}

/// `15:04` or `15:04:05`.
fn time(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let mut part = || {
        let part = parts.next()?;
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = (part()?, part()?);
    let second = if text.len() > 5 { part()? } else { 0 };
    Time::new(hour, minute, second.min(59), 0).ok()
}

fn by_month(month: &str, day: &str, year: &str) -> Option<Date> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = (1..).zip(MONTHS).find(|(_, name)| *name == month)?.0;
    Date::new(year.parse().ok()?, month, day.parse().ok()?).ok()
}

/// `#rust` of `#rust-2026-11-23`, `#rust.2026-11` and `#rust_20261123`.
fn without_date(stem: &str) -> &str {
    let rest = stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '.' | '_'));
    let digits = stem[rest.len()..].bytes().filter(u8::is_ascii_digit).count();
    let parted = stem[rest.len()..].starts_with(['-', '.', '_']);
    if digits >= 6 && parted && rest.len() > 1 { rest } else { stem }
}

#[cfg(test)]
#[path = "logs_tests.rs"]
mod tests;
