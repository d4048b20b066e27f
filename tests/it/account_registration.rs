//! `draft/account-registration`: newcomers make accounts for themselves, where the configuration lets them, with and
//! without the code of an invitation.

use crate::harness::{Client, Line, Server, Setup, eventually, sasl_plain, welcome};

const CAP: &str = "draft/account-registration";

fn open() -> Setup {
    Server::configure().set("auth.registration", "open")
}

fn invite() -> Setup {
    Server::configure().set("auth.registration", "invite")
}

/// A newcomer's connection, as far as the name.
async fn newcomer(server: &Server, nick: &str) -> Client {
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    client.expect("CAP * LS").await;
    client.send(format!("CAP REQ :{CAP} batch")).await;
    client.expect("CAP * ACK").await;
    client.send(format!("NICK {nick}")).await;
    client
}

/// Says a line and waits for what came of it.
async fn ask(client: &mut Client, line: &str) -> Line {
    client.send(line).await;
    client.expect("FAIL|REGISTER|VERIFY|461").await
}

/// FAIL with these parameters, and words for a person.
#[track_caller]
fn is_fail(line: &Line, params: [&str; 3]) {
    assert!(line.is("FAIL") && line.params.len() == 4, "{line:?}");
    assert_eq!(line.params[..3], params, "{line:?}");
    assert!(!line.text().is_empty(), "{line:?}");
}

async fn finish(mut client: Client, nick: &str) -> Client {
    client.send(format!("USER {nick} 0 * :{nick}")).await;
    client.send("CAP END").await;
    welcome(client).await
}

async fn capability(client: &mut Client) -> Option<String> {
    let lines = client.ask("CAP LS 302").await;
    let mut words =
        lines.iter().filter(|line| line.matches("CAP * LS")).flat_map(|line| line.text().split_whitespace());
    words.find(|word| word.starts_with(CAP)).map(str::to_owned)
}

fn code(server: &Server, args: &[&str]) -> String {
    let args: Vec<&str> = ["invite", "new"].iter().chain(args).copied().collect();
    server.chatd(&args).ok().trim().to_owned()
}

#[tokio::test]
async fn the_capability_is_listed_where_it_works_and_says_before_connect() {
    for (setup, value) in
        [(Server::configure(), None), (invite(), Some("before-connect")), (open(), Some("before-connect"))]
    {
        let server = setup.start().await;
        let mut client = server.connect_raw().await;
        assert_eq!(capability(&mut client).await, value.map(|value| format!("{CAP}={value}")));
        client.send(format!("CAP REQ :{CAP}")).await;
        client.expect(if value.is_some() { "CAP * ACK" } else { "CAP * NAK" }).await;
    }
}

#[tokio::test]
async fn register_success_logs_in() {
    let server = open().start().await;
    let mut bob = server.login("bob").await;
    let mut client = newcomer(&server, "Erin").await;
    let answer = ask(&mut client, "REGISTER * * :a long password").await;
    assert_eq!(answer.params[..2], ["SUCCESS", "Erin"], "{answer:?}");
    client.expect("900 Erin Erin!Erin@chat.test Erin :*").await;
    let mut erin = finish(client, "Erin").await;
    assert!(erin.greeting[0].matches("001 Erin"));
    assert!(erin.greeting.iter().any(|line| line.matches("JOIN #lobby")), "a newcomer enters the lobby");
    erin.send("PRIVMSG #lobby :I am new").await;
    bob.expect_from("Erin", "PRIVMSG #lobby :I am new").await;

    let (answer, _) = server.try_sasl("erin", "a long password").await;
    assert_eq!(answer, "903", "the account is there");
    let log = server.log().text();
    assert!(log.contains("account registered") && !log.contains("a long password"), "{log}");
}

#[tokio::test]
async fn register_by_name_with_an_address_that_is_not_kept() {
    let server = open().start().await;
    let mut client = newcomer(&server, "erin").await;
    let answer = ask(&mut client, "REGISTER ERIN erin@example.org password-of-erin").await;
    assert_eq!(answer.params[..2], ["SUCCESS", "ERIN"], "{answer:?}");
    let database = std::fs::read(server.data_dir().join("chat.db")).expect("the database");
    let wal = std::fs::read(server.data_dir().join("chat.db-wal")).unwrap_or_default();
    for bytes in [database, wal] {
        assert!(!bytes.windows(16).any(|bytes| bytes == b"erin@example.org"));
        assert!(!bytes.windows(16).any(|bytes| bytes == b"password-of-erin"));
    }
}

