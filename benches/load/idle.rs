//! Connections that do nothing, in rooms of a hundred: what each takes of the server's memory.

use std::time::Instant;

use anyhow::Result;
use tokio::io::AsyncReadExt;

use super::chatd::nick;
use super::client::{Client, Login, connector, place};
use super::figures::Figures;
use super::server::{Kind, Running, cpu_of};

const ROOM: usize = 100;
/// Some servers look at those who log in once a second only.
const LOGINS_AT_ONCE: usize = 500;

pub async fn run(name: String, kind: &Kind, connections: usize) -> Result<Figures> {
    let server = Running::start(kind, connections + 1)?;
    let tls = connector();
    let enter = |n: usize| {
        let (tls, to, proof) = (tls.clone(), server.address, server.proof());
        tokio::spawn(async move {
            let mut client = Client::connect_from(place(n), to, &tls).await?;
            client.login(&Login { nick: &nick(n), proof, caps: "" }).await?;
            client.join(&format!("#room{}", n / ROOM)).await?;
            anyhow::Ok(client)
        })
    };
    // The first one makes the server load what it needs for any, and is not counted.
    let mut first = enter(connections).await??;
    first.send("QUIT\r\n").await?;
    server.settle().await?;
    let before = server.memory_kib()?;
    let (cpu, own, began) = (server.cpu()?, cpu_of("self")?, Instant::now());
    let mut readers = Vec::new();
    for from in (0..connections).step_by(LOGINS_AT_ONCE) {
        let some: Vec<_> = (from..connections.min(from + LOGINS_AT_ONCE)).map(enter).collect();
        for task in some {
            let mut client = task.await??;
            // Each takes what is said about the others' coming.
            readers.push(tokio::spawn(async move {
                let mut input = [0; 4096];
                while client.stream.read(&mut input).await.is_ok_and(|read| read > 0) {}
            }));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    server.settle().await?;
    let gone = readers.iter().filter(|reader| reader.is_finished()).count();
    let figures = Figures {
        kind: name,
        server: server.name.clone(),
        unit: "connection".to_owned(),
        units: connections as u64,
        seconds,
        cpu: server.cpu()? - cpu,
        client: (cpu_of("self")? - own) / seconds,
        memory_kib: (server.memory_kib()? - before) / connections as f64,
        faults: gone as u64,
        note: "processor time: connecting and joining".to_owned(),
        ..Figures::default()
    };
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    Ok(figures.with("MiB in all", server.memory_kib()? / 1024.0))
}
