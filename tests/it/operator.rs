//! What an operator relies on: figures, a word on the server's health, a start that does not trip over a command.

use std::fs::OpenOptions;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{DEADLINE, Server, eventually};

async fn metrics_address(server: &Server) -> String {
    eventually("the address of the metrics", async || {
        let records = server.log().records(0);
        records.iter().find(|record| record.message == "metrics over HTTP").map(|r| r.field("address").to_owned())
    })
    .await
}

/// Says `request` and reads to the end.
async fn http(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    timeout(DEADLINE, stream.read_to_string(&mut answer)).await.expect("in time").expect("an answer");
    answer
}

async fn get(address: &str, path: &str) -> String {
    http(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n")).await
}

/// The value of a figure.
fn figure(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in:\n{text}"));
    line.split(' ').nth(1).and_then(|value| value.parse().ok()).expect("a number")
}

#[tokio::test]
async fn figures_and_health() {
    let setup = Server::configure().set("metrics.listen", "127.0.0.1:0").set("limits.connections_per_ip", 2);
    let server = setup.start().await;
    let address = metrics_address(&server).await;
    let mut alice = server.login("alice").await;
    let (answer, _wrong) = server.try_sasl("bob", "a guess").await;
    assert_eq!(answer, "904");
    let _one_too_many = server.handshake(server.connect_tcp().await, &Default::default()).await.is_err();
    for n in 0..5 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    alice.sync().await;

    let text = get(&address, "/metrics").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    for (name, value) in [
        ("chatd_connections", 2.0),
        ("chatd_connections_refused_total", 1.0),
        ("chatd_sessions", 1.0),
        ("chatd_accounts_online", 1.0),
        ("chatd_logins_total", 1.0),
        ("chatd_logins_failed_total", 1.0),
        ("chatd_messages_stored_total", 5.0),
        ("chatd_commits_failed_total", 0.0),
        ("chatd_rooms", 1.0),
        ("chatd_accounts", 5.0),
    ] {
        assert_eq!(figure(&text, name), value, "{name} in:\n{text}");
    }
    for name in [
        "chatd_commit_intents_count",
        "chatd_commit_duration_seconds_sum",
        "chatd_published_event",
        "chatd_tail_bytes",
        "chatd_start_time_seconds",
        "chatd_store_reads_total",
        "process_resident_memory_bytes",
    ] {
        assert!(figure(&text, name) > 0.0, "{name} in:\n{text}");
    }
    let health = get(&address, "/healthz").await;
    assert!(health.starts_with("HTTP/1.1 200 OK") && health.ends_with("\r\n\r\nok\n"), "{health}");
}

#[tokio::test]
async fn the_figures_take_little_from_the_server() {
    let server = Server::configure().set("metrics.listen", "127.0.0.1:0").start().await;
    let address = metrics_address(&server).await;
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "404"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
        ("NICK alice\r\n\r\n", "400"),
        (&format!("GET /{} HTTP/1.1\r\n", "x".repeat(9000)), "431"),
    ] {
        let answer = http(&address, request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
    }
    // Who says nothing is sent away, and keeps others waiting no longer than that.
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(&address).await.expect("a connection"));
    }
    let mut rest = Vec::new();
    timeout(DEADLINE, silent[0].read_to_end(&mut rest)).await.expect("sent away").expect("the end");
    drop(silent);
    assert!(get(&address, "/healthz").await.contains("200 OK"));
}

#[tokio::test]
async fn a_start_waits_for_a_command_that_holds_the_data() {
    let mut server = Server::configure().prepare();
    let path = server.data_dir().join("chat.lock");
    let held = OpenOptions::new().create(true).truncate(false).write(true).open(path).expect("the lock's file");
    held.lock().expect("the lock");
    let command = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        drop(held);
    });
    server.boot().await;
    command.join().expect("the command");
    server.login("alice").await;
}

