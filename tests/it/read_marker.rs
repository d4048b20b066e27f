//! MARKREAD, clause by clause: <https://ircv3.net/specs/extensions/read-marker>.

use crate::harness::{Client, Line, Server};

const MARKERS: &[&str] = &["draft/read-marker"];

const OLD: &str = "timestamp=2019-01-04T14:33:26.123Z";
const NEW: &str = "timestamp=2020-06-01T12:00:00.000Z";

/// Asks, and gives back the parameters of the one MARKREAD that answers.
async fn markread(client: &mut Client, rest: &str) -> Vec<String> {
    let answer = client.ask(&format!("MARKREAD {rest}")).await;
    assert!(
        answer.len() == 1 && answer[0].is("MARKREAD") && answer[0].source.as_deref() == Some("chat.test"),
        "{answer:?}"
    );
    answer[0].params.clone()
}

/// Where the marker of a room stands in what a client is told on entering it: after JOIN, before the end of names.
fn on_entering(lines: &[Line], room: &str) -> String {
    let at = |pattern: &str| {
        let found = lines.iter().position(|line| line.matches(pattern));
        found.unwrap_or_else(|| panic!("no {pattern}: {lines:#?}"))
    };
    let marker = at(&format!("MARKREAD {room}"));
    assert!(at(&format!("JOIN {room}")) < marker, "{lines:#?}");
    if let Some(names) = lines.iter().position(|line| line.matches(&format!("366 * {room}"))) {
        assert!(marker < names, "{lines:#?}");
    }
    assert_eq!(lines.iter().filter(|line| line.matches(&format!("MARKREAD {room}"))).count(), 1);
    lines[marker].param(1).to_owned()
}

#[tokio::test]
async fn a_marker_is_set_and_told() {
    let mut server = Server::start().await;
    let mut alice = server.login_with("alice", MARKERS).await;
    for target in ["#lobby", "bob", "alice", "#nowhere", "nobody"] {
        assert_eq!(markread(&mut alice, target).await, [target, "*"]);
    }
    for target in ["#lobby", "bob", "alice"] {
        assert_eq!(markread(&mut alice, &format!("{target} {OLD}")).await, [target, OLD]);
        assert_eq!(markread(&mut alice, target).await, [target, OLD]);
    }
    assert_eq!(markread(&mut alice, "#LOBBY").await, ["#lobby", OLD]);
    server.kill9();
    server.boot().await;
    let mut alice = server.login_with("alice", MARKERS).await;
    for target in ["#lobby", "bob", "alice"] {
        assert_eq!(markread(&mut alice, target).await, [target, OLD], "kept in the database");
    }
    let mut bob = server.login_with("bob", MARKERS).await;
    for target in ["#lobby", "alice"] {
        assert_eq!(markread(&mut bob, target).await, [target, "*"], "nobody else's business");
    }
}

#[tokio::test]
async fn a_marker_only_moves_forward() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", MARKERS).await;
    let mut other = server.login_with("alice", MARKERS).await;
    for target in ["#lobby", "bob"] {
        assert_eq!(markread(&mut alice, &format!("{target} {NEW}")).await, [target, NEW]);
        other.expect(format!("MARKREAD {target} {NEW}")).await;
        assert_eq!(markread(&mut alice, &format!("{target} {OLD}")).await, [target, NEW]);
        assert_eq!(markread(&mut alice, &format!("{target} {NEW}")).await, [target, NEW]);
        other.expect_nothing("MARKREAD").await;
    }
}

#[tokio::test]
async fn nobody_has_read_the_future() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["draft/read-marker", "server-time"]).await;
    let stored = markread(&mut alice, "#lobby timestamp=2999-01-01T00:00:00.000Z").await.pop().expect("a time");
    alice.send("PRIVMSG bob :now").await;
    alice.sync().await;
    let now = &server.chatd(&["history", "#lobby", "--format", "json"]).ok();
    assert!(!now.contains("2999") && stored.starts_with("timestamp=20") && !stored.contains("2999"), "{stored}");
}

