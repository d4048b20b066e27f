//! Rooms: what is wished in one is decided and written; how they come to be, by name or between two, and get other names.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{Body, EventId, RoomId, RoomKind, Who};
use crate::live::Receipt;
use crate::room::{self, Actor, Refusal, RoomState, Wish};
use crate::store::{StoreError, Tx};

use crate::log::core::Effect;
use crate::log::markers::Place;
use crate::log::past::direct_key;

use super::{Batch, Fault, World};

impl World {
    /// Decides a wish on a room and writes what follows.
    pub(super) fn in_room(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        id: RoomId,
        actor: &Actor,
        wish: &Wish,
    ) -> Result<Receipt, Fault> {
        self.reset_if_needed(tx, batch, id)?;
        let slot = self.rooms.get(&id).ok_or(Refusal::NoSuchRoom)?;
        let mut receipt = Receipt { event: None, room: Some(id) };
        for body in room::decide(&slot.state, &self.settings.host, actor, wish)? {
            receipt.event = Some(self.append(tx, batch, Some(actor.who.clone()), body, &[id])?);
        }
        Ok(receipt)
    }

    /// Takes a message back. What was said is gone with the same transaction that says so.
    #[allow(clippy::too_many_arguments, reason = "the parts of one intent")]
    pub(super) fn redact(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        actor: &Actor,
        place: &Place,
        target: EventId,
        window: Option<Duration>,
        reason: &Arc<str>,
    ) -> Result<Receipt, Fault> {
        let (room, with) = match place {
            Place::Room(room) => (*room, None),
            Place::With(who) => {
                let known = self.known_direct_room(tx, batch, &actor.who, who)?;
                (known.ok_or(Refusal::NoSuchMessage)?, Some(who.clone()))
            }
        };
        let message = match tx.seq_of_event(room, target)? {
            Some(_) => tx.event(target)?,
            None => None,
        };
        let message = message.filter(|event| matches!(event.body, Body::Said { .. }) && !event.is_redacted());
        let age = message.as_ref().map_or(0, |event| batch.now.0.saturating_sub(event.time.0));
        let late = window.filter(|window| u128::try_from(age).is_ok_and(|age| age > window.as_millis()));
        let author = message.and_then(|event| event.actor);
        let late = late.map(|window| window.as_secs());
        let wish = Wish::Redact { target, author, late, with, reason: reason.clone() };
        self.in_room(tx, batch, room, actor, &wish)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one intent")]
    pub(super) fn rename(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        actor: &Actor,
        id: RoomId,
        name: &Arc<str>,
        key: &str,
        reason: &Arc<str>,
    ) -> Result<Receipt, Fault> {
        let slot = self.rooms.get(&id).ok_or(Refusal::NoSuchRoom)?;
        let wish = Wish::Rename { name: name.clone(), reason: reason.clone() };
        room::decide(&slot.state, &self.settings.host, actor, &wish)?;
        if self.by_key.get(key).is_some_and(|other| *other != id) {
            return Err(Refusal::NameInUse.into());
        }
        let (old, room) = (slot.key.clone(), slot.room.clone());
        // Before the event: the row is saved with it.
        self.reset_if_needed(tx, batch, id)?;
        batch.keys_before.entry(id).or_insert_with(|| old.clone());
        self.set_key(id, key.to_owned());
        let receipt = self.in_room(tx, batch, id, actor, &wish)?;
        batch.effects.push(Effect::Renamed { room, old, key: key.to_owned() });
        Ok(receipt)
    }

    /// The room is found under this key, and no more under the one it had (which another may have by now).
    pub(super) fn set_key(&mut self, id: RoomId, key: String) {
        let Some(slot) = self.rooms.get_mut(&id) else { return };
        if self.by_key.get(&slot.key) == Some(&id) {
            self.by_key.remove(&slot.key);
        }
        slot.key.clone_from(&key);
        self.by_key.insert(key, id);
    }

    pub(in crate::log) fn enter(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &Arc<str>,
        key: &str,
        actor: &Actor,
        wish: &Wish,
    ) -> Result<Receipt, Fault> {
        let forced = matches!(wish, Wish::Join { forced: true, .. });
        let known = self.by_key.get(key).copied();
        let member = known.and_then(|id| self.rooms.get(&id)).is_some_and(|s| s.state.member(actor.who.id).is_some());
        if !forced && !member {
            let inside = tx.rooms_of(actor.who.id)?.iter().filter(|row| row.kind == RoomKind::Channel).count();
            if inside >= self.settings.rooms_per_account {
                return Err(Refusal::TooManyRooms.into());
            }
        }
        let id = match known {
            Some(id) => id,
            None if forced || actor.admin || self.settings.everyone_creates => {
                // A room that the server makes for everybody belongs to nobody: administrators look after it.
                self.create(tx, batch, name, key, Some(&actor.who).filter(|_| !forced))?
            }
            None => return Err(Refusal::RoomCreation.into()),
        };
        self.in_room(tx, batch, id, actor, wish)
    }

    /// Makes a channel that is not there yet.
    pub(in crate::log) fn create(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &Arc<str>,
        key: &str,
        founder: Option<&Who>,
    ) -> Result<RoomId, StoreError> {
        const MODES: &str = "+nt";
        let id = tx.create_room(RoomKind::Channel, name, key, MODES, founder.map(|who| who.id), batch.now)?;
        self.add_new(batch, RoomState::empty(id, RoomKind::Channel, name.clone()), key);
        self.append(tx, batch, founder.cloned(), Body::Created { modes: MODES.into() }, &[id])?;
        Ok(id)
    }

    /// The room of two, if they have ever spoken.
    pub(super) fn known_direct_room(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        a: &Who,
        b: &Who,
    ) -> Result<Option<RoomId>, StoreError> {
        let key = direct_key(a.id, b.id);
        if let Some(id) = self.by_key.get(&key) {
            return Ok(Some(*id));
        }
        let Some(row) = tx.room_by_key(&key)? else { return Ok(None) };
        self.load_room(tx, batch, &row)?;
        Ok(Some(row.id))
    }

    pub(in crate::log) fn direct_room(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        a: &Who,
        b: &Who,
    ) -> Result<RoomId, StoreError> {
        if let Some(id) = self.known_direct_room(tx, batch, a, b)? {
            return Ok(id);
        }
        let (low, high) = if a.id <= b.id { (a, b) } else { (b, a) };
        let key = direct_key(a.id, b.id);
        let name: Arc<str> = format!("{},{}", low.nick, high.nick).into();
        let id = tx.create_room(RoomKind::Direct, &name, &key, "+", None, batch.now)?;
        self.add_new(batch, RoomState::empty(id, RoomKind::Direct, name), &key);
        Ok(id)
    }
}
