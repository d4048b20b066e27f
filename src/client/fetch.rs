//! `chat history`, `chat tail` and `chat search`: messages of the past, the last ones and, for tail, those that come.
//!
//! A server with chathistory is asked for as many as are wanted, page by page; from another one come those it shows at
//! joining.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use super::args::Format;
use super::dial::{Dialer, TlsLink};
use super::heard::{Heard, Said};
use super::link::Link;
use super::pipe::{PipeError, enter, next, settle};
use super::show::{CSV_HEAD, Zone, csv, json, plain, rfc3339};
use super::text::same;
use super::view::Seen;
use crate::event::Millis;

/// More than this are not kept together in memory.
const LAST_MAX: u32 = 100_000;
/// Messages asked for at a time in a search.
const SEARCH_PAGE: usize = 100;
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
    let lines = last_lines(link, wanted).await?;
    // A handful is all there is; what looks like a full helping may not be.
    if !link.session.has_chathistory() && lines.len() < wanted.most() && lines.len() >= REPLAY_LIKELY {
        note(&format!("these {} messages are what the server shows at joining; it may have more", lines.len()));
    }
    let printed = wanted.format.begin(out).and_then(|()| lines.iter().try_for_each(|said| wanted.print(said, out)));
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
        let page =
            page(link, wanted.target, Direction::Forward, Some(&after), wanted.before.as_ref(), u32::MAX).await?;
        let fresh: Vec<&Said> =
            page.lines.iter().filter(|said| said.msgid.as_deref().is_some_and(|id| seen.is_new(id))).collect();
        for said in &fresh {
            if let Err(error) = wanted.print(said, out) {
                return done_if_closed(Err(error));
            }
        }
        match fresh.last().and_then(|said| said.msgid.clone()) {
            Some(newest) => after = Mark::Message(newest),
            None => return done_if_closed(out.flush()),
        }
    }
}

/// What is searched for, and how it is printed.
pub struct Sought<'a> {
    /// Words that must all occur.
    pub text: &'a str,
    pub within: Option<&'a str>,
    pub from: Option<&'a str>,
    pub since: Option<Millis>,
    pub until: Option<Millis>,
    pub last: u32,
    pub format: Format,
    pub zone: Zone,
}

/// Prints the newest messages that are as sought, the oldest first.
pub async fn search<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    sought: &Sought<'_>,
    out: &mut dyn Write,
    mut note: impl FnMut(&str),
) -> Result<(), PipeError> {
    settle(link, |_| {}).await?;
    if !link.session.has_search() {
        return Err(PipeError::NoSearch);
    }
    let most = sought.last.min(LAST_MAX) as usize;
    let mut found: VecDeque<Said> = VecDeque::new();
    let mut seen = Seen::default();
    while found.len() < most {
        let page = find(link, sought, found.front(), SEARCH_PAGE).await?;
        let full = page.len() >= SEARCH_PAGE;
        let fresh: Vec<Said> =
            page.into_iter().filter(|said| said.msgid.as_deref().is_none_or(|id| seen.is_new(id))).collect();
        if fresh.is_empty() {
            break;
        }
        fresh.into_iter().rev().for_each(|said| found.push_front(said));
        if !full {
            break;
        }
    }
    found.drain(..found.len().saturating_sub(most));
    if found.is_empty() {
        note("nothing was found in the rooms you are in and in your direct messages");
    }
    let print = |said: &Said, out: &mut dyn Write| sought.format.print(said, sought.zone, true, out);
    let printed = sought.format.begin(out).and_then(|()| found.iter().try_for_each(|said| print(said, out)));
    done_if_closed(printed.and_then(|()| out.flush()))
}

