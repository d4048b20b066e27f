//! Clients that cannot ask for history: what each device is shown at login, and how its place is kept.

use crate::harness::{Client, Line, MODERN, Server, eventually, password_of, sasl_payload, welcome};

/// Logs in by PASS as a device of an account (`alice/phone`), or as the account.
async fn pass(server: &Server, account: &str) -> Client {
    let mut client = server.connect_raw().await;
    let name = account.split('/').next().expect("a name");
    client.send(format!("PASS {account}:{}", password_of(name))).await;
    client.send(format!("NICK {name}")).await;
    client.send(format!("USER {name} 0 * :{name} the tester")).await;
    welcome(client).await
}

/// Logs in by SASL with these capabilities.
async fn sasl(server: &Server, authzid: &str, account: &str, caps: &[&str]) -> Client {
    let mut client = server.connect_raw().await;
    let name = account.split('/').next().expect("a name");
    client.send(format!("CAP REQ :sasl {}", caps.join(" "))).await;
    client.expect("CAP * ACK").await;
    client.send(format!("NICK {name}")).await;
    client.send(format!("USER {name} 0 * :{name} the tester")).await;
    client.send("AUTHENTICATE PLAIN").await;
    client.expect("AUTHENTICATE +").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload(authzid, account, &password_of(name)))).await;
    client.expect("903").await;
    client.send("CAP END").await;
    welcome(client).await
}

/// What was shown of the past at login, without the time in front: room or person, and text.
fn past(client: &Client) -> Vec<String> {
    let lines = client.greeting.iter().filter(|line| line.is_speech() && line.source.is_some());
    let lines = lines.filter(|line| !line.matches(":chatd NOTICE"));
    let bare = |text: &str| text.split_once("] ").map_or(text, |(_, text)| text).to_owned();
    lines.map(|line| bare(line.text())).collect()
}

/// What the service said at login.
fn from_service(client: &Client) -> Vec<&str> {
    client.greeting.iter().filter(|line| line.matches(":chatd NOTICE")).map(Line::text).collect()
}

async fn say(client: &mut Client, room: &str, lines: impl IntoIterator<Item = String>) {
    for line in lines {
        client.send(format!("PRIVMSG {room} :{line}")).await;
    }
    client.sync().await;
}

fn numbered(word: &str, numbers: std::ops::RangeInclusive<usize>) -> Vec<String> {
    numbers.map(|n| format!("{word} {n}")).collect()
}

#[tokio::test]
async fn a_named_device_is_told_exactly_what_it_missed() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", numbered("before", 1..=3)).await;
    let mut phone = pass(&server, "alice/phone").await;
    say(&mut bob, "#lobby", numbered("live", 1..=3)).await;
    assert_eq!(phone.hears().await, numbered("live", 1..=3));
    phone.quit("").await;
    say(&mut bob, "#lobby", numbered("missed", 1..=3)).await;
    let mut desk = server.login("alice").await;
    say(&mut desk, "#lobby", ["mine, from my desk".to_owned()]).await;
    let phone = pass(&server, "alice/phone").await;
    assert_eq!(past(&phone), [numbered("missed", 1..=3), vec!["mine, from my desk".into()]].concat());
    assert!(from_service(&phone).is_empty());
    phone.quit("").await;
    let phone = pass(&server, "alice/phone").await;
    assert!(past(&phone).is_empty(), "nothing is told twice: {:?}", past(&phone));
}

#[tokio::test]
async fn a_device_keeps_its_place_while_another_one_is_there() {
    let mut server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut desk = pass(&server, "alice/desk").await;
    pass(&server, "alice/phone").await.quit("").await;
    say(&mut bob, "#lobby", numbered("line", 1..=3)).await;
    assert_eq!(desk.hears().await, numbered("line", 1..=3));
    let phone = pass(&server, "alice/phone").await;
    assert_eq!(past(&phone), numbered("line", 1..=3));
    // The one, then the other; and over a restart.
    phone.quit("").await;
    say(&mut bob, "#lobby", ["one more".into()]).await;
    desk.sync().await;
    desk.quit("").await;
    server.restart().await;
    assert_eq!(past(&pass(&server, "alice/phone").await), ["one more"]);
    assert!(past(&pass(&server, "alice/desk").await).is_empty());
}

