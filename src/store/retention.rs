//! Retention: what is older than its term leaves the log, in small steps. Each room keeps what was said for a term of its
//! own or the server's; comings and goings may have a shorter one. What has left is in no table and in no index, and its
//! bytes are gone from the files after the next whole checkpoint ([`super::Writer::checkpoint`]) and sweep
//! ([`super::remnants`]).

use std::fmt;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use crate::event::{Kind, Millis, RoomId, Seq};
use crate::failpoint::{self, Step};

use super::error::{Result, StoreError};
use super::history::unsigned;
use super::write::{Tx, leaving};
use super::{Reads, signed};

/// How long the server keeps things, where a room does not say otherwise. `None`: for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub messages: Option<Duration>,
    /// Of joins, parts and quits, in all rooms.
    pub presence: Option<Duration>,
}

/// What one room keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    AsTheServer,
    Forever,
    For(Duration),
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAY: Duration = Duration::from_secs(86_400);
        match self {
            Keep::AsTheServer => f.write_str("as long as the server does"),
            Keep::Forever => f.write_str("for ever"),
            Keep::For(term) if *term == DAY => f.write_str("1 day"),
            // People count days; months are of different lengths.
            Keep::For(term) if term.as_millis().is_multiple_of(DAY.as_millis()) => {
                write!(f, "{} days", term.as_secs() / DAY.as_secs())
            }
            Keep::For(term) => write!(f, "{}", humantime::format_duration(*term)),
        }
    }
}

/// A room that has something to give away: what is older than these times. [`Millis::NEVER`]: nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub room: RoomId,
    pub before: Millis,
    pub presence_before: Millis,
}

impl Reads {
    /// The first room from this id on (direct ones too) in which something is older than its term.
    pub fn due(&self, terms: Terms, now: Millis, from: RoomId) -> Result<Option<Due>> {
        let (before, presence_before) = (since(terms.messages, now), since(terms.presence, now));
        let mut statement = self.conn.prepare_cached(
            "SELECT id, before FROM (
                 SELECT id, presence_pruned,
                        CASE WHEN retention IS NULL THEN ?1 WHEN retention = 0 THEN ?2 ELSE ?3 - retention END AS before
                 FROM rooms WHERE id >= ?5
             ) AS room
             WHERE before > (SELECT time FROM log CROSS JOIN events ON events.id = log.event_id
                             WHERE log.room_id = room.id AND spoken = 1 ORDER BY seq LIMIT 1)
                OR before > (SELECT time FROM log CROSS JOIN events ON events.id = log.event_id
                             WHERE log.room_id = room.id AND spoken = 0 ORDER BY seq LIMIT 1)
                OR ?4 > (SELECT time FROM log CROSS JOIN events ON events.id = log.event_id
                         WHERE log.room_id = room.id AND spoken = 0 AND seq > presence_pruned ORDER BY seq LIMIT 1)
             ORDER BY id LIMIT 1",
        )?;
        let found = statement.query_row(params![before.0, Millis::NEVER.0, now.0, presence_before.0, from.0], |row| {
            Ok(Due { room: RoomId(row.get(0)?), before: Millis(row.get(1)?), presence_before })
        });
        Ok(found.optional()?)
    }

    pub fn kept(&self, room: RoomId) -> Result<Keep> {
        let mut statement = self.conn.prepare_cached("SELECT retention FROM rooms WHERE id = ?1")?;
        let kept: Option<i64> = statement.query_row([room.0], |row| row.get(0)).optional()?.flatten();
        Ok(match kept {
            None => Keep::AsTheServer,
            Some(0) => Keep::Forever,
            Some(term) => Keep::For(Duration::from_millis(unsigned(term))),
        })
    }

    /// How far the room's log has been gone through for presence entries that are too old.
    pub(super) fn presence_pruned(&self, room: RoomId) -> Result<Seq> {
        let mut statement = self.conn.prepare_cached("SELECT presence_pruned FROM rooms WHERE id = ?1")?;
        Ok(statement.query_row([room.0], |row| row.get(0).map(unsigned)).optional()?.unwrap_or(0))
    }
}

