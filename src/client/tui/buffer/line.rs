//! A line of a conversation, and how what was heard becomes one. Pure.

use std::collections::BTreeSet;

use crate::client::heard::{Happened, Said, Speech, What};
use crate::client::show::deed;
use crate::client::text::key;
use crate::event::Millis;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Ours alone: tells lines apart that have no id of the server's.
    pub id: u64,
    pub at: Millis,
    pub msgid: Option<String>,
    pub entry: Entry,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Said(Words),
    /// Somebody came or went: shown only where that is wanted.
    Presence(String),
    /// Something else happened in the room.
    Event(String),
    /// A remark of the program.
    Note(String),
    Alarm(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub from: String,
    pub own: bool,
    pub speech: Speech,
    pub text: String,
    pub reply_to: Option<String>,
    /// Our name is in it.
    pub mention: bool,
    pub reactions: Vec<Reaction>,
    /// Said by somebody who is not to be seen.
    pub ignored: bool,
    /// Who took it back.
    pub redacted: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub reaction: String,
    pub by: Vec<String>,
}

/// By which messages are looked at.
#[derive(Debug, Clone, Copy)]
pub struct Taste<'a> {
    pub nick: &'a str,
    /// Words that count as mentions, beside the name.
    pub words: &'a [String],
    pub ignored: &'a BTreeSet<String>,
}

/// The line that shows a message.
pub fn said_line(id: u64, said: &Said, taste: Taste<'_>) -> Line {
    let Taste { nick, words, ignored } = taste;
    let ignored = !said.own && ignored.contains(&key(&said.from));
    let called = |word: &str| mentions(&said.text, word);
    let words = Words {
        from: said.from.clone(),
        own: said.own,
        speech: said.speech,
        text: said.text.clone(),
        reply_to: said.reply_to.clone(),
        mention: !said.own && (called(nick) || words.iter().any(|word| called(word))),
        reactions: Vec::new(),
        ignored,
        redacted: None,
    };
    Line { id, at: said.at, msgid: said.msgid.clone(), entry: Entry::Said(words) }
}

/// The line that shows what happened, if it is worth one.
pub fn happened_line(id: u64, happened: &Happened) -> Option<Line> {
    let deed = deed(happened)?;
    let entry = match &happened.what {
        What::Join | What::Part { .. } | What::Quit { .. } => Entry::Presence(deed),
        _ => Entry::Event(deed),
    };
    Some(Line { id, at: happened.at, msgid: happened.msgid.clone(), entry })
}

/// Whether a name stands in a text as a word of its own.
pub fn mentions(text: &str, nick: &str) -> bool {
    if nick.is_empty() {
        return false;
    }
    let (text, nick) = (key(text), key(nick));
    let part_of_word = |c: char| (c.is_alphanumeric() && c.is_ascii()) || c == '_';
    text.match_indices(&nick).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}
