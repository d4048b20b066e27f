//! The kinds of load, as a table: what is done, how much of it, and which servers can take part.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::AsyncReadExt;

use super::chatd;
use super::client::{Client, Login, connector, word};
use super::crowd::{self, Plan};
use super::figures::{Figures, quantiles};
use super::server::{Kind as Server, PASSWORD, Running, free_port};

pub struct Kind {
    pub name: String,
    load: Load,
}

enum Load {
    /// Rooms where some speak and all listen.
    Crowd { rooms: usize, members: usize, senders: usize, messages: usize, rate: Option<f64> },
    /// Each sender alone in its room, with so many echoes outstanding.
    Ingest { window: usize, messages: usize },
    /// Connections that do nothing, in rooms of a hundred.
    Idle { connections: usize },
    /// Logins, 16 at once, while two people chat. With the default cost of a hash.
    Storm { logins: usize },
    /// Pages of 100 lines anywhere in a room of so many.
    Pages { lines: usize, pages: usize },
    /// Words looked up in a history of so many lines.
    Search { lines: usize, questions: usize },
    /// From the start of the program to the first login, with so many lines kept.
    Start { lines: usize },
    /// The server is restarted under so many clients, and all come back.
    Return { clients: usize },
}

/// All kinds, in the order of the report. `quick`: a hundredth of the work.
pub fn all(quick: bool) -> Vec<Kind> {
    let few = |full: usize, small: usize| if quick { small } else { full };
    let mut kinds = Vec::new();
    let mut add = |name: &str, load: Load| kinds.push(Kind { name: name.to_owned(), load });
    let crowd = |rooms, members, senders, messages, rate| Load::Crowd { rooms, members, senders, messages, rate };
    add("fanout-100-rate-200", crowd(1, few(100, 20), 10, few(3_000, 100), Some(200.0)));
    add("fanout-100-full", crowd(1, few(100, 20), 10, few(20_000, 500), None));
    add("fanout-1000-rate-50", crowd(1, few(1_000, 50), 10, few(500, 50), Some(50.0)));
    add("fanout-1000-full", crowd(1, few(1_000, 50), 10, few(3_000, 100), None));
    add("rooms-200x10-rate-1000", crowd(few(200, 5), 10, 1, few(10_000, 200), Some(1_000.0)));
    add("rooms-200x10-full", crowd(few(200, 5), 10, 1, few(60_000, 500), None));
    add("ingest-window-32", Load::Ingest { window: 32, messages: few(400_000, 2_000) });
    add("ingest-window-1", Load::Ingest { window: 1, messages: few(30_000, 500) });
    add("idle-2000", Load::Idle { connections: few(2_000, 100) });
    add("idle-9000", Load::Idle { connections: few(9_000, 100) });
    add("login-storm", Load::Storm { logins: few(400, 40) });
    for lines in [10_000, 100_000, 1_000_000, 10_000_000] {
        if !quick || lines == 10_000 {
            add(&format!("pages-{lines}"), Load::Pages { lines, pages: few(5_000, 50) });
        }
    }
    let most = few(10_000_000, 10_000);
    add(&format!("search-{most}"), Load::Search { lines: most, questions: few(500, 20) });
    add(&format!("start-{most}"), Load::Start { lines: most });
    add("return-2000", Load::Return { clients: few(2_000, 100) });
    for members in [10, 30, 300, 3_000] {
        add(&format!("grow-members-{members}"), crowd(1, few(members, 10), 5, few(2_000_000 / members, 50), None));
    }
    for rooms in [1, 10, 100, 800] {
        add(&format!("grow-rooms-{rooms}"), crowd(few(rooms, 2), 10, 1, few(40_000.max(rooms * 20), 100), None));
    }
    kinds
}

impl Kind {
    pub fn suits(&self, server: &Server) -> bool {
        match self.load {
            Load::Crowd { .. } | Load::Idle { .. } => true,
            // ngIRCd has no echo to wait for.
            Load::Ingest { .. } => *server != Server::Ngircd,
            _ => *server == Server::Chatd,
        }
    }

    pub async fn run(&self, server: &Server) -> Result<Figures> {
        let name = self.name.clone();
        match self.load {
            Load::Crowd { rooms, members, senders, messages, rate } => {
                let running = Running::start(server, rooms * members)?;
                crowd::run(&Plan { name, rooms, members, senders, messages, rate }, &running).await
            }
            Load::Ingest { window, messages } => ingest(name, server, window, messages).await,
            Load::Idle { connections } => idle(name, server, connections).await,
            Load::Storm { logins } => tokio::task::LocalSet::new().run_until(storm(name, logins)).await,
            Load::Pages { lines, pages } => ask(name, lines, pages, Question::Page).await,
            Load::Search { lines, questions } => ask(name, lines, questions, Question::Search).await,
            Load::Start { lines } => start(name, lines).await,
            Load::Return { clients } => tokio::task::LocalSet::new().run_until(come_back(name, clients)).await,
        }
    }
}

