//! CHATHISTORY, clause by clause: <https://ircv3.net/specs/extensions/chathistory>.

use crate::harness::{Client, Line, MODERN, Server};

pub const HISTORY: &[&str] =
    &["message-tags", "server-time", "batch", "echo-message", "labeled-response", "account-tag", "draft/chathistory"];

/// The lines of an answer that is one batch of this type and these parameters, without their `batch` tags.
#[track_caller]
pub fn batch(answer: &[Line], kind: &str, params: &[&str]) -> Vec<Line> {
    let [start, inner @ .., end] = answer else { panic!("no batch: {answer:#?}") };
    let reference = start.param(0).strip_prefix('+').unwrap_or_else(|| panic!("no start: {answer:#?}"));
    assert!(start.is("BATCH") && start.tag("batch").is_none(), "{answer:#?}");
    assert_eq!(start.params[1..], [[kind].as_slice(), params].concat(), "{answer:#?}");
    assert!(end.is("BATCH") && end.params == [format!("-{reference}")], "{answer:#?}");
    let strip = |line: &Line| {
        assert_eq!(line.tag("batch"), Some(reference), "{answer:#?}");
        let rest = line.raw.strip_prefix(&format!("@batch={reference}")).expect("the batch first");
        let bare = match rest.strip_prefix(';') {
            Some(tags) => format!("@{tags}"),
            None => rest.trim_start().to_owned(),
        };
        Line::parse(&bare).expect("a line")
    };
    inner.iter().map(strip).collect()
}

/// The texts of the page that is the answer to a question.
async fn page(client: &mut Client, question: &str) -> Vec<String> {
    let answer = client.ask(&format!("CHATHISTORY {question}")).await;
    let target = question.split(' ').nth(1).expect("a target");
    batch(&answer, "chathistory", &[target]).iter().map(|line| line.text().to_owned()).collect()
}

fn msgid(line: &Line) -> String {
    format!("msgid={}", line.tag("msgid").expect("an id"))
}

fn time(line: &Line) -> String {
    format!("timestamp={}", line.tag("time").expect("a time"))
}

const TEN: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// Every subcommand over ten lines, as both sorts of mark, as `client` sees them under `target`.
async fn all_subcommands(client: &mut Client, target: &str, lines: &[Line]) {
    for mark in [msgid, time] {
        let at = |n: usize| mark(&lines[n]);
        for (question, expected) in [
            (format!("LATEST {target} * 20"), &TEN[..]),
            (format!("LATEST {target} * 5"), &TEN[5..]),
            (format!("LATEST {target} * 1"), &TEN[9..]),
            (format!("LATEST {target} {} 20", at(4)), &TEN[5..]),
            (format!("LATEST {target} {} 2", at(4)), &TEN[8..]),
            (format!("BEFORE {target} {} 20", at(6)), &TEN[..6]),
            (format!("BEFORE {target} {} 2", at(6)), &TEN[4..6]),
            (format!("AFTER {target} {} 20", at(3)), &TEN[4..]),
            (format!("AFTER {target} {} 3", at(3)), &TEN[4..7]),
            (format!("BETWEEN {target} {} {} 20", at(0), at(9)), &TEN[1..9]),
            (format!("BETWEEN {target} {} {} 20", at(9), at(0)), &TEN[1..9]),
            (format!("BETWEEN {target} {} {} 3", at(0), at(9)), &TEN[1..4]),
            (format!("BETWEEN {target} {} {} 3", at(9), at(0)), &TEN[6..9]),
            (format!("BETWEEN {target} {} {} 3", msgid(&lines[2]), time(&lines[5])), &TEN[3..5]),
            (format!("AROUND {target} {} 1", at(7)), &TEN[7..8]),
            (format!("AROUND {target} {} 3", at(7)), &TEN[6..9]),
            (format!("AFTER {target} {} 3", at(9)), &[]),
        ] {
            assert_eq!(page(client, &question).await, expected, "{question}");
        }
    }
}

#[tokio::test]
async fn every_subcommand_in_a_room() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    let lines = alice.say_each("#lobby", &TEN).await;
    all_subcommands(&mut alice, "#lobby", &lines).await;
    let answer = alice.ask("chathistory latest #LOBBY * 1").await;
    assert_eq!(batch(&answer, "chathistory", &["#lobby"]).len(), 1, "the canonical name");
}

