//! The plain data everybody speaks of: events (stored, ordered), notes (passing), intents (wishes) and the ids.
//!
//! Knows nobody. An event is self-contained: it carries the names as they were when it happened, ids in addition,
//! so that a line of five years ago is printed by the same code, from the same fields, as one of a moment ago.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// Before all that can have happened.
    pub const NEVER: Millis = Millis(i64::MIN);
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub i64);
    };
}
id!(/// An account's row. Never reused.
    AccountId);
id!(/// A room's row, direct-message rooms included. Never reused.
    RoomId);
id!(/// An event's row. Grows in commit order over the whole server; never reused.
    EventId);

/// A channel, or the direct messages of two accounts (of one, with itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoomKind {
    Channel,
    Direct,
}

/// Whose metadata it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    Account(AccountId),
    Room(RoomId),
}

/// A metadata key and what it became; `None`: it was taken away.
pub type KeyChange = (Arc<str>, Option<Arc<str>>);

/// A place in one room's log: contiguous from 1.
pub type Seq = u64;

impl EventId {
    /// The public message id (`msgid` tag): base 32, lower case. The same for everybody, forever.
    pub fn msgid(self) -> MsgId {
        MsgId(self)
    }

    /// Reads what [`EventId::msgid`] prints; `None` for anything else.
    pub fn from_msgid(text: &str) -> Option<EventId> {
        if text.is_empty() || text.len() > 13 || text.starts_with('0') {
            return None;
        }
        let mut value: i64 = 0;
        for byte in text.bytes() {
            let digit = MsgId::DIGITS.iter().position(|&d| d == byte)?;
            value = value.checked_mul(32)?.checked_add(digit as i64)?;
        }
        Some(EventId(value))
    }
}

/// Prints an [`EventId`] as its public message id.
#[derive(Clone, Copy)]
pub struct MsgId(EventId);

impl MsgId {
    const DIGITS: &'static [u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
}

impl fmt::Display for MsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0u8; 13];
        let mut at = digits.len();
        let mut value = self.0.0.max(0) as u64;
        loop {
            at -= 1;
            digits[at] = Self::DIGITS[(value % 32) as usize];
            value /= 32;
            if value == 0 {
                break;
            }
        }
        f.write_str(std::str::from_utf8(&digits[at..]).unwrap_or_default())
    }
}

/// An account as an event remembers it: the id for joining rows, the nick as it was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Who {
    pub id: AccountId,
    pub nick: Arc<str>,
}

/// What happened in one room (a QUIT: in several), after it was decided: stored, ordered, never changed, except that
/// a redaction blanks the text and tags of the message it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub id: EventId,
    /// Never goes back from one event to the next.
    pub time: Millis,
    /// `None`: the server itself.
    pub actor: Option<Who>,
    pub body: Body,
}

/// The ways to say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speech {
    Privmsg,
    Notice,
    /// Client-only tags without text that are kept, such as a reaction.
    Tagmsg,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `to` is the other account of a direct message, `None` in a channel. `tags`: the client-only tags that are
    /// kept, escaped and joined as on the wire (`+reply=x;+draft/react=y`), or empty; `bot` stands before them if a bot
    /// said it. A message of several lines has line feeds in its text; `cuts` are the places where it was cut without
    /// one (see [`pieces`]).
    Said {
        speech: Speech,
        to: Option<Who>,
        text: Arc<str>,
        tags: Arc<str>,
        cuts: Arc<[u32]>,
    },
    /// The account became a member, or a member came online.
    Join {
        realname: Arc<str>,
    },
    /// The account is no longer a member.
    Part {
        reason: Arc<str>,
    },
    /// The member's last session ended; it stays a member.
    Quit {
        reason: Arc<str>,
    },
    Kick {
        target: Who,
        reason: Arc<str>,
    },
    /// An empty text: the topic was taken away.
    Topic {
        text: Arc<str>,
    },
    /// The modes as the room sees them, names as they were: `+o-v bob carol`.
    Mode {
        changes: Arc<str>,
    },
    Invite {
        target: Who,
    },
    /// The message `target` was taken back. `of`: in a channel, whose it was; between two, the other one (there
    /// everybody takes back their own alone).
    Redacted {
        target: EventId,
        of: Option<Who>,
        reason: Arc<str>,
    },
    /// The room was made, with these modes (`+nt`); the actor is the founder.
    Created {
        modes: Arc<str>,
    },
    /// The server came up after a crash: nobody who seemed present is.
    Reset,
    /// The room has another name. Events before it keep the old one in their texts, and are found under the new one.
    Renamed {
        old: Arc<str>,
        new: Arc<str>,
        reason: Arc<str>,
    },
}

