//! The client against servers that say what the tests want: over a pipe in memory, and over TLS on loopback.

mod dialogue;
mod pipes;
mod trusting;
mod views;

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::link::Link;
use super::login::{Credentials, Proof};
use super::session::Session;

/// What our server offers.
const CAPS: &str = "sasl=PLAIN message-tags server-time batch echo-message labeled-response account-tag cap-notify \
    multi-prefix extended-join away-notify setname invite-notify standard-replies";

fn alice() -> Credentials {
    Credentials { user: "alice".into(), proof: Proof::Password(Zeroizing::new("secret".into())), passive: false }
}

/// A client and the server's end of its connection.
fn pair() -> (Link<DuplexStream>, Peer<DuplexStream>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    (Link::new(ours, Session::new(alice(), 0)), Peer::new(theirs))
}

/// The server's end of a connection.
struct Peer<S> {
    stream: BufReader<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    fn new(stream: S) -> Peer<S> {
        Peer { stream: BufReader::new(stream) }
    }

    /// The next line; `None` at the end of the connection.
    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = timeout(Duration::from_secs(10), self.stream.read_line(&mut line)).await;
        let count = read.expect("the client says nothing").unwrap_or(0);
        (count > 0).then(|| line.trim_end().to_owned())
    }

    async fn expect(&mut self, wanted: &str) -> String {
        let line = self.line().await.unwrap_or_else(|| panic!("the client left instead of: {wanted}"));
        let bare = line.split_once(' ').filter(|_| line.starts_with('@')).map_or(line.as_str(), |(_, rest)| rest);
        assert!(bare.starts_with(wanted), "expected {wanted}\n     got {line}");
        line
    }

    async fn send(&mut self, lines: &str) {
        for line in lines.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        }
        self.stream.get_mut().flush().await.unwrap();
    }

    /// Lets alice in, who is put into the rooms by `rooms`, whatever lines those are.
    async fn let_in(&mut self, caps: &str, rooms: &str) {
        self.log_in(caps).await;
        self.send(":s 005 alice CHANTYPES=# :are supported\n:s 422 alice :no motd").await;
        self.send(rooms).await;
        self.expect("PING settled").await;
        self.send(":s PONG s settled").await;
    }

    /// Up to the greeting.
    async fn log_in(&mut self, caps: &str) {
        self.expect("CAP LS 302").await;
        self.send(&format!(":s CAP * LS * :x-unknown {}\n:s CAP * LS :{}", &caps[..10], &caps[10..])).await;
        self.expect("NICK alice").await;
        self.expect("USER alice").await;
        let wanted = self.expect("CAP REQ :").await;
        assert!(!wanted.contains("unknown"), "{wanted}");
        let list = wanted.split_once(" :").map(|(_, list)| list.to_owned()).unwrap();
        self.expect("CAP REQ :sasl").await;
        self.send(&format!(":s CAP * ACK :{list}\n:s CAP * ACK :sasl")).await;
        self.expect("AUTHENTICATE PLAIN").await;
        self.send("AUTHENTICATE +").await;
        self.expect("AUTHENTICATE AGFsaWNlAHNlY3JldA==").await;
        self.send(":s 900 alice alice!a@h alice :ok\n:s 903 alice :ok").await;
        self.expect("CAP END").await;
        self.send(":s 001 alice :hello").await;
    }

    /// Answers the fence that comes next.
    async fn fence(&mut self) {
        let ping = self.expect("PING fence-").await;
        self.send(&format!(":s PONG s {}", &ping[5..])).await;
    }
}

fn label(line: &str) -> &str {
    line.strip_prefix("@label=").and_then(|rest| rest.split_once(' ')).map(|(label, _)| label).expect(line)
}
