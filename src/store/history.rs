//! Reading the logs: pages, and places found by bisection.
//!
//! What was said in a room and what else happened lie apart in the table, each in the order of seq; whoever wants all of
//! it reads the two side by side. Event ids and times both grow with seq inside a room, which is why no index on either
//! is needed: some twenty steps find a message id or a moment in a million entries. Retention may leave gaps between seqs.

use std::sync::Arc;

use rusqlite::{CachedStatement, OptionalExtension, Params, Row};

use crate::event::{AccountId, Body, Event, EventId, Kind, Millis, RoomId, Seq, Speech, Who};

use super::error::{Result, StoreError};
use super::{Reads, signed};

/// What counts towards a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kinds {
    All,
    /// Only what people read as a line of the conversation.
    Spoken,
}

/// A room in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomStats {
    pub members: u64,
    pub messages: u64,
    /// When its newest entry was made.
    pub last: Option<Millis>,
}

/// The database in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those not removed.
    pub accounts: u64,
    /// Channels.
    pub rooms: u64,
    pub messages: u64,
    /// In bytes.
    pub size: u64,
}

/// The columns [`event`] reads, from `id` on.
macro_rules! event_columns {
    () => {
        "events.id, time, kind, actor_id, actor, target_id, target, about, text, tags, cuts"
    };
}
pub(super) use event_columns;
pub(super) const EVENT_COLUMNS: &str = event_columns!();

macro_rules! entries {
    ($spoken:literal, $condition:literal) => {
        concat!(
            "SELECT log.seq, ",
            event_columns!(),
            " FROM log
             CROSS JOIN events ON events.id = log.event_id
             WHERE log.room_id = ?1 AND log.spoken = ",
            $spoken,
            " AND log.seq ",
            $condition
        )
    };
}
macro_rules! page {
    (spoken, $condition:literal, $order:literal) => {
        concat!(entries!("1", $condition), " ORDER BY log.seq ", $order, " LIMIT ?3")
    };
    (all, $condition:literal, $order:literal) => {
        concat!(
            entries!("1", $condition),
            " UNION ALL ",
            entries!("0", $condition),
            " ORDER BY log.seq ",
            $order,
            " LIMIT ?3"
        )
    };
}
pub(super) const FORWARD: &str = page!(all, ">= ?2", "ASC");
pub(super) const FORWARD_SPOKEN: &str = page!(spoken, ">= ?2", "ASC");
pub(super) const BACK: &str = page!(all, "< ?2", "DESC");
pub(super) const BACK_SPOKEN: &str = page!(spoken, "< ?2", "DESC");
pub(super) const STEP_EVENT: &str =
    "SELECT seq, event_id FROM log WHERE room_id = ?1 AND spoken = ?2 AND seq >= ?3 ORDER BY seq LIMIT 1";
pub(super) const STEP_TIME: &str = "SELECT seq, events.time FROM log CROSS JOIN events ON events.id = log.event_id \
     WHERE log.room_id = ?1 AND spoken = ?2 AND seq >= ?3 ORDER BY seq LIMIT 1";
const STEP_ID: &str = "SELECT id, time FROM events WHERE id >= ?1 ORDER BY id LIMIT 1";

