//! The session as a pure machine: what it says to what it is told.

use super::{CAPS, alice};
use crate::client::heard::{Heard, LoginError, Said, Speech};
use crate::client::login::{Credentials, Proof};
use crate::client::session::Session;
use crate::event::Millis;
use proptest::prelude::*;

const NOW: Millis = Millis(1_000_000);

struct Dialogue(Session);

impl Dialogue {
    fn new() -> Dialogue {
        let mut dialogue = Dialogue(Session::new(alice(), 50));
        assert_eq!(dialogue.out(), ["CAP LS 302"]);
        dialogue
    }

    fn in_with(caps: &str) -> Dialogue {
        let mut d = Dialogue::new();
        d.hear(&format!(":s CAP * LS :{caps}"));
        let requests = d.out().into_iter().filter_map(|line| line.strip_prefix("CAP REQ :").map(str::to_owned));
        let wanted: String = requests.map(|list| format!(":s CAP * ACK :{list}\n")).collect();
        wanted.lines().for_each(|line| d.hear(line));
        assert_eq!(d.out(), ["AUTHENTICATE PLAIN"]);
        d.hear("AUTHENTICATE +");
        d.hear(":s 903 alice :ok");
        d.hear(":s 001 alice :hello");
        assert_eq!(d.heard(), [Heard::LoggedIn { nick: "alice".into() }]);
        d.out();
        d
    }

    fn hear(&mut self, line: &str) {
        self.0.hear(line, NOW);
    }

    fn out(&mut self) -> Vec<String> {
        self.0.take_out().into_iter().map(|line| line.into_string()).collect()
    }

    fn heard(&mut self) -> Vec<Heard> {
        std::iter::from_fn(|| self.0.next_heard()).collect()
    }

