//! Finding what was said: the full-text index, and what is not in it yet, yield candidates newest first; the rows
//! themselves decide.

use std::borrow::Cow;
use std::collections::HashSet;

use rusqlite::{OptionalExtension, params_from_iter};

use crate::event::{EventId, Millis, RoomId, Seq};

use super::Reads;
use super::error::Result;
use super::history::{EVENT_COLUMNS, event};
use super::words::{Question, actor_term, room_term};

/// What is looked for; everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Only in these; `None`: in all.
    pub rooms: Option<Vec<RoomId>>,
    /// Words that must all occur; the last one may be a beginning. Nothing in it is syntax. Empty: any text.
    pub text: String,
    /// Only by this account, given by key or name.
    pub from: Option<String>,
    /// At this time or later.
    pub since: Option<Millis>,
    /// Before this time.
    pub until: Option<Millis>,
    /// Older than this event: the next page.
    pub before: Option<EventId>,
    pub limit: usize,
    /// Looks from the oldest on instead of from the newest; found is in that order.
    pub from_oldest: bool,
}

/// More rooms than this are looked at in the rows instead of in the index.
const ROOM_TERMS_MAX: usize = 200;
/// Rows that are looked at in vain before a search ends with what it has: some seconds of work. The index knows words,
/// rooms and people, so that only rare questions (a picture, a long stretch of Chinese) come near.
const CANDIDATES_MAX: usize = 200_000;

/// A beginning of more words than this is left to FTS5.
const SPELLED_OUT_MAX: usize = 128;

macro_rules! matches {
    ($order:literal) => {
        concat!("SELECT rowid FROM search WHERE search MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid ", $order)
    };
}
macro_rules! spoken {
    ($order:literal) => {
        concat!(
            "SELECT id FROM events WHERE id >= ?2 AND id < ?3 AND kind IN (1, 2) AND room_id NOT NULL AND ?1 = '' \
             ORDER BY id ",
            $order
        )
    };
}

impl Reads {
    /// Messages, newest first (or oldest, see there), with their places. Ends early after very many candidates in vain (see above).
    pub fn search(&self, search: &Search) -> Result<Vec<(RoomId, Seq, crate::event::Event)>> {
        let mut found = Vec::new();
        let question = Question::new(&search.text);
        if question.is_empty() && !search.text.trim().is_empty() {
            return Ok(found);
        }
        let mut terms = question.terms.clone();
        if let Some(from) = &search.from {
            let Some(id) = self.author(from)? else { return Ok(found) };
            terms.push(actor_term(id));
        }
        match &search.rooms {
            Some(rooms) if rooms.is_empty() => return Ok(found),
            Some(rooms) if rooms.len() <= ROOM_TERMS_MAX => {
                let rooms: Vec<String> = rooms.iter().map(|room| room_term(room.0)).collect();
                terms.push(format!("({})", rooms.join(" OR ")));
            }
            _ => {}
        }
        let mut least = 1;
        if let Some(since) = search.since {
            let Some(id) = self.id_at_time(since)? else { return Ok(found) };
            least = id;
        }
        let mut bound = search.before.map_or(i64::MAX, |id| id.0);
        if let Some(until) = search.until {
            bound = bound.min(self.id_at_time(until)?.unwrap_or(i64::MAX));
        }

        let candidates = match (terms.is_empty(), search.from_oldest) {
            (true, true) => spoken!("ASC"),
            (true, false) => spoken!("DESC"),
            (false, true) => matches!("ASC"),
            (false, false) => matches!("DESC"),
        };
        // One state of the database for the index and for what is still beside it.
        let _snapshot = if self.conn.is_autocommit() { Some(self.conn.unchecked_transaction()?) } else { None };
        let expression = terms.join(" AND ");
        let spelled_out = self.spelled_out(&terms)?.join(" AND ");
        let beside = match terms.is_empty() {
            true => Vec::new(),
            false => self.unindexed_answers(&expression, least, bound)?,
        };
        // What is beside the index is newer than what is in it.
        let (first, last) = match search.from_oldest {
            true => (Vec::new(), beside),
            false => (beside.into_iter().rev().collect(), Vec::new()),
        };
        let allowed: Option<HashSet<RoomId>> = search.rooms.as_ref().map(|rooms| rooms.iter().copied().collect());
        let mut candidates = self.conn.prepare_cached(candidates)?;
        let indexed = candidates.query_map((spelled_out, least, bound), |row| row.get(0))?;
        let candidates = first.into_iter().map(Ok).chain(indexed).chain(last.into_iter().map(Ok));
        let mut one =
            self.conn.prepare_cached(&format!("SELECT room_id, {EVENT_COLUMNS} FROM events WHERE id = ?1"))?;
        for id in candidates.take(CANDIDATES_MAX) {
            if found.len() >= search.limit {
                break;
            }
            let id: i64 = id?;
            let mut rows = one.query([id])?;
            let Some(row) = rows.next()? else { continue };
            let Some(room) = row.get::<_, Option<i64>>(0)?.map(RoomId) else { continue };
            let event = event(row, 1)?;
            let crate::event::Body::Said { text, .. } = &event.body else { continue };
            if text.is_empty()
                || allowed.as_ref().is_some_and(|rooms| !rooms.contains(&room))
                || !question.is_answered_by(text)
            {
                continue;
            }
            if let Some(seq) = self.seq_of_event(room, event.id)? {
                found.push((room, seq, event));
            }
        }
        Ok(found)
    }

    /// Beginnings of words replaced by the words of the index that begin so. FTS5 collects all places of all of them before
    /// it tells the first, which for the frequent words of a long history is a second of work; the places of words that are
    /// named it walks through one by one. A beginning of very many words stays as it is.
    fn spelled_out<'a>(&self, terms: &'a [String]) -> Result<Vec<Cow<'a, str>>> {
        let spell = |term: &'a String| -> Result<Cow<'a, str>> {
            let Some(beginning) = term.strip_prefix('"').and_then(|rest| rest.strip_suffix("\"*")) else {
                return Ok(term.into());
            };
            let words = self.words_from(beginning)?;
            match words.len() {
                1..=SPELLED_OUT_MAX => Ok(format!("(\"{}\")", words.join("\" OR \"")).into()),
                _ => Ok(term.into()),
            }
        };
        terms.iter().map(spell).collect()
    }

    /// The words of the index with this beginning, one more than [`SPELLED_OUT_MAX`] at most.
    fn words_from(&self, beginning: &str) -> Result<Vec<String>> {
        let mut next = self.conn.prepare_cached("SELECT term FROM temp.search_words WHERE term >= ?1 LIMIT 1")?;
        let (mut words, mut from) = (Vec::new(), beginning.to_owned());
        while words.len() <= SPELLED_OUT_MAX {
            // Each word anew: it is found by descent, while going on would pass all its places.
            let word = next.query_row([&from], |row| row.get::<_, String>(0)).optional()?;
            let Some(word) = word.filter(|word| word.starts_with(beginning)) else { break };
            // No word has a character below that of a blank.
            from = format!("{word}\u{1}");
            words.push(word);
        }
        Ok(words)
    }

    fn author(&self, name: &str) -> Result<Option<i64>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT id FROM accounts WHERE key = ?1 UNION SELECT id FROM accounts WHERE name = ?1")?;
        Ok(statement.query_row(params_from_iter([name]), |row| row.get(0)).optional()?)
    }
}
