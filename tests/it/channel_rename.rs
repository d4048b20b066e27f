//! Rooms get other names: <https://ircv3.net/specs/extensions/channel-rename>.

use crate::harness::{Client, MODERN, Server, password_of};

async fn login(server: &Server, name: &str) -> Client {
    server.login_with(name, &[MODERN, &["draft/channel-rename"]].concat()).await
}

/// A room of alice, its operator, and bob, who both know RENAME.
async fn two(server: &Server) -> (Client, Client) {
    let (mut alice, mut bob) = (login(server, "alice").await, login(server, "bob").await);
    alice.ask("JOIN #old").await;
    bob.ask("JOIN #old").await;
    alice.sync().await;
    (alice, bob)
}

#[tokio::test]
async fn a_room_is_renamed_and_stays_the_room_it_was() {
    let mut server = Server::start().await;
    let (mut alice, mut bob) = two(&server).await;
    alice.ask("TOPIC #old :about").await;
    alice.ask("MODE #old +v bob").await;
    alice.send("PRIVMSG #old :before").await;
    alice.send("@label=r RENAME #old #new :typo").await;
    let told = alice.expect(":alice RENAME #old #new :typo").await;
    assert_eq!(told.tag("label"), Some("r"));
    bob.expect(":alice RENAME #old #new :typo").await;
    bob.send("PRIVMSG #new :after").await;
    alice.expect(":bob PRIVMSG #new :after").await;
    assert!(alice.ask("TOPIC #new").await[0].matches("332 alice #new :about"));
    let names = alice.ask("NAMES #new").await;
    assert!(names[0].text().contains("@alice") && names[0].text().contains("+bob"), "{names:?}");
    assert!(alice.ask("TOPIC #old").await[0].is("403"));
    assert_eq!(server.said("#new"), ["before", "after"]);
    server.kill9();
    server.boot().await;
    assert_eq!(server.said("#new"), ["before", "after"]);
    let alice = login(&server, "alice").await;
    assert!(alice.greeting.iter().any(|line| line.matches(":alice JOIN #new")));
    let replay: Vec<&str> =
        alice.greeting.iter().filter(|line| line.matches("PRIVMSG #new")).map(|line| line.text()).collect();
    assert_eq!(replay, ["before", "after"], "{:?}", alice.greeting);
    let text = server.chatd(&["history", "#new", "--all"]).ok();
    assert!(text.contains("* alice renamed the room #old to #new (typo)"), "{text}");
}

#[tokio::test]
async fn the_reason_is_always_there() {
    let server = Server::start().await;
    let (mut alice, mut bob) = two(&server).await;
    alice.ask("RENAME #old #new").await;
    let told = bob.expect("RENAME").await;
    assert_eq!(told.params, ["#old", "#new", ""]);
    assert!(told.raw.ends_with(" :"), "{told:?}");
}

#[tokio::test]
async fn who_does_not_know_rename_leaves_and_comes_in() {
    let server = Server::start().await;
    let (mut alice, _bob) = two(&server).await;
    let (mut carol, mut dave) = (server.login_plain("carol").await, server.login("dave").await);
    carol.ask("JOIN #old").await;
    dave.ask("JOIN #old").await;
    alice.ask("TOPIC #old :about").await;
    for n in 0..3 {
        alice.ask(&format!("PRIVMSG #old :line {n}")).await;
    }
    carol.sync().await;
    dave.sync().await;
    alice.send("RENAME #old #new :typo").await;
    alice.send("PRIVMSG #new :after").await;
    for (client, nick) in [(&mut carol, "carol"), (&mut dave, "dave")] {
        alice.sync().await;
        let lines = client.sync().await;
        let lines: Vec<String> = lines.iter().map(|line| format!("{} {}", line.command, line.param(0))).collect();
        let expected = [
            "PART #old",
            "JOIN #new",
            &format!("332 {nick}"),
            &format!("333 {nick}"),
            &format!("353 {nick}"),
            &format!("366 {nick}"),
            "PRIVMSG #new",
        ];
        assert_eq!(lines, expected, "{nick}: nothing is told twice, nothing is left out");
    }
    // The sender too, if it does not know the command's answer.
    let mut root = server.login("root").await;
    root.ask("JOIN #mine").await;
    let answer = root.ask("@label=x RENAME #mine #ours :both").await;
    assert!(answer.iter().any(|line| line.tag("label") == Some("x")), "{answer:?}");
    assert!(answer.iter().any(|line| line.matches(":root PART #mine :both")), "{answer:?}");
    assert!(answer.iter().any(|line| line.matches(":root JOIN #ours")), "{answer:?}");
    assert!(!answer.iter().any(|line| line.is("RENAME")), "{answer:?}");
}

