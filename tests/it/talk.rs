//! Saying something: to a room, to a person, to oneself; echoes, labels, tags, ids and times.

use crate::harness::{Line, MODERN, Server, said};

#[tokio::test]
async fn a_message_reaches_the_room_and_is_echoed_to_who_wants_it() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_plain("bob").await;
    alice.send("PRIVMSG #lobby :hi").await;
    bob.expect_from("alice", "PRIVMSG #lobby :hi").await;
    alice.expect_from("alice", "PRIVMSG #lobby :hi").await;
    bob.send("PRIVMSG #lobby :hello alice").await;
    alice.expect_from("bob", "PRIVMSG #lobby :hello alice").await;
    bob.expect_nothing("PRIVMSG").await;
    assert_eq!(server.said("#lobby"), ["hi", "hello alice"]);
}

#[tokio::test]
async fn a_notice_is_never_answered() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.send("NOTICE #lobby :take note").await;
    bob.expect_from("alice", "NOTICE #lobby :take note").await;
    alice.sync().await;
    for notice in ["NOTICE nobody :x", "NOTICE #nowhere :x", "NOTICE"] {
        let answer = alice.ask(notice).await;
        assert!(answer.iter().all(|line| !line.is_error()), "{notice} was answered: {answer:?}");
    }
}

#[tokio::test]
async fn talking_to_nobody() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for (line, numeric) in [
        ("PRIVMSG", "411|461"),
        ("PRIVMSG #lobby", "412|461"),
        ("PRIVMSG #lobby :", "412"),
        ("PRIVMSG nobody :hi", "401"),
        ("PRIVMSG #nowhere :hi", "401|403|404"),
    ] {
        alice.send(line).await;
        alice.expect_numeric(numeric).await;
    }
}

#[tokio::test]
async fn lines_said_in_order_are_heard_in_order() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let lines: Vec<String> = (0..300).map(|n| format!("line {n}")).collect();
    for line in &lines {
        alice.send(format!("PRIVMSG #lobby :{line}")).await;
    }
    assert_eq!(alice.hears().await, lines, "the echoes");
    assert_eq!(bob.hears().await, lines, "what bob heard");
    assert_eq!(server.said("#lobby"), lines, "the history");
}

#[tokio::test]
async fn a_pong_is_a_fence() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_plain("bob").await;
    for n in 0..50 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
        assert_eq!(alice.hears().await, [n.to_string()], "the echo comes before the PONG");
        assert_eq!(bob.hears().await, [n.to_string()], "what was said before a PING is shown before its PONG");
    }
}

#[tokio::test]
async fn any_language_goes_through_unharmed() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_plain("bob").await;
    let texts = [
        "你好,世界!今天天气很好。",
        "こんにちは",
        "שלום עולם",
        "žluťoučký kůň",
        "👩‍👩‍👧‍👦 🏳️‍🌈",
        "a : b :: c",
        "  two blanks  ",
        ":",
    ];
    for text in texts {
        alice.send(format!("PRIVMSG #lobby :{text}")).await;
        let heard = bob.expect_from("alice", "PRIVMSG #lobby").await;
        assert_eq!(heard.raw.split_once(" PRIVMSG #lobby :").map(|(_, text)| text), Some(text));
    }
    assert_eq!(server.said("#lobby"), texts);
}

#[tokio::test]
async fn a_long_text_arrives_whole_and_what_cannot_fit_is_cut_between_characters() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_plain("bob").await;
    let whole = "中文".repeat(60);
    alice.send(format!("PRIVMSG #lobby :{whole}")).await;
    assert_eq!(bob.expect("PRIVMSG #lobby").await.text(), whole);

    // 493 bytes of text make a full line here, and too long a one with the sender in front.
    let long = format!("x{}", "中".repeat(164));
    alice.send(format!("PRIVMSG #lobby :{long}")).await;
    let (mut heard, mut echo) = (bob.sync().await, alice.sync().await);
    heard.retain(Line::is_speech);
    echo.retain(Line::is_speech);
    if heard.is_empty() {
        assert!(!server.said("#lobby").contains(&long), "stored, and not shown");
    } else {
        assert!(long.starts_with(heard[0].text()), "{heard:?}");
        assert!(echo.last().is_some_and(|echo| echo.text() == heard[0].text()), "{echo:?}");
    }
}

