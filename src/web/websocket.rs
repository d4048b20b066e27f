//! A WebSocket as a stream of lines: what comes in is handed on with its line end, what goes out is cut into one message
//! a line. So it can stand where a TLS stream stands.
//!
//! Promises: a message beyond [`MESSAGE_MAX`] or one that holds several lines ends the connection, with the close code
//! that says so; pings are answered; at the end both sides take their leave, as far as the other one is there. What
//! waits to be sent is at most [`OUT_MAX`]; then writing waits.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use crate::net::listener::Movable;

#[cfg(test)]
mod laws;

/// Bytes of a message that comes in. More than any line has, so that one a little too long is answered and not fatal.
pub const MESSAGE_MAX: usize = 16 * 1024;
/// Bytes gathered before they are handed to TLS, and those read at once: held by every connection.
const BUFFER: usize = 4096;
/// Bytes that wait because TLS takes no more: [`BUFFER`] and one line of ours, far below this.
const OUT_MAX: usize = 64 * 1024;

/// How lines stand in messages that go out. Those that come in may be of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    Text,
    Binary,
}

/// The server's end of a WebSocket.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: WebSocketStream<S>,
    framing: Framing,
    /// What has come and was not yet handed on.
    line: BytesMut,
    /// Nothing more will come.
    ended: bool,
    /// What we say in leaving.
    code: CloseCode,
    leaving: Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leaving {
    NotYet,
    /// Our good-bye is on its way.
    Said,
    /// The stream below is being closed.
    Below,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// `read`: what came behind the request already.
    pub async fn new(io: S, read: Bytes, framing: Framing) -> WebSocket<S> {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(BUFFER)
            .max_write_buffer_size(OUT_MAX)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let stream = WebSocketStream::from_partially_read(io, read.into(), Role::Server, Some(config)).await;
        WebSocket {
            stream,
            framing,
            line: BytesMut::new(),
            ended: false,
            code: CloseCode::Normal,
            leaving: Leaving::NotYet,
        }
    }

    /// Waits for a line; false at the end.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while !self.ended {
            let message = match ready!(Pin::new(&mut self.stream).poll_next(cx)) {
                Some(Ok(Message::Text(text))) => Bytes::from(text),
                Some(Ok(Message::Binary(bytes))) => bytes,
                // Answered by the stream itself; after a Close it ends.
                Some(Ok(_)) => continue,
                None => {
                    self.ended = true;
                    break;
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Poll::Ready(self.failed(error).map_or(Ok(false), Err));
                }
            };
            let line = message.strip_suffix(b"\n").unwrap_or(&message);
            if line.contains(&b'\n') {
                self.ended = true;
                self.code = CloseCode::Policy;
                return Poll::Ready(Err(invalid("A message held more than one line")));
            }
            self.line = BytesMut::with_capacity(line.len() + 1);
            self.line.extend_from_slice(line);
            self.line.extend_from_slice(b"\n");
            return Poll::Ready(Ok(true));
        }
        Poll::Ready(Ok(false))
    }

    /// What the session is told of it; `None`: the peer has gone without a word.
    fn failed(&mut self, error: Error) -> Option<io::Error> {
        let (code, text) = match error {
            Error::Io(error) => return Some(error),
            Error::Capacity(CapacityError::MessageTooLong { .. }) => (CloseCode::Size, "A message was too long"),
            Error::Utf8(_) => (CloseCode::Invalid, "A text message was not UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
            _ => (CloseCode::Protocol, "The rules of WebSocket were broken"),
        };
        self.code = code;
        Some(invalid(text))
    }

    fn message(&self, line: &[u8]) -> Message {
        match self.framing {
            Framing::Binary => Message::Binary(Bytes::copy_from_slice(line)),
            // A browser would end the connection over anything else than UTF-8.
            Framing::Text => match Utf8Bytes::try_from(Bytes::copy_from_slice(line)) {
                Ok(text) => Message::Text(text),
                Err(_) => Message::text(&*String::from_utf8_lossy(line)),
            },
        }
    }
}

impl<S: Movable + AsyncRead + AsyncWrite + Unpin> Movable for WebSocket<S> {
    fn move_here(&mut self) -> io::Result<()> {
        self.stream.get_mut().move_here()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.line.is_empty() && !ready!(self.poll_line(cx))? {
            return Poll::Ready(Ok(()));
        }
        let count = self.line.len().min(buf.remaining());
        buf.put_slice(&self.line[..count]);
        self.line.advance(count);
        if self.line.is_empty() {
            self.line = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    /// Takes whole lines, as many as there is room for. A last line without an end is taken as if it had one.
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while taken < buf.len() {
            let rest = &buf[taken..];
            let (line, length) = match memchr::memchr(b'\n', rest) {
                Some(end) => (&rest[..end], end + 1),
                None if taken == 0 => (rest, rest.len()),
                None => break,
            };
            match Pin::new(&mut self.stream).poll_ready(cx) {
                Poll::Ready(outcome) => outcome.map_err(gone)?,
                Poll::Pending if taken == 0 => return Poll::Pending,
                Poll::Pending => break,
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                let message = self.message(line);
                Pin::new(&mut self.stream).start_send(message).map_err(gone)?;
            }
            taken += length;
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx).map_err(gone)
    }

    /// Says good-bye, waits for the peer's, then closes what is below.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.leaving == Leaving::NotYet {
            // The peer may have taken its leave first; then ours has been said by the stream.
            if ready!(Pin::new(&mut self.stream).poll_ready(cx)).is_ok() {
                let farewell = CloseFrame { code: self.code, reason: Utf8Bytes::default() };
                let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(farewell)));
            }
            self.leaving = Leaving::Said;
        }
        if self.leaving == Leaving::Said {
            let flushed = Pin::new(&mut self.stream).poll_flush(cx);
            while !self.ended {
                let _ = ready!(self.poll_line(cx));
            }
            self.line = BytesMut::new();
            let _ = ready!(flushed);
            self.leaving = Leaving::Below;
        }
        Pin::new(self.stream.get_mut()).poll_shutdown(cx)
    }
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// Writing to who has gone.
fn gone(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        _ => io::Error::new(io::ErrorKind::BrokenPipe, "The connection was closed"),
    }
}
