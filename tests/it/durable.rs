//! Nothing that was seen is ever lost: power cuts in full flow, orderly ends, and what is true after the restart.

use std::collections::{HashMap, HashSet};

use crate::harness::{Client, DEADLINE, Entry, Line, Reader, Server, Writer};

const SENDERS: &[&str] = &["alice", "bob", "carol", "dave"];

/// Talks without end, as fast as the echoes come, at most 200 lines ahead of them; returns what it saw of the
/// room, echoes included, in order, when the connection is gone.
pub fn talk_until_cut(client: Client, name: &'static str, round: usize) -> tokio::task::JoinHandle<Vec<Line>> {
    let (mut reader, mut writer): (Reader, Writer) = client.split();
    let (ahead, mut echoed) = (std::sync::Arc::new(tokio::sync::Semaphore::new(200)), 0);
    let permits = ahead.clone();
    let speaking = tokio::spawn(async move {
        for n in 0.. {
            let Ok(permit) = permits.acquire().await else { return };
            permit.forget();
            if writer.try_send(&format!("PRIVMSG #lobby :{round}-{name}-{n}")).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        let mut seen = Vec::new();
        while let Some(line) = reader.next().await {
            if line.matches("PRIVMSG #lobby") {
                if line.nick() == name {
                    assert_eq!(line.text(), format!("{round}-{name}-{echoed}"), "echoes come in order, without a gap");
                    echoed += 1;
                    ahead.add_permits(1);
                }
                seen.push(line);
            } else if line.is("ERROR") {
                seen.push(line);
            }
        }
        speaking.abort();
        seen
    })
}

/// Each line of `seen` is in the history exactly once, with its id and text, in the same order, and what lies
/// between the first and the last was seen too.
pub fn assert_kept(who: &str, seen: &[Line], history: &[Entry]) {
    let places: HashMap<&str, usize> = history.iter().enumerate().map(|(at, entry)| (&*entry.msgid, at)).collect();
    assert_eq!(places.len(), history.len(), "an id occurs twice in the history");
    let mut last = None;
    for line in seen {
        let msgid = line.tag("msgid").expect("a msgid");
        let at = *places.get(msgid).unwrap_or_else(|| panic!("{who} saw {line:?}, and it is not in the history"));
        assert_eq!(history[at].text(), line.text());
        assert_eq!(history[at].from.as_deref(), Some(line.nick()));
        assert!(last.is_none_or(|last| at == last + 1), "{who} saw {line:?} in another order or after a gap");
        last = Some(at);
    }
}

pub fn spoken(server: &Server) -> Vec<Entry> {
    let all = server.history("#lobby");
    if all.iter().any(|entry| entry.kind == "join") {
        assert!(all.iter().map(|entry| entry.seq).eq(1..=all.len() as u64), "the log is contiguous from 1");
    }
    for pair in all.windows(2) {
        assert!(pair[0].seq < pair[1].seq, "not in order: {pair:?}");
        assert!(pair[0].time <= pair[1].time, "time goes back: {pair:?}");
    }
    let texts: Vec<&Entry> = all.iter().filter(|entry| entry.kind == "message").collect();
    let distinct: HashSet<&str> = texts.iter().map(|entry| entry.text()).collect();
    assert_eq!(distinct.len(), texts.len(), "a line is stored twice");
    texts.into_iter().cloned().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_in_full_flow_loses_nothing_that_was_seen() {
    let mut server = Server::configure().set("history.replay_lines", 50).user("watcher").start().await;
    let mut everything = Vec::new();
    for round in 0..3 {
        let watcher = server.login("watcher").await;
        let mut talks = Vec::new();
        for &name in SENDERS {
            talks.push((name, talk_until_cut(server.login(name).await, name, round)));
        }
        let (mut reader, _writer) = watcher.split();
        let mut watched = Vec::new();
        while watched.len() < 400 {
            let line = reader.next().await.expect("the flow");
            if line.is_speech() {
                watched.push(line);
            }
        }
        server.kill9();
        while let Some(line) = reader.next().await {
            if line.is_speech() {
                watched.push(line);
            }
        }
        let mut seen = Vec::new();
        for (name, talk) in talks {
            seen.push((name, talk.await.expect("the talk")));
        }
        seen.push(("watcher", watched));

        let stopped = spoken(&server);
        server.boot().await;
        let history = spoken(&server);
        assert_eq!(history, stopped, "the restart changed the history");
        for (name, lines) in &seen {
            assert_kept(name, lines, &history);
            everything.extend(lines.iter().map(|line| line.tag("msgid").expect("an id").to_owned()));
        }
        // What is shown to who comes back is the end of the same history.
        let back = server.login("watcher").await;
        let replayed: Vec<&str> = back
            .greeting
            .iter()
            // Beside them, the service says how much more there is.
            .filter(|line| line.is_speech() && line.nick() != "chatd")
            .map(|line| line.tag("msgid").expect("an id"))
            .collect();
        assert!(replayed.len() >= 50, "{} lines", replayed.len());
        let newest = history[history.len() - replayed.len()..].iter().map(|entry| &*entry.msgid);
        let newest: Vec<&str> = newest.collect();
        assert_eq!(replayed, newest);
        back.quit("").await;
    }
    let kept: HashSet<String> = spoken(&server).into_iter().map(|entry| entry.msgid).collect();
    assert!(everything.iter().all(|msgid| kept.contains(msgid)), "lines of an early round are lost later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_tells_why_and_keeps_what_was_in_flight() {
    let mut server = Server::configure().user("watcher").start().await;
    let mut talks = Vec::new();
    for &name in SENDERS {
        talks.push((name, talk_until_cut(server.login(name).await, name, 0)));
    }
    let mut watcher = server.login("watcher").await;
    for _ in 0..300 {
        watcher.expect("PRIVMSG #lobby").await;
    }
    server.sigterm();
    let last = watcher.expect_end().await;
    assert!(last.last().is_some_and(|line| line.is("ERROR") && !line.text().is_empty()), "no reason: {last:?}");
    let status = server.ended().await;
    assert_eq!(status.code(), Some(0), "{status}");
    let history = spoken(&server);
    for (name, talk) in talks {
        let mut seen = talk.await.expect("the talk");
        let reason = seen.pop().expect("at least the reason");
        assert!(reason.is("ERROR") && !reason.text().is_empty(), "{name} was not told why: {reason:?}");
        assert_kept(name, &seen, &history);
    }
    server.boot().await;
    assert_eq!(spoken(&server), history);
}

#[tokio::test]
async fn a_second_sigterm_or_sigint_does_no_harm() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #lobby :kept").await;
    alice.sync().await;
    crate::harness::signal(server.pid(), "INT");
    alice.expect_end().await;
    server.ended().await;
    assert_eq!(server.said("#lobby"), ["kept"]);
}

#[tokio::test]
async fn after_a_power_cut_nobody_seems_to_be_there_who_is_not() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    let bob = server.login("bob").await;
    alice.expect_from("bob", "JOIN").await;
    server.kill9();
    drop((alice, bob));
    server.boot().await;
    let mut carol = server.login("carol").await;
    let names = carol.ask("NAMES #lobby").await;
    assert!(names.iter().any(|line| line.matches("353 carol * #lobby :carol")), "ghosts: {names:?}");
    let mut alice = server.login("alice").await;
    carol.expect_from("alice", "JOIN #lobby").await;
    let names = alice.ask("NAMES #lobby").await;
    let names = names.iter().find(|line| line.is("353")).expect("names").text().to_owned();
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["alice", "carol"]);
}

