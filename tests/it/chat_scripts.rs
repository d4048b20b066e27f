//! `chat` in scripts: messages of several lines, answers, pages of the past between two marks, formats, exit codes.

use serde_json::Value;

use crate::chat_client::Chat;
use crate::harness::Server;

fn objects(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn texts(printed: &str) -> Vec<String> {
    objects(printed).iter().map(|object| object["text"].as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn several_lines_are_one_message_if_so_wished() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let alice = Chat::of(&server, "alice");
    alice.run(&["send", "#lobby", "--multiline"], "one\n\n  two\nthree\n\n").ok();
    alice.run(&["send", "#lobby", "first\nsecond"], "").ok();
    alice.run(&["send", "#lobby"], "line\nby line\n").ok();
    assert_eq!(server.said("#lobby"), ["one\n\n  two\nthree", "first\nsecond", "line", "by line"]);
    bob.expect_from("alice", "PRIVMSG #lobby :one").await;

    let printed = alice.run(&["history", "#lobby", "--json"], "").ok();
    assert_eq!(texts(&printed), server.said("#lobby"), "heard as one, too");
    let plain = alice.run(&["history", "#lobby", "--last", "3"], "").ok();
    let ends: Vec<&str> = plain.lines().map(|line| line.split_once("<alice> ").expect("said by alice").1).collect();
    assert_eq!(ends, ["first", "second", "line", "by line"]);

    // Larger than the server takes at once: several messages, and nothing lost.
    let long: Vec<String> = (0..250).map(|n| format!("line {n} {}", "x".repeat(100))).collect();
    alice.run(&["send", "#lobby", "-m"], &long.join("\n")).ok();
    let said = server.said("#lobby")[4..].to_vec();
    assert!((2..6).contains(&said.len()), "{} messages", said.len());
    assert_eq!(said.join("\n"), long.join("\n"));

    alice.run(&["send", "#lobby", "-m"], "\n \n").fails(1);
    alice.run(&["send", "#lobby", " "], "").fails(1);
}

#[tokio::test]
async fn an_answer_says_what_it_answers() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.ask("PRIVMSG #lobby :who?").await;
    let question = server.history("#lobby").pop().expect("said").msgid;
    let alice = Chat::of(&server, "alice");
    alice.run(&["send", "#lobby", "--reply-to", &question, "me"], "").ok();
    alice.run(&["send", "#lobby", "--reply-to", &question, "-m"], "and\nme\n").ok();
    alice.run(&["send", "#lobby", "--reply-to", &question], "\nfirst\nsecond\n").ok();
    let line = bob.expect_from("alice", "PRIVMSG #lobby :me").await;
    assert_eq!(line.tag("+draft/reply"), Some(question.as_str()));
    let printed = alice.run(&["history", "#lobby", "--json", "--last", "4"], "").ok();
    let answered: Vec<bool> = objects(&printed).iter().map(|object| object["reply_to"] == question.as_str()).collect();
    assert_eq!(answered, [true, true, true, false], "{printed}");
}

#[tokio::test]
async fn history_between_two_marks() {
    let server = Server::configure().set("history.page_lines", 7).start().await;
    let mut bob = server.login("bob").await;
    for n in 0..30 {
        bob.send(format!("PRIVMSG #lobby :line {n}")).await;
    }
    bob.sync().await;
    let alice = Chat::of(&server, "alice");
    let entries: Vec<_> = server.history("#lobby").into_iter().filter(|entry| entry.kind == "message").collect();
    let id = |n: usize| entries[n].msgid.as_str();
    let lines = |range: std::ops::Range<usize>| range.map(|n| format!("line {n}")).collect::<Vec<_>>();
    let history = |args: &[&str]| texts(&alice.run(&[&["history", "#lobby", "--json"], args].concat(), "").ok());
    assert_eq!(history(&["--after", id(4)]), lines(5..30));
    assert_eq!(history(&["--after", id(4), "--before", id(20)]), lines(5..20));
    assert_eq!(history(&["--after", id(4), "--before", id(20), "--last", "9"]), lines(11..20));
    assert_eq!(history(&["--before", id(20)]), lines(0..20));
    assert_eq!(history(&["--before", id(20), "--last", "8"]), lines(12..20));
    assert_eq!(history(&["--after", id(27), "--last", "8"]), lines(28..30));
    assert_eq!(history(&["--since", "1h"]), lines(0..30));
    assert_eq!(history(&["--since", &entries[0].time, "--last", "3"]), lines(27..30));
    assert!(history(&["--until", "1h"]).is_empty());
    assert!(history(&["--since", "1h", "--until", "2000-01-01"]).is_empty());
    assert_eq!(history(&["--since", &entries[29].time]).last(), lines(29..30).last(), "the moment itself counts");

    let csv = alice.run(&["history", "#lobby", "--format", "csv", "--last", "1"], "").ok();
    let row = format!("#lobby,{},{},bob,message,line 29,\r\n", id(29), entries[29].time);
    assert_eq!(csv, format!("room,msgid,time,from,kind,text,reply_to\r\n{row}"));
    let csv = alice.run(&["search", "line", "--format", "csv", "--last", "1"], "").ok();
    assert!(csv.ends_with(&row), "{csv}");
    let found = alice.run(&["search", "line", "--json", "--until", "1h"], "").ok();
    assert_eq!(found, "");
    assert_eq!(
        texts(&alice.run(&["search", "line", "--json", "--since", "1h", "--last", "2"], "").ok()),
        lines(28..30)
    );

    let complaint = alice.run(&["history", "#lobby", "--after", "nonsense"], "").fails(1);
    assert!(complaint.contains("#lobby") && complaint.contains("no such message"), "{complaint}");
    alice.run(&["history", "nobody-here"], "").fails(1);
    for wrong in [
        &["history", "#lobby", "--since", "yesterday-ish"] as &[&str],
        &["history", "#lobby", "--since", "1h", "--after", "x"],
        &["history", "#lobby", "--json", "--format", "csv"],
    ] {
        alice.run(wrong, "").fails(2);
    }
}

#[tokio::test]
async fn rooms_and_what_happened_in_them() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.send("JOIN #ops").await;
    bob.send("TOPIC #ops :all, \"everything\"").await;
    bob.sync().await;
    let alice = Chat::of(&server, "alice");
    // All that there are, those one is in, in each format.
    let rooms = objects(&alice.run(&["rooms", "--json"], "").ok());
    let ops = rooms.iter().find(|room| room["room"] == "#ops").expect("#ops");
    assert_eq!((&ops["joined"], &ops["topic"]), (&Value::Bool(false), &Value::from("all, \"everything\"")));
    assert_eq!(ops["members"], 1);
    let joined = alice.run(&["rooms", "--joined"], "").ok();
    assert!(joined.starts_with("* #lobby") && !joined.contains("#ops"), "{joined}");
    let csv = alice.run(&["rooms", "--format", "csv"], "").ok();
    assert!(csv.starts_with("room,members,joined,topic\r\n"), "{csv}");
    assert!(csv.contains("#ops,1,false,\"all, \"\"everything\"\"\"\r\n"), "{csv}");

    // What happened, among what was said.
    alice.run(&["send", "--join", "#ops", "hello"], "").ok();
    bob.send("KICK #ops alice :too early").await;
    bob.sync().await;
    let bob = Chat::of(&server, "bob");
    let events = objects(&bob.run(&["history", "#ops", "--events", "--json"], "").ok());
    let told: Vec<(&str, &str, &str)> = events
        .iter()
        .map(|event| {
            let of = |key: &str| event[key].as_str().expect("a text");
            (of("kind"), of("from"), of("text"))
        })
        .filter(|(kind, _, _)| *kind != "quit")
        .collect();
    let expected = [
        ("topic", "bob", "all, \"everything\""),
        ("join", "alice", ""),
        ("message", "alice", "hello"),
        ("kick", "bob", "alice too early"),
    ];
    let from = told.iter().position(|one| one.0 == "topic").expect("the topic");
    assert_eq!(&told[from..from + 4], expected);
    let text = bob.run(&["history", "#ops", "--events"], "").ok();
    assert!(text.contains(" * bob put alice out (too early)\n") && text.contains("<alice> hello\n"), "{text}");
    let plain = bob.run(&["history", "#ops"], "").ok();
    assert_eq!(plain.lines().count(), 1, "only what was said: {plain}");
}

#[tokio::test]
async fn the_past_around_a_message_and_around_a_time() {
    let server = Server::start().await;
    let alice = Chat::of(&server, "alice");
    let lines: Vec<String> = (0..40).map(|n| format!("number {n}")).collect();
    alice.run(&["send", "#lobby"], &lines.join("\n")).ok();
    let all = objects(&alice.run(&["history", "#lobby", "--json"], "").ok());
    let of = |n: usize, key: &str| all[n][key].as_str().expect("a text").to_owned();
    let around =
        |mark: &str| texts(&alice.run(&["history", "#lobby", "--json", "--last", "5", "--around", mark], "").ok());
    let by_id = around(&of(20, "msgid"));
    assert_eq!(by_id.len(), 5);
    assert!(by_id[1..4].contains(&"number 20".to_owned()), "in the middle: {by_id:?}");
    let by_time = around(&of(39, "time"));
    assert!(by_time.contains(&"number 39".to_owned()), "{by_time:?}");
    alice.run(&["history", "#lobby", "--around", "zzzzzz"], "").fails(1);
    alice.run(&["history", "#lobby", "--around", "k3", "--since", "1h"], "").fails(2);
}
