//! The store's story of retention: what goes, what stays, what nobody finds in the files any more.

use proptest::prelude::*;

use crate::event::{Body, EventId, Kind, Millis, RoomId, Seq};

use super::story::World;
use super::*;

#[test]
fn retention_takes_the_oldest_and_keeps_the_count() {
    let mut world = World::new();
    let (alice, room) = (world.alice.clone(), world.room);
    let other = world.direct();
    for n in 1..=5 {
        world.say(&format!("old {n}"));
    }
    let quit = world.add(&alice, Body::Quit { reason: "bye".into() }, &[room, other]);
    world.say("new");
    let tx = world.writer.begin().unwrap();
    assert_eq!(tx.prune(room, Millis(1_060), 2).unwrap(), 2);
    assert_eq!(tx.prune(room, Millis(1_060), 100).unwrap(), 3);
    tx.commit().unwrap();
    let reader = world.reader();
    assert_eq!(reader.read(room, 1, 1).unwrap()[0].0, 6);
    assert!(world.found("old").is_empty());
    assert_eq!(reader.event(EventId(1)).unwrap(), None);

    // An event that stands in two logs goes with the second.
    let tx = world.writer.begin().unwrap();
    assert_eq!(tx.prune(room, Millis(i64::MAX), 1_000).unwrap(), 2);
    tx.commit().unwrap();
    assert!(reader.event(quit).unwrap().is_some());
    assert_eq!((reader.head(room).unwrap(), reader.head(other).unwrap()), (7, 1));
    let tx = world.writer.begin().unwrap();
    assert_eq!(tx.prune(other, Millis(i64::MAX), 1_000).unwrap(), 1);
    tx.commit().unwrap();
    assert_eq!(reader.event(quit).unwrap(), None);

    // Nothing is left, and yet no seq, id or time is given twice.
    assert_eq!(reader.head(room).unwrap(), 7);
    assert_eq!(reader.seq_after_event(room, EventId(0)).unwrap(), 8);
    assert_eq!(reader.next_event_id().unwrap(), EventId(8));
    assert_eq!(reader.last_time().unwrap(), Millis(1_070));
}

/// Messages, comings and goings; some of these in two rooms.
fn filled(kinds: &[u8]) -> (World, RoomId) {
    let mut world = World::new();
    let (alice, room) = (world.alice.clone(), world.room);
    let other = world.direct();
    for (n, kind) in kinds.iter().enumerate() {
        match kind % 4 {
            0 => drop(world.say(&format!("line {n}"))),
            1 => drop(world.add(&alice, Body::Join { realname: "A".into() }, &[room])),
            2 => drop(world.add(&alice, Body::Quit { reason: "bye".into() }, &[room, other])),
            _ => drop(world.add(&alice, Body::Topic { text: "tea".into() }, &[room])),
        }
    }
    (world, other)
}

