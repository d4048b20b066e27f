//! A whole database as lines of text, and back: what `chatd export` and `import` do. A line is a row, so that nothing is
//! lost and nobody has to hold more than one; what follows from the rows (the index of words) is made anew.

use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::{Result, StoreError};
use super::open;
use super::write::Tx;
use super::{Reader, Reads};

/// The form of the lines; another number when an old reader would misunderstand them.
const FORMAT: u32 = 1;

/// The tables, in an order in which rows may refer to those before them, and in which order their rows come.
const TABLES: [(&str, &str); 20] = [
    ("accounts", "id"),
    ("rooms", "id"),
    ("members", "room_id, account_id"),
    ("invites", "room_id, account_id"),
    ("room_masks", "room_id, list, mask"),
    ("markers", "account_id, room_id"),
    ("devices", "account_id, name"),
    ("certificates", "fingerprint"),
    ("tokens", "hash"),
    ("invitations", "hash"),
    ("metadata", "owner, id, key"),
    ("bans", "id"),
    ("events", "id"),
    ("log", "room_id, spoken, seq"),
    ("audit", "id"),
    // An erasure that was begun is finished by whoever takes it over; and no name is given again.
    ("erasures", "account_id"),
    ("erasure_masks", "account_id, event_id"),
    ("erased_names", "mark"),
    ("meta", "key"),
    // The newest id ever given in each table: none is given twice.
    ("sqlite_sequence", "name"),
];
/// What somebody could log in with is left out unless it is asked for; so are the hashes of passwords.
const SECRET: [&str; 2] = ["tokens", "invitations"];
/// How far the index is, and what is swept: the importing side makes its own. And orders are for the server that runs.
const LEFT_OUT: &str = "WHERE NOT (?1 = 'meta' AND rowkey IN ('indexed', 'taken_away', 'swept'))
     AND NOT (?1 = 'sqlite_sequence' AND rowkey = 'orders')";

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub chatd_export: u32,
    pub schema: i64,
    pub secrets: bool,
}

/// All other lines but the last.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    table: std::borrow::Cow<'a, str>,
    row: Map<String, Value>,
}

/// The last line: a file that ends without it is not whole.
#[derive(Serialize, Deserialize)]
struct End {
    rows: u64,
}

/// What an import has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    pub rows: u64,
    /// Whether passwords were in it.
    pub secrets: bool,
}

/// Why a file cannot be imported: the line, counted from one, and what is wrong.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    #[error("line {0}: {1}")]
    Line(u64, String),
    #[error("the file ends in the middle: it was cut off; take another copy")]
    CutOff,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Reader {
    /// Hands out all lines, of one moment: what is committed meanwhile is not among them.
    pub fn export(
        &self,
        secrets: bool,
        mut write: impl FnMut(&str) -> std::io::Result<()>,
    ) -> std::result::Result<u64, TransferError> {
        let conn = &self.conn;
        let _moment = conn.unchecked_transaction().map_err(StoreError::from)?;
        let head = Head { chatd_export: FORMAT, schema: open::version(conn)?, secrets };
        write(&json(&head)?)?;
        let mut rows = 0;
        for (table, order) in TABLES {
            if SECRET.contains(&table) && !secrets {
                continue;
            }
            let key = order.split(',').next().unwrap_or(order);
            let sql = format!("SELECT *, {key} AS rowkey FROM {table} {LEFT_OUT} ORDER BY {order}");
            let mut statement = conn.prepare(&sql).map_err(StoreError::from)?;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut found = statement.query([table]).map_err(StoreError::from)?;
            while let Some(row) = found.next().map_err(StoreError::from)? {
                let mut map = Map::new();
                for (at, name) in columns.iter().enumerate().take(columns.len() - 1) {
                    let value = match row.get_ref(at).map_err(StoreError::from)? {
                        ValueRef::Null => continue,
                        ValueRef::Text(_) if name == "hash" && table == "accounts" && !secrets => "".into(),
                        ValueRef::Integer(number) => number.into(),
                        value => match value.as_str() {
                            Ok(text) => text.into(),
                            Err(_) => {
                                return Err(StoreError::Damaged(format!("{table}.{name} holds what it may not")).into());
                            }
                        },
                    };
                    map.insert(name.clone(), value);
                }
                write(&json(&Line { table: table.into(), row: map })?)?;
                rows += 1;
            }
        }
        write(&json(&End { rows })?)?;
        Ok(rows)
    }
}

