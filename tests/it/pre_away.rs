//! pre-away: AWAY before the login, and sessions that do not make their account present.

use crate::harness::{Client, Line, MODERN, Server, password_of, sasl_plain, welcome};

/// Logs in with `lines` said before CAP END.
async fn login_saying(server: &Server, name: &str, caps: &[&str], lines: &[&str]) -> (Client, Vec<Line>) {
    let mut client = server.connect_raw().await;
    let caps: Vec<&str> = MODERN.iter().chain(caps).copied().collect();
    client.send(format!("CAP REQ :sasl {}", caps.join(" "))).await;
    client.expect("CAP * ACK").await;
    let mut answers = Vec::new();
    for line in lines {
        answers.extend(client.ask(line).await);
    }
    client.send(format!("NICK {name}")).await;
    client.send(format!("USER {name} 0 * :{name} the tester")).await;
    sasl_plain(&mut client, name, &password_of(name)).await;
    client.send("CAP END").await;
    (welcome(client).await, answers)
}

#[tokio::test]
async fn away_before_the_login_needs_the_capability() {
    let server = Server::start().await;
    let (_, answers) = login_saying(&server, "alice", &[], &["AWAY :lunch"]).await;
    assert!(answers.len() == 1 && answers[0].is("451"), "{answers:?}");
}

#[tokio::test]
async fn away_before_the_login_is_being_away_after_it() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.query("MONITOR + bob").await;
    let (mut bob, answers) = login_saying(&server, "bob", &["draft/pre-away"], &["AWAY :lunch"]).await;
    assert!(answers.len() == 1 && answers[0].matches("306 *"), "{answers:?}");
    // It comes all the same, and is away from the first moment.
    let told = alice.sync().await;
    let seen: Vec<&str> = told.iter().map(|line| line.command.as_str()).collect();
    assert!(told.iter().any(|line| line.matches("730 alice :bob!*")), "{told:?}");
    assert_eq!(seen.iter().filter(|command| **command == "AWAY").count(), 1, "{told:?}");
    let join = seen.iter().position(|command| *command == "JOIN").expect("JOIN");
    assert!(told[join + 1].matches(":bob AWAY :lunch"), "{told:?}");
    assert!(alice.query("WHO bob").await[0].param(6).starts_with('G'));
    bob.query("AWAY").await;
    alice.expect_from("bob", "AWAY").await;
}

#[tokio::test]
async fn the_last_word_before_the_login_counts() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let (_bob, answers) = login_saying(&server, "bob", &["draft/pre-away"], &["AWAY :lunch", "AWAY"]).await;
    assert!(answers[0].is("306") && answers[1].is("305"), "{answers:?}");
    assert!(alice.query("WHO bob").await[0].param(6).starts_with('H'));
}

#[tokio::test]
async fn a_session_in_the_background_changes_nothing() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.expect_from("bob", "JOIN").await;
    bob.query("AWAY :lunch").await;
    alice.expect_from("bob", "AWAY :lunch").await;
    let (phone, _) = login_saying(&server, "bob", &["draft/pre-away"], &["AWAY *"]).await;
    alice.expect_nothing("AWAY").await;
    let whois = alice.query("WHOIS bob").await;
    assert!(whois.iter().any(|line| line.matches("301 alice bob :lunch")), "her own message stands: {whois:?}");
    bob.query("AWAY").await;
    assert!(alice.expect_from("bob", "AWAY").await.params.is_empty());
    // The one before which she sat goes: only the background is left, and she is away.
    bob.quit("").await;
    alice.expect_from("bob", "AWAY :*").await;
    drop(phone);
}
