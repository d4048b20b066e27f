//! The full-text index, which follows the log at a small distance: a commit of messages does not wait for it, and many
//! messages at once cost it a fraction of what each alone would. What has not come to it is searched beside it, so that
//! nobody can tell (see [`super::search`]).

use rusqlite::{Connection, OptionalExtension, params};

use crate::failpoint::{self, Step};

use super::error::Result;
use super::{Reads, Tx, signed, words};

const INSERT: &str = "INSERT INTO search (rowid, text) VALUES (?1, ?2)";

/// What was said in a room after an event: what the index is made of.
const SPOKEN_AFTER: &str = "SELECT id, room_id, actor_id, text FROM events
     WHERE id > ?1 AND kind IN (1, 2) AND room_id NOT NULL AND text NOT NULL ORDER BY id LIMIT ?2";

impl Reads {
    /// How many messages are not in the index yet.
    pub fn unindexed(&self) -> Result<usize> {
        let mut count = self.conn.prepare_cached(
            "SELECT count(*) FROM events WHERE id > ?1 AND kind IN (1, 2) AND room_id NOT NULL AND text NOT NULL",
        )?;
        let count: i64 = count.query_row([indexed(&self.conn)?], |row| row.get(0))?;
        Ok(count.unsigned_abs() as usize)
    }

    /// The messages from `least` on and below `bound` that answer this FTS5 expression and are not in the index yet, the
    /// oldest first. By an index of their own in memory, so that they are found by the same rules.
    pub(super) fn unindexed_answers(&self, expression: &str, least: i64, bound: i64) -> Result<Vec<i64>> {
        let mut statement = self.conn.prepare_cached(SPOKEN_AFTER)?;
        let mut rows = statement.query(params![indexed(&self.conn)?, i64::MAX])?;
        let Some(first) = rows.next()? else { return Ok(Vec::new()) };
        let index = Connection::open_in_memory()?;
        let table = "SELECT sql FROM sqlite_schema WHERE name = 'search'";
        index.execute_batch(&self.conn.query_row(table, [], |row| row.get::<_, String>(0))?)?;
        index.execute_batch("BEGIN")?;
        let (mut insert, mut text) = (index.prepare(INSERT)?, String::new());
        let mut row = Some(first);
        while let Some(found) = row {
            insert.execute(params![document(found, &mut text)?, text])?;
            row = rows.next()?;
        }
        let mut matches = index
            .prepare("SELECT rowid FROM search WHERE search MATCH ?1 AND rowid >= ?2 AND rowid < ?3 ORDER BY rowid")?;
        let found = matches.query_map(params![expression, least, bound], |row| row.get(0))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

impl Tx<'_> {
    /// Takes the oldest messages that are not in the index yet into it, at most `limit`. Says how many; fewer: it has
    /// all.
    pub fn index(&self, limit: usize) -> Result<usize> {
        self.step(|conn| {
            let (mut done, mut last) = (0, None);
            {
                let mut statement = conn.prepare_cached(SPOKEN_AFTER)?;
                let mut rows = statement.query(params![indexed(conn)?, signed(limit)])?;
                let mut insert = conn.prepare_cached(INSERT)?;
                let mut text = self.words();
                while let Some(row) = rows.next()? {
                    let id = document(row, &mut text)?;
                    insert.execute(params![id, *text])?;
                    (done, last) = (done + 1, Some(id));
                }
            }
            failpoint::reached(Step::Index)?;
            if done < limit {
                // Behind the last message there may be other events, which need not be looked at again.
                last = conn.query_row("SELECT max(id) FROM events", [], |row| row.get(0))?;
            }
            if let Some(last) = last {
                conn.prepare_cached("UPDATE meta SET value = max(value, ?1) WHERE key = 'indexed'")?.execute([last])?;
            }
            Ok(done)
        })
    }

    /// Takes a message out of the index, if it is in it.
    pub(super) fn unindex(&self, id: i64, room: i64, actor: Option<i64>, text: &str) -> Result<()> {
        self.step(|conn| {
            if id > indexed(conn)? {
                return Ok(());
            }
            let mut words = self.words();
            words::document(room, actor, text, &mut words);
            conn.prepare_cached("INSERT INTO search (search, rowid, text) VALUES ('delete', ?1, ?2)")?
                .execute(params![id, *words])?;
            Ok(())
        })
    }
}

/// The newest event up to which the index has everything.
fn indexed(conn: &Connection) -> Result<i64> {
    let mut statement = conn.prepare_cached("SELECT value FROM meta WHERE key = 'indexed'")?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.unwrap_or(0))
}

/// The document of a row of [`SPOKEN_AFTER`], and its id.
fn document(row: &rusqlite::Row<'_>, out: &mut String) -> Result<i64> {
    let text: &str = row.get_ref(3)?.as_str().map_err(rusqlite::Error::from)?;
    words::document(row.get(1)?, row.get(2)?, text, out);
    Ok(row.get(0)?)
}
