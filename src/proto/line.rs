//! One line of the IRC protocol: bytes to [`Message`] without copying, and [`Line`] to bytes.
//!
//! Pure: no IO, no limits in time. Promises that what [`Line`] prints, [`Message::parse`] reads back unchanged
//! (properties below). Grammar: <https://modern.ircdocs.horse/#message-format> and
//! <https://ircv3.net/specs/extensions/message-tags>.

use smallvec::SmallVec;

/// The most bytes a line may have without its tags, CR LF included.
pub const BODY_MAX: usize = 512;
/// The most bytes of tags a client may send, `@` and the space after them included.
pub const CLIENT_TAGS_MAX: usize = 4096;
/// The most parameters of a message; what follows belongs to the last.
pub const PARAMS_MAX: usize = 15;

/// A line that was received, its CR LF cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    pub tags: Tags<'a>,
    pub source: Option<&'a str>,
    /// As sent, whatever it is; compare without regard to case.
    pub command: &'a str,
    pub params: SmallVec<[&'a str; 5]>,
}

/// Why a line is not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Nothing but blanks: to be ignored without a word.
    #[error("the line is empty")]
    Empty,
    #[error("the message tags are broken")]
    Tags,
    #[error("there is no command")]
    NoCommand,
    #[error("the line holds a NUL or a CR")]
    Forbidden,
}

impl<'a> Message<'a> {
    /// Reads one line (without CR LF). Lengths are the caller's business: see [`crate::net::framing`].
    pub fn parse(line: &'a str) -> Result<Message<'a>, ParseError> {
        if memchr::memchr2(0, b'\r', line.as_bytes()).is_some() {
            return Err(ParseError::Forbidden);
        }
        let mut rest = line.trim_start_matches(' ');
        let mut tags = Tags("");
        if let Some(tagged) = rest.strip_prefix('@') {
            let (raw, after) = tagged.split_once(' ').ok_or(ParseError::Tags)?;
            if raw.is_empty() {
                return Err(ParseError::Tags);
            }
            tags = Tags(raw);
            rest = after.trim_start_matches(' ');
        }
        let mut source = None;
        if let Some(sourced) = rest.strip_prefix(':') {
            let (name, after) = sourced.split_once(' ').ok_or(ParseError::NoCommand)?;
            source = Some(name);
            rest = after.trim_start_matches(' ');
        }
        let (command, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if command.is_empty() {
            let nothing = tags.0.is_empty() && source.is_none();
            return Err(if nothing { ParseError::Empty } else { ParseError::NoCommand });
        }
        let mut params = SmallVec::new();
        loop {
            rest = rest.trim_start_matches(' ');
            if rest.is_empty() {
                break;
            }
            if let Some(trailing) = rest.strip_prefix(':') {
                params.push(trailing);
                break;
            }
            if params.len() == PARAMS_MAX - 1 {
                params.push(rest);
                break;
            }
            let (param, after) = rest.split_once(' ').unwrap_or((rest, ""));
            params.push(param);
            rest = after;
        }
        Ok(Message { tags, source, command, params })
    }

    /// The parameter at `index`, if it is there and not empty.
    pub fn param(&self, index: usize) -> Option<&'a str> {
        self.params.get(index).copied().filter(|p| !p.is_empty())
    }
}

/// The tags of a message as they came, without `@`, not yet unescaped. Keys are opaque: none makes a message bad.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tags<'a>(&'a str);

impl<'a> Tags<'a> {
    /// The tags in front of a line, be it a good message or not: whoever is told what is wrong with it needs its label.
    pub fn of(line: &'a str) -> Tags<'a> {
        let tagged = line.trim_start_matches(' ').strip_prefix('@').unwrap_or_default();
        Tags(tagged.split_once(' ').map_or(tagged, |(tags, _)| tags))
    }

    /// As they came, without `@`.
    pub fn raw(&self) -> &'a str {
        self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Key and value, the value still escaped (empty where none was given).
    pub fn raw_pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let pairs = self.0.split(';').map(|tag| tag.split_once('=').unwrap_or((tag, "")));
        pairs.filter(|(key, _)| !key.is_empty())
    }

