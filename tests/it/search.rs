//! SEARCH, clause by clause: <https://codeberg.org/emersion/soju/src/branch/master/doc/ext/search.md>.

use crate::chathistory::batch;
use crate::harness::{Client, Server};

const SEARCH: &[&str] =
    &["message-tags", "server-time", "batch", "echo-message", "labeled-response", "account-tag", "soju.im/search"];

async fn found(client: &mut Client, attributes: &str) -> Vec<String> {
    let answer = client.ask(&format!("SEARCH {attributes}")).await;
    batch(&answer, "soju.im/search", &[]).iter().map(|line| line.text().to_owned()).collect()
}

/// Said in one breath, with one time for many: pages by message leave nothing out and tell nothing twice.
#[tokio::test]
async fn pages_go_by_message_where_time_cannot_tell() {
    let server = Server::configure().set("limits.message_burst", 1000).start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    let burst: String = (0..90).map(|n| format!("PRIVMSG #lobby :tea {n}\r\n")).collect();
    alice.send_bytes(burst.as_bytes()).await;
    alice.sync().await;
    let mut read = Vec::new();
    let mut older = String::new();
    loop {
        let answer = alice.ask(&format!("SEARCH text=tea;limit=7{older}")).await;
        let page = batch(&answer, "soju.im/search", &[]);
        let Some(oldest) = page.first() else { break };
        older = format!(";chatd/older-than={}", oldest.tag("msgid").expect("an id"));
        read.splice(0..0, page.iter().map(|line| line.text().to_owned()));
    }
    assert_eq!(read, (0..90).map(|n| format!("tea {n}")).collect::<Vec<_>>());
    let answer = alice.ask("SEARCH text=tea;chatd/older-than=?").await;
    assert!(answer.iter().any(|line| line.matches("FAIL SEARCH INVALID_PARAMS chatd/older-than *")), "{answer:?}");
}

#[tokio::test]
async fn every_attribute_must_hold() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    let mut bob = server.login_with("bob", SEARCH).await;
    alice.send("JOIN #other").await;
    alice.expect("366 * #other").await;
    let lines = alice.say_each("#lobby", &["good morning", "好朋友来了", "good night"]).await;
    alice.say_each("#other", &["good luck"]).await;
    bob.say_each("#lobby", &["good for you"]).await;
    bob.say_each("alice", &["a good secret"]).await;
    alice.say_each("bob", &["no good"]).await;
    let (first, last) = (lines[0].tag("time").expect("a time"), lines[2].tag("time").expect("a time"));
    for (attributes, expected) in [
        (
            "text=good".to_owned(),
            &["good morning", "good night", "good luck", "good for you", "a good secret", "no good"][..],
        ),
        ("text=GOOD\\snight".to_owned(), &["good night"]),
        ("text=朋友".to_owned(), &["好朋友来了"]),
        ("in=#lobby;text=good".to_owned(), &["good morning", "good night", "good for you"]),
        ("in=#LOBBY;text=good;from=BOB".to_owned(), &["good for you"]),
        ("from=bob".to_owned(), &["good for you", "a good secret"]),
        ("in=bob".to_owned(), &["a good secret", "no good"]),
        ("in=bob;from=alice".to_owned(), &["no good"]),
        ("text=good;limit=2".to_owned(), &["a good secret", "no good"]),
        (format!("after={last};limit=2"), &["good night", "good luck"]),
        (format!("before={last};in=#lobby"), &["good morning", "好朋友来了", "good night"]),
        (format!("before={last};in=#lobby;limit=1"), &["good night"]),
        (format!("after={first};before={last};text=good"), &["good morning", "good night"]),
        ("text=nowhere".to_owned(), &[]),
        ("text=good;limit=0".to_owned(), &[]),
        ("text=...".to_owned(), &[]),
        ("from=nobody".to_owned(), &[]),
        ("from=no,body".to_owned(), &[]),
        ("unknown=x;text=luck".to_owned(), &["good luck"]),
        ("before=2010-01-01T00:00:00.000Z;in=#lobby".to_owned(), &[]),
    ] {
        assert_eq!(found(&mut alice, &attributes).await, expected, "{attributes}");
    }
}

#[tokio::test]
async fn lines_are_as_they_were_live() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    alice.send("@+draft/reply=xyz PRIVMSG #lobby :findable").await;
    let mut live = vec![alice.expect("PRIVMSG #lobby").await.raw];
    alice.send("NOTICE bob :findable too").await;
    live.push(alice.expect("NOTICE bob").await.raw);
    let answer = alice.ask("SEARCH text=findable").await;
    let past: Vec<String> = batch(&answer, "soju.im/search", &[]).into_iter().map(|line| line.raw).collect();
    assert_eq!(past, live);
}

