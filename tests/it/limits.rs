//! The limits that keep one from harming the others: on by default, each in the config.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::harness::{Client, DEADLINE, Line, Server, eventually, password_of, sasl_plain};

#[tokio::test]
async fn connections_from_one_address() {
    let server = Server::configure().set("limits.connections_per_ip", 3).start().await;
    let mut alice = server.login("alice").await;
    let bob = server.login("bob").await;
    let _carol = server.login("carol").await;
    // The fourth is sent away, before or after the handshake.
    let tcp = server.connect_tcp().await;
    if let Ok(stream) = server.handshake(tcp, &Default::default()).await {
        let mut fourth = Client::new("the fourth", stream);
        let lines = fourth.expect_end().await;
        assert!(lines.iter().all(|line| line.is("ERROR")), "{lines:?}");
    }
    alice.send("PRIVMSG #lobby :the others stay").await;
    alice.expect("PRIVMSG #lobby :the others stay").await;
    bob.quit("").await;
    eventually("room for one more", async || {
        let stream = server.handshake(server.connect_tcp().await, &Default::default()).await.ok()?;
        let mut client = Client::new("again", stream);
        client.send_bytes(b"PING :room?\r\n").await;
        client.read_line().await.filter(|line| line.is("PONG"))
    })
    .await;
}

#[tokio::test]
async fn who_does_not_log_in_is_sent_away() {
    let server = Server::configure().set("limits.registration_timeout", "1s").start().await;
    let mut silent = server.connect_raw().await;
    let mut slow = server.connect_raw().await;
    slow.send("CAP LS 302").await;
    slow.send("NICK alice").await;
    for client in [&mut silent, &mut slow] {
        let lines = client.expect_end().await;
        assert!(lines.last().is_some_and(|line| line.is("ERROR") && !line.text().is_empty()), "{lines:?}");
    }
    server.login("alice").await;
}

#[tokio::test]
async fn guessing_passwords() {
    let server = Server::configure().set("limits.logins_per_minute", 4).start().await;
    let mut bob = server.login("bob").await;
    for _ in 0..4 {
        let (answer, _) = server.try_sasl("alice", "a guess").await;
        assert!(answer == "904" || answer == "ERROR", "{answer}");
    }
    // From now on even the right one is refused for a while, and says so.
    let (answer, mut client) = server.try_sasl("alice", &password_of("alice")).await;
    assert!(answer == "904" || answer == "ERROR", "guessing goes on without end: {answer}");
    client.send_bytes(b"CAP END\r\n").await;
    let lines = client.expect_end().await;
    assert!(!lines.iter().any(|line| line.is("001")), "{lines:?}");
    bob.send("PRIVMSG #lobby :who is in stays in").await;
    bob.expect("PRIVMSG #lobby :who is in stays in").await;
}

#[tokio::test]
async fn guessing_on_one_connection_is_limited_too() {
    let server = Server::configure().set("limits.logins_per_minute", 4).start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.expect("CAP * ACK").await;
    client.send("NICK alice").await;
    for _ in 0..4 {
        if sasl_plain(&mut client, "alice", "a guess").await.is("ERROR") {
            return;
        }
    }
    client.send_bytes(b"AUTHENTICATE PLAIN\r\n").await;
    let payload = crate::harness::sasl_payload("", "alice", &password_of("alice"));
    client.send_bytes(format!("AUTHENTICATE {payload}\r\nPING :end\r\n").as_bytes()).await;
    let mut lines = Vec::new();
    while let Some(line) = client.read_line().await {
        lines.push(line);
        if lines.last().is_some_and(|line| line.is("PONG")) {
            break;
        }
    }
    assert!(!lines.iter().any(|line| line.is("903") || line.is("900")), "{lines:?}");
}

#[tokio::test]
async fn right_logins_are_not_counted_as_guesses() {
    let server = Server::configure().set("limits.logins_per_minute", 4).start().await;
    for _ in 0..10 {
        server.login("alice").await.quit("").await;
    }
}

#[tokio::test]
async fn a_burst_is_free_and_more_is_slowed_down() {
    let server = Server::configure().set("limits.messages_per_second", 5).set("limits.message_burst", 5).start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for n in 0..12 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    let mut times = Vec::new();
    for n in 0..12 {
        let line = bob.expect_from("alice", &format!("PRIVMSG #lobby :{n}")).await;
        times.push(line.tag("time").expect("a time").to_owned());
    }
    // Seven lines above the burst at five a second take more than a second, however fast the machine is.
    let millis = |time: &str| {
        let time = time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339).expect("RFC 3339");
        time.unix_timestamp_nanos() / 1_000_000
    };
    let took = millis(&times[11]) - millis(&times[0]);
    assert!(took >= 1000, "twelve lines within {took} ms");
}

