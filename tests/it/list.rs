//! LIST and its filters: <https://modern.ircdocs.horse/#list-message>. What has to do with minutes is tested in the
//! module, where time can be set.

use crate::harness::{Client, Server};
use crate::rooms::dev;

/// The rooms that are listed.
async fn listed(client: &mut Client, filters: &str) -> Vec<String> {
    client.sync().await;
    let answer = client.ask(&format!("LIST {filters}")).await;
    assert!(answer[0].matches("321 * Channel"), "{answer:?}");
    assert!(answer.last().is_some_and(|line| line.is("323")), "{answer:?}");
    let rooms = &answer[1..answer.len() - 1];
    assert!(rooms.iter().all(|line| line.is("322") && line.params.len() == 4), "{answer:?}");
    rooms.iter().map(|line| line.param(1).to_owned()).collect()
}

#[tokio::test]
async fn isupport_tells_of_the_filters() {
    let server = Server::start().await;
    let alice = server.login("alice").await;
    for token in ["ELIST=CMNTU", "SAFELIST"] {
        let has = |line: &crate::harness::Line| line.is("005") && line.params.iter().any(|param| param == token);
        assert!(alice.greeting.iter().any(has), "{token}");
    }
}

#[tokio::test]
async fn by_mask_and_by_no_mask() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #chan1,#chan2").await;
    let mut bob = server.login("bob").await;
    for (filters, rooms) in [
        ("", &["#chan1", "#chan2", "#lobby"][..]),
        ("*an1", &["#chan1"]),
        ("#C*N2", &["#chan2"]),
        ("#ch*", &["#chan1", "#chan2"]),
        ("*an3", &[]),
        ("#chan1,#lobby", &["#chan1", "#lobby"]),
        ("#nowhere", &[]),
        ("chan1", &[]),
        ("!*an1", &["#chan2", "#lobby"]),
        ("#ch*,!*2", &["#chan1"]),
        ("!#*", &[]),
    ] {
        assert_eq!(listed(&mut bob, filters).await, rooms, "{filters}");
    }
}

#[tokio::test]
async fn by_how_many_are_inside() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #chan1,#chan2").await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #chan2").await;
    for (filters, rooms) in [
        (">0,#chan*", &["#chan1", "#chan2"][..]),
        ("<1", &[]),
        (">1,#chan*", &["#chan2"]),
        ("<2", &["#chan1"]),
        (">0,<2", &["#chan1"]),
        ("<100,#chan*", &["#chan1", "#chan2"]),
    ] {
        assert_eq!(listed(&mut bob, filters).await, rooms, "{filters}");
    }
}

#[tokio::test]
async fn by_when_it_was_made_and_when_its_topic_was_set() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #old,#new").await;
    alice.ask("TOPIC #old :x").await;
    for (filters, rooms) in
        [("C<10,#*", &["#lobby", "#new", "#old"][..]), ("C>10", &[]), ("C<0", &[]), ("T<10", &["#old"]), ("T>10", &[])]
    {
        assert_eq!(listed(&mut alice, filters).await, rooms, "{filters}");
    }
}

#[tokio::test]
async fn secret_rooms_are_for_their_members() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    alice.ask("MODE #dev +s").await;
    carol.sync().await;
    for filters in ["", "#dev", "#d*", ">1"] {
        assert!(listed(&mut bob, filters).await.contains(&"#dev".to_owned()), "{filters}");
        assert!(!listed(&mut carol, filters).await.contains(&"#dev".to_owned()), "{filters}");
    }
}

#[tokio::test]
async fn an_answer_of_many_lines_is_one_batch() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask("@label=l LIST").await;
    assert!(answer[0].matches("BATCH +* labeled-response") && answer[0].tag("label") == Some("l"), "{answer:?}");
    assert!(answer.last().is_some_and(|line| line.matches("BATCH -*")), "{answer:?}");
}