impl Tx<'_> {
    pub fn set_kept(&self, room: RoomId, keep: Keep) -> Result<()> {
        let retention = match keep {
            Keep::AsTheServer => None,
            Keep::Forever => Some(0),
            Keep::For(term) => Some(millis(term).max(1)),
        };
        self.step(|conn| {
            let changed = conn
                .prepare_cached("UPDATE rooms SET retention = ?2 WHERE id = ?1")?
                .execute(params![room.0, retention])?;
            if changed == 0 { Err(StoreError::Missing("room")) } else { Ok(()) }
        })
    }

    /// Takes away the oldest entries of the room that are older than `before`, at most `limit`, with their events (unless
    /// they stand in another room's log too) and their part of the index. Says how many; fewer than `limit`: it is done.
    /// Taking words out of the index costs about a millisecond a message: a small `limit` keeps the writer free for others.
    pub fn prune(&self, room: RoomId, before: Millis, limit: usize) -> Result<usize> {
        // So many are held in memory at a time.
        const CHUNK: usize = 500;
        let mut total = 0;
        while total < limit {
            let want = CHUNK.min(limit - total);
            let done = self.step(|conn| self.prune_chunk(conn, room, before, want))?;
            total += done;
            if done < want {
                break;
            }
        }
        Ok(total)
    }

    /// Takes away joins, parts and quits that are older than `before`, from among the next `limit` entries of the log that
    /// are no words and have not been looked at for this. Says how many went, and whether there may be more to look at.
    pub fn prune_presence(&self, room: RoomId, before: Millis, limit: usize) -> Result<(usize, bool)> {
        self.step(|conn| {
            let mut next = conn.prepare_cached(
                "SELECT seq, event_id, time, kind FROM log CROSS JOIN events ON events.id = log.event_id
                 WHERE log.room_id = ?1 AND spoken = 0 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            type Row = (i64, i64, i64, i64);
            let entries: Vec<Row> = next
                .query_map([room.0, signed(self.presence_pruned(room)?), signed(limit)], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let old = entries.iter().take_while(|(_, _, time, _)| *time < before.0).count();
            let (mut gone, mut last) = (0, None);
            for (seq, id, ..) in entries[..old].iter().filter(|entry| is_presence(entry.3)) {
                last = self.take_entry(conn, room, *seq, *id)?.or(last);
                gone += 1;
            }
            self.remember(conn, room, last)?;
            if let Some((seq, ..)) = entries[..old].last() {
                conn.prepare_cached("UPDATE rooms SET presence_pruned = ?2 WHERE id = ?1")?.execute([room.0, *seq])?;
            }
            Ok((gone, old == limit))
        })
    }

    fn prune_chunk(&self, conn: &Connection, room: RoomId, before: Millis, limit: usize) -> Result<usize> {
        let mut oldest = conn.prepare_cached(
            "SELECT seq, event_id, time FROM log LEFT JOIN events ON events.id = log.event_id
             WHERE log.room_id = ?1 AND spoken = 1
             UNION ALL SELECT seq, event_id, time FROM log LEFT JOIN events ON events.id = log.event_id
             WHERE log.room_id = ?1 AND spoken = 0
             ORDER BY seq LIMIT ?2",
        )?;
        let oldest: Vec<(i64, i64, Option<i64>)> = oldest
            .query_map([room.0, signed(limit)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let (mut done, mut last) = (0, None);
        for (seq, id, _) in oldest.iter().take_while(|(_, _, time)| time.is_none_or(|time| time < before.0)) {
            last = self.take_entry(conn, room, *seq, *id)?.or(last);
            done += 1;
        }
        if done > 0 {
            failpoint::reached(Step::Prune)?;
        }
        self.remember(conn, room, last)?;
        Ok(done)
    }

    /// Takes one entry out of a room's log; its event too, if it stands in no other. The entry's place, id and time.
    fn take_entry(&self, conn: &Connection, room: RoomId, seq: i64, id: i64) -> Result<Option<(i64, i64, i64)>> {
        self.takes_away();
        conn.prepare_cached("DELETE FROM log WHERE room_id = ?1 AND spoken IN (0, 1) AND seq = ?2")?
            .execute([room.0, seq])?;
        let Some(event) = leaving(conn, id)? else { return Ok(None) };
        let elsewhere = event.room.is_none() && {
            let mut places = conn.prepare_cached(
                "UPDATE events SET places = places - 1 WHERE id = ?1 AND room_id IS NULL RETURNING places > 0",
            )?;
            places.query_row([id], |row| row.get::<_, Option<bool>>(0)).optional()?.flatten().unwrap_or(false)
        };
        if !elsewhere {
            self.take_out(&event)?;
            conn.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([id])?;
        }
        Ok(Some((seq, id, event.time)))
    }

    /// The newest entry that was taken: should it have been the newest of all, its place and id are still not given again.
    fn remember(&self, conn: &Connection, room: RoomId, last: Option<(i64, i64, i64)>) -> Result<()> {
        let Some((seq, id, time)) = last else { return Ok(()) };
        conn.prepare_cached("UPDATE rooms SET pruned = max(pruned, ?2) WHERE id = ?1")?.execute([room.0, seq])?;
        for (key, value) in [("last_event", id), ("last_time", time)] {
            conn.prepare_cached(
                "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
            )?
            .execute(params![key, value])?;
        }
        Ok(())
    }
}

fn is_presence(code: i64) -> bool {
    u8::try_from(code).ok().and_then(Kind::from_code).is_some_and(Kind::is_presence)
}

/// What is older than this has been kept for longer than the term.
fn since(term: Option<Duration>, now: Millis) -> Millis {
    term.map_or(Millis::NEVER, |term| Millis(now.0.saturating_sub(millis(term))))
}

fn millis(term: Duration) -> i64 {
    i64::try_from(term.as_millis()).unwrap_or(i64::MAX)
}
