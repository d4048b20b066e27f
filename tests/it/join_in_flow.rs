//! Coming in while others talk: what is replayed and what is live meet without a gap and without a double.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::harness::{Client, Line, MODERN, Server};

/// Four speakers, 400 lines a second in all, each line unlike any other, until `stop`; gives back how many.
async fn flow(server: &Server, room: &'static str, stop: Arc<AtomicBool>) -> Vec<tokio::task::JoinHandle<usize>> {
    let mut speakers = Vec::new();
    for name in ["alice", "bob", "carol", "dave"] {
        let mut client = server.login_with(name, &[]).await;
        client.ask(&format!("JOIN {room}")).await;
        let stop = stop.clone();
        speakers.push(tokio::spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(10));
            let mut count = 0;
            while !stop.load(Ordering::Relaxed) {
                beat.tick().await;
                client.send(format!("PRIVMSG {room} :{name}-{count}")).await;
                count += 1;
                if count % 20 == 0 {
                    client.sync().await;
                }
            }
            client.sync().await;
            count
        }));
    }
    speakers
}

/// The words of `room` in `lines`; an old client's time in front is cut off.
fn words(lines: &[Line], room: &str) -> Vec<String> {
    let spoken = lines.iter().filter(|line| line.is_speech() && line.param(0) == room);
    spoken.map(|line| line.text().rsplit(' ').next().unwrap_or_default().to_owned()).collect()
}

/// `seen` has to be one run of the history up to its end, with at least `least` lines of the past.
fn assert_one_run(who: &str, seen: &[String], all: &[String], replayed: usize) {
    let first = seen.first().unwrap_or_else(|| panic!("{who} saw nothing"));
    let start = all.iter().position(|word| word == first).unwrap_or_else(|| panic!("{who} saw {first:?}: not said"));
    let expected = &all[start..];
    if seen != expected {
        let at = seen.iter().zip(expected).take_while(|(a, b)| a == b).count();
        panic!(
            "{who} saw {} lines of {}; they part at line {at}: saw {:?}, the history has {:?}",
            seen.len(),
            expected.len(),
            &seen[at..seen.len().min(at + 5)],
            &expected[at..expected.len().min(at + 5)],
        );
    }
    assert!(seen.len() >= replayed, "{who} was shown less than the replay");
}

const KINDS: [&[&str]; 4] = [MODERN, &["server-time", "batch"], &["server-time"], &[]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_join_in_the_flow_and_each_sees_one_run() {
    let names: Vec<String> = (1..=30).map(|n| format!("guest{n:02}")).collect();
    let server = Server::configure().users(&names).set("history.replay_lines", 50).start().await;
    let mut guests: Vec<Client> = Vec::new();
    for (name, caps) in names.iter().zip(KINDS.iter().cycle()) {
        guests.push(server.login_with(name, caps).await);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let speakers = flow(&server, "#flow", stop.clone()).await;
    while server.said("#flow").len() < 200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut joining = Vec::new();
    for mut guest in guests {
        tokio::time::sleep(Duration::from_millis(37)).await;
        let stop = stop.clone();
        joining.push(tokio::spawn(async move {
            guest.send("JOIN #flow").await;
            let mut lines = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                lines.extend(guest.sync().await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            (guest, lines)
        }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut count = 0;
    for speaker in speakers {
        count += speaker.await.expect("a speaker");
    }
    let all = server.said("#flow");
    assert_eq!(all.len(), count, "everything said is in the history");
    for (name, guest) in names.iter().zip(joining) {
        let (mut guest, mut lines) = guest.await.expect("a guest");
        lines.extend(guest.sync().await);
        let seen = words(&lines, "#flow");
        assert!(seen.len() < all.len(), "{name} joined in the middle");
        assert_one_run(name, &seen, &all, 50);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logging_in_again_and_again_in_the_flow() {
    let server = Server::configure().user("guest").set("history.replay_lines", 20).start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let speakers = flow(&server, "#lobby", stop.clone()).await;
    while server.said("#lobby").len() < 50 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut runs = Vec::new();
    for caps in KINDS.iter().cycle().take(12) {
        let mut guest = server.login_with("guest", caps).await;
        let mut lines = std::mem::take(&mut guest.greeting);
        for _ in 0..5 {
            lines.extend(guest.sync().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        runs.push(words(&lines, "#lobby"));
        drop(guest);
    }
    stop.store(true, Ordering::Relaxed);
    for speaker in speakers {
        speaker.await.expect("a speaker");
    }
    let all = server.said("#lobby");
    for run in runs {
        let last = run.last().expect("something seen");
        let end = all.iter().position(|word| word == last).expect("it was said");
        assert_one_run("guest", &run, &all[..=end], 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_and_coming_back_in_the_flow() {
    let server = Server::configure().user("guest").set("history.replay_lines", 20).start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let speakers = flow(&server, "#flow", stop.clone()).await;
    let mut guest = server.login("guest").await;
    let mut runs = Vec::new();
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut lines = guest.ask("JOIN #flow").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        lines.extend(guest.ask("PART #flow").await);
        let part = lines.iter().position(|line| line.matches(":guest PART #flow")).expect("the PART");
        assert!(words(&lines[part..], "#flow").is_empty(), "words after the PART");
        runs.push(words(&lines[..part], "#flow"));
    }
    assert!(guest.hears().await.is_empty(), "who has left hears nothing");
    stop.store(true, Ordering::Relaxed);
    for speaker in speakers {
        speaker.await.expect("a speaker");
    }
    let all = server.said("#flow");
    for run in runs {
        let last = run.last().expect("something seen");
        let end = all.iter().position(|word| word == last).expect("it was said");
        assert_one_run("guest", &run, &all[..=end], 1);
    }
}
