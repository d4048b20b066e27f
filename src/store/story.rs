//! The store's story: what the rest of the program does with it, told against its public functions.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::event::{AccountId, Body, Event, EventId, Kind, Millis, RoomId, Seq, Speech, Who};

use super::*;

/// A store with two people and a room, and the places its logs have come to.
pub(super) struct World {
    pub dir: TempDir,
    pub writer: Writer,
    pub alice: Who,
    pub bob: Who,
    pub room: RoomId,
}

impl World {
    pub fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let tx = writer.begin().unwrap();
        let alice = Who { id: tx.create_account(&person("Alice")).unwrap(), nick: "Alice".into() };
        let bob = Who { id: tx.create_account(&person("Bob")).unwrap(), nick: "Bob".into() };
        let room = tx.create_room(RoomKind::Channel, "#Lobby", "#lobby", "nt", Some(alice.id), Millis(5)).unwrap();
        tx.commit().unwrap();
        World { dir, writer, alice, bob, room }
    }

    pub fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    pub fn direct(&mut self) -> RoomId {
        let tx = self.writer.begin().unwrap();
        let room = tx.create_room(RoomKind::Direct, "Alice, Bob", "1,2", "", None, Millis(6)).unwrap();
        tx.commit().unwrap();
        room
    }

    /// Adds one event at the heads of these rooms' logs.
    pub fn add(&mut self, who: &Who, body: Body, rooms: &[RoomId]) -> EventId {
        let id = self.writer.next_event_id().unwrap();
        let tx = self.writer.begin().unwrap();
        let places: Vec<(RoomId, Seq)> = rooms.iter().map(|room| (*room, tx.head(*room).unwrap() + 1)).collect();
        let event = Event { id, time: Millis(1_000 + id.0 * 10), actor: Some(who.clone()), body };
        tx.append(&event, &places).unwrap();
        tx.commit().unwrap();
        id
    }

    pub fn say(&mut self, text: &str) -> EventId {
        let (alice, room) = (self.alice.clone(), self.room);
        self.add(&alice, said(text), &[room])
    }

    pub fn found(&self, text: &str) -> Vec<String> {
        self.search(&Search { text: text.into(), limit: 100, ..Search::default() })
    }

    pub(super) fn search(&self, search: &Search) -> Vec<String> {
        self.reader().search(search).unwrap().into_iter().map(|(_, _, event)| words_of(&event)).collect()
    }
}

fn person(name: &str) -> NewAccount {
    NewAccount {
        name: name.into(),
        key: name.to_lowercase(),
        skeleton: name.to_lowercase(),
        hash: PasswordHashText("$argon2id$secret".into()),
        admin: false,
        bot: false,
        created: Millis(1),
    }
}

pub(super) fn said(text: &str) -> Body {
    Body::Said { speech: Speech::Privmsg, to: None, text: text.into(), tags: "".into(), cuts: Default::default() }
}

pub(super) fn words_of(event: &Event) -> String {
    match &event.body {
        Body::Said { text, .. } => text.to_string(),
        body => format!("{body:?}"),
    }
}

/// One of every kind.
fn bodies(target: &Who) -> Vec<Body> {
    let text: Arc<str> = "some text: 你好 ✓".into();
    let said = |speech| Body::Said {
        speech,
        to: Some(target.clone()),
        text: text.clone(),
        tags: "+reply=x;+draft/react=y".into(),
        cuts: if speech == Speech::Notice { [4, 9].into() } else { Default::default() },
    };
    let (target, other) = (target.clone(), target.clone());
    vec![
        said(Speech::Privmsg),
        said(Speech::Notice),
        said(Speech::Tagmsg),
        Body::Join { realname: text.clone() },
        Body::Part { reason: text.clone() },
        Body::Quit { reason: "".into() },
        Body::Kick { target: target.clone(), reason: text.clone() },
        Body::Topic { text: "".into() },
        Body::Mode { changes: "+o-v bob carol".into() },
        Body::Invite { target },
        Body::Redacted { target: EventId(1), of: Some(other), reason: text.clone() },
        Body::Created { modes: "+nt".into() },
        Body::Reset,
        Body::Renamed { old: "#old".into(), new: "#new".into(), reason: text.clone() },
    ]
}

