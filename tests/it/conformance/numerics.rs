//! Numerics and their parameters: <https://modern.ircdocs.horse/#numerics>, RFC 1459 and 2812.

use super::{PASS, Row, play};
use crate::harness::Server;

const ROWS: &[Row] = &[
    (
        "401, 403: nobody and nothing of this name",
        r"
        alice > PRIVMSG nobody :hey
        alice = :chat.test 401 alice nobody :*
        alice > PRIVMSG #nowhere :hey
        alice = 403 alice #nowhere :*
        alice > NOTICE nobody :hey
        alice > NOTICE #nowhere :hey
        alice > NOTICE
        alice > NOTICE bob
        alice > NOTICE bob :
        alice .
        ",
    ),
    (
        "407: more receivers than TARGMAX; those before are sent to",
        r"
        alice > PRIVMSG bob,bob,bob,bob,carol :all of you
        alice = 407 alice carol :*
        alice .
        carol .
        bob = PRIVMSG bob :all of you
        ",
    ),
    (
        "411, 412: nobody to speak to, nothing to say",
        r"
        alice > PRIVMSG
        alice = 411 alice :*PRIVMSG*
        alice > PRIVMSG :
        alice = 411 alice :*
        alice > PRIVMSG #lobby
        alice = 412 alice :*
        alice > PRIVMSG #lobby :
        alice = 412 alice :*
        alice .
        bob .
        ",
    ),
    (
        "481: nobody speaks to all of a server",
        r"
        alice > PRIVMSG $* :spam
        alice = 481 alice :*
        alice > PRIVMSG $chat.test :spam
        alice = 481 alice :*
        alice > NOTICE $* :spam
        alice .
        bob .
        ",
    ),
    (
        "417: too long",
        r"
        alice > PRIVMSG bob :{600*x}
        alice = 417 alice :Input line was too long
        alice > PING {505*x}
        alice = PONG chat.test xxx*
        alice > PING {506*x}
        alice = 417 alice :*
        alice .
        ",
    ),
    (
        "421: unknown commands, whatever they are made of",
        r"
        alice > FROBNICATE now
        alice = 421 alice FROBNICATE :*
        alice > NONEXISTENT_COMMAND
        alice = 421 alice NONEXISTENT_COMMAND :*
        alice > 001 alice :welcome
        alice = 421 alice 001 :*
        alice > é
        alice = 421 alice é :*
        alice .
        ",
    ),
    (
        "431, 432, 433: NICK after the login",
        r"
        alice > NICK
        alice = 431 alice :*
        alice > NICK *
        alice = 432 alice * :*
        alice > NICK bob
        alice = 433 alice bob :*
        alice > NICK zorro
        alice = 433 alice zorro :*
        alice > NICK alice
        alice .
        bob > PRIVMSG alice :still you
        alice = :bob PRIVMSG alice :still you
        ",
    ),
    (
        "442, 403: PART of a room one is not in, of none",
        r"
        carol > JOIN #not-mine
        bob > PART #not-mine
        bob = 442 bob #not-mine :*
        bob > PART #nowhere
        bob = 403 bob #nowhere :*
        bob .
        ",
    ),
    (
        "461: parameters are missing",
        r"
        alice > JOIN
        alice = 461 alice JOIN :*
        alice > PART
        alice = 461 alice PART :*
        alice > TOPIC
        alice = 461 alice TOPIC :*
        alice > KICK #lobby
        alice = 461 alice KICK :*
        alice > INVITE bob
        alice = 461 alice INVITE :*
        alice > MODE
        alice = 461 alice MODE :*
        alice > CAP
        alice = 461 alice CAP :*
        alice > PING
        alice = 461 alice PING :*
        alice > PING :
        alice = 461 alice PING :*
        alice > AUTHENTICATE
        alice = 461 alice AUTHENTICATE :*
        alice .
        ",
    ),
    (
        "476, 403: what is no name of a room",
        r"
        alice > JOIN nothing
        alice = 403 alice nothing :*
        alice > JOIN #
        alice = 476 alice # :*
        alice > JOIN #a\x07b
        alice = 476 alice #ab :*
        alice .
        ",
    ),
    (
        "PING and PONG: modern, ping-message",
        r"
        alice > PING abcdef
        alice = :chat.test PONG chat.test abcdef
        alice > PING :two words
        alice = PONG chat.test :two words
        alice > PING a b
        alice = PONG chat.test a
        alice > PING ::
        alice = PONG chat.test ::
        alice > PONG
        alice > PONG anything at all
        alice .
        ",
    ),
    (
        "366: NAMES of what there is not, or of what is no name",
        r"
        alice > NAMES #nowhere
        alice = 366 alice #nowhere :*
        alice > NAMES invalid
        alice = 366 alice invalid :*
        alice .
        ",
    ),
    (
        "331, 332, 403: TOPIC",
        r"
        carol > JOIN #topics
        carol > TOPIC #topics
        carol < 331 carol #topics :*
        bob > JOIN #topics
        carol > TOPIC #topics :new topic
        carol < :carol!carol@chat.test TOPIC #topics :new topic
        bob < :carol!carol@chat.test TOPIC #topics :new topic
        bob > TOPIC #topics
        bob = 332 bob #topics :new topic
        bob = 333 bob #topics carol 1*
        carol > TOPIC #topics :
        bob < :carol TOPIC #topics :
        bob > TOPIC #nowhere
        bob = 403 bob #nowhere :*
        bob .
        ",
    ),
    (
        "482, 441, 403: KICK",
        r"
        carol > JOIN #kicks
        bob > KICK #kicks carol
        bob = 442|482 bob #kicks :*
        bob > JOIN #kicks
        bob < 366 ...
        bob > KICK #kicks carol
        bob = 482 bob #kicks :*
        carol > KICK #kicks alice
        carol < 441 carol alice #kicks :*
        carol > KICK #nowhere bob
        carol = 403 carol #nowhere :*
        carol > KICK #kicks bob
        carol = :carol!carol@chat.test KICK #kicks bob carol
        bob = :carol!carol@chat.test KICK #kicks bob carol
        bob .
        ",
    ),
    (
        "443, 442, 401, 403: INVITE",
        r"
        carol > JOIN #invites
        bob > INVITE alice #invites
        bob = 442 bob #invites :*
        carol > INVITE nobody #invites
        carol < 401 carol nobody :*
        carol > INVITE alice #nowhere
        carol = 403 carol #nowhere :*
        bob > JOIN #invites
        carol > INVITE bob #invites
        carol < 443 carol bob #invites :*
        carol > INVITE alice #invites
        carol = 341 carol alice #invites
        carol .
        ",
    ),
    (
        "404: moderated rooms, and rooms from outside",
        r"
        carol > JOIN #silence
        bob > PRIVMSG #silence :from outside
        bob = 404 bob #silence :*
        bob > NOTICE #silence :from outside
        bob .
        bob > JOIN #silence
        carol > MODE #silence +m
        bob < MODE #silence +m
        bob > PRIVMSG #silence :hush
        bob = 404 bob #silence :*
        ",
    ),
    (
        "471, 473, 475: doors",
        r"
        carol > JOIN #doors
        carol > MODE #doors +i
        bob > JOIN #doors
        bob = 473 bob #doors :*
        carol > MODE #doors -i+k secret
        bob > JOIN #doors wrong
        bob = 475 bob #doors :*
        carol > MODE #doors -k+l secret 1
        bob > JOIN #doors
        bob = 471 bob #doors :*
        ",
    ),
    (
        "324, 329, 472, 696: MODE of a room",
        r"
        carol > JOIN #modes
        carol > MODE #modes
        carol < 324 carol #modes +nt
        carol = 329 carol #modes 1*
        carol > MODE #modes +y
        carol = 472 carol y :*
        carol > MODE #modes +l abc
        carol = 696 carol #modes l abc :*
        carol > MODE #nowhere
        carol = 403 carol #nowhere :*
        carol .
        ",
    ),
    (
        "311 to 318: WHOIS",
        r"
        alice > WHOIS bob
        alice = 311 alice bob bob chat.test * :bob the tester
        alice < 312 alice bob chat.test :*
        alice < 330 alice bob bob :*
        alice < 317 alice bob * 1* :*
        alice < 318 alice bob :*
        alice > WHOIS nobody
        alice = 401 alice nobody :*
        alice = 318 alice nobody :*
        alice > WHOIS
        alice = 431 alice :*
        alice .
        ",
    ),
    (
        "352 and 315: WHO",
        r"
        alice > WHO bob
        alice = 352 alice * * chat.test chat.test bob H* :0 bob the tester
        alice = 315 alice bob :*
        alice > WHO #nowhere
        alice = 315 alice #nowhere :*
        alice .
        ",
    ),
    (
        "the small questions",
        r"
        alice > ISON bob nobody carol
        alice = 303 alice :bob carol
        alice > USERHOST bob nobody
        alice = 302 alice :bob=+bob@chat.test
        alice > TIME
        alice = 391 alice chat.test ...
        alice > VERSION
        alice = 351 alice chatd-* chat.test :*
        alice < 005 alice ...
        alice > MOTD
        alice < 422 alice :*
        alice > LUSERS
        alice = 251 alice :There are * users and * invisible on 1 servers
        alice < 255 alice :I have * clients and 0 servers
        ",
    ),
    (
        "251 to 255, 265, 266: LUSERS",
        r"
        alice > LUSERS
        alice = 251 alice :There are * users and * invisible on 1 servers
        alice = 252 alice * :*
        alice = 253 alice * :*
        alice = 254 alice * :*
        alice = 255 alice :I have * clients and 0 servers
        alice = 265 alice * * :*
        alice = 266 alice * * :*
        alice .
        ",
    ),
    (
        "256 to 259, 371, 374, 704 to 706: ADMIN, INFO, HELP",
        r"
        alice > ADMIN
        alice = 256 alice chat.test :*
        alice = 257 alice :*
        alice = 258 alice :*
        alice = 259 alice :*
        alice > INFO
        alice = 371 alice :*
        alice < 374 alice :*
        alice .
        alice > HELP
        alice = 704 alice * :*
        alice < 705 alice * :*
        alice < 706 alice * :*
        alice .
        ",
    ),
    (
        "314, 369, 406: WHOWAS",
        r"
        alice > WHOWAS bob
        alice = 314 alice bob * * * :*
        alice < 369 alice bob :*
        alice > WHOWAS nobody
        alice = 406 alice nobody :*
        alice = 369 alice nobody :*
        alice .
        ",
    ),
    (
        "313, 335, 671: what WHOIS says of some",
        r"
        alice > WHOIS robot
        alice < 335 alice robot :*
        alice < 318 alice robot :*
        alice > WHOIS bob
        alice < 671 alice bob :is using a secure connection
        ",
    ),
    (
        "321, 322, 323: LIST",
        r"
        carol > JOIN #listed
        carol > TOPIC #listed :see me
        alice > LIST #listed
        alice = 321 alice Channel :Users  Name
        alice = 322 alice #listed 1 :see me
        alice = 323 alice :*
        alice > LIST #nowhere
        alice < 323 alice :*
        alice .
        ",
    ),
    (
        "347, 349, 368: empty lists of a room",
        r"
        carol > JOIN #lists
        carol > MODE #lists b
        carol < 368 carol #lists :*
        carol > MODE #lists +e
        carol = 349 carol #lists :*
        carol > MODE #lists +I
        carol = 347 carol #lists :*
        carol .
        ",
    ),
    (
        "221, 501, 502: one's own modes, unknown ones, those of others",
        r"
        alice > MODE alice
        alice = 221 alice +*
        alice > MODE alice +?
        alice = 501 alice :*
        alice > MODE bob +i
        alice = 502 alice :*
        alice > MODE bob
        alice = 502 alice :*
        alice > MODE nobody
        alice = 401 alice nobody :*
        alice .
        ",
    ),
    (
        "commands do not care for case, sources in front of them do not matter",
        r"
        alice > privmsg bob :small
        bob < :alice PRIVMSG bob small
        alice > :somebody!else@where PRIVMSG bob :not me
        bob = :alice!alice@chat.test PRIVMSG bob :not me
        alice >    PRIVMSG    bob    :spread   out
        bob = :alice PRIVMSG bob :spread   out
        ",
    ),
];

#[tokio::test]
async fn numerics() {
    let server = Server::start().await;
    server.add_user("robot", &["--bot".to_owned()]);
    let _robot = server.login("robot").await;
    play(&server, &[("alice", "alice", PASS), ("bob", "bob", PASS), ("carol", "carol", PASS)], ROWS).await;
}
