//! One client, one task, which owns all its state: registration, commands, delivery. Knows the protocol and the log;
//! nothing of the store's SQL or of the configuration file. A session holds cursors, not queues: what its client does
//! not read stays in the log, and what its client may send ahead is bounded by the windows below.

mod admitted;
mod commands;
mod converse;
mod credentials;
mod deliver;
mod help;
mod history;
mod info;
mod invitations;
mod list;
mod markers;
mod metadata;
mod missed;
mod modes;
mod monitor;
mod multiline;
mod outlaws;
mod people;
mod powers;
mod presence;
mod redact;
mod register;
mod rename;
mod reply;
mod rooms;
mod search;
mod service;
mod talk;
mod upkeep;
mod user_modes;
mod who;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use prometheus_client::metrics::counter::Counter;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Logins;
use crate::clock::Clock;
use crate::event::{AccountId, EventId, Millis, NoteBody, RoomId, Seq};
use crate::live::{Certificate, Grant, Mailbox, Person, Watches};
use crate::log::{Cursor, Intent, Log, Proof, Reply, Room, StoreError};
use crate::net::limits::{LoginThrottle, PlaceThrottle, Rate, TokenBucket};
use crate::proto::caps::{Cap, CapSet, Negotiation};
use crate::proto::device::DeviceName;
use crate::proto::tags::TagFilter;
use crate::room::Actor;

pub use admitted::{Admitted, log_in, serve};

use deliver::Since;
use metadata::Listening;
use missed::{Missing, Past};
use monitor::Monitored;
use presence::{Place, Presence};
use reply::{Answer, Mine};

/// Sessions that begin at the same time; others who have logged in wait for their turn, which depends on no client. When
/// everybody comes back after a restart, those who are back and talk stand behind so many of them, not behind all.
const COMING_IN: usize = 128;

/// What all sessions share.
pub struct Context {
    pub log: Log,
    pub logins: ArcSwap<Logins>,
    pub throttle: LoginThrottle,
    /// Accounts asked for by newcomers.
    pub newcomers: PlaceThrottle,
    pub settings: ArcSwap<Settings>,
    /// What clients are told of TLS.
    pub strict: ArcSwap<Option<StrictTransport>>,
    pub info: Arc<Info>,
    pub clock: Clock,
    pub figures: Figures,
    /// Who is told when somebody comes or goes.
    pub watches: Arc<Watches>,
    /// An administrator wants the configuration to be read anew.
    pub rehash: Notify,
    /// Cancelled when the server stops.
    pub stopping: CancellationToken,
    /// What must end before the server does.
    pub tasks: TaskTracker,
    /// See [`COMING_IN`].
    door: Semaphore,
    session_ids: AtomicU64,
    most_online: AtomicUsize,
    /// Connections that are not logged in yet.
    unregistered: AtomicUsize,
}

/// What the sessions count, for whoever shows it.
#[derive(Debug, Default)]
pub struct Figures {
    pub logins: Counter,
    pub logins_failed: Counter,
}

/// What does not change while the server runs.
pub struct Info {
    /// The server's name: the source of its own lines, and the host of everybody.
    pub name: String,
    pub network: String,
    pub started: Millis,
}

/// What may change when the configuration is read anew; a session keeps what it began with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub motd: String,
    /// The address of a picture, or empty.
    pub icon: String,
    /// How administrators are reached, or empty.
    pub admin_contact: String,
    pub replay_lines: usize,
    pub missed_lines: usize,
    pub page_lines: usize,
    pub rooms_per_account: usize,
    pub messages_per_second: u32,
    pub message_burst: u32,
    pub flood_delay_max: Duration,
    pub registration_timeout: Duration,
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    pub write_deadline: Duration,
    pub presence_grace: Duration,
    pub client_tags: TagFilter,
    /// How long people may take back what they said; `None`: for ever.
    pub redaction_window: Option<Duration>,
    pub newcomers: Newcomers,
}

/// For how long clients are to use nothing but TLS with this server's name (`sts`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrictTransport {
    /// Zero: they are to forget what they were told.
    pub duration: Duration,
    /// The certificate is believed until then; afterwards nobody is told.
    pub until: Millis,
}

/// Who may make an account for themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newcomers {
    /// Nobody.
    Closed,
    /// Whoever has the code of an invitation.
    Invite,
    Open,
}

