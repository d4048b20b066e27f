//! What a connection speaks that has not said so by ALPN: its first bytes tell, as soon as they can only be one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::net::conn::{Conn, Turn};

/// No command of IRC is named like these, and every HTTP request begins with one and a blank.
const METHODS: [&[u8]; 9] =
    [b"GET ", b"HEAD ", b"POST ", b"PUT ", b"DELETE ", b"OPTIONS ", b"CONNECT ", b"TRACE ", b"PATCH "];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spoken {
    Irc,
    Http,
}

/// Reads until it is clear what the peer speaks; the bytes stay in [`Conn::input`]. Nothing is said to the peer before:
/// an IRC client speaks first, too. At the end of the connection it was IRC.
pub async fn spoken<S: AsyncRead + AsyncWrite + Unpin>(conn: &mut Conn<S>) -> io::Result<Spoken> {
    loop {
        if let Some(spoken) = told(&conn.input) {
            return Ok(spoken);
        }
        if conn.turn(true).await? == Turn::Eof {
            return Ok(Spoken::Irc);
        }
    }
}

/// `None`: more bytes are needed, at most as many as the longest method has.
fn told(first: &[u8]) -> Option<Spoken> {
    if METHODS.iter().any(|method| first.starts_with(method)) {
        return Some(Spoken::Http);
    }
    let may_be = METHODS.iter().any(|method| method.starts_with(first));
    (!may_be).then_some(Spoken::Irc)
}

/// A stream of which the beginning was read already.
pub(super) struct Rewind<S> {
    read: Bytes,
    io: S,
}

impl<S> Rewind<S> {
    pub fn new(read: Bytes, io: S) -> Rewind<S> {
        Rewind { read, io }
    }

    pub fn into_inner(self) -> S {
        self.io
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewind<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let count = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..count]);
        self.read.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewind<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn told_by_the_fewest_bytes() {
        for (first, wanted) in [
            ("", None),
            ("P", None),
            ("PA", None),
            ("PAS", Some(Spoken::Irc)),
            ("PATCH", None),
            ("PATCH ", Some(Spoken::Http)),
            ("PI", Some(Spoken::Irc)),
            ("GET", None),
            ("GET / HTTP/1.1\r\n", Some(Spoken::Http)),
            ("GET\r", Some(Spoken::Irc)),
            ("get / HTTP/1.1", Some(Spoken::Irc)),
            ("CAP LS", Some(Spoken::Irc)),
            ("@label=1 PING", Some(Spoken::Irc)),
            ("\u{0}", Some(Spoken::Irc)),
        ] {
            assert_eq!(told(first.as_bytes()), wanted, "{first:?}");
        }
    }
}
