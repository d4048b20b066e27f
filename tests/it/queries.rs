//! What the server tells of itself, and what administrators make it do: numerics and their parameters.

use crate::harness::{Client, Line, Server, eventually, password_of};

fn find<'a>(lines: &'a [Line], numeric: &str) -> &'a Line {
    lines.iter().find(|line| line.is(numeric)).unwrap_or_else(|| panic!("{numeric} is missing: {lines:?}"))
}

fn codes(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.command.as_str()).collect()
}

async fn is(client: &mut Client, question: &str, numeric: &str) {
    let answer = client.query(question).await;
    assert!(answer.len() == 1 && answer[0].is(numeric), "{question}: {answer:?}");
}

#[tokio::test]
async fn questions_for_other_servers() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for command in ["VERSION", "TIME", "ADMIN", "INFO", "MOTD", "LUSERS *", "LINKS", "STATS u", "TRACE"] {
        let question = match command {
            "LINKS" => "LINKS elsewhere.test *".to_owned(),
            _ => format!("{command} elsewhere.test"),
        };
        let answer = alice.query(&question).await;
        assert!(answer.len() == 1 && answer[0].matches("402 alice elsewhere.test"), "{question}: {answer:?}");
        let here = question.replace("elsewhere.test", "chat.*");
        assert!(alice.query(&here).await.iter().all(|line| !line.is("402")), "{here}");
    }
    assert!(alice.query("TIME alice").await[0].is("391"), "a person names the server it is on");
}

#[tokio::test]
async fn version_time_and_info() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.query("VERSION").await;
    assert!(answer[0].is("351") && answer[0].param(2) == "chat.test" && answer[0].params.len() == 4, "{answer:?}");
    assert!(answer.len() > 1 && answer[1..].iter().all(|line| line.is("005")), "{answer:?}");
    let time = &alice.query("TIME").await[0];
    assert!(time.is("391") && time.param(1) == "chat.test" && time.params.len() == 5, "{time:?}");
    assert!(time.param(2).parse::<u64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{time:?}");
    let info = alice.query("INFO").await;
    assert!(info.last().is_some_and(|line| line.is("374") && line.params.len() == 2), "{info:?}");
    assert!(info[..info.len() - 1].iter().all(|line| line.is("371")), "{info:?}");
}

#[tokio::test]
async fn admin_and_whom_to_ask() {
    let server = Server::configure().set("server.admin_contact", "root@example.org").start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.query("ADMIN").await;
    assert_eq!(codes(&answer), ["256", "257", "258", "259"]);
    assert_eq!((answer[0].param(1), answer[3].text()), ("chat.test", "root@example.org"));
    assert!(answer[2].text().contains("root"), "{answer:?}");
}

#[tokio::test]
async fn links_lists_the_one_server() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let answer = alice.query("LINKS").await;
    assert_eq!(codes(&answer), ["364", "365"]);
    assert_eq!(answer[0].params[..3], ["alice", "chat.test", "chat.test"]);
    assert!(answer[0].text().starts_with("0 ") && answer[1].param(1) == "*", "{answer:?}");
    let answer = alice.query("LINKS *.example").await;
    assert!(answer.len() == 1 && answer[0].matches("365 alice *.example"), "{answer:?}");
}

#[tokio::test]
async fn stats_tells_a_little() {
    let server = Server::start().await;
    let (mut alice, mut root) = (server.login("alice").await, server.login_oper("root").await);
    let answer = alice.query("STATS u").await;
    assert_eq!(codes(&answer), ["242", "219"]);
    assert!(answer[0].text().starts_with("Server up 0 days 0:00:") && answer[1].param(1) == "u", "{answer:?}");
    assert_eq!(codes(&alice.query("STATS o").await), ["481", "219"]);
    assert_eq!(codes(&alice.query("STATS l").await), ["481", "219"]);
    assert_eq!(codes(&alice.query("STATS x").await), ["219"]);
    assert_eq!(codes(&alice.query("STATS").await), ["461"]);
    let answer = root.query("STATS o").await;
    assert!(answer[0].matches("243 root O * * root") && answer[1].is("219"), "{answer:?}");
}

#[tokio::test]
async fn help_on_subjects() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    for (question, subject) in [
        ("HELP", "*"),
        ("HELPOP", "*"),
        ("HELP privmsg", "PRIVMSG"),
        ("HELP COMMANDS", "COMMANDS"),
        ("HELPOP CAP", "CAP"),
    ] {
        let answer = alice.query(question).await;
        assert!(answer.len() >= 2, "{question}: {answer:?}");
        let last = answer.len() - 1;
        for (at, line) in answer.iter().enumerate() {
            let code = if at == 0 {
                "704"
            } else if at == last {
                "706"
            } else {
                "705"
            };
            assert!(line.is(code) && line.param(1) == subject && line.params.len() == 3, "{question}: {answer:?}");
        }
    }
    let answer = alice.query("HELP Nonsense").await;
    assert!(answer.len() == 1 && answer[0].matches("524 alice Nonsense"), "{answer:?}");
}

