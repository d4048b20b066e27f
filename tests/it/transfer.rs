//! `chatd export` and `import`: whole, lossless, all or nothing.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Server, eventually, password_of};

/// A server that has seen some of everything.
async fn lived_in() -> Server {
    let server = Server::start().await;
    let mut alice = server
        .login_with("alice", &["message-tags", "echo-message", "draft/read-marker", "draft/message-redaction"])
        .await;
    let mut bob = server.login("bob").await;
    alice.ask("JOIN #tea").await;
    bob.ask("JOIN #tea").await;
    alice.ask("TOPIC #tea :Tee \u{2615} \"quoted\" \\back").await;
    alice.ask("MODE #tea +o bob").await;
    alice.ask("MODE #tea +b mallory!*@*").await;
    for n in 0..50 {
        alice.send(format!("@+draft/reply=x PRIVMSG #tea :line {n} 你好 <b>&amp;")).await;
        bob.send(format!("PRIVMSG alice :between us {n}")).await;
    }
    alice.sync().await;
    bob.sync().await;
    alice.ask("PRIVMSG #tea :taken back").await;
    alice.ask("MARKREAD #tea timestamp=2026-11-24T00:00:00.000Z").await;
    bob.ask_service("devices add phone").await;
    server.chatd(&["invite", "new", "--uses", "2"]).ok();
    server.chatd(&["user", "mute", "dave", "--for", "1h", "--reason", "noise"]).ok();
    server.chatd(&["user", "remove", "carol", "--yes"]).ok();
    server.chatd(&["room", "retention", "#tea", "90d", "--yes"]).ok();
    bob.quit("bye").await;
    alice.expect_from("bob", "QUIT").await;
    alice.quit("bye").await;
    server
}

/// What of a server an export holds, and that of a new one after it was imported there.
async fn moved(from: &Server, secrets: bool) -> (Vec<u8>, Server) {
    let flag: &[&str] = if secrets { &["--with-secrets"] } else { &[] };
    from.chatd(&[&["export", "out.jsonl"], flag].concat()).ok();
    let file = from.dir().join("out.jsonl");
    assert_eq!(std::fs::metadata(&file).expect("there").permissions().mode() & 0o777, 0o600);
    from.chatd(&[&["export", "out.jsonl"], flag].concat()).fails(1);
    let mut to = Server::start().await;
    to.sigterm();
    to.ended().await;
    let refused = to.chatd(&["import", file.to_str().expect("text")]).fails(1);
    assert!(refused.contains("for a new server"), "{refused}");
    std::fs::remove_dir_all(to.data_dir()).expect("the old data");
    let said = to.chatd(&["import", file.to_str().expect("text")]).ok();
    assert_eq!(said.contains("user passwd"), !secrets, "{said}");
    (std::fs::read(file).expect("the file"), to)
}

