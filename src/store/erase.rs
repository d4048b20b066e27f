//! What it takes to erase a person: the work that is left, kept so that it is finished after whatever end; where their
//! events are; events written anew; and marks of names that nobody gets again, from which the name cannot be read.

use std::sync::Arc;

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use crate::event::{AccountId, Event, EventId, RoomId};

use super::error::Result;
use super::history::{EVENT_COLUMNS, event, unsigned};
use super::write::{Columns, Tx, leaving};
use super::{Reads, signed};

/// Somebody who is being erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub account: AccountId,
    /// The name to be looked for.
    pub name: Arc<str>,
    /// What stands in its place: the account has it by now.
    pub neutral: Arc<str>,
    /// Events up to this one have been gone through.
    pub through: EventId,
    /// Entries that were changed or deleted.
    pub changed: u64,
}

impl Reads {
    /// All that is left to do, the oldest first.
    pub fn erasures(&self) -> Result<Vec<Erasure>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT account_id, erasures.name, accounts.name, through, changed
             FROM erasures JOIN accounts ON accounts.id = account_id ORDER BY erasures.rowid",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Erasure {
                account: AccountId(row.get(0)?),
                name: row.get(1)?,
                neutral: row.get(2)?,
                through: EventId(row.get(3)?),
                changed: row.get(4).map(unsigned)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Whether this name, or one that looks like it, was that of a person who was erased.
    pub fn is_erased_name(&self, key: &str, skeleton: &str) -> Result<bool> {
        let Some(salt) = self.name_salt()? else { return Ok(false) };
        let mut statement = self.conn.prepare_cached("SELECT 1 FROM erased_names WHERE mark IN (?1, ?2)")?;
        Ok(statement.exists([mark(&salt, "key", key), mark(&salt, "skeleton", skeleton)])?)
    }

    /// Events after one and up to another, at most `limit`, that may tell of an account: by it, to it, or by others with
    /// names in them (modes, tags). Each with its room, if it is of one alone.
    pub fn traces(
        &self,
        account: AccountId,
        after: EventId,
        until: EventId,
        limit: usize,
    ) -> Result<Vec<(Option<RoomId>, Event)>> {
        let mut statement = self.conn.prepare_cached(&format!(
            "SELECT room_id, {EVENT_COLUMNS} FROM events WHERE id > ?1 AND id <= ?2
             AND (actor_id = ?3 OR target_id = ?3 OR kind = 15 OR tags NOT NULL) ORDER BY id LIMIT ?4"
        ))?;
        let mut rows = statement.query([after.0, until.0, account.0, signed(limit)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.get::<_, Option<i64>>(0)?.map(RoomId), event(row, 1)?));
        }
        Ok(found)
    }

    /// An event, with its room if it is of one alone.
    pub fn event_in(&self, id: EventId) -> Result<Option<(Option<RoomId>, Event)>> {
        let mut statement =
            self.conn.prepare_cached(&format!("SELECT room_id, {EVENT_COLUMNS} FROM events WHERE id = ?1"))?;
        let mut rows = statement.query([id.0])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some((row.get::<_, Option<i64>>(0)?.map(RoomId), event(row, 1)?)))
    }

    /// The events that [`Tx::hold_back`] was told of.
    pub fn held_back(&self, account: AccountId) -> Result<Vec<EventId>> {
        let mut statement =
            self.conn.prepare_cached("SELECT event_id FROM erasure_masks WHERE account_id = ?1 ORDER BY event_id")?;
        let rows = statement.query_map([account.0], |row| row.get(0).map(EventId))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn name_salt(&self) -> Result<Option<String>> {
        let mut statement = self.conn.prepare_cached("SELECT value FROM meta WHERE key = 'name_salt'")?;
        Ok(statement.query_row([], |row| row.get(0)).optional()?)
    }
}

