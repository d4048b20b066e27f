//! What administrators ask the service account over the wire: the page and scripts do it so, and people may.

use serde_json::Value;

use crate::harness::{Client, Server, password_of};

/// The answer as objects, the last of which says how it ended.
async fn ask(client: &mut Client, question: &str) -> (Vec<Value>, Value) {
    let mut answer: Vec<Value> = client
        .ask_service(&format!("{question} json"))
        .await
        .iter()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{question}: {error}: {line}")))
        .collect();
    let end = answer.pop().unwrap_or_else(|| panic!("{question}: no answer"));
    (answer, end)
}

async fn done(client: &mut Client, question: &str) -> Value {
    let (_, end) = ask(client, question).await;
    assert_eq!(end["ok"], true, "{question}: {end}");
    end
}

#[tokio::test]
async fn it_is_for_administrators_after_oper() {
    let server = Server::start().await;
    for name in ["alice", "root"] {
        let mut client = server.login(name).await;
        for question in ["users", "users add mallory admin", "rooms", "rooms remove #lobby yes", "connected", "figures"]
        {
            let (rows, end) = ask(&mut client, question).await;
            assert!(rows.is_empty() && end["ok"] == false, "{name} {question}: {rows:?} {end}");
            assert!(client.ask_service(question).await[0].contains("OPER"), "{question}");
        }
        assert!(!client.ask_service("help").await.iter().any(|line| line.starts_with("users")));
    }
    let mut root = server.login_oper("root").await;
    assert!(root.ask_service("help").await.iter().any(|line| line.starts_with("users")));
    root.ask("MODE root -o").await;
    assert_eq!(ask(&mut root, "users").await.1["ok"], false, "given back");
    let accounts = server.chatd(&["user", "list"]).ok();
    assert!(!accounts.contains("mallory"), "{accounts}");
}

#[tokio::test]
async fn accounts() {
    let server = Server::start().await;
    let mut root = server.login_oper("root").await;
    let made = done(&mut root, "users add Erin bot").await;
    let password = made["password"].as_str().expect("a password").to_owned();
    assert_eq!(server.try_sasl("erin", &password).await.0, "903");
    let (rows, end) = ask(&mut root, "users").await;
    assert!(end["ok"] == true && end["more_after"].is_null(), "{end}");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["account"].as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol", "dave", "Erin", "root"]);
    assert!(rows[4]["bot"] == true && rows[5]["admin"] == true && rows[5]["sessions"] == 1, "{rows:?}");

    let mut alice = server.login("alice").await;
    let token = done(&mut alice, "devices add web").await["token"].as_str().expect("a token").to_owned();
    let (rows, _) = ask(&mut root, "users devices alice").await;
    assert!(rows.len() == 1 && rows[0]["device"] == "web" && rows[0]["token"] == true, "{rows:?}");
    done(&mut root, "users revoke alice web").await;
    assert_eq!(server.try_sasl("alice", &token).await.0, "904");

    let reset = done(&mut root, "users reset alice").await;
    alice.expect("ERROR").await;
    assert_eq!(server.try_sasl("alice", &password_of("alice")).await.0, "904");
    let password = reset["password"].as_str().expect("a password");
    assert_eq!(server.try_sasl("alice", password).await.0, "903");

    done(&mut root, "users disable alice").await;
    assert_eq!(server.try_sasl("alice", password).await.0, "904");
    done(&mut root, "users enable alice").await;
    assert_eq!(server.try_sasl("alice", password).await.0, "903");
    assert_eq!(ask(&mut root, "users remove alice").await.1["ok"], false, "not without a yes");
    done(&mut root, "users remove alice yes").await;
    assert_eq!(server.try_sasl("alice", password).await.0, "904");

    for (question, words) in [
        ("users add erin", "exists already"),
        ("users add bad name", "not clear"),
        ("users add #x", "Not done"),
        ("users add frank nonsense", "not clear"),
        ("users disable nobody", "no account"),
        ("users devices nobody", "no account"),
        ("users revoke bob nothing", "no device"),
        (&format!("users disable {}", "\"x".repeat(150)), "no account"),
        ("users dance", "not clear"),
    ] {
        let (_, end) = ask(&mut root, question).await;
        assert!(
            end["ok"] == false && end["message"].as_str().is_some_and(|text| text.contains(words)),
            "{question}: {end}"
        );
    }
    // The log says who did what, and neither passwords nor their hashes.
    let log = server.log().text();
    assert!(log.contains("order of an administrator") && log.contains("remove_user"));
    assert!(!log.contains(password) && !log.contains("argon2id$"));
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let server = Server::start().await;
    let mut root = server.login_oper("root").await;
    for n in 0..60 {
        done(&mut root, &format!("rooms create #room-{n:02} what is said in {n}")).await;
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let (rows, end) = ask(&mut root, &format!("rooms{after}")).await;
        names.extend(rows.iter().filter_map(|row| row["room"].as_str().map(str::to_owned)));
        match end["more_after"].as_str() {
            Some(last) => after = format!(" after {last}"),
            None => break,
        }
    }
    let wanted: Vec<String> = (0..60).map(|n| format!("#room-{n:02}")).collect();
    assert_eq!(names, ["#lobby".to_owned()].into_iter().chain(wanted).collect::<Vec<_>>());
}

