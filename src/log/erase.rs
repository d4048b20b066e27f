//! Erasing a person. The order closes the account at once and for good, under another name; then what they said and
//! where their name stands is gone through a little at a time, by whoever drives it ([`next_step`] finds what is to be
//! done, beside the writer; [`Intent::Erase`] does it). What is left to do is in the store, so it is finished whatever
//! comes between. At each commit the fold of a room's log is what the tables have of it, but for the conversations that
//! are being deleted.

use std::borrow::Cow;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use crate::event::{AccountId, Body, Event, EventId, Millis, Owner, RoomId, RoomKind, Who};
use crate::live::{Outlaw, Receipt};
use crate::proto::modes;
use crate::proto::names::AccountName;
use crate::room::{Masked, Masks, Wish};
use crate::store::{AccountRow, BanKind, Erasure, Reads, StoreError, Tx};

use super::audit::{self, Author};
use super::core::Effect;
use super::markers::Place;
use super::mirror;
use super::orders::{OrderResult, end};
use super::world::{Batch, Intent, World};

/// Events that one look of a reader goes through at most.
const LOOK: i64 = 20_000;
/// Events that came while the last look was made, and are gone through by the writer itself.
const LAST: usize = 500;

/// One step of an erasure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EraseStep {
    /// Deletes a conversation between two, at most so many messages of it.
    Conversation { account: AccountId, room: RoomId, limit: usize },
    /// Changes these events; up to `through` there are no others.
    Events { account: AccountId, events: Vec<EventId>, through: EventId },
    /// Nothing is left up to `through`: the lists of the rooms, the audit, and the end of it.
    Finish { account: AccountId, through: EventId },
}

/// What is to be done next, at most so many entries at once. `None`: nothing.
pub fn next_step(reads: &Reads, limit: usize) -> Result<Option<EraseStep>, StoreError> {
    let Some(erasure) = reads.erasures()?.into_iter().next() else { return Ok(None) };
    let account = erasure.account;
    if let Some(room) = reads.rooms_of(account)?.into_iter().find(|room| room.kind == RoomKind::Direct) {
        return Ok(Some(EraseStep::Conversation { account, room: room.id, limit }));
    }
    let trace = Trace::of(&erasure);
    let last = EventId(reads.next_event_id()?.0 - 1);
    let mut through = erasure.through;
    while through < last {
        let until = EventId(last.0.min(through.0 + LOOK));
        let mut events = Vec::new();
        for (_, event) in reads.traces(account, through, until, usize::MAX)? {
            if trace.changed(&event).is_some() {
                events.push(event.id);
            }
            if events.len() == limit {
                return Ok(Some(EraseStep::Events { account, events, through: event.id }));
            }
        }
        if !events.is_empty() {
            return Ok(Some(EraseStep::Events { account, events, through: until }));
        }
        through = until;
    }
    Ok(Some(EraseStep::Finish { account, through }))
}

