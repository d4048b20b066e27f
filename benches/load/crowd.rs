//! Many clients in rooms: some speak, all listen and check. A line carries its sender, its number and the moment it was
//! sent, so that whoever reads it knows whether one is missing and how long it took.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::client::{Client, Login, connector};
use super::figures::{Figures, quantiles};
use super::server::Running;

/// Bytes of a message's text; with the command around it a line of 118 bytes.
const TEXT: usize = 100;
/// `^` and three numbers of 8 hexadecimal digits: sender, number, microseconds.
const MARK_LEN: usize = 1 + 8 + 8 + 8;
/// No server writes this into a line of its own accord.
const MARK: u8 = b'^';
const LOGINS_AT_ONCE: usize = 50;

pub struct Plan {
    pub name: String,
    pub rooms: usize,
    pub members: usize,
    /// Of each room.
    pub senders: usize,
    /// Messages in all.
    pub messages: usize,
    /// Messages a second in all; `None`: as fast as it goes.
    pub rate: Option<f64>,
}

struct Shared {
    epoch: Instant,
    received: Cell<u64>,
    faults: Cell<u64>,
    latencies: RefCell<Vec<u32>>,
    ended: Cell<u64>,
}

/// What one listener has seen, with the room it sat in.
struct Seen {
    room: usize,
    speaks: bool,
    order: Rc<Cell<u64>>,
}

type Speaker = WriteHalf<TlsStream<TcpStream>>;

pub async fn run(plan: &Plan, server: &Running) -> Result<Figures> {
    tokio::task::LocalSet::new().run_until(crowd(plan, server)).await
}

async fn crowd(plan: &Plan, server: &Running) -> Result<Figures> {
    let shared = Rc::new(Shared {
        epoch: Instant::now(),
        received: Cell::new(0),
        faults: Cell::new(0),
        latencies: RefCell::default(),
        ended: Cell::new(0),
    });
    let mut seen = Vec::new();
    let mut speakers: Vec<(usize, Speaker)> = Vec::new();
    let mut quiet: Vec<Speaker> = Vec::new();
    let clients = enter(plan, server).await?;
    for (at, client) in clients.into_iter().enumerate() {
        let (room, speaks) = (at / plan.members, at % plan.members < plan.senders);
        let order = Rc::new(Cell::new(0));
        let (reader, writer) = tokio::io::split(client.stream);
        tokio::task::spawn_local(listen(reader, client.input, shared.clone(), order.clone()));
        seen.push(Seen { room, speaks, order });
        if speaks { speakers.push((room, writer)) } else { quiet.push(writer) }
    }
    server.settle().await?;

    let heard = plan.members as u64 - 1;
    let messages = plan.messages / speakers.len() * speakers.len();
    let expected = messages as u64 * heard;
    let (cpu, began) = (server.cpu()?, Instant::now());
    // Kept until the end: who lets go of its writer leaves.
    let _speakers = speak(plan, speakers, &shared).await?;
    let mut last = (0, Instant::now());
    while shared.received.get() < expected {
        tokio::time::sleep(Duration::from_millis(2)).await;
        if shared.received.get() > last.0 {
            last = (shared.received.get(), Instant::now());
        } else if last.1.elapsed() > Duration::from_secs(20) {
            break;
        }
        if shared.ended.get() > 0 {
            bail!("the server has thrown {} clients out", shared.ended.get());
        }
    }
    let (seconds, cpu) = (began.elapsed().as_secs_f64(), server.cpu()? - cpu);
    let missing = expected.saturating_sub(shared.received.get());
    let orders = (0..plan.rooms).map(|room| orders(&seen, room)).max();
    Ok(Figures {
        kind: plan.name.clone(),
        server: server.name.clone(),
        unit: "delivery",
        units: expected,
        seconds,
        cpu,
        latency: quantiles(shared.latencies.take()),
        memory_kib: server.memory_kib()?,
        orders,
        faults: shared.faults.get() + missing,
        note: String::new(),
    })
}

/// All clients logged in and in their rooms, room by room.
async fn enter(plan: &Plan, server: &Running) -> Result<Vec<Client>> {
    let count = plan.rooms * plan.members;
    let tls = connector();
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let from = clients.len();
        let some = (from..count.min(from + LOGINS_AT_ONCE)).map(|at| {
            let tls = tls.clone();
            let (to, password) = (server.address, server.password());
            let room = format!("#room{}", at / plan.members);
            tokio::task::spawn_local(async move {
                let mut client = Client::connect(to, &tls).await?;
                client.login(&Login { nick: &format!("u{at:05}"), password, caps: "" }).await?;
                client.join(&room).await?;
                anyhow::Ok(client)
            })
        });
        for task in some.collect::<Vec<_>>() {
            clients.push(task.await??);
        }
    }
    Ok(clients)
}

