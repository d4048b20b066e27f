//! The writer thread and the publisher task. What has piled up while the last commit was syncing goes into the next one;
//! the load makes the groups, and only where very many readers are woken a timer does ([`Pace`]). The thread decides and
//! commits; the task makes visible and rings, so that the next group is on its way to the disk while the last one is on its
//! way to the people.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::event::{Event, EventId, Note, NoteBody, RoomId};
use crate::failpoint::{self, Step};
use crate::live::{Ack, Bans, Mailbox, Outlaw, Receipt, Roster, Watches};
use crate::room::Refusal;
use crate::store::{StoreError, Writer};

use super::bans;
use super::core::{Commit, Core, Effect, Settings};
use super::credentials::Which;
use super::directory::Directory;
use super::figures::Figures;
use super::metadata;
use super::pace::Pace;
use super::readers::Readers;
use super::tail::{Entry, TailBudget};
use super::world::Intent;

/// Submissions that wait at most; when full, submitting waits, and so do the clients who submit.
const QUEUE: usize = 4096;
/// Intents in one transaction at most.
const GROUP: usize = 2048;
/// Commits that wait to be made visible; when full, the writer waits.
const COMMITS: usize = 4;
/// How long messages wait for the index when they are few.
const INDEX_AFTER: Duration = Duration::from_secs(1);
/// How long a checkpoint that is owed waits after one that readers were in the way of.
const CHECKPOINT_AGAIN: Duration = Duration::from_secs(1);
/// Connections for reading.
const READERS: usize = 3;

/// Who is told what came of a submission.
pub enum Reply {
    /// A session that goes on meanwhile; it finds the answer before it finds the event.
    Mailbox {
        mailbox: Arc<Mailbox>,
        nonce: u64,
    },
    /// Somebody who waits; told when all of it is visible.
    Once(oneshot::Sender<Result<Receipt, Refusal>>),
    Nobody,
}

enum Submission {
    Intent(Intent, Reply),
    /// Nothing much happens: the index may catch up.
    Index,
    Stop,
}

/// The log has ended; nothing can be submitted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is stopping")]
pub struct LogClosed;

/// The handle everybody holds.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
}

struct Shared {
    submissions: mpsc::Sender<Submission>,
    committed: Arc<AtomicU64>,
    /// The writer waits to empty the write-ahead log: it is to be given an occasion.
    owes_checkpoint: Arc<AtomicBool>,
    published: watch::Sender<u64>,
    watermark: AtomicI64,
    directory: Arc<Directory>,
    roster: Arc<Roster>,
    watches: Arc<Watches>,
    bans: Bans,
    readers: Readers,
    figures: Figures,
    tails: Arc<TailBudget>,
    spent: Arc<Spent>,
    erasing: Notify,
}

/// Entries that the tails keep no longer, hollow and on their way back to the thread that made them: where one thread gives
/// back what another took, both wait for each other all the time. It takes them with its next group, so there are never more
/// than a few commits have pushed out.
type Spent = Mutex<Vec<Arc<Entry>>>;

/// The thread and the task behind a [`Log`].
pub struct Running {
    writer: JoinHandle<()>,
    publisher: tokio::task::JoinHandle<()>,
}

impl Running {
    /// Waits until everything submitted before [`Log::stop`] is committed and visible.
    pub async fn ended(self) {
        let writer = tokio::task::spawn_blocking(move || self.writer.join());
        if !matches!(writer.await, Ok(Ok(()))) {
            tracing::error!("the writer ended badly");
        }
        if self.publisher.await.is_err() {
            tracing::error!("the publisher ended badly");
        }
    }
}

