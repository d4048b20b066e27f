//! Input that is wrong in every way: it gets an error or a close, never a panic, and costs the others nothing.
//!
//! The harness looks for panics in the server's log at the end of each test.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::{Client, DEADLINE, Line, Server, TlsOptions};

/// Two who are there before and after: they talk, whatever others do.
struct Bystanders {
    carol: Client,
    dave: Client,
    words: usize,
}

impl Bystanders {
    async fn arrive(server: &Server) -> Bystanders {
        let (mut carol, mut dave) = (server.login("carol").await, server.login("dave").await);
        carol.ask("JOIN #aside").await;
        dave.ask("JOIN #aside").await;
        Bystanders { carol, dave, words: 0 }
    }

    async fn talk(&mut self) {
        self.words += 1;
        let words = self.words;
        self.carol.send(format!("PRIVMSG #aside :undisturbed {words}")).await;
        self.dave.expect_from("carol", &format!("PRIVMSG #aside :undisturbed {words}")).await;
    }
}

/// Sends bytes over plain TCP and waits until the server hangs up.
async fn hung_up_on(mut tcp: TcpStream, bytes: &[u8], finish: bool) {
    let _ = tcp.write_all(bytes).await;
    if finish {
        let _ = tcp.shutdown().await;
    }
    let mut sink = [0; 4096];
    let end = timeout(DEADLINE, async { while tcp.read(&mut sink).await.is_ok_and(|n| n > 0) {} }).await;
    assert!(end.is_ok(), "the server keeps the connection open");
}

#[tokio::test]
async fn lines_that_are_too_long() {
    let server = Server::start().await;
    let mut others = Bystanders::arrive(&server).await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.send(format!("PRIVMSG #lobby :{}", "x".repeat(600))).await;
    alice.expect_numeric("417").await;
    // 510 bytes and CR LF are allowed, one more is not.
    let start = "PRIVMSG #nowhere :";
    let answer = alice.ask(&format!("{start}{}", "y".repeat(510 - start.len()))).await;
    assert!(answer.iter().all(|line| !line.is("417")), "{answer:?}");
    let answer = alice.ask(&format!("{start}{}", "y".repeat(511 - start.len()))).await;
    assert!(answer.iter().any(|line| line.is("417")), "{answer:?}");
    // The same for tags: 4094 bytes between @ and blank.
    let answer = alice.ask(&format!("@+a={} PING x", "t".repeat(4091))).await;
    assert!(answer.iter().any(|line| line.matches("PONG * x")), "{answer:?}");
    let answer = alice.ask(&format!("@+a={} PRIVMSG #lobby :hidden", "t".repeat(4092))).await;
    assert!(answer.iter().any(|line| line.is("417")), "{answer:?}");
    bob.expect_nothing("PRIVMSG").await;
    others.talk().await;
}

#[tokio::test]
async fn a_line_that_does_not_end() {
    let server = Server::start().await;
    let mut others = Bystanders::arrive(&server).await;
    let mut alice = server.login("alice").await;
    let before = server.rss();
    for _ in 0..16 {
        alice.send_bytes(&vec![b'a'; 1024 * 1024]).await;
        others.talk().await;
    }
    assert!(server.rss() < before + 16 * 1024 * 1024, "the line is kept in memory");
    alice.send_bytes(b"\r\n").await;
    let answer = alice.sync().await;
    assert_eq!(answer.iter().filter(|line| line.is("417")).count(), 1, "one line, one error: {answer:?}");
}

#[tokio::test]
async fn before_login_too() {
    let server = Server::start().await;
    let mut others = Bystanders::arrive(&server).await;
    let mut client = server.connect_raw().await;
    client.send(format!("NICK {}", "n".repeat(10_000))).await;
    client.expect_numeric("417").await;
    client.send_bytes(b"\r\n\r\n\n\n   \r\n").await;
    client
        .send_bytes(b"@ PING\r\n@=;;= NICK\r\n:\r\n: \r\n:x\r\n\x00\x01\x02\r\nUSER \xff\xfe 0 * :\xc3\x28\r\n")
        .await;
    others.talk().await;
    drop(client);
    others.talk().await;
}

#[tokio::test]
async fn broken_lines_are_not_taken_for_others() {
    let server = Server::start().await;
    let mut others = Bystanders::arrive(&server).await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for line in [
        "@ PRIVMSG #lobby :empty tags",
        "@a b=c PRIVMSG #lobby :a blank in the tags",
        "@+a=b",
        ":alice",
        ":",
        "PRIV-MSG #lobby :no command",
        "12 #lobby :no numeric",
        "é #lobby :no letter",
        "PRIVMSG\t#lobby\t:tabs",
    ] {
        alice.send(line).await;
        assert!(alice.hears().await.is_empty(), "{line:?} was taken for a message");
    }
    alice.send_bytes(b"PRIVMSG #lobby :a\0b\r\n").await;
    alice.sync().await;
    bob.expect_nothing("PRIVMSG").await;
    assert!(server.said("#lobby").is_empty());
    others.talk().await;
}

