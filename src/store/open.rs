//! Opening: the lock, private files, pragmas, migrations, and the orders a command posts to a running server.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use crate::event::Millis;
#[cfg(debug_assertions)]
use crate::failpoint::{self, Step};

use super::error::{Result, StoreError};

mod embedded {
    refinery::embed_migrations!("migrations");
}

/// How long a statement waits for another connection before it is [`StoreError::Busy`].
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// The file that whoever writes to a data directory has locked.
pub(super) const LOCK: &str = "chat.lock";

/// The database of a data directory.
pub fn database_path(data_dir: &Path) -> PathBuf {
    data_dir.join("chat.db")
}

/// The right to write to a data directory: one process at a time has it, until it drops it or dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Who has that right, as far as somebody who only looks can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Nobody,
    /// With the number of the process, if it is known.
    Process(Option<u32>),
}

impl Lock {
    /// Who has the lock. Makes nothing: whoever asks, as whatever user, is in nobody's way later.
    pub fn holder(data_dir: &Path) -> Result<Holder> {
        let path = data_dir.join(LOCK);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Holder::Nobody),
            opened => opened.map_err(|error| StoreError::io(&error, &path))?,
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Holder::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Holder::Process(process_in(&mut file))),
            Err(TryLockError::Error(error)) => Err(StoreError::io(&error, &path)),
        }
    }

    /// Creates the directory (0700) if need be. Fails at once if somebody else has the lock.
    pub fn take(data_dir: &Path) -> Result<Lock> {
        make_dir(data_dir)?;
        let path = data_dir.join(LOCK);
        let failed = |error: std::io::Error| StoreError::io(&error, &path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { path, pid: process_in(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The number is only for the message above; the lock holds without it, on a full disk too.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Lock { _file: file })
    }
}

/// What the holder has written into the lock.
fn process_in(file: &mut File) -> Option<u32> {
    let mut holder = String::new();
    file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok())
}

/// Pages in the -wal file (16 MiB) from which on a commit also moves them into the database. Each room that is talked in
/// has a page which is in nearly every commit, and is moved once for all of them.
pub const CHECKPOINT_AT: u32 = 4_000;

/// The writing connection, with the newest schema. Creates what is not there.
pub(super) fn writer(data_dir: &Path) -> Result<Connection> {
    make_dir(data_dir)?;
    let path = database_path(data_dir);
    make_private(&path)?;
    let open = || -> Result<Connection> {
        let mut conn = connect(&path)?;
        conn.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        conn.execute_batch(&format!(
            "PRAGMA synchronous = FULL;
             PRAGMA foreign_keys = ON;
             PRAGMA secure_delete = ON;
             PRAGMA cache_size = -16384;
             PRAGMA wal_autocheckpoint = {CHECKPOINT_AT};
             PRAGMA journal_size_limit = 67108864;",
        ))?;
        migrate(&mut conn, embedded::migrations::runner())?;
        conn.execute_batch(WORDS)?;
        Ok(conn)
    };
    open().map_err(|error| error.at(&path))
}

/// A view of the words that the index holds; see [`super::search`].
const WORDS: &str = "CREATE VIRTUAL TABLE temp.search_words USING fts5vocab(main, search, instance)";

/// A connection that cannot change anything.
pub(super) fn reader(data_dir: &Path) -> Result<Connection> {
    let path = database_path(data_dir);
    let open = || -> Result<Connection> {
        let conn = connect(&path)?;
        is_current(&conn)?;
        conn.execute_batch(WORDS)?;
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096;")?;
        Ok(conn)
    };
    open().map_err(|error| error.at(&path))
}

/// Leaves a request for the running server, which finds it by [`super::Reads::open_orders`]. The only thing that is
/// ever written beside the holder of the lock.
pub fn post_order(data_dir: &Path, body: &str, now: Millis) -> Result<i64> {
    let path = database_path(data_dir);
    let post = || -> Result<i64> {
        let conn = connect(&path)?;
        is_current(&conn)?;
        conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;")?;
        conn.execute("INSERT INTO orders (created, body) VALUES (?1, ?2)", params![now.0, body])?;
        Ok(conn.last_insert_rowid())
    };
    post().map_err(|error| error.at(&path))
}