    /// The value of `key`, unescaped. Of a key given twice the last one counts, as the specification says.
    pub fn value(&self, key: &str) -> Option<String> {
        self.raw_pairs().filter(|(k, _)| *k == key).last().map(|(_, value)| unescape(value))
    }
}

/// Makes any text fit to be the value of a tag.
pub fn escape(value: &str, out: &mut String) {
    if !value.bytes().any(|byte| matches!(byte, b';' | b' ' | b'\\' | b'\r' | b'\n')) {
        return out.push_str(value);
    }
    for c in value.chars() {
        match c {
            ';' => out.push_str("\\:"),
            ' ' => out.push_str("\\s"),
            '\\' => out.push_str("\\\\"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// The text that [`escape`] made fit; lone backslashes vanish, as the specification says.
pub fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some(':') => out.push(';'),
            Some('s') => out.push(' '),
            Some('r') => out.push('\r'),
            Some('n') => out.push('\n'),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// A line in the making: tags, then source, command and parameters, in this order.
///
/// Whatever is put in, what comes out is one line: CR, LF and NUL become blanks.
#[derive(Debug, Clone, Default)]
pub struct Line {
    text: String,
    tagged: bool,
}

impl Line {
    pub fn new() -> Line {
        // Most lines fit: one allocation, not one for each doubling.
        Line { text: String::with_capacity(192), tagged: false }
    }

    /// Adds a tag; all tags come before anything else. An empty value is printed as a key alone.
    pub fn tag(mut self, key: &str, value: &str) -> Line {
        self.text.push(if self.tagged { ';' } else { '@' });
        self.tagged = true;
        self.text.push_str(key);
        if !value.is_empty() {
            self.text.push('=');
            escape(value, &mut self.text);
        }
        self
    }

    /// Adds tags that are escaped already (`a=b;c`), as [`Tags::raw`] gives them.
    pub fn raw_tags(mut self, raw: &str) -> Line {
        if !raw.is_empty() {
            self.text.push(if self.tagged { ';' } else { '@' });
            self.tagged = true;
            self.text.push_str(raw);
        }
        self
    }

    pub fn source(mut self, source: &str) -> Line {
        self.end_tags();
        self.text.push(':');
        self.push_clean(source);
        self.text.push(' ');
        self
    }

    /// The same of somebody with an account, by the parts of `nick!user@host`; the user is called as the nick is.
    pub fn user_source(mut self, nick: &str, host: &str) -> Line {
        self.end_tags();
        self.text.push(':');
        for part in [nick, "!", nick, "@", host] {
            self.push_clean(part);
        }
        self.text.push(' ');
        self
    }

    pub fn command(mut self, command: &str) -> Line {
        self.end_tags();
        self.push_clean(command);
        self
    }

    /// Adds a parameter that is not empty, has no blank and does not start with a colon.
    /// What breaks that rule is printed as the last parameter would be.
    pub fn param(mut self, param: &str) -> Line {
        if param.is_empty() || param.starts_with(':') || param.contains(' ') || !is_clean(param) {
            return self.last(param);
        }
        self.text.push(' ');
        self.text.push_str(param);
        self
    }

    /// Adds the last parameter, whatever it holds.
    pub fn last(mut self, param: &str) -> Line {
        self.text.push_str(" :");
        self.push_clean(param);
        self
    }

    /// The line without CR LF.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn into_string(self) -> String {
        self.text
    }

    fn end_tags(&mut self) {
        if std::mem::take(&mut self.tagged) {
            self.text.push(' ');
        }
    }

    fn push_clean(&mut self, text: &str) {
        match is_clean(text) {
            true => self.text.push_str(text),
            false => self.text.extend(text.chars().map(|c| if matches!(c, '\r' | '\n' | '\0') { ' ' } else { c })),
        }
    }
}

/// Whether nothing in it would end the line.
fn is_clean(text: &str) -> bool {
    memchr::memchr3(b'\r', b'\n', b'\0', text.as_bytes()).is_none()
}

/// A line (its tags too, with CR LF or without) whose body is cut to what the protocol allows. Long names can make
/// the server's own lines too long, though not a message: those are refused before.
pub fn cut(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\r\n").unwrap_or(line);
    let most = BODY_MAX - "\r\n".len();
    if line.len() <= most {
        return line;
    }
    let tagged = line.first() == Some(&b'@');
    let tags = if tagged { memchr::memchr(b' ', line).map_or(0, |blank| blank + 1) } else { 0 };
    let mut end = line.len().min(tags + most);
    // Not inside a letter: such a byte begins with the bits 10.
    while line.get(end).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000) {
        end -= 1;
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &str) -> Message<'_> {
        Message::parse(line).expect(line)
    }

    #[test]
    fn cutting_counts_the_body_alone_and_splits_no_letter() {
        assert_eq!(cut(b"PING x\r\n"), b"PING x");
        let long = format!("@time=1;x={} :a PRIVMSG #bc :{}", "y".repeat(600), "中".repeat(200));
        let kept = std::str::from_utf8(cut(long.as_bytes())).expect("whole letters");
        assert!(long.starts_with(kept));
        assert_eq!(kept.split_once(' ').map(|(_, body)| body.len()), Some(508));
    }

    #[test]
    fn the_parts_of_a_line() {
        let m = parse("@id=1;+x/y=a\\sb :alice!a@h PRIVMSG   #lobby :hello  there ");
        assert_eq!(m.tags.value("id").as_deref(), Some("1"));
        assert_eq!(m.tags.value("+x/y").as_deref(), Some("a b"));
        assert_eq!(m.source, Some("alice!a@h"));
        assert_eq!(m.command, "PRIVMSG");
        assert_eq!(m.params.as_slice(), ["#lobby", "hello  there "]);
        assert_eq!(parse("PING").params.len(), 0);
        assert_eq!(parse("TOPIC #a :").params.as_slice(), ["#a", ""]);
        assert_eq!(parse("  USER a b c d  ").params.as_slice(), ["a", "b", "c", "d"]);
        assert_eq!(parse("X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16").params[14], "15 16");
    }

    #[test]
    fn broken_lines() {
        assert_eq!(Message::parse("   "), Err(ParseError::Empty));
        assert_eq!(Message::parse("@a=b"), Err(ParseError::Tags));
        assert_eq!(Message::parse("@ PING"), Err(ParseError::Tags));
        assert_eq!(Message::parse(":alice"), Err(ParseError::NoCommand));
        assert_eq!(Message::parse("@a=b "), Err(ParseError::NoCommand));
        assert_eq!(Message::parse("PRIVMSG a :b\0c"), Err(ParseError::Forbidden));
    }

    #[test]
    fn what_is_strange_is_still_a_message() {
        assert_eq!(parse("@a b=c PING").command, "b=c");
        assert_eq!(parse("NO_SUCH-THING x").command, "NO_SUCH-THING");
        let m = parse("@sp=a;=x;é,!=1;+;; PING");
        assert_eq!(m.tags.raw_pairs().collect::<Vec<_>>(), [("sp", "a"), ("é,!", "1"), ("+", "")]);
        assert_eq!(Tags::of("  @label=1;x PRIVMSG a :b\0").value("label").as_deref(), Some("1"));
        assert_eq!(Tags::of("@label=1").value("label").as_deref(), Some("1"));
        assert!(Tags::of("PING @a=b").is_empty());
    }

    #[test]
    fn the_last_of_equal_tags_counts_and_lone_backslashes_vanish() {
        let m = parse("@a=1;a=2\\;b PING");
        assert_eq!(m.tags.value("a").as_deref(), Some("2"));
        assert_eq!(m.tags.value("b").as_deref(), Some(""));
        assert_eq!(m.tags.value("c"), None);
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(
            tags in proptest::collection::vec(("[a-z][a-z0-9-]{0,8}", "\\PC{0,12}[;\\\\ \r\n]{0,3}"), 0..4),
            source in proptest::option::of("[^ \r\n\0:@]{1,12}"),
            command in "[A-Z]{1,10}",
            middle in proptest::collection::vec("[^ \r\n\0:][^ \r\n\0]{0,10}", 0..6),
            last in proptest::option::of("[^\r\n\0]{0,40}"),
        ) {
            let mut line = Line::new();
            for (key, value) in &tags {
                line = line.tag(key, value);
            }
            if let Some(source) = &source {
                line = line.source(source);
            }
            line = line.command(&command);
            for param in &middle {
                line = line.param(param);
            }
            if let Some(last) = &last {
                line = line.last(last);
            }
            let text = line.into_string();
            let message = Message::parse(&text).expect(&text);
            for (key, _) in &tags {
                let wanted = tags.iter().rev().find(|(k, _)| k == key).map(|(_, v)| v.clone());
                prop_assert_eq!(message.tags.value(key), wanted);
            }
            prop_assert_eq!(message.source, source.as_deref());
            prop_assert_eq!(message.command, &command);
            let mut wanted: Vec<&str> = middle.iter().map(String::as_str).collect();
            wanted.extend(last.as_deref());
            prop_assert_eq!(message.params.as_slice(), &wanted);
        }

        #[test]
        fn any_input_is_a_message_or_an_error(line in "\\PC{0,200}") {
            let _ = Message::parse(&line);
        }

        #[test]
        fn one_line_stays_one_line(text in "[\\s\\S]{0,60}") {
            let line = Line::new().source(&text).command("NOTICE").param(&text).last(&text).into_string();
            prop_assert!(!line.contains(['\r', '\n', '\0']));
        }
    }
}