#[tokio::test]
async fn register_wants_its_parameters() {
    let server = open().start().await;
    let mut client = newcomer(&server, "erin").await;
    for line in ["REGISTER", "REGISTER * *", "REGISTER * * :", "VERIFY", "VERIFY erin"] {
        assert!(ask(&mut client, line).await.is("461"), "{line}");
    }
}

#[tokio::test]
async fn need_nick() {
    let server = open().start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    for account in ["*", "alice"] {
        let answer = ask(&mut client, &format!("REGISTER {account} * long-password")).await;
        is_fail(&answer, ["REGISTER", "NEED_NICK", "*"]);
    }
}

#[tokio::test]
async fn account_exists() {
    let server = open().start().await;
    server.chatd(&["user", "remove", "dave", "--yes"]).ok();
    for name in ["alice", "ALICE", "dave"] {
        let mut client = newcomer(&server, name).await;
        let answer = ask(&mut client, "REGISTER * * long-password").await;
        is_fail(&answer, ["REGISTER", "ACCOUNT_EXISTS", name]);
    }
}

#[tokio::test]
async fn bad_account_name() {
    let server = open().start().await;
    // The server's own, a look-alike of it and of an account, and what is no name.
    for name in ["chatd", "ChatD", "сhatd", "aIice", "-alice"] {
        let mut client = newcomer(&server, name).await;
        let answer = ask(&mut client, "REGISTER * * long-password").await;
        is_fail(&answer, ["REGISTER", "BAD_ACCOUNT_NAME", name]);
        let answer = ask(&mut client, &format!("REGISTER {name} * long-password")).await;
        is_fail(&answer, ["REGISTER", "BAD_ACCOUNT_NAME", name]);
    }
}

#[tokio::test]
async fn account_name_must_be_nick() {
    let server = open().start().await;
    let mut client = newcomer(&server, "erin").await;
    let answer = ask(&mut client, "REGISTER frank * long-password").await;
    is_fail(&answer, ["REGISTER", "ACCOUNT_NAME_MUST_BE_NICK", "frank"]);
    client.send("NICK frank").await;
    assert!(ask(&mut client, "REGISTER frank * long-password").await.is("REGISTER"));
}

#[tokio::test]
async fn already_authenticated() {
    let server = open().start().await;
    let mut client = newcomer(&server, "alice").await;
    client.send("CAP REQ :sasl").await;
    client.expect("CAP * ACK").await;
    assert!(sasl_plain(&mut client, "alice", "the-word-of-alice").await.is("903"));
    let answer = ask(&mut client, "REGISTER * * long-password").await;
    is_fail(&answer, ["REGISTER", "ALREADY_AUTHENTICATED", "alice"]);
    is_fail(&ask(&mut client, "VERIFY erin x").await, ["VERIFY", "ALREADY_AUTHENTICATED", "erin"]);
    let mut alice = finish(client, "alice").await;
    is_fail(&ask(&mut alice, "REGISTER erin * pw").await, ["REGISTER", "ALREADY_AUTHENTICATED", "erin"]);
    is_fail(&ask(&mut alice, "REGISTER * * pw").await, ["REGISTER", "ALREADY_AUTHENTICATED", "alice"]);
    is_fail(&ask(&mut alice, "VERIFY alice x").await, ["VERIFY", "ALREADY_AUTHENTICATED", "alice"]);
    for line in ["REGISTER *", "VERIFY alice"] {
        assert!(ask(&mut alice, line).await.is("461"), "{line}");
    }
}

#[tokio::test]
async fn weak_and_unacceptable_passwords() {
    let server = open().start().await;
    let mut client = newcomer(&server, "erin").await;
    let answer = ask(&mut client, "REGISTER * * short").await;
    is_fail(&answer, ["REGISTER", "WEAK_PASSWORD", "erin"]);
    let answer = ask(&mut client, "REGISTER * * :long but with \u{7} in it").await;
    is_fail(&answer, ["REGISTER", "UNACCEPTABLE_PASSWORD", "erin"]);
    assert!(ask(&mut client, "REGISTER * * long-password").await.is("REGISTER"), "and may try again");
}

