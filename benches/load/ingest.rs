//! Senders, each alone in its room, with so many echoes outstanding: how fast what is said is stored and acknowledged.
//! Beside it, what the same rows take in bare SQLite, and what this disk takes for a sync.

use std::collections::VecDeque;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rusqlite::Connection;
use rusqlite::types::Value;
use tokio::io::AsyncReadExt;

use super::chatd::{self, Settings, nick};
use super::client::{Client, Login, connector, place};
use super::figures::{Figures, quantiles};
use super::server::{Kind, Running, cpu_of, free_port};

const SENDERS: usize = 10;

pub async fn run(name: String, kind: &Kind, window: usize, messages: usize) -> Result<Figures> {
    let metrics = free_port()?;
    let server = Running::start_with(kind, SENDERS, &Settings { metrics: Some(metrics), ..Settings::default() })?;
    let tls = connector();
    let mut clients = Vec::new();
    for n in 0..SENDERS {
        let mut client = Client::connect_from(place(n), server.address, &tls).await?;
        client.login(&Login { nick: &nick(n), proof: server.proof(), caps: "echo-message" }).await?;
        client.join(&format!("#solo{n}")).await?;
        clients.push(client);
    }
    let (clients, _) = say(clients, window, (messages / 20 / SENDERS).max(1)).await?;
    server.settle().await?;
    let before = if kind.is_chatd() { commits(metrics).await? } else { (0.0, 0.0) };
    let (cpu, own, began) = (server.cpu()?, cpu_of("self")?, Instant::now());
    let each = messages / SENDERS;
    let (_clients, latencies) = say(clients, window, each).await?;
    let seconds = began.elapsed().as_secs_f64();
    let client = (cpu_of("self")? - own) / seconds;
    let after = if kind.is_chatd() { commits(metrics).await? } else { (0.0, 0.0) };
    server.settle().await?;
    let mut figures = Figures {
        kind: name,
        server: server.name.clone(),
        unit: "message".to_owned(),
        units: (each * SENDERS) as u64,
        seconds,
        cpu: server.cpu()? - cpu,
        client,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        ..Figures::default()
    };
    if kind.is_chatd() {
        let batch = (after.0 - before.0) / (after.1 - before.1).max(1.0);
        let dir = server.stop()?;
        let db = dir.path().join("data/chat.db");
        let bare = |index| bare(&db, dir.path(), batch.round().max(1.0) as usize, index);
        figures = figures
            .with("a commit", batch)
            .with("bare SQLite with its index /s", bare(true)?)
            .with("bare SQLite /s", bare(false)?)
            .with("fdatasync ms", fdatasync(dir.path())?);
    }
    Ok(figures)
}

/// Each says so many lines and waits for their echoes. Which line an echo is of is not looked at: they come in order.
async fn say(clients: Vec<Client>, window: usize, each: usize) -> Result<(Vec<Client>, Vec<u32>)> {
    let tasks = clients.into_iter().enumerate().map(|(n, mut client)| {
        tokio::spawn(async move {
            let line = format!("PRIVMSG #solo{n} :{}\r\n", "x".repeat(100));
            let (mut sent, mut heard, mut latencies) = (0, 0, Vec::with_capacity(each));
            let mut at = VecDeque::new();
            let mut input = vec![0; 64 * 1024];
            while heard < each {
                let now = (window - (sent - heard)).min(each - sent);
                if now > 0 {
                    client.send(&line.repeat(now)).await?;
                    at.extend(std::iter::repeat_n(Instant::now(), now));
                    sent += now;
                }
                let read = client.stream.read(&mut input).await?;
                if read == 0 {
                    bail!("the server hung up");
                }
                for _ in memchr::memchr_iter(b'\n', &input[..read]) {
                    heard += 1;
                    let when = at.pop_front().context("an echo of nothing")?;
                    latencies.push(when.elapsed().as_micros() as u32);
                }
            }
            Ok((client, latencies))
        })
    });
    let (mut clients, mut latencies) = (Vec::new(), Vec::new());
    for task in tasks.collect::<Vec<_>>() {
        let (client, some) = task.await??;
        latencies.extend(some);
        clients.push(client);
    }
    Ok((clients, latencies))
}

