//! `chat history`, `chat tail` and `chat search`: messages of the past, the last ones and, for tail, those that come.
//!
//! A server with chathistory is asked for as many as are wanted; from another one come those it shows at joining.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::sleep;

use super::args::Format;
use super::dial::Dialer;
use super::heard::{Heard, Said};
use super::link::Link;
use super::pipe::{PipeError, enter, next, settle};
use super::show::{Zone, json, plain, rfc3339};
use super::text::same;
use super::view::Seen;

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
    pub last: u32,
    pub format: Format,
    pub zone: Zone,
}

/// Prints the last messages.
pub async fn history<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
    out: &mut dyn Write,
    mut note: impl FnMut(&str),
) -> Result<(), PipeError> {
    let lines = last_lines(link, wanted).await?;
    // A handful is all there is; what looks like a full helping may not be.
    if !link.session.has_chathistory() && lines.len() < wanted.last as usize && lines.len() >= REPLAY_LIKELY {
        note(&format!("these {} messages are what the server shows at joining; it may have more", lines.len()));
    }
    done_if_closed(lines.iter().try_for_each(|said| wanted.print(said, out)).and_then(|()| out.flush()))
}

/// What is searched for, and how it is printed.
pub struct Sought<'a> {
    /// Words that must all occur.
    pub text: &'a str,
    pub within: Option<&'a str>,
    pub from: Option<&'a str>,
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
    let print = |said: &Said, out: &mut dyn Write| match sought.format {
        Format::Text => writeln!(out, "{}", plain(said, sought.zone, true)),
        Format::Json => writeln!(out, "{}", json(said)),
    };
    done_if_closed(found.iter().try_for_each(|said| print(said, out)).and_then(|()| out.flush()))
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
    let before = older_than.map(|said| rfc3339(said.at));
    let attributes = [
        ("text", Some(sought.text).filter(|text| !text.is_empty())),
        ("in", sought.within),
        ("from", sought.from),
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
        note(&format!("{lost}; connecting again"));
        let mut pause = Duration::from_secs(1);
        link = loop {
            sleep(pause).await;
            match dialer.dial(|_| {}).await {
                Ok(link) => break link,
                Err(error) if error.may_pass() => pause = (pause * 2).min(BACKOFF_MAX),
                Err(error) => return Err(error.into()),
            }
        };
        note("connected again");
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
    let all = Wanted { last: LAST_MAX.min(wanted.last.max(1000)), ..*wanted };
    let lines = last_lines(link, if first { wanted } else { &all }).await?;
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

/// The last messages, in order, as many as are wanted or there are.
async fn last_lines<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    wanted: &Wanted<'_>,
) -> Result<VecDeque<Said>, PipeError> {
    let most = wanted.last.min(LAST_MAX) as usize;
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
    settle(link, &mut keep).await?;
    let is_room = link.session.is_room(wanted.target);
    if wanted.join {
        enter(link, wanted.target, &mut keep).await?;
    } else if is_room && link.session.room(wanted.target).is_none() {
        return Err(PipeError::NotIn(wanted.target.to_owned()));
    }
    if link.session.has_chathistory() && most > 0 {
        return ask(link, wanted.target, most, lines).await;
    }
    Ok(lines)
}

/// Asks for history page by page, backwards, and puts `live`, which came meanwhile, behind it.
async fn ask<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    target: &str,
    most: usize,
    live: VecDeque<Said>,
) -> Result<VecDeque<Said>, PipeError> {
    let mut lines: VecDeque<Said> = VecDeque::new();
    let mut live = live;
    let mut before: Option<String> = None;
    while lines.len() < most {
        let left = u32::try_from(most - lines.len()).unwrap_or(u32::MAX);
        link.session.fetch(target, before.as_deref(), left);
        let fence = link.session.fence();
        let mut page = Vec::new();
        let mut oldest = None;
        loop {
            match next(link).await? {
                Heard::Said(said) if same(&said.with, target) => {
                    if said.replayed {
                        page.push(said);
                    } else {
                        live.push_back(said);
                    }
                }
                Heard::Now { with, oldest: first, .. } if same(&with, target) => oldest = first,
                Heard::Refused { said: None, why, .. } => {
                    return Err(PipeError::Join { room: target.to_owned(), why });
                }
                Heard::Fence(id) if id == fence => break,
                _ => {}
            }
        }
        if page.is_empty() || oldest.is_none() || oldest == before {
            break;
        }
        before = oldest;
        page.into_iter().rev().for_each(|said| lines.push_front(said));
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

impl Wanted<'_> {
    fn print(&self, said: &Said, out: &mut dyn Write) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(out, "{}", plain(said, self.zone, false)),
            Format::Json => writeln!(out, "{}", json(said)),
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