impl Log {
    /// Opens the store and starts. The caller holds the data directory's lock.
    pub fn start(data_dir: &Path, clock: Clock, settings: Settings) -> Result<(Log, Running), StoreError> {
        let store = Writer::open(data_dir)?;
        let directory = Arc::new(Directory::default());
        let roster = Arc::new(Roster::default());
        let bans = bans::load(&store, clock())?;
        let core = Core::open(store, clock, settings, &directory, &roster)?;
        let figures = Figures::new();
        let readers = Readers::open(data_dir, READERS, figures.store_reads.clone())?;
        let (submissions, inbox) = mpsc::channel(QUEUE);
        let (commits, outbox) = mpsc::channel(COMMITS);
        let committed = Arc::new(AtomicU64::new(0));
        let owes_checkpoint = Arc::new(AtomicBool::new(core.owes_checkpoint()));
        let spent = Arc::new(Spent::default());
        let shared = Arc::new(Shared {
            submissions,
            committed: committed.clone(),
            owes_checkpoint: owes_checkpoint.clone(),
            published: watch::Sender::new(0),
            watermark: AtomicI64::new(core.last_event().0),
            directory,
            roster,
            watches: Arc::default(),
            bans,
            readers,
            figures: figures.clone(),
            tails: core.tails(),
            spent: spent.clone(),
            erasing: Notify::new(),
        });
        let writer = std::thread::Builder::new()
            .name("chatd-writer".to_owned())
            .spawn(move || write(core, inbox, commits, &committed, &owes_checkpoint, &spent, &figures))
            .map_err(|error| StoreError::other(format!("no thread for the writer: {error}")))?;
        let publisher = tokio::spawn(publish(shared.clone(), outbox));
        Ok((Log { shared }, Running { writer, publisher }))
    }

    /// Hands an intent to the writer; waits while the queue is full.
    pub async fn submit(&self, intent: Intent, reply: Reply) -> Result<(), LogClosed> {
        self.shared.submissions.send(Submission::Intent(intent, reply)).await.map_err(|_| LogClosed)
    }

