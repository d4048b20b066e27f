//! The tokens that devices log in with, as they come and go; what ends with them are the sessions that logged in so.

use crate::event::AccountId;
use crate::store::{StoreError, TokenRow, Tx};

use super::core::Effect;
use super::credentials::Which;
use super::orders::{OrderResult, find_user};
use super::world::{Batch, World};

/// Tokens of one account; a further one is refused.
pub const TOKENS_MAX: usize = 64;

impl World {
    /// The names of the account and of the device were checked by whoever asks.
    pub(super) fn add_token(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        device: &str,
        hash: &str,
    ) -> Result<OrderResult, StoreError> {
        let row = match find_user(tx, name)? {
            Ok(row) if !row.disabled => row,
            Ok(row) => return Ok(OrderResult::failed(format!("{} is disabled", row.name))),
            Err(problem) => return Ok(problem),
        };
        let there = tx.tokens(row.id)?;
        let old = there.iter().any(|token| &*token.device == device);
        if there.len() >= TOKENS_MAX && !old {
            return Ok(OrderResult::failed(format!(
                "{} has {TOKENS_MAX} devices with a token, which is the most there can be; remove one first",
                row.name
            )));
        }
        let (hash, created) = (hash.into(), batch.now());
        tx.set_token(&TokenRow { hash, account: row.id, device: device.into(), created, last_used: None })?;
        if old {
            end(batch, row.id, device, "This device has another token now; log in with that");
        }
        Ok(OrderResult::done(format!("{} can log in with this token", row.name)))
    }

    pub(super) fn revoke_token(
        &mut self,
        tx: &Tx<'_>,
        batch: &mut Batch,
        name: &str,
        device: &str,
    ) -> Result<OrderResult, StoreError> {
        let row = match find_user(tx, name)? {
            Ok(row) => row,
            Err(problem) => return Ok(problem),
        };
        if !tx.remove_token(row.id, device)? {
            return Ok(OrderResult::failed(format!("{} has no device {device} with a token", row.name)));
        }
        end(batch, row.id, device, "The token of this device was revoked; log in again");
        Ok(OrderResult::done(format!("{}'s device {device} cannot log in any more; its sessions were ended", row.name)))
    }
}

fn end(batch: &mut Batch, account: AccountId, device: &str, reason: &str) {
    let which = Which::ByToken(device.into());
    batch.effects.push(Effect::EndSessions { account, which, reason: reason.into() });
}
