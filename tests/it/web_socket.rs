//! IRC over WebSocket: <https://ircv3.net/specs/extensions/websocket>. A session on one is a session like any other.

use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::harness::{DEADLINE, Server, Socket, TlsOptions, closed_with, http};

/// Waits for a message that contains this.
async fn hear(socket: &mut Socket, wanted: &str) -> Message {
    loop {
        let message = timeout(DEADLINE, socket.next()).await.expect("in time").expect("a message").expect("no error");
        let text = String::from_utf8_lossy(&message.clone().into_data()).into_owned();
        if text.contains(wanted) {
            return message;
        }
    }
}

#[tokio::test]
async fn people_talk_over_tls_and_websockets_alike() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login_web("bob").await;
    let mut carol = {
        let client = server.connect_web("carol", "binary.ircv3.net").await;
        crate::harness::login_over(client, "carol", crate::harness::MODERN).await
    };
    let text = "schöne Grüße, 你好 \u{1F44B}";
    alice.send(format!("PRIVMSG #lobby :{text}")).await;
    for other in [&mut bob, &mut carol] {
        assert_eq!(other.expect_from("alice", "PRIVMSG #lobby").await.text(), text);
    }
    bob.send("@label=7 PRIVMSG #lobby :from the page").await;
    assert_eq!(bob.expect("PRIVMSG #lobby :from the page").await.tag("label"), Some("7"));
    alice.expect_from("bob", "PRIVMSG #lobby :from the page").await;
    carol.expect_from("bob", "PRIVMSG #lobby :from the page").await;
    carol.quit("bye").await;
    alice.expect("QUIT").await;
    assert_eq!(server.said("#lobby"), [text, "from the page"]);
}