#[tokio::test]
async fn what_is_switched_off_or_not_there() {
    let server = Server::start().await;
    let mut alice = server.login_oper("root").await;
    is(&mut alice, "SUMMON bob", "445").await;
    is(&mut alice, "USERS", "446").await;
    is(&mut alice, "TRACE", "262").await;
    for command in ["DIE", "RESTART", "SQUIT chat.test", "CONNECT other.test", "SAJOIN bob #x"] {
        is(&mut alice, command, "421").await;
    }
}

#[tokio::test]
async fn lusers_counts() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    let answer = alice.query("LUSERS").await;
    assert_eq!(codes(&answer), ["251", "252", "253", "254", "255", "265", "266"]);
    assert_eq!(find(&answer, "251").text(), "There are 2 users and 0 invisible on 1 servers");
    assert_eq!((find(&answer, "252").param(1), find(&answer, "253").param(1)), ("0", "0"));
    assert_eq!(find(&answer, "254").param(1), "1");
    assert_eq!(find(&answer, "255").text(), "I have 2 clients and 0 servers");
    assert_eq!(find(&answer, "265").params[1..3], ["2", "2"]);
    bob.query(&format!("OPER root {}", password_of("root"))).await;
    let mut unknown = server.connect_raw().await;
    unknown.send("PING :x").await;
    unknown.expect("PONG").await;
    let answer = alice.query("LUSERS").await;
    assert_eq!((find(&answer, "252").param(1), find(&answer, "253").param(1)), ("1", "1"));
    bob.query("MODE bob -o").await;
    bob.quit("").await;
    drop(unknown);
    eventually("two who have gone", async || {
        let answer = alice.query("LUSERS").await;
        let is = |code: &str, at: usize, value: &str| find(&answer, code).param(at) == value;
        (is("252", 1, "0") && is("253", 1, "0") && is("266", 1, "1") && is("266", 2, "2")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn kill_ends_all_sessions_of_an_account() {
    let server = Server::start().await;
    let (mut root, mut alice) = (server.login_oper("root").await, server.login("alice").await);
    let (mut desk, mut phone) = (server.login("bob").await, server.login("bob").await);
    is(&mut alice, "KILL bob :why not", "481").await;
    is(&mut alice, "KILL alice :me", "481").await;
    root.send("KILL bob :too loud word-one").await;
    for client in [&mut desk, &mut phone] {
        let lines = client.expect_end().await;
        let last = lines.last().expect("a farewell");
        assert!(last.is("ERROR") && last.text().contains("Killed (root (too loud word-one))"), "{lines:?}");
    }
    alice.expect_from("bob", "QUIT :Killed (root (too loud word-one))").await;
    is(&mut root, "KILL nobody :x", "401").await;
    is(&mut root, "KILL bob", "401").await;
    is(&mut root, "KILL chat.test", "483").await;
    is(&mut root, "KILL", "461").await;
    let bob = server.login("bob").await;
    drop(bob);
    root.send("KILL alice").await;
    assert!(alice.expect_end().await.last().is_some_and(|line| line.is("ERROR")), "a reason need not be given");
    let log = server.log().text();
    assert!(log.contains("KILL") && !log.contains("word-one"), "{log}");
}

#[tokio::test]
async fn wallops_reaches_who_wants_it() {
    let server = Server::start().await;
    let (mut root, mut alice) = (server.login_oper("root").await, server.login("alice").await);
    let (mut bob, mut carol) = (server.login("bob").await, server.login_oper("root").await);
    alice.query("MODE alice +w").await;
    is(&mut bob, "WALLOPS :hi", "481").await;
    is(&mut root, "WALLOPS", "461").await;
    let answer = root.query("WALLOPS :hi everyone").await;
    assert!(answer.len() == 1 && answer[0].matches(":root WALLOPS :hi everyone"), "{answer:?}");
    alice.expect_from("root", "WALLOPS :hi everyone").await;
    carol.expect_from("root", "WALLOPS :hi everyone").await;
    bob.expect_nothing("WALLOPS").await;
}

#[tokio::test]
async fn rehash_reads_the_configuration_anew() {
    let mut server = Server::start().await;
    let (mut root, mut alice) = (server.login_oper("root").await, server.login("alice").await);
    server.reconfigure("server.motd", "News.");
    is(&mut alice, "REHASH", "481").await;
    let answer = root.query("REHASH").await;
    assert!(answer.len() == 1 && answer[0].is("382") && answer[0].params.len() == 3, "{answer:?}");
    eventually("the new message of the day", async || {
        let bob = server.login("bob").await;
        bob.greeting.iter().any(|line| line.is("372") && line.text().ends_with("News.")).then_some(())
    })
    .await;
}
