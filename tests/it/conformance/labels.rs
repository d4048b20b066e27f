//! <https://ircv3.net/specs/extensions/labeled-response>: every command is answered exactly once under its label, by
//! ACK, by one line, or by a batch.

use super::{Row, play};
use crate::harness::{Client, Line, MODERN, Server};

/// How a command is answered.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// Nothing to say.
    Ack,
    /// This line.
    One(&'static str),
    /// A batch; this line is in it.
    Many(&'static str),
    /// A batch of this type, which is the whole answer.
    Batch(&'static str),
}

use Shape::{Ack, Many, One};

/// Played in this order by alice, who has what a client of today has; bob is there.
const COMMANDS: &[(&str, Shape)] = &[
    ("PRIVMSG bob :hi", One("PRIVMSG")),
    ("PRIVMSG #lobby :hi", One("PRIVMSG")),
    ("PRIVMSG alice :note", One("PRIVMSG")),
    ("PRIVMSG bob,carol :both", Many("PRIVMSG")),
    ("PRIVMSG bob,nobody :half", Many("401")),
    ("PRIVMSG nobody :hi", One("401")),
    ("PRIVMSG nobody,nothing :hi", Many("401")),
    ("PRIVMSG #nowhere :hi", One("403")),
    ("PRIVMSG carol :who is not there", Many("301")),
    ("PRIVMSG bob :", One("412")),
    ("PRIVMSG", One("411")),
    ("PRIVMSG #lobby :XXLONG", One("417")),
    ("NOTICE bob :hi", One("NOTICE")),
    ("NOTICE #lobby :hi", One("NOTICE")),
    ("NOTICE nobody :hi", Ack),
    ("NOTICE #nowhere :hi", Ack),
    ("TAGMSG bob", Ack),
    ("JOIN #labels", Many("353")),
    ("JOIN #labels", Ack),
    ("JOIN #labels-1,#labels-2", Many("353")),
    ("JOIN #labels,#labels-1", Ack),
    ("JOIN", One("461")),
    ("JOIN nothing", One("403")),
    ("JOIN nothing,nothing", Many("403")),
    ("PRIVMSG #labels,#lobby :two rooms", Many("PRIVMSG")),
    ("TOPIC #labels :new", One("TOPIC")),
    ("TOPIC #labels :new", Ack),
    ("TOPIC #labels", Many("332")),
    ("TOPIC #nowhere", One("403")),
    ("MODE #labels +m", One("MODE")),
    ("MODE #labels +m", Ack),
    ("MODE #labels", Many("324")),
    ("MODE #labels +y", One("472")),
    ("MODE #labels -m+y", Many("MODE")),
    ("MODE alice", One("221")),
    ("NAMES #labels", Many("366")),
    ("NAMES #nowhere", One("366")),
    ("LIST #labels", Many("322")),
    ("WHO #labels", Many("352")),
    ("WHO #nowhere", One("315")),
    ("WHOIS bob", Many("311")),
    ("WHOIS nobody", Many("401")),
    ("WHOWAS nobody", Many("406")),
    ("ISON bob", One("303")),
    ("USERHOST bob", One("302")),
    ("INVITE bob #labels", One("341")),
    ("INVITE nobody #labels", One("401")),
    ("KICK #labels bob", One("441")),
    ("KICK #nowhere bob", One("403")),
    ("PART #labels :bye", One("PART")),
    ("PART #labels-1,#labels-2", Many("PART")),
    ("PART #nowhere", One("403")),
    ("PART #labels", One("442")),
    ("AWAY :gone", One("306")),
    ("AWAY", One("305")),
    ("SETNAME :Alice A", One("SETNAME")),
    ("SETNAME", One("461")),
    ("NICK bob", One("433")),
    ("NICK alice", Ack),
    ("PING x", One("PONG")),
    ("PING", One("461")),
    ("PONG x", Ack),
    ("CAP LIST", One("CAP")),
    ("CAP REQ :multi-prefix", One("CAP")),
    ("CAP REQ :nonsense", One("CAP")),
    ("CAP REQ :XXCAPS", Many("CAP")),
    ("CAP END", Ack),
    ("CAP FOO", One("410")),
    ("AUTHENTICATE PLAIN", One("907")),
    ("USER a 0 * :a", One("462")),
    ("PASS a", One("462")),
    ("MOTD", One("422")),
    ("LUSERS", Many("251")),
    ("VERSION", Many("351")),
    ("TIME", One("391")),
    ("ADMIN", Many("256")),
    ("INFO", Many("374")),
    ("HELP", Many("704")),
    ("HELPOP", Many("704")),
    ("OPER root wrong", One("464")),
    ("CHATHISTORY LATEST #lobby * 10", Shape::Batch("chathistory")),
    ("CHATHISTORY LATEST #nowhere * 10", One("FAIL")),
    ("CHATHISTORY WHAT #lobby * 10", One("FAIL")),
    ("KILL bob :gone", One("481")),
    ("WALLOPS :hear me", One("481")),
    ("REHASH", One("481")),
    // And what bob has said of himself (metadata).
    ("MONITOR + bob", Many("730")),
    ("MONITOR + nobody", One("731")),
    ("MONITOR L", Many("732")),
    ("MONITOR C", Ack),
    ("ISUPPORT", Shape::Batch("draft/isupport")),
    ("LINKS", Many("364")),
    ("STATS u", Many("242")),
    ("STATS ?", One("219")),
    ("TRACE", One("262")),
    ("SUMMON bob", One("445")),
    ("USERS", One("446")),
    ("JOIN #old", Many("353")),
    ("RENAME #old #new", One("RENAME")),
    ("RENAME #nowhere #new", One("403")),
    ("RENAME #new #lobby", One("FAIL")),
    ("REDACT #lobby nonsense", One("FAIL")),
    ("BATCH", One("461")),
    ("BATCH -nothing", One("FAIL")),
    ("REGISTER * * secret-words", One("FAIL")),
    ("VERIFY alice 123456", One("FAIL")),
    ("MARKREAD #lobby", One("MARKREAD")),
    ("MARKREAD #lobby timestamp=2026-01-01T00:00:00.000Z", One("MARKREAD")),
    ("MARKREAD #lobby nonsense", One("FAIL")),
    ("SEARCH text=nothing-like-this", Shape::Batch("soju.im/search")),
    ("SEARCH in=#lobby;text=hi", Shape::Batch("soju.im/search")),
    // Not to be told from a room in which nobody has said this.
    ("SEARCH in=#nowhere;text=hi", Shape::Batch("soju.im/search")),
    ("METADATA * SET display-name :Alice A", One("761")),
    ("METADATA * GET display-name", Shape::Batch("metadata")),
    ("METADATA * LIST", Shape::Batch("metadata")),
    ("METADATA * SUB status", Many("770")),
    ("METADATA * SUBS", Shape::Batch("metadata-subs")),
    ("METADATA * SET ?? x", One("FAIL")),
    ("METADATA * WHAT", One("FAIL")),
    ("FROBNICATE", One("421")),
    ("NO_SUCH-COMMAND", One("421")),
    ("PRIVMSG bob :nul\0", One("400")),
];

/// Whoever is played somewhere else: it ends the session.
const ELSEWHERE: &[&str] = &["QUIT"];

/// The commands that are tested here.
pub(super) fn commands() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().filter_map(|(line, _)| line.split(' ').next()).chain(ELSEWHERE.iter().copied())
}

/// What is wrong with an answer to a labelled command.
fn judge(answer: &[Line], label: &str, shape: Shape) -> Result<(), String> {
    let labelled: Vec<usize> = (0..answer.len()).filter(|at| answer[*at].tag("label").is_some()).collect();
    let [at] = labelled[..] else { return Err(format!("{} lines have a label", labelled.len())) };
    let first = &answer[at];
    if first.tag("label") != Some(label) {
        return Err("another label".to_owned());
    }
    match shape {
        Ack if first.is("ACK") && first.params.is_empty() && first.nick() == "chat.test" => Ok(()),
        One(command) if first.is(command) => Ok(()),
        Many(command) if first.is("BATCH") && first.param(1) == "labeled-response" => {
            let reference = first.param(0).trim_start_matches('+');
            if !reference.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
                return Err("a reference is letters, digits and hyphens".to_owned());
            }
            let end = format!("-{reference}");
            let Some(end) = answer.iter().position(|line| line.is("BATCH") && line.param(0) == end) else {
                return Err("the batch has no end".to_owned());
            };
            let inside: Vec<&Line> = answer.iter().filter(|line| line.tag("batch") == Some(reference)).collect();
            let outside = answer[..at].iter().chain(&answer[end..]).any(|line| line.tag("batch") == Some(reference));
            match () {
                () if outside => Err("a line of the batch stands outside".to_owned()),
                () if inside.len() < 2 => Err("a batch for less than two lines".to_owned()),
                () if !inside.iter().any(|line| line.is(command)) => Err(format!("no {command} in the batch")),
                () => Ok(()),
            }
        }
        Shape::Batch(kind) if first.is("BATCH") && first.param(1) == kind => Ok(()),
        _ => Err(format!("it is {}", first.command)),
    }
}

