//! Many clients in rooms: some speak, all listen and check that each line comes once, and in one order for all.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::chatd::nick;
use super::client::{Client, Login, connector, place};
use super::figures::{Figures, quantiles};
use super::marks;
use super::server::{Running, cpu_of};

/// Some servers look at those who log in once a second only.
const LOGINS_AT_ONCE: usize = 500;
/// Clients at most, unless one room has more: with more rooms each client sits in several.
const CLIENTS: usize = 2_000;

pub struct Plan {
    pub name: String,
    pub rooms: usize,
    pub members: usize,
    /// Of each room.
    pub senders: usize,
    /// Messages in all. As many as a tenth of them, or a second's, come before as a warm-up.
    pub messages: usize,
    /// Messages a second in all; `None`: as fast as it goes.
    pub rate: Option<f64>,
}

impl Plan {
    pub fn clients(&self) -> usize {
        (self.rooms * self.members).min(CLIENTS.max(self.members))
    }

    /// Whether each client is in one room only.
    fn is_apart(&self) -> bool {
        self.clients() == self.rooms * self.members
    }

    /// Who is the nth member of a room; the first ones speak.
    fn seat(&self, room: usize, n: usize) -> usize {
        (room * self.members + n) % self.clients()
    }

    fn rooms_of(&self) -> Vec<Vec<usize>> {
        let mut rooms = vec![Vec::new(); self.clients()];
        for room in 0..self.rooms {
            (0..self.members).for_each(|n| rooms[self.seat(room, n)].push(room));
        }
        rooms
    }
}

struct Shared {
    epoch: Instant,
    received: Cell<u64>,
    faults: Cell<u64>,
    latencies: RefCell<Vec<u32>>,
    ended: Cell<u64>,
}

type Speaker = WriteHalf<TlsStream<TcpStream>>;

/// Those who speak: each client with the senders that it is, and their rooms.
struct Speakers {
    clients: Vec<(Speaker, Vec<(usize, usize)>)>,
    /// Of each sender the client.
    of: Vec<usize>,
    epoch: Instant,
}

/// To be called in a `LocalSet`, which ends the clients with it.
pub async fn run(plan: &Plan, server: &Running) -> Result<Figures> {
    let shared = Rc::new(Shared {
        epoch: Instant::now(),
        received: Cell::new(0),
        faults: Cell::new(0),
        latencies: RefCell::default(),
        ended: Cell::new(0),
    });
    let count = plan.rooms * plan.senders;
    let mut orders = Vec::new();
    let mut writers: BTreeMap<usize, Speaker> = BTreeMap::new();
    for (at, client) in enter(plan, server).await?.into_iter().enumerate() {
        let order = Rc::new(Cell::new(0));
        let (stream, input) = client.into_parts();
        let (reader, writer) = tokio::io::split(stream);
        tokio::task::spawn_local(listen(reader, input, shared.clone(), order.clone()));
        orders.push(order);
        writers.insert(at, writer);
    }
    let mut speakers = Speakers { clients: Vec::new(), of: Vec::new(), epoch: shared.epoch };
    let mut known = BTreeMap::new();
    for sender in 0..count {
        let (room, client) = (sender / plan.senders, plan.seat(sender / plan.senders, sender % plan.senders));
        let at = *known.entry(client).or_insert(speakers.clients.len());
        if let Some(writer) = writers.remove(&client) {
            speakers.clients.push((writer, Vec::new()));
        }
        speakers.clients[at].1.push((sender, room));
        speakers.of.push(at);
    }
    server.settle().await?;

    let each = (plan.messages / count).max(1);
    let warm = plan.rate.map_or(each / 10, |rate| rate as usize / count).max(1);
    let heard = plan.members as u64 - 1;
    let first = (warm * count) as u64 * heard;
    let expected = first + (each * count) as u64 * heard;
    speakers.speak(0..warm, plan.rate).await?;
    shared.wait(first).await?;
    server.settle().await?;
    shared.latencies.take();
    let (cpu, own, began) = (server.cpu()?, cpu_of("self")?, Instant::now());
    speakers.speak(warm..warm + each, plan.rate).await?;
    shared.wait(expected).await?;
    let seconds = began.elapsed().as_secs_f64();
    let client = (cpu_of("self")? - own) / seconds;
    server.settle().await?;
    let missing = expected.abs_diff(shared.received.get());
    Ok(Figures {
        kind: plan.name.clone(),
        server: server.name.clone(),
        unit: "delivery".to_owned(),
        units: expected - first,
        seconds,
        cpu: server.cpu()? - cpu,
        client,
        latency: quantiles(shared.latencies.take()),
        memory_kib: server.memory_kib()?,
        orders: plan.is_apart().then(|| (0..plan.rooms).map(|room| different(plan, &orders, room)).max()).flatten(),
        faults: shared.faults.get() + missing,
        ..Figures::default()
    })
}

