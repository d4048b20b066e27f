//! A few connections that only read, each used by one blocking call at a time: SQLite never runs on an async thread.
//! Whoever asks while all are busy waits in line; the line is as long as there are sessions, since a session asks one
//! thing at a time.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::event::{AccountId, EventId, Millis, RoomId, Seq};
use crate::store::{
    AccountRow, AuditQuery, AuditRow, BanRow, CertificateRow, DeviceRow, Due, Gap, InvitationRow, Kinds, Littered,
    Missed, Reader, RoomRow, RoomStats, StoreError, Terms, TokenRow,
};

use super::erase::{EraseStep, next_step};
use super::tail::Entry;

#[derive(Clone)]
pub struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    data_dir: PathBuf,
    permits: Semaphore,
    searching: Semaphore,
    idle: Mutex<Vec<Reader>>,
    reads: Counter,
}

impl Readers {
    /// Opens one connection at once, to find faults early; the others when they are needed.
    pub fn open(data_dir: &Path, most: usize, reads: Counter) -> Result<Readers, StoreError> {
        let first = Reader::open(data_dir)?;
        let inner = Inner {
            data_dir: data_dir.to_owned(),
            permits: Semaphore::new(most.max(1)),
            searching: Semaphore::new(1),
            idle: vec![first].into(),
            reads,
        };
        Ok(Readers { inner: Arc::new(inner) })
    }

    /// At most `limit` entries of a room from place `from` on.
    pub async fn range(&self, room: RoomId, from: Seq, limit: usize) -> Result<Vec<(Seq, Arc<Entry>)>, StoreError> {
        let rows = self.read(move |reader| reader.read(room, from, limit)).await?;
        Ok(rows.into_iter().map(|(seq, event)| (seq, Entry::new(event))).collect())
    }

    /// The newest `limit` lines that people said before place `before`, oldest first.
    pub async fn spoken_before(&self, room: RoomId, before: Seq, limit: usize) -> Result<Vec<Arc<Entry>>, StoreError> {
        let rows = self.read(move |reader| reader.read_back(room, before, limit, Kinds::Spoken)).await?;
        Ok(rows.into_iter().map(|(_, event)| Entry::new(event)).collect())
    }

    /// The place of the first entry of a room after this event.
    pub async fn place_after(&self, room: RoomId, event: EventId) -> Result<Seq, StoreError> {
        self.read(move |reader| reader.seq_after_event(room, event)).await
    }

    /// What follows from a gap in what somebody has seen of a room.
    pub async fn missed(&self, room: RoomId, gap: Gap) -> Result<Missed, StoreError> {
        self.read(move |reader| reader.missed(room, &gap)).await
    }

    /// The same of several rooms up to the given places, the one with the newest line last.
    pub async fn missed_in(
        &self,
        rooms: Vec<(RoomId, Seq)>,
        since: EventId,
        most: usize,
        in_all: usize,
    ) -> Result<Vec<(RoomId, Seq, Missed)>, StoreError> {
        self.read(move |reader| reader.missed_in(&rooms, since, most, in_all)).await
    }

    /// At most `limit` lines that people said from place `from` on, up to `head`.
    pub async fn spoken(
        &self,
        room: RoomId,
        from: Seq,
        head: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Arc<Entry>)>, StoreError> {
        let rows =
            self.read(move |reader| reader.read_forward(room, from.saturating_sub(1), limit, Kinds::Spoken)).await?;
        Ok(rows.into_iter().filter(|(seq, _)| *seq <= head).map(|(seq, event)| (seq, Entry::new(event))).collect())
    }

    /// The account of this name (its comparison form), removed ones too.
    pub async fn account(&self, key: String) -> Result<Option<AccountRow>, StoreError> {
        self.read(move |reader| reader.account_by_key(&key)).await
    }

    /// The account's named devices, the one used last first.
    pub async fn devices(&self, account: AccountId) -> Result<Vec<DeviceRow>, StoreError> {
        self.read(move |reader| reader.devices(account)).await
    }

    /// The account whose name looks like this, removed ones too.
    pub async fn account_like(&self, skeleton: String) -> Result<Option<AccountRow>, StoreError> {
        self.read(move |reader| reader.accounts_by_skeleton(&skeleton)).await
    }

