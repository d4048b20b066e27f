//! What accounts and rooms say about themselves (IRCv3 metadata), a row a key: read by [`Reads`], changed by [`Tx`].

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::params;

use crate::event::{AccountId, KeyChange, Millis, Owner, RoomId};

use super::Reads;
use super::error::Result;
use super::write::Tx;

impl Reads {
    /// The keys of one account or room with their values.
    pub fn metadata(&self, owner: Owner) -> Result<BTreeMap<Arc<str>, Arc<str>>> {
        let (word, id) = columns(owner);
        let mut statement =
            self.conn.prepare_cached("SELECT key, value FROM metadata WHERE owner = ?1 AND id = ?2 ORDER BY key")?;
        let rows = statement.query_map(params![word, id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// All there is, as changes from nothing.
    pub fn all_metadata(&self) -> Result<Vec<(Owner, KeyChange)>> {
        let mut statement =
            self.conn.prepare_cached("SELECT owner, id, key, value FROM metadata ORDER BY owner, id, key")?;
        let rows = statement.query_map([], |row| {
            let id = row.get(1)?;
            let is_room = row.get_ref(0)?.as_bytes()? == b"room";
            let owner = if is_room { Owner::Room(RoomId(id)) } else { Owner::Account(AccountId(id)) };
            Ok((owner, (row.get(2)?, Some(row.get(3)?))))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Tx<'_> {
    /// Sets a key, or takes it away.
    pub fn set_metadata(&self, owner: Owner, key: &str, value: Option<&str>, at: Millis) -> Result<()> {
        let (word, id) = columns(owner);
        self.step(|conn| {
            match value {
                Some(value) => conn
                    .prepare_cached(
                        "INSERT INTO metadata (owner, id, key, value, at) VALUES (?1, ?2, ?3, ?4, ?5)
                         ON CONFLICT DO UPDATE SET value = excluded.value, at = excluded.at",
                    )?
                    .execute(params![word, id, key, value, at.0])?,
                None => conn
                    .prepare_cached("DELETE FROM metadata WHERE owner = ?1 AND id = ?2 AND key = ?3")?
                    .execute(params![word, id, key])?,
            };
            Ok(())
        })
    }

    /// The owner goes, and all of it with it.
    pub fn remove_metadata(&self, owner: Owner) -> Result<()> {
        let (word, id) = columns(owner);
        self.takes_away();
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM metadata WHERE owner = ?1 AND id = ?2")?.execute(params![word, id])?;
            Ok(())
        })
    }
}

fn columns(owner: Owner) -> (&'static str, i64) {
    match owner {
        Owner::Account(id) => ("account", id.0),
        Owner::Room(id) => ("room", id.0),
    }
}
