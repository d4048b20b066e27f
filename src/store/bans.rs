//! Bans and mutes: read by [`Reads`], changed by [`Tx`].

use std::sync::Arc;

use rusqlite::{Row, params};

use crate::event::Millis;

use super::Reads;
use super::error::Result;
use super::write::Tx;

/// What a ban is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanKind {
    Account,
    Address,
    Cidr,
    /// The account may be here, and say nothing.
    Mute,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BanRow {
    pub kind: BanKind,
    /// The account's key, or the network in its one spelling.
    pub target: String,
    /// The same for people.
    pub shown: Arc<str>,
    pub reason: Arc<str>,
    pub created: Millis,
    pub expires: Option<Millis>,
}

impl BanKind {
    pub const ALL: [BanKind; 4] = [BanKind::Account, BanKind::Address, BanKind::Cidr, BanKind::Mute];

    pub fn word(self) -> &'static str {
        match self {
            BanKind::Account => "account",
            BanKind::Address => "address",
            BanKind::Cidr => "cidr",
            BanKind::Mute => "mute",
        }
    }

    pub fn parse(word: &str) -> Option<BanKind> {
        BanKind::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl BanRow {
    pub fn holds(&self, now: Millis) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }
}

impl Reads {
    /// All of them, expired ones too, the oldest first.
    pub fn bans(&self) -> Result<Vec<BanRow>> {
        let mut statement = self
            .conn
            .prepare_cached("SELECT kind, target, shown, reason, created, expires FROM bans ORDER BY created, id")?;
        let rows = statement.query_map([], ban)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub fn count_bans(&self) -> Result<usize> {
        let count = self.conn.prepare_cached("SELECT count(*) FROM bans")?.query_row([], |row| row.get::<_, i64>(0))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

impl Tx<'_> {
    /// In place of the one there may be.
    pub fn put_ban(&self, row: &BanRow) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM bans WHERE kind = ?1 AND target = ?2")?
                .execute(params![row.kind.word(), row.target])?;
            conn.prepare_cached(
                "INSERT INTO bans (kind, target, shown, reason, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                row.kind.word(),
                row.target,
                row.shown,
                row.reason,
                row.created.0,
                row.expires.map(|time| time.0)
            ])?;
            Ok(())
        })
    }

    /// `false`: there is none.
    pub fn remove_ban(&self, kind: BanKind, target: &str) -> Result<bool> {
        self.step(|conn| {
            let gone = conn
                .prepare_cached("DELETE FROM bans WHERE kind = ?1 AND target = ?2")?
                .execute(params![kind.word(), target])?;
            Ok(gone > 0)
        })
    }

    pub fn remove_expired_bans(&self, now: Millis) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM bans WHERE expires <= ?1")?.execute([now.0])?;
            Ok(())
        })
    }
}

fn ban(row: &Row<'_>) -> rusqlite::Result<BanRow> {
    let word: String = row.get(0)?;
    let kind = BanKind::parse(&word).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, "no such kind of ban".into())
    })?;
    Ok(BanRow {
        kind,
        target: row.get(1)?,
        shown: row.get(2)?,
        reason: row.get(3)?,
        created: Millis(row.get(4)?),
        expires: row.get::<_, Option<i64>>(5)?.map(Millis),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Reader, Writer};

    #[test]
    fn a_ban_replaces_the_one_before_and_the_expired_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let row = |kind, target: &str, created, expires: Option<i64>| BanRow {
            kind,
            target: target.into(),
            shown: target.into(),
            reason: "why".into(),
            created: Millis(created),
            expires: expires.map(Millis),
        };
        let tx = writer.begin().unwrap();
        tx.put_ban(&row(BanKind::Account, "anna", 1, None)).unwrap();
        tx.put_ban(&row(BanKind::Mute, "anna", 2, Some(10))).unwrap();
        tx.put_ban(&row(BanKind::Cidr, "192.0.2.0/24", 3, Some(11))).unwrap();
        tx.put_ban(&row(BanKind::Account, "anna", 4, Some(20))).unwrap();
        assert_eq!(tx.count_bans().unwrap(), 3);
        tx.remove_expired_bans(Millis(10)).unwrap();
        assert!(!tx.remove_ban(BanKind::Address, "192.0.2.0/24").unwrap());
        tx.commit().unwrap();
        let there = Reader::open(dir.path()).unwrap().bans().unwrap();
        let expected = [row(BanKind::Cidr, "192.0.2.0/24", 3, Some(11)), row(BanKind::Account, "anna", 4, Some(20))];
        assert_eq!(there, expected);
        assert!(there[0].holds(Millis(10)) && !there[0].holds(Millis(11)));
        let tx = writer.begin().unwrap();
        assert!(tx.remove_ban(BanKind::Account, "anna").unwrap());
        tx.commit().unwrap();
    }
}
