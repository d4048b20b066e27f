//! Ways in beside the password: client certificates by their fingerprints, and the codes that let newcomers make an
//! account. Read by [`Reads`], changed by [`Tx`]. Fingerprints and hashes of codes are lower-case hex.

use std::sync::Arc;

use rusqlite::{OptionalExtension, Row, params};

use crate::event::{AccountId, Millis};

use super::error::{Result, StoreError};
use super::write::Tx;
use super::{AccountRow, Reads};

/// A certificate that its account may log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRow {
    pub fingerprint: Arc<str>,
    pub account: AccountId,
    pub label: Arc<str>,
    pub created: Millis,
    /// Its holder has shown the key, or an administrator answers for it; otherwise somebody has named it, no more.
    pub proven: bool,
}

/// A code, known by its hash alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    pub hash: String,
    pub created: Millis,
    /// `None`: never.
    pub expires: Option<Millis>,
    /// How many accounts it may make, and how many it has made.
    pub uses: u32,
    pub used: u32,
}

/// Digits of a code's hash that name it for people.
pub const INVITATION_ID: usize = 8;

impl InvitationRow {
    /// What people call it: the first digits of its hash.
    pub fn id(&self) -> &str {
        self.hash.get(..INVITATION_ID).unwrap_or(&self.hash)
    }

    /// Whether it makes an account at this time.
    pub fn is_good(&self, now: Millis) -> bool {
        self.used < self.uses && self.expires.is_none_or(|expires| now < expires)
    }
}

impl Reads {
    /// Those of an account, the oldest first.
    pub fn certificates(&self, account: AccountId) -> Result<Vec<CertificateRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT fingerprint, account_id, label, created, proven FROM certificates WHERE account_id = ?1 \
             ORDER BY created, fingerprint",
        )?;
        let rows = statement.query_map([account.0], certificate)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub fn certificate(&self, fingerprint: &str) -> Result<Option<CertificateRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT fingerprint, account_id, label, created, proven FROM certificates WHERE fingerprint = ?1",
        )?;
        Ok(statement.query_row([fingerprint], certificate).optional()?)
    }

    /// The account, whatever its state, that this certificate is for, and whether that is [proven](CertificateRow::proven).
    pub fn account_by_certificate(&self, fingerprint: &str) -> Result<Option<(AccountRow, bool)>> {
        match self.certificate(fingerprint)? {
            Some(row) => Ok(self.account(row.account)?.map(|account| (account, row.proven))),
            None => Ok(None),
        }
    }

    /// All codes, the oldest first.
    pub fn invitations(&self) -> Result<Vec<InvitationRow>> {
        let mut statement =
            self.conn.prepare_cached("SELECT hash, created, expires, uses, used FROM invitations ORDER BY created")?;
        let rows = statement.query_map([], invitation)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub fn invitation(&self, hash: &str) -> Result<Option<InvitationRow>> {
        let mut statement =
            self.conn.prepare_cached("SELECT hash, created, expires, uses, used FROM invitations WHERE hash = ?1")?;
        Ok(statement.query_row([hash], invitation).optional()?)
    }
}

impl Tx<'_> {
    /// Refuses with [`StoreError::Taken`], and may go on, if the fingerprint is in use.
    pub fn add_certificate(&self, row: &CertificateRow) -> Result<()> {
        self.step(|conn| {
            let added = conn
                .prepare_cached(
                    "INSERT INTO certificates (fingerprint, account_id, label, created, proven) \
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                )?
                .execute(params![row.fingerprint, row.account.0, row.label, row.created.0, row.proven])?;
            if added == 0 { Err(StoreError::Taken) } else { Ok(()) }
        })
    }

    /// Its holder has shown the key.
    pub fn prove_certificate(&self, fingerprint: &str) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("UPDATE certificates SET proven = 1 WHERE fingerprint = ?1")?.execute([fingerprint])?;
            Ok(())
        })
    }

    /// `false`: the account has no such certificate.
    pub fn remove_certificate(&self, account: AccountId, fingerprint: &str) -> Result<bool> {
        self.step(|conn| {
            let gone = conn
                .prepare_cached("DELETE FROM certificates WHERE fingerprint = ?1 AND account_id = ?2")?
                .execute(params![fingerprint, account.0])?;
            Ok(gone > 0)
        })
    }

    pub fn remove_certificates(&self, account: AccountId) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM certificates WHERE account_id = ?1")?.execute([account.0])?;
            Ok(())
        })
    }

    pub fn add_invitation(&self, row: &InvitationRow) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO invitations (hash, created, expires, uses, used) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                row.hash,
                row.created.0,
                row.expires.map(|time| time.0),
                row.uses,
                row.used
            ])?;
            Ok(())
        })
    }

    /// Counts one account that the code has made.
    pub fn use_invitation(&self, hash: &str) -> Result<()> {
        self.step(|conn| {
            let changed = conn
                .prepare_cached("UPDATE invitations SET used = used + 1 WHERE hash = ?1 AND used < uses")?
                .execute([hash])?;
            if changed == 0 { Err(StoreError::Missing("invitation")) } else { Ok(()) }
        })
    }

    pub fn remove_invitation(&self, hash: &str) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM invitations WHERE hash = ?1")?.execute([hash])?;
            Ok(())
        })
    }
}

