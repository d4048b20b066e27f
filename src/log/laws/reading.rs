//! The laws of reading: what comes from the tail, from the store, or from both in turn is the same, once, in order.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock;
use crate::encode;
use crate::live::Mailbox;
use crate::log::tail::{ENCODINGS, Entry, Page, Room, TailBudget};
use crate::log::{Cursor, Due, Gap, Log, Missed, Reply, Running};
use crate::proto::caps::{Cap, CapSet};

/// The capabilities that change how events are printed, and some that do not.
const PRINTING: [Cap; 6] =
    [Cap::ServerTime, Cap::MessageTags, Cap::AccountTag, Cap::ExtendedJoin, Cap::MessageRedaction, Cap::Multiline];
const OTHERS: [Cap; 4] = [Cap::Batch, Cap::EchoMessage, Cap::LabeledResponse, Cap::MultiPrefix];

fn caps_of(bits: usize) -> CapSet {
    let mut caps = CapSet::EMPTY;
    PRINTING.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).for_each(|(_, cap)| caps.insert(*cap));
    caps
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn history_has_the_bytes_of_what_was_live(program in any_program(0)) {
        let mut bench = Bench::new();
        program.iter().for_each(|act| bench.act(act));
        let reader = bench.reader();
        for (id, (key, state, head, _)) in bench.image().rooms {
            let room = bench.directory.by_key(&key).unwrap();
            if bench.is_on_its_way_out(&reader, id, state.kind) {
                continue;
            }
            let Page::Entries(live) = room.read(1, usize::MAX) else { panic!("{key}: {head} entries, none in the tail") };
            let stored = reader.read(id, 1, usize::MAX).unwrap();
            prop_assert_eq!(live.len(), stored.len());
            for (live, (_, stored)) in live.iter().zip(stored) {
                prop_assert_eq!(&live.event, &stored);
                let stored = Entry::new(stored);
                for bits in 0..1 << PRINTING.len() {
                    let mut caps = caps_of(bits);
                    caps.insert(Cap::Batch);
                    let mut more = caps;
                    OTHERS.iter().for_each(|cap| more.insert(*cap));
                    let slot = encode::slot(&live.event, caps);
                    prop_assert!(slot < ENCODINGS);
                    prop_assert_eq!(slot, encode::slot(&live.event, more));
                    let encode = |entry: &Entry, caps| encode::event(&entry.event, &state.name, "host", caps);
                    let bytes = live.encoding(slot, || encode(live, caps)).to_vec();
                    prop_assert_eq!(&bytes, &encode(live, caps), "made for other capabilities");
                    prop_assert_eq!(live.encoding(slot, || panic!("encoded twice")), &*bytes);
                    prop_assert_eq!(stored.encoding(slot, || encode(&stored, more)), &*bytes);
                }
            }
        }
    }

    /// Whatever the tail answers, the whole log would have answered; and the memory is given back.
    #[test]
    fn a_tail_is_the_end_of_the_log(
        grown in prop::collection::vec((1..1_600usize, any::<bool>()), 1..12),
        memory in prop::sample::select(&[0usize, 200_000, 1 << 26][..]),
        questions in prop::collection::vec((0..9_000u64, 1..200usize), 20),
    ) {
        let state = Arc::new(RoomState::empty(RoomId(1), RoomKind::Channel, "#room".into()));
        let budget = TailBudget::new(memory);
        let room = Room::new(state, 0, budget.clone());
        let mut all: Vec<Arc<Entry>> = Vec::new();
        for (count, forget) in grown {
            let more: Vec<Arc<Entry>> = (0..count).map(|n| all.len() + n).map(|n| Entry::new(some_event(n as i64))).collect();
            all.extend(more.iter().cloned());
            let mut dropped = Vec::new();
            room.grow(more, None, &mut dropped);
            prop_assert!(dropped.len() <= 2 * count, "{} for {}", dropped.len(), count);
            prop_assert!(dropped.iter().all(|entry| room.entry(entry.event.id).is_none()));
            if forget && count % 5 == 0 {
                room.forget_entries();
            }
            let head = all.len() as Seq;
            let ids = |entries: &[Arc<Entry>]| entries.iter().map(|entry| entry.event.id).collect::<Vec<_>>();
            prop_assert_eq!(room.snapshot().head, head);
            for (at, limit) in &questions {
                let from = (*at).max(1);
                let rest = all.get(from as usize - 1..).unwrap_or_default();
                match room.read(from, *limit) {
                    Page::End => prop_assert!(from > head),
                    Page::Below(first) => prop_assert!(from < first && first <= head + 1),
                    Page::Entries(page) => prop_assert_eq!(ids(&page), ids(&rest[..rest.len().min(*limit)])),
                }
                let event = EventId(*at as i64 * 3);
                if let Some(seq) = room.after(event) {
                    prop_assert_eq!(seq, all.partition_point(|entry| entry.event.id <= event) as Seq + 1);
                }
                if let Some(found) = room.entry(event) {
                    prop_assert_eq!(found.event.id, event);
                }
                let until = (*at).min(head);
                if let Some(recent) = room.recent_spoken(until, *limit) {
                    let spoken = all[..until as usize].iter().rev().filter(|entry| entry.event.is_spoken());
                    let mut expected: Vec<EventId> = spoken.take(*limit).map(|entry| entry.event.id).collect();
                    expected.reverse();
                    prop_assert_eq!(ids(&recent), expected);
                }
            }
        }
        let kept = (1..=all.len() as Seq).find_map(|from| match room.read(from, usize::MAX) {
            Page::Entries(page) => Some(page.len()),
            _ => None,
        });
        prop_assert!(kept.unwrap_or(0) <= 4096, "{:?}", kept);
        prop_assert!(memory > 0 || kept.unwrap_or(0) <= 64, "{:?}", kept);
        drop(room);
        prop_assert_eq!(budget.used(), 0);
    }
}

