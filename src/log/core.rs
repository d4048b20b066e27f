//! The log without threads: takes intents, decides them in order, stores what follows in one transaction, and says
//! what is to be made visible. If the transaction fails, nothing has happened, and every intent is answered so.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::event::{AccountId, Event, EventId, KeyChange, Millis, Owner, RoomId, Who};
use crate::live::{Ban, Outlaw, Person, Receipt, Roster};
use crate::room::{Refusal, RoomState};
use crate::store::{StoreError, Writer};

use super::audit::{self, Posted};
use super::credentials::Which;
use super::directory::Directory;
use super::erase;
use super::orders::OrderResult;
use super::tail::{Entry, Room, TailBudget};
use super::world::{Batch, Fault, Intent, World};

/// What the log needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's name: what stands behind the `@` of everybody, for the masks of rooms.
    pub host: Arc<str>,
    /// Rooms that a new account is put into: name and comparison form.
    pub auto_join: Vec<(Arc<str>, String)>,
    /// Whether everybody may make rooms, or administrators alone.
    pub everyone_creates: bool,
    pub rooms_per_account: usize,
    /// All tails together, in bytes.
    pub tail_memory: usize,
}

impl Settings {
    /// For orders on the data of a server that does not run.
    pub(super) fn of_nobody() -> Settings {
        Settings {
            host: Arc::from(""),
            auto_join: Vec::new(),
            everyone_creates: true,
            rooms_per_account: usize::MAX,
            tail_memory: 0,
        }
    }
}

/// Committed, not yet visible.
pub struct Commit {
    /// One answer for each intent, in order.
    pub outcomes: Vec<Result<Receipt, Refusal>>,
    pub growth: Vec<Growth>,
    pub effects: Vec<Effect>,
    /// The newest event of all.
    pub last: EventId,
    /// The store did not take it.
    pub failed: bool,
}

/// What one room gained.
pub struct Growth {
    pub room: Arc<Room>,
    pub entries: Vec<Arc<Entry>>,
    /// The state after them, if it changed.
    pub state: Option<Arc<RoomState>>,
}

/// What else follows for the living server.
pub enum Effect {
    RoomLoaded {
        key: String,
        room: Arc<Room>,
    },
    RoomGone {
        room: Arc<Room>,
    },
    Present {
        account: AccountId,
        room: RoomId,
        inside: bool,
    },
    Invited {
        target: AccountId,
        by: Who,
        room: Arc<str>,
    },
    Account {
        key: String,
        person: Arc<Person>,
    },
    AccountGone {
        account: AccountId,
    },
    EndSessions {
        account: AccountId,
        which: Which,
        reason: Arc<str>,
    },
    /// Somebody is kept out from now on, or no more (`None`).
    Banned {
        outlaw: Outlaw,
        ban: Option<Ban>,
        now: Millis,
    },
    /// What an account or a room says about itself has changed.
    Described {
        owner: Owner,
        by: Who,
        session: u64,
        time: Millis,
        changes: Arc<[KeyChange]>,
    },
    /// The account has read on; told to its other sessions.
    Marked {
        account: AccountId,
        session: u64,
        target: Arc<str>,
        time: Millis,
    },
    /// The store changed below the room's tail.
    Forget {
        room: Arc<Room>,
    },
    /// Somebody is to be erased: there is work for whoever does that.
    Erasing,
    /// These events are others now, each in its room or, if it is in several, wherever it stands.
    Rewritten {
        events: Vec<(Option<RoomId>, Event)>,
    },
    /// Nothing of this message is left in the store.
    Redacted {
        room: Arc<Room>,
        target: EventId,
    },
    /// The room is found under another key (of its name).
    Renamed {
        room: Arc<Room>,
        old: String,
        key: String,
    },
}

/// So many messages wait for the index at most, and a group: then it takes them at once, some five milliseconds of work.
/// What it takes at once is a segment of it, and the more segments, the more there is to merge.
pub const INDEX_AT: usize = 2048;

pub struct Core {
    pub(super) store: Writer,
    pub(super) world: World,
    pub(super) clock: Clock,
    /// Messages that are stored and wait for the index.
    unindexed: usize,
}

impl Core {
    /// Loads what is needed to decide: all channels with their members, and fills the directory and the roster.
    /// The caller holds the data directory's lock.
    pub fn open(
        store: Writer,
        clock: Clock,
        settings: Settings,
        directory: &Directory,
        roster: &Roster,
    ) -> Result<Core, StoreError> {
        let world = World::load(&store, settings, directory, roster)?;
        let unindexed = store.unindexed()?;
        Ok(Core { store, world, clock, unindexed })
    }

    /// The newest event stored.
    pub fn last_event(&self) -> EventId {
        self.world.last_event()
    }

    pub fn tails(&self) -> Arc<TailBudget> {
        self.world.budget.clone()
    }

    #[cfg(test)]
    pub(super) fn image(&self) -> super::world::Image {
        self.world.image()
    }

