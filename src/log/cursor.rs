//! A place in a room's log, and the bell that says when there is more. Reading goes from the shared tail, and below it
//! from the store, by the same calls: the reader cannot tell, and need not.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::event::Seq;
use crate::live::{Bell, Mailbox};
use crate::store::StoreError;

use super::readers::Readers;
use super::tail::{Entry, Page, Room, Snapshot};

/// Entries looked at ahead, at most.
const WINDOW: usize = 64;

pub struct Cursor {
    pub room: Arc<Room>,
    bell: Arc<Bell>,
    /// The place of the next entry that is not in `ahead`.
    next: Seq,
    ahead: VecDeque<Arc<Entry>>,
}

impl Cursor {
    /// Hangs the bell, then looks: what comes after the snapshot will be read by the cursor, which stands at its end.
    pub fn attach(room: Arc<Room>, mailbox: &Arc<Mailbox>) -> (Cursor, Snapshot) {
        let bell = Bell::new(mailbox.clone(), room.id);
        room.attach(bell.clone());
        let snapshot = room.snapshot();
        let cursor = Cursor { room, bell, next: snapshot.head + 1, ahead: VecDeque::new() };
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
        if self.ahead.is_empty() {
            match self.room.read(self.next, WINDOW) {
                Page::End => return Ok(None),
                Page::Entries(entries) => {
                    self.next += entries.len() as Seq;
                    self.ahead.extend(entries);
                }
                Page::Below(_) => return Err(NotInMemory),
            }
        }
        Ok(self.ahead.front())
    }

    /// Fetches from the store what [`Cursor::peek`] could not see.
    pub async fn fetch(&mut self, readers: &Readers) -> Result<(), StoreError> {
        let Page::Below(first) = self.room.read(self.next, 1) else { return Ok(()) };
        let limit = WINDOW.min((first - self.next) as usize);
        let rows = readers.range(self.room.id, self.next, limit).await?;
        // Retention may have taken places out of the middle; what the tail has is read from the tail.
        self.next = first;
        for (seq, entry) in rows.into_iter().filter(|(seq, _)| *seq < first) {
            self.ahead.push_back(entry);
            self.next = seq + 1;
        }
        Ok(())
    }

    /// Goes past the entry that was looked at.
    pub fn advance(&mut self) {
        self.ahead.pop_front();
        if self.ahead.is_empty() && self.ahead.capacity() > 0 {
            self.ahead.shrink_to_fit();
        }
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
