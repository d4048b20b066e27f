//! All rooms as the writer sees them, ahead of everybody else by the group it is working on. `execute` decides one
//! intent on them and writes what follows into the open transaction; `undo` takes a whole group back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::event::{AccountId, Body, Event, EventId, KeyChange, Millis, Owner, RoomId, RoomKind, Seq, Speech, Who};
use crate::live::{Person, Receipt, Roster};
use crate::proto::names::{AccountName, NameError};
use crate::room::{self, Actor, Masked, Member, Refusal, RoomState, Topic, Wish};
use crate::store::{AccountRow, Due, Reads, RoomRow, StoreError, Tx, Writer};

use super::audit::Author;
use super::core::{Effect, Growth, Settings};
use super::credentials::Proof;
use super::devices;
use super::directory::Directory;
use super::erase::{EraseStep, is_erased};
use super::markers::Place;
use super::orders::{HashText, Order, OrderResult};
use super::past::direct_key;
use super::tail::{Entry, Room, TailBudget};
use super::{audit, metadata, mirror};

/// What a session, a timer or an administrator wants of the log.
#[derive(Clone)]
pub enum Intent {
    /// Anything in a room that is there.
    InRoom { room: RoomId, actor: Actor, wish: Wish },
    /// Enter a room by name; it is made if it is not there.
    Enter { name: Arc<str>, key: String, actor: Actor, realname: Arc<str>, word: Option<String> },
    /// Say something to another account.
    Direct { actor: Actor, to: Who, speech: Speech, text: Arc<str>, tags: Arc<str>, cuts: Arc<[u32]> },
    /// Take a message back: one's own within `window` of saying it, or as an operator of the room.
    Redact { actor: Actor, place: Place, target: EventId, window: Option<Duration>, reason: Arc<str> },
    /// Give a room another name, and the comparison form of it.
    Rename { actor: Actor, room: RoomId, name: Arc<str>, key: String, reason: Arc<str> },
    /// A session begins, on a device (empty: the default one). If what it proved no longer counts, it is refused.
    Online { actor: Actor, realname: Arc<str>, proof: Proof, device: Arc<str> },
    /// A device has been written everything up to `seen`.
    Seen { account: AccountId, device: Arc<str>, seen: EventId },
    /// A session has ended (grace included); its device had been written everything up to `seen`.
    Offline { who: Who, reason: Arc<str>, device: Arc<str>, seen: EventId },
    /// The account's owner does not know this device any more.
    ForgetDevice { account: AccountId, device: Arc<str> },
    /// A stronger hash of the same password, put in place of `old`.
    Rehash { account: AccountId, old: Arc<str>, new: Arc<str> },
    /// Another password, by the account's own session; `old` is the hash that the old one was checked against.
    /// `keep`: the device whose token stays.
    ChangePassword { account: AccountId, session: u64, old: Arc<str>, new: HashText, keep: Option<Arc<str>> },
    /// An account for a newcomer, by the code with this hash, if there has to be one.
    Register { name: Arc<str>, hash: HashText, invitation: Option<String> },
    /// What an administrator ordered; with the row of the order, if there is one, for the answer.
    /// `by`: for the audit; `None`: somebody looks after their own account.
    Order { row: Option<i64>, order: Order, by: Option<Author> },
    /// What an administrator did beside orders, for the audit.
    NoteAct { by: Author, what: String },
    /// What stands in the table of orders is no order: it is answered, and nothing is done.
    Answer { row: i64, result: OrderResult },
    /// What an account or a room says about itself changes. `strict`: what is to be taken away has to be there.
    /// `session`: who does it, and is not told of it.
    Describe { actor: Actor, session: u64, owner: Owner, changes: Vec<KeyChange>, strict: bool },
    /// The account has read up to this time there; said by one of its sessions.
    Mark { reader: Who, place: Place, time: Millis, session: u64 },
    /// Nothing: its answer shows that the writer lives.
    Nothing,
    /// Delete what is older than its term, at most so many messages (and ten times as many comings and goings). If there
    /// may be more, the receipt names the room.
    Prune { due: Due, limit: usize },
    /// A step of erasing somebody.
    Erase(EraseStep),
    /// What SQLite has left behind in these pages goes.
    Sweep { pages: Vec<u32> },
    /// All pages were swept since so many removals.
    Swept { taken: i64 },
}

