//! What a session hears from the server, as plain data. Every line of text in here has passed [`super::text::clean`].
//!
//! Knows only the time. The session makes these, the views print them.

use crate::event::Millis;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The server let us in, under this name.
    LoggedIn {
        nick: String,
    },
    /// The login failed for good; the connection is of no more use.
    LoginFailed(LoginError),
    /// All that came with the login has come: the rooms are known.
    Settled,
    Said(Said),
    Happened(Happened),
    /// Old lines of this conversation follow, marked as replayed, until [`Heard::Now`].
    Earlier {
        with: String,
    },
    /// The old lines are through; `count` of them were messages, the oldest with this id.
    Now {
        with: String,
        count: usize,
        oldest: Option<String>,
    },
    /// The topic of a room, told at joining or asked for.
    Topic {
        room: String,
        text: String,
    },
    /// A room of the server, as the list of them tells it.
    Listed {
        room: String,
        members: u32,
        topic: String,
    },
    /// The list of rooms is through.
    AllListed,
    /// Who somebody is, in words.
    Person {
        who: String,
        lines: Vec<String>,
    },
    /// Somebody we talk with is here, or no longer.
    Here {
        who: String,
        here: bool,
    },
    /// Somebody to whom something was said is away; `text` is that in words.
    Away {
        who: String,
        why: String,
        text: String,
    },
    /// The members of a room, with their prefixes (`@bob`).
    Names {
        room: String,
        nicks: Vec<String>,
    },
    /// The server has stored what [`super::session::Session::say`] gave this ticket.
    Stored {
        ticket: u64,
    },
    /// The server refused something: the text that was said with this ticket, or what concerned the room or person
    /// `about`. `again`: it came too fast, and may be sent again after a pause.
    Refused {
        said: Option<(u64, String)>,
        about: Option<String>,
        why: String,
        again: bool,
    },
    /// A reaction to a message, given or taken back.
    Reacted(Reacted),
    /// The message `target` was taken back.
    Redacted {
        with: String,
        by: String,
        target: String,
    },
    /// Somebody is typing there, or no longer.
    Typing {
        with: String,
        from: String,
        going: bool,
    },
    /// How far this account has read there, on whichever device; `None`: nothing yet.
    Read {
        with: String,
        at: Option<Millis>,
    },
    /// There is a conversation of this name, in which something was said last at that time.
    Conversation {
        with: String,
        at: Millis,
    },
    /// A page of the past as a whole, for a screen.
    Page(Page),
    /// What was asked for with this number will not come.
    Unanswered {
        query: u64,
        why: String,
    },
    /// All that was asked before this fence has been answered.
    Fence(u64),
    /// For the person to read.
    Info(String),
    /// The server ends the connection, and says why.
    Closed(String),
}

/// Why nobody was let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    #[error("wrong name or password ({0})")]
    Denied(String),
    #[error("the server offers no login with name and password (SASL PLAIN) here")]
    NoSasl,
    #[error(
        "the server offers no login with a certificate (SASL EXTERNAL) here: without --cert you are asked for a password"
    )]
    NoExternal,
    #[error("a password cannot hold a NUL character")]
    Nul,
    #[error("the server refused the login: {0}")]
    Refused(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    Message,
    Notice,
    /// `/me`
    Action,
}

/// A message, our own included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The conversation: a room, or the other person. Empty: the server itself speaks.
    pub with: String,
    pub from: String,
    pub own: bool,
    pub speech: Speech,
    /// Clean, and with a line feed between the lines of a message that has several.
    pub text: String,
    pub at: Millis,
    pub msgid: Option<String>,
    /// The message it answers.
    pub reply_to: Option<String>,
    /// It was said by a program.
    pub bot: bool,
    /// An old line, shown again.
    pub replayed: bool,
    /// What [`super::session::Session::say`] gave, if it is the echo of that.
    pub ticket: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reacted {
    pub with: String,
    pub from: String,
    pub own: bool,
    /// The id of the message that it is about.
    pub target: String,
    pub reaction: String,
    pub taken_back: bool,
}

/// What came in one batch: messages and happenings, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The number of the question, if it was one of ours.
    pub query: Option<u64>,
    /// The conversation; empty for what a search has found.
    pub with: String,
    pub heard: Vec<Heard>,
    /// How many lines came, also such as mean nothing to us, and the ids of the first and the last.
    pub lines: usize,
    pub first: Option<String>,
    pub last: Option<String>,
}

/// Something that happened in a room (`None`: to a person, wherever we meet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    pub room: Option<String>,
    pub who: String,
    /// It was us who did it.
    pub own: bool,
    pub what: What,
    pub at: Millis,
    pub msgid: Option<String>,
    pub replayed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Join,
    Part { reason: String },
    Quit { reason: String },
    Kick { target: String, reason: String },
    Topic { text: String },
    Mode { changes: String },
    Nick { new: String },
    Invite { target: String },
    Away { reason: Option<String> },
    Realname { text: String },
}