/// One page: the newest that are as sought and older than this one. A server that goes by time alone says again what was
/// said at that very moment.
async fn find<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    sought: &Sought<'_>,
    older_than: Option<&Said>,
    limit: usize,
) -> Result<Vec<Said>, PipeError> {
    let limit = limit.to_string();
    let before = older_than.map(|said| said.at).or(sought.until).map(rfc3339);
    // The server's bound leaves the moment itself out.
    let after = sought.since.map(|since| rfc3339(Millis(since.0.saturating_sub(1))));
    let attributes = [
        ("text", Some(sought.text).filter(|text| !text.is_empty())),
        ("in", sought.within),
        ("from", sought.from),
        ("after", after.as_deref()),
        ("before", before.as_deref()),
        ("chatd/older-than", older_than.and_then(|said| said.msgid.as_deref())),
        ("limit", Some(limit.as_str())),
    ];
    let given: Vec<(&str, &str)> = attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    link.session.search(&given);
    let fence = link.session.fence();
    let mut page = Vec::new();
    loop {
        match next(link).await? {
            Heard::Said(said) if said.replayed => page.push(said),
            Heard::Refused { said: None, why, .. } => return Err(PipeError::Search(why)),
            Heard::Fence(id) if id == fence => return Ok(page),
            _ => {}
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
    let all = Wanted { after: None, before: None, last: Some(LAST_MAX.min(wanted.most() as u32).max(1000)), ..*wanted };
    let lines = last_lines(link, if first { wanted } else { &all }).await?;
    if first && wanted.format.begin(out).is_err() {
        return Ok(());
    }
    let mut fresh = |said: &Said| said.msgid.as_deref().is_none_or(|id| seen.is_new(id));
    for said in &lines {
        if (fresh(said) || first) && wanted.print(said, out).and_then(|()| out.flush()).is_err() {
            return Ok(());
        }
    }
    loop {
        if let Heard::Said(said) = next(link).await?
            && same(&said.with, wanted.target)
            && fresh(&said)
            && let Err(error) = wanted.print(&said, out).and_then(|()| out.flush())
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
        enter(link, wanted.target, keep).await?;
    } else if link.session.is_room(wanted.target) && link.session.room(wanted.target).is_none() {
        return Err(PipeError::NotIn(wanted.target.to_owned()));
    }
    Ok(())
}

/// The last messages, in order, as many as are wanted or there are.
async fn last_lines<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
) -> Result<VecDeque<Said>, PipeError> {
    let most = wanted.most();
    let mut seen = Seen::default();
    let mut lines = VecDeque::new();
    let mut keep = |heard: &Heard| {
        if let Heard::Said(said) = heard
            && same(&said.with, wanted.target)
            && said.msgid.as_deref().is_none_or(|id| seen.is_new(id))
        {
            lines.push_back(said.clone());
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
    mut live: VecDeque<Said>,
) -> Result<VecDeque<Said>, PipeError> {
    let (most, bounded) = (wanted.most(), wanted.after.is_some() || wanted.before.is_some());
    let mut lines: VecDeque<Said> = VecDeque::new();
    let mut before = wanted.before.clone();
    while lines.len() < most {
        let left = u32::try_from(most - lines.len()).unwrap_or(u32::MAX);
        let page = page(link, wanted.target, Direction::Backward, wanted.after.as_ref(), before.as_ref(), left).await?;
        if !bounded {
            live.extend(page.live);
        }
        let oldest = page.lines.first().and_then(|said| said.msgid.clone()).map(Mark::Message);
        if oldest.is_none() || oldest == before {
            break;
        }
        before = oldest;
        page.lines.into_iter().rev().for_each(|said| lines.push_front(said));
    }
    let mut seen: Vec<Option<String>> = lines.iter().map(|said| said.msgid.clone()).collect();
    for said in live {
        if said.msgid.is_none() || !seen.contains(&said.msgid) {
            seen.push(said.msgid.clone());
            lines.push_back(said);
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
}

struct Page {
    lines: Vec<Said>,
    /// What was said while the page came.
    live: Vec<Said>,
}

/// One page of what lies between two marks: the lines next to `after` (forward), or next to `before` or now (backward).
async fn page<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    target: &str,
    direction: Direction,
    after: Option<&Mark>,
    before: Option<&Mark>,
    count: u32,
) -> Result<Page, PipeError> {
    let (after, before) = (after.map(Mark::param), before.map(Mark::param));
    let (command, marks): (_, Vec<&str>) = match (direction, after.as_deref(), before.as_deref()) {
        (Direction::Forward, Some(after), Some(before)) => ("BETWEEN", vec![after, before]),
        (Direction::Forward, Some(after), None) => ("AFTER", vec![after]),
        (Direction::Forward, None, _) => return Err(PipeError::NoHistory),
        (Direction::Backward, Some(after), Some(before)) => ("BETWEEN", vec![before, after]),
        (Direction::Backward, None, Some(before)) => ("BEFORE", vec![before]),
        (Direction::Backward, Some(after), None) => ("LATEST", vec![after]),
        (Direction::Backward, None, None) => ("LATEST", vec!["*"]),
    };
    link.session.past(command, target, &marks, count);
    let fence = link.session.fence();
    let mut page = Page { lines: Vec::new(), live: Vec::new() };
    loop {
        match next(link).await? {
            Heard::Said(said) if same(&said.with, target) => match said.replayed {
                true => page.lines.push(said),
                false => page.live.push(said),
            },
            Heard::Refused { said: None, why, .. } => {
                return Err(PipeError::History { with: target.to_owned(), why });
            }
            Heard::Fence(id) if id == fence => return Ok(page),
            _ => {}
        }
    }
}

impl Wanted<'_> {
    fn most(&self) -> usize {
        self.last.unwrap_or(LAST_USUAL).min(LAST_MAX) as usize
    }

    fn print(&self, said: &Said, out: &mut dyn Write) -> io::Result<()> {
        self.format.print(said, self.zone, false, out)
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
