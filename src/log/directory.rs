//! The rooms by name and by id, as far as they have been published. Written by the publisher alone.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::event::{RoomId, RoomKind};

use super::tail::Room;

#[derive(Default)]
pub struct Directory {
    rooms: RwLock<Rooms>,
}

#[derive(Default)]
struct Rooms {
    by_id: FxHashMap<RoomId, Arc<Room>>,
    by_key: HashMap<String, Arc<Room>>,
}

impl Directory {
    pub fn by_id(&self, id: RoomId) -> Option<Arc<Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// By the comparison form of the name (`RoomName::key`).
    pub fn by_key(&self, key: &str) -> Option<Arc<Room>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner).by_key.get(key).cloned()
    }

    pub fn channels(&self) -> Vec<Arc<Room>> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        rooms.by_id.values().filter(|room| room.kind == RoomKind::Channel).cloned().collect()
    }

    pub(super) fn add(&self, key: &str, room: Arc<Room>) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.by_id.insert(room.id, room.clone());
        rooms.by_key.insert(key.to_owned(), room);
    }

    /// The room is found under another key. The old one may have been given to another room meanwhile.
    pub(super) fn rename(&self, room: Arc<Room>, old: &str, key: &str) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.by_key.get(old).is_some_and(|other| other.id == room.id) {
            rooms.by_key.remove(old);
        }
        rooms.by_key.insert(key.to_owned(), room);
    }

    pub(super) fn remove(&self, id: RoomId) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.by_id.remove(&id);
        rooms.by_key.retain(|_, room| room.id != id);
    }
}
