//! What lies over the conversation for a while: the keys, a list to pick from, what a search found, a password. Pure.

use zeroize::Zeroizing;

use super::emoji;
use crate::client::heard::{Heard, Page, Said};
use crate::client::session::Session;
use crate::client::text::key;

/// Messages of a page of a search, and of all its pages; older ones are found by a narrower search.
const PAGE: &str = "50";
const HITS_MAX: usize = 1000;
const CHOICES_MAX: usize = 200;
const ROOMS_MAX: usize = 5000;

pub enum Overlay {
    None,
    Help {
        scroll: usize,
    },
    Pick(Pick),
    /// An answer of several lines.
    Told {
        title: String,
        lines: Vec<String>,
    },
    Search(Search),
    /// The password of this account is being typed.
    Password {
        account: String,
        password: Zeroizing<String>,
    },
}

pub enum Picking {
    Conversation,
    /// A room of the server, to enter it.
    Room,
    /// A reaction to this message.
    Reaction(String),
}

/// A list that gets shorter while one types.
pub struct Pick {
    pub picking: Picking,
    pub filter: String,
    pub at: usize,
    /// What can be picked, in order: what is shown, and what it stands for.
    pub all: Vec<(String, String)>,
    /// More are on their way.
    pub coming: bool,
}

impl Pick {
    pub fn conversation(all: Vec<(String, String)>) -> Pick {
        Pick { picking: Picking::Conversation, filter: String::new(), at: 0, all, coming: false }
    }

    /// For the rooms of the server, which are yet to come.
    pub fn rooms() -> Pick {
        Pick { picking: Picking::Room, filter: String::new(), at: 0, all: Vec::new(), coming: true }
    }

    pub fn room(&mut self, room: String, members: u32, topic: &str) {
        if self.all.len() < ROOMS_MAX {
            self.all.push((format!("{room:<20} {members:>4}  {topic}"), room));
        }
    }

    pub fn reaction(msgid: String) -> Pick {
        let all = emoji::TABLE.iter().map(|(name, emoji)| (format!("{emoji} {name}"), (*emoji).to_owned())).collect();
        Pick { picking: Picking::Reaction(msgid), filter: String::new(), at: 0, all, coming: false }
    }

    /// What fits what was typed: first what begins with it.
    pub fn choices(&self) -> Vec<&(String, String)> {
        let wanted = key(self.filter.trim());
        let begins = |text: &str| {
            let text = key(text);
            text.split(|c: char| !c.is_alphanumeric()).any(|word| word.starts_with(&wanted))
                || text.starts_with(&wanted)
        };
        let (mut first, rest): (Vec<_>, Vec<_>) =
            self.all.iter().filter(|(shown, _)| key(shown).contains(&wanted)).partition(|(shown, _)| begins(shown));
        first.extend(rest);
        first.truncate(CHOICES_MAX);
        first
    }

    pub fn chosen(&self) -> Option<String> {
        let choices = self.choices();
        choices.get(self.at.min(choices.len().saturating_sub(1))).map(|(_, value)| value.clone())
    }

    pub fn step(&mut self, by: isize) {
        let last = self.choices().len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
    }
}

/// What was searched for and found, the newest first.
pub struct Search {
    pub words: String,
    pub within: Option<String>,
    pub hits: Vec<Said>,
    pub at: usize,
    pub query: Option<u64>,
    /// There is no more, or what went wrong.
    pub done: Option<String>,
}

impl Search {
    pub fn new(words: &str, within: Option<String>) -> Search {
        Search { words: words.to_owned(), within, hits: Vec::new(), at: 0, query: None, done: None }
    }

    /// Asks for the next page, if there may be one.
    pub fn ask(&mut self, session: &mut Session) {
        if self.query.is_some() || self.done.is_some() {
            return;
        }
        let mut attributes = vec![("text", self.words.as_str()), ("limit", PAGE)];
        if let Some(within) = &self.within {
            attributes.push(("in", within));
        }
        let oldest = self.hits.last();
        let before = oldest.map(|said| crate::client::show::rfc3339(said.at));
        // A chatd goes on from a message; others only know times.
        match oldest.and_then(|said| said.msgid.as_deref()) {
            Some(msgid) if session.is_chatd() => attributes.push(("chatd/older-than", msgid)),
            _ => attributes.extend(before.as_deref().map(|before| ("before", before))),
        }
        let query = session.find(&attributes);
        self.query = Some(query);
    }

