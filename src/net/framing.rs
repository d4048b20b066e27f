//! Bytes to lines, whatever pieces the bytes come in.
//!
//! Knows the lengths of [`crate::proto::line`] and nobody else. Promises: the pieces make no difference to the lines;
//! a line that is too long costs no memory beyond [`PARTIAL_MAX`], however long it is; when all is read, nothing
//! is held.

use bytes::{Buf, BytesMut};

use crate::proto::line::{BODY_MAX, CLIENT_TAGS_MAX};

/// The most bytes that are kept of a line whose end has not come yet.
pub const PARTIAL_MAX: usize = CLIENT_TAGS_MAX + BODY_MAX;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A line without its CR LF. May be empty.
    Line(&'a str),
    /// A line with more bytes than the protocol allows; it is thrown away.
    TooLong,
    /// A line that is not UTF-8, without its CR LF. Not to be taken, but its beginning says whom to blame.
    NotUtf8(&'a [u8]),
}

/// Cuts the lines out of a buffer. Call [`LineReader::next`] until it says `None`, then read more.
#[derive(Debug, Default)]
pub struct LineReader {
    /// The line last given out.
    line: BytesMut,
    /// How many bytes of the input are known to hold no line end.
    scanned: usize,
    /// Inside a line that was too long: all up to its end is thrown away.
    skipping: bool,
}

impl LineReader {
    pub fn new() -> LineReader {
        LineReader::default()
    }

    /// Whether it holds nothing any more.
    pub fn is_idle(&self) -> bool {
        self.line.capacity() == 0
    }

    /// The next line, cut off the front of `input`; `None` if more bytes are needed. The input must be the same
    /// buffer each time, with nothing done to it but bytes added at its end.
    pub fn next(&mut self, input: &mut BytesMut) -> Option<Frame<'_>> {
        loop {
            let Some(end) = memchr::memchr(b'\n', &input[self.scanned..]).map(|at| at + self.scanned) else {
                self.scanned = input.len();
                let hopeless = !self.skipping && !fits(without_cr(input));
                if hopeless || self.skipping {
                    input.clear();
                    self.scanned = 0;
                    self.skipping = true;
                }
                self.line = BytesMut::new();
                if input.is_empty() {
                    *input = BytesMut::new();
                }
                return hopeless.then_some(Frame::TooLong);
            };
            self.line = input.split_to(end);
            input.advance(1);
            self.scanned = 0;
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            let length = without_cr(&self.line).len();
            self.line.truncate(length);
            if !fits(&self.line) {
                return Some(Frame::TooLong);
            }
            return Some(std::str::from_utf8(&self.line).map_or(Frame::NotUtf8(&self.line), Frame::Line));
        }
    }
}

/// Whether a line (without CR LF) keeps to the lengths of the protocol: tags and the rest are counted apart.
///
/// What fits stays fitting when it is cut short, so a line without an end is already known to be too long.
pub fn fits(line: &[u8]) -> bool {
    let mut body = line;
    if line.first() == Some(&b'@') {
        let tags = memchr::memchr(b' ', line).map_or(line.len(), |blank| blank + 1);
        if tags > CLIENT_TAGS_MAX {
            return false;
        }
        body = &line[tags..];
    }
    body.len() + "\r\n".len() <= BODY_MAX
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All frames of `bytes`, fed in pieces of these sizes (the last size again and again), as texts.
    fn frames(bytes: &[u8], sizes: &[usize]) -> Vec<String> {
        let mut reader = LineReader::new();
        let mut input = BytesMut::new();
        let mut found = Vec::new();
        let mut sizes = sizes.iter().copied();
        let mut size = bytes.len().max(1);
        let mut rest = bytes;
        while !rest.is_empty() {
            size = sizes.next().unwrap_or(size).clamp(1, 4096);
            let (piece, after) = rest.split_at(size.min(rest.len()));
            rest = after;
            input.extend_from_slice(piece);
            while let Some(frame) = reader.next(&mut input) {
                found.push(match frame {
                    Frame::Line(line) => line.to_owned(),
                    Frame::NotUtf8(_) => "NotUtf8".to_owned(),
                    other => format!("{other:?}"),
                });
            }
            assert!(input.len() <= PARTIAL_MAX);
            assert!(!input.is_empty() || input.capacity() == 0);
            assert_eq!(reader.line.capacity(), 0);
        }
        found
    }

    #[test]
    fn lines_with_and_without_cr() {
        assert_eq!(frames(b"A\r\nB\n\nC\rD\r\r\nE", &[3]), ["A", "B", "", "C\rD\r"]);
        assert_eq!(frames(b"A\xff\nB\n", &[1]), ["NotUtf8", "B"]);
    }

    #[test]
    fn lengths_are_exact() {
        let body = "x".repeat(510);
        assert_eq!(frames(format!("{body}\r\n").as_bytes(), &[]), [body.as_str()]);
        assert_eq!(frames(format!("{body}\n").as_bytes(), &[]), [body.as_str()]);
        assert_eq!(frames(format!("{body}x\r\nB\r\n").as_bytes(), &[]), ["TooLong", "B"]);
        let tags = format!("@{} ", "t".repeat(CLIENT_TAGS_MAX - 2));
        assert_eq!(frames(format!("{tags}{body}\r\n").as_bytes(), &[]), [format!("{tags}{body}")]);
        assert_eq!(frames(format!("{tags}{body}x\r\nB\n").as_bytes(), &[]), ["TooLong", "B"]);
        assert_eq!(frames(format!("@t{} B\r\nB\n", &tags[1..tags.len() - 1]).as_bytes(), &[]), ["TooLong", "B"]);
    }

    #[test]
    fn a_line_without_end_is_reported_once_and_costs_nothing() {
        let mut endless = vec![b'x'; 1_000_000];
        assert_eq!(frames(&endless, &[1000]), ["TooLong"]);
        endless.extend_from_slice(b"\nB\n");
        assert_eq!(frames(&endless, &[1000]), ["TooLong", "B"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn the_pieces_make_no_difference(
            lines in proptest::collection::vec(
                ("(@[a-z;=]{0,12} )?", 0usize..700, "(\r|\r\r|é|\\PC{0,4})?", any::<bool>()), 0..6),
            long_tags in proptest::option::of(4080usize..4110),
            sizes in proptest::collection::vec(1usize..300, 1..20),
        ) {
            let mut bytes = Vec::new();
            for (start, length, end, crlf) in &lines {
                bytes.extend_from_slice(start.as_bytes());
                bytes.extend(std::iter::repeat_n(b'x', *length));
                bytes.extend_from_slice(end.as_bytes());
                bytes.extend_from_slice(if *crlf { b"\r\n" } else { b"\n" });
            }
            if let Some(length) = long_tags {
                bytes.push(b'@');
                bytes.extend(std::iter::repeat_n(b't', length));
                bytes.extend_from_slice(b" PING\r\n");
            }
            prop_assert_eq!(frames(&bytes, &sizes), frames(&bytes, &[]));
        }

        #[test]
        fn any_bytes_are_lines_or_errors(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'@'), Just(b' '), any::<u8>()], 0..2000),
            sizes in proptest::collection::vec(1usize..50, 1..10),
        ) {
            let whole = frames(&bytes, &[]);
            prop_assert_eq!(whole.len(), memchr::memchr_iter(b'\n', &bytes).count()
                + usize::from(whole.last().is_some_and(|last| last == "TooLong")
                    && bytes.rsplit(|b| *b == b'\n').next().is_some_and(|tail| !fits(without_cr(tail)))));
            prop_assert_eq!(frames(&bytes, &sizes), whole);
        }
    }
}