/// Opens an existing file.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    // SQLite says "cannot open" for both; people want to know which.
    fs::metadata(path).map_err(|error| StoreError::io(&error, path))?;
    let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    conn.busy_timeout(BUSY)?;
    // Plans do not depend on what is bound (a LIMIT, mostly), or each statement would be made anew each time.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(64);
    conn.execute_batch("PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;")?;
    Ok(conn)
}

fn make_dir(dir: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|error| StoreError::io(&error, dir))
}

/// Makes the file before SQLite does, so that nobody else can read it for a moment. SQLite gives its -wal and -shm
/// files the same mode.
fn make_private(path: &Path) -> Result<()> {
    let failed = |error: std::io::Error| StoreError::io(&error, path);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
    let mut rights = file.metadata().map_err(failed)?.permissions();
    if rights.mode() & 0o077 != 0 {
        rights.set_mode(0o600);
        file.set_permissions(rights).map_err(failed)?;
    }
    Ok(())
}

pub(super) fn known() -> i64 {
    newest(&embedded::migrations::runner())
}

fn newest(runner: &refinery::Runner) -> i64 {
    runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max().unwrap_or(0)
}

pub(super) fn is_current(conn: &Connection) -> Result<()> {
    let (found, known) = (version(conn)?, known());
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found < known {
        return Err(StoreError::OlderSchema { found, known });
    }
    Ok(())
}

/// The version of the schema that is there; 0: none yet.
pub(super) fn version(conn: &Connection) -> Result<i64> {
    let ours = conn
        .query_row("SELECT name = 'refinery_schema_history' FROM sqlite_schema ORDER BY 1 DESC LIMIT 1", [], |row| {
            row.get::<_, bool>(0)
        })
        .optional()?;
    match ours {
        None => Ok(0),
        Some(true) => {
            Ok(conn.query_row("SELECT coalesce(max(version), 0) FROM refinery_schema_history", [], |row| row.get(0))?)
        }
        Some(false) => Err(StoreError::NotADatabase { path: PathBuf::new() }),
    }
}

/// All that is missing in one transaction: an interrupted upgrade leaves the old state.
fn migrate(conn: &mut Connection, runner: refinery::Runner) -> Result<()> {
    let (found, known) = (version(conn)?, newest(&runner));
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    if found > 0 {
        check_record(conn)?;
    }
    if (1..known).contains(&found) {
        tracing::info!(
            from = found,
            to = known,
            "the database is brought to a newer form; a long history takes a while"
        );
    }
    #[cfg(debug_assertions)]
    conn.commit_hook(Some(|| failpoint::reached(Step::Migrate).is_err()))?;
    let done = runner.set_grouped(true).run(conn);
    #[cfg(debug_assertions)]
    conn.commit_hook(None::<fn() -> bool>)?;
    match done {
        Ok(_) => Ok(()),
        Err(error) => Err(match error.kind() {
            refinery::error::Kind::Connection(_, source) => match source.downcast_ref::<rusqlite::Error>() {
                Some(source) => match StoreError::sqlite(source) {
                    StoreError::Other(text) => StoreError::Migration(text),
                    known => known,
                },
                None => StoreError::Migration(error.to_string()),
            },
            _ => StoreError::Migration(error.to_string()),
        }),
    }
}