#[tokio::test]
async fn a_source_in_front_does_not_make_somebody_else() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.send(":carol!c@c PRIVMSG #lobby :not carol").await;
    alice.sync().await;
    let heard: Vec<Line> = bob.sync().await.into_iter().filter(Line::is_speech).collect();
    assert!(heard.iter().all(|line| line.nick() == "alice"), "{heard:?}");
}

#[tokio::test]
async fn a_stray_cr_does_not_make_two_lines() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    alice.send_bytes(b"PRIVMSG #lobby :one\rPRIVMSG #lobby :two\r\n").await;
    alice.sync().await;
    let heard = bob.hears().await;
    assert!(heard.len() <= 1 && !heard.contains(&"two".to_owned()), "{heard:?}");
}

#[tokio::test]
async fn what_is_not_utf8_is_refused_with_a_word() {
    let server = Server::start().await;
    let mut others = Bystanders::arrive(&server).await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for bytes in [&b"caf\xe9"[..], b"\xff\xff", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"\xc0\xaf"] {
        alice.send_bytes(&[b"PRIVMSG #lobby :", bytes, b"\r\n"].concat()).await;
        let answer = alice.sync().await;
        let told = answer.iter().any(|line| line.is_error() || line.is("NOTICE"));
        assert!(told, "nobody told alice that {bytes:?} is not UTF-8: {answer:?}");
    }
    bob.expect_nothing("PRIVMSG").await;
    others.talk().await;
}

#[tokio::test]
async fn garbage_instead_of_tls() {
    let server = Server::configure().set("tls.handshake_timeout", "2s").start().await;
    let mut others = Bystanders::arrive(&server).await;
    for garbage in [
        &b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..],
        b"NICK alice\r\nUSER alice 0 * :A\r\n",
        b"GET / HTTP/1.1\r\nHost: chat.test\r\n\r\n",
        b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
        b"\x16\x03\x01\xff\xff\x01",
        &[0xff; 20_000],
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        hung_up_on(server.connect_tcp().await, garbage, false).await;
        hung_up_on(server.connect_tcp().await, garbage, true).await;
        others.talk().await;
    }
    hung_up_on(server.connect_tcp().await, b"", true).await;
}

#[tokio::test]
async fn half_a_handshake() {
    let server = Server::configure().set("tls.handshake_timeout", "1s").start().await;
    let mut others = Bystanders::arrive(&server).await;
    // The beginning of a ClientHello, and then nothing more.
    hung_up_on(server.connect_tcp().await, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", false).await;
    // Nothing at all.
    hung_up_on(server.connect_tcp().await, b"", false).await;
    // Many at once do not stand in the way of who comes properly.
    let mut half = Vec::new();
    for _ in 0..100 {
        let mut tcp = server.connect_tcp().await;
        tcp.write_all(b"\x16\x03\x01\x02\x00\x01").await.expect("sent");
        half.push(tcp);
    }
    server.login("alice").await.quit("").await;
    others.talk().await;
}

#[tokio::test]
async fn http_on_the_port() {
    let server = Server::configure().set("limits.registration_timeout", "2s").start().await;
    let mut others = Bystanders::arrive(&server).await;
    for alpn in [vec![], vec!["http/1.1"], vec!["h2", "http/1.1"], vec!["h2"]] {
        let options = TlsOptions { alpn: alpn.clone(), ..TlsOptions::default() };
        let Ok(mut stream) = server.handshake(server.connect_tcp().await, &options).await else { continue };
        stream.write_all(b"GET / HTTP/1.1\r\nHost: chat.test\r\nConnection: close\r\n\r\n").await.expect("sent");
        let mut answer = Vec::new();
        let end = timeout(DEADLINE, stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok(), "with {alpn:?} the connection stays open");
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains(" 001 "), "{answer}");
    }
    others.talk().await;
}