/// All capabilities the server has, but for what takes lines away that are expected here, and for the older of two that
/// exclude each other.
async fn offered(server: &Server) -> Vec<String> {
    let mut client = server.connect_raw().await;
    let lines = client.ask("CAP LS 302").await;
    let words = lines.iter().filter(|line| line.is("CAP")).flat_map(|line| line.text().split_whitespace());
    let names = words.map(|word| word.split('=').next().unwrap_or(word).to_owned());
    names
        .filter(|name| {
            !["sasl", "chatd/passive", "draft/metadata-2"].contains(&&**name) && !name.ends_with("no-implicit-names")
        })
        .collect()
}

fn written_out(line: &str) -> String {
    line.replace("XXLONG", &"x".repeat(480)).replace("XXCAPS", &"server-time ".repeat(41))
}

async fn ask_all(client: &mut Client, commands: &[(&str, Shape)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (n, (line, shape)) in commands.iter().enumerate() {
        let label = format!("{n}\\s\\:é");
        let answer = client.ask(&format!("@label={label} {}", written_out(line))).await;
        if let Err(why) = judge(&answer, &format!("{n} ;é"), *shape) {
            wrong.push(format!("{line}: wanted {shape:?}, but {why}: {answer:#?}"));
        }
    }
    wrong
}

#[tokio::test]
async fn every_command_is_answered_once() {
    let server = Server::start().await;
    let _bob = server.login("bob").await;
    let caps = offered(&server).await;
    let caps: Vec<&str> = caps.iter().map(String::as_str).collect();
    let mut alice = server.login_with("alice", &caps).await;
    let wrong = ask_all(&mut alice, COMMANDS).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// All at once: each label is on exactly one line, and answers keep the order of the commands where one is needed.
#[tokio::test]
async fn labels_of_commands_that_are_sent_at_once() {
    let server = Server::start().await;
    let mut bob = server.login("bob").await;
    let mut alice = server.login("alice").await;
    let mut lines = String::new();
    let commands: Vec<&str> = COMMANDS.iter().map(|(line, _)| *line).filter(|line| !line.contains('\0')).collect();
    for round in 0..3 {
        for (n, line) in commands.iter().enumerate() {
            lines.push_str(&format!("@label={round}-{n} {}\r\n", written_out(line)));
        }
    }
    // Somebody else's lines come in between, and are no part of any answer.
    let talk: String = (0..200).map(|n| format!("PRIVMSG #lobby :between {n}\r\n")).collect();
    tokio::join!(bob.send_bytes(talk.as_bytes()), alice.send_bytes(lines.as_bytes()));
    bob.sync().await;
    let answer = alice.sync().await;
    let mut labels: Vec<&str> = answer.iter().filter_map(|line| line.tag("label")).collect();
    assert_eq!(labels.len(), 3 * commands.len());
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), 3 * commands.len(), "a label came twice");
    let foreign =
        answer.iter().find(|line| line.nick() == "bob" && (line.tag("batch").or(line.tag("label"))).is_some());
    assert!(foreign.is_none(), "{foreign:?}");
    // Every batch that was opened is closed, and no line names one that is not open.
    let mut open: Vec<&str> = Vec::new();
    for line in &answer {
        if let Some(reference) = line.tag("batch") {
            assert!(open.contains(&reference), "{line:?}");
        }
        if line.is("BATCH") {
            let reference = &line.param(0)[1..];
            match line.param(0).starts_with('+') {
                true => open.push(reference),
                false => open.retain(|known| *known != reference),
            }
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

const ROWS: &[Row] = &[
    (
        "labeled-response: the label on the echo alone",
        r"
        alice > @label=1;+a=b PRIVMSG bob :hi there
        alice = @label=1;+a=b :alice PRIVMSG bob :hi there
        alice .
        bob = @!label;+a=b :alice PRIVMSG bob :hi there
        alice > @label=2 PRIVMSG #lobby :hi
        alice = @label=2 PRIVMSG #lobby hi
        bob = @!label PRIVMSG #lobby hi
        alice > @label=3;+draft/react=l😃l;+draft/reply=123 TAGMSG bob
        alice = @label=3;+draft/react=l😃l;msgid TAGMSG bob
        alice .
        bob = @!label;+draft/react=l😃l TAGMSG bob
        alice > @label=4;+typing=active TAGMSG bob
        alice = @label=4;+typing=active TAGMSG bob
        alice .
        ",
    ),
    (
        "labeled-response: to oneself, the label stands on the echo and not on the message",
        r"
        alice > @label=self PRIVMSG alice hi
        alice = @label=self PRIVMSG alice hi
        alice = @!label PRIVMSG alice hi
        alice .
        alice > @label=self NOTICE alice hi
        alice = @label=self NOTICE alice hi
        alice = @!label NOTICE alice hi
        alice .
        alice > @label=self;+draft/react=x TAGMSG alice
        alice = @label=self TAGMSG alice
        alice = @!label TAGMSG alice
        alice .
        ",
    ),
    (
        "labeled-response: without echo-message a message is acknowledged",
        r"
        carol > @label=1 PRIVMSG bob hi
        carol = @label=1 :chat.test ACK
        carol > @label=2 PRIVMSG #lobby hi
        carol = @label=2 ACK
        carol > @label=3 PRIVMSG carol hi
        carol < @label=3 ACK
        carol > @label=4 PRIVMSG bob,alice hi
        carol < @label=4 ACK
        carol .
        ",
    ),
    (
        "labeled-response: several receivers make one batch of echoes",
        r"
        alice > @label=12345 PRIVMSG bob,carol,dave hi
        alice = @label=12345 BATCH +$ref labeled-response
        alice < @batch=$ref PRIVMSG bob hi
        alice = @batch=$ref PRIVMSG carol hi
        alice = @batch=$ref PRIVMSG dave hi
        alice = @!batch;!label BATCH -$ref
        alice .
        bob < @!label;!batch :alice PRIVMSG bob hi
        ",
    ),
    (
        "labeled-response: JOIN, its names and its history are one answer",
        r"
        bob > JOIN #label-join
        bob > PRIVMSG #label-join :before
        alice > @label=j JOIN #label-join
        alice = @label=j BATCH +$outer labeled-response
        alice = @batch=$outer :alice JOIN #label-join ...
        alice = @batch=$outer 353 alice = #label-join :*
        alice = @batch=$outer 366 alice #label-join :*
        alice = @batch=$outer BATCH +$inner chathistory #label-join
        alice = @batch=$inner :bob PRIVMSG #label-join before
        alice = @batch=$outer BATCH -$inner
        alice = @!batch BATCH -$outer
        alice .
        ",
    ),
    (
        "labeled-response: a label is at most 64 bytes, is not empty, and the last of two counts",
        r"
        alice > @label={64*x} PING y
        alice = @label=xxx* PONG chat.test y
        alice > @label={65*x} PING y
        alice = @!label PONG chat.test y
        alice > @label= PING y
        alice = @!label PONG chat.test y
        alice > @label=1;label=2 PING y
        alice = @label=2 PONG chat.test y
        ",
    ),
    (
        "labeled-response: no label without the capability",
        r"
        bob > @label=1 PING y
        bob = @- PONG chat.test y
        bob > @label=1 FROBNICATE
        bob = @!label 421 ...
        bob > @label=1 PONG y
        bob .
        ",
    ),
    (
        "labeled-response: without batch, what needs one comes unlabelled, the rest as ever",
        r"
        dave > @label=1 PING y
        dave = @label=1 PONG chat.test y
        dave > @label=2 PONG y
        dave = @label=2 ACK
        dave > @label=3 WHOIS alice
        dave ! BATCH ...
        dave ! @label 311 ...
        dave < 318 ...
        dave .
        ",
    ),
    (
        "labeled-response: who switches it off is not labelled any more, who leaves is acknowledged",
        r"
        alice > @label=1 CAP REQ :-labeled-response
        alice = @label=1 CAP alice ACK :-labeled-response
        alice > @label=2 PING y
        alice = @!label PONG chat.test y
        alice > CAP REQ :labeled-response
        alice = CAP alice ACK :labeled-response
        other > CAP REQ :labeled-response batch
        other > PASS bob:the-word-of-bob
        other > NICK bob
        other > USER bob 0 * :Bob
        other > CAP END
        other < 001 bob ...
        other >| @label=q QUIT :bye
        other end
        other < @label=q ACK
        other = ERROR :*bye
        ",
    ),
];

#[tokio::test]
async fn clauses() {
    let server = Server::start().await;
    let without_labels: &[&str] = &["message-tags", "batch", "echo-message"];
    let cast: super::Cast = &[
        ("alice", "alice", MODERN),
        ("bob", "bob", without_labels),
        ("carol", "carol", &["labeled-response", "batch"]),
        ("dave", "dave", &["labeled-response", "message-tags"]),
    ];
    play(&server, cast, ROWS).await;
}
