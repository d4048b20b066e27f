//! A room in memory: its newest entries, its state at their end, and the bells of who reads it. Shared by all readers;
//! nothing here is per reader but a bell. What falls out of the tail is read from the store.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use crate::event::{Body, Event, EventId, RoomId, RoomKind, Seq};
use crate::live::{Bell, Metadata};
use crate::room::RoomState;
use crate::store::{Gap, Missed};

/// Entries a tail keeps at most, and at least while memory is short.
const ENTRIES_MAX: usize = 4096;
const ENTRIES_MIN: usize = 64;
/// Bytes (estimated) a tail keeps at most.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many ways there are to encode one entry: one for each set of capabilities that matters to it.
pub const ENCODINGS: usize = 16;

type Encoding = OnceLock<Box<[u8]>>;

/// An event in a log, with its encodings, each made by the first reader who needs it.
pub struct Entry {
    pub event: Event,
    /// Of the first reader, with its slot: most rooms are read in one way.
    first: OnceLock<(usize, Box<[u8]>)>,
    others: OnceLock<Box<[Encoding; ENCODINGS]>>,
}

impl Entry {
    pub fn new(event: Event) -> Arc<Entry> {
        Arc::new(Entry { event, first: OnceLock::new(), others: OnceLock::new() })
    }

    /// The encoding in `slot` (below [`ENCODINGS`]), made by `encode` the first time.
    pub fn encoding(&self, slot: usize, encode: impl FnOnce() -> Vec<u8>) -> &[u8] {
        let slot = slot % ENCODINGS;
        // Copied: to give back the rest of the buffer would leave a hole behind each line.
        let mut make = Some(|| Box::from(encode().as_slice()));
        let mut made = || make.take().map(|make| make()).unwrap_or_default();
        let (first, bytes) = self.first.get_or_init(|| (slot, made()));
        if *first == slot {
            return bytes;
        }
        self.others.get_or_init(Box::default)[slot].get_or_init(made)
    }

    /// Gives back what the sessions' threads took for it, text and encodings; it is of no use afterwards.
    pub(super) fn hollow(&mut self) {
        self.event.body = Body::Reset;
        self.first = OnceLock::new();
        self.others = OnceLock::new();
    }

    /// What it occupies, by estimate: with one encoding, which is what most rooms need.
    fn weight(&self) -> usize {
        let text = match &self.event.body {
            Body::Said { text, tags, cuts, .. } => text.len() + tags.len() + 4 * cuts.len(),
            Body::Topic { text } => text.len(),
            _ => 0,
        };
        450 + 2 * text
    }
}

/// All tails together stay below this, but for the few entries that each keeps at least.
pub struct TailBudget {
    used: AtomicUsize,
    max: usize,
}

impl TailBudget {
    pub fn new(max: usize) -> Arc<TailBudget> {
        Arc::new(TailBudget { used: AtomicUsize::new(0), max })
    }

    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// A room's state and the place in its log at which it is true.
#[derive(Clone)]
pub struct Snapshot {
    pub state: Arc<RoomState>,
    pub head: Seq,
}

/// Where a place of the log is.
#[derive(Debug, PartialEq, Eq)]
pub enum Place {
    /// Nothing yet: it is beyond the head.
    End,
    Tail,
    /// It is below the tail: the store has it, up to (not including) this place.
    Below(Seq),
}

/// What [`Room::read`] finds at a place.
pub enum Page {
    /// Nothing yet: the place is beyond the head.
    End,
    Entries(Vec<Arc<Entry>>),
    /// The place is below the tail: the store has it, up to (not including) this place.
    Below(Seq),
}

pub struct Room {
    pub id: RoomId,
    pub kind: RoomKind,
    pub metadata: Metadata,
    budget: Arc<TailBudget>,
    tail: RwLock<Tail>,
    /// How often something of the log was taken back; see [`Room::redactions`].
    redactions: AtomicUsize,
    bells: Mutex<Vec<Arc<Bell>>>,
    /// How many there are, for whoever must not wait for the lock.
    readers: AtomicUsize,
}

struct Tail {
    state: Arc<RoomState>,
    head: Seq,
    entries: VecDeque<Arc<Entry>>,
    weight: usize,
    removed: bool,
}

impl Tail {
    /// The place of the oldest entry that is kept; one beyond the head if there is none.
    fn first(&self) -> Seq {
        self.head + 1 - self.entries.len() as Seq
    }

    fn look(&self, from: Seq) -> Place {
        match from {
            from if from > self.head => Place::End,
            from if from < self.first() => Place::Below(self.first()),
            _ => Place::Tail,
        }
    }
}

impl Room {
    pub fn new(state: Arc<RoomState>, head: Seq, budget: Arc<TailBudget>) -> Arc<Room> {
        let (id, kind) = (state.id, state.kind);
        let tail = Tail { state, head, entries: VecDeque::new(), weight: 0, removed: false };
        Arc::new(Room {
            id,
            kind,
            metadata: Metadata::default(),
            budget,
            tail: RwLock::new(tail),
            redactions: AtomicUsize::new(0),
            bells: Mutex::default(),
            readers: AtomicUsize::new(0),
        })
    }

