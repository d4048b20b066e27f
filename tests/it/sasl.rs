//! SASL to the letter (`sasl` 3.1 and 3.2): when AUTHENTICATE may come, in which pieces, and what each error is.
//! What EXTERNAL adds stands in `external`; the plain login in `registration`.

use crate::harness::{Client, Line, Server, login_over, password_of, sasl_payload, sasl_plain, welcome};

async fn asked_for_sasl(server: &Server, nick: &str) -> Client {
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.expect("CAP * ACK :sasl").await;
    client.send(format!("NICK {nick}")).await;
    client.send(format!("USER {nick} 0 * :{nick}")).await;
    client
}

async fn exchange(client: &mut Client, lines: &[String]) -> Line {
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    for line in lines {
        client.send(format!("AUTHENTICATE {line}")).await;
    }
    client.expect("902|903|904|905|906|907|ERROR").await
}

/// As many pieces as it takes.
fn pieces(payload: &str) -> Vec<String> {
    let mut pieces: Vec<String> =
        payload.as_bytes().chunks(400).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect();
    if payload.len().is_multiple_of(400) {
        pieces.push("+".to_owned());
    }
    pieces
}

#[tokio::test]
async fn authenticate_wants_the_capability() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    client.send("AUTHENTICATE PLAIN").await;
    let refusal = client.expect_numeric("904").await;
    assert!(refusal.text().contains("CAP REQ"), "{refusal:?}");
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"));
    client.send("CAP REQ :-sasl").await;
    client.expect("CAP alice ACK :-sasl").await;
    client.send("CAP END").await;
    assert!(welcome(client).await.greeting.iter().any(|line| line.matches("001 alice")), "the login stays");
}

#[tokio::test]
async fn a_success_is_900_and_903() {
    let server = Server::start().await;
    let mut client = asked_for_sasl(&server, "someone").await;
    client.send("AUTHENTICATE plain").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload("alice", "alice", &password_of("alice")))).await;
    let lines = client.expect_until("903", |line| line.is("903")).await;
    let lines: Vec<&Line> = lines.iter().filter(|line| line.is("900") || line.is("903")).collect();
    assert_eq!(lines[0].params[..3], ["someone", "alice!alice@chat.test", "alice"], "{lines:?}");
    assert_eq!((lines[1].params.len(), lines[1].params[0].as_str()), (2, "someone"), "{lines:?}");
}

#[tokio::test]
async fn a_second_authentication_is_907() {
    let server = Server::start().await;
    let mut client = asked_for_sasl(&server, "alice").await;
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"));
    for line in ["AUTHENTICATE PLAIN", "AUTHENTICATE *", "AUTHENTICATE EXTERNAL"] {
        client.send(line).await;
        client.expect_numeric("907").await;
    }
    client.send("CAP END").await;
    let mut alice = welcome(client).await;
    alice.send("AUTHENTICATE PLAIN").await;
    alice.expect("907 alice").await;
}

#[tokio::test]
async fn long_passwords_come_in_pieces() {
    let server = Server::start().await;
    // A payload of more than one piece, of exactly one, and of exactly two: each ends as the specification says.
    for (at, length) in [(0, 300), (1, 400 * 3 / 4 - 6), (2, 800 * 3 / 4 - 6)] {
        let name = ["erin", "fran", "gene"][at];
        let password = "é".repeat(length / 2) + if length % 2 == 1 { "x" } else { "" };
        server.chatd_with_input(&["user", "add", name, "--password-stdin"], &format!("{password}\n")).ok();
        let payload = sasl_payload("", name, &password);
        assert_eq!(payload.len().is_multiple_of(400), at > 0, "NUL, four letters, NUL, the password");
        let mut client = asked_for_sasl(&server, name).await;
        assert!(exchange(&mut client, &pieces(&payload)).await.is("903"), "{name}: {} characters", payload.len());
    }
}

#[tokio::test]
async fn a_new_exchange_begins_after_each_failure() {
    let server = Server::start().await;
    let mut client = asked_for_sasl(&server, "alice").await;
    let full = "A".repeat(400);
    for (pieces, answer) in [
        (vec!["A".repeat(401)], "905"),
        (vec![full.clone(), "*".to_owned()], "906"),
        (vec![full.clone(), "????".to_owned()], "904"),
        (vec![full.clone(), "+".to_owned()], "904"),
        (vec!["+".to_owned()], "904"),
        (vec!["*".to_owned()], "906"),
    ] {
        assert_eq!(exchange(&mut client, &pieces).await.command, answer, "{pieces:?}");
    }
    assert!(exchange(&mut client, &[sasl_payload("", "alice", &password_of("alice"))]).await.is("903"));
}

#[tokio::test]
async fn the_mechanisms_are_told_in_908_with_904() {
    let server = Server::start().await;
    let mut client = asked_for_sasl(&server, "alice").await;
    for mechanism in ["SCRAM-SHA-256", "EXTERNAL", "PLAINER"] {
        client.send(format!("AUTHENTICATE {mechanism}")).await;
        let told = client.expect_numeric("908").await;
        assert_eq!(told.params[..2], ["alice", "PLAIN"], "{told:?}");
        client.expect_numeric("904").await;
    }
    // An exchange that does not exist is no failed login: the sixth try still counts as the first.
    for _ in 0..6 {
        client.send("AUTHENTICATE NONE").await;
        client.expect_numeric("904").await;
    }
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"));
}

#[tokio::test]
async fn the_capability_may_come_and_go_after_the_login() {
    let server = Server::start().await;
    let mut alice = login_over(server.connect_raw().await, "alice", &["batch"]).await;
    let lines = alice.ask("CAP LS 302").await;
    assert!(lines.iter().any(|line| line.text().split(' ').any(|cap| cap == "sasl=PLAIN")), "{lines:?}");
    alice.send("CAP REQ :-sasl").await;
    alice.expect("CAP alice ACK :-sasl").await;
    alice.send("AUTHENTICATE PLAIN").await;
    alice.expect_numeric("907").await;
}
