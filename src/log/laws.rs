//! The laws of the log, on a real database: whatever people do, in groups of whatever size, some of which fail, the
//! fold of the log is the tables is what the writer holds in memory is what was made visible; after a crash too.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::core::{Commit, Core, Effect, Settings};
use super::credentials::Proof;
use super::directory::Directory;
use super::erase;
use super::markers::Place;
use super::metadata;
use super::orders::{HashText, Order};
use super::tail::Page;
use super::world::{Image, Intent};
use super::writer::rewrite;
use crate::event::{AccountId, Body, Event, EventId, KeyChange, Millis, Owner, RoomId, RoomKind, Seq, Speech, Who};
use crate::live::{Metadata, Receipt, Roster};
use crate::room::{Actor, Masked, Member, ModeChange, Refusal, RoomState, Topic, Wish, fold_modes};
use crate::store::{Reader, RoomRow, Search, Writer, database_path};

#[cfg(test)]
mod model;
#[cfg(test)]
mod reading;

const PEOPLE: [&str; 4] = ["anna", "bela", "carl", "dora"];
const ROOMS: [&str; 4] = ["#auto", "#one", "#two", "#three"];
const MASKS: [&str; 5] = ["anna!*@*", "ANNA!*@*", "~a:be*", "*!*@chat.example", "*!carl@*"];
const HASH: &str = "a hash";
const NOWHERE: RoomId = RoomId(9999);

thread_local! {
    static NOW: Cell<i64> = const { Cell::new(1_000) };
}

fn clock() -> Millis {
    Millis(NOW.get())
}

fn settings() -> Settings {
    Settings {
        host: "chat.example".into(),
        auto_join: vec![(ROOMS[0].into(), ROOMS[0].to_owned())],
        everyone_creates: true,
        rooms_per_account: 3,
        tail_memory: 1 << 20,
    }
}