    pub fn name(&self) -> Arc<str> {
        self.read_tail().state.name.clone()
    }

    /// Whether this is the room's name for all who read it now. Rooms of two have none that anybody sees.
    pub fn is_called(&self, name: &str) -> bool {
        self.kind == RoomKind::Direct || *self.read_tail().state.name == *name
    }

    pub fn snapshot(&self) -> Snapshot {
        let tail = self.read_tail();
        Snapshot { state: tail.state.clone(), head: tail.head }
    }

    /// Whether an administrator took the room away.
    pub fn is_removed(&self) -> bool {
        self.read_tail().removed
    }

    /// Where the entry of this place is to be found.
    pub fn look(&self, from: Seq) -> Place {
        self.read_tail().look(from)
    }

    /// At most `limit` entries from place `from` on.
    pub fn read(&self, from: Seq, limit: usize) -> Page {
        let mut entries = Vec::new();
        match self.read_into(from, limit, &mut entries) {
            Place::End => Page::End,
            Place::Below(first) => Page::Below(first),
            Place::Tail => Page::Entries(entries.into_iter().map(|(_, entry)| entry).collect()),
        }
    }

    /// The same, put with their places into a buffer that is there already.
    pub fn read_into(&self, from: Seq, limit: usize, entries: &mut impl Extend<(Seq, Arc<Entry>)>) -> Place {
        let tail = self.read_tail();
        let place = tail.look(from);
        if place == Place::Tail {
            let skip = (from - tail.first()) as usize;
            entries.extend((from..).zip(tail.entries.range(skip..).take(limit).cloned()));
        }
        place
    }

    /// The place of the first entry after this event, if the tail reaches down to it.
    pub fn after(&self, event: EventId) -> Option<Seq> {
        let tail = self.read_tail();
        let first = tail.first();
        let at = tail.entries.partition_point(|entry| entry.event.id <= event);
        (at > 0 || first == 1).then_some(first + at as Seq)
    }

    /// The newest `wanted` lines that people said up to `head`, if the tail has them all.
    pub fn recent_spoken(&self, head: Seq, wanted: usize) -> Option<Vec<Arc<Entry>>> {
        let tail = self.read_tail();
        let first = tail.first();
        let until = (head + 1).saturating_sub(first) as usize;
        let spoken = tail.entries.iter().take(until).rev().filter(|entry| entry.event.is_spoken());
        let mut recent: Vec<Arc<Entry>> = spoken.take(wanted).cloned().collect();
        recent.reverse();
        (recent.len() == wanted || first == 1).then_some(recent)
    }

    /// What follows from a gap, if the tail reaches far enough down to say.
    pub fn missed(&self, gap: &Gap) -> Option<Missed> {
        let tail = self.read_tail();
        let first = tail.first();
        let most = gap.most.max(gap.least);
        let mut missed = Missed { from: gap.head + 1, lines: 0, more: 0 };
        let newest_first = tail.entries.iter().rev().zip((0..=tail.head).rev());
        for (entry, seq) in newest_first.filter(|(_, seq)| *seq <= gap.head) {
            let in_gap = seq >= gap.first && entry.event.id > gap.since;
            if !in_gap && missed.lines >= gap.least {
                return Some(missed);
            }
            if entry.event.is_spoken() {
                if missed.lines < if in_gap { most } else { gap.least } {
                    (missed.from, missed.lines) = (seq, missed.lines + 1);
                } else {
                    missed.more += 1;
                }
            }
        }
        (first == 1).then_some(missed)
    }

    /// At most `limit` lines that people said from place `from` on, up to `head`; if the tail reaches down to there.
    pub fn spoken(&self, from: Seq, head: Seq, limit: usize) -> Option<Vec<(Seq, Arc<Entry>)>> {
        let tail = self.read_tail();
        let first = tail.first();
        let skip = usize::try_from(from.checked_sub(first)?).ok()?;
        let entries = tail.entries.iter().zip(first..).skip(skip).take_while(|(_, seq)| *seq <= head);
        let spoken = entries.filter(|(entry, _)| entry.event.is_spoken());
        Some(spoken.take(limit).map(|(entry, seq)| (seq, entry.clone())).collect())
    }

    /// The entry of an event that is in the tail.
    pub fn entry(&self, event: EventId) -> Option<Arc<Entry>> {
        let tail = self.read_tail();
        let at = tail.entries.partition_point(|entry| entry.event.id < event);
        tail.entries.get(at).filter(|entry| entry.event.id == event).cloned()
    }