#[tokio::test]
async fn a_direct_message_is_between_two() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login("carol").await;
    alice.send("PRIVMSG bob :only for you").await;
    bob.expect_from("alice", "PRIVMSG bob :only for you").await;
    alice.expect_from("alice", "PRIVMSG bob :only for you").await;
    bob.send("PRIVMSG Alice :thanks").await;
    alice.expect_from("bob", "PRIVMSG alice :thanks").await;
    carol.expect_nothing("PRIVMSG").await;
}

#[tokio::test]
async fn a_direct_message_waits_for_who_is_away() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG bob :one").await;
    alice.send("PRIVMSG bob :two").await;
    let answer = alice.sync().await;
    assert!(answer.iter().all(|line| !line.is_error()), "{answer:?}");
    let bob = server.login("bob").await;
    let kept: Vec<&Line> = bob.greeting.iter().filter(|line| line.matches(":alice PRIVMSG bob")).collect();
    assert_eq!(kept.iter().map(|line| line.text()).collect::<Vec<_>>(), ["one", "two"]);
    bob.quit("bye").await;
    let bob = server.login("bob").await;
    assert!(!bob.greeting.iter().any(|line| line.matches(":alice PRIVMSG bob")), "shown twice: {:#?}", bob.greeting);
}

#[tokio::test]
async fn a_direct_message_waits_for_an_old_client_too() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG bob :see you").await;
    alice.sync().await;
    let bob = server.login_plain("bob").await;
    let kept: Vec<&Line> = bob.greeting.iter().filter(|line| line.matches(":alice PRIVMSG bob :*see you")).collect();
    assert_eq!(kept.len(), 1, "{:#?}", bob.greeting);
}

#[tokio::test]
async fn a_direct_message_waits_over_a_restart() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG bob :written before the night").await;
    alice.sync().await;
    server.restart().await;
    let bob = server.login("bob").await;
    assert!(bob.greeting.iter().any(|line| line.matches(":alice PRIVMSG bob :written before the night")));
}

#[tokio::test]
async fn a_note_to_oneself() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask("@label=me PRIVMSG alice :buy milk").await;
    let copies: Vec<&Line> = answer.iter().filter(|line| line.matches(":alice PRIVMSG alice :buy milk")).collect();
    assert_eq!(copies.len(), 2, "an echo and a message: {answer:?}");
    assert_eq!(copies[0].tag("label"), Some("me"), "{copies:?}");
    assert_eq!(copies[1].tag("label"), None, "{copies:?}");
    assert_eq!(copies[0].tag("msgid"), copies[1].tag("msgid"));

    let mut bob = server.login_plain("bob").await;
    let answer = bob.ask("PRIVMSG bob :buy bread").await;
    assert_eq!(said(&answer), ["buy bread"], "one copy without echo-message");
}

#[tokio::test]
async fn each_device_sees_what_the_others_say() {
    let server = Server::start().await;
    let mut desk = server.login("alice").await;
    let mut phone = server.login("alice").await;
    let mut bob = server.login("bob").await;
    phone.send("PRIVMSG #lobby :from the phone").await;
    let there = desk.expect_from("alice", "PRIVMSG #lobby :from the phone").await;
    let here = phone.expect_from("alice", "PRIVMSG #lobby :from the phone").await;
    assert_eq!(there.tag("msgid"), here.tag("msgid"));
    desk.send("PRIVMSG bob :a word").await;
    phone.expect_from("alice", "PRIVMSG bob :a word").await;
    bob.send("PRIVMSG alice :two words").await;
    desk.expect_from("bob", "PRIVMSG alice :two words").await;
    phone.expect_from("bob", "PRIVMSG alice :two words").await;
    assert_eq!(bob.hears().await.len(), 3, "one copy of each for bob");
}