#[test]
fn accounts_live_and_are_found() {
    let mut world = World::new();
    let tx = world.writer.begin().unwrap();
    assert!(matches!(tx.create_account(&person("ALICE")), Err(StoreError::Taken)));
    let mut lookalike = person("A1ice");
    lookalike.skeleton = "alice".into();
    assert!(matches!(tx.create_account(&lookalike), Err(StoreError::Taken)));
    // A refusal leaves the rest of the transaction alone.
    let mut bob = tx.account_by_key("bob").unwrap().unwrap();
    bob.disabled = true;
    bob.hash = PasswordHashText("$argon2id$other".into());
    bob.last_seen = Some(Millis(77));
    tx.update_account(&bob).unwrap();
    tx.set_seen(world.alice.id, EventId(9), Millis(99)).unwrap();
    let nobody = AccountRow { id: AccountId(404), key: "x".into(), skeleton: "x".into(), ..bob.clone() };
    assert!(matches!(tx.update_account(&nobody), Err(StoreError::Missing("account"))));
    tx.commit().unwrap();

    let reader = world.reader();
    assert_eq!(reader.account(bob.id).unwrap(), Some(bob.clone()));
    let alice = reader.account_by_key("alice").unwrap().unwrap();
    assert_eq!((alice.seen, alice.last_seen, alice.admin), (EventId(9), Some(Millis(99)), false));
    assert_eq!(reader.accounts_by_skeleton("bob").unwrap(), Some(bob));
    assert_eq!(reader.account_by_key("carol").unwrap(), None);
    assert_eq!(reader.accounts().unwrap().len(), 2);
    assert!(!format!("{alice:?}").contains("argon2"));
}

#[test]
fn devices_come_back_and_the_one_used_longest_ago_is_forgotten() {
    let mut world = World::new();
    let (alice, bob) = (world.alice.id, world.bob.id);
    let tx = world.writer.begin().unwrap();
    for (name, now) in [("desk", 10), ("phone", 20), ("tablet", 30), ("desk", 40)] {
        tx.meet_device(alice, name, Millis(now), 3).unwrap();
    }
    tx.set_device_seen(alice, "desk", EventId(7), Millis(50)).unwrap();
    tx.set_device_seen(alice, "desk", EventId(5), Millis(60)).unwrap();
    tx.set_device_seen(alice, "nowhere", EventId(5), Millis(60)).unwrap();
    tx.meet_device(bob, "phone", Millis(5), 3).unwrap();
    tx.commit().unwrap();
    let names = |world: &World, account| -> Vec<String> {
        world.reader().devices(account).unwrap().into_iter().map(|row| row.name.to_string()).collect()
    };
    assert_eq!(names(&world, alice), ["desk", "tablet", "phone"]);
    let desk = DeviceRow { name: "desk".into(), first_seen: Millis(10), last_seen: Millis(60), seen: EventId(7) };
    assert_eq!(world.reader().devices(alice).unwrap()[0], desk);
    let tx = world.writer.begin().unwrap();
    tx.meet_device(alice, "laptop", Millis(1), 3).unwrap();
    tx.commit().unwrap();
    assert_eq!(
        names(&world, alice),
        ["desk", "tablet", "laptop"],
        "the one that is here stays, whatever the clock says"
    );
    let tx = world.writer.begin().unwrap();
    tx.forget_devices(alice, Some("tablet")).unwrap();
    tx.commit().unwrap();
    assert_eq!(names(&world, alice), ["desk", "laptop"]);
    let tx = world.writer.begin().unwrap();
    tx.forget_devices(alice, None).unwrap();
    tx.commit().unwrap();
    assert_eq!((names(&world, alice).len(), names(&world, bob)), (0, vec!["phone".to_owned()]));
}