impl Reads {
    /// The room's newest seq; 0: nothing has happened yet. Never goes back, whatever retention takes away.
    pub fn head(&self, room: RoomId) -> Result<Seq> {
        let mut statement = self.conn.prepare_cached(
            "SELECT max(coalesce((SELECT max(seq) FROM log WHERE room_id = ?1 AND spoken = 1), 0),
                        coalesce((SELECT max(seq) FROM log WHERE room_id = ?1 AND spoken = 0), 0),
                        coalesce((SELECT pruned FROM rooms WHERE id = ?1), 0))",
        )?;
        Ok(statement.query_row([room.0], |row| row.get(0).map(unsigned))?)
    }

    /// At most `limit` entries from `from` on.
    pub fn read(&self, room: RoomId, from: Seq, limit: usize) -> Result<Vec<(Seq, Event)>> {
        self.page(FORWARD, room, from, limit)
    }

    /// The newest `limit` entries of these kinds before `before` (which is not among them), oldest first.
    pub fn read_back(&self, room: RoomId, before: Seq, limit: usize, kinds: Kinds) -> Result<Vec<(Seq, Event)>> {
        let sql = if kinds == Kinds::All { BACK } else { BACK_SPOKEN };
        let mut page = self.page(sql, room, before, limit)?;
        page.reverse();
        Ok(page)
    }

    /// The oldest `limit` entries of these kinds after `after` (which is not among them).
    pub fn read_forward(&self, room: RoomId, after: Seq, limit: usize, kinds: Kinds) -> Result<Vec<(Seq, Event)>> {
        let sql = if kinds == Kinds::All { FORWARD } else { FORWARD_SPOKEN };
        self.page(sql, room, after.saturating_add(1), limit)
    }

    /// The first seq whose event is newer than this one; `head + 1` if there is none.
    pub fn seq_after_event(&self, room: RoomId, event: EventId) -> Result<Seq> {
        match self.first_in_room(STEP_EVENT, room, |id| id > event.0)? {
            Some((seq, _)) => Ok(seq),
            None => Ok(self.head(room)? + 1),
        }
    }

    /// The first seq at this time or later; `head + 1` if there is none.
    pub fn seq_at_time(&self, room: RoomId, time: Millis) -> Result<Seq> {
        match self.first_in_room(STEP_TIME, room, |entry| entry >= time.0)? {
            Some((seq, _)) => Ok(seq),
            None => Ok(self.head(room)? + 1),
        }
    }

    /// Where this event stands in the room's log; `None`: it does not.
    pub fn seq_of_event(&self, room: RoomId, event: EventId) -> Result<Option<Seq>> {
        let found = self.first_in_room(STEP_EVENT, room, |id| id >= event.0)?;
        Ok(found.filter(|(_, id)| *id == event.0).map(|(seq, _)| seq))
    }

    /// An event wherever it happened.
    pub fn event(&self, id: EventId) -> Result<Option<Event>> {
        let mut statement = self.conn.prepare_cached(&format!("SELECT {EVENT_COLUMNS} FROM events WHERE id = ?1"))?;
        let mut rows = statement.query([id.0])?;
        rows.next()?.map(|row| event(row, 0)).transpose()
    }

    /// What an account did, in all rooms: at most `limit` events after this one, each with its room if it is of one alone.
    /// Looks at every event: for what is asked once a year.
    pub fn events_by(&self, account: AccountId, after: EventId, limit: usize) -> Result<Vec<(Option<RoomId>, Event)>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT room_id, {EVENT_COLUMNS} FROM events WHERE id > ?1 AND actor_id = ?2 ORDER BY id LIMIT ?3"
        ))?;
        let mut rows = statement.query([after.0, account.0, signed(limit)])?;
        let mut page = Vec::new();
        while let Some(row) = rows.next()? {
            page.push((row.get::<_, Option<i64>>(0)?.map(RoomId), event(row, 1)?));
        }
        Ok(page)
    }

    /// The id the next event gets. Ids are not given twice, even if the newest events were removed.
    pub fn next_event_id(&self) -> Result<EventId> {
        Ok(EventId(self.newest("SELECT id FROM events ORDER BY id DESC LIMIT 1", "last_event")? + 1))
    }

    /// The time of the newest event, 0 if there never was one.
    pub fn last_time(&self) -> Result<Millis> {
        self.newest("SELECT time FROM events ORDER BY id DESC LIMIT 1", "last_time").map(Millis)
    }

    /// Counts the messages one by one: for lists that people look at, not for every login.
    pub fn room_stats(&self, room: RoomId) -> Result<RoomStats> {
        let count = |sql| -> Result<u64> {
            Ok(self.conn.prepare_cached(sql)?.query_row([room.0], |row| row.get(0).map(unsigned))?)
        };
        Ok(RoomStats {
            members: count("SELECT count(*) FROM members WHERE room_id = ?1")?,
            messages: count("SELECT count(*) FROM log WHERE room_id = ?1 AND spoken = 1")?,
            last: self.read_back(room, Seq::MAX, 1, Kinds::All)?.pop().map(|(_, event)| event.time),
        })
    }

    /// Counts the messages one by one: for lists that people look at.
    pub fn counts(&self) -> Result<Counts> {
        let count = |sql| -> Result<u64> { Ok(self.conn.query_row(sql, [], |row| row.get(0).map(unsigned))?) };
        Ok(Counts {
            accounts: count("SELECT count(*) FROM accounts WHERE removed = 0")?,
            rooms: count("SELECT count(*) FROM rooms WHERE kind = 'channel'")?,
            messages: count("SELECT count(*) FROM log WHERE spoken = 1")?,
            size: count("PRAGMA page_count")? * count("PRAGMA page_size")?,
        })
    }

    /// The first event id at this time or later; `None`: all are older.
    pub(super) fn id_at_time(&self, time: Millis) -> Result<Option<i64>> {
        let mut step = self.conn.prepare_cached(STEP_ID)?;
        let found = bisect(0, |id| row_at(&mut step, [id]), |entry| entry >= time.0)?.found;
        Ok(found.map(|(id, _)| id))
    }

    fn page(&self, sql: &str, room: RoomId, seq: Seq, limit: usize) -> Result<Vec<(Seq, Event)>> {
        let mut statement = self.conn.prepare_cached(sql)?;
        events_of(&mut statement, [room.0, signed(seq), signed(limit)])
    }

    fn newest(&self, sql: &str, key: &str) -> Result<i64> {
        let there: Option<i64> = self.conn.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
        let removed: Option<i64> = self
            .conn
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        Ok(there.unwrap_or(0).max(removed.unwrap_or(0)))
    }

    /// The first entry of a room whose value, an id or a time, satisfies `is_far`: its place and the value.
    fn first_in_room(&self, step: &str, room: RoomId, is_far: impl Fn(i64) -> bool) -> Result<Option<(Seq, i64)>> {
        let mut step = self.conn.prepare_cached(step)?;
        let mut first = |spoken, from| bisect(from, |seq| row_at(&mut step, [room.0, spoken, seq]), &is_far);
        let spoken = first(1, 0)?;
        // What else happened up to the last word that is not far is not far either.
        let other = first(0, spoken.from)?;
        let first = spoken.found.into_iter().chain(other.found).min_by_key(|(seq, _)| *seq);
        Ok(first.map(|(seq, value)| (unsigned(seq), value)))
    }
}

