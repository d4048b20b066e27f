//! Messages are taken back: by whom, who is told how, and that nothing is left. The clauses are those of
//! <https://ircv3.net/specs/extensions/message-redaction>.

use crate::harness::{Client, Line, MODERN, Server, eventually, password_of};

/// The capabilities of a client that knows REDACT.
fn caps() -> Vec<&'static str> {
    [MODERN, &["draft/message-redaction"]].concat()
}

async fn login(server: &Server, name: &str) -> Client {
    server.login_with(name, &caps()).await
}

/// Says something in `target` and gives back its id.
async fn say(client: &mut Client, target: &str, text: &str) -> String {
    client.send(format!("PRIVMSG {target} :{text}")).await;
    client.expect(format!("PRIVMSG {target} :{text}")).await.tag("msgid").expect("an id").to_owned()
}

fn failed(answer: &[Line], pattern: &str) {
    assert!(answer.len() == 1 && answer[0].matches(pattern), "{pattern}: {answer:?}");
}

#[tokio::test]
async fn one_takes_back_ones_own_messages() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    let id = say(&mut alice, "#lobby", "wrong window").await;
    alice.send(format!("@label=r REDACT #lobby {id} :was for carol")).await;
    let echo = alice.expect(format!(":alice REDACT #lobby {id} :was for carol")).await;
    assert_eq!(echo.tag("label"), Some("r"));
    let told = bob.expect(format!(":alice REDACT #lobby {id} :was for carol")).await;
    assert_eq!((told.tag("msgid"), told.tag("account")), (echo.tag("msgid"), Some("alice")));
    assert_ne!(told.tag("msgid"), Some(&*id), "a redaction is a message of its own");
    // Without a reason there are two parameters.
    let id = say(&mut alice, "#lobby", "again").await;
    alice.send(format!("REDACT #lobby {id}")).await;
    assert_eq!(bob.expect("REDACT").await.params, ["#lobby", &id]);
}

#[tokio::test]
async fn operators_take_back_what_others_said_and_nobody_else_does() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    let mut root = login(&server, "root").await;
    alice.ask("JOIN #dev").await;
    bob.ask("JOIN #dev").await;
    let (of_alice, of_bob) = (say(&mut alice, "#dev", "one").await, say(&mut bob, "#dev", "two").await);
    let answer = bob.ask(&format!("REDACT #dev {of_alice}")).await;
    failed(&answer, &format!("FAIL REDACT REDACT_FORBIDDEN #dev {of_alice}"));
    alice.ask(&format!("REDACT #dev {of_bob} :spam")).await;
    bob.expect(format!(":alice REDACT #dev {of_bob} :spam")).await;
    assert_eq!(server.said("#dev"), ["one"]);

    // An administrator, once it has its powers, without being there.
    let answer = root.ask(&format!("REDACT #dev {of_alice}")).await;
    failed(&answer, "FAIL REDACT INVALID_TARGET #dev");
    root.ask(&format!("OPER root {}", password_of("root"))).await;
    let answer = root.ask(&format!("REDACT #dev {of_alice} :no")).await;
    failed(&answer, &format!(":root REDACT #dev {of_alice} :no"));
    alice.expect(format!(":root REDACT #dev {of_alice} :no")).await;
}

