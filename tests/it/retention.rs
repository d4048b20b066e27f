//! What is older than its term is deleted, for good: from what people are shown, from the index, and from the files.

use std::path::Path;

use crate::harness::{Server, eventually};

/// Files of the data directory in which these bytes stand.
fn files_with(dir: &Path, text: &str) -> Vec<String> {
    let files = std::fs::read_dir(dir).expect("the data directory").map(|file| file.expect("a file").path());
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    // The -shm file has numbers alone, and whoever closes it lets go of the locks of its whole process.
    let files = files.filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "db-shm"));
    files.filter(holds).map(|path| path.display().to_string()).collect()
}

/// Makes all that has happened a day older. The server is stopped.
pub async fn a_day_passes(server: &mut Server) {
    server.sigterm();
    assert!(server.ended().await.success());
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    database.execute("UPDATE events SET time = time - 86400000", []).expect("a day passes");
    database.execute("UPDATE rooms SET created = created - 86400000", []).expect("a day passes");
    database.execute("UPDATE meta SET value = value - 86400000 WHERE key = 'last_time'", []).expect("a day passes");
}

async fn gone(server: &Server, text: &str) {
    let dir = server.data_dir();
    eventually(&format!("the end of {text:?} in the files"), async || files_with(&dir, text).is_empty().then_some(()))
        .await;
}

fn texts(server: &Server, room: &str) -> Vec<String> {
    server.history(room).iter().map(|entry| entry.text().to_owned()).collect()
}

#[tokio::test]
async fn a_room_has_its_own_term_and_what_is_older_is_in_no_file() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.ask("JOIN #brief,#archive").await;
    for room in ["#lobby", "#brief", "#archive"] {
        alice.send(format!("PRIVMSG {room} :secretword of {}", &room[1..])).await;
        alice.expect_from("alice", &format!("PRIVMSG {room}")).await;
    }
    alice.quit("partingword").await;
    a_day_passes(&mut server).await;
    server.reconfigure("history.retention", "12h");
    server.chatd(&["room", "retention", "#archive", "forever"]).ok();
    server.boot().await;
    gone(&server, "secretword of lobby").await;
    gone(&server, "secretword of brief").await;
    assert_eq!(texts(&server, "#lobby"), [""; 0]);
    assert!(!files_with(&server.data_dir(), "secretword of archive").is_empty());
    assert_eq!(texts(&server, "#archive"), ["secretword of archive"]);

    // The words have left the index, too: it is asked, and answers with what stays.
    let mut alice = server.login("alice").await;
    let found = alice.ask_service("search secretword").await.join("\n");
    assert!(found.contains("of archive") && !found.contains("of brief"), "{found}");

    // The one room that keeps things for ever gets a term while the server runs.
    let refused = server.chatd(&["room", "retention", "#archive", "1s", "--yes"]).fails(1);
    assert!(refused.contains("a minute at least"), "{refused}");
    let said = server.chatd(&["room", "retention", "archive", "2h", "--yes"]).ok();
    assert!(said.contains("2h") && said.contains("the running server"), "{said}");
    assert!(server.chatd(&["room", "show", "#archive"]).ok().contains("kept       2h"));
    assert!(server.chatd(&["room", "list", "--json"]).ok().contains(r#""retention":7200"#));
    server.sighup();
    gone(&server, "secretword of archive").await;
    // Life goes on in the same log.
    alice.send("PRIVMSG #archive :afresh").await;
    alice.expect_from("alice", "PRIVMSG #archive :afresh").await;
    assert_eq!(texts(&server, "#archive"), ["afresh"]);
    let said = server.chatd(&["room", "retention", "#archive", "default"]).ok();
    assert!(said.contains("as long as the server does"), "{said}");
}

#[tokio::test]
async fn comings_and_goings_have_their_own_term() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #talk").await;
    alice.ask("JOIN #talk").await;
    bob.ask("PART #talk :partingword").await;
    alice.send("PRIVMSG #talk :what was said").await;
    alice.expect_from("alice", "PRIVMSG #talk").await;
    alice.quit("farewellword").await;
    bob.quit("farewellword").await;
    a_day_passes(&mut server).await;
    server.reconfigure("history.presence_retention", "12h");
    server.boot().await;
    gone(&server, "partingword").await;
    gone(&server, "farewellword").await;
    assert_eq!(texts(&server, "#talk"), ["what was said"]);
    let mut alice = server.login_with("alice", &["batch", "server-time", "draft/chathistory"]).await;
    let lines = alice.ask("CHATHISTORY LATEST #talk * 50").await;
    assert!(lines.iter().any(|line| format!("{line:?}").contains("what was said")), "{lines:?}");
    assert!(lines.iter().all(|line| !format!("{line:?}").contains("partingword")), "{lines:?}");
    // Memberships are no history: alice is still in, bob is not.
    let names = alice.ask("NAMES #talk").await;
    assert!(names.iter().any(|line| line.is("353") && line.params.last().is_some_and(|p| p.contains("alice"))));
}

/// Somebody who reads a long export must not keep what was taken back alive for longer than they read.
#[tokio::test]
async fn a_reader_in_the_way_delays_the_end_and_no_more() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #lobby :takenbackword").await;
    let line = alice.expect_from("alice", "PRIVMSG #lobby").await;
    let id = line.tag("msgid").expect("an id").to_owned();
    let reader = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    {
        let look = reader.unchecked_transaction().expect("a look");
        look.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).expect("a number");
        alice.send(format!("REDACT #lobby {id}")).await;
        alice.expect("NOTICE #lobby").await;
        alice.sync().await;
        assert!(!files_with(&server.data_dir(), "takenbackword").is_empty(), "it stands before the reader's eyes");
    }
    // Nobody says anything any more; all the same.
    gone(&server, "takenbackword").await;
    drop(reader);
}

#[tokio::test]
async fn an_administrator_sets_a_rooms_term_from_any_client() {
    let server = Server::start().await;
    let mut root = server.login_oper("root").await;
    root.ask("JOIN #talk").await;
    let sure = root.ask_service("rooms retention #talk 90d").await.join("\n");
    assert!(sure.contains("rooms retention #talk 90d yes"), "{sure}");
    assert!(server.chatd(&["room", "show", "#talk"]).ok().contains("kept       as long as the server does"));
    let done = root.ask_service("rooms retention #talk 90d yes").await.join("\n");
    assert!(done.contains("90d"), "{done}");
    assert!(server.chatd(&["room", "show", "#talk"]).ok().contains("kept       90 days"), "90 days");
    root.ask_service("rooms retention #talk forever").await;
    assert!(server.chatd(&["room", "show", "#talk"]).ok().contains("kept       for ever"));
    let how = root.ask_service("rooms retention #talk sometimes").await.join("\n");
    assert!(how.contains("Say how long"), "{how}");
}
