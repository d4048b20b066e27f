//! The wiring: settings to parts, sockets to sessions, signals to phases. The only place beside the command line that
//! knows everything.
//!
//! The phases of an end, in order: no more connections; every session is told why, gets its outstanding answers and
//! its farewell; the sessions' last words reach the log; the log commits what it has and closes the database.

mod admission;
mod connection;
mod erasure;
mod retention;
mod supervisor;
mod sweep;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::acme;
use crate::address::Network;
use crate::admin::FIGURES_WANTED;
use crate::auth::{HashSettings, Hasher, Logins};
use crate::clock;
use crate::config::{Acme, Config, Creation, Registration};
use crate::event::Millis;
use crate::log::{self, Intent, Log, OrderResult, Posted};
use crate::logging::Logging;
use crate::metrics::{self, Sources};
use crate::net::limits::{ConnectionLimiter, LoginThrottle, PlaceThrottle, Rate};
use crate::net::listener;
use crate::net::tls::{ServerTls, TlsError, Watch};
use crate::proto::names::RoomName;
use crate::proto::tags::TagFilter;
use crate::session::{Context, Info, Newcomers, Settings, StrictTransport};
use crate::store::{Lock, StoreError};
use crate::web::Site;

/// How often the table of orders is looked at.
const ORDERS_EVERY: Duration = Duration::from_millis(200);
/// How often an order is tried again that could not be carried out.
const ORDERS_AGAIN: Duration = Duration::from_secs(1);
/// How often the files of the certificate are looked at.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(60);
/// How long a command that works on the data may keep a starting server waiting.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
/// How long the sessions may take to say good-bye.
const FAREWELLS: Duration = Duration::from_secs(5);

/// Serves until `shutdown` ends, which yields the reason for the log.
pub async fn run(
    config: Config,
    file: Option<PathBuf>,
    logging: Logging,
    entrance: Handle,
    shutdown: impl Future<Output = &'static str>,
) -> anyhow::Result<()> {
    let mut hangups = signal(SignalKind::hangup())?;
    let data_dir = config.server.data_dir.clone();
    let _lock = lock(&data_dir).await?;
    // Before the files are read for the first time: what changes in between is found.
    let acme = acme_settings(&config);
    if let Some(acme) = &acme {
        acme.prepare(clock::now())?;
    }
    let (cert, key) = certificate_files(&config);
    let watch = Watch::new(&cert, &key);
    let mut tls = ServerTls::load(&cert, &key)?;
    if !config.web.enabled {
        tls = tls.without_http();
    }
    let hasher = hasher(&config).await?;
    let (log, running) = Log::start(&data_dir, clock::now, log_settings(&config))?;
    let limiter = ConnectionLimiter::new(per_address(&config), config.server.max_connections);
    let stopping = CancellationToken::new();
    let ctx = Context::new(
        log.clone(),
        Logins::new(hasher, config.auth.concurrent_hashes),
        (throttle(&config), PlaceThrottle::new(Rate::per_hour(config.limits.registrations_per_hour))),
        settings(&config),
        Info { name: config.server.name.clone(), network: config.server.network.clone(), started: clock::now() },
        clock::now,
        stopping.clone(),
    );
    let server = Arc::new(Server {
        ctx: ctx.clone(),
        tls: Arc::new(tls),
        site: connection::site(&config),
        limiter,
        connects: PlaceThrottle::new(Rate::per_minute(config.limits.connects_per_minute)),
        proxies: ArcSwap::from_pointee(config.server.proxy_protocol_from.clone()),
        watch: Mutex::new(watch),
        refused: Counter::default(),
        told: Mutex::default(),
        sts: ArcSwap::from_pointee(config.tls.sts),
        sessions: TaskTracker::new(),
        inside: Handle::current(),
    });

    tell_strict_transport(&server).await;
    let mut listeners = Vec::new();
    for address in &config.server.listen {
        let bound = {
            let _entrance = entrance.enter();
            listener::bind(*address)
        };
        let bound = bound.with_context(|| format!("cannot listen on {address}; is another server using the port?"))?;
        listeners.push(bound);
    }
    let background = TaskTracker::new();
    let (limiter, refused) = (server.limiter.clone(), server.refused.clone());
    let figures = Arc::new(metrics::Figures::new(Sources { ctx: ctx.clone(), limiter, refused }));
    if let Some(address) = config.metrics.listen {
        let bound = listener::bind(address);
        let bound = bound.with_context(|| format!("cannot listen on {address} for [metrics]; is the port taken?"))?;
        tracing::info!(address = %bound.local_addr()?, "metrics over HTTP");
        background.spawn(metrics::serve(bound, figures.clone(), stopping.clone()));
    }
    for listener in listeners {
        let address = listener.local_addr()?;
        tracing::info!(%address, "listening");
        background.spawn_on(accept(listener, server.clone(), config.tls.handshake_timeout), &entrance);
    }
    background.spawn(watch_certificate(server.clone()));
    if let Some(acme) = acme {
        background.spawn(acme::keep(acme, server.tls.clone(), clock::now, stopping.clone()));
    }
    background.spawn(orders(log.clone(), figures, stopping.clone()));
    let terms = watch::Sender::new(retention::terms(&config));
    background.spawn(retention::keep(log.clone(), terms.subscribe(), stopping.clone()));
    background.spawn(erasure::keep(log.clone(), stopping.clone()));
    background.spawn(sweep::keep(log.clone(), stopping.clone()));

    background.spawn(supervisor::watchdog(log.clone(), stopping.clone()));
    supervisor::ready();

    let mut current = config;
    tokio::pin!(shutdown);
    let mut broken = None;
    let reason = loop {
        tokio::select! {
            reason = &mut shutdown => break reason,
            // Without its log a server can only refuse everything: better to end, so that it is started again.
            () = log.closed() => {
                broken = Some(anyhow::anyhow!("the writer of the log has ended by itself; the reason stands above"));
                break "the log has ended";
            }
            () = reload_wanted(&mut hangups, &ctx) => {
                supervisor::reloading();
                if let Some(new) = reload(&server, &current, file.as_deref(), &logging).await {
                    terms.send_replace(retention::terms(&new));
                    current = new;
                }
                supervisor::ready();
            }
        }
    };

    tracing::info!(reason, "stopping: no more connections");
    supervisor::stopping();
    stopping.cancel();
    background.close();
    background.wait().await;
    for person in log.roster().everyone() {
        person.end_sessions(&Arc::from("The server is stopping"));
    }
    server.sessions.close();
    if tokio::time::timeout(FAREWELLS, server.sessions.wait()).await.is_err() {
        tracing::info!(left = server.sessions.len(), "some clients do not take their farewell");
    }
    ctx.tasks.close();
    if tokio::time::timeout(FAREWELLS, ctx.tasks.wait()).await.is_err() {
        tracing::warn!("some sessions' ends are not stored");
    }
    log.stop().await;
    running.ended().await;
    tracing::info!("stopped");
    broken.map_or(Ok(()), Err)
}

