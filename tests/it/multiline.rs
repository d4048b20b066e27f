//! Messages of several lines, sent as one. The clauses are those of <https://ircv3.net/specs/extensions/multiline>.

use crate::harness::{Client, Line, MODERN, Server};

fn caps() -> Vec<&'static str> {
    [MODERN, &["draft/multiline", "draft/message-redaction"]].concat()
}

async fn login(server: &Server, name: &str) -> Client {
    server.login_with(name, &caps()).await
}

/// Sends a batch of these lines; `+` at the beginning: the line goes on where the last one ended.
async fn paste(client: &mut Client, start: &str, target: &str, lines: &[&str]) {
    client.send(format!("{start}BATCH +123 draft/multiline {target}")).await;
    for line in lines {
        match line.strip_prefix('+') {
            Some(line) => client.send(format!("@batch=123;draft/multiline-concat PRIVMSG {target} :{line}")).await,
            None => client.send(format!("@batch=123 PRIVMSG {target} :{line}")).await,
        }
    }
    client.send("BATCH -123").await;
}

/// The lines of the next long message as they came, in the form of [`paste`], and the line that opened it.
async fn batch(client: &mut Client) -> (Line, Vec<String>) {
    let start = client.expect("BATCH * draft/multiline").await;
    let reference = start.param(0).strip_prefix('+').expect("a start").to_owned();
    let end = format!("BATCH -{reference}");
    let mut lines = client.expect_until("the end of the batch", |line| line.matches(&end)).await;
    lines.pop();
    let told = lines.iter().map(|line| {
        assert!(line.is("PRIVMSG") && line.tag("batch") == Some(&*reference), "{lines:?}");
        assert!(["msgid", "time", "label"].iter().all(|key| line.tag(key).is_none()), "on the batch alone: {lines:?}");
        let joined = if line.tag("draft/multiline-concat").is_some() { "+" } else { "" };
        format!("{joined}{}", line.text())
    });
    let told = told.collect();
    (start, told)
}

#[tokio::test]
async fn a_message_of_several_lines_is_one_message() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    let (mut carol, mut dave) = (server.login("carol").await, server.login_plain("dave").await);
    let sent = ["hello", "", "how is ", "+everyone?"];
    paste(&mut alice, "@label=xyz;+draft/reply=abc ", "#lobby", &sent).await;
    let (start, lines) = batch(&mut alice).await;
    assert_eq!(lines, sent);
    assert_eq!((start.tag("label"), start.tag("+draft/reply"), start.param(2)), (Some("xyz"), Some("abc"), "#lobby"));
    let (told, lines) = batch(&mut bob).await;
    assert_eq!(lines, sent);
    assert_eq!((told.tag("msgid"), told.tag("time")), (start.tag("msgid"), start.tag("time")));
    assert_eq!((told.tag("label"), told.tag("account")), (None, Some("alice")));
    assert!(told.matches(":alice BATCH"));

    // To others: its lines, without the blank ones, and the id once.
    let lines: Vec<Line> = carol.sync().await.into_iter().filter(|line| line.is("PRIVMSG")).collect();
    assert_eq!(lines.iter().map(|line| line.text()).collect::<Vec<_>>(), ["hello", "how is ", "everyone?"]);
    assert_eq!(lines.iter().map(|line| line.tag("msgid")).collect::<Vec<_>>(), [start.tag("msgid"), None, None]);
    assert!(lines.iter().all(|line| line.tag("time") == start.tag("time")), "{lines:?}");
    assert!(lines.iter().all(|line| line.tag("draft/multiline-concat").is_none() && line.tag("batch").is_none()));
    assert_eq!(dave.hears().await, ["hello", "how is ", "everyone?"]);

    let kept: Vec<_> = server.history("#lobby").into_iter().filter(|entry| entry.kind == "message").collect();
    assert_eq!(kept.len(), 1, "one message");
    assert_eq!(kept[0].text.as_deref(), Some("hello\n\nhow is everyone?"));
    let text = server.chatd(&["history", "#lobby", "--search", "everyone"]).ok();
    assert!(text.contains("<alice> hello\n    \n    how is everyone?\n"), "{text}");
}

