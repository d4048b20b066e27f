//! One connection: a stream that is read and written by one task, both at once.
//!
//! Knows nobody. Promises: bytes go out in the order they were put in; a peer that only writes, or only reads, never
//! stands in the way of the other direction; no more than [`INPUT_MAX`] bytes are held of what it sent; an idle
//! connection holds no buffer at all.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::PARTIAL_MAX;

/// The most bytes taken by one read.
const READ_MAX: usize = 4096;
/// The most bytes held of what the peer sent; while they are there, nothing more is read.
pub const INPUT_MAX: usize = PARTIAL_MAX + READ_MAX;
/// How much to have waiting to be written: one TLS record. See [`Conn::has_room`].
pub const OUT_TARGET: usize = 16 * 1024;

/// What one [`Conn::turn`] has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// So many bytes were added to [`Conn::input`].
    Read(usize),
    /// So many bytes have left, others are still waiting.
    Wrote(usize),
    /// All that was put in has left.
    Drained,
    /// The peer will send no more. Said once; from then on nothing is read.
    Eof,
}

/// A stream with its buffers: TLS, a WebSocket or a pipe in tests.
#[derive(Debug)]
pub struct Conn<S> {
    io: S,
    /// What was read and not yet taken, to be given to [`super::framing::LineReader`].
    pub input: BytesMut,
    out: BytesMut,
    unflushed: bool,
    eof: bool,
    /// Which direction is asked first; it changes with every turn, so that neither waits for ever.
    write_first: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conn<S> {
    pub fn new(io: S) -> Conn<S> {
        Conn { io, input: BytesMut::new(), out: BytesMut::new(), unflushed: false, eof: false, write_first: false }
    }

    /// A connection of which `input` was read already, to find out what it speaks.
    pub fn with_input(io: S, input: BytesMut) -> Conn<S> {
        Conn { input, ..Conn::new(io) }
    }

    /// The stream and what was read of it. What waited to be written is lost.
    pub fn into_parts(self) -> (S, BytesMut) {
        (self.io, self.input)
    }

    pub fn io(&self) -> &S {
        &self.io
    }

    pub fn io_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// Puts bytes behind those that wait to be written. The caller asks [`Conn::has_room`] first: then never more
    /// waits than [`OUT_TARGET`] and one such piece.
    pub fn push(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// The same, of all that is in a buffer; it is left empty. Taken over as it is where nothing waits yet.
    pub fn push_all(&mut self, bytes: &mut BytesMut) {
        if self.out.is_empty() {
            self.out = std::mem::take(bytes);
        } else if !bytes.is_empty() {
            self.out.extend_from_slice(&std::mem::take(bytes));
        }
    }

    /// Puts a line and its CR LF behind what waits to be written.
    pub fn push_line(&mut self, line: &str) {
        self.out.reserve(line.len() + 2);
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    pub fn has_room(&self) -> bool {
        self.out.len() < OUT_TARGET
    }

    /// How many bytes wait to be written.
    pub fn pending_out(&self) -> usize {
        self.out.len()
    }

    /// Whether a turn would read: there is room, and the peer has not ended.
    pub fn takes_input(&self) -> bool {
        !self.eof && self.input.len() < INPUT_MAX
    }

    /// Whether something was put in that has not certainly left.
    pub fn is_busy(&self) -> bool {
        !self.out.is_empty() || self.unflushed
    }

    pub fn is_eof(&self) -> bool {
        self.eof
    }

    /// Writes what waits and, if `read` says so and there is room, reads; comes back as soon as something has moved.
    ///
    /// Cancel-safe: a turn that is dropped has lost nothing. With nothing to write and nothing to read it waits for
    /// ever, so wait for something else beside it.
    pub async fn turn(&mut self, read: bool) -> io::Result<Turn> {
        std::future::poll_fn(|cx| self.poll_turn(cx, read)).await
    }

    /// Writes what the peer takes without waiting for it; whether that was anything.
    pub async fn write_now(&mut self) -> io::Result<bool> {
        if !self.is_busy() {
            return Ok(false);
        }
        std::future::poll_fn(|cx| {
            Poll::Ready(match self.poll_out(cx) {
                Poll::Ready(turn) => turn.map(|_| true),
                Poll::Pending => Ok(false),
            })
        })
        .await
    }

    /// Writes what waits and says good-bye to the peer, then waits a moment for its good-bye, so that the last line
    /// is not lost. What the peer still sends is thrown away. Gives up after `deadline`; true: the peer has said good-bye
    /// too, so it was there until the end.
    pub async fn close(mut self, deadline: Duration) -> bool {
        let closed = tokio::time::timeout(deadline, async {
            while self.is_busy() {
                self.turn(true).await?;
                self.input = BytesMut::new();
            }
            std::future::poll_fn(|cx| Pin::new(&mut self.io).poll_shutdown(cx)).await?;
            while !self.eof {
                self.turn(true).await?;
                self.input = BytesMut::new();
            }
            io::Result::Ok(())
        })
        .await;
        matches!(closed, Ok(Ok(())))
    }

    /// See [`Conn::turn`].
    pub fn poll_turn(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<io::Result<Turn>> {
        let write_first = self.write_first;
        for writing in [write_first, !write_first] {
            let moved = if writing {
                self.poll_out(cx)
            } else if read && self.takes_input() {
                self.poll_in(cx)
            } else {
                Poll::Pending
            };
            if moved.is_ready() {
                self.write_first = !writing;
                return moved;
            }
        }
        Poll::Pending
    }

    fn poll_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        let mut wrote = 0;
        while !self.out.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, &self.out)? {
                Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(count) => {
                    self.out.advance(count);
                    self.unflushed = true;
                    wrote += count;
                }
                Poll::Pending if wrote > 0 => return Poll::Ready(Ok(Turn::Wrote(wrote))),
                Poll::Pending => return Poll::Pending,
            }
        }
        if !self.unflushed {
            return Poll::Pending;
        }
        self.out = BytesMut::new();
        match Pin::new(&mut self.io).poll_flush(cx)? {
            Poll::Ready(()) => {
                self.unflushed = false;
                Poll::Ready(Ok(Turn::Drained))
            }
            Poll::Pending if wrote > 0 => Poll::Ready(Ok(Turn::Wrote(wrote))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_in(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        // On the stack: who waits for a peer to speak needs no buffer until it does.
        let mut space = [MaybeUninit::uninit(); READ_MAX];
        let room = READ_MAX.min(INPUT_MAX - self.input.len());
        let mut buffer = ReadBuf::uninit(&mut space[..room]);
        let read = match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            // TLS without a good-bye. Every line ends with its own mark, so nothing can be cut off unseen.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => &[][..],
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => buffer.filled(),
        };
        if read.is_empty() {
            self.eof = true;
            return Poll::Ready(Ok(Turn::Eof));
        }
        if self.input.capacity() - self.input.len() < read.len() {
            // Not left to the buffer itself, which would double.
            let mut bigger = BytesMut::with_capacity(self.input.len() + read.len());
            bigger.extend_from_slice(&self.input);
            self.input = bigger;
        }
        self.input.extend_from_slice(read);
        Poll::Ready(Ok(Turn::Read(read.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::framing::{Frame, LineReader};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    /// A peer that writes all it has before it reads anything, and a server that answers every line with ten: with
    /// pipes this small it goes on only if the server reads while its own writing stands still.
    #[tokio::test]
    async fn both_directions_move_at_once() {
        let (peer, io) = duplex(16);
        let (mut from, mut to) = tokio::io::split(peer);
        const LINES: usize = 200;
        let writer = tokio::spawn(async move {
            for n in 0..LINES {
                to.write_all(format!("line {n}\r\n").as_bytes()).await.unwrap();
            }
            to
        });
        let server = tokio::spawn(async move {
            let mut conn = Conn::new(io);
            let mut reader = LineReader::new();
            let mut seen = 0;
            while seen < LINES || conn.is_busy() {
                if let Turn::Eof = conn.turn(true).await.unwrap() {
                    break;
                }
                while let Some(frame) = reader.next(&mut conn.input) {
                    assert_eq!(frame, Frame::Line(&format!("line {seen}")));
                    for part in 0..10 {
                        conn.push_line(&format!("{seen}.{part}"));
                    }
                    seen += 1;
                }
            }
            assert_eq!((conn.out.capacity(), conn.input.capacity()), (0, 0));
            conn.close(Duration::from_secs(1)).await;
        });
        let to = writer.await.unwrap();
        let mut received = String::new();
        from.read_to_string(&mut received).await.unwrap();
        drop(to);
        server.await.unwrap();
        let wanted: String = (0..LINES).flat_map(|n| (0..10).map(move |part| format!("{n}.{part}\r\n"))).collect();
        assert_eq!(received, wanted);
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_still_heard_and_one_that_never_stops_leaves_room_for_writing() {
        let (mut peer, io) = duplex(64);
        let mut conn = Conn::new(io);
        conn.push(&[b'x'; 1000]);
        assert_eq!(conn.turn(true).await.unwrap(), Turn::Wrote(64));
        peer.write_all(b"PING\n").await.unwrap();
        assert_eq!(conn.turn(true).await.unwrap(), Turn::Read(5));

        let mut turns = Vec::new();
        let mut sink = [0; 64];
        for _ in 0..6 {
            peer.write_all(b"y").await.unwrap();
            peer.read_exact(&mut sink).await.unwrap();
            turns.push(conn.turn(true).await.unwrap());
            turns.push(conn.turn(true).await.unwrap());
        }
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Wrote(64)).count(), 6);
        assert_eq!(turns.iter().filter(|turn| **turn == Turn::Read(1)).count(), 6);
    }

    #[tokio::test]
    async fn a_dropped_turn_loses_nothing() {
        let (mut peer, io) = duplex(8);
        let mut conn = Conn::new(io);
        let wanted: Vec<u8> = (0..=255).collect();
        conn.push(&wanted);
        let mut received = Vec::new();
        while received.len() < wanted.len() {
            // Polled once, then dropped.
            tokio::select! { biased; turn = conn.turn(true) => drop(turn.unwrap()), () = std::future::ready(()) => {} }
            let mut some = [0; 3];
            let count = peer.read(&mut some).await.unwrap();
            received.extend_from_slice(&some[..count]);
        }
        assert_eq!(received, wanted);
    }

    #[tokio::test]
    async fn what_nobody_takes_is_not_read_without_end() {
        let (mut peer, io) = duplex(100_000);
        let mut conn = Conn::new(io);
        peer.write_all(&[b'x'; 50_000]).await.unwrap();
        while tokio::time::timeout(Duration::from_millis(50), conn.turn(true)).await.is_ok() {}
        assert_eq!(conn.input.len(), INPUT_MAX);
        assert!(conn.input.capacity() <= INPUT_MAX + 64, "{}", conn.input.capacity());
    }

    #[tokio::test]
    async fn the_end_is_said_once_and_the_last_line_arrives() {
        let (mut peer, io) = duplex(16);
        let mut conn = Conn::new(io);
        peer.shutdown().await.unwrap();
        assert_eq!(conn.turn(true).await.unwrap(), Turn::Eof);
        assert!(tokio::time::timeout(Duration::from_millis(50), conn.turn(true)).await.is_err());
        conn.push_line("ERROR :the server is going down, come back later");
        let closing = tokio::spawn(conn.close(Duration::from_secs(5)));
        let mut received = String::new();
        peer.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "ERROR :the server is going down, come back later\r\n");
        closing.await.unwrap();
    }

    #[tokio::test]
    async fn closing_ends_even_if_the_peer_does_not_move() {
        let (_peer, io) = duplex(16);
        let mut conn = Conn::new(io);
        conn.push(&[b'x'; 1000]);
        conn.close(Duration::from_millis(50)).await;
    }
}
