//! What administrators order: accounts and rooms made, changed, taken away. One code for both ways it comes: from
//! the command line on a stopped server's data, and through the table of orders while a server runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::{Body, Millis, Owner, RoomId, RoomKind, Who};
use crate::live::Person;
use crate::proto::names::{AccountName, RoomName};
use crate::room::RoomState;
use crate::store::{AccountRow, Keep, NewAccount, StoreError, Tx};

use super::core::Effect;
use super::credentials::Which;
use super::world::{Batch, World};

/// The shortest term of a room, in milliseconds.
const RETENTION_MIN: u64 = 60_000;

/// Something to be changed, by names as they were typed: whoever carries it out checks them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    AddUser {
        name: String,
        hash: HashText,
        admin: bool,
        bot: bool,
    },
    SetPassword {
        name: String,
        hash: HashText,
    },
    Disable {
        name: String,
    },
    Enable {
        name: String,
    },
    RemoveUser {
        name: String,
    },
    /// Nothing of what they said or were stays, but that somebody was there.
    EraseUser {
        name: String,
    },
    CreateRoom {
        name: String,
        topic: Option<String>,
    },
    RemoveRoom {
        name: String,
    },
    /// How long a room keeps what is said in it: milliseconds, 0 for ever, or as the server does.
    KeepRoom {
        name: String,
        retention: Option<u64>,
    },
    /// The fingerprint is the SHA-256 in lower-case hex. `proven`: whoever asks holds its key, or is an administrator.
    AddCertificate {
        name: String,
        fingerprint: String,
        label: String,
        proven: bool,
    },
    RemoveCertificate {
        name: String,
        fingerprint: String,
    },
    /// The token of a device by its hash (SHA-256 in lower-case hex), in place of the one it may have.
    AddToken {
        name: String,
        device: String,
        hash: String,
    },
    RevokeToken {
        name: String,
        device: String,
    },
    /// A code by its hash, SHA-256 in lower-case hex. It makes `uses` accounts until it expires.
    NewInvitation {
        hash: String,
        uses: u32,
        expires: Option<i64>,
    },
    /// The first digits of the hash.
    RemoveInvitation {
        id: String,
    },
    /// `kind`: account, address, cidr, or mute. In place of the ban that there may be.
    AddBan {
        kind: String,
        name: String,
        reason: String,
        expires: Option<i64>,
    },
    RemoveBan {
        kind: String,
        name: String,
    },
    /// Ends an account's sessions; it may come back.
    KickUser {
        name: String,
        reason: String,
    },
}

/// A password's hash (PHC string) on its way: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashText(pub String);

impl fmt::Debug for HashText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashText(..)")
    }
}

/// What came of an order, in words for the administrator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderResult {
    pub ok: bool,
    pub message: String,
}

impl OrderResult {
    pub fn done(message: impl Into<String>) -> OrderResult {
        OrderResult { ok: true, message: message.into() }
    }

    pub fn failed(message: impl Into<String>) -> OrderResult {
        OrderResult { ok: false, message: message.into() }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| r#"{"ok":false,"message":""}"#.to_owned())
    }
}