    /// Hands an intent to the writer if there is room in the queue; gives it back if there is not, or nobody takes it.
    #[allow(clippy::result_large_err, reason = "it is what was given, and goes on in a moment")]
    pub fn try_submit(&self, intent: Intent, reply: Reply) -> Result<(), (Intent, Reply)> {
        use mpsc::error::TrySendError::{Closed, Full};
        match self.shared.submissions.try_send(Submission::Intent(intent, reply)) {
            Err(Full(Submission::Intent(intent, reply)) | Closed(Submission::Intent(intent, reply))) => {
                Err((intent, reply))
            }
            // There was nothing else in it.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Submits and waits until what came of it is committed and visible.
    pub async fn ask(&self, intent: Intent) -> Result<Receipt, Refusal> {
        let closed = |_| Refusal::NotStored("Not stored: the server is stopping".into());
        let (reply, answer) = oneshot::channel();
        self.submit(intent, Reply::Once(reply)).await.map_err(|_| ()).map_err(closed)?;
        answer.await.map_err(|_| ()).map_err(closed)?
    }

    /// The writer ends after what has been submitted; later submissions fail.
    pub async fn stop(&self) {
        let _already_ended = self.shared.submissions.send(Submission::Stop).await;
    }

    /// Waits until nothing can be submitted any more: after [`Log::stop`], or because the writer has died.
    pub async fn closed(&self) {
        self.shared.submissions.closed().await;
    }

    /// All events up to this one are visible in all rooms, and their bells have rung.
    pub fn watermark(&self) -> EventId {
        EventId(self.shared.watermark.load(Ordering::Acquire))
    }

    /// Waits until all that is committed by now is visible.
    pub async fn catch_up(&self) {
        let goal = self.shared.committed.load(Ordering::Acquire);
        let mut published = self.shared.published.subscribe();
        let _publisher_gone = published.wait_for(|serial| *serial >= goal).await;
    }

    /// Waits until somebody is to be erased.
    pub async fn erasing(&self) {
        self.shared.erasing.notified().await;
    }

    pub fn is_closed(&self) -> bool {
        self.shared.submissions.is_closed()
    }

    pub fn figures(&self) -> &Figures {
        &self.shared.figures
    }

    /// How much waits for the writer.
    pub fn waiting(&self) -> usize {
        self.shared.submissions.max_capacity() - self.shared.submissions.capacity()
    }

    /// What the rooms' tails hold in memory, by estimate.
    pub fn tail_bytes(&self) -> usize {
        self.shared.tails.used()
    }

    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Who watches whom; what of it is told when is the sessions' business, but for changes of metadata.
    pub fn watches(&self) -> &Arc<Watches> {
        &self.shared.watches
    }

    pub fn roster(&self) -> &Roster {
        &self.shared.roster
    }

    pub fn bans(&self) -> &Bans {
        &self.shared.bans
    }

    pub fn readers(&self) -> &Readers {
        &self.shared.readers
    }
}

fn write(
    mut core: Core,
    mut inbox: mpsc::Receiver<Submission>,
    commits: mpsc::Sender<(Commit, Vec<Reply>)>,
    committed: &AtomicU64,
    owes_checkpoint: &AtomicBool,
    spent: &Spent,
    figures: &Figures,
) {
    let mut group = Vec::new();
    let mut intents = Vec::new();
    let mut index = false;
    let mut in_the_way = None;
    let mut pace = Pace::new(Instant::now());
    while inbox.blocking_recv_many(&mut group, GROUP) > 0 {
        if let Some(wait) = pace.wait(Instant::now()).filter(|_| group.len() < GROUP) {
            std::thread::sleep(wait);
            group.extend(std::iter::from_fn(|| inbox.try_recv().ok()).take(GROUP - group.len()));
        }
        let done_with = std::mem::take(&mut *spent.lock().unwrap_or_else(PoisonError::into_inner));
        drop(done_with);
        let mut replies = Vec::with_capacity(group.len());
        for submission in group.drain(..) {
            match submission {
                Submission::Intent(intent, reply) => {
                    intents.push(intent);
                    replies.push(reply);
                }
                Submission::Index => index = true,
                Submission::Stop => inbox.close(),
            }
        }
        if !intents.is_empty() {
            let began = Instant::now();
            let commit = core.commit(&intents);
            figures.count(&commit, began.elapsed());
            committed.fetch_add(1, Ordering::Release);
            // Who waits for an answer is woken by that.
            let readers: usize = commit.growth.iter().map(|growth| growth.room.readers()).sum();
            pace.committed(began, readers.saturating_sub(intents.len()));
            intents.clear();
            owes_checkpoint.store(core.owes_checkpoint(), Ordering::Release);
            if commits.blocking_send((commit, replies)).is_err() {
                break;
            }
        }
        // What was taken away still stands in the write-ahead log until that is emptied: at once, or as soon as no reader
        // is in the way.
        if core.owes_checkpoint() && in_the_way.is_none_or(|since: Instant| since.elapsed() >= CHECKPOINT_AGAIN) {
            let whole = core.checkpoint();
            if let Err(error) = &whole {
                tracing::debug!(%error, "the write-ahead log keeps what was taken away for a while");
            }
            in_the_way = (!matches!(whole, Ok(true))).then(Instant::now);
            owes_checkpoint.store(core.owes_checkpoint(), Ordering::Release);
        }
        core.index(std::mem::take(&mut index));
    }
    core.index(true);
    if let Err(error) = core.checkpoint() {
        tracing::warn!(%error, "the write-ahead log stays for the next start");
    }
}

async fn publish(shared: Arc<Shared>, mut commits: mpsc::Receiver<(Commit, Vec<Reply>)>) {
    let index = tokio::time::sleep(INDEX_AFTER);
    tokio::pin!(index);
    let mut behind = true;
    loop {
        tokio::select! {
            commit = commits.recv() => {
                let Some((commit, replies)) = commit else { break };
                let owed = shared.owes_checkpoint.load(Ordering::Acquire);
                if !behind && (owed || !commit.growth.is_empty()) {
                    behind = true;
                    index.as_mut().reset(tokio::time::Instant::now() + INDEX_AFTER);
                }
                publish_one(&shared, commit, replies);
            }
            () = &mut index, if behind => {
                // A checkpoint may find a reader in its way once more.
                behind = shared.owes_checkpoint.load(Ordering::Acquire);
                index.as_mut().reset(tokio::time::Instant::now() + INDEX_AFTER);
                // With a full queue there is no time for it, and the next commit sets the clock again.
                let _no_time = shared.submissions.try_send(Submission::Index);
            }
        }
    }
}

/// The order matters: answers lie ready before their events can be seen; all rooms have grown, who came into a
/// new one knows it, and all bells are marked before the watermark says so; the sessions wake last.
fn publish_one(shared: &Shared, commit: Commit, replies: Vec<Reply>) {
    let _can_only_die = failpoint::reached(Step::Publish);
    let mut wake = Vec::with_capacity(replies.len());
    let mut waiting = Vec::new();
    for (reply, outcome) in replies.into_iter().zip(commit.outcomes) {
        match reply {
            Reply::Mailbox { mailbox, nonce } => {
                mailbox.ack(Ack { nonce, outcome });
                wake.push(mailbox);
            }
            Reply::Once(waiter) => waiting.push((waiter, outcome)),
            Reply::Nobody => {}
        }
    }
    let mut later = Vec::new();
    for effect in commit.effects {
        match effect {
            Effect::RoomLoaded { key, room } => shared.directory.add(&key, room),
            Effect::Renamed { room, old, key } => shared.directory.rename(room, &old, &key),
            Effect::Account { key, person } => shared.roster.add(&key, person),
            other => later.push(other),
        }
    }
    let mut grown = Vec::with_capacity(commit.growth.len());
    let mut spent = Vec::new();
    for growth in commit.growth {
        growth.room.grow(growth.entries, growth.state, &mut spent);
        grown.push(growth.room);
    }
    later.into_iter().for_each(|effect| take_effect(shared, effect));
    grown.iter().for_each(|room| room.mark_bells());
    shared.watermark.store(commit.last.0, Ordering::Release);
    grown.iter().for_each(|room| room.wake_readers());
    wake.iter().for_each(|mailbox| mailbox.wake());
    shared.published.send_modify(|serial| *serial += 1);
    for (waiter, outcome) in waiting {
        let _waiter_gone = waiter.send(outcome);
    }
    // Who still reads one gives it back, wherever that is.
    spent.iter_mut().filter_map(Arc::get_mut).for_each(Entry::hollow);
    shared.spent.lock().unwrap_or_else(PoisonError::into_inner).append(&mut spent);
    let _can_only_die = failpoint::reached(Step::Published);
}

fn take_effect(shared: &Shared, effect: Effect) {
    match effect {
        Effect::RoomLoaded { .. } | Effect::Account { .. } | Effect::Renamed { .. } => {}
        Effect::Present { account, room, inside } => {
            if let Some(person) = shared.roster.by_id(account) {
                person.set_in(room, inside);
            }
        }
        Effect::RoomGone { room } => {
            room.mark_removed();
            shared.directory.remove(room.id);
            let mut readers = Vec::new();
            room.each_reader(|mailbox| readers.push(mailbox.account));
            readers.into_iter().filter_map(|id| shared.roster.by_id(id)).for_each(|p| p.set_in(room.id, false));
        }
        Effect::Invited { target, by, room } => {
            if let Some(person) = shared.roster.by_id(target) {
                let time = crate::clock::now();
                let body = NoteBody::Invited { nick: person.nick.clone(), room };
                person.tell(&Arc::new(Note { time, actor: by, session: 0, body }));
            }
        }
        Effect::AccountGone { account } => {
            shared.roster.remove(account);
        }
        Effect::EndSessions { account, which, reason } => {
            if let Some(person) = shared.roster.by_id(account) {
                if !matches!(which, Which::By(_) | Which::ByToken(_)) {
                    person.end_grants();
                }
                person.each_session_on(|mailbox, device| {
                    if which.holds(mailbox, device) {
                        mailbox.end(reason.clone());
                    }
                });
            }
        }
        Effect::Banned { outlaw, ban, now } => {
            shared.bans.expire(now);
            match ban {
                Some(ban) => shared.bans.put(outlaw, ban),
                None => shared.bans.remove(outlaw),
            }
            // Each session knows its own address. Who is on its way in looks when it is.
            if matches!(outlaw, Outlaw::Network(_)) {
                shared.roster.online().iter().for_each(|person| person.each_session(|mailbox| mailbox.doubt_address()));
            }
        }
        Effect::Described { owner, by, session, time, changes } => {
            metadata::put(&shared.directory, &shared.roster, owner, &changes);
            let listeners =
                metadata::Listeners { directory: &shared.directory, roster: &shared.roster, watches: &shared.watches };
            listeners.tell(owner, by, session, time, changes);
        }
        Effect::Marked { account, session, target, time } => {
            if let Some(person) = shared.roster.by_id(account) {
                let body = NoteBody::Marked { target, time };
                person.tell(&Arc::new(Note { time, actor: person.who(), session, body }));
            }
        }
        Effect::Forget { room } => room.forget_entries(),
        Effect::Redacted { room, target } => room.redact(target),
        Effect::Erasing => shared.erasing.notify_one(),
        Effect::Rewritten { events } => rewrite(&shared.directory, &events),
    }
}

/// Events that are others now, into the tails that have them.
pub(super) fn rewrite(directory: &Directory, events: &[(Option<RoomId>, Event)]) {
    let mut of_rooms: BTreeMap<RoomId, Vec<&Event>> = BTreeMap::new();
    let mut anywhere = Vec::new();
    for (room, event) in events {
        match room {
            Some(room) => of_rooms.entry(*room).or_default().push(event),
            None => anywhere.push(event),
        }
    }
    for (room, events) in of_rooms {
        directory.by_id(room).iter().for_each(|room| room.rewrite(&events));
    }
    if !anywhere.is_empty() {
        directory.channels().iter().for_each(|room| room.rewrite(&anywhere));
    }
}
