//! A client as a person at a keyboard: it says a line, it expects one, it waits until all is quiet (`sync`).
//!
//! Every wait gives up after [`DEADLINE`] with the place in the test and the last lines of the conversation. On
//! the way each received line is held to the rules all lines keep: UTF-8, no NUL, at most 512 bytes without tags.

use std::collections::VecDeque;
use std::panic::Location;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::DEADLINE;
use super::line::{Line, said};

pub type Tls = TlsStream<TcpStream>;

/// What a client speaks over: TLS, or a WebSocket that is made to look like it.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// The capabilities a client of today asks for.
pub const MODERN: &[&str] = &[
    "message-tags",
    "server-time",
    "batch",
    "echo-message",
    "labeled-response",
    "account-tag",
    "cap-notify",
    "multi-prefix",
    "extended-join",
    "away-notify",
    "setname",
    "invite-notify",
];

pub struct Client {
    reader: Reader,
    writer: Writer,
    /// What came between 001 and the end of the login: welcome, rooms, replay.
    pub greeting: Vec<Line>,
    fences: u64,
    answers_pings: bool,
}

/// The receiving half; see [`Client::split`].
pub struct Reader {
    stream: ReadHalf<Box<dyn Wire>>,
    buffer: Vec<u8>,
    scanned: usize,
    transcript: Transcript,
}

/// The sending half; see [`Client::split`].
pub struct Writer {
    stream: WriteHalf<Box<dyn Wire>>,
    transcript: Transcript,
}

/// The last lines of a conversation, to show when something went wrong.
#[derive(Clone)]
pub struct Transcript {
    name: Arc<str>,
    lines: Arc<Mutex<VecDeque<String>>>,
}

impl Client {
    pub fn new(name: &str, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Client {
        let transcript = Transcript { name: name.into(), lines: Arc::default() };
        let (read, write) = tokio::io::split(Box::new(stream) as Box<dyn Wire>);
        Client {
            reader: Reader { stream: read, buffer: Vec::new(), scanned: 0, transcript: transcript.clone() },
            writer: Writer { stream: write, transcript },
            greeting: Vec::new(),
            fences: 0,
            answers_pings: true,
        }
    }

    /// From now on the server's PINGs go unanswered.
    pub fn play_dead(&mut self) {
        self.answers_pings = false;
    }

    /// Both halves, for tests that write and read at once. Nobody answers PINGs then.
    pub fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }

    /// Says a line.
    #[track_caller]
    pub fn send(&mut self, line: impl AsRef<str>) -> impl Future<Output = ()> {
        let at = Location::caller();
        async move {
            if let Err(err) = self.writer.try_send(line.as_ref()).await {
                self.writer.transcript.fail(at, &format!("cannot send {:?}: {err}", line.as_ref()));
            }
        }
    }

