//! Readers that do not read: they cost the server next to nothing, the others nothing, and they lose nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::harness::{MODERN, Server, eventually, login_over};

const LINES: usize = 20_000;
const SLOW: usize = 20;
/// Of each, this many devices. The kernel takes in some megabytes for each connection by itself; with fewer, a server
/// that kept a queue for each reader would hardly be seen to grow.
const DEVICES: usize = 3;

/// Line `n` of the flow, 300 bytes of text.
fn line(n: usize) -> String {
    format!("{n:<10}{}", "-".repeat(290))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_stop_reading_and_lose_nothing() {
    let names: Vec<String> = (1..=SLOW).map(|n| format!("slow{n:02}")).collect();
    let server = Server::configure()
        .users(&names)
        .set("limits.write_deadline", "1h")
        .set("limits.ping_interval", "1h")
        .set("limits.ping_timeout", "1h")
        .start()
        .await;
    let speaker = server.login("alice").await;
    let attentive = server.login("bob").await;
    let (mut carol, mut dave) = (server.login("carol").await, server.login("dave").await);
    carol.ask("JOIN #aside").await;
    dave.ask("JOIN #aside").await;
    carol.ask("PART #lobby").await;
    dave.ask("PART #lobby").await;
    let (mut slow, mut deaf) = (Vec::new(), Vec::new());
    for name in &names {
        slow.push(login_over(server.connect_narrow(name).await, name, MODERN).await.split());
        for _ in 1..DEVICES {
            deaf.push(login_over(server.connect_narrow(name).await, name, MODERN).await);
        }
    }

    let before = server.rss();
    let server = Arc::new(server);
    let (most, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let measuring = {
        let (server, most, over) = (server.clone(), most.clone(), over.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                most.fetch_max(server.rss(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    };

    // The flow itself; its speaker reads its echoes, and bob reads all.
    let (mut echoes, mut speaker) = speaker.split();
    let speaking = tokio::spawn(async move {
        for n in 0..LINES {
            speaker.try_send(&format!("PRIVMSG #lobby :{}", line(n))).await.expect("the server takes it");
        }
        speaker
    });
    let echoing = tokio::spawn(async move {
        let mut next = 0;
        while next < LINES {
            let heard = echoes.next().await.expect("an echo");
            if heard.is_speech() {
                assert_eq!(heard.text(), line(next));
                next += 1;
            }
        }
    });
    let (mut attentive, _bob) = attentive.split();
    let attending = tokio::spawn(async move {
        let mut next = 0;
        while next < LINES {
            let heard = attentive.next().await.expect("the flow");
            if heard.is_speech() {
                assert_eq!(heard.text(), line(next), "bob misses nothing");
                next += 1;
            }
        }
    });
    // Meanwhile two others talk as if nothing were.
    let mut rounds = 0;
    while !attending.is_finished() || !echoing.is_finished() {
        carol.send(format!("PRIVMSG #aside :{rounds}")).await;
        dave.expect_from("carol", &format!("PRIVMSG #aside :{rounds}")).await;
        rounds += 1;
    }
    let _speaker = speaking.await.expect("the speaker");
    echoing.await.expect("all echoes");
    attending.await.expect("all lines");
    over.store(true, Ordering::Relaxed);
    measuring.await.expect("measured");
    let growth = most.load(Ordering::Relaxed).saturating_sub(before);
    eprintln!("memory grew by {} KiB; {rounds} exchanges went on beside it", growth / 1024);
    assert!(growth < 64 * 1024 * 1024, "the server grew by {} MiB", growth / (1024 * 1024));

    // The twenty read on; their other devices never do.
    let mut reading = Vec::new();
    for (name, (mut reader, writer)) in names.into_iter().zip(slow) {
        reading.push(tokio::spawn(async move {
            let mut next = 0;
            while next < LINES {
                let Some(heard) = reader.next().await else { panic!("{name} was cut off at line {next}") };
                if heard.is_speech() {
                    assert_eq!(heard.text(), line(next), "{name}");
                    next += 1;
                }
            }
            drop(writer);
        }));
    }
    for reading in reading {
        reading.await.expect("every line");
    }
    assert_eq!(server.said("#lobby").len(), LINES);
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_dead_is_let_go_in_the_end() {
    let server = Server::configure().set("limits.write_deadline", "1s").start().await;
    let mut alice = server.login("alice").await;
    let _dead = login_over(server.connect_narrow("bob").await, "bob", MODERN).await;
    let mut gone = false;
    for _ in 0..400 {
        for n in 0..200 {
            alice.send(format!("PRIVMSG #lobby :{}", line(n))).await;
        }
        gone = alice.sync().await.iter().any(|line| line.matches(":bob QUIT"));
        if gone {
            break;
        }
    }
    if !gone {
        alice.expect_from("bob", "QUIT").await;
    }
    eventually("bob's absence", async || {
        let answer = alice.ask("ISON bob").await;
        (!answer.iter().any(|line| line.is("303") && line.text().contains("bob"))).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_falls_behind_what_is_kept_in_memory_reads_on_from_the_disk() {
    let server = Server::configure()
        .users(["slow1", "slow2", "late"])
        .set("history.tail_memory", "1MiB")
        .set("history.replay_lines", 500)
        .start()
        .await;
    let mut speaker = server.login("alice").await;
    let mut slow = Vec::new();
    for name in ["slow1", "slow2"] {
        slow.push(login_over(server.connect_narrow(name).await, name, MODERN).await);
    }
    const MANY: usize = 20_000;
    for n in 0..MANY {
        speaker.send(format!("PRIVMSG #lobby :{}", line(n))).await;
        if n % 200 == 0 {
            speaker.sync().await;
        }
    }
    speaker.sync().await;
    // Who comes now is shown more of the past than the memory holds, and the live lines after it.
    let mut late = server.login("late").await;
    let mut seen: Vec<String> = late.greeting.iter().filter(|l| l.is_speech()).map(|l| l.text().to_owned()).collect();
    for n in MANY..MANY + 100 {
        speaker.send(format!("PRIVMSG #lobby :{}", line(n))).await;
    }
    speaker.sync().await;
    seen.extend(late.hears().await);
    assert!(seen.iter().map(String::as_str).eq((MANY - 500..MANY + 100).map(line).collect::<Vec<_>>()), "late's run");
    for mut reader in slow {
        let heard = reader.hears().await;
        assert_eq!(heard.len(), MANY + 100);
        assert!(heard.iter().enumerate().all(|(n, text)| *text == line(n)));
    }
}
