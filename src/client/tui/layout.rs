//! Lines of a conversation as rows of a given width. Pure: the model scrolls by it, the view draws it.

use time::Date;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::buffer::{Buffer, Entry, Line, Scroll, Words};
use super::sending::{Outgoing, State};
use crate::client::heard::Speech;
use crate::client::settings::TimeFormat;
use crate::client::show::{Zone, day_in_words};
use crate::client::text::clean;

/// Bytes of one letter with all its marks; what is piled higher is cut off.
const LETTER_MAX: usize = 64;
/// Columns of a quoted message.
const QUOTE_MAX: usize = 60;

/// How wide things are, and what is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub width: usize,
    pub height: usize,
    pub name_width: usize,
    pub presence: bool,
    pub zone: Zone,
    pub time: TimeFormat,
}

impl Shape {
    pub fn time_width(&self) -> usize {
        match self.time {
            TimeFormat::Day24 => 5,
            TimeFormat::Day12 | TimeFormat::Seconds => 8,
        }
    }

    /// Where texts begin.
    pub fn text_at(&self) -> usize {
        self.time_width() + 1 + self.name_width + 1
    }

    fn text_width(&self) -> usize {
        self.width.saturating_sub(self.text_at()).max(8)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line it belongs to.
    pub id: u64,
    pub time: String,
    /// Who speaks, on the first row.
    pub name: String,
    pub text: String,
    pub look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Said,
    Own,
    Mention,
    Action,
    Notice,
    /// Not stored yet.
    Pending,
    Refused,
    Quiet,
    Alarm,
    Quote,
    Reactions,
    Date,
    Unread,
}

impl Look {
    /// Somebody said it, and the server has it.
    pub fn is_spoken(self) -> bool {
        matches!(self, Look::Said | Look::Own | Look::Mention | Look::Action | Look::Notice)
    }
}

/// The lines of a conversation, and behind them what is not sent yet.
pub struct Flow<'a> {
    pub buffer: &'a Buffer,
    pub outgoing: Vec<&'a Outgoing>,
    pub shape: Shape,
}