pub(super) enum Fault {
    Refused(Refusal),
    Store(StoreError),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        Fault::Refused(refusal)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Fault {
        Fault::Store(error)
    }
}

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

    pub(super) fn execute(&mut self, tx: &Tx<'_>, batch: &mut Batch, intent: &Intent) -> Result<Receipt, Fault> {
        if !self.shut_out.is_empty() && self.is_of_the_erased(intent) {
            return Err(Refusal::NotStored("Not done: this account is no more".into()).into());
        }
        match intent {
            Intent::InRoom { room, actor, wish } => self.in_room(tx, batch, *room, actor, wish),
            Intent::Enter { name, key, actor, realname, word } => {
                let wish = Wish::Join { realname: realname.clone(), key: word.clone(), forced: false };
                self.enter(tx, batch, name, key, actor, &wish)
            }
            Intent::Direct { actor, to, speech, text, tags, cuts } => {
                let room = self.direct_room(tx, batch, &actor.who, to)?;
                let (text, tags, cuts) = (text.clone(), tags.clone(), cuts.clone());
                let wish = Wish::Say { speech: *speech, to: Some(to.clone()), text, tags, cuts };
                self.in_room(tx, batch, room, actor, &wish)
            }
            Intent::Redact { actor, place, target, window, reason } => {
                self.redact(tx, batch, actor, place, *target, *window, reason)
            }
            Intent::Rename { actor, room, name, key, reason } => {
                self.rename(tx, batch, actor, *room, name, key, reason)
            }
            Intent::Online { actor, realname, proof, device } => self.online(tx, batch, actor, realname, proof, device),
            Intent::Seen { account, device, seen } => {
                devices::saw(tx, batch, *account, device, *seen)?;
                Ok(Receipt { event: None, room: None })
            }
            Intent::Offline { who, reason, device, seen } => {
                if !self.is_shut_out(who.id) {
                    devices::saw(tx, batch, who.id, device, *seen)?;
                }
                self.offline(tx, batch, who, reason)
            }
            Intent::ForgetDevice { account, device } => {
                tx.forget_devices(*account, Some(device))?;
                Ok(Receipt { event: None, room: None })
            }
            Intent::Rehash { account, old, new } => {
                if let Some(mut row) = tx.account(*account)?
                    && row.hash.as_str() == &**old
                {
                    row.hash = new.to_string().into();
                    tx.update_account(&row)?;
                    self.rehashed.insert(*account, old.clone());
                }
                Ok(Receipt { event: None, room: None })
            }
            Intent::ChangePassword { account, session, old, new, keep } => {
                self.change_password(tx, batch, *account, *session, old, new, keep.as_deref())
            }
            Intent::Register { name, hash, invitation } => self.register(tx, batch, name, hash, invitation.as_deref()),
            Intent::Order { row, order, by } => {
                let result = self.order(tx, batch, order)?;
                let (words, result) = audit::discreetly(tx, order, result)?;
                if let Some(by) = by {
                    audit::note(tx, batch.now(), by, &words, &result)?;
                }
                if let Some(row) = row {
                    tx.finish_order(*row, &result.to_json())?;
                }
                match result.ok {
                    true => Ok(Receipt { event: None, room: None }),
                    false => Err(Fault::Refused(Refusal::NotStored(result.message.into()))),
                }
            }
            Intent::NoteAct { by, what } => {
                audit::note(tx, batch.now(), by, what, &OrderResult::done(""))?;
                Ok(Receipt { event: None, room: None })
            }
            Intent::Answer { row, result } => {
                tx.finish_order(*row, &result.to_json())?;
                Ok(Receipt { event: None, room: None })
            }
            Intent::Describe { actor, session, owner, changes, strict } => {
                self.describe(tx, batch, actor, *session, *owner, changes, *strict)
            }
            Intent::Nothing => Ok(Receipt { event: None, room: None }),
            Intent::Mark { reader, place, time, session } => self.mark(tx, batch, reader, place, *time, *session),
            Intent::Prune { due, limit } => {
                let gone = tx.prune(due.room, due.before, *limit)?;
                let (left, more) = tx.prune_presence(due.room, due.presence_before, limit.saturating_mul(10))?;
                if let Some(slot) = self.rooms.get(&due.room).filter(|_| gone + left > 0) {
                    batch.effects.push(Effect::Forget { room: slot.room.clone() });
                }
                Ok(Receipt { event: None, room: (gone == *limit || more).then_some(due.room) })
            }
            Intent::Erase(step) => Ok(self.erase_step(tx, batch, step)?),
            Intent::Sweep { pages } => {
                tx.sweep(pages)?;
                Ok(Receipt { event: None, room: None })
            }
            Intent::Swept { taken } => {
                tx.swept(*taken)?;
                Ok(Receipt { event: None, room: None })
            }
        }
    }

    /// Decides a wish on a room and writes what follows.
    fn in_room(
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
    fn redact(
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
    fn rename(
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
    fn set_key(&mut self, id: RoomId, key: String) {
        let Some(slot) = self.rooms.get_mut(&id) else { return };
        if self.by_key.get(&slot.key) == Some(&id) {
            self.by_key.remove(&slot.key);
        }
        slot.key.clone_from(&key);
        self.by_key.insert(key, id);
    }

    pub(super) fn enter(
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
    pub(super) fn create(
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
    fn known_direct_room(
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

    pub(super) fn direct_room(
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

    fn online(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        actor: &Actor,
        realname: &Arc<str>,
        proof: &Proof,
        device: &Arc<str>,
    ) -> Result<Receipt, Fault> {
        let account = actor.who.id;
        let certified = match proof {
            Proof::Certificate(fingerprint) => tx.certificate(fingerprint)?,
            Proof::Password(_) | Proof::Token { .. } => None,
        };
        let token = match proof {
            Proof::Token { hash, .. } => tx.token(hash)?.filter(|row| row.account == account),
            Proof::Password(_) | Proof::Certificate(_) => None,
        };
        let counts = |row: &AccountRow| match proof {
            Proof::Password(hash) => row.hash.as_str() == &**hash || self.rehashed.get(&account) == Some(hash),
            Proof::Certificate(_) => certified.as_ref().is_some_and(|row| row.account == account),
            Proof::Token { .. } => token.is_some(),
        };
        let row = tx.account(account)?.filter(|row| !row.disabled && !row.removed);
        let Some(row) = row.filter(counts) else {
            return Err(Refusal::NotStored("The account has just been changed; log in again".into()).into());
        };
        if let Some(shown) = certified.filter(|row| !row.proven) {
            tx.prove_certificate(&shown.fingerprint)?;
        }
        if let Some(token) = token {
            tx.use_token(&token.hash, batch.now)?;
        }
        devices::meet(tx, batch, account, device)?;
        let sessions = self.online.get(&account).copied().unwrap_or(0);
        batch.online_before.entry(account).or_insert(sessions);
        self.online.insert(account, sessions + 1);
        if sessions > 0 {
            return Ok(Receipt { event: None, room: None });
        }
        let wish = Wish::Join { realname: realname.clone(), key: None, forced: true };
        for room in tx.rooms_of(account)? {
            if !self.rooms.contains_key(&room.id) {
                self.load_room(tx, batch, &room)?;
            }
            match room.kind {
                RoomKind::Channel => {
                    self.in_room(tx, batch, room.id, actor, &wish)?;
                }
                RoomKind::Direct => batch.effects.push(Effect::Present { account, room: room.id, inside: true }),
            }
        }
        if row.last_seen.is_none() {
            for (name, key) in self.settings.auto_join.clone() {
                self.enter(tx, batch, &name, &key, actor, &wish)?;
            }
        }
        tx.set_seen(account, row.seen, batch.now)?;
        Ok(Receipt { event: None, room: None })
    }

    fn offline(&mut self, tx: &Tx<'_>, batch: &mut Batch, who: &Who, reason: &Arc<str>) -> Result<Receipt, Fault> {
        let sessions = self.online.get(&who.id).copied().unwrap_or(0);
        batch.online_before.entry(who.id).or_insert(sessions);
        self.online.insert(who.id, sessions.saturating_sub(1));
        if sessions > 1 {
            return Ok(Receipt { event: None, room: None });
        }
        let rooms: Vec<RoomId> = tx
            .rooms_of(who.id)?
            .iter()
            .filter(|row| row.kind == RoomKind::Channel)
            .filter(|row| {
                let member = self.rooms.get(&row.id).and_then(|slot| slot.state.member(who.id));
                member.is_some_and(|member| member.present)
            })
            .map(|row| row.id)
            .collect();
        let event = match rooms.is_empty() {
            true => None,
            false => Some(self.append(tx, batch, Some(who.clone()), Body::Quit { reason: reason.clone() }, &rooms)?),
        };
        Ok(Receipt { event, room: None })
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
            let before = (&slot.state, slot.head, slot.needs_reset);
            batch.rooms_before.entry(room).or_insert_with(|| (before.0.clone(), before.1, before.2));
            slot.head = seq;
            if let Body::Redacted { target, .. } = entry.event.body {
                tx.redact(target)?;
                batch.effects.push(Effect::Redacted { room: slot.room.clone(), target });
            }
            if RoomState::concerns(&entry.event, slot.room.kind) {
                mirror::apply(tx, &mut slot.state, &slot.key, seq, &entry.event, &mut batch.effects)?;
            }
            let at = *batch.growth_of.entry(room).or_insert_with(|| {
                batch.growth.push(Growth { room: slot.room.clone(), entries: Vec::new(), state: None });
                batch.growth.len() - 1
            });
            batch.growth[at].entries.push(entry.clone());
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
        let before = (slot.state.clone(), slot.head, slot.needs_reset);
        batch.rooms_before.entry(id).or_insert(before);
        slot.state = Arc::new(state);
        batch.growth_of.entry(id).or_insert_with(|| {
            batch.growth.push(Growth { room: slot.room.clone(), entries: Vec::new(), state: None });
            batch.growth.len() - 1
        });
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
