//! WHO: masks, flags, and fields of the asker's choice (WHOX).

use crate::harness::{Client, Line, Server, password_of};

/// The rows of an answer, which must end with 315 and the mask as it was written.
async fn who(client: &mut Client, question: &str) -> Vec<Line> {
    let mut answer = client.query(&format!("WHO {question}")).await;
    let end = answer.pop().expect("an end");
    let mask = question.split(' ').next().unwrap_or_default();
    assert!(end.is("315") && end.param(1) == mask && end.params.len() == 3, "{question}: {end:?}");
    answer
}

fn nicks(rows: &[Line]) -> Vec<&str> {
    rows.iter().map(|row| row.param(5)).collect()
}

#[tokio::test]
async fn a_row_has_exactly_these_parameters() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    bob.query("JOIN #dev").await;
    alice.query("JOIN #dev").await;
    for mask in ["bob", "BOB"] {
        let rows = who(&mut alice, mask).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].params, ["alice", "#dev", "bob", "chat.test", "chat.test", "bob", "H@", "0 bob the tester"]);
    }
    let rows = who(&mut alice, "b?*").await;
    assert_eq!(rows[0].params, ["alice", "*", "bob", "chat.test", "chat.test", "bob", "H", "0 bob the tester"]);
}

#[tokio::test]
async fn masks_star_and_zero_find_everybody_online() {
    let server = Server::start().await;
    let (mut alice, _bob) = (server.login("alice").await, server.login("bob").await);
    for mask in ["*", "0"] {
        assert_eq!(nicks(&who(&mut alice, mask).await), ["alice", "bob"], "{mask}");
    }
    assert!(who(&mut alice, "carol").await.is_empty(), "not online");
    assert!(who(&mut alice, "c*").await.is_empty());
    assert!(who(&mut alice, "#nowhere").await.is_empty());
    let answer = alice.query("WHO").await;
    assert!(answer.len() == 3 && answer[2].matches("315 alice *"), "{answer:?}");
}

#[tokio::test]
async fn flags_tell_of_being_away_of_power_and_of_rank() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    alice.query("JOIN #dev").await;
    bob.query("JOIN #dev").await;
    bob.query("AWAY :lunch").await;
    bob.query(&format!("OPER root {}", password_of("root"))).await;
    let rows = who(&mut alice, "#dev").await;
    let flags = |nick: &str| rows.iter().find(|row| row.param(5) == nick).expect("a row").param(6);
    assert_eq!((flags("alice"), flags("bob")), ("H@", "G*"));
    alice.query("MODE #dev +v alice").await;
    let rows = who(&mut alice, "alice").await;
    assert_eq!(rows[0].param(6), "H@+", "all ranks with multi-prefix");
    // Administrators alone.
    assert_eq!(nicks(&who(&mut alice, "#dev o").await), ["bob"]);
    assert_eq!(nicks(&who(&mut alice, "* o").await), ["bob"]);
    assert!(who(&mut alice, "alice o").await.is_empty());
}

#[tokio::test]
async fn all_fields_in_the_order_of_the_specification() {
    let server = Server::start().await;
    let (mut alice, _bob) = (server.login("alice").await, server.login("bob").await);
    for fields in ["tcuihsnfdlaor", "roaldfnshiuct"] {
        let rows = who(&mut alice, &format!("bob %{fields},123")).await;
        assert_eq!(rows.len(), 1);
        let mut params = rows[0].params.clone();
        assert!(rows[0].is("354") && params[10].parse::<u64>().is_ok(), "{rows:?}");
        params[10] = "idle".to_owned();
        let expected = [
            "alice",
            "123",
            "#lobby",
            "bob",
            "255.255.255.255",
            "chat.test",
            "chat.test",
            "bob",
            "H",
            "0",
            "idle",
            "bob",
            "n/a",
            "bob the tester",
        ];
        assert_eq!(params, expected, "{fields}");
    }
}

#[tokio::test]
async fn tokens_and_single_fields() {
    let server = Server::start().await;
    let (mut alice, _bob) = (server.login("alice").await, server.login("bob").await);
    for (question, params) in [
        ("bob %na", &["alice", "bob", "bob"][..]),
        ("bob %tn,321", &["alice", "321", "bob"]),
        ("bob %nt,1234", &["alice", "0", "bob"]),
        ("bob %nZ", &["alice", "bob"]),
        ("b* %cn", &["alice", "*", "bob"]),
        ("#lobby %nc", &["alice", "#lobby", "alice"]),
    ] {
        let rows = who(&mut alice, question).await;
        assert!(rows[0].is("354"), "{question}: {rows:?}");
        assert_eq!(rows[0].params, params, "{question}");
        assert!(rows.iter().all(|row| row.is("354")), "never mixed with 352");
    }
    let tokens = alice.greeting.iter().filter(|line| line.is("005")).flat_map(|line| line.params.clone());
    assert!(tokens.collect::<Vec<_>>().contains(&"WHOX".to_owned()));
}

#[tokio::test]
async fn a_secret_room_is_not_there_for_others() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    alice.query("JOIN #dev").await;
    alice.query("MODE #dev +s").await;
    for question in ["#dev", "#dev %n", "#dev o"] {
        assert!(who(&mut bob, question).await.is_empty(), "{question}");
    }
    assert!(who(&mut bob, "alice %c").await[0].param(1) == "#lobby", "the room they share");
    assert_eq!(who(&mut alice, "#dev").await.len(), 1);
}