struct Server {
    ctx: Arc<Context>,
    tls: Arc<ServerTls>,
    /// `None`: HTTP is not spoken.
    site: Option<Arc<Site>>,
    limiter: ConnectionLimiter,
    /// New connections, by address.
    connects: PlaceThrottle,
    /// Balancers whose word on a client's address counts.
    proxies: ArcSwap<Vec<Network>>,
    /// Names the files of the configuration in force, whichever pair is in use.
    watch: Mutex<Watch>,
    refused: Counter,
    /// When the log last spoke of it.
    told: Mutex<Option<Instant>>,
    /// What clients are to be told of TLS, if they believe the certificate.
    sts: ArcSwap<Option<Duration>>,
    sessions: TaskTracker,
    /// Where those are served who have come in.
    inside: Handle,
}

/// The right to the data. A command may hold it for a moment.
async fn lock(data_dir: &Path) -> Result<Lock, StoreError> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    loop {
        match Lock::take(data_dir) {
            Err(StoreError::Locked { .. }) if Instant::now() < deadline => {}
            taken => return taken,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn accept(listener: TcpListener, server: Arc<Server>, handshake: Duration) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = server.ctx.stopping.cancelled() => return,
        };
        match accepted {
            Ok((stream, peer)) => admission::admit(stream, peer, &server, handshake),
            Err(error) => {
                // Out of file descriptors, most likely: it passes when somebody goes. Without a pause this loop would
                // take the processor from those who could.
                tracing::warn!(%error, "a connection could not be accepted; check the limit of open files");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// Takes up a renewed certificate without being told.
async fn watch_certificate(server: Arc<Server>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATE_EVERY) => {}
            () = server.ctx.stopping.cancelled() => return,
        }
        let shared = server.clone();
        let look = move || shared.watch.lock().unwrap_or_else(PoisonError::into_inner).reload(&shared.tls);
        if let Ok(Some(outcome)) = tokio::task::spawn_blocking(look).await {
            tell_certificate(&server, outcome);
            tell_strict_transport(&server).await;
        }
    }
}

