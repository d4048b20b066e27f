//! Crashes and broken disks at every step of a commit, and at random moments: what anybody saw is there afterwards, once and
//! in order; the tables are what the log says, and the database is whole.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use chatd::event::{Millis, RoomId, RoomKind};
use chatd::failpoint::Step;
use chatd::room::{Masked, Member, RoomState, Topic, fold_modes};
use chatd::store::{Reader, RoomRow};

use crate::durable::{assert_kept, spoken, talk_until_cut};
use crate::harness::{Client, Line, Record, Server, eventually};
use crate::retention::a_day_passes;

const TALKERS: &[&str] = &["alice", "bob"];

/// A server whose failpoints can be set.
struct Bench {
    server: Server,
    orders: PathBuf,
    _place: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Bench {
        let place = tempfile::tempdir().expect("a directory");
        let orders = place.path().join("failpoints");
        let path = orders.to_str().expect("UTF-8").to_owned();
        let server = Server::configure()
            .env("CHATD_FAILPOINTS", &path)
            .set("log.level", "info,chatd::log=debug")
            .user("watcher")
            .start()
            .await;
        Bench { server, orders, _place: place }
    }

    /// From now on this happens at the step; all at once, lest half of it be read.
    fn arm(&self, step: Step, what: &str) {
        let draft = self.orders.with_extension("draft");
        std::fs::write(&draft, format!("{} {what}", step.name())).expect("written");
        std::fs::rename(&draft, &self.orders).expect("in place");
    }

    fn disarm(&self) {
        std::fs::remove_file(&self.orders).expect("armed");
    }

    /// There is something in `#old` that is too old. Nobody is logged in.
    async fn let_something_age(&mut self) {
        let mut alice = self.server.login("alice").await;
        alice.ask("JOIN #old").await;
        for n in 0..20 {
            alice.send(format!("PRIVMSG #old :old {n}")).await;
        }
        alice.sync().await;
        a_day_passes(&mut self.server).await;
        self.server.boot().await;
        self.server.chatd(&["room", "retention", "#old", "1h", "--yes"]).ok();
    }

    /// Does what leads to a step. What it starts may wait for a server that has died: it is given back, to be ended.
    async fn provoke(&mut self, step: Step, client: &mut Client, said: &str) -> Option<Child> {
        let line = match step {
            Step::Redact | Step::Checkpoint | Step::Checkpointed => format!("REDACT #lobby {said}"),
            Step::Mirror => "JOIN #another".to_owned(),
            // It is looked through the rooms when the terms change.
            Step::Prune => {
                self.server.reconfigure("history.presence_retention", "1000days");
                self.server.sighup();
                return None;
            }
            Step::Order => {
                let mut command = self.server.command();
                let order = command.args(["room", "create", "#ordered"]).stdout(Stdio::null()).stderr(Stdio::null());
                return Some(order.spawn().expect("it runs"));
            }
            _ => "PRIVMSG #lobby :one more".to_owned(),
        };
        // Nobody may be there any more to take it.
        client.send_bytes(format!("{line}\r\n").as_bytes()).await;
        None
    }
}

/// A room as its rows tell it.
fn state_of(reader: &Reader, row: &RoomRow) -> RoomState {
    let mut state = RoomState::empty(row.id, row.kind, row.name.clone());
    fold_modes(&mut state, &row.modes, &"".into(), Millis(0));
    state.topic = row.topic.as_ref().map(|t| Topic { text: t.text.clone(), by: t.by.clone(), at: t.at });
    (state.founder, state.created) = (row.founder, row.created);
    for m in reader.members(row.id).expect("members") {
        let member = Member { nick: m.nick, op: m.op, voice: m.voice, present: m.present, joined: m.joined };
        state.members.insert(m.account, member);
    }
    state.invited = reader.invited(row.id).expect("invitations").into_iter().collect();
    for row in reader.masks(row.id).expect("masks") {
        state.masks.set(row.list, Masked { mask: row.mask, by: row.by, at: row.at });
    }
    state
}

