//! A line of a conversation, and how what was heard becomes one. Pure.

use crate::client::heard::{Happened, Said, Speech, What};
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
    /// Who took it back.
    pub redacted: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    pub reaction: String,
    pub by: Vec<String>,
}

/// The line that shows a message.
pub fn said_line(id: u64, said: &Said, nick: &str) -> Line {
    let words = Words {
        from: said.from.clone(),
        own: said.own,
        speech: said.speech,
        text: said.text.clone(),
        reply_to: said.reply_to.clone(),
        mention: !said.own && mentions(&said.text, nick),
        reactions: Vec::new(),
        redacted: None,
    };
    Line { id, at: said.at, msgid: said.msgid.clone(), entry: Entry::Said(words) }
}

/// The line that shows what happened, if it is worth one.
pub fn happened_line(id: u64, happened: &Happened) -> Option<Line> {
    let who = &happened.who;
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let entry = match &happened.what {
        What::Join => Entry::Presence(format!("{who} came in")),
        What::Part { reason } => Entry::Presence(format!("{who} left the room{}", because(reason))),
        What::Quit { reason } => Entry::Presence(format!("{who} went offline{}", because(reason))),
        What::Kick { target, reason } => Entry::Event(format!("{who} put {target} out{}", because(reason))),
        What::Topic { text } if text.is_empty() => Entry::Event(format!("{who} took the topic away")),
        What::Topic { text } => Entry::Event(format!("{who} set the topic: {text}")),
        What::Mode { changes } => Entry::Event(format!("{who} set {changes}")),
        What::Nick { new } => Entry::Event(format!("{who} is called {new} now")),
        What::Invite { target } => Entry::Event(format!("{who} invited {target}")),
        What::Away { .. } | What::Realname { .. } => return None,
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
