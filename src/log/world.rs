//! All rooms as the writer sees them, ahead of everybody else by the group it is working on. `execute` decides one
//! [`Intent`] on them and writes what follows into the open transaction; `undo` takes a whole group back.

mod intent;
mod presence;
mod rooms;

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::event::{AccountId, Body, Event, EventId, Millis, RoomId, RoomKind, Seq, Who};
use crate::live::{Person, Roster};
use crate::proto::names::{AccountName, NameError};
use crate::room::{self, Masked, Member, RoomState, Topic};
use crate::store::{Reads, RoomRow, StoreError, Tx, Writer};

use super::core::{Effect, Growth, Settings};
use super::directory::Directory;
use super::erase::is_erased;
use super::tail::{Entry, Room, TailBudget};
use super::{metadata, mirror};

pub(super) use intent::Fault;
pub use intent::Intent;

pub(super) struct World {
    rooms: FxHashMap<RoomId, Slot>,
    by_key: HashMap<String, RoomId>,
    online: FxHashMap<AccountId, u32>,
    /// The hash that a stronger one of the same password has replaced: another device may be logging in by it.
    rehashed: FxHashMap<AccountId, Arc<str>>,
    /// Accounts erased since the start: what their sessions, or others, had submitted before does not happen any more.
    shut_out: FxHashSet<AccountId>,
    last_event: EventId,
    last_time: Millis,
    pub(super) settings: Settings,
    pub(super) budget: Arc<TailBudget>,
}

struct Slot {
    room: Arc<Room>,
    key: String,
    state: Arc<RoomState>,
    head: Seq,
    /// Members seem present in the tables who cannot be: the server ended without their QUIT. The state has it right
    /// already; the log will, with the room's next event.
    needs_reset: bool,
}

/// One group in the making, with what it takes to undo it.
pub(super) struct Batch {
    now: Millis,
    growth: Vec<Growth>,
    growth_of: FxHashMap<RoomId, usize>,
    pub(super) effects: Vec<Effect>,
    rooms_before: FxHashMap<RoomId, (Arc<RoomState>, Seq, bool)>,
    rooms_new: Vec<RoomId>,
    rooms_gone: Vec<Slot>,
    keys_before: FxHashMap<RoomId, String>,
    online_before: FxHashMap<AccountId, u32>,
    shut_out_new: Vec<AccountId>,
    counters_before: Option<(EventId, Millis)>,
}

impl Batch {
    pub(super) fn new(now: Millis) -> Batch {
        Batch {
            now,
            growth: Vec::new(),
            growth_of: FxHashMap::default(),
            effects: Vec::new(),
            rooms_before: FxHashMap::default(),
            rooms_new: Vec::new(),
            rooms_gone: Vec::new(),
            keys_before: FxHashMap::default(),
            online_before: FxHashMap::default(),
            shut_out_new: Vec::new(),
            counters_before: None,
        }
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    /// What the room is before this batch changes it, for [`World::undo`].
    fn remember(&mut self, slot: &Slot) {
        let before = || (slot.state.clone(), slot.head, slot.needs_reset);
        self.rooms_before.entry(slot.room.id).or_insert_with(before);
    }

    /// What is to be shown of the room: something, be it only another state.
    fn growth(&mut self, room: &Arc<Room>) -> &mut Growth {
        let at = *self.growth_of.entry(room.id).or_insert_with(|| {
            self.growth.push(Growth { room: room.clone(), entries: Vec::new(), state: None });
            self.growth.len() - 1
        });
        &mut self.growth[at]
    }
}

/// What the writer holds in memory: each room's name, state, head, and whether it is to be reset.
#[cfg(test)]
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Image {
    pub rooms: std::collections::BTreeMap<RoomId, (String, RoomState, Seq, bool)>,
    pub by_key: std::collections::BTreeMap<String, RoomId>,
    pub online: std::collections::BTreeMap<AccountId, u32>,
    pub last: (EventId, Millis),
}

impl World {
    pub(super) fn load(
        store: &Writer,
        settings: Settings,
        directory: &Directory,
        roster: &Roster,
    ) -> Result<World, StoreError> {
        let budget = TailBudget::new(settings.tail_memory);
        let last_event = EventId(store.next_event_id()?.0 - 1);
        let mut world = World {
            rooms: FxHashMap::default(),
            by_key: HashMap::new(),
            online: FxHashMap::default(),
            rehashed: FxHashMap::default(),
            shut_out: FxHashSet::default(),
            last_event,
            last_time: store.last_time()?,
            settings,
            budget,
        };
        for row in store.rooms()? {
            let slot = world.slot(&row, store)?;
            directory.add(&slot.key, slot.room.clone());
            world.put(slot);
        }
        for row in store.accounts()? {
            if is_erased(&row) {
                world.shut_out.insert(row.id);
            }
            if !row.removed {
                if AccountName::parse(&row.name).is_err_and(|error| error == NameError::Reserved) {
                    tracing::warn!(account = %row.name, "nobody can log in to this account: the name belongs to the server");
                }
                roster.add(&row.key, Person::new(row.id, row.name.clone(), row.admin, row.bot, row.seen));
            }
        }
        for (owner, key) in store.all_metadata()? {
            metadata::put(directory, roster, owner, &[key]);
        }
        Ok(world)
    }

