//! Text cut into what the search index holds, and questions cut the same way.
//!
//! Letters are folded (case, accents, width), blanks and punctuation part words. Scripts written without blanks
//! (Chinese, Japanese, Thai...; Korean too, whose words carry their endings) become overlapping pairs of characters, so
//! that any stretch of them can be found. Pure. What it cuts is in people's databases: a change of the rules needs the
//! index made anew.

use std::fmt::Write;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// A question has no more words than this; what goes beyond is not looked at.
const TERMS_MAX: usize = 64;

/// Writes what the index is given for a message: its words, and who said it where as two words nobody can type.
pub(super) fn document(room: i64, actor: Option<i64>, text: &str, out: &mut String) {
    out.clear();
    // A string is never too full to be written to.
    let _ = write!(out, "{}{room} ", ROOM);
    if let Some(actor) = actor {
        let _ = write!(out, "{}{actor} ", ACTOR);
    }
    if text.is_ascii() {
        // The tokenizer folds and splits ASCII just as we do.
        out.push_str(text);
        return;
    }
    let folded = fold(text);
    for piece in pieces(&folded) {
        match piece {
            Piece::Word(word) => {
                out.push_str(word);
                out.push(' ');
            }
            Piece::Run(run) => pairs(run, |pair| {
                out.push_str(pair);
                out.push(' ');
            }),
        }
    }
}

/// What a person searches for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Question {
    /// Parts of an FTS5 expression, all of which must match. Quoted: nothing of what was typed is syntax.
    pub terms: Vec<String>,
    /// What the index cannot promise and the folded text must be seen to contain.
    pub contains: Vec<String>,
}

impl Question {
    pub fn new(text: &str) -> Question {
        let folded = fold(text);
        let mut question = Question::default();
        let pieces: Vec<Piece<'_>> = pieces(&folded).take(TERMS_MAX).collect();
        let open_end = folded.chars().next_back().is_some_and(is_word);
        for (index, piece) in pieces.iter().enumerate() {
            match *piece {
                Piece::Word(word) => {
                    // One letter begins too many words to be worth collecting them.
                    let prefix = open_end && index + 1 == pieces.len() && word.chars().nth(1).is_some();
                    question.terms.push(format!("\"{word}\"{}", if prefix { "*" } else { "" }));
                }
                Piece::Run(run) => match run.chars().count() {
                    1 => question.terms.push(format!("\"{run}\"*")),
                    2 => question.terms.push(format!("\"{run}\"")),
                    _ => {
                        pairs(run, |pair| {
                            if pair.chars().nth(1).is_some() && question.terms.len() < TERMS_MAX {
                                question.terms.push(format!("\"{pair}\""));
                            }
                        });
                        // All its pairs may be there, but apart.
                        question.contains.push(run.to_owned());
                    }
                },
            }
        }
        // Pictures are not words, but people search for them.
        let is_picture = |word: &&str| !word.is_ascii() && !word.chars().any(is_word);
        question.contains.extend(folded.split_whitespace().filter(is_picture).map(str::to_owned));
        question
    }

    /// A question nothing can answer, such as `...`.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty() && self.contains.is_empty()
    }

    pub fn is_answered_by(&self, text: &str) -> bool {
        if self.contains.is_empty() {
            return true;
        }
        let folded = fold(text);
        self.contains.iter().all(|part| folded.contains(part.as_str()))
    }
}

pub(super) fn room_term(room: i64) -> String {
    format!("\"{ROOM}{room}\"")
}

pub(super) fn actor_term(actor: i64) -> String {
    format!("\"{ACTOR}{actor}\"")
}

/// Private characters: [`is_word`] denies them, so no text and no question can hold such a word.
const ROOM: char = '\u{E000}';
const ACTOR: char = '\u{E001}';

enum Piece<'a> {
    /// To be found whole, or by its beginning.
    Word(&'a str),
    /// Of a script without blanks: to be found by any part.
    Run(&'a str),
}

fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.nfkc().flat_map(char::to_lowercase) {
        match c {
            'ß' => out.push_str("ss"),
            'ς' => out.push('σ'),
            _ if c.is_ascii() || is_unspaced(c) => out.push(c),
            _ => decompose_canonical(c, |part| {
                if !matches!(part, '\u{300}'..='\u{36f}') {
                    out.push(part);
                }
            }),
        }
    }
    out
}