    pub fn take(&mut self, page: Page) {
        self.query = None;
        let before = self.hits.len();
        for heard in page.heard.into_iter().rev() {
            if let Heard::Said(said) = heard
                && !self.hits.iter().any(|known| known.msgid.is_some() && known.msgid == said.msgid)
            {
                self.hits.push(said);
            }
        }
        if self.hits.len() == before {
            self.done = Some(if before == 0 { "nothing found" } else { "that is all" }.to_owned());
        } else if self.hits.len() >= HITS_MAX {
            self.done = Some("there may be more: search for more words".to_owned());
        }
    }

    pub fn fail(&mut self, why: &str) {
        self.query = None;
        self.done = Some(why.to_owned());
    }

    pub fn step(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(self.hits.len().saturating_sub(1));
    }
}

pub const HELP: &[(&str, &str)] = &[
    ("Enter", "send"),
    ("Alt-Enter, Ctrl-J", "a new line in the message"),
    ("Tab", "complete a name, a room, a /command, an :emoji"),
    ("Up, Down", "in an empty editor: select a message"),
    ("Ctrl-P, Ctrl-N", "what you wrote before"),
    ("PageUp, PageDown, wheel", "scroll; older messages come by themselves"),
    ("Home, End", "in an empty editor: the first message, the newest"),
    ("Alt-U", "the first unread message"),
    ("Ctrl-K", "go to a room or person by name"),
    ("Alt-1 ... Alt-9", "go to a conversation of the list"),
    ("Alt-Up, Alt-Down", "the conversation above, below"),
    ("Alt-A", "the next unread conversation"),
    ("Ctrl-O", "back to the one before"),
    ("F2", "who is in the room"),
    ("F3", "who comes and goes, or not"),
    ("Ctrl-F", "search in everything; again: what was found before"),
    ("Ctrl-X Ctrl-E", "write in $EDITOR"),
    ("Ctrl-A E B F  W U K Y", "start, end, left, right; cut word, left, right; paste"),
    ("Alt-M", "only the messages, and the mouse selects text of the terminal"),
    ("Ctrl-L, Ctrl-Z", "draw anew; back to the shell for a while (fg)"),
    ("Ctrl-D", "leave (in an empty editor)"),
    ("", ""),
    ("With a message selected", ""),
    ("r, Enter", "reply"),
    ("e", "react"),
    ("d d", "take back (your own; operators: any)"),
    ("y, o", "copy; open the link in it"),
    ("n, p", "after a search: the hit before, after it"),
    ("Esc", "no more selected"),
    ("", ""),
    ("/search WORDS", "search; /search in:#room WORDS"),
    ("/date 2026-11-23", "go to a day"),
    ("/unread, /end, /begin", "go to the first unread, the newest, the first message"),
    ("/join, /part, /list", "enter a room, leave it for good, pick one of all there are"),
    ("/switch, /query NAME", "go to a room, talk with a person"),
    ("/msg NAME TEXT, /me TEXT", "say it to somebody; say what you do"),
    ("/topic TEXT, /names", "the topic; who is here"),
    ("/whois NAME", "who somebody is, and how long silent"),
    ("/invite, /kick, /ban NAME", "ask in; put out; keep out (/unban; /ban alone lists them)"),
    ("/op, /voice, /mode", "make an operator (/deop); let speak (/devoice); modes"),
    ("/away WHY", "say that you are away, or back"),
    ("/notify all|mentions|none", "what rings from this room"),
    ("/ignore NAME, /unignore", "show nothing that somebody says; who that is"),
    ("/joins, /members, /mouse", "as F3, F2, Alt-M"),
    ("/close", "take a conversation with a person off the list"),
    ("/edit", "write in $EDITOR"),
    ("/oper ACCOUNT", "act as an administrator"),
    ("/raw LINE", "a line of IRC as it stands"),
    ("/quit WHY", "leave; you stay a member of your rooms"),
    ("//TEXT", "a text that begins with a slash"),
];
