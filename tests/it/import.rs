//! `chatd import --from`: logs of other systems become history, with their people, rooms and times; all of it or nothing.

use std::path::Path;

use crate::harness::Server;

fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    let file = dir.join(name);
    std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
    std::fs::write(file, text).expect("written");
}

/// A server with its accounts, which has never run.
fn fresh() -> Server {
    Server::configure().prepare()
}

#[tokio::test]
async fn logs_of_znc_become_history() {
    let mut server = fresh();
    let logs = server.dir().join("logs");
    let long = "word ".repeat(300);
    write(
        &logs,
        "libera/#rust/2025-11-22.log",
        "[23:00:00] *** Joins: alice (~a@h)\n[23:59:59] <@Alice> good evening\r\n",
    );
    write(
        &logs,
        "libera/#rust/2025-11-23.log",
        format!(
            "[00:10:00] * carol_42 waves\n[00:20:00] <alice> {long}\n[00:30:00] *** alice changes topic to 'tea'\n"
        ),
    );
    write(&logs, "libera/#tea/2025-11-23.log", "[00:15:00] <alice_> in between\n");
    write(&logs, "libera/bob/2025-11-23.log", "[00:15:00] <bob> private\n");
    write(&logs, "map", "# nick account\nalice_ alice\n");
    let logs_at = logs.join("libera").display().to_string();
    let map = logs.join("map").display().to_string();
    let import = ["import", "--from", "znc", &logs_at, "--zone", "+01:00", "--map", &map];

    let looked = server.chatd(&[&import[..], &["--dry-run"]].concat()).ok();
    for part in [
        "#rust",
        "2025-11-22 22:59:59",
        "is there",
        "carol_42",
        "new, locked",
        "1 lines of joining",
        "Nothing was changed",
    ] {
        assert!(looked.contains(part), "{part}: {looked}");
    }
    assert!(looked.contains("1 files of private"), "{looked}");

    // One line that nobody understands keeps all of it out.
    write(&logs, "libera/#rust/2025-11-24.log", "[00:00:01] <alice> fine\nnonsense\n");
    let refused = server.chatd(&import).fails(1);
    assert!(refused.contains("1 lines could not be understood") && refused.contains("--skip"), "{refused}");
    assert!(!server.chatd(&["room", "list"]).ok().contains("#rust"));
    let done = server.chatd(&[&import[..], &["--skip"]].concat()).ok();
    assert!(done.contains("2025-11-24.log:2") && done.contains("6 entries in 2 rooms"), "{done}");
    let again = server.chatd(&[&import[..], &["--skip"]].concat()).fails(1);
    assert!(again.contains("something has happened"), "{again}");

    server.boot().await;
    let said = server.history("#rust");
    let shown: Vec<(&str, &str)> = said.iter().map(|line| (line.from.as_deref().unwrap_or("-"), line.text())).collect();
    assert_eq!(shown[0], ("alice", "good evening"));
    assert_eq!(said[0].time, "2025-11-22T22:59:59.000Z");
    assert!(shown[1].0 == "carol_42" && shown[1].1.contains("waves"), "{shown:?}");
    assert!(
        shown.iter().any(|(_, text)| text.starts_with("word word") && text.trim_end() == long.trim_end()),
        "{shown:?}"
    );
    assert_eq!(server.said("#tea"), ["in between"]);

    // People find it: alice is alice, and nobody is carol_42 before an administrator says so.
    let caps = ["message-tags", "server-time", "batch", "draft/chathistory"];
    let mut alice = server.login_with("alice", &caps).await;
    let topic = alice.ask("JOIN #rust").await;
    assert!(topic.iter().any(|line| line.is("332") && line.text() == "tea"), "{topic:?}");
    let page = alice.ask("CHATHISTORY LATEST #rust * 50").await;
    assert!(page.iter().any(|line| format!("{line:?}").contains("ACTION waves")), "{page:?}");
    assert!(page.iter().all(|line| format!("{line:?}").len() < 700), "{page:?}");
    assert!(alice.ask_service("search evening").await.join("\n").contains("good evening"));
    assert_eq!(server.try_sasl("carol_42", "").await.0, "904");
    server.chatd_with_input(&["user", "passwd", "carol_42", "--password-stdin"], "a new password\n").ok();
    server.chatd(&["user", "enable", "carol_42"]).ok();
    assert_eq!(server.try_sasl("carol_42", "a new password").await.0, "903");
    assert!(server.chatd(&["audit"]).ok().contains("import --from znc"));
    assert!(server.chatd(&["doctor"]).stdout.contains("the database is whole"));
}