/// One thing somebody does; people and rooms by their place in the lists above.
#[derive(Clone, Debug)]
enum Step {
    Online(usize),
    Offline(usize),
    Enter(usize, usize, Option<&'static str>),
    Direct(usize, usize),
    InRoom(usize, usize, Deed),
    /// The event so many before the newest is taken back.
    Redact(usize, usize, i64),
    RedactDirect(usize, usize, i64),
    Rename(usize, usize, usize),
    CreateRoom(usize),
    RemoveRoom(usize),
    RemoveUser(usize),
    EraseUser(usize),
    /// What is to be done next of erasing somebody, at most so much at once.
    Erase(usize),
    /// Of themselves, or of a room.
    Describe(usize, Option<usize>, &'static str, Option<&'static str>),
}

#[derive(Clone, Debug)]
enum Deed {
    Part,
    Say(Speech),
    Kick(usize),
    Topic(&'static str),
    Mode(Vec<Change>),
    Invite(usize),
}

#[derive(Clone, Debug)]
enum Change {
    Flag(char, bool),
    Key(Option<&'static str>),
    Limit(Option<u32>),
    Rank(char, usize, bool),
    Mask(char, &'static str, bool),
}

/// What makes a group fail: its so-many-th event, or its commit.
#[derive(Clone, Copy, Debug)]
enum Trap {
    Event(i64),
    Commit,
}

#[derive(Clone, Debug)]
enum Act {
    /// Steps that are committed together at a time, which may go back.
    Group {
        steps: Vec<Step>,
        now: i64,
        trap: Option<Trap>,
    },
    Crash,
}

fn any_step() -> impl Strategy<Value = Step> {
    let (who, room) = (0..PEOPLE.len(), 0..ROOMS.len());
    let deed = prop_oneof![
        2 => Just(Deed::Part),
        3 => prop::sample::select(&[Speech::Privmsg, Speech::Notice, Speech::Tagmsg][..]).prop_map(Deed::Say),
        2 => who.clone().prop_map(Deed::Kick),
        2 => prop::sample::select(&["", "tea", "cake"][..]).prop_map(Deed::Topic),
        3 => prop::collection::vec(any_change(), 1..4).prop_map(Deed::Mode),
        2 => who.clone().prop_map(Deed::Invite),
    ];
    prop_oneof![
        6 => who.clone().prop_map(Step::Online),
        4 => who.clone().prop_map(Step::Offline),
        8 => (who.clone(), room.clone(), prop::option::of(Just("word"))).prop_map(|(a, b, c)| Step::Enter(a, b, c)),
        3 => (who.clone(), who.clone()).prop_map(|(a, b)| Step::Direct(a, b)),
        14 => (who.clone(), room.clone(), deed).prop_map(|(a, b, c)| Step::InRoom(a, b, c)),
        4 => (who.clone(), room.clone(), 0..8i64).prop_map(|(a, b, c)| Step::Redact(a, b, c)),
        2 => (who.clone(), who.clone(), 0..8i64).prop_map(|(a, b, c)| Step::RedactDirect(a, b, c)),
        3 => (who.clone(), room.clone(), room.clone()).prop_map(|(a, b, c)| Step::Rename(a, b, c)),
        1 => room.clone().prop_map(Step::CreateRoom),
        1 => room.clone().prop_map(Step::RemoveRoom),
        1 => who.clone().prop_map(Step::RemoveUser),
        1 => who.clone().prop_map(Step::EraseUser),
        3 => (1..4usize).prop_map(Step::Erase),
        6 => (who, prop::option::of(room), prop::sample::select(&["a", "b"][..]), prop::option::of(Just("x")))
            .prop_map(|(a, b, c, d)| Step::Describe(a, b, c, d)),
    ]
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => (prop::sample::select(&['i', 'm', 'n', 's', 't'][..]), any::<bool>()).prop_map(|(a, b)| Change::Flag(a, b)),
        1 => prop::option::of(Just("word")).prop_map(Change::Key),
        1 => prop::option::of(1..3u32).prop_map(Change::Limit),
        3 => (prop::sample::select(&['o', 'v'][..]), 0..PEOPLE.len(), any::<bool>())
            .prop_map(|(a, b, c)| Change::Rank(a, b, c)),
        3 => (prop::sample::select(&['b', 'e', 'I', 'q'][..]), prop::sample::select(&MASKS[..]), any::<bool>())
            .prop_map(|(a, b, c)| Change::Mask(a, b, c)),
    ]
}

fn any_group() -> impl Strategy<Value = Act> {
    let trap = prop_oneof![3 => (1..6i64).prop_map(Trap::Event), 1 => Just(Trap::Commit)];
    (prop::collection::vec(any_step(), 1..12), 1_000..9_000i64, prop::option::weighted(0.3, trap))
        .prop_map(|(steps, now, trap)| Act::Group { steps, now, trap })
}

/// People come, some of them into one room, and then anything.
fn any_program(crashes: u32) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![6 => any_group(), crashes => Just(Act::Crash)];
    prop::collection::vec(act, 1..9).prop_map(|acts| {
        let mut steps: Vec<Step> = (0..PEOPLE.len()).map(Step::Online).collect();
        steps.extend((1..3).map(|who| Step::Enter(who, 1, None)));
        let mut program = vec![Act::Group { steps, now: 2_000, trap: None }];
        program.extend(acts);
        program
    })
}

/// A log on a database of its own, with what the publisher would keep of it.
struct Bench {
    dir: TempDir,
    core: Option<Core>,
    directory: Directory,
    roster: Roster,
    people: Vec<Who>,
    /// Who is in which channels, as told by the effects.
    inside: BTreeSet<(AccountId, RoomId)>,
    /// Rooms in which somebody seemed present at a crash, and where they stood.
    to_reset: BTreeMap<RoomId, Seq>,
    /// The groups that were stored, without what was refused.
    accepted: Vec<(i64, Vec<Intent>)>,
}

impl Bench {
    fn new() -> Bench {
        let mut bench = Bench {
            dir: tempfile::tempdir().unwrap(),
            core: None,
            directory: Directory::default(),
            roster: Roster::default(),
            people: Vec::new(),
            inside: BTreeSet::new(),
            to_reset: BTreeMap::new(),
            accepted: Vec::new(),
        };
        bench.open();
        let order = |name: &&str| {
            let hash = HashText(HASH.to_owned());
            let order = Order::AddUser { name: name.to_string(), hash, admin: *name == "dora", bot: false };
            Intent::Order { row: None, order, by: None }
        };
        NOW.set(1_000);
        let orders: Vec<Intent> = PEOPLE.iter().map(order).collect();
        let commit = bench.core().commit(&orders);
        assert!(commit.outcomes.iter().all(Result::is_ok));
        for effect in commit.effects {
            if let Effect::Account { key, person } = effect {
                bench.roster.add(&key, person);
            }
        }
        bench.people = bench.reader().accounts().unwrap().into_iter().map(|a| Who { id: a.id, nick: a.name }).collect();
        bench
    }