impl Context {
    pub fn new(
        log: Log,
        logins: Logins,
        (throttle, newcomers): (LoginThrottle, PlaceThrottle),
        settings: Settings,
        info: Info,
        clock: Clock,
        stopping: CancellationToken,
    ) -> Arc<Context> {
        Arc::new(Context {
            watches: log.watches().clone(),
            log,
            logins: ArcSwap::from_pointee(logins),
            throttle,
            newcomers,
            settings: ArcSwap::from_pointee(settings),
            strict: ArcSwap::default(),
            info: Arc::new(info),
            clock,
            figures: Figures::default(),
            rehash: Notify::new(),
            stopping,
            tasks: TaskTracker::new(),
            door: Semaphore::new(COMING_IN),
            session_ids: AtomicU64::new(1),
            most_online: AtomicUsize::new(0),
            unregistered: AtomicUsize::new(0),
        })
    }

    /// Notes how many are online; the most there ever were.
    fn count_online(&self, now: usize) -> usize {
        self.most_online.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

/// Who is at the other end of a connection, before anything was said.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: IpAddr,
    /// Since when it is there; its time to log in runs from then.
    pub since: Instant,
    /// The fingerprint (SHA-256, lower-case hex) of the client certificate whose key it holds.
    pub certificate: Option<Arc<str>>,
}

/// A message that the log has not answered yet.
struct Pending {
    nonce: u64,
    label: Option<String>,
    command: &'static str,
    target: Arc<str>,
}

/// A PING waits here until everything it is to be a fence for has been written.
struct Fence {
    goal: EventId,
    token: String,
    label: Option<String>,
}

/// A line that cannot be taken yet.
struct Deferred {
    line: String,
    until: Option<Instant>,
}

/// What a client brings along from before its login.
struct Arrival {
    negotiation: Negotiation,
    realname: Arc<str>,
    proof: Proof,
    device: DeviceName,
    away: Option<Arc<str>>,
    peer: Peer,
}

/// A logged-in client. What each delivery looks at stands side by side, from the end of `presence` to the beginning of
/// `pulse`, which is why the order of the fields is fixed: when a thousand readers are woken one after the other, nothing
/// of theirs is in the processor's cache any more.
#[repr(C, align(64))]
pub struct Session {
    presence: Presence,
    mailbox: Arc<Mailbox>,
    ctx: Arc<Context>,
    /// The id of `person`.
    me: AccountId,
    negotiation: Negotiation,
    rooms_changed: bool,
    /// Lines were read, and what they lay in has not been given back yet: see [`crate::net::framing::LineReader::next`].
    reading: bool,
    /// Rooms that have rung and are not written to their end.
    grown: SmallVec<[RoomId; 2]>,
    /// By numbers that are ours, so nobody outside chooses them.
    cursors: FxHashMap<RoomId, Cursor>,
    last_shown: EventId,
    /// All up to this event has been put into `out`.
    drained: EventId,
    out: BytesMut,
    ending: Option<Arc<str>>,
    fence: Option<Box<Fence>>,
    deferred: Option<Box<Deferred>>,
    pending: VecDeque<Pending>,
    mine: VecDeque<Mine>,
    /// Rooms that wait to be entered, while there is room for what they say.
    entering: VecDeque<(Arc<Room>, Since)>,
    /// Missed lines that are being told.
    missing: VecDeque<Missing>,
    /// Rooms of direct messages whose missed lines are told after that, up to these places.
    missed: Vec<(RoomId, Seq)>,
    /// A page of history that is being told.
    telling: Option<Box<history::Telling>>,
    /// Only of clients that use METADATA.
    listening: Option<Box<Listening>>,
    /// A long message that is coming in.
    open: Option<Box<multiline::Open>>,
    pulse: upkeep::Pulse,
    // What follows is for what the client says.
    settings: Arc<Settings>,
    id: u64,
    peer: IpAddr,
    person: Arc<Person>,
    grant: Option<Grant>,
    /// Boxed, since few have it.
    monitored: Option<Box<Monitored>>,
    answer: Answer,
    /// The running command has sent its answer, or will later.
    answered: bool,
    /// Marked as a bot by its client (+B).
    bot: bool,
    /// What the running command has put into the log.
    acts: u32,
    batches: u64,
    nonces: u64,
    past: Past,
    acting: TokenBucket,
    looking: TokenBucket,
    slow_since: Option<Instant>,
}

impl Session {
    fn caps(&self) -> CapSet {
        self.negotiation.enabled()
    }

    /// Who acts, with the powers of this session: see [`Session::powers`].
    fn actor(&self) -> Actor {
        Actor { who: self.person.who(), admin: self.powers() }
    }

    fn next_nonce(&mut self) -> u64 {
        self.nonces += 1;
        self.nonces
    }

