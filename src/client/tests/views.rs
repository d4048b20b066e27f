//! What one sees.

use crate::client::heard::{Happened, Heard, Said, Speech, What};
use crate::client::show::{Style, Zone};
use crate::client::view::View;
use crate::event::Millis;

/// 2026-11-23 12:01 UTC
const NOON: i64 = 1_795_435_265_120;

fn said(with: &str, from: &str, text: &str, msgid: &str, replayed: bool) -> Heard {
    Heard::Said(Said {
        with: with.into(),
        from: from.into(),
        own: from == "alice",
        speech: Speech::Message,
        text: text.into(),
        at: Millis(NOON),
        msgid: Some(msgid.into()),
        reply_to: None,
        bot: false,
        replayed,
        ticket: None,
    })
}

fn happened(room: Option<&str>, who: &str, what: What) -> Heard {
    Heard::Happened(Happened {
        room: room.map(str::to_owned),
        who: who.into(),
        own: who == "alice",
        what,
        at: Millis(NOON),
        msgid: None,
        replayed: false,
    })
}

fn shown(view: &mut View, heard: &[Heard]) -> String {
    let mut out = String::new();
    heard.iter().for_each(|heard| view.show(heard, "alice", &mut out));
    out
}

fn plain_view() -> View {
    let mut view = View::new(Style { on: false }, Zone::Utc);
    view.talk_to("#lobby");
    view
}

#[test]
fn old_lines_stand_apart_and_come_once() {
    let mut view = plain_view();
    let earlier = Heard::Earlier { with: "#lobby".into() };
    let now = Heard::Now { with: "#lobby".into(), count: 2, oldest: None };
    let first = [
        earlier.clone(),
        said("#lobby", "bob", "one", "k1", true),
        said("#lobby", "alice", "two", "k2", true),
        now.clone(),
        said("#lobby", "bob", "three", "k3", false),
    ];
    assert_eq!(
        shown(&mut view, &first),
        "── earlier in #lobby ──\n── Monday, 23 November 2026 ──\n12:01 <bob> one\n12:01 <alice> two\n── now ──\n\
         12:01 <bob> three\n"
    );
    // After the connection came back the same is told again, with one line more.
    let again = [
        earlier,
        said("#lobby", "alice", "two", "k2", true),
        said("#lobby", "bob", "three", "k3", true),
        said("#lobby", "bob", "four", "k4", true),
        now,
    ];
    assert_eq!(shown(&mut view, &again), "── earlier in #lobby ──\n12:01 <bob> four\n── now ──\n");
}

#[test]
fn other_rooms_and_people_are_named() {
    let mut view = plain_view();
    shown(&mut view, &[said("#lobby", "bob", "x", "k0", false)]);
    let lines = [
        said("#ops", "bob", "a", "k1", false),
        said("bob", "bob", "b", "k2", false),
        said("bob", "alice", "c", "k3", false),
        happened(Some("#lobby"), "bob", What::Part { reason: "tired".into() }),
        happened(Some("#ops"), "bob", What::Topic { text: "new".into() }),
        happened(None, "bob", What::Quit { reason: String::new() }),
        happened(Some("#ops"), "alice", What::Join),
        happened(Some("#ops"), "bob", What::Kick { target: "alice".into(), reason: "rude".into() }),
        Heard::Refused { said: Some((1, "lost words".into())), about: None, why: "disk full".into(), again: false },
    ];
    assert_eq!(
        shown(&mut view, &lines),
        "12:01 #ops <bob> a\n12:01 [to alice] <bob> b\n12:01 [to bob] <alice> c\n\
         12:01 ← bob has left the room (tired)\n12:01 #ops bob set the topic: new\n12:01 ← bob is gone\n\
         12:01 you are in #ops\n12:01 #ops ← you were put out by bob (rude)\n! not sent (disk full): lost words\n"
    );
}

#[test]
fn long_lists_of_names_are_cut_unless_asked_for() {
    let mut view = plain_view();
    let nicks: Vec<String> = (0..40).map(|at| format!("n{at}")).collect();
    let names = Heard::Names { room: "#lobby".into(), nicks };
    assert!(shown(&mut view, std::slice::from_ref(&names)).contains("n29 and 10 more (/names)"));
    view.all_names = true;
    assert!(shown(&mut view, &[names]).ends_with("n39\n"));
}
