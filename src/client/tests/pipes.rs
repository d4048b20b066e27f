//! `send`, `tail`'s gathering, `history` and the piped `chat`, over a connection in memory.

use std::time::Duration;

use tokio::time::timeout;

use super::{CAPS, label, pair};
use crate::client::args::Format;
use crate::client::fetch::{Mark, Sought, Wanted, history, search};
use crate::client::pipe::{Lines, PipeError, Posting, send, talk};
use crate::client::show::Zone;
use crate::event::Millis;

const OPS: &str = ":alice!a@h JOIN #ops alice :Alice\n:s 353 alice = #ops :alice bob\n:s 366 alice #ops :End";

const POST: Posting = Posting { target: "#ops", join: false, whole: false, reply_to: None };
const ENTERING: Posting = Posting { join: true, ..POST };

fn wanted(target: &str, last: u32, format: Format) -> Wanted<'_> {
    let (after, before, around, last) = (None, None, None, Some(last));
    Wanted { target, join: false, after, before, around, events: false, last, format, zone: Zone::Utc }
}

fn lines(texts: &[&str]) -> Lines {
    Lines::given(texts.iter().map(|text| (*text).to_owned()))
}

#[tokio::test]
async fn send_is_done_when_the_last_echo_has_come() {
    let (mut link, mut server) = pair();
    let client = async { send(&mut link, &POST, lines(&["one", "", "/two"]), |_| {}).await };
    tokio::pin!(client);
    let script = async {
        server.let_in(CAPS, OPS).await;
        let one = server.expect("PRIVMSG #ops :one").await;
        server.send(&format!("@label={} :alice!a@h PRIVMSG #ops :one", label(&one))).await;
        let two = server.expect("PRIVMSG #ops :/two").await;
        (server, label(&two).to_owned())
    };
    let (mut server, two) = tokio::select! {
        result = &mut client => panic!("too early: {result:?}"),
        rest = script => rest,
    };
    assert!(timeout(Duration::from_millis(100), &mut client).await.is_err(), "before the second echo");
    server.send(&format!("@label={two} :alice!a@h PRIVMSG #ops :/two")).await;
    client.await.unwrap();
}

#[tokio::test]
async fn send_tells_what_was_refused() {
    let (mut link, mut server) = pair();
    let mut complaints = Vec::new();
    let complain = |text: &str| complaints.push(text.to_owned());
    let client = send(&mut link, &POST, lines(&["hello"]), complain);
    let script = async {
        server.let_in(CAPS, OPS).await;
        let line = server.expect("PRIVMSG #ops").await;
        server.send(&format!("@label={} :s FAIL PRIVMSG NOT_STORED #ops :no room on the disk", label(&line))).await;
    };
    let (result, ()) = tokio::join!(client, script);
    assert!(matches!(result, Err(PipeError::Refused(1))), "{result:?}");
    assert_eq!(complaints, ["not sent (no room on the disk): hello"]);
}

