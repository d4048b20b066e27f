//! What can go wrong with the database, said so that whoever reads it knows what to do next.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

use crate::failpoint::Injected;

use super::open::LOCK;

pub type Result<T> = std::result::Result<T, StoreError>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full: make room where the database is; the server goes on by itself")]
    Full,
    #[error("the database is busy: another program holds it; try again, or end that program")]
    Busy,
    #[error("another chatd{} uses this data: {} is locked; stop that one first, or choose another data_dir", process(.pid), .path.display())]
    Locked { path: PathBuf, pid: Option<u32> },
    #[error(
        "the database was made by a newer chatd (its schema is {found}, this program knows {known}): upgrade chatd"
    )]
    NewerSchema { found: i64, known: i64 },
    #[error(
        "the database is from an older chatd (its schema is {found}, this program wants {known}): start `chatd serve` once, it upgrades the data"
    )]
    OlderSchema { found: i64, known: i64 },
    #[error("{} is not a chatd database: restore a backup, or move the file away to start afresh", .path.display())]
    NotADatabase { path: PathBuf },
    #[error("there is no database at {}: check data_dir, or start `chatd serve` (or `chatd quickstart`) once", .path.display())]
    NotFound { path: PathBuf },
    #[error("{}: permission denied: run this as the user the server runs as, or correct the owner of the data directory", .path.display())]
    Permission { path: PathBuf },
    /// Without a path where people are told who have no business with it.
    #[error(
        "{}the disk is read-only: the system makes it so when it fails, and says why in its log (`dmesg`); mount it for writing \
         again", prefix(.path)
    )]
    ReadOnly { path: Option<PathBuf> },
    #[error("the database is damaged ({0}): restore a backup")]
    Damaged(String),
    #[error("the disk fails: {0}")]
    Io(String),
    /// A name, key or skeleton is in use already. Leaves a transaction as it was.
    #[error("the name, or one that looks like it, is taken")]
    Taken,
    /// What was to be changed is not there. Leaves a transaction as it was.
    #[error("there is no such {0}")]
    Missing(&'static str),
    /// An earlier step of this transaction failed; nothing of it can be kept.
    #[error("the transaction was given up because one of its steps failed")]
    GivenUp,
    #[error("the database could not be upgraded ({0}): its old state was kept")]
    Migration(String),
    #[error("the database: {0}")]
    Other(String),
}

impl StoreError {
    /// Anything else, in words.
    pub fn other(text: impl Into<String>) -> StoreError {
        StoreError::Other(text.into())
    }

    /// Puts the path into errors that want one.
    pub(super) fn at(self, place: &Path) -> StoreError {
        let path = place.to_path_buf();
        match self {
            StoreError::NotADatabase { .. } => StoreError::NotADatabase { path },
            StoreError::Permission { .. } if is_read_only(&path) => StoreError::ReadOnly { path: Some(path) },
            StoreError::Permission { .. } => StoreError::Permission { path },
            StoreError::NotFound { .. } => StoreError::NotFound { path },
            other => other,
        }
    }

    /// Says of an error that came while the database was open whether it has a cause that can be named.
    pub(super) fn explained(self, database: &Path) -> StoreError {
        match self {
            StoreError::Io(_) | StoreError::Permission { .. } if is_read_only(database) => {
                StoreError::ReadOnly { path: None }
            }
            other => other,
        }
    }

    pub(super) fn io(error: &io::Error, place: &Path) -> StoreError {
        let path = place.to_path_buf();
        match error.kind() {
            io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path: Some(path) },
            io::ErrorKind::PermissionDenied => StoreError::Permission { path },
            io::ErrorKind::NotFound => StoreError::NotFound { path },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
            _ => StoreError::Io(format!("{}: {error}", path.display())),
        }
    }

    pub(super) fn sqlite(error: &rusqlite::Error) -> StoreError {
        let rusqlite::Error::SqliteFailure(failure, _) = error else {
            return match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..) => StoreError::Damaged(error.to_string()),
                _ => StoreError::Other(error.to_string()),
            };
        };
        match failure.code {
            ErrorCode::DiskFull => StoreError::Full,
            // Room for the shared memory file is asked for apart from the rest, and has its own code.
            ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full,
            ErrorCode::SystemIoFailure => StoreError::Io(error.to_string()),
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Busy,
            ErrorCode::NotADatabase => StoreError::NotADatabase { path: PathBuf::new() },
            ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen => {
                StoreError::Permission { path: PathBuf::new() }
            }
            ErrorCode::DatabaseCorrupt => StoreError::Damaged(error.to_string()),
            ErrorCode::ConstraintViolation if failure.extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE => {
                StoreError::Taken
            }
            _ => StoreError::Other(error.to_string()),
        }
    }

    /// Whether a transaction may go on after this: a single statement was refused and has left nothing behind.
    pub(super) fn is_harmless(&self) -> bool {
        matches!(self, StoreError::Taken | StoreError::Missing(_))
    }
}

impl From<Injected> for StoreError {
    fn from(injected: Injected) -> StoreError {
        StoreError::Io(injected.to_string())
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&error)
    }
}

/// Whether nothing can be written where the database is. Asked by the lock beside it: whoever opens the database itself and
/// closes it again takes SQLite's locks from it.
fn is_read_only(database: &Path) -> bool {
    let opened = OpenOptions::new().append(true).open(database.with_file_name(LOCK));
    opened.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

fn prefix(path: &Option<PathBuf>) -> String {
    path.as_ref().map(|path| format!("{}: ", path.display())).unwrap_or_default()
}

fn process(pid: &Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}