    /// Sends bytes as they are; whether they arrive is not asked.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.writer.transcript.note("->", &String::from_utf8_lossy(&bytes[..bytes.len().min(200)]));
        let _ = timeout(DEADLINE, async {
            self.writer.stream.write_all(bytes).await?;
            self.writer.stream.flush().await
        })
        .await;
    }

    /// Waits for a line of this pattern (see [`Line::matches`]), passing over others.
    #[track_caller]
    pub fn expect(&mut self, pattern: impl AsRef<str>) -> impl Future<Output = Line> {
        let at = Location::caller();
        async move {
            let pattern = pattern.as_ref();
            self.until(at, pattern, |line| line.matches(pattern)).await.pop().expect("the line waited for")
        }
    }

    /// Waits for a line of this pattern that comes from `nick`.
    #[track_caller]
    pub fn expect_from(&mut self, nick: &str, pattern: &str) -> impl Future<Output = Line> {
        self.expect(format!(":{nick} {pattern}"))
    }

    /// Waits for a numeric, or one of several (`"403|401"`).
    #[track_caller]
    pub fn expect_numeric(&mut self, numeric: &str) -> impl Future<Output = Line> {
        self.expect(numeric.to_owned())
    }

    /// Waits for a line that satisfies `test`; gives back all lines up to it, itself the last.
    #[track_caller]
    pub fn expect_until(&mut self, what: &str, test: impl Fn(&Line) -> bool) -> impl Future<Output = Vec<Line>> {
        let at = Location::caller();
        async move { self.until(at, what, test).await }
    }

    /// Waits until the server has answered everything that was sent before, and has shown everything that had
    /// happened in our rooms by then. Gives back the lines that came.
    #[track_caller]
    pub fn sync(&mut self) -> impl Future<Output = Vec<Line>> {
        let at = Location::caller();
        async move { self.fence(at, None).await }
    }

    /// Waits until all is quiet; nothing of this pattern may have come.
    #[track_caller]
    pub fn expect_nothing(&mut self, pattern: &str) -> impl Future<Output = ()> {
        let at = Location::caller();
        let quiet = self.sync();
        async move {
            if let Some(line) = quiet.await.iter().find(|line| line.matches(pattern)) {
                panic!("{at}: nothing like {pattern:?} may come, but this came: {line:?}");
            }
        }
    }

    /// Waits until all is quiet; gives back what people said meanwhile.
    #[track_caller]
    pub fn hears(&mut self) -> impl Future<Output = Vec<String>> {
        let quiet = self.sync();
        async move { said(&quiet.await) }
    }

    /// Says a line and gives back every line of the answer.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> impl Future<Output = Vec<Line>> {
        let at = Location::caller();
        async move { self.fence(at, Some(line)).await }
    }

    /// Waits until all is quiet, then asks: what others have done before is not part of the answer.
    #[track_caller]
    pub fn query(&mut self, line: &str) -> impl Future<Output = Vec<Line>> {
        let at = Location::caller();
        async move {
            self.fence(at, None).await;
            self.fence(at, Some(line)).await
        }
    }

    /// Waits until all is quiet, then asks; the answer is this one line.
    #[track_caller]
    pub fn answer(&mut self, line: &str) -> impl Future<Output = Line> {
        let at = Location::caller();
        async move {
            self.fence(at, None).await;
            let mut answer = self.fence(at, Some(line)).await;
            assert_eq!(answer.len(), 1, "{at}: one line answers {line:?}: {answer:#?}");
            answer.remove(0)
        }
    }

    /// Asks the service account; gives back the texts of its answer.
    #[track_caller]
    pub fn ask_service(&mut self, question: &str) -> impl Future<Output = Vec<String>> {
        let at = Location::caller();
        async move {
            let answer = self.fence(at, Some(&format!("PRIVMSG chatd :{question}"))).await;
            let notices = answer.iter().filter(|line| line.matches(":chatd NOTICE"));
            notices.map(|line| line.text().to_owned()).collect()
        }
    }

    /// Says texts that can be told apart by their times, to the millisecond; gives back their echoes.
    #[track_caller]
    pub fn say_each(&mut self, target: &str, texts: &[&str]) -> impl Future<Output = Vec<Line>> {
        let at = Location::caller();
        async move {
            let mut echoes = Vec::new();
            for text in texts {
                let line = format!("PRIVMSG {target} :{text}");
                if let Err(err) = self.writer.try_send(&line).await {
                    self.writer.transcript.fail(at, &format!("cannot send {line:?}: {err}"));
                }
                let echo = self.until(at, &line, |echo| echo.matches(&line)).await.pop();
                echoes.push(echo.expect("the echo waited for"));
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            echoes
        }
    }

    /// Waits for the server to end the connection; gives back the lines before.
    #[track_caller]
    pub fn expect_end(&mut self) -> impl Future<Output = Vec<Line>> {
        let at = Location::caller();
        async move {
            let mut lines = Vec::new();
            loop {
                match timeout(DEADLINE, self.read_line()).await {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => return lines,
                    Err(_) => self.reader.transcript.fail(at, "the server did not end the connection"),
                }
            }
        }
    }

    /// The next line; `None` at the end of the connection.
    pub async fn read_line(&mut self) -> Option<Line> {
        loop {
            let line = self.reader.read_line().await?;
            if line.is("PING") {
                if self.answers_pings {
                    let _ = self.writer.try_send(&format!("PONG :{}", line.text())).await;
                }
                continue;
            }
            return Some(line);
        }
    }

    /// Leaves politely and waits for the end.
    pub async fn quit(mut self, reason: &str) {
        let _ = self.writer.try_send(&format!("QUIT :{reason}")).await;
        self.expect_end().await;
    }

    async fn fence(&mut self, at: &Location<'_>, line: Option<&str>) -> Vec<Line> {
        self.fences += 1;
        let token = format!("fence-{}", self.fences);
        let ping = format!("PING :{token}");
        for line in line.into_iter().chain([&*ping]) {
            if let Err(err) = self.writer.try_send(line).await {
                self.writer.transcript.fail(at, &format!("cannot send {line:?}: {err}"));
            }
        }
        let what = line.map_or("the PONG of a fence".to_owned(), |line| format!("the end of the answer to {line:?}"));
        let mut lines = self.until(at, &what, |line| line.is("PONG") && line.text() == token).await;
        lines.pop();
        lines
    }

    async fn until(&mut self, at: &Location<'_>, what: &str, test: impl Fn(&Line) -> bool) -> Vec<Line> {
        let mut lines = Vec::new();
        loop {
            match timeout(DEADLINE, self.read_line()).await {
                Ok(Some(line)) => {
                    let found = test(&line);
                    lines.push(line);
                    if found {
                        return lines;
                    }
                }
                Ok(None) => self.reader.transcript.fail(at, &format!("the connection ended before {what:?}")),
                Err(_) => self.reader.transcript.fail(at, &format!("nothing came that is {what:?}")),
            }
        }
    }
}