#[tokio::test]
async fn direct_messages_include_both_sides() {
    let mut server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    let mut bob = server.login_with("bob", HISTORY).await;
    let mut lines = Vec::new();
    for (n, text) in TEN.iter().enumerate() {
        let (speaker, target) = if n % 2 == 0 { (&mut alice, "bob") } else { (&mut bob, "alice") };
        lines.extend(speaker.say_each(target, &[text]).await);
    }
    alice.say_each("carol", &["to somebody else"]).await;
    all_subcommands(&mut alice, "bob", &lines).await;
    all_subcommands(&mut bob, "alice", &lines).await;
    all_subcommands(&mut bob, "ALICE", &lines).await;
    // After a restart nobody has the room of the two in memory yet.
    server.kill9();
    server.boot().await;
    let mut bob = server.login_with("bob", HISTORY).await;
    all_subcommands(&mut bob, "alice", &lines).await;
    let mut dave = server.login_with("dave", HISTORY).await;
    assert_eq!(page(&mut dave, "LATEST alice * 10").await, [""; 0], "nothing was said between these two");
    let foreign = format!("LATEST alice {} 10", msgid(&lines[0]));
    let answer = dave.ask(&format!("CHATHISTORY {foreign}")).await;
    assert!(
        answer[0].matches(&format!("FAIL CHATHISTORY MESSAGE_ERROR LATEST alice {}", msgid(&lines[0]))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn messages_to_oneself_are_there_once() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.send("PRIVMSG alice :note").await;
    alice.sync().await;
    assert_eq!(page(&mut alice, "LATEST alice * 10").await, ["note"]);
}

#[tokio::test]
async fn what_was_said_with_a_removed_account_stays() {
    let server = Server::configure().user("guest").start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.say_each("guest", &["hello"]).await;
    server.chatd(&["user", "remove", "guest", "--yes"]).ok();
    assert_eq!(page(&mut alice, "LATEST guest * 10").await, ["hello"]);
}

#[tokio::test]
async fn lines_are_as_they_were_live() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", HISTORY).await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.send("@+draft/reply=xyz;+typing=done PRIVMSG #lobby :the same for ever").await;
    alice.send("NOTICE #lobby :noted").await;
    alice.send("PRIVMSG #lobby :\x01ACTION waves\x01").await;
    alice.sync().await;
    let live: Vec<String> = bob.sync().await.into_iter().filter(Line::is_speech).map(|line| line.raw).collect();
    let answer = bob.ask("CHATHISTORY LATEST #lobby * 10").await;
    let past: Vec<String> = batch(&answer, "chathistory", &["#lobby"]).into_iter().map(|line| line.raw).collect();
    assert_eq!(past, live);
    assert_eq!(past.len(), 3);
}

#[tokio::test]
async fn a_page_is_full_whatever_happened_between() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.send("JOIN #hall").await;
    for n in 0..6 {
        alice.send(format!("TOPIC #hall :topic {n}")).await;
        alice.send("@+draft/react=x TAGMSG #hall").await;
        alice.send(format!("PRIVMSG #hall :{n}")).await;
    }
    alice.expect("PRIVMSG #hall :5").await;
    assert_eq!(page(&mut alice, "LATEST #hall * 4").await, ["2", "3", "4", "5"]);
}

#[tokio::test]
async fn an_answer_is_one_batch_with_the_label() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.say_each("#lobby", &["a", "b"]).await;
    for (question, lines) in [
        ("LATEST #lobby * 9", 2),
        ("LATEST #lobby * 1", 1),
        ("LATEST bob * 9", 0),
        ("TARGETS timestamp=2020-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 9", 1),
    ] {
        let answer = alice.ask(&format!("@label=x;y CHATHISTORY {question}")).await;
        assert_eq!(answer.len(), lines + 2, "{answer:#?}");
        assert_eq!(answer[0].tag("label"), Some("x"), "{answer:#?}");
        assert!(answer[1..].iter().all(|line| line.tag("label").is_none()), "{answer:#?}");
    }
    let answer = alice.ask("@label=x CHATHISTORY LATEST #nowhere * 9").await;
    assert!(answer.len() == 1 && answer[0].is("FAIL") && answer[0].tag("label") == Some("x"), "{answer:?}");
}

