//! Who is kept out, who may not speak, and what a load balancer in front changes about that.

use tokio::io::AsyncWriteExt;

use crate::harness::{Client, MODERN, Server, TlsOptions, eventually, login_over, password_of};

/// A client whose connection begins with these bytes, as a balancer's does; `None`: it was sent away.
async fn through(server: &Server, header: &[u8]) -> Option<Client> {
    let mut tcp = server.connect_tcp().await;
    tcp.write_all(header).await.ok()?;
    let stream = server.handshake(tcp, &TlsOptions::default()).await.ok()?;
    Some(Client::new("somebody", stream))
}

/// From this address behind the balancer.
async fn from(server: &Server, address: &str) -> Option<Client> {
    let family = if address.contains(':') { "TCP6" } else { "TCP4" };
    let other = if address.contains(':') { "::1" } else { "192.0.2.1" };
    through(server, format!("PROXY {family} {address} {other} 4711 6697\r\n").as_bytes()).await
}

/// How the login of an account ends that may not: the numeric's text and the last line's.
async fn refused(server: &Server, name: &str) -> (String, String) {
    let (answer, mut client) = server.try_sasl(name, &password_of(name)).await;
    assert_eq!(answer, "903");
    client.send("CAP END").await;
    let numeric = client.expect("465").await.text().to_owned();
    let end = client.expect_end().await.last().map(|line| line.text().to_owned()).unwrap_or_default();
    (numeric, end)
}

#[tokio::test]
async fn an_account_is_kept_out_and_let_in_again() {
    let mut server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    let done = server.chatd(&["ban", "add", "account", "ALICE", "--for", "2d", "--reason", "enough\nof it"]).ok();
    assert!(done.contains("alice is banned"), "{done}");
    let last = alice.expect_end().await.last().expect("a word").text().to_owned();
    assert!(last.contains("banned") && last.contains("enough of it"), "{last}");
    bob.expect_from("alice", "QUIT").await;
    for restarted in [false, true] {
        if restarted {
            server.restart().await;
        }
        let (numeric, end) = refused(&server, "alice").await;
        assert!(numeric.contains("enough of it") && numeric.contains("UTC"), "{numeric}");
        assert!(end.contains("enough of it"), "{end}");
    }
    let listed: serde_json::Value = serde_json::from_str(&server.chatd(&["ban", "list", "--json"]).ok()).expect("one");
    assert_eq!((&listed["kind"], &listed["value"]), (&"account".into(), &"alice".into()));
    assert!(server.chatd(&["ban", "list"]).ok().contains("alice"));
    server.chatd(&["ban", "remove", "account", "alice"]).ok();
    server.login("alice").await;
    assert!(server.chatd(&["ban", "remove", "account", "alice"]).fails(1).contains("not banned"));
    assert!(server.chatd(&["ban", "add", "account", "nobody"]).fails(1).contains("nobody"));
    assert!(server.chatd(&["ban", "add", "cidr", "0.0.0.0/0"]).fails(1).contains("everybody"));
    assert!(server.chatd(&["ban", "add", "address", "here"]).fails(1).contains("192.0.2.7"));
    let ever = ["ban", "add", "address", "192.0.2.7", "--for", "999y"];
    assert!(server.chatd(&ever).fails(1).contains("hundred years"));
}

#[tokio::test]
async fn a_ban_is_over_by_itself() {
    let server = Server::start().await;
    server.chatd(&["ban", "add", "account", "alice", "--for", "1s"]).ok();
    eventually("the end of the ban", async || {
        let (_, mut client) = server.try_sasl("alice", &password_of("alice")).await;
        client.send("CAP END").await;
        client.expect("001|465").await.is("001").then_some(())
    })
    .await;
    assert!(server.chatd(&["ban", "list"]).ok().contains("Nobody"));
}

