//! MONITOR and extended-monitor: told when people come and go, whether one shares a room with them or not.

use crate::harness::{Client, Line, MODERN, Server};

/// A client that shares no room with anybody.
async fn alone(server: &Server, name: &str, more: &[&str]) -> Client {
    let caps: Vec<&str> = MODERN.iter().chain(more).copied().collect();
    let mut client = server.login_with(name, &caps).await;
    client.ask("PART #lobby").await;
    client
}

fn only(lines: &[Line], pattern: &str) -> bool {
    lines.len() == 1 && lines[0].matches(pattern)
}

#[tokio::test]
async fn the_token_names_the_limit() {
    let server = Server::start().await;
    let alice = server.login("alice").await;
    let tokens = alice.greeting.iter().filter(|line| line.is("005")).flat_map(|line| line.params.clone());
    assert!(tokens.collect::<Vec<_>>().contains(&"MONITOR=100".to_owned()));
}

#[tokio::test]
async fn adding_tells_who_is_here_and_who_is_not() {
    let server = Server::start().await;
    let (mut alice, _bob) = (alone(&server, "alice", &[]).await, server.login("bob").await);
    let answer = alice.ask("MONITOR + BOB,carol,not-yet-there").await;
    assert_eq!(answer.len(), 2, "{answer:?}");
    assert!(answer[0].matches("730 alice :bob!bob@chat.test"), "{answer:?}");
    assert!(answer[1].matches("731 alice :carol,not-yet-there"), "{answer:?}");
    assert!(alice.ask("MONITOR + bob,Carol").await.is_empty(), "who is on the list is not added again");
}

#[tokio::test]
async fn coming_and_going_is_told_to_who_shares_no_room() {
    let server = Server::start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    assert!(only(&alice.ask("MONITOR + bob").await, "731 alice bob"));
    let mut bob = alone(&server, "bob", &[]).await;
    alice.expect("730 alice :bob!bob@chat.test").await;
    let second = server.login("bob").await;
    second.quit("").await;
    bob.sync().await;
    alice.expect_nothing("730|731").await;
    bob.quit("").await;
    alice.expect("731 alice bob").await;
    let _bob = server.login("bob").await;
    alice.expect("730 alice :bob!bob@chat.test").await;
}

#[tokio::test]
async fn an_account_made_later_is_waited_for() {
    let server = Server::start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    assert!(only(&alice.ask("MONITOR + Newcomer").await, "731 alice Newcomer"));
    server.add_user("newcomer", &[]);
    let _newcomer = server.login("newcomer").await;
    alice.expect("730 alice :newcomer!newcomer@chat.test").await;
}

#[tokio::test]
async fn who_is_back_within_the_grace_was_not_away() {
    let server = Server::configure().set("server.presence_grace", "1h").start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    let bob = server.login("bob").await;
    alice.ask("MONITOR + bob").await;
    bob.quit("").await;
    assert!(only(&alice.ask("MONITOR S").await, "730 alice :bob!*"), "as the rooms see it");
    let _bob = server.login("bob").await;
    alice.expect_nothing("730|731").await;
}

#[tokio::test]
async fn removing_and_clearing_are_silent_and_work() {
    let server = Server::start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    alice.ask("MONITOR + bob,carol,dave").await;
    assert!(alice.ask("MONITOR - BOB,nobody").await.is_empty());
    let list = alice.ask("MONITOR L").await;
    assert!(list.len() == 2 && list[0].matches("732 alice :carol,dave") && list[1].matches("733 alice"), "{list:?}");
    let _bob = server.login("bob").await;
    alice.expect_nothing("730|731").await;
    assert!(alice.ask("MONITOR C").await.is_empty());
    assert!(only(&alice.ask("MONITOR L").await, "733 alice"));
    assert!(alice.ask("MONITOR S").await.is_empty());
    let _carol = server.login("carol").await;
    alice.expect_nothing("730|731").await;
}

#[tokio::test]
async fn the_status_of_all() {
    let server = Server::start().await;
    let (mut alice, _bob) = (alone(&server, "alice", &[]).await, server.login("bob").await);
    alice.ask("MONITOR + bob,carol").await;
    let status = alice.ask("MONITOR S").await;
    assert!(status.len() == 2, "{status:?}");
    assert!(status[0].matches("730 alice :bob!*") && status[1].matches("731 alice carol"), "{status:?}");
}

