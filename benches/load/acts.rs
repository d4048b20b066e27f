//! What is done to the server by others while two people chat: by a process of its own, so that the time it takes itself
//! is not taken for the server's. It stands for other machines, and is therefore nice to the processes that are measured.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::chatd::{certificate, dictionary, nick, token};
use super::client::{Client, Login, Proof, connector, connector_for, connector_with, place, tcp, word};
use super::figures::quantiles;
use super::server::{PASSWORD, Running, cpu_of};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Act {
    /// Takes processor time and does nothing to the server: what the machine alone makes of it.
    Spin { threads: usize },
    /// Connects and closes; `places`: from how many addresses.
    Connect { at_once: usize, places: usize },
    /// The same with the TLS handshake between.
    Handshake { at_once: usize, places: usize },
    /// Begins the handshake and then says nothing; whoever is sent away comes again.
    HalfOpen { count: usize },
    /// A byte a second, never a whole of anything; whoever is sent away comes again.
    Drip { count: usize, stage: Stage },
    /// Logs in with the right or a wrong password, each time from another address.
    Login { at_once: usize, accounts: usize, right: bool },
    /// All of them connect at once, log in and read what they missed.
    Return { clients: usize, by: By },
    /// Members who never read, in a room where others say much.
    Deaf { first: usize, members: usize, talkers: usize, room: String, lines_a_second: usize },
    /// Each asks one question after the other; `events`: the first and the number of the messages that pages are of.
    Ask { first: usize, clients: usize, search: bool, events: (i64, i64) },
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Stage {
    Hello,
    Handshake,
    Registration,
    Http,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    Password,
    Token,
    Certificate,
}

/// An act, and against whom.
#[derive(Serialize, Deserialize)]
struct Order {
    act: Act,
    to: SocketAddr,
    dir: PathBuf,
    seconds: f64,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    pub done: u64,
    /// What the server refused or cut off.
    pub refused: u64,
    pub seconds: f64,
    pub latency: Option<[f64; 3]>,
    /// The share of one processor that the acting process took.
    pub busy: f64,
}

/// An acting process.
pub struct Acting {
    child: Child,
}

impl Acting {
    pub fn start(act: &Act, server: &Running, seconds: f64) -> Result<Acting> {
        let order = Order { act: act.clone(), to: server.address, dir: server.dir.path().to_owned(), seconds };
        let child = Command::new("nice")
            .arg("-n10")
            .arg(std::env::current_exe()?)
            .arg("--act")
            .arg(serde_json::to_string(&order)?)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("the second process of the load program")?;
        Ok(Acting { child })
    }

    /// Waits for its end without standing in the way of others.
    pub async fn finish(self) -> Result<Report> {
        let output = tokio::task::spawn_blocking(move || self.child.wait_with_output()).await??;
        if !output.status.success() {
            bail!("the second process of the load program has failed");
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The acting process itself.
pub fn main(order: &str) -> Result<()> {
    let order: Order = serde_json::from_str(order)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(tokio::task::LocalSet::new().run_until(act(order)))?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

/// What the tasks of an act have in common.
struct Doing {
    to: SocketAddr,
    until: Cell<Instant>,
    done: Cell<u64>,
    refused: Cell<u64>,
    latencies: RefCell<Vec<u32>>,
}

impl Doing {
    fn goes_on(&self) -> bool {
        Instant::now() < self.until.get()
    }

    fn count(&self, result: &Result<()>) {
        let counter = if result.is_ok() { &self.done } else { &self.refused };
        counter.set(counter.get() + 1);
    }

    /// How long something that began then has taken.
    fn took(&self, began: Instant) {
        self.latencies.borrow_mut().push(began.elapsed().as_micros() as u32);
    }
}

async fn act(order: Order) -> Result<Report> {
    let time = Duration::from_secs_f64(order.seconds);
    let ready = prepared(&order)?;
    let mut began = Instant::now();
    let doing = Rc::new(Doing {
        to: order.to,
        until: Cell::new(began + time),
        done: Cell::new(0),
        refused: Cell::new(0),
        latencies: RefCell::default(),
    });
    let own = cpu_of("self")?;
    let own_place = 40_000;
    match order.act {
        Act::Spin { threads } => {
            let until = doing.until.get();
            let all: Vec<_> =
                (0..threads).map(|_| std::thread::spawn(move || while Instant::now() < until {})).collect();
            for thread in all {
                thread.join().map_err(|_| anyhow::anyhow!("a thread has failed"))?;
            }
            tokio::time::sleep_until(until.into()).await;
        }
        Act::Connect { at_once, places } => {
            repeat(&doing, at_once, move |doing, n| async move {
                let stream = tcp(place(n % places), doing.to).await?;
                // Closed at once, without the kernel's long memory of it.
                stream.set_zero_linger()?;
                Ok(())
            })
            .await
        }
        Act::Handshake { at_once, places } => {
            let tls = connector();
            repeat(&doing, at_once, move |doing, n| {
                let tls = tls.clone();
                async move {
                    let client = Client::connect_from(place(n % places), doing.to, &tls).await?;
                    Ok(client.stream.get_ref().0.set_zero_linger()?)
                }
            })
            .await
        }
        Act::HalfOpen { count } => {
            let hello = hello().await?;
            repeat(&doing, count, move |doing, n| {
                let hello = hello.clone();
                async move {
                    let mut stream = tcp(place(n), doing.to).await?;
                    stream.write_all(&hello).await?;
                    until_cut(&mut stream, &doing).await
                }
            })
            .await
        }
        Act::Drip { count, stage } => {
            let hello = hello().await?;
            let tls = match stage {
                Stage::Http => connector_for(b"http/1.1"),
                _ => connector(),
            };
            repeat(&doing, count, move |doing, n| {
                let (hello, tls) = (hello.clone(), tls.clone());
                async move {
                    let mut stream = tcp(place(n), doing.to).await?;
                    match stage {
                        Stage::Hello => drip(&mut stream, &hello, &doing).await,
                        Stage::Handshake => {
                            stream.write_all(&hello).await?;
                            // A record of the handshake that never ends.
                            drip(&mut stream, &[22, 3, 3, 2, 0, 1, 0, 1, 252, 3, 3], &doing).await
                        }
                        Stage::Registration | Stage::Http => {
                            let mut stream = tls.connect(ServerName::try_from("localhost")?, stream).await?;
                            let text = match stage {
                                Stage::Http => "GET / HTTP/1.1\r\nHost: localhost\r\nX: ",
                                _ => "CAP LS 302\r\nNICK somebody\r\n",
                            };
                            drip(&mut stream, text.as_bytes(), &doing).await
                        }
                    }
                }
            })
            .await
        }
        Act::Login { at_once, accounts, right } => {
            let tls = connector();
            repeat(&doing, at_once, move |doing, n| {
                let tls = tls.clone();
                async move {
                    let began = Instant::now();
                    let mut client = Client::connect_from(place(n), doing.to, &tls).await?;
                    let proof = Proof::Password(if right { PASSWORD } else { "this-is-not-it" });
                    let result = client.login(&Login { nick: &nick(n % accounts), proof, caps: "" }).await;
                    doing.took(began);
                    if right {
                        result?;
                        client.send("QUIT\r\n").await?;
                    }
                    Ok(())
                }
            })
            .await
        }
        Act::Return { clients, by } => {
            let tasks: Vec<_> = (0..clients)
                .map(|n| {
                    let (doing, tls) = (doing.clone(), ready.get(n).unwrap_or(&ready[0]).clone());
                    tokio::task::spawn_local(async move {
                        let mut client = Client::connect_from(place(n), doing.to, &tls).await?;
                        let token = token(n);
                        let proof = match by {
                            By::Password => Proof::Plain(PASSWORD),
                            By::Token => Proof::Plain(&token),
                            By::Certificate => Proof::Certificate,
                        };
                        client.login(&Login { nick: &nick(n), proof, caps: "" }).await?;
                        client.until("366").await?;
                        // To the end of the replay.
                        client.fence().await?;
                        doing.took(began);
                        doing.done.set(doing.done.get() + 1);
                        anyhow::Ok(client)
                    })
                })
                .collect();
            let mut stay = Vec::new();
            for task in tasks {
                stay.push(task.await??);
            }
        }
        Act::Deaf { first, members, talkers, room, lines_a_second } => {
            let mut deaf = Vec::new();
            for n in first..first + members + talkers {
                let mut client = Client::connect_from(place(own_place + n), doing.to, &connector()).await?;
                client.login(&Login { nick: &nick(n), proof: Proof::Plain(&token(n)), caps: "" }).await?;
                client.join(&room).await?;
                deaf.push(client);
            }
            let mut loud: Vec<Client> = deaf.drain(..talkers).collect();
            let line = format!("PRIVMSG {room} :{}\r\n", "loud ".repeat(70));
            began = Instant::now();
            doing.until.set(began + time);
            let mut n = 0;
            while doing.goes_on() {
                let at = began + Duration::from_secs_f64(n as f64 / lines_a_second as f64);
                tokio::time::sleep_until(at.into()).await;
                let talker = n % talkers;
                loud[talker].send(&line).await?;
                // The loud do read, now and then.
                let mut waste = [0; 65_536];
                let read = loud[talker].stream.read(&mut waste);
                let _ = tokio::time::timeout(Duration::ZERO, read).await;
                n += 1;
            }
            doing.done.set(n as u64);
        }
        Act::Ask { first, clients, search, events } => {
            let mut tasks = Vec::new();
            for n in first..first + clients {
                let mut client = Client::connect_from(place(own_place + n), doing.to, &connector()).await?;
                let caps = "batch server-time message-tags draft/chathistory soju.im/search";
                client.login(&Login { nick: &nick(n), proof: Proof::Password(PASSWORD), caps }).await?;
                tasks.push(ask(client, doing.clone(), n, search, events));
            }
            began = Instant::now();
            doing.until.set(began + time);
            let tasks: Vec<_> = tasks.into_iter().map(tokio::task::spawn_local).collect();
            for task in tasks {
                task.await??;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(Report {
        done: doing.done.get(),
        refused: doing.refused.get(),
        seconds,
        latency: quantiles(doing.latencies.take()),
        busy: (cpu_of("self")? - own) / seconds,
    })
}

/// What is not to be in the measured time: the connectors of those who show certificates.
fn prepared(order: &Order) -> Result<Vec<tokio_rustls::TlsConnector>> {
    match order.act {
        Act::Return { clients, by: By::Certificate } => {
            (0..clients).map(|n| connector_with(&certificate(&order.dir, n))).collect()
        }
        _ => Ok(vec![connector()]),
    }
}

/// So many at once do it again and again, each time with another number. Whoever is refused waits a moment.
async fn repeat<F, Fut>(doing: &Rc<Doing>, at_once: usize, work: F)
where
    F: Fn(Rc<Doing>, usize) -> Fut + 'static,
    Fut: Future<Output = Result<()>>,
{
    let (work, next) = (Rc::new(work), Rc::new(Cell::new(0)));
    for _ in 0..at_once {
        let (doing, work, next) = (doing.clone(), work.clone(), next.clone());
        tokio::task::spawn_local(async move {
            while doing.goes_on() {
                let n = next.replace(next.get() + 1);
                let result = work(doing.clone(), n).await;
                doing.count(&result);
                if result.is_err() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }
    tokio::time::sleep_until(doing.until.get().into()).await;
}

/// The first bytes that a TLS client of ours sends.
async fn hello() -> Result<Vec<u8>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let client = tokio::task::spawn_local(async move { Client::connect(address, &connector()).await });
    let (mut stream, _) = listener.accept().await?;
    let mut bytes = vec![0; 4096];
    let mut read = stream.read(&mut bytes).await?;
    // Its length stands in its head.
    while read < 5 || read < 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]])) {
        read += stream.read(&mut bytes[read..]).await?;
    }
    client.abort();
    bytes.truncate(read);
    Ok(bytes)
}

/// Says nothing until the other side has had enough.
async fn until_cut(stream: &mut TcpStream, doing: &Doing) -> Result<()> {
    let mut input = [0; 4096];
    loop {
        let read = tokio::time::timeout_at(doing.until.get().into(), stream.read(&mut input)).await;
        match read {
            Err(_) => return Ok(()),
            Ok(Ok(read)) if read > 0 => {}
            Ok(_) => bail!("cut off"),
        }
    }
}

/// A byte a second of this text, and then of more of the same kind.
async fn drip<S>(stream: &mut S, text: &[u8], doing: &Doing) -> Result<()>
where
    S: tokio::io::AsyncRead + AsyncWriteExt + Unpin,
{
    let mut input = [0; 4096];
    for byte in text.iter().copied().chain(std::iter::repeat(b'a')) {
        if !doing.goes_on() {
            return Ok(());
        }
        stream.write_all(&[byte]).await?;
        stream.flush().await?;
        let pause = tokio::time::sleep(Duration::from_secs(1));
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                read = stream.read(&mut input) => if read? == 0 { bail!("cut off") },
            }
        }
    }
    Ok(())
}

/// One question after the other, until the time is over.
async fn ask(mut client: Client, doing: Rc<Doing>, seed: usize, search: bool, events: (i64, i64)) -> Result<()> {
    let mut n = seed;
    while doing.goes_on() {
        n = n.wrapping_mul(25_214_903_917).wrapping_add(11);
        let question = if search {
            let (one, other) = (dictionary((n >> 16) % 300), dictionary((n >> 32) % 20_000));
            format!("SEARCH text={one}\\s{other};limit=100;in=#long\r\n")
        } else {
            let id = ::chatd::event::EventId(events.0 + (n >> 16) as i64 % events.1);
            format!("CHATHISTORY BEFORE #long msgid={} 1000\r\n", id.msgid())
        };
        let began = Instant::now();
        client.send(&question).await?;
        loop {
            let line = client.line().await?;
            if word(&line, 1) == "FAIL" || (word(&line, 1) == "BATCH" && word(&line, 2).starts_with('-')) {
                let counter = if word(&line, 1) == "FAIL" { &doing.refused } else { &doing.done };
                counter.set(counter.get() + 1);
                break;
            }
        }
        doing.took(began);
    }
    Ok(())
}
