//! <https://ircv3.net/specs/extensions/capability-negotiation>

use super::{Row, play};
use crate::harness::{MODERN, Server};

const ROWS: &[Row] = &[
    (
        "CAP LS without a version: one line, no values",
        r"
        nobody > CAP LS
        nobody ! CAP * LS :*=*
        nobody = :chat.test CAP * LS :*sasl*
        nobody .
        ",
    ),
    (
        "CAP LS 302, and any version above",
        r"
        nobody > CAP LS 302
        nobody < CAP * LS :*
        nobody .
        nobody > CAP LS 307
        nobody < CAP * LS :*
        nobody .
        ",
    ),
    (
        "a lower version later is answered as it asks, and the higher one is kept",
        r"
        nobody > CAP LS 302
        nobody < CAP * LS :*
        nobody > CAP LS
        nobody ! CAP * LS :*=*
        nobody = CAP * LS :*
        nobody .
        nobody > CAP LIST
        nobody = CAP * LIST :cap-notify
        nobody > CAP REQ :-cap-notify
        nobody = CAP * NAK :-cap-notify
        nobody .
        ",
    ),
    (
        "cap-notify is an ordinary capability for who has not said 302",
        r"
        nobody > CAP REQ :cap-notify
        nobody = CAP * ACK :cap-notify
        nobody > CAP REQ :-cap-notify
        nobody = CAP * ACK :-cap-notify
        nobody .
        ",
    ),
    (
        "CAP LIST: an empty parameter if nothing is active",
        r"
        nobody > CAP LIST
        nobody = CAP * LIST :
        nobody .
        ",
    ),
    (
        "CAP NAK: word for word, and nothing has changed",
        r"
        nobody > CAP REQ :foo qux bar baz qux quux
        nobody = CAP * NAK :foo qux bar baz qux quux
        nobody > CAP REQ :foo multi-prefix bar
        nobody = CAP * NAK :foo multi-prefix bar
        nobody > CAP REQ :multi-prefix -nonsense
        nobody = CAP * NAK :multi-prefix -nonsense
        nobody > CAP REQ :sasl=PLAIN
        nobody = CAP * NAK :sasl=PLAIN
        nobody > CAP REQ :Multi-Prefix
        nobody = CAP * NAK :Multi-Prefix
        nobody > CAP LIST
        nobody = CAP * LIST :
        nobody .
        ",
    ),
    (
        "CAP REQ: on and off, what is on already, what is off already",
        r"
        nobody > CAP REQ :multi-prefix server-time
        nobody = CAP * ACK :multi-prefix server-time
        nobody > CAP REQ :multi-prefix -batch
        nobody = CAP * ACK :multi-prefix -batch
        nobody > CAP LIST
        nobody = CAP * LIST :server-time multi-prefix
        nobody > CAP REQ -server-time
        nobody = CAP * ACK :-server-time
        nobody > CAP LIST
        nobody = CAP * LIST :multi-prefix
        nobody .
        ",
    ),
    (
        "CAP REQ: blanks around and between do not matter",
        r"
        nobody > CAP REQ : multi-prefix  batch 
        nobody < CAP * ACK :*multi-prefix*batch*
        nobody > CAP LIST
        nobody = CAP * LIST :batch multi-prefix
        nobody .
        ",
    ),
    (
        "CAP ACK: a list too long for one line comes in several, whole words each",
        r"
        bob > CAP REQ :{41*server-time }
        bob = CAP bob ACK :*server-time
        bob = CAP bob ACK :server-time*
        bob .
        ",
    ),
    (
        "an invalid subcommand is 410, none is 461",
        r"
        nobody > CAP FOO
        nobody = 410 * FOO :*
        nobody > CAP
        nobody = 461 * CAP :*
        bob > CAP FOO
        bob = 410 bob FOO :*
        bob .
        nobody .
        ",
    ),
    (
        "CAP LS and CAP REQ each suspend the registration until CAP END",
        r"
        nobody > CAP REQ :batch
        nobody > PASS carol:the-word-of-carol
        nobody > NICK carol
        nobody > USER carol 0 * :Carol
        nobody ! 001 ...
        nobody > CAP END
        nobody < 001 carol ...
        other > CAP LS
        other > PASS carol:the-word-of-carol
        other > NICK carol
        other > USER carol 0 * :Carol
        other ! 001 ...
        other > CAP END
        other < 001 carol ...
        ",
    ),
    (
        "CAP END without negotiation is taken without a word",
        r"
        nobody > CAP END
        nobody .
        nobody > PASS carol:the-word-of-carol
        nobody > NICK carol
        nobody > USER carol 0 * :Carol
        nobody < 001 carol ...
        ",
    ),
    (
        "after the login CAP goes on, and CAP END is ignored",
        r"
        bob > CAP END
        bob .
        bob > CAP LS 302
        bob < CAP bob LS :*
        bob > CAP LIST
        bob < CAP bob LIST :*
        bob .
        ",
    ),
    (
        "what is switched off is off with the next line",
        r"
        bob > CAP REQ :server-time
        bob = CAP bob ACK :server-time
        alice > PRIVMSG bob :with
        bob < @time :alice PRIVMSG bob with
        bob > CAP REQ :-server-time
        bob = @!time CAP bob ACK :-server-time
        alice > PRIVMSG bob :without
        bob = @- :alice PRIVMSG bob without
        ",
    ),
];

#[tokio::test]
async fn capabilities() {
    let server = Server::start().await;
    play(&server, &[("alice", "alice", MODERN), ("bob", "bob", &[])], ROWS).await;
}
