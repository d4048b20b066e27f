//! Pages of a room's history as clients ask for them: a stretch between two marks, filtered in the query so that a page
//! is full whenever there is enough, and found by bisection so that it costs the same wherever it lies.

use std::sync::Arc;

use rusqlite::{CachedStatement, params_from_iter};

use crate::event::{AccountId, Event, EventId, KindSet, Millis, RoomId, Seq};

use super::error::Result;
use super::history::{event_columns, events_of, unsigned};
use super::{Reads, signed};

/// What counts as a line of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// What people said, and nobody took back.
    Spoken,
    /// Events of these kinds, without messages that were taken back.
    Kinds(KindSet),
}

/// A place in a room's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Event(EventId),
    Time(Millis),
}

/// Which part of a room's history is wanted. A mark itself is not part of it, but in `Around`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The newest of all.
    Latest,
    /// The newest of those after the mark.
    LatestAfter(Mark),
    Before(Mark),
    After(Mark),
    /// On both sides of the mark, and what stands at it.
    Around(Mark),
    /// From the first mark towards the second, whichever is older.
    Between(Mark, Mark),
}

/// The places of a page: all that is shown from `first` to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub first: Seq,
    pub last: Seq,
}

/// What is to be shown of a room's history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Page(Option<Span>),
    /// A mark names a message that does not stand in this room.
    NoSuchMessage(EventId),
}

/// A conversation, and when something was last said in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversation {
    /// The room, or the other person.
    pub name: Arc<str>,
    pub newest: Millis,
}

macro_rules! past {
    ($columns:expr, spoken, $order:literal) => {
        concat!(
            "SELECT log.seq",
            $columns,
            " FROM log CROSS JOIN events ON events.id = log.event_id
             WHERE log.room_id = ?1 AND log.spoken = 1 AND log.seq >= ?2 AND log.seq < ?3
             ORDER BY log.seq ",
            $order,
            " LIMIT ?4"
        )
    };
    ($columns:expr, kinds, $order:literal) => {
        concat!(
            "SELECT log.seq",
            $columns,
            " FROM log CROSS JOIN events ON events.id = log.event_id
             WHERE log.room_id = ?1 AND log.spoken = 1 AND log.seq >= ?2 AND log.seq < ?3 AND (?5 >> kind) & 1
             UNION ALL SELECT log.seq",
            $columns,
            " FROM log CROSS JOIN events ON events.id = log.event_id
             WHERE log.room_id = ?1 AND log.spoken = 0 AND log.seq >= ?2 AND log.seq < ?3 AND (?5 >> kind) & 1
             AND (kind NOT IN (1, 2, 3) OR tags NOT NULL)
             ORDER BY log.seq ",
            $order,
            " LIMIT ?4"
        )
    };
}

// The places alone are read without a look at the events.
pub(super) const PLACES_SPOKEN: &str = "SELECT seq FROM log WHERE room_id = ?1 AND spoken = 1 AND seq >= ?2 AND seq < ?3 \
     ORDER BY seq LIMIT ?4";
pub(super) const PLACES_SPOKEN_BACK: &str = "SELECT seq FROM log WHERE room_id = ?1 AND spoken = 1 AND seq >= ?2 \
     AND seq < ?3 ORDER BY seq DESC LIMIT ?4";
pub(super) const PLACES_KINDS: &str = past!("", kinds, "ASC");
pub(super) const PLACES_KINDS_BACK: &str = past!("", kinds, "DESC");
pub(super) const PAGE_SPOKEN: &str = past!(concat!(", ", event_columns!()), spoken, "ASC");
pub(super) const PAGE_KINDS: &str = past!(concat!(", ", event_columns!()), kinds, "ASC");

macro_rules! conversations {
    ($order:literal) => {
        concat!(
            "SELECT name, newest FROM (
                 SELECT CASE rooms.kind WHEN 'direct' THEN coalesce(
                            (SELECT accounts.name FROM members AS others JOIN accounts ON accounts.id = others.account_id
                             WHERE others.room_id = rooms.id AND others.account_id <> ?1),
                            (SELECT accounts.name FROM accounts WHERE accounts.id = ?1)
                        ) ELSE rooms.name END AS name,
                        (SELECT events.time FROM log CROSS JOIN events ON events.id = log.event_id
                         WHERE log.room_id = rooms.id AND log.spoken = 1 ORDER BY log.seq DESC LIMIT 1) AS newest
                 FROM members JOIN rooms ON rooms.id = members.room_id WHERE members.account_id = ?1
             ) WHERE newest > ?2 AND newest < ?3 ORDER BY newest ",
            $order,
            " LIMIT ?4"
        )
    };
}

impl Reads {
    pub fn is_member(&self, room: RoomId, account: AccountId) -> Result<bool> {
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM members WHERE room_id = ?1 AND account_id = ?2")?;
        Ok(statement.exists([room.0, account.0])?)
    }