#[tokio::test]
async fn the_replay_has_the_same_lines() {
    let mut server = Server::start().await;
    let mut alice = login(&server, "alice").await;
    paste(&mut alice, "", "#lobby", &["", "#one ", "+two", "three"]).await;
    let (live, _) = batch(&mut alice).await;
    server.restart().await;
    let bob = login(&server, "bob").await;
    let outer = bob.greeting.iter().position(|line| line.matches("BATCH * chathistory #lobby")).expect("the replay");
    let around = bob.greeting[outer].param(0)[1..].to_owned();
    let (start, rest) = bob.greeting[outer + 1..].split_first().unwrap();
    assert!(start.matches("BATCH * draft/multiline #lobby") && start.tag("batch") == Some(&around), "{start:?}");
    assert_eq!((start.tag("msgid"), start.tag("time")), (live.tag("msgid"), live.tag("time")));
    let inner = start.param(0)[1..].to_owned();
    assert_eq!(rest[..4].iter().map(|line| line.text()).collect::<Vec<_>>(), ["", "#one ", "two", "three"]);
    assert!(rest[..4].iter().all(|line| line.tag("batch") == Some(&inner)), "{rest:?}");
    assert!(rest[4].matches(&format!("BATCH -{inner}")) && rest[4].tag("batch") == Some(&around), "{rest:?}");
    assert!(rest[5].matches(&format!("BATCH -{around}")), "{rest:?}");

    let carol = server.login("carol").await;
    let lines: Vec<&Line> = carol.greeting.iter().filter(|line| line.is_speech()).collect();
    assert_eq!(lines.iter().map(|line| line.text()).collect::<Vec<_>>(), ["#one ", "two", "three"]);
    assert!(lines.iter().all(|line| line.tag("batch").is_some()), "{lines:?}");
    assert_eq!((lines[0].tag("msgid"), lines[1].tag("msgid")), (live.tag("msgid"), None));
    let dave = server.login_plain("dave").await;
    let said = crate::harness::said(&dave.greeting);
    assert_eq!(said.len(), 3);
    assert!(said[0].starts_with('[') && said[0].ends_with("] #one ") && said[2].ends_with("] three"), "{said:?}");
}

#[tokio::test]
async fn between_two_and_to_oneself() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    paste(&mut alice, "", "bob", &["one", "two"]).await;
    let (start, lines) = batch(&mut bob).await;
    assert_eq!((start.param(2), &lines[..]), ("bob", &["one".to_owned(), "two".to_owned()][..]));
    assert_eq!(batch(&mut alice).await.0.tag("msgid"), start.tag("msgid"));
    paste(&mut alice, "@label=me ", "alice", &["note", "to self"]).await;
    let (echo, message) = (batch(&mut alice).await, batch(&mut alice).await);
    assert_eq!((echo.0.tag("label"), message.0.tag("label")), (Some("me"), None));
    assert_eq!(echo.1, message.1);
}

#[tokio::test]
async fn notices_can_be_long_too_and_a_single_line_is_a_message() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    alice.send("BATCH +n draft/multiline #LOBBY").await;
    alice.send("@batch=n NOTICE #lobby :one").await;
    alice.send("@batch=n notice #lobby :two").await;
    alice.send("BATCH -n").await;
    let start = bob.expect("BATCH").await;
    assert!(bob.expect("NOTICE #lobby :one").await.tag("batch") == Some(&start.param(0)[1..]));
    paste(&mut alice, "@label=l ", "#lobby", &["alone"]).await;
    assert_eq!(alice.expect("PRIVMSG #lobby :alone").await.tag("label"), Some("l"));
    bob.expect("PRIVMSG #lobby :alone").await;
}

#[tokio::test]
async fn without_echo_the_label_is_acknowledged() {
    let server = Server::start().await;
    let caps = ["message-tags", "batch", "labeled-response", "draft/multiline"];
    let mut alice = server.login_with("alice", &caps).await;
    paste(&mut alice, "@label=xyz ", "#lobby", &["one", "two"]).await;
    let answer = alice.sync().await;
    assert!(answer.len() == 1 && answer[0].is("ACK") && answer[0].tag("label") == Some("xyz"), "{answer:?}");
}