#[tokio::test]
async fn all_devices_that_want_it_are_told_of_a_change() {
    let server = Server::start().await;
    let mut phone =
        server.login_with("alice", &["draft/read-marker", "echo-message", "server-time", "account-tag"]).await;
    let mut desk = server.login_with("alice", MARKERS).await;
    let mut old = server.login("alice").await;
    let mut bob = server.login_with("bob", MARKERS).await;
    for device in [&mut phone, &mut desk, &mut old] {
        device.sync().await;
    }
    for target in ["#lobby", "bob"] {
        assert_eq!(markread(&mut phone, &format!("{target} {OLD}")).await, [target, OLD], "told once");
        let line = desk.expect("MARKREAD").await;
        assert_eq!(line.raw, format!(":chat.test MARKREAD {target} {OLD}"));
    }
    old.expect_nothing("MARKREAD").await;
    bob.expect_nothing("MARKREAD").await;
    let answer = old.ask(&format!("@label=x MARKREAD #lobby {NEW}")).await;
    assert!(answer.len() == 1 && answer[0].tag("label") == Some("x"), "{answer:?}");
    assert_eq!(answer[0].params, ["#lobby", NEW], "who asks is answered, whatever was negotiated");
    phone.expect(format!("MARKREAD #lobby {NEW}")).await;
}

#[tokio::test]
async fn it_comes_after_join_and_before_the_end_of_names() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", MARKERS).await;
    assert_eq!(on_entering(&alice.greeting, "#lobby"), "*");
    let lines = alice.ask("JOIN #new").await;
    assert_eq!(on_entering(&lines, "#new"), "*");
    markread(&mut alice, &format!("#new {OLD}")).await;
    alice.ask("PART #new").await;
    assert_eq!(on_entering(&alice.ask("JOIN #new").await, "#new"), OLD);
    let bare = server.login_with("alice", &["draft/read-marker", "no-implicit-names"]).await;
    assert_eq!(on_entering(&bare.greeting, "#new"), OLD);
    assert!(!bare.greeting.iter().any(|line| line.is("366")), "{:#?}", bare.greeting);
    let plain = server.login("alice").await;
    assert!(!plain.greeting.iter().any(|line| line.is("MARKREAD")), "{:#?}", plain.greeting);
}

#[tokio::test]
async fn what_cannot_be_marked_is_refused() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", MARKERS).await;
    let mut bob = server.login_with("bob", MARKERS).await;
    bob.send("JOIN #secret").await;
    bob.send("MODE #secret +s").await;
    bob.sync().await;
    alice.sync().await;
    for (rest, code, context) in [
        ("", "NEED_MORE_PARAMS", &[][..]),
        ("#lobby *", "INVALID_PARAMS", &["*"]),
        ("#lobby timestamp=not-a-time", "INVALID_PARAMS", &["timestamp=not-a-time"]),
        ("#lobby 2019-01-04T14:33:26.123Z", "INVALID_PARAMS", &["2019-01-04T14:33:26.123Z"]),
        ("# timestamp=2019-01-04T14:33:26.123Z", "INVALID_PARAMS", &["#"]),
        ("no,body timestamp=2019-01-04T14:33:26.123Z", "INVALID_PARAMS", &["no,body"]),
        ("#nowhere timestamp=2019-01-04T14:33:26.123Z", "INVALID_PARAMS", &["#nowhere"]),
        ("#secret timestamp=2019-01-04T14:33:26.123Z", "INVALID_PARAMS", &["#secret"]),
        ("nobody timestamp=2019-01-04T14:33:26.123Z", "INVALID_PARAMS", &["nobody"]),
    ] {
        let answer = alice.ask(&format!("MARKREAD {rest}")).await;
        assert_eq!(answer.len(), 1, "{answer:?}");
        let params = &answer[0].params;
        assert!(answer[0].is("FAIL") && params[..2] == ["MARKREAD", code], "{rest}: {answer:?}");
        assert_eq!(params[2..params.len() - 1], *context, "{rest}");
    }
    assert_eq!(markread(&mut alice, "#secret").await, ["#secret", "*"], "as if it were not there");
}

#[tokio::test]
async fn a_store_that_cannot_be_read_or_written_is_said() {
    let server = Server::start().await;
    let mut alice =
        server.login_with("alice", &["batch", "draft/read-marker", "draft/chathistory", "soju.im/search"]).await;
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    database
        .execute_batch("ALTER TABLE markers RENAME TO gone; ALTER TABLE log RENAME TO lost; DROP TABLE search;")
        .expect("broken in three places");
    for (question, expected) in [
        (format!("MARKREAD #lobby {OLD}"), "FAIL MARKREAD INTERNAL_ERROR #lobby"),
        ("MARKREAD #lobby".to_owned(), "FAIL MARKREAD INTERNAL_ERROR #lobby"),
        ("SEARCH text=x".to_owned(), "FAIL SEARCH INTERNAL_ERROR"),
        ("CHATHISTORY LATEST #lobby * 9".to_owned(), "FAIL CHATHISTORY MESSAGE_ERROR LATEST #lobby"),
    ] {
        let answer = alice.ask(&question).await;
        assert!(answer.len() == 1 && answer[0].matches(expected), "{question}: {answer:?}");
    }
}
