//! How far an account has read: kept by the writer, in the order in which its devices say so, and told to all of them.

use std::sync::Arc;

use crate::event::{AccountId, Millis, RoomId, Who};
use crate::live::Receipt;
use crate::room::Refusal;
use crate::store::{StoreError, Tx};

use super::core::Effect;
use super::readers::Readers;
use super::world::{Batch, Fault, World};

/// Where something was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Room(RoomId),
    /// The direct conversation with this account; it need not have begun.
    With(Who),
}

impl World {
    /// Moves a marker forward, never back and never into the future.
    pub(super) fn mark(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        reader: &Who,
        place: &Place,
        time: Millis,
        session: u64,
    ) -> Result<Receipt, Fault> {
        let (room, target): (RoomId, Arc<str>) = match place {
            Place::Room(room) => {
                let state = self.state(*room).filter(|state| state.member(reader.id).is_some());
                (*room, state.map(|state| state.name.clone()).ok_or(Refusal::NoSuchRoom)?)
            }
            Place::With(other) => (self.direct_room(tx, batch, reader, other)?, other.nick.clone()),
        };
        let time = time.min(self.now(batch));
        if tx.marker(reader.id, room)?.is_none_or(|before| before < time) {
            tx.set_marker(reader.id, room, time)?;
            batch.effects.push(Effect::Marked { account: reader.id, session, target, time });
        }
        Ok(Receipt { event: None, room: Some(room) })
    }
}

impl Readers {
    /// How far the account has read in a room, if it ever said so.
    pub async fn marker(&self, account: AccountId, room: RoomId) -> Result<Option<Millis>, StoreError> {
        self.read(move |store| store.marker(account, room)).await
    }

    /// The same for its direct conversation with another.
    pub async fn direct_marker(&self, account: AccountId, other: AccountId) -> Result<Option<Millis>, StoreError> {
        self.read(move |store| match store.room_by_key(&super::past::direct_key(account, other))? {
            Some(room) => store.marker(account, room.id),
            None => Ok(None),
        })
        .await
    }
}