impl World {
    pub(super) fn order(&mut self, tx: &Tx<'_>, batch: &mut Batch, order: &Order) -> Result<OrderResult, StoreError> {
        match order {
            Order::AddUser { name, hash, admin, bot } => add_user(tx, batch, name, &hash.0, *admin, *bot),
            Order::SetPassword { name, hash } => {
                let mut row = match find_user(tx, name)? {
                    Ok(row) => row,
                    Err(problem) => return Ok(problem),
                };
                row.hash = hash.0.clone().into();
                tx.update_account(&row)?;
                tx.remove_tokens(row.id, None)?;
                self.forget_password(row.id);
                end(batch, &row, "Your password was changed; log in again");
                Ok(OrderResult::done(format!("{} has a new password; its sessions were ended", row.name)))
            }
            Order::Disable { name } => self.set_disabled(tx, batch, name, true),
            Order::Enable { name } => self.set_disabled(tx, batch, name, false),
            Order::RemoveUser { name } => self.remove_user(tx, batch, name),
            Order::EraseUser { name } => self.erase_user(tx, batch, name),
            Order::CreateRoom { name, topic } => self.create_room(tx, batch, name, topic.as_deref()),
            Order::RemoveRoom { name } => self.remove_room(tx, batch, name),
            Order::KeepRoom { name, retention } => self.keep_room(tx, name, *retention),
            Order::AddCertificate { name, fingerprint, label, proven } => {
                self.add_certificate(tx, batch, name, fingerprint, label, *proven)
            }
            Order::RemoveCertificate { name, fingerprint } => self.remove_certificate(tx, batch, name, fingerprint),
            Order::AddToken { name, device, hash } => self.add_token(tx, batch, name, device, hash),
            Order::RevokeToken { name, device } => self.revoke_token(tx, batch, name, device),
            Order::NewInvitation { hash, uses, expires } => {
                self.new_invitation(tx, batch, hash, *uses, expires.map(Millis))
            }
            Order::RemoveInvitation { id } => self.remove_invitation(tx, id),
            Order::AddBan { kind, name, reason, expires } => {
                self.add_ban(tx, batch, kind, name, reason, expires.map(Millis))
            }
            Order::RemoveBan { kind, name } => self.remove_ban(tx, batch, kind, name),
            Order::KickUser { name, reason } => self.kick_user(tx, batch, name, reason),
        }
    }

    fn set_disabled(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        disabled: bool,
    ) -> Result<OrderResult, StoreError> {
        let mut row = match find_user(tx, name)? {
            Ok(row) => row,
            Err(problem) => return Ok(problem),
        };
        let word = if disabled { "disabled" } else { "enabled" };
        if row.disabled == disabled {
            return Ok(OrderResult::done(format!("{} is {word} already", row.name)));
        }
        row.disabled = disabled;
        tx.update_account(&row)?;
        if disabled {
            end(batch, &row, "Your account was disabled by an administrator");
        }
        Ok(OrderResult::done(format!("{} is {word}", row.name)))
    }

    fn remove_user(&mut self, tx: &Tx<'_>, batch: &mut Batch, name: &str) -> Result<OrderResult, StoreError> {
        let mut row = match find_user(tx, name)? {
            Ok(row) => row,
            Err(problem) => return Ok(problem),
        };
        let who = Who { id: row.id, nick: row.name.clone() };
        end(batch, &row, "Your account was removed by an administrator");
        for room in tx.rooms_of(row.id)? {
            if room.kind == RoomKind::Channel {
                self.reset_if_needed(tx, batch, room.id)?;
                let reason = Body::Part { reason: "account removed".into() };
                self.append(tx, batch, Some(who.clone()), reason, &[room.id])?;
            }
        }
        (row.removed, row.disabled, row.hash) = (true, true, String::new().into());
        tx.update_account(&row)?;
        tx.forget_devices(row.id, None)?;
        tx.remove_metadata(Owner::Account(row.id))?;
        // Its owner may want to use them for another account.
        tx.remove_certificates(row.id)?;
        tx.remove_tokens(row.id, None)?;
        batch.effects.push(Effect::AccountGone { account: row.id });
        Ok(OrderResult::done(format!(
            "{} is removed; what it wrote stays, and nobody else can take the name",
            row.name
        )))
    }

    fn create_room(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        topic: Option<&str>,
    ) -> Result<OrderResult, StoreError> {
        let name = match RoomName::parse(name) {
            Ok(name) => name,
            Err(error) => return Ok(OrderResult::failed(error.to_string())),
        };
        if self.room_by_key(name.key()).is_some() {
            return Ok(OrderResult::failed(format!("there is a room {} already", name.display())));
        }
        let shown: Arc<str> = name.display().into();
        let id = self.create(tx, batch, &shown, name.key(), None)?;
        if let Some(text) = topic.filter(|text| !text.is_empty()) {
            self.append(tx, batch, None, Body::Topic { text: text.into() }, &[id])?;
        }
        Ok(OrderResult::done(format!("{shown} is made")))
    }

    fn remove_room(&mut self, tx: &Tx<'_>, batch: &mut Batch, name: &str) -> Result<OrderResult, StoreError> {
        let Some((id, state)) = self.room_named(name) else { return Ok(no_room(name)) };
        let shown = state.name.clone();
        tx.remove_room(id)?;
        self.drop_room(batch, id);
        Ok(OrderResult::done(format!("{shown} and its history are removed")))
    }