#[tokio::test]
async fn what_was_exported_and_imported_is_the_same() {
    let mut from = lived_in().await;
    from.sigterm();
    from.ended().await;
    for secrets in [true, false] {
        let (bytes, mut to) = moved(&from, secrets).await;
        let flag: &[&str] = if secrets { &["--with-secrets"] } else { &[] };
        let again = to.chatd(&[&["export", "-"], flag].concat()).ok();
        assert!(again.as_bytes() == bytes, "the second export differs");
        assert_eq!(again.contains("$argon2id$"), secrets);
        assert_eq!(again.contains(r#""table":"tokens""#), secrets);
        std::fs::remove_file(from.dir().join("out.jsonl")).expect("made");

        // People find everything as they left it.
        to.boot().await;
        assert_eq!(to.history("#tea"), from.history("#tea"));
        if secrets {
            assert_eq!(to.try_sasl("alice", &password_of("alice")).await.0, "903");
            let mut alice = to.login("alice").await;
            let found = alice.ask_service("search 你好 in:#tea").await;
            assert!(found.iter().any(|line| line.contains("line 49")), "{found:?}");
            let names = alice.ask("NAMES #tea").await;
            assert!(names.iter().any(|line| line.is("353")), "{names:?}");
            alice.send("PRIVMSG #tea :it goes on").await;
            alice.expect_from("alice", "PRIVMSG #tea :it goes on").await;
        } else {
            assert_ne!(to.try_sasl("alice", &password_of("alice")).await.0, "903", "nobody gets in without a password");
            assert_ne!(to.try_sasl("alice", "").await.0, "903");
        }
    }
}

#[tokio::test]
async fn all_or_nothing() {
    let mut from = lived_in().await;
    let text = from.chatd(&["export", "--with-secrets"]).ok();
    let lines: Vec<&str> = text.lines().collect();
    let mut to = Server::start().await;
    let running = to.chatd_with_input(&["import", "-"], &text).fails(1);
    assert!(running.contains("another chatd"), "{running}");
    to.sigterm();
    to.ended().await;
    std::fs::remove_dir_all(to.data_dir()).expect("the old data");
    let middle = lines.len() / 2;
    let newer = lines[0].replace(r#""schema":"#, r#""schema":9"#);
    let with = |at: usize, line: &str| [&lines[..at], &[line], &lines[at + 1..]].concat().join("\n");
    // The same place as words and as something else.
    let said = lines.iter().position(|line| line.contains(r#""table":"log""#) && line.contains(r#""spoken":1"#));
    let said = said.expect("something was said");
    let twin = lines[said].replace(r#""spoken":1"#, r#""spoken":0"#);
    let rows = lines.len() - 2;
    let end = lines[rows + 1].replace(&rows.to_string(), &(rows + 1).to_string());
    let twice = [&lines[..=said], &[&*twin], &lines[said + 1..=rows], &[&*end]].concat().join("\n");
    for (input, words) in [
        (twice, "is in it twice"),
        (lines[..middle].join("\n"), "cut off"),
        (text[..text.len() / 2].to_owned(), "line "),
        ([&lines[..middle], &lines[middle + 1..]].concat().join("\n"), "lines are missing"),
        (with(middle, "nonsense"), &*format!("line {}", middle + 1)),
        (with(1, r#"{"table":"accounts; DROP TABLE rooms","row":{"id":1}}"#), "no such table"),
        (with(1, r#"{"table":"accounts","row":{"id) VALUES (1); --":1}}"#), "no such column"),
        (with(1, r#"{"table":"accounts","row":{"nonsense":1}}"#), "line 2"),
        (with(0, &newer), "newer chatd"),
        (with(0, "hello"), "chatd export"),
        (String::new(), "cut off"),
    ] {
        let refused = to.chatd_with_input(&["import", "-"], &input).fails(1);
        assert!(refused.contains(words), "{words}: {refused}");
    }
    assert!(!to.chatd(&["user", "list"]).ok().contains("alice"), "something was left of it");
    to.chatd_with_input(&["import", "-"], &text).ok();
    assert!(to.chatd(&["user", "list"]).ok().contains("alice"));
    from.kill9();
}

/// An export takes its time; people go on talking, and it is of one moment.
#[tokio::test]
async fn while_people_talk() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for n in 0..200 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    let text = server.chatd(&["export"]).ok();
    alice.sync().await;
    let count = |kind: &str| text.lines().filter(|line| line.starts_with(&format!("{{\"table\":\"{kind}\""))).count();
    assert_eq!(count("events"), count("log"), "each event has its place");
    eventually("all lines", async || (server.said("#lobby").len() == 200).then_some(())).await;
}

#[tokio::test]
async fn all_that_belongs_to_one_person() {
    let server = lived_in().await;
    let text = server.chatd(&["user", "export", "BOB"]).ok();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["account"]["name"], "bob");
    let all = |kind: &str| -> Vec<&serde_json::Value> { lines.iter().filter_map(|line| line.get(kind)).collect() };
    let rooms: Vec<&str> = all("room").iter().filter_map(|room| room["name"].as_str()).collect();
    assert_eq!(rooms, ["#lobby", "#tea", "alice"]);
    assert!(all("room")[1]["operator"] == true && all("room")[2]["direct"] == true);
    let said: Vec<&str> = all("event")
        .iter()
        .filter(|event| event["kind"] == "message")
        .filter_map(|event| event["text"].as_str())
        .collect();
    assert_eq!(said, (0..50).map(|n| format!("between us {n}")).collect::<Vec<_>>());
    let devices: Vec<&str> = all("device").iter().filter_map(|device| device["name"].as_str()).collect();
    assert_eq!(devices, ["phone"], "one that has a token and was never here");
    // What others said, and what lets somebody in, is not in it.
    assert!(!text.contains("line 1 ") && !text.contains("argon2") && !text.contains("\"hash\""), "{text}");
    server.chatd(&["user", "export", "alice", "alice.jsonl"]).ok();
    let alice = std::fs::read_to_string(server.dir().join("alice.jsonl")).expect("the file");
    assert!(alice.contains("line 49 你好") && !alice.contains("between us"), "{alice}");
    assert!(alice.lines().any(|line| line.contains(r#""taken_back":true"#) || line.contains("taken back")), "{alice}");
    server.chatd(&["user", "export", "alice", "alice.jsonl"]).fails(1);
    server.chatd(&["user", "export", "nobody"]).fails(1);
}
