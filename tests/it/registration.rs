//! From the first byte to 001: capabilities, SASL, PASS, the forced nick, and what is refused before.

use crate::harness::{Client, Line, MODERN, Server, login_over, password_of, sasl_payload, sasl_plain, welcome};

/// The capabilities of `CAP * LS`, over as many lines as they take.
async fn offered(client: &mut Client, ask: &str) -> Vec<String> {
    let lines = client.ask(ask).await;
    lines
        .iter()
        .filter(|line| line.matches("CAP * LS"))
        .flat_map(|line| line.text().split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

/// No 001 came and the server ended the connection with a reason.
fn assert_turned_away(lines: &[Line]) {
    assert!(!lines.iter().any(|line| line.is("001")), "welcomed: {lines:?}");
    assert!(lines.iter().any(|line| line.is("ERROR")), "no ERROR with the reason: {lines:?}");
}

#[tokio::test]
async fn cap_302_lists_what_the_server_can_with_values() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    let caps = offered(&mut client, "CAP LS 302").await;
    for cap in MODERN {
        assert!(caps.iter().any(|offer| offer.split('=').next() == Some(cap)), "{cap} is missing in {caps:?}");
    }
    let sasl = caps.iter().find(|cap| cap.starts_with("sasl=")).expect("sasl with its mechanisms");
    assert!(sasl["sasl=".len()..].split(',').any(|mechanism| mechanism == "PLAIN"), "{sasl}");
}

#[tokio::test]
async fn cap_ls_of_old_has_no_values() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    let caps = offered(&mut client, "CAP LS").await;
    assert!(caps.contains(&"sasl".to_owned()), "{caps:?}");
    assert!(caps.iter().all(|cap| !cap.contains('=')), "{caps:?}");
}

#[tokio::test]
async fn a_request_is_granted_as_a_whole_or_not_at_all() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    client.send("CAP REQ :server-time nonsense-cap").await;
    let refusal = client.expect("CAP * NAK").await;
    assert!(refusal.text().contains("nonsense-cap"), "{refusal:?}");
    client.send("CAP REQ :server-time batch").await;
    client.expect("CAP * ACK :*server-time*").await;
    client.send("CAP REQ :-batch").await;
    client.expect("CAP * ACK :*-batch*").await;
    client.send("CAP LIST").await;
    let list = client.expect("CAP * LIST").await;
    let list: Vec<&str> = list.text().split_whitespace().collect();
    assert!(list.contains(&"server-time") && !list.contains(&"batch"), "{list:?}");
    client.send("CAP BOGUS").await;
    client.expect_numeric("410").await;
}

#[tokio::test]
async fn capabilities_can_be_changed_after_login() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_with("bob", &["message-tags"]).await;
    bob.send("CAP REQ :server-time").await;
    bob.expect("CAP bob ACK :*server-time*").await;
    alice.send("PRIVMSG #lobby :now with time").await;
    assert!(bob.expect("PRIVMSG #lobby :now with time").await.tag("time").is_some());
}

#[tokio::test]
async fn negotiation_holds_the_welcome_back() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    client.send(format!("PASS {}", password_of("alice"))).await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    client.expect_nothing("001").await;
    client.send("CAP END").await;
    client.expect("001 alice").await;
}

#[tokio::test]
async fn the_welcome_tells_what_a_client_needs() {
    let server = Server::configure().set("server.motd", "Be kind.").start().await;
    let alice = server.login("alice").await;
    for numeric in ["001", "002", "003", "004", "005", "251", "375", "372", "376"] {
        assert!(alice.greeting.iter().any(|line| line.is(numeric)), "{numeric} is missing: {:#?}", alice.greeting);
    }
    assert!(alice.greeting.iter().all(|line| line.source.is_some()), "{:#?}", alice.greeting);
    assert_eq!(alice.greeting[0].nick(), "chat.test");
    let tokens: Vec<&str> = alice
        .greeting
        .iter()
        .filter(|line| line.is("005"))
        .flat_map(|line| line.params[1..line.params.len() - 1].iter().map(String::as_str))
        .collect();
    for token in ["CHANTYPES=#", "PREFIX=(ov)@+", "UTF8ONLY"] {
        assert!(tokens.contains(&token), "{token} is missing: {tokens:?}");
    }
    for key in ["CASEMAPPING=", "NETWORK=", "CHANMODES=", "NICKLEN=", "CHANNELLEN=", "TOPICLEN="] {
        assert!(tokens.iter().any(|token| token.starts_with(key)), "{key} is missing: {tokens:?}");
    }
    assert!(alice.greeting.iter().any(|line| line.is("372") && line.text().contains("Be kind.")));
}

