//! <https://ircv3.net/specs/extensions/message-tags>, message-ids, server-time, account-tag, echo-message.

use super::{PASS, Row, play};
use crate::harness::{MODERN, Server};

const ROWS: &[Row] = &[
    (
        "message-tags: client-only tags travel, others do not, and only to those who take tags",
        r"
        alice > @+baz=bat;fizz=buzz PRIVMSG #lobby hi
        alice = @+baz=bat;msgid=$id;!fizz :alice!alice@chat.test PRIVMSG #lobby hi
        bob = @+baz=bat;msgid=$id;!fizz :alice!alice@chat.test PRIVMSG #lobby hi
        carol = @- :alice!alice@chat.test PRIVMSG #lobby hi
        dave = @time=2*T*:*.*Z;!+baz;!msgid :alice PRIVMSG #lobby hi
        alice > @+baz=bat NOTICE #lobby :by notice too
        bob = @+baz=bat :alice NOTICE #lobby :by notice too
        ",
    ),
    (
        "message-tags: the server's own tags cannot be sent by a client",
        r"
        alice > @time=2001-01-01T00:00:00.000Z;msgid=abc;account=root PRIVMSG bob :as if
        bob ! @time=2001* PRIVMSG ...
        bob ! @msgid=abc PRIVMSG ...
        bob = @account=alice;time;msgid :alice PRIVMSG bob :as if
        ",
    ),
    (
        "message-tags: TAGMSG goes where PRIVMSG would, to those who take tags, with an id",
        r"
        alice > @+buzz=fizz;cat=dog;+steel=wootz TAGMSG #lobby
        alice = @+buzz=fizz;+steel=wootz;msgid=$id;!cat :alice!alice@chat.test TAGMSG #lobby
        bob = @+buzz=fizz;+steel=wootz;msgid=$id;!cat :alice!alice@chat.test TAGMSG #lobby
        carol .
        dave .
        alice > @+draft/react=x;+draft/reply=$id TAGMSG bob
        alice = @+draft/react=x;msgid=$next TAGMSG bob
        bob = @+draft/react=x;msgid=$next;time;account=alice :alice TAGMSG bob
        ",
    ),
    (
        "message-tags: a TAGMSG that says nothing reaches nobody",
        r"
        alice > TAGMSG bob
        alice > @cat=dog TAGMSG bob
        alice .
        bob .
        alice > @+a=b TAGMSG nobody
        alice = 401 alice nobody :*
        ",
    ),
    (
        "message-tags, escaping: ; blank \\ as written, and a lone \\ vanishes",
        r"
        alice > @+a=1\:2\s3\\4\q5\ PRIVMSG bob :escaped
        bob = @+a=1*2*3\4q5 PRIVMSG bob escaped
        alice > @+a=raw+:=,escaped\:\s\\ PRIVMSG bob :the example
        bob = @+a=raw+:=,escaped* PRIVMSG bob :the example
        alice > @+empty=;+none;+中=文 PRIVMSG bob :no values
        bob = @+empty=;+none=;+中=文 PRIVMSG bob :no values
        ",
    ),
    (
        "message-tags: names are opaque, none makes a message bad",
        r"
        alice > @a/b/c;é=1;=x;;+!odd,key=1 PRIVMSG bob :odd keys
        bob = @+!odd,key=1;!é :alice PRIVMSG bob :odd keys
        ",
    ),
    (
        "message-tags, size: 4094 bytes are taken whole, one more is 417",
        r"
        alice > @foo=bar;+baz={4081*a} TAGMSG bob
        alice = @+baz=aaa*aaa;msgid TAGMSG bob
        bob = @+baz=aaa*aaa;msgid TAGMSG bob
        alice > @foo=bar;+baz={4082*a} TAGMSG bob
        alice = 417 alice :*
        alice > @+baz={4089*a} PRIVMSG bob {400*b}
        bob = @+baz=aaa*aaa;msgid PRIVMSG bob bbb*bbb
        alice > @foo=bar;+baz={4082*a} PRIVMSG bob {400*b}
        alice < 417 alice :*
        bob .
        ",
    ),
    (
        "message-tags: who has not asked for them may still send them",
        r"
        carol > @+a=b PRIVMSG bob :from an old one
        carol .
        bob < :carol PRIVMSG bob :from an old one
        ",
    ),
    (
        "message-ids: the same for all, and never used again",
        r"
        alice > PRIVMSG #lobby :one
        alice = @msgid=$one PRIVMSG #lobby one
        bob = @msgid=$one PRIVMSG #lobby one
        alice > PRIVMSG #lobby :one
        bob ! @msgid=$one PRIVMSG ...
        ",
    ),
    (
        "echo-message: PRIVMSG and NOTICE, to rooms and to people, with what the others got",
        r"
        alice > PRIVMSG #lobby :hello everyone
        alice = @msgid=$id :alice!alice@chat.test PRIVMSG #lobby :hello everyone
        bob = @msgid=$id :alice!alice@chat.test PRIVMSG #lobby :hello everyone
        alice > NOTICE #lobby :notice everyone
        alice = :alice NOTICE #lobby :notice everyone
        alice > PRIVMSG BOB :psst
        alice = @msgid=$direct :alice PRIVMSG bob psst
        bob < @msgid=$direct :alice PRIVMSG bob psst
        alice .
        carol > PRIVMSG #lobby :no echo asked for
        carol ! :carol PRIVMSG ...
        ",
    ),
    (
        "echo-message: an echo to oneself, and the message",
        r"
        alice > PRIVMSG alice :note
        alice = @msgid=$id :alice PRIVMSG alice note
        alice = @msgid=$id :alice PRIVMSG alice note
        alice .
        carol > PRIVMSG carol :note
        carol < @- :carol PRIVMSG carol note
        carol .
        ",
    ),
    (
        // To an old client a direct message of its own would look like one to it.
        "echo-message: the other devices of an account see what it says in a room, and to people if they know echoes",
        r"
        alice > PRIVMSG bob :from the desk
        phone .
        alice > PRIVMSG #lobby :and to all
        phone = @- :alice!alice@chat.test PRIVMSG #lobby :and to all
        phone > PRIVMSG bob :from the phone
        phone .
        alice < :alice PRIVMSG bob :from the phone
        ",
    ),
    (
        "account-tag: on all that a person does",
        r"
        alice > JOIN #account-tag
        bob > JOIN #account-tag
        alice < @account=bob :bob JOIN #account-tag ...
        bob < @account=bob :bob JOIN #account-tag ...
        alice > TOPIC #account-tag :x
        bob < @account=alice :alice TOPIC #account-tag x
        alice > MODE #account-tag +m
        bob < @account=alice :alice MODE #account-tag +m
        alice > INVITE carol #account-tag
        bob < @account=alice :alice INVITE carol #account-tag
        alice > KICK #account-tag bob :out
        bob < @account=alice :alice KICK #account-tag bob out
        alice > INVITE bob #account-tag
        bob < @account=alice;time :alice!alice@chat.test INVITE bob #account-tag
        ",
    ),
    (
        "server-time: UTC with milliseconds, on what happens",
        r"
        dave > PRIVMSG dave :what time is it
        dave < @time=2*-*-*T*:*:*.*Z;!msgid :dave PRIVMSG dave ...
        carol > JOIN #server-time
        dave > JOIN #server-time
        dave < @time=2*Z :dave JOIN #server-time
        carol > PART #server-time :bye
        dave < @time=2*Z :carol PART #server-time bye
        ",
    ),
];

#[tokio::test]
async fn message_tags() {
    let server = Server::start().await;
    let cast: super::Cast = &[
        ("alice", "alice", MODERN),
        ("phone", "alice", PASS),
        ("bob", "bob", MODERN),
        ("carol", "carol", PASS),
        ("dave", "dave", &["server-time"]),
    ];
    play(&server, cast, ROWS).await;
}