/// Every third is a join; ids have gaps.
fn some_event(n: i64) -> Event {
    let body = match n % 3 {
        0 => Body::Join { realname: "X".into() },
        _ => Body::Said {
            speech: Speech::Privmsg,
            to: None,
            text: format!("{n}").into(),
            tags: "".into(),
            cuts: Default::default(),
        },
    };
    Event { id: EventId(3 * (n + 1)), time: Millis(n), actor: None, body }
}

/// A running log with one account and two rooms.
async fn start(tail_memory: usize) -> (TempDir, Log, Running, Actor, Vec<Arc<Room>>) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { tail_memory, auto_join: Vec::new(), ..settings() };
    let (log, running) = Log::start(dir.path(), clock::now, settings).unwrap();
    let order = Order::AddUser { name: "anna".into(), hash: HashText(HASH.into()), admin: true, bot: false };
    log.ask(Intent::Order { row: None, order, by: None }).await.unwrap();
    let actor = Actor { who: log.roster().by_key("anna").unwrap().who(), admin: true };
    let mut rooms = Vec::new();
    for name in ["#one", "#two"] {
        let enter = Intent::Enter {
            name: name.into(),
            key: name.to_owned(),
            actor: actor.clone(),
            realname: "Anna".into(),
            word: None,
        };
        log.ask(enter).await.unwrap();
        rooms.push(log.directory().by_key(name).unwrap());
    }
    (dir, log, running, actor, rooms)
}

fn says(actor: &Actor, room: RoomId, text: String) -> Intent {
    let wish =
        Wish::Say { speech: Speech::Privmsg, to: None, text: text.into(), tags: "".into(), cuts: Default::default() };
    Intent::InRoom { room, actor: actor.clone(), wish }
}

/// Numbers without rhyme; the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }
}