fn pieces(folded: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = folded;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| !is_word(c));
        let unspaced = is_unspaced(rest.chars().next()?);
        let end = rest.find(|c| !is_word(c) || is_unspaced(c) != unspaced).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(if unspaced { Piece::Run(piece) } else { Piece::Word(piece) })
    })
}

/// Every two neighbours, and the last character alone: so each character begins something.
fn pairs(run: &str, mut each: impl FnMut(&str)) {
    let mut starts = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect::<Vec<_>>().into_iter().peekable();
    while let Some(start) = starts.next() {
        let Some(&middle) = starts.peek() else { break };
        let end = run[middle..].chars().next().map_or(middle, |c| middle + c.len_utf8());
        each(&run[start..end]);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || (!c.is_ascii() && is_combining_mark(c))
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0E01}'..='\u{0E3A}' | '\u{0E40}'..='\u{0E4E}' // Thai
        | '\u{0E81}'..='\u{0ECE}' // Lao
        | '\u{1000}'..='\u{103F}' | '\u{1050}'..='\u{108F}' // Burmese
        | '\u{1100}'..='\u{11FF}' | '\u{A960}'..='\u{A97C}' | '\u{AC00}'..='\u{D7FB}' // Hangul
        | '\u{1780}'..='\u{17D3}' // Khmer
        | '\u{2E80}'..='\u{2FDF}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{302F}' | '\u{3031}'..='\u{303C}'
        | '\u{3041}'..='\u{309F}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'..='\u{318E}' | '\u{31A0}'..='\u{31FF}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' // Han, kana, bopomofo
        | '\u{1AFF0}'..='\u{1B16F}' | '\u{20000}'..='\u{3FFFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> String {
        let mut out = String::new();
        document(1, None, text, &mut out);
        out.trim_start_matches("\u{E000}1 ").trim_end().to_owned()
    }

    #[test]
    fn cutting() {
        assert_eq!(cut("Plain, ASCII!"), "Plain, ASCII!");
        assert_eq!(cut("Grüße, Ärger"), "grusse arger");
        assert_eq!(cut("u\u{308}ber ΌΔΟΣ ＡＢＣ"), "uber οδοσ abc");
        assert_eq!(cut("我爱北京"), "我爱 爱北 北京 京");
        assert_eq!(cut("see 東京! ok"), "see 東京 京 ok");
        assert_eq!(cut("中"), "中");
        assert_eq!(cut("Rust语言2024"), "rust 语言 言 2024");
        assert_eq!(cut("ﾊﾝｶｸ"), "ハン ンカ カク ク");
        assert_eq!(cut("हिन्दी है"), "हिन्दी है");
        assert_eq!(cut("👍 ja"), "ja");
    }

    #[test]
    fn asking() {
        let terms = |text| Question::new(text).terms.join(" ");
        assert_eq!(terms("hello wor"), r#""hello" "wor"*"#);
        assert_eq!(terms("hello wor "), r#""hello" "wor""#);
        assert_eq!(terms("a"), r#""a""#);
        assert_eq!(terms("中"), r#""中"*"#);
        assert_eq!(terms("北京"), r#""北京""#);
        assert_eq!(terms("東京都"), r#""東京" "京都""#);
        assert_eq!(Question::new("東京都").contains, ["東京都"]);
        assert_eq!(terms("a\" OR text:b* NEAR(c)"), r#""a" "or" "text" "b" "near" "c""#);
        assert_eq!(Question::new("👍 yes").contains, ["👍"]);
        assert!(Question::new(" ... -- ").is_empty());
        assert!(Question::new("\u{E000}1").terms == ["\"1\""]);
        assert_eq!(Question::new(&"word ".repeat(500)).terms.len(), TERMS_MAX);
    }

    proptest! {
        /// The tokenizer must not find blanks where we see none, or the expression would be a phrase, which it refuses.
        #[test]
        fn a_term_is_one_token(text in any::<String>()) {
            for term in Question::new(&text).terms {
                let word = term.trim_end_matches('*').trim_matches('"');
                prop_assert!(!word.is_empty() && word.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric()));
            }
        }

        #[test]
        fn folding_twice_is_folding_once(text in any::<String>()) {
            prop_assert_eq!(fold(&fold(&text)), fold(&text));
        }
    }
}