    /// As at a start, after whatever end.
    fn open(&mut self) {
        self.core = None;
        (self.directory, self.roster, self.inside) = Default::default();
        let writer = Writer::open(self.dir.path()).unwrap();
        self.core = Some(Core::open(writer, clock, settings(), &self.directory, &self.roster).unwrap());
    }

    fn core(&mut self) -> &mut Core {
        self.core.as_mut().unwrap()
    }

    fn image(&self) -> Image {
        self.core.as_ref().unwrap().image()
    }

    fn reader(&self) -> Reader {
        Reader::open(self.dir.path()).unwrap()
    }

    fn actor(&self, who: usize) -> Actor {
        Actor { who: self.people[who].clone(), admin: PEOPLE[who] == "dora" }
    }

    fn intent(&self, step: &Step) -> Intent {
        let room = |room: usize| self.directory.by_key(ROOMS[room]).map_or(NOWHERE, |room| room.id);
        let order = |order| Intent::Order { row: None, order, by: None };
        match step {
            Step::Online(who) => Intent::Online {
                actor: self.actor(*who),
                realname: "Somebody".into(),
                proof: Proof::Password(HASH.into()),
                device: "".into(),
            },
            Step::Offline(who) => {
                let seen = self.image().last.0;
                Intent::Offline { who: self.people[*who].clone(), reason: "gone".into(), device: "".into(), seen }
            }
            Step::Enter(who, room, word) => Intent::Enter {
                name: ROOMS[*room].into(),
                key: ROOMS[*room].to_owned(),
                actor: self.actor(*who),
                realname: "Somebody".into(),
                word: word.map(str::to_owned),
            },
            Step::Direct(who, to) => Intent::Direct {
                actor: self.actor(*who),
                to: self.people[*to].clone(),
                speech: Speech::Privmsg,
                text: "between us".into(),
                tags: "".into(),
                cuts: Default::default(),
            },
            Step::InRoom(who, at, deed) => {
                Intent::InRoom { room: room(*at), actor: self.actor(*who), wish: self.wish(deed) }
            }
            Step::Redact(who, at, back) => self.redact(*who, Place::Room(room(*at)), *back),
            Step::RedactDirect(who, with, back) => self.redact(*who, Place::With(self.people[*with].clone()), *back),
            Step::Rename(who, at, to) => Intent::Rename {
                actor: self.actor(*who),
                room: room(*at),
                name: ROOMS[*to].into(),
                key: ROOMS[*to].to_owned(),
                reason: "why not".into(),
            },
            Step::CreateRoom(room) => {
                order(Order::CreateRoom { name: ROOMS[*room].to_owned(), topic: Some("new".into()) })
            }
            Step::RemoveRoom(room) => order(Order::RemoveRoom { name: ROOMS[*room].to_owned() }),
            Step::Describe(who, at, key, value) => Intent::Describe {
                actor: self.actor(*who),
                session: 1,
                owner: at.map_or(Owner::Account(self.people[*who].id), |at| Owner::Room(room(at))),
                changes: vec![((*key).into(), value.map(Arc::from))],
                strict: true,
            },
            Step::RemoveUser(who) => order(Order::RemoveUser { name: PEOPLE[*who].to_owned() }),
            Step::EraseUser(who) => order(Order::EraseUser { name: PEOPLE[*who].to_owned() }),
            Step::Erase(limit) => match erase::next_step(&self.reader(), *limit).unwrap() {
                Some(step) => Intent::Erase(step),
                None => Intent::Nothing,
            },
        }
    }

    fn redact(&self, who: usize, place: Place, back: i64) -> Intent {
        let target = EventId(self.image().last.0.0 - back);
        Intent::Redact { actor: self.actor(who), place, target, window: None, reason: "oops".into() }
    }