impl World {
    /// Closes the account, takes it out of all rooms, and notes what is left to do. From here on nothing can come of it.
    pub(super) fn erase_user(&mut self, tx: &Tx<'_>, batch: &mut Batch, name: &str) -> Result<OrderResult, StoreError> {
        // Those who were removed have the same right.
        let row = match AccountName::parse(name) {
            Ok(name) => tx.account_by_key(name.key())?,
            Err(_) => None,
        };
        let Some(mut row) = row else {
            return Ok(OrderResult::failed("there is no such account; see `chatd user list`"));
        };
        if is_erased(&row) {
            return Ok(OrderResult::failed("this account is erased already"));
        }
        let who = Who { id: row.id, nick: row.name.clone() };
        end(batch, &row, "Your account was erased");
        for room in tx.rooms_of(row.id)? {
            if room.kind == RoomKind::Channel {
                self.reset_if_needed(tx, batch, room.id)?;
                let reason = Body::Part { reason: "account erased".into() };
                self.append(tx, batch, Some(who.clone()), reason, &[room.id])?;
            }
        }
        let trace = Trace { account: row.id, key: row.key.clone(), neutral: "".into() };
        // A topic is something they said, too. The room is told that it has none any more.
        let by_them = |by: &str| trace.is_name(by);
        for id in self.channels(|state| state.topic.as_ref().is_some_and(|topic| by_them(&topic.by))) {
            self.reset_if_needed(tx, batch, id)?;
            self.append(tx, batch, None, Body::Topic { text: "".into() }, &[id])?;
        }
        tx.begin_erasure(row.id, &row.name, &row.key, &row.skeleton)?;
        tx.forget_devices(row.id, None)?;
        tx.remove_metadata(Owner::Account(row.id))?;
        tx.remove_certificates(row.id)?;
        tx.remove_tokens(row.id, None)?;
        for (kind, outlaw) in [(BanKind::Account, Outlaw::Account(row.id)), (BanKind::Mute, Outlaw::Mute(row.id))] {
            if tx.remove_ban(kind, &row.key)? {
                batch.effects.push(Effect::Banned { outlaw, ban: None, now: batch.now() });
            }
        }
        let neutral = free_name(tx, &row)?;
        row.name = neutral.shared();
        (row.key, row.skeleton) = (neutral.key().to_owned(), neutral.skeleton().to_owned());
        (row.hash, row.admin, row.bot) = (String::new().into(), false, false);
        (row.removed, row.disabled) = (true, true);
        (row.created, row.last_seen, row.seen) = (Millis(0), None, EventId(0));
        tx.update_account(&row)?;
        self.forget_password(row.id);
        self.shut_out(batch, row.id);
        batch.effects.push(Effect::AccountGone { account: row.id });
        batch.effects.push(Effect::Erasing);
        Ok(OrderResult::done(format!("the account is closed, and is called {} from now on", row.name)))
    }

    /// Whether somebody who is being erased would do this, or it would be done to them: it was submitted before.
    pub(super) fn is_of_the_erased(&self, intent: &Intent) -> bool {
        let gone = |id: AccountId| self.is_shut_out(id);
        match intent {
            Intent::InRoom { actor, wish, .. } => {
                gone(actor.who.id)
                    || match wish {
                        Wish::Say { to: Some(who), .. } => gone(who.id),
                        Wish::Invite { target } | Wish::Kick { target, .. } => gone(target.id),
                        _ => false,
                    }
            }
            Intent::Direct { actor, to, .. } => gone(actor.who.id) || gone(to.id),
            Intent::Redact { actor, place, .. } => gone(actor.who.id) || at(place, gone),
            Intent::Mark { reader, place, .. } => gone(reader.id) || at(place, gone),
            Intent::Describe { actor, owner, .. } => {
                gone(actor.who.id) || matches!(owner, Owner::Account(id) if gone(*id))
            }
            Intent::Enter { actor, .. } | Intent::Rename { actor, .. } | Intent::Online { actor, .. } => {
                gone(actor.who.id)
            }
            Intent::Seen { account, .. }
            | Intent::ForgetDevice { account, .. }
            | Intent::Rehash { account, .. }
            | Intent::ChangePassword { account, .. } => gone(*account),
            // It ends what there was.
            Intent::Offline { .. } => false,
            Intent::Register { .. }
            | Intent::Order { .. }
            | Intent::NoteAct { .. }
            | Intent::Answer { .. }
            | Intent::Nothing
            | Intent::Prune { .. }
            | Intent::Erase(_)
            | Intent::Sweep { .. }
            | Intent::Swept { .. } => false,
        }
    }