/// Carries out what the command line leaves in the database for a running server.
async fn orders(log: Log, figures: Arc<metrics::Figures>, stopping: CancellationToken) {
    let mut newest = 0;
    let mut pause = ORDERS_EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopping.cancelled() => return,
        }
        let open = match log.readers().open_orders().await {
            Ok(open) => open,
            Err(error) => {
                tracing::warn!(%error, "orders cannot be read");
                continue;
            }
        };
        // What is still open could not be stored: the disk is full, most likely.
        pause = if open.iter().any(|(row, _)| *row <= newest) { ORDERS_AGAIN } else { ORDERS_EVERY };
        for (row, body) in open {
            newest = newest.max(row);
            if body == FIGURES_WANTED {
                let result = figures.text().map_or_else(|| OrderResult::failed("no figures"), OrderResult::done);
                if let Err(refusal) = log.ask(Intent::Answer { row, result }).await {
                    tracing::info!(row, %refusal, "the figures could not be told");
                }
                continue;
            }
            let intent = match serde_json::from_str::<Posted>(&body) {
                Ok(Posted { order, by }) => Intent::Order { row: Some(row), order, by: Some(by) },
                Err(_) => Intent::Answer { row, result: OrderResult::failed("the server does not know this order") },
            };
            match log.ask(intent).await {
                Ok(_) => tracing::info!(row, "order carried out"),
                Err(refusal) => tracing::info!(row, %refusal, "order not carried out"),
            }
        }
    }
}

/// SIGHUP, or an administrator's REHASH.
async fn reload_wanted(hangups: &mut Signal, ctx: &Context) {
    tokio::select! {
        _ = hangups.recv() => {}
        () = ctx.rehash.notified() => {}
    }
}

/// SIGHUP: the configuration and the certificate are read anew. What is bad is refused, and the old one stays.
async fn reload(server: &Server, old: &Config, file: Option<&Path>, logging: &Logging) -> Option<Config> {
    tracing::info!("reading the configuration and the certificate anew");
    let new = match Config::load(file) {
        Ok((new, _)) => new,
        Err(faults) => {
            tracing::error!(%faults, "the new configuration is refused; the old one stays");
            // A new certificate may be waiting all the same.
            reload_certificate(server, old);
            tell_strict_transport(server).await;
            return None;
        }
    };
    reload_certificate(server, &new);
    server.sts.store(Arc::new(new.tls.sts));
    tell_strict_transport(server).await;
    if let Err(error) = logging.set_level(&new.log.level) {
        tracing::error!(%error, "the old log level stays");
    }
    server.limiter.set(per_address(&new), new.server.max_connections);
    server.connects.set(Rate::per_minute(new.limits.connects_per_minute));
    server.proxies.store(Arc::new(new.server.proxy_protocol_from.clone()));
    let (address, account) = failed_logins(&new);
    server.ctx.throttle.set(address, account);
    server.ctx.newcomers.set(Rate::per_hour(new.limits.registrations_per_hour));
    server.ctx.settings.store(Arc::new(settings(&new)));
    match hasher(&new).await {
        Ok(hasher) => {
            let logins = server.ctx.logins.load().with_hasher(hasher);
            server.ctx.logins.store(Arc::new(logins));
        }
        Err(error) => tracing::error!(%error, "the old settings of argon2 stay"),
    }
    let fixed = [
        ("server.name", old.server.name != new.server.name),
        ("server.network", old.server.network != new.server.network),
        ("server.listen", old.server.listen != new.server.listen),
        ("server.data_dir", old.server.data_dir != new.server.data_dir),
        ("tls.handshake_timeout", old.tls.handshake_timeout != new.tls.handshake_timeout),
        ("tls.acme", old.tls.acme != new.tls.acme),
        ("rooms", old.rooms != new.rooms),
        ("history.tail_memory", old.history.tail_memory != new.history.tail_memory),
        ("limits.rooms_per_account", old.limits.rooms_per_account != new.limits.rooms_per_account),
        ("auth.concurrent_hashes", old.auth.concurrent_hashes != new.auth.concurrent_hashes),
        ("web", old.web != new.web),
        ("metrics", old.metrics != new.metrics),
        ("log.format", old.log.format != new.log.format),
    ];
    for (key, _) in fixed.into_iter().filter(|(_, changed)| *changed) {
        tracing::warn!(key, "this change takes effect at the next start");
    }
    tracing::info!("the configuration was read anew; sessions that are open keep what they began with");
    Some(new)
}

fn reload_certificate(server: &Server, config: &Config) {
    let (cert, key) = certificate_files(config);
    let mut watch = server.watch.lock().unwrap_or_else(PoisonError::into_inner);
    *watch = Watch::new(&cert, &key);
    tell_certificate(server, server.tls.reload_from(&cert, &key));
}

fn tell_certificate(server: &Server, outcome: Result<bool, TlsError>) {
    match outcome {
        Ok(true) => tracing::info!(fingerprint = %server.tls.fingerprint(), "a new certificate is in use"),
        Ok(false) => tracing::info!("the certificate is the same"),
        Err(error) => tracing::error!(%error, "the new certificate is refused; the old one stays"),
    }
}