#[tokio::test]
async fn wrong_batches_are_refused_once() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    alice.sync().await;
    let long = "x".repeat(440);
    let too_long = format!("@batch=1 PRIVMSG #lobby :hi\n@batch=1 PRIVMSG #lobby :{}", "x".repeat(480));
    let lines = "@batch=1 PRIVMSG #lobby :x\n".repeat(101);
    let bytes = format!("@batch=1 PRIVMSG #lobby :{long}\n").repeat(16_384 / 441 + 1);
    for (batch, code) in [
        ("@batch=2 PRIVMSG #lobby :hi\n", "MULTILINE_INVALID"),
        ("@batch=1 PRIVMSG #lobby :hi\n@batch=1;draft/multiline-concat PRIVMSG #lobby :\n", "MULTILINE_INVALID"),
        ("@batch=1;draft/multiline-concat PRIVMSG #lobby :hi\n", "MULTILINE_INVALID"),
        ("@batch=1 PRIVMSG #lobby :\n@batch=1 PRIVMSG #lobby :\n", "MULTILINE_INVALID"),
        ("@batch=1 PRIVMSG #lobby :hi\n@batch=1 NOTICE #lobby :hi\n", "MULTILINE_INVALID"),
        ("@batch=1 PRIVMSG #lobby\n", "MULTILINE_INVALID"),
        ("@batch=1;+draft/react=x TAGMSG #lobby\n", "MULTILINE_INVALID"),
        ("@batch=1;+draft/reply=x PRIVMSG #lobby :hi\n", "MULTILINE_INVALID"),
        ("", "MULTILINE_INVALID"),
        (&too_long, "MULTILINE_INVALID"),
        ("@batch=1 PRIVMSG #other :hi\n", "MULTILINE_INVALID_TARGET #lobby #other"),
        (&lines, "MULTILINE_MAX_LINES 100"),
        (&bytes, "MULTILINE_MAX_BYTES 16384"),
    ] {
        alice.send("@label=b BATCH +1 draft/multiline #lobby").await;
        for line in batch.lines() {
            alice.send(line).await;
        }
        let more = if batch.starts_with("@batch=2") { "" } else { "@batch=1 PRIVMSG #lobby :and more\n" };
        if !more.is_empty()
            && !batch.is_empty()
            && !batch.contains(":\n@batch=1 PRIVMSG #lobby :\n")
            && batch != too_long
        {
            alice.send(more.trim_end()).await;
        }
        alice.send("BATCH -1").await;
        let answer = alice.sync().await;
        assert_eq!(answer.len(), 1, "{batch:.60}: {answer:?}");
        assert!(answer[0].matches(&format!("FAIL BATCH {code}")), "{batch:.60}: {answer:?}");
        assert_eq!(answer[0].tag("label"), Some("b"), "it is the answer to the batch");
    }
    bob.expect_nothing("PRIVMSG|NOTICE|TAGMSG").await;
    // And then all is well.
    paste(&mut alice, "", "#lobby", &["one", "two"]).await;
    assert_eq!(batch(&mut bob).await.1, ["one", "two"]);
}

#[tokio::test]
async fn batches_that_are_none() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, server.login("bob").await);
    alice.sync().await;
    let reference = "r".repeat(65);
    for (line, answer) in [
        ("BATCH", "461 alice BATCH"),
        ("BATCH +1", "461 alice BATCH"),
        ("BATCH +1 draft/multiline", "461 alice BATCH"),
        ("BATCH 1 draft/multiline #lobby", "FAIL BATCH MULTILINE_INVALID"),
        ("BATCH +1 other/kind #lobby", "FAIL BATCH MULTILINE_INVALID"),
        ("BATCH + draft/multiline #lobby", "FAIL BATCH MULTILINE_INVALID"),
        (&format!("BATCH +{reference} draft/multiline #lobby"), "FAIL BATCH MULTILINE_INVALID"),
        ("BATCH +1 draft/multiline #lobby,bob", "FAIL BATCH MULTILINE_INVALID"),
        ("@batch=0 BATCH +1 draft/multiline #lobby", "FAIL BATCH MULTILINE_INVALID"),
        ("BATCH -9", "FAIL BATCH MULTILINE_INVALID"),
        ("@batch=9 PRIVMSG #lobby :x", "FAIL BATCH MULTILINE_INVALID"),
    ] {
        let answers = alice.ask(line).await;
        assert!(answers.len() == 1 && answers[0].matches(answer), "{line}: {answers:?}");
    }
    // Two at once: neither.
    alice.send("BATCH +1 draft/multiline #lobby").await;
    let answers = alice.ask("BATCH +2 draft/multiline #lobby").await;
    assert!(answers.len() == 1 && answers[0].matches("FAIL BATCH MULTILINE_INVALID"), "{answers:?}");
    // Whoever did not ask for the capability has no such command, and its lines are messages.
    assert!(bob.ask("BATCH +1 draft/multiline #lobby").await[0].matches("421 bob BATCH"));
    bob.send("@batch=1 PRIVMSG #lobby :just a line").await;
    alice.expect("PRIVMSG #lobby :just a line").await;
    // No such receiver.
    paste(&mut alice, "@label=n ", "nobody", &["one", "two"]).await;
    assert_eq!(alice.expect_numeric("401").await.tag("label"), Some("n"));
}