#[tokio::test]
async fn only_what_the_asker_may_read() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    let mut root = server.login_with("root", SEARCH).await;
    for (room, mode) in [("#open", ""), ("#secret", "+s")] {
        alice.send(format!("JOIN {room}")).await;
        alice.expect(format!("366 * {room}")).await;
        alice.send(format!("MODE {room} {mode}")).await;
        alice.say_each(room, &["the treasure"]).await;
    }
    alice.say_each("bob", &["the treasure"]).await;
    assert_eq!(found(&mut alice, "text=treasure").await.len(), 3);
    for attributes in
        ["text=treasure", "text=treasure;in=#open", "text=treasure;in=#secret", "text=treasure;in=#nowhere", "in=alice"]
    {
        assert_eq!(found(&mut root, attributes).await, [""; 0], "{attributes}");
    }
    let mut bob = server.login_with("bob", SEARCH).await;
    assert_eq!(found(&mut bob, "text=treasure").await.len(), 1);
    alice.send("PART #open").await;
    alice.expect("PART #open").await;
    assert_eq!(found(&mut alice, "text=treasure").await.len(), 2, "not after leaving");
}

#[tokio::test]
async fn an_answer_is_one_batch_with_the_label() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    alice.say_each("#lobby", &["one", "two"]).await;
    for (attributes, lines) in [("in=#lobby", 2), ("text=one", 1), ("text=three", 0)] {
        let answer = alice.ask(&format!("@label=x SEARCH {attributes}")).await;
        assert_eq!(answer.len(), lines + 2, "{answer:#?}");
        assert_eq!(answer[0].tag("label"), Some("x"));
        assert!(answer[1..].iter().all(|line| line.tag("label").is_none()), "{answer:#?}");
    }
}

#[tokio::test]
async fn limited_functionality_without_the_related_capabilities() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    alice.say_each("#lobby", &["hello"]).await;
    let mut bob = server.login_with("bob", &["soju.im/search"]).await;
    let answer = bob.ask("SEARCH text=hello").await;
    assert!(answer.len() == 1 && answer[0].matches(":alice PRIVMSG #lobby :[20*] hello"), "{answer:?}");
    let mut carol = server.login("carol").await;
    let answer = carol.ask("SEARCH text=hello").await;
    assert!(
        answer.len() == 1 && answer[0].matches("421 carol SEARCH"),
        "the capability must be negotiated: {answer:?}"
    );
}

#[tokio::test]
async fn what_is_not_understood_is_invalid_params() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    for (question, context) in [
        ("SEARCH", None),
        ("SEARCH text=a b", None),
        ("SEARCH limit=many", Some("limit")),
        ("SEARCH limit=-1", Some("limit")),
        ("SEARCH text=x;before=yesterday", Some("before")),
        ("SEARCH after=", Some("after")),
    ] {
        let answer = alice.ask(question).await;
        assert_eq!(answer.len(), 1, "{answer:?}");
        let params = &answer[0].params;
        assert!(answer[0].is("FAIL") && params[..2] == ["SEARCH", "INVALID_PARAMS"], "{answer:?}");
        let expected: Vec<&str> = context.into_iter().collect();
        assert_eq!(params[2..params.len() - 1], expected, "{answer:?}");
    }
}

/// The index comes behind the log, by a second or so; nobody is to notice, and a crash in between loses nothing of it.
#[tokio::test]
async fn what_was_said_just_now_is_found_and_after_a_crash_too() {
    let mut server = Server::configure().set("limits.message_burst", 2000).start().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    let many: String = (0..700).map(|n| format!("PRIVMSG #lobby :cup {n}\r\n")).collect();
    alice.send_bytes(many.as_bytes()).await;
    alice.sync().await;
    alice.say_each("#lobby", &["a kettle", "两杯茶"]).await;
    assert_eq!(found(&mut alice, "text=kettle").await, ["a kettle"]);
    server.kill9();
    server.boot().await;
    let mut alice = server.login_with("alice", SEARCH).await;
    for (text, expected) in [("kettle", "a kettle"), ("杯茶", "两杯茶"), ("cup\\s699", "cup 699"), ("cup\\s3", "cup 3")]
    {
        assert!(found(&mut alice, &format!("text={text};limit=100")).await.contains(&expected.to_owned()), "{text}");
    }
    let story = server.chatd(&["history", "#lobby", "--search", "kettle"]);
    assert!(story.stdout.contains("a kettle"), "{story:?}");
}
