//! People who come, enter a room, talk, leave it and go, for as long as told: whether the server's memory comes to rest.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::chatd::{self, Settings, nick, token};
use super::client::{Client, Login, Proof, connector, place};
use super::figures::Figures;
use super::server::{Kind, Running, free_port};

const PEOPLE: usize = 400;
const AT_ONCE: usize = 40;
const ROOMS: usize = 40;
/// Lines that each says before it goes.
const LINES: usize = 10;
/// From coming to going.
const STAY: Duration = Duration::from_secs(4);
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Resident memory and what the server knows of, KiB, at a moment in minutes.
type Look = (f64, f64, f64);

pub async fn run(name: String, kind: &Kind, minutes: f64) -> Result<Figures> {
    let port = free_port()?;
    let settings = Settings { metrics: Some(port), proofs: true, ..Settings::default() };
    let server = Running::start_with(kind, PEOPLE, &settings)?;
    let (cpu, began) = (server.cpu()?, Instant::now());
    let until = began + Duration::from_secs_f64(minutes * 60.0);
    let visits = Rc::new(Cell::new(0u64));
    let tls = connector();
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|at| {
            let (to, tls, visits) = (server.address, tls.clone(), visits.clone());
            tokio::task::spawn_local(async move {
                tokio::time::sleep(STAY * at as u32 / AT_ONCE as u32).await;
                while Instant::now() < until {
                    let n = visits.replace(visits.get() + 1) as usize;
                    // Each time somebody else, from elsewhere.
                    let who = (n / AT_ONCE * AT_ONCE + at) % PEOPLE;
                    let mut client = Client::connect_from(place(n % 50_000), to, &tls).await?;
                    let proof = Proof::Plain(&token(who));
                    client.login(&Login { nick: &nick(who), proof, caps: "" }).await?;
                    let room = format!("#room{}", n % ROOMS);
                    client.join(&room).await?;
                    for line in 0..LINES {
                        client
                            .send(&format!("PRIVMSG {room} :this is line {line} of visit {n}, and so it goes\r\n"))
                            .await?;
                        tokio::time::sleep(STAY / LINES as u32).await;
                    }
                    client.send(&format!("PART {room}\r\n")).await?;
                    client.fence().await?;
                    client.send("QUIT\r\n").await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    let mut looks: Vec<Look> = Vec::new();
    while Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY.min(until - Instant::now() + Duration::from_millis(1))).await;
        let text = chatd::metrics(port).await?;
        let tails = chatd::metric(&text, "chatd_tail_bytes").context("no figure of the tails")? / 1024.0;
        looks.push((began.elapsed().as_secs_f64() / 60.0, server.memory_kib()?, tails));
        eprintln!(
            "{:.1} min  {:.0} KiB  tails {:.0} KiB  visits {}",
            looks[looks.len() - 1].0,
            looks[looks.len() - 1].1,
            tails,
            visits.get()
        );
    }
    for task in tasks {
        task.await??;
    }
    let seconds = began.elapsed().as_secs_f64();
    let settled = &looks[looks.len() / 2..];
    let figures = Figures {
        kind: name,
        server: server.name.clone(),
        unit: "visit".to_owned(),
        units: visits.get(),
        seconds,
        cpu: server.cpu()? - cpu,
        memory_kib: server.memory_kib()?,
        note: format!("{minutes} minutes; growth of the second half"),
        ..Figures::default()
    };
    let mut figures = figures
        .with("KiB a minute", slope(settled.iter().map(|look| (look.0, look.1))))
        .with("of it the tails of the rooms", slope(settled.iter().map(|look| (look.0, look.2))));
    figures.series = looks.into_iter().map(|(at, memory, tails)| [at, memory / 1024.0, tails / 1024.0]).collect();
    Ok(figures)
}

/// The growth per unit of the line that fits best.
fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let (x, y) = points.clone().fold((0.0, 0.0), |sum, point| (sum.0 + point.0 / count, sum.1 + point.1 / count));
    let (over, under) =
        points.fold((0.0, 0.0), |sum, p| (sum.0 + (p.0 - x) * (p.1 - y), sum.1 + (p.0 - x) * (p.0 - x)));
    if under > 0.0 { over / under } else { 0.0 }
}
