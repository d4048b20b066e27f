//! The devices of an account and how far each has been shown the log: read by [`Reads`], changed by [`Tx`].

use rusqlite::params;

use crate::event::{AccountId, EventId, Millis};

use super::error::Result;
use super::write::Tx;
use super::{DeviceRow, Reads, signed};

impl Reads {
    /// The account's named devices, the one used last first.
    pub fn devices(&self, account: AccountId) -> Result<Vec<DeviceRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT name, first_seen, last_seen, seen_event FROM devices WHERE account_id = ?1
             ORDER BY last_seen DESC, name",
        )?;
        let rows = statement.query_map([account.0], |row| {
            Ok(DeviceRow {
                name: row.get(0)?,
                first_seen: Millis(row.get(1)?),
                last_seen: Millis(row.get(2)?),
                seen: EventId(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Tx<'_> {
    /// Notes that a device is here. If the account has more than `most` then, those used longest ago are forgotten.
    pub fn meet_device(&self, account: AccountId, name: &str, now: Millis, most: usize) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO devices (account_id, name, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)
                 ON CONFLICT DO UPDATE SET last_seen = excluded.last_seen",
            )?
            .execute(params![account.0, name, now.0])?;
            conn.prepare_cached(
                "DELETE FROM devices WHERE account_id = ?1 AND name IN (
                     SELECT name FROM devices WHERE account_id = ?1 AND name <> ?2
                     ORDER BY last_seen DESC, name LIMIT -1 OFFSET ?3)",
            )?
            .execute(params![account.0, name, signed(most.saturating_sub(1))])?;
            Ok(())
        })
    }

    /// Notes how far a device has seen, which never goes back. Of one that is forgotten: nothing.
    pub fn set_device_seen(&self, account: AccountId, name: &str, seen: EventId, now: Millis) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "UPDATE devices SET seen_event = max(seen_event, ?3), last_seen = ?4 WHERE account_id = ?1 AND name = ?2",
            )?
            .execute(params![account.0, name, seen.0, now.0])?;
            Ok(())
        })
    }

    /// Forgets one device, or all.
    pub fn forget_devices(&self, account: AccountId, name: Option<&str>) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM devices WHERE account_id = ?1 AND name = coalesce(?2, name)")?
                .execute(params![account.0, name])?;
            Ok(())
        })
    }
}
