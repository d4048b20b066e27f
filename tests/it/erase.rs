//! `chatd user erase`: of somebody who is erased nothing is left in what people are shown, in the index, or in the files;
//! others find their own where it was. With the server running, stopped, and killed in the middle.

use std::path::Path;
use std::process::Stdio;

use crate::harness::{Client, Server, eventually, password_of};

/// Files of the data directory in which these letters stand, in whatever case.
fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(dir).expect("the data directory").map(|file| file.expect("a file").path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
    };
    // The -shm file has numbers alone, and whoever closes it lets go of the locks of its whole process.
    let files = files.filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "db-shm"));
    files.filter(holds).map(|path| path.display().to_string()).collect()
}

const CAPS: [&str; 5] = ["message-tags", "server-time", "batch", "echo-message", "draft/chathistory"];

/// What must be in no file.
const TRACES: [&str; 9] = [
    "zacharias",
    "hisword",
    "hisreason",
    "histopic",
    "hisrealname",
    "hisdevice",
    "hisstatus",
    "answerword",
    "hisreaction",
];

async fn gone(server: &Server) {
    let dir = server.data_dir();
    for text in TRACES {
        eventually(&format!("the end of {text:?} in the files"), async || {
            files_with(&dir, text).is_empty().then_some(())
        })
        .await;
    }
}

fn with_zacharias() -> crate::harness::Setup {
    Server::configure().user("Zacharias")
}

/// Says something, and waits for its own echo.
async fn say(who: &mut Client, name: &str, target: &str, text: &str) -> crate::harness::Line {
    let line = format!("PRIVMSG {target} :{text}");
    who.send(&line).await;
    who.expect_from(name, &line).await
}

/// Zacharias has done some of everything, and others have done some to him. The ids of his first and last words.
async fn lived_in(server: &Server) -> Client {
    let mut alice = server.login_with("alice", &CAPS).await;
    alice.ask("JOIN #tea,#quiet").await;
    let mut zacharias = server.login("Zacharias").await;
    zacharias.ask("SETNAME :hisrealname").await;
    zacharias.ask("JOIN #tea,#his").await;
    zacharias.ask("TOPIC #his :histopic of old").await;
    zacharias.ask("TOPIC #his :histopic").await;
    zacharias.ask("MODE #his +b mallory!*@*").await;
    zacharias.ask_service("devices add hisdevice").await;
    zacharias.ask("METADATA * SET status :hisstatus").await;
    alice.ask("MODE #tea +o Zacharias").await;
    alice.ask("MODE #tea +v-v+e Zacharias zacharias ZACHARIAS").await;
    alice.ask("MODE #quiet +bI Zacharias!*@* ~a:zacharias").await;
    alice.ask("INVITE Zacharias #quiet").await;
    for n in 0..120 {
        let line = say(&mut zacharias, "Zacharias", "#tea", &format!("hisword {n} and some more of it 这里")).await;
        let id = line.tag("msgid").unwrap_or_default().to_owned();
        zacharias.send(format!("PRIVMSG alice :hisword between us {n}")).await;
        alice.send(format!("@+reply={id} PRIVMSG #tea :herword {n}")).await;
        alice.send(format!("PRIVMSG Zacharias :answerword {n}")).await;
    }
    let line = say(&mut alice, "alice", "#tea", "react to this").await;
    let id = line.tag("msgid").expect("an id").to_owned();
    zacharias.ask(&format!("@+draft/react=hisreaction;+reply={id} TAGMSG #tea")).await;
    let line = say(&mut zacharias, "Zacharias", "#tea", "hisword taken back").await;
    let id = line.tag("msgid").expect("an id").to_owned();
    zacharias.ask(&format!("REDACT #tea {id} :hisreason")).await;
    zacharias.ask("PART #tea :hisreason").await;
    zacharias.ask("JOIN #tea").await;
    alice.ask("KICK #tea Zacharias").await;
    zacharias.ask("JOIN #tea").await;
    server.chatd(&["user", "mute", "zacharias", "--for", "1h"]).ok();
    server.chatd(&["user", "unmute", "zacharias"]).ok();
    zacharias.quit("hisreason").await;
    alice.expect_from("Zacharias", "QUIT").await;
    alice
}