#[test]
fn rooms_members_invitations_and_markers() {
    let mut world = World::new();
    let direct = world.direct();
    let (alice, bob, room) = (world.alice.clone(), world.bob.clone(), world.room);
    let member = |who: &Who, op, present, joined| MemberRow {
        account: who.id,
        nick: who.nick.clone(),
        op,
        voice: false,
        present,
        joined,
    };
    let tx = world.writer.begin().unwrap();
    assert!(matches!(
        tx.create_room(RoomKind::Channel, "#lobby", "#lobby", "", None, Millis(1)),
        Err(StoreError::Taken)
    ));
    tx.set_member(room, &member(&alice, true, true, 2)).unwrap();
    tx.set_member(room, &member(&bob, false, true, 1)).unwrap();
    tx.set_member(direct, &member(&bob, false, false, 1)).unwrap();
    tx.set_invite(room, bob.id, true).unwrap();
    tx.set_invite(room, bob.id, true).unwrap();
    tx.set_marker(bob.id, room, Millis(50)).unwrap();
    tx.set_marker(bob.id, room, Millis(40)).unwrap();
    let mut row = tx.room(room).unwrap().unwrap();
    assert_eq!((row.founder, row.topic.clone(), &*row.modes), (Some(alice.id), None, "nt"));
    row.topic = Some(TopicRow { text: "tea".into(), by: "Alice".into(), at: Millis(9) });
    row.modes = "s".into();
    tx.save_room(&row).unwrap();
    tx.commit().unwrap();

    let reader = world.reader();
    assert_eq!(reader.room_by_key("#lobby").unwrap(), Some(row.clone()));
    assert_eq!(reader.rooms().unwrap(), [row]);
    assert_eq!(reader.members(room).unwrap(), [member(&bob, false, true, 1), member(&alice, true, true, 2)]);
    assert_eq!(reader.rooms_of(bob.id).unwrap().len(), 2);
    assert_eq!(reader.rooms_of(alice.id).unwrap().len(), 1);
    assert_eq!(reader.room(direct).unwrap().unwrap().kind, RoomKind::Direct);
    assert_eq!(reader.invited(room).unwrap(), [bob.id]);
    assert_eq!(reader.marker(bob.id, room).unwrap(), Some(Millis(50)));

    let tx = world.writer.begin().unwrap();
    tx.set_all_absent(room).unwrap();
    tx.set_invite(room, bob.id, false).unwrap();
    tx.remove_member(room, alice.id).unwrap();
    tx.commit().unwrap();
    assert_eq!(reader.members(room).unwrap(), [member(&bob, false, false, 1)]);
    assert_eq!(reader.invited(room).unwrap(), []);
}

#[test]
fn every_kind_of_event_comes_back_as_it_was() {
    let mut world = World::new();
    let (alice, bob, room) = (world.alice.clone(), world.bob.clone(), world.room);
    let mut all = bodies(&bob);
    assert_eq!(all.len(), Kind::ALL.len());
    for body in all.clone() {
        world.add(&alice, body, &[room]);
    }
    let read = world.reader().read(room, 1, 100).unwrap();
    assert_eq!(read.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=Kind::ALL.len() as Seq).collect::<Vec<_>>());
    for ((_, event), body) in read.iter().zip(all.drain(..)) {
        assert_eq!((&event.body, &event.actor), (&body, &Some(alice.clone())));
        assert_eq!(world.reader().event(event.id).unwrap().as_ref(), Some(event));
    }
    let reset = Event { id: EventId(20), time: Millis(9_000), actor: None, body: Body::Reset };
    let tx = world.writer.begin().unwrap();
    let next = Kind::ALL.len() as Seq + 1;
    tx.append(&reset, &[(room, next)]).unwrap();
    tx.commit().unwrap();
    assert_eq!(world.reader().read(room, next, 9).unwrap(), [(next, reset)]);
    assert_eq!(world.writer.next_event_id().unwrap(), EventId(21));
    assert_eq!(world.writer.last_time().unwrap(), Millis(9_000));
}

