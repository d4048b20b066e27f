//! What administrators did: written by [`Tx`] with the act itself, read by [`Reads`].

use rusqlite::params;

use crate::event::Millis;

use super::error::Result;
use super::write::Tx;
use super::{Reads, signed};

/// Acts that are kept; then the oldest go.
pub const AUDIT_KEPT: i64 = 100_000;

/// An act, or an attempt at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Grows; given by the database.
    pub id: i64,
    pub time: Millis,
    /// An account, or a user of the machine.
    pub who: String,
    /// "command line", or the address of a session.
    pub place: String,
    pub what: String,
    /// `false`: it was refused.
    pub done: bool,
    pub result: String,
}

/// Which acts are asked for; everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub since: Option<Millis>,
    pub who: Option<String>,
    /// Older than the act with this id: the next page.
    pub before: Option<i64>,
    pub limit: usize,
}

impl Reads {
    /// The newest acts, oldest first.
    pub fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, time, who, place, what, done, result FROM audit
             WHERE id < ?1 AND time >= ?2 AND (?3 IS NULL OR who = ?3 COLLATE NOCASE) ORDER BY id DESC LIMIT ?4",
        )?;
        let since = query.since.unwrap_or(Millis::NEVER).0;
        let params = params![query.before.unwrap_or(i64::MAX), since, query.who, signed(query.limit)];
        let rows = statement.query_map(params, |row| {
            Ok(AuditRow {
                id: row.get(0)?,
                time: Millis(row.get(1)?),
                who: row.get(2)?,
                place: row.get(3)?,
                what: row.get(4)?,
                done: row.get(5)?,
                result: row.get(6)?,
            })
        })?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.reverse();
        Ok(rows)
    }
}

impl Tx<'_> {
    /// Notes an act; the row's id does not matter.
    pub fn note_act(&self, row: &AuditRow) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO audit (time, who, place, what, done, result) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![row.time.0, row.who, row.place, row.what, row.done, row.result])?;
            conn.prepare_cached("DELETE FROM audit WHERE id <= ?1")?
                .execute([conn.last_insert_rowid() - AUDIT_KEPT])?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Reader, Writer};

    #[test]
    fn the_oldest_go_and_pages_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let tx = writer.begin().unwrap();
        let act = |n: i64| AuditRow {
            id: 0,
            time: Millis(n),
            who: if n % 2 == 0 { "root".into() } else { "Alice".into() },
            place: "command line".into(),
            what: format!("act {n}"),
            done: true,
            result: "done".into(),
        };
        let all = AUDIT_KEPT + 3;
        (1..=all).for_each(|n| tx.note_act(&act(n)).unwrap());
        tx.commit().unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        let ask =
            |query: AuditQuery| -> Vec<i64> { reader.audit(&query).unwrap().iter().map(|row| row.time.0).collect() };
        let base = AuditQuery { limit: 3, ..AuditQuery::default() };
        assert_eq!(ask(base.clone()), [all - 2, all - 1, all]);
        assert_eq!(ask(AuditQuery { before: Some(all - 2), ..base.clone() }), [all - 5, all - 4, all - 3]);
        assert_eq!(ask(AuditQuery { who: Some("alice".into()), ..base.clone() }), [all - 4, all - 2, all]);
        assert_eq!(ask(AuditQuery { since: Some(Millis(all)), ..base.clone() }), [all]);
        assert_eq!(ask(AuditQuery { before: Some(6), ..base.clone() }), [4, 5], "three have gone");
    }
}
