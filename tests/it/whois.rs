//! WHOIS, WHOWAS, ISON, USERHOST: one person, now and before.

use crate::harness::{Line, Server, password_of};

fn find<'a>(lines: &'a [Line], numeric: &str) -> &'a Line {
    lines.iter().find(|line| line.is(numeric)).unwrap_or_else(|| panic!("{numeric} is missing: {lines:?}"))
}

#[tokio::test]
async fn the_numerics_and_their_parameters() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    bob.query("JOIN #dev").await;
    bob.query("AWAY :lunch").await;
    bob.query(&format!("OPER root {}", password_of("root"))).await;
    let answer = alice.query("WHOIS bob").await;
    assert!(answer[0].is("311") && answer.last().is_some_and(|line| line.is("318")), "{answer:?}");
    assert_eq!(find(&answer, "311").params, ["alice", "bob", "bob", "chat.test", "*", "bob the tester"]);
    assert_eq!(find(&answer, "312").params[..3], ["alice", "bob", "chat.test"]);
    assert_eq!(find(&answer, "313").params.len(), 3);
    assert_eq!(find(&answer, "330").params[..3], ["alice", "bob", "bob"]);
    assert_eq!(find(&answer, "301").params, ["alice", "bob", "lunch"]);
    assert_eq!(find(&answer, "671").params.len(), 3);
    let idle = find(&answer, "317");
    assert!(idle.params.len() == 5 && idle.param(2).parse::<u64>().is_ok() && idle.param(3).parse::<u64>().is_ok());
    let known = ["311", "319", "312", "313", "330", "301", "317", "671", "318"];
    assert!(answer.iter().all(|line| known.contains(&line.command.as_str())), "{answer:?}");
    assert!(answer.iter().all(|line| !line.raw.contains("127.0.0.1")), "no address: {answer:?}");
}

#[tokio::test]
async fn a_server_may_be_named_first() {
    let server = Server::start().await;
    let (mut alice, _bob) = (server.login("alice").await, server.login("bob").await);
    for target in ["chat.test", "chat.*", "bob", "alice"] {
        let answer = alice.query(&format!("WHOIS {target} bob")).await;
        assert!(answer[0].matches("311 alice bob"), "{target}: {answer:?}");
    }
    let answer = alice.query("WHOIS elsewhere.test bob").await;
    assert!(answer.len() == 1 && answer[0].matches("402 alice elsewhere.test"), "{answer:?}");
}

#[tokio::test]
async fn several_and_unknown_ones() {
    let server = Server::start().await;
    let (mut alice, _bob) = (server.login("alice").await, server.login("bob").await);
    let answer = alice.query("WHOIS bob,nobody,ALICE").await;
    let ends: Vec<&str> = answer.iter().filter(|line| line.is("318")).map(|line| line.param(1)).collect();
    assert_eq!(ends, ["bob", "nobody", "alice"]);
    assert!(answer.iter().any(|line| line.matches("401 alice nobody")), "{answer:?}");
    for nobody in ["carol", "b*"] {
        let answer = alice.query(&format!("WHOIS {nobody}")).await;
        assert!(answer.len() == 2 && answer[0].is("401") && answer[1].is("318"), "{answer:?}");
    }
    for line in ["WHOIS", "WHOIS :"] {
        let answer = alice.query(line).await;
        assert!(answer.len() == 1 && answer[0].is("431"), "{answer:?}");
    }
}

