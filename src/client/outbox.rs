//! Texts that shall all arrive, in order: one under way at a time, and what a server refuses for being sent too fast
//! is sent again after a pause.
//!
//! One at a time, because of several the first could be refused and the second stored. Knows the session only.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::heard::{Heard, Speech};
use super::session::Session;

/// A server that lets a text wait for longer has lost it.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// So often a text is sent; by then the pauses have lasted two minutes.
const TRIES_MAX: u32 = 20;

pub struct Outbox {
    /// The front one is under way or waits for its next try. Whoever pushes sees to it that few wait: see
    /// [`Outbox::is_idle`].
    queue: VecDeque<Piece>,
    under_way: Vec<u64>,
    tries: u32,
    pause: Duration,
    not_before: Option<Instant>,
    deadline: Instant,
}

struct Piece {
    target: String,
    speech: Speech,
    text: String,
    /// It is one message, however many lines it has, and answers this one.
    whole: Option<Option<String>>,
}

/// What something heard means for what was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    Nothing,
    /// This text was refused for good, because of that.
    Refused {
        text: String,
        why: String,
    },
}

impl Outbox {
    pub fn new() -> Outbox {
        Outbox {
            queue: VecDeque::new(),
            under_way: Vec::new(),
            tries: 0,
            pause: Duration::ZERO,
            not_before: None,
            deadline: Instant::now(),
        }
    }

    /// Everything has been stored or refused for good.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many texts are not yet known to be stored.
    pub fn open(&self) -> usize {
        self.queue.len()
    }

    /// Queues a text, in as many pieces as it takes; a text of blanks is none.
    pub fn push(&mut self, session: &mut Session, target: &str, speech: Speech, text: &str) {
        if !text.trim().is_empty() {
            let piece = |text| Piece { target: target.to_owned(), speech, text, whole: None };
            self.queue.extend(session.pieces(target, speech, text).into_iter().map(piece));
        }
        self.pump(session);
    }

    /// Queues a text as one message of several lines, or as few as the server takes it in; the first of them answers
    /// the message `reply_to`.
    pub fn push_whole(&mut self, session: &mut Session, target: &str, text: &str, reply_to: Option<&str>) {
        let mut reply_to = reply_to.map(str::to_owned);
        for text in session.messages(target, text) {
            let (target, whole) = (target.to_owned(), Some(reply_to.take()));
            self.queue.push_back(Piece { target, speech: Speech::Message, text, whole });
        }
        self.pump(session);
    }

    pub fn hear(&mut self, heard: &Heard, session: &mut Session) -> News {
        let mut news = News::Nothing;
        match heard {
            Heard::Stored { ticket } if self.under_way.contains(ticket) => {
                self.under_way.retain(|open| open != ticket);
                if self.under_way.is_empty() {
                    self.done();
                }
            }
            Heard::Refused { said: Some((ticket, text)), why, again, .. } if self.under_way.contains(ticket) => {
                self.under_way.clear();
                if *again && self.tries < TRIES_MAX {
                    self.pause = (self.pause * 2).clamp(Duration::from_secs(1), PAUSE_MAX);
                    self.not_before = Some(Instant::now() + self.pause);
                } else {
                    self.done();
                    news = News::Refused { text: text.clone(), why: why.clone() };
                }
            }
            _ => {}
        }
        self.pump(session);
        news
    }

    /// Waits for the time of the next try. `Err`: the server has not answered for too long. Pending if there is nothing
    /// to wait for; may be dropped at any time.
    pub async fn wait(&self) -> Result<(), Slow> {
        match self.not_before {
            Some(time) => sleep_until(time).await,
            None if self.under_way.is_empty() => std::future::pending().await,
            None => {
                sleep_until(self.deadline).await;
                return Err(Slow);
            }
        }
        Ok(())
    }

    /// Sends what is due.
    pub fn pump(&mut self, session: &mut Session) {
        if !self.under_way.is_empty() || self.not_before.is_some_and(|time| time > Instant::now()) {
            return;
        }
        self.not_before = None;
        if let Some(piece) = self.queue.front() {
            self.tries += 1;
            self.deadline = Instant::now() + PATIENCE;
            let tickets = match &piece.whole {
                Some(reply_to) => {
                    session.say_whole(&piece.target, &piece.text, reply_to.as_deref()).map(|ticket| vec![ticket])
                }
                None => session.say(&piece.target, piece.speech, &piece.text),
            };
            match tickets {
                Some(tickets) => self.under_way = tickets,
                // Others have texts under way: there will be room when they have been answered.
                None => self.not_before = Some(Instant::now() + Duration::from_secs(1)),
            }
        }
    }

    fn done(&mut self) {
        self.queue.pop_front();
        self.tries = 0;
        self.pause = Duration::ZERO;
    }
}

impl Default for Outbox {
    fn default() -> Outbox {
        Outbox::new()
    }
}

/// The server owes an answer for too long.
#[derive(Debug)]
pub struct Slow;