#[tokio::test]
async fn a_full_list_names_what_was_left_out() {
    let server = Server::start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    for chunk in (0..98).collect::<Vec<_>>().chunks(25) {
        let names: Vec<String> = chunk.iter().map(|n| format!("friend-{n}")).collect();
        alice.ask(&format!("MONITOR + {}", names.join(","))).await;
    }
    let answer = alice.ask("MONITOR + one,two,three,FOUR").await;
    assert!(answer.len() == 2 && answer[0].matches("731 alice :one,two"), "{answer:?}");
    assert!(answer[1].matches("734 alice 100 three,FOUR :Monitor list is full."), "{answer:?}");
    // All of a long list is told, in lines that fit.
    let list = alice.ask("MONITOR L").await;
    let names: Vec<&str> =
        list.iter().filter(|line| line.is("732")).flat_map(|line| line.param(1).split(',')).collect();
    assert_eq!(names.len(), 100);
    assert!(list.len() > 2 && list.last().is_some_and(|line| line.is("733")), "{list:?}");
}

#[tokio::test]
async fn masks_and_nonsense_are_nobody() {
    let server = Server::start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    assert!(alice.ask("MONITOR + *!bob@chat.test,*,b?b,").await.is_empty());
    assert!(only(&alice.ask("MONITOR L").await, "733 alice"));
    for line in ["MONITOR", "MONITOR +", "MONITOR -"] {
        assert!(only(&alice.ask(line).await, "461 alice MONITOR"), "{line}");
    }
    assert!(only(&alice.ask("MONITOR X bob").await, "400 alice MONITOR X"));
}

#[tokio::test]
async fn the_service_is_always_here() {
    let server = Server::start().await;
    let mut alice = alone(&server, "alice", &[]).await;
    assert!(only(&alice.ask("MONITOR + chatd").await, "730 alice :chatd!chatd@chat.test"));
    assert!(only(&alice.ask("MONITOR S").await, "730 alice :chatd!*"));
    assert!(only(&alice.ask("WHO chatd %nfa").await[..1], "354 alice chatd HB chatd"));
}

#[tokio::test]
async fn the_list_is_the_sessions_own() {
    let server = Server::start().await;
    let (mut alice, mut phone) = (alone(&server, "alice", &[]).await, server.login("alice").await);
    alice.ask("MONITOR + bob").await;
    assert!(only(&phone.ask("MONITOR L").await, "733 alice"));
    let bob = server.login("bob").await;
    alice.expect("730 alice :bob!*").await;
    phone.expect_nothing("730").await;
    drop(alice);
    bob.quit("").await;
    phone.expect_nothing("731").await;
}

#[tokio::test]
async fn extended_monitor_tells_more_with_the_capabilities_for_it() {
    let server = Server::start().await;
    for (name, caps, away, setname) in [
        ("alice", &["extended-monitor"][..], true, true),
        ("carol", &["draft/extended-monitor"], true, true),
        ("dave", &[], false, false),
    ] {
        let mut watcher = alone(&server, name, caps).await;
        watcher.ask("MONITOR + bob").await;
        let mut bob = alone(&server, "bob", &[]).await;
        watcher.expect("730").await;
        bob.ask("AWAY :out").await;
        bob.ask("SETNAME :Bob B").await;
        bob.ask("AWAY").await;
        let told = watcher.sync().await;
        let expected: &[&str] = if away && setname { &["AWAY", "SETNAME", "AWAY"] } else { &[] };
        let commands: Vec<&str> = told.iter().map(|line| line.command.as_str()).collect();
        assert_eq!(commands, expected, "{name}: {told:?}");
        assert!(told.iter().all(|line| line.nick() == "bob"), "{told:?}");
        bob.quit("").await;
        watcher.expect("731").await;
    }
}

#[tokio::test]
async fn extended_monitor_without_away_notify_is_silent() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["extended-monitor", "setname"]).await;
    alice.ask("PART #lobby").await;
    let mut bob = alone(&server, "bob", &[]).await;
    alice.ask("MONITOR + bob").await;
    bob.ask("AWAY :out").await;
    bob.ask("SETNAME :Bob B").await;
    let told = alice.sync().await;
    assert!(only(&told, ":bob SETNAME :Bob B"), "{told:?}");
}

#[tokio::test]
async fn who_shares_a_room_is_told_once() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["extended-monitor", "away-notify"]).await;
    let mut bob = server.login("bob").await;
    alice.ask("MONITOR + bob").await;
    bob.ask("AWAY :out").await;
    assert!(only(&alice.sync().await, ":bob AWAY :out"));
}
