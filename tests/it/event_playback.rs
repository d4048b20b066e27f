//! `draft/event-playback`: what happened, beside what was said (<https://ircv3.net/specs/extensions/chathistory>).

use crate::chathistory::{HISTORY, batch};
use crate::harness::{Line, Server};

fn with_playback(more: &[&'static str]) -> Vec<&'static str> {
    HISTORY.iter().chain(&["draft/event-playback"]).chain(more).copied().collect()
}

/// A room in which everything happened once, as dave saw it live.
async fn eventful(server: &Server, caps: &[&str]) -> Vec<String> {
    let mut alice = server.login("alice").await;
    alice.send("JOIN #hall").await;
    alice.expect("366 * #hall").await;
    let mut dave = server.login_with("dave", caps).await;
    dave.send("JOIN #hall").await;
    dave.sync().await;
    let mut bob = server.login("bob").await;
    bob.send("JOIN #hall").await;
    bob.expect("366 * #hall").await;
    alice.send("TOPIC #hall :what we speak of").await;
    alice.send("MODE #hall +v bob").await;
    alice.send("INVITE carol #hall").await;
    alice.sync().await;
    bob.send("PRIVMSG #hall :hello").await;
    bob.sync().await;
    alice.send("@+draft/react=x;+reply=1 TAGMSG #hall").await;
    alice.send("@+typing=active TAGMSG #hall").await;
    alice.sync().await;
    bob.send("PART #hall :for now").await;
    bob.send("JOIN #hall").await;
    bob.sync().await;
    alice.send("KICK #hall bob :and out").await;
    alice.sync().await;
    alice.quit("good night").await;
    let mut lines = dave.expect_until("alice's leaving", |line| line.is("QUIT")).await;
    // What passes is not kept.
    lines.retain(|line| line.tag("msgid").is_some() && line.tag("+typing").is_none() && !line.matches("JOIN #lobby"));
    lines.into_iter().map(|line| line.raw).collect()
}

#[tokio::test]
async fn the_past_looks_as_the_present_did() {
    let server = Server::configure().set("server.presence_grace", "0s").start().await;
    let caps = with_playback(&["extended-join", "invite-notify"]);
    let live = eventful(&server, &caps).await;
    let mut dave = server.login_with("dave", &caps).await;
    let answer = dave.ask("CHATHISTORY LATEST #hall * 100").await;
    let past = batch(&answer, "chathistory", &["#hall"]);
    let raw: Vec<&str> = past.iter().map(|line| line.raw.as_str()).collect();
    let start =
        raw.iter().position(|line| *line == live[0]).unwrap_or_else(|| panic!("dave saw {live:#?}, and now {raw:#?}"));
    assert_eq!(raw[start..start + live.len()], live, "{raw:#?}");
    let commands: Vec<&str> = past[start..start + live.len()].iter().map(|line| line.command.as_str()).collect();
    let happened = ["JOIN", "TOPIC", "MODE", "INVITE", "PRIVMSG", "TAGMSG", "PART", "JOIN", "KICK", "QUIT"];
    assert_eq!(commands, happened);
    // The asker's own coming is part of the past, too.
    assert!(past.iter().any(|line| line.matches(":dave JOIN #hall")), "{raw:#?}");
}

#[tokio::test]
async fn without_it_only_what_was_said() {
    let server = Server::configure().set("server.presence_grace", "0s").start().await;
    eventful(&server, HISTORY).await;
    let mut dave = server.login_with("dave", HISTORY).await;
    let answer = dave.ask("CHATHISTORY LATEST #hall * 100").await;
    let past = batch(&answer, "chathistory", &["#hall"]);
    assert_eq!(past.iter().map(|line| line.text()).collect::<Vec<_>>(), ["hello"]);
}

#[tokio::test]
async fn a_line_that_the_client_could_not_read_live_is_not_in_its_past() {
    let server = Server::configure().set("server.presence_grace", "0s").start().await;
    eventful(&server, HISTORY).await;
    let mut dave =
        server.login_with("dave", &["batch", "server-time", "draft/chathistory", "draft/event-playback"]).await;
    let answer = dave.ask("CHATHISTORY LATEST #hall * 100").await;
    let past = batch(&answer, "chathistory", &["#hall"]);
    let hidden = |line: &&Line| line.is("TAGMSG") || line.is("INVITE");
    assert!(past.iter().find(hidden).is_none(), "{past:#?}");
    assert!(past.iter().any(|line| line.is("KICK")), "{past:#?}");
}

#[tokio::test]
async fn a_page_of_events_is_full_and_goes_on_from_any_of_them() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &with_playback(&[])).await;
    alice.send("JOIN #hall").await;
    for n in 0..4 {
        alice.send(format!("TOPIC #hall :topic {n}")).await;
        alice.send(format!("PRIVMSG #hall :text {n}")).await;
    }
    alice.sync().await;
    let mut seen: Vec<String> = Vec::new();
    let mut question = "LATEST #hall *".to_owned();
    loop {
        let answer = alice.ask(&format!("CHATHISTORY {question} 3")).await;
        let page = batch(&answer, "chathistory", &["#hall"]);
        let Some(first) = page.first() else { break };
        question = format!("BEFORE #hall msgid={}", first.tag("msgid").expect("an id"));
        seen.splice(0..0, page.iter().map(|line| line.text().to_owned()));
    }
    let said: Vec<&String> = seen.iter().filter(|text| text.starts_with("t")).collect();
    assert_eq!(said, ["topic 0", "text 0", "topic 1", "text 1", "topic 2", "text 2", "topic 3", "text 3"]);
}

#[tokio::test]
async fn reactions_between_two_are_kept() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &with_playback(&[])).await;
    alice.send("@+draft/react=x;+draft/reply=1 TAGMSG bob").await;
    let live = alice.expect("TAGMSG bob").await;
    let answer = alice.ask("CHATHISTORY LATEST bob * 9").await;
    let past = batch(&answer, "chathistory", &["bob"]);
    assert_eq!(past.iter().map(|line| &line.raw).collect::<Vec<_>>(), [&live.raw]);
}
