//! NAMES, TOPIC and JOIN as their clauses have them: <https://modern.ircdocs.horse/#channel-operations>.

use crate::harness::{Line, Server};
use crate::rooms::{dev, names};

#[tokio::test]
async fn names_of_what_is_not_there_just_end() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    alice.ask("MODE #dev +s").await;
    for name in ["#nowhere", "invalid", "#dev", "*"] {
        assert!(carol.answer(&format!("NAMES {name}")).await.matches(&format!("366 carol {name}")), "{name}");
    }
    assert!(carol.answer("NAMES").await.matches("366 carol *"));
}

#[tokio::test]
async fn names_tell_what_kind_of_room_it_is() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let answer = alice.ask("NAMES #DEV").await;
    assert_eq!(answer[0].params[..3], ["alice", "=", "#dev"]);
    assert!(["@alice bob", "bob @alice"].contains(&answer[0].text()), "no blank at the end: {answer:?}");
    assert!(answer[1].matches("366 alice #dev") && answer.len() == 2, "{answer:?}");
    alice.ask("MODE #dev +s").await;
    assert_eq!(alice.ask("NAMES #dev").await[0].params[..3], ["alice", "@", "#dev"]);
}

#[tokio::test]
async fn a_topic_is_cut_to_its_length() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    alice.send(format!("TOPIC #dev :{}", "é".repeat(220))).await;
    assert_eq!(bob.expect_from("alice", "TOPIC #dev").await.text(), "é".repeat(195), "TOPICLEN, and no half letter");
}

#[tokio::test]
async fn topics_of_rooms_that_are_not_there_for_one() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    assert!(carol.answer("TOPIC #nowhere").await.matches("403 carol #nowhere"));
    assert!(carol.answer("TOPIC #dev :x").await.matches("442 carol #dev"));
    assert!(bob.answer("TOPIC #dev :x").await.matches("482 bob #dev"));
    assert!(bob.answer("TOPIC #dev").await.matches("331 bob #dev"));
    alice.ask("MODE #dev +s").await;
    for line in ["TOPIC #dev", "TOPIC #dev :x"] {
        assert!(carol.answer(line).await.matches("403 carol #dev"), "{line}");
    }
}

#[tokio::test]
async fn keys_go_with_the_rooms_in_their_order() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.ask("JOIN #one,#two,#three").await;
    alice.ask("MODE #one +k first").await;
    alice.ask("MODE #two +k second").await;
    let answer = bob.ask("JOIN #one,#two,#three first,wrong").await;
    let told = |pattern: &str| answer.iter().any(|line| line.matches(pattern));
    assert!(told(":bob JOIN #one") && told("475 bob #two") && told(":bob JOIN #three"), "{answer:?}");
}

#[tokio::test]
async fn join_zero_leaves_every_room() {
    let server = Server::start().await;
    let (_alice, mut bob) = dev(&server).await;
    bob.ask("JOIN 0").await;
    for room in ["#dev", "#lobby"] {
        assert!(bob.answer(&format!("PART {room}")).await.matches(&format!("442 bob {room}")));
    }
}

#[tokio::test]
async fn names_that_no_room_can_have() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let longest = format!("#{}", "a".repeat(63));
    assert!(alice.ask(&format!("JOIN {longest}")).await.iter().any(|line| line.matches(&format!("JOIN {longest}"))));
    let long = format!("#{}", "b".repeat(64));
    assert!(alice.answer(&format!("JOIN {long}")).await.matches(&format!("403 alice {long}")));
    assert!(alice.answer("JOIN lobby").await.matches("403 alice lobby"));
    assert!(alice.answer("JOIN #a\u{7}b").await.is("476"));
    assert_eq!(names(&mut alice, "#lobby").await, ["alice"]);
}

#[tokio::test]
async fn too_many_rooms() {
    let server = Server::configure().set("limits.rooms_per_account", 2).start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #one").await;
    assert!(alice.answer("JOIN #two").await.matches("405 alice #two"));
    let limit = |line: &Line| line.is("005") && line.params.iter().any(|token| token == "CHANLIMIT=#:2");
    assert!(alice.greeting.iter().any(limit));
}