fn entries(reader: &Reader, room: RoomId) -> Vec<(Seq, EventId, Kind, Millis)> {
    let rows = reader.read(room, 1, usize::MAX).unwrap();
    rows.into_iter().map(|(seq, event)| (seq, event.id, event.kind(), event.time)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn presence_goes_by_its_own_term(
        kinds in prop::collection::vec(any::<u8>(), 1..40), cut in 0i64..45, later in 0i64..45, step in 1usize..9,
    ) {
        let (mut world, other) = filled(&kinds);
        let reader = world.reader();
        let whole = [world.room, other].map(|room| (room, entries(&reader, room), reader.head(room).unwrap()));
        let (next, last) = (reader.next_event_id().unwrap(), reader.last_time().unwrap());
        for cut in [cut, later] {
            let before = Millis(1_000 + cut * 10);
            let tx = world.writer.begin().unwrap();
            while tx.prune_presence(world.room, before, step).unwrap().1 {}
            tx.commit().unwrap();
        }
        let before = Millis(1_000 + cut.max(later) * 10);
        let stays = |(_, _, kind, time): &(Seq, EventId, Kind, Millis)| {
            *time >= before || !matches!(kind, Kind::Join | Kind::Part | Kind::Quit)
        };
        let left: Vec<_> = whole[0].1.iter().copied().filter(stays).collect();
        prop_assert_eq!(entries(&reader, world.room), left.clone());
        // Elsewhere nothing has changed, and no number is given twice.
        prop_assert_eq!(entries(&reader, other), whole[1].1.clone());
        for (room, _, head) in &whole {
            prop_assert_eq!(reader.head(*room).unwrap(), *head);
        }
        prop_assert_eq!((reader.next_event_id().unwrap(), reader.last_time().unwrap()), (next, last));
        // Whoever knows any of them goes on from there.
        for (_, id, ..) in &whole[0].1 {
            let after = left.iter().filter(|entry| entry.1 > *id).map(|entry| entry.0).collect::<Vec<_>>();
            let all = Shown::Kinds(Kind::ALL.into_iter().collect());
            let found = reader.find_page(world.room, Wanted::After(Mark::Event(*id)), 100, all).unwrap();
            let Found::Page(span) = found else { return Err(TestCaseError::fail("no place")) };
            let page = match span {
                Some(span) => reader.read_page(world.room, span, 100, all).unwrap(),
                None => Vec::new(),
            };
            prop_assert_eq!(page.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>(), after);
        }
    }
}

#[test]
fn a_room_is_due_by_its_own_term_or_the_servers() {
    let (mut world, other) = filled(&[0, 0, 1, 0, 2]);
    let (room, reader) = (world.room, world.reader());
    let second = |n: u64| Some(std::time::Duration::from_secs(n));
    let now = Millis(11_000);
    let due =
        |terms, from| reader.due(terms, now, from).unwrap().map(|due| (due.room, due.before, due.presence_before));
    let terms = |messages, presence| Terms { messages, presence };
    assert_eq!(due(Terms::default(), RoomId(0)), None);
    // The newest entry is 9.95 seconds old.
    assert_eq!(due(terms(second(60), second(60)), RoomId(0)), None);
    assert_eq!(due(terms(second(5), None), RoomId(0)), Some((room, Millis(6_000), Millis::NEVER)));
    assert_eq!(due(terms(second(5), None), RoomId(room.0 + 1)), Some((other, Millis(6_000), Millis::NEVER)));
    assert_eq!(due(terms(second(5), None), RoomId(other.0 + 1)), None);
    assert_eq!(due(terms(None, second(5)), RoomId(0)), Some((room, Millis::NEVER, Millis(6_000))));
    let keep = |world: &mut World, keep| {
        let tx = world.writer.begin().unwrap();
        tx.set_kept(room, keep).unwrap();
        assert!(matches!(tx.set_kept(RoomId(99), keep), Err(StoreError::Missing(_))));
        drop(tx);
        let tx = world.writer.begin().unwrap();
        tx.set_kept(room, keep).unwrap();
        tx.commit().unwrap();
    };
    keep(&mut world, Keep::Forever);
    assert_eq!(reader.kept(room).unwrap(), Keep::Forever);
    assert_eq!(due(terms(second(5), None), RoomId(0)), Some((other, Millis(6_000), Millis::NEVER)));
    keep(&mut world, Keep::For(std::time::Duration::from_secs(3)));
    assert_eq!(reader.kept(room).unwrap(), Keep::For(std::time::Duration::from_secs(3)));
    assert_eq!(due(Terms::default(), RoomId(0)), Some((room, Millis(8_000), Millis::NEVER)));
    keep(&mut world, Keep::AsTheServer);
    assert_eq!(reader.kept(room).unwrap(), Keep::AsTheServer);
    assert_eq!(due(Terms::default(), RoomId(0)), None);
    // What has been gone through is not looked at again.
    let tx = world.writer.begin().unwrap();
    assert_eq!(tx.prune_presence(room, Millis(6_000), 100).unwrap(), (2, false));
    tx.commit().unwrap();
    let left = due(terms(None, second(5)), RoomId(0)).unwrap();
    assert_eq!(left.0, other);
}

/// Terms stand in the index in pieces of its own making: of a great many, none that has gone may be found in the files.
#[test]
fn no_word_of_what_has_gone_is_in_the_files() {
    // Scattered beginnings, so that the index writes nearly all of each word.
    let word = |n: u64| {
        let mixed = (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        format!("{:016x}", (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb))
    };
    let mut world = World::new();
    let ids: Vec<EventId> = (0..3_000).map(|n| world.say(&format!("{} {}", word(2 * n), word(2 * n + 1)))).collect();
    let tx = world.writer.begin().unwrap();
    while tx.index(512).unwrap() == 512 {}
    tx.commit().unwrap();
    let tx = world.writer.begin().unwrap();
    for id in ids[1_000..2_000].iter().step_by(2) {
        assert!(tx.redact(*id).unwrap());
    }
    assert_eq!(tx.prune(world.room, Millis(1_000 + ids[1_000].0 * 10), usize::MAX).unwrap(), 1_000);
    tx.commit().unwrap();
    assert!(world.writer.owes_checkpoint());
    // While somebody looks at an older state, it cannot be paid.
    {
        let reader = rusqlite::Connection::open(database_path(world.dir.path())).unwrap();
        let old = reader.unchecked_transaction().unwrap();
        old.query_row("SELECT count(*) FROM events", [], |row| row.get::<_, i64>(0)).unwrap();
        world.say("newer");
        assert!(!world.writer.checkpoint().unwrap());
        assert!(world.writer.owes_checkpoint());
    }
    assert!(world.writer.checkpoint().unwrap());
    assert!(!world.writer.owes_checkpoint());
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(world.dir.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let gone = |n: u64| n < 1_000 || (n < 2_000 && n.is_multiple_of(2));
    let mut found = 0;
    for n in 0..3_000 {
        for word in [word(2 * n), word(2 * n + 1)] {
            let end = &word.as_bytes()[5..];
            let there = memchr::memmem::find(&bytes, end).is_some();
            assert!(there != gone(n), "{word} of line {n}: {there}");
            found += usize::from(there);
        }
    }
    assert_eq!(found, 3_000);
    assert_eq!(world.found(&word(5_000)).len(), 1);
}
