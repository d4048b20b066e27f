//! The store's story of search: words of every script, who said them where and when, and what is not in the index yet.

use proptest::prelude::*;

use crate::event::{EventId, Millis, RoomId};

use super::story::{World, said, words_of};
use super::*;

#[test]
fn search_finds_words_of_every_script() {
    let mut world = World::new();
    for text in [
        "Good morning everybody",
        "Die Würfel sind gefallen, Grüße aus Köln",
        "我们明天去北京开会",
        "今日は東京で会議があります",
        "京都の東に行く",
        "안녕하세요 학교에서 만나요",
        "Привет, как дела?",
        "สวัสดีครับ",
        "deploy 👍 done",
        "mail me: a.b+c@example.org OR \"quoted\" NEAR(x)",
    ] {
        world.say(text);
    }
    let one = |query: &str, part: &str| {
        let found = world.found(query);
        assert!(found.len() == 1 && found[0].contains(part), "{query}: {found:?}");
    };
    one("morning", "Good");
    one("GOOD morn", "Good");
    one("everybody good", "Good");
    one("wurfel", "Würfel");
    one("WÜRFEL", "Würfel");
    one("grüsse", "Grüße");
    one("köl", "Köln");
    one("北京", "北京");
    one("开会", "开会");
    one("明天去", "明天");
    one("会議", "会議");
    one("東京", "東京で");
    one("학교", "학교에서");
    one("하세", "안녕");
    one("приве", "Привет");
    one("สวัส", "สวัสดี");
    one("👍", "deploy");
    one("done 👍", "deploy");
    one("a.b+c@example.org", "mail");
    one("\"quoted\" NEAR(", "mail");
    for nothing in
        ["orning", "dice", "京東", "北会", "morning*x", "text:good", "...", "会 dice", "👎", "good -morning x"]
    {
        assert!(world.found(nothing).is_empty(), "{nothing}");
    }
    assert_eq!(world.found("東"), ["京都の東に行く", "今日は東京で会議があります"]);
    assert_eq!(world.found("").len(), 10);
    assert_eq!(world.found("")[0], "mail me: a.b+c@example.org OR \"quoted\" NEAR(x)");
}

#[test]
fn search_keeps_to_rooms_people_and_times() {
    let mut world = World::new();
    let (alice, bob, room) = (world.alice.clone(), world.bob.clone(), world.room);
    let direct = world.direct();
    world.add(&alice, said("tea one"), &[room]); // id 1, time 1010
    world.add(&bob, said("tea two"), &[room]);
    world.add(&bob, said("tea three"), &[direct]);
    world.add(&alice, said("tea four"), &[direct]);
    let base = Search { text: "tea".into(), limit: 10, ..Search::default() };
    let check = |search: Search, expected: &[&str]| {
        assert_eq!(world.search(&search), expected, "{search:?}");
    };
    check(base.clone(), &["tea four", "tea three", "tea two", "tea one"]);
    check(Search { limit: 2, ..base.clone() }, &["tea four", "tea three"]);
    check(Search { before: Some(EventId(3)), ..base.clone() }, &["tea two", "tea one"]);
    check(Search { rooms: Some(vec![room]), ..base.clone() }, &["tea two", "tea one"]);
    check(Search { rooms: Some(vec![room, direct]), limit: 3, ..base.clone() }, &["tea four", "tea three", "tea two"]);
    check(Search { rooms: Some(vec![]), ..base.clone() }, &[]);
    let some = (1..=200).map(RoomId).filter(|id| *id != direct).collect();
    check(Search { rooms: Some(some), ..base.clone() }, &["tea two", "tea one"]);
    let many = (1..=500).map(RoomId).filter(|id| *id != direct).collect();
    check(Search { rooms: Some(many), ..base.clone() }, &["tea two", "tea one"]);
    check(Search { from: Some("bob".into()), ..base.clone() }, &["tea three", "tea two"]);
    check(Search { from: Some("Bob".into()), text: "".into(), ..base.clone() }, &["tea three", "tea two"]);
    check(Search { from: Some("Bob".into()), rooms: Some(vec![room]), text: "".into(), ..base.clone() }, &["tea two"]);
    check(Search { from: Some("carol".into()), ..base.clone() }, &[]);
    check(Search { since: Some(Millis(1_020)), until: Some(Millis(1_040)), ..base.clone() }, &["tea three", "tea two"]);
    check(Search { since: Some(Millis(1_041)), ..base.clone() }, &[]);
    check(Search { until: Some(Millis(1_010)), ..base.clone() }, &[]);
    check(Search { from_oldest: true, limit: 2, ..base.clone() }, &["tea one", "tea two"]);
    check(Search { from_oldest: true, text: "".into(), limit: 1, ..base.clone() }, &["tea one"]);
    let (found_room, seq, event) = world.reader().search(&base).unwrap().swap_remove(1);
    assert_eq!((found_room, seq, event.id), (direct, 1, EventId(3)));
}

