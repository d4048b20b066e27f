//! The store's story of pages: between marks, full, found again after retention and redaction.

use proptest::prelude::*;
use tempfile::TempDir;

use crate::event::{AccountId, Body, Event, EventId, Kind, KindSet, Millis, RoomId, Seq, Speech, Who};

use super::*;

/// A room of alice's in which every third entry is said and the others are joins; entry n has event 10 n and time 100 n.
struct Log {
    _dir: TempDir,
    writer: Writer,
    alice: Who,
    room: RoomId,
}

const JOINS: Shown = Shown::Kinds(KindSet::EMPTY);

fn all() -> Shown {
    Shown::Kinds(Kind::ALL.into_iter().collect())
}

impl Log {
    fn new(entries: u64) -> Log {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let tx = writer.begin().unwrap();
        let alice = account(&tx, "alice");
        let room = tx.create_room(RoomKind::Channel, "#lobby", "#lobby", "", None, Millis(1)).unwrap();
        let member =
            MemberRow { account: alice.id, nick: "alice".into(), op: false, voice: false, present: true, joined: 1 };
        tx.set_member(room, &member).unwrap();
        for n in 1..=entries {
            let said = Body::Said {
                speech: Speech::Privmsg,
                to: None,
                text: n.to_string().into(),
                tags: "".into(),
                cuts: Default::default(),
            };
            let body = if n.is_multiple_of(3) { said } else { Body::Join { realname: "A".into() } };
            append(&tx, room, n, &alice, body);
        }
        tx.commit().unwrap();
        Log { _dir: dir, writer, alice, room }
    }

    /// The numbers of the entries of a page, read in bits of two.
    fn page(&self, wanted: Wanted, limit: usize, shown: Shown) -> Vec<u64> {
        let Found::Page(span) = self.writer.find_page(self.room, wanted, limit, shown).unwrap() else {
            panic!("no such message")
        };
        let mut page = Vec::new();
        let mut rest = span;
        while let Some(span) = rest {
            let bit = self.writer.read_page(self.room, span, 2, shown).unwrap();
            assert!(bit.iter().all(|(seq, event)| event.id.0 == *seq as i64 * 10), "an event of another place");
            page.extend(bit.iter().map(|(seq, _)| *seq));
            rest = bit.last().filter(|(seq, _)| *seq < span.last).map(|(seq, _)| Span { first: seq + 1, ..span });
        }
        page
    }
}

fn account(tx: &Tx<'_>, name: &str) -> Who {
    let account = NewAccount {
        name: name.into(),
        key: name.into(),
        skeleton: name.into(),
        hash: PasswordHashText("x".into()),
        admin: false,
        bot: false,
        created: Millis(1),
    };
    Who { id: tx.create_account(&account).unwrap(), nick: name.into() }
}

fn append(tx: &Tx<'_>, room: RoomId, n: u64, who: &Who, body: Body) {
    let event = Event { id: id(n), time: time(n), actor: Some(who.clone()), body };
    tx.append(&event, &[(room, n)]).unwrap();
}

fn id(n: u64) -> EventId {
    EventId(n as i64 * 10)
}

fn time(n: u64) -> Millis {
    Millis(n as i64 * 100)
}

