//! What is long past: pages, searches, entering, starting and backing up with logs of any length.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ::chatd::event::EventId;
use anyhow::{Context, Result, bail};

use super::chatd::{self, Settings, dictionary, nick};
use super::client::{Client, Login, Proof, connector, word};
use super::figures::{Figures, quantiles};
use super::pair::Pair;
use super::server::{Kind, PASSWORD, Running, cpu_of};

/// Lines of a page.
const PAGE: usize = 100;

/// Pages anywhere in the room, by message id.
pub async fn pages(name: String, kind: &Kind, lines: usize, pages: usize) -> Result<Figures> {
    let (server, about) = chatd::long(kind, lines, &Settings::default())?;
    let mut client = login(&server, "batch server-time message-tags draft/chathistory").await?;
    let question = |n: usize| {
        // Everywhere, in no order.
        let place = PAGE + (n.wrapping_mul(2_654_435_761) >> 7) % (lines - PAGE);
        format!("CHATHISTORY BEFORE #long msgid={} {PAGE}\r\n", EventId(about.first + place as i64).msgid())
    };
    for n in 0..pages / 10 {
        answer(&mut client, &question(n + pages)).await?;
    }
    server.settle().await?;
    let (cpu, own, began) = (server.cpu()?, cpu_of("self")?, Instant::now());
    let (mut latencies, mut count) = (Vec::new(), 0);
    for n in 0..pages {
        let sent = Instant::now();
        count += answer(&mut client, &question(n)).await?;
        latencies.push(sent.elapsed().as_micros() as u32);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        kind: name,
        server: server.name.clone(),
        unit: "line".to_owned(),
        units: count as u64,
        seconds,
        cpu: server.cpu()? - cpu,
        client: (cpu_of("self")? - own) / seconds,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        faults: (pages * PAGE).abs_diff(count) as u64,
        note: format!("latency: a page of {PAGE} by msgid"),
        ..Figures::default()
    }
    .with("bytes of disk a message", about.bytes as f64 / lines as f64))
}

/// Words looked up: frequent ones, rare ones and several.
pub async fn search(name: String, kind: &Kind, lines: usize, questions: usize) -> Result<Figures> {
    let (server, _) = chatd::long(kind, lines, &Settings::default())?;
    let mut client = login(&server, "batch server-time message-tags soju.im/search").await?;
    type Words = fn(usize) -> String;
    let kinds: [(&str, Words); 5] = [
        ("the most frequent words", |n| dictionary(n % 20)),
        ("frequent words", |n| dictionary(100 + n * 7 % 900)),
        ("rare words", |n| dictionary(10_000 + n * 37 % 10_000)),
        ("two frequent words", |n| format!("{}\\s{}", dictionary(n % 50), dictionary(50 + n * 3 % 500))),
        ("one in a hundred thousand", |_| "needle".to_owned()),
    ];
    server.settle().await?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    let (mut all, mut found) = (Vec::new(), 0);
    let mut by_kind = vec![Vec::new(); kinds.len()];
    for n in 0..questions {
        let (kind, round) = (n % kinds.len(), n / kinds.len());
        let text = kinds[kind].1(round);
        let sent = Instant::now();
        found += answer(&mut client, &format!("SEARCH text={text};limit=50;in=#long\r\n")).await?;
        let took = sent.elapsed().as_micros() as u32;
        all.push(took);
        by_kind[kind].push(took);
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut figures = Figures {
        kind: name,
        server: server.name.clone(),
        unit: "question".to_owned(),
        units: questions as u64,
        seconds,
        cpu: server.cpu()? - cpu,
        latency: quantiles(all),
        memory_kib: server.memory_kib()?,
        note: format!("{found} messages found; p99 ms by kind"),
        ..Figures::default()
    };
    for ((kind, _), took) in kinds.iter().zip(by_kind) {
        figures = figures.with(kind, quantiles(took).map_or(0.0, |[_, p99, _]| p99));
    }
    Ok(figures)
}

/// Entering the room again and again, with its replay.
pub async fn join(name: String, kind: &Kind, lines: usize, times: usize) -> Result<Figures> {
    let (server, _) = chatd::long(kind, lines, &Settings::default())?;
    let mut client = login(&server, "").await?;
    server.settle().await?;
    let (cpu, began, mut latencies) = (server.cpu()?, Instant::now(), Vec::new());
    for _ in 0..times {
        client.send("PART #long\r\n").await?;
        client.until("PART").await?;
        let sent = Instant::now();
        client.join("#long").await?;
        client.fence().await?;
        latencies.push(sent.elapsed().as_micros() as u32);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        kind: name,
        server: server.name.clone(),
        unit: "entering".to_owned(),
        units: times as u64,
        seconds,
        cpu: server.cpu()? - cpu,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        note: "latency: JOIN until its replay of 50 lines is read; with the PART before".to_owned(),
        ..Figures::default()
    })
}