#[test]
fn a_beginning_of_few_or_of_very_many_words_is_found() {
    let mut world = World::new();
    for n in 0..300 {
        world.say(&format!("abc{n:03} said"));
        world.say(&format!("xyz{} said", n % 3));
    }
    while {
        let tx = world.writer.begin().unwrap();
        let more = tx.index(100).unwrap() == 100;
        tx.commit().unwrap();
        more
    } {}
    // Beside the index.
    world.say("abcd and xyzzy");
    let count = |text: &str| {
        let search = Search { text: text.into(), limit: 1_000, ..Search::default() };
        world.writer.search(&search).unwrap().len()
    };
    assert_eq!([count("abc"), count("abc1"), count("abc29"), count("abc299")], [301, 100, 10, 1]);
    assert_eq!([count("xyz"), count("xyz1"), count("said xyz"), count("xyz said ab")], [301, 100, 300, 0]);
    assert_eq!([count("abc "), count("xyz2 "), count("nothing")], [0, 100, 0]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever people type is a question, never an error.
    #[test]
    fn any_text_can_be_searched_for(texts in prop::collection::vec(any::<String>(), 20)) {
        let mut world = World::new();
        for text in &texts {
            world.say(text);
        }
        for text in texts.iter().map(String::as_str).chain(["\"", "* OR", "NEAR(a b)", "^a", "{text}: a", "\0a\0"]) {
            for rooms in [None, Some(vec![world.room])] {
                let search = Search { text: text.into(), rooms, limit: 100, ..Search::default() };
                let found = world.writer.search(&search).unwrap();
                // And it finds at least the text itself, if there is anything to be found in it.
                if texts.iter().any(|t| t == text) && !words::Question::new(text).is_empty() {
                    prop_assert!(found.iter().any(|(_, _, event)| words_of(event) == text), "{:?}", text);
                }
            }
        }
    }

    /// Nobody can tell how far the index has come: with none of it, a part of it and all of it the same is found.
    #[test]
    fn what_is_beside_the_index_is_found_like_what_is_in_it(
        texts in prop::collection::vec("([a-cäß]{1,3} ?|[北京東]{1,3}|\\PC){0,4}", 1..12),
        questions in prop::collection::vec(("[a-cäÄß北京東 ]{0,4}", any::<bool>(), 0i64..14, 0i64..14, any::<bool>()), 1..6),
        steps in prop::collection::vec(0usize..5, 1..4),
    ) {
        let mut world = World::new();
        let (alice, bob, room) = (world.alice.clone(), world.bob.clone(), world.room);
        for (at, text) in texts.iter().enumerate() {
            world.add(if at % 3 == 0 { &bob } else { &alice }, said(text), &[room]);
        }
        let searches: Vec<Search> = questions
            .into_iter()
            .map(|(text, by_bob, since, before, from_oldest)| Search {
                text,
                rooms: Some(vec![room]),
                from: by_bob.then(|| "Bob".to_owned()),
                since: Some(Millis(1_000 + since * 10)),
                before: Some(EventId(before)),
                limit: 3,
                from_oldest,
                ..Search::default()
            })
            .collect();
        let look = |world: &World| searches.iter().map(|search| world.search(search)).collect::<Vec<_>>();
        let before = look(&world);
        for step in steps.into_iter().chain([usize::MAX]) {
            let tx = world.writer.begin().unwrap();
            tx.index(step).unwrap();
            tx.commit().unwrap();
            prop_assert_eq!(look(&world), before.clone());
        }
        prop_assert_eq!(world.writer.unindexed().unwrap(), 0);
    }

    /// What was indexed is what is taken away again.
    #[test]
    fn an_emptied_index_is_empty(
        texts in prop::collection::vec("[a-zäß北京東都가나 .]{0,20}", 1..12),
        indexed in 0usize..12,
    ) {
        let mut world = World::new();
        let ids: Vec<EventId> = texts.iter().map(|text| world.say(text)).collect();
        let tx = world.writer.begin().unwrap();
        tx.index(indexed).unwrap();
        for id in ids {
            tx.redact(id).unwrap();
        }
        tx.index(usize::MAX).unwrap();
        tx.commit().unwrap();
        let room = words::room_term(world.room.0);
        let left: i64 = world
            .writer
            .conn
            .query_row("SELECT count(*) FROM search WHERE search MATCH ?1", [&room], |row| row.get(0))
            .unwrap();
        prop_assert_eq!(left, 0);
        for text in &texts {
            prop_assert!(world.found(text).iter().all(|found| found.trim().is_empty()));
        }
    }
}