    fn wish(&self, deed: &Deed) -> Wish {
        let who = |who: usize| self.people[who].clone();
        match deed {
            Deed::Part => Wish::Part { reason: "bye".into() },
            Deed::Say(speech) => {
                let (text, tags) = if *speech == Speech::Tagmsg { ("", "+draft/react=x") } else { ("some words", "") };
                Wish::Say { speech: *speech, to: None, text: text.into(), tags: tags.into(), cuts: Default::default() }
            }
            Deed::Kick(target) => Wish::Kick { target: who(*target), reason: "".into() },
            Deed::Topic(text) => Wish::Topic { text: (*text).into() },
            Deed::Invite(target) => Wish::Invite { target: who(*target) },
            Deed::Mode(changes) => {
                let change = |change: &Change| match change {
                    Change::Flag(letter, on) => ModeChange::Flag { letter: *letter, on: *on },
                    Change::Key(key) => ModeChange::Key(key.map(Arc::from)),
                    Change::Limit(limit) => ModeChange::Limit(*limit),
                    Change::Rank(letter, target, on) => {
                        ModeChange::Rank { letter: *letter, who: who(*target), on: *on }
                    }
                    Change::Mask(letter, mask, on) => {
                        ModeChange::List { letter: *letter, mask: (*mask).into(), on: *on }
                    }
                };
                Wish::Mode { changes: changes.iter().map(change).collect() }
            }
        }
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Group { steps, now, trap } => {
                let intents: Vec<Intent> = steps.iter().map(|step| self.intent(step)).collect();
                self.commit(*now, intents, *trap);
            }
            Act::Crash => {
                let reader = self.reader();
                for row in reader.rooms().unwrap() {
                    if reader.members(row.id).unwrap().iter().any(|member| member.present) {
                        self.to_reset.entry(row.id).or_insert(reader.head(row.id).unwrap());
                    }
                }
                self.open();
            }
        }
    }

    /// Commits a group; if a trap made it fail, sees that nothing happened, and commits it again without the trap.
    fn commit(&mut self, now: i64, intents: Vec<Intent>, trap: Option<Trap>) -> Vec<Result<Receipt, Refusal>> {
        NOW.set(now);
        let before = self.image();
        if let Some(trap) = trap {
            let (tables, last) = (self.dump(), before.last.0.0);
            self.set_trap(Some((trap, last)));
            let commit = self.core().commit(&intents);
            self.set_trap(None);
            if commit.outcomes.iter().all(is_lost) {
                assert_eq!((commit.outcomes.len(), commit.last.0), (intents.len(), last));
                assert!(commit.growth.is_empty() && commit.effects.is_empty());
                assert_eq!(self.image(), before, "memory after a group that failed");
                assert_eq!(self.dump(), tables, "tables after a group that failed");
                let outcomes = self.commit(now, intents, None);
                let made = self.image().last.0.0 - last;
                assert!(made >= if let Trap::Event(at) = trap { at } else { 1 }, "it failed without reason");
                return outcomes;
            }
            assert!(!commit.outcomes.iter().any(is_lost), "a part of a group was lost");
            let made = commit.last.0 - last;
            assert!(made < if let Trap::Event(at) = trap { at } else { 1 }, "the trap did not work");
            return self.publish(now, intents, commit);
        }
        let commit = self.core().commit(&intents);
        assert!(!commit.outcomes.iter().any(is_lost), "{:?}", commit.outcomes);
        self.publish(now, intents, commit)
    }

    fn publish(&mut self, now: i64, intents: Vec<Intent>, commit: Commit) -> Vec<Result<Receipt, Refusal>> {
        for effect in &commit.effects {
            match effect {
                Effect::RoomLoaded { key, room } => self.directory.add(key, room.clone()),
                Effect::Renamed { room, old, key } => self.directory.rename(room.clone(), old, key),
                _ => {}
            }
        }
        for growth in commit.growth {
            growth.room.grow(growth.entries, growth.state, &mut Vec::new());
        }
        for effect in commit.effects {
            match effect {
                Effect::RoomGone { room } => {
                    self.directory.remove(room.id);
                    self.inside.retain(|(_, inside)| *inside != room.id);
                    self.to_reset.remove(&room.id);
                }
                Effect::Described { owner, changes, .. } => {
                    metadata::put(&self.directory, &self.roster, owner, &changes);
                }
                Effect::Redacted { room, target } => room.redact(target),
                Effect::Rewritten { events } => rewrite(&self.directory, &events),
                Effect::Forget { room } => room.forget_entries(),
                Effect::Present { account, room, inside: true } => drop(self.inside.insert((account, room))),
                Effect::Present { account, room, inside: false } => drop(self.inside.remove(&(account, room))),
                _ => {}
            }
        }
        let kept = intents.into_iter().zip(&commit.outcomes).filter(|(_, outcome)| outcome.is_ok());
        self.accepted.push((now, kept.map(|(intent, _)| intent).collect()));
        commit.outcomes
    }