#[tokio::test]
async fn temporarily_unavailable_where_it_is_closed() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP LS 302").await;
    client.send("NICK erin").await;
    let answer = ask(&mut client, "REGISTER * * long-password").await;
    is_fail(&answer, ["REGISTER", "TEMPORARILY_UNAVAILABLE", "erin"]);
    is_fail(&ask(&mut client, "VERIFY erin x").await, ["VERIFY", "TEMPORARILY_UNAVAILABLE", "erin"]);
    assert!(!server.chatd(&["user", "list"]).ok().contains("erin"));
}

#[tokio::test]
async fn an_address_may_ask_for_so_many_accounts() {
    let server = open().set("limits.registrations_per_hour", 2).start().await;
    for name in ["erin", "frank"] {
        let mut client = newcomer(&server, name).await;
        // What is refused at once costs nothing.
        assert!(ask(&mut client, "REGISTER * * short").await.is("FAIL"));
        assert!(ask(&mut client, "REGISTER * * long-password").await.is("REGISTER"));
    }
    let mut client = newcomer(&server, "grace").await;
    let answer = ask(&mut client, "REGISTER * * long-password").await;
    is_fail(&answer, ["REGISTER", "TEMPORARILY_UNAVAILABLE", "grace"]);
}

#[tokio::test]
async fn verification_required_takes_the_code_of_an_invitation() {
    let server = invite().start().await;
    let code = code(&server, &[]);
    let mut client = newcomer(&server, "erin").await;
    let answer = ask(&mut client, "REGISTER * * long-password").await;
    assert_eq!(answer.params[..2], ["VERIFICATION_REQUIRED", "erin"], "{answer:?}");
    assert!(!server.chatd(&["user", "list"]).ok().contains("erin"), "nothing is made before");
    is_fail(&ask(&mut client, "VERIFY erin wrong-code").await, ["VERIFY", "INVALID_CODE", "erin"]);
    is_fail(&ask(&mut client, &format!("VERIFY frank {code}")).await, ["VERIFY", "INVALID_CODE", "frank"]);
    let answer = ask(&mut client, &format!("VERIFY ERIN {}", code.to_uppercase())).await;
    assert_eq!(answer.params[..2], ["SUCCESS", "erin"], "{answer:?}");
    client.expect("900 erin erin!erin@chat.test erin :*").await;
    let erin = finish(client, "erin").await;
    assert!(erin.greeting[0].matches("001 erin"));
    assert_eq!(server.try_sasl("erin", "long-password").await.0, "903");

    let mut client = newcomer(&server, "frank").await;
    ask(&mut client, "REGISTER * * long-password").await;
    let answer = ask(&mut client, &format!("VERIFY frank {code}")).await;
    is_fail(&answer, ["VERIFY", "INVALID_CODE", "frank"]);
    let log = server.log().text();
    assert!(!log.contains(&code) && !log.contains("long-password"), "{log}");
}

#[tokio::test]
async fn the_login_waits_for_the_code() {
    let server = invite().start().await;
    let code = code(&server, &[]);
    let mut client = newcomer(&server, "erin").await;
    ask(&mut client, "REGISTER * * long-password").await;
    client.send("USER erin 0 * :Erin").await;
    client.send("CAP END").await;
    client.expect_nothing("001|ERROR").await;
    client.send(format!("VERIFY erin {code}")).await;
    client.expect("VERIFY SUCCESS erin").await;
    assert!(welcome(client).await.greeting.iter().any(|line| line.matches("001 erin")));
}

#[tokio::test]
async fn codes_have_uses_and_an_end() {
    let server = invite().start().await;
    let twice = code(&server, &["--uses", "2", "--expires", "never"]);
    let over = code(&server, &["--expires", "1ms"]);
    let mut answers = Vec::new();
    for (name, code) in [("erin", &over), ("frank", &twice), ("grace", &twice), ("heidi", &twice)] {
        let mut client = newcomer(&server, name).await;
        ask(&mut client, "REGISTER * * long-password").await;
        answers.push(ask(&mut client, &format!("VERIFY {name} {code}")).await.params[..2].join(" "));
    }
    assert_eq!(answers, ["VERIFY INVALID_CODE", "SUCCESS frank", "SUCCESS grace", "VERIFY INVALID_CODE"]);
    let listed = server.chatd(&["invite", "list", "--json"]).ok();
    let mut listed: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    listed.sort_by_key(|row| row["uses"].as_u64());
    assert_eq!((&listed[0]["used"], &listed[0]["good"]), (&0.into(), &false.into()), "{listed:?}");
    assert_eq!((&listed[1]["used"], &listed[1]["good"]), (&2.into(), &false.into()), "{listed:?}");
    assert!(listed[1]["expires"].is_null() && listed[0]["expires"].is_string());
}

