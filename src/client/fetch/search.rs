//! `chat search`: what was said with all these words, page by page.

use std::collections::VecDeque;
use std::io::Write;

use tokio::io::{AsyncRead, AsyncWrite};

use super::{LAST_MAX, done_if_closed};
use crate::client::args::Format;
use crate::client::heard::{Heard, Said};
use crate::client::link::Link;
use crate::client::pipe::{PipeError, next, settle};
use crate::client::show::{Zone, rfc3339};
use crate::client::view::Seen;
use crate::event::Millis;

/// Messages asked for at a time.
const SEARCH_PAGE: usize = 100;

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