impl Tx<'_> {
    /// Notes what is to be done, and that nobody gets this name any more.
    pub fn begin_erasure(&self, account: AccountId, name: &str, key: &str, skeleton: &str) -> Result<()> {
        self.takes_away();
        self.step(|conn| {
            conn.execute(
                "INSERT INTO meta (key, value) VALUES ('name_salt', lower(hex(randomblob(32)))) ON CONFLICT DO NOTHING",
                [],
            )?;
            let salt = self.name_salt()?.unwrap_or_default();
            for mark in [mark(&salt, "key", key), mark(&salt, "skeleton", skeleton)] {
                conn.execute("INSERT INTO erased_names (mark) VALUES (?1) ON CONFLICT DO NOTHING", [mark])?;
            }
            conn.execute("INSERT INTO erasures (account_id, name) VALUES (?1, ?2)", params![account.0, name])?;
            conn.execute("DELETE FROM markers WHERE account_id = ?1", [account.0])?;
            Ok(())
        })
    }

    /// Events up to this one have been gone through, and so many more entries were changed.
    pub fn note_erasure(&self, account: AccountId, through: EventId, changed: u64) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "UPDATE erasures SET through = max(through, ?2), changed = changed + ?3 WHERE account_id = ?1",
            )?
            .execute([account.0, through.0, signed(changed)])?;
            Ok(())
        })
    }

    /// This event is changed in the end.
    pub fn hold_back(&self, account: AccountId, event: EventId) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("INSERT OR IGNORE INTO erasure_masks (account_id, event_id) VALUES (?1, ?2)")?
                .execute([account.0, event.0])?;
            Ok(())
        })
    }

    /// Nothing is left to do: the name goes with the note of it.
    pub fn end_erasure(&self, account: AccountId) -> Result<()> {
        self.takes_away();
        self.step(|conn| {
            conn.execute("DELETE FROM erasure_masks WHERE account_id = ?1", [account.0])?;
            conn.execute("DELETE FROM erasures WHERE account_id = ?1", [account.0])?;
            Ok(())
        })
    }

    /// Puts an event in the place of what it was. What it has lost is gone from the index, too, and if it was a message of
    /// which nothing is left, no page counts it.
    pub fn rewrite(&self, event: &Event) -> Result<()> {
        self.takes_away();
        self.step(|conn| {
            let Some(before) = leaving(conn, event.id.0)? else { return Ok(()) };
            let columns = Columns::of(&event.body);
            if before.text.as_deref() != columns.text.as_deref() {
                self.take_out(&before)?;
            }
            if event.is_redacted()
                && let Some(room) = before.room.map(RoomId)
                && let Some(seq) = self.seq_of_event(room, event.id)?
            {
                conn.prepare_cached("UPDATE log SET spoken = 0 WHERE room_id = ?1 AND spoken = 1 AND seq = ?2")?
                    .execute([room.0, signed(seq)])?;
            }
            conn.prepare_cached(
                "UPDATE events SET actor = ?2, target = ?3, text = ?4, tags = ?5, cuts = ?6 WHERE id = ?1",
            )?
            .execute(params![
                event.id.0,
                event.actor.as_ref().map(|who| &*who.nick),
                columns.target.map(|who| &*who.nick),
                columns.text.as_deref(),
                columns.tags,
                columns.cuts,
            ])?;
            Ok(())
        })
    }

    /// Changes the words of the audit, and those of what came of orders: who, from where, what, and the result, each put
    /// through `change`, which says what is to stand there instead. `places`: whoever is changed was also somewhere.
    pub fn rewrite_audit(&self, mut change: impl FnMut(&str) -> Option<String>) -> Result<()> {
        self.takes_away();
        self.step(|conn| {
            let mut acts = conn.prepare("SELECT id, who, place, what, result FROM audit")?;
            let mut rows = acts.query([])?;
            let mut update =
                conn.prepare("UPDATE audit SET who = ?2, place = ?3, what = ?4, result = ?5 WHERE id = ?1")?;
            while let Some(row) = rows.next()? {
                let [who, place, what, result]: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
                // A user of the machine is not the account of this name.
                let new_who = if place == COMMAND_LINE { None } else { change(&who) };
                let (new_what, new_result) = (change(&what), change(&result));
                if new_who.is_none() && new_what.is_none() && new_result.is_none() {
                    continue;
                }
                let place = if new_who.is_some() { "-".to_owned() } else { place };
                update.execute(params![
                    row.get::<_, i64>(0)?,
                    new_who.unwrap_or(who),
                    place,
                    new_what.unwrap_or(what),
                    new_result.unwrap_or(result),
                ])?;
            }
            let mut orders = conn.prepare("SELECT id, result FROM orders WHERE result NOT NULL")?;
            let mut rows = orders.query([])?;
            let mut update = conn.prepare("UPDATE orders SET result = ?2 WHERE id = ?1")?;
            while let Some(row) = rows.next()? {
                if let Some(result) = change(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) {
                    update.execute(params![row.get::<_, i64>(0)?, result])?;
                }
            }
            Ok(())
        })
    }
}

/// What the audit calls the place of those who are not connected.
const COMMAND_LINE: &str = "command line";

fn mark(salt: &str, what: &str, text: &str) -> String {
    let hash = Sha256::digest(format!("{salt} {what} {text}"));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