/// The row kinds of the log, for filters and for people who read the tables. Codes are stored: never renumber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    Privmsg = 1,
    Notice = 2,
    Tagmsg = 3,
    Join = 10,
    Part = 11,
    Quit = 12,
    Kick = 13,
    Topic = 14,
    Mode = 15,
    Invite = 16,
    Redacted = 17,
    Created = 18,
    Reset = 19,
    Renamed = 20,
}

impl Kind {
    pub const ALL: [Kind; 14] = [
        Kind::Privmsg,
        Kind::Notice,
        Kind::Tagmsg,
        Kind::Join,
        Kind::Part,
        Kind::Quit,
        Kind::Kick,
        Kind::Topic,
        Kind::Mode,
        Kind::Invite,
        Kind::Redacted,
        Kind::Created,
        Kind::Reset,
        Kind::Renamed,
    ];

    pub fn from_code(code: u8) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
    }

    /// The word `chatd history` and the views of the database use.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Privmsg => "message",
            Kind::Notice => "notice",
            Kind::Tagmsg => "tags",
            Kind::Join => "join",
            Kind::Part => "part",
            Kind::Quit => "quit",
            Kind::Kick => "kick",
            Kind::Topic => "topic",
            Kind::Mode => "mode",
            Kind::Invite => "invite",
            Kind::Redacted => "redacted",
            Kind::Created => "created",
            Kind::Reset => "reset",
            Kind::Renamed => "renamed",
        }
    }

    /// Whether people read it as a line of the conversation.
    pub fn is_spoken(self) -> bool {
        matches!(self, Kind::Privmsg | Kind::Notice)
    }

    /// Whether it says that somebody came or went.
    pub fn is_presence(self) -> bool {
        matches!(self, Kind::Join | Kind::Part | Kind::Quit)
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindSet(u64);

impl KindSet {
    pub const EMPTY: KindSet = KindSet(0);

    /// One bit for each code.
    pub fn bits(self) -> i64 {
        self.0 as i64
    }

    pub fn contains(self, kind: Kind) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

impl FromIterator<Kind> for KindSet {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> KindSet {
        KindSet(kinds.into_iter().fold(0, |bits, kind| bits | 1 << kind as u8))
    }
}

impl Event {
    pub fn kind(&self) -> Kind {
        match &self.body {
            Body::Said { speech: Speech::Privmsg, .. } => Kind::Privmsg,
            Body::Said { speech: Speech::Notice, .. } => Kind::Notice,
            Body::Said { speech: Speech::Tagmsg, .. } => Kind::Tagmsg,
            Body::Join { .. } => Kind::Join,
            Body::Part { .. } => Kind::Part,
            Body::Quit { .. } => Kind::Quit,
            Body::Kick { .. } => Kind::Kick,
            Body::Topic { .. } => Kind::Topic,
            Body::Mode { .. } => Kind::Mode,
            Body::Invite { .. } => Kind::Invite,
            Body::Redacted { .. } => Kind::Redacted,
            Body::Created { .. } => Kind::Created,
            Body::Reset => Kind::Reset,
            Body::Renamed { .. } => Kind::Renamed,
        }
    }

    /// Whether it is a message of which nothing is left: it was taken back.
    pub fn is_redacted(&self) -> bool {
        matches!(&self.body, Body::Said { text, tags, .. } if text.is_empty() && tags.is_empty())
    }

    /// Whether people read it as a line of the conversation.
    pub fn is_spoken(&self) -> bool {
        self.kind().is_spoken() && !self.is_redacted()
    }

    /// Takes away what was said.
    pub fn redact(&mut self) {
        if let Body::Said { text, tags, cuts, .. } = &mut self.body {
            (*text, *tags, *cuts) = Default::default();
        }
    }

    /// Whether it is a message of several lines, or of one that took several to send.
    pub fn is_long(&self) -> bool {
        matches!(&self.body, Body::Said { text, cuts, .. } if !cuts.is_empty() || text.contains('\n'))
    }
}

/// The lines in which a message was sent, one after the other. `true`: it goes on where the line before it ended.
pub fn pieces<'a>(text: &'a str, cuts: &'a [u32]) -> impl Iterator<Item = (&'a str, bool)> + 'a {
    let mut cuts = cuts.iter().map(|cut| *cut as usize).peekable();
    let mut rest = Some((text, 0, false));
    std::iter::from_fn(move || {
        let (text, at, joined) = rest.take()?;
        let end = text.find('\n').unwrap_or(text.len());
        while cuts.next_if(|cut| *cut < at || (joined && *cut == at)).is_some() {}
        let cut = cuts.next_if(|cut| *cut <= at + end && text.is_char_boundary(cut - at));
        match cut {
            Some(cut) => rest = Some((&text[cut - at..], cut, true)),
            None if end < text.len() => rest = Some((&text[end + 1..], at + end + 1, false)),
            None => {}
        }
        Some((&text[..cut.map_or(end, |cut| cut - at)], joined))
    })
}

