//! `chat` without a terminal: lines go in, messages come out, and it ends when all that went in is stored.
//!
//! Also `chat send`. Knows the link, not how it was made, so that tests can hand in any stream.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read, Write};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::command::{self, Command, Done};
use super::heard::{Heard, Speech, What};
use super::interactive::FIRST_ROOM;
use super::link::{Link, Lost};
use super::outbox::{News, Outbox, PATIENCE};
use super::show::{Zone, plain};
use super::text::same;

/// The longest piece of a line taken from standard input at once.
const LINE_MAX: u64 = 32 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum PipeError {
    #[error("{lost}{}", match .unconfirmed {
        0 => String::new(),
        1 => "; one of the texts sent was not confirmed as stored".to_owned(),
        n => format!("; {n} of the texts sent were not confirmed as stored"),
    })]
    Lost { lost: Lost, unconfirmed: usize },
    #[error("the server ended the connection: {0}")]
    Closed(String),
    #[error("cannot enter {room}: {why}")]
    Join { room: String, why: String },
    #[error("not everything was sent: {0} refused")]
    Refused(usize),
    #[error("the server did not confirm {0} of the texts within {limit} seconds", limit = PATIENCE.as_secs())]
    Slow(usize),
    #[error("you are not in {0}: enter it first (on a terminal: chat, then /join {0}; for send and tail: --join)")]
    NotIn(String),
    #[error("the server does not search; see what 'chat history' prints")]
    NoSearch,
    #[error("the search was refused: {0}")]
    Search(String),
    #[error("the server gives no history to ask for; --last alone shows what it tells on entering a room")]
    NoHistory,
    #[error("the server tells only what was said: leave --events away")]
    NoEvents,
    #[error("the server does not list its rooms: {0}")]
    Rooms(String),
    #[error("the history of {with} cannot be read: {why}")]
    History { with: String, why: String },
    #[error("the server takes no answers to messages: leave --reply-to away")]
    NoReplies,
    #[error("there is nothing to send: the text is empty")]
    Nothing,
    #[error("the text is longer than {0} bytes: send a file in another way")]
    TooLong(u64),
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    #[error("cannot write: {0}")]
    Output(io::Error),
    #[error(transparent)]
    Dial(#[from] super::dial::DialError),
}

/// Where texts come from.
pub enum Lines {
    Given(VecDeque<String>),
    /// A thread reads standard input; when the queue is full it reads no further.
    Queue(mpsc::Receiver<String>),
}

impl Lines {
    pub fn given(lines: impl IntoIterator<Item = String>) -> Lines {
        Lines::Given(lines.into_iter().collect())
    }

    pub fn stdin() -> Lines {
        let (queue, lines) = mpsc::channel(64);
        std::thread::spawn(move || {
            let mut input = io::stdin().lock();
            let mut line = Vec::new();
            while input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
                line.clear();
                if queue.blocking_send(text).is_err() {
                    return;
                }
            }
        });
        Lines::Queue(lines)
    }

    async fn next(&mut self) -> Option<String> {
        match self {
            Lines::Given(lines) => lines.pop_front(),
            Lines::Queue(lines) => lines.recv().await,
        }
    }
}

/// A text that is sent as one message.
pub const WHOLE_MAX: u64 = 1024 * 1024;

/// All of standard input, as one text.
pub fn whole_stdin() -> Result<String, PipeError> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(WHOLE_MAX + 1).read_to_end(&mut bytes).map_err(PipeError::Input)?;
    if bytes.len() as u64 > WHOLE_MAX {
        return Err(PipeError::TooLong(WHOLE_MAX));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What is sent, and where.
pub struct Posting<'a> {
    pub target: &'a str,
    /// Enter the room first if need be; not without being asked, as that could make a room of a slip of the pen.
    pub join: bool,
    /// Each of the texts is one message, however many lines it has.
    pub whole: bool,
    /// The message that the first text answers.
    pub reply_to: Option<&'a str>,
}