    pub(super) fn erase_step(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        step: &EraseStep,
    ) -> Result<Receipt, StoreError> {
        let done = Receipt { event: None, room: None };
        let (EraseStep::Conversation { account, .. }
        | EraseStep::Events { account, .. }
        | EraseStep::Finish { account, .. }) = step;
        let Some(erasure) = tx.erasures()?.into_iter().find(|erasure| erasure.account == *account) else {
            return Ok(done);
        };
        match step {
            EraseStep::Conversation { room, limit, .. } => {
                let gone = tx.prune(*room, Millis(i64::MAX), *limit)?;
                tx.note_erasure(*account, erasure.through, gone as u64)?;
                if gone < *limit {
                    tx.remove_room(*room)?;
                    self.drop_room(batch, *room);
                } else if let Some(room) = self.room(*room) {
                    batch.effects.push(Effect::Forget { room });
                }
            }
            EraseStep::Events { events, through, .. } => {
                let mut found = Vec::new();
                for id in events {
                    found.extend(tx.event_in(*id)?);
                }
                self.rewrite(tx, batch, &erasure, found, *through)?;
            }
            EraseStep::Finish { through, .. } => {
                let last = self.last_event();
                let newer = tx.traces(*account, *through, last, LAST)?;
                if newer.len() == LAST {
                    let through = newer.last().map_or(*through, |(_, event)| event.id);
                    self.rewrite(tx, batch, &erasure, newer, through)?;
                    return Ok(done);
                }
                self.rewrite(tx, batch, &erasure, newer, last)?;
                self.finish_erasure(tx, batch, &erasure)?;
            }
        }
        Ok(done)
    }

    /// Changes those of the events that tell of the person, but for lists of masks, which are changed together.
    fn rewrite(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        erasure: &Erasure,
        events: Vec<(Option<RoomId>, Event)>,
        through: EventId,
    ) -> Result<(), StoreError> {
        let trace = Trace::of(erasure);
        let mut changed = Vec::new();
        for (room, event) in events {
            let Some(new) = trace.changed(&event) else { continue };
            if matches!(&event.body, Body::Mode { changes } if sets_masks(changes)) {
                tx.hold_back(erasure.account, event.id)?;
                continue;
            }
            tx.rewrite(&new)?;
            changed.push((room, new));
        }
        tx.note_erasure(erasure.account, through, changed.len() as u64)?;
        if !changed.is_empty() {
            batch.effects.push(Effect::Rewritten { events: changed });
        }
        Ok(())
    }

    fn finish_erasure(&mut self, tx: &Tx<'_>, batch: &mut Batch, erasure: &Erasure) -> Result<(), StoreError> {
        let trace = Trace::of(erasure);
        let mut changed = Vec::new();
        for id in tx.held_back(erasure.account)? {
            if let Some((room, event)) = tx.event_in(id)?
                && let Some(new) = trace.changed(&event)
            {
                tx.rewrite(&new)?;
                changed.push((room, new));
            }
        }
        for id in self.channels(|state| trace.masks(&state.masks).is_some()) {
            let Some(state) = self.state(id) else { continue };
            let Some(masks) = trace.masks(&state.masks) else { continue };
            mirror::save_masks(tx, id, &state.masks, &masks)?;
            let state = crate::room::RoomState { masks, ..state.clone() };
            self.restate(batch, id, state);
        }
        tx.rewrite_audit(|text| trace.words(text))?;
        let count = erasure.changed + changed.len() as u64;
        let by = Author { who: "chatd".to_owned(), place: "-".to_owned() };
        let what = format!("user erase {}", erasure.neutral);
        audit::note(tx, batch.now(), &by, &what, &OrderResult::done(format!("finished: {count} entries")))?;
        tx.end_erasure(erasure.account)?;
        if !changed.is_empty() {
            batch.effects.push(Effect::Rewritten { events: changed });
        }
        tracing::info!(account = %erasure.neutral, entries = count, "an account is erased");
        Ok(())
    }
}

/// A text without the name of somebody who was erased, given by its key.
pub(super) fn hide_name(text: &str, key: &str) -> String {
    let trace = Trace { account: AccountId(0), key: key.to_owned(), neutral: "(erased)".into() };
    trace.words(text).unwrap_or_else(|| text.to_owned())
}

/// Whether somebody was erased, or is being so.
pub(super) fn is_erased(row: &AccountRow) -> bool {
    row.removed && row.name.starts_with(&neutral_name(row.id, 0))
}

