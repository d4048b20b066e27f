//! OPER: the powers of an administrator are asked for with a password, belong to one session, and end.

use crate::harness::{Client, Line, Server, eventually, password_of};

/// Raises a session with the password of `root`.
async fn oper(client: &mut Client) -> Vec<Line> {
    client.ask(&format!("OPER root {}", password_of("root"))).await
}

async fn modes(client: &mut Client) -> String {
    let answer = client.ask("MODE alice").await;
    answer.iter().find(|line| line.is("221")).expect("221").param(1).to_owned()
}

#[tokio::test]
async fn an_administrators_session_is_nobody_special_before() {
    let server = Server::start().await;
    let (mut alice, mut root) = (server.login("alice").await, server.login("root").await);
    alice.ask("JOIN #dev").await;
    alice.ask("MODE #dev +s").await;
    assert!(root.ask("TOPIC #lobby :mine").await[0].is("482"));
    assert!(root.ask("LIST").await.iter().all(|line| line.param(1) != "#dev"));
    assert!(root.ask("MODE root").await[0].matches("221 root +"));
    assert!(alice.ask("WHOIS root").await.iter().all(|line| !line.is("313")));

    let answer = oper(&mut root).await;
    assert!(answer[0].matches("381 root"), "{answer:?}");
    assert!(answer[1].matches(":root MODE root +o"), "{answer:?}");
    assert!(root.ask("MODE root").await[0].matches("221 root +o"));
    assert!(root.ask("LIST").await.iter().any(|line| line.param(1) == "#dev"));
    assert!(root.ask("TOPIC #lobby :mine").await[0].is("TOPIC"));
    let whois = alice.ask("WHOIS root").await;
    assert!(whois.iter().any(|line| line.matches("313 alice root")), "{whois:?}");
    let who = alice.ask("WHO root").await;
    assert!(who[0].param(6).starts_with("H*"), "{who:?}");
    assert!(oper(&mut root).await.iter().all(|line| !line.is("MODE")), "the second time is no news");
}

#[tokio::test]
async fn a_session_keeps_its_name_and_others_of_the_account_gain_nothing() {
    let server = Server::start().await;
    let (mut phone, mut desk) = (server.login("alice").await, server.login("alice").await);
    assert!(oper(&mut desk).await[0].matches("381 alice"));
    assert_eq!((modes(&mut desk).await.as_str(), modes(&mut phone).await.as_str()), ("+o", "+"));
    assert!(phone.ask("TOPIC #lobby :mine").await[0].is("482"));
    desk.ask("TOPIC #lobby :mine").await;
    phone.expect_from("alice", "TOPIC #lobby :mine").await;
    desk.quit("").await;
    assert!(phone.ask("WHOIS alice").await.iter().all(|line| !line.is("313")), "powers end with their session");
}

#[tokio::test]
async fn minus_o_gives_the_powers_back() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    assert!(alice.ask("MODE alice +o").await.is_empty(), "nobody gets powers without a password");
    assert_eq!(modes(&mut alice).await, "+");
    oper(&mut alice).await;
    let answer = alice.ask("MODE alice -o").await;
    assert!(answer.len() == 1 && answer[0].matches(":alice MODE alice -o"), "{answer:?}");
    assert_eq!(modes(&mut alice).await, "+");
    assert!(alice.ask("TOPIC #lobby :mine").await[0].is("482"));
    assert!(alice.ask("MODE alice -o").await.is_empty(), "there is nothing to give back");
}

#[tokio::test]
async fn what_opens_nothing() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for (line, numeric) in [
        ("OPER".to_owned(), "461"),
        ("OPER root".to_owned(), "461"),
        ("OPER root wrong-word".to_owned(), "464"),
        (format!("OPER nobody {}", password_of("root")), "464"),
        ("OPER * wrong-word".to_owned(), "464"),
        // The right password, of somebody who is no administrator.
        (format!("OPER alice {}", password_of("alice")), "491"),
    ] {
        let answer = alice.ask(&line).await;
        assert!(answer.len() == 1 && answer[0].is(numeric), "{line}: {answer:?}");
        assert_eq!(modes(&mut alice).await, "+", "{line}");
    }
    server.chatd(&["user", "disable", "root"]).ok();
    assert!(oper(&mut alice).await[0].is("464"), "a disabled account opens nothing");
    let log = server.log().text();
    assert!(
        log.contains("OPER refused") && !log.contains("wrong-word") && !log.contains(&password_of("root")),
        "{log}"
    );
}

#[tokio::test]
async fn guessing_is_throttled_and_does_not_disconnect() {
    let server = Server::configure().set("limits.logins_per_minute", 2).start().await;
    let mut alice = server.login("alice").await;
    for _ in 0..8 {
        assert!(alice.ask("OPER root guess").await[0].is("464"));
    }
    let answer = oper(&mut alice).await;
    assert!(answer[0].is("464") && answer[0].text().contains("too many"), "{answer:?}");
}

#[tokio::test]
async fn powers_end_with_what_they_were_given_for() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for order in [&["user", "passwd", "root", "--generate"][..], &["user", "disable", "root"]] {
        server.chatd_with_input(&["user", "passwd", "root", "--password-stdin"], &password_of("root")).ok();
        eventually("powers", async || oper(&mut alice).await[0].is("381").then_some(())).await;
        server.chatd(order).ok();
        // The order is answered a moment before the sessions know.
        eventually("the end of the powers", async || (modes(&mut alice).await == "+").then_some(())).await;
        assert!(alice.ask("TOPIC #lobby :mine").await[0].is("482"), "{order:?}");
        assert!(alice.ask("WHOIS alice").await.iter().all(|line| !line.is("313")));
    }
}