#[test]
fn what_may_be_left_out_comes_back_left_out() {
    let mut world = World::new();
    let (alice, room) = (world.alice.clone(), world.room);
    for body in [
        Body::Redacted { target: EventId(1), of: None, reason: "".into() },
        Body::Renamed { old: "#old".into(), new: "#new".into(), reason: "".into() },
        Body::Said {
            speech: Speech::Privmsg,
            to: None,
            text: "one\n\ntwo".into(),
            tags: "".into(),
            cuts: [1, 7].into(),
        },
    ] {
        let id = world.add(&alice, body.clone(), &[room]);
        assert_eq!(world.reader().event(id).unwrap().unwrap().body, body);
    }
}

#[test]
fn the_view_for_people_knows_every_kind() {
    let mut world = World::new();
    let (alice, bob, room) = (world.alice.clone(), world.bob.clone(), world.room);
    for body in bodies(&bob) {
        world.add(&alice, body, &[room]);
    }
    let reader = world.reader();
    let mut rows = reader.conn.prepare("SELECT kind, room, time, who FROM history ORDER BY seq").unwrap();
    let rows: Vec<(String, String, String, String)> = rows
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    assert_eq!(rows.iter().map(|row| &*row.0).collect::<Vec<_>>(), Kind::ALL.map(Kind::word));
    assert_eq!((&*rows[0].1, &*rows[0].2, &*rows[0].3), ("#Lobby", "1970-01-01 00:00:01.010", "Alice"));
}

#[test]
fn pages_forwards_and_back() {
    let mut world = World::new();
    let (bob, room) = (world.bob.clone(), world.room);
    for n in 1..=10 {
        world.say(&format!("line {n}"));
        world.add(&bob, Body::Join { realname: "Bob".into() }, &[room]);
    }
    let reader = world.reader();
    let seqs = |page: Vec<(Seq, Event)>| page.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
    assert_eq!(reader.head(room).unwrap(), 20);
    assert_eq!(seqs(reader.read(room, 18, 100).unwrap()), [18, 19, 20]);
    assert_eq!(seqs(reader.read(room, 3, 2).unwrap()), [3, 4]);
    assert_eq!(seqs(reader.read(room, 21, 2).unwrap()), Vec::<Seq>::new());
    assert_eq!(seqs(reader.read_back(room, 21, 3, Kinds::All).unwrap()), [18, 19, 20]);
    assert_eq!(seqs(reader.read_back(room, 20, 3, Kinds::Spoken).unwrap()), [15, 17, 19]);
    assert_eq!(seqs(reader.read_back(room, Seq::MAX, 1, Kinds::Spoken).unwrap()), [19]);
    assert_eq!(seqs(reader.read_forward(room, 3, 2, Kinds::Spoken).unwrap()), [5, 7]);
    assert_eq!(seqs(reader.read_forward(room, 3, 2, Kinds::All).unwrap()), [4, 5]);
    assert_eq!(seqs(reader.read_forward(room, Seq::MAX, 2, Kinds::All).unwrap()), Vec::<Seq>::new());
    let stats = reader.room_stats(room).unwrap();
    assert_eq!((stats.messages, stats.last), (10, Some(Millis(1_200))));
    let counts = reader.counts().unwrap();
    assert_eq!((counts.accounts, counts.rooms, counts.messages), (2, 1, 10));
    assert!(counts.size > 0);
}