#[tokio::test]
async fn a_device_may_be_named_in_each_way_of_logging_in() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    sasl(&server, "alice/Phone", "alice", &[]).await.quit("").await;
    let said = numbered("line", 1..=4);
    say(&mut bob, "#lobby", [said[0].clone()]).await;
    let by_account = sasl(&server, "", "alice/phone", &[]).await;
    assert_eq!(past(&by_account), said[..1]);
    by_account.quit("").await;
    say(&mut bob, "#lobby", [said[1].clone()]).await;
    let by_password = pass(&server, "alice/PHONE").await;
    assert_eq!(past(&by_password), said[1..2]);
    by_password.quit("").await;
    say(&mut bob, "#lobby", [said[2].clone()]).await;
    let mut by_nick = server.connect_raw().await;
    by_nick.send(format!("PASS {}", password_of("alice"))).await;
    by_nick.send("NICK alice/phone").await;
    by_nick.send("USER a 0 * :a").await;
    let by_nick = welcome(by_nick).await;
    assert_eq!(past(&by_nick), said[2..3]);
}

#[tokio::test]
async fn a_bad_name_of_a_device_is_refused_with_words() {
    let server = Server::start().await;
    let mut client = server.connect_raw().await;
    client.send("CAP REQ :sasl").await;
    client.send("NICK alice").await;
    client.send("AUTHENTICATE PLAIN").await;
    client.send(format!("AUTHENTICATE {}", sasl_payload("", "alice/a b", &password_of("alice")))).await;
    assert!(client.expect("904").await.text().contains("device"));
    let mut client = server.connect_raw().await;
    client.send(format!("PASS alice/{}:{}", "x".repeat(33), password_of("alice"))).await;
    client.send("NICK alice").await;
    client.send("USER a 0 * :a").await;
    assert!(client.expect("464").await.text().contains("too long"));
}

#[tokio::test]
async fn the_default_device_sees_the_recent_lines_and_all_it_missed() {
    let server = Server::configure().set("history.replay_lines", 3).start().await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", numbered("early", 1..=5)).await;
    let alice = server.login_plain("alice").await;
    assert_eq!(past(&alice), numbered("early", 3..=5), "she was put into the room just now");
    alice.quit("").await;
    say(&mut bob, "#lobby", ["late".into()]).await;
    let alice = server.login_plain("alice").await;
    assert_eq!(past(&alice), ["early 4", "early 5", "late"]);
    alice.quit("").await;
    say(&mut bob, "#lobby", numbered("night", 1..=10)).await;
    assert_eq!(past(&server.login_plain("alice").await), numbered("night", 1..=10));
}

#[tokio::test]
async fn a_new_device_sees_the_recent_lines_and_what_no_other_has_seen() {
    let server = Server::configure().set("history.replay_lines", 3).start().await;
    let mut bob = server.login("bob").await;
    let desk = pass(&server, "alice/desk").await;
    say(&mut bob, "#lobby", numbered("seen", 1..=6)).await;
    let mut desk = desk;
    desk.sync().await;
    desk.quit("").await;
    let phone = pass(&server, "alice/phone").await;
    assert_eq!(past(&phone), numbered("seen", 4..=6));
    phone.quit("").await;
    say(&mut bob, "#lobby", numbered("unseen", 1..=5)).await;
    let tablet = sasl(&server, "", "alice/tablet", MODERN).await;
    assert_eq!(past(&tablet), numbered("unseen", 1..=5));
}

