//! What a client is shown of the past when it comes into a room, in the form it understands.

use crate::harness::{Client, Line, MODERN, Server};

/// alice says `lines` in #lobby, one after the other.
async fn said_by_alice(server: &Server, lines: &[&str]) {
    let mut alice = server.login("alice").await;
    for line in lines {
        alice.send(format!("PRIVMSG #lobby :{line}")).await;
    }
    alice.sync().await;
    alice.quit("").await;
}

/// The lines of the `chathistory` batch for `room`, which has to come after the names.
fn batch<'a>(greeting: &'a [Line], room: &str) -> Vec<&'a Line> {
    let names = greeting.iter().position(|line| line.matches(&format!("366 * {room}"))).expect("names");
    let start = greeting
        .iter()
        .position(|line| line.is("BATCH") && line.param(1) == "chathistory" && line.param(2) == room)
        .unwrap_or_else(|| panic!("no chathistory batch for {room}: {greeting:#?}"));
    assert!(names < start, "the batch comes after the names: {greeting:#?}");
    let reference = greeting[start].param(0).strip_prefix('+').expect("a start");
    let end = greeting.iter().position(|line| line.matches(&format!("BATCH -{reference}"))).expect("an end");
    assert!(greeting[start + 1..end].iter().all(|line| line.tag("batch") == Some(reference)), "{greeting:#?}");
    greeting[start + 1..end].iter().collect()
}

fn texts<'a>(lines: &[&'a Line]) -> Vec<&'a str> {
    lines.iter().filter(|line| line.is_speech()).map(|line| line.text()).collect()
}

#[tokio::test]
async fn an_old_client_sees_the_time_in_front_of_the_text() {
    let server = Server::start().await;
    said_by_alice(&server, &["first", "第二"]).await;
    let bob = server.login_plain("bob").await;
    let names = bob.greeting.iter().position(|line| line.matches("366 * #lobby")).expect("names");
    let shown: Vec<&Line> = bob.greeting[names..].iter().filter(|line| line.is_speech()).collect();
    assert_eq!(shown.len(), 2, "{:#?}", bob.greeting);
    for (line, text) in shown.iter().zip(["first", "第二"]) {
        assert!(line.matches(":alice PRIVMSG #lobby") && line.tags.is_empty(), "{line:?}");
        let time = line.text().strip_suffix(text).unwrap_or_else(|| panic!("{line:?} does not end with {text:?}"));
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert!(shape.contains("00:00") && shape.ends_with(' '), "no time in front: {line:?}");
    }
    assert!(!bob.greeting.iter().any(|line| line.is("BATCH")), "{:#?}", bob.greeting);
}

#[tokio::test]
async fn with_server_time_alone_the_text_is_left_as_it_was() {
    let server = Server::start().await;
    said_by_alice(&server, &["first", "second"]).await;
    let stored: Vec<String> =
        server.history("#lobby").into_iter().filter(|e| e.kind == "message").map(|e| e.time).collect();
    let bob = server.login_with("bob", &["server-time"]).await;
    let shown: Vec<&Line> = bob.greeting.iter().filter(|line| line.is_speech()).collect();
    assert_eq!(texts(&shown), ["first", "second"]);
    assert_eq!(shown.iter().filter_map(|line| line.tag("time")).collect::<Vec<_>>(), stored);
}

#[tokio::test]
async fn a_client_with_batches_gets_one() {
    let server = Server::start().await;
    said_by_alice(&server, &["first", "second", "third"]).await;
    let bob = server.login("bob").await;
    let lines = batch(&bob.greeting, "#lobby");
    assert_eq!(texts(&lines), ["first", "second", "third"]);
    assert!(lines.iter().all(|line| line.tag("time").is_some()), "{lines:?}");
    let outside = bob.greeting.iter().filter(|line| line.is_speech() && line.tag("batch").is_none()).count();
    assert_eq!(outside, 0, "{:#?}", bob.greeting);
}

