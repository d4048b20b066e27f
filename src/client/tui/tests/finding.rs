//! What was searched for, and where one is in the past.

use super::*;
use crate::client::tui::overlay::Overlay;

const HITS: &str = "
    @time=2026-11-22T09:00:00.000Z;msgid=h1 :bob!b@h PRIVMSG #lobby :release one
    @time=2026-11-22T10:00:00.000Z;msgid=h2 :bob!b@h PRIVMSG #ops :Release two
    @time=2026-11-23T10:00:00.000Z;msgid=h3 :alice!a@h PRIVMSG #lobby :the release three";

/// Answers a SEARCH.
fn found(person: &mut Person, lines: &str) {
    let question = person.sent("SEARCH :text=release");
    let label = label(&question).to_owned();
    person.hear(&format!("@label={label} :s BATCH +{label} soju.im/search"));
    for line in lines.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
        person.hear(&format!("@batch={label};{}", line.strip_prefix('@').expect("tags")));
    }
    person.hear(&format!(":s BATCH -{label}"));
}

#[test]
fn hits_are_walked_through_in_their_conversations() {
    let mut person = at_ease(80, 16);
    person.says("/search release");
    found(&mut person, HITS);
    person.shows("“release”: 3 found");
    // The newest is chosen first, and gone to.
    person.key(KeyCode::Enter);
    let question = person.sent("AROUND #lobby msgid=h3");
    person.answer(
        &question,
        "#lobby",
        "@time=2026-11-23T10:00:00.000Z;msgid=h3 :alice!a@h PRIVMSG #lobby :the release three",
    );
    person.shows("the release three");
    person.shows("1 of 3 found");
    // What is around it comes too.
    person.answer_all_with_nothing();
    person.shows("Mon 23 Nov 2026 ▼ End");
    person.shows("n p other hits");
    // An older one, in another conversation.
    person.types("n");
    let question = person.sent("AROUND #ops msgid=h2");
    person.answer(&question, "#ops", "@time=2026-11-22T10:00:00.000Z;msgid=h2 :bob!b@h PRIVMSG #ops :Release two");
    person.shows("bob Release two");
    person.answer_all_with_nothing();
    person.shows("Sun 22 Nov 2026 ▼ End");
    person.types("p");
    person.shows("#lobby  about #lobby");
    person.types("p");
    person.shows("nothing newer was found");
    // Once more all that was found, and then no more of it.
    person.press(KeyCode::Char('f'), KeyModifiers::CONTROL);
    assert!(matches!(&person.model.overlay, Overlay::Search(search) if search.hits.len() == 3));
    person.key(KeyCode::Esc);
    person.key(KeyCode::Esc);
    assert!(person.model.found.is_none());
}

#[test]
fn a_room_is_picked_from_the_list_of_all() {
    let mut person = at_ease(80, 16);
    person.says("/list");
    person.sent("LIST");
    person.hear(":s 322 alice #lobby 2 :about #lobby\n:s 322 alice #garden 12 :flowers\n:s 323 alice :end");
    person.shows("#garden                12  flowers");
    person.types("flow");
    person.hides("about #lobby  ");
    person.key(KeyCode::Enter);
    person.sent("JOIN :#garden");
    person.hear(":alice!a@h JOIN #garden\n:s 353 alice = #garden :alice\n:s 366 alice #garden :end");
    person.shows("write to #garden");
}

#[test]
fn the_mouse_is_lent_and_then_nothing_stands_beside_the_messages() {
    let mut person = at_ease(120, 16);
    person.shows("1 #lobby");
    person.shows("2 #ops");
    person.press(KeyCode::Char('m'), KeyModifiers::ALT);
    assert!(person.model.effects.contains(&Effect::Mouse(false)));
    person.hides("#ops");
    assert!(person.look().iter().any(|row| row.starts_with("11:59")), "messages alone");
    person.press(KeyCode::Char('m'), KeyModifiers::ALT);
    person.shows("2 #ops");
}

#[test]
fn the_way_back_is_in_the_status_line_and_covers_no_message() {
    let mut person = at_ease(80, 9);
    person.hides("▼");
    person.key(KeyCode::PageUp);
    let screen = person.look();
    let mark = screen.iter().position(|row| row.contains("▼ End")).expect("the mark");
    assert_eq!(mark, screen.len() - 2, "in the status line:\n{}", screen.join("\n"));
    person.key(KeyCode::End);
    person.hides("▼");
}
