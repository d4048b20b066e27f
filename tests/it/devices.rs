//! One account, several sessions, one after the other and at once; and what a login costs the server.

use crate::harness::{DEADLINE, MODERN, Server, password_of, sasl_payload};

#[tokio::test]
async fn who_comes_back_is_not_away() {
    let server = Server::configure().set("server.presence_grace", "10s").start().await;
    let mut bob = server.login("bob").await;
    let mut alice = server.login("alice").await;
    alice.ask("AWAY :lunch").await;
    bob.expect_from("alice", "AWAY :lunch").await;
    alice.quit("").await;
    // Within the grace: nobody has seen a QUIT, so they must be told.
    let _alice = server.login("alice").await;
    let back = bob.expect_from("alice", "AWAY").await;
    assert!(back.params.is_empty(), "{back:?}");
    assert!(bob.ask("WHOIS alice").await.iter().all(|line| !line.is("301")));
}

#[tokio::test]
async fn away_is_who_is_away_on_every_device() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut desk = server.login("alice").await;
    let mut phone = server.login("alice").await;
    desk.ask("AWAY :from my desk").await;
    bob.expect_nothing("AWAY").await;
    phone.send("AWAY :asleep").await;
    bob.expect_from("alice", "AWAY :asleep").await;
    phone.send("AWAY").await;
    bob.expect_from("alice", "AWAY").await;
    phone.quit("").await;
    bob.expect_from("alice", "AWAY :from my desk").await;
}

/// Names as long as they may be make lines that must still fit.
#[tokio::test]
async fn the_longest_names() {
    let long = |letter: &str, bytes: usize| letter.repeat(bytes / letter.len());
    let names: Vec<String> = ["长", "龙", "鸟", "鱼"].iter().map(|letter| long(letter, 60)).collect();
    let room = format!("#{}", long("房", 120));
    let server = Server::configure()
        .set("server.name", "a-server-with-a-name-as-long-as-can.chat.example.organization")
        .users(names.iter().map(String::as_str))
        .start()
        .await;
    let mut clients = Vec::new();
    for name in &names {
        // The client checks the length of every line it is sent.
        let mut client = server.login(name).await;
        client.ask(&format!("SETNAME :{}", "r".repeat(150))).await;
        client.ask(&format!("JOIN {room}")).await;
        clients.push(client);
    }
    let first = &mut clients[0];
    first.ask(&format!("TOPIC {room} :{}", "t".repeat(350))).await;
    first.ask(&format!("AWAY :{}", "a".repeat(380))).await;
    for command in ["WHO", "NAMES", "LIST", "TOPIC"] {
        first.ask(&format!("{command} {room}")).await;
    }
    first.ask(&format!("WHOIS {}", names[0])).await;
    first.ask(&format!("PING :{}", "p".repeat(500))).await;
    first.ask(&format!("PRIVMSG {} :x", "n".repeat(490))).await;
    first.ask(&format!("PRIVMSG #{} :x", "n".repeat(490))).await;
    // One command, and nobody may be left out of what is told of it.
    first.ask(&format!("MODE {room} +vvv {}", names[1..].join(" "))).await;
    first.ask(&format!("MODE {room} +ooo {}", names[1..].join(" "))).await;
    let mut given = Vec::new();
    for line in clients[1].sync().await.iter().filter(|line| line.is("MODE")) {
        given.extend(line.params[2..].to_vec());
    }
    assert_eq!(given, [&names[1..], &names[1..]].concat());
    for name in &names[2..] {
        clients[0].ask(&format!("KICK {room} {name} :{}", "k".repeat(150))).await;
    }
    for client in clients {
        client.quit(&"q".repeat(400)).await;
    }
    // Before the login, too.
    let mut nobody = server.connect_raw().await;
    nobody.ask(&format!("NICK {}", "n".repeat(500))).await;
    nobody.send(format!("PING :{}", "p".repeat(500))).await;
    nobody.expect("PONG").await;
}

/// Who logs in and does not read is not told all its rooms at once.
#[tokio::test]
async fn logins_that_read_nothing_cost_little() {
    const ROOMS: usize = 60;
    let server = Server::configure().set("history.tail_memory", "8MiB").start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for n in 0..ROOMS {
        for client in [&mut alice, &mut bob] {
            client.send(format!("JOIN #room{n}")).await;
        }
        for _ in 0..50 {
            alice.send(format!("@+x={} PRIVMSG #room{n} :{}", "t".repeat(2000), "w".repeat(300))).await;
        }
        alice.sync().await;
        bob.sync().await;
    }
    bob.quit("").await;
    // So much a session would be told at once: 60 rooms, 50 lines, 2400 bytes.
    let before = server.rss();
    let mut logins = Vec::new();
    for _ in 0..30 {
        let mut client = server.connect_narrow("bob").await;
        let request = format!("CAP REQ :sasl {}\r\nNICK bob\r\nUSER bob 0 * :bob\r\n", MODERN.join(" "));
        client.send_bytes(request.as_bytes()).await;
        client.expect("CAP * ACK").await;
        let payload = sasl_payload("", "bob", &password_of("bob"));
        client.send_bytes(format!("AUTHENTICATE PLAIN\r\nAUTHENTICATE {payload}\r\nCAP END\r\n").as_bytes()).await;
        client.expect("001").await;
        logins.push(client);
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let grown = server.rss().saturating_sub(before);
    assert!(grown < 64 << 20, "{} MiB for thirty logins", grown >> 20);
    // And when it reads on, it gets everything, in order, and its commands are taken after that.
    let mut reader = logins.pop().expect("one of them");
    reader.send("PING :all").await;
    let lines = tokio::time::timeout(DEADLINE, reader.expect_until("the PONG", |line| line.is("PONG"))).await;
    let lines = lines.expect("in time");
    assert_eq!(lines.iter().filter(|line| line.is("JOIN")).count(), ROOMS + 1);
    assert_eq!(lines.iter().filter(|line| line.is("PRIVMSG")).count(), ROOMS * 50);
}
