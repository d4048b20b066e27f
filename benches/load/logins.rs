//! Logins in numbers: a storm of them, and two thousand who come back after a restart.

use std::time::{Duration, Instant};

use ::chatd::auth::{HashSettings, Hasher, Memory, Password, Secret};
use anyhow::Result;

use super::acts::{Act, Acting, By};
use super::chatd::{self, DEFAULT_HASH, Settings, token};
use super::figures::Figures;
use super::pair::Pair;
use super::server::{Kind, PASSWORD, Running, free_port};

/// Members of each room of those who come back, and lines that they missed in it.
const ROOM: usize = 100;
const LINES: usize = 100;

/// Logins with the default hash, 16 at once, while two people chat.
pub async fn storm(name: String, kind: &Kind, seconds: f64) -> Result<Figures> {
    const ACCOUNTS: usize = 100;
    let settings = Settings { hash: DEFAULT_HASH, proofs: true, ..Settings::default() };
    let server = Running::start_with(kind, ACCOUNTS + 2, &settings)?;
    let limit = hashes_a_second()?;
    let pair = Pair::start(&server, [ACCOUNTS, ACCOUNTS + 1], token, "#pair").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.forget();
    let cpu = server.cpu()?;
    let act = Act::Login { at_once: 16, accounts: ACCOUNTS, right: true };
    let report = Acting::start(&act, &server, seconds)?.finish().await?;
    let cpu = server.cpu()? - cpu;
    let talk = pair.finish().await?;
    let figures = Figures {
        kind: name,
        server: server.name.clone(),
        unit: "login".to_owned(),
        units: report.done,
        seconds: report.seconds,
        cpu,
        latency: talk.latency,
        memory_kib: server.memory_kib()?,
        faults: talk.faults + report.refused,
        note: "latency: the pair's; a login is a connection with TLS".to_owned(),
        ..Figures::default()
    };
    let [_, p99, _] = report.latency.unwrap_or_default();
    Ok(figures
        .with("hashes /s of one core", limit)
        .with("a login's p99 ms", p99)
        .with("longest sync of the disk ms", talk.disk))
}

/// The server is started on the data of so many clients, and all come back at once, while two people chat.
pub async fn come_back(name: String, kind: &Kind, clients: usize, by: By) -> Result<Figures> {
    let settings = Settings { hash: DEFAULT_HASH, proofs: true, ..Settings::default() };
    let (dir, port) = (tempfile::tempdir()?, free_port()?);
    chatd::prepare(dir.path(), port, clients + 2, &settings)?;
    for from in (0..clients).step_by(ROOM) {
        chatd::fill(dir.path(), &format!("#room{}", from / ROOM), LINES, from..clients.min(from + ROOM))?;
    }
    let limit = if by == By::Password { hashes_a_second()? } else { 0.0 };
    let server = Running::start_in(kind, dir, port)?;
    let pair = Pair::start(&server, [clients, clients + 1], token, "#pair").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.forget();
    let cpu = server.cpu()?;
    let report = Acting::start(&Act::Return { clients, by }, &server, 0.0)?.finish().await?;
    let cpu = server.cpu()? - cpu;
    let talk = pair.finish().await?;
    let figures = Figures {
        kind: name,
        server: server.name.clone(),
        unit: "client".to_owned(),
        units: report.done,
        seconds: report.seconds,
        cpu,
        client: report.busy,
        latency: talk.latency,
        memory_kib: server.memory_kib()?,
        faults: talk.faults + (clients as u64).abs_diff(report.done),
        note: format!("latency: the pair's; each back in a room of {ROOM}, replay read"),
        ..Figures::default()
    };
    let [p50, _, max] = report.latency.unwrap_or_default();
    let figures = figures
        .with("longest sync of the disk ms", talk.disk)
        .with("half are back after s", p50 / 1e3)
        .with("all after s", max / 1e3);
    Ok(if limit > 0.0 { figures.with("hashes /s of one core", limit) } else { figures })
}

/// How many passwords one core checks in a second when nothing else goes on: no login is faster.
fn hashes_a_second() -> Result<f64> {
    let (memory_kib, iterations) = DEFAULT_HASH;
    let hasher = Hasher::new(HashSettings { memory_kib, iterations, parallelism: 1 })?;
    let password = Password::entered(&Secret::new(PASSWORD.to_owned()))?;
    let mut memory = Memory::default();
    let hash = hasher.hash(&password, &mut memory)?;
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(1) {
        anyhow::ensure!(hasher.verify(&password, &hash, &mut memory), "a password that does not open its own hash");
        count += 1;
    }
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}
