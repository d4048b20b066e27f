//! Whole copies of a database: one is made while others write, and one is looked at before it takes a database's place.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};

use super::error::{Result, StoreError};
use super::{Reads, open};

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    pub schema: i64,
    pub accounts: u64,
    pub rooms: u64,
    pub events: u64,
}

/// Writes the state of this moment to `to`, a file that is empty or not there. It is one read: nobody has to wait for it,
/// and what is committed meanwhile is not in it. Until it is over the write-ahead log cannot be begun anew, and grows by
/// what is written; what has piled up is then moved into the database here, rather than by the next who writes.
pub fn copy_whole(data_dir: &Path, to: &Path) -> Result<()> {
    let path = open::database_path(data_dir);
    let copy = || -> Result<()> {
        let mut conn = open::connect(&path)?;
        open::is_current(&conn)?;
        let name = to.to_str().ok_or_else(|| StoreError::other("the name of the copy is no text"))?;
        let mut pace = Pace::of(to);
        conn.progress_handler(STEPS, Some(move || pace.keep()))?;
        conn.execute("VACUUM INTO ?1", [name])?;
        // Whoever else is at it does it instead.
        conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        Ok(())
    };
    copy().map_err(|error| error.at(&path))
}

/// Steps of SQLite's machine between two looks at the pace: some hundred rows.
const STEPS: i32 = 2_000;
/// Bytes that are written between two syncs: what a disk takes in a few milliseconds.
const STRIDE: u64 = 1 << 20;

/// Lets a file grow no faster than the disk takes it. A gigabyte that the kernel has yet to write would stand before every
/// sync of those who talk meanwhile.
pub struct Pace {
    path: PathBuf,
    file: Option<File>,
    synced: u64,
}

impl Pace {
    pub fn of(path: &Path) -> Pace {
        Pace { path: path.to_owned(), file: None, synced: 0 }
    }

    /// Waits if much was written since the last time, and then leaves the disk to others for as long. Always `false`, which
    /// tells SQLite to go on: whether it can be written, the writer will see.
    pub fn keep(&mut self) -> bool {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        let Some(file) = &self.file else { return false };
        let length = file.metadata().map_or(0, |about| about.len());
        if length >= self.synced + STRIDE {
            self.synced = length;
            let began = Instant::now();
            let _what_fails_here_fails_again_there = file.sync_data();
            std::thread::sleep(began.elapsed());
        }
        false
    }
}

impl Reads {
    /// Reads all pages of the database, while others may write. The first damage found, in SQLite's words; `None`: it is
    /// whole.
    pub fn quick_check(&self) -> Result<Option<String>> {
        let verdict: String = self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((verdict != "ok").then_some(verdict))
    }
}

/// Reads all of a copy: whether it is whole, and of a schema that this program knows.
pub fn examine(path: &Path) -> Result<Examined> {
    let look = || -> Result<Examined> {
        let conn =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        let (schema, known) = (open::version(&conn)?, open::known());
        if schema == 0 {
            return Err(StoreError::NotADatabase { path: path.to_owned() });
        }
        if schema > known {
            return Err(StoreError::NewerSchema { found: schema, known });
        }
        let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(StoreError::Damaged(verdict));
        }
        let count = |table: &str| -> Result<u64> {
            let rows: i64 = conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            Ok(u64::try_from(rows).unwrap_or_default())
        };
        Ok(Examined { schema, accounts: count("accounts")?, rooms: count("rooms")?, events: count("events")? })
    };
    look().map_err(|error| error.at(path))
}