fn at(place: &Place, gone: impl Fn(AccountId) -> bool) -> bool {
    matches!(place, Place::With(who) if gone(who.id))
}

/// The name of somebody who is erased: the number tells them from others who are.
fn neutral_name(account: AccountId, try_again: u32) -> String {
    match try_again {
        0 => format!("erased-{}", account.0),
        n => format!("erased-{}-{n}", account.0),
    }
}

/// One that nobody has.
fn free_name(tx: &Tx<'_>, row: &AccountRow) -> Result<AccountName, StoreError> {
    for n in 0..1_000 {
        let Ok(name) = AccountName::parse(&neutral_name(row.id, n)) else { break };
        let taken = tx.account_by_key(name.key())?.is_some() || tx.accounts_by_skeleton(name.skeleton())?.is_some();
        if !taken && !tx.is_erased_name(name.key(), name.skeleton())? {
            return Ok(name);
        }
    }
    Err(StoreError::other("there is no neutral name left for the account"))
}

/// Whether some letter of these changes stands for a list.
fn sets_masks(changes: &str) -> bool {
    changes.split(' ').next().unwrap_or_default().chars().any(modes::is_list)
}

/// How a person is known, and what stands in the place of their name.
struct Trace {
    account: AccountId,
    key: String,
    neutral: Arc<str>,
}

impl Trace {
    fn of(erasure: &Erasure) -> Trace {
        let key = AccountName::parse(&erasure.name).map_or_else(|_| erasure.name.to_string(), |n| n.key().to_owned());
        Trace { account: erasure.account, key, neutral: erasure.neutral.clone() }
    }

    /// Whether a word is the name, in whatever spelling.
    fn is_name(&self, word: &str) -> bool {
        word == self.key
            || match word.is_ascii() {
                true => word.eq_ignore_ascii_case(&self.key),
                false => AccountName::parse(word).is_ok_and(|name| name.key() == self.key),
            }
    }

    fn neutral_for(&self, who: &Who) -> Who {
        match who.id == self.account {
            true => Who { id: who.id, nick: self.neutral.clone() },
            false => who.clone(),
        }
    }

    /// What becomes of an event; `None`: it has nothing of them, or no more.
    fn changed(&self, event: &Event) -> Option<Event> {
        let mut new = event.clone();
        new.actor = event.actor.as_ref().map(|who| self.neutral_for(who));
        let theirs = event.actor.as_ref().is_some_and(|who| who.id == self.account);
        match &mut new.body {
            Body::Said { to, tags, .. } => {
                *to = to.as_ref().map(|who| self.neutral_for(who));
                if !theirs && let Some(other) = self.tags(tags) {
                    *tags = other.into();
                }
            }
            Body::Kick { target, .. } | Body::Invite { target } => *target = self.neutral_for(target),
            Body::Redacted { of, .. } => *of = of.as_ref().map(|who| self.neutral_for(who)),
            Body::Mode { changes } => {
                if let Some(other) = self.modes(changes) {
                    *changes = other.into();
                }
            }
            Body::Join { .. }
            | Body::Part { .. }
            | Body::Quit { .. }
            | Body::Topic { .. }
            | Body::Created { .. }
            | Body::Renamed { .. }
            | Body::Reset => {}
        }
        if theirs {
            blank(&mut new.body);
            new.redact();
        }
        (new != *event).then_some(new)
    }

    /// Names of members, and masks. A room's key is a word like any other, and stays.
    fn modes(&self, changes: &str) -> Option<String> {
        let mut words = changes.split(' ').map(str::to_owned);
        let letters = words.next()?;
        let mut words: Vec<String> = words.collect();
        let (mut at, mut on, mut any) = (0, true, false);
        for letter in letters.chars() {
            let takes_word = match letter {
                '+' | '-' => {
                    on = letter == '+';
                    continue;
                }
                'l' => on,
                letter => matches!(letter, 'k' | 'o' | 'v') || modes::is_list(letter),
            };
            if !takes_word {
                continue;
            }
            let Some(word) = words.get_mut(at) else { break };
            at += 1;
            let new = match letter {
                'o' | 'v' if self.is_name(word) => Some(self.neutral.to_string()),
                letter if modes::is_list(letter) => self.mask(word),
                _ => None,
            };
            if let Some(new) = new {
                (*word, any) = (new, true);
            }
        }
        any.then(|| std::iter::once(letters).chain(words).collect::<Vec<_>>().join(" "))
    }

