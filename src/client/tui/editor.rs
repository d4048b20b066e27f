//! The text being written: several lines, a cursor that moves by what a person calls a letter, words, what was cut out,
//! what was written before. Pure.

use std::collections::VecDeque;

use unicode_segmentation::UnicodeSegmentation;

/// Texts that the arrow keys bring back; the oldest give way.
const KEPT_MAX: usize = 200;
/// Bytes of a text; what is pasted beyond is not taken.
pub const BYTES_MAX: usize = 128 * 1024;

#[derive(Default)]
pub struct Editor {
    text: String,
    /// In bytes, at a border between letters.
    cursor: usize,
    cut: String,
    kept: VecDeque<String>,
    /// Which of the kept ones is shown, and what was begun before.
    back: Option<(usize, String)>,
}

impl Editor {
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Replaces the text and gives back the one before.
    pub fn set(&mut self, text: &str) -> String {
        self.back = None;
        let before = std::mem::replace(&mut self.text, tidy(text));
        self.cursor = self.text.len();
        before
    }

    /// Gives the text away; it can be brought back if it is to be kept.
    pub fn take(&mut self, keep: bool) -> String {
        let text = self.set("");
        if keep && !text.trim().is_empty() && self.kept.back() != Some(&text) {
            if self.kept.len() >= KEPT_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back(text.clone());
        }
        text
    }

    pub fn insert(&mut self, text: &str) {
        let text = tidy(text);
        if self.text.len() + text.len() <= BYTES_MAX {
            self.text.insert_str(self.cursor, &text);
            self.cursor += text.len();
        }
    }

    /// Replaces what stands from `from` to the cursor.
    pub fn replace(&mut self, from: usize, text: &str) {
        self.text.replace_range(from..self.cursor, text);
        self.cursor = from + text.len();
    }

    pub fn left(&mut self) {
        self.cursor = self.before();
    }

    pub fn right(&mut self) {
        self.cursor = self.after();
    }

    pub fn word_left(&mut self) {
        self.cursor = self.word_before();
    }

    pub fn word_right(&mut self) {
        self.cursor = self.word_after();
    }

    pub fn home(&mut self) {
        self.cursor = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
    }

    pub fn end(&mut self) {
        self.cursor = self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at);
    }

    pub fn backspace(&mut self) {
        let from = self.before();
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    pub fn delete(&mut self) {
        let to = self.after();
        self.text.replace_range(self.cursor..to, "");
    }

    pub fn cut_word_left(&mut self) {
        let from = self.word_before();
        self.cut = self.text[from..self.cursor].to_owned();
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    pub fn cut_word_right(&mut self) {
        let to = self.word_after();
        self.cut = self.text[self.cursor..to].to_owned();
        self.text.replace_range(self.cursor..to, "");
    }

    /// To the start of the line.
    pub fn cut_left(&mut self) {
        let to = self.cursor;
        self.home();
        self.cut = self.text[self.cursor..to].to_owned();
        self.text.replace_range(self.cursor..to, "");
    }

    /// To the end of the line.
    pub fn cut_right(&mut self) {
        let from = self.cursor;
        self.end();
        self.cut = self.text[from..self.cursor].to_owned();
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    pub fn yank(&mut self) {
        let cut = self.cut.clone();
        self.insert(&cut);
    }

    /// One line up; false if this is the first.
    pub fn up(&mut self) -> bool {
        let from = self.text[..self.cursor].rfind('\n').map(|at| at + 1);
        let Some(from) = from else { return false };
        let column = self.text[from..self.cursor].graphemes(true).count();
        let above = self.text[..from - 1].rfind('\n').map_or(0, |at| at + 1);
        self.cursor = above + at_column(&self.text[above..from - 1], column);
        true
    }

    pub fn down(&mut self) -> bool {
        let from = self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1);
        let Some(end) = self.text[self.cursor..].find('\n').map(|at| self.cursor + at) else { return false };
        let column = self.text[from..self.cursor].graphemes(true).count();
        let below = end + 1;
        let below_end = self.text[below..].find('\n').map_or(self.text.len(), |at| below + at);
        self.cursor = below + at_column(&self.text[below..below_end], column);
        true
    }

    /// The text written before this one. False: there is none.
    pub fn earlier(&mut self) -> bool {
        let at = self.back.as_ref().map_or(self.kept.len(), |(at, _)| *at);
        let Some(at) = at.checked_sub(1) else { return false };
        let begun = self.back.take().map_or_else(|| self.text.clone(), |(_, begun)| begun);
        let text = self.kept[at].clone();
        self.set(&text);
        self.back = Some((at, begun));
        true
    }

    pub fn later(&mut self) -> bool {
        let Some((at, begun)) = self.back.take() else { return false };
        match self.kept.get(at + 1).cloned() {
            Some(text) => {
                self.set(&text);
                self.back = Some((at + 1, begun));
            }
            None => drop(self.set(&begun)),
        }
        true
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |letter| self.cursor + letter.len())
    }

    fn word_before(&self) -> usize {
        let mut words = self.text[..self.cursor].unicode_word_indices();
        words.next_back().map_or(0, |(at, _)| at)
    }

    fn word_after(&self) -> usize {
        let next = self.text[self.cursor..].unicode_word_indices().next();
        next.map_or(self.text.len(), |(at, word)| self.cursor + at + word.len())
    }
}

