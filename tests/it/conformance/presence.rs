//! What is told of people: extended-join, away-notify, setname, invite-notify, userhost-in-names, multi-prefix,
//! no-implicit-names, and that nobody hears of what he has not asked for.

use super::{PASS, Row, play};
use crate::harness::Server;

const ROWS: &[Row] = &[
    (
        "extended-join: account and real name, to those who asked",
        r"
        alice > JOIN #extended-join
        carol > JOIN #extended-join
        bob > JOIN #extended-join
        alice < :bob!bob@chat.test JOIN #extended-join bob :bob the tester
        carol < :bob!bob@chat.test JOIN #extended-join
        ",
    ),
    (
        "away-notify: who goes and comes back, told to who shares a room",
        r"
        alice > JOIN #away-notify
        carol > JOIN #away-notify
        bob > JOIN #away-notify
        bob > AWAY :i'm going away
        bob < 306 bob :*
        alice < :bob!bob@chat.test AWAY :i'm going away
        carol ! AWAY ...
        bob > AWAY
        bob = 305 bob :*
        alice = :bob!bob@chat.test AWAY
        bob > AWAY :
        bob = 305 bob :*
        ",
    ),
    (
        "away-notify: who joins and is away",
        r"
        alice > JOIN #away-on-join
        bob > AWAY :i'm already away
        alice < :bob AWAY :i'm already away
        bob > JOIN #away-on-join
        alice = :bob JOIN #away-on-join ...
        alice = :bob!bob@chat.test AWAY :i'm already away
        alice .
        bob > AWAY
        ",
    ),
    (
        "away: 301 to who writes to somebody away, and in WHOIS",
        r"
        bob > AWAY :not here
        carol > PRIVMSG bob :what's up
        carol = 301 carol bob :not here
        carol > WHOIS bob
        carol < 301 carol bob :not here
        carol > USERHOST bob
        carol < 302 carol :bob=-*
        bob > AWAY
        carol > PRIVMSG bob :what's up
        carol .
        carol > USERHOST bob
        carol = 302 carol :bob=+*
        ",
    ),
    (
        "setname: told to those who asked, to the one who does it too",
        r"
        alice > JOIN #setname
        bob > JOIN #setname
        carol > JOIN #setname
        alice > SETNAME :Bruce Wayne <bruce@wayne.enterprises>
        alice < :alice!alice@chat.test SETNAME :Bruce Wayne <bruce@wayne.enterprises>
        bob < :alice!alice@chat.test SETNAME :Bruce Wayne <bruce@wayne.enterprises>
        carol ! SETNAME ...
        carol > WHOIS alice
        carol < 311 carol alice alice chat.test * :Bruce Wayne <bruce@wayne.enterprises>
        carol > SETNAME :old but willing
        carol ! SETNAME ...
        alice < :carol SETNAME :old but willing
        ",
    ),
    (
        "setname: what is no name",
        r"
        alice > SETNAME :{151*x}
        alice = FAIL SETNAME INVALID_REALNAME :*
        alice > SETNAME
        alice = 461 alice SETNAME :*
        carol > SETNAME :{151*x}
        carol = FAIL SETNAME INVALID_REALNAME :*
        bob ! SETNAME ...
        ",
    ),
    (
        "invite-notify: members who asked see it; the invited is told in any case",
        r"
        alice > JOIN #invite-notify
        bob > JOIN #invite-notify
        carol > JOIN #invite-notify
        alice > INVITE dave #invite-notify
        alice < 341 alice dave #invite-notify
        bob < :alice!alice@chat.test INVITE dave #invite-notify
        carol ! INVITE ...
        dave = :alice!alice@chat.test INVITE dave #invite-notify
        dave .
        ",
    ),
    (
        "multi-prefix: all the signs, from the highest to the lowest, in NAMES and WHO",
        r"
        alice > JOIN #multi-prefix
        alice > MODE #multi-prefix +v alice
        alice > NAMES #multi-prefix
        alice < 353 alice = #multi-prefix @+alice!alice@chat.test
        alice = 366 alice #multi-prefix :*
        alice > WHO #multi-prefix
        alice = 352 alice #multi-prefix * chat.test chat.test alice H*@+ :0 *
        carol > NAMES #multi-prefix
        carol = 353 carol = #multi-prefix @alice
        ",
    ),
    (
        "userhost-in-names: whole sources for those who asked",
        r"
        alice > NAMES #lobby
        alice < 353 alice = #lobby :*bob!bob@chat.test*
        carol > NAMES #lobby
        carol ! 353 carol = #lobby :*!*
        ",
    ),
    (
        "no-implicit-names: no names after JOIN, names when asked",
        r"
        dave > JOIN #no-implicit-names
        dave = :dave JOIN #no-implicit-names
        dave .
        dave > NAMES #no-implicit-names
        dave = 353 dave = #no-implicit-names @dave
        dave = 366 dave #no-implicit-names :*
        dave .
        ",
    ),
    (
        "RFC 2812 3.2.1: JOIN, topic, names; no 331 for a room without a topic",
        r"
        carol > JOIN #join-order
        carol = :carol!carol@chat.test JOIN #join-order
        carol = 353 carol = #join-order @carol
        carol = 366 carol #join-order :*
        carol .
        carol > TOPIC #join-order :on the table
        bob > JOIN #join-order
        bob = JOIN #join-order ...
        bob = 332 bob #join-order :on the table
        bob = 333 bob #join-order carol 1*
        bob = 353 bob = #join-order ...
        bob = 366 bob #join-order :*
        ",
    ),
    (
        "RFC 2812: who is inside already joins without effect",
        r"
        carol > JOIN #join-twice
        carol > JOIN #join-twice
        carol > JOIN #Join-Twice
        carol < 366 ...
        carol ! JOIN ...
        ",
    ),
    (
        "RFC 2812 3.2.2: PART is told to all with its reason, to who leaves as well",
        r"
        carol > JOIN #part
        bob > JOIN #part
        bob > PART #part :bye everyone
        bob < :bob!bob@chat.test PART #part :bye everyone
        carol < :bob!bob@chat.test PART #part :bye everyone
        carol > PART #part
        carol = :carol!carol@chat.test PART #part
        carol .
        bob .
        ",
    ),
];

#[tokio::test]
async fn presence() {
    let server = Server::start().await;
    let all: &[&str] = &[
        "extended-join",
        "away-notify",
        "setname",
        "invite-notify",
        "userhost-in-names",
        "multi-prefix",
        "account-notify",
        "chghost",
    ];
    let cast: super::Cast = &[
        ("alice", "alice", all),
        ("bob", "bob", all),
        ("carol", "carol", PASS),
        ("dave", "dave", &["no-implicit-names"]),
    ];
    play(&server, cast, ROWS).await;
}