impl Flow<'_> {
    pub fn len(&self) -> usize {
        self.buffer.lines().len() + self.outgoing.len()
    }

    pub fn id(&self, at: usize) -> u64 {
        let lines = self.buffer.lines();
        lines.get(at).map_or_else(|| self.outgoing[at - lines.len()].id, |line| line.id)
    }

    pub fn position(&self, id: u64) -> Option<usize> {
        (0..self.len()).rev().find(|at| self.id(*at) == id)
    }

    /// The lowest line, and how many of its rows are below the edge.
    pub fn anchor(&self) -> (usize, usize) {
        let last = self.len().saturating_sub(1);
        match self.buffer.scroll {
            Scroll::Bottom => (last, 0),
            Scroll::At { id, hidden } => self.position(id).map_or((last, 0), |at| (at, hidden)),
        }
    }

    /// Rows from the anchor upwards, counted until there are `enough`.
    pub fn rows_above(&self, (at, hidden): (usize, usize), enough: usize) -> usize {
        let mut count = 0;
        for at in (0..=at).rev().take_while(|at| *at < self.len()) {
            count += self.rows(at).len();
            if count >= enough + hidden {
                break;
            }
        }
        count.saturating_sub(hidden)
    }

    /// The anchor after scrolling by so many rows, upwards if positive; `None`: the bottom.
    pub fn scrolled(&self, by: isize) -> Option<(usize, usize)> {
        let (mut at, mut hidden) = self.anchor();
        if self.len() == 0 {
            return None;
        }
        if by > 0 {
            let wanted = by.unsigned_abs();
            let height = self.shape.height;
            let more = self.rows_above((at, hidden), height + wanted).saturating_sub(height);
            hidden += wanted.min(more);
            while at > 0 && hidden >= self.rows(at).len() {
                hidden -= self.rows(at).len();
                at -= 1;
            }
            return Some((at, hidden));
        }
        let mut wanted = by.unsigned_abs();
        while wanted > hidden {
            wanted -= hidden;
            if at + 1 >= self.len() {
                return None;
            }
            at += 1;
            hidden = self.rows(at).len();
        }
        hidden -= wanted;
        if at + 1 >= self.len() && hidden == 0 { None } else { Some((at, hidden)) }
    }

    /// The rows to draw, from the top: at most as many as there is room for.
    pub fn visible(&self) -> Vec<Row> {
        let height = self.shape.height;
        let (anchor, hidden) = self.anchor();
        let mut rows: Vec<Row> = Vec::new();
        for at in (0..=anchor).rev().take_while(|at| *at < self.len()) {
            let mut of_line = self.rows(at);
            if at == anchor {
                of_line.truncate(of_line.len().saturating_sub(hidden));
            }
            rows.extend(of_line.into_iter().rev());
            if rows.len() >= height {
                break;
            }
        }
        rows.truncate(height);
        rows.reverse();
        // At the very top, with room left: what follows.
        let mut at = anchor;
        if rows.len() < height && hidden > 0 && at < self.len() {
            let of_line = self.rows(at);
            let from = of_line.len().saturating_sub(hidden);
            rows.extend(of_line.into_iter().skip(from));
        }
        while rows.len() < height && at + 1 < self.len() {
            at += 1;
            rows.extend(self.rows(at));
        }
        rows.truncate(height);
        rows
    }

    /// All rows of one line, with the date or the mark of what is new above it.
    pub fn rows(&self, at: usize) -> Vec<Row> {
        let lines = self.buffer.lines();
        match lines.get(at) {
            Some(line) if !self.is_shown(line) => Vec::new(),
            Some(line) => {
                let mut rows = self.heading(at, line);
                self.line_rows(line, &mut rows);
                rows
            }
            None => {
                self.outgoing.get(at - lines.len()).map(|outgoing| self.outgoing_rows(outgoing)).unwrap_or_default()
            }
        }
    }

    fn is_shown(&self, line: &Line) -> bool {
        match &line.entry {
            Entry::Presence(_) => self.shape.presence,
            Entry::Said(words) => !words.ignored,
            _ => true,
        }
    }

    fn heading(&self, at: usize, line: &Line) -> Vec<Row> {
        let lines = self.buffer.lines();
        let day = |line: &Line| self.shape.zone.day(line.at);
        let before = lines.range(..at).rev().find(|line| self.is_shown(line));
        let mut rows = Vec::new();
        let bare = |text: String, look| Row { id: line.id, time: String::new(), name: String::new(), text, look };
        // The first line of the window has a date only where nothing can come before it, or nothing is known to.
        if before.is_none_or(|before| day(before) != day(line)) {
            rows.push(bare(words_of(day(line)), Look::Date));
        }
        if let Some(divider) = self.buffer.divider {
            let is_new = |line: &Line| line.at > divider && matches!(&line.entry, Entry::Said(words) if !words.own);
            if is_new(line) && !lines.range(..at).rev().take_while(|line| line.at > divider).any(is_new) {
                rows.push(bare("new".to_owned(), Look::Unread));
            }
        }
        rows
    }

    fn line_rows(&self, line: &Line, rows: &mut Vec<Row>) {
        let time = self.time(line);
        match &line.entry {
            Entry::Said(words) => self.said_rows(line.id, &time, words, None, rows),
            Entry::Presence(text) | Entry::Event(text) => self.rows_of(line.id, &time, "·", text, Look::Quiet, rows),
            Entry::Note(text) => self.rows_of(line.id, &time, "·", text, Look::Quiet, rows),
            Entry::Alarm(text) => self.rows_of(line.id, &time, "!", text, Look::Alarm, rows),
        }
    }

    fn said_rows(&self, id: u64, time: &str, words: &Words, look: Option<Look>, rows: &mut Vec<Row>) {
        if let Some(by) = &words.redacted {
            let text = if *by == words.from { "took this back".to_owned() } else { format!("{by} took this back") };
            return self.rows_of(id, time, &words.from, &text, Look::Quiet, rows);
        }
        if let Some(reply_to) = &words.reply_to {
            let (name, quote) = (String::new(), self.quote(reply_to));
            rows.push(Row { id, time: String::new(), name, text: quote, look: Look::Quote });
        }
        let usual = match words.speech {
            _ if words.mention => Look::Mention,
            Speech::Action => Look::Action,
            Speech::Notice => Look::Notice,
            Speech::Message if words.own => Look::Own,
            Speech::Message => Look::Said,
        };
        let look = look.unwrap_or(usual);
        match words.speech {
            Speech::Action => self.rows_of(id, time, "*", &format!("{} {}", words.from, words.text), look, rows),
            _ => self.rows_of(id, time, &words.from, &words.text, look, rows),
        }
        if !words.reactions.is_empty() {
            let shown: Vec<String> = words
                .reactions
                .iter()
                .map(|reaction| match reaction.by.as_slice() {
                    [one] => format!("{} {one}", reaction.reaction),
                    many => format!("{} {}", reaction.reaction, many.len()),
                })
                .collect();
            self.rows_of(id, "", "", &shown.join("  "), Look::Reactions, rows);
        }
    }

    fn outgoing_rows(&self, outgoing: &Outgoing) -> Vec<Row> {
        let mut rows = Vec::new();
        let words = Words {
            from: outgoing.from.clone(),
            own: true,
            speech: outgoing.speech,
            text: outgoing.text.lines().map(clean).collect::<Vec<_>>().join("\n"),
            reply_to: outgoing.reply_to.clone(),
            mention: false,
            ignored: false,
            reactions: Vec::new(),
            redacted: None,
        };
        let (mark, look) = match &outgoing.state {
            State::Refused(_) => ("failed", Look::Refused),
            _ => ("…", Look::Pending),
        };
        let time = format!("{:>1$.1$}", mark, self.shape.time_width());
        self.said_rows(outgoing.id, &time, &words, Some(look), &mut rows);
        if let State::Refused(why) = &outgoing.state {
            let text = format!("not sent: {why} (Up selects it)");
            self.rows_of(outgoing.id, "", "", &text, Look::Alarm, &mut rows);
        }
        rows
    }

    fn quote(&self, msgid: &str) -> String {
        match self.buffer.by_msgid(msgid).map(|line| &line.entry) {
            Some(Entry::Said(words)) if words.redacted.is_none() => {
                let text = words.text.replace('\n', " ");
                format!("↳ {}: {}", words.from, cut(&text, QUOTE_MAX.min(self.shape.text_width())))
            }
            _ => "↳ an earlier message".to_owned(),
        }
    }

    fn time(&self, line: &Line) -> String {
        let zone = self.shape.zone;
        match self.shape.time {
            TimeFormat::Day24 => zone.minute(line.at),
            TimeFormat::Seconds => zone.second(line.at).split_off(11),
            TimeFormat::Day12 => {
                let time = zone.minute(line.at);
                let (hour, minute) = time.split_once(':').unwrap_or((&time, ""));
                let hour: u32 = hour.parse().unwrap_or(0);
                let half = if hour < 12 { "am" } else { "pm" };
                format!("{:>2}:{minute} {half}", (hour + 11) % 12 + 1)
            }
        }
    }

    fn rows_of(&self, id: u64, time: &str, name: &str, text: &str, look: Look, rows: &mut Vec<Row>) {
        let width = self.shape.text_width();
        let name = cut(name, self.shape.name_width);
        let before = rows.len();
        for paragraph in text.split('\n') {
            for piece in wrap(paragraph, width) {
                let first = rows.len() == before;
                let (time, name) = if first { (time.to_owned(), name.clone()) } else { Default::default() };
                rows.push(Row { id, time, name, text: piece, look });
            }
        }
    }
}

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in as many columns at most; what is cut off is shown by an ellipsis.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns && text.len() <= columns * LETTER_MAX {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut taken = 0;
    for letter in text.graphemes(true) {
        if taken + width(letter) + 1 > columns {
            break;
        }
        taken += width(letter);
        out.push_str(sane(letter));
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// Cuts a paragraph into rows, between words where there are any. At least one row.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    let mut row = String::new();
    let mut taken = 0;
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        let wide = width(bare);
        if taken > 0 && taken + wide > columns {
            rows.push(std::mem::take(&mut row).trim_end().to_owned());
            taken = 0;
        }
        for letter in word.graphemes(true) {
            let letter = sane(letter);
            let wide = width(letter);
            if taken + wide > columns {
                if letter == " " {
                    continue;
                }
                // A letter can be wider than the row: then it stands alone.
                if taken > 0 {
                    rows.push(std::mem::take(&mut row));
                }
                taken = 0;
            }
            taken += wide;
            row.push_str(letter);
        }
    }
    if !row.is_empty() || rows.is_empty() {
        rows.push(row);
    }
    rows
}