/// From the start of the program to the first login, with so many lines kept.
pub async fn start(name: String, kind: &Kind, lines: usize) -> Result<Figures> {
    let (dir, port, _) = chatd::long_dir(lines, &Settings::default())?;
    let began = Instant::now();
    let server = Running::start_in(kind, dir, port)?;
    let _client = login(&server, "").await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        kind: name,
        server: server.name.clone(),
        unit: "start".to_owned(),
        units: 1,
        seconds,
        cpu: server.cpu()?,
        memory_kib: server.memory_kib()?,
        note: "until the first login has read its rooms; the file is in the memory of the kernel".to_owned(),
        ..Figures::default()
    }
    .with("ms", seconds * 1000.0))
}

/// A backup of all of it, while two people chat.
pub async fn backup(name: String, kind: &Kind, lines: usize) -> Result<Figures> {
    let Kind::Chatd(program) = kind else { bail!("only chatd has this") };
    let (server, about) = chatd::long(kind, lines, &Settings::default())?;
    let pair = Pair::start(&server, [0, 1], |_| PASSWORD.to_owned(), "#pair").await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    pair.forget();
    let file = server.dir.path().join("backup.gz");
    let (cpu, began) = (server.cpu()?, Instant::now());
    let mut command = Command::new(program);
    command.arg("--config").arg(server.dir.path().join("config.toml")).arg("backup").arg(&file);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    let seconds = began.elapsed().as_secs_f64();
    if !output.status.success() {
        bail!("the backup has failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let talk = pair.finish().await?;
    Ok(Figures {
        kind: name,
        server: server.name.clone(),
        unit: "line".to_owned(),
        units: lines as u64,
        seconds,
        cpu: server.cpu()? - cpu,
        latency: talk.latency,
        memory_kib: server.memory_kib()?,
        faults: talk.faults,
        note: "latency: the pair's; processor time: the server's, not that of the backup".to_owned(),
        ..Figures::default()
    }
    .with("longest sync of the disk ms", talk.disk)
    .with("MB of database", about.bytes as f64 / 1e6)
    .with("MB of backup", std::fs::metadata(&file)?.len() as f64 / 1e6))
}

async fn login(server: &Running, caps: &str) -> Result<Client> {
    let mut client = Client::connect(server.address, &connector()).await?;
    client.login(&Login { nick: &nick(1), proof: Proof::Password(PASSWORD), caps }).await?;
    // What is told at login is no answer to what comes after.
    client.fence().await?;
    Ok(client)
}

/// Asks, and counts the messages of the batch that is the answer.
async fn answer(client: &mut Client, question: &str) -> Result<usize> {
    client.send(question).await?;
    let mut count = 0;
    loop {
        let line = client.line().await.with_context(|| question.to_owned())?;
        match word(&line, 1) {
            "FAIL" | "421" => bail!("{line}"),
            "BATCH" if word(&line, 2).starts_with('-') => return Ok(count),
            "PRIVMSG" => count += 1,
            _ => {}
        }
    }
}
