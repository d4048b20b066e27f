//! What somebody may not learn: secret rooms from outside, addresses, what the log must not say.

use crate::harness::{Client, Line, Server};

/// The answer with names and numbers that differ anyway taken out.
async fn answer(client: &mut Client, line: &str, room: &str) -> Vec<(String, String)> {
    let lines = client.ask(line).await;
    lines.iter().map(|line| (line.command.clone(), line.params.join(" ").replace(room, "#it"))).collect()
}

#[tokio::test]
async fn a_secret_room_answers_strangers_like_one_that_is_not_there() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.ask("JOIN #hidden").await;
    alice.ask("TOPIC #hidden :the surprise").await;
    alice.ask("MODE #hidden +s").await;
    for command in [
        "NAMES R",
        "WHO R",
        "LIST R",
        "MODE R",
        "MODE R b",
        "MODE R +m",
        "MODE R +o bob",
        "TOPIC R",
        "TOPIC R :mine now",
        "INVITE carol R",
        "INVITE alice R",
        "KICK R alice",
        "KICK R nobody",
        "PART R",
        "PRIVMSG R :anybody there?",
        "NOTICE R :anybody there?",
        "@+typing=active TAGMSG R",
        "@+draft/react=x TAGMSG R",
    ] {
        let secret = answer(&mut bob, &command.replace('R', "#hidden"), "#hidden").await;
        let nothing = answer(&mut bob, &command.replace('R', "#nowhere"), "#nowhere").await;
        assert_eq!(secret, nothing, "{command}");
    }
    for listing in ["LIST", "WHOIS alice", "WHO alice", "WHO *", "NAMES"] {
        let lines = bob.ask(listing).await;
        assert!(lines.iter().all(|line| !format!("{line:?}").contains("#hidden")), "{listing}: {lines:?}");
    }
    // An administrator sees it, and a member; a room that listens to everybody can be spoken to.
    let mut root = server.login_oper("root").await;
    root.ask("LIST").await.iter().find(|line| line.matches("322 root #hidden")).expect("the room");
    alice.ask("MODE #hidden -n").await;
    bob.send("PRIVMSG #hidden :hello in there").await;
    alice.expect_from("bob", "PRIVMSG #hidden :hello in there").await;
}

#[tokio::test]
async fn nobody_learns_an_address() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut lines: Vec<Line> = Vec::new();
    for command in ["WHOIS alice", "WHO alice", "WHO #lobby", "USERHOST alice", "WHOWAS alice", "NAMES #lobby"] {
        lines.extend(bob.ask(command).await);
    }
    for command in
        ["WHO alice %tcuihsnfdlaor", "WHO #lobby %tcuihsnfdlaor", "MODE alice", "METADATA alice LIST", "ISON alice"]
    {
        lines.extend(bob.ask(command).await);
    }
    lines.extend(
        bob.ask_service("history #lobby").await.iter().filter_map(|text| Line::parse(&format!("NOTICE bob :{text}"))),
    );
    alice.send("PRIVMSG #lobby :hi").await;
    lines.push(bob.expect_from("alice", "PRIVMSG #lobby").await);
    bob.ask("JOIN #tea").await;
    alice.send("JOIN #tea").await;
    lines.push(bob.expect_from("alice", "JOIN #tea").await);
    bob.ask("MODE #tea -t").await;
    alice.send("TOPIC #tea :leaves").await;
    lines.push(bob.expect_from("alice", "TOPIC #tea").await);
    let mut reader = server.login_with("carol", &["batch", "draft/chathistory", "draft/event-playback"]).await;
    lines.extend(reader.ask("CHATHISTORY LATEST #lobby * 100").await);
    alice.quit("").await;
    lines.push(bob.expect_from("alice", "QUIT").await);
    assert!(lines.iter().all(|line| !format!("{line:?}").contains("127.0.0.1")), "{lines:?}");
}

#[tokio::test]
async fn the_log_tells_no_words() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("PRIVMSG #lobby :word-one").await;
    alice.ask("TOPIC #lobby :word-two").await;
    alice.ask("PRIVMSG #nowhere :word-three").await;
    alice.quit("word-four").await;
    let (_, bob) = server.try_sasl("bob", "word-five").await;
    drop(bob);
    server.login("carol").await.sync().await;
    let log = server.log().text();
    assert!(log.contains("session ended"), "{log}");
    assert!(!log.contains("word-"), "{log}");
    assert!(!log.contains(&crate::harness::password_of("alice")) && !log.contains("argon2id"), "{log}");
}