/// The database of a stopped server is whole, and its tables are the fold of its log.
fn check_whole(data_dir: &Path) {
    let database = rusqlite::Connection::open(data_dir.join("chat.db")).expect("the database");
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
    let dangling: i64 =
        database.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0)).expect("a count");
    assert_eq!(dangling, 0, "rows that point nowhere");
    drop(database);
    let reader = Reader::open(data_dir).expect("a database of ours");
    let rooms: Vec<RoomRow> = (1..100).filter_map(|id| reader.room(RoomId(id)).expect("readable")).collect();
    for row in rooms {
        let log = reader.read(row.id, 1, usize::MAX).expect("the log");
        // Retention has taken the beginning away, and with it what the tables came from.
        if log.first().is_none_or(|(seq, _)| *seq > 1) {
            continue;
        }
        let mut fold = RoomState::empty(row.id, row.kind, row.name.clone());
        log.iter().for_each(|(seq, event)| fold.apply(*seq, event));
        if row.kind == RoomKind::Direct {
            fold.created = row.created;
        }
        assert_eq!(fold, state_of(&reader, &row), "the fold of the log, and the tables");
    }
}

/// Cuts the power at one step while people talk, and looks at what is left.
async fn crash_at(step: Step) {
    let mut bench = Bench::start().await;
    if step == Step::Prune {
        bench.let_something_age().await;
    }
    let mut actor = bench.server.login("carol").await;
    let said = actor.ask("PRIVMSG #lobby :to be taken back").await;
    let said = said[0].tag("msgid").expect("an id").to_owned();
    let (mut watcher, _watching) = bench.server.login("watcher").await.split();
    let mut talks = Vec::new();
    for &name in TALKERS {
        talks.push((name, talk_until_cut(bench.server.login(name).await, name, 0)));
    }
    let mut watched: Vec<Line> = Vec::new();
    while watched.len() < 60 {
        let line = watcher.next().await.expect("the flow");
        watched.extend(Some(line).filter(Line::is_speech));
    }
    // The index is gone to when there is time for it, or when much waits: the talk sees to that.
    bench.arm(step, "die");
    let ordering = bench.provoke(step, &mut actor, &said).await;
    let status = bench.server.ended().await;
    if let Some(mut ordering) = ordering {
        let _ = ordering.kill();
        let _ = ordering.wait();
    }
    assert!(!status.success(), "it died: {status}");
    while let Some(line) = watcher.next().await {
        watched.extend(Some(line).filter(Line::is_speech));
    }
    let mut seen = vec![("watcher", watched)];
    for (name, talk) in talks {
        seen.push((name, talk.await.expect("the talk")));
    }
    bench.disarm();

    check_whole(&bench.server.data_dir());
    bench.server.boot().await;
    let history = spoken(&bench.server);
    for (name, lines) in &seen {
        assert_kept(name, lines, &history);
    }
    // Everything goes on, and what was interrupted is done or can be done.
    let mut back = bench.server.login("carol").await;
    back.ask("PRIVMSG #lobby :afterwards").await;
    if step == Step::Order {
        eventually("the order to be carried out after all", async || {
            let rooms = bench.server.chatd(&["room", "list"]).ok();
            rooms.contains("#ordered").then_some(())
        })
        .await;
    }
    assert_eq!(spoken(&bench.server).last().map(|entry| entry.text().to_owned()).as_deref(), Some("afterwards"));
    bench.server.sigterm();
    assert!(bench.server.ended().await.success());
    check_whole(&bench.server.data_dir());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_step_loses_nothing_that_was_seen() {
    // An upgrade has its own test, among the upgrades.
    for step in Step::ALL.into_iter().filter(|step| *step != Step::Migrate) {
        eprintln!("--- a crash at {step:?}");
        crash_at(step).await;
    }
}

/// As long as a step fails, those who want something stored are told that it is not; nobody sees it. What nobody waits for
/// is tried again, and meanwhile all goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_at_any_step_is_told_and_survived() {
    let mut bench = Bench::start().await;
    bench.let_something_age().await;
    let mut alice = bench.server.login("alice").await;
    let mut bob = bench.server.login("bob").await;
    let mut kept = Vec::new();
    for step in Step::ALL.into_iter().filter(|step| step.can_fail() && *step != Step::Migrate) {
        eprintln!("--- a failure at {step:?}");
        let first = alice.ask(&format!("PRIVMSG #lobby :first {step:?}")).await;
        let id = first[0].tag("msgid").expect("an id").to_owned();
        kept.push(format!("first {step:?}"));
        bob.hears().await;
        let start = bench.server.log().len();
        bench.arm(step, "fail");
        if matches!(step, Step::Checkpoint | Step::Index | Step::Prune | Step::Order) {
            let ordering = bench.provoke(step, &mut alice, &id).await;
            let log = bench.server.log();
            eventually("the failure in the log", async || {
                let told = |record: &Record| record.json.to_string().contains("a failpoint says so");
                log.records(start).iter().any(told).then_some(())
            })
            .await;
            alice.sync().await;
            // People do not notice.
            alice.ask(&format!("PRIVMSG #lobby :during {step:?}")).await;
            assert!(bob.hears().await.contains(&format!("during {step:?}")), "{step:?}");
            bench.disarm();
            if let Some(mut ordering) = ordering {
                let done = eventually("the order", async || ordering.try_wait().expect("our child")).await;
                assert!(done.success(), "{done}");
            }
            match step {
                Step::Checkpoint => drop(kept.pop()),
                Step::Index => kept.push("one more".to_owned()),
                _ => {}
            }
            kept.push(format!("during {step:?}"));
            continue;
        }
        let command = match step {
            Step::Redact => format!("REDACT #lobby {id}"),
            Step::Mirror => "PART #lobby".to_owned(),
            _ => format!("PRIVMSG #lobby :second {step:?}"),
        };
        let answer = alice.ask(&command).await;
        assert!(
            answer.iter().any(|line| line.is_error() && line.text().contains("Not stored")),
            "{step:?}: {answer:?}"
        );
        assert_eq!(bob.sync().await, [], "{step:?}");
        bench.disarm();
        let answer = alice.ask(&command).await;
        assert!(!answer.iter().any(Line::is_error), "{step:?}: {answer:?}");
        assert!(!bob.sync().await.is_empty(), "{step:?}");
        match step {
            Step::Redact => drop(kept.pop()),
            Step::Mirror => {
                alice.ask("JOIN #lobby").await;
                bob.sync().await;
            }
            _ => kept.push(format!("second {step:?}")),
        }
    }
    assert_eq!(bench.server.said("#lobby"), kept);
    bench.server.restart().await;
    assert_eq!(bench.server.said("#lobby"), kept);
    eventually("the end of what is too old", async || bench.server.said("#old").is_empty().then_some(())).await;
    bench.server.sigterm();
    bench.server.ended().await;
    check_whole(&bench.server.data_dir());
}