#[tokio::test]
async fn more_than_the_bound_is_told_of_with_a_way_to_read_it() {
    let mut server = Server::configure().set("history.missed_lines", 10).start().await;
    pass(&server, "alice/phone").await.quit("").await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", numbered("line", 1..=25)).await;
    for _ in 0..2 {
        let mut phone = pass(&server, "alice/phone").await;
        assert_eq!(past(&phone), numbered("line", 16..=25));
        let [more] = from_service(&phone)[..] else { panic!("one line: {:?}", from_service(&phone)) };
        assert!(more.starts_with("#lobby: 15 more lines were said"), "{more}");
        let (_, command) = more.split_once("/msg chatd ").expect("a command");
        let command = format!("PRIVMSG chatd :{command}");
        let answer = phone.ask(&command).await;
        let shown: Vec<&str> =
            answer.iter().filter_map(|line| line.text().split_once("<bob> ")).map(|(_, t)| t).collect();
        assert!(shown.ends_with(&numbered("line", 1..=15).iter().map(String::as_str).collect::<Vec<_>>()), "{shown:?}");
        phone.quit("").await;
        // And from the database as from memory.
        let mut again = server.login("bob").await;
        say(&mut again, "#lobby", numbered("line", 1..=25)).await;
        server.restart().await;
    }
}

/// More than one page, in one batch.
#[tokio::test]
async fn many_missed_lines_come_once_and_in_order() {
    let mut server = Server::start().await;
    sasl(&server, "alice/phone", "alice", MODERN).await.quit("").await;
    let mut bob = server.login("bob").await;
    let all = numbered("line", 1..=300);
    say(&mut bob, "#lobby", all.clone()).await;
    server.restart().await;
    let phone = sasl(&server, "alice/phone", "alice", MODERN).await;
    assert_eq!(past(&phone), all);
    let batches: Vec<&Line> = phone.greeting.iter().filter(|line| line.is("BATCH")).collect();
    assert_eq!(batches.len(), 2, "{batches:?}");
    let reference = batches[0].param(0).trim_start_matches('+').to_owned();
    let speech: Vec<&Line> = phone.greeting.iter().filter(|line| line.is("PRIVMSG")).collect();
    assert!(speech.iter().all(|line| line.tag("batch") == Some(&reference)), "all in the batch");
}

#[tokio::test]
async fn what_was_said_before_one_came_was_not_missed() {
    let server = Server::start().await;
    pass(&server, "alice/phone").await.quit("").await;
    let mut bob = server.login("bob").await;
    bob.ask("JOIN #dev").await;
    say(&mut bob, "#dev", numbered("without her", 1..=3)).await;
    server.login("alice").await.ask("JOIN #dev").await;
    say(&mut bob, "#dev", ["with her".into()]).await;
    assert_eq!(past(&pass(&server, "alice/phone").await), ["with her"]);
}

#[tokio::test]
async fn direct_messages_wait_for_each_device() {
    let server = Server::start().await;
    pass(&server, "alice/phone").await.quit("").await;
    pass(&server, "alice/desk").await.quit("").await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "alice", numbered("psst", 1..=2)).await;
    let desk = pass(&server, "alice/desk").await;
    assert_eq!(past(&desk), numbered("psst", 1..=2));
    desk.quit("").await;
    let phone = pass(&server, "alice/phone").await;
    assert_eq!(past(&phone), numbered("psst", 1..=2));
    assert!(phone.greeting.iter().any(|line| line.matches(":bob PRIVMSG alice")));
    phone.quit("").await;
    assert!(past(&pass(&server, "alice/phone").await).is_empty());
}

#[tokio::test]
async fn ones_own_words_are_no_news() {
    let server = Server::start().await;
    pass(&server, "alice/phone").await.quit("").await;
    let mut phone = pass(&server, "alice/phone").await;
    phone.send("PRIVMSG #lobby :and good bye").await;
    phone.send("QUIT :x").await;
    phone.expect_end().await;
    assert!(past(&pass(&server, "alice/phone").await).is_empty());
}

#[tokio::test]
async fn bots_are_told_nothing_old() {
    let server = Server::start().await;
    server.add_user("robot", &["--bot".to_owned()]);
    pass(&server, "robot/one").await.quit("").await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", numbered("line", 1..=3)).await;
    say(&mut bob, "robot", ["a task".into()]).await;
    assert!(past(&pass(&server, "robot/one").await).is_empty());
}

