//! `chat history` and `chat tail`: messages of the past, the last ones and, for tail, those that come; where it is wanted
//! also who came and went, topics and modes.
//!
//! A server with chathistory is asked for as many as are wanted, page by page; from another one come those it shows at
//! joining.

mod rooms;
mod search;

use std::collections::{HashSet, VecDeque};
use std::io::{self, Write};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use super::args::Format;
use super::dial::{Dialer, TlsLink};
use super::heard::{Happened, Heard, Said};
use super::link::Link;
use super::pipe::{PipeError, enter, next, settle};
use super::show::{CSV_HEAD, Zone, csv, happened_csv, happened_json, happened_plain, json, plain, rfc3339};
use super::text::same;
use super::view::Seen;
use crate::event::Millis;
pub use rooms::rooms;
pub use search::{Sought, search};

/// More than this are not kept together in memory.
const LAST_MAX: u32 = 100_000;
/// No server shows less than this at joining when there is more.
const REPLAY_LIKELY: usize = 10;
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What is wanted, and how it is printed.
pub struct Wanted<'a> {
    pub target: &'a str,
    /// Enter the room first, if need be.
    pub join: bool,
    /// Only what came after this, and before that.
    pub after: Option<Mark>,
    pub before: Option<Mark>,
    /// What was said around this, before and after it.
    pub around: Option<Mark>,
    /// Also what happened, and not only what was said.
    pub events: bool,
    /// The newest of these; `None`: all, which takes an `after`, or as many as one would look at.
    pub last: Option<u32>,
    pub format: Format,
    pub zone: Zone,
}

/// A place in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Message(String),
    Time(Millis),
}

/// What is printed: a message, or something that happened.
#[derive(Debug, Clone)]
enum Told {
    Said(Said),
    Happened(Happened),
}

impl Told {
    fn msgid(&self) -> Option<&str> {
        match self {
            Told::Said(said) => said.msgid.as_deref(),
            Told::Happened(happened) => happened.msgid.as_deref(),
        }
    }
}

impl Mark {
    fn param(&self) -> String {
        match self {
            Mark::Message(id) => format!("msgid={id}"),
            Mark::Time(time) => format!("timestamp={}", rfc3339(*time)),
        }
    }
}

/// The newest messages, unless told how many or from where on.
pub const LAST_USUAL: u32 = 50;

/// Prints messages of the past.
pub async fn history<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    out: &mut dyn Write,
    mut note: impl FnMut(&str),
) -> Result<(), PipeError> {
    if let (Some(after), None) = (&wanted.after, wanted.last) {
        return all_after(link, wanted, after, out).await;
    }
    let lines = match &wanted.around {
        Some(mark) => lines_around(link, wanted, mark).await?,
        None => last_lines(link, wanted).await?,
    };
    // A handful is all there is; what looks like a full helping may not be.
    if !link.session.has_chathistory() && lines.len() < wanted.most() && lines.len() >= REPLAY_LIKELY {
        note(&format!("these {} messages are what the server shows at joining; it may have more", lines.len()));
    }
    let printed = wanted.format.begin(out).and_then(|()| lines.iter().try_for_each(|told| wanted.print(told, out)));
    done_if_closed(printed.and_then(|()| out.flush()))
}

/// Prints all that was said after a mark, page by page, so that memory does not grow with it.
async fn all_after<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    after: &Mark,
    out: &mut dyn Write,
) -> Result<(), PipeError> {
    reach(link, wanted, &mut |_| {}).await?;
    if !link.session.has_chathistory() {
        return Err(PipeError::NoHistory);
    }
    if let Err(error) = wanted.format.begin(out) {
        return done_if_closed(Err(error));
    }
    let (mut after, mut seen) = (after.clone(), Seen::default());
    loop {
        let page = page(link, wanted, &Direction::Forward, Some(&after), wanted.before.as_ref(), u32::MAX).await?;
        let fresh: Vec<&Told> =
            page.lines.iter().filter(|told| told.msgid().is_some_and(|id| seen.is_new(id))).collect();
        for told in &fresh {
            if let Err(error) = wanted.print(told, out) {
                return done_if_closed(Err(error));
            }
        }
        match fresh.last().and_then(|told| told.msgid()) {
            Some(newest) => after = Mark::Message(newest.to_owned()),
            None => return done_if_closed(out.flush()),
        }
    }
}

/// Prints the last messages and then the new ones, until nobody reads them any more. Comes back by itself when the
/// connection is lost.
pub async fn tail(
    dialer: &Dialer,
    wanted: &Wanted<'_>,
    out: &mut dyn Write,
    mut note: impl FnMut(&str),
) -> Result<(), PipeError> {
    let mut seen = Seen::default();
    let mut link = dialer.dial(|_| {}).await?;
    let mut first = true;
    loop {
        let lost = match follow(&mut link, wanted, out, &mut seen, first).await {
            Ok(()) => return Ok(()),
            Err(error @ (PipeError::Lost { .. } | PipeError::Closed(_))) => error,
            Err(error) => return Err(error),
        };
        first = false;
        // Closed before the pause: a server that stops waits for its clients' goodbyes.
        drop(link);
        link = come_back(dialer, &lost, &mut note).await?;
    }
}