#[test]
fn a_page_costs_the_same_anywhere() {
    let world = World::new();
    let conn = &world.writer.conn;
    for sql in [
        history::FORWARD,
        history::FORWARD_SPOKEN,
        history::BACK,
        history::BACK_SPOKEN,
        history::STEP_EVENT,
        history::STEP_TIME,
        past::PLACES_SPOKEN,
        past::PLACES_SPOKEN_BACK,
        past::PLACES_KINDS,
        past::PLACES_KINDS_BACK,
        past::PAGE_SPOKEN,
        past::PAGE_KINDS,
    ] {
        let mut plan = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let params = plan.parameter_count();
        let plan: Vec<String> = plan
            .query_map(rusqlite::params_from_iter(vec![1; params]), |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        // The two halves of a log are read side by side, each from where the page begins.
        let merged = ["MERGE (UNION ALL)", "LEFT", "RIGHT"];
        let from_its_place = |step: &String| {
            step.starts_with("SEARCH log USING PRIMARY KEY (room_id=? AND spoken=? AND seq")
                || step == "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"
                || merged.contains(&step.as_str())
        };
        assert!(plan.iter().all(from_its_place), "{sql}\n{plan:#?}");
    }
}

#[test]
fn what_is_not_committed_never_was() {
    let mut world = World::new();
    world.say("kept");
    let room = world.room;
    let event = Event { id: EventId(2), time: Millis(2_000), actor: None, body: said("dropped words") };
    let reader = world.reader();
    let tx = world.writer.begin().unwrap();
    tx.append(&event, &[(room, 2)]).unwrap();
    assert_eq!(tx.head(room).unwrap(), 2);
    assert_eq!(reader.head(room).unwrap(), 1);
    drop(tx);
    assert_eq!(reader.head(room).unwrap(), 1);

    // A step that fails half-way gives the transaction up.
    let tx = world.writer.begin().unwrap();
    tx.append(&event, &[(room, 2)]).unwrap();
    let clash = Event { id: EventId(3), ..event.clone() };
    assert!(tx.append(&clash, &[(room, 2)]).is_err());
    assert!(matches!(tx.append(&Event { id: EventId(4), ..event.clone() }, &[(room, 3)]), Err(StoreError::GivenUp)));
    assert!(matches!(tx.commit(), Err(StoreError::GivenUp)));
    assert_eq!(reader.head(room).unwrap(), 1);
    assert!(world.found("dropped").is_empty());

    let tx = world.writer.begin().unwrap();
    tx.append(&event, &[(room, 2)]).unwrap();
    tx.commit().unwrap();
    assert_eq!(world.found("dropped"), ["dropped words"]);
    drop(world.writer);
    assert_eq!(Writer::open(world.dir.path()).unwrap().head(room).unwrap(), 2);
}

#[test]
fn what_was_redacted_is_really_gone() {
    let mut world = World::new();
    world.say("before");
    let secret = world.say("hunter2secret Geheimwort 机密文件");
    world.say("after");
    assert_eq!(world.found("hunter2secret").len(), 1);
    let tx = world.writer.begin().unwrap();
    let room = world.room;
    assert!(tx.redact(secret).unwrap());
    assert!(tx.redact(secret).unwrap());
    assert!(!tx.redact(EventId(404)).unwrap());
    tx.commit().unwrap();
    for query in ["hunter2secret", "geheim", "机密", ""] {
        assert!(world.found(query).iter().all(|text| text == "before" || text == "after"), "{query}");
    }
    let reader = world.reader();
    assert!(reader.event(secret).unwrap().unwrap().is_redacted());
    // A page of what was said is still full.
    let page = reader.read_back(room, Seq::MAX, 2, Kinds::Spoken).unwrap();
    assert_eq!(page.iter().map(|(_, event)| words_of(event)).collect::<Vec<_>>(), ["before", "after"]);
    // Nor does a look into the files find it, once the -wal file is emptied.
    world.writer.checkpoint().unwrap();
    let bytes = std::fs::read(database_path(world.dir.path())).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("before"));
    for text in ["hunter2", "geheimwort", "Geheimwort", "机密"] {
        assert!(!holds(text), "{text}");
    }
    assert!(std::fs::metadata(world.dir.path().join("chat.db-wal")).unwrap().len() == 0);
}