fn figures(kind: String, server: &Running, unit: &'static str, units: u64) -> Figures {
    Figures {
        kind,
        server: server.name.clone(),
        unit,
        units,
        seconds: 0.0,
        cpu: 0.0,
        latency: None,
        memory_kib: 0.0,
        orders: None,
        faults: 0,
        note: String::new(),
    }
}

async fn ingest(name: String, kind: &Server, window: usize, messages: usize) -> Result<Figures> {
    const SENDERS: usize = 10;
    let server = Running::start(kind, SENDERS)?;
    let tls = connector();
    let mut clients = Vec::new();
    for n in 0..SENDERS {
        let mut client = Client::connect(server.address, &tls).await?;
        let nick = format!("u{n:05}");
        client.login(&Login { nick: &nick, password: server.password(), caps: "echo-message" }).await?;
        client.join(&format!("#solo{n}")).await?;
        clients.push(client);
    }
    server.settle().await?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    let each = messages / SENDERS;
    let tasks = clients.into_iter().enumerate().map(|(n, mut client)| {
        tokio::spawn(async move {
            let line = format!("PRIVMSG #solo{n} :{}\r\n", "x".repeat(100));
            let (mut sent, mut heard, mut latencies) = (0, 0, Vec::new());
            let mut at = std::collections::VecDeque::new();
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
    let mut latencies = Vec::new();
    let mut clients = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        let (client, some) = task.await??;
        latencies.extend(some);
        clients.push(client);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        seconds,
        cpu: server.cpu()? - cpu,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        ..figures(name, &server, "message", (each * SENDERS) as u64)
    })
}

async fn idle(name: String, kind: &Server, connections: usize) -> Result<Figures> {
    let server = Running::start(kind, connections)?;
    let tls = connector();
    // The first makes the server load what it needs for any.
    let mut clients = Vec::new();
    let mut before = 0.0;
    let (cpu, began) = (server.cpu()?, Instant::now());
    for at in 0..=connections.div_ceil(50) {
        let many = if at == 0 { 1 } else { 50.min(connections - clients.len()) };
        let some: Vec<_> = (0..many)
            .map(|n| {
                let n = clients.len() + n;
                let (tls, to, password) = (tls.clone(), server.address, server.password());
                tokio::spawn(async move {
                    let mut client = Client::connect(to, &tls).await?;
                    client.login(&Login { nick: &format!("u{n:05}"), password, caps: "" }).await?;
                    client.join(&format!("#room{}", n / 100)).await?;
                    anyhow::Ok(client)
                })
            })
            .collect();
        for task in some {
            clients.push(task.await??);
        }
        if at == 0 {
            server.settle().await?;
            before = server.memory_kib()?;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    // All take what was said about the others' coming.
    let mut readers = Vec::new();
    for mut client in clients {
        readers.push(tokio::spawn(async move {
            let mut input = [0; 4096];
            while client.stream.read(&mut input).await.is_ok_and(|read| read > 0) {}
        }));
    }
    server.settle().await?;
    let memory_kib = (server.memory_kib()? - before) / connections as f64;
    let cpu = server.cpu()? - cpu;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(Figures { seconds, cpu, memory_kib, ..figures(name, &server, "connection", connections as u64) })
}

/// A chatd with the given folder made ready by `prepare`.
fn chatd_with(
    accounts: usize,
    settings: &chatd::Settings,
    fill: impl Fn(&std::path::Path) -> Result<()>,
) -> Result<Running> {
    let dir = tempfile::tempdir()?;
    let port = free_port()?;
    chatd::prepare(dir.path(), port, accounts, settings)?;
    fill(dir.path())?;
    Running::start_in(&Server::Chatd, dir, port)
}

async fn login(server: &Running, n: usize, caps: &str) -> Result<Client> {
    let mut client = Client::connect(server.address, &connector()).await?;
    client.login(&Login { nick: &format!("u{n:05}"), password: Some(PASSWORD), caps }).await?;
    Ok(client)
}

async fn storm(name: String, logins: usize) -> Result<Figures> {
    const AT_ONCE: usize = 16;
    let settings = chatd::Settings { hash: (19_456, 2), ..chatd::Settings::default() };
    let server = chatd_with(AT_ONCE + 2, &settings, |_| Ok(()))?;
    let mut pair = [login(&server, AT_ONCE, "echo-message").await?, login(&server, AT_ONCE + 1, "echo-message").await?];
    for client in &mut pair {
        client.join("#pair").await?;
    }
    server.settle().await?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    let stormers: Vec<_> = (0..AT_ONCE)
        .map(|n| {
            let (to, tls) = (server.address, connector());
            tokio::task::spawn_local(async move {
                for _ in 0..logins / AT_ONCE {
                    let mut client = Client::connect(to, &tls).await?;
                    let nick = format!("u{n:05}");
                    client.login(&Login { nick: &nick, password: Some(PASSWORD), caps: "" }).await?;
                    client.send("QUIT\r\n").await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let mut latencies = Vec::new();
    let [mut one, mut other] = pair;
    while !stormers.iter().all(|task| task.is_finished()) {
        let sent = Instant::now();
        one.send("PRIVMSG #pair :are you there\r\n").await?;
        other.until("PRIVMSG").await?;
        latencies.push(sent.elapsed().as_micros() as u32);
        one.until("PRIVMSG").await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for task in stormers {
        task.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        seconds,
        cpu: server.cpu()? - cpu,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        note: "latency: the pair's".to_owned(),
        ..figures(name, &server, "login", (logins / AT_ONCE * AT_ONCE) as u64)
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Question {
    Page,
    Search,
}

async fn ask(name: String, lines: usize, questions: usize, question: Question) -> Result<Figures> {
    let server = chatd_with(4, &chatd::Settings::default(), |dir| chatd::fill(dir, "#long", lines, 4))?;
    let disk = std::fs::metadata(server.dir.path().join("data/chat.db"))?.len();
    let caps = "batch server-time message-tags draft/chathistory soju.im/search";
    let mut client = login(&server, 1, caps).await?;
    server.settle().await?;
    let words = ["needle", "meeting tomorrow", "network cables", "coffee"];
    let (cpu, began, mut latencies, mut count) = (server.cpu()?, Instant::now(), Vec::new(), 0);
    let now = ::chatd::clock::now().0;
    for n in 0..questions {
        // Everywhere in the room, in no order.
        let place = (n * 7_919) % questions;
        let before = now - 2_000 - (lines as f64 * (place as f64 / questions as f64)) as i64;
        let time = ::chatd::encode::iso(::chatd::event::Millis(before));
        let sent = Instant::now();
        match question {
            Question::Page => client.send(&format!("CHATHISTORY BEFORE #long timestamp={time} 100\r\n")).await?,
            Question::Search => {
                let text = words[n % words.len()].replace(' ', "\\s");
                client.send(&format!("SEARCH text={text};limit=50;in=#long\r\n")).await?;
            }
        }
        loop {
            let line = client.line().await?;
            if word(&line, 1) == "FAIL" || word(&line, 1) == "421" {
                bail!("{line}");
            }
            if word(&line, 1) == "BATCH" && word(&line, 2).starts_with('-') {
                break;
            }
            count += u64::from(word(&line, 1) == "PRIVMSG");
        }
        latencies.push(sent.elapsed().as_micros() as u32);
    }
    let seconds = began.elapsed().as_secs_f64();
    let unit = if question == Question::Page { "line" } else { "question" };
    let units = if question == Question::Page { count } else { questions as u64 };
    Ok(Figures {
        seconds,
        cpu: server.cpu()? - cpu,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        note: format!("{count} lines; {} bytes of disk a message", disk / lines.max(1) as u64),
        ..figures(name, &server, unit, units)
    })
}

async fn start(name: String, lines: usize) -> Result<Figures> {
    let server = chatd_with(4, &chatd::Settings::default(), |dir| chatd::fill(dir, "#long", lines, 4))?;
    let port = server.address.port();
    let dir = server.stop()?;
    let began = Instant::now();
    let server = Running::start_in(&Server::Chatd, dir, port)?;
    login(&server, 1, "").await?;
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        seconds,
        cpu: server.cpu()?,
        memory_kib: server.memory_kib()?,
        note: "until the first login has read its rooms".to_owned(),
        ..figures(name, &server, "start", 1)
    })
}

async fn come_back(name: String, clients: usize) -> Result<Figures> {
    let settings = chatd::Settings { hash: (19_456, 2), ..chatd::Settings::default() };
    let server = chatd_with(clients, &settings, |dir| chatd::fill(dir, "#all", 1_000, clients))?;
    let port = server.address.port();
    let dir = server.stop()?;
    let server = Running::start_in(&Server::Chatd, dir, port)?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    let tls = connector();
    let tasks: Vec<_> = (0..clients)
        .map(|n| {
            let (to, tls) = (server.address, tls.clone());
            tokio::task::spawn_local(async move {
                let mut client = Client::connect(to, &tls).await?;
                let nick = format!("u{n:05}");
                client.login(&Login { nick: &nick, password: Some(PASSWORD), caps: "" }).await?;
                client.until("366").await?;
                // To the end of the replay.
                client.send("PING end\r\n").await?;
                client.until("PONG").await?;
                anyhow::Ok((client, began.elapsed().as_micros() as u32))
            })
        })
        .collect();
    let (mut latencies, mut stay) = (Vec::new(), Vec::new());
    for task in tasks {
        let (client, at) = task.await??;
        latencies.push(at);
        stay.push(client);
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Figures {
        seconds,
        cpu: server.cpu()? - cpu,
        latency: quantiles(latencies),
        memory_kib: server.memory_kib()?,
        note: "latency: until somebody was back, replay included".to_owned(),
        ..figures(name, &server, "client", clients as u64)
    })
}