/// Connects again, more and more rarely, until it works or cannot work. The pauses differ from client to client, so that
/// a server that has come back is not met by all of them at once.
pub async fn come_back(dialer: &Dialer, lost: &PipeError, note: &mut impl FnMut(&str)) -> Result<TlsLink, PipeError> {
    note(&format!("{lost}; connecting again"));
    let mut pause = Duration::from_secs(1);
    loop {
        let mut chance = [0; 1];
        // Without chance they only are less spread.
        let _ = getrandom::fill(&mut chance);
        sleep(pause.mul_f64(0.5 + f64::from(chance[0]) / 512.0)).await;
        match dialer.dial(|_| {}).await {
            Ok(link) => {
                note("connected again");
                return Ok(link);
            }
            Err(error) if error.may_pass() => pause = (pause * 2).min(BACKOFF_MAX),
            Err(error) => return Err(error.into()),
        }
    }
}

/// One connection's part of [`tail`]. `first`: only as many old lines as are wanted; later all that were missed.
async fn follow<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    out: &mut dyn Write,
    seen: &mut Seen,
    first: bool,
) -> Result<(), PipeError> {
    let most = LAST_MAX.min(wanted.most() as u32).max(1000);
    let all = Wanted { after: None, before: None, around: None, last: Some(most), ..*wanted };
    let lines = last_lines(link, if first { wanted } else { &all }).await?;
    if first && wanted.format.begin(out).is_err() {
        return Ok(());
    }
    let mut fresh = |told: &Told| told.msgid().is_none_or(|id| seen.is_new(id));
    for told in &lines {
        if (fresh(told) || first) && wanted.print(told, out).and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
    }
    loop {
        if let Some(told) = wanted.told(next(link).await?)
            && fresh(&told)
            && let Err(error) = wanted.print(&told, out).and_then(|()| out.flush())
        {
            return done_if_closed(Err(error));
        }
    }
}

/// Waits until all that comes with the login has come, and enters the room if need be.
async fn reach<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    keep: &mut impl FnMut(&Heard),
) -> Result<(), PipeError> {
    settle(link, &mut *keep).await?;
    if wanted.join {
        enter(link, wanted.target, &mut *keep).await?;
    } else if link.session.is_room(wanted.target) && link.session.room(wanted.target).is_none() {
        return Err(PipeError::NotIn(wanted.target.to_owned()));
    }
    if wanted.events {
        link.session.ask_for_events();
        let fence = link.session.fence();
        loop {
            match next(link).await? {
                Heard::Fence(id) if id == fence => break,
                heard => keep(&heard),
            }
        }
        if !link.session.has_events() {
            return Err(PipeError::NoEvents);
        }
    }
    Ok(())
}

/// What was said around a mark: one page, as large as the server gives.
async fn lines_around<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    mark: &Mark,
) -> Result<VecDeque<Told>, PipeError> {
    reach(link, wanted, &mut |_| {}).await?;
    if !link.session.has_chathistory() {
        return Err(PipeError::NoHistory);
    }
    let count = u32::try_from(wanted.most()).unwrap_or(LAST_MAX);
    Ok(page(link, wanted, &Direction::Around, Some(mark), None, count).await?.lines.into())
}

/// The last messages, in order, as many as are wanted or there are.
async fn last_lines<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
) -> Result<VecDeque<Told>, PipeError> {
    let most = wanted.most();
    let mut seen = Seen::default();
    let mut lines = VecDeque::new();
    let mut keep = |heard: &Heard| {
        if let Some(told) = wanted.told(heard.clone())
            && told.msgid().is_none_or(|id| seen.is_new(id))
        {
            lines.push_back(told);
            if lines.len() > most {
                lines.pop_front();
            }
        }
    };
    reach(link, wanted, &mut keep).await?;
    let bounded = wanted.after.is_some() || wanted.before.is_some();
    match link.session.has_chathistory() {
        false if bounded => Err(PipeError::NoHistory),
        true if most > 0 => ask(link, wanted, if bounded { VecDeque::new() } else { lines }).await,
        _ => Ok(lines),
    }
}