/// The power goes at any moment: while the server starts, while people come, while they talk and change things.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_power_goes_at_random_moments() {
    const ROUNDS: usize = 10;
    let mut server = Server::start().await;
    let mut everything: HashSet<String> = HashSet::new();
    for round in 0..ROUNDS {
        let mut talks = Vec::new();
        for &name in &["alice", "bob", "carol"] {
            talks.push((name, talk_until_cut(server.login(name).await, name, round)));
        }
        let mut dave = server.login("dave").await;
        let changing = tokio::spawn(async move {
            for n in 0.. {
                let command = match n % 4 {
                    0 => format!("JOIN #room-{n}"),
                    1 => format!("TOPIC #room-{} :{round}", n - 1),
                    2 => format!("MODE #room-{} +bv *!bob@* dave", n - 2),
                    _ => format!("PART #room-{}", n - 3),
                };
                dave.send_bytes(format!("{command}\r\n").as_bytes()).await;
                if dave.read_line().await.is_none() {
                    return;
                }
            }
        });
        // Not waited for anything: the moment is to be any.
        let moment = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), round) % 400;
        tokio::time::sleep(Duration::from_millis(moment)).await;
        server.kill9();
        changing.abort();
        let mut seen = Vec::new();
        for (name, talk) in talks {
            seen.push((name, talk.await.expect("the talk")));
        }
        check_whole(&server.data_dir());
        server.boot().await;
        let history = spoken(&server);
        for (name, lines) in &seen {
            assert_kept(name, lines, &history);
            everything.extend(lines.iter().map(|line| line.tag("msgid").expect("an id").to_owned()));
        }
        let ids: HashSet<String> = history.into_iter().map(|entry| entry.msgid).collect();
        assert!(everything.iter().all(|id| ids.contains(id)), "lines of an earlier round are lost");
    }
}