impl Reader {
    /// The next line; `None` at the end of the connection, clean or not.
    pub async fn read_line(&mut self) -> Option<Line> {
        loop {
            if let Some(end) = self.buffer[self.scanned..].iter().position(|&b| b == b'\n') {
                let mut bytes: Vec<u8> = self.buffer.drain(..=self.scanned + end).collect();
                self.scanned = 0;
                bytes.pop();
                if bytes.pop() != Some(b'\r') {
                    panic!("{}: the server ended a line without CR", self.transcript.name);
                }
                return Some(self.check(bytes));
            }
            self.scanned = self.buffer.len();
            self.buffer.reserve(16 * 1024);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next line within [`DEADLINE`]; `None` at the end of the connection.
    #[track_caller]
    pub fn next(&mut self) -> impl Future<Output = Option<Line>> {
        let at = Location::caller();
        async move {
            match timeout(DEADLINE, self.read_line()).await {
                Ok(line) => line,
                Err(_) => self.transcript.fail(at, "no line came"),
            }
        }
    }

    fn check(&self, bytes: Vec<u8>) -> Line {
        let name = &self.transcript.name;
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|err| panic!("{name}: not UTF-8: {:?}", String::from_utf8_lossy(err.as_bytes())));
        self.transcript.note("<-", &text);
        assert!(!text.contains(['\0', '\r']), "{name}: a NUL or CR in {text:?}");
        let body = if text.starts_with('@') { text.split_once(' ').map_or("", |(_, body)| body) } else { &text };
        assert!(body.len() <= 510, "{name}: a line of {} bytes: {text:?}", body.len() + 2);
        Line::parse(&text).unwrap_or_else(|| panic!("{name}: not a line: {text:?}"))
    }
}

impl Writer {
    /// Sends a line; an error if the connection is gone or takes nothing for [`DEADLINE`].
    pub async fn try_send(&mut self, line: &str) -> std::io::Result<()> {
        self.transcript.note("->", line);
        let bytes = format!("{line}\r\n");
        let sent = timeout(DEADLINE, async {
            self.stream.write_all(bytes.as_bytes()).await?;
            self.stream.flush().await
        });
        sent.await.map_err(|_| std::io::Error::other("the server takes nothing"))?
    }
}

impl Transcript {
    fn note(&self, direction: &str, line: &str) {
        let mut lines = self.lines.lock().expect("no panic while held");
        if lines.len() == 40 {
            lines.pop_front();
        }
        lines.push_back(format!("{direction} {line}"));
    }

    fn fail(&self, at: &Location<'_>, what: &str) -> ! {
        let lines = self.lines.lock().expect("no panic while held");
        let shown: Vec<&str> = lines.iter().map(String::as_str).collect();
        panic!("{at}: {}: {what}\n--- the conversation, last lines ---\n{}\n---", self.name, shown.join("\n"));
    }
}
