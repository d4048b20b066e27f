//! A connection with a session on it: bytes in, [`Heard`] out, and what the session wants to say back in.
//!
//! Knows no TLS and no terminal. Promises that [`Link::next`] may be dropped at any await without losing a byte, that
//! a server which falls silent is noticed, and that a line without end does not fill the memory.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep_until, timeout};

use super::heard::Heard;
use super::session::Session;
use crate::clock;

/// The longest line taken from a server: tags and body at their largest, with room to spare.
const LINE_MAX: usize = 32 * 1024;
const READ_SIZE: usize = 8 * 1024;
/// After this much silence we ask for a sign of life.
const PROBE_AFTER: Duration = Duration::from_secs(45);
/// After this much more without one, the connection is given up.
const GIVE_UP_AFTER: Duration = Duration::from_secs(30);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why a connection is no more.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    #[error("the server closed the connection")]
    Closed,
    #[error("the server has fallen silent")]
    Silent,
    #[error("the server sent a line without end")]
    Endless,
    #[error("the connection broke: {0}")]
    Broken(std::io::Error),
}

pub struct Link<S> {
    pub session: Session,
    read: ReadHalf<S>,
    write: WriteHalf<S>,
    /// Bytes read and not yet taken as lines: at most one line's worth and one read.
    inbox: Vec<u8>,
    /// Where in `inbox` the next line starts.
    taken: usize,
    /// Bytes to write: what one person types and a bounded number of pending texts.
    outbox: Vec<u8>,
    unflushed: bool,
    deadline: Instant,
    probed: bool,
}

impl<S: AsyncRead + AsyncWrite> Link<S> {
    pub fn new(stream: S, session: Session) -> Link<S> {
        let (read, write) = tokio::io::split(stream);
        let deadline = Instant::now() + PROBE_AFTER;
        let (inbox, outbox) = (Vec::new(), Vec::new());
        Link { session, read, write, inbox, taken: 0, outbox, unflushed: false, deadline, probed: false }
    }

    /// The next thing heard; meanwhile sends what the session wants to send.
    pub async fn next(&mut self) -> Result<Heard, Lost> {
        loop {
            if let Some(heard) = self.session.next_heard() {
                self.collect();
                return Ok(heard);
            }
            if self.take_line()? {
                continue;
            }
            self.collect();
            let writing = !self.outbox.is_empty();
            self.inbox.reserve(READ_SIZE);
            tokio::select! {
                read = self.read.read_buf(&mut self.inbox) => match read {
                    Ok(0) => return Err(Lost::Closed),
                    Ok(_) => {
                        self.deadline = Instant::now() + PROBE_AFTER;
                        self.probed = false;
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(Lost::Closed),
                    Err(error) => return Err(Lost::Broken(error)),
                },
                wrote = send(&mut self.write, &self.outbox), if writing || self.unflushed => match wrote {
                    Ok(count) => {
                        self.outbox.drain(..count);
                        // What was handed over may still wait inside TLS for the socket.
                        self.unflushed = writing;
                    }
                    Err(error) => return Err(Lost::Broken(error)),
                },
                () = sleep_until(self.deadline) => {
                    if self.probed {
                        return Err(Lost::Silent);
                    }
                    self.probed = true;
                    self.deadline = Instant::now() + GIVE_UP_AFTER;
                    self.session.probe();
                }
            }
        }
    }

    /// Says goodbye and waits, shortly, until the server has heard it.
    pub async fn quit(mut self, reason: &str) {
        self.session.command("QUIT", &[reason]);
        let farewell = async { while self.next().await.is_ok() {} };
        let _ = timeout(FAREWELL, farewell).await;
        let _ = timeout(FAREWELL, self.write.shutdown()).await;
    }

    fn collect(&mut self) {
        for line in self.session.take_out() {
            self.outbox.extend_from_slice(line.as_str().as_bytes());
            self.outbox.extend_from_slice(b"\r\n");
        }
    }

    /// Gives the session one line, if a whole one is there.
    fn take_line(&mut self) -> Result<bool, Lost> {
        let rest = &self.inbox[self.taken..];
        let Some(end) = memchr::memchr(b'\n', rest) else {
            if rest.len() > LINE_MAX {
                return Err(Lost::Endless);
            }
            self.inbox.drain(..self.taken);
            self.taken = 0;
            return Ok(false);
        };
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        self.session.hear(&String::from_utf8_lossy(line), clock::now());
        self.taken += end + 1;
        Ok(true)
    }
}

/// Writes some of `bytes`, or if there are none sees to it that all is on its way. May be dropped at any time.
async fn send(write: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<usize> {
    if bytes.is_empty() {
        write.flush().await?;
        return Ok(0);
    }
    match write.write(bytes).await? {
        0 => Err(std::io::ErrorKind::WriteZero.into()),
        count => Ok(count),
    }
}
