//! What can be wanted of the log, and who of the writer's modules carries it out.

use std::sync::Arc;
use std::time::Duration;

use crate::event::{AccountId, EventId, KeyChange, Millis, Owner, RoomId, Speech, Who};
use crate::live::Receipt;
use crate::room::{Actor, Refusal, Wish};
use crate::store::{Due, StoreError, Tx};

use crate::log::audit::Author;
use crate::log::core::Effect;
use crate::log::credentials::Proof;
use crate::log::erase::EraseStep;
use crate::log::markers::Place;
use crate::log::orders::{HashText, Order, OrderResult};
use crate::log::{audit, devices};

use super::{Batch, World};

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

pub(in crate::log) enum Fault {
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

impl World {
    pub(in crate::log) fn execute(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        intent: &Intent,
    ) -> Result<Receipt, Fault> {
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
}
