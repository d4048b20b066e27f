//! Coming and going: with the first session of an account its rooms hear that it is there, with the last that it has gone.

use std::sync::Arc;

use crate::event::{Body, RoomId, RoomKind, Who};
use crate::live::Receipt;
use crate::room::{Actor, Refusal, Wish};
use crate::store::{AccountRow, Tx};

use crate::log::core::Effect;
use crate::log::credentials::Proof;
use crate::log::devices;

use super::{Batch, Fault, World};

impl World {
    pub(super) fn online(
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

    pub(super) fn offline(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        who: &Who,
        reason: &Arc<str>,
    ) -> Result<Receipt, Fault> {
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
}
