//! Two people who chat while something else goes on: how long their lines take is what everybody else would feel.

use std::cell::{Cell, RefCell};
use std::io::{Seek, SeekFrom, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;

use super::chatd::nick;
use super::client::{Client, Login, Proof, connector, place};
use super::figures::quantiles;
use super::marks;
use super::server::Running;

/// Between two lines of the same person.
const EVERY: Duration = Duration::from_millis(20);
/// Where they connect from: nobody else does.
const PLACE: usize = 60_000;

pub struct Pair {
    stop: Rc<Cell<bool>>,
    heard: Rc<Heard>,
    speaking: Vec<JoinHandle<Result<u64>>>,
    listening: Vec<JoinHandle<()>>,
    disk: Disk,
}

/// A thread that asks the disk now and then how long a sync takes: where everything is stored before it is said, what the
/// disk makes people wait is no fault of the server.
struct Disk {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Result<Vec<u32>>>,
}

impl Disk {
    fn watch(dir: &std::path::Path) -> Result<Disk> {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, mut file) = (stop.clone(), std::fs::File::create(dir.join("disk"))?);
        let thread = std::thread::spawn(move || {
            let mut micros = Vec::new();
            while !told.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
                let began = Instant::now();
                file.seek(SeekFrom::Start(0))?;
                file.write_all(&[1; 4096])?;
                file.sync_data()?;
                micros.push(began.elapsed().as_micros() as u32);
            }
            Ok(micros)
        });
        Ok(Disk { stop, thread })
    }

    /// The longest, milliseconds.
    fn longest(self) -> Result<f64> {
        self.stop.store(true, Ordering::Relaxed);
        let micros = self.thread.join().map_err(|_| anyhow::anyhow!("a thread has failed"))??;
        Ok(quantiles(micros).map_or(0.0, |[.., max]| max))
    }
}

#[derive(Default)]
struct Heard {
    count: Cell<u64>,
    faults: Cell<u64>,
    latencies: RefCell<Vec<u32>>,
}

/// How it went.
pub struct Talk {
    pub latency: Option<[f64; 3]>,
    pub lines: u64,
    /// Lines that were lost, doubled or out of order.
    pub faults: u64,
    /// The longest that the disk took for a sync meanwhile, milliseconds.
    pub disk: f64,
}

impl Pair {
    /// Two accounts log in by their tokens (or the password), join the room and talk until [`Pair::finish`]. To be called
    /// in a `LocalSet`.
    pub async fn start(
        server: &Running,
        accounts: [usize; 2],
        proof: impl Fn(usize) -> String,
        room: &str,
    ) -> Result<Pair> {
        let disk = Disk::watch(server.dir.path())?;
        let mut pair =
            Pair { stop: Rc::default(), heard: Rc::default(), speaking: Vec::new(), listening: Vec::new(), disk };
        let mut clients = Vec::new();
        for account in accounts {
            let mut client = Client::connect_from(place(PLACE + account % 2), server.address, &connector()).await?;
            client.login(&Login { nick: &nick(account), proof: Proof::Plain(&proof(account)), caps: "" }).await?;
            client.join(room).await?;
            client.fence().await?;
            clients.push(client);
        }
        let epoch = Instant::now();
        for (at, client) in clients.into_iter().enumerate() {
            let (reader, mut writer) = tokio::io::split(client.into_parts().0);
            let (stop, heard, room) = (pair.stop.clone(), pair.heard.clone(), room.to_owned());
            pair.listening.push(tokio::task::spawn_local(listen(reader, heard, epoch)));
            pair.speaking.push(tokio::task::spawn_local(async move {
                let began = tokio::time::Instant::now() + EVERY / 2 * at as u32;
                let mut said = 0;
                while !stop.get() {
                    tokio::time::sleep_until(began + EVERY * said as u32).await;
                    writer.write_all(marks::line(&room, at, said as usize, epoch).as_bytes()).await?;
                    writer.flush().await?;
                    said += 1;
                }
                Ok(said)
            }));
        }
        Ok(pair)
    }

    /// What was said so far does not count: the warm-up is over.
    pub fn forget(&self) {
        self.heard.latencies.take();
    }

    pub async fn finish(self) -> Result<Talk> {
        self.stop.set(true);
        let mut said = 0;
        for task in self.speaking {
            said += task.await??;
        }
        let until = Instant::now() + Duration::from_secs(10);
        while self.heard.count.get() < said && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if self.heard.count.get() == 0 {
            bail!("the two who chat have heard nothing of each other");
        }
        self.listening.iter().for_each(JoinHandle::abort);
        let latencies = self.heard.latencies.take();
        let lines = latencies.len() as u64;
        let faults = self.heard.faults.get() + said.abs_diff(self.heard.count.get());
        Ok(Talk { latency: quantiles(latencies), lines, faults, disk: self.disk.longest()? })
    }
}

async fn listen(mut reader: ReadHalf<TlsStream<TcpStream>>, heard: Rc<Heard>, epoch: Instant) {
    let (mut input, mut next) = (Vec::new(), 0);
    while reader.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
        let now = epoch.elapsed().as_micros() as u32;
        marks::take(&mut input, |_, n, sent| {
            heard.faults.set(heard.faults.get() + u64::from(n != next));
            next = n.wrapping_add(1);
            heard.count.set(heard.count.get() + 1);
            heard.latencies.borrow_mut().push(now.wrapping_sub(sent));
        });
    }
}