fn seqs(server: &Server, room: &str) -> Vec<u64> {
    let all = server.chatd(&["history", room, "--all", "--format", "json"]).ok();
    let seq =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["seq"].as_u64().expect("a seq");
    all.lines().map(seq).collect()
}

#[tokio::test]
async fn nothing_is_left_and_others_keep_what_is_theirs() {
    let mut server = with_zacharias().start().await;
    let mut alice = lived_in(&server).await;
    let before = seqs(&server, "#tea");
    assert!(TRACES.iter().all(|text| !files_with(&server.data_dir(), text).is_empty()), "the test would show nothing");
    let zacharias = server.login("Zacharias").await;
    alice.expect_from("Zacharias", "JOIN #tea").await;

    let refused = server.chatd(&["user", "erase", "zacharias"]).fails(2);
    assert!(refused.contains("--yes"), "{refused}");
    let said = server.chatd(&["user", "erase", "zacharias", "--yes"]).ok();
    assert!(said.contains("erased-") && said.contains("the running server") && said.contains("Backups"), "{said}");
    assert!(!said.to_lowercase().contains("zacharias"), "{said}");
    gone(&server).await;
    let mut zacharias = zacharias;
    assert!(zacharias.expect_end().await.last().is_some_and(|line| line.is("ERROR")));

    // Who was there saw it: he left, and the topic with him.
    alice.expect_from("Zacharias", "PART #tea").await;
    let again = seqs(&server, "#tea");
    assert_eq!(again[..before.len()], before, "every place is where it was");
    let hers: Vec<String> = server.said("#tea").into_iter().filter(|text| !text.is_empty()).collect();
    assert_eq!(hers.len(), 121, "{hers:?}");
    assert!(hers.iter().all(|text| text.starts_with("herword") || text == "react to this"));
    // The same in what she is shown, from memory and from the store.
    let pages = alice.ask("CHATHISTORY LATEST #tea * 100").await;
    let shown = pages.iter().map(|line| format!("{line:?}")).collect::<Vec<_>>().join("\n");
    assert!(shown.contains("herword 119") && !shown.contains("hisword") && !shown.contains("Zacharias"), "{shown}");
    let found = alice.ask_service("search hisword").await.join("\n");
    assert!(!found.contains("hisword 1"), "{found}");
    assert!(alice.ask_service("search herword").await.join("\n").contains("herword 119"));
    let lists = [alice.ask("MODE #quiet +b").await, alice.ask("MODE #quiet +I").await, alice.ask("MODE #tea +e").await];
    for list in lists {
        let list = list.iter().map(|line| format!("{line:?}")).collect::<Vec<_>>().join("\n");
        assert!(list.contains("erased-") && !list.to_lowercase().contains("zacharias"), "{list}");
    }
    let none = alice.ask("CHATHISTORY LATEST Zacharias * 50").await;
    assert!(none.iter().all(|line| !format!("{line:?}").contains("hisword")), "{none:?}");
    alice.ask("JOIN #his").await;
    assert!(alice.ask("TOPIC #his").await.iter().any(|line| line.is("331")), "there is no topic");

    // The name stays what it was: nobody's.
    for name in ["zacharias", "ZACHARIAS"] {
        let refused = server.chatd_with_input(&["user", "add", name, "--password-stdin"], "some password\n").fails(1);
        assert!(refused.contains("erased"), "{refused}");
    }
    let refused = server.chatd(&["user", "erase", "zacharias", "--yes"]).fails(1);
    assert!(refused.contains("no account"), "{refused}");
    let refused = server.chatd(&["user", "disable", "zacharias"]).fails(1);
    assert!(refused.contains("no account"), "{refused}");
    gone(&server).await;
    assert_eq!(server.try_sasl("zacharias", &password_of("Zacharias")).await.0, "904");
    let audit = server.chatd(&["audit", "--json"]).ok();
    assert!(audit.contains("user erase") && audit.contains("finished"), "{audit}");
    assert!(audit.contains("user mute erased-"), "{audit}");

    // And after a restart, from the store alone.
    server.restart().await;
    let mut alice = server.login_with("alice", &CAPS).await;
    let pages = alice.ask("CHATHISTORY LATEST #tea * 100").await;
    assert!(pages.iter().all(|line| !format!("{line:?}").to_lowercase().contains("zacharias")), "{pages:?}");
    assert!(!server.chatd(&["doctor"]).stdout.contains("damaged"));
    let all = server.chatd(&["export", "-"]).ok();
    assert!(TRACES.iter().all(|text| !all.to_lowercase().contains(text)));
}