impl Reads {
    /// Whether nobody and nothing is in it yet.
    pub fn is_empty(&self) -> Result<bool> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM accounts) AND NOT EXISTS (SELECT 1 FROM events)
                   AND NOT EXISTS (SELECT 1 FROM rooms)";
        Ok(self.conn.query_row(sql, [], |row| row.get(0))?)
    }
}

impl Tx<'_> {
    /// Takes the lines of an export into an empty database. To be committed if it says `Ok`.
    pub fn import(
        &self,
        lines: impl Iterator<Item = std::io::Result<String>>,
    ) -> std::result::Result<Imported, TransferError> {
        let (mut number, mut rows, mut head) = (0, 0, None);
        for line in lines {
            let line = line?;
            number += 1;
            let wrong = |why: &str| TransferError::Line(number, why.to_owned());
            let Some(Head { secrets, .. }) = head else {
                let first: Head =
                    serde_json::from_str(&line).map_err(|_| wrong("this is not what `chatd export` writes"))?;
                if first.chatd_export != FORMAT {
                    return Err(wrong("the file is of another form than this chatd knows; upgrade it"));
                }
                let known = open::known();
                if first.schema > known {
                    return Err(StoreError::NewerSchema { found: first.schema, known }.into());
                }
                head = Some(first);
                continue;
            };
            if let Ok(end) = serde_json::from_str::<End>(&line) {
                if end.rows != rows {
                    return Err(wrong("lines are missing"));
                }
                // The table's key would let one be said and another be something else.
                let twice = "SELECT one.room_id, one.seq FROM log AS one JOIN log AS other
                                 ON other.room_id = one.room_id AND other.spoken = 1 AND other.seq = one.seq
                             WHERE one.spoken = 0 LIMIT 1";
                let twice: Option<(i64, i64)> = self
                    .step(|conn| Ok(conn.query_row(twice, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?))?;
                return match twice {
                    Some((room, seq)) => Err(wrong(&format!("place {seq} of room {room} is in it twice"))),
                    None => Ok(Imported { rows, secrets }),
                };
            }
            let Line { table, row } = serde_json::from_str(&line).map_err(|error| wrong(&error.to_string()))?;
            let (table, _) = *TABLES.iter().find(|(name, _)| *name == table).ok_or_else(|| wrong("no such table"))?;
            self.step(|conn| insert(conn, table, row)).map_err(|error| wrong(&error.to_string()))?;
            rows += 1;
        }
        Err(TransferError::CutOff)
    }
}

fn insert(conn: &Connection, table: &str, row: Map<String, Value>) -> Result<()> {
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if row.is_empty() || !row.keys().all(is_name) {
        return Err(StoreError::other("no such column"));
    }
    let columns = row.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let places = vec!["?"; row.len()].join(", ");
    // What the database has by itself (how far the index is) gives way.
    let sql = format!("INSERT OR REPLACE INTO {table} ({columns}) VALUES ({places})");
    let values = row.into_iter().map(|(name, value)| match value {
        Value::Null => Ok(Sql::Null),
        Value::String(text) => Ok(Sql::Text(text)),
        Value::Bool(yes) => Ok(Sql::Integer(yes.into())),
        Value::Number(number) => {
            number.as_i64().map(Sql::Integer).ok_or_else(|| StoreError::other(format!("{name} is no whole number")))
        }
        _ => Err(StoreError::other(format!("{name} is neither text nor a number"))),
    });
    let values = values.collect::<Result<Vec<Sql>>>()?;
    if table == "sqlite_sequence" {
        // It has no key that a row could be replaced by.
        conn.prepare_cached("DELETE FROM sqlite_sequence WHERE name = ?1")?
            .execute(params_from_iter(values.iter().filter(|value| matches!(value, Sql::Text(_))).take(1)))?;
    }
    conn.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    Ok(())
}

fn json(value: &impl Serialize) -> std::result::Result<String, TransferError> {
    serde_json::to_string(value).map_err(|error| TransferError::Io(error.into()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::Writer;

    /// What is not exported must be known to be so.
    #[test]
    fn every_table_is_exported_or_left_out_on_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let writer = Writer::open(dir.path()).unwrap();
        let mut statement = writer.conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let there: BTreeSet<String> =
            statement.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap();
        let left_out = ["orders", "refinery_schema_history", "search", "search_config", "search_data", "search_idx"];
        let known: BTreeSet<String> = TABLES.iter().map(|(name, _)| *name).chain(left_out).map(str::to_owned).collect();
        assert_eq!(there, known);
    }
}
