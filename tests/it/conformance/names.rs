//! Names and letter case: `CASEMAPPING=ascii`, and names beyond ASCII. Whatever a client writes, the server answers in
//! one spelling, the account's or the room's own; so no client ever has to compare letters that ASCII does not know.

use super::{PASS, Row, play};
use crate::harness::Server;

const ROWS: &[Row] = &[
    (
        "rooms: one room in any case, and one spelling of it",
        r"
        alice > JOIN #Case
        alice = :alice JOIN #Case
        bob > JOIN #cASE
        bob = :bob JOIN #Case
        bob < 353 bob = #Case ...
        bob = 366 bob #Case :*
        alice < :bob JOIN #Case
        alice > PRIVMSG #CASE :hi
        bob = :alice PRIVMSG #Case hi
        alice > TOPIC #case :t
        bob = :alice TOPIC #Case t
        alice > NAMES #casE
        alice < 353 alice = #Case ...
        bob > PART #CASE
        bob = :bob PART #Case
        ",
    ),
    (
        "people: one person in any case, and one spelling",
        r"
        alice > PRIVMSG BoB :hi
        bob = :alice PRIVMSG bob hi
        alice > WHOIS BOB
        alice = 311 alice bob bob chat.test * :*
        alice > NICK ALICE
        alice ! 433 ...
        ",
    ),
    (
        "CASEMAPPING=ascii: what ASCII does not fold is not folded",
        r"
        alice > JOIN #a[b
        alice = :alice JOIN #a[b
        alice < 366 ...
        alice > JOIN #a\x7bb
        alice = :alice JOIN *
        ",
    ),
    (
        "beyond ASCII: other spellings of a name are the name, and are answered in its own",
        r"
        alice > PRIVMSG zoË :hi
        zoe = :alice PRIVMSG Zoë hi
        alice > PRIVMSG ZOË :hi
        zoe = :alice PRIVMSG Zoë hi
        alice > JOIN #Žluť
        alice < JOIN #Žluť
        bob > JOIN #žLUŤ
        bob = JOIN #Žluť
        bob < 366 ...
        bob > PRIVMSG #ŽLUŤ :kůň
        alice < :bob PRIVMSG #Žluť kůň
        ",
    ),
];

#[tokio::test]
async fn names() {
    let server = Server::configure().user("Zoë").start().await;
    let cast: super::Cast = &[("alice", "alice", PASS), ("bob", "bob", PASS), ("zoe", "Zoë", PASS)];
    play(&server, cast, ROWS).await;
}