    /// Makes the store fail at the given event after `last`, or at the commit of any event.
    fn set_trap(&self, trap: Option<(Trap, i64)>) {
        let conn = rusqlite::Connection::open(database_path(self.dir.path())).unwrap();
        let sql = match trap {
            None => {
                "DROP TRIGGER IF EXISTS trap; DROP TABLE IF EXISTS trap_door; DROP TABLE IF EXISTS trap_floor;".into()
            }
            Some((Trap::Event(at), last)) => format!(
                "CREATE TRIGGER trap AFTER INSERT ON events WHEN NEW.id = {} BEGIN SELECT RAISE(FAIL, 'trap'); END;",
                last + at
            ),
            Some((Trap::Commit, _)) => "
                CREATE TABLE trap_floor (id INTEGER PRIMARY KEY);
                CREATE TABLE trap_door (id INTEGER REFERENCES trap_floor(id) DEFERRABLE INITIALLY DEFERRED);
                CREATE TRIGGER trap AFTER INSERT ON events BEGIN INSERT INTO trap_door VALUES (1); END;"
                .to_owned(),
        };
        conn.execute_batch(&sql).unwrap();
    }

    /// All rows of all tables, and what the index finds.
    fn dump(&self) -> Vec<String> {
        let conn = rusqlite::Connection::open(database_path(self.dir.path())).unwrap();
        let mut dump = Vec::new();
        let tables = "accounts rooms members invites room_masks markers events log metadata erasures erasure_masks";
        // Each server has a salt of its own, and sweeps its pages when it likes.
        let meta = "(SELECT * FROM meta WHERE key NOT IN ('name_salt', 'taken_away', 'swept'))";
        for table in tables.split(' ').chain([meta]) {
            let mut statement = conn.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
            let count = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<rusqlite::types::Value> = (0..count).map(|at| row.get(at).unwrap()).collect();
                dump.push(format!("{table} {values:?}"));
            }
        }
        for text in ["some", "between"] {
            let search = Search { text: text.to_owned(), limit: 10_000, ..Search::default() };
            dump.push(format!("{:?}", self.reader().search(&search).unwrap()));
        }
        dump
    }