#[tokio::test]
async fn a_stopped_server_or_somebody_removed_before() {
    let mut server = with_zacharias().start().await;
    let alice = lived_in(&server).await;
    server.chatd(&["user", "remove", "zacharias", "--yes"]).ok();
    assert!(!files_with(&server.data_dir(), "hisword").is_empty());
    alice.quit("bye").await;
    server.sigterm();
    server.ended().await;
    let said = server.chatd(&["user", "erase", "Zacharias", "--yes"]).ok();
    assert!(said.contains("the server is not running"), "{said}");
    for text in TRACES {
        assert_eq!(files_with(&server.data_dir(), text), [""; 0], "{text}");
    }
    let found = server.chatd(&["user", "list"]).ok();
    assert!(!found.contains("erased-"), "{found}");
    server.boot().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #tea :it goes on").await;
    alice.expect_from("alice", "PRIVMSG #tea :it goes on").await;
}

/// Killed again and again: what was begun is finished, whoever is asked to do it.
#[tokio::test]
async fn what_was_begun_is_finished_after_a_kill() {
    let mut server = with_zacharias().start().await;
    let alice = lived_in(&server).await;
    drop(alice);
    let mut command = server.command();
    command.args(["user", "erase", "zacharias", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut waits = command.spawn().expect("chatd");
    let database = server.data_dir().join("chat.db");
    // As soon as it has begun, and again while it goes on.
    for _ in 0..4 {
        let (dir, mut seen) = (&database, 0);
        eventually("a step of it", async || {
            let conn = rusqlite::Connection::open(dir).expect("the database");
            let through = conn.query_row("SELECT changed FROM erasures", [], |row| row.get::<_, i64>(0));
            let left = conn.query_row("SELECT count(*) FROM erased_names", [], |row| row.get::<_, i64>(0));
            seen += 1;
            (through.is_ok() || left.is_ok_and(|left| left > 0)).then_some(())
        })
        .await;
        server.kill9();
        server.boot().await;
    }
    waits.wait().expect("it has ended");
    gone(&server).await;
    assert_eq!(server.said("#tea").iter().filter(|text| text.starts_with("herword")).count(), 120);
    let audit = server.chatd(&["audit", "--json"]).ok();
    assert_eq!(audit.matches("finished").count(), 1, "{audit}");
    assert!(server.chatd(&["doctor"]).stdout.contains("the database is whole"));
}

#[tokio::test]
async fn an_administrator_erases_from_any_client() {
    let server = with_zacharias().start().await;
    let mut alice = lived_in(&server).await;
    let mut root = server.login_oper("root").await;
    let sure = root.ask_service("users erase zacharias").await.join("\n");
    assert!(sure.contains("users erase zacharias yes") && sure.contains("export"), "{sure}");
    assert!(!files_with(&server.data_dir(), "hisword").is_empty());
    let done = root.ask_service("users erase zacharias yes").await.join("\n");
    assert!(done.contains("erased"), "{done}");
    gone(&server).await;
    alice.sync().await;
    let again = root.ask_service("users erase zacharias yes").await.join("\n");
    assert!(again.contains("no such account"), "{again}");
    assert!(files_with(&server.data_dir(), "zacharias").is_empty(), "the answer does not bring it back");
}
