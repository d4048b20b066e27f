//! Accounts and the orders about them: read by [`Reads`], changed by [`Tx`].

use rusqlite::{OptionalExtension, Row, params};

use crate::event::{AccountId, EventId, Millis};
use crate::failpoint::{self, Step};

use super::error::{Result, StoreError};
use super::write::Tx;
use super::{AccountRow, NewAccount, PasswordHashText, Reads};

/// How many orders that are done are kept for whoever asks for the result.
const ORDERS_KEPT: i64 = 1000;

macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, key, skeleton, hash, admin, bot, disabled, removed, created, last_seen, seen_event \
             FROM accounts ",
            $rest
        )
    };
}

impl Reads {
    pub fn account(&self, id: AccountId) -> Result<Option<AccountRow>> {
        let mut statement = self.conn.prepare_cached(select_account!("WHERE id = ?1"))?;
        Ok(statement.query_row([id.0], account).optional()?)
    }

    pub fn account_by_key(&self, key: &str) -> Result<Option<AccountRow>> {
        let mut statement = self.conn.prepare_cached(select_account!("WHERE key = ?1"))?;
        Ok(statement.query_row([key], account).optional()?)
    }

    /// The account, if any, whose name looks like this.
    pub fn accounts_by_skeleton(&self, skeleton: &str) -> Result<Option<AccountRow>> {
        let mut statement = self.conn.prepare_cached(select_account!("WHERE skeleton = ?1"))?;
        Ok(statement.query_row([skeleton], account).optional()?)
    }

    /// All of them by name, disabled and removed ones too.
    pub fn accounts(&self) -> Result<Vec<AccountRow>> {
        let mut statement = self.conn.prepare_cached(select_account!("ORDER BY key"))?;
        let rows = statement.query_map([], account)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// What commands have asked for and nobody has done yet, oldest first.
    pub fn open_orders(&self) -> Result<Vec<(i64, String)>> {
        let mut statement =
            self.conn.prepare_cached("SELECT id, body FROM orders WHERE done IS NULL ORDER BY id LIMIT 100")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The answer to an order; `None` while there is none.
    pub fn order_result(&self, id: i64) -> Result<Option<String>> {
        let mut statement = self.conn.prepare_cached("SELECT result FROM orders WHERE id = ?1")?;
        Ok(statement.query_row([id], |row| row.get(0)).optional()?.flatten())
    }
}

impl Tx<'_> {
    /// Refuses with [`StoreError::Taken`], and may go on, if the key or the skeleton is in use.
    pub fn create_account(&self, new: &NewAccount) -> Result<AccountId> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO accounts (name, key, skeleton, hash, admin, bot, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![new.name, new.key, new.skeleton, new.hash.0, new.admin, new.bot, new.created.0])?;
            Ok(AccountId(conn.last_insert_rowid()))
        })
    }

    /// Writes every field of the account `row.id`.
    pub fn update_account(&self, row: &AccountRow) -> Result<()> {
        self.step(|conn| {
            let changed = conn
                .prepare_cached(
                    "UPDATE accounts SET name = ?2, key = ?3, skeleton = ?4, hash = ?5, admin = ?6, bot = ?7, disabled = ?8,
                     removed = ?9, created = ?10, last_seen = ?11, seen_event = ?12 WHERE id = ?1",
                )?
                .execute(params![
                    row.id.0,
                    row.name,
                    row.key,
                    row.skeleton,
                    row.hash.0,
                    row.admin,
                    row.bot,
                    row.disabled,
                    row.removed,
                    row.created.0,
                    row.last_seen.map(|time| time.0),
                    row.seen.0,
                ])?;
            if changed == 0 { Err(StoreError::Missing("account")) } else { Ok(()) }
        })
    }

    /// Notes how far the account's default device has seen, which never goes back, and when the account was last here.
    /// Of an account that is gone: nothing.
    pub fn set_seen(&self, id: AccountId, seen: EventId, last_seen: Millis) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("UPDATE accounts SET seen_event = max(seen_event, ?2), last_seen = ?3 WHERE id = ?1")?
                .execute([id.0, seen.0, last_seen.0])?;
            Ok(())
        })
    }

    /// Answers an order and blanks its body, which may have held a password's hash.
    pub fn finish_order(&self, id: i64, result: &str) -> Result<()> {
        self.step(|conn| {
            failpoint::reached(Step::Order)?;
            conn.prepare_cached("UPDATE orders SET done = 1, result = ?2, body = '' WHERE id = ?1")?
                .execute(params![id, result])?;
            conn.prepare_cached("DELETE FROM orders WHERE id <= ?1 AND done IS NOT NULL")?
                .execute([id - ORDERS_KEPT])?;
            Ok(())
        })
    }
}

fn account(row: &Row<'_>) -> rusqlite::Result<AccountRow> {
    Ok(AccountRow {
        id: AccountId(row.get(0)?),
        name: row.get(1)?,
        key: row.get(2)?,
        skeleton: row.get(3)?,
        hash: PasswordHashText(row.get(4)?),
        admin: row.get(5)?,
        bot: row.get(6)?,
        disabled: row.get(7)?,
        removed: row.get(8)?,
        created: Millis(row.get(9)?),
        last_seen: row.get::<_, Option<i64>>(10)?.map(Millis),
        seen: EventId(row.get(11)?),
    })
}
