//! MODE of rooms, clause by clause: <https://modern.ircdocs.horse/#mode-message>. The lists have `room_lists`.

use crate::harness::{Client, Line, Server};
use crate::rooms::{dev, names, refused};

/// Says a MODE of the operator's; the changes that are told, and nothing else.
async fn changes(alice: &mut Client, changes: &str) -> Vec<String> {
    alice.sync().await;
    let answer = alice.ask(&format!("MODE #dev {changes}")).await;
    assert!(answer.iter().all(|line| line.matches(":alice MODE #dev")), "{changes}: {answer:?}");
    answer.iter().map(|line| line.params[1..].join(" ")).collect()
}

#[tokio::test]
async fn the_modes_of_a_room_and_when_it_was_made() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let answer = alice.ask("MODE #dev").await;
    assert_eq!(answer.len(), 2, "{answer:?}");
    assert_eq!(answer[0].params, ["alice", "#dev", "+nt"]);
    assert!(answer[1].matches("329 alice #dev") && answer[1].param(2).parse::<u64>().is_ok(), "{answer:?}");
    assert_eq!(changes(&mut alice, "+kl word 25").await, ["+kl word 25"]);
    bob.sync().await;
    assert_eq!(bob.ask("MODE #DEV").await[0].params[1..], ["#dev", "+ntkl", "word", "25"]);
    let mut carol = server.login("carol").await;
    assert_eq!(carol.ask("MODE #dev").await[0].params[1..], ["#dev", "+ntkl", "*", "25"], "no key outside");
    assert_eq!(changes(&mut alice, "-ntkl x").await, ["-ntkl *"]);
    assert_eq!(alice.ask("MODE #dev").await[0].params[1..], ["#dev", "+"]);
}

#[tokio::test]
async fn a_secret_room_has_no_modes_for_others() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    changes(&mut alice, "+s").await;
    for line in ["MODE #dev", "MODE #dev b", "MODE #dev +m", "MODE #nowhere", "MODE #nowhere +o alice"] {
        assert!(carol.answer(line).await.is("403"), "{line}");
    }
}

#[tokio::test]
async fn several_changes_in_one_line_in_their_order() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    assert_eq!(changes(&mut alice, "+i-t+vo-n+b bob bob x").await, ["+i-t+vo-n+b bob bob x!*@*"]);
    bob.expect_from("alice", "MODE #dev +i-t+vo-n+b bob bob x!*@*").await;
    assert_eq!(changes(&mut alice, "i").await, Vec::<String>::new(), "no sign is a plus, and it is on");
    assert_eq!(changes(&mut alice, "+iv-k BOB x").await, Vec::<String>::new(), "nothing of it changes anything");
    assert_eq!(changes(&mut alice, "+im-i").await, ["+m-i"], "what is on is not told again");
}

#[tokio::test]
async fn who_may_not_change_modes_hears_it_once() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    for line in
        ["MODE #dev +o bob", "MODE #dev +o nobody", "MODE #dev +oZ carol", "MODE #dev +k", "MODE #dev +mi-t+l 5"]
    {
        assert!(bob.answer(line).await.matches("482 bob #dev"), "{line}");
        assert!(carol.answer(line).await.matches("442 carol #dev"), "{line}");
    }
    changes(&mut alice, "+v bob").await;
    bob.sync().await;
    assert!(bob.answer("MODE #dev +m").await.is("482"), "a voice rules nothing");
}

#[tokio::test]
async fn what_is_wrong_is_said_and_the_rest_done() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let _carol = server.login("carol").await;
    assert!(alice.answer("MODE #dev +Z").await.matches("472 alice Z"));
    assert!(alice.answer("MODE #dev +o").await.matches("461 alice MODE"));
    assert!(alice.answer("MODE #dev +k").await.matches("461 alice MODE"));
    assert!(alice.answer("MODE #dev +l").await.matches("461 alice MODE"));
    assert!(alice.answer("MODE #dev +o nobody").await.matches("401 alice nobody"));
    assert!(alice.answer("MODE #dev +o carol").await.matches("441 alice carol #dev"));
    let all = alice.ask("MODE #dev +Zomi carol").await;
    let told = |pattern: &str| all.iter().any(|line: &Line| line.matches(pattern));
    assert!(told("472 alice Z") && told("441 alice carol #dev") && told(":alice MODE #dev +mi"), "{all:?}");
    assert_eq!(all.len(), 3, "{all:?}");
}

