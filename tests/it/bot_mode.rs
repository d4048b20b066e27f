//! Bots say that they are some: <https://ircv3.net/specs/extensions/bot-mode>.

use crate::harness::{Client, MODERN, Server};

async fn flags(client: &mut Client, nick: &str) -> String {
    client.ask(&format!("WHO {nick}")).await.iter().find(|line| line.is("352")).expect("352").param(6).to_owned()
}

#[tokio::test]
async fn a_client_marks_itself() {
    let server = Server::start().await;
    let (mut alice, mut bob, mut carol) =
        (server.login("alice").await, server.login("bob").await, server.login_plain("carol").await);
    assert!(alice.greeting.iter().any(|line| line.is("005") && line.params.contains(&"BOT=B".to_owned())));
    assert!(alice.greeting.iter().any(|line| line.is("004") && line.param(3).contains('B')));
    alice.sync().await;
    let answer = alice.ask("MODE alice +B").await;
    assert!(answer.len() == 1 && answer[0].matches(":alice MODE alice +B"), "{answer:?}");
    assert!(alice.ask("MODE alice +B").await.is_empty(), "no news");
    assert!(alice.ask("MODE alice").await[0].matches("221 alice +B"));
    let whois = bob.ask("WHOIS alice").await;
    assert!(whois.iter().any(|line| line.matches("335 bob alice")), "{whois:?}");
    assert_eq!(flags(&mut bob, "alice").await, "HB");

    for (line, heard) in [
        ("PRIVMSG #lobby :beep", "PRIVMSG #lobby :beep"),
        ("NOTICE bob :boop", "NOTICE bob :boop"),
        ("@+draft/react=x TAGMSG #lobby", "TAGMSG #lobby"),
        ("@+typing=active TAGMSG #lobby", "TAGMSG #lobby"),
    ] {
        alice.send(line).await;
        let heard = bob.expect(heard).await;
        assert_eq!(heard.tag("bot"), Some(""), "{heard:?}");
    }
    alice.sync().await;
    let lines = carol.sync().await;
    assert!(lines.iter().all(|line| line.tags.is_empty()), "{lines:?}");
    // The same in what is replayed.
    let dave = server.login_with("dave", MODERN).await;
    let beep = dave.greeting.iter().find(|line| line.text() == "beep").expect("the replay");
    assert_eq!(beep.tag("bot"), Some(""), "{beep:?}");

    alice.sync().await;
    let answer = alice.ask("MODE alice -B").await;
    assert!(answer[0].matches(":alice MODE alice -B"), "{answer:?}");
    assert_eq!(flags(&mut bob, "alice").await, "H");
    alice.send("PRIVMSG #lobby :hello").await;
    assert_eq!(bob.expect("PRIVMSG #lobby :hello").await.tag("bot"), None);
}

#[tokio::test]
async fn the_mark_ends_with_the_session() {
    let server = Server::start().await;
    let (alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    let mut other = server.login("alice").await;
    other.ask("MODE alice +B").await;
    assert_eq!(flags(&mut bob, "alice").await, "HB");
    other.quit("").await;
    bob.sync().await;
    crate::harness::eventually("no bot any more", async || (flags(&mut bob, "alice").await == "H").then_some(())).await;
    drop(alice);
}

#[tokio::test]
async fn the_account_of_a_bot_is_one_always() {
    let server = Server::start().await;
    server.add_user("robot", &["--bot".to_owned()]);
    let (mut robot, mut bob) = (server.login("robot").await, server.login("bob").await);
    robot.sync().await;
    assert!(robot.ask("MODE robot").await[0].matches("221 robot +B"));
    assert!(robot.ask("MODE robot -B").await.is_empty());
    assert_eq!(flags(&mut bob, "robot").await, "HB");
    robot.send("PRIVMSG #lobby :beep").await;
    assert_eq!(bob.expect("PRIVMSG #lobby :beep").await.tag("bot"), Some(""));
}