#[tokio::test]
async fn a_replayed_line_is_the_line_that_was_live() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut alice = server.login("alice").await;
    alice.send("@+draft/reply=xyz PRIVMSG #lobby :the same for ever").await;
    alice.send("NOTICE #lobby :noted").await;
    let live = [bob.expect("PRIVMSG #lobby").await, bob.expect("NOTICE #lobby").await];
    bob.quit("").await;
    let bob = server.login("bob").await;
    let replayed: Vec<&Line> = batch(&bob.greeting, "#lobby").into_iter().filter(|line| line.is_speech()).collect();
    assert_eq!(replayed.len(), 2, "{replayed:?}");
    for (replayed, live) in replayed.iter().zip(&live) {
        let without_batch: Vec<_> = replayed.tags.iter().filter(|(key, _)| key != "batch").collect();
        assert_eq!(without_batch, live.tags.iter().collect::<Vec<_>>());
        assert_eq!(
            (&replayed.source, &replayed.command, &replayed.params),
            (&live.source, &live.command, &live.params)
        );
    }
}

#[tokio::test]
async fn as_many_lines_as_configured_and_they_are_spoken_lines() {
    let server = Server::configure().set("history.replay_lines", 5).start().await;
    let lines: Vec<String> = (1..=12).map(|n| format!("line {n}")).collect();
    said_by_alice(&server, &lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for _ in 0..10 {
        server.login("carol").await.quit("in and out").await;
    }
    let bob = server.login("bob").await;
    assert_eq!(texts(&batch(&bob.greeting, "#lobby")), lines[7..]);
    let dave = server.login_plain("dave").await;
    let shown: Vec<&Line> = dave.greeting.iter().filter(|line| line.is_speech()).collect();
    assert_eq!(shown.len(), 5, "{:#?}", dave.greeting);
}

#[tokio::test]
async fn one_sees_ones_own_words_too() {
    let server = Server::start().await;
    said_by_alice(&server, &["my own words"]).await;
    let alice = server.login("alice").await;
    assert_eq!(texts(&batch(&alice.greeting, "#lobby")), ["my own words"]);
}

#[tokio::test]
async fn who_joins_a_room_sees_what_was_said_before() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #dev").await;
    alice.send("PRIVMSG #dev :before bob came").await;
    alice.sync().await;
    let mut bob = server.login("bob").await;
    let answer = bob.ask("JOIN #dev").await;
    assert_eq!(texts(&batch(&answer, "#dev")), ["before bob came"]);
    alice.send("PRIVMSG #dev :after").await;
    let live = bob.expect("PRIVMSG #dev :after").await;
    assert_eq!(live.tag("batch"), None);
}

#[tokio::test]
async fn the_past_survives_a_restart_and_looks_the_same() {
    let mut server = Server::start().await;
    said_by_alice(&server, &["one", "two", "三"]).await;
    let show = async |server: &Server| {
        let bob = server.login("bob").await;
        let lines = batch(&bob.greeting, "#lobby").into_iter().filter(|line| line.is_speech());
        let lines: Vec<_> = lines
            .map(|line| {
                (line.tag("msgid").map(str::to_owned), line.tag("time").map(str::to_owned), line.params.clone())
            })
            .collect();
        bob.quit("").await;
        lines
    };
    let before = show(&server).await;
    assert_eq!(before.len(), 3);
    server.restart().await;
    assert_eq!(show(&server).await, before);
}

#[tokio::test]
async fn the_second_device_is_shown_the_past_and_the_first_is_left_alone() {
    let server = Server::start().await;
    let mut desk = server.login("alice").await;
    desk.send("PRIVMSG #lobby :hello").await;
    desk.sync().await;
    let phone = server.login("alice").await;
    assert_eq!(texts(&batch(&phone.greeting, "#lobby")), ["hello"]);
    assert!(desk.hears().await.is_empty(), "nothing is shown twice");
}

#[tokio::test]
async fn names_after_the_replay_of_comings_and_goings_are_right() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    server.login("carol").await.quit("").await;
    alice.expect_from("carol", "QUIT").await;
    let mut bob: Client = server.login_with("bob", MODERN).await;
    let names = bob.greeting.iter().filter(|line| line.matches("353 * * #lobby"));
    let names: Vec<&str> = names.flat_map(|line| line.text().split_whitespace()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(bob.ask("NAMES #lobby").await.iter().any(|line| line.is("353") && !line.text().contains("carol")));
}