#[tokio::test]
async fn sasl_plain_logs_in() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    client.send("CAP REQ :sasl").await;
    client.expect("CAP * ACK :sasl").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload("alice", "alice", &password_of("alice")))).await;
    let logged_in = client.expect_numeric("900").await;
    assert_eq!(logged_in.param(2), "alice", "{logged_in:?}");
    client.expect_numeric("903").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect_numeric("907").await;
    client.send("CAP END").await;
    client.expect("001 alice").await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_the_same() {
    let server = Server::start().await;
    let (wrong, mut client) = server.try_sasl("alice", "not the word").await;
    let (unknown, _) = server.try_sasl("nobody", "not the word").await;
    assert_eq!((wrong.as_str(), unknown.as_str()), ("904", "904"));
    let answer = sasl_plain(&mut client, "alice", &password_of("alice")).await;
    assert!(answer.is("903"), "a second try with the right password: {answer:?}");
    client.send("CAP END").await;
    client.expect("001 alice").await;
}

#[tokio::test]
async fn a_failed_sasl_does_not_let_in() {
    let server = Server::start().await;
    let (_, mut client) = server.try_sasl("alice", "not the word").await;
    client.send("CAP END").await;
    assert_turned_away(&client.expect_end().await);
}

#[tokio::test]
async fn sasl_can_be_aborted_and_tried_again() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send("AUTHENTICATE *").await;
    client.expect_numeric("906").await;
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"));
}

#[tokio::test]
async fn the_end_of_negotiation_aborts_sasl() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send("CAP END").await;
    client.expect_numeric("906").await;
    client.expect_numeric("464").await;
    client.expect_end().await;
}

#[tokio::test]
async fn sasl_refuses_what_it_cannot_use() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("AUTHENTICATE MAGIC").await;
    let mechanisms = client.expect_numeric("908").await;
    assert!(mechanisms.params.iter().any(|param| param.split(',').any(|name| name == "PLAIN")), "{mechanisms:?}");
    client.expect_numeric("904").await;

    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", "A".repeat(401))).await;
    client.expect_numeric("905").await;

    for payload in ["!!!not base64!!!", "AAAA", "YWxpY2U="] {
        client.send("AUTHENTICATE PLAIN").await;
        client.expect("AUTHENTICATE +").await;
        client.send(format!("AUTHENTICATE {payload}")).await;
        client.expect_numeric("904").await;
    }

    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload("bob", "alice", &password_of("alice")))).await;
    client.expect_numeric("904").await;
}

#[tokio::test]
async fn a_long_sasl_payload_comes_in_pieces_of_400() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    // A payload of exactly 400 characters: the empty rest has to follow as "+".
    let payload = sasl_payload("", "alice", &"x".repeat(293));
    assert_eq!(payload.len(), 400);
    client.send(format!("AUTHENTICATE {payload}")).await;
    client.expect_nothing("904").await;
    client.send("AUTHENTICATE +").await;
    client.expect_numeric("904").await;

    // Without end it is refused, not kept.
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    for _ in 0..100 {
        client.send(format!("AUTHENTICATE {}", "A".repeat(400))).await;
    }
    client.expect_numeric("904|905").await;
}

#[tokio::test]
async fn pass_with_account_and_password() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send(format!("PASS alice:{}", password_of("alice"))).await;
    client.send("NICK somebody").await;
    client.send("USER x 0 * :X").await;
    client.expect("001 alice").await;
}

#[tokio::test]
async fn pass_alone_takes_the_nick_as_account() {
    let server = Server::start().await;
    let alice = server.login_plain("alice").await;
    assert!(alice.greeting[0].matches("001 alice"));
}

