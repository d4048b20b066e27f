//! Who is there and how they are: WHO, WHOIS, AWAY, names, coming and going, and the server's small talk.

use crate::harness::{Line, Server};

#[tokio::test]
async fn who_lists_a_room() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    bob.ask("AWAY :lunch").await;
    let answer = alice.ask("WHO #lobby").await;
    let row = |nick: &str| {
        let row = answer.iter().find(|line| line.is("352") && line.param(5) == nick);
        row.unwrap_or_else(|| panic!("{nick} is missing: {answer:?}"))
    };
    assert!(row("alice").param(6).starts_with('H'), "{answer:?}");
    assert!(row("bob").param(6).starts_with('G'), "away is G: {answer:?}");
    assert!(row("bob").text().ends_with("bob the tester"), "{answer:?}");
    assert!(answer.last().is_some_and(|line| line.matches("315 alice #lobby")), "{answer:?}");
    let answer = alice.ask("WHO bob").await;
    assert_eq!(answer.iter().filter(|line| line.is("352")).count(), 1, "{answer:?}");
    let answer = alice.ask("WHO nobody").await;
    assert!(answer.len() == 1 && answer[0].is("315"), "{answer:?}");
}

#[tokio::test]
async fn whois_tells_of_a_person() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #dev").await;
    bob.ask("AWAY :lunch").await;
    let answer = alice.ask("WHOIS bob").await;
    let line = |numeric: &str| {
        let line = answer.iter().find(|line| line.is(numeric));
        line.unwrap_or_else(|| panic!("{numeric} is missing: {answer:?}"))
    };
    assert_eq!((line("311").param(1), line("311").text()), ("bob", "bob the tester"));
    assert!(line("319").text().split_whitespace().any(|room| room == "@#dev"), "{answer:?}");
    assert_eq!(line("330").param(2), "bob");
    assert!(line("301").matches("301 alice bob :lunch"));
    assert!(line("312").param(2) == "chat.test");
    assert!(answer.last().is_some_and(|line| line.matches("318 alice bob")), "{answer:?}");
    let answer = alice.ask("WHOIS nobody").await;
    assert!(answer.iter().any(|line| line.matches("401 alice nobody")), "{answer:?}");
    let answer = alice.ask("WHOIS").await;
    assert!(answer.iter().any(|line| line.is("431") || line.is("461")), "{answer:?}");
}

#[tokio::test]
async fn away_and_back() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login_plain("carol").await;
    bob.send("AWAY :out for a walk").await;
    bob.expect_numeric("306").await;
    alice.expect_from("bob", "AWAY :out for a walk").await;
    alice.send("PRIVMSG bob :there?").await;
    alice.expect("301 alice bob :out for a walk").await;
    bob.expect_from("alice", "PRIVMSG bob :there?").await;
    bob.send("AWAY").await;
    bob.expect_numeric("305").await;
    let back = alice.expect_from("bob", "AWAY").await;
    assert!(back.params.is_empty(), "{back:?}");
    carol.expect_nothing("AWAY").await;
}

#[tokio::test]
async fn a_new_display_name() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login_plain("carol").await;
    bob.send("SETNAME :Bob the Builder 建筑师").await;
    bob.expect_from("bob", "SETNAME :Bob the Builder 建筑师").await;
    alice.expect_from("bob", "SETNAME :Bob the Builder 建筑师").await;
    carol.expect_nothing("SETNAME").await;
    let answer = alice.ask("WHOIS bob").await;
    assert!(answer.iter().any(|line| line.is("311") && line.text() == "Bob the Builder 建筑师"), "{answer:?}");
    let answer = bob.ask("SETNAME").await;
    assert!(answer.iter().any(|line| line.is("461") || line.is("FAIL")), "{answer:?}");
}

#[tokio::test]
async fn the_small_questions() {
    let server = Server::configure().set("server.motd", "First line.\nSecond line.").start().await;
    let mut alice = server.login("alice").await;
    let _bob = server.login("bob").await;
    alice.send("ISON alice nobody bob carol").await;
    let line = alice.expect_numeric("303").await;
    let mut online: Vec<&str> = line.text().split_whitespace().collect();
    online.sort_unstable();
    assert_eq!(online, ["alice", "bob"]);

    alice.send("USERHOST bob nobody").await;
    let line = alice.expect_numeric("302").await;
    assert!(line.text().trim().starts_with("bob=+") && line.text().contains('@'), "{line:?}");

    let answer = alice.ask("LUSERS").await;
    assert!(answer.iter().any(|line| line.is("251")) && answer.iter().any(|line| line.is("255")), "{answer:?}");

    let answer = alice.ask("MOTD").await;
    let lines: Vec<&str> = answer.iter().filter(|line| line.is("372")).map(Line::text).collect();
    assert!(lines.len() == 2 && lines[1].ends_with("Second line."), "{answer:?}");
    assert!(answer[0].is("375") && answer.last().is_some_and(|line| line.is("376")), "{answer:?}");

    alice.send("VERSION").await;
    let line = alice.expect_numeric("351").await;
    assert!(line.raw.contains("chatd"), "{line:?}");

    for (line, numeric) in [("FROBNICATE now", "421"), ("PING", "409|461"), ("USERHOST", "461"), ("ISON", "461")] {
        alice.send(line).await;
        alice.expect_numeric(numeric).await;
    }
}