#[tokio::test]
async fn a_change_of_case_alone_moves_nobody() {
    let server = Server::start().await;
    let (mut alice, mut bob) = two(&server).await;
    let mut carol = server.login("carol").await;
    carol.ask("JOIN #old").await;
    bob.sync().await;
    alice.ask("RENAME #old #Old").await;
    bob.expect(":alice RENAME #old #Old").await;
    carol.expect_nothing("PART|JOIN|RENAME").await;
    carol.send("PRIVMSG #old :still here").await;
    alice.expect("PRIVMSG #Old :still here").await;
}

#[tokio::test]
async fn only_operators_rename_and_only_to_names_that_are_free() {
    let server = Server::start().await;
    let (mut alice, mut bob) = two(&server).await;
    let mut carol = login(&server, "carol").await;
    alice.ask("JOIN #taken").await;
    bob.sync().await;
    for (client, line, answer) in [
        ("bob", "RENAME #old #new", "482 bob #old"),
        ("carol", "RENAME #old #new", "442 carol #old"),
        ("carol", "RENAME #nowhere #new", "403 carol #nowhere"),
        ("carol", "RENAME #old", "461 carol RENAME"),
        ("alice", "RENAME #old #taken", "FAIL RENAME CHANNEL_NAME_IN_USE #old #taken"),
        ("alice", "RENAME #old #TAKEN", "FAIL RENAME CHANNEL_NAME_IN_USE #old #TAKEN"),
        ("alice", "RENAME #old #old", "FAIL RENAME CANNOT_RENAME #old #old"),
        ("alice", "RENAME #old old", "FAIL RENAME CANNOT_RENAME #old old"),
        ("alice", "RENAME #old #a,b", "FAIL RENAME CANNOT_RENAME #old"),
    ] {
        let client = match client {
            "alice" => &mut alice,
            "bob" => &mut bob,
            _ => &mut carol,
        };
        let answers = client.ask(line).await;
        assert!(answers.len() == 1 && answers[0].matches(answer), "{line}: {answers:?}");
    }
    // A hidden room is none.
    alice.ask("MODE #old +s").await;
    assert!(carol.ask("RENAME #old #new").await[0].matches("403 carol #old"));
    // An administrator may, from outside.
    let mut root = login(&server, "root").await;
    bob.sync().await;
    root.ask(&format!("OPER root {}", password_of("root"))).await;
    let answer = root.ask("RENAME #old #new :order").await;
    assert!(answer.len() == 1 && answer[0].matches(":root RENAME #old #new :order"), "{answer:?}");
    bob.expect(":root RENAME #old #new :order").await;
}

#[tokio::test]
async fn the_old_name_is_free_again_and_invitations_stay() {
    let server = Server::start().await;
    let (mut alice, mut bob) = two(&server).await;
    let mut carol = login(&server, "carol").await;
    alice.ask("MODE #old +i").await;
    alice.ask("INVITE carol #old").await;
    alice.ask("RENAME #old #new").await;
    bob.sync().await;
    let answer = bob.ask("JOIN #old").await;
    let names = answer.iter().find(|line| line.is("353")).expect("names");
    assert_eq!(names.text(), "@bob", "a new room, and bob's: {answer:?}");
    assert!(bob.ask("MODE #old +k beer").await.iter().all(|line| !line.is("482")));
    let answer = carol.ask("JOIN #new").await;
    assert!(answer.iter().any(|line| line.matches(":carol JOIN #new")), "{answer:?}");
    // And back again, round about.
    bob.ask("RENAME #old #other").await;
    alice.ask("RENAME #new #old").await;
    carol.expect(":alice RENAME #new #old").await;
    carol.ask("PRIVMSG #old :here we are").await;
    assert_eq!(server.said("#old"), ["here we are"]);
}

#[tokio::test]
async fn who_reads_slowly_reads_each_line_under_the_name_it_knows() {
    let server = Server::start().await;
    let (mut alice, mut bob) = two(&server).await;
    for round in 0..20 {
        let (from, to) = if round % 2 == 0 { ("#old", "#new") } else { ("#new", "#old") };
        alice.send(format!("PRIVMSG {from} :{round} before")).await;
        alice.send(format!("RENAME {from} {to}")).await;
        alice.send(format!("PRIVMSG {to} :{round} after")).await;
    }
    alice.sync().await;
    let mut name = "#old".to_owned();
    let mut said = 0;
    for line in bob.sync().await {
        if line.is("RENAME") {
            assert_eq!(line.param(0), name);
            name = line.param(1).to_owned();
        } else if line.is("PRIVMSG") {
            assert_eq!(line.param(0), name, "{line:?}");
            said += 1;
        }
    }
    assert_eq!(said, 40);
}
