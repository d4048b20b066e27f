//! Text from elsewhere, made safe to print, and text of ours, cut to fit a line. Pure; knows nobody.
//!
//! [`clean`] is what every word of a server or of another person passes before it reaches a terminal, a pipe or a
//! file: what comes out is one line without control characters, whatever came in.

use unicode_width::UnicodeWidthChar;

/// Takes out everything that could move the cursor, colour the screen, turn the reading direction around or break the
/// line: terminal control sequences, IRC formatting codes, C0 and C1 controls, bidirectional overrides, embeddings
/// and isolates. Tabs and all kinds of line ends become one blank each.
pub fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        rest = match c {
            '\u{1b}' => after_escape(after),
            '\u{9b}' => after_csi(after).unwrap_or(after),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => after_string(after).unwrap_or(after),
            '\u{3}' => after_colour(after),
            '\u{4}' => after_hex_colour(after),
            '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => {
                out.push(' ');
                after
            }
            c if c.is_control() || is_invisible_order(c) => after,
            c => {
                out.push(c);
                after
            }
        };
    }
    out
}

/// Cuts `text` into pieces of at most `max` bytes: between words where a piece would not become much shorter by it
/// (the blank at the cut goes), else between characters, and never before a mark that belongs to the letter before.
/// A text of nothing gives no piece. A `max` below 8 counts as 8, so that it always ends.
pub fn split(text: &str, max: usize) -> Vec<&str> {
    let max = max.max(8);
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > max {
        // A blank just behind the limit is as good a place as one inside.
        let blank = rest.as_bytes()[..=max].iter().rposition(|&b| b == b' ').filter(|&at| at >= max / 2);
        let (cut, next) = match blank {
            Some(blank) => (blank, blank + 1),
            None => {
                let cut = before_marks(rest, floor_boundary(rest, max));
                (cut, cut)
            }
        };
        pieces.push(&rest[..cut]);
        rest = &rest[next..];
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Cuts `text` as [`split`] does, but loses nothing: the pieces, one after the other, are the text, the blank at a cut
/// included. A text of nothing is one piece of nothing.
pub fn split_whole(text: &str, max: usize) -> Vec<&str> {
    let max = max.max(8);
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > max {
        let blank = rest.as_bytes()[..max].iter().rposition(|&b| b == b' ').filter(|&at| at >= max / 2);
        let cut = blank.map_or_else(|| before_marks(rest, floor_boundary(rest, max)), |blank| blank + 1);
        pieces.push(&rest[..cut]);
        rest = &rest[cut..];
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Whether two names mean the same room or person: the case of letters does not count.
pub fn same(a: &str, b: &str) -> bool {
    a == b || key(a) == key(b)
}

/// What a name is looked up by.
pub fn key(name: &str) -> String {
    name.to_lowercase()
}

/// What follows an escape sequence, given what follows its ESC. An ESC that begins no complete sequence goes alone, so
/// that nobody can hide the rest of a line behind it.
fn after_escape(after: &str) -> &str {
    let whole = match after.as_bytes().first() {
        Some(b'[') => after_csi(&after[1..]),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => after_string(&after[1..]),
        Some(0x20..=0x2f) => {
            let rest = after.trim_start_matches(|c| matches!(c, '\u{20}'..='\u{2f}'));
            rest.strip_prefix(|c| matches!(c, '\u{30}'..='\u{7e}'))
        }
        _ => None,
    };
    whole.unwrap_or(after)
}

/// What follows a control sequence (colours, cursor movements), given what follows its introducer.
fn after_csi(after: &str) -> Option<&str> {
    let rest = after.trim_start_matches(|c| matches!(c, '\u{30}'..='\u{3f}'));
    let rest = rest.trim_start_matches(|c| matches!(c, '\u{20}'..='\u{2f}'));
    rest.strip_prefix(|c| matches!(c, '\u{40}'..='\u{7e}'))
}

/// What follows a control string (window title, clipboard), given what follows its introducer.
fn after_string(after: &str) -> Option<&str> {
    let end = after.find(['\u{7}', '\u{9c}', '\u{1b}'])?;
    let rest = &after[end..];
    rest.strip_prefix("\u{1b}\\").or_else(|| rest.strip_prefix(['\u{7}', '\u{9c}']))
}

/// What follows an IRC colour code: `3`, `03`, `3,4`, `03,04`.
fn after_colour(after: &str) -> &str {
    let skip = |text: &str| text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    after_pair(after, skip)
}

/// What follows an IRC colour code of six hexadecimal digits.
fn after_hex_colour(after: &str) -> &str {
    let skip = |text: &str| {
        let digits = text.bytes().take(6).take_while(u8::is_ascii_hexdigit).count();
        if digits == 6 { 6 } else { 0 }
    };
    after_pair(after, skip)
}

fn after_pair(after: &str, skip: impl Fn(&str) -> usize) -> &str {
    let foreground = skip(after);
    let rest = &after[foreground..];
    match rest.strip_prefix(',') {
        Some(second) if foreground > 0 && skip(second) > 0 => &second[skip(second)..],
        _ => rest,
    }
}

/// Characters that change the order in which others are shown, and annotations. The plain marks (LRM, RLM, ALM) stay:
/// right-to-left text needs them, and they move nothing but blanks and punctuation.
fn is_invisible_order(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{206a}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}')
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The last place not after `end` where a letter with all its marks is complete; `end` if there is none.
fn before_marks(text: &str, end: usize) -> usize {
    let joins = |at: usize| {
        let next = text[at..].chars().next();
        let last = text[..at].chars().next_back();
        next.is_some_and(|c| c.width() == Some(0)) || last == Some('\u{200d}')
    };
    let mut at = end;
    while at > 0 && joins(at) {
        at = floor_boundary(text, at - 1);
    }
    if at == 0 { end } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_sequences_are_gone_and_text_stays() {
        assert_eq!(clean("plain, 中文, é, 👩‍🚀"), "plain, 中文, é, 👩‍🚀");
        assert_eq!(clean("\x1b[31mred\x1b[0m"), "red");
        assert_eq!(clean("\u{9b}2Jgone"), "gone");
        assert_eq!(clean("\x1b]0;title\x07after"), "after");
        assert_eq!(clean("\x1b]52;c;aGk=\x1b\\after"), "after");
        assert_eq!(clean("\x1b]0;not ended"), "]0;not ended");
        assert_eq!(clean("\x1bchello"), "chello");
        assert_eq!(clean("\x1b(0x"), "x");
        assert_eq!(clean("a\rb\nc\td\u{2028}e"), "a b c d e");
        assert_eq!(clean("\x02bold\x02 \x0304,05colour\x0f \x04ff0000hex \x03,5"), "bold colour hex ,5");
        assert_eq!(clean("evil\u{202e}gpj.exe\u{202c}\u{2066}x\u{2069}"), "evilgpj.exex");
        assert_eq!(clean("\x7f\u{85}\0\x07"), "");
    }

    #[test]
    fn long_texts_are_cut_between_words() {
        assert_eq!(split("", 20), Vec::<&str>::new());
        assert_eq!(split("short", 20), ["short"]);
        assert_eq!(split("one two three four", 10), ["one two", "three four"]);
        assert_eq!(split("aaaaaaaaaa bbb", 10), ["aaaaaaaaaa", "bbb"]);
        assert_eq!(split("a bbbbbbbbbbbbbbbbbb", 10), ["a bbbbbbbb", "bbbbbbbbbb"]);
        assert_eq!(split("中文中文中文", 8), ["中文", "中文", "中文"]);
        assert_eq!(split("abcdefge\u{301}x", 8), ["abcdefg", "e\u{301}x"]);
    }

    proptest! {
        #[test]
        fn what_is_clean_is_one_harmless_line(text in "[\\s\\S]{0,80}") {
            let text = clean(&text);
            let line_end = |c: char| c as u32 == 0x2028 || c as u32 == 0x2029;
            let harmful = text.chars().any(|c| c.is_control() || is_invisible_order(c) || line_end(c));
            prop_assert!(!harmful, "{:?}", text);
            prop_assert_eq!(clean(&text), text);
        }

        #[test]
        fn pieces_fit_and_lose_nothing_but_blanks(text in "[a-z é中\u{301}]{0,200}", max in 8usize..60) {
            let pieces = split(&text, max);
            prop_assert!(pieces.iter().all(|piece| piece.len() <= max && !piece.is_empty()));
            let joined: String = pieces.concat();
            let blankless = |t: &str| t.replace(' ', "");
            prop_assert_eq!(blankless(&joined), blankless(&text));
            let whole = split_whole(&text, max);
            prop_assert!(whole.iter().all(|piece| piece.len() <= max));
            prop_assert_eq!(whole.concat(), text);
        }
    }
}