/// What may stand in a text: no control characters but line ends.
fn tidy(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

fn at_column(line: &str, column: usize) -> usize {
    line.grapheme_indices(true).nth(column).map_or(line.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(text: &str) -> Editor {
        let mut editor = Editor::default();
        editor.insert(text);
        editor
    }

    #[test]
    fn letters_words_and_lines() {
        let mut editor = with("one 中文 e\u{301}x\ntwo");
        editor.up();
        editor.end();
        editor.left();
        editor.backspace();
        assert_eq!(editor.text(), "one 中文 x\ntwo", "an accent goes with its letter");
        editor.word_left();
        editor.cut_word_left();
        editor.end();
        editor.yank();
        assert_eq!(editor.text().lines().next(), Some("one 文 x中"));
        assert!(editor.down() && !editor.down() && editor.up() && !editor.up());
        editor.home();
        editor.cut_right();
        editor.insert("x\x1b[2J\r\ny");
        assert_eq!(editor.text(), "x[2J\ny\ntwo");
    }

    #[test]
    fn what_was_written_comes_back_and_what_was_begun_too() {
        let mut editor = with("first");
        editor.take(true);
        editor.insert("second");
        editor.take(true);
        editor.insert("secret");
        editor.take(false);
        editor.insert("begun");
        assert!(editor.earlier() && editor.text() == "second");
        assert!(editor.earlier() && editor.text() == "first" && !editor.earlier());
        assert!(editor.later() && editor.later() && editor.text() == "begun" && !editor.later());
    }

    proptest! {
        #[test]
        fn the_cursor_is_always_between_letters(text in "[a-zé中\u{301}👩\u{200d}🚀 \n]{0,30}", keys in proptest::collection::vec(0u8..16, 0..40)) {
            let mut editor = with(&text);
            for key in keys {
                match key {
                    0 => editor.left(),
                    1 => editor.right(),
                    2 => editor.word_left(),
                    3 => editor.word_right(),
                    4 => editor.home(),
                    5 => editor.end(),
                    6 => editor.backspace(),
                    7 => editor.delete(),
                    8 => editor.cut_word_left(),
                    9 => editor.cut_word_right(),
                    10 => editor.cut_left(),
                    11 => editor.cut_right(),
                    12 => editor.yank(),
                    13 => drop(editor.up()),
                    14 => drop(editor.down()),
                    _ => editor.insert("é中"),
                }
                prop_assert!(editor.text().is_char_boundary(editor.cursor()));
            }
        }
    }
}
