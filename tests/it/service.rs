//! The service account `chatd`: what an old client can ask it, who hears what is said to it, and how it looks.

use crate::harness::{Client, Line, MODERN, Server};

/// Asks the service; the texts of its answer.
/// Without the times in front.
fn undated(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix('[')?.split_once("] ")).map(|(_, text)| text).collect()
}

#[tokio::test]
async fn help_names_every_command_and_explains_each() {
    let server = Server::start().await;
    let mut alice = server.login_plain("alice").await;
    let all = alice.ask_service("help").await;
    for command in ["help", "history", "search", "devices", "whoami", "cert", "passwd"] {
        assert!(all.iter().any(|line| line.starts_with(command)), "{command}: {all:?}");
        let one = alice.ask_service(&format!("HELP {command}")).await;
        assert!(one[0].starts_with(command) && one.len() >= 2, "{one:?}");
    }
}

#[tokio::test]
async fn what_it_does_not_know_it_answers_with_help() {
    let server = Server::start().await;
    let mut alice = server.login_plain("alice").await;
    for question in ["identify hunter2", "?", "   "] {
        let answer = alice.ask_service(question).await;
        assert!(answer.iter().any(|line| line.starts_with("history")), "{question}: {answer:?}");
        assert!(!answer.iter().any(|line| line.contains("hunter2")), "{answer:?}");
    }
    let answer = alice.ask(&format!("PRIVMSG chatd :{}", "长".repeat(150))).await;
    assert!(answer.len() > 3, "every line fits: {answer:?}");
}

#[tokio::test]
async fn it_answers_any_case_and_only_the_session_that_asked() {
    let mut server = Server::start().await;
    let mut desk = server.login("alice").await;
    let mut phone = server.login("alice").await;
    let answer = phone.ask("PRIVMSG ChatD :whoami secretword").await;
    assert!(answer.iter().any(|line| line.matches(":chatd NOTICE alice")), "{answer:?}");
    assert!(
        answer
            .iter()
            .filter(|line| line.is("NOTICE"))
            .all(|line| line.source.as_deref() == Some("chatd!chatd@chat.test"))
    );
    assert!(desk.sync().await.is_empty(), "nobody else hears it");
    // And it is kept nowhere.
    server.sigterm();
    server.ended().await;
    let data = std::fs::read(server.data_dir().join("chat.db")).expect("the database");
    assert!(!data.windows(10).any(|bytes| bytes == b"secretword"));
    assert!(!server.log().text().contains("secretword"));
}

#[tokio::test]
async fn an_answer_carries_the_label() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.ask("@label=one PRIVMSG chatd :whoami").await;
    assert!(answer[0].matches("BATCH * labeled-response") && answer[0].tag("label") == Some("one"), "{answer:?}");
    let reference = answer[0].param(0).trim_start_matches('+').to_owned();
    assert!(answer[1].matches(":alice PRIVMSG chatd :whoami"), "the echo first: {answer:?}");
    assert!(answer[2].matches(":chatd NOTICE alice"), "{answer:?}");
    assert!(answer[1..answer.len() - 1].iter().all(|line| line.tag("batch") == Some(&reference)), "{answer:?}");
    assert!(answer.last().is_some_and(|line| line.matches(&format!("BATCH -{reference}"))), "{answer:?}");
    // One line: no batch. Nothing: an acknowledgement.
    let mut quiet = server.login_with("bob", &["labeled-response", "batch", "message-tags"]).await;
    let answer = quiet.ask("@label=two PRIVMSG chatd :whoami").await;
    assert!(answer.len() == 1 && answer[0].tag("label") == Some("two"), "{answer:?}");
    for line in ["NOTICE chatd :hello", "PRIVMSG chatd :\x01VERSION\x01", "@+typing=active TAGMSG chatd"] {
        let line = if let Some(rest) = line.strip_prefix('@') {
            format!("@label=x;{rest}")
        } else {
            format!("@label=x {line}")
        };
        let answer = quiet.ask(&line).await;
        assert!(answer.len() == 1 && answer[0].is("ACK") && answer[0].tag("label") == Some("x"), "{line}: {answer:?}");
    }
}

#[tokio::test]
async fn the_name_belongs_to_the_server() {
    let server = Server::start().await;
    for name in ["chatd", "ChatD", "ｃｈａｔｄ"] {
        let refused = server.chatd_with_input(&["user", "add", name, "--password-stdin"], "a-good-password\n");
        assert!(refused.fails(1).contains("belongs to the server"));
    }
    let (numeric, _) = server.try_sasl("chatd", "whatever").await;
    assert_eq!(numeric, "904");
}

