//! KICK: <https://modern.ircdocs.horse/#kick-message>.

use crate::harness::{Line, Server};
use crate::rooms::dev;

#[tokio::test]
async fn the_reason_or_the_nick_of_who_did_it() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.send("KICK #DEV Bob").await;
    assert_eq!(bob.expect_from("alice", "KICK #dev bob").await.text(), "alice");
    bob.ask("JOIN #dev").await;
    alice.send("KICK #dev bob :bye for now").await;
    assert_eq!(bob.expect_from("alice", "KICK #dev bob").await.text(), "bye for now");
    bob.ask("JOIN #dev").await;
    alice.send(format!("KICK #dev bob :{}", "x".repeat(440))).await;
    assert_eq!(bob.expect_from("alice", "KICK #dev bob").await.text(), "x".repeat(390), "KICKLEN");
}

#[tokio::test]
async fn every_refusal() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    assert!(alice.answer("KICK #dev").await.matches("461 alice KICK"));
    assert!(alice.answer("KICK #one,#two,#dev bob,alice").await.matches("461 alice KICK"));
    assert!(alice.answer("KICK #nowhere bob").await.matches("403 alice #nowhere"));
    assert!(alice.answer("KICK #dev carol").await.matches("441 alice carol #dev"));
    assert!(alice.answer("KICK #dev nobody").await.matches("401 alice nobody"));
    assert!(bob.answer("KICK #dev alice").await.matches("482 bob #dev"));
    assert!(bob.answer("KICK #dev nobody,carol,alice").await.matches("482 bob #dev"), "once");
    assert!(carol.answer("KICK #dev bob").await.matches("442 carol #dev"));
    alice.ask("MODE #dev +s").await;
    assert!(carol.answer("KICK #dev bob").await.matches("403 carol #dev"));
}

#[tokio::test]
async fn several_people_are_told_one_by_one() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    let mut dave = server.login("dave").await;
    for line in ["KICK #dev bob,carol :bye", "KICK #dev,#dev bob,carol :bye"] {
        for client in [&mut bob, &mut carol, &mut dave] {
            client.ask("JOIN #dev").await;
        }
        alice.sync().await;
        let answer = alice.ask(line).await;
        assert_eq!(answer.len(), 2, "{answer:?}");
        dave.expect_from("alice", "KICK #dev bob :bye").await;
        dave.expect_from("alice", "KICK #dev carol :bye").await;
    }
    let answer = alice.ask("KICK #dev a,b,c,d,dave").await;
    assert_eq!(answer.iter().filter(|line| line.is("401")).count(), 4, "{answer:?}");
    assert!(answer.iter().any(|line| line.matches("407 alice dave")), "{answer:?}");
    dave.expect_nothing("KICK").await;
    let targets = |line: &Line| line.is("005") && line.params.iter().any(|token| token.contains("KICK:4"));
    assert!(dave.greeting.iter().any(targets), "TARGMAX");
}

#[tokio::test]
async fn an_operator_may_take_out_another_and_themselves() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.ask("MODE #dev +o bob").await;
    bob.sync().await;
    bob.send("KICK #dev alice").await;
    alice.expect_from("bob", "KICK #dev alice").await;
    bob.send("KICK #dev bob :enough").await;
    bob.expect_from("bob", "KICK #dev bob :enough").await;
    assert!(bob.answer("PART #dev").await.is("442"));
}