    /// A mask that means them by name: `alice!*@*`, `*alice*!*@*`, `~a:alice`, `*!alice@*`.
    fn mask(&self, mask: &str) -> Option<String> {
        let mut any = false;
        let mut new = String::with_capacity(mask.len());
        for piece in mask.split_inclusive(['!', '@', ':', '*', '?']) {
            let name = piece.trim_end_matches(['!', '@', ':', '*', '?']);
            match !name.is_empty() && self.is_name(name) {
                true => {
                    new.push_str(&self.neutral);
                    new.push_str(&piece[name.len()..]);
                    any = true;
                }
                false => new.push_str(piece),
            }
        }
        any.then_some(new)
    }

    /// The lists of a room with other names in them. Of two masks that become one, the older stays.
    fn masks(&self, masks: &Masks) -> Option<Masks> {
        let mut all: Vec<(char, &Masked)> = masks.iter().collect();
        all.sort_by_key(|(_, masked)| masked.at);
        let (mut any, mut new) = (false, Masks::default());
        for (letter, masked) in all {
            let (mask, by) = (self.mask(&masked.mask), self.is_name(&masked.by));
            any |= mask.is_some() || by;
            new.set(
                letter,
                Masked {
                    mask: mask.map_or_else(|| masked.mask.clone(), Arc::from),
                    by: if by { self.neutral.clone() } else { masked.by.clone() },
                    at: masked.at,
                },
            );
        }
        any.then_some(new)
    }

    /// Tags of which the value is the name.
    fn tags(&self, tags: &str) -> Option<String> {
        let mut any = false;
        let new: Vec<String> = tags
            .split(';')
            .map(|tag| match tag.split_once('=') {
                Some((key, value)) if self.is_name(value) => {
                    any = true;
                    format!("{key}={}", self.neutral)
                }
                _ => tag.to_owned(),
            })
            .collect();
        any.then(|| new.join(";"))
    }

    /// A text about them, as administrators' acts are: wherever the name stands as a word.
    fn words(&self, text: &str) -> Option<String> {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let length = self.key.chars().count();
        let text: Cow<'_, str> =
            if self.key.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfc().collect()) };
        let (mut any, mut new) = (false, String::with_capacity(text.len()));
        let (mut rest, mut before) = (&*text, ' ');
        while let Some(first) = rest.chars().next() {
            let end = rest.char_indices().nth(length).map_or(rest.len(), |(at, _)| at);
            let here = !is_part(before) && !rest[end..].starts_with(is_part) && self.is_name(&rest[..end]);
            let taken = if here { end } else { first.len_utf8() };
            new.push_str(if here { &self.neutral } else { &rest[..taken] });
            before = rest[..taken].chars().next_back().unwrap_or(first);
            rest = &rest[taken..];
            any |= here;
        }
        any.then_some(new)
    }
}

