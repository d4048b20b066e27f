//! Connection registration: RFC 1459 4.1, <https://modern.ircdocs.horse/#connection-registration>, and SASL 3.1/3.2.

use super::{PASS, Row, play};
use crate::harness::Server;

const ROWS: &[Row] = &[
    (
        "modern, connection registration: the welcome, in its order",
        r"
        nobody > PASS carol:the-word-of-carol
        nobody > NICK carol
        nobody .
        nobody > USER carol 0 * :Carol C
        nobody = :chat.test 001 carol :Welcome to the * network, carol!carol@chat.test
        nobody = :chat.test 002 carol :Your host is chat.test, running version chatd-*
        nobody = :chat.test 003 carol :This server was started *
        nobody = :chat.test 004 carol chat.test chatd-* * * *
        nobody = :chat.test 005 carol ...
        nobody < :chat.test 251 carol :There are * users and * invisible on 1 servers
        nobody < 255 carol :I have * clients and 0 servers
        nobody < 265 carol * * :Current local users *, max *
        nobody < 266 carol * * :Current global users *, max *
        nobody = 375 carol :- chat.test Message of the day -
        nobody = 372 carol :- Be kind.
        nobody = 376 carol :*
        nobody < :carol!carol@chat.test JOIN #lobby
        nobody < 353 carol = #lobby :*carol*
        nobody = 366 carol #lobby :*
        ",
    ),
    (
        "modern, NICK: 431 and 432 before the login",
        r"
        nobody > NICK
        nobody = 431 * :*
        nobody > NICK :
        nobody = 431 * :*
        nobody > NICK *
        nobody = 432 * * :*
        nobody > NICK #room
        nobody = 432 * #room :*
        nobody > NICK a,b
        nobody = 432 * a,b :*
        nobody .
        ",
    ),
    (
        "modern, USER: fewer than four parameters, or an empty realname, are 461",
        r"
        nobody > NICK carol
        nobody > USER carol
        nobody = 461 carol USER :*
        nobody > USER carol 0 *
        nobody = 461 carol USER :*
        nobody > USER carol 0 * :
        nobody = 461 carol USER :*
        nobody .
        ",
    ),
    (
        "modern, PASS: no password at all",
        r"
        nobody > NICK carol
        nobody >| USER carol 0 * :Carol
        nobody end
        nobody = FAIL * ACCOUNT_REQUIRED :*
        nobody = 464 carol :*
        nobody = ERROR :Closing link: *
        nobody .
        ",
    ),
    (
        "modern, PASS: a wrong password is 464, then ERROR",
        r"
        nobody > PASS wrong
        nobody > NICK carol
        nobody >| USER carol 0 * :Carol
        nobody end
        nobody = 464 carol :*
        nobody = ERROR :*
        nobody .
        ",
    ),
    (
        "RFC 1459 4.1.1: a PASS after NICK and USER comes too late",
        r"
        nobody > NICK carol
        nobody >| USER carol 0 * :Carol\x0d\x0aPASS the-word-of-carol
        nobody end
        nobody ! 001 ...
        nobody < 464 ...
        ",
    ),
    (
        "modern, PASS: needs its parameter",
        r"
        nobody > PASS
        nobody = 461 * PASS :*
        nobody > PASS :
        nobody = 461 * PASS :*
        nobody .
        ",
    ),
    (
        "modern, 451: nothing else works before the login, whatever it is",
        r"
        nobody > JOIN #lobby
        nobody = 451 * :*
        nobody > NO_SUCH-COMMAND
        nobody = 451 * :*
        nobody > PONG x
        nobody > PING :still here
        nobody = :chat.test PONG chat.test :still here
        nobody .
        nobody >| QUIT :bye
        nobody end
        nobody = ERROR :*
        nobody .
        ",
    ),
    (
        "modern, 462: no second registration",
        r"
        alice > USER a 0 * :A
        alice = 462 alice :*
        alice > PASS again
        alice = 462 alice :*
        alice > AUTHENTICATE PLAIN
        alice = 907 alice :*
        alice .
        ",
    ),
    (
        "SASL 3.1: PLAIN, 900 and 903, the account's nick in 001",
        r"
        nobody > CAP REQ :sasl
        nobody = CAP * ACK :sasl
        nobody > AUTHENTICATE PLAIN
        nobody = AUTHENTICATE +
        nobody > AUTHENTICATE AGNhcm9sAHRoZS13b3JkLW9mLWNhcm9s
        nobody = :chat.test 900 * carol!carol@chat.test carol :You are now logged in as carol
        nobody = 903 * :*
        nobody > AUTHENTICATE PLAIN
        nobody = 907 * :*
        nobody > NICK zorro
        nobody > USER z 0 * :Z
        nobody .
        nobody > CAP END
        nobody = 001 carol :*carol!carol@chat.test
        ",
    ),
    (
        "SASL 3.1: a wrong password, somebody else's name, broken payloads: 904",
        r"
        nobody > CAP REQ :sasl
        nobody < CAP * ACK :sasl
        nobody > AUTHENTICATE PLAIN\x0d\x0aAUTHENTICATE AGNhcm9sAHdyb25n
        nobody = AUTHENTICATE +
        nobody = 904 * :*
        nobody > AUTHENTICATE PLAIN\x0d\x0aAUTHENTICATE YWxpY2UAY2Fyb2wAdGhlLXdvcmQtb2YtY2Fyb2w=
        nobody = AUTHENTICATE +
        nobody = 904 * :*
        nobody > AUTHENTICATE PLAIN\x0d\x0aAUTHENTICATE !!!
        nobody = AUTHENTICATE +
        nobody = 904 * :*
        nobody .
        ",
    ),
    (
        "SASL 3.1: 905 for too long a line, 906 for *, 908 and 904 for what there is not",
        r"
        nobody > CAP REQ :sasl
        nobody < CAP * ACK :sasl
        nobody > AUTHENTICATE PLAIN\x0d\x0aAUTHENTICATE {401*A}
        nobody = AUTHENTICATE +
        nobody = 905 * :*
        nobody > AUTHENTICATE PLAIN\x0d\x0aAUTHENTICATE *
        nobody = AUTHENTICATE +
        nobody = 906 * :*
        nobody > AUTHENTICATE SCRAM-MAGIC
        nobody = 908 * *PLAIN* :*
        nobody = 904 * :*
        nobody > AUTHENTICATE
        nobody = 461 * AUTHENTICATE :*
        nobody .
        ",
    ),
    (
        "SASL 3.1: the end of the negotiation aborts: 906",
        r"
        nobody > CAP REQ :sasl
        nobody > NICK carol
        nobody > AUTHENTICATE PLAIN
        nobody < AUTHENTICATE +
        nobody > CAP END
        nobody = 906 carol :*
        nobody .
        ",
    ),
    (
        "RFC 2812 3.1.7: QUIT is acknowledged by ERROR, and the rooms see its reason",
        r"
        nobody > PASS dave:the-word-of-dave
        nobody > NICK dave
        nobody > USER dave 0 * :Dave
        nobody < 001 ...
        alice < :dave!dave@chat.test JOIN #lobby
        nobody >| QUIT :gone fishing
        nobody end
        nobody < ERROR :Closing link: Quit: gone fishing
        nobody .
        ",
    ),
];

#[tokio::test]
async fn registration() {
    let server = Server::configure().set("server.motd", "Be kind.").start().await;
    play(&server, &[("alice", "alice", PASS)], ROWS).await;
}
