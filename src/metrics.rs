//! Figures for Prometheus, and whether all is well, over plain HTTP on a loopback address: `GET /metrics` and
//! `GET /healthz`, one request a connection.
//!
//! Knows the parts whose figures it shows; nobody knows it. Counters live where they are counted, the rest is asked
//! for at each request. Promises that whoever connects takes little: a few connections at once (more wait in the
//! kernel's line), small requests, a few seconds.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::log::Log;
use crate::net::limits::ConnectionLimiter;
use crate::session::Context;

/// Connections at once.
const CONNECTIONS: usize = 8;
/// Bytes of a request's head.
const REQUEST_MAX: usize = 8 * 1024;
/// For one connection, from its first byte to its end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whom to ask.
pub struct Sources {
    pub ctx: Arc<Context>,
    pub limiter: ConnectionLimiter,
    /// Connections sent away because there were too many.
    pub refused: Counter,
}

/// Answers until `stopping`.
pub async fn serve(listener: TcpListener, figures: Arc<Figures>, stopping: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = async {
                let place = places.clone().acquire_owned().await.ok()?;
                Some((listener.accept().await, place))
            } => accepted,
            () = stopping.cancelled() => return,
        };
        let Some((accepted, place)) = accepted else { return };
        match accepted {
            Ok((stream, _)) => {
                let figures = figures.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if tokio::time::timeout(PATIENCE, converse(stream, &figures)).await.is_err() {
                        tracing::debug!("a request for metrics took too long");
                    }
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

/// All figures there are, for whoever asks.
pub struct Figures {
    sources: Sources,
    registry: Registry,
    gauges: Gauges,
}

/// What is asked for when somebody wants to know.
#[derive(Default)]
struct Gauges {
    connections: Gauge,
    sessions: Gauge,
    people: Gauge,
    waiting: Gauge,
    watermark: Gauge,
    tails: Gauge,
    memory: Gauge,
    rooms: Gauge,
    accounts: Gauge,
    behind: Gauge,
}

impl Figures {
    pub fn new(sources: Sources) -> Figures {
        let gauges = Gauges::default();
        let mut registry = Registry::default();
        registry.register("process_resident_memory_bytes", "Memory the process holds", gauges.memory.clone());
        let ours = registry.sub_registry_with_prefix("chatd");
        let started = Gauge::<i64>::default();
        started.set(sources.ctx.info.started.0 / 1000);
        ours.register_with_unit("start_time", "When the server started, since 1970", Unit::Seconds, started);
        ours.register("build", "The version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        ours.register("connections", "Open connections, logged in or not", gauges.connections.clone());
        ours.register("connections_refused", "Connections sent away: too many", sources.refused.clone());
        ours.register("sessions", "Sessions that are logged in", gauges.sessions.clone());
        ours.register("accounts_online", "Accounts with at least one session", gauges.people.clone());
        let sessions = &sources.ctx.figures;
        ours.register("logins", "Logins that succeeded", sessions.logins.clone());
        ours.register("logins_failed", "Logins with a wrong password or name", sessions.logins_failed.clone());
        let log = sources.ctx.log.figures();
        ours.register("messages_stored", "Lines that people said, stored", log.messages.clone());
        ours.register("commit_intents", "What one commit decided on", log.commit_intents.clone());
        let duration = log.commit_duration.clone();
        ours.register_with_unit("commit_duration", "From deciding to being on the disk", Unit::Seconds, duration);
        ours.register("accounts", "Accounts that there are", gauges.accounts.clone());
        ours.register("rooms", "Rooms that there are", gauges.rooms.clone());
        ours.register("store_reads", "What was read from the database, not from memory", log.store_reads.clone());
        ours.register("readers_behind", "Readers of rooms who have yet to look at news", gauges.behind.clone());
        ours.register("commits_failed", "Commits of which nothing was stored", log.commits_failed.clone());
        ours.register("submissions_waiting", "What waits for the writer", gauges.waiting.clone());
        ours.register("published_event", "The newest event that people can see", gauges.watermark.clone());
        ours.register("tail_bytes", "Memory of the rooms' newest entries, estimated", gauges.tails.clone());
        Figures { sources, registry, gauges }
    }

    /// In the form of OpenMetrics.
    pub fn text(&self) -> Option<String> {
        let (log, gauges) = (&self.sources.ctx.log, &self.gauges);
        let online = log.roster().online();
        gauges.connections.set(signed(self.sources.limiter.count()));
        gauges.sessions.set(signed(online.iter().map(|person| person.session_count()).sum()));
        gauges.people.set(signed(online.len()));
        gauges.waiting.set(signed(log.waiting()));
        gauges.watermark.set(log.watermark().0);
        gauges.tails.set(signed(log.tail_bytes()));
        gauges.memory.set(signed(resident_memory()));
        let rooms = log.directory().channels();
        gauges.rooms.set(signed(rooms.len()));
        gauges.behind.set(signed(rooms.iter().map(|room| room.readers_behind()).sum()));
        gauges.accounts.set(signed(log.roster().everyone().len()));
        let mut out = String::new();
        text::encode(&mut out, &self.registry).ok()?;
        Some(out)
    }

    fn health(&self) -> (&'static str, &'static str) {
        let log: &Log = &self.sources.ctx.log;
        match (log.is_closed(), log.figures().last_commit_failed()) {
            (true, _) => (UNAVAILABLE, "the log has ended\n"),
            (_, true) => (UNAVAILABLE, "the last commit failed; is the disk full?\n"),
            _ => (OK, "ok\n"),
        }
    }

    fn answer(&self, request: &[u8]) -> String {
        let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let line = std::str::from_utf8(line).unwrap_or_default();
        let mut words = line.split(' ');
        let (method, target, version) = (words.next(), words.next(), words.next());
        if !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
            return response("400 Bad Request", PLAIN, "this is not HTTP/1.1\n");
        }
        if method != Some("GET") {
            return response("405 Method Not Allowed\r\nAllow: GET", PLAIN, "only GET is answered here\n");
        }
        match target.and_then(|target| target.split('?').next()) {
            Some("/metrics") => match self.text() {
                Some(text) => response(OK, OPEN_METRICS, &text),
                None => response("500 Internal Server Error", PLAIN, "the figures cannot be written\n"),
            },
            Some("/healthz") => {
                let (status, text) = self.health();
                response(status, PLAIN, text)
            }
            _ => response("404 Not Found", PLAIN, "there are /metrics and /healthz\n"),
        }
    }
}

const OK: &str = "200 OK";
const UNAVAILABLE: &str = "503 Service Unavailable";
const PLAIN: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, figures: &Figures) -> std::io::Result<()> {
    let mut request = Vec::new();
    let answer = loop {
        if request.windows(4).any(|end| end == b"\r\n\r\n") {
            break figures.answer(&request);
        }
        if request.len() >= REQUEST_MAX {
            break response("431 Request Header Fields Too Large", PLAIN, "the request is too long\n");
        }
        let mut piece = [0; 1024];
        match stream.read(&mut piece).await? {
            0 => return Ok(()),
            count => request.extend_from_slice(&piece[..count]),
        }
    };
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

fn response(status: &str, kind: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// 0 where the system does not tell.
fn resident_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")).and_then(|rest| rest.split_whitespace().next());
    kib.and_then(|kib| kib.parse::<usize>().ok()).map_or(0, |kib| kib * 1024)
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