#[tokio::test]
async fn a_slack_export_keeps_answers_reactions_and_who_may_read() {
    let mut server = fresh();
    let export = server.dir().join("slack");
    write(
        &export,
        "users.json",
        r#"[{"id":"U1","name":"alice"},{"id":"U2","name":"bob.b","profile":{"display_name":"Bobby"}}]"#,
    );
    write(&export, "channels.json", r#"[{"id":"C1","name":"general","created":1700000000,"members":["U1","U2"]}]"#);
    write(&export, "groups.json", r#"[{"id":"G1","name":"board","created":1700000000,"members":["U2"]}]"#);
    write(&export, "dms.json", r#"[{"id":"D1","created":1700000000,"members":["U1","U2"]}]"#);
    write(
        &export,
        "general/2025-11-24.json",
        r#"[{"user":"U1","text":"who comes?","ts":"1763971200.000100","reactions":[{"name":"+1","users":["U2"]}]},
            {"user":"U2","text":"I do","ts":"1763971260.000100","thread_ts":"1763971200.000100"}]"#,
    );
    write(&export, "board/2025-11-24.json", r#"[{"user":"U2","text":"for few","ts":"1763971300.000100"}]"#);
    write(&export, "D1/2025-11-24.json", r#"[{"user":"U2","text":"between us","ts":"1763971400.000100"}]"#);
    server.chatd(&["import", "--from", "slack", &export.display().to_string()]).ok();
    server.boot().await;
    let first = &server.history("#general")[0];
    assert_eq!(
        (first.from.as_deref(), first.text(), &*first.time),
        (Some("alice"), "who comes?", "2025-11-24T08:00:00.000Z")
    );
    let id = first.msgid.clone();

    let caps = ["message-tags", "batch", "server-time", "draft/chathistory", "draft/event-playback"];
    let mut alice = server.login_with("alice", &caps).await;
    let page = alice.ask("CHATHISTORY LATEST #general * 50").await;
    let answer = page.iter().find(|line| line.text() == "I do").expect("the answer");
    assert_eq!((answer.nick(), answer.tag("+draft/reply")), ("bob-b", Some(&*id)));
    let reaction = page.iter().find(|line| line.is("TAGMSG")).expect("the reaction");
    assert_eq!((reaction.tag("+draft/react"), reaction.tag("+draft/reply")), (Some("👍"), Some(&*id)));
    let page = alice.ask("CHATHISTORY LATEST bob-b * 50").await;
    assert!(page.iter().any(|line| line.text() == "between us"), "{page:?}");

    // A private room is one here, too: its member is in it, alice is not.
    let none = alice.ask("CHATHISTORY LATEST #board * 50").await;
    assert!(none.iter().all(|line| !format!("{line:?}").contains("for few")), "{none:?}");
    let closed = alice.ask("JOIN #board").await;
    assert!(closed.iter().any(|line| line.is("473")), "{closed:?}");
    server.chatd_with_input(&["user", "passwd", "bob-b", "--password-stdin"], "a new password\n").ok();
    server.chatd(&["user", "enable", "bob-b"]).ok();
    let shown = server.chatd(&["room", "show", "#board"]).ok();
    assert!(shown.contains("bob-b"), "{shown}");
}

#[tokio::test]
async fn a_server_that_lives_takes_no_older_history() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #tea").await;
    write(server.dir(), "#tea.log", "--- Log opened Sat Oct 25 23:58:00 2025\n23:58 <alice> hello\n");
    let file = server.dir().join("#tea.log").display().to_string();
    let refused = server.chatd(&["import", "--from", "irssi", &file]).fails(1);
    assert!(refused.contains("stop"), "{refused}");
    let looked = server.chatd(&["import", "--from", "irssi", &file, "--dry-run"]).ok();
    assert!(looked.contains("would be refused"), "{looked}");
    let wrong = server.chatd(&["import", &file, &file]).fails(2);
    assert!(wrong.contains("--from"), "{wrong}");
}