    fn keep_room(&mut self, tx: &Tx<'_>, name: &str, retention: Option<u64>) -> Result<OrderResult, StoreError> {
        let Some((id, state)) = self.room_named(name) else { return Ok(no_room(name)) };
        let shown = &state.name;
        if retention.is_some_and(|term| (1..RETENTION_MIN).contains(&term)) {
            return Ok(OrderResult::failed("that is too short: a room keeps what is said in it for a minute at least"));
        }
        let keep = keep_of(retention);
        tx.set_kept(id, keep)?;
        let older = if matches!(keep, Keep::For(_)) { "; what is older is being deleted" } else { "" };
        Ok(OrderResult::done(format!("{shown} keeps what is said in it {keep}{older}")))
    }

    fn room_named(&self, name: &str) -> Option<(RoomId, &RoomState)> {
        RoomName::parse(name).ok().and_then(|name| self.room_by_key(name.key()))
    }
}

/// How long a room is to keep things, as people write it: milliseconds, 0 for ever, or (`Some(None)`) as the server does.
pub fn parse_retention(text: &str) -> Option<Option<u64>> {
    match text.trim() {
        "default" => Some(None),
        "forever" => Some(Some(0)),
        term => {
            let term = humantime::parse_duration(term).ok().filter(|term| !term.is_zero())?;
            Some(Some(u64::try_from(term.as_millis()).unwrap_or(u64::MAX)))
        }
    }
}

/// What [`Order::KeepRoom`] means.
pub(super) fn keep_of(retention: Option<u64>) -> Keep {
    match retention {
        None => Keep::AsTheServer,
        Some(0) => Keep::Forever,
        Some(term) => Keep::For(Duration::from_millis(term)),
    }
}

fn no_room(name: &str) -> OrderResult {
    OrderResult::failed(format!("there is no room {name}; see `chatd room list`"))
}

pub(super) fn add_user(
    tx: &Tx<'_>,
    batch: &mut Batch,
    name: &str,
    hash: &str,
    admin: bool,
    bot: bool,
) -> Result<OrderResult, StoreError> {
    let name = match AccountName::parse(name) {
        Ok(name) => name,
        Err(error) => return Ok(OrderResult::failed(error.to_string())),
    };
    if let Some(row) = tx.account_by_key(name.key())? {
        let advice = match row.removed {
            true => "was removed, and its name stays taken so that nobody can pose as its owner; choose another name",
            false => "exists already; see `chatd user show`",
        };
        return Ok(OrderResult::failed(format!("the account {} {advice}", row.name)));
    }
    if tx.is_erased_name(name.key(), name.skeleton())? {
        return Ok(OrderResult::failed(
            "the name, or one that looks like it, was that of somebody who was erased: nobody gets it, so that nobody can \
             pose as them; choose another name",
        ));
    }
    if let Some(row) = tx.accounts_by_skeleton(name.skeleton())? {
        return Ok(OrderResult::failed(format!(
            "{} looks like the existing account {}; choose a name that nobody can mistake for it",
            name.display(),
            row.name
        )));
    }
    let shown: Arc<str> = name.display().into();
    let id = tx.create_account(&NewAccount {
        name: shown.clone(),
        key: name.key().to_owned(),
        skeleton: name.skeleton().to_owned(),
        hash: hash.to_owned().into(),
        admin,
        bot,
        created: batch.now(),
    })?;
    let person = Person::new(id, shown.clone(), admin, bot, Default::default());
    batch.effects.push(Effect::Account { key: name.key().to_owned(), person });
    Ok(OrderResult::done(format!("{shown} is added")))
}

pub(super) fn find_user(tx: &Tx<'_>, name: &str) -> Result<Result<AccountRow, OrderResult>, StoreError> {
    let row = match AccountName::parse(name) {
        Ok(name) => tx.account_by_key(name.key())?.filter(|row| !row.removed),
        Err(_) => None,
    };
    Ok(row.ok_or_else(|| OrderResult::failed(format!("there is no account {name}; see `chatd user list`"))))
}

pub(super) fn end(batch: &mut Batch, row: &AccountRow, reason: &str) {
    batch.effects.push(Effect::EndSessions { account: row.id, which: Which::All, reason: reason.into() });
}