/// The smallest position from `from` on whose value satisfies `is_far`, where all after one that does do so too. `at` tells
/// position and value of the first row at or after a position.
fn bisect(
    from: i64,
    mut at: impl FnMut(i64) -> Result<Option<(i64, i64)>>,
    is_far: impl Fn(i64) -> bool,
) -> Result<Bisected> {
    // Everything before `near` is not far; what was found last is far, and nothing far is known to lie before it.
    let mut near = match at(from)? {
        Some((position, value)) if !is_far(value) => position + 1,
        found => return Ok(Bisected { found, from }),
    };
    // Gallop to an upper bound, so that the head need not be known.
    let mut stride = 1;
    let mut found;
    let mut bound;
    loop {
        match at(near.saturating_add(stride))? {
            Some((position, value)) if !is_far(value) => near = position + 1,
            far => {
                (found, bound) = (far, near.saturating_add(stride));
                break;
            }
        }
        stride = stride.saturating_mul(2);
    }
    // The answer is `found`, or a row in near..bound.
    while near < bound {
        let middle = near + (bound - near) / 2;
        match at(middle)? {
            Some((position, value)) if !is_far(value) => near = position + 1,
            None => bound = middle,
            far => (found, bound) = (far, middle),
        }
    }
    Ok(Bisected { found, from: near })
}

