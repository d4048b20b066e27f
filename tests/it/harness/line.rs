//! Lines as a test reads them: a parser of its own (so that it judges the server's), and patterns to compare with.

use std::fmt;

/// A line the server sent, its CR LF cut off.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    pub raw: String,
    pub tags: Vec<(String, String)>,
    pub source: Option<String>,
    pub command: String,
    pub params: Vec<String>,
}

impl Line {
    /// Reads a line; `None` if it is not one.
    pub fn parse(raw: &str) -> Option<Line> {
        let mut rest = raw;
        let mut tags = Vec::new();
        if let Some(tagged) = rest.strip_prefix('@') {
            let (all, after) = tagged.split_once(' ')?;
            for tag in all.split(';').filter(|tag| !tag.is_empty()) {
                let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
                tags.push((key.to_owned(), unescape(value)));
            }
            rest = after;
        }
        let mut source = None;
        if let Some(sourced) = rest.strip_prefix(':') {
            let (name, after) = sourced.split_once(' ')?;
            source = Some(name.to_owned());
            rest = after;
        }
        let (head, trailing) = match rest.split_once(" :") {
            Some((head, trailing)) => (head, Some(trailing)),
            None => (rest, None),
        };
        let mut words = head.split(' ').filter(|word| !word.is_empty());
        let command = words.next()?.to_owned();
        let mut params: Vec<String> = words.map(str::to_owned).collect();
        params.extend(trailing.map(str::to_owned));
        Some(Line { raw: raw.to_owned(), tags, source, command, params })
    }

    /// The nick in front of `!`, or the server's name.
    pub fn nick(&self) -> &str {
        self.source.as_deref().map_or("", |source| source.split('!').next().unwrap_or(source))
    }

    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    pub fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// The last parameter.
    pub fn text(&self) -> &str {
        self.params.last().map_or("", String::as_str)
    }

    pub fn is(&self, command: &str) -> bool {
        self.command.eq_ignore_ascii_case(command)
    }

    /// A PRIVMSG or NOTICE of a person (the server's own notices have no `!` in their source).
    pub fn is_speech(&self) -> bool {
        (self.is("PRIVMSG") || self.is("NOTICE")) && self.source.as_deref().is_some_and(|source| source.contains('!'))
    }

    /// An answer that says no: an error numeric, FAIL or ERROR.
    pub fn is_error(&self) -> bool {
        let numeric = self.command.len() == 3 && self.command.bytes().all(|b| b.is_ascii_digit());
        (numeric
            && (self.command.starts_with(['4', '5']) || ["902", "904", "905", "906", "907"].contains(&&*self.command)))
            || self.is("FAIL")
            || self.is("ERROR")
    }

    /// Whether the line is what `pattern` describes: `[:nick] COMMAND params...`. The source is compared by its nick
    /// alone, and only if the pattern names one; parameters beyond those of the pattern do not matter; `*` stands
    /// for anything, `|` between commands for "or".
    pub fn matches(&self, pattern: &str) -> bool {
        let Some(wanted) = Line::parse(pattern) else { panic!("{pattern:?} is not a pattern") };
        let source = wanted.source.as_deref().is_none_or(|source| glob(source, self.nick()));
        let command = wanted.command.split('|').any(|command| self.is(command));
        let enough = wanted.params.len() <= self.params.len();
        source && command && enough && wanted.params.iter().zip(&self.params).all(|(want, have)| glob(want, have))
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

/// The texts of all that people said, in order.
pub fn said(lines: &[Line]) -> Vec<String> {
    lines.iter().filter(|line| line.is_speech()).map(|line| line.text().to_owned()).collect()
}

/// Whether `text` is what `pattern` says, where `*` stands for any run of characters.
pub fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(piece) = last.replace(piece) {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

fn unescape(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some(':')) => out.push(';'),
            ('\\', Some('s')) => out.push(' '),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some(other)) => out.push(other),
            ('\\', None) => {}
            (c, _) => out.push(c),
        }
    }
    out
}

#[test]
fn patterns() {
    let line = Line::parse("@time=1;x=a\\sb :alice!a@h PRIVMSG #lobby :hello there").expect("a line");
    assert_eq!((line.nick(), line.tag("x"), line.text()), ("alice", Some("a b"), "hello there"));
    for yes in ["PRIVMSG", ":alice PRIVMSG #lobby", "PRIVMSG * :hello*", "NOTICE|PRIVMSG #lobby :*lo*ere"] {
        assert!(line.matches(yes), "{yes}");
    }
    for no in [":bob PRIVMSG", "NOTICE #lobby", "PRIVMSG #lob", "PRIVMSG #lobby :hello", "PRIVMSG #lobby x y"] {
        assert!(!line.matches(no), "{no}");
    }
}
