//! What people read: times in words and back, tables, and text made safe for a terminal.

use std::io::{self, Write};
use std::time::Duration;

use comfy_table::{Table, presets};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

use crate::event::Millis;

/// Whatever a terminal could take as a command, or what could make a line look like another one, is left out:
/// control characters with the IRC colours they begin, and marks that turn the direction of writing.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{3}' => skip_color(&mut rest, 2, char::is_ascii_digit),
            '\u{4}' => skip_color(&mut rest, 6, char::is_ascii_hexdigit),
            '\t' => clean.push(' '),
            c if c.is_control() || turns_direction(c) => {}
            c => clean.push(c),
        }
    }
    clean
}

/// `3,12` or `ff0000,00ff00` after a colour code.
fn skip_color(rest: &mut std::iter::Peekable<std::str::Chars>, digits: usize, is_digit: fn(&char) -> bool) {
    let skip = |rest: &mut std::iter::Peekable<std::str::Chars>| {
        let mut skipped = 0;
        while skipped < digits && rest.next_if(is_digit).is_some() {
            skipped += 1;
        }
        skipped
    };
    if skip(rest) == 0 {
        return;
    }
    let mut ahead = rest.clone();
    if ahead.next() == Some(',') && ahead.next().is_some_and(|c| is_digit(&c)) {
        rest.next();
        skip(rest);
    }
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// `2026-11-23T15:04:05.123Z`.
pub fn rfc3339(time: Millis) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    utc(time).format(&format).unwrap_or_default()
}

/// `2026-11-23 15:04:05`, in the time zone of whoever reads.
pub fn local(time: Millis, zone: UtcOffset) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    utc(time).to_offset(zone).format(&format).unwrap_or_default()
}

/// The zone of this machine; UTC where it cannot be told.
pub fn zone() -> UtcOffset {
    UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC)
}

fn utc(time: Millis) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(time.0) * 1_000_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Exactly(OffsetDateTime),
    /// In the reader's time zone.
    Local(PrimitiveDateTime),
    Day(Date),
    Ago(Duration),
}

/// Which end of a day is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Start,
    End,
}

impl When {
    pub fn parse(text: &str) -> Result<When, String> {
        let text = text.trim();
        let day = format_description!("[year]-[month]-[day]");
        if let Ok(exactly) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(When::Exactly(exactly));
        }
        if let Ok(day) = Date::parse(text, &day) {
            return Ok(When::Day(day));
        }
        let spaced = text.replacen('T', " ", 1);
        let minute = format_description!("[year]-[month]-[day] [hour]:[minute]");
        let second = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
        if let Ok(local) =
            PrimitiveDateTime::parse(&spaced, &second).or_else(|_| PrimitiveDateTime::parse(&spaced, &minute))
        {
            return Ok(When::Local(local));
        }
        let span = text.strip_suffix("ago").unwrap_or(text).trim();
        humantime::parse_duration(span).map(When::Ago).map_err(|_| {
            "is not a time; write 2026-11-23, \"2026-11-23 15:04\", 2026-11-23T15:04:05Z, or how long ago: 2h, 3d"
                .into()
        })
    }

    pub fn resolve(self, now: Millis, zone: UtcOffset, edge: Edge) -> Millis {
        let at = |moment: OffsetDateTime| {
            Millis(i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
        };
        match self {
            When::Exactly(moment) => at(moment),
            When::Local(moment) => at(moment.assume_offset(zone)),
            When::Day(day) => {
                let start = at(PrimitiveDateTime::new(day, Time::MIDNIGHT).assume_offset(zone));
                if edge == Edge::End { Millis(start.0 + 86_400_000) } else { start }
            }
            When::Ago(span) => Millis(now.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)).max(0)),
        }
    }
}

/// Prints rows in columns under a header. What stands in a cell is made safe.
pub fn print_table(out: &mut impl Write, header: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell)).collect::<Vec<_>>());
    }
    writeln!(out, "{table}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_that_commands_a_terminal_is_left() {
        assert_eq!(clean("a\u{1b}[31mb\u{7}c\u{9b}2Jd\r\ne"), "a[31mbc2Jde");
        assert_eq!(clean("\u{2}bold\u{2} \u{3}4,12red\u{3} \u{3}123 \u{4}ff0000x\u{f}"), "bold red 3 x");
        assert_eq!(clean("\u{3}1,a \u{3},5"), ",a ,5");
        assert_eq!(clean("a\u{202e}b\u{2066}c\u{2028}d"), "abcd");
        assert_eq!(clean("你好 héllo 👩‍👩‍👧 עברית\tx"), "你好 héllo 👩‍👩‍👧 עברית x");
    }

    proptest! {
        #[test]
        fn clean_is_clean(text in any::<String>()) {
            let once = clean(&text);
            prop_assert!(!once.chars().any(char::is_control));
            prop_assert_eq!(clean(&once), once);
        }
    }

    #[test]
    fn times_are_printed() {
        let time = Millis(1_795_446_245_007);
        assert_eq!(rfc3339(time), "2026-11-23T15:04:05.007Z");
        assert_eq!(local(time, UtcOffset::from_hms(1, 0, 0).unwrap()), "2026-11-23 16:04:05");
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let zone = UtcOffset::from_hms(1, 0, 0).unwrap();
        let now = Millis(1_795_446_245_007);
        let read = |text: &str, edge| rfc3339(When::parse(text).unwrap().resolve(now, zone, edge));
        assert_eq!(read("2026-11-23T10:00:00Z", Edge::Start), "2026-11-23T10:00:00.000Z");
        assert_eq!(read("2026-11-23T10:00:00.5+02:00", Edge::Start), "2026-11-23T08:00:00.500Z");
        assert_eq!(read("2026-11-23", Edge::Start), "2026-11-22T23:00:00.000Z");
        assert_eq!(read("2026-11-23", Edge::End), "2026-11-23T23:00:00.000Z");
        assert_eq!(read("2026-11-23 10:30", Edge::Start), "2026-11-23T09:30:00.000Z");
        assert_eq!(read("2026-11-23T10:30:01", Edge::Start), "2026-11-23T09:30:01.000Z");
        assert_eq!(read("2h", Edge::Start), "2026-11-23T13:04:05.007Z");
        assert_eq!(read("3d ago", Edge::End), "2026-11-20T15:04:05.007Z");
        assert_eq!(read("9000years", Edge::Start), "1970-01-01T00:00:00.000Z");
        for bad in ["", "soon", "2026-13-01", "25", "10:30"] {
            assert!(When::parse(bad).is_err(), "{bad}");
        }
    }
}
