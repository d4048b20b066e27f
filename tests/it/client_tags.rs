//! Client-only tags: which are relayed, which are kept, which are denied (`CLIENTTAGDENY`).
//! <https://ircv3.net/specs/extensions/message-tags>

use crate::harness::{Line, Server};

/// Everything that stands in the room's log: `kind text`.
fn kinds(server: &Server, room: &str) -> Vec<String> {
    let printed = server.chatd(&["history", room, "--all", "--format", "csv"]).ok();
    let columns = |line: &str| line.splitn(6, ',').nth(5).map(|rest| rest.replacen(',', " ", 1));
    printed.lines().filter_map(columns).collect()
}

#[tokio::test]
async fn reactions_and_replies_are_kept_and_typing_is_not() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    for tags in
        ["+typing=active", "+draft/typing=paused", "+draft/react=👍;+draft/reply=abc", "+draft/unreact=👍;+reply=abc"]
    {
        alice.send(format!("@{tags} TAGMSG #lobby")).await;
        let (key, value) = tags.split(';').next().unwrap().split_once('=').unwrap();
        let heard = bob.expect(":alice TAGMSG #lobby").await;
        assert_eq!(heard.tag(key), Some(value), "{heard:?}");
        let echo = alice.expect(":alice TAGMSG #lobby").await;
        assert_eq!(echo.tag("msgid"), heard.tag("msgid"));
        assert!(heard.tag("msgid").is_some(), "{heard:?}");
    }
    alice.send("@+draft/reply=abc PRIVMSG #lobby :an answer").await;
    assert_eq!(bob.expect("PRIVMSG #lobby").await.tag("+draft/reply"), Some("abc"));
    let kept = kinds(&server, "#lobby");
    let kept: Vec<&str> = kept.iter().map(String::as_str).filter(|entry| !entry.starts_with("join")).collect();
    assert_eq!(
        kept[kept.len() - 3..],
        ["tags +draft/react=👍;+draft/reply=abc", "tags +draft/unreact=👍;+reply=abc", "message an answer"]
    );
    assert!(!kept.iter().any(|entry| entry.contains("typing")), "{kept:?}");
}

#[tokio::test]
async fn tags_are_relayed_as_they_came_and_each_once() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    alice.send("@+a=1;+vendor.example/b=x\\:y;plain=2;+a=3;+empty= PRIVMSG #lobby :hi").await;
    let heard = bob.expect("PRIVMSG #lobby :hi").await;
    let client: Vec<_> = heard.tags.iter().filter(|(key, _)| !["time", "msgid", "account"].contains(&&**key)).collect();
    let expected = [("+vendor.example/b", "x;y"), ("+a", "3"), ("+empty", "")];
    assert_eq!(client.iter().map(|(key, value)| (&**key, &**value)).collect::<Vec<_>>(), expected, "{heard:?}");
    // A direct message that belongs to a channel.
    alice.send("@+draft/channel-context=#lobby PRIVMSG bob :about that").await;
    assert_eq!(bob.expect("PRIVMSG bob").await.tag("+draft/channel-context"), Some("#lobby"));
}

#[tokio::test]
async fn the_most_tags_are_4094_bytes_and_one_more_is_417() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    let value = "a".repeat(4094 - "foo=bar;+baz=".len());
    alice.send(format!("@foo=bar;+baz={value} TAGMSG #lobby")).await;
    let (echo, heard) = (alice.expect("TAGMSG #lobby").await, bob.expect("TAGMSG #lobby").await);
    assert_eq!((echo.tag("+baz"), heard.tag("+baz")), (Some(&*value), Some(&*value)));
    assert!(heard.tag("msgid").is_some() && heard.tag("msgid") == echo.tag("msgid"));
    for command in ["TAGMSG #lobby", "PRIVMSG #lobby :x"] {
        alice.send(format!("@foo=bar;+baz={value}a {command}")).await;
        assert_eq!(alice.expect_numeric("417").await.text(), "Input line was too long");
    }
    bob.expect_nothing("TAGMSG|PRIVMSG").await;
}

#[tokio::test]
async fn denied_tags_are_dropped_without_a_word() {
    let server = Server::configure().set("messages.client_tag_deny", ["typing", "x"]).start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    let tokens = alice.greeting.iter().filter(|line| line.is("005"));
    assert!(tokens.clone().any(|line| line.params.contains(&"CLIENTTAGDENY=typing,x".to_owned())));
    alice.send("@+typing=active TAGMSG #lobby").await;
    alice.send("@label=1;+x=1 TAGMSG #lobby").await;
    assert_eq!(alice.expect("ACK").await.tag("label"), Some("1"), "nothing is left of it");
    alice.send("@+x=1;+draft/reply=abc PRIVMSG #lobby :hi").await;
    alice.sync().await;
    let lines = bob.sync().await;
    let lines: Vec<&Line> = lines.iter().filter(|line| line.is("TAGMSG") || line.is("PRIVMSG")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((lines[0].tag("+x"), lines[0].tag("+draft/reply")), (None, Some("abc")));
}

#[tokio::test]
async fn all_tags_but_some_can_be_denied() {
    let server = Server::configure().set("messages.client_tag_deny", ["*", "-draft/react"]).start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    assert!(alice.greeting.iter().any(|line| line.params.contains(&"CLIENTTAGDENY=*,-draft/react".to_owned())));
    alice.send("@+draft/react=x;+reply=abc TAGMSG #lobby").await;
    let heard = bob.expect("TAGMSG #lobby").await;
    assert_eq!((heard.tag("+draft/react"), heard.tag("+reply")), (Some("x"), None));
    let plain = Server::start().await;
    let carol = plain.login("carol").await;
    assert!(!carol.greeting.iter().any(|line| line.raw.contains("CLIENTTAGDENY")), "no token, no denial");
}

#[tokio::test]
async fn wrong_words_are_a_fault_of_the_configuration() {
    let server = Server::configure().set("messages.client_tag_deny", ["+typing"]).prepare();
    let complaint = server.chatd(&["config", "check"]).fails(2);
    assert!(complaint.contains("client_tag_deny") && complaint.contains("without \"+\""), "{complaint}");
}