impl Shared {
    /// Until so many lines have come, or no more come.
    async fn wait(&self, expected: u64) -> Result<()> {
        let mut last = (self.received.get(), Instant::now());
        while self.received.get() < expected && last.1.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(2)).await;
            if self.received.get() > last.0 {
                last = (self.received.get(), Instant::now());
            }
            if self.ended.get() > 0 {
                bail!("the server has thrown {} clients out", self.ended.get());
            }
        }
        Ok(())
    }
}

/// All clients logged in and in their rooms.
async fn enter(plan: &Plan, server: &Running) -> Result<Vec<Client>> {
    let rooms = plan.rooms_of();
    let tls = connector();
    let mut clients = Vec::with_capacity(rooms.len());
    while clients.len() < rooms.len() {
        let from = clients.len();
        let some = (from..rooms.len().min(from + LOGINS_AT_ONCE)).map(|at| {
            let tls = tls.clone();
            let (to, proof) = (server.address, server.proof());
            let own = rooms[at].clone();
            tokio::task::spawn_local(async move {
                let mut client = Client::connect_from(place(at), to, &tls).await?;
                client.login(&Login { nick: &nick(at), proof, caps: "" }).await?;
                for some in own.chunks(30) {
                    let names: Vec<String> = some.iter().map(|room| format!("#room{room}")).collect();
                    client.send(&format!("JOIN {}\r\n", names.join(","))).await?;
                    for _ in some {
                        client.until("366").await?;
                    }
                }
                anyhow::Ok(client)
            })
        });
        for task in some.collect::<Vec<_>>() {
            clients.push(task.await??);
        }
    }
    Ok(clients)
}

impl Speakers {
    /// Each sender says its lines of these numbers.
    async fn speak(&mut self, numbers: std::ops::Range<usize>, rate: Option<f64>) -> Result<()> {
        let (count, epoch) = (self.of.len(), self.epoch);
        if let Some(rate) = rate {
            let began = Instant::now();
            for n in 0..numbers.len() * count {
                tokio::time::sleep_until((began + Duration::from_secs_f64(n as f64 / rate)).into()).await;
                let sender = n % count;
                let (speaker, is) = &mut self.clients[self.of[sender]];
                let room = is.iter().find(|(own, _)| *own == sender).map_or(0, |(_, room)| *room);
                speaker
                    .write_all(
                        marks::line(&format!("#room{room}"), sender, numbers.start + n / count, epoch).as_bytes(),
                    )
                    .await?;
                speaker.flush().await?;
            }
            return Ok(());
        }
        let mut tasks = Vec::new();
        for (mut speaker, is) in self.clients.drain(..) {
            let numbers = numbers.clone();
            tasks.push(tokio::task::spawn_local(async move {
                for from in numbers.clone().step_by(16) {
                    for (sender, room) in &is {
                        let (name, some) = (format!("#room{room}"), from..numbers.end.min(from + 16));
                        let text: String = some.map(|n| marks::line(&name, *sender, n, epoch)).collect();
                        speaker.write_all(text.as_bytes()).await?;
                        speaker.flush().await?;
                    }
                }
                anyhow::Ok((speaker, is))
            }));
        }
        // In the order they were, and kept: who lets go of its writer leaves.
        for task in tasks {
            self.clients.push(task.await??);
        }
        Ok(())
    }
}

/// Reads for one client to its end. Only the marks are looked for.
async fn listen(
    mut reader: ReadHalf<TlsStream<TcpStream>>,
    mut input: Vec<u8>,
    shared: Rc<Shared>,
    order: Rc<Cell<u64>>,
) {
    // Of each sender, what has to come next.
    let mut next: Vec<u32> = Vec::new();
    loop {
        let now = shared.epoch.elapsed().as_micros() as u32;
        marks::take(&mut input, |sender, n, sent| {
            let known = (sender as usize).min(1 << 20);
            if known >= next.len() {
                next.resize(known + 1, 0);
            }
            if next[known] != n {
                shared.faults.set(shared.faults.get() + 1);
            }
            next[known] = n.wrapping_add(1);
            let seen = (u64::from(sender) << 32 | u64::from(n)).wrapping_add(0x9e37_79b9_7f4a_7c15);
            order.set(order.get().wrapping_mul(0x100_0000_01b3).wrapping_add(seen));
            shared.received.set(shared.received.get() + 1);
            shared.latencies.borrow_mut().push(now.wrapping_sub(sent));
        });
        input.reserve(16 * 1024);
        match reader.read_buf(&mut input).await {
            Ok(read) if read > 0 => {}
            _ => return shared.ended.set(shared.ended.get() + 1),
        }
    }
}

/// The different orders that the silent members of a room have seen. A speaker does not see its own lines.
fn different(plan: &Plan, orders: &[Rc<Cell<u64>>], room: usize) -> usize {
    let mut seen: Vec<u64> = (plan.senders..plan.members).map(|n| orders[plan.seat(room, n)].get()).collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len()
}