    /// Where at most `limit` lines of the wanted part stand.
    pub fn find_page(&self, room: RoomId, wanted: Wanted, limit: usize, shown: Shown) -> Result<Found> {
        let place = |mark: Mark| self.place(room, mark);
        macro_rules! place {
            ($mark:expr) => {
                match place($mark)? {
                    Ok(place) => place,
                    Err(id) => return Ok(Found::NoSuchMessage(id)),
                }
            };
        }
        let span = match wanted {
            Wanted::Latest => self.places(room, 1, Seq::MAX, limit, shown, true)?,
            Wanted::LatestAfter(mark) => self.places(room, place!(mark).after, Seq::MAX, limit, shown, true)?,
            Wanted::Before(mark) => self.places(room, 1, place!(mark).at, limit, shown, true)?,
            Wanted::After(mark) => self.places(room, place!(mark).after, Seq::MAX, limit, shown, false)?,
            Wanted::Between(a, b) => {
                let (a, b) = (place!(a), place!(b));
                match a.at <= b.at {
                    true => self.places(room, a.after, b.at, limit, shown, false)?,
                    false => self.places(room, b.after, a.at, limit, shown, true)?,
                }
            }
            Wanted::Around(mark) => {
                let at = place!(mark).at;
                let mut span = self.places(room, 1, at, limit, shown, true)?;
                let mut next = self.places(room, at, Seq::MAX, limit, shown, false)?;
                // Half before, and the mark counts as after; what one side lacks, the other gives.
                let later = next.len().min(limit.div_ceil(2).max(limit - span.len().min(limit)));
                next.truncate(later);
                let earlier = span.len().min(limit - later);
                span.drain(..span.len() - earlier);
                span.append(&mut next);
                span
            }
        };
        let ends = span.first().copied().zip(span.last().copied());
        Ok(Found::Page(ends.map(|(first, last)| Span { first, last })))
    }

    /// At most `limit` lines of a page, from its beginning.
    pub fn read_page(&self, room: RoomId, span: Span, limit: usize, shown: Shown) -> Result<Vec<(Seq, Event)>> {
        let (mut statement, kinds) = self.past(PAGE_SPOKEN, PAGE_KINDS, shown)?;
        let params = [room.0, signed(span.first), signed(span.last.saturating_add(1)), signed(limit)];
        events_of(&mut statement, params_from_iter(params.into_iter().chain(kinds)))
    }

    /// The conversations of an account in which something was last said after `after` and before `before`: at most
    /// `limit`, counted from the newest or from the oldest; always the oldest first.
    pub fn conversations(
        &self,
        account: AccountId,
        after: Millis,
        before: Millis,
        limit: usize,
        from_newest: bool,
    ) -> Result<Vec<Conversation>> {
        let sql = if from_newest { conversations!("DESC") } else { conversations!("ASC") };
        let mut statement = self.conn.prepare_cached(sql)?;
        let rows = statement.query_map([account.0, after.0, before.0, signed(limit)], |row| {
            Ok(Conversation { name: row.get(0)?, newest: Millis(row.get(1)?) })
        })?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        if from_newest {
            rows.reverse();
        }
        Ok(rows)
    }

    /// The first and the last of at most `limit` places, and those between them, in order.
    fn places(
        &self,
        room: RoomId,
        from: Seq,
        until: Seq,
        limit: usize,
        shown: Shown,
        newest: bool,
    ) -> Result<Vec<Seq>> {
        let (spoken, kinds) = match newest {
            true => (PLACES_SPOKEN_BACK, PLACES_KINDS_BACK),
            false => (PLACES_SPOKEN, PLACES_KINDS),
        };
        let (mut statement, kinds) = self.past(spoken, kinds, shown)?;
        let params = [room.0, signed(from), signed(until), signed(limit)];
        let rows =
            statement.query_map(params_from_iter(params.into_iter().chain(kinds)), |row| row.get::<_, i64>(0))?;
        let mut places = rows.map(|seq| Ok(unsigned(seq?))).collect::<rusqlite::Result<Vec<Seq>>>()?;
        if newest {
            places.reverse();
        }
        Ok(places)
    }

    fn past(&self, spoken: &str, kinds: &str, shown: Shown) -> Result<(CachedStatement<'_>, Option<i64>)> {
        Ok(match shown {
            Shown::Spoken => (self.conn.prepare_cached(spoken)?, None),
            Shown::Kinds(set) => (self.conn.prepare_cached(kinds)?, Some(set.bits())),
        })
    }

    /// Where a mark stands in a room, or the message that is not there.
    fn place(&self, room: RoomId, mark: Mark) -> Result<std::result::Result<Place, EventId>> {
        Ok(match mark {
            Mark::Time(time) => Ok(Place {
                at: self.seq_at_time(room, time)?,
                after: self.seq_at_time(room, Millis(time.0.saturating_add(1)))?,
            }),
            Mark::Event(id) => match self.seq_of_event(room, id)? {
                Some(seq) => Ok(Place { at: seq, after: seq + 1 }),
                // Retention may have taken it: whoever still has it goes on from where the log begins now.
                None if self.begins_after(room, id)? => Ok(Place { at: 1, after: 1 }),
                None if self.presence_was_here(room, id)? => {
                    let at = self.seq_after_event(room, id)?;
                    Ok(Place { at, after: at })
                }
                None => Err(id),
            },
        })
    }

    /// Whether this event may have been a join, part or quit that retention took out of the middle of the log.
    fn presence_was_here(&self, room: RoomId, id: EventId) -> Result<bool> {
        let through = self.presence_pruned(room)?;
        if through == 0 || self.seq_after_event(room, id)? > through + 1 {
            return Ok(false);
        }
        // Of a quit that happened in several rooms, another may still tell.
        Ok(self.event(id)?.is_none_or(|event| event.kind().is_presence()))
    }

    /// Whether retention has been at work in the room, and all that is left is newer than this event; or nothing is left.
    fn begins_after(&self, room: RoomId, id: EventId) -> Result<bool> {
        let mut pruned = self.conn.prepare_cached("SELECT 1 FROM rooms WHERE id = ?1 AND pruned > 0")?;
        if !pruned.exists([room.0])? {
            return Ok(false);
        }
        Ok(match self.read(room, 0, 1)?.first() {
            Some((_, oldest)) => id < oldest.id,
            None => id < self.next_event_id()?,
        })
    }
}

/// Everything before a mark has a lower place than `at`; everything after it has `after` or a higher one.
struct Place {
    at: Seq,
    after: Seq,
}