/// Says all that the plan wants said.
async fn speak(plan: &Plan, speakers: Vec<(usize, Speaker)>, shared: &Rc<Shared>) -> Result<Vec<Speaker>> {
    let count = speakers.len();
    let epoch = shared.epoch;
    if let Some(rate) = plan.rate {
        let mut speakers = speakers;
        let began = Instant::now();
        for n in 0..plan.messages {
            tokio::time::sleep_until((began + Duration::from_secs_f64(n as f64 / rate)).into()).await;
            let at = n % count;
            let (room, speaker) = &mut speakers[at];
            speaker.write_all(line(*room, at, n / count, epoch).as_bytes()).await?;
            speaker.flush().await?;
        }
        return Ok(speakers.into_iter().map(|(_, speaker)| speaker).collect());
    }
    let each = plan.messages / count;
    let mut tasks = tokio::task::JoinSet::new();
    for (at, (room, mut speaker)) in speakers.into_iter().enumerate() {
        tasks.spawn_local(async move {
            for from in (0..each).step_by(16) {
                let text: String = (from..each.min(from + 16)).map(|n| line(room, at, n, epoch)).collect();
                speaker.write_all(text.as_bytes()).await?;
                speaker.flush().await?;
            }
            anyhow::Ok(speaker)
        });
    }
    let mut speakers = Vec::new();
    while let Some(task) = tasks.join_next().await {
        speakers.push(task??);
    }
    Ok(speakers)
}

fn line(room: usize, sender: usize, n: usize, epoch: Instant) -> String {
    let micros = epoch.elapsed().as_micros() as u32;
    let mark = format!("^{sender:08x}{n:08x}{micros:08x}");
    format!("PRIVMSG #room{room} :{mark:x<TEXT$}\r\n")
}

/// Reads for one client to its end. Only the marks are looked for.
async fn listen(
    mut reader: ReadHalf<TlsStream<TcpStream>>,
    mut input: Vec<u8>,
    shared: Rc<Shared>,
    order: Rc<Cell<u64>>,
) {
    let mut next: Vec<(u32, u32)> = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let now = shared.epoch.elapsed().as_micros() as u32;
        let mut at = 0;
        while let Some(found) = memchr::memchr(MARK, &input[at..]) {
            let mark = at + found;
            let Some(digits) = input.get(mark + 1..mark + MARK_LEN) else { break };
            let number = |from: usize| {
                let text = std::str::from_utf8(&digits[from..from + 8]).unwrap_or_default();
                u32::from_str_radix(text, 16).unwrap_or(u32::MAX)
            };
            let (sender, n, sent) = (number(0), number(8), number(16));
            let expected = match next.iter_mut().find(|(known, _)| *known == sender) {
                Some((_, expected)) => expected,
                None => {
                    next.push((sender, 0));
                    &mut next.last_mut().expect("just pushed").1
                }
            };
            if *expected != n {
                shared.faults.set(shared.faults.get() + 1);
            }
            *expected = n.wrapping_add(1);
            let seen = (u64::from(sender) << 32 | u64::from(n)).wrapping_add(0x9e37_79b9_7f4a_7c15);
            order.set(order.get().wrapping_mul(0x100_0000_01b3).wrapping_add(seen));
            shared.received.set(shared.received.get() + 1);
            shared.latencies.borrow_mut().push(now.wrapping_sub(sent));
            at = mark + MARK_LEN;
        }
        let keep = memchr::memrchr(MARK, &input[at..]).map_or(input.len(), |found| at + found);
        input.drain(..keep);
        match reader.read(&mut buffer).await {
            Ok(read) if read > 0 => input.extend_from_slice(&buffer[..read]),
            _ => return shared.ended.set(shared.ended.get() + 1),
        }
    }
}

/// The different orders that the silent members of a room have seen. A speaker does not see its own lines.
fn orders(seen: &[Seen], room: usize) -> usize {
    let mut orders: Vec<u64> =
        seen.iter().filter(|seen| seen.room == room && !seen.speaks).map(|seen| seen.order.get()).collect();
    orders.sort_unstable();
    orders.dedup();
    orders.len()
}
