//! <https://ircv3.net/specs/extensions/utf8-only>

use super::{PASS, Row, play};
use crate::harness::{MODERN, Server};

const ROWS: &[Row] = &[
    (
        "UTF8ONLY: what is not UTF-8 is refused with the command's name and the label, and reaches nobody",
        r"
        alice > @label=xyz PRIVMSG #lobby hi\xaa
        alice = @label=xyz :chat.test FAIL PRIVMSG INVALID_UTF8 :*
        alice .
        bob .
        bob > PRIVMSG alice hi\xaa
        bob = FAIL PRIVMSG INVALID_UTF8 :*
        bob > :bob topic #lobby :\xff\xfe
        bob = FAIL TOPIC INVALID_UTF8 :*
        bob .
        alice .
        ",
    ),
    (
        "UTF8ONLY: a command, or tags, that cannot be read",
        r"
        bob > \xff\xfe\xfd
        bob = FAIL * INVALID_UTF8 :*
        alice > @label=a\xffb PING x
        alice = @!label FAIL PING INVALID_UTF8 :*
        alice > @+x=\xff;label=ab PING x
        alice = FAIL PING INVALID_UTF8 :*
        alice .
        ",
    ),
    (
        "UTF8ONLY: before the login too, and the connection stays",
        r"
        nobody > USER u s e :\xff
        nobody = FAIL USER INVALID_UTF8 :*
        nobody > PASS carol:the-word-of-carol
        nobody > NICK carol
        nobody > USER u s e :Carol
        nobody < 001 carol ...
        ",
    ),
    (
        "surrogates, overlong forms and half characters are not UTF-8",
        r"
        bob > PRIVMSG alice :\xed\xa0\x80
        bob = FAIL PRIVMSG INVALID_UTF8 :*
        bob > PRIVMSG alice :\xc0\xaf
        bob = FAIL PRIVMSG INVALID_UTF8 :*
        bob > PRIVMSG alice :\xf0\x9f\x98
        bob = FAIL PRIVMSG INVALID_UTF8 :*
        alice .
        bob > PRIVMSG alice :\xf0\x9f\x98\x83 \xe4\xb8\xad
        alice = PRIVMSG alice :😃 中
        ",
    ),
];

#[tokio::test]
async fn utf8_only() {
    let server = Server::start().await;
    play(&server, &[("alice", "alice", MODERN), ("bob", "bob", PASS)], ROWS).await;
}