#[tokio::test]
async fn lines_come_in_their_order_however_many() {
    let server = Server::start().await;
    let mut alice = server.login_web("alice").await;
    let mut bob = server.login_web("bob").await;
    for n in 0..2000 {
        alice.send(format!("PRIVMSG #lobby :{n} {}", "x".repeat(300))).await;
    }
    let heard = {
        alice.sync().await;
        bob.hears().await
    };
    let numbers: Vec<usize> = heard.iter().filter_map(|text| text.split(' ').next()?.parse().ok()).collect();
    assert_eq!(numbers, (0..2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn subprotocols_and_paths() {
    let server = Server::start().await;
    for (path, offer, agreed) in [
        ("/irc", "text.ircv3.net", "text.ircv3.net"),
        ("/", "text.ircv3.net", "text.ircv3.net"),
        ("/?x=y", "binary.ircv3.net", "binary.ircv3.net"),
        ("/irc", "binary.ircv3.net, text.ircv3.net", "binary.ircv3.net"),
        ("/irc", "text.ircv3.net, binary.ircv3.net", "text.ircv3.net"),
        ("/irc", "chat, text.ircv3.net", "text.ircv3.net"),
    ] {
        let (mut socket, got) = server.open_socket(path, &[("sec-websocket-protocol", offer)]).await.expect(path);
        assert_eq!(got, agreed, "{offer}");
        socket.send(Message::text("PING :hey")).await.expect("sent");
        let answer = hear(&mut socket, "PONG").await;
        assert_eq!(answer.is_binary(), agreed == "binary.ircv3.net", "{offer}");
    }
    // None at all: text, as old clients expect.
    let (mut socket, agreed) = server.open_socket("/", &[]).await.expect("a WebSocket");
    assert_eq!(agreed, "");
    socket.send(Message::binary("PING :hey")).await.expect("sent");
    assert!(hear(&mut socket, "PONG").await.is_text());
    assert_eq!(server.open_socket("/elsewhere", &[]).await.err(), Some(404));
}

#[tokio::test]
async fn a_line_end_in_a_message_is_taken_at_its_end_alone() {
    let server = Server::start().await;
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    for line in ["PING :one", "PING :two\r\n", "PING :three\n", "", "\r\n"] {
        socket.send(Message::text(line)).await.expect("sent");
    }
    for wanted in ["one", "two", "three"] {
        hear(&mut socket, wanted).await;
    }
    socket.send(Message::text("PING :four\r\nPING :five")).await.expect("sent");
    assert_eq!(closed_with(&mut socket).await, Some(CloseCode::Policy));
}

#[tokio::test]
async fn frames_in_pieces_and_pings() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let server = Server::start().await;
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    let piece = |text: &'static str, first: bool, last: bool| {
        let code = OpCode::Data(if first { Data::Text } else { Data::Continue });
        Message::Frame(Frame::message(text, code, last))
    };
    socket.send(piece("PI", true, false)).await.expect("sent");
    socket.send(Message::Ping("are you there".into())).await.expect("sent");
    socket.send(piece("NG :in pie", false, false)).await.expect("sent");
    socket.send(piece("ces", false, true)).await.expect("sent");
    assert!(hear(&mut socket, "are you there").await.is_pong());
    hear(&mut socket, "in pieces").await;
}

#[tokio::test]
async fn what_breaks_the_rules_is_closed_with_a_code_that_says_so() {
    use tokio_tungstenite::tungstenite::protocol::frame::Frame;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let frame =
        |bytes: Vec<u8>, code: Data, last: bool| Message::Frame(Frame::message(bytes, OpCode::Data(code), last));
    let cases: Vec<(&str, Vec<Message>, CloseCode)> = vec![
        ("too long", vec![Message::text("x".repeat(20_000))], CloseCode::Size),
        (
            "too long in pieces",
            vec![frame(vec![b'x'; 10_000], Data::Text, false), frame(vec![b'x'; 10_000], Data::Continue, false)],
            CloseCode::Size,
        ),
        ("not UTF-8", vec![frame(vec![0xff, 0xfe], Data::Text, true)], CloseCode::Invalid),
        ("an end without a beginning", vec![frame(vec![b'x'], Data::Continue, true)], CloseCode::Protocol),
        ("a kind that is not", vec![frame(vec![b'x'], Data::Reserved(5), true)], CloseCode::Protocol),
    ];
    for (what, messages, wanted) in cases {
        let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
        for message in messages {
            socket.send(message).await.expect("sent");
        }
        assert_eq!(closed_with(&mut socket).await, Some(wanted), "{what}");
    }
    // A line that is too long, but no more than that, is answered as anywhere.
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    socket.send(Message::text(format!("PING :{}", "x".repeat(9000)))).await.expect("sent");
    hear(&mut socket, "417").await;
    socket.send(Message::text("PING :still here")).await.expect("sent");
    hear(&mut socket, "still here").await;
    alice.sync().await;
}

#[tokio::test]
async fn only_pages_that_may() {
    let server = Server::configure().set("web.origins", ["https://webchat.example"]).start().await;
    for (origin, wanted) in [
        ("https://chat.test", None),
        ("https://webchat.example", None),
        ("https://evil.example", Some(403)),
        ("http://chat.test", Some(403)),
        ("null", Some(403)),
        ("https://chat.test.evil.example", Some(403)),
    ] {
        let opened = server.open_socket("/irc", &[("origin", origin)]).await;
        assert_eq!(opened.err(), wanted, "{origin}");
    }
}

#[tokio::test]
async fn handshakes_that_are_not_right() {
    let server = Server::start().await;
    let base = "Host: chat.test\r\nConnection: Upgrade\r\n";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    for (request, wanted) in [
        (format!("GET /irc HTTP/1.1\r\n{base}Upgrade: websocket\r\n{version}\r\n"), "400"),
        (format!("GET /irc HTTP/1.1\r\n{base}Upgrade: websocket\r\n{version}Sec-WebSocket-Key: short\r\n\r\n"), "400"),
        (format!("GET /irc HTTP/1.1\r\n{base}Upgrade: websocket\r\n{key}Sec-WebSocket-Version: 8\r\n\r\n"), "426"),
        (format!("GET /irc HTTP/1.1\r\n{base}Upgrade: h2c\r\n{key}{version}\r\n"), "400"),
        (format!("POST /irc HTTP/1.1\r\n{base}Upgrade: websocket\r\n{key}{version}\r\n"), "405"),
    ] {
        let answer = http(server.connect_http().await, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted}")), "{request:?}: {answer}");
    }
    // The right one, as the RFC has it; and the first message may come with the request.
    let mut frame = vec![0x81, 0x80 | 9, 0, 0, 0, 0];
    frame.extend_from_slice(b"PING :hey");
    frame.extend_from_slice(&[0x88, 0x80, 0, 0, 0, 0]);
    let mut request = format!("GET /irc HTTP/1.1\r\n{base}Upgrade: WebSocket\r\n{key}{version}\r\n").into_bytes();
    request.extend_from_slice(&frame);
    let mut stream = server.connect_http().await;
    stream.write_all(&request).await.expect("sent");
    let answer = http(stream, "").await;
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    assert!(answer.contains("PONG"), "{answer}");
}

#[tokio::test]
async fn certificates_are_no_login_here() {
    let server = Server::start().await;
    let certificate = crate::harness::ClientCertificate::make();
    server.chatd(&["user", "cert", "add", "alice", &certificate.fingerprint()]).ok();
    // A client without ALPN is asked for its certificate, and then turns out to speak HTTP.
    let options = TlsOptions { alpn: vec![], certificate: Some(certificate), ..TlsOptions::default() };
    let stream = server.handshake(server.connect_tcp().await, &options).await.expect("a handshake");
    let opened = tokio_tungstenite::client_async("wss://chat.test/irc", stream).await;
    let (mut socket, _) = opened.expect("a WebSocket");
    socket.send(Message::text("CAP LS 302")).await.expect("sent");
    let caps = hear(&mut socket, "sasl").await.into_text().expect("text");
    assert!(caps.contains("sasl=PLAIN") && !caps.contains("EXTERNAL"), "{caps}");
}

#[tokio::test]
async fn the_end_of_the_server_is_said_and_closed_properly() {
    let mut server = Server::start().await;
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    for line in ["PASS the-word-of-alice", "NICK alice", "USER a 0 * :a"] {
        socket.send(Message::text(line)).await.expect("sent");
    }
    hear(&mut socket, " 001 ").await;
    server.sigterm();
    hear(&mut socket, "ERROR :Closing link").await;
    assert_eq!(closed_with(&mut socket).await, Some(CloseCode::Normal));
    // Answers the server's good-bye, so that it need not wait.
    while socket.next().await.is_some_and(|message| message.is_ok()) {}
    assert!(server.ended().await.success());
}

#[tokio::test]
async fn who_does_not_read_is_waited_for_and_loses_nothing() {
    let server = Server::configure().set("limits.ping_interval", "1h").start().await;
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    for line in ["CAP REQ batch", "CAP END", "PASS the-word-of-bob", "NICK bob", "USER b 0 * :b"] {
        socket.send(Message::text(line)).await.expect("sent");
    }
    hear(&mut socket, " 366 ").await;
    // Far more than the buffers on the way take in, while nobody reads.
    let mut alice = server.login("alice").await;
    let before = server.rss();
    let text = "x".repeat(400);
    for n in 0..40_000 {
        alice.send(format!("PRIVMSG #lobby :{n} {text}")).await;
        if n % 1000 == 999 {
            alice.sync().await;
        }
    }
    let grown = server.rss().saturating_sub(before) >> 20;
    assert!(grown < 64, "{grown} MiB for one who does not read");
    for n in 0..40_000 {
        hear(&mut socket, &format!("#lobby :{n} ")).await;
    }
}

#[tokio::test]
async fn who_takes_nothing_is_cut_off() {
    let server = Server::configure().set("limits.write_deadline", "500ms").start().await;
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    for line in ["PASS the-word-of-bob", "NICK bob", "USER b 0 * :b"] {
        socket.send(Message::text(line)).await.expect("sent");
    }
    hear(&mut socket, " 366 ").await;
    let mut alice = server.login("alice").await;
    let text = "x".repeat(400);
    for n in 0..100_000 {
        alice.send(format!("PRIVMSG #lobby :{n} {text}")).await;
        if n % 500 == 499 && alice.sync().await.iter().any(|line| line.matches(":bob QUIT")) {
            return;
        }
    }
    alice.expect(":bob QUIT").await;
}

#[tokio::test]
async fn silence_and_deafness_end_as_anywhere() {
    let server = Server::configure()
        .set("limits.ping_interval", "200ms")
        .set("limits.ping_timeout", "200ms")
        .set("limits.registration_timeout", "500ms")
        .start()
        .await;
    // Who does not log in.
    let (mut socket, _) = server.open_socket("/irc", &[]).await.expect("a WebSocket");
    hear(&mut socket, "the login took too long").await;
    assert_eq!(closed_with(&mut socket).await, Some(CloseCode::Normal));
    // Who does not answer PING, though pings of WebSocket come from it.
    let mut alice = server.login("alice").await;
    let mut bob = server.login_web("bob").await;
    bob.play_dead();
    tokio::join!(bob.expect_end(), alice.expect_from("bob", "QUIT"));
}