#[test]
fn a_room_goes_with_all_that_is_its_own() {
    let mut world = World::new();
    let (alice, bob, room) = (world.alice.clone(), world.bob.clone(), world.room);
    let other = world.direct();
    for n in 0..1_200 {
        world.add(&alice, said(&format!("word{n}")), &[room]);
    }
    let quit = world.add(&bob, Body::Quit { reason: "".into() }, &[other, room]);
    let tx = world.writer.begin().unwrap();
    let member = MemberRow { account: bob.id, nick: "".into(), op: false, voice: false, present: false, joined: 1 };
    tx.set_member(room, &member).unwrap();
    tx.set_invite(room, bob.id, true).unwrap();
    tx.set_marker(bob.id, room, Millis(1)).unwrap();
    tx.commit().unwrap();
    let tx = world.writer.begin().unwrap();
    tx.remove_room(room).unwrap();
    tx.commit().unwrap();

    let reader = world.reader();
    assert_eq!(reader.room(room).unwrap(), None);
    assert!(world.found("word7").is_empty());
    assert_eq!(reader.read(room, 1, 10).unwrap(), []);
    assert!(reader.rooms_of(bob.id).unwrap().is_empty());
    assert_eq!(reader.read(other, 1, 10).unwrap()[0].1.id, quit);
    let left: i64 = reader.conn.query_row("SELECT count(*) FROM events", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 1);
    check_whole(&reader);
}

