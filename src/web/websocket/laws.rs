//! The laws of the framing, for random messages in random fragments, among random control frames, in random pieces of the
//! stream: the lines arrive exactly, or the connection is closed with the code that says why, behind all that was said
//! before; and what goes out is one message a line.

use std::collections::VecDeque;

use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// What a peer sends, in pieces as the network makes them, and what was sent to it.
#[derive(Debug, Default)]
struct Wire {
    pieces: VecDeque<Vec<u8>>,
    /// The peer hangs up behind its last piece; else it waits.
    waits: bool,
    /// Each second poll says that there is nothing yet.
    pause: bool,
    /// Bytes taken of one write.
    takes: usize,
    sent: Vec<u8>,
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.pause = !self.pause;
        if self.pause {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = self.pieces.front_mut() else {
            return if self.waits { Poll::Pending } else { Poll::Ready(Ok(())) };
        };
        let count = piece.len().min(buf.remaining());
        buf.put_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let count = buf.len().min(self.takes.max(1));
        self.sent.extend_from_slice(&buf[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// A frame as a client sends it. `first`: opcode and bits.
fn frame(first: u8, payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..126 => bytes.push(MASKED | length as u8),
        length @ 126..65_536 => {
            bytes.push(MASKED | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(MASKED | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The frames of a server: opcodes and payloads. Each must be whole, unmasked and without bits that mean nothing.
fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        assert_eq!(first & 0xf0, FIN, "a whole message without extensions");
        let (length, rest) = match length {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            0..126 => (usize::from(*length), rest),
            _ => panic!("masked, or longer than any line of ours"),
        };
        found.push((first & 0x0f, rest[..length].to_vec()));
        bytes = &rest[length..];
    }
    assert!(bytes.is_empty(), "cut off in the middle of a frame");
    found
}

/// One message in fragments of these sizes, with control frames between them.
#[derive(Debug, Clone)]
struct Said {
    payload: Vec<u8>,
    binary: bool,
    cuts: Vec<usize>,
    between: Vec<(bool, Vec<u8>)>,
}

impl Said {
    fn frames(&self, mask: [u8; 4]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = &self.payload[..];
        let mut code = if self.binary { BINARY } else { TEXT };
        let mut between = self.between.iter();
        for cut in &self.cuts {
            let (piece, tail) = rest.split_at(cut % (rest.len() + 1));
            bytes.extend(frame(code, piece, mask));
            code = CONTINUATION;
            rest = tail;
            if let Some((ping, payload)) = between.next() {
                bytes.extend(frame(FIN | if *ping { PING } else { PONG }, payload, mask));
            }
        }
        bytes.extend(frame(FIN | code, rest, mask));
        bytes
    }

    /// What the session reads of it.
    fn line(&self) -> Vec<u8> {
        let line = self.payload.strip_suffix(b"\n").unwrap_or(&self.payload);
        [line, b"\n"].concat()
    }
}

/// How a peer breaks the rules, or ends.
#[derive(Debug, Clone)]
enum Ending {
    Farewell,
    HangsUp,
    /// In the middle of a message.
    CutOff(usize),
    TooLong {
        cuts: Vec<usize>,
    },
    /// A frame that only says that it is long.
    SaysTooLong(u64),
    TwoLines,
    NotUtf8(Vec<usize>),
    Opcode(u8),
    ReservedBits(u8),
    Unmasked,
    LongPing,
    PingInPieces,
    ContinuationOfNothing,
    MessageInsideMessage,
    OneByteFarewell,
}

impl Ending {
    /// The bytes, and the code that we close with; none: the peer is gone, and nobody hears it.
    fn bytes(&self, mask: [u8; 4]) -> (Vec<u8>, Option<u16>) {
        let protocol = Some(1002);
        match self {
            Ending::Farewell => (frame(FIN | CLOSE, &1000u16.to_be_bytes(), mask), Some(1000)),
            Ending::HangsUp => (Vec::new(), None),
            Ending::CutOff(at) => {
                let whole = frame(FIN | TEXT, b"PRIVMSG #lobby :never whole", mask);
                (whole[..1 + at % (whole.len() - 1)].to_vec(), None)
            }
            Ending::TooLong { cuts } => {
                let payload = vec![b'x'; MESSAGE_MAX + 1];
                let said = Said { payload, binary: false, cuts: cuts.clone(), between: Vec::new() };
                (said.frames(mask), Some(1009))
            }
            Ending::SaysTooLong(length) => {
                let length = MESSAGE_MAX as u64 + 1 + (length >> 1);
                ([&[FIN | BINARY, MASKED | 127][..], &length.to_be_bytes(), &mask].concat(), Some(1009))
            }
            Ending::TwoLines => (frame(FIN | TEXT, b"PING :one\r\nPING :two", mask), Some(1008)),
            Ending::NotUtf8(cuts) => {
                let payload = b"PRIVMSG #lobby :\xff\xfe".to_vec();
                (Said { payload, binary: false, cuts: cuts.clone(), between: Vec::new() }.frames(mask), Some(1007))
            }
            Ending::Opcode(code) => (frame(FIN | code, b"?", mask), protocol),
            Ending::ReservedBits(bits) => (frame(FIN | TEXT | bits, b"?", mask), protocol),
            Ending::Unmasked => (vec![FIN | TEXT, 1, b'?'], protocol),
            Ending::LongPing => (frame(FIN | PING, &[b'?'; 126], mask), protocol),
            Ending::PingInPieces => (frame(PING, b"?", mask), protocol),
            Ending::ContinuationOfNothing => (frame(FIN | CONTINUATION, b"?", mask), protocol),
            Ending::MessageInsideMessage => {
                ([frame(TEXT, b"a", mask), frame(FIN | TEXT, b"b", mask)].concat(), protocol)
            }
            Ending::OneByteFarewell => (frame(FIN | CLOSE, b"?", mask), protocol),
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let text = prop_oneof![
        4 => "[^\n]{0,40}(\r?\n)?".prop_map(String::into_bytes),
        1 => (MESSAGE_MAX - 3..=MESSAGE_MAX).prop_map(|length| vec![b'x'; length]),
    ];
    let bytes = prop::collection::vec(any::<u8>().prop_filter("one line", |byte| *byte != b'\n'), 0..200);
    let cuts = prop::collection::vec(any::<usize>(), 0..4);
    let between = prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..=125)), 0..4);
    let payload = prop_oneof![text.prop_map(|text| (false, text)), bytes.prop_map(|bytes| (true, bytes))];
    (payload, cuts, between).prop_map(|((binary, payload), cuts, between)| Said { payload, binary, cuts, between })
}

fn ending() -> impl Strategy<Value = Ending> {
    let cuts = || prop::collection::vec(any::<usize>(), 0..4);
    let rules_broken = prop_oneof![
        any::<usize>().prop_map(Ending::CutOff),
        cuts().prop_map(|cuts| Ending::TooLong { cuts }),
        any::<u64>().prop_map(Ending::SaysTooLong),
        Just(Ending::TwoLines),
        cuts().prop_map(Ending::NotUtf8),
        prop_oneof![3..8u8, 11..16u8].prop_map(Ending::Opcode),
        (1..8u8).prop_map(|bits| Ending::ReservedBits(bits << 4)),
        Just(Ending::Unmasked),
        Just(Ending::LongPing),
        Just(Ending::PingInPieces),
        Just(Ending::ContinuationOfNothing),
        Just(Ending::MessageInsideMessage),
        Just(Ending::OneByteFarewell),
    ];
    prop_oneof![2 => Just(Ending::Farewell), 1 => Just(Ending::HangsUp), 9 => rules_broken]
}

/// The stream in pieces: a few sizes, over and over.
fn pieces(bytes: &[u8], sizes: &[usize]) -> VecDeque<Vec<u8>> {
    let mut rest = bytes;
    let mut sizes = sizes.iter().cycle();
    let mut pieces = VecDeque::new();
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at((*sizes.next().expect("endless")).min(rest.len()));
        pieces.push_back(piece.to_vec());
        rest = tail;
    }
    pieces
}

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

proptest! {
    #[test]
    fn lines_arrive_exactly_or_the_connection_is_closed(
        messages in prop::collection::vec(said(), 0..6),
        ending in ending(),
        mask in any::<[u8; 4]>(),
        sizes in prop::collection::vec(1..3000usize, 1..5),
        early in 0..200usize,
        takes in 1..200usize,
    ) {
        let (last, code) = ending.bytes(mask);
        let stream = [messages.iter().flat_map(|said| said.frames(mask)).collect(), last].concat();
        // Some of it came with the request.
        let (read, rest) = stream.split_at(early.min(stream.len()));
        let wire = Wire { pieces: pieces(rest, &sizes), takes, ..Wire::default() };
        let (heard, outcome, sent) = run(async {
            let mut socket = WebSocket::new(wire, Bytes::copy_from_slice(read), Framing::Text).await;
            let mut heard = Vec::new();
            let outcome = socket.read_to_end(&mut heard).await;
            let _ = socket.shutdown().await;
            (heard, outcome, std::mem::take(&mut socket.stream.get_mut().sent))
        });
        let wanted: Vec<u8> = messages.iter().flat_map(Said::line).collect();
        prop_assert_eq!(heard, wanted, "{:?}", outcome);
        prop_assert_eq!(outcome.is_ok(), matches!(ending, Ending::Farewell | Ending::HangsUp | Ending::CutOff(_)));
        let answers = frames(&sent);
        for (opcode, payload) in &answers {
            let asked = |said: &Said| said.between.iter().any(|(ping, asked)| *ping && asked == payload);
            prop_assert!(*opcode == CLOSE || (*opcode == PONG && messages.iter().any(asked)), "{} {:?}", opcode, payload);
        }
        if let Some(code) = code {
            let (opcode, payload) = answers.last().expect("a farewell");
            prop_assert_eq!((*opcode, &payload[..2]), (CLOSE, &code.to_be_bytes()[..]));
            prop_assert_eq!(answers.iter().filter(|(opcode, _)| *opcode == CLOSE).count(), 1);
        }
    }

    #[test]
    fn nothing_that_comes_makes_it_panic(
        stream in prop::collection::vec(any::<u8>(), 0..400),
        sizes in prop::collection::vec(1..50usize, 1..4),
    ) {
        run(async {
            let wire = Wire { pieces: pieces(&stream, &sizes), takes: 7, ..Wire::default() };
            let mut socket = WebSocket::new(wire, Bytes::new(), Framing::Binary).await;
            let mut heard = Vec::new();
            let _ = socket.read_to_end(&mut heard).await;
            assert!(heard.is_empty() || heard.ends_with(b"\n"));
            let _ = socket.shutdown().await;
            frames(&socket.stream.get_mut().sent);
        });
    }

    #[test]
    fn what_goes_out_is_one_message_a_line(
        lines in prop::collection::vec("[^\r\n]{0,60}", 0..30),
        binary in any::<bool>(),
        takes in 1..500usize,
        group in 1..6usize,
    ) {
        let framing = if binary { Framing::Binary } else { Framing::Text };
        let sent = run(async {
            let wire = Wire { waits: true, takes, ..Wire::default() };
            let mut socket = WebSocket::new(wire, Bytes::new(), framing).await;
            for group in lines.chunks(group) {
                let text: String = group.iter().map(|line| format!("{line}\r\n")).collect();
                socket.write_all(text.as_bytes()).await.expect("taken");
            }
            socket.flush().await.expect("taken");
            std::mem::take(&mut socket.stream.get_mut().sent)
        });
        let opcode = if binary { BINARY } else { TEXT };
        let wanted: Vec<(u8, Vec<u8>)> =
            lines.iter().filter(|line| !line.is_empty()).map(|line| (opcode, line.clone().into_bytes())).collect();
        prop_assert_eq!(frames(&sent), wanted);
    }
}