/// Sends the texts, each line as it is or each text as a whole. Done when the server has stored them all.
pub async fn send<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    posting: &Posting<'_>,
    mut lines: Lines,
    mut complain: impl FnMut(&str),
) -> Result<(), PipeError> {
    let Posting { target, join, whole, reply_to } = *posting;
    settle(link, |_| {}).await?;
    if reply_to.is_some() && !link.session.has_replies() {
        return Err(PipeError::NoReplies);
    }
    if !join && link.session.is_room(target) && link.session.room(target).is_none() {
        return Err(PipeError::NotIn(target.to_owned()));
    }
    let target = enter(link, target, |_| {}).await?;
    let mut outbox = Outbox::new();
    let (mut more, mut refused, mut answered) = (true, 0, reply_to);
    while more || !outbox.is_idle() {
        tokio::select! {
            heard = next(link) => {
                let heard = heard?;
                if let News::Refused { text, why } = outbox.hear(&heard, &mut link.session) {
                    refused += 1;
                    complain(&format!("not sent ({why}): {text}"));
                } else if let Heard::Refused { said: None, why, .. } = heard {
                    complain(&why);
                }
            }
            line = lines.next(), if more && outbox.is_idle() => match line {
                Some(line) if whole || answered.is_some() => {
                    let reply_to = answered.take_if(|_| !line.trim().is_empty());
                    outbox.push_whole(&mut link.session, &target, &line, reply_to);
                }
                Some(line) => outbox.push(&mut link.session, &target, Speech::Message, &line),
                None => more = false,
            },
            waited = outbox.wait() => match waited {
                Ok(()) => outbox.pump(&mut link.session),
                Err(_) => return Err(PipeError::Slow(outbox.open())),
            },
        }
    }
    if refused == 0 { Ok(()) } else { Err(PipeError::Refused(refused)) }
}

/// Sends lines to the room one is in and prints messages to `out`. A line that begins with a command the terminal
/// client knows is done as a command; every other line is said.
pub async fn talk<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    mut lines: Lines,
    out: &mut dyn Write,
    mut complain: impl FnMut(&str),
    zone: Zone,
) -> Result<(), PipeError> {
    let mut problem = None;
    let mut print = |heard: &Heard| {
        if let Heard::Said(said) = heard
            && let Err(error) = out.write_all(plain(said, zone, true).as_bytes()).and_then(|()| out.flush())
        {
            problem.get_or_insert(error);
        }
        problem.is_none()
    };
    settle(link, |heard| _ = print(heard)).await?;
    let first = link.session.room(FIRST_ROOM).or_else(|| link.session.rooms().next());
    let first = first.unwrap_or(FIRST_ROOM).to_owned();
    let mut target = enter(link, &first, |heard| _ = print(heard)).await?;

    let mut outbox = Outbox::new();
    let (mut more, mut refused) = (true, 0);
    // The answers to what was asked last come before this fence.
    let mut fence = None;
    let mut asked = false;
    while more || fence.is_some() || !outbox.is_idle() {
        tokio::select! {
            heard = next(link) => {
                let heard = heard?;
                if !print(&heard) {
                    break;
                }
                if let News::Refused { text, why } = outbox.hear(&heard, &mut link.session) {
                    refused += 1;
                    complain(&format!("not sent ({why}): {text}"));
                }
                match heard {
                    Heard::Fence(id) if fence == Some(id) => fence = None,
                    Heard::Refused { said: None, about, why, .. } => {
                        refused += 1;
                        complain(&about.map_or(why.clone(), |about| format!("{about}: {why}")));
                    }
                    Heard::Info(text) if asked => complain(&text),
                    Heard::Topic { room, text } if asked => complain(&format!("topic of {room}: {text}")),
                    Heard::Names { room, nicks } if asked => complain(&format!("in {room}: {}", nicks.join(", "))),
                    _ => {}
                }
            }
            line = lines.next(), if more && fence.is_none() && outbox.is_idle() => {
                let Some(line) = line else {
                    more = false;
                    continue;
                };
                let session = &mut link.session;
                match command::parse(&line) {
                    None => {}
                    // What follows may be a password: it must not be said aloud.
                    Some(Command::Oper(_) | Command::Usage(command::OPER_USAGE)) => {
                        refused += 1;
                        complain("/oper works on a terminal only");
                    }
                    Some(Command::Unknown(_) | Command::Usage(_)) => {
                        outbox.push(session, &target, Speech::Message, &line);
                    }
                    Some(Command::Say(text)) => outbox.push(session, &target, Speech::Message, &text),
                    Some(Command::Action(text)) => outbox.push(session, &target, Speech::Action, &text),
                    Some(Command::Message { target, text }) => {
                        outbox.push(session, &target, Speech::Message, &text);
                    }
                    Some(command) => match command::perform(command, &target, session) {
                        Done::Said(_) => {}
                        Done::Asked | Done::Listing | Done::Names => {
                            asked = true;
                            fence = Some(session.fence());
                        }
                        Done::Joining(room) => match entered(link, &room, |heard| _ = print(heard)).await {
                            Ok(room) => target = room,
                            Err(error @ PipeError::Join { .. }) => {
                                refused += 1;
                                complain(&error.to_string());
                            }
                            Err(error) => return Err(error),
                        },
                        Done::Target(new) => target = new,
                        // Asked for on a terminal alone.
                        Done::Password(_) => {}
                        Done::Show(lines) => lines.iter().for_each(|line| complain(line)),
                        Done::Quit(_) => more = false,
                        Done::Not(why) => {
                            refused += 1;
                            complain(&why);
                        }
                    },
                }
            }
            waited = outbox.wait() => match waited {
                Ok(()) => outbox.pump(&mut link.session),
                Err(_) => return Err(PipeError::Slow(outbox.open())),
            },
        }
    }
    match problem {
        // Whoever read us has gone: nothing is wrong with that.
        Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Some(error) => Err(PipeError::Output(error)),
        None if refused > 0 => Err(PipeError::Refused(refused)),
        None => Ok(()),
    }
}