fn sane(letter: &str) -> &str {
    if letter.len() <= LETTER_MAX {
        return letter;
    }
    let mut at = LETTER_MAX;
    while !letter.is_char_boundary(at) {
        at -= 1;
    }
    &letter[..at]
}

fn words_of(day: Date) -> String {
    day_in_words(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_break_between_words_and_wide_letters_count_twice() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("中文中文中", 4), ["中文", "中文", "中"]);
        assert_eq!(wrap("a中文", 4), ["a中", "文"]);
        assert_eq!(wrap("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(cut("中文中文", 5), "中文…");
        assert_eq!(cut("bob", 5), "bob");
        let pile = format!("a{}", "\u{301}".repeat(1000));
        assert!(wrap(&pile, 10).concat().len() <= LETTER_MAX && cut(&pile, 10).len() <= LETTER_MAX + 3);
    }

    proptest! {
        #[test]
        fn no_row_is_too_wide_and_nothing_is_lost(text in "[a-z 中é🚀\u{301}שלום]{0,80}", columns in 20usize..60) {
            let rows = wrap(&text, columns);
            prop_assert!(rows.iter().all(|row| width(row) <= columns), "{rows:?}");
            let bare = |text: &str| text.replace(' ', "");
            prop_assert_eq!(bare(&rows.concat()), bare(&text));
        }
    }
}
