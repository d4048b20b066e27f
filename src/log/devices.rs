//! How far each device of an account has been shown the log: the writer's side of it. One event id a device is enough,
//! because sessions are written everything in the order of ids, over all rooms.

use std::sync::Arc;

use crate::event::{AccountId, EventId};
use crate::store::{StoreError, Tx};

use super::world::Batch;

/// Named devices of an account; of more, those used longest ago are forgotten, and are new when they come back.
pub const DEVICES_MAX: usize = 64;

/// A device is here. The default one has no row of its own.
pub(super) fn meet(tx: &Tx<'_>, batch: &Batch, account: AccountId, device: &str) -> Result<(), StoreError> {
    if device.is_empty() {
        return Ok(());
    }
    tx.meet_device(account, device, batch.now(), DEVICES_MAX)
}

/// A device has been written everything up to this event.
pub(super) fn saw(
    tx: &Tx<'_>,
    batch: &Batch,
    account: AccountId,
    device: &Arc<str>,
    seen: EventId,
) -> Result<(), StoreError> {
    if device.is_empty() {
        return tx.set_seen(account, seen, batch.now());
    }
    tx.set_device_seen(account, device, seen, batch.now())?;
    tx.set_seen(account, EventId(0), batch.now())
}
