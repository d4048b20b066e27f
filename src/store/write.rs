//! The one writing connection, its transactions, and what is written to the logs.
//!
//! A [`Tx`] keeps all or nothing: it is rolled back unless [`Tx::commit`] says `Ok`, and once a step has failed it
//! can only be dropped (SQLite itself may have rolled it back, and what came after would be kept piece by piece).
//! The writer is usable again after any failure, as soon as its cause is gone.

use std::borrow::Cow;
use std::cell::{Cell, RefCell, RefMut};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use crate::event::{Body, Event, EventId, Millis, Owner, RoomId, Seq, Who};
use crate::failpoint::{self, Step};

use super::error::{Result, StoreError};
use super::{Reads, open, signed};

/// The only connection that changes the database, but for [`super::post_order`].
pub struct Writer {
    reads: Reads,
    path: PathBuf,
    /// What is being given to the index: one buffer for all messages.
    words: RefCell<String>,
    /// The -wal file may hold what has been taken away.
    owes_checkpoint: Cell<bool>,
    /// A commit waits for the disk (`synchronous = FULL`).
    waits: Cell<bool>,
}

/// A transaction. Sees what it has written; nobody else does before it is committed.
pub struct Tx<'a> {
    writer: &'a Writer,
    given_up: Cell<bool>,
    /// Something is to be gone from the files, too.
    takes_away: Cell<bool>,
    /// Pages lose what nothing owned.
    rewrites: Cell<bool>,
    /// What is run for each event: looked up once in a transaction.
    append: RefCell<Option<Append<'a>>>,
}

struct Append<'a> {
    event: CachedStatement<'a>,
    /// For most events, which happen in one room and have no more than a text: six columns less to be bound to nothing.
    plain: CachedStatement<'a>,
    place: CachedStatement<'a>,
}

impl Writer {
    /// Opens, creates or upgrades the database. The caller holds the [`super::Lock`].
    pub fn open(data_dir: &Path) -> Result<Writer> {
        let conn = open::writer(data_dir)?;
        let path = open::database_path(data_dir);
        Ok(Writer {
            reads: Reads { conn },
            path,
            words: RefCell::default(),
            owes_checkpoint: Cell::new(true),
            waits: Cell::new(true),
        })
    }

    pub fn begin(&mut self) -> Result<Tx<'_>> {
        self.begin_waiting(true)
    }

    /// The same for what can be made again out of what is stored: it is whole after a crash or not there, but its commit does
    /// not wait for the disk. What is committed later waits for both.
    pub fn begin_lazily(&mut self) -> Result<Tx<'_>> {
        self.begin_waiting(false)
    }

    fn begin_waiting(&mut self, waits: bool) -> Result<Tx<'_>> {
        let conn = &self.reads.conn;
        if !conn.is_autocommit() {
            // A roll-back failed earlier.
            conn.execute_batch("ROLLBACK")?;
        }
        if self.waits.get() != waits {
            conn.execute_batch(if waits { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" })?;
            self.waits.set(waits);
        }
        failpoint::reached(Step::Begin)?;
        conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(Tx {
            writer: self,
            given_up: Cell::new(false),
            takes_away: Cell::new(false),
            rewrites: Cell::new(false),
            append: RefCell::default(),
        })
    }

    /// The same error, with its cause if that can be seen from outside.
    pub fn explained(&self, error: StoreError) -> StoreError {
        error.explained(&self.path)
    }

    /// Whether something was taken away that may still stand in the -wal file: until [`Writer::checkpoint`] has emptied it.
    /// So it is after opening, too: who wrote before may have been interrupted.
    pub fn owes_checkpoint(&self) -> bool {
        self.owes_checkpoint.get()
    }

    /// Moves what was committed from the -wal file into the database and empties it, or as much as the readers of the
    /// moment allow, without waiting for them. Says whether it is empty.
    pub fn checkpoint(&self) -> Result<bool> {
        failpoint::reached(Step::Checkpoint)?;
        let conn = &self.reads.conn;
        conn.busy_timeout(Duration::from_millis(20))?;
        let busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        conn.busy_timeout(open::BUSY)?;
        let whole = busy? == 0;
        failpoint::reached(Step::Checkpointed)?;
        if whole {
            self.owes_checkpoint.set(false);
        }
        Ok(whole)
    }
}

impl Deref for Writer {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.reads
    }
}

