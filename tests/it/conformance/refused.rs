//! What the server cannot keep, nobody is shown, and its sender is told: by FAIL with codes of our own to clients that
//! take any standard reply, by numerics and notices to the others.

use crate::harness::{MODERN, Server};

#[tokio::test]
async fn what_is_not_stored_is_said_to_be_lost() {
    let server = Server::start().await;
    let modern = [MODERN, &["standard-replies"]].concat();
    let mut alice = server.login_with("alice", &modern).await;
    let mut carol = server.login_plain("carol").await;
    let mut bob = server.login("bob").await;
    alice.ask("JOIN #own").await;
    for client in [&mut alice, &mut carol, &mut bob] {
        client.sync().await;
    }
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END";
    database.execute_batch(refuse).expect("a trigger");
    for (line, command, target) in [
        ("PRIVMSG #lobby :lost", "PRIVMSG", "#lobby"),
        ("PRIVMSG bob :lost", "PRIVMSG", "bob"),
        // Words that were lost are no error to be silent about.
        ("NOTICE #lobby :lost", "NOTICE", "#lobby"),
        ("TOPIC #own :lost", "TOPIC", "#own"),
        ("JOIN #lost", "JOIN", "#lost"),
        ("PART #lobby", "PART", "#lobby"),
    ] {
        let answer = alice.ask(&format!("@label=x {line}")).await;
        assert_eq!(answer.len(), 1, "{line}: {answer:?}");
        assert!(answer[0].matches(&format!("FAIL {command} NOT_STORED {target} :*")), "{line}: {answer:?}");
        assert_eq!(answer[0].tag("label"), Some("x"), "{line}: {answer:?}");
    }
    for (line, numeric) in [
        ("PRIVMSG #lobby :lost", "404 carol #lobby :*"),
        ("NOTICE #lobby :lost", "404 carol #lobby :*"),
        ("PRIVMSG bob :lost", "400 carol PRIVMSG bob :*"),
        ("JOIN #lost", "400 carol JOIN #lost :*"),
    ] {
        let answer = carol.ask(line).await;
        assert_eq!(answer.len(), 1, "{line}: {answer:?}");
        assert!(answer[0].matches(numeric), "{line}: {answer:?}");
    }
    assert!(bob.sync().await.is_empty());
    database.execute_batch("DROP TRIGGER refuse").expect("the trigger goes");
    assert!(alice.ask("PRIVMSG #lobby :found").await[0].matches(":alice PRIVMSG #lobby :found"));
    assert_eq!(bob.hears().await, ["found"]);
    assert_eq!(server.said("#lobby"), ["found"]);
}

#[tokio::test]
async fn who_sends_too_fast_for_too_long_is_told_so() {
    let server = Server::configure()
        .set("limits.messages_per_second", 1)
        .set("limits.message_burst", 2)
        .set("limits.flood_delay_max", "100ms")
        .start()
        .await;
    let modern = [MODERN, &["standard-replies"]].concat();
    let flood = |n: usize| format!("@label={n} PRIVMSG #lobby :{n}\r\n");
    let lines: String = (0..8).map(flood).collect();
    for (caps, refusal) in [(&modern[..], "FAIL PRIVMSG RATE_LIMITED #lobby :*"), (MODERN, "404 * #lobby :*")] {
        let mut alice = server.login_with("alice", caps).await;
        alice.send_bytes(lines.as_bytes()).await;
        let answer = alice.sync().await;
        let labels: Vec<&str> = answer.iter().filter_map(|line| line.tag("label")).collect();
        assert_eq!(labels.len(), 8, "{answer:#?}");
        let refused = answer.iter().filter(|line| line.matches(refusal) && line.tag("label").is_some()).count();
        let said = answer.iter().filter(|line| line.is("PRIVMSG")).count();
        assert!(refused > 0 && refused + said == 8, "{answer:#?}");
        alice.quit("").await;
    }
}
