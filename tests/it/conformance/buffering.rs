//! Bytes and lines: whatever pieces they come in, the server reads the same lines, and takes of each all or nothing.

use super::{PASS, Row, play};
use crate::harness::Server;

const ROWS: &[Row] = &[
    (
        "RFC 1459 2.3: empty lines are nothing",
        r"
        alice > \x0d\x0a\x0a\x0a   \x0d\x0a
        alice .
        ",
    ),
    (
        "several lines at once, ended by CR LF or LF alone",
        r"
        alice > PRIVMSG bob a\x0d\x0aPRIVMSG bob b\x0aPRIVMSG bob c
        bob = PRIVMSG bob a
        bob = PRIVMSG bob b
        bob = PRIVMSG bob c
        bob .
        ",
    ),
    (
        "a CR or a NUL inside a line is no end of it, and is refused",
        r"
        alice > PRIVMSG bob :one\x0dPRIVMSG bob :two
        alice = 400 alice * :*
        alice > PRIVMSG bob :a\x00b
        alice = 400 alice * :*
        alice .
        bob .
        ",
    ),
    (
        "a line is at most 512 bytes with its CR LF, and its end does not become a line",
        r"
        alice > PING :{504*x}
        alice = PONG chat.test xxx*
        alice > PING :{505*x}
        alice = 417 alice :*
        alice > {2000*x} {2000*y}
        alice = 417 alice :*
        alice .
        ",
    ),
    (
        "what would not reach the others whole is refused, not cut",
        r"
        alice > PRIVMSG bob :{474*a}
        bob = PRIVMSG bob aaa*aaa
        alice > PRIVMSG bob :{475*a}
        alice = 417 alice :*
        alice > PRIVMSG bob :{470*a}\xf0\x9f\x98\x83
        bob = PRIVMSG bob aaa*😃
        alice > PRIVMSG bob :{471*a}\xf0\x9f\x98\x83
        alice = 417 alice :*
        alice .
        bob .
        ",
    ),
];

#[tokio::test]
async fn lines() {
    let server = Server::start().await;
    play(&server, &[("alice", "alice", PASS), ("bob", "bob", PASS)], ROWS).await;
}

/// Byte by byte, and in pieces that end within letters, tags, the end of the line.
#[tokio::test]
async fn the_pieces_make_no_difference() {
    let server = Server::start().await;
    let mut alice = server.login("alice").await;
    let mut bob = server.login("bob").await;
    for colon in ["", ":"] {
        for text in ["a", "😃", &"a".repeat(400), &format!("{}😃", "a".repeat(396))] {
            let line = format!("@+x=é PRIVMSG bob {colon}{text}\r\n");
            for piece in [1, 3, 7, 16, line.len()] {
                for bytes in line.as_bytes().chunks(piece) {
                    alice.send_bytes(bytes).await;
                }
                let heard = bob.expect_from("alice", "PRIVMSG bob").await;
                assert_eq!((heard.text(), heard.tag("+x")), (text, Some("é")), "in pieces of {piece}");
            }
        }
    }
    bob.expect_nothing("PRIVMSG").await;
}
