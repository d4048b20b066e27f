//! Who is kept out and who may not speak, as administrators order it: stored, then known to the living server.

use std::net::IpAddr;
use std::time::Duration;

use crate::address::Network;
use crate::event::Millis;
use crate::live::{Ban, Bans, Outlaw};
use crate::store::{BanKind, BanRow, Reads, StoreError, Tx};

use super::core::Effect;
use super::credentials::Which;
use super::orders::{OrderResult, find_user};
use super::world::{Batch, World};

/// Bans and mutes together. Those that have expired make room; if none has, the next is refused.
pub const BANS_MAX: usize = 10_000;
/// A term that is longer is meant to be none.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
/// Bytes of a reason; it stands in one line of the protocol.
pub const REASON_BYTES: usize = 300;

impl World {
    pub(super) fn add_ban(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        kind: &str,
        name: &str,
        reason: &str,
        expires: Option<Millis>,
    ) -> Result<OrderResult, StoreError> {
        if expires.is_some_and(|expires| expires <= batch.now()) {
            return Ok(OrderResult::failed("this would be over already"));
        }
        let longest = batch.now().0.saturating_add(LONGEST.as_millis() as i64);
        if expires.is_some_and(|expires| expires.0 > longest) {
            return Ok(OrderResult::failed(
                "this is longer than a hundred years; leave the time out: until it is taken back",
            ));
        }
        let (kind, target, shown, outlaw) = match meant(tx, kind, name)? {
            Ok(meant) => meant,
            Err(problem) => return Ok(OrderResult::failed(problem)),
        };
        tx.remove_expired_bans(batch.now())?;
        if tx.count_bans()? >= BANS_MAX {
            return Ok(OrderResult::failed(format!(
                "there are {BANS_MAX} bans, which is the most there can be; remove some first"
            )));
        }
        let reason = clean_reason(reason);
        let row = BanRow {
            kind,
            target,
            shown: shown.as_str().into(),
            reason: reason.as_str().into(),
            created: batch.now(),
            expires,
        };
        tx.put_ban(&row)?;
        let ban = Ban { reason: row.reason.clone(), expires };
        batch.effects.push(Effect::Banned { outlaw, ban: Some(ban), now: batch.now() });
        if let Outlaw::Account(account) = outlaw {
            let said = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            let reason = format!("You are banned from this server{said}").into();
            batch.effects.push(Effect::EndSessions { account, which: Which::All, reason });
        }
        Ok(OrderResult::done(match kind {
            BanKind::Mute => format!("{shown} is muted"),
            _ => format!("{shown} is banned; sessions from there were ended"),
        }))
    }

    pub(super) fn remove_ban(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        kind: &str,
        name: &str,
    ) -> Result<OrderResult, StoreError> {
        let (kind, target, shown, outlaw) = match meant(tx, kind, name)? {
            Ok(meant) => meant,
            Err(problem) => return Ok(OrderResult::failed(problem)),
        };
        let there = tx.remove_ban(kind, &target)?;
        batch.effects.push(Effect::Banned { outlaw, ban: None, now: batch.now() });
        Ok(match (there, kind) {
            (true, BanKind::Mute) => OrderResult::done(format!("{shown} may speak again")),
            (true, _) => OrderResult::done(format!("{shown} is no longer banned")),
            (false, BanKind::Mute) => OrderResult::failed(format!("{shown} is not muted")),
            (false, _) => OrderResult::failed(format!("{shown} is not banned; see `chatd ban list`")),
        })
    }

    pub(super) fn kick_user(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        reason: &str,
    ) -> Result<OrderResult, StoreError> {
        let row = match find_user(tx, name)? {
            Ok(row) => row,
            Err(problem) => return Ok(problem),
        };
        let reason = clean_reason(reason);
        let said = if reason.is_empty() { "an administrator ended the session" } else { &reason };
        let reason = format!("Kicked from this server: {said}").into();
        batch.effects.push(Effect::EndSessions { account: row.id, which: Which::All, reason });
        Ok(OrderResult::done(format!("{}'s sessions were ended; it may come back", row.name)))
    }
}

/// All bans of the store for the living server.
pub(super) fn load(reads: &Reads, now: Millis) -> Result<Bans, StoreError> {
    let bans = Bans::default();
    for row in reads.bans()?.into_iter().filter(|row| row.holds(now)) {
        let outlaw = match row.kind {
            BanKind::Account => reads.account_by_key(&row.target)?.map(|account| Outlaw::Account(account.id)),
            BanKind::Mute => reads.account_by_key(&row.target)?.map(|account| Outlaw::Mute(account.id)),
            BanKind::Address | BanKind::Cidr => row.target.parse().ok().map(Outlaw::Network),
        };
        match outlaw {
            Some(outlaw) => bans.put(outlaw, Ban { reason: row.reason, expires: row.expires }),
            None => tracing::warn!(kind = row.kind.word(), target = %row.shown, "a ban of nobody"),
        }
    }
    Ok(bans)
}

type Meant = Result<(BanKind, String, String, Outlaw), String>;

/// What kind, its one spelling, what people read, and whom it hits.
fn meant(tx: &Tx<'_>, kind: &str, name: &str) -> Result<Meant, StoreError> {
    let Some(kind) = BanKind::parse(kind) else {
        return Ok(Err(format!("{kind:?} cannot be banned; it is account, address or cidr")));
    };
    let meant = match kind {
        BanKind::Account | BanKind::Mute => match find_user(tx, name)? {
            Ok(row) => {
                let outlaw = if kind == BanKind::Mute { Outlaw::Mute(row.id) } else { Outlaw::Account(row.id) };
                Ok((row.key, row.name.to_string(), outlaw))
            }
            Err(problem) => Err(problem.message),
        },
        BanKind::Address => match name.trim().parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                Ok((address.to_string(), address.to_string(), Outlaw::Network(Network::only(address))))
            }
            Err(_) => Err(format!("{name:?} is not an address; write 192.0.2.7 or 2001:db8::7, or ban a cidr")),
        },
        BanKind::Cidr => match name.parse::<Network>() {
            Ok(network) if network.bits() == 0 => Err(format!("{network} is everybody; write a smaller network")),
            Ok(network) => Ok((network.to_string(), network.to_string(), Outlaw::Network(network))),
            Err(error) => Err(error.to_string()),
        },
    };
    Ok(meant.map(|(target, shown, outlaw)| (kind, target, shown, outlaw)))
}

fn clean_reason(reason: &str) -> String {
    let mut clean: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    while clean.len() > REASON_BYTES {
        clean.pop();
    }
    clean.trim().to_owned()
}
