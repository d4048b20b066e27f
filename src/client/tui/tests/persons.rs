//! Who somebody is, whether they are here, who is not to be seen, and what operators do.

use super::*;

#[test]
fn it_is_seen_whether_a_person_is_here() {
    let mut person = at_ease(80, 16);
    person.hear(":s 005 alice MONITOR=100 :ok");
    person.hear("@time=2026-11-23T12:00:01.000Z;msgid=d1 :bob!b@h PRIVMSG alice :psst");
    person.sent("MONITOR + :bob");
    person.says("/switch bob");
    person.hear(":s 730 alice :bob!b@h");
    person.shows("bob                                                                       here");
    // Told once, and then at the top.
    person.hear(":s 301 alice bob :lunch\n:s 301 alice bob :lunch");
    person.shows("away: lunch");
    assert_eq!(person.look().iter().filter(|row| row.contains("bob is away: lunch")).count(), 1);
    person.hear(":s 731 alice :bob");
    person.shows("offline");
}

#[test]
fn who_somebody_is_stands_in_a_box_until_the_next_key() {
    let mut person = at_ease(80, 16);
    person.says("/whois bob");
    person.sent("WHOIS bob :bob");
    person.hear(":s 311 alice bob bob chat.test * :Robert\n:s 319 alice bob :#lobby @#ops\n:s 301 alice bob :lunch");
    person.hear(":s 317 alice bob 3700 1795430000 :seconds idle\n:s 330 alice bob bob :is logged in as");
    person.hides("Robert");
    person.hear(":s 318 alice bob :End of WHOIS");
    for text in ["bob (bob@chat.test): Robert", "bob is in #lobby @#ops", "away: lunch", "silent for 1h 1m"] {
        person.shows(text);
    }
    person.types("h");
    person.hides("Robert");
    assert_eq!(person.model.editor.text(), "h", "the key is for the text");
}

#[test]
fn who_is_ignored_is_neither_seen_nor_heard() {
    let mut person = at_ease(80, 16);
    person.shows("早安");
    person.says("/ignore Bob");
    assert!(person.model.effects.contains(&Effect::Remember));
    person.hides("早安");
    person.hear("@msgid=i1 :bob!b@h PRIVMSG #ops :alice, alice!\n@msgid=i2 :bob!b@h PRIVMSG alice :psst");
    person.hear(":bob!b@h TAGMSG #lobby");
    assert!(!person.model.effects.iter().any(|effect| matches!(effect, Effect::Ring { .. })));
    person.shows(" #ops            │");
    person.hides(" bob  ");
    // Selecting passes over what is not seen.
    person.key(KeyCode::Up);
    person.types("r");
    person.shows("answer alice");
    person.key(KeyCode::Esc);
    person.says("/unignore bob");
    person.shows("早安");
}

#[test]
fn words_of_ones_own_ring_like_the_name() {
    let mut person = at_ease(80, 16);
    person.model.settings.words = vec!["deploy".to_owned()];
    person.hear("@msgid=w1 :bob!b@h PRIVMSG #ops :the Deploy is through\n@msgid=w2 :bob!b@h PRIVMSG #ops :deployment");
    let rings = person.model.effects.iter().filter(|effect| matches!(effect, Effect::Ring { .. })).count();
    assert_eq!(rings, 1);
    person.shows("#ops       2 1!");
}

#[test]
fn in_a_room_that_was_never_read_what_came_after_ones_own_words_is_new() {
    let mut person = Person::new(80, 16);
    person.hear(":alice!a@h JOIN #new\n:s 353 alice = #new :alice bob\n:s 366 alice #new :end");
    person.answer_all_with_nothing_but(
        "#new",
        "
        @time=2026-11-23T10:00:00.000Z;msgid=n1 :bob!b@h PRIVMSG #new :old
        @time=2026-11-23T10:01:00.000Z;msgid=n2 :alice!a@h PRIVMSG #new :hello
        @time=2026-11-23T10:02:00.000Z;msgid=n3 :bob!b@h PRIVMSG #new :welcome, alice",
    );
    person.shows("#new         1!");
}

#[test]
fn what_operators_do_is_sent_for_the_room_in_front() {
    let mut person = at_ease(80, 16);
    for (typed, sent) in [
        ("/kick bob too  loud", "KICK #lobby bob :too  loud"),
        ("/op bob", "MODE #lobby +o :bob"),
        ("/ban bob", "MODE #lobby +b :bob!*@*"),
        ("/ban", "MODE #lobby :+b"),
        ("/unban *!*@host", "MODE #lobby -b :*!*@host"),
        ("/mode +k key", "MODE #lobby +k :key"),
        ("/invite carol", "INVITE carol :#lobby"),
        ("/nick Alice", "NICK :Alice"),
        ("/raw VERSION", "VERSION"),
    ] {
        person.says(typed);
        person.sent(sent);
    }
    person.says("/switch bob");
    person.says("/kick carol");
    person.shows("this needs a room");
    person.says("/raw :x");
    person.shows("no line of IRC");
}
