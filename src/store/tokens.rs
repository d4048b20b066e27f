//! The tokens that devices log in with, known by their hashes (lower-case hex). Read by [`Reads`], changed by [`Tx`].

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use crate::event::{AccountId, Millis};

use super::error::Result;
use super::write::Tx;
use super::{AccountRow, Reads};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub hash: Arc<str>,
    pub account: AccountId,
    pub device: Arc<str>,
    pub created: Millis,
    pub last_used: Option<Millis>,
}

impl Reads {
    pub fn token(&self, hash: &str) -> Result<Option<TokenRow>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT hash, account_id, device, created, last_used FROM tokens WHERE hash = ?1")?;
        Ok(statement.query_row([hash], token).optional()?)
    }

    /// Those of an account, by the names of their devices.
    pub fn tokens(&self, account: AccountId) -> Result<Vec<TokenRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT hash, account_id, device, created, last_used FROM tokens WHERE account_id = ?1 ORDER BY device",
        )?;
        let rows = statement.query_map([account.0], token)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The token with this hash, and its account, whatever its state.
    pub fn account_by_token(&self, hash: &str) -> Result<Option<(AccountRow, TokenRow)>> {
        match self.token(hash)? {
            Some(row) => Ok(self.account(row.account)?.map(|account| (account, row))),
            None => Ok(None),
        }
    }
}

impl Tx<'_> {
    /// In place of the one that the device may have.
    pub fn set_token(&self, row: &TokenRow) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM tokens WHERE account_id = ?1 AND device = ?2")?
                .execute(params![row.account.0, row.device])?;
            conn.prepare_cached(
                "INSERT INTO tokens (hash, account_id, device, created, last_used) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                row.hash,
                row.account.0,
                row.device,
                row.created.0,
                row.last_used.map(|time| time.0)
            ])?;
            Ok(())
        })
    }

    pub fn use_token(&self, hash: &str, now: Millis) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("UPDATE tokens SET last_used = ?2 WHERE hash = ?1")?.execute(params![hash, now.0])?;
            Ok(())
        })
    }

    /// `false`: the device has none.
    pub fn remove_token(&self, account: AccountId, device: &str) -> Result<bool> {
        self.step(|conn| {
            let gone = conn
                .prepare_cached("DELETE FROM tokens WHERE account_id = ?1 AND device = ?2")?
                .execute(params![account.0, device])?;
            Ok(gone > 0)
        })
    }

    /// All of an account, but for that of one device.
    pub fn remove_tokens(&self, account: AccountId, but: Option<&str>) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM tokens WHERE account_id = ?1 AND device IS NOT ?2")?
                .execute(params![account.0, but])?;
            Ok(())
        })
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<TokenRow> {
    Ok(TokenRow {
        hash: row.get(0)?,
        account: AccountId(row.get(1)?),
        device: row.get(2)?,
        created: Millis(row.get(3)?),
        last_used: row.get::<_, Option<i64>>(4)?.map(Millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewAccount, PasswordHashText, Reader, Writer};

    #[test]
    fn a_device_has_one_token() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let tx = writer.begin().unwrap();
        let hash = PasswordHashText("$argon2id$x".into());
        let (key, skeleton) = ("anna".to_owned(), "anna".to_owned());
        let new = NewAccount { name: "anna".into(), key, skeleton, hash, admin: false, bot: false, created: Millis(1) };
        let account = tx.create_account(&new).unwrap();
        let row = |hash: &str, device: &str| TokenRow {
            hash: hash.into(),
            account,
            device: device.into(),
            created: Millis(2),
            last_used: None,
        };
        tx.set_token(&row("a", "web")).unwrap();
        tx.set_token(&row("b", "phone")).unwrap();
        tx.set_token(&row("c", "web")).unwrap();
        tx.use_token("c", Millis(5)).unwrap();
        tx.commit().unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.account_by_token("a").unwrap().map(|(_, row)| row), None);
        let used = TokenRow { last_used: Some(Millis(5)), ..row("c", "web") };
        assert_eq!(reader.tokens(account).unwrap(), [row("b", "phone"), used]);
        assert_eq!(reader.account_by_token("b").unwrap().map(|(owner, _)| owner.id), Some(account));
        let tx = writer.begin().unwrap();
        assert!(!tx.remove_token(account, "desk").unwrap());
        tx.remove_tokens(account, Some("phone")).unwrap();
        assert_eq!(tx.tokens(account).unwrap(), [row("b", "phone")]);
        assert!(tx.remove_token(account, "phone").unwrap());
        tx.set_token(&row("d", "web")).unwrap();
        tx.remove_tokens(account, None).unwrap();
        assert_eq!(tx.tokens(account).unwrap(), []);
        tx.commit().unwrap();
    }
}