#[tokio::test]
async fn it_works_without_the_related_capabilities() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.say_each("#lobby", &["hello"]).await;
    let mut bob = server.login_with("bob", &["draft/chathistory"]).await;
    let answer = bob.ask("CHATHISTORY LATEST #lobby * 9").await;
    assert_eq!(answer.len(), 1, "{answer:#?}");
    assert!(answer[0].matches(":alice PRIVMSG #lobby :[20*] hello") && answer[0].tags.is_empty(), "{answer:?}");
    let answer =
        bob.ask("CHATHISTORY TARGETS timestamp=2020-01-01T00:00:00.000Z timestamp=2100-01-01T00:00:00.000Z 9").await;
    assert!(answer.len() == 1 && answer[0].matches("CHATHISTORY TARGETS #lobby 20*"), "{answer:?}");
    let mut carol = server.login_with("carol", &["draft/chathistory", "server-time"]).await;
    let answer = carol.ask("CHATHISTORY LATEST #lobby * 9").await;
    assert!(answer.len() == 1 && answer[0].text() == "hello" && answer[0].tag("time").is_some(), "{answer:?}");
}

#[tokio::test]
async fn the_capability_must_be_negotiated() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask("CHATHISTORY LATEST #lobby * 9").await;
    assert!(answer.len() == 1 && answer[0].matches("421 alice CHATHISTORY"), "{answer:?}");
}

#[tokio::test]
async fn who_asks_is_sent_nothing_unasked() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.say_each("#lobby", &["old"]).await;
    alice.say_each("bob", &["for bob"]).await;
    let bob = server.login_with("bob", HISTORY).await;
    assert!(!bob.greeting.iter().any(|line| line.is_speech() || line.is("BATCH")), "{:#?}", bob.greeting);
    let carol = server.login("carol").await;
    assert!(carol.greeting.iter().any(|line| line.is_speech()), "{:#?}", carol.greeting);
}

#[tokio::test]
async fn isupport_says_how_much_and_more_is_not_given() {
    let server = Server::configure().set("history.page_lines", 3).start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    let tokens: Vec<&String> =
        alice.greeting.iter().filter(|line| line.is("005")).flat_map(|line| &line.params).collect();
    for token in ["CHATHISTORY=3", "MSGREFTYPES=msgid,timestamp"] {
        assert!(tokens.iter().any(|t| *t == token), "{tokens:?}");
    }
    alice.say_each("#lobby", &["1", "2", "3", "4", "5"]).await;
    for limit in ["4", "1000", "99999999999999999999999"] {
        assert_eq!(page(&mut alice, &format!("LATEST #lobby * {limit}")).await, ["3", "4", "5"]);
    }
    assert_eq!(page(&mut alice, "LATEST #lobby * 0").await, [""; 0]);
}

#[tokio::test]
async fn a_question_that_cannot_be_understood_is_invalid_params() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    let answer = alice.ask("CHATHISTORY").await;
    assert!(answer.len() == 1 && answer[0].matches("461 alice CHATHISTORY"), "{answer:?}");
    const T: &str = "timestamp=2026-01-01T00:00:00.000Z";
    for (question, context) in [
        ("NONSENSE #lobby * 9".to_owned(), "NONSENSE"),
        ("NONSENSE".to_owned(), "NONSENSE"),
        ("LATEST".to_owned(), "LATEST"),
        ("LATEST #lobby".to_owned(), "LATEST"),
        ("LATEST #lobby *".to_owned(), "LATEST"),
        ("LATEST #lobby * 9 9".to_owned(), "LATEST"),
        (format!("BETWEEN #lobby {T} 9"), "BETWEEN"),
        (format!("BETWEEN #lobby {T} {T} 9 9"), "BETWEEN"),
        ("LATEST #lobby * x".to_owned(), "LATEST x"),
        ("LATEST #lobby * -1".to_owned(), "LATEST -1"),
        ("LATEST #lobby * :".to_owned(), "LATEST *"),
        ("BEFORE #lobby * 9".to_owned(), "BEFORE *"),
        ("BEFORE #lobby 12 9".to_owned(), "BEFORE 12"),
        ("BEFORE #lobby msgid= 9".to_owned(), "BEFORE msgid="),
        ("AFTER #lobby timestamp=yesterday 9".to_owned(), "AFTER timestamp=yesterday"),
        ("AFTER #lobby timestamp=2026-13-01T00:00:00.000Z 9".to_owned(), "AFTER timestamp=2026-13-01T00:00:00.000Z"),
        ("AROUND #lobby timestamp=2026-01-01T00:00:00Z 9".to_owned(), "AROUND timestamp=2026-01-01T00:00:00Z"),
        (format!("TARGETS {T} 9"), "TARGETS"),
        (format!("TARGETS {T} {T} 9 9"), "TARGETS"),
        (format!("TARGETS {T} {T} x"), "TARGETS x"),
        (format!("TARGETS {T} * 9"), "TARGETS *"),
        (format!("TARGETS msgid=1 {T} 9"), "TARGETS msgid=1"),
    ] {
        let answer = alice.ask(&format!("CHATHISTORY {question}")).await;
        assert_eq!(answer.len(), 1, "{answer:#?}");
        let params = &answer[0].params;
        assert!(answer[0].is("FAIL") && params[..2] == ["CHATHISTORY", "INVALID_PARAMS"], "{question}: {answer:?}");
        assert_eq!(params[2..params.len() - 1].join(" "), context, "{question}");
    }
    let answer = alice.ask("CHATHISTORY BEFORE #lobby serial=7 9").await;
    assert!(answer[0].matches("FAIL CHATHISTORY INVALID_MSGREFTYPE BEFORE #lobby serial=7"), "{answer:?}");
}