#[tokio::test]
async fn rooms_modes_and_topics_survive_a_power_cut() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.ask("JOIN #dev").await;
    bob.ask("JOIN #dev").await;
    alice.ask("TOPIC #dev :keep me").await;
    alice.ask("MODE #dev +mk sesame").await;
    alice.ask("MODE #dev +v bob").await;
    alice.sync().await;
    server.kill9();
    server.boot().await;
    let mut alice = server.login("alice").await;
    let bob = server.login("bob").await;
    assert!(bob.greeting.iter().any(|line| line.matches("332 bob #dev :keep me")), "{:#?}", bob.greeting);
    let modes = alice.ask("MODE #dev").await;
    let modes = modes.iter().find(|line| line.is("324")).expect("modes");
    assert!(modes.param(2).contains('m') && modes.param(2).contains('k'), "{modes:?}");
    let names = alice.ask("NAMES #dev").await;
    let names = names.iter().find(|line| line.is("353")).expect("names").text().to_owned();
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, ["+bob", "@alice"]);
}

#[tokio::test]
async fn the_client_is_told_before_the_limit_of_patience() {
    // A client that never reads must not hold up the end of the server for ever.
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    let deaf = crate::harness::login_over(server.connect_narrow("bob").await, "bob", crate::harness::MODERN).await;
    for n in 0..3000 {
        alice.send(format!("PRIVMSG #lobby :{n} {}", "x".repeat(300))).await;
        if n % 100 == 0 {
            alice.sync().await;
        }
    }
    alice.sync().await;
    server.sigterm();
    alice.expect_end().await;
    let ended = tokio::time::timeout(DEADLINE, server.ended()).await;
    assert!(ended.is_ok_and(|status| status.success()), "the server waits for a client that does not read");
    drop(deaf);
    assert_eq!(server.said("#lobby").len(), 3000);
}