#[tokio::test]
async fn a_second_device_comes_and_goes_unseen() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut desk = server.login("alice").await;
    bob.expect_from("alice", "JOIN #lobby").await;
    let phone = server.login("alice").await;
    assert!(phone.greeting.iter().any(|line| line.matches(":alice JOIN #lobby")), "{:#?}", phone.greeting);
    phone.quit("battery").await;
    desk.send("PRIVMSG #lobby :still here").await;
    let lines = bob.expect_until("alice's line", |line| line.matches("PRIVMSG #lobby :still here")).await;
    assert!(!lines.iter().any(|line| line.matches(":alice JOIN") || line.matches(":alice QUIT")), "{lines:?}");
    desk.quit("home").await;
    bob.expect_from("alice", "QUIT").await;
}

#[tokio::test]
async fn a_label_comes_back_on_an_echo() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.send("@label=first PRIVMSG #lobby :one").await;
    alice.send("@label=second PRIVMSG bob :two").await;
    alice.send("PRIVMSG #lobby :three").await;
    let echoes = alice.sync().await;
    let labels: Vec<(&str, Option<&str>)> =
        echoes.iter().filter(|line| line.is_speech()).map(|line| (line.text(), line.tag("label"))).collect();
    assert_eq!(labels, [("one", Some("first")), ("two", Some("second")), ("three", None)]);
    let heard = bob.sync().await;
    assert!(heard.iter().all(|line| line.tag("label").is_none()), "a label is its sender's alone: {heard:?}");
}

#[tokio::test]
async fn a_labeled_command_is_answered_by_nothing_one_or_many() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["labeled-response", "batch", "message-tags"]).await;
    alice.send("@label=none PRIVMSG #lobby :no echo asked for").await;
    assert_eq!(alice.expect("ACK").await.tag("label"), Some("none"));
    alice.send("@label=pong PONG :whatever").await;
    assert_eq!(alice.expect("ACK").await.tag("label"), Some("pong"));
    alice.send("@label=one PING :x").await;
    assert_eq!(alice.expect("PONG * :x").await.tag("label"), Some("one"));
    alice.send("@label=no PRIVMSG nobody :x").await;
    assert_eq!(alice.expect_numeric("401").await.tag("label"), Some("no"));
    alice.send("@label=what FROBNICATE").await;
    assert_eq!(alice.expect_numeric("421").await.tag("label"), Some("what"));

    let answer = alice.ask("@label=many WHOIS alice").await;
    let start = answer.iter().position(|line| line.is("BATCH")).expect("a batch");
    let start = &answer[start..];
    assert_eq!(start[0].tag("label"), Some("many"), "{start:?}");
    assert!(start[0].param(0).starts_with('+') && start[0].param(1) == "labeled-response", "{start:?}");
    let reference = &start[0].param(0)[1..];
    let end = start.iter().position(|line| line.matches(&format!("BATCH -{reference}"))).expect("its end");
    assert!(start[1..end].iter().all(|line| line.tag("batch") == Some(reference)), "{start:?}");
    assert!(start[1..end].iter().any(|line| line.is("311")) && start[1..end].iter().any(|line| line.is("318")));
    assert!(start[1..].iter().all(|line| line.tag("label").is_none()), "the label stands on the batch alone");
}

#[tokio::test]
async fn client_tags_travel_to_those_who_take_tags() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login_plain("carol").await;
    let mut dave = server.login_with("dave", &["server-time"]).await;
    alice.send("@+draft/reply=abc;nonsense=1;+x=a\\sb PRIVMSG #lobby :tagged").await;
    let heard = bob.expect("PRIVMSG #lobby :tagged").await;
    assert_eq!(heard.tag("+draft/reply"), Some("abc"));
    assert_eq!(heard.tag("+x"), Some("a b"));
    assert_eq!(heard.tag("nonsense"), None, "only client-only tags are relayed: {heard:?}");
    let heard = carol.expect("PRIVMSG #lobby :tagged").await;
    assert!(heard.tags.is_empty(), "{heard:?}");
    let heard = dave.expect("PRIVMSG #lobby :tagged").await;
    assert_eq!(heard.tags.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["time"], "{heard:?}");
}