    /// The account, whatever its state, that the certificate with this fingerprint is for.
    pub async fn account_by_certificate(
        &self,
        fingerprint: Arc<str>,
    ) -> Result<Option<(AccountRow, bool)>, StoreError> {
        self.read(move |reader| reader.account_by_certificate(&fingerprint)).await
    }

    pub async fn certificates(&self, account: AccountId) -> Result<Vec<CertificateRow>, StoreError> {
        self.read(move |reader| reader.certificates(account)).await
    }

    /// The token with this hash and its account, whatever its state.
    pub async fn account_by_token(&self, hash: String) -> Result<Option<(AccountRow, TokenRow)>, StoreError> {
        self.read(move |reader| reader.account_by_token(&hash)).await
    }

    pub async fn tokens(&self, account: AccountId) -> Result<Vec<TokenRow>, StoreError> {
        self.read(move |reader| reader.tokens(account)).await
    }

    /// All bans and mutes, expired ones too.
    pub async fn bans(&self) -> Result<Vec<BanRow>, StoreError> {
        self.read(|reader| reader.bans()).await
    }

    /// The newest acts of administrators that answer this.
    pub async fn audit(&self, query: AuditQuery) -> Result<Vec<AuditRow>, StoreError> {
        self.read(move |reader| reader.audit(&query)).await
    }

    /// All accounts by name, removed ones too.
    pub async fn accounts(&self) -> Result<Vec<AccountRow>, StoreError> {
        self.read(|reader| reader.accounts()).await
    }

    /// At most `limit` rooms behind the one with this key (in the order of their keys), with their figures.
    pub async fn rooms_after(&self, key: String, limit: usize) -> Result<Vec<(RoomRow, RoomStats)>, StoreError> {
        self.read(move |reader| {
            let mut rooms = reader.rooms()?;
            rooms.sort_by(|one, other| one.key.cmp(&other.key));
            let rooms = rooms.into_iter().filter(|room| room.key > key).take(limit);
            rooms.map(|room| reader.room_stats(room.id).map(|stats| (room, stats))).collect()
        })
        .await
    }

    /// The first room from this id on in which something is older than its term.
    pub async fn due(&self, terms: Terms, now: Millis, from: RoomId) -> Result<Option<Due>, StoreError> {
        self.look(move |reader| reader.due(terms, now, from)).await
    }

    /// What is to be done next of erasing somebody, at most so many entries at once.
    pub async fn erase_step(&self, limit: usize) -> Result<Option<EraseStep>, StoreError> {
        self.look(move |reader| next_step(reader, limit)).await
    }

    /// Whether the pages can be looked through.
    pub async fn can_sweep(&self) -> Result<bool, StoreError> {
        self.look(|reader| reader.can_sweep()).await
    }

    /// How many removals there were, if the pages were not swept since.
    pub async fn unswept(&self) -> Result<Option<i64>, StoreError> {
        self.look(|reader| reader.unswept()).await
    }

    /// Looks through `count` pages from this one on for what SQLite has left behind.
    pub async fn littered(&self, from: u32, count: u32) -> Result<Littered, StoreError> {
        self.look(move |reader| reader.littered(from, count)).await
    }

    /// The invitation code with this hash.
    pub async fn invitation(&self, hash: String) -> Result<Option<InvitationRow>, StoreError> {
        self.read(move |reader| reader.invitation(&hash)).await
    }

    /// What administrators have ordered and nobody has answered.
    pub async fn open_orders(&self) -> Result<Vec<(i64, String)>, StoreError> {
        self.look(|reader| reader.open_orders()).await
    }

    /// The right to search, for one at a time.
    pub(super) async fn turn_to_search(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.inner.searching.acquire().await.map_err(|_| StoreError::other("the server is stopping"))
    }

    /// Runs `work` with a connection, away from the async threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.reads.inc();
        self.look(work).await
    }

    /// The same for what the server asks for its own sake, over and over: it is in no figure.
    async fn look<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        let stopped = |_| StoreError::other("the server is stopping");
        let permit = self.inner.permits.acquire().await.map_err(|_| StoreError::other("the server is stopping"))?;
        let result = tokio::task::spawn_blocking(move || {
            let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let reader = match idle {
                Some(reader) => reader,
                None => Reader::open(&inner.data_dir)?,
            };
            let result = work(&reader);
            inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
            result
        });
        let result = result.await.map_err(|_: tokio::task::JoinError| ()).map_err(stopped)?;
        drop(permit);
        result
    }
}