#[tokio::test]
async fn too_many_and_too_strange_parameters() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let many = (0..200).map(|n| n.to_string()).collect::<Vec<_>>().join(" ");
    let rooms = (0..100).map(|n| format!("#r{n}")).collect::<Vec<_>>().join(",");
    for line in [
        format!("JOIN {many}"),
        format!("MODE #lobby {many}"),
        format!("MODE #lobby +{} {many}", "o".repeat(90)),
        format!("WHOIS {many}"),
        format!("KICK #lobby {many}"),
        format!("JOIN {rooms}"),
        format!("NAMES {rooms}"),
        format!("PRIVMSG {rooms} :to all of them"),
        format!("CAP REQ :{}", "x ".repeat(200)),
        format!("CAP {many}"),
        "JOIN ,,,,".to_owned(),
        "PART ,#lobby,".to_owned(),
        "JOIN #lobby".to_owned(),
        "MODE #lobby +l 99999999999999999999999999".to_owned(),
        "MODE #lobby +l -1".to_owned(),
        "MODE #lobby +k :".to_owned(),
        "MODE #lobby +".to_owned(),
        "MODE #lobby -".to_owned(),
        "MODE alice +i".to_owned(),
        "MODE bob +i".to_owned(),
        "WHO".to_owned(),
        "WHO * o".to_owned(),
        "LIST >3,<5,*x*".to_owned(),
        "TOPIC #lobby #lobby #lobby".to_owned(),
        "INVITE alice #lobby extra".to_owned(),
        "AWAY".to_owned(),
        "PONG".to_owned(),
        "CAP".to_owned(),
        "AUTHENTICATE".to_owned(),
        "NICK :".to_owned(),
        "BATCH +x chathistory".to_owned(),
        "ERROR :me".to_owned(),
        "001 alice :welcome".to_owned(),
        "SQUIT chat.test :x".to_owned(),
        "OPER root root".to_owned(),
    ] {
        alice.ask(&line).await;
    }
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.roll(of.len())]
    }

    /// A line that is nearly IRC, or nothing like it.
    fn line(&mut self) -> Vec<u8> {
        const COMMANDS: &[&str] = &[
            "JOIN",
            "PART",
            "PRIVMSG",
            "NOTICE",
            "TAGMSG",
            "TOPIC",
            "NAMES",
            "LIST",
            "WHO",
            "WHOIS",
            "MODE",
            "KICK",
            "INVITE",
            "AWAY",
            "PING",
            "PONG",
            "MOTD",
            "LUSERS",
            "VERSION",
            "USERHOST",
            "ISON",
            "CAP LS",
            "CAP REQ",
            "CAP END",
            "AUTHENTICATE",
            "NICK",
            "USER",
            "PASS",
            "SETNAME",
            "BATCH",
            "FAIL",
            "WHOWAS",
            "ADMIN",
            "123",
        ];
        const WORDS: &[&str] = &[
            "#lobby",
            "#fuzz",
            "#计划",
            "alice",
            "bob",
            "nobody",
            "*",
            ":",
            "::",
            "+o",
            "-o+v",
            "+kl",
            "+imnst",
            "99",
            "-1",
            "a,b,c",
            "#a,#b",
            "\u{202e}",
            "\u{7}",
            "x\u{0}y",
            "é",
            "=",
            "@",
            "!",
            "label",
            ":a b c",
            "PLAIN",
            "302",
            "server-time",
            "%s%n",
            "'; --",
            "\\",
            "+",
            "-",
            "0",
            "#",
            "##",
            "&x",
            "$*",
            "~",
        ];
        let mut line = Vec::new();
        if self.roll(20) == 0 {
            return (0..self.roll(300)).map(|_| self.roll(256) as u8).filter(|byte| *byte != b'\n').collect();
        }
        if self.roll(4) == 0 {
            let tags = ["@label=x ", "@+a=b;c ", "@label=;+x=\\ ", "@ ", "@;; ", "@a=b;a=c;+draft/react=👍 "];
            line.extend(self.pick(&tags).as_bytes());
        }
        if self.roll(10) == 0 {
            line.extend(b":bob!b@b ");
        }
        line.extend(self.pick(COMMANDS).as_bytes());
        for _ in 0..self.roll(6) {
            line.push(b' ');
            line.extend(self.pick(WORDS).as_bytes());
        }
        line
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_strange_lines() {
    let server = Server::configure().user("fuzz").start().await;
    let mut others = Bystanders::arrive(&server).await;
    for seed in [1, 2_463_534_242, 88_172_645_463_325_252] {
        let mut dice = Dice(seed);
        let mut fuzz = server.login("fuzz").await;
        for round in 0..20 {
            for _ in 0..50 {
                let line = dice.line();
                fuzz.send_bytes(&[&line, &b"\r\n"[..]].concat()).await;
            }
            // A fence whose PONG may come late, in a strange company, but has to come.
            fuzz.sync().await;
            if round % 5 == 0 {
                others.talk().await;
            }
        }
        fuzz.quit("").await;
    }
    others.talk().await;
}

#[tokio::test]
async fn strange_lines_from_strangers() {
    let server = Server::configure().set("limits.registration_timeout", "5s").start().await;
    let mut others = Bystanders::arrive(&server).await;
    let mut dice = Dice(77);
    for _ in 0..30 {
        let mut stranger = server.connect_raw().await;
        for _ in 0..30 {
            let line = dice.line();
            stranger.send_bytes(&[&line, &b"\r\n"[..]].concat()).await;
        }
        drop(stranger);
    }
    others.talk().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    others.talk().await;
}

#[tokio::test]
async fn a_line_in_many_pieces_and_many_lines_in_one() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for byte in "PRIVMSG #lobby :中文 in pieces\r\n".as_bytes() {
        alice.send_bytes(&[*byte]).await;
    }
    bob.expect_from("alice", "PRIVMSG #lobby :中文 in pieces").await;
    alice.send_bytes(b"PRIVMSG #lobby :a\r\nPRIVMSG #lobby :b\nPRIVMSG #lobby :c\r\n").await;
    alice.sync().await;
    assert_eq!(bob.hears().await, ["a", "b", "c"]);
}