impl Deref for Tx<'_> {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.writer.reads
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        let conn = self.conn();
        // After a commit, or after SQLite rolled back by itself, there is nothing left to undo. If the roll-back fails,
        // the next `begin` tries again.
        if !conn.is_autocommit() {
            let _ = conn.execute_batch("ROLLBACK");
        }
    }
}

/// An event about to leave the log.
pub(super) struct Leaving {
    id: i64,
    pub time: i64,
    kind: i64,
    pub room: Option<i64>,
    actor: Option<i64>,
    pub text: Option<String>,
}

impl<'a> Append<'a> {
    fn prepare(conn: &'a Connection) -> Result<Append<'a>> {
        Ok(Append {
            event: conn.prepare_cached(
                "INSERT INTO events (id, time, kind, room_id, places, actor_id, actor, target_id, target, about, text, tags,
                                     cuts)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?,
            plain: conn.prepare_cached(
                "INSERT INTO events (id, time, kind, room_id, actor_id, actor, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            place: conn.prepare_cached("INSERT INTO log (room_id, seq, event_id, spoken) VALUES (?1, ?2, ?3, ?4)")?,
        })
    }
}

impl Tx<'_> {
    /// Durable when this returns `Ok`, unless it was begun lazily.
    pub fn commit(self) -> Result<()> {
        if self.takes_away.get() {
            self.note_taken()?;
        }
        self.step(|conn| {
            failpoint::reached(Step::Commit)?;
            conn.prepare_cached("COMMIT")?.execute([])?;
            Ok(())
        })?;
        failpoint::reached(Step::Committed)?;
        if self.takes_away.get() || self.rewrites.get() {
            self.writer.owes_checkpoint.set(true);
        }
        Ok(())
    }

    /// Adds the event to the logs of these rooms (nowhere: it is not kept). The index takes it in later: [`Tx::index`].
    /// Ids and times must not go back, and seqs must be above each room's head.
    pub fn append(&self, event: &Event, places: &[(RoomId, Seq)]) -> Result<()> {
        self.step(|_| {
            let room = match places {
                [] => return Ok(()),
                [(room, _)] => Some(room.0),
                _ => None,
            };
            let columns = Columns::of(&event.body);
            let kind = event.kind();
            let mut append = self.append.borrow_mut();
            let append = match &mut *append {
                Some(append) => append,
                none => none.insert(Append::prepare(&self.writer.reads.conn)?),
            };
            failpoint::reached(Step::Event)?;
            let (actor_id, actor) = event.actor.as_ref().map(|who| (who.id.0, &*who.nick)).unzip();
            let text = columns.text.as_deref();
            if room.is_some() && columns.is_plain() {
                append.plain.execute(params![event.id.0, event.time.0, kind as u8, room, actor_id, actor, text])?;
            } else {
                append.event.execute(params![
                    event.id.0,
                    event.time.0,
                    kind as u8,
                    room,
                    if room.is_none() { Some(signed(places.len())) } else { None },
                    actor_id,
                    actor,
                    columns.target.map(|who| who.id.0),
                    columns.target.map(|who| &*who.nick),
                    columns.about,
                    text,
                    columns.tags,
                    columns.cuts,
                ])?;
            }
            failpoint::reached(Step::Place)?;
            for (room, seq) in places {
                append.place.execute(params![room.0, signed(*seq), event.id.0, kind.is_spoken()])?;
            }
            Ok(())
        })
    }

    /// Blanks the text and tags of an event, and takes it out of the index: nothing of it is left in the tables, and
    /// no page of what was said counts it. `false`: there is no such event.
    pub fn redact(&self, target: EventId) -> Result<bool> {
        self.step(|conn| {
            let Some(event) = leaving(conn, target.0)? else { return Ok(false) };
            self.takes_away();
            self.take_out(&event)?;
            if let Some(room) = event.room.map(RoomId)
                && let Some(seq) = self.seq_of_event(room, target)?
            {
                conn.prepare_cached("UPDATE log SET spoken = 0 WHERE room_id = ?1 AND spoken = 1 AND seq = ?2")?
                    .execute([room.0, signed(seq)])?;
            }
            failpoint::reached(Step::Redact)?;
            conn.prepare_cached("UPDATE events SET text = NULL, tags = NULL, cuts = NULL WHERE id = ?1")?
                .execute([target.0])?;
            Ok(true)
        })
    }

    /// Removes the room with its log, members, invitations and markers. A long log takes long: [`Tx::prune`] it first,
    /// a transaction at a time.
    pub fn remove_room(&self, room: RoomId) -> Result<()> {
        self.prune(room, Millis(i64::MAX), usize::MAX)?;
        self.takes_away();
        self.step(|conn| {
            for sql in [
                "DELETE FROM members WHERE room_id = ?1",
                "DELETE FROM invites WHERE room_id = ?1",
                "DELETE FROM room_masks WHERE room_id = ?1",
                "DELETE FROM markers WHERE room_id = ?1",
                "DELETE FROM rooms WHERE id = ?1",
            ] {
                conn.prepare_cached(sql)?.execute([room.0])?;
            }
            Ok(())
        })?;
        self.remove_metadata(Owner::Room(room))
    }

    /// Runs one step. Any failure but a harmless one gives the transaction up.
    pub(super) fn step<T>(&self, step: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let conn = self.conn();
        if self.given_up.get() || conn.is_autocommit() {
            return Err(StoreError::GivenUp);
        }
        let result = step(conn);
        if result.as_ref().is_err_and(|error| !error.is_harmless()) {
            self.given_up.set(true);
        }
        result
    }

    /// To be said before something is taken away for good: the commit then owes a checkpoint, and the pages a sweep
    /// ([`super::remnants`]).
    pub fn takes_away(&self) {
        self.takes_away.set(true);
    }

    /// The commit owes a checkpoint, and nothing else.
    pub(super) fn rewrites(&self) {
        self.rewrites.set(true);
    }

    fn conn(&self) -> &Connection {
        &self.writer.reads.conn
    }

    pub(super) fn words(&self) -> RefMut<'_, String> {
        self.writer.words.borrow_mut()
    }