    pub(super) fn last_event(&self) -> EventId {
        self.last_event
    }

    /// All that a batch may change, for tests to compare.
    #[cfg(test)]
    pub(super) fn image(&self) -> Image {
        let rooms = self.rooms.iter().map(|(id, slot)| {
            let state = RoomState::clone(&slot.state);
            (*id, (slot.key.clone(), state, slot.head, slot.needs_reset))
        });
        Image {
            rooms: rooms.collect(),
            by_key: self.by_key.clone().into_iter().collect(),
            online: self.online.iter().filter(|(_, count)| **count > 0).map(|(id, count)| (*id, *count)).collect(),
            last: (self.last_event, self.last_time),
        }
    }

    /// The batch is committed: what is to be shown of it.
    pub(super) fn publish(&mut self, batch: Batch) -> (Vec<Growth>, Vec<Effect>) {
        let mut growth = batch.growth;
        for grown in &mut growth {
            let Some(slot) = self.rooms.get(&grown.room.id) else { continue };
            let news = batch.rooms_before.get(&grown.room.id).is_none_or(|before| !Arc::ptr_eq(&before.0, &slot.state));
            grown.state = news.then(|| slot.state.clone());
        }
        (growth, batch.effects)
    }

    /// The batch came to nothing.
    pub(super) fn undo(&mut self, batch: Batch) {
        // The new go before the gone come back: they may have taken their names.
        for id in &batch.rooms_new {
            self.take(*id);
        }
        for slot in batch.rooms_gone {
            if !batch.rooms_new.contains(&slot.room.id) {
                self.put(slot);
            }
        }
        for (id, (state, head, needs_reset)) in batch.rooms_before {
            if let Some(slot) = self.rooms.get_mut(&id) {
                (slot.state, slot.head, slot.needs_reset) = (state, head, needs_reset);
            }
        }
        for (id, key) in batch.keys_before {
            self.set_key(id, key);
        }
        self.online.extend(batch.online_before);
        for id in batch.shut_out_new {
            self.shut_out.remove(&id);
        }
        if let Some(counters) = batch.counters_before {
            (self.last_event, self.last_time) = counters;
        }
    }

    /// Puts an event into the transaction, into the rooms' logs and states, and into the tables that mirror them.
    pub(super) fn append(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        actor: Option<Who>,
        body: Body,
        rooms: &[RoomId],
    ) -> Result<EventId, StoreError> {
        batch.counters_before.get_or_insert((self.last_event, self.last_time));
        let id = EventId(self.last_event.0 + 1);
        let time = batch.now.max(self.last_time);
        (self.last_event, self.last_time) = (id, time);
        let entry = Entry::new(Event { id, time, actor, body });
        let places: smallvec::SmallVec<[(RoomId, Seq); 1]> =
            rooms.iter().filter_map(|room| self.rooms.get(room).map(|slot| (*room, slot.head + 1))).collect();
        tx.append(&entry.event, &places)?;
        for (room, seq) in places {
            let Some(slot) = self.rooms.get_mut(&room) else { continue };
            batch.remember(slot);
            slot.head = seq;
            if let Body::Redacted { target, .. } = entry.event.body {
                tx.redact(target)?;
                batch.effects.push(Effect::Redacted { room: slot.room.clone(), target });
            }
            if RoomState::concerns(&entry.event, slot.room.kind) {
                mirror::apply(tx, &mut slot.state, &slot.key, seq, &entry.event, &mut batch.effects)?;
            }
            batch.growth(&slot.room).entries.push(entry.clone());
        }
        Ok(id)
    }

    pub(super) fn reset_if_needed(&mut self, tx: &Tx<'_>, batch: &mut Batch, id: RoomId) -> Result<(), StoreError> {
        if self.rooms.get(&id).is_some_and(|slot| slot.needs_reset) {
            self.append(tx, batch, None, Body::Reset, &[id])?;
            if let Some(slot) = self.rooms.get_mut(&id) {
                slot.needs_reset = false;
            }
        }
        Ok(())
    }