/// What chatd has decided on so far, and in how many commits.
async fn commits(port: u16) -> Result<(f64, f64)> {
    let text = chatd::metrics(port).await?;
    let figure = |name| chatd::metric(&text, name).with_context(|| format!("no figure {name}"));
    Ok((figure("chatd_commit_intents_sum")?, figure("chatd_commit_intents_count")?))
}

/// Messages a second when the rows of `from` are put into an empty database of the same schema by nobody but SQLite, so
/// many messages in a commit, each of them as durable as chatd's. `index`: the full-text index takes them in, too, in
/// transactions of its own, as it does in chatd.
fn bare(from: &Path, dir: &Path, batch: usize, index: bool) -> Result<f64> {
    let old = Connection::open(from)?;
    let data = tempfile::tempdir_in(dir)?;
    drop(::chatd::store::Writer::open(data.path())?);
    let new = Connection::open(data.path().join("chat.db"))?;
    new.execute_batch(&format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384;
         PRAGMA wal_autocheckpoint = {};",
        ::chatd::store::CHECKPOINT_AT
    ))?;
    new.set_prepared_statement_cache_capacity(16);
    let mut tables = Vec::new();
    let names: Vec<String> = old
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'search%'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    // Those that grow with every message.
    for name in names {
        let count: i64 = old.query_row(&format!("SELECT count(*) FROM \"{name}\""), [], |row| row.get(0))?;
        if count < 1000 {
            continue;
        }
        let is_log = old.prepare(&format!("SELECT event_id FROM \"{name}\"")).is_ok();
        let order = if is_log { "event_id" } else { "1" };
        let mut select = old.prepare(&format!("SELECT * FROM \"{name}\" ORDER BY {order}"))?;
        let columns = select.column_count();
        let rows: Vec<Vec<Value>> = select
            .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())?
            .collect::<rusqlite::Result<_>>()?;
        let places = vec!["?"; columns].join(",");
        tables.push((format!("INSERT INTO \"{name}\" VALUES ({places})"), rows));
    }
    let count = tables.iter().map(|(_, rows)| rows.len()).min().unwrap_or(0);
    if count == 0 {
        return Ok(0.0);
    }
    let text = "x".repeat(100);
    let (began, mut indexed) = (Instant::now(), 0);
    for from in (0..count).step_by(batch) {
        let until = count.min(from + batch);
        new.execute_batch("BEGIN IMMEDIATE")?;
        for n in from..until {
            for (insert, rows) in &tables {
                new.prepare_cached(insert)?.execute(rusqlite::params_from_iter(&rows[n]))?;
            }
        }
        new.execute_batch("COMMIT")?;
        if index && until - indexed >= ::chatd::log::INDEX_AT {
            new.execute_batch("BEGIN IMMEDIATE")?;
            for n in indexed..until {
                new.prepare_cached("INSERT INTO search (rowid, text) VALUES (?, ?)")?.execute((n as i64 + 1, &text))?;
            }
            new.execute_batch("COMMIT")?;
            indexed = until;
        }
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// The median of writing a page where there is one already and having the disk say that it has it, milliseconds.
fn fdatasync(dir: &Path) -> Result<f64> {
    const PAGES: usize = 256;
    let mut file = std::fs::File::create(dir.join("sync"))?;
    file.write_all(&vec![1; PAGES * 4096])?;
    file.sync_all()?;
    let mut micros = Vec::new();
    for n in 0..1000 {
        let began = Instant::now();
        file.seek(SeekFrom::Start((n % PAGES * 4096) as u64))?;
        file.write_all(&[n as u8; 4096])?;
        file.sync_data()?;
        micros.push(began.elapsed().as_micros() as u32);
    }
    Ok(quantiles(micros).map_or(0.0, |[p50, ..]| p50))
}
