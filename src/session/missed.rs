//! What an old client is told of the past at its login: in each room what its device has missed, then the direct
//! messages. Told page by page as the client takes it, so that many rooms with many lines are never held at once.

use std::sync::Arc;

use crate::encode::{self, View};
use crate::event::{Body, EventId, RoomId, Seq};
use crate::live::Person;
use crate::log::{Entry, Gap, MORE_MAX, Missed, Room, Snapshot, StoreError};
use crate::proto::caps::Cap;

use super::presence::fetches;
use super::{Context, Session};

/// Lines read at a time.
const PAGE: usize = 64;
/// Direct messages of one person that are told at login, at most; whatever the configuration says of rooms, nobody's
/// mail is thrown away.
const DIRECT_MAX: usize = 200;
/// And of all people together; the oldest stay in the history.
const DIRECT_IN_ALL: usize = 2000;

/// What the session's device knows of what was said before.
#[derive(Clone, Copy)]
pub(super) struct Past {
    /// Everything up to this event was written to it; 0: nothing yet.
    pub seen: EventId,
    /// From after this event on it has missed what was said: of a device that was never here, what no other one of the
    /// account has been shown.
    pub missed_since: EventId,
    /// It has a name and has been here before: it keeps what it was shown.
    pub keeps: bool,
}

/// Missed lines of one room that are being told.
pub(super) struct Missing {
    room: Arc<Room>,
    /// What the lines are addressed to, and the word for it in `/msg chatd history`.
    target: Arc<str>,
    next: Seq,
    head: Seq,
    more: usize,
    /// The first line told.
    oldest: Option<EventId>,
    batch: Option<String>,
}

impl Past {
    pub async fn of(ctx: &Context, person: &Person, device: &str) -> Result<Past, Arc<str>> {
        let known = person.seen_by(device);
        if device.is_empty() && known > EventId(0) {
            return Ok(Past { seen: known, missed_since: known, keeps: false });
        }
        let devices = ctx.log.readers().devices(person.id).await.map_err(|error| {
            tracing::error!(%error, "devices cannot be read");
            Arc::from("The server cannot read its data; please come back in a moment")
        })?;
        let stored = devices.iter().find(|row| &*row.name == device).map_or(EventId(0), |row| row.seen);
        let seen = stored.max(known);
        if seen > EventId(0) {
            return Ok(Past { seen, missed_since: seen, keeps: true });
        }
        let newest = devices.iter().map(|row| row.seen).max().unwrap_or_default();
        Ok(Past { seen, missed_since: newest.max(person.seen_by_any()), keeps: false })
    }
}

impl Session {
    /// Whether this client is told unasked what was said before. A bot would answer it again.
    pub(super) fn is_told_the_past(&self) -> bool {
        !self.is_bot() && !fetches(self.caps())
    }

    /// A room that is entered at login: what its device missed is to be told next. `before`: the newest event before the
    /// session began.
    pub(super) async fn will_tell(
        &mut self,
        room: Arc<Room>,
        snapshot: &Snapshot,
        joined: Seq,
        before: EventId,
    ) -> Result<(), StoreError> {
        let (least, most) = (self.settings.replay_lines, self.settings.missed_lines);
        let gap = match most {
            // Only what happened during the login itself is not to be lost.
            0 => Gap { since: before, first: 1, head: snapshot.head, least, most: usize::MAX },
            _ => {
                let least = if self.past.keeps { 0 } else { least };
                Gap { since: self.past.missed_since, first: joined + 1, head: snapshot.head, least, most }
            }
        };
        let missed = match room.missed(&gap) {
            Some(missed) => missed,
            None => self.ctx.log.readers().missed(room.id, gap).await?,
        };
        self.push_missing(room, snapshot.state.name.clone(), snapshot.head, missed);
        Ok(())
    }

    /// The direct messages that came while this device was not there are to be told next, up to these places.
    pub(super) async fn will_tell_direct(&mut self, rooms: Vec<(RoomId, Seq)>) -> Result<(), StoreError> {
        let since = self.past.missed_since;
        let missed = self.ctx.log.readers().missed_in(rooms, since, DIRECT_MAX, DIRECT_IN_ALL).await?;
        for (id, head, missed) in missed {
            let Some(room) = self.ctx.log.directory().by_id(id) else { continue };
            let state = room.snapshot().state;
            let peer = state.members.iter().find(|(account, _)| **account != self.person.id);
            let peer = peer.map_or_else(|| self.person.nick.clone(), |(_, member)| member.nick.clone());
            self.push_missing(room, peer, head, missed);
        }
        Ok(())
    }

    fn push_missing(&mut self, room: Arc<Room>, target: Arc<str>, head: Seq, missed: Missed) {
        if missed.lines + missed.more > 0 {
            let Missed { from: next, more, .. } = missed;
            self.missing.push_back(Missing { room, target, next, head, more, oldest: None, batch: None });
        }
    }

    /// Tells a page of what is to be told; false if nothing is.
    pub(super) async fn tell_missing(&mut self) -> Result<bool, StoreError> {
        let Some(mut missing) = self.missing.pop_front() else { return Ok(false) };
        let (next, head) = (missing.next, missing.head);
        let page = match missing.room.spoken(next, head, PAGE) {
            Some(page) => page,
            None => self.ctx.log.readers().spoken(missing.room.id, next, head, PAGE).await?,
        };
        let entries: Vec<Arc<Entry>> = page.iter().map(|(_, entry)| entry.clone()).collect();
        self.tell_page(&mut missing, &entries);
        match page.last().filter(|(seq, _)| page.len() == PAGE && *seq < head) {
            Some((seq, _)) => {
                missing.next = seq + 1;
                self.missing.push_front(missing);
            }
            None => self.end_missing(missing),
        }
        self.finish_answer();
        Ok(true)
    }

    fn tell_page(&mut self, missing: &mut Missing, entries: &[Arc<Entry>]) {
        let (me, caps) = (self.person.id, self.caps());
        // Without echoes a client cannot show a direct message of its own.
        let own_too = caps.contains(Cap::EchoMessage);
        let shown: Vec<&Arc<Entry>> = entries
            .iter()
            .filter(|entry| encode::shows(entry.event.kind(), caps, View::History))
            .filter(|entry| match &entry.event.body {
                Body::Said { to: Some(_), .. } => own_too || entry.event.actor.as_ref().is_none_or(|who| who.id != me),
                _ => true,
            })
            .collect();
        let Some(first) = shown.first() else { return };
        missing.oldest.get_or_insert(first.event.id);
        if missing.batch.is_none() {
            missing.batch = self.begin_batch("chathistory", &[&missing.target]);
            // It is nobody's answer.
            self.answered = false;
        }
        for entry in shown {
            self.tell_event(&entry.event, &missing.target, missing.batch.as_deref());
        }
    }

    fn end_missing(&mut self, missing: Missing) {
        let Missing { target, more, oldest, batch, .. } = missing;
        if let Some(reference) = batch {
            self.end_batch(&reference);
        }
        if more == 0 {
            return;
        }
        let before = oldest.map(|event| format!(" before {}", event.msgid())).unwrap_or_default();
        let at_least = if more >= MORE_MAX { "at least " } else { "" };
        let lines = if more == 1 { "line was" } else { "lines were" };
        let text = format!(
            "{target}: {at_least}{more} more {lines} said since you were here. To read on: /msg chatd history {target} 50{before}"
        );
        self.service_says(&text);
    }
}
