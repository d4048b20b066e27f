//! INVITE: <https://modern.ircdocs.horse/#invite-message>, <https://ircv3.net/specs/extensions/invite-notify>.

use crate::harness::Server;
use crate::rooms::dev;

#[tokio::test]
async fn one_is_told_and_the_other_too() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    let line = alice.answer("INVITE Carol #DEV").await;
    assert_eq!(line.command, "341");
    assert_eq!(line.params, ["alice", "carol", "#dev"]);
    carol.expect_from("alice", "INVITE carol #dev").await;
    bob.sync().await;
    let line = bob.answer("INVITE dave #dev").await;
    assert!(line.is("341"), "in an open room everybody may: {line:?}");
}

#[tokio::test]
async fn other_members_without_invite_notify_are_not_told() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut dave = server.login_plain("dave").await;
    dave.ask("JOIN #dev").await;
    let _carol = server.login("carol").await;
    alice.answer("INVITE carol #dev").await;
    dave.expect_nothing("INVITE").await;
}

#[tokio::test]
async fn every_refusal() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    let mut dave = server.login("dave").await;
    assert!(alice.answer("INVITE carol").await.matches("461 alice INVITE"));
    assert!(alice.answer("INVITE nobody #dev").await.matches("401 alice nobody"));
    assert!(alice.answer("INVITE carol #nowhere").await.matches("403 alice #nowhere"));
    assert!(alice.answer("INVITE bob #dev").await.matches("443 alice bob #dev"));
    assert!(carol.answer("INVITE dave #dev").await.matches("442 carol #dev"));
    alice.ask("MODE #dev +i").await;
    assert!(bob.answer("INVITE carol #dev").await.matches("482 bob #dev"));
    alice.ask("MODE #dev +s-i").await;
    assert!(carol.answer("INVITE dave #dev").await.matches("403 carol #dev"));
    dave.expect_nothing("INVITE").await;
}

#[tokio::test]
async fn who_is_away_is_said_to_be() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    carol.ask("AWAY :at lunch").await;
    alice.sync().await;
    let answer = alice.ask("INVITE carol #dev").await;
    assert!(answer.iter().any(|line| line.matches("341 alice carol #dev")), "{answer:?}");
    assert!(answer.iter().any(|line| line.matches("301 alice carol :at lunch")), "{answer:?}");
}

#[tokio::test]
async fn the_list_of_invitations_and_how_they_are_used_up() {
    let mut server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    assert!(carol.answer("INVITE").await.is("337"));
    alice.ask("JOIN #plans").await;
    alice.ask("MODE #plans +si").await;
    alice.ask("INVITE carol #plans").await;
    alice.ask("INVITE carol #dev").await;
    // Invitations are kept like everything else.
    server.restart().await;
    let mut alice = server.login("alice").await;
    let mut carol = server.login("carol").await;
    let answer = carol.ask("INVITE").await;
    let lines: Vec<&[String]> = answer.iter().map(|line| &line.params[1..2]).collect();
    assert!(answer.len() == 3 && answer[0].is("336") && answer[1].is("336") && answer[2].is("337"), "{answer:?}");
    assert!(lines[0] == ["#dev"] && lines[1] == ["#plans"], "{answer:?}");
    assert!(carol.ask("JOIN #plans").await.iter().any(|line| line.matches(":carol JOIN #plans")));
    assert_eq!(carol.ask("INVITE").await.len(), 2, "used up");
    carol.ask("PART #plans").await;
    assert!(carol.ask("JOIN #plans").await.iter().any(|line| line.matches("473 carol #plans")));
    alice.sync().await;
}