/// Whether clients are told to use nothing but TLS: only if they can believe the certificate, or whoever does what they are
/// told would be shut out.
async fn tell_strict_transport(server: &Server) {
    let strict = match **server.sts.load() {
        None => None,
        Some(Duration::ZERO) => Some(StrictTransport { duration: Duration::ZERO, until: Millis(i64::MAX) }),
        Some(duration) => {
            let (tls, name, now) = (server.tls.clone(), server.ctx.info.name.clone(), (server.ctx.clock)());
            let until = tokio::task::spawn_blocking(move || tls.trusted_until(&name, now)).await.unwrap_or_default();
            until.map(|until| StrictTransport { duration, until })
        }
    };
    if *server.ctx.strict.swap(Arc::new(strict)) != strict {
        match strict {
            Some(StrictTransport { duration, .. }) => {
                tracing::info!(seconds = duration.as_secs(), "clients are told to use nothing but TLS (sts)");
            }
            None => tracing::info!("clients are no longer told to use nothing but TLS (sts)"),
        }
    }
}

/// Certificates from an authority, if they are wanted.
pub fn acme_settings(config: &Config) -> Option<acme::Settings> {
    let Acme { domains, contact, directory, ca_file } = config.tls.acme.clone();
    let folder = config.server.data_dir.join("acme");
    (!domains.is_empty()).then_some(acme::Settings { domains, contact, directory, ca_file, folder })
}

/// Where the certificate and its key are: one file, if they come from an authority.
pub fn certificate_files(config: &Config) -> (PathBuf, PathBuf) {
    match acme_settings(config) {
        Some(acme) => (acme.file(), acme.file()),
        None => (config.tls.cert.clone(), config.tls.key.clone()),
    }
}

async fn hasher(config: &Config) -> anyhow::Result<Arc<Hasher>> {
    let settings = HashSettings {
        memory_kib: config.auth.argon2_memory_kib,
        iterations: config.auth.argon2_iterations,
        parallelism: config.auth.argon2_parallelism,
    };
    let hasher = tokio::task::spawn_blocking(move || Hasher::new(settings)).await?;
    Ok(Arc::new(hasher.context("the settings of argon2 in [auth] do not work here")?))
}

fn throttle(config: &Config) -> LoginThrottle {
    let (address, account) = failed_logins(config);
    LoginThrottle::new(address, account)
}

/// Failed logins in a minute from one address, and on one account: more on an account, so that one address alone cannot
/// lock its owner out.
fn failed_logins(config: &Config) -> (u32, u32) {
    let address = config.limits.logins_per_minute;
    (address, address.saturating_mul(5))
}

fn per_address(config: &Config) -> u32 {
    u32::try_from(config.limits.connections_per_ip).unwrap_or(u32::MAX)
}

/// What the log needs to know; also for orders that are carried out without a server.
pub fn log_settings(config: &Config) -> log::Settings {
    let names = config.rooms.auto_join.iter().filter_map(|name| RoomName::parse(name).ok());
    log::Settings {
        host: config.server.name.as_str().into(),
        auto_join: names.map(|name| (name.shared(), name.key().to_owned())).collect(),
        everyone_creates: config.rooms.creation == Creation::Everyone,
        rooms_per_account: config.limits.rooms_per_account,
        tail_memory: usize::try_from(config.history.tail_memory).unwrap_or(usize::MAX),
    }
}

fn settings(config: &Config) -> Settings {
    let limits = &config.limits;
    Settings {
        motd: config.server.motd.clone(),
        icon: config.server.icon.clone(),
        admin_contact: config.server.admin_contact.clone(),
        replay_lines: config.history.replay_lines,
        missed_lines: config.history.missed_lines,
        page_lines: config.history.page_lines,
        rooms_per_account: limits.rooms_per_account,
        messages_per_second: limits.messages_per_second,
        message_burst: limits.message_burst,
        flood_delay_max: limits.flood_delay_max,
        registration_timeout: limits.registration_timeout,
        ping_interval: limits.ping_interval,
        ping_timeout: limits.ping_timeout,
        write_deadline: limits.write_deadline,
        presence_grace: config.server.presence_grace,
        newcomers: match config.auth.registration {
            Registration::Closed => Newcomers::Closed,
            Registration::Invite => Newcomers::Invite,
            Registration::Open => Newcomers::Open,
        },
        // Checked with the rest of the configuration.
        client_tags: TagFilter::parse(&config.messages.client_tag_deny).unwrap_or_default(),
        redaction_window: config.messages.redaction_window,
    }
}