/// Something passing: kept nowhere, bounded on its way, may be lost. Whoever misses it is stale, not wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub time: Millis,
    pub actor: Who,
    /// The session that caused it, which is told only if it wants echoes.
    pub session: u64,
    pub body: NoteBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteBody {
    /// Client-only tags that are not kept, such as typing. To a room, or to another account.
    Tags {
        room: Option<RoomId>,
        target: Arc<str>,
        tags: Arc<str>,
        /// No event's: it names something that cannot be found again.
        msgid: Arc<str>,
    },
    /// `None`: back again.
    Away {
        message: Option<Arc<str>>,
    },
    Realname {
        realname: Arc<str>,
    },
    /// The account itself has read up to this time, on another of its devices.
    Marked {
        target: Arc<str>,
        time: Millis,
    },
    /// To those who watch the account: it has come, or gone for longer than the grace.
    Here {
        here: bool,
    },
    /// An administrator's words to everybody who wants them.
    Wallops {
        text: Arc<str>,
    },
    /// To the invited account; members read the event in the log.
    Invited {
        nick: Arc<str>,
        room: Arc<str>,
    },
    /// What a room or an account (by its name) says about itself has changed.
    Metadata {
        target: Arc<str>,
        changes: Arc<[KeyChange]>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lines_of_a_message() {
        let of = |text, cuts: &[u32]| {
            pieces(text, cuts).map(|(text, on)| format!("{}{text}", if on { "+" } else { "" })).collect::<Vec<_>>()
        };
        assert_eq!(of("one", &[]), ["one"]);
        assert_eq!(of("one\n\ntwo", &[]), ["one", "", "two"]);
        assert_eq!(of("one two\nthree", &[4, 10]), ["one ", "+two", "th", "+ree"]);
        assert_eq!(of("\nx", &[1]), ["", "", "+x"]);
        assert_eq!(of("ab\n", &[1]), ["a", "+b", ""]);
        // Nonsense in the database does no harm.
        assert_eq!(of("äb", &[1, 9]), ["äb"]);
    }

    proptest! {
        /// What a client sent in lines is told in these lines.
        #[test]
        fn the_lines_come_out_as_they_went_in(lines in prop::collection::vec(("[a-zä ]{0,6}", any::<bool>()), 1..9)) {
            let (mut text, mut cuts) = (String::new(), Vec::new());
            let mut sent = Vec::new();
            for (at, (line, joined)) in lines.iter().enumerate() {
                let joined = *joined && at > 0 && !line.is_empty();
                match joined {
                    true => cuts.push(text.len() as u32),
                    false if at > 0 => text.push('\n'),
                    false => {}
                }
                text.push_str(line);
                sent.push((line.as_str(), joined));
            }
            prop_assert_eq!(pieces(&text, &cuts).collect::<Vec<_>>(), sent);
        }

        #[test]
        fn a_msgid_names_its_event(id in 1i64..) {
            prop_assert_eq!(EventId::from_msgid(&EventId(id).msgid().to_string()), Some(EventId(id)));
        }

        #[test]
        fn no_two_texts_name_one_event(text in "[0-9a-z]{1,14}") {
            if let Some(id) = EventId::from_msgid(&text) {
                prop_assert_eq!(id.msgid().to_string(), text);
            }
        }
    }
}