/// The next thing heard; the end of the connection as an error.
pub async fn next<S: AsyncRead + AsyncWrite>(link: &mut Link<S>) -> Result<Heard, PipeError> {
    match link.next().await {
        Ok(Heard::Closed(why)) => Err(PipeError::Closed(why)),
        Ok(heard) => Ok(heard),
        Err(lost) => Err(PipeError::Lost { lost, unconfirmed: link.session.unconfirmed().len() }),
    }
}

/// Waits until all that comes with the login has come.
pub async fn settle<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    mut meanwhile: impl FnMut(&Heard),
) -> Result<(), PipeError> {
    loop {
        match next(link).await? {
            Heard::Settled => return Ok(()),
            heard => meanwhile(&heard),
        }
    }
}

/// Enters `target` if it is a room and we are not in it; gives the name as the server writes it. What comes at joining
/// has come when this returns.
pub async fn enter<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    target: &str,
    meanwhile: impl FnMut(&Heard),
) -> Result<String, PipeError> {
    if !link.session.is_room(target) {
        return Ok(target.to_owned());
    }
    if let Some(room) = link.session.room(target) {
        return Ok(room.to_owned());
    }
    link.session.command("JOIN", &[target]);
    entered(link, target, meanwhile).await
}

/// Waits for the answer to a JOIN that is on its way.
async fn entered<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    target: &str,
    mut meanwhile: impl FnMut(&Heard),
) -> Result<String, PipeError> {
    let fence = link.session.fence();
    let mut why = "the server did not let us in".to_owned();
    loop {
        let heard = next(link).await?;
        meanwhile(&heard);
        match heard {
            Heard::Fence(id) if id == fence => {
                let room = link.session.room(target).map(str::to_owned);
                return room.ok_or(PipeError::Join { room: target.to_owned(), why });
            }
            Heard::Refused { said: None, about, why: reason, .. }
                if about.as_deref().is_none_or(|about| same(about, target)) =>
            {
                why = reason;
            }
            // Some servers send us to another room instead.
            Heard::Happened(happened) if happened.own && happened.what == What::Join => {
                if let Some(room) = happened.room.filter(|room| !same(room, target)) {
                    why = format!("the server sent us to {room} instead");
                }
            }
            _ => {}
        }
    }
}
