//! What was written and is not known to be stored: it waits for the connection, for its turn, for its echo. Pure.
//!
//! One message is under way at a time, so that their order is that in which they were written. One whose connection
//! broke is not sent again before the history has been asked whether it arrived.

use std::collections::VecDeque;

use crate::client::heard::{Said, Speech};
use crate::client::session::Session;
use crate::client::text::{clean, same};
use crate::event::Millis;

/// Messages that wait; when there are as many, no more are taken.
pub const WAITING_MAX: usize = 200;
/// Pauses after a message was refused because it came too fast.
const PAUSE_MIN: i64 = 1000;
const PAUSE_MAX: i64 = 8000;
const TRIES_MAX: u32 = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub id: u64,
    pub from: String,
    pub target: String,
    pub speech: Speech,
    pub text: String,
    pub reply_to: Option<String>,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Waiting,
    /// Sent, with this ticket.
    UnderWay(u64),
    /// Sent, and then the connection broke.
    Unsure,
    Refused(String),
}

#[derive(Default)]
pub struct Queue {
    list: VecDeque<Outgoing>,
    pause: i64,
    not_before: Option<Millis>,
    tries: u32,
}

impl Queue {
    /// False: too much waits.
    pub fn push(&mut self, outgoing: Outgoing) -> bool {
        let room = self.list.len() < WAITING_MAX;
        if room {
            self.list.push_back(outgoing);
        }
        room
    }

    pub fn of<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a Outgoing> {
        self.list.iter().filter(move |outgoing| same(&outgoing.target, target))
    }

    pub fn get(&self, id: u64) -> Option<&Outgoing> {
        self.list.iter().find(|outgoing| outgoing.id == id)
    }

    /// How many shall still be sent.
    pub fn open(&self) -> usize {
        self.list.iter().filter(|outgoing| !matches!(outgoing.state, State::Refused(_))).count()
    }

    pub fn remove(&mut self, id: u64) -> Option<Outgoing> {
        let at = self.list.iter().position(|outgoing| outgoing.id == id)?;
        self.list.remove(at)
    }

    /// Tries one again that was refused.
    pub fn again(&mut self, id: u64) {
        if let Some(outgoing) = self.list.iter_mut().find(|outgoing| outgoing.id == id) {
            outgoing.state = State::Waiting;
        }
    }

    pub fn stored(&mut self, ticket: u64) -> Option<Outgoing> {
        let at = self.list.iter().position(|outgoing| outgoing.state == State::UnderWay(ticket))?;
        (self.pause, self.tries) = (0, 0);
        self.list.remove(at)
    }

    /// False: it is none of ours.
    pub fn refused(&mut self, ticket: u64, why: &str, again: bool, now: Millis) -> bool {
        let Some(outgoing) = self.list.iter_mut().find(|outgoing| outgoing.state == State::UnderWay(ticket)) else {
            return false;
        };
        self.tries += 1;
        if again && self.tries < TRIES_MAX {
            outgoing.state = State::Waiting;
            self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
            self.not_before = Some(Millis(now.0 + self.pause));
        } else {
            outgoing.state = State::Refused(why.to_owned());
            (self.pause, self.tries) = (0, 0);
        }
        true
    }

    /// The texts that are not known to be stored.
    pub fn unsent(&self) -> Vec<String> {
        self.list.iter().map(|outgoing| format!("{}: {}", clean(&outgoing.target), cleaned(&outgoing.text))).collect()
    }

    /// The connection is gone.
    pub fn cut(&mut self) {
        for outgoing in &mut self.list {
            if let State::UnderWay(_) = outgoing.state {
                outgoing.state = State::Unsure;
            }
        }
        (self.pause, self.tries, self.not_before) = (0, 0, None);
    }

    /// A message of ours was found in the past: one that we were unsure of has arrived.
    pub fn found(&mut self, said: &Said) {
        let is_it = |outgoing: &Outgoing| {
            outgoing.state == State::Unsure
                && said.own
                && same(&outgoing.target, &said.with)
                && outgoing.speech == said.speech
                && cleaned(&outgoing.text) == said.text
        };
        if let Some(at) = self.list.iter().position(is_it) {
            self.list.remove(at);
        }
    }

    /// All that was stored there is known: what was not found is sent again.
    pub fn not_found(&mut self, target: &str) {
        for outgoing in self.list.iter_mut().filter(|outgoing| same(&outgoing.target, target)) {
            if outgoing.state == State::Unsure {
                outgoing.state = State::Waiting;
            }
        }
    }

    /// Nobody can say what has arrived there.
    pub fn unknowable(&mut self, target: &str) {
        for outgoing in self.list.iter_mut().filter(|outgoing| same(&outgoing.target, target)) {
            if outgoing.state == State::Unsure {
                outgoing.state = State::Refused("the connection broke; look whether it arrived".to_owned());
            }
        }
    }

    pub fn targets_unsure(&self) -> Vec<String> {
        let unsure = self.list.iter().filter(|outgoing| outgoing.state == State::Unsure);
        unsure.map(|outgoing| outgoing.target.clone()).collect()
    }

    /// Sends the next one, if it is its turn. `ready`: whether all is known that was stored in this conversation.
    /// `new_id` gives ids for the pieces of a long text.
    pub fn pump(
        &mut self,
        session: &mut Session,
        now: Millis,
        ready: impl Fn(&str) -> bool,
        mut new_id: impl FnMut() -> u64,
    ) {
        let under_way = self.list.iter().any(|outgoing| matches!(outgoing.state, State::UnderWay(_)));
        if under_way || self.not_before.is_some_and(|time| time.0 > now.0) {
            return;
        }
        self.not_before = None;
        let next = self.list.iter().position(|outgoing| outgoing.state == State::Waiting && ready(&outgoing.target));
        let Some(at) = next else { return };
        let outgoing = &self.list[at];
        let mut pieces = messages(session, outgoing);
        if pieces.len() != 1 {
            let Some(whole) = self.list.remove(at) else { return };
            for (n, text) in pieces.drain(..).enumerate().collect::<Vec<_>>().into_iter().rev() {
                let reply_to = whole.reply_to.clone().filter(|_| n == 0);
                let id = if n == 0 { whole.id } else { new_id() };
                self.list.insert(at, Outgoing { id, text, reply_to, ..whole.clone() });
            }
            if self.list.get(at).is_none_or(|first| first.id != whole.id) {
                return;
            }
        }
        let outgoing = &mut self.list[at];
        let reply_to = outgoing.reply_to.as_deref();
        let ticket = match outgoing.speech {
            Speech::Message => session.say_whole(&outgoing.target, &outgoing.text, reply_to),
            speech => session.say(&outgoing.target, speech, &outgoing.text).and_then(|tickets| tickets.last().copied()),
        };
        if let Some(ticket) = ticket {
            outgoing.state = State::UnderWay(ticket);
        }
    }
}

/// The messages that it takes to say it.
fn messages(session: &Session, outgoing: &Outgoing) -> Vec<String> {
    let Outgoing { target, speech, text, .. } = outgoing;
    match speech {
        Speech::Message => session.messages(target, text),
        _ => text.lines().flat_map(|line| session.pieces(target, *speech, line)).collect(),
    }
}

fn cleaned(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}