    /// Makes committed entries visible, together with the state after them. Does not ring. What the tail keeps no longer
    /// is put into `dropped`.
    pub(super) fn grow(&self, entries: Vec<Arc<Entry>>, state: Option<Arc<RoomState>>, dropped: &mut Vec<Arc<Entry>>) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        let before = tail.weight;
        if state.as_ref().is_some_and(|state| state.name != tail.state.name) {
            // Their encodings have the old name; whoever reads them from now on calls the room by the new one.
            tail.entries.iter_mut().for_each(|entry| *entry = Entry::new(entry.event.clone()));
        }
        let grown = entries.len();
        tail.head += grown as Seq;
        tail.weight += entries.iter().map(|entry| entry.weight()).sum::<usize>();
        tail.entries.extend(entries);
        if let Some(state) = state {
            tail.state = state;
        }
        // With too little memory for all, a room that grows shrinks, by as much as it has grown: not at once, since its readers
        // may be as far behind as those who speak may be ahead of them.
        let short = self.budget.used() + (tail.weight - before) > self.budget.max;
        let mut keep = ENTRIES_MAX;
        if short {
            keep = keep.min(tail.entries.len().saturating_sub(2 * grown).max(ENTRIES_MIN));
        }
        while tail.entries.len() > keep || (tail.weight > BYTES_MAX && tail.entries.len() > ENTRIES_MIN) {
            let Some(oldest) = tail.entries.pop_front() else { break };
            tail.weight -= oldest.weight();
            dropped.push(oldest);
        }
        if tail.weight >= before {
            self.budget.used.fetch_add(tail.weight - before, Ordering::Relaxed);
        } else {
            self.budget.used.fetch_sub(before - tail.weight, Ordering::Relaxed);
        }
    }

    /// Forgets what was said in this entry, encodings included.
    pub(super) fn redact(&self, target: EventId) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        let at = tail.entries.partition_point(|entry| entry.event.id < target);
        if let Some(entry) = tail.entries.get_mut(at).filter(|entry| entry.event.id == target) {
            let before = entry.weight();
            let mut event = entry.event.clone();
            event.redact();
            *entry = Entry::new(event);
            let lost = before - entry.weight();
            tail.weight -= lost;
            self.budget.used.fetch_sub(lost, Ordering::Relaxed);
        }
        drop(tail);
        self.redactions.fetch_add(1, Ordering::Release);
    }

    /// Puts events in the places of what they were, where the tail has them.
    pub(super) fn rewrite(&self, events: &[&Event]) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let at = tail.entries.partition_point(|entry| entry.event.id < event.id);
            if let Some(entry) = tail.entries.get_mut(at).filter(|entry| entry.event.id == event.id) {
                let before = entry.weight();
                *entry = Entry::new(Event::clone(event));
                // Names may have become longer, but weigh nothing.
                let lost = before.saturating_sub(entry.weight());
                tail.weight -= lost;
                self.budget.used.fetch_sub(lost, Ordering::Relaxed);
            }
        }
        drop(tail);
        self.redactions.fetch_add(1, Ordering::Release);
    }

    /// Grows when something is taken back: whoever holds entries from before has to read them again.
    pub fn redactions(&self) -> usize {
        self.redactions.load(Ordering::Acquire)
    }

    /// Forgets the kept entries: the store has changed below them (a redaction, retention).
    pub(super) fn forget_entries(&self) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        self.budget.used.fetch_sub(tail.weight, Ordering::Relaxed);
        tail.weight = 0;
        tail.entries.clear();
    }

    pub(super) fn mark_removed(&self) {
        self.tail.write().unwrap_or_else(PoisonError::into_inner).removed = true;
    }

    /// The two halves of ringing; between them the watermark rises. See [`Bell`].
    pub(super) fn mark_bells(&self) {
        self.lock_bells().iter().for_each(|bell| bell.mark());
    }

    pub(super) fn wake_readers(&self) {
        self.lock_bells().iter().for_each(|bell| bell.wake());
    }

    /// How many sessions read the room.
    pub(super) fn readers(&self) -> usize {
        self.readers.load(Ordering::Relaxed)
    }

    /// How many of them have been told that there is news, and have not looked yet.
    pub fn readers_behind(&self) -> usize {
        self.lock_bells().iter().filter(|bell| bell.is_rung()).count()
    }

    /// Hangs a bell; from now on growth rings it. To be done before the first look at the room.
    pub fn attach(&self, bell: Arc<Bell>) {
        self.lock_bells().push(bell);
        self.readers.fetch_add(1, Ordering::Relaxed);
    }

    pub fn detach(&self, bell: &Arc<Bell>) {
        let mut bells = self.lock_bells();
        if let Some(at) = bells.iter().position(|other| Arc::ptr_eq(other, bell)) {
            bells.swap_remove(at);
            self.readers.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Calls `act` with every session that reads the room.
    pub fn each_reader(&self, mut act: impl FnMut(&Arc<crate::live::Mailbox>)) {
        for bell in self.lock_bells().iter() {
            act(bell.mailbox());
        }
    }

    fn read_tail(&self) -> std::sync::RwLockReadGuard<'_, Tail> {
        self.tail.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_bells(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Bell>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let tail = self.tail.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.budget.used.fetch_sub(tail.weight, Ordering::Relaxed);
    }
}