#[tokio::test]
async fn without_a_message_of_the_day() {
    let server = Server::start().await;
    let alice = server.login("alice").await;
    assert!(alice.greeting.iter().any(|line| line.is("422")), "{:#?}", alice.greeting);
}

#[tokio::test]
async fn leaving_is_seen_once_by_who_shares_two_rooms() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for client in [&mut alice, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    alice.sync().await;
    bob.quit("see you tomorrow").await;
    let mut lines = vec![alice.expect_from("bob", "QUIT").await];
    assert!(lines[0].text().contains("see you tomorrow"), "{lines:?}");
    let bob = server.login("bob").await;
    bob.quit("again").await;
    lines.extend(alice.expect_until("bob's second QUIT", |line| line.matches(":bob QUIT")).await);
    assert_eq!(lines.iter().filter(|line| line.matches(":bob QUIT")).count(), 2, "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.matches(":bob JOIN")).count(), 3, "once a room: {lines:?}");
    alice.expect_nothing(":bob QUIT").await;
}

#[tokio::test]
async fn who_quits_is_told_goodbye() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("QUIT :bye").await;
    let lines = alice.expect_end().await;
    assert!(lines.last().is_some_and(|line| line.is("ERROR")), "{lines:?}");
}

#[tokio::test]
async fn a_cut_connection_is_a_quit() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let bob = server.login("bob").await;
    drop(bob);
    alice.expect_from("bob", "QUIT").await;
}

#[tokio::test]
async fn a_short_absence_is_not_shown() {
    let server = Server::configure().set("server.presence_grace", "1h").start().await;
    let mut alice = server.login("alice").await;
    let bob = server.login("bob").await;
    alice.expect_from("bob", "JOIN #lobby").await;
    drop(bob);
    let mut bob = server.login("bob").await;
    assert!(bob.greeting.iter().any(|line| line.matches(":bob JOIN #lobby")), "{:#?}", bob.greeting);
    bob.send("PRIVMSG #lobby :back").await;
    let lines = alice.expect_until("bob's line", |line| line.matches("PRIVMSG #lobby :back")).await;
    assert!(!lines.iter().any(|line| line.is("QUIT") || line.is("JOIN")), "{lines:?}");
}

#[tokio::test]
async fn coming_and_going_quickly_leaves_a_true_picture() {
    let server = Server::configure().set("server.presence_grace", "1ms").start().await;
    let mut alice = server.login("alice").await;
    let mut lines = Vec::new();
    for n in 0..30 {
        let bob = server.login("bob").await;
        match n % 3 {
            0 => bob.quit("").await,
            1 => drop(bob),
            _ => tokio::time::sleep(std::time::Duration::from_millis(3)).await,
        }
        lines.extend(alice.sync().await);
    }
    let last = server.login("bob").await;
    lines.extend(alice.sync().await);
    let seen: Vec<&str> = lines.iter().filter(|line| line.nick() == "bob").map(|line| line.command.as_str()).collect();
    for (n, command) in seen.iter().enumerate() {
        assert_eq!(*command, if n % 2 == 0 { "JOIN" } else { "QUIT" }, "they take turns: {seen:?}");
    }
    assert_eq!(seen.last(), Some(&"JOIN"), "bob is there: {seen:?}");
    let names = alice.ask("NAMES #lobby").await;
    assert!(names.iter().any(|line| line.is("353") && line.text().contains("bob")), "{names:?}");
    drop(last);
    alice.expect_from("bob", "QUIT").await;
    let names = alice.ask("NAMES #lobby").await;
    assert!(!names.iter().any(|line| line.is("353") && line.text().contains("bob")), "{names:?}");
}

#[tokio::test]
async fn speaking_ends_being_idle() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    let idle = async |bob: &mut crate::harness::Client| -> u64 {
        let answer = bob.ask("WHOIS alice").await;
        answer.iter().find(|line| line.is("317")).expect("317").param(2).parse().expect("seconds")
    };
    let before = idle(&mut bob).await;
    assert!(before >= 2, "{before}");
    alice.ask("PRIVMSG #lobby :here I am").await;
    assert!(idle(&mut bob).await < before);
}