#[tokio::test]
async fn between_two_everybody_takes_back_their_own_alone() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    let id = say(&mut alice, "bob", "between us").await;
    bob.expect(":alice PRIVMSG bob :between us").await;
    let answer = bob.ask(&format!("REDACT alice {id}")).await;
    assert!(answer.last().unwrap().matches(&format!("FAIL REDACT REDACT_FORBIDDEN alice {id}")), "{answer:?}");
    // Nor does it help to name another conversation.
    failed(&bob.ask(&format!("REDACT carol {id}")).await, &format!("FAIL REDACT UNKNOWN_MSGID carol {id}"));
    alice.send(format!("REDACT bob {id}")).await;
    alice.expect(format!(":alice REDACT bob {id}")).await;
    bob.expect(format!(":alice REDACT bob {id}")).await;
    let answer = alice.ask(&format!("REDACT bob {id}")).await;
    failed(&answer, &format!("FAIL REDACT UNKNOWN_MSGID bob {id}"));
    // To oneself.
    let id = say(&mut alice, "alice", "note").await;
    alice.sync().await;
    let answer = alice.ask(&format!("REDACT alice {id}")).await;
    failed(&answer, &format!(":alice REDACT alice {id}"));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_taken_back() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    alice.ask("JOIN #dev").await;
    alice.ask("MODE #dev +s").await;
    let elsewhere = say(&mut alice, "#dev", "secret").await;
    let id = say(&mut bob, "#lobby", "open").await;
    for unknown in ["nonsense", "0", "zzzzzzzzzzzz", &elsewhere] {
        let answer = bob.ask(&format!("REDACT #lobby {unknown}")).await;
        assert!(answer.last().unwrap().matches(&format!("FAIL REDACT UNKNOWN_MSGID #lobby {unknown}")), "{answer:?}");
    }
    // A room one is not in, one that is hidden, and none look the same; whether the id is right or not.
    bob.ask("PART #lobby").await;
    for target in ["#dev", "#nowhere", "#lobby", "nobody"] {
        for id in [&id, &elsewhere, "nonsense"] {
            let answer = bob.ask(&format!("REDACT {target} {id}")).await;
            failed(&answer, &format!("FAIL REDACT INVALID_TARGET {target}"));
            assert_eq!(answer[0].text(), "You cannot take messages back there");
        }
    }
    for short in ["REDACT", "REDACT #lobby"] {
        failed(&bob.ask(short).await, "461 bob REDACT");
    }
    // What is no message: the event by which alice came in.
    bob.ask("JOIN #new").await;
    let id = say(&mut bob, "#new", "x").await;
    bob.send(format!("REDACT #new {id}")).await;
    let event = bob.expect("REDACT").await.tag("msgid").unwrap().to_owned();
    failed(&bob.ask(&format!("REDACT #new {event}")).await, "FAIL REDACT UNKNOWN_MSGID #new");
}

#[tokio::test]
async fn the_time_to_take_back_may_be_over() {
    let server = Server::configure().set("messages.redaction_window", "1ms").start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    alice.ask("JOIN #dev").await;
    bob.ask("JOIN #dev").await;
    let id = say(&mut bob, "#dev", "too late").await;
    let answer = eventually("the end of the window", async || {
        let answer = bob.ask(&format!("REDACT #dev {id}")).await;
        Some(answer).filter(|answer| answer.last().is_some_and(|line| line.is("FAIL")))
    })
    .await;
    let fail = answer.last().unwrap();
    // (It may have been in time.)
    if !fail.matches("FAIL REDACT UNKNOWN_MSGID") {
        assert!(fail.matches(&format!("FAIL REDACT REDACT_WINDOW_EXPIRED #dev {id} 0")), "{answer:?}");
        alice.send(format!("REDACT #dev {id}")).await;
        bob.expect(format!(":alice REDACT #dev {id}")).await;
    }
}

#[tokio::test]
async fn who_does_not_know_redact_reads_a_notice_without_what_was_said() {
    let server = Server::start().await;
    let mut alice = login(&server, "alice").await;
    let (mut bob, mut carol) = (server.login("bob").await, server.login_plain("carol").await);
    let id = say(&mut alice, "#lobby", "hunter2").await;
    bob.sync().await;
    carol.sync().await;
    alice.send(format!("REDACT #lobby {id} :my password")).await;
    alice.sync().await;
    for client in [&mut bob, &mut carol] {
        let lines = client.sync().await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].matches("NOTICE #lobby :alice took back a message: my password"), "{lines:?}");
    }
    let id = say(&mut alice, "bob", "hunter3").await;
    bob.sync().await;
    alice.ask(&format!("REDACT bob {id}")).await;
    let lines = bob.sync().await;
    assert!(lines.len() == 1 && lines[0].matches(":alice NOTICE bob :alice took back a message"), "{lines:?}");
}