#[tokio::test]
async fn something_said_in_between_ends_the_batch_and_is_said() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    alice.sync().await;
    alice.send("@label=b BATCH +1 draft/multiline #lobby").await;
    alice.send("@batch=1 PRIVMSG #lobby :one").await;
    alice.send("@label=p PRIVMSG #lobby :by the way").await;
    assert_eq!(alice.expect("FAIL BATCH MULTILINE_INVALID").await.tag("label"), Some("b"));
    assert_eq!(alice.expect("PRIVMSG #lobby :by the way").await.tag("label"), Some("p"));
    alice.send("@batch=1 PRIVMSG #lobby :two").await;
    alice.send("BATCH -1").await;
    assert!(alice.sync().await.is_empty());
    assert_eq!(bob.hears().await, ["by the way"]);
    // What says nothing does not disturb it.
    alice.send("BATCH +1 draft/multiline #lobby").await;
    alice.send("@batch=1 PRIVMSG #lobby :one").await;
    alice.ask("MODE #lobby").await;
    alice.send("@batch=1 PRIVMSG #lobby :two").await;
    alice.send("BATCH -1").await;
    assert_eq!(batch(&mut bob).await.1, ["one", "two"]);
}

#[tokio::test]
async fn a_batch_left_open_is_given_up() {
    let server = Server::configure().set("limits.ping_timeout", "300ms").start().await;
    let mut alice = login(&server, "alice").await;
    alice.send("@label=b BATCH +1 draft/multiline #lobby").await;
    alice.send("@batch=1 PRIVMSG #lobby :one").await;
    let fail = alice.expect("FAIL BATCH TIMEOUT 1").await;
    assert_eq!(fail.tag("label"), Some("b"));
    alice.send("@batch=1 PRIVMSG #lobby :two").await;
    alice.send("BATCH -1").await;
    assert!(alice.sync().await.is_empty(), "what still comes of it is passed over");
    assert!(server.said("#lobby").is_empty());
}

#[tokio::test]
async fn a_long_message_is_taken_back_as_one() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    paste(&mut alice, "", "#lobby", &["one Plugh", "+two", "three"]).await;
    let id = batch(&mut alice).await.0.tag("msgid").unwrap().to_owned();
    alice.send(format!("REDACT #lobby {id}")).await;
    bob.expect(format!("REDACT #lobby {id}")).await;
    let carol = login(&server, "carol").await;
    assert!(carol.greeting.iter().all(|line| !line.is_speech() && !line.raw.contains("multiline")));
    assert!(server.said("#lobby").is_empty());
}

#[tokio::test]
async fn the_longest_message_goes_through_and_costs_what_its_lines_do() {
    let server = Server::configure()
        .set("limits.messages_per_second", 1)
        .set("limits.message_burst", 40)
        .set("limits.flood_delay_max", "1ms")
        .start()
        .await;
    let (mut alice, mut bob) = (login(&server, "alice").await, login(&server, "bob").await);
    let line = "x".repeat(16_284 / 100);
    let lines: Vec<&str> = (0..100).map(|_| line.as_str()).collect();
    paste(&mut alice, "", "#lobby", &lines).await;
    assert_eq!(batch(&mut bob).await.1, lines);
    batch(&mut alice).await;
    // 32 messages' worth of a burst of 40: the rest is soon used up.
    for n in 0..20 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    let answer = alice.sync().await;
    assert!(answer.iter().any(|line| line.matches("404 alice #lobby")), "{answer:?}");
    paste(&mut alice, "@label=fast ", "#lobby", &["one", "two"]).await;
    assert_eq!(alice.expect("NOTICE alice :*too fast*").await.tag("label"), Some("fast"));
}