fn certificate(row: &Row<'_>) -> rusqlite::Result<CertificateRow> {
    Ok(CertificateRow {
        fingerprint: row.get(0)?,
        account: AccountId(row.get(1)?),
        label: row.get(2)?,
        created: Millis(row.get(3)?),
        proven: row.get(4)?,
    })
}

fn invitation(row: &Row<'_>) -> rusqlite::Result<InvitationRow> {
    Ok(InvitationRow {
        hash: row.get(0)?,
        created: Millis(row.get(1)?),
        expires: row.get::<_, Option<i64>>(2)?.map(Millis),
        uses: row.get(3)?,
        used: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewAccount, PasswordHashText, Reader, Writer};

    fn account(tx: &Tx<'_>, name: &str) -> AccountId {
        let (key, skeleton) = (name.to_owned(), name.to_owned());
        let hash = PasswordHashText("$argon2id$x".into());
        let new = NewAccount { name: name.into(), key, skeleton, hash, admin: false, bot: false, created: Millis(1) };
        tx.create_account(&new).unwrap()
    }

    #[test]
    fn a_certificate_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let tx = writer.begin().unwrap();
        let (anna, bela) = (account(&tx, "anna"), account(&tx, "bela"));
        let row = |account, digit: &str, created| CertificateRow {
            fingerprint: digit.repeat(64).into(),
            account,
            label: "laptop".into(),
            created: Millis(created),
            proven: digit == "b",
        };
        tx.add_certificate(&row(anna, "b", 1)).unwrap();
        tx.add_certificate(&row(anna, "a", 2)).unwrap();
        assert!(matches!(tx.add_certificate(&row(bela, "a", 3)), Err(StoreError::Taken)));
        assert!(!tx.remove_certificate(bela, &"a".repeat(64)).unwrap());
        tx.commit().unwrap();

        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.certificates(anna).unwrap(), [row(anna, "b", 1), row(anna, "a", 2)]);
        let of_a = || reader.account_by_certificate(&"a".repeat(64)).unwrap().map(|(owner, proven)| (owner.id, proven));
        assert_eq!(of_a(), Some((anna, false)));
        assert!(reader.account_by_certificate(&"c".repeat(64)).unwrap().is_none());

        let tx = writer.begin().unwrap();
        tx.prove_certificate(&"a".repeat(64)).unwrap();
        tx.commit().unwrap();
        assert_eq!(of_a(), Some((anna, true)));

        let tx = writer.begin().unwrap();
        assert!(tx.remove_certificate(anna, &"a".repeat(64)).unwrap());
        tx.remove_certificates(anna).unwrap();
        tx.add_certificate(&row(bela, "a", 3)).unwrap();
        tx.commit().unwrap();
        assert_eq!(reader.certificates(anna).unwrap(), []);
    }

    #[test]
    fn a_code_makes_so_many_accounts_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let hash = "f".repeat(64);
        let expires = Some(Millis(100));
        let tx = writer.begin().unwrap();
        tx.add_invitation(&InvitationRow { hash: hash.clone(), created: Millis(1), expires, uses: 2, used: 0 })
            .unwrap();
        tx.use_invitation(&hash).unwrap();
        let row = tx.invitation(&hash).unwrap().unwrap();
        assert!(row.is_good(Millis(99)) && !row.is_good(Millis(100)));
        assert_eq!((row.id(), row.used), ("ffffffff", 1));
        tx.use_invitation(&hash).unwrap();
        assert!(!tx.invitation(&hash).unwrap().unwrap().is_good(Millis(2)));
        assert!(matches!(tx.use_invitation(&hash), Err(StoreError::Missing(_))));
        assert_eq!(tx.invitations().unwrap().len(), 1);
        tx.remove_invitation(&hash).unwrap();
        assert_eq!(tx.invitation(&hash).unwrap(), None);
        tx.commit().unwrap();
    }
}