/// Asks for history page by page, backwards, and puts `live`, which came meanwhile, behind it.
async fn ask<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    mut live: VecDeque<Told>,
) -> Result<VecDeque<Told>, PipeError> {
    let (most, bounded) = (wanted.most(), wanted.after.is_some() || wanted.before.is_some());
    let mut lines: VecDeque<Told> = VecDeque::new();
    let mut before = wanted.before.clone();
    while lines.len() < most {
        let left = u32::try_from(most - lines.len()).unwrap_or(u32::MAX);
        let page = page(link, wanted, &Direction::Backward, wanted.after.as_ref(), before.as_ref(), left).await?;
        if !bounded {
            live.extend(page.live);
        }
        let oldest = page.lines.first().and_then(|told| told.msgid()).map(|id| Mark::Message(id.to_owned()));
        if oldest.is_none() || oldest == before {
            break;
        }
        before = oldest;
        page.lines.into_iter().rev().for_each(|told| lines.push_front(told));
    }
    let mut seen: HashSet<String> = lines.iter().filter_map(|told| told.msgid().map(str::to_owned)).collect();
    for told in live {
        if told.msgid().is_none_or(|id| seen.insert(id.to_owned())) {
            lines.push_back(told);
        }
    }
    while lines.len() > most {
        lines.pop_front();
    }
    Ok(lines)
}

enum Direction {
    Forward,
    Backward,
    Around,
}

struct Page {
    lines: Vec<Told>,
    /// What was said while the page came.
    live: Vec<Told>,
}

/// One page of what lies between two marks: the lines next to `after` (forward), next to `before` or now (backward), or on
/// both sides of `after` (around).
async fn page<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    direction: &Direction,
    after: Option<&Mark>,
    before: Option<&Mark>,
    count: u32,
) -> Result<Page, PipeError> {
    let (after, before) = (after.map(Mark::param), before.map(Mark::param));
    let (command, marks): (_, Vec<&str>) = match (direction, after.as_deref(), before.as_deref()) {
        (Direction::Forward, Some(after), Some(before)) => ("BETWEEN", vec![after, before]),
        (Direction::Forward, Some(after), None) => ("AFTER", vec![after]),
        (Direction::Around, Some(mark), _) => ("AROUND", vec![mark]),
        (Direction::Forward | Direction::Around, None, _) => return Err(PipeError::NoHistory),
        (Direction::Backward, Some(after), Some(before)) => ("BETWEEN", vec![before, after]),
        (Direction::Backward, None, Some(before)) => ("BEFORE", vec![before]),
        (Direction::Backward, Some(after), None) => ("LATEST", vec![after]),
        (Direction::Backward, None, None) => ("LATEST", vec!["*"]),
    };
    let target = wanted.target;
    link.session.past(command, target, &marks, count);
    let fence = link.session.fence();
    let mut page = Page { lines: Vec::new(), live: Vec::new() };
    loop {
        match next(link).await? {
            Heard::Refused { said: None, why, .. } => {
                return Err(PipeError::History { with: target.to_owned(), why });
            }
            Heard::Fence(id) if id == fence => return Ok(page),
            heard => {
                let old = match &heard {
                    Heard::Said(said) => said.replayed,
                    Heard::Happened(happened) => happened.replayed,
                    _ => false,
                };
                let list = if old { &mut page.lines } else { &mut page.live };
                list.extend(wanted.told(heard));
            }
        }
    }
}

impl Wanted<'_> {
    /// What is to be printed of it.
    fn told(&self, heard: Heard) -> Option<Told> {
        match heard {
            Heard::Said(said) if same(&said.with, self.target) => Some(Told::Said(said)),
            // Who goes offline goes from all rooms: live that stands in none.
            Heard::Happened(happened) if self.events => {
                let here = happened.room.as_deref().is_some_and(|room| same(room, self.target));
                let kept = happened.msgid.is_some() && (here || happened.room.is_none());
                kept.then_some(Told::Happened(happened))
            }
            _ => None,
        }
    }

    fn most(&self) -> usize {
        self.last.unwrap_or(LAST_USUAL).min(LAST_MAX) as usize
    }

    fn print(&self, told: &Told, out: &mut dyn Write) -> io::Result<()> {
        match told {
            Told::Said(said) => self.format.print(said, self.zone, false, out),
            Told::Happened(happened) => {
                let text = match self.format {
                    Format::Text => happened_plain(happened, self.zone),
                    Format::Json => happened_json(happened, self.target),
                    Format::Csv => happened_csv(happened, self.target),
                };
                out.write_all(text.as_bytes())
            }
        }
    }
}

impl Format {
    /// What stands before the first message.
    fn begin(self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Csv => out.write_all(CSV_HEAD.as_bytes()),
            Format::Text | Format::Json => Ok(()),
        }
    }

    /// `with`: with the name of the conversation, where that may be left away.
    fn print(self, said: &Said, zone: Zone, with: bool, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Text => out.write_all(plain(said, zone, with).as_bytes()),
            Format::Json => writeln!(out, "{}", json(said)),
            Format::Csv => out.write_all(csv(said).as_bytes()),
        }
    }
}

/// Whoever read us has gone: nothing is wrong with that.
fn done_if_closed(result: io::Result<()>) -> Result<(), PipeError> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(PipeError::Output),
    }
}