fn row_at(step: &mut CachedStatement<'_>, params: impl Params) -> Result<Option<(i64, i64)>> {
    Ok(step.query_row(params, |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// Collects rows of a seq and [`EVENT_COLUMNS`].
pub(super) fn events_of(statement: &mut CachedStatement<'_>, params: impl Params) -> Result<Vec<(Seq, Event)>> {
    let mut rows = statement.query(params)?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push((unsigned(row.get(0)?), event(row, 1)?));
    }
    Ok(page)
}

/// What a search for the first row that is far came to.
struct Bisected {
    /// Its position and value, if there is one.
    found: Option<(i64, i64)>,
    /// All before this position is not far.
    from: i64,
}

/// Reads [`EVENT_COLUMNS`] that begin at column `at`.
pub(super) fn event(row: &Row<'_>, at: usize) -> Result<Event> {
    let id: i64 = row.get(at)?;
    let damaged = |what: &str| StoreError::Damaged(format!("event {id} has {what}"));
    let kind = u8::try_from(row.get::<_, i64>(at + 2)?)
        .ok()
        .and_then(Kind::from_code)
        .ok_or_else(|| damaged("an unknown kind"))?;
    let who = |at: usize| -> Result<Option<Who>> {
        Ok(match row.get::<_, Option<i64>>(at)? {
            Some(id) => Some(Who { id: AccountId(id), nick: text(row, at + 1)? }),
            None => None,
        })
    };
    let target = || who(at + 5)?.ok_or_else(|| damaged("no target"));
    let text_at = |column| text(row, at + column);
    let said = |speech| -> Result<Body> {
        let cuts = match row.get::<_, Option<String>>(at + 10)? {
            None => Arc::default(),
            Some(cuts) => {
                let cuts: std::result::Result<_, _> = cuts.split(' ').map(str::parse::<u32>).collect();
                cuts.map_err(|_| damaged("broken cuts"))?
            }
        };
        Ok(Body::Said { speech, to: who(at + 5)?, text: text_at(8)?, tags: text_at(9)?, cuts })
    };
    let body = match kind {
        Kind::Privmsg => said(Speech::Privmsg)?,
        Kind::Notice => said(Speech::Notice)?,
        Kind::Tagmsg => said(Speech::Tagmsg)?,
        Kind::Join => Body::Join { realname: text_at(8)? },
        Kind::Part => Body::Part { reason: text_at(8)? },
        Kind::Quit => Body::Quit { reason: text_at(8)? },
        Kind::Kick => Body::Kick { target: target()?, reason: text_at(8)? },
        Kind::Topic => Body::Topic { text: text_at(8)? },
        Kind::Mode => Body::Mode { changes: text_at(8)? },
        Kind::Invite => Body::Invite { target: target()? },
        Kind::Redacted => {
            let about: Option<i64> = row.get(at + 7)?;
            let target = EventId(about.ok_or_else(|| damaged("no subject"))?);
            Body::Redacted { target, of: who(at + 5)?, reason: text_at(8)? }
        }
        Kind::Created => Body::Created { modes: text_at(8)? },
        Kind::Reset => Body::Reset,
        Kind::Renamed => {
            let text = text_at(8)?;
            let mut words = text.splitn(3, ' ');
            let (Some(old), Some(new)) = (words.next(), words.next()) else { return Err(damaged("no names")) };
            Body::Renamed { old: old.into(), new: new.into(), reason: words.next().unwrap_or_default().into() }
        }
    };
    Ok(Event { id: EventId(id), time: Millis(row.get(at + 1)?), actor: who(at + 3)?, body })
}

fn text(row: &Row<'_>, at: usize) -> Result<Arc<str>> {
    Ok(row.get::<_, Option<Arc<str>>>(at)?.unwrap_or_default())
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
