//! Tokens that let a device in without the account's password: how one is made, what it is good for, and its end.

use crate::harness::{Client, MODERN, Server, login_over, password_of, sasl_payload};

/// The lines that the service answers with, as JSON.
async fn ask_json(client: &mut Client, question: &str) -> Vec<serde_json::Value> {
    let answer = client.ask(&format!("PRIVMSG chatd :{question}")).await;
    let texts = answer.iter().filter(|line| line.is("NOTICE"));
    texts.map(|line| serde_json::from_str(line.text()).unwrap_or_else(|error| panic!("{error}: {line:?}"))).collect()
}

async fn make(client: &mut Client, device: &str) -> String {
    let answer = ask_json(client, &format!("devices add {device} json")).await;
    assert_eq!((answer.len(), &answer[0]["ok"]), (1, &true.into()), "{answer:?}");
    answer[0]["token"].as_str().expect("a token").to_owned()
}

async fn log_in(server: &Server, name: &str, token: &str) -> (String, Client) {
    let (code, mut client) = server.try_sasl(name, token).await;
    if code == "903" {
        client.send("CAP END").await;
        client.expect("001").await;
    }
    (code, client)
}

#[tokio::test]
async fn a_token_stands_in_place_of_the_password() {
    let mut server = Server::start().await;
    let mut alice = server.login_web("alice").await;
    let token = make(&mut alice, "Browser").await;
    assert!(token.starts_with("chatd-token-") && token.len() == 55, "{token}");

    let (code, mut browser) = log_in(&server, "alice", &token).await;
    assert_eq!(code, "903");
    let who = browser.ask("PRIVMSG chatd :whoami").await;
    assert!(who.iter().any(|line| line.text().contains("device browser")), "{who:?}");
    // The device is the token's, whatever the client calls itself.
    let (code, mut other) = log_in(&server, "alice/desk", &token).await;
    assert_eq!(code, "903");
    assert!(other.ask("PRIVMSG chatd :whoami").await.iter().any(|line| line.text().contains("device browser")));
    // PASS, in both its forms.
    for pass in [format!("PASS alice:{token}"), format!("PASS {token}")] {
        let mut client = server.connect_raw().await;
        for line in [&pass, "NICK alice", "USER a 0 * :a"] {
            client.send(line).await;
        }
        client.expect("001").await;
        client.quit("").await;
    }
    // Somebody else's name with it, a token that is not, and one that nearly is.
    let other_end = if token.ends_with('A') { 'E' } else { 'A' };
    let near = format!("{}{other_end}", &token[..token.len() - 1]);
    for (name, token) in [("bob", &*token), ("alice", "chatd-token-"), ("alice", &*near), ("nobody", &*token)] {
        assert_eq!(log_in(&server, name, token).await.0, "904", "{name} {token}");
    }
    // It opens no powers, and is no old password.
    let mut root = server.login("root").await;
    let of_root = make(&mut root, "web").await;
    alice.ask(&format!("OPER root {of_root}")).await.iter().find(|line| line.is("464")).expect("no powers by a token");

    // It is stored nowhere as it is.
    server.sigterm();
    server.ended().await;
    for file in std::fs::read_dir(server.data_dir()).expect("the folder").flatten() {
        let data = std::fs::read(file.path()).expect("a file");
        assert!(!data.windows(token.len()).any(|bytes| bytes == token.as_bytes()), "{:?}", file.path());
    }
    assert!(!server.log().text().contains(&token));
    server.boot().await;
    assert_eq!(log_in(&server, "alice", &token).await.0, "903", "after a restart");
}

#[tokio::test]
async fn a_revoked_token_ends_its_sessions_and_no_others() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let (phone, web) = (make(&mut alice, "phone").await, make(&mut alice, "web").await);
    let (_, mut on_phone) = log_in(&server, "alice", &phone).await;
    let (_, mut on_web) = log_in(&server, "alice", &web).await;
    // With the password, under the same device's name.
    let mut by_password = server.try_sasl("alice/phone", &password_of("alice")).await.1;
    by_password.send("CAP END").await;
    by_password.expect("001").await;

    let answer = ask_json(&mut alice, "devices remove phone json").await;
    assert_eq!(answer[0]["ok"], true, "{answer:?}");
    on_phone.expect("ERROR :*token*revoked*").await;
    for other in [&mut on_web, &mut by_password, &mut alice] {
        other.sync().await;
    }
    assert_eq!(log_in(&server, "alice", &phone).await.0, "904");
    assert_eq!(ask_json(&mut alice, "devices remove phone json").await[0]["ok"], false);

    // By the administrator, and by another token for the same device.
    server.chatd(&["user", "devices", "revoke", "alice", "web"]).ok();
    on_web.expect("ERROR").await;
    assert!(server.chatd(&["user", "devices", "revoke", "alice", "web"]).fails(1).contains("no device web"));
    let first = make(&mut alice, "desk").await;
    let (_, mut on_desk) = log_in(&server, "alice", &first).await;
    let second = make(&mut alice, "desk").await;
    on_desk.expect("ERROR").await;
    assert_eq!(log_in(&server, "alice", &first).await.0, "904");
    assert_eq!(log_in(&server, "alice", &second).await.0, "903");
}