#[tokio::test]
async fn addresses_and_networks_behind_a_balancer() {
    let server = Server::configure()
        .set("server.proxy_protocol_from", ["127.0.0.0/8"])
        .set("limits.connections_per_ip", 2)
        .start()
        .await;
    let mut root = login_over(from(&server, "198.51.100.1").await.expect("root"), "root", MODERN).await;
    root.ask(&format!("OPER root {}", password_of("root"))).await;
    let mut alice = login_over(from(&server, "203.0.113.7").await.expect("alice"), "alice", MODERN).await;
    let mut bob = login_over(from(&server, "2001:db8:1:2::7").await.expect("bob"), "bob", MODERN).await;
    // The /64 is one place; the balancer's own address is none.
    let second = from(&server, "2001:db8:1:2:ffff::").await;
    assert!(second.is_some() && from(&server, "2001:db8:1:2::9").await.is_none(), "the third of a /64");
    assert!(from(&server, "2001:db8:1:3::9").await.is_some());

    let answer = root.ask_service("bans add address 203.0.113.7 for 1h flooding the lobby").await;
    assert!(answer.iter().any(|line| line.contains("is banned")), "{answer:?}");
    let last = alice.expect_end().await.last().expect("a word").text().to_owned();
    assert!(last.contains("address is banned") && last.contains("flooding the lobby"), "{last}");
    assert!(from(&server, "203.0.113.7").await.is_none(), "before TLS");
    assert!(from(&server, "203.0.113.8").await.is_some());
    root.ask_service("bans add cidr 2001:db8:1::/48").await;
    bob.expect_end().await;
    assert!(from(&server, "2001:db8:1:ffff::1").await.is_none());
    root.ask_service("bans remove cidr 2001:db8:1::/48").await;
    assert!(from(&server, "2001:db8:1:ffff::1").await.is_some());

    let rows: Vec<serde_json::Value> =
        root.ask_service("bans json").await.iter().map(|line| serde_json::from_str(line).expect("json")).collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0]["value"], &rows[0]["reason"]), (&"203.0.113.7".into(), &"flooding the lobby".into()));
    assert_eq!(rows[1]["ok"], true);
    for wrong in ["bans add", "bans add mute alice", "bans add cidr 1.2.3.4/0", "bans add account alice for ever"] {
        let answer = root.ask_service(&format!("{wrong} json")).await;
        assert!(answer.last().is_some_and(|line| line.contains("\"ok\":false")), "{wrong}: {answer:?}");
    }
    // Without the header, with a broken one, and with version 2.
    assert!(through(&server, b"").await.is_none());
    assert!(through(&server, b"PROXY TCP4 x y 1 2\r\n").await.is_none());
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([203, 0, 113, 7, 192, 0, 2, 1, 0, 1, 0, 2]);
    assert!(through(&server, &v2).await.is_none(), "banned");
    let at = v2.len() - 9;
    v2[at] = 9;
    assert!(through(&server, &v2).await.is_some(), "a neighbour");
    assert!(through(&server, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").await.is_some(), "the balancer's own look");
}

#[tokio::test]
async fn only_configured_balancers_are_believed() {
    let server = Server::configure().set("server.proxy_protocol_from", ["10.0.0.0/8"]).start().await;
    assert!(from(&server, "203.0.113.7").await.is_none());
    server.login("alice").await;
}

#[tokio::test]
async fn new_connections_are_counted() {
    let server = Server::configure().set("limits.connects_per_minute", 2).start().await;
    let (_alice, _bob) = (server.login("alice").await, server.login("bob").await);
    assert!(server.handshake(server.connect_tcp().await, &TlsOptions::default()).await.is_err());
}

#[tokio::test]
async fn a_muted_account_reads_and_says_nothing() {
    let server = Server::start().await;
    let (mut alice, mut bob) = (server.login("alice").await, server.login("bob").await);
    server.chatd(&["user", "mute", "alice", "--for", "1h", "--reason", "cool down"]).ok();
    let answer = alice.ask("PRIVMSG #lobby :hello").await;
    assert!(answer.iter().any(|line| line.is("404") && line.text().contains("cool down")), "{answer:?}");
    for line in ["PRIVMSG bob :psst", "NOTICE #lobby :hello", "SETNAME :hello", "AWAY :hello", "TOPIC #lobby :hello"] {
        let answer = alice.ask(line).await;
        assert!(answer.iter().any(|said| said.text().contains("muted")), "{line}: {answer:?}");
    }
    alice.ask("BATCH +1 draft/multiline #lobby").await;
    alice.ask("@batch=1 PRIVMSG #lobby :hello").await;
    alice.ask("@+typing=active TAGMSG #lobby").await;
    alice.ask("TOPIC #lobby").await;
    bob.send("PRIVMSG #lobby :you can read this").await;
    alice.expect("PRIVMSG #lobby :you can read this").await;
    let help = alice.ask_service("whoami").await;
    assert!(!help.is_empty(), "the service answers");
    alice.send("QUIT :hello").await;
    alice.expect_end().await;
    let heard = bob.expect_until("the QUIT", |line| line.is("QUIT")).await;
    assert!(!heard.iter().any(|line| line.text().contains("hello")), "{heard:?}");
    let mut alice = server.login("alice").await;
    server.chatd(&["user", "unmute", "alice"]).ok();
    alice.send("PRIVMSG #lobby :here I am").await;
    bob.expect_from("alice", "PRIVMSG #lobby :here I am").await;
}

#[tokio::test]
async fn a_kick_from_the_server() {
    let server = Server::start().await;
    let mut root = server.login_oper("root").await;
    for by_service in [false, true] {
        let mut alice = server.login("alice").await;
        if by_service {
            root.ask_service("users kick alice go for a walk").await;
        } else {
            server.chatd(&["user", "kick", "alice", "--reason", "go for a walk"]).ok();
        }
        let last = alice.expect_end().await.last().expect("a word").text().to_owned();
        assert!(last.contains("Kicked") && last.contains("go for a walk"), "{last}");
    }
    server.login("alice").await;
}