    /// The fold of the log = the tables = memory = what was made visible; and the order of the log itself.
    fn check(&self) {
        let (reader, image) = (self.reader(), self.image());
        let rooms: Vec<RoomRow> = (1..200).filter_map(|id| reader.room(RoomId(id)).unwrap()).collect();
        let mut all: BTreeMap<EventId, Event> = BTreeMap::new();
        for row in &rooms {
            let log = reader.read(row.id, 1, usize::MAX).unwrap();
            if self.is_on_its_way_out(&reader, row.id, row.kind) {
                continue;
            }
            let seqs: Vec<Seq> = log.iter().map(|(seq, _)| *seq).collect();
            assert_eq!(seqs, (1..=log.len() as Seq).collect::<Vec<_>>(), "{}", row.name);
            assert_eq!(reader.head(row.id).unwrap(), log.len() as Seq);
            assert!(log.windows(2).all(|pair| pair[0].1.id < pair[1].1.id), "{}", row.name);
            let mut fold = RoomState::empty(row.id, row.kind, row.name.clone());
            for (seq, event) in &log {
                fold.apply(*seq, event);
                let elsewhere = all.insert(event.id, event.clone());
                assert!(elsewhere.is_none_or(|other| other == *event), "one event, two stories");
            }
            if let Some(head) = self.to_reset.get(&row.id).filter(|head| log.len() as Seq > **head) {
                assert_eq!(log[*head as usize].1.body, Body::Reset, "the first event after a crash in {}", row.name);
            }
            let tables = self.state_of(&reader, row);
            if row.kind == RoomKind::Direct {
                fold.created = row.created;
            }
            assert_eq!(fold, tables, "the fold of the log, and the tables");

            let Some((key, memory, head, needs_reset)) = image.rooms.get(&row.id) else {
                assert_eq!(row.kind, RoomKind::Direct, "{} is not in memory", row.name);
                continue;
            };
            let mut expected = tables;
            if *needs_reset {
                expected.members.values_mut().for_each(|member| member.present = false);
            }
            expected.created = if row.kind == RoomKind::Direct { memory.created } else { expected.created };
            assert_eq!(memory, &expected, "memory, and the tables");
            assert_eq!((key, *head), (&row.key, log.len() as Seq));
            let shown = self.directory.by_id(row.id).expect("a room that is visible");
            assert_eq!(&*shown.snapshot().state, memory, "what is visible, and memory");
            assert_eq!(shown.snapshot().head, *head);
            for (seq, event) in &log {
                if let Page::Entries(entries) = shown.read(*seq, 1) {
                    assert_eq!(&entries[0].event, event, "what is in the tail, and in the store");
                }
            }
            assert!(self.directory.by_key(key).is_some_and(|other| Arc::ptr_eq(&other, &shown)));
            if row.kind == RoomKind::Channel {
                let present: BTreeSet<AccountId> = memory.present().map(|(id, _)| id).collect();
                let told: BTreeSet<AccountId> =
                    self.inside.iter().filter(|(_, room)| *room == row.id).map(|(id, _)| *id).collect();
                assert_eq!(present, told, "who is in {}", row.name);
            }
        }
        self.check_metadata(&reader, &rooms);
        let known: BTreeSet<RoomId> = rooms.iter().map(|row| row.id).collect();
        assert!(image.rooms.keys().all(|id| known.contains(id)), "a room in memory alone");
        let named = image.rooms.iter().map(|(id, (key, ..))| (key.clone(), *id));
        assert_eq!(named.collect::<BTreeMap<_, _>>(), image.by_key);
        let times: Vec<Millis> = all.values().map(|event| event.time).collect();
        assert!(times.is_sorted(), "time went back");
        assert!(all.keys().all(|id| *id <= image.last.0));
    }

    /// Whether it is a conversation with somebody who is being erased.
    fn is_on_its_way_out(&self, reader: &Reader, room: RoomId, kind: RoomKind) -> bool {
        let members = reader.members(room).unwrap();
        kind == RoomKind::Direct && members.iter().any(|member| member.nick.starts_with("erased-"))
    }

    /// What is shown of metadata are its rows; and there are none of what is gone.
    fn check_metadata(&self, reader: &Reader, rooms: &[RoomRow]) {
        let mut rows: BTreeMap<Owner, Vec<KeyChange>> = BTreeMap::new();
        for (owner, key) in reader.all_metadata().unwrap() {
            rows.entry(owner).or_default().push(key);
        }
        let shown = |metadata: &Metadata| -> Vec<KeyChange> {
            metadata.all().into_iter().map(|(key, value)| (key, Some(value))).collect()
        };
        for room in rooms.iter().filter(|row| row.kind == RoomKind::Channel) {
            let shown = shown(&self.directory.by_id(room.id).expect("a room that is visible").metadata);
            assert_eq!(shown, rows.remove(&Owner::Room(room.id)).unwrap_or_default(), "{}", room.name);
        }
        for account in reader.accounts().unwrap().iter().filter(|row| !row.removed) {
            let shown = shown(&self.roster.by_id(account.id).expect("an account that is visible").metadata);
            assert_eq!(shown, rows.remove(&Owner::Account(account.id)).unwrap_or_default(), "{}", account.name);
        }
        assert!(rows.is_empty(), "of nobody: {rows:?}");
    }