#[tokio::test]
async fn scripts_and_clients_that_fetch_history_move_no_place() {
    let server = Server::start().await;
    pass(&server, "alice/phone").await.quit("").await;
    let mut bob = server.login("bob").await;
    say(&mut bob, "#lobby", numbered("line", 1..=3)).await;
    say(&mut bob, "alice", ["psst".into()]).await;
    let script = sasl(&server, "alice/phone", "alice", &["chatd/passive"]).await;
    script.quit("").await;
    let mut caps = MODERN.to_vec();
    caps.push("draft/chathistory");
    let modern = sasl(&server, "alice/phone", "alice", &caps).await;
    assert!(past(&modern).is_empty(), "it asks by itself: {:?}", past(&modern));
    modern.quit("").await;
    let expected = [numbered("line", 1..=3), vec!["psst".into()]].concat();
    assert_eq!(past(&pass(&server, "alice/phone").await), expected);
}

/// The connection is lost, not ended: whether the last lines arrived nobody knows, so they are told again.
#[tokio::test]
async fn what_may_not_have_arrived_is_told_again() {
    let server =
        Server::configure().set("limits.ping_interval", "200ms").set("limits.ping_timeout", "400ms").start().await;
    let mut bob = server.login("bob").await;
    pass(&server, "alice/phone").await.quit("").await;
    let mut phone = pass(&server, "alice/phone").await;
    phone.play_dead();
    say(&mut bob, "#lobby", numbered("lost", 1..=3)).await;
    phone.expect_end().await;
    assert_eq!(past(&pass(&server, "alice/phone").await), numbered("lost", 1..=3));
}

/// The server ends it, and the client takes its leave: all of it has arrived.
#[tokio::test]
async fn a_restart_repeats_nothing_to_who_was_there() {
    let mut server = Server::start().await;
    let mut bob = server.login("bob").await;
    pass(&server, "alice/phone").await.quit("").await;
    let mut phone = pass(&server, "alice/phone").await;
    say(&mut bob, "#lobby", numbered("live", 1..=3)).await;
    assert_eq!(phone.hears().await, numbered("live", 1..=3));
    server.sigterm();
    phone.expect_end().await;
    drop(phone);
    assert!(server.ended().await.success());
    server.boot().await;
    assert!(past(&pass(&server, "alice/phone").await).is_empty());
}

/// After kill -9 lines may be told twice, but none is missed; and a place that was kept meanwhile counts.
#[tokio::test]
async fn a_crash_makes_nobody_miss_a_line() {
    let mut server = Server::configure().set("limits.ping_interval", "200ms").start().await;
    let mut bob = server.login("bob").await;
    let mut phone = pass(&server, "alice/phone").await;
    let old = numbered("old", 1..=5);
    say(&mut bob, "#lobby", old.clone()).await;
    assert_eq!(phone.hears().await, old);
    // Its place is kept while it is there.
    let database = server.data_dir().join("chat.db");
    let sql = "SELECT seen_event >= (SELECT max(event_id) FROM log WHERE spoken = 1) FROM devices WHERE name = 'phone'";
    eventually("the place of the phone in the database", async || {
        phone.sync().await;
        let conn = rusqlite::Connection::open(&database).expect("the database");
        conn.query_row(sql, [], |row| row.get(0)).unwrap_or(false).then_some(())
    })
    .await;
    let new = numbered("new", 1..=5);
    say(&mut bob, "#lobby", new.clone()).await;
    assert_eq!(phone.hears().await, new);
    server.kill9();
    server.boot().await;
    let mut bob = server.login("bob").await;
    let missed = numbered("missed", 1..=5);
    say(&mut bob, "#lobby", missed.clone()).await;
    let phone = pass(&server, "alice/phone").await;
    let told = past(&phone);
    assert!(told.ends_with(&missed), "none may be missing: {told:?}");
    let twice = &told[..told.len() - missed.len()];
    assert!(new.ends_with(twice), "only what came after the place that was kept comes twice: {told:?}");
}