/// The library takes its record of what was applied for granted, to the point of a panic; people can edit it.
fn check_record(conn: &Connection) -> Result<()> {
    let mut statement = conn.prepare("SELECT name, applied_on, checksum FROM refinery_schema_history")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (_, applied, sum): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let time = time::OffsetDateTime::parse(&applied, &time::format_description::well_known::Rfc3339);
        if time.is_err() || sum.parse::<u64>().is_err() {
            return Err(StoreError::Damaged("the table refinery_schema_history has been changed by hand".into()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use refinery::{Migration, Runner};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn files_are_private_from_the_start() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new/data");
        let _lock = Lock::take(&data).unwrap();
        let conn = writer(&data).unwrap();
        conn.execute("INSERT INTO meta VALUES ('a', 1)", []).unwrap();
        assert_eq!(mode(&data), 0o700);
        for name in ["chat.db", "chat.db-wal", "chat.db-shm", "chat.lock"] {
            assert_eq!(mode(&data.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn a_readable_database_is_made_private() {
        let dir = tempfile::tempdir().unwrap();
        drop(writer(dir.path()).unwrap());
        let path = database_path(dir.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        drop(writer(dir.path()).unwrap());
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn one_lock_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let error = Lock::take(dir.path()).unwrap_err();
        assert!(matches!(&error, StoreError::Locked { pid: Some(pid), .. } if *pid == std::process::id()), "{error}");
        assert!(error.to_string().contains("another chatd"), "{error}");
        drop(lock);
        Lock::take(dir.path()).unwrap();
    }

    #[test]
    fn opening_twice_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        drop(writer(dir.path()).unwrap());
        let conn = writer(dir.path()).unwrap();
        assert_eq!(version(&conn).unwrap(), known());
        let pragma = |name: &str| {
            conn.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap()
        };
        assert_eq!(pragma("synchronous"), 2.into());
        assert!(conn.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
        assert_eq!(pragma("foreign_keys"), 1.into());
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    }

    /// The compiler does not notice a new file in the folder by itself.
    #[test]
    fn every_migration_is_in_the_program() {
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap().count();
        assert_eq!(embedded::migrations::runner().get_migrations().len(), files);
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let conn = writer(dir.path()).unwrap();
        conn.execute("INSERT INTO refinery_schema_history VALUES (99, 'later', '2030-01-01T00:00:00Z', '1')", [])
            .unwrap();
        drop(conn);
        let newest = embedded::migrations::runner().get_migrations().iter().map(|one| i64::from(one.version())).max();
        for error in [writer(dir.path()).unwrap_err(), reader(dir.path()).unwrap_err()] {
            let StoreError::NewerSchema { found: 99, known } = error else { panic!("{error}") };
            assert_eq!(Some(known), newest);
            assert!(error.to_string().contains("upgrade chatd"), "{error}");
        }
        assert!(post_order(dir.path(), "{}", Millis(1)).is_err());
    }

    #[test]
    fn what_is_no_database_of_ours_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = database_path(dir.path());
        assert!(matches!(reader(dir.path()).unwrap_err(), StoreError::NotFound { .. }));
        assert!(matches!(post_order(dir.path(), "{}", Millis(1)).unwrap_err(), StoreError::NotFound { .. }));

        fs::write(&path, "these are my notes, not a database\n".repeat(100)).unwrap();
        for error in [writer(dir.path()).unwrap_err(), reader(dir.path()).unwrap_err()] {
            assert!(matches!(&error, StoreError::NotADatabase { path: named } if *named == path), "{error:?}");
        }

        fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute("CREATE TABLE recipes (cake)", []).unwrap();
        assert!(matches!(writer(dir.path()).unwrap_err(), StoreError::NotADatabase { .. }));
    }

    #[test]
    fn a_record_changed_by_hand_is_an_error_not_a_panic() {
        let dir = tempfile::tempdir().unwrap();
        let conn = writer(dir.path()).unwrap();
        conn.execute("UPDATE refinery_schema_history SET applied_on = 'yesterday'", []).unwrap();
        drop(conn);
        assert!(matches!(writer(dir.path()).unwrap_err(), StoreError::Damaged(_)));
    }

    #[test]
    fn an_interrupted_upgrade_leaves_the_old_state() {
        let dir = tempfile::tempdir().unwrap();
        let mut conn = writer(dir.path()).unwrap();
        let dump = |conn: &Connection| -> Vec<String> {
            let mut all = conn.prepare("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY 1").unwrap();
            all.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
        };
        let before = dump(&conn);
        let mut steps = embedded::migrations::runner().get_migrations().clone();
        steps.push(Migration::unapplied("V101__colour", "ALTER TABLE rooms ADD COLUMN colour TEXT;").unwrap());
        steps.push(
            Migration::unapplied("V102__broken", "CREATE TABLE paint (a); INSERT INTO nowhere VALUES (1);").unwrap(),
        );
        let error = migrate(&mut conn, Runner::new(&steps)).unwrap_err();
        assert!(matches!(&error, StoreError::Migration(why) if why.contains("nowhere")), "{error:?}");
        assert_eq!(dump(&conn), before);
        assert_eq!(version(&conn).unwrap(), known());
        drop(conn);
        reader(dir.path()).unwrap();

        steps.pop();
        let mut conn = writer(dir.path()).unwrap();
        migrate(&mut conn, Runner::new(&steps)).unwrap();
        assert_eq!(version(&conn).unwrap(), 101);
    }

    #[test]
    fn a_reader_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        drop(writer(dir.path()).unwrap());
        assert!(reader(dir.path()).unwrap().execute("INSERT INTO meta VALUES ('a', 1)", []).is_err());
    }
}