#[tokio::test]
async fn it_is_there_for_whoever_looks() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let whois = alice.ask("WHOIS chatd").await;
    for numeric in ["311", "312", "335", "317", "318"] {
        assert!(whois.iter().any(|line| line.is(numeric)), "{numeric}: {whois:?}");
    }
    assert!(!whois.iter().any(|line| line.is("401") || line.is("319")), "{whois:?}");
    assert_eq!(alice.ask("ISON nobody Chatd alice").await[0].text(), "chatd alice");
    let who = alice.ask("WHO chatd").await;
    assert!(who[0].matches("352 alice * chatd") && who[1].is("315"), "{who:?}");
    let names = alice.ask("NAMES #lobby").await;
    assert!(!names.iter().any(|line| line.text().contains("chatd")), "{names:?}");
}

#[tokio::test]
async fn history_of_a_room_page_by_page() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    for n in 1..=25 {
        bob.send(format!("PRIVMSG #lobby :line {n}")).await;
    }
    bob.send("PRIVMSG #lobby :\x01ACTION waves\x01").await;
    bob.sync().await;
    let mut alice = server.login_plain("alice").await;
    let newest = alice.ask_service("history #LOBBY 5").await;
    let shown = undated(&newest);
    assert_eq!(shown, ["<bob> line 22", "<bob> line 23", "<bob> line 24", "<bob> line 25", "* bob waves"]);
    let more = newest.last().expect("how to go on");
    let (_, command) = more.split_once("before: ").expect("a command");
    let older = alice.ask_service(command).await;
    assert_eq!(undated(&older)[..2], ["<bob> line 17", "<bob> line 18"]);
    assert_eq!(undated(&alice.ask_service("history #lobby").await).len(), 20);
    let all = alice.ask_service("history #lobby 1000").await;
    assert_eq!(undated(&all).len(), 26);
    assert!(all.last().is_some_and(|line| line.contains("that is the beginning")), "{all:?}");
    // By the time, which stands in front of each line.
    let time = &all[10][1..20];
    let before = alice.ask_service(&format!("history #lobby 50 before {time}")).await;
    assert!(undated(&before).len() <= 10, "{before:?}");
    let none = alice.ask_service("history #lobby before 2001-01-01").await;
    assert_eq!(none, ["Nothing was said in #lobby before that."]);
}

#[tokio::test]
async fn history_of_direct_messages() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut alice = server.login("alice").await;
    bob.send("PRIVMSG alice :between us").await;
    bob.sync().await;
    alice.send("PRIVMSG bob :only").await;
    alice.sync().await;
    for (asker, other) in [(&mut alice, "bob"), (&mut bob, "ALICE")] {
        let answer = asker.ask_service(&format!("history {other}")).await;
        assert_eq!(undated(&answer), ["<bob> between us", "<alice> only"]);
    }
    let mut carol = server.login("carol").await;
    assert_eq!(carol.ask_service("history bob").await, ["Nothing was said in bob."]);
}

#[tokio::test]
async fn what_one_may_not_read_looks_as_if_it_were_not_there() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #secret").await;
    bob.ask("MODE #secret +s").await;
    bob.send("PRIVMSG #secret :hush").await;
    bob.sync().await;
    let id = server.history("#secret").pop().expect("a line").msgid;
    let mut alice = server.login("alice").await;
    let there = alice.ask_service("history #secret").await;
    let nowhere = alice.ask_service("history #nowhere").await;
    assert_eq!(there[0].replace("secret", "nowhere"), nowhere[0]);
    // A line of another room is no line of this one.
    let other = alice.ask_service(&format!("history #lobby before {id}")).await;
    let invented = alice.ask_service("history #lobby before zzzzzz").await;
    assert_eq!(other, invented);
}