/// Takes at most `most` entries off a cursor; how often the store was asked is counted.
async fn take(cursor: &mut Cursor, log: &Log, most: usize, fetched: &AtomicUsize) -> Vec<EventId> {
    cursor.heard();
    let mut taken = Vec::new();
    while taken.len() < most {
        match cursor.peek() {
            Ok(Some(entry)) => {
                taken.push(entry.event.id);
                cursor.advance();
            }
            Ok(None) => break,
            Err(_) => {
                fetched.fetch_add(1, Ordering::Relaxed);
                cursor.fetch(log.readers()).await.unwrap();
            }
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_sees_every_entry_once_at_any_speed() {
    const ENTRIES: usize = 4_000;
    for tail_memory in [0, 1 << 20] {
        let (_dir, log, running, actor, rooms) = start(tail_memory).await;
        let room = rooms[0].clone();
        let fetched = Arc::new(AtomicUsize::new(0));
        let mut readers = Vec::new();
        for seed in 0..4 {
            let (log, room, fetched) = (log.clone(), room.clone(), fetched.clone());
            readers.push(tokio::spawn(async move {
                let mut dice = Dice(seed);
                // They begin at different places.
                tokio::time::sleep(std::time::Duration::from_millis(5 * seed)).await;
                let mailbox = Mailbox::new(seed, AccountId(1));
                let (mut cursor, snapshot) = Cursor::attach(room.clone(), &mailbox);
                let mut seen = Vec::new();
                while (snapshot.head as usize + seen.len()) < ENTRIES {
                    let most = 1 + dice.roll(300) as usize;
                    let taken = take(&mut cursor, &log, most, &fetched).await;
                    let slept = taken.len() < most;
                    seen.extend(taken);
                    // The last of them rests until much has fallen out of the tail; the others wait for the bell.
                    if seed == 3 && seen.len() < ENTRIES / 2 {
                        tokio::time::sleep(std::time::Duration::from_millis(40)).await;
                    } else if slept && (snapshot.head as usize + seen.len()) < ENTRIES {
                        mailbox.wait().await;
                        mailbox.take();
                    }
                }
                (snapshot.head, seen)
            }));
        }
        let head = room.snapshot().head as usize;
        let mut dice = Dice(99);
        for n in head..ENTRIES {
            log.submit(says(&actor, room.id, format!("entry {n}")), Reply::Nobody).await.unwrap();
            if dice.roll(50) == 0 {
                log.catch_up().await;
            }
        }
        let stored = |log: Log, from: Seq| async move {
            let rows = log.readers().range(RoomId(1), from, usize::MAX).await.unwrap();
            rows.into_iter().map(|(_, entry)| entry.event.id).collect::<Vec<_>>()
        };
        for reader in readers {
            let (from, seen) = tokio::time::timeout(std::time::Duration::from_secs(30), reader).await.unwrap().unwrap();
            assert!(seen == stored(log.clone(), from + 1).await, "a reader from {from} missed, doubled or swapped");
        }
        assert!(fetched.load(Ordering::Relaxed) > 0, "the store was never asked");
        log.stop().await;
        running.ended().await;
    }
}

/// Retention takes entries away below a cursor: it goes on with what is left, once and in order.
#[tokio::test]
async fn a_cursor_survives_retention() {
    let (_dir, log, running, actor, rooms) = start(1 << 26).await;
    let room = rooms[0].clone();
    let mailbox = Mailbox::new(1, AccountId(1));
    let (mut cursor, snapshot) = Cursor::attach(room.clone(), &mailbox);
    for n in 0..1_500 {
        log.submit(says(&actor, room.id, format!("{n}")), Reply::Nobody).await.unwrap();
    }
    log.catch_up().await;
    let fetched = AtomicUsize::new(0);
    let mut seen = take(&mut cursor, &log, 100, &fetched).await;
    let later = Millis(clock::now().0 + 60_000);
    let due = Due { room: room.id, before: later, presence_before: Millis::NEVER };
    log.ask(Intent::Prune { due, limit: 700 }).await.unwrap();
    seen.extend(take(&mut cursor, &log, 500, &fetched).await);
    for n in 0..10 {
        log.ask(says(&actor, room.id, format!("late {n}"))).await.unwrap();
    }
    seen.extend(take(&mut cursor, &log, usize::MAX, &fetched).await);
    let left: Vec<EventId> =
        log.readers().range(room.id, 1, usize::MAX).await.unwrap().into_iter().map(|(_, e)| e.event.id).collect();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(left.iter().all(|id| seen.contains(id)));
    assert_eq!(room.snapshot().head, snapshot.head + 1_510);
    log.stop().await;
    running.ended().await;
}

/// What one hears of a commit is whole when it is visible: answers, heads and states belong together.
#[tokio::test]
async fn the_end_of_a_log_is_orderly() {
    let (dir, log, running, actor, rooms) = start(1 << 26).await;
    let mut answers = Vec::new();
    for n in 0..300 {
        let (reply, answer) = tokio::sync::oneshot::channel();
        log.submit(says(&actor, rooms[n % 2].id, format!("{n}")), Reply::Once(reply)).await.unwrap();
        answers.push(answer);
    }
    log.stop().await;
    let mut last = EventId(0);
    for answer in answers {
        let event = answer.await.unwrap().unwrap().event.unwrap();
        assert!(event > last && event <= log.watermark());
        last = event;
    }
    running.ended().await;
    assert!(log.ask(says(&actor, rooms[0].id, "too late".into())).await.is_err());
    let reader = Reader::open(dir.path()).unwrap();
    for room in rooms {
        assert_eq!(reader.head(room.id).unwrap(), room.snapshot().head);
    }
}

/// What somebody has missed is the same whether memory or the store is asked, and what counting line by line gives.
#[tokio::test]
async fn what_was_missed_is_found_alike_everywhere() {
    let (_dir, log, running, actor, rooms) = start(1 << 26).await;
    let mut dice = Dice(7);
    for n in 0..1_400 {
        let intent = match dice.roll(5) {
            0 => says(&actor, rooms[1].id, format!("elsewhere {n}")),
            1 => {
                let wish = Wish::Topic { text: format!("topic {n}").into() };
                Intent::InRoom { room: rooms[0].id, actor: actor.clone(), wish }
            }
            _ => says(&actor, rooms[0].id, format!("line {n}")),
        };
        log.submit(intent, Reply::Nobody).await.unwrap();
    }
    log.ask(says(&actor, rooms[1].id, "the last".into())).await.unwrap();
    let room = &rooms[0];
    let all = log.readers().range(room.id, 1, usize::MAX).await.unwrap();
    let newest = all.last().unwrap().1.event.id.0.unsigned_abs();
    let mut in_memory = 0;
    for _ in 0..300 {
        let head = room.snapshot().head - dice.roll(50) * dice.roll(2);
        let gap = Gap {
            since: EventId(dice.roll(newest + 2) as i64),
            first: 1 + dice.roll(head) * dice.roll(2),
            head,
            least: (dice.roll(80) * dice.roll(2)) as usize,
            most: dice.roll(400) as usize,
        };
        let spoken: Vec<_> = all.iter().filter(|(seq, entry)| *seq <= head && entry.event.is_spoken()).collect();
        let missed = spoken.iter().filter(|(seq, entry)| *seq >= gap.first && entry.event.id > gap.since).count();
        let lines = missed.min(gap.most.max(gap.least)).max(gap.least.min(spoken.len()));
        let from = spoken.get(spoken.len() - lines).map_or(head + 1, |(seq, _)| *seq);
        let expected = Missed { from, lines, more: missed.saturating_sub(lines) };
        assert_eq!(log.readers().missed(room.id, gap).await.unwrap(), expected, "{gap:?}");
        if let Some(found) = room.missed(&gap) {
            in_memory += 1;
            assert_eq!(found, expected, "{gap:?}");
        }
        // And page by page it is those lines.
        let (mut next, mut told) = (from, Vec::new());
        while let Some(page) = match room.spoken(next, head, 64) {
            Some(page) => Some(page),
            None => Some(log.readers().spoken(room.id, next, head, 64).await.unwrap()),
        }
        .filter(|page| !page.is_empty())
        {
            next = page.last().unwrap().0 + 1;
            told.extend(page.into_iter().map(|(_, entry)| entry.event.id));
        }
        let expected: Vec<EventId> = spoken[spoken.len() - lines..].iter().map(|(_, entry)| entry.event.id).collect();
        assert_eq!(told, expected, "{gap:?}");
    }
    assert!(in_memory > 30, "{in_memory} answers from memory");
    // Over several rooms: the one that spoke last gets its share first, and comes last.
    let heads: Vec<(RoomId, Seq)> = rooms.iter().map(|room| (room.id, room.snapshot().head)).collect();
    let several = log.readers().missed_in(heads, EventId(0), 100, 150).await.unwrap();
    let shares: Vec<usize> = several.iter().map(|(_, _, missed)| missed.lines).collect();
    assert_eq!(shares, [50, 100]);
    assert!(several.iter().all(|(_, _, missed)| missed.more > 0));
    log.stop().await;
    running.ended().await;
}