    /// A room as its rows tell it.
    fn state_of(&self, reader: &Reader, row: &RoomRow) -> RoomState {
        let mut state = RoomState::empty(row.id, row.kind, row.name.clone());
        fold_modes(&mut state, &row.modes, &"".into(), Millis(0));
        assert_eq!(state.modes.print(true), &*row.modes);
        state.topic = row.topic.as_ref().map(|t| Topic { text: t.text.clone(), by: t.by.clone(), at: t.at });
        (state.founder, state.created) = (row.founder, row.created);
        let member = |m: crate::store::MemberRow| {
            (m.account, Member { nick: m.nick, op: m.op, voice: m.voice, present: m.present, joined: m.joined })
        };
        state.members = reader.members(row.id).unwrap().into_iter().map(member).collect();
        state.invited = reader.invited(row.id).unwrap().into_iter().collect();
        for row in reader.masks(row.id).unwrap() {
            state.masks.set(row.list, Masked { mask: row.mask, by: row.by, at: row.at });
        }
        state
    }
}

/// Whether the store failed (and not: somebody was refused).
fn is_lost(outcome: &Result<Receipt, Refusal>) -> bool {
    matches!(outcome, Err(Refusal::NotStored(text)) if text.starts_with("Not stored: "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_fold_of_the_log_is_the_tables_is_memory(program in any_program(1)) {
        let mut bench = Bench::new();
        for act in &program {
            bench.act(act);
            bench.check();
        }
        bench.act(&Act::Crash);
        bench.check();
        bench.act(&Act::Group { steps: (0..PEOPLE.len()).map(Step::Online).collect(), now: 10_000, trap: None });
        bench.check();
    }

    /// Whoever is erased in the end is nowhere, whatever they did and others did to them; and the law still holds.
    #[test]
    fn nothing_of_who_is_erased_is_left(program in any_program(1), limit in 1usize..60) {
        let mut bench = Bench::new();
        program.iter().for_each(|act| bench.act(act));
        bench.act(&group(&[Step::EraseUser(0)]));
        bench.check();
        while erase::next_step(&bench.reader(), limit).unwrap().is_some() {
            bench.act(&group(&[Step::Erase(limit)]));
            bench.check();
        }
        for line in bench.dump() {
            prop_assert!(!line.to_lowercase().contains("anna"), "{}", line);
        }
        bench.act(&Act::Crash);
        bench.act(&group(&[Step::Online(0), Step::Online(1), Step::Direct(0, 1), Step::Direct(1, 0), Step::Enter(0, 1, None)]));
        bench.check();
        prop_assert!(bench.dump().iter().all(|line| !line.contains("anna")));
    }

    /// Whoever leaves out all that was refused gets the same log, the same tables and the same memory.
    #[test]
    fn what_is_refused_leaves_no_trace(program in any_program(0)) {
        let mut bench = Bench::new();
        program.iter().for_each(|act| bench.act(act));
        let mut other = Bench::new();
        for (now, intents) in bench.accepted.clone() {
            let outcomes = other.commit(now, intents, None);
            prop_assert!(outcomes.iter().all(Result::is_ok), "{:?}", outcomes);
        }
        prop_assert_eq!(bench.image(), other.image());
        prop_assert_eq!(bench.dump(), other.dump());
    }
}

fn group(steps: &[Step]) -> Act {
    Act::Group { steps: steps.to_vec(), now: 5_000, trap: None }
}

fn kinds(bench: &Bench, room: &str) -> Vec<&'static str> {
    let reader = bench.reader();
    let id = reader.room_by_key(room).unwrap().unwrap().id;
    reader.read(id, 1, 1000).unwrap().iter().map(|(_, event)| event.kind().word()).collect()
}

#[test]
fn a_quit_is_one_event_in_several_logs() {
    let mut bench = Bench::new();
    bench.act(&group(&[Step::Online(0), Step::Enter(0, 1, None), Step::Enter(0, 2, None), Step::Offline(0)]));
    let reader = bench.reader();
    let last = |room: &str| reader.read(reader.room_by_key(room).unwrap().unwrap().id, 1, 99).unwrap().pop().unwrap().1;
    assert_eq!(last("#one").body, Body::Quit { reason: "gone".into() });
    assert_eq!(last("#one"), last("#two"));
    assert_eq!(last("#one"), last("#auto"));
    bench.check();
}

#[test]
fn only_the_last_session_quits() {
    let mut bench = Bench::new();
    bench.act(&group(&[Step::Online(0), Step::Online(0), Step::Offline(0)]));
    assert_eq!(kinds(&bench, "#auto"), ["created", "join"]);
    bench.act(&group(&[Step::Offline(0), Step::Offline(0), Step::Online(0)]));
    assert_eq!(kinds(&bench, "#auto"), ["created", "join", "quit", "join"]);
    bench.check();
}

/// Nobody can be taken out of a room by an order before the log has said that nobody is there.
#[test]
fn a_removed_account_leaves_after_the_reset() {
    let mut bench = Bench::new();
    bench.act(&group(&[Step::Online(0), Step::Online(1)]));
    bench.act(&Act::Crash);
    bench.act(&group(&[Step::RemoveUser(0)]));
    assert_eq!(kinds(&bench, "#auto"), ["created", "join", "join", "reset", "part"]);
    bench.check();
}

#[test]
fn a_room_removed_and_made_anew_in_a_group_that_fails_is_still_there() {
    let mut bench = Bench::new();
    bench.act(&group(&[Step::Online(0), Step::Enter(0, 1, None)]));
    let steps = vec![Step::RemoveRoom(1), Step::Enter(0, 1, None)];
    bench.act(&Act::Group { steps, now: 5_000, trap: Some(Trap::Commit) });
    bench.check();
    assert_eq!(kinds(&bench, "#one"), ["created", "join"]);
    let steps = vec![Step::CreateRoom(2), Step::RemoveRoom(2), Step::Enter(0, 3, None)];
    bench.act(&Act::Group { steps, now: 5_000, trap: Some(Trap::Event(4)) });
    bench.check();
}

/// Two rooms change their names, and somebody makes a room of a name that has become free: all or nothing.
#[test]
fn names_that_change_hands_in_a_group_that_fails_stay_where_they_were() {
    let mut bench = Bench::new();
    bench.act(&group(&[Step::Online(0), Step::Enter(0, 1, None), Step::Enter(0, 2, None)]));
    let ids = |bench: &Bench| [1, 2, 3].map(|at| bench.directory.by_key(ROOMS[at]).map(|room| room.id));
    let before = ids(&bench);
    let renames = |bench: &Bench| {
        let room = |at: usize| bench.directory.by_key(ROOMS[at]).unwrap().id;
        let rename = |id, to: usize| Intent::Rename {
            actor: bench.actor(0),
            room: id,
            name: ROOMS[to].into(),
            key: ROOMS[to].to_owned(),
            reason: "".into(),
        };
        vec![rename(room(1), 3), rename(room(2), 1), rename(room(1), 2), bench.intent(&Step::Enter(1, 3, None))]
    };
    let intents = renames(&bench);
    // It fails, and is then done: `commit` looks at both.
    bench.commit(5_000, intents, Some(Trap::Commit));
    bench.check();
    let after = ids(&bench);
    assert_eq!([after[0], after[1]], [before[1], before[0]]);
    assert!(after[2].is_some() && !before.contains(&after[2]));
    assert_eq!(kinds(&bench, "#one"), ["created", "join", "renamed"]);
    assert_eq!(kinds(&bench, "#three"), ["created", "join"]);
}

#[test]
fn what_is_taken_back_is_gone_from_the_tail_and_the_tables() {
    let mut bench = Bench::new();
    bench.act(&group(&[Step::Online(0), Step::Enter(0, 1, None)]));
    bench.act(&group(&[Step::InRoom(0, 1, Deed::Say(Speech::Privmsg))]));
    let room = bench.directory.by_key("#one").unwrap();
    let (said, head) = (bench.image().last.0, room.snapshot().head);
    let spoken = |limit| bench.reader().read_back(room.id, Seq::MAX, limit, crate::store::Kinds::Spoken).unwrap().len();
    assert_eq!((spoken(9), room.recent_spoken(head, 9).unwrap().len()), (1, 1));
    let intents = vec![bench.redact(0, Place::Room(room.id), 0)];
    assert!(bench.commit(6_000, intents.clone(), None)[0].is_ok());
    assert_eq!(bench.commit(6_000, intents, None), [Err(Refusal::NoSuchMessage)], "twice");
    let spoken = |limit| bench.reader().read_back(room.id, Seq::MAX, limit, crate::store::Kinds::Spoken).unwrap().len();
    assert_eq!((spoken(9), room.recent_spoken(head + 1, 9).unwrap().len()), (0, 0));
    assert!(room.entry(said).unwrap().event.is_redacted());
    assert!(bench.reader().event(said).unwrap().unwrap().is_redacted());
    bench.check();
}