#[tokio::test]
async fn what_was_taken_back_is_in_no_replay_no_history_and_no_file() {
    let mut server = Server::start().await;
    let mut alice = login(&server, "alice").await;
    for n in 0..3 {
        say(&mut alice, "#lobby", &format!("line {n}")).await;
    }
    let id = say(&mut alice, "#lobby", "Xyzzyhunter with words").await;
    let tags = "@+draft/react=Xyzzyreaction";
    alice.send(format!("{tags} TAGMSG #lobby")).await;
    let reaction = alice.expect("TAGMSG #lobby").await.tag("msgid").unwrap().to_owned();
    alice.ask(&format!("REDACT #lobby {id}")).await;
    alice.ask(&format!("REDACT #lobby {reaction}")).await;
    assert_eq!(server.said("#lobby"), ["line 0", "line 1", "line 2"]);
    let text = server.chatd(&["history", "#lobby", "--all"]).ok();
    assert!(text.contains("<alice> (taken back)") && !text.contains("Xyzzy"), "{text}");
    assert!(!server.chatd(&["history", "#lobby", "--search", "xyzzyhunter"]).ok().contains("Xyzzy"));
    let bob = server.login("bob").await;
    assert!(bob.greeting.iter().all(|line| !line.raw.contains("Xyzzy")), "{:?}", bob.greeting);
    assert_eq!(crate::harness::said(&bob.greeting), ["line 0", "line 1", "line 2"]);
    drop(bob);

    let in_files = |server: &Server| {
        let files = std::fs::read_dir(server.data_dir()).unwrap().map(|file| file.unwrap().path());
        let texts = files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap());
        texts.map(|bytes| String::from_utf8_lossy(&bytes).to_lowercase()).any(|text| text.contains("xyzzy"))
    };
    assert!(server.data_dir().join("chat.db").exists());
    // The server empties the write-ahead log by itself.
    eventually("the files without the words", async || (!in_files(&server)).then_some(())).await;
    server.kill9();
    assert!(!in_files(&server));
    server.boot().await;
    assert_eq!(server.said("#lobby"), ["line 0", "line 1", "line 2"]);
}

#[tokio::test]
async fn who_comes_to_it_late_is_not_shown_it() {
    let server = Server::configure().set("history.replay_lines", 2).start().await;
    let mut alice = login(&server, "alice").await;
    let ids = [say(&mut alice, "#lobby", "one").await, say(&mut alice, "#lobby", "two").await];
    say(&mut alice, "#lobby", "three").await;
    alice.ask(&format!("REDACT #lobby {}", ids[1])).await;
    let bob = server.login("bob").await;
    assert_eq!(crate::harness::said(&bob.greeting), ["one", "three"], "a page is still full");
    // A direct message that waited for somebody.
    let id = say(&mut alice, "carol", "never mind").await;
    alice.ask(&format!("REDACT carol {id}")).await;
    let carol = server.login("carol").await;
    assert!(carol.greeting.iter().all(|line| !line.raw.contains("never mind")), "{:?}", carol.greeting);
}

#[tokio::test]
async fn a_notice_and_a_reaction_can_be_taken_back() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    for line in ["NOTICE #lobby :note", "@+draft/react=👍 TAGMSG #lobby"] {
        alice.send(line).await;
        let id = alice.expect("NOTICE|TAGMSG #lobby").await.tag("msgid").unwrap().to_owned();
        alice.send(format!("REDACT #lobby {id}")).await;
        bob.expect(format!(":alice REDACT #lobby {id}")).await;
    }
}