#[tokio::test]
async fn search_in_all_that_one_may_read() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #closed").await;
    for line in ["#lobby :the coffee machine is broken", "#closed :coffee in secret", "alice :coffee at four?"] {
        bob.send(format!("PRIVMSG {line}")).await;
    }
    bob.sync().await;
    let mut alice = server.login_plain("alice").await;
    alice.ask("PRIVMSG #lobby :no coffee for me").await;
    let found = alice.ask_service("search coffee").await;
    let expected =
        ["#lobby <bob> the coffee machine is broken", "bob <bob> coffee at four?", "#lobby <alice> no coffee for me"];
    assert_eq!(undated(&found), expected);
    assert_eq!(undated(&alice.ask_service("SEARCH coffee in:#lobby from:bob").await), expected[..1]);
    assert_eq!(undated(&alice.ask_service("search in:bob").await), expected[1..2]);
    assert_eq!(undated(&alice.ask_service("search coffee after:2001-01-01 before:2999-01-01").await), expected);
    for nothing in
        ["search tea", "search coffee in:#closed", "search coffee in:#nowhere", "search coffee before:2001-01-01"]
    {
        let answer = alice.ask_service(nothing).await;
        assert_eq!(answer, ["Nothing was found in what you can read."], "{nothing}");
    }
    // Of many the newest, and how to go on.
    for n in 0..30 {
        bob.send(format!("PRIVMSG #lobby :tea {n}")).await;
    }
    bob.sync().await;
    let many = alice.ask_service("search tea").await;
    assert_eq!(undated(&many).len(), 20);
    assert!(undated(&many)[19].ends_with("tea 29") && many[20].contains("before:"), "{many:?}");
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_what_to_write() {
    let server = Server::start().await;
    let mut alice = server.login_plain("alice").await;
    for question in [
        "history",
        "history #lobby many",
        "history #lobby 5 before",
        "history #lobby before noon",
        "devices burn",
        "search",
        "search tea after:noon",
    ] {
        let answer = alice.ask_service(question).await;
        assert!(answer.len() == 2 && answer[1].starts_with("Write: "), "{question}: {answer:?}");
    }
}

#[tokio::test]
async fn what_was_just_said_is_in_the_history() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for n in 0..20 {
        alice.send(format!("PRIVMSG #lobby :now {n}")).await;
        let answer = alice.ask_service("history #lobby 1").await;
        assert_eq!(undated(&answer), [format!("<alice> now {n}")]);
    }
}

#[tokio::test]
async fn devices_are_listed_and_forgotten() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    assert!(alice.ask_service("devices").await.iter().any(|line| line.contains("alice/phone")), "how to name one");
    let phone = named(&server, "phone").await;
    let list = alice.ask_service("devices").await;
    assert!(list.iter().any(|line| line.starts_with("phone: connected")), "{list:?}");
    assert!(list.iter().any(|line| line.contains("without a name") && line.contains("write from")), "{list:?}");
    let refused = alice.ask_service("devices forget phone").await;
    assert!(refused[0].contains("is connected"), "{refused:?}");
    phone.quit("").await;
    let gone = alice.ask_service("devices forget PHONE").await;
    assert_eq!(gone, ["phone is forgotten. When it comes back it is a new one."]);
    assert!(!alice.ask_service("devices").await.iter().any(|line| line.starts_with("phone")));
    let unknown = alice.ask_service("devices forget phone").await;
    assert!(unknown[0].contains("no device phone"), "{unknown:?}");
    assert!(alice.ask_service("devices forget a:b").await[0].contains("not the name"));
    // What nobody is told: the devices of others.
    let mut bob = server.login("bob").await;
    named(&server, "tablet").await.quit("").await;
    assert!(!bob.ask_service("devices").await.iter().any(|line| line.contains("tablet")));
}

#[tokio::test]
async fn whoami() {
    let server = Server::start().await;
    let mut phone = named(&server, "phone").await;
    assert!(phone.ask_service("whoami").await[0].starts_with("You are alice, on device phone."));
    let mut root = server.login("root").await;
    assert!(root.ask_service("whoami").await[0].contains("an administrator"));
}

/// alice on a device of this name.
async fn named(server: &Server, device: &str) -> Client {
    let mut client = server.connect_raw().await;
    client.send(format!("PASS alice/{device}:{}", crate::harness::password_of("alice"))).await;
    client.send("NICK alice").await;
    client.send("USER a 0 * :a").await;
    let client = crate::harness::welcome(client).await;
    assert!(client.greeting.iter().any(|line: &Line| line.is("001")));
    client
}

/// A server of before the name was reserved may have an account of that name: the service keeps it, and the log says so.
#[tokio::test]
async fn an_account_of_its_name_in_an_old_database_is_shut_out() {
    let mut server = Server::configure().prepare();
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    database
        .execute("UPDATE accounts SET name = 'Chatd', key = 'chatd', skeleton = 'chatd' WHERE key = 'dave'", [])
        .expect("dave");
    drop(database);
    server.boot().await;
    assert!(server.log().text().contains("belongs to the server"));
    let mut alice = server.login_with("alice", MODERN).await;
    assert!(!alice.ask_service("whoami").await.is_empty());
}