#[tokio::test]
async fn what_one_may_not_read_does_not_exist() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    let mut root = server.login_with("root", HISTORY).await;
    let mut lines = Vec::new();
    for room in ["#open", "#closed", "#secret"] {
        alice.send(format!("JOIN {room}")).await;
        alice.expect(format!("366 * {room}")).await;
        lines = alice.say_each(room, &["within"]).await;
    }
    alice.send("MODE #closed +i").await;
    alice.send("MODE #secret +s").await;
    alice.sync().await;
    for room in ["#nowhere", "#open", "#closed", "#secret", "#", "nobody", "no,body"] {
        // root, an administrator, is not inside.
        let answer = root.ask(&format!("CHATHISTORY LATEST {room} * 9")).await;
        assert_eq!(answer.len(), 1, "{answer:#?}");
        let text = "There is no such conversation for you to read";
        assert_eq!(answer[0].params, ["CHATHISTORY", "INVALID_TARGET", "LATEST", room, text], "{room}");
    }
    for room in ["#open", "#closed", "#secret"] {
        assert_eq!(page(&mut alice, &format!("LATEST {room} * 9")).await, ["within"]);
    }
    for room in ["#nowhere", "#open", "#closed", "#secret"] {
        let answer = root.ask(&format!("CHATHISTORY AROUND {room} {} 9", msgid(&lines[0]))).await;
        assert!(
            answer.len() == 1 && answer[0].matches(&format!("FAIL CHATHISTORY INVALID_TARGET AROUND {room}")),
            "{answer:?}"
        );
    }
    // Whoever leaves has no longer anything to read.
    alice.send("PART #open").await;
    alice.expect("PART #open").await;
    let answer = alice.ask("CHATHISTORY LATEST #open * 9").await;
    assert!(answer[0].matches("FAIL CHATHISTORY INVALID_TARGET LATEST #open"), "{answer:?}");
}

#[tokio::test]
async fn a_message_that_is_not_there_is_a_message_error() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.send("JOIN #other").await;
    alice.expect("366 * #other").await;
    let elsewhere = msgid(&alice.say_each("#other", &["elsewhere"]).await[0]);
    let here = msgid(&alice.say_each("#lobby", &["here"]).await[0]);
    let mut answers = Vec::new();
    for id in [elsewhere.as_str(), "msgid=zzzzzz", "msgid=not_one_of_ours"] {
        for question in ["LATEST", "BEFORE", "AFTER", "AROUND"] {
            let answer = alice.ask(&format!("CHATHISTORY {question} #lobby {id} 9")).await;
            assert_eq!(answer.len(), 1, "{answer:#?}");
            assert!(answer[0].matches(&format!("FAIL CHATHISTORY MESSAGE_ERROR {question} #lobby {id}")), "{answer:?}");
            answers.push(answer[0].text().to_owned());
        }
        let answer = alice.ask(&format!("CHATHISTORY BETWEEN #lobby {here} {id} 9")).await;
        assert!(answer[0].matches("FAIL CHATHISTORY MESSAGE_ERROR BETWEEN #lobby"), "{answer:?}");
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "a message of another room looks like none at all: {answers:?}");
}