#[tokio::test]
async fn whoever_was_faster_has_the_name_and_the_last_use() {
    let server = invite().start().await;
    let code = code(&server, &[]);
    let mut one = newcomer(&server, "erin").await;
    let mut two = newcomer(&server, "erin").await;
    for client in [&mut one, &mut two] {
        assert!(ask(client, "REGISTER * * long-password").await.is("REGISTER"));
    }
    assert!(ask(&mut one, &format!("VERIFY erin {code}")).await.is("VERIFY"));
    let answer = ask(&mut two, &format!("VERIFY erin {code}")).await;
    is_fail(&answer, ["VERIFY", "INVALID_CODE", "erin"]);
    let other = self::code(&server, &[]);
    let answer = ask(&mut two, &format!("VERIFY erin {other}")).await;
    is_fail(&answer, ["VERIFY", "ACCOUNT_EXISTS", "erin"]);
}

#[tokio::test]
async fn who_guesses_codes_is_cut_off() {
    let server = invite().start().await;
    let mut client = newcomer(&server, "erin").await;
    ask(&mut client, "REGISTER * * long-password").await;
    for n in 0..5 {
        client.send(format!("VERIFY erin code-number-{n}")).await;
    }
    let lines = client.expect_end().await;
    assert_eq!(lines.iter().filter(|line| line.matches("FAIL VERIFY INVALID_CODE")).count(), 5);
    assert!(lines.last().is_some_and(|line| line.is("ERROR")));
}

#[tokio::test]
async fn a_code_is_made_listed_and_removed_with_the_server_running_or_not() {
    let server = Server::configure().prepare();
    assert!(server.chatd(&["invite", "list"]).ok().contains("no invitations"));
    let made = server.chatd(&["invite", "new", "--uses", "3", "--json"]);
    assert!(made.stderr.contains("registration"), "it is of no use yet, and that is said: {}", made.stderr);
    let made: serde_json::Value = serde_json::from_str(&made.ok()).expect("JSON");
    let (id, code) = (made["id"].as_str().expect("an id"), made["code"].as_str().expect("a code"));
    assert_eq!((&made["uses"], made["expires"].is_string()), (&3.into(), true));
    let listed = server.chatd(&["invite", "list"]).ok();
    assert!(listed.contains(id) && listed.contains("0 of 3") && !listed.contains(code), "{listed}");
    let database = std::fs::read(server.data_dir().join("chat.db")).expect("the database");
    assert!(!database.windows(code.len()).any(|bytes| bytes == code.as_bytes()), "the code is kept nowhere");
    server.chatd(&["invite", "remove", id]).ok();
    server.chatd(&["invite", "remove", id]).fails(1);
    for bad in [["--uses", "0"], ["--expires", "soon"], ["--expires", "0s"], ["--uses", "many"]] {
        server.chatd(&["invite", "new", bad[0], bad[1]]).fails(2);
    }
}

#[tokio::test]
async fn a_changed_configuration_counts_at_once() {
    let mut server = open().start().await;
    let mut client = newcomer(&server, "erin").await;
    server.reconfigure("auth.registration", "closed");
    server.sighup();
    eventually("the new configuration", async || {
        let mut other = server.connect_raw().await;
        capability(&mut other).await.is_none().then_some(())
    })
    .await;
    let answer = ask(&mut client, "REGISTER * * long-password").await;
    is_fail(&answer, ["REGISTER", "TEMPORARILY_UNAVAILABLE", "erin"]);
}

#[tokio::test]
async fn an_account_that_was_made_survives_a_crash() {
    let mut server = open().start().await;
    let mut client = newcomer(&server, "erin").await;
    assert!(ask(&mut client, "REGISTER * * long-password").await.is("REGISTER"));
    server.kill9();
    server.boot().await;
    assert_eq!(server.try_sasl("erin", "long-password").await.0, "903");
}