#[tokio::test]
async fn a_tagmsg_goes_to_those_who_take_tags() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login_plain("carol").await;
    alice.send("@+draft/react=👍;+draft/reply=abc TAGMSG #lobby").await;
    alice.send("@+draft/react=👎;+draft/reply=abc TAGMSG bob").await;
    let heard = bob.expect_from("alice", "TAGMSG #lobby").await;
    assert_eq!(heard.tag("+draft/react"), Some("👍"));
    let heard = bob.expect_from("alice", "TAGMSG bob").await;
    assert_eq!(heard.tag("+draft/react"), Some("👎"));
    alice.expect_from("alice", "TAGMSG #lobby").await;
    carol.expect_nothing("TAGMSG").await;
}

#[tokio::test]
async fn everybody_sees_the_same_id_and_time() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut phone = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut last = String::new();
    for n in 0..5 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
        let pattern = format!(":alice PRIVMSG #lobby :{n}");
        let copies = [alice.expect(&pattern).await, phone.expect(&pattern).await, bob.expect(&pattern).await];
        let [msgid, time] = ["msgid", "time"].map(|key| copies[0].tag(key).expect(key).to_owned());
        for copy in &copies {
            assert_eq!(copy.tag("msgid"), Some(&*msgid), "{copies:?}");
            assert_eq!(copy.tag("time"), Some(&*time), "{copies:?}");
            assert_eq!(copy.tag("account"), Some("alice"), "{copies:?}");
        }
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z");
        assert!(time >= last, "time went back from {last} to {time}");
        last = time.clone();
        let entry = server.history("#lobby").pop().expect("an entry");
        assert_eq!((entry.msgid, entry.time, entry.from.as_deref()), (msgid, time, Some("alice")));
    }
}

#[tokio::test]
async fn a_client_gets_only_the_tags_it_asked_for() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for (caps, wanted) in [
        (&["server-time"][..], &["time"][..]),
        (&["account-tag"], &["account"]),
        (&["server-time", "account-tag"], &["account", "time"]),
        (&["message-tags"], &["msgid"]),
        (MODERN, &["account", "msgid", "time"]),
    ] {
        let mut bob = server.login_with("bob", caps).await;
        alice.send("PRIVMSG #lobby :hi").await;
        let line = bob.expect_from("alice", "PRIVMSG #lobby :hi").await;
        let mut keys: Vec<&str> = line.tags.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(keys, wanted, "with {caps:?}");
        bob.quit("").await;
    }
}

#[tokio::test]
async fn one_message_to_several() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    let mut carol = server.login("carol").await;
    alice.send("PRIVMSG bob,carol,#lobby :all of you").await;
    assert_eq!(alice.hears().await.len(), 3, "an echo of each");
    for client in [&mut bob, &mut carol] {
        assert_eq!(client.hears().await.len(), 2, "one for each, one for the room");
    }
    let many = (0..50).map(|n| format!("#r{n}")).collect::<Vec<_>>().join(",");
    assert!(alice.ask(&format!("PRIVMSG {many} :spam")).await.iter().any(|line| line.is("407")));
}

#[tokio::test]
async fn over_several_rooms_the_order_is_one() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for client in [&mut alice, &mut bob] {
        client.ask("JOIN #one,#two").await;
    }
    let targets = ["#one", "#two", "bob", "#lobby"];
    let sent: Vec<String> = (0..200).map(|n| n.to_string()).collect();
    for (n, text) in sent.iter().enumerate() {
        alice.send(format!("PRIVMSG {} :{text}", targets[n % targets.len()])).await;
    }
    assert_eq!(alice.hears().await, sent, "the echoes");
    assert_eq!(bob.hears().await, sent, "what bob hears");
}

#[tokio::test]
async fn two_devices_see_two_senders_in_the_same_order() {
    let server = Server::start().await;
    let mut watchers = [server.login("carol").await, server.login("carol").await, server.login_plain("dave").await];
    let mut senders = [server.login("alice").await, server.login("bob").await];
    for n in 0..150 {
        for (who, sender) in senders.iter_mut().enumerate() {
            sender.send(format!("PRIVMSG #lobby :{who}-{n}")).await;
        }
    }
    for sender in &mut senders {
        sender.sync().await;
    }
    let history = server.said("#lobby");
    assert_eq!(history.len(), 300);
    for watcher in &mut watchers {
        assert_eq!(watcher.hears().await, history);
    }
}
