//! MODE of people: i, w and o, told truly, changed by their owner alone, each session for itself.

use crate::harness::{Client, Line, Server, password_of};

async fn modes(client: &mut Client, nick: &str) -> String {
    let answer = client.query(&format!("MODE {nick}")).await;
    assert!(answer.len() == 1 && answer[0].is("221") && answer[0].param(0) == nick, "{answer:?}");
    answer[0].param(1).to_owned()
}

fn has(lines: &[Line], pattern: &str) -> bool {
    lines.iter().any(|line| line.matches(pattern))
}

#[tokio::test]
async fn changes_are_echoed_and_only_what_is_news() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    assert_eq!(modes(&mut alice, "alice").await, "+");
    for (change, echo) in [("+i", "+i"), ("+iw", "+w"), ("-w+w", "-w+w"), ("-i-w", "-iw")] {
        let answer = alice.query(&format!("MODE alice {change}")).await;
        assert!(answer.len() == 1 && answer[0].matches(&format!(":alice MODE alice {echo}")), "{change}: {answer:?}");
        assert_eq!(answer[0].params.len(), 2, "{answer:?}");
    }
    assert!(alice.query("MODE ALICE -i").await.is_empty(), "nothing has changed");
    alice.query("MODE alice +wi").await;
    alice.query(&format!("OPER root {}", password_of("root"))).await;
    assert_eq!(modes(&mut alice, "alice").await, "+iow");
    let answer = alice.query("MODE alice -io").await;
    assert!(has(&answer, ":alice MODE alice -io"), "{answer:?}");
    assert_eq!(modes(&mut alice, "alice").await, "+w");
}

#[tokio::test]
async fn unknown_letters_are_501_and_the_rest_is_done() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.query("MODE alice +iZ").await;
    assert!(has(&answer, ":alice MODE alice +i") && has(&answer, "501 alice"), "{answer:?}");
    assert_eq!(answer.len(), 2);
}

#[tokio::test]
async fn others_modes_are_502_and_nobodys_401() {
    let server = Server::start().await;
    let (mut alice, _bob) = (server.login("alice").await, server.login("bob").await);
    for line in ["MODE bob", "MODE bob +i"] {
        let answer = alice.query(line).await;
        assert!(answer.len() == 1 && answer[0].matches("502 alice"), "{answer:?}");
    }
    let answer = alice.query("MODE nobody").await;
    assert!(answer.len() == 1 && answer[0].matches("401 alice nobody"), "{answer:?}");
}

#[tokio::test]
async fn the_welcome_names_exactly_these() {
    let server = Server::start().await;
    let alice = server.login("alice").await;
    let line = alice.greeting.iter().find(|line| line.is("004")).expect("004");
    assert_eq!((line.param(1), line.param(3)), ("chat.test", "Biow"), "{line:?}");
}

#[tokio::test]
async fn modes_are_the_sessions() {
    let server = Server::start().await;
    let (mut desk, mut phone) = (server.login("alice").await, server.login("alice").await);
    desk.query("MODE alice +i").await;
    assert_eq!(modes(&mut phone, "alice").await, "+");
    desk.quit("").await;
    let mut bob = server.login("bob").await;
    bob.query("PART #lobby").await;
    assert!(has(&bob.query("WHO ali*").await, "352"), "and end with it");
}

#[tokio::test]
async fn the_invisible_are_found_by_name_and_by_those_who_share_a_room() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    bob.query("PART #lobby").await;
    alice.query("JOIN #dev").await;
    assert!(has(&bob.query("WHOIS alice").await, "319 bob alice :*#dev*"));
    alice.query("MODE alice +i").await;
    for mask in ["WHO ali*", "WHO *", "WHO"] {
        assert!(!bob.query(mask).await.iter().any(|line| line.is("352") && line.param(5) == "alice"), "{mask}");
    }
    assert!(has(&bob.query("WHO alice").await, "352 bob * alice"), "by the whole name");
    let whois = bob.query("WHOIS alice").await;
    assert!(has(&whois, "311 bob alice") && !has(&whois, "319"), "{whois:?}");
    let lusers = bob.query("LUSERS").await;
    assert!(has(&lusers, "251 bob :There are 1 users and 1 invisible on 1 servers"), "{lusers:?}");
    bob.query("JOIN #dev").await;
    assert!(has(&bob.query("WHO ali*").await, "352 bob * alice"));
    let whois = bob.query("WHOIS alice").await;
    assert!(has(&whois, "319 bob alice :@#dev"), "the rooms they share, and no others: {whois:?}");
    bob.query("PART #dev").await;
    bob.query(&format!("OPER root {}", password_of("root"))).await;
    assert!(has(&bob.query("WHO ali*").await, "352 bob * alice"), "administrators see all");
}
