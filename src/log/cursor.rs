//! A place in a room's log, and the bell that says when there is more. Reading goes from the shared tail, and below it
//! from the store, by the same calls: the reader cannot tell, and need not.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::event::Seq;
use crate::live::{Bell, Mailbox};
use crate::store::StoreError;

use super::readers::Readers;
use super::tail::{Entry, Place, Room, Snapshot};

/// Entries looked at ahead, at most.
const WINDOW: usize = 64;

pub struct Cursor {
    pub room: Arc<Room>,
    bell: Arc<Bell>,
    /// What the room is called at the cursor's place: it may have another name by now, of which the reader learns when
    /// it comes to that entry.
    pub name: Arc<str>,
    /// The place of the next entry that is not in `ahead`.
    next: Seq,
    /// With their places, the next one last. Mostly there is one, which needs no memory of its own.
    ahead: SmallVec<[(Seq, Arc<Entry>); 1]>,
    /// The room's count of redactions when `ahead` was read.
    redactions: usize,
}

impl Cursor {
    /// Hangs the bell, then looks: what comes after the snapshot will be read by the cursor, which stands at its end.
    pub fn attach(room: Arc<Room>, mailbox: &Arc<Mailbox>) -> (Cursor, Snapshot) {
        let bell = Bell::new(mailbox.clone(), room.id);
        room.attach(bell.clone());
        let snapshot = room.snapshot();
        let (name, next) = (snapshot.state.name.clone(), snapshot.head + 1);
        let cursor = Cursor { room, bell, name, next, ahead: SmallVec::new(), redactions: 0 };
        (cursor, snapshot)
    }

    /// The cursor at another place: what is there already will be read like what is to come.
    pub fn starting_at(mut self, place: Seq) -> Cursor {
        self.next = place;
        self
    }

    /// To be called when the bell has rung, before the next look.
    pub fn heard(&self) {
        self.bell.heard();
    }

    /// The next entry, if it is in memory. `Ok(None)`: there is none yet. `Err`: see [`Cursor::fetch`].
    pub fn peek(&mut self) -> Result<Option<&Arc<Entry>>, NotInMemory> {
        let redactions = self.room.redactions();
        if redactions != self.redactions
            && let Some((place, _)) = self.ahead.last()
        {
            // What was looked at ahead may have been taken back since.
            self.next = *place;
            self.ahead.clear();
        }
        if self.ahead.is_empty() {
            self.redactions = redactions;
            match self.room.read_into(self.next, WINDOW, &mut self.ahead) {
                Place::End => return Ok(None),
                Place::Tail => {
                    self.next += self.ahead.len() as Seq;
                    self.ahead.reverse();
                }
                Place::Below(_) => return Err(NotInMemory),
            }
        }
        Ok(self.ahead.last().map(|(_, entry)| entry))
    }

    /// Fetches from the store what [`Cursor::peek`] could not see.
    pub async fn fetch(&mut self, readers: &Readers) -> Result<(), StoreError> {
        let Place::Below(first) = self.room.look(self.next) else { return Ok(()) };
        self.redactions = self.room.redactions();
        let limit = WINDOW.min((first - self.next) as usize);
        let rows = readers.range(self.room.id, self.next, limit).await?;
        // Retention may have taken places out of the middle; what the tail has is read from the tail.
        self.next = first;
        for (seq, entry) in rows.into_iter().filter(|(seq, _)| *seq < first) {
            self.ahead.push((seq, entry));
            self.next = seq + 1;
        }
        self.ahead.reverse();
        Ok(())
    }

    /// How many entries were looked at ahead.
    pub fn ahead(&self) -> usize {
        self.ahead.len()
    }

    /// Goes past the entry that was looked at, and hands it out.
    pub fn advance(&mut self) -> Option<Arc<Entry>> {
        let entry = self.ahead.pop().map(|(_, entry)| entry);
        if self.ahead.is_empty() && self.ahead.spilled() {
            self.ahead = SmallVec::new();
        }
        entry
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        self.room.detach(&self.bell);
    }
}

/// The next entry has fallen out of the tail and must be fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotInMemory;