#[tokio::test]
async fn a_flood_is_refused_in_clear_words_and_nothing_vanishes() {
    let server = Server::configure()
        .set("limits.messages_per_second", 5)
        .set("limits.message_burst", 5)
        .set("limits.flood_delay_max", "1s")
        .start()
        .await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for n in 0..100 {
        alice.send(format!("@label=l{n} PRIVMSG #lobby :{n}")).await;
    }
    let (mut stored, mut refused): (Vec<String>, usize) = (Vec::new(), 0);
    while stored.len() + refused < 100 {
        let line =
            alice.expect_until("the fate of a line", |line| line.tag("label").is_some()).await.pop().expect("it");
        if line.is("PRIVMSG") {
            stored.push(line.text().to_owned());
        } else {
            assert!(line.is_error() && !line.text().is_empty(), "{line:?}");
            refused += 1;
        }
    }
    assert!(refused > 0 && stored.len() >= 5, "{} stored, {refused} refused", stored.len());
    assert_eq!(bob.hears().await, stored);
    assert_eq!(server.said("#lobby"), stored);
}

#[tokio::test]
async fn one_who_floods_does_not_slow_the_others() {
    let server = Server::configure().set("limits.messages_per_second", 1).set("limits.message_burst", 3).start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for n in 0..50 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    bob.send("PRIVMSG #lobby :me first").await;
    let heard = bob.expect_until("bob's own line", |line| line.matches(":bob PRIVMSG")).await;
    assert!(heard.iter().filter(|line| line.nick() == "alice" && line.is_speech()).count() < 50);
}

#[tokio::test]
async fn a_dead_peer_is_found_and_a_living_one_is_kept() {
    let server = Server::configure().set("limits.ping_interval", "1s").set("limits.ping_timeout", "1s").start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    bob.play_dead();
    let pings = tokio::spawn(async move { bob.expect_end().await });
    alice.expect_from("bob", "QUIT").await;
    let last = pings.await.expect("bob");
    assert!(last.last().is_some_and(|line| line.is("ERROR")), "{last:?}");
    // alice has answered the same questions all the while.
    alice.send("PRIVMSG #lobby :alive").await;
    alice.expect("PRIVMSG #lobby :alive").await;
}

#[tokio::test]
async fn rooms_of_an_account() {
    let server = Server::configure().set("limits.rooms_per_account", 3).start().await;
    let mut alice = server.login("alice").await;
    for room in ["#one", "#two"] {
        assert!(alice.ask(&format!("JOIN {room}")).await.iter().any(|line| line.is("JOIN")), "{room}");
    }
    let answer = alice.ask("JOIN #three").await;
    assert!(answer.iter().any(|line| line.is("405")), "{answer:?}");
    alice.ask("PART #one").await;
    assert!(alice.ask("JOIN #three").await.iter().any(|line| line.is("JOIN")));
}

#[tokio::test]
async fn connections_in_all() {
    let server = Server::configure().set("server.max_connections", 2).start().await;
    let mut alice = server.login("alice").await;
    let _bob = server.login("bob").await;
    let answered = async {
        let mut third =
            Client::new("third", server.handshake(server.connect_tcp().await, &Default::default()).await.ok()?);
        third.send_bytes(b"PING :room?\r\n").await;
        third.read_line().await.filter(|line: &Line| line.is("PONG"))
    };
    let answered = tokio::time::timeout(DEADLINE, answered).await.expect("a decision");
    assert!(answered.is_none(), "a third connection of two");
    alice.sync().await;
}

#[tokio::test]
async fn a_whole_school_comes_back_from_one_address() {
    let names: Vec<String> = (1..=20).map(|n| format!("pupil{n:02}")).collect();
    let server = Server::configure().users(&names).set("limits.logins_per_minute", 3).start().await;
    let server = Arc::new(server);
    let mut logins = JoinSet::new();
    for name in names {
        let server = server.clone();
        logins.spawn(async move { server.login(&name).await });
    }
    for mut pupil in logins.join_all().await {
        pupil.sync().await;
    }
}