#[tokio::test]
async fn a_bad_key_is_refused_and_not_repeated() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let long = "long".repeat(100);
    for key in ["passphrase with spaces", &long, "", "a,b", ":x"] {
        let line = alice.answer(&format!("MODE #dev +k :{key}")).await;
        assert!(line.is("696"), "{line:?}");
        assert_eq!(line.params[..4], ["alice", "#dev", "k", "*"]);
    }
    assert_eq!(alice.ask("MODE #dev").await[0].param(2), "+nt");
}

#[tokio::test]
async fn a_key_is_replaced_and_taken_away_by_any_word() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    let mut carol = server.login("carol").await;
    assert_eq!(changes(&mut alice, "+k one").await, ["+k one"]);
    assert_eq!(changes(&mut alice, "+k one").await, Vec::<String>::new());
    assert_eq!(changes(&mut alice, "+k two").await, ["+k two"]);
    refused(&mut carol, "JOIN #dev one", "475").await;
    assert!(carol.ask("JOIN #dev two").await.iter().any(|line| line.matches(":carol JOIN #dev")));
    assert_eq!(changes(&mut alice, "-k whatever").await, ["-k *"]);
    assert_eq!(changes(&mut alice, "-k").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_limit_is_a_positive_number() {
    let server = Server::start().await;
    let (mut alice, _bob) = dev(&server).await;
    for limit in ["0", "-1", "abc", "", "99999999999"] {
        let line = alice.answer(&format!("MODE #dev +l :{limit}")).await;
        assert!(line.matches("696 alice #dev l *"), "{limit}: {line:?}");
    }
    assert_eq!(changes(&mut alice, "+l 1").await, ["+l 1"]);
    let mut carol = server.login("carol").await;
    refused(&mut carol, "JOIN #dev", "471").await;
    alice.send("INVITE carol #dev").await;
    carol.expect_from("alice", "INVITE").await;
    assert!(carol.ask("JOIN #dev").await.iter().any(|line| line.matches(":carol JOIN #dev")), "invited");
    assert_eq!(changes(&mut alice, "-l").await, ["-l"]);
}

#[tokio::test]
async fn too_many_changes_are_left_out_and_that_is_said() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["standard-replies"]).await;
    alice.ask("JOIN #dev").await;
    let masks: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
    let answer = alice.ask(&format!("MODE #dev +{} {}", "b".repeat(12), masks.join(" "))).await;
    assert!(answer.iter().any(|line| line.matches("FAIL MODE TOO_MANY_CHANGES #dev")), "{answer:?}");
    let told: usize = answer.iter().filter(|line| line.is("MODE")).map(|line| line.params.len() - 2).sum();
    assert_eq!(told, 10, "{answer:?}");
    let greeting = server.login("bob").await.greeting;
    assert!(greeting.iter().any(|line| line.is("005") && line.params.iter().any(|token| token == "MODES=10")));
}

#[tokio::test]
async fn an_operator_may_step_down() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    assert_eq!(changes(&mut alice, "+o-o bob alice").await, ["+o-o bob alice"]);
    assert!(alice.answer("MODE #dev +o alice").await.is("482"));
    bob.sync().await;
    assert_eq!(names(&mut bob, "#dev").await, ["@bob", "alice"]);
}

#[tokio::test]
async fn every_answer_carries_its_label() {
    let server = Server::start().await;
    let (mut alice, mut bob) = dev(&server).await;
    let answer = alice.ask("@label=one MODE #dev +m").await;
    assert!(answer.len() == 1 && answer[0].is("MODE") && answer[0].tag("label") == Some("one"), "{answer:?}");
    let answer = alice.ask("@label=none MODE #dev +m").await;
    assert!(answer.len() == 1 && answer[0].is("ACK") && answer[0].tag("label") == Some("none"), "{answer:?}");
    bob.sync().await;
    let answer = bob.ask("@label=no MODE #dev +m").await;
    assert!(answer.len() == 1 && answer[0].is("482") && answer[0].tag("label") == Some("no"), "{answer:?}");
    let answer = alice.ask("@label=many MODE #dev +Zb-m x").await;
    assert!(answer[0].matches("BATCH +* labeled-response") && answer[0].tag("label") == Some("many"), "{answer:?}");
    let reference = answer[0].param(0)[1..].to_owned();
    assert!(answer[1..answer.len() - 1].iter().all(|line| line.tag("batch") == Some(&*reference)), "{answer:?}");
    assert!(answer.last().is_some_and(|line| line.matches(&format!("BATCH -{reference}"))), "{answer:?}");
}
