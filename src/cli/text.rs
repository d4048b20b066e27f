//! What people read: times, tables, and text made safe for a terminal.

use std::io::{self, Write};

use comfy_table::{Table, presets};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::event::Millis;
pub use crate::when::{Edge, When};

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
}