#[tokio::test]
async fn rooms() {
    let server = Server::start().await;
    let mut root = server.login_oper("root").await;
    let mut alice = server.login("alice").await;
    done(&mut root, "rooms create #plans what we will do").await;
    alice.send("JOIN #plans").await;
    assert_eq!(alice.expect("332").await.text(), "what we will do");
    alice.ask("PRIVMSG #plans :soon").await;
    let (rows, _) = ask(&mut root, "rooms").await;
    let plans = rows.iter().find(|row| row["room"] == "#plans").expect("the room");
    assert!(plans["members"] == 1 && plans["messages"] == 1 && plans["topic"] == "what we will do", "{plans}");
    assert!(!server.log().text().contains("what we will do"), "a topic is for its room");
    // As long as names and topics can be, in one line that can be read.
    let name = format!("#{}", "房".repeat(20));
    done(&mut root, &format!("rooms create {name} {}", "\"\\".repeat(100))).await;
    let (rows, _) = ask(&mut root, "rooms").await;
    assert!(rows.iter().any(|row| row["room"] == *name), "{rows:?}");
    assert_eq!(ask(&mut root, "rooms remove #plans").await.1["ok"], false, "not without a yes");
    done(&mut root, "rooms remove #plans yes").await;
    alice.expect("KICK #plans alice").await;
    assert_eq!(ask(&mut root, "rooms remove #plans yes").await.1["ok"], false);
    assert_eq!(ask(&mut root, "rooms create lobby").await.1["ok"], false);
}

#[tokio::test]
async fn who_is_here_and_how_the_server_is() {
    let server = Server::start().await;
    let mut root = server.login_oper("root").await;
    let mut alice = server.login_web("alice").await;
    alice.ask("AWAY :lunch").await;
    alice.ask("PRIVMSG #lobby :one").await;
    let (rows, end) = ask(&mut root, "connected").await;
    assert!(end["ok"] == true && rows.len() == 2, "{rows:?}");
    assert!(rows[0]["account"] == "alice" && rows[0]["away"] == true && rows[0]["powers"] == false, "{rows:?}");
    assert!(rows[1]["account"] == "root" && rows[1]["powers"] == true && rows[1]["sessions"] == 1, "{rows:?}");
    let (_, figures) = ask(&mut root, "figures").await;
    for (key, wanted) in [("sessions", 2), ("online", 2), ("accounts", 5), ("rooms", 1), ("messages", 1), ("logins", 2)]
    {
        assert_eq!(figures[key], wanted, "{key}: {figures}");
    }
    // And in words.
    for (question, words) in [
        ("users", "root: here, made"),
        ("rooms", "#lobby: members 2"),
        ("connected", "alice: sessions 1"),
        ("figures", "sessions that are logged in: 2"),
        ("users devices alice", "That is all."),
    ] {
        let answer = root.ask_service(question).await;
        assert!(answer.iter().any(|line| line.starts_with(words)), "{question}: {answer:?}");
    }
}