#[tokio::test]
async fn who_has_a_token_cannot_make_itself_another_way_in() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let token = make(&mut alice, "web").await;
    let (_, mut web) = log_in(&server, "alice", &token).await;
    assert_eq!(ask_json(&mut web, "devices add evil json").await[0]["ok"], false);
    let fingerprint = "a".repeat(64);
    let answer = web.ask(&format!("PRIVMSG chatd :cert add {fingerprint}")).await;
    assert!(answer.iter().any(|line| line.text().contains("Not done")), "{answer:?}");
    assert!(server.chatd(&["user", "cert", "list", "alice", "--json"]).ok().is_empty());
}

#[tokio::test]
async fn another_password_takes_the_tokens_away() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let (web, phone) = (make(&mut alice, "web").await, make(&mut alice, "phone").await);
    let (_, mut on_web) = log_in(&server, "alice", &web).await;
    let (_, mut on_phone) = log_in(&server, "alice", &phone).await;
    // By its owner, on a session of a token: that one stays, since it has shown the old password.
    let new = "another-long-word";
    let answer = on_web.ask(&format!("PRIVMSG chatd :passwd {} {new}", password_of("alice"))).await;
    assert!(answer.iter().any(|line| line.text().contains("is changed")), "{answer:?}");
    on_phone.expect("ERROR").await;
    alice.expect("ERROR").await;
    on_web.sync().await;
    assert_eq!(log_in(&server, "alice", &phone).await.0, "904");
    assert_eq!(log_in(&server, "alice", &web).await.0, "903");
    // By an administrator: all go.
    server.chatd_with_input(&["user", "passwd", "alice", "--password-stdin"], "a-third-long-word\n").ok();
    on_web.expect("ERROR").await;
    assert_eq!(log_in(&server, "alice", &web).await.0, "904");
}

#[tokio::test]
async fn a_disabled_account_is_not_let_in_and_keeps_its_tokens() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let token = make(&mut alice, "web").await;
    let (_, mut web) = log_in(&server, "alice", &token).await;
    server.chatd(&["user", "disable", "alice"]).ok();
    web.expect("ERROR").await;
    assert_eq!(log_in(&server, "alice", &token).await.0, "904");
    server.chatd(&["user", "enable", "alice"]).ok();
    assert_eq!(log_in(&server, "alice", &token).await.0, "903");
    server.chatd(&["user", "remove", "alice", "--yes"]).ok();
    assert_eq!(log_in(&server, "alice", &token).await.0, "904");
}

#[tokio::test]
async fn devices_are_listed_with_their_tokens() {
    let server = Server::start().await;
    let mut alice = login_over(server.connect_raw().await, "alice", MODERN).await;
    let token = make(&mut alice, "web").await;
    make(&mut alice, "phone").await;
    let (_, mut web) = log_in(&server, "alice", &token).await;
    let rows = ask_json(&mut web, "devices json").await;
    let row = |name: &str| rows.iter().find(|row| row["device"] == name).unwrap_or_else(|| panic!("{name}: {rows:?}"));
    assert_eq!(
        (&row("web")["token"], &row("web")["this"], &row("web")["sessions"]),
        (&true.into(), &true.into(), &1.into())
    );
    assert!(row("web")["token_used"].is_string() && row("phone")["token_used"].is_null(), "{rows:?}");
    assert_eq!(rows.last().map(|row| &row["ok"]), Some(&true.into()));
    let words = web.ask("PRIVMSG chatd :devices").await;
    assert!(words.iter().any(|line| line.text().starts_with("phone: never here, has a token")), "{words:?}");

    let listed = server.chatd(&["user", "devices", "alice", "--json"]).ok();
    let listed: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(listed.iter().all(|row| row["account"] == "alice" && row["token_created"].is_string()), "{listed:?}");
    let table = server.chatd(&["user", "devices", "alice"]).ok();
    assert!(table.contains("not used") && table.contains("web"), "{table}");
    assert!(!table.contains("chatd-token") && !format!("{listed:?}").contains("chatd-token"));

    for (question, words) in [
        ("devices add json", "not clear"),
        ("devices add a/b json", "cannot hold"),
        ("devices remove nothing json", "no device"),
    ] {
        let answer = web.ask(&format!("PRIVMSG chatd :{question}")).await;
        assert!(answer.iter().any(|line| line.text().contains(words)), "{question}: {answer:?}");
    }
}

#[tokio::test]
async fn guessing_tokens_is_slowed_down_like_guessing_passwords() {
    let server = Server::configure().set("limits.logins_per_minute", 3).start().await;
    for _ in 0..3 {
        assert_eq!(server.try_sasl("alice", "chatd-token-AAAA").await.0, "904");
    }
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.expect("CAP * ACK").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload("", "alice", "chatd-token-AAAA"))).await;
    let answer = client.expect("904").await;
    assert!(answer.text().contains("too many failed logins"), "{answer:?}");
}
