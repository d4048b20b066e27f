//! RPL_ISUPPORT, after the login and, with extended-isupport, before it.

use crate::harness::{Client, Line, Server};

fn tokens(lines: &[Line]) -> Vec<String> {
    let rows = lines.iter().filter(|line| line.is("005"));
    rows.flat_map(|line| line.params[1..line.params.len() - 1].to_vec()).collect()
}

/// The lines of a batch `draft/isupport`, which must be all that came.
fn batched(lines: &[Line]) -> &[Line] {
    let (first, last) = (&lines[0], &lines[lines.len() - 1]);
    assert!(first.is("BATCH") && first.param(1) == "draft/isupport", "{lines:?}");
    let reference = first.param(0).strip_prefix('+').expect("an opened batch");
    assert!(last.is("BATCH") && last.param(0).strip_prefix('-') == Some(reference), "{lines:?}");
    let inner = &lines[1..lines.len() - 1];
    assert!(!inner.is_empty() && inner.iter().all(|line| line.is("005") && line.tag("batch") == Some(reference)));
    inner
}

async fn negotiate(server: &Server, caps: &str) -> Client {
    let mut client = server.connect_raw().await;
    client.send(format!("CAP REQ :{caps}")).await;
    client.expect("CAP * ACK").await;
    client
}

#[tokio::test]
async fn every_line_keeps_the_form() {
    let icon = "https://example.org/icon.png?size={size}";
    let server = Server::configure().set("server.icon", icon).set("server.network", "Ours").start().await;
    let alice = server.login("alice").await;
    let rows: Vec<&Line> = alice.greeting.iter().filter(|line| line.is("005")).collect();
    assert!(rows.iter().all(|line| (3..=15).contains(&line.params.len()) && line.param(0) == "alice"), "{rows:?}");
    let tokens = tokens(&alice.greeting);
    for wanted in
        ["NETWORK=Ours", "WHOX", "MONITOR=100", "draft/ACCOUNTREQUIRED", "NAMELEN=150", &format!("draft/ICON={icon}")]
    {
        assert!(tokens.iter().any(|token| token == wanted), "{wanted}: {tokens:?}");
    }
    assert!(tokens.iter().all(|token| token.is_ascii()));
    let mut names: Vec<&str> = tokens.iter().map(|token| token.split('=').next().unwrap_or(token)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "no token twice: {tokens:?}");
}

#[tokio::test]
async fn before_the_login_it_needs_the_capability() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("ISUPPORT").await;
    client.expect("451 *").await;
}

#[tokio::test]
async fn before_the_login_the_whole_list_is_told() {
    let server = Server::start().await;
    let after = tokens(&server.login("alice").await.greeting);
    let mut client = negotiate(&server, "draft/extended-isupport").await;
    let answer = client.query("ISUPPORT").await;
    assert!(answer.iter().all(|line| line.is("005") && line.param(0) == "*"), "{answer:?}");
    assert_eq!(tokens(&answer), after);
    let mut client = negotiate(&server, "batch draft/extended-isupport").await;
    let answer = client.query("ISUPPORT").await;
    assert_eq!(tokens(batched(&answer)), after);
}

#[tokio::test]
async fn in_a_batch_wherever_it_is_told() {
    let server = Server::start().await;
    let mut alice = server.login_with("alice", &["batch", "draft/extended-isupport", "labeled-response"]).await;
    let from = alice.greeting.iter().position(|line| line.is("BATCH")).expect("a batch");
    let to =
        alice.greeting.iter().rposition(|line| line.is("BATCH") && line.param(0).starts_with('-')).expect("its end");
    let all = tokens(&alice.greeting);
    assert_eq!(tokens(batched(&alice.greeting[from..=to])), all, "in the welcome");
    assert_eq!(tokens(batched(&alice.query("ISUPPORT").await)), all);
    assert_eq!(tokens(batched(&alice.query("VERSION").await[1..])), all);
    // With a label: on the batch, if it is all; with something beside it, the batch is within the answer's own.
    let answer = alice.query("@label=x ISUPPORT").await;
    assert_eq!(answer[0].tag("label"), Some("x"));
    batched(&answer);
    let answer = alice.query("@label=x VERSION").await;
    assert!(answer[0].tag("label") == Some("x") && answer[0].param(1) == "labeled-response", "{answer:?}");
    assert_eq!(answer[2].tag("batch"), answer[0].param(0).strip_prefix('+'));
    batched(&answer[2..answer.len() - 1]);
    let mut bob = server.login_with("bob", &["draft/extended-isupport"]).await;
    assert!(bob.query("ISUPPORT").await.iter().all(|line| line.is("005")), "no batch for who knows none");
}

#[tokio::test]
async fn who_comes_without_an_account_is_told_that_one_is_needed() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("NICK guest").await;
    client.send("USER guest 0 * :A guest").await;
    let lines = client.expect_end().await;
    assert!(lines.iter().any(|line| line.matches("FAIL * ACCOUNT_REQUIRED")), "{lines:?}");
}