#[test]
fn a_page_is_full_and_its_marks_are_not_in_it() {
    let log = Log::new(30);
    let spoken = |wanted, limit| log.page(wanted, limit, Shown::Spoken);
    let mark = |n| Mark::Event(id(n));
    assert_eq!(spoken(Wanted::Latest, 3), [24, 27, 30]);
    assert_eq!(spoken(Wanted::LatestAfter(mark(21)), 9), [24, 27, 30]);
    assert_eq!(spoken(Wanted::LatestAfter(mark(21)), 2), [27, 30]);
    assert_eq!(spoken(Wanted::Before(mark(12)), 2), [6, 9]);
    assert_eq!(spoken(Wanted::Before(mark(3)), 2), [0; 0]);
    assert_eq!(spoken(Wanted::After(mark(12)), 2), [15, 18]);
    assert_eq!(spoken(Wanted::After(mark(30)), 2), [0; 0]);
    assert_eq!(spoken(Wanted::Between(mark(6), mark(21)), 2), [9, 12]);
    assert_eq!(spoken(Wanted::Between(mark(21), mark(6)), 2), [15, 18]);
    assert_eq!(spoken(Wanted::Between(mark(9), mark(9)), 2), [0; 0]);
    assert_eq!(spoken(Wanted::Around(mark(15)), 1), [15]);
    assert_eq!(spoken(Wanted::Around(mark(15)), 3), [12, 15, 18]);
    assert_eq!(spoken(Wanted::Around(mark(15)), 4), [9, 12, 15, 18]);
    assert_eq!(spoken(Wanted::Around(mark(3)), 3), [3, 6, 9], "the other side gives what one lacks");
    assert_eq!(spoken(Wanted::Around(mark(30)), 4), [21, 24, 27, 30]);
    assert_eq!(spoken(Wanted::Latest, 0), [0; 0]);
    // Marks may be events that are not shown, or times between events.
    assert_eq!(spoken(Wanted::Before(mark(13)), 1), [12]);
    assert_eq!(spoken(Wanted::Before(Mark::Time(time(12))), 1), [9]);
    assert_eq!(spoken(Wanted::Before(Mark::Time(Millis(1201))), 1), [12]);
    assert_eq!(spoken(Wanted::After(Mark::Time(time(12))), 1), [15]);
    assert_eq!(spoken(Wanted::After(Mark::Time(Millis(1199))), 1), [12]);
    assert_eq!(spoken(Wanted::Between(Mark::Time(time(30)), mark(24)), 9), [27]);
    assert_eq!(spoken(Wanted::Between(Mark::Time(Millis(i64::MAX)), Mark::Time(Millis(i64::MIN))), 2), [27, 30]);
    assert_eq!(log.page(Wanted::After(mark(12)), 4, all()), [13, 14, 15, 16]);
    assert_eq!(log.page(Wanted::Latest, 4, JOINS), [0; 0]);
}

#[test]
fn a_message_of_another_room_is_no_place() {
    let mut log = Log::new(6);
    let tx = log.writer.begin().unwrap();
    let other = tx.create_room(RoomKind::Channel, "#other", "#other", "", None, Millis(1)).unwrap();
    let said =
        Body::Said { speech: Speech::Privmsg, to: None, text: "x".into(), tags: "".into(), cuts: Default::default() };
    tx.append(&Event { id: EventId(61), time: time(6), actor: Some(log.alice.clone()), body: said }, &[(other, 1)])
        .unwrap();
    tx.commit().unwrap();
    for id in [61, 62, 0, i64::MAX] {
        let found = log.writer.find_page(log.room, Wanted::Before(Mark::Event(EventId(id))), 5, all()).unwrap();
        assert_eq!(found, Found::NoSuchMessage(EventId(id)));
    }
}

#[test]
fn what_retention_took_is_before_all_that_is_left() {
    let mut log = Log::new(12);
    let gone = Mark::Event(id(3));
    let tx = log.writer.begin().unwrap();
    tx.prune(log.room, time(6), 100).unwrap();
    tx.commit().unwrap();
    assert_eq!(log.page(Wanted::After(gone), 2, Shown::Spoken), [6, 9]);
    assert_eq!(log.page(Wanted::LatestAfter(gone), 9, Shown::Spoken), [6, 9, 12]);
    assert_eq!(log.page(Wanted::Before(gone), 9, Shown::Spoken), [0; 0]);
    // Never there, and not before the rest either.
    let found = log.writer.find_page(log.room, Wanted::After(Mark::Event(EventId(65))), 5, all()).unwrap();
    assert_eq!(found, Found::NoSuchMessage(EventId(65)));

    // Nothing is left: whoever has something of it is shown that, and what never was is still unknown.
    let tx = log.writer.begin().unwrap();
    tx.prune_presence(log.room, time(8), 100).unwrap();
    tx.prune(log.room, Millis::NEVER, 100).unwrap();
    tx.prune(log.room, Millis(i64::MAX), 100).unwrap();
    tx.commit().unwrap();
    for place in [3, 7, 12] {
        assert_eq!(log.page(Wanted::After(Mark::Event(id(place))), 9, all()), [0; 0]);
    }
    let found = log.writer.find_page(log.room, Wanted::After(Mark::Event(EventId(121))), 5, all()).unwrap();
    assert_eq!(found, Found::NoSuchMessage(EventId(121)));
}

#[test]
fn what_was_taken_back_is_on_no_page_and_the_page_is_full() {
    let mut log = Log::new(12);
    let tx = log.writer.begin().unwrap();
    assert!(tx.redact(id(9)).unwrap());
    tx.commit().unwrap();
    assert_eq!(log.page(Wanted::Latest, 3, Shown::Spoken), [3, 6, 12]);
    assert_eq!(log.page(Wanted::Latest, 4, all()), [8, 10, 11, 12]);
    assert_eq!(log.page(Wanted::Before(Mark::Event(id(9))), 1, Shown::Spoken), [6], "it is still a place");
}