#[tokio::test]
async fn retention_reaches_what_nobody_comes_back_for() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    for n in 0..150 {
        alice.send(format!("PRIVMSG bob :{n}")).await;
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    alice.quit("").await;
    server.sigterm();
    server.ended().await;
    let database = rusqlite::Connection::open(server.data_dir().join("chat.db")).expect("the database");
    database.execute("UPDATE events SET time = time - 86400000", []).expect("a day passes");
    server.reconfigure("history.retention", "1h");
    server.boot().await;
    eventually("the end of the old messages", async || {
        let count = |sql| database.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a number");
        (count("SELECT count(*) FROM events WHERE kind = 1") == 0).then_some(())
    })
    .await;
    // What comes later has its place in the same log.
    let mut alice = server.login("alice").await;
    alice.send("PRIVMSG #lobby :afresh").await;
    alice.expect_from("alice", "PRIVMSG #lobby :afresh").await;
}

/// Clients that read nothing must not keep the server from ending.
#[tokio::test]
async fn a_stop_is_not_held_up_by_who_is_stuck() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut stuck = Vec::new();
    for name in ["bob", "carol"] {
        let mut client = server.connect_narrow(name).await;
        client = crate::harness::login_over(client, name, crate::harness::MODERN).await;
        stuck.push(client);
    }
    for n in 0..3000 {
        alice.send(format!("PRIVMSG #lobby :{n} {}", "x".repeat(300))).await;
        if n % 100 == 0 {
            alice.sync().await;
        }
    }
    alice.sync().await;
    let _half = server.connect_tcp().await;
    let _silent = server.connect_raw().await;
    let began = std::time::Instant::now();
    server.sigterm();
    let farewell = alice.expect_end().await;
    assert!(farewell.last().is_some_and(|line| line.is("ERROR")), "{farewell:?}");
    assert!(server.ended().await.success());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_status_of_a_server_that_has_no_metrics() {
    let mut server = Server::start().await;
    let mut alice = server.login("alice").await;
    for n in 0..7 {
        alice.send(format!("PRIVMSG #lobby :{n}")).await;
    }
    alice.sync().await;
    let screen = server.chatd(&["status"]).ok();
    for words in ["messages        7\n", "sessions        1 of 1 people", "commit time     half within"] {
        assert!(screen.contains(words), "{words} in\n{screen}");
    }
    let json: serde_json::Value = serde_json::from_str(&server.chatd(&["status", "--json"]).ok()).expect("JSON");
    assert_eq!((&json["running"], &json["figures"]["chatd_messages_stored_total"]), (&true.into(), &7.0.into()));
    server.sigterm();
    server.ended().await;
    let stopped = server.chatd(&["status", "--json"]);
    assert_eq!((stopped.code, stopped.stdout.trim()), (1, r#"{"running":false}"#));
    assert!(stopped.stderr.contains("is not running"), "{}", stopped.stderr);
}

/// The dashboard asks for nothing that there is not.
#[tokio::test]
async fn the_dashboard_knows_the_figures() {
    let server = Server::configure().set("metrics.listen", "127.0.0.1:0").start().await;
    let text = get(&metrics_address(&server).await, "/metrics").await;
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grafana-dashboard.json");
    let board: serde_json::Value = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
    let mut asked = std::collections::BTreeSet::new();
    for panel in board["panels"].as_array().expect("panels") {
        for target in panel["targets"].as_array().expect("targets") {
            let expression = target["expr"].as_str().expect("an expression");
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            asked.extend(
                words.filter(|word| word.starts_with("chatd_") || word.starts_with("process_")).map(str::to_owned),
            );
        }
    }
    for name in &asked {
        let is_there = text.lines().any(|line| line.split([' ', '{']).next() == Some(name));
        assert!(is_there, "{name} is no figure of ours");
    }
    // And it leaves nothing out.
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().expect("a name");
        let shown = asked.iter().any(|one| one.starts_with(name));
        assert!(shown || name == "chatd_build", "{name} is on no panel");
    }
}

#[tokio::test]
async fn the_level_of_the_log_changes_at_a_hup() {
    let mut server = Server::start().await;
    let told = async |server: &Server| {
        let from = server.log().len();
        server.login("alice").await.sync().await;
        server.log().records(from).iter().any(|record| record.message == "logged in")
    };
    // The log comes through a pipe, perhaps a moment later.
    eventually("a login that is told of", async || told(&server).await.then_some(())).await;
    server.reconfigure("log.level", "warn");
    server.sighup();
    eventually("a login that is not told of", async || (!told(&server).await).then_some(())).await;
}
