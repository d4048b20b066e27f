//! Browsers and other clients over HTTP: requests and their answers as text, WebSockets, and clients on WebSockets.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, duplex};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{WebSocketStream, client_async};

use super::DEADLINE;
use super::client::{Client, MODERN, Tls};
use super::server::{Server, login_over};
use super::tls::TlsOptions;

pub type Socket = WebSocketStream<Tls>;

impl Server {
    /// TLS as a browser has it: it offers `http/1.1` alone.
    pub async fn connect_http(&self) -> Tls {
        let options = TlsOptions { alpn: vec!["http/1.1"], ..TlsOptions::default() };
        self.handshake(self.connect_tcp().await, &options).await.expect("a TLS connection")
    }

    /// Opens a WebSocket with these headers beside the usual ones; the subprotocol that was agreed on. `Err`: the status
    /// of the refusal.
    pub async fn open_socket(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<(Socket, String), u16> {
        let mut request = format!("wss://chat.test{path}").into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().append(*name, value.parse().expect("a header"));
        }
        let opened = timeout(DEADLINE, client_async(request, self.connect_http().await)).await.expect("an answer");
        match opened {
            Ok((socket, response)) => {
                let agreed = response.headers().get("sec-websocket-protocol");
                Ok((socket, agreed.map_or("", |name| name.to_str().expect("a name")).to_owned()))
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no answer that is HTTP: {error}"),
        }
    }

    /// A client on a WebSocket, and not a word said.
    pub async fn connect_web(&self, name: &str, framing: &str) -> Client {
        let (socket, agreed) =
            self.open_socket("/irc", &[("sec-websocket-protocol", framing)]).await.expect("a WebSocket");
        assert_eq!(agreed, framing);
        over_socket(name, socket, framing == "binary.ircv3.net")
    }

    /// Logs in as the page does.
    pub async fn login_web(&self, name: &str) -> Client {
        login_over(self.connect_web(name, "text.ircv3.net").await, name, MODERN).await
    }
}

/// A client whose lines travel in messages: one line each, of the right kind, without a line end.
pub fn over_socket(name: &str, socket: Socket, binary: bool) -> Client {
    let (near, far) = duplex(1 << 16);
    let (from, mut to) = tokio::io::split(far);
    let (mut sink, mut stream) = socket.split();
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let message = if binary { Message::binary(line.into_bytes()) } else { Message::text(line) };
            if sink.send(message).await.is_err() {
                break;
            }
        }
        let _ = sink.close().await;
    });
    tokio::spawn(async move {
        while let Some(Ok(message)) = stream.next().await {
            let line = match message {
                Message::Text(text) if !binary => text.as_str().to_owned(),
                Message::Binary(bytes) if binary => String::from_utf8(bytes.to_vec()).expect("UTF-8"),
                Message::Ping(_) | Message::Pong(_) => continue,
                Message::Close(_) => break,
                other => panic!("not the kind of message that was agreed on: {other:?}"),
            };
            assert!(!line.contains(['\r', '\n']) && !line.is_empty(), "not one line: {line:?}");
            if to.write_all(format!("{line}\r\n").as_bytes()).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    });
    Client::new(name, near)
}

/// Waits for the end of a WebSocket; the code it was closed with.
pub async fn closed_with(socket: &mut Socket) -> Option<CloseCode> {
    loop {
        match timeout(DEADLINE, socket.next()).await.expect("the server did not end the connection") {
            Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return None,
        }
    }
}

/// Sends a request as it stands and reads to the end of the connection, which the request should ask for.
pub async fn http(mut stream: Tls, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = Vec::new();
    let _ = timeout(DEADLINE + Duration::from_secs(1), stream.read_to_end(&mut answer)).await.expect("the end");
    String::from_utf8_lossy(&answer).into_owned()
}