#[test]
fn conversations_are_listed_by_their_newest_words() {
    let mut log = Log::new(7);
    let tx = log.writer.begin().unwrap();
    let bob = account(&tx, "bob");
    let direct = tx.create_room(RoomKind::Direct, "alice,bob", "direct:1:2", "", None, Millis(1)).unwrap();
    let own = tx.create_room(RoomKind::Direct, "alice,alice", "direct:1:1", "", None, Millis(1)).unwrap();
    let strange = tx.create_room(RoomKind::Channel, "#strange", "#strange", "", None, Millis(1)).unwrap();
    let member = |who: &Who| MemberRow {
        account: who.id,
        nick: who.nick.clone(),
        op: false,
        voice: false,
        present: true,
        joined: 1,
    };
    let alice = log.alice.clone();
    for (room, who) in [(direct, &alice), (direct, &bob), (own, &alice), (strange, &bob)] {
        tx.set_member(room, &member(who)).unwrap();
    }
    for (n, room) in [(20, direct), (30, own), (40, strange)] {
        let said = Body::Said {
            speech: Speech::Notice,
            to: None,
            text: "x".into(),
            tags: "".into(),
            cuts: Default::default(),
        };
        append(&tx, room, n, &alice, said);
    }
    tx.commit().unwrap();
    let list = |who: AccountId, after: u64, before: u64, limit, newest| -> Vec<(String, u64)> {
        let list = log.writer.conversations(who, time(after), time(before), limit, newest).unwrap();
        list.into_iter().map(|found| (found.name.to_string(), found.newest.0 as u64 / 100)).collect()
    };
    let named = |list: &[(&str, u64)]| -> Vec<(String, u64)> {
        list.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    };
    // The join after the last words in the lobby does not count.
    assert_eq!(list(alice.id, 0, 99, 9, false), named(&[("#lobby", 6), ("bob", 20), ("alice", 30)]));
    assert_eq!(list(alice.id, 0, 99, 2, false), named(&[("#lobby", 6), ("bob", 20)]));
    assert_eq!(list(alice.id, 0, 99, 2, true), named(&[("bob", 20), ("alice", 30)]));
    assert_eq!(list(alice.id, 6, 30, 9, true), named(&[("bob", 20)]), "the bounds are not in it");
    assert_eq!(list(bob.id, 0, 99, 9, false), named(&[("alice", 20), ("#strange", 40)]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is asked: the page is what a filter over the whole log would give.
    #[test]
    fn a_page_is_a_cut_of_the_whole(a in 1u64..40, b in 1u64..40, limit in 0usize..12, by_time in any::<bool>(), kinds in any::<bool>()) {
        let log = Log::new(40);
        let shown = if kinds { all() } else { Shown::Spoken };
        let whole: Vec<u64> = (1..=40u64).filter(|n| kinds || n % 3 == 0).collect();
        let mark = |n| if by_time { Mark::Time(time(n)) } else { Mark::Event(id(n)) };
        let first = |list: Vec<u64>| list.into_iter().take(limit).collect::<Vec<_>>();
        let last = |list: Vec<u64>| { let skip = list.len().saturating_sub(limit); list[skip..].to_vec() };
        let within = |from: u64, to: u64| whole.iter().copied().filter(|n| *n > from && *n < to).collect::<Vec<_>>();
        prop_assert_eq!(log.page(Wanted::Before(mark(a)), limit, shown), last(within(0, a)));
        prop_assert_eq!(log.page(Wanted::After(mark(a)), limit, shown), first(within(a, 99)));
        prop_assert_eq!(log.page(Wanted::LatestAfter(mark(a)), limit, shown), last(within(a, 99)));
        let between = if a <= b { first(within(a, b)) } else { last(within(b, a)) };
        prop_assert_eq!(log.page(Wanted::Between(mark(a), mark(b)), limit, shown), between);
        let around = log.page(Wanted::Around(mark(a)), limit, shown);
        prop_assert_eq!(around.len(), limit.min(whole.len()));
        if let (Some(first), Some(last)) = (around.first(), around.last()) {
            prop_assert_eq!(&around, &whole.iter().copied().filter(|n| n >= first && n <= last).collect::<Vec<Seq>>());
            prop_assert!(!whole.contains(&a) || around.contains(&a));
        }
    }
}
