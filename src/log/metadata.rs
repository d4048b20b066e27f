//! What accounts and rooms say about themselves: who may change it, decided in log order and stored with the group;
//! then, after the commit, put into memory and told to whoever shares a room with it or watches it. It is not part of the log: only
//! the newest value counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{KeyChange, Millis, Note, NoteBody, Owner, RoomKind, Who};
use crate::live::{METADATA_KEYS_MAX, Mailbox, Receipt, Roster, Watches};
use crate::proto::names::AccountName;
use crate::room::{Actor, Refusal};
use crate::store::Tx;

use super::core::Effect;
use super::directory::Directory;
use super::world::{Batch, Fault, World};

impl World {
    /// An account describes itself, a room's operators their room; who may act as operator everywhere, all of them.
    #[expect(clippy::too_many_arguments, reason = "the fields of one intent")]
    pub(super) fn describe(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        actor: &Actor,
        session: u64,
        owner: Owner,
        changes: &[KeyChange],
        strict: bool,
    ) -> Result<Receipt, Fault> {
        let own = match owner {
            Owner::Account(id) => {
                tx.account(id)?.filter(|row| !row.removed).ok_or(Refusal::NoSuchRoom)?;
                id == actor.who.id
            }
            Owner::Room(id) => {
                let state = self.state(id).filter(|state| state.kind == RoomKind::Channel);
                let member = state.ok_or(Refusal::NoSuchRoom)?.member(actor.who.id);
                if member.is_none() && !actor.admin {
                    return Err(Refusal::NotInRoom.into());
                }
                member.is_some_and(|member| member.op)
            }
        };
        if !own && !actor.admin {
            return Err(Refusal::NotOperator.into());
        }
        let mut keys = tx.metadata(owner)?;
        let mut news = Vec::new();
        for (key, value) in changes {
            let old = match value {
                Some(value) => keys.insert(key.clone(), value.clone()),
                None => keys.remove(key),
            };
            if old.is_none() && value.is_none() && strict {
                return Err(Refusal::KeyNotSet.into());
            }
            if old.is_none() && keys.len() > METADATA_KEYS_MAX {
                return Err(Refusal::TooManyKeys.into());
            }
            if old != *value {
                news.push((key.clone(), value.clone()));
            }
        }
        if !news.is_empty() {
            let time = batch.now();
            for (key, value) in &news {
                tx.set_metadata(owner, key, value.as_deref(), time)?;
            }
            let changes = news.into();
            batch.effects.push(Effect::Described { owner, by: actor.who.clone(), session, time, changes });
        }
        Ok(Receipt { event: None, room: None })
    }
}

/// Takes what is in memory past the changes.
pub(super) fn put(directory: &Directory, roster: &Roster, owner: Owner, changes: &[KeyChange]) {
    match owner {
        Owner::Account(id) => roster.by_id(id).iter().for_each(|person| person.metadata.apply(changes)),
        Owner::Room(id) => directory.by_id(id).iter().for_each(|room| room.metadata.apply(changes)),
    }
}

/// Where those are found who are told of a change.
pub(super) struct Listeners<'a> {
    pub directory: &'a Directory,
    pub roster: &'a Roster,
    pub watches: &'a Watches,
}

impl Listeners<'_> {
    /// Tells every session that shares a room with the owner or watches it, each once, but for the one that did it; each
    /// knows what its client wants to hear of.
    pub fn tell(&self, owner: Owner, by: Who, session: u64, time: Millis, changes: Arc<[KeyChange]>) {
        let note = |target| {
            let body = NoteBody::Metadata { target, changes };
            Arc::new(Note { time, actor: by, session, body })
        };
        match owner {
            Owner::Account(id) => {
                let Some(person) = self.roster.by_id(id) else { return };
                let note = note(person.nick.clone());
                let mut told = BTreeSet::from([session]);
                let mut tell = |mailbox: &Arc<Mailbox>| {
                    if told.insert(mailbox.session) {
                        mailbox.note(note.clone());
                    }
                };
                person.each_session(&mut tell);
                for room in person.rooms().into_iter().filter_map(|id| self.directory.by_id(id)) {
                    if room.kind == RoomKind::Channel {
                        room.each_reader(&mut tell);
                    }
                }
                if let Ok(name) = AccountName::parse(&person.nick) {
                    self.watches.each(name.key(), &mut tell);
                }
            }
            Owner::Room(id) => {
                let Some(room) = self.directory.by_id(id) else { return };
                let note = note(room.name());
                room.each_reader(|mailbox| {
                    if mailbox.session != session {
                        mailbox.note(note.clone());
                    }
                });
            }
        }
    }
}