    /// Forgets a channel in this batch; the caller deletes its rows.
    pub(super) fn drop_room(&mut self, batch: &mut Batch, id: RoomId) {
        if let Some(slot) = self.take(id) {
            batch.effects.push(Effect::RoomGone { room: slot.room.clone() });
            batch.rooms_gone.push(slot);
        }
    }

    /// The account has a new password: nothing that was checked against an older one counts.
    pub(super) fn forget_password(&mut self, account: AccountId) {
        self.rehashed.remove(&account);
    }

    /// Nothing is done by this account any more, or to it.
    pub(super) fn shut_out(&mut self, batch: &mut Batch, account: AccountId) {
        if self.shut_out.insert(account) {
            batch.shut_out_new.push(account);
        }
    }

    pub(super) fn is_shut_out(&self, account: AccountId) -> bool {
        self.shut_out.contains(&account)
    }

    /// The channels of which this holds.
    pub(super) fn channels(&self, holds: impl Fn(&RoomState) -> bool) -> Vec<RoomId> {
        let channels = self.rooms.iter().filter(|(_, slot)| slot.room.kind == RoomKind::Channel && holds(&slot.state));
        let mut ids: Vec<RoomId> = channels.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }

    pub(super) fn room(&self, id: RoomId) -> Option<Arc<Room>> {
        self.rooms.get(&id).map(|slot| slot.room.clone())
    }

    /// Another state at the same place: the log itself was changed below it.
    pub(super) fn restate(&mut self, batch: &mut Batch, id: RoomId, state: RoomState) {
        let Some(slot) = self.rooms.get_mut(&id) else { return };
        batch.remember(slot);
        slot.state = Arc::new(state);
        batch.growth(&slot.room);
    }

    pub(super) fn state(&self, id: RoomId) -> Option<&RoomState> {
        self.rooms.get(&id).map(|slot| &*slot.state)
    }

    /// The time that an event of this batch would get.
    pub(super) fn now(&self, batch: &Batch) -> Millis {
        batch.now.max(self.last_time)
    }

    pub(super) fn room_by_key(&self, key: &str) -> Option<(RoomId, &RoomState)> {
        let id = self.by_key.get(key)?;
        self.rooms.get(id).map(|slot| (*id, &*slot.state))
    }

    fn load_room(&mut self, tx: &Tx<'_>, batch: &mut Batch, row: &RoomRow) -> Result<(), StoreError> {
        let slot = self.slot(row, tx)?;
        batch.effects.push(Effect::RoomLoaded { key: slot.key.clone(), room: slot.room.clone() });
        // Undone or not: loading changes nothing, but an effect that is undone would leave it unpublished.
        batch.rooms_new.push(row.id);
        self.put(slot);
        Ok(())
    }

    fn slot(&self, row: &RoomRow, reads: &Reads) -> Result<Slot, StoreError> {
        let members = reads.members(row.id)?;
        let mut state = RoomState::empty(row.id, row.kind, row.name.clone());
        room::fold_modes(&mut state, &row.modes, &Arc::from(""), row.created);
        state.topic = row.topic.as_ref().map(|t| Topic { text: t.text.clone(), by: t.by.clone(), at: t.at });
        state.founder = row.founder;
        state.created = row.created;
        let needs_reset = members.iter().any(|member| member.present);
        state.members = members
            .into_iter()
            .map(|m| (m.account, Member { nick: m.nick, op: m.op, voice: m.voice, present: false, joined: m.joined }))
            .collect();
        state.invited = reads.invited(row.id)?.into_iter().collect();
        for row in reads.masks(row.id)? {
            state.masks.set(row.list, Masked { mask: row.mask, by: row.by, at: row.at });
        }
        let state = Arc::new(state);
        let head = reads.head(row.id)?;
        let room = Room::new(state.clone(), head, self.budget.clone());
        Ok(Slot { room, key: row.key.clone(), state, head, needs_reset })
    }

    fn add_new(&mut self, batch: &mut Batch, state: RoomState, key: &str) {
        let state = Arc::new(state);
        let room = Room::new(state.clone(), 0, self.budget.clone());
        batch.effects.push(Effect::RoomLoaded { key: key.to_owned(), room: room.clone() });
        batch.rooms_new.push(state.id);
        self.put(Slot { room, key: key.to_owned(), state, head: 0, needs_reset: false });
    }

    fn put(&mut self, slot: Slot) {
        self.by_key.insert(slot.key.clone(), slot.room.id);
        self.rooms.insert(slot.room.id, slot);
    }

    fn take(&mut self, id: RoomId) -> Option<Slot> {
        let slot = self.rooms.remove(&id)?;
        self.by_key.remove(&slot.key);
        Some(slot)
    }
}
