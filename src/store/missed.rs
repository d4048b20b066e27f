//! What somebody has missed of a room: where to begin to tell it, and how much more there is. Costs as much as is told,
//! however long the log.

use rusqlite::params;

use crate::event::{EventId, RoomId, Seq};

use super::error::Result;
use super::history::Kinds;
use super::history::unsigned;
use super::{Reads, signed};

/// So many lines that are not told are counted; then it is enough to say that there are very many.
pub const MORE_MAX: usize = 10_000;

/// What is missed of a room, and how much of it to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Missed is what came after this event,
    pub since: EventId,
    /// at this place or later,
    pub first: Seq,
    /// up to here.
    pub head: Seq,
    /// Lines that are told even if they were not missed.
    pub least: usize,
    /// Missed lines that are told: the newest.
    pub most: usize,
}

/// What follows from a [`Gap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// The place of the first line to tell; beyond the head if there is none.
    pub from: Seq,
    /// Lines from there on.
    pub lines: usize,
    /// Missed lines before them; [`MORE_MAX`] is "at least".
    pub more: usize,
}

impl Reads {
    pub fn missed(&self, room: RoomId, gap: &Gap) -> Result<Missed> {
        let first = self.seq_after_event(room, gap.since)?.max(gap.first);
        let most = gap.most.max(gap.least);
        let mut missed = Missed { from: gap.head + 1, lines: 0, more: 0 };
        let mut places = self.conn.prepare_cached(
            "SELECT seq FROM log WHERE room_id = ?1 AND spoken = 1 AND seq >= ?2 AND seq <= ?3
             ORDER BY seq DESC LIMIT ?4",
        )?;
        for (first, wanted) in [(first, most), (1, gap.least)] {
            let wanted = wanted.saturating_sub(missed.lines);
            let mut rows = places.query([room.0, signed(first), signed(missed.from) - 1, signed(wanted)])?;
            while let Some(row) = rows.next()? {
                missed.from = unsigned(row.get(0)?);
                missed.lines += 1;
            }
        }
        if missed.from > first && missed.lines >= most {
            let mut count = self.conn.prepare_cached(
                "SELECT count(*) FROM (SELECT 1 FROM log WHERE room_id = ?1 AND spoken = 1 AND seq >= ?2 AND seq < ?3 LIMIT ?4)",
            )?;
            let params = params![room.0, signed(first), signed(missed.from), signed(MORE_MAX)];
            missed.more = unsigned(count.query_row(params, |row| row.get(0))?) as usize;
        }
        Ok(missed)
    }

    /// What was missed in each of these rooms up to the given places: at most `most` lines of each and `in_all` together,
    /// the rooms that spoke last first served. Rooms without news are left out; the one with the newest line is last.
    pub fn missed_in(
        &self,
        rooms: &[(RoomId, Seq)],
        since: EventId,
        most: usize,
        in_all: usize,
    ) -> Result<Vec<(RoomId, Seq, Missed)>> {
        let mut grown = Vec::new();
        for (room, head) in rooms {
            let newest = self.read_back(*room, head.saturating_add(1), 1, Kinds::Spoken)?;
            if let Some((_, event)) = newest.first().filter(|(_, event)| event.id > since) {
                grown.push((event.id, *room, *head));
            }
        }
        grown.sort_by_key(|(newest, ..)| std::cmp::Reverse(*newest));
        let mut left = in_all;
        let mut missed = Vec::with_capacity(grown.len());
        for (_, room, head) in grown {
            let found = self.missed(room, &Gap { since, first: 1, head, least: 0, most: most.min(left) })?;
            left -= found.lines.min(left);
            missed.push((room, head, found));
        }
        missed.reverse();
        Ok(missed)
    }
}