#[test]
fn orders_reach_a_running_server() {
    let mut world = World::new();
    let id = post_order(world.dir.path(), r#"{"passwd":"$argon2id$x"}"#, Millis(5)).unwrap();
    let orders = world.writer.open_orders().unwrap();
    assert_eq!(orders, [(id, r#"{"passwd":"$argon2id$x"}"#.to_owned())]);
    assert_eq!(world.reader().order_result(id).unwrap(), None);
    let tx = world.writer.begin().unwrap();
    tx.finish_order(id, "done").unwrap();
    tx.commit().unwrap();
    assert!(world.writer.open_orders().unwrap().is_empty());
    assert_eq!(world.reader().order_result(id).unwrap().as_deref(), Some("done"));
    let body: String = world.writer.conn.query_row("SELECT body FROM orders", [], |row| row.get(0)).unwrap();
    assert_eq!(body, "");
}

fn check_whole(reads: &Reads) {
    let verdict: String = reads.conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

/// Fills the disk (a tmpfs of two megabytes, or a limit on pages where mounting is forbidden) and makes room again.
#[test]
fn a_full_disk_loses_nothing_and_passes() {
    let mount = tempfile::tempdir().unwrap();
    let tmpfs = Tmpfs::mount(mount.path());
    let mut writer = Writer::open(mount.path()).unwrap();
    let ballast = mount.path().join("ballast");
    if tmpfs.is_none() {
        writer.conn.query_row("PRAGMA max_page_count = 150", [], |_| Ok(())).unwrap();
    } else {
        std::fs::write(&ballast, vec![0; 600_000]).unwrap();
    }
    let tx = writer.begin().unwrap();
    let room = tx.create_room(RoomKind::Channel, "#a", "#a", "", None, Millis(1)).unwrap();
    tx.commit().unwrap();

    let batch = |writer: &mut Writer| -> Result<()> {
        let (id, head) = (writer.next_event_id()?.0, writer.head(room)?);
        let tx = writer.begin()?;
        for n in 0..20 {
            let body = said(&format!("number{id} {n} {}", "x".repeat(400)));
            let event = Event { id: EventId(id + n), time: Millis(id + n), actor: None, body };
            tx.append(&event, &[(room, head + 1 + n as u64)])?;
        }
        tx.commit()
    };
    let mut kept = 0;
    let error = loop {
        match batch(&mut writer) {
            Ok(()) => kept += 20,
            Err(error) => break error,
        }
        assert!(kept < 100_000);
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(kept > 0);
    for _ in 0..5 {
        assert!(matches!(batch(&mut writer), Err(StoreError::Full)));
        let reader = Reader::open(mount.path()).unwrap();
        assert_eq!(reader.head(room).unwrap(), kept);
        assert_eq!(reader.read_back(room, Seq::MAX, 5, Kinds::All).unwrap().len(), 5);
    }
    if tmpfs.is_none() {
        writer.conn.query_row("PRAGMA max_page_count = 100000", [], |_| Ok(())).unwrap();
    } else {
        std::fs::remove_file(&ballast).unwrap();
    }
    batch(&mut writer).unwrap();
    assert_eq!(writer.head(room).unwrap(), kept + 20);
    assert_eq!(writer.read(room, 1, 1_000_000).unwrap().len() as u64, kept + 20);
    let search = Search { text: format!("number{}", kept + 1), limit: 99, ..Search::default() };
    assert_eq!(writer.search(&search).unwrap().len(), 20);
    check_whole(&writer);
    drop(writer);
    drop(tmpfs);
}

struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    fn mount(at: &'a Path) -> Option<Tmpfs<'a>> {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(at).stderr(std::process::Stdio::null());
        mount.status().ok().filter(|status| status.success()).map(|_| Tmpfs(at))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn only_what_can_be_made_again_does_not_wait_for_the_disk() {
    let mut world = World::new();
    let level =
        |world: &World| world.writer.conn.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap();
    let (normal, full) = (1, 2);
    for _ in 0..2 {
        world.say("hello");
        assert_eq!(level(&world), full);
        let tx = world.writer.begin_lazily().unwrap();
        assert_eq!(tx.index(10).unwrap(), 1);
        tx.commit().unwrap();
        assert_eq!(level(&world), normal);
        drop(world.writer.begin().unwrap());
        assert_eq!(level(&world), full);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Bisection finds what a walk along the log finds, gaps or not.
    #[test]
    fn bisection_is_a_linear_scan(
        entries in prop::collection::vec((1u64..5, 1i64..4, 0i64..3, prop::bool::weighted(0.6)), 0..60),
        limit in 0usize..9,
    ) {
        let mut world = World::new();
        let room = world.room;
        let (mut seq, mut id, mut time) = (0, 0, 100);
        let mut log = Vec::new();
        let tx = world.writer.begin().unwrap();
        let mut spoken = Vec::new();
        for (more_seq, more_id, more_time, is_spoken) in entries {
            (seq, id, time) = (seq + more_seq, id + more_id, time + more_time);
            let event = Event { id: EventId(id), time: Millis(time), actor: None, body: if is_spoken { said("x") } else { Body::Reset } };
            tx.append(&event, &[(room, seq)]).unwrap();
            log.push((seq, id, time));
            spoken.extend(is_spoken.then_some(seq));
        }
        tx.commit().unwrap();
        let scan = |far: &dyn Fn(&(u64, i64, i64)) -> bool| log.iter().find(|e| far(e)).map_or(seq + 1, |e| e.0);
        for probe in -1..=id + 2 {
            prop_assert_eq!(world.writer.seq_after_event(room, EventId(probe)).unwrap(), scan(&|e| e.1 > probe));
            let at = log.iter().find(|e| e.1 == probe).map(|e| e.0);
            prop_assert_eq!(world.writer.seq_of_event(room, EventId(probe)).unwrap(), at);
        }
        for probe in 98..=time + 2 {
            prop_assert_eq!(world.writer.seq_at_time(room, Millis(probe)).unwrap(), scan(&|e| e.2 >= probe));
            let first = log.iter().find(|e| e.2 >= probe).map(|e| e.1);
            prop_assert_eq!(world.writer.id_at_time(Millis(probe)).unwrap(), first);
        }
        prop_assert_eq!(world.writer.head(room).unwrap(), seq);
        let all: Vec<Seq> = log.iter().map(|e| e.0).collect();
        for (kinds, places) in [(Kinds::All, &all), (Kinds::Spoken, &spoken)] {
            for probe in 0..=seq + 2 {
                let seqs = |page: Vec<(Seq, Event)>| page.into_iter().map(|(seq, _)| seq).collect::<Vec<_>>();
                let (before, after) = places.split_at(places.partition_point(|seq| *seq < probe));
                let back = world.writer.read_back(room, probe, limit, kinds).unwrap();
                prop_assert_eq!(seqs(back), &before[before.len().saturating_sub(limit)..]);
                if probe > 0 {
                    let forward = world.writer.read_forward(room, probe - 1, limit, kinds).unwrap();
                    prop_assert_eq!(seqs(forward), &after[..limit.min(after.len())]);
                }
            }
        }
    }
}

#[test]
fn connections_may_move_to_their_threads() {
    fn can_move<T: Send>() {}
    can_move::<Writer>();
    can_move::<Reader>();
}