    /// Logs the session in: the account comes online, the welcome is said, the account's rooms are entered.
    async fn begin(ctx: Arc<Context>, person: Arc<Person>, arrival: Arrival) -> Result<Box<Session>, Arc<str>> {
        let Arrival { negotiation, realname, proof, device, away, peer } = arrival;
        let from = peer.clone();
        let settings = ctx.settings.load_full();
        let device = device.shared();
        let past = Past::of(&ctx, &person, &device).await?;
        let id = ctx.session_ids.fetch_add(1, Ordering::Relaxed);
        let is_login = matches!(proof, Proof::Certificate(_));
        let certificate = peer.certificate.map(|fingerprint| Certificate { fingerprint, is_login });
        let mailbox = Mailbox::of_login(id, person.id, certificate, matches!(proof, Proof::Token { .. }));
        let before = ctx.log.watermark();
        let acting = Rate::per_second(settings.messages_per_second.into(), settings.message_burst);
        let looking =
            Rate::per_second(f64::from(settings.messages_per_second) * 4.0, settings.message_burst.saturating_mul(10));
        let (grace, patience) = (settings.presence_grace, settings.ping_interval);
        let pulse = upkeep::Pulse::new(&settings);
        let mut session = Box::new(Session {
            settings,
            id,
            peer: peer.address,
            grant: None,
            monitored: None,
            negotiation,
            cursors: FxHashMap::default(),
            grown: SmallVec::new(),
            rooms_changed: false,
            // Of what stood before the login.
            reading: true,
            entering: VecDeque::new(),
            missing: VecDeque::new(),
            missed: Vec::new(),
            telling: None,
            out: BytesMut::new(),
            answer: Answer::default(),
            answered: false,
            acts: 0,
            batches: 0,
            nonces: 0,
            pending: VecDeque::new(),
            mine: VecDeque::new(),
            fence: None,
            deferred: None,
            last_shown: EventId(0),
            drained: past.seen,
            past,
            presence: Presence {
                ctx: ctx.clone(),
                person: person.clone(),
                session: id,
                begun: false,
                grace,
                reason: "Connection lost".into(),
                place: Place::new(device.clone(), past.seen, patience),
            },
            pulse,
            acting: TokenBucket::new(acting),
            looking: TokenBucket::new(looking),
            slow_since: None,
            ending: None,
            listening: None,
            bot: false,
            open: None,
            me: person.id,
            person: person.clone(),
            mailbox: mailbox.clone(),
            ctx: ctx.clone(),
        });
        session.mailbox.set_extended(session.caps().contains(Cap::ExtendedMonitor));
        let news = person.enter(mailbox, &realname, away, (ctx.clock)());
        person.set_device(id, &device);
        // Those who were there have been told; from here on nobody else will be.
        if ctx.stopping.is_cancelled() {
            session.ending = Some("The server is stopping".into());
        } else if let Some(why) = outlaws::kept_out(&ctx, Some(person.id), &from) {
            session.ending = Some(why.into());
        }
        let online = Intent::Online { actor: session.actor(), realname, proof, device };
        if let Err(refusal) = ctx.log.ask(online).await {
            person.leave(id);
            monitor::settle(&ctx, &person);
            return Err(refusal.to_string().into());
        }
        session.presence.begun = true;
        let came = monitor::settle(&ctx, &person);
        session.welcome();
        session.finish_answer();
        session.enter_all(before);
        if let Some(message) = news {
            // Whoever sees it come in sees whether it is away: see `Session::show`.
            let sharers_know = came && message.is_some();
            let body = NoteBody::Away { message };
            if sharers_know { session.tell_only_watchers(body) } else { drop(session.tell_sharers(body)) }
        }
        Ok(session)
    }

    /// The session is over: no more cursors, no more presence.
    fn end(mut self: Box<Self>, reason: Arc<str>) {
        self.presence.reason = reason;
        if let Some(message) = self.person.leave(self.id)
            && self.person.is_online()
        {
            self.tell_sharers(NoteBody::Away { message });
        }
    }

    /// The store could not be read: the session cannot go on without a hole, so it ends, and the client comes back.
    fn store_failed(&mut self, error: &StoreError) {
        tracing::error!(account = %self.person.nick, %error, "the history cannot be read");
        self.ending.get_or_insert("The server cannot read its history; please come back in a moment".into());
    }
}

/// Hands an order from outside to the log; for those who need no answer.
pub async fn submit_quietly(log: &Log, intent: Intent) {
    if log.submit(intent, Reply::Nobody).await.is_err() {
        tracing::debug!("the log has ended");
    }
}