#[tokio::test]
async fn whowas_remembers_who_has_gone() {
    let server = Server::start().await;
    let (mut alice, bob) = (server.login("alice").await, server.login("bob").await);
    bob.quit("").await;
    alice.expect_from("bob", "QUIT").await;
    for question in ["WHOWAS bob", "WHOWAS BOB 1", "WHOWAS bob -1", "WHOWAS bob 0 chat.test"] {
        let answer = alice.query(question).await;
        assert_eq!(answer.len(), 3, "{question}: {answer:?}");
        assert_eq!(answer[0].params, ["alice", "bob", "bob", "chat.test", "*", "bob the tester"]);
        assert!(answer[1].matches("312 alice bob chat.test :*UTC"), "{answer:?}");
        assert!(answer[2].is("369") && answer[2].params.len() == 3, "{answer:?}");
    }
    // Who never was here, although there is such an account; and who is nobody.
    for nobody in ["carol", "nobody", "b*"] {
        let answer = alice.query(&format!("WHOWAS {nobody}")).await;
        assert_eq!(answer.len(), 2, "{answer:?}");
        assert!(answer[0].is("406") && answer[0].param(1) == nobody, "{answer:?}");
        assert!(answer[1].is("369") && answer[1].param(1) == nobody, "{answer:?}");
    }
    assert!(alice.query("WHOWAS bob 1 elsewhere.test").await[0].is("402"));
    assert!(alice.query("WHOWAS").await[0].matches("461 alice WHOWAS"));
}

#[tokio::test]
async fn whowas_outlives_a_restart() {
    let mut server = Server::start().await;
    let bob = server.login("bob").await;
    bob.quit("").await;
    server.restart().await;
    let mut alice = server.login("alice").await;
    assert!(alice.query("WHOWAS bob").await[0].matches("314 alice bob bob chat.test *"));
    server.chatd(&["user", "remove", "bob", "--yes"]).ok();
    assert!(alice.query("WHOWAS bob").await[0].is("406"));
}

#[tokio::test]
async fn userhost_and_ison() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    bob.query("AWAY :out").await;
    bob.query(&format!("OPER root {}", password_of("root"))).await;
    let answer = alice.query("USERHOST bob alice nobody carol").await;
    assert_eq!(answer.len(), 1);
    assert_eq!(answer[0].params, ["alice", "bob*=-bob@chat.test alice=+alice@chat.test"]);
    assert_eq!(alice.query("USERHOST nobody").await[0].params, ["alice", ""]);
    assert_eq!(alice.query("ISON BOB :nobody alice").await[0].params, ["alice", "bob alice"]);
    assert_eq!(alice.query("ISON nobody").await[0].params, ["alice", ""]);
}

#[tokio::test]
async fn a_display_name_that_is_none_is_refused() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["standard-replies", "setname"]).await;
    let long = "x".repeat(151);
    for name in ["", " ", "a\x02b", &long] {
        let answer = alice.query(&format!("SETNAME :{name}")).await;
        assert!(answer.len() == 1 && answer[0].matches("FAIL SETNAME INVALID_REALNAME"), "{name:?}: {answer:?}");
    }
    assert!(alice.query("SETNAME").await[0].matches("461 alice SETNAME"));
    let whois = alice.query("WHOIS alice").await;
    assert_eq!(find(&whois, "311").text(), "alice the tester");
    // Without the capability it works, and nothing is said.
    let mut bob = server.login_with("bob", &[]).await;
    assert!(bob.query("SETNAME :Bob B").await.is_empty());
    assert_eq!(find(&bob.query("WHOIS bob").await, "311").text(), "Bob B");
}

#[tokio::test]
async fn names_with_user_and_host() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["userhost-in-names"]).await;
    let answer = alice.query("NAMES #lobby").await;
    assert!(answer[0].text().contains("alice!alice@chat.test"), "{answer:?}");
}

#[tokio::test]
async fn who_comes_in_and_is_away_is_seen_so() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    let mut carol = server.login_with("carol", &[]).await;
    for client in [&mut alice, &mut carol] {
        client.query("JOIN #dev").await;
    }
    alice.sync().await;
    bob.query("AWAY :lunch").await;
    alice.expect_from("bob", "AWAY :lunch").await;
    bob.query("JOIN #dev").await;
    let told = alice.sync().await;
    assert!(told.len() == 2 && told[0].matches(":bob JOIN #dev") && told[1].matches(":bob AWAY :lunch"), "{told:?}");
    carol.expect_nothing("AWAY").await;
}