    fn said(&mut self) -> Said {
        match self.heard().into_iter().next() {
            Some(Heard::Said(said)) => said,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_wrong_password_is_told_in_the_words_of_the_server() {
    let mut d = Dialogue::new();
    d.hear(":s CAP * LS :sasl=SCRAM-SHA-256,PLAIN");
    assert_eq!(d.out(), ["NICK alice", "USER alice 0 * :alice", "CAP REQ :sasl"]);
    d.hear(":s CAP * ACK :sasl");
    d.hear("AUTHENTICATE +");
    d.hear(":s 904 * :SASL authentication failed");
    let denied = LoginError::Denied("SASL authentication failed".into());
    assert_eq!(d.heard(), [Heard::LoginFailed(denied)]);
}

#[test]
fn with_sasl_but_not_by_password_it_stays_here() {
    let mut d = Dialogue::new();
    d.hear(":s CAP * LS :sasl=EXTERNAL");
    assert_eq!(d.heard(), [Heard::LoginFailed(LoginError::NoSasl)]);
    d.hear("AUTHENTICATE :");
    assert!(d.out().iter().all(|line| !line.contains("AUTHENTICATE") && !line.contains("PASS")));
}

#[test]
fn a_server_that_knows_no_sasl_gets_it_as_pass_and_before_the_name() {
    let named = ["PASS :secret", "NICK alice", "USER alice 0 * :alice"];
    let mut d = Dialogue::new();
    d.hear(":s CAP * LS :batch server-time");
    let out = d.out();
    assert_eq!(out, [&named[..], &["CAP REQ :batch server-time"]].concat());
    d.hear(":s CAP * ACK :batch server-time");
    assert_eq!(d.out(), ["CAP END"]);
    // One that knows no capabilities either.
    let mut d = Dialogue::new();
    d.hear(":s 451 * :You have not registered");
    assert_eq!(d.out()[..3], named);
    d.hear(":s 421 * CAP :Unknown command");
    assert!(d.out().is_empty());
}

#[test]
fn a_refused_list_of_capabilities_is_asked_for_one_by_one() {
    let mut d = Dialogue::new();
    d.hear(":s CAP * LS :sasl batch server-time");
    assert_eq!(d.out()[2..], ["CAP REQ :batch server-time", "CAP REQ :sasl"]);
    d.hear(":s CAP * NAK :batch server-time");
    d.hear(":s CAP * ACK :sasl");
    assert_eq!(d.out(), ["CAP REQ :batch", "CAP REQ :server-time", "AUTHENTICATE PLAIN"]);
    d.hear("AUTHENTICATE +");
    d.hear(":s 903 alice :ok");
    d.hear(":s CAP * ACK :batch");
    assert!(!d.out().contains(&"CAP END".to_owned()));
    d.hear(":s CAP * NAK :server-time");
    assert_eq!(d.out(), ["CAP END"]);
}

#[test]
fn a_long_password_goes_in_pieces() {
    let mut who = alice();
    // "\0alice\0" and 293 bytes: 300 bytes, 400 of base64, a full piece and so an empty one after it.
    who.proof = Proof::Password(zeroize::Zeroizing::new("x".repeat(293)));
    let mut d = Dialogue(Session::new(who, 0));
    d.hear(":s CAP * LS :sasl");
    d.hear(":s CAP * ACK :sasl");
    d.out();
    d.hear("AUTHENTICATE +");
    let out = d.out();
    assert_eq!(out[0].len(), "AUTHENTICATE ".len() + 400);
    assert_eq!(out[1], "AUTHENTICATE +");
}

#[test]
fn an_echo_with_its_label_means_stored() {
    let mut d = Dialogue::in_with(CAPS);
    d.hear(":alice!a@h JOIN #ops alice :Alice");
    d.heard();
    let tickets = d.0.say("#ops", Speech::Message, "hello").unwrap();
    assert_eq!(d.out(), [format!("@label={} PRIVMSG #ops :hello", tickets[0])]);
    // Another device of ours says the same: that is not our echo.
    d.hear("@msgid=k1 :alice!a@h PRIVMSG #ops :hello");
    assert_eq!(d.said().ticket, None);
    assert_eq!(d.0.unconfirmed().len(), 1);
    d.hear(&format!("@label={};msgid=k2;time=2026-11-23T12:01:05.120Z :alice!a@h PRIVMSG #ops :hello", tickets[0]));
    let heard = d.heard();
    assert_eq!(heard[1], Heard::Stored { ticket: tickets[0] });
    assert!(matches!(&heard[0], Heard::Said(said) if said.own && said.at == Millis(1_795_435_265_120)));
    assert_eq!(d.0.unconfirmed().len(), 0);
}

#[test]
fn a_labelled_refusal_finds_its_text() {
    let mut d = Dialogue::in_with(CAPS);
    let one = d.0.say("#ops", Speech::Message, "one").unwrap()[0];
    let two = d.0.say("#ops", Speech::Message, "two").unwrap()[0];
    d.hear(&format!("@label={two} :s FAIL PRIVMSG STORE_FAILED #ops :the disk is full"));
    d.hear(&format!("@label={one} :s 404 alice #ops :Cannot send to channel"));
    let refused = |ticket, text: &str, why: &str| Heard::Refused {
        said: Some((ticket, text.into())),
        about: Some("#ops".into()),
        why: why.into(),
        again: false,
    };
    let wanted = [refused(two, "two", "the disk is full"), refused(one, "one", "Cannot send to channel")];
    assert_eq!(d.heard(), wanted);
}

#[test]
fn a_message_to_oneself_comes_in_a_labelled_batch() {
    let mut d = Dialogue::in_with(CAPS);
    let ticket = d.0.say("alice", Speech::Message, "note").unwrap()[0];
    d.hear(&format!("@label={ticket} :s BATCH +1 labeled-response"));
    d.hear("@batch=1;msgid=k :alice!a@h PRIVMSG alice :note");
    d.hear("@batch=1;msgid=k :alice!a@h PRIVMSG alice :note");
    d.hear(":s BATCH -1");
    let stored = d.heard().into_iter().filter(|heard| *heard == Heard::Stored { ticket }).count();
    assert_eq!(stored, 1);
}

#[test]
fn servers_with_less_confirm_by_echo_or_by_silence() {
    let mut d = Dialogue::in_with("sasl echo-message");
    let ticket = d.0.say("#ops", Speech::Action, "waves").unwrap()[0];
    assert_eq!(d.out(), ["PRIVMSG #ops :\u{1}ACTION waves\u{1}"]);
    d.hear(":alice!a@h PRIVMSG #ops :\u{1}ACTION waves\u{1}");
    assert!(matches!(d.said(), Said { speech: Speech::Action, ticket: Some(t), .. } if t == ticket));

    let mut d = Dialogue::in_with("sasl");
    let one = d.0.say("#ops", Speech::Message, "one").unwrap()[0];
    d.0.say("bob", Speech::Message, "two").unwrap();
    d.hear(":s 401 alice bob :No such nick");
    d.hear(&format!(":s PONG s said-{one}"));
    let heard = d.heard();
    assert!(matches!(&heard[0], Heard::Refused { said: Some((_, text)), .. } if text == "two"), "{heard:?}");
    assert_eq!(heard[1], Heard::Stored { ticket: one });
}

#[test]
fn long_texts_fit_with_what_the_server_puts_before_them() {
    let mut d = Dialogue::in_with(CAPS);
    let mask = format!("alice!alice@{}", "h".repeat(40));
    d.hear(&format!(":{mask} JOIN #ops alice :Alice"));
    let text = "中文 and words ".repeat(100);
    let tickets = d.0.say("#ops", Speech::Message, &text).unwrap();
    let out = d.out();
    assert_eq!(out.len(), tickets.len());
    for line in out {
        let (_, line) = line.split_once(' ').unwrap();
        assert!(format!(":{mask} {line}\r\n").len() <= 512, "{line}");
    }
}

#[test]
fn old_lines_are_marked_and_framed() {
    let mut d = Dialogue::in_with(CAPS);
    d.hear(":s BATCH +r chathistory #lobby");
    d.hear("@batch=r;msgid=k1 :bob!b@h PRIVMSG #lobby :one");
    d.hear("@batch=r;msgid=k2 :alice!a@h PRIVMSG #lobby :two");
    d.hear("@msgid=k4 :bob!b@h PRIVMSG #lobby :live");
    d.hear(":s BATCH -r");
    let heard = d.heard();
    assert_eq!(heard[0], Heard::Earlier { with: "#lobby".into() });
    let replayed: Vec<bool> = heard
        .iter()
        .filter_map(|heard| if let Heard::Said(said) = heard { Some(said.replayed) } else { None })
        .collect();
    assert_eq!(replayed, [true, true, false]);
    assert_eq!(heard[4], Heard::Now { with: "#lobby".into(), count: 2, oldest: Some("k1".into()) });
}

#[test]
fn conversations_are_named_by_the_other_side() {
    let mut d = Dialogue::in_with(CAPS);
    for (line, with) in [
        (":bob!b@h PRIVMSG alice :hi", "bob"),
        (":alice!a@h PRIVMSG bob :hi", "bob"),
        (":bob!b@h PRIVMSG #Ops :hi", "#Ops"),
        (":bob!b@h PRIVMSG @#ops :hi", "#ops"),
        (":chat.example.org NOTICE alice :hi", ""),
    ] {
        d.hear(line);
        assert_eq!(d.said().with, with, "{line}");
    }
    d.hear(":bob!b@h PRIVMSG alice :\u{1}VERSION\u{1}");
    assert!(d.heard().is_empty() && d.out().is_empty());
}

#[test]
fn rooms_follow_what_happens() {
    let mut d = Dialogue::in_with(CAPS);
    let rooms = |d: &Dialogue| d.0.rooms().map(str::to_owned).collect::<Vec<_>>();
    d.hear(":alice!a@h JOIN #Lobby alice :Alice");
    d.hear(":alice!a@h JOIN #ops alice :Alice");
    d.hear(":alice!a@h JOIN #three alice :Alice");
    d.hear(":bob!b@h JOIN #four bob :Bob");
    assert_eq!(rooms(&d), ["#Lobby", "#ops", "#three"]);
    assert_eq!(d.0.room("#LOBBY"), Some("#Lobby"));
    d.hear(":alice!a@h PART #ops");
    d.hear(":bob!b@h KICK #three alice :out");
    d.hear("@batch=x :bob!b@h KICK #lobby bob");
    assert_eq!(rooms(&d), ["#Lobby"]);
    d.hear("PING :are you there");
    assert_eq!(d.out(), ["PONG :are you there"]);
}

#[test]
fn history_is_asked_for_once_where_the_server_leaves_it_to_us() {
    let mut d = Dialogue::in_with(&format!("{CAPS} draft/chathistory"));
    d.hear(":s 005 alice CHATHISTORY=20 :are supported");
    d.hear(":alice!a@h JOIN #ops alice :Alice");
    d.hear(":s 353 alice = #ops :@alice +bob");
    d.hear(":s 366 alice #ops :End");
    assert_eq!(d.out(), ["CHATHISTORY LATEST #ops * 20"]);
    let names = Heard::Names { room: "#ops".into(), nicks: vec!["@alice".into(), "+bob".into()] };
    assert!(d.heard().contains(&names));
    d.hear(":s 366 alice #ops :End");
    assert!(d.out().is_empty());

    let mut d = Dialogue::in_with(CAPS);
    d.hear(":alice!a@h JOIN #ops alice :Alice");
    d.hear(":s 366 alice #ops :End");
    assert!(d.out().is_empty());
}

#[test]
fn a_server_without_measure_fills_nothing() {
    let mut d = Dialogue::in_with(CAPS);
    for id in 0..10_000 {
        d.hear(&format!(":s BATCH +{id} chathistory #a"));
        d.hear(&format!(":s 353 alice = #ops{id} :a b c"));
        d.hear(&format!(":alice!a@h JOIN #{id}"));
        d.heard();
    }
    assert!(d.0.rooms().count() < 10_000);
}

proptest! {
    /// Whatever a server says, nothing that is heard can do harm in print.
    #[test]
    fn all_that_is_heard_is_clean(
        command in "PRIVMSG|NOTICE|JOIN|PART|QUIT|KICK|TOPIC|MODE|NICK|AWAY|SETNAME|FAIL|ERROR|372|332|353|366|404|999|BATCH",
        source in "[^ \r\n\0\\\\]{1,10}(![^ \r\n\0\\\\]{1,6})?",
        middle in "#?[^ \r\n\0\\\\:][^ \r\n\0\\\\]{0,8}",
        last in "[^\r\n\0\\\\]{0,60}",
        msgid in "[^ ;\r\n\0\\\\]{0,10}",
    ) {
        let mut d = Dialogue::in_with(CAPS);
        d.hear(&format!("@msgid={msgid} :{source} {command} alice {middle} :{last}"));
        d.hear(&format!(":{source} {command} {middle} :{last}"));
        for heard in d.heard() {
            let printed = format!("{heard:#?}");
            // Debug escapes what is not printable; escapes would show as \u{..} or \r.
            let harmful = ["\\u{1b}", "\\u{7}", "\\r", "\\n", "\\u{202e}", "\\u{9b}"];
            prop_assert!(!harmful.iter().any(|bad| printed.contains(bad)), "{}", printed);
        }
    }
}

#[test]
fn a_certificate_logs_in_by_external_and_names_its_account() {
    let external = |offer: &str| {
        let mut d = Dialogue(Session::new(Credentials { proof: Proof::Certificate, ..alice() }, 50));
        d.out();
        d.hear(&format!(":s CAP * LS :sasl={offer}"));
        d
    };
    let mut d = external("PLAIN,EXTERNAL");
    assert_eq!(d.out()[2..], ["CAP REQ :sasl"]);
    d.hear(":s CAP * ACK :sasl");
    assert_eq!(d.out(), ["AUTHENTICATE EXTERNAL"]);
    d.hear("AUTHENTICATE +");
    assert_eq!(d.out(), ["AUTHENTICATE YWxpY2U="], "alice");
    d.hear(":s 904 alice :no such certificate");
    assert_eq!(d.heard(), [Heard::LoginFailed(LoginError::Refused("no such certificate".into()))]);

    let mut d = external("PLAIN");
    assert_eq!(d.heard(), [Heard::LoginFailed(LoginError::NoExternal)]);
    assert!(d.out().is_empty());
}

#[test]
fn a_message_of_several_lines_is_heard_as_one() {
    let mut d = Dialogue::in_with(CAPS);
    d.hear("@msgid=k8;bot;+draft/reply=k3 :bob!b@h BATCH +1 draft/multiline #ops");
    d.hear("@batch=1 :bob!b@h PRIVMSG #ops :one");
    d.hear("@batch=1 :bob!b@h PRIVMSG #ops :two \x1b[31mand");
    d.hear(":carol!c@h PRIVMSG #ops :meanwhile");
    d.hear("@batch=1;draft/multiline-concat :bob!b@h PRIVMSG #ops : more");
    assert_eq!(d.said().text, "meanwhile");
    d.hear(":bob!b@h BATCH -1");
    let said = d.said();
    assert_eq!((said.with.as_str(), said.from.as_str(), said.text.as_str()), ("#ops", "bob", "one\ntwo and more"));
    assert_eq!((said.msgid.as_deref(), said.reply_to.as_deref(), said.bot), (Some("k8"), Some("k3"), true));
    d.hear(":bob!b@h BATCH +2 draft/multiline #ops");
    d.hear(":bob!b@h BATCH -2");
    assert_eq!(d.heard(), []);
}

proptest! {
    #[test]
    fn a_text_is_cut_into_messages_without_loss(text in "[a-z é中]{0,30}(\n[a-z ]{0,700}){0,9}", bytes in 60usize..900, lines in 1usize..6) {
        let mut d = Dialogue::in_with(&format!("{CAPS} draft/multiline=max-bytes={bytes},max-lines={lines}"));
        let messages = d.0.messages("#ops", &text);
        let blankless = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(blankless(&messages.concat()), blankless(&text));
        for message in &messages {
            prop_assert!(message.len() <= bytes && !message.trim().is_empty(), "{:?}", message);
            d.0.say_whole("#ops", message, None).unwrap();
            let out = d.out();
            let said: Vec<&String> = out.iter().filter(|line| line.contains("PRIVMSG")).collect();
            prop_assert!(said.len() <= lines, "{:?}", said);
            prop_assert!(said.iter().all(|line| line.split_once(' ').unwrap().1.len() <= 510));
        }
    }
}
