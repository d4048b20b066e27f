//! The history of another system becomes this one's: people, rooms, and what was said, in the order of time and through
//! the same door as everything else, so that states and tables are what they would be had it happened here. For a server
//! on which nothing has happened yet, since ids and times only grow. All of it or nothing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::event::{Body, EventId, Millis, Owner, RoomId, Speech, Who};
use crate::live::Roster;
use crate::store::{NewAccount, StoreError, Tx, Writer};

use super::audit::{self, Author};
use super::core::{Core, Settings};
use super::directory::Directory;
use super::orders::OrderResult;
use super::world::{Batch, World};

/// Messages given to the index in one step.
const INDEX_STEP: usize = 2_000;

/// All that is taken over. People and rooms are named by their places in the lists.
#[derive(Debug, Default)]
pub struct Story {
    pub people: Vec<Imported>,
    pub rooms: Vec<ImportedRoom>,
    /// In the order of time.
    pub entries: Vec<ImportedEntry>,
}

/// Somebody who said something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// The account that is there.
    Known(Who),
    /// One that is made, and that nobody can log in to before it gets a password and is enabled.
    New { name: Arc<str>, key: String, skeleton: String, bot: bool, display_name: Option<Arc<str>> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedRoom {
    pub place: ImportedPlace,
    /// When it was made, at the latest: it is there from its first entry on.
    pub created: Millis,
    pub members: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedPlace {
    /// `private`: by invitation, and not shown to who is not in it.
    Channel {
        name: Arc<str>,
        key: String,
        private: bool,
    },
    Between(usize, usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedEntry {
    pub time: Millis,
    pub room: usize,
    pub who: usize,
    pub deed: ImportedDeed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedDeed {
    /// `cuts`: see [`Body::Said`]. `answers`: the entry (by its place in the list) that this is an answer to.
    Said {
        speech: Speech,
        text: Arc<str>,
        cuts: Arc<[u32]>,
        answers: Option<usize>,
    },
    Topic(Arc<str>),
    /// To the entry at this place.
    Reaction {
        emoji: Arc<str>,
        to: usize,
    },
}

impl Core {
    /// Takes the story in. The caller holds the lock. `told` hears of each thousand entries.
    pub fn import(
        data_dir: &Path,
        clock: Clock,
        story: &Story,
        by: &Author,
        what: &str,
        mut told: impl FnMut(usize),
    ) -> Result<(), StoreError> {
        let (store, nobody) = (Writer::open(data_dir)?, (Directory::default(), Roster::default()));
        if store.next_event_id()? != EventId(1) {
            return Err(StoreError::other("something has happened on this server already"));
        }
        let mut core = Core::open(store, clock, Settings::of_nobody(), &nobody.0, &nobody.1)?;
        let tx = core.store.begin()?;
        let mut import = Import { tx: &tx, world: &mut core.world, story, people: Vec::new(), rooms: HashMap::new() };
        for person in &story.people {
            import.add_person(person, (core.clock)())?;
        }
        let mut ids = Vec::with_capacity(story.entries.len());
        for (at, entry) in story.entries.iter().enumerate() {
            let id = import.add_entry(entry, &ids)?;
            ids.push(id);
            if at % 1_000 == 0 {
                told(at);
            }
        }
        for room in 0..story.rooms.len() {
            import.room(room, story.rooms[room].created)?;
        }
        let count = story.entries.len();
        audit::note(&tx, (core.clock)(), by, what, &OrderResult::done(format!("{count} entries")))?;
        tx.commit()?;
        // The words are no part of it: searching works without them, slowly, should this be interrupted.
        loop {
            let tx = core.store.begin()?;
            let done = tx.index(INDEX_STEP)?;
            tx.commit()?;
            if done < INDEX_STEP {
                break;
            }
        }
        core.store.checkpoint().map(drop)
    }
}

struct Import<'a, 'b> {
    tx: &'a Tx<'b>,
    world: &'a mut World,
    story: &'a Story,
    people: Vec<Who>,
    rooms: HashMap<usize, RoomId>,
}

impl Import<'_, '_> {
    fn add_person(&mut self, person: &Imported, now: Millis) -> Result<(), StoreError> {
        let who = match person {
            Imported::Known(who) => who.clone(),
            Imported::New { name, key, skeleton, bot, display_name } => {
                let id = self.tx.create_account(&NewAccount {
                    name: name.clone(),
                    key: key.clone(),
                    skeleton: skeleton.clone(),
                    hash: String::new().into(),
                    admin: false,
                    bot: *bot,
                    created: now,
                })?;
                let mut row = self.tx.account(id)?.ok_or(StoreError::Missing("account"))?;
                row.disabled = true;
                self.tx.update_account(&row)?;
                if let Some(shown) = display_name {
                    self.tx.set_metadata(Owner::Account(id), "display-name", Some(shown), now)?;
                }
                Who { id, nick: name.clone() }
            }
        };
        self.people.push(who);
        Ok(())
    }

    fn who(&self, at: usize) -> Result<Who, StoreError> {
        self.people.get(at).cloned().ok_or(StoreError::Missing("account"))
    }

    /// The room, made at this time if it is not there yet.
    fn room(&mut self, at: usize, time: Millis) -> Result<RoomId, StoreError> {
        if let Some(id) = self.rooms.get(&at) {
            return Ok(*id);
        }
        let room = self.story.rooms.get(at).ok_or(StoreError::Missing("room"))?;
        let mut batch = Batch::new(time);
        let id = match &room.place {
            ImportedPlace::Channel { name, key, private } => {
                let id = self.world.create(self.tx, &mut batch, name, key, None)?;
                if *private {
                    self.append(time, None, Body::Mode { changes: "+is".into() }, id)?;
                }
                for member in &room.members {
                    let who = self.who(*member)?;
                    self.append(time, Some(who.clone()), Body::Join { realname: who.nick }, id)?;
                }
                if !room.members.is_empty() {
                    // Members, and nobody of them is here.
                    self.append(time, None, Body::Reset, id)?;
                }
                id
            }
            ImportedPlace::Between(one, other) => {
                let (one, other) = (self.who(*one)?, self.who(*other)?);
                self.world.direct_room(self.tx, &mut batch, &one, &other)?
            }
        };
        self.rooms.insert(at, id);
        Ok(id)
    }

    fn add_entry(&mut self, entry: &ImportedEntry, ids: &[EventId]) -> Result<EventId, StoreError> {
        let room = self.room(entry.room, entry.time)?;
        let who = self.who(entry.who)?;
        let to = match self.story.rooms.get(entry.room).map(|room| &room.place) {
            Some(ImportedPlace::Between(one, other)) => {
                let (one, other) = (self.who(*one)?, self.who(*other)?);
                Some(if one.id == who.id { other } else { one })
            }
            _ => None,
        };
        let answer = |to: usize| ids.get(to).map(|id| format!("+draft/reply={}", id.msgid()));
        let body = match &entry.deed {
            ImportedDeed::Said { speech, text, cuts, answers } => {
                let tags = answers.and_then(answer).unwrap_or_default().into();
                Body::Said { speech: *speech, to, text: text.clone(), tags, cuts: cuts.clone() }
            }
            ImportedDeed::Topic(text) => Body::Topic { text: text.clone() },
            ImportedDeed::Reaction { emoji, to: target } => {
                let tags = format!("+draft/react={};{}", escape(emoji), answer(*target).unwrap_or_default()).into();
                Body::Said { speech: Speech::Tagmsg, to, text: "".into(), tags, cuts: Arc::default() }
            }
        };
        self.append(entry.time, Some(who), body, room)
    }

    fn append(&mut self, time: Millis, who: Option<Who>, body: Body, room: RoomId) -> Result<EventId, StoreError> {
        let mut batch = Batch::new(time);
        self.world.append(self.tx, &mut batch, who, body, &[room])
    }
}

/// A tag's value as it stands on the wire.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace(';', "\\:").replace(' ', "\\s").replace(['\r', '\n'], "")
}