    pub(super) fn take_out(&self, event: &Leaving) -> Result<()> {
        let (Some(room), Some(text), 1 | 2) = (event.room, &event.text, event.kind) else { return Ok(()) };
        self.unindex(event.id, room, event.actor, text)
    }
}

pub(super) fn leaving(conn: &Connection, id: i64) -> Result<Option<Leaving>> {
    let mut statement =
        conn.prepare_cached("SELECT id, time, kind, room_id, actor_id, text FROM events WHERE id = ?1")?;
    let event = statement.query_row([id], |row| {
        Ok(Leaving {
            id: row.get(0)?,
            time: row.get(1)?,
            kind: row.get(2)?,
            room: row.get(3)?,
            actor: row.get(4)?,
            text: row.get(5)?,
        })
    });
    Ok(event.optional()?)
}

/// What of a body goes into which column; `history::event` reads it back.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub target: Option<&'a Who>,
    about: Option<i64>,
    pub text: Option<Cow<'a, str>>,
    pub tags: Option<&'a str>,
    pub cuts: Option<String>,
}

impl<'a> Columns<'a> {
    /// Nothing but a text, if that.
    fn is_plain(&self) -> bool {
        self.target.is_none() && self.about.is_none() && self.tags.is_none() && self.cuts.is_none()
    }

    pub(super) fn of(body: &'a Body) -> Columns<'a> {
        fn filled(text: &str) -> Option<Cow<'_, str>> {
            (!text.is_empty()).then_some(Cow::Borrowed(text))
        }
        match body {
            Body::Said { speech: _, to, text, tags, cuts } => Columns {
                target: to.as_ref(),
                text: filled(text),
                tags: (!tags.is_empty()).then_some(&**tags),
                cuts: (!cuts.is_empty()).then(|| cuts.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")),
                about: None,
            },
            Body::Kick { target, reason } => {
                Columns { target: Some(target), text: filled(reason), ..Columns::default() }
            }
            Body::Invite { target } => Columns { target: Some(target), ..Columns::default() },
            Body::Redacted { target, of, reason } => {
                Columns { about: Some(target.0), target: of.as_ref(), text: filled(reason), ..Columns::default() }
            }
            // Names have no blanks.
            Body::Renamed { old, new, reason } => {
                let text = if reason.is_empty() { format!("{old} {new}") } else { format!("{old} {new} {reason}") };
                Columns { text: Some(text.into()), ..Columns::default() }
            }
            Body::Join { realname: text }
            | Body::Part { reason: text }
            | Body::Quit { reason: text }
            | Body::Topic { text }
            | Body::Mode { changes: text }
            | Body::Created { modes: text } => Columns { text: filled(text), ..Columns::default() },
            Body::Reset => Columns::default(),
        }
    }
}