#[tokio::test]
async fn a_wrong_pass_ends_it() {
    let server = Server::start().await;
    for pass in ["wrong", "alice:wrong", "nobody:wrong"] {
        let mut client = server.connect_raw().await;
        client.send(format!("PASS {pass}")).await;
        client.send("NICK alice").await;
        client.send("USER alice 0 * :Alice").await;
        let lines = client.expect_end().await;
        assert!(lines.iter().any(|line| line.is("464")), "{pass}: {lines:?}");
        assert_turned_away(&lines);
    }
}

#[tokio::test]
async fn nobody_comes_in_without_logging_in() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("NICK alice").await;
    client.send("USER alice 0 * :Alice").await;
    assert_turned_away(&client.expect_end().await);
}

#[tokio::test]
async fn the_nick_is_the_account() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK zorro").await;
    client.send("USER zorro 0 * :Zorro").await;
    assert!(sasl_plain(&mut client, "alice", &password_of("alice")).await.is("903"));
    client.send("CAP END").await;
    let mut alice = welcome(client).await;
    assert!(alice.greeting[0].matches("001 alice"), "{:?}", alice.greeting[0]);

    let answer = alice.ask("NICK zorro").await;
    assert!(answer.iter().any(Line::is_error), "{answer:?}");
    assert!(!answer.iter().any(|line| line.matches("NICK zorro")), "{answer:?}");
    let answer = alice.ask("NICK alice").await;
    assert!(!answer.iter().any(Line::is_error), "one's own nick is no error: {answer:?}");
}

#[tokio::test]
async fn account_names_do_not_care_for_case() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK ALICE").await;
    client.send("USER alice 0 * :Alice").await;
    assert!(sasl_plain(&mut client, "ALICE", &password_of("alice")).await.is("903"));
    client.send("CAP END").await;
    client.expect("001 alice").await;
}

#[tokio::test]
async fn before_login_nothing_works_but_registration() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut client = server.connect_raw().await;
    for command in
        ["JOIN #lobby", "PRIVMSG #lobby :hi", "WHO #lobby", "LIST", "NAMES #lobby", "TOPIC #lobby", "WHOIS alice"]
    {
        client.send(command).await;
        client.expect_numeric("451").await;
    }
    client.send("PING :still here").await;
    client.expect("PONG * :still here").await;
    client.send("QUIT :bye").await;
    assert_turned_away(&client.expect_end().await);
    assert!(bob.hears().await.is_empty() && server.said("#lobby").is_empty());
}

#[tokio::test]
async fn registration_wants_its_parameters_and_only_once() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("NICK").await;
    client.expect_numeric("431").await;
    client.send("USER alice").await;
    client.expect_numeric("461").await;
    client.send("PASS").await;
    client.expect_numeric("461").await;
    let mut alice = login_over(client, "alice", &[]).await;
    alice.send("USER alice 0 * :Alice").await;
    alice.expect_numeric("462").await;
    alice.send("PASS again").await;
    alice.expect_numeric("462").await;
}

#[tokio::test]
async fn names_in_other_scripts() {
    let server = Server::configure().users(["王小明", "zoë"]).start().await;
    let wang = server.login("王小明").await;
    assert!(wang.greeting[0].matches("001 王小明"), "{:?}", wang.greeting[0]);
    let mut zoe = server.login("zoë").await;
    zoe.send("PRIVMSG 王小明 :你好").await;
    let mut wang = wang;
    wang.expect_from("zoë", "PRIVMSG 王小明 :你好").await;
}

/// The hash of a password is made anew with other settings at the first login; whoever logs in meanwhile is let in.
#[tokio::test]
async fn stronger_hashes_are_made_at_login() {
    let mut server = Server::start().await;
    server.login("alice").await.quit("").await;
    server.reconfigure("auth.argon2_iterations", 2);
    server.restart().await;
    let (mut one, mut two, mut three) =
        tokio::join!(server.login("alice"), server.login("alice"), server.login("alice"));
    for device in [&mut one, &mut two, &mut three] {
        device.sync().await;
    }
    server.login("alice").await.sync().await;
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    let hash: String =
        database.query_row("SELECT hash FROM accounts WHERE name = 'alice'", [], |row| row.get(0)).expect("alice");
    assert!(hash.contains("t=2"), "{hash}");
}