/// Takes away the words of whatever somebody did.
fn blank(body: &mut Body) {
    match body {
        Body::Join { realname: text }
        | Body::Part { reason: text }
        | Body::Quit { reason: text }
        | Body::Kick { reason: text, .. }
        | Body::Topic { text }
        | Body::Redacted { reason: text, .. }
        | Body::Renamed { reason: text, .. } => *text = Arc::default(),
        // What was said is taken away as if it had been taken back; modes are the room's.
        Body::Said { .. } | Body::Mode { .. } | Body::Invite { .. } | Body::Created { .. } | Body::Reset => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Speech;

    fn trace(name: &str) -> Trace {
        let key = AccountName::parse(name).unwrap().key().to_owned();
        Trace { account: AccountId(7), key, neutral: "erased-7".into() }
    }

    #[test]
    fn masks_that_mean_somebody_by_name() {
        let anna = trace("Anna");
        for (mask, expected) in [
            ("anna!*@*", Some("erased-7!*@*")),
            ("ANNA!*@*", Some("erased-7!*@*")),
            ("*anna*!*@*", Some("*erased-7*!*@*")),
            ("*!anna@chat.example", Some("*!erased-7@chat.example")),
            ("anna!anna@*", Some("erased-7!erased-7@*")),
            ("~a:anna", Some("~a:erased-7")),
            ("annabel!*@*", None),
            ("an*a!*@*", None),
            ("*!*@anna.example", None),
        ] {
            assert_eq!(anna.mask(mask).as_deref(), expected, "{mask}");
        }
    }

    #[test]
    fn changes_of_modes_that_name_somebody() {
        let anna = trace("anna");
        for (changes, expected) in [
            ("+o anna", Some("+o erased-7")),
            ("+ov-o bob Anna anna", Some("+ov-o bob erased-7 erased-7")),
            ("+kl-l+v anna 5 anna", Some("+kl-l+v anna 5 erased-7")),
            ("+bk-q anna!*@* word ~a:anna", Some("+bk-q erased-7!*@* word ~a:erased-7")),
            ("+k anna", None),
            ("+nt", None),
            ("+o bob", None),
            ("", None),
        ] {
            assert_eq!(anna.modes(changes).as_deref(), expected, "{changes}");
        }
    }

    #[test]
    fn words_of_the_audit() {
        let said = [
            ("user add anna --admin", Some("user add erased-7 --admin")),
            ("anna's sessions: (Anna), \"anna\".", Some("erased-7's sessions: (erased-7), \"erased-7\".")),
            (r#"{"ok":true,"message":"anna is added"}"#, Some(r#"{"ok":true,"message":"erased-7 is added"}"#)),
            ("hannah, annabel, anna-2 and anna_3", None),
            ("", None),
        ];
        for (text, expected) in said {
            assert_eq!(trace("anna").words(text).as_deref(), expected, "{text}");
        }
        let composed = trace("Müller").words("user add MU\u{308}LLER: müller");
        assert_eq!(composed.as_deref(), Some("user add erased-7: erased-7"));
        assert_eq!(trace("小明").words("小明 is added; 小明白").as_deref(), Some("erased-7 is added; 小明白"));
    }

    #[test]
    fn what_somebody_did_loses_its_words_and_what_others_did_the_name_alone() {
        let who = |id: i64, nick: &str| Who { id: AccountId(id), nick: nick.into() };
        let event = |actor: Who, body| Event { id: EventId(1), time: Millis(1), actor: Some(actor), body };
        let said = |text: &str, tags: &str| Body::Said {
            speech: Speech::Privmsg,
            to: None,
            text: text.into(),
            tags: tags.into(),
            cuts: Arc::default(),
        };
        let anna = trace("anna");
        let own = anna.changed(&event(who(7, "Anna"), said("words", "+draft/react=x"))).unwrap();
        assert!(own.is_redacted());
        assert_eq!(own.actor, Some(who(7, "erased-7")));
        assert_eq!(anna.changed(&own), None, "once is enough");
        assert_eq!(anna.changed(&event(who(8, "bob"), said("hello anna", "+x=y"))), None);
        let tagged = anna.changed(&event(who(8, "bob"), said("hello", "+a=1;+to=anna"))).unwrap();
        assert_eq!(tagged.body, said("hello", "+a=1;+to=erased-7"));
        let kick = |target, reason: &str| Body::Kick { target, reason: reason.into() };
        let kicked = anna.changed(&event(who(8, "bob"), kick(who(7, "Anna"), "noise"))).unwrap();
        assert_eq!(kicked.body, kick(who(7, "erased-7"), "noise"));
        let kicks = anna.changed(&event(who(7, "anna"), kick(who(8, "bob"), "noise"))).unwrap();
        assert_eq!(kicks.body, kick(who(8, "bob"), ""));
    }
}