    /// Decides and stores a group of intents, durably, or none of them.
    pub fn commit(&mut self, intents: &[Intent]) -> Commit {
        let mut batch = Batch::new((self.clock)());
        match Self::attempt(&mut self.store, &mut self.world, &mut batch, intents) {
            Ok(outcomes) => {
                let (growth, effects) = self.world.publish(batch);
                let entries = growth.iter().flat_map(|growth| &growth.entries);
                self.unindexed += entries.filter(|entry| entry.event.kind().is_spoken()).count();
                Commit { outcomes, growth, effects, last: self.world.last_event(), failed: false }
            }
            Err(error) => {
                let error = self.store.explained(error);
                tracing::error!(%error, intents = intents.len(), "a group could not be stored; its senders are told");
                self.world.undo(batch);
                let refusal = Refusal::NotStored(format!("Not stored: {error}").into());
                Commit {
                    outcomes: vec![Err(refusal); intents.len()],
                    growth: Vec::new(),
                    effects: Vec::new(),
                    last: self.world.last_event(),
                    failed: true,
                }
            }
        }
    }

    /// Gives the index what waits for it, if that is much, or if there is `time` for it. It may wait: what is not in the
    /// index is searched beside it.
    pub fn index(&mut self, time: bool) {
        while self.unindexed >= INDEX_AT || (time && self.unindexed > 0) {
            match self.index_some() {
                Ok(INDEX_AT) => self.unindexed = self.unindexed.saturating_sub(INDEX_AT).max(1),
                Ok(_) => self.unindexed = 0,
                Err(error) => {
                    let error = self.store.explained(error);
                    tracing::warn!(%error, "the index of what was said is behind; it will be tried again");
                    break;
                }
            }
        }
    }

    fn index_some(&mut self) -> Result<usize, StoreError> {
        let tx = self.store.begin_lazily()?;
        let done = tx.index(INDEX_AT)?;
        tx.commit()?;
        Ok(done)
    }

    /// Carries out one order; for the command line, when no server runs. The caller holds the lock.
    pub fn execute(
        data_dir: &Path,
        clock: Clock,
        row: Option<i64>,
        Posted { order, by }: Posted,
    ) -> Result<OrderResult, StoreError> {
        let store = Writer::open(data_dir)?;
        let mut core = Core::open(store, clock, Settings::of_nobody(), &Directory::default(), &Roster::default())?;
        let unswept = core.store.unswept()?;
        let mut batch = Batch::new((core.clock)());
        let tx = core.store.begin()?;
        let result = core.world.order(&tx, &mut batch, &order)?;
        let (words, result) = audit::discreetly(&tx, &order, result)?;
        audit::note(&tx, batch.now(), &by, &words, &result)?;
        if let Some(row) = row {
            tx.finish_order(row, &result.to_json())?;
        }
        tx.commit()?;
        // It is done, whatever comes of this; closing tries again, and so does the next start.
        let tidied = core.store.unswept().and_then(|now| if now == unswept { Ok(()) } else { core.sweep() });
        if let Err(error) = tidied.and_then(|()| core.store.checkpoint()) {
            tracing::debug!(%error, "the write-ahead log stays for the next start");
        }
        Ok(result)
    }

    /// Finishes what was begun of erasures; for the command line, when no server runs. The caller holds the lock.
    pub fn finish_erasures(data_dir: &Path, clock: Clock, mut told: impl FnMut()) -> Result<(), StoreError> {
        // Nobody has to wait.
        const STEP: usize = 1_000;
        let (store, nobody) = (Writer::open(data_dir)?, (Directory::default(), Roster::default()));
        let mut core = Core::open(store, clock, Settings::of_nobody(), &nobody.0, &nobody.1)?;
        while let Some(step) = erase::next_step(&core.store, STEP)? {
            let mut batch = Batch::new((core.clock)());
            let tx = core.store.begin()?;
            core.world.erase_step(&tx, &mut batch, &step)?;
            tx.commit()?;
            told();
        }
        core.sweep()?;
        if let Err(error) = core.store.checkpoint() {
            tracing::debug!(%error, "the write-ahead log stays for the next start");
        }
        Ok(())
    }

    /// Zeroes what SQLite has left behind of what was taken away, in all pages, if that was not done since.
    fn sweep(&mut self) -> Result<(), StoreError> {
        const PAGES: u32 = 1_024;
        let Some(taken) = self.store.unswept()?.filter(|_| self.store.can_sweep().unwrap_or(false)) else {
            return Ok(());
        };
        let mut next = Some(1);
        while let Some(from) = next {
            let found = self.store.littered(from, PAGES)?;
            if !found.pages.is_empty() {
                let tx = self.store.begin()?;
                tx.sweep(&found.pages)?;
                tx.commit()?;
            }
            next = found.next;
        }
        let tx = self.store.begin()?;
        tx.swept(taken)?;
        tx.commit()
    }

    /// Whether the write-ahead log may hold what was taken away.
    pub fn owes_checkpoint(&self) -> bool {
        self.store.owes_checkpoint()
    }

    /// Moves what the write-ahead log holds into the database proper, as far as readers allow. Says whether that is all.
    pub fn checkpoint(&self) -> Result<bool, StoreError> {
        self.store.checkpoint()
    }

    fn attempt(
        store: &mut Writer,
        world: &mut World,
        batch: &mut Batch,
        intents: &[Intent],
    ) -> Result<Vec<Result<Receipt, Refusal>>, StoreError> {
        let tx = store.begin()?;
        let mut outcomes = Vec::with_capacity(intents.len());
        for intent in intents {
            outcomes.push(match world.execute(&tx, batch, intent) {
                Ok(receipt) => Ok(receipt),
                Err(Fault::Refused(refusal)) => Err(refusal),
                Err(Fault::Store(error)) => return Err(error),
            });
        }
        tx.commit()?;
        Ok(outcomes)
    }
}