#[tokio::test]
async fn targets_are_the_conversations_with_news() {
    let server = Server::start().await;
    let mut bob = server.login_with("bob", HISTORY).await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.send("JOIN #other").await;
    alice.expect("366 * #other").await;
    let mut newest = Vec::new();
    for target in ["#other", "carol", "alice", "#lobby"] {
        newest.extend(alice.say_each(target, &[target]).await);
        if target == "alice" {
            alice.expect("PRIVMSG alice").await;
        }
    }
    newest.extend(bob.say_each("alice", &["bob"]).await);
    // No words of people.
    alice.send("TOPIC #other :later").await;
    alice.sync().await;
    let at: Vec<&str> = newest.iter().map(|line| line.tag("time").expect("a time")).collect();
    const EVER: [&str; 2] = ["timestamp=2020-01-01T00:00:00.000Z", "timestamp=2100-01-01T00:00:00.000Z"];
    let stamp = |n: usize| format!("timestamp={}", at[n]);
    let names = ["#other", "carol", "alice", "#lobby", "bob"];
    for (from, to, limit, expected) in [
        (EVER[0].to_owned(), EVER[1].to_owned(), 9, 0..5),
        (EVER[1].to_owned(), EVER[0].to_owned(), 9, 0..5),
        (EVER[0].to_owned(), EVER[1].to_owned(), 2, 0..2),
        (EVER[1].to_owned(), EVER[0].to_owned(), 2, 3..5),
        (stamp(1), stamp(4), 9, 2..4),
        (stamp(4), stamp(1), 1, 3..4),
        (stamp(1), stamp(2), 9, 0..0),
    ] {
        let answer = alice.ask(&format!("CHATHISTORY TARGETS {from} {to} {limit}")).await;
        let listed: Vec<Vec<String>> =
            batch(&answer, "draft/chathistory-targets", &[]).into_iter().map(|line| line.params).collect();
        let wanted: Vec<Vec<String>> =
            expected.map(|n| ["TARGETS", names[n], at[n]].map(str::to_owned).to_vec()).collect();
        assert_eq!(listed, wanted, "{from} {to} {limit}");
    }
    let answer = bob.ask(&format!("CHATHISTORY TARGETS {} {} 9", EVER[0], EVER[1])).await;
    let listed: Vec<String> =
        batch(&answer, "draft/chathistory-targets", &[]).iter().map(|l| l.param(1).to_owned()).collect();
    assert_eq!(listed, ["#lobby", "alice"], "only one's own");
}

#[tokio::test]
async fn a_client_that_asks_much_and_reads_late_gets_all_of_it() {
    let server =
        Server::configure().set("limits.messages_per_second", 1000).set("limits.message_burst", 2000).start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    let long = "x".repeat(400);
    for n in 0..300 {
        alice.send(format!("PRIVMSG #lobby :{n} {long}")).await;
    }
    alice.sync().await;
    const ASKED: usize = 30;
    for n in 0..ASKED {
        alice.send(format!("@label={n} CHATHISTORY LATEST #lobby * 300")).await;
    }
    alice.send("PRIVMSG #lobby :after all that").await;
    let lines = alice.expect_until("the echo after it", |line| line.text() == "after all that").await;
    let labels: Vec<&str> = lines.iter().filter_map(|line| line.tag("label")).collect();
    let asked: Vec<String> = (0..ASKED).map(|n| n.to_string()).collect();
    assert_eq!(labels, asked, "in the order of the questions");
    for answer in lines[..lines.len() - 1].chunks(302) {
        let page = batch(answer, "chathistory", &["#lobby"]);
        assert!(page.iter().zip(0..).all(|(line, n)| line.text().starts_with(&format!("{n} "))), "in order");
    }
}

#[tokio::test]
async fn what_is_said_meanwhile_comes_after_the_page() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", HISTORY).await;
    alice.say_each("#lobby", &["1"]).await;
    alice.send("PRIVMSG #lobby :2").await;
    alice.send("CHATHISTORY LATEST #lobby * 10").await;
    let lines = alice.sync().await;
    let texts: Vec<(&str, bool)> =
        lines.iter().filter(|line| line.is_speech()).map(|line| (line.text(), line.tag("batch").is_some())).collect();
    assert!(texts.contains(&("1", true)) && texts.contains(&("2", true)) && texts.contains(&("2", false)), "{texts:?}");
}

#[tokio::test]
async fn today_s_capabilities_do_not_disturb_each_other() {
    let server = Server::start().await;
    let caps: Vec<&str> = MODERN.iter().copied().chain(["draft/chathistory", "draft/event-playback"]).collect();
    let mut alice = server.login_with("alice", &caps).await;
    let lines = alice.say_each("#lobby", &TEN).await;
    assert_eq!(page(&mut alice, &format!("BEFORE #lobby {} 3", msgid(&lines[5]))).await, ["2", "3", "4"]);
}