#[tokio::test]
async fn what_came_too_fast_is_sent_again_in_order() {
    let (mut link, mut server) = pair();
    let client = send(&mut link, &POST, lines(&["one", "two"]), |why| panic!("{why}"));
    let script = async {
        server.let_in(CAPS, OPS).await;
        let one = server.expect("PRIVMSG #ops :one").await;
        server.send(&format!("@label={} :s FAIL PRIVMSG RATE_LIMITED #ops :too fast", label(&one))).await;
        for text in ["one", "two"] {
            let line = server.expect(&format!("PRIVMSG #ops :{text}")).await;
            server.send(&format!("@label={} :alice!a@h PRIVMSG #ops :{text}", label(&line))).await;
        }
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
}

#[tokio::test]
async fn send_says_what_was_not_confirmed_when_the_connection_ends() {
    let (mut link, mut server) = pair();
    let client = send(&mut link, &POST, lines(&["hello"]), |_| {});
    let script = async move {
        server.let_in(CAPS, OPS).await;
        server.expect("PRIVMSG #ops").await;
    };
    let (result, ()) = tokio::join!(client, script);
    assert!(matches!(result, Err(PipeError::Lost { unconfirmed: 1, .. })), "{result:?}");
}

#[tokio::test]
async fn send_enters_a_room_only_when_told_to() {
    let (mut link, mut server) = pair();
    let client = send(&mut link, &POST, lines(&["hello"]), |_| {});
    let (result, ()) = tokio::join!(client, server.let_in(CAPS, ""));
    assert!(matches!(result, Err(PipeError::NotIn(room)) if room == "#ops"));

    let (mut link, mut server) = pair();
    let client = send(&mut link, &ENTERING, lines(&["hello"]), |_| {});
    let script = async {
        server.let_in(CAPS, "").await;
        server.expect("JOIN :#ops").await;
        server.send(":s 473 alice #ops :Cannot join channel (+i)").await;
        server.fence().await;
    };
    let (result, ()) = tokio::join!(client, script);
    assert_eq!(result.unwrap_err().to_string(), "cannot enter #ops: Cannot join channel (+i)");
}

#[tokio::test]
async fn a_pipe_ends_when_all_is_stored_and_prints_what_it_hears() {
    let (mut link, mut server) = pair();
    let (mut out, mut complaints) = (Vec::new(), Vec::new());
    let complain = |text: &str| complaints.push(text.to_owned());
    let texts = lines(&["hello", "/usr/bin is no command", "/join other", "there"]);
    let client = talk(&mut link, texts, &mut out, complain, Zone::Utc);
    let time = "time=2026-11-23T12:01:05.120Z";
    let script = async {
        let replay = ":s BATCH +1 chathistory #ops\n\
            @batch=1;time=2026-11-22T08:00:00.000Z;msgid=k0 :bob!b@h PRIVMSG #ops :earlier\n:s BATCH -1";
        server.let_in(CAPS, &format!("{OPS}\n{replay}")).await;
        let one = server.expect("PRIVMSG #ops :hello").await;
        server.send(&format!("@{time};label={} :alice!a@h PRIVMSG #ops :hello", label(&one))).await;
        server.send(&format!("@{time} :bob!b@h PRIVMSG #ops :\x1b[31mred\u{202e}\x07")).await;
        let two = server.expect("PRIVMSG #ops :/usr/bin is no command").await;
        server.send(&format!("@{time};label={} :alice!a@h PRIVMSG #ops :/usr/bin is no command", label(&two))).await;
        server.expect("JOIN :#other").await;
        server.send(":alice!a@h JOIN #other alice :Alice").await;
        server.fence().await;
        let three = server.expect("PRIVMSG #other :there").await;
        server.send(&format!("@{time};label={} :alice!a@h PRIVMSG #other :there", label(&three))).await;
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
    let wanted = "2026-11-22 08:00:00 #ops <bob> earlier\n\
        2026-11-23 12:01:05 #ops <alice> hello\n\
        2026-11-23 12:01:05 #ops <bob> red\n\
        2026-11-23 12:01:05 #ops <alice> /usr/bin is no command\n\
        2026-11-23 12:01:05 #other <alice> there\n";
    assert_eq!(String::from_utf8(out).unwrap(), wanted);
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
async fn history_is_the_end_of_the_replay() {
    let (mut link, mut server) = pair();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let wanted = wanted("#OPS", 2, Format::Text);
    let note = |text: &str| notes.push(text.to_owned());
    let client = history(&mut link, &wanted, &mut out, note);
    let script = async {
        let replay = ":s BATCH +1 chathistory #ops\n\
            @batch=1;time=2026-11-22T08:00:00.000Z;msgid=k0 :bob!b@h PRIVMSG #ops :one\n\
            @batch=1;time=2026-11-22T08:00:01.000Z;msgid=k1 :bob!b@h NOTICE #ops :two\n\
            @batch=1;time=2026-11-22T08:00:02.000Z;msgid=k2 :bob!b@h PRIVMSG #ops :three\n:s BATCH -1\n\
            @msgid=k3 :bob!b@h PRIVMSG #elsewhere :four";
        server.let_in(CAPS, &format!("{OPS}\n{replay}")).await;
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "2026-11-22 08:00:01 -bob- two\n2026-11-22 08:00:02 <bob> three\n");
    assert!(notes.is_empty());
}

#[tokio::test]
async fn history_is_fetched_page_by_page_where_it_can_be_asked_for() {
    let (mut link, mut server) = pair();
    let mut out = Vec::new();
    let wanted = wanted("#ops", 3, Format::Json);
    let client = history(&mut link, &wanted, &mut out, |_| {});
    let page = |ids: &[&str]| {
        let line =
            |id: &&str| format!("@batch=1;msgid={id};time=2026-11-22T08:00:00.000Z :bob!b@h PRIVMSG #ops :{id}\n");
        format!(":s BATCH +1 chathistory #ops\n{}:s BATCH -1", ids.iter().map(line).collect::<String>())
    };
    let script = async {
        server
            .let_in(&format!("{CAPS} draft/chathistory"), &format!("{OPS}\n:s 005 alice CHATHISTORY=2 :are supported"))
            .await;
        server.expect("CHATHISTORY LATEST #ops * 2").await;
        server.send(&page(&["k3", "k4"])).await;
        server.fence().await;
        server.expect("CHATHISTORY BEFORE #ops msgid=k3 1").await;
        server.send(&page(&["k2"])).await;
        server.fence().await;
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
    let out = String::from_utf8(out).unwrap();
    let ids: Vec<&str> = out.lines().map(|line| &line[line.len() - 4..line.len() - 2]).collect();
    assert_eq!(ids, ["k2", "k3", "k4"]);
}

const TEA: Sought<'_> = Sought {
    text: "green tea; 茶",
    within: Some("#ops"),
    from: None,
    since: None,
    until: None,
    last: 2,
    format: Format::Text,
    zone: Zone::Utc,
};

#[tokio::test]
async fn a_search_is_asked_in_the_words_of_tags() {
    let (mut link, mut server) = pair();
    let (mut out, mut notes) = (Vec::new(), Vec::new());
    let client = search(&mut link, &TEA, &mut out, |text: &str| notes.push(text.to_owned()));
    let script = async {
        server.let_in(&format!("{CAPS} soju.im/search"), OPS).await;
        let asked = server.expect("SEARCH ").await;
        assert!(asked.ends_with("text=green\\stea\\:\\s茶;in=#ops;limit=100"), "{asked}");
        server
            .send(
                ":s BATCH +1 soju.im/search\n\
                 @batch=1;msgid=k1;time=2026-11-22T08:00:00.000Z :bob!b@h PRIVMSG #ops :one\n\
                 @batch=1;msgid=k2;time=2026-11-22T08:00:01.000Z :bob!b@h PRIVMSG #ops :two\n\
                 @msgid=k9 :bob!b@h PRIVMSG #ops :just now\n\
                 @batch=1;msgid=k3;time=2026-11-22T08:00:02.000Z :bob!b@h PRIVMSG alice :three\n\
                 :s BATCH -1",
            )
            .await;
        server.fence().await;
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "2026-11-22 08:00:01 #ops <bob> two\n2026-11-22 08:00:02 bob <bob> three\n"
    );
    assert!(notes.is_empty());
}

#[tokio::test]
async fn a_server_that_does_not_search_or_will_not_says_so() {
    let (mut link, mut server) = pair();
    let mut out = Vec::new();
    let (result, ()) = tokio::join!(search(&mut link, &TEA, &mut out, |_| {}), server.let_in(CAPS, OPS));
    assert!(matches!(result, Err(PipeError::NoSearch)));
    let (mut link, mut server) = pair();
    let script = async {
        server.let_in(&format!("{CAPS} soju.im/search"), OPS).await;
        server.expect("SEARCH ").await;
        server.send(":s FAIL SEARCH INTERNAL_ERROR :not now").await;
        server.fence().await;
    };
    let (result, ()) = tokio::join!(search(&mut link, &TEA, &mut out, |_| {}), script);
    assert!(matches!(result, Err(PipeError::Search(why)) if why == "not now"));
}

#[tokio::test]
async fn history_of_a_room_one_is_not_in_says_so() {
    let (mut link, mut server) = pair();
    let wanted = wanted("#ops", 3, Format::Text);
    let mut out = Vec::new();
    let (result, ()) = tokio::join!(history(&mut link, &wanted, &mut out, |_| {}), server.let_in(CAPS, ""));
    assert!(matches!(result, Err(PipeError::NotIn(room)) if room == "#ops"));
}

const MULTILINE: &str =
    "sasl=PLAIN message-tags batch echo-message labeled-response draft/multiline=max-bytes=60,max-lines=3";

#[tokio::test]
async fn a_text_goes_as_a_whole_where_the_server_takes_that() {
    let (mut link, mut server) = pair();
    let text = "one\n\n  three\nfour\n\n";
    let posting = Posting { whole: true, reply_to: Some("k 1"), ..POST };
    let client = send(&mut link, &posting, lines(&[text]), |why| panic!("{why}"));
    let script = async {
        server.let_in(MULTILINE, OPS).await;
        let open = server.line().await.unwrap();
        let label = open["@label=".len()..].split(';').next().unwrap().to_owned();
        assert_eq!(open, format!("@label={label};+draft/reply=k\\s1 BATCH +m{label} draft/multiline #ops"));
        for text in ["one", "", "  three"] {
            assert_eq!(server.line().await.unwrap(), format!("@batch=m{label} PRIVMSG #ops :{text}"));
        }
        server.expect(&format!("BATCH -m{label}")).await;
        server.send(&format!("@label={label};msgid=k7 :alice!a@h BATCH +x draft/multiline #ops")).await;
        server.send("@batch=x :alice!a@h PRIVMSG #ops :one\n:alice!a@h BATCH -x").await;
        // More lines than one message takes; the answer was the first.
        let line = server.line().await.unwrap();
        let (label, rest) = line[7..].split_once(' ').unwrap();
        assert_eq!(rest, "PRIVMSG #ops :four");
        server.send(&format!("@label={label} :alice!a@h PRIVMSG #ops :four")).await;
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
}

#[tokio::test]
async fn a_text_goes_line_by_line_where_the_server_knows_only_lines() {
    let (mut link, mut server) = pair();
    let posting = Posting { whole: true, reply_to: Some("k1"), ..POST };
    let client = send(&mut link, &posting, lines(&["one\n\ntwo"]), |why| panic!("{why}"));
    let script = async {
        server.let_in(CAPS, OPS).await;
        for (tag, text) in [(";+draft/reply=k1", "one"), ("", "two")] {
            let line = server.line().await.unwrap();
            let label = line[7..].split([';', ' ']).next().unwrap();
            assert_eq!(line, format!("@label={label}{tag} PRIVMSG #ops :{text}"));
            server.send(&format!("@label={label} :alice!a@h PRIVMSG #ops :{text}")).await;
        }
    };
    let (result, ()) = tokio::join!(client, script);
    result.unwrap();
}

#[tokio::test]
async fn history_between_marks_is_asked_for_from_the_right_side() {
    let caps = "sasl=PLAIN message-tags batch server-time draft/chathistory";
    let at = |ms: i64| Mark::Time(Millis(1_795_435_265_000 + ms));
    let id = |id: &str| Mark::Message(id.to_owned());
    let cases = [
        (Some(id("k1")), None, None, "AFTER #ops msgid=k1 100"),
        (Some(id("k1")), Some(id("k9")), None, "BETWEEN #ops msgid=k1 msgid=k9 100"),
        (Some(at(5)), Some(id("k9")), Some(3), "BETWEEN #ops msgid=k9 timestamp=2026-11-23T12:01:05.005Z 3"),
        (None, Some(at(7)), Some(3), "BEFORE #ops timestamp=2026-11-23T12:01:05.007Z 3"),
        (None, Some(id("k9")), None, "BEFORE #ops msgid=k9 50"),
        (Some(id("k1")), None, Some(2), "LATEST #ops msgid=k1 2"),
    ];
    for (after, before, last, question) in cases {
        let (mut link, mut server) = pair();
        let wanted = Wanted { after, before, last, ..wanted("#ops", 1, Format::Csv) };
        let mut out = Vec::new();
        let client = history(&mut link, &wanted, &mut out, |_| {});
        let script = async {
            server.let_in(caps, OPS).await;
            // Entering a room, a client that talks would ask of itself.
            server.expect(&format!("CHATHISTORY {question}")).await;
            server.send(":s BATCH +1 chathistory #ops\n:s BATCH -1").await;
            server.fence().await;
        };
        let (result, ()) = tokio::join!(client, script);
        result.unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "room,msgid,time,from,kind,text,reply_to\r\n");
    }
}
