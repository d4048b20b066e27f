//! Micro-benchmarks of the hot paths: instructions, which are the same each time, and the best time of several.
//!
//! `cargo bench --bench micro` prints the table; `-- --out docs/benchmarks/micro.md` writes it too. Instructions are those
//! of this process as valgrind counts them (user space alone, no kernel): each path runs so many times and then twice as
//! many, so that what stands around it falls out. Without valgrind there are times alone.

use std::fmt::Write as _;
use std::hint::black_box;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chatd::event::{AccountId, Body, Event, EventId, Millis, RoomId, RoomKind, Speech, Who};
use chatd::live::{Mailbox, Roster};
use chatd::log::{Core, Cursor, Directory, Intent, Log, Settings};
use chatd::proto::caps::{Cap, CapSet};
use chatd::proto::line::Message;
use chatd::room::{Actor, Wish};
use chatd::store::{Kinds, Lock, MemberRow, NewAccount, Reader, Writer};
use clap::Parser;

/// Measures the hot paths of chatd, one by one.
#[derive(Parser)]
struct Args {
    /// Only those whose name holds this word.
    #[arg(long)]
    only: Option<String>,
    /// Where the table goes, besides the screen.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Runs one path so many times and says nothing: what valgrind watches.
    #[arg(long, hide = true, num_args = 2)]
    run: Option<Vec<String>>,
    /// What Cargo gives to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

/// A path: what it is, how often it runs under valgrind, and what it is made of: given a count, it runs so often.
struct Path {
    name: &'static str,
    times: u64,
    run: fn(u64) -> Result<Duration>,
}

const PATHS: &[Path] = &[
    Path { name: "parse: a line without tags", times: 20_000, run: |n| parse(n, PLAIN) },
    Path { name: "parse: a line with three tags", times: 20_000, run: |n| parse(n, TAGGED) },
    Path { name: "encode: a message for a plain client", times: 20_000, run: |n| encode(n, CapSet::EMPTY) },
    Path { name: "encode: a message with all its tags", times: 20_000, run: |n| encode(n, ALL) },
    Path { name: "append: a message, decided and committed alone", times: 500, run: |n| append(n, 1) },
    Path { name: "append: the same in a commit of 32, a message", times: 3_200, run: |n| append(n, 32) },
    Path { name: "append: the same in a commit of 1,000, a message", times: 10_000, run: |n| append(n, 1_000) },
    Path { name: "fan-out: a message through the log, no reader", times: 200, run: |n| fan_out(n, 0) },
    Path { name: "fan-out: the same, and 1,000 cursors take it", times: 200, run: |n| fan_out(n, 1_000) },
    Path { name: "page: 100 lines of 20,000 read and encoded", times: 200, run: page },
];

const PLAIN: &str =
    "PRIVMSG #room :Has anybody seen the notes of yesterday's meeting about the network cables in the cellar?";
const TAGGED: &str = "@label=x42;+draft/reply=2nh4v81c0;+typing=done PRIVMSG #room :Has anybody seen the notes of yesterday's \
                      meeting about the network cables in the cellar?";
const TEXT: &str =
    "Has anybody seen the notes of yesterday's meeting about the network cables in the cellar? I have not.";
const ALL: CapSet = CapSet::of(&[Cap::MessageTags, Cap::ServerTime, Cap::AccountTag, Cap::Batch]);
const HOST: &str = "chat.example.org";
/// Of the room that pages are read from.
const LINES: usize = 20_000;

fn main() -> Result<()> {
    let args = Args::parse();
    if let Some([name, count]) = args.run.as_deref() {
        let path = PATHS.iter().find(|path| path.name == name).context("no such path")?;
        (path.run)(count.parse()?)?;
        return Ok(());
    }
    let mut table = String::from(
        "# Hot paths, one by one\n\nWritten by `cargo bench --bench micro -- --out docs/benchmarks/micro.md`. Instructions are those of \
         the program alone, counted by\nvalgrind; times are the best of five and, where something is stored, those of this \
         machine's disk.\n\n| path | instructions | ns |\n| --- | --- | --- |\n",
    );
    for path in PATHS.iter().filter(|path| args.only.as_ref().is_none_or(|word| path.name.contains(word.as_str()))) {
        let mut best = Duration::MAX;
        for _ in 0..5 {
            best = best.min((path.run)(path.times)?);
        }
        let nanos = best.as_nanos() as f64 / path.times as f64;
        let instructions = match (instructions(path, path.times)?, instructions(path, 2 * path.times)?) {
            (Some(once), Some(twice)) => format!("{}", twice.saturating_sub(once) / path.times),
            _ => "valgrind is missing".to_owned(),
        };
        let row = format!("| {} | {instructions} | {nanos:.0} |", path.name);
        println!("{row}");
        writeln!(table, "{row}")?;
    }
    if let Some(out) = &args.out {
        std::fs::write(out, table)?;
        println!("written: {}", out.display());
    }
    Ok(())
}

/// What valgrind counts when the path runs so often in a process of its own; `None` without valgrind.
fn instructions(path: &Path, times: u64) -> Result<Option<u64>> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]);
    command.arg(std::env::current_exe()?).args(["--run", path.name, &times.to_string()]);
    let Ok(output) = command.output() else { return Ok(None) };
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "{}: {said}", path.name);
    // "==123== I   refs:      127,771"; the blanks differ by version.
    let line = said.lines().filter(|line| line.contains(" I ")).find_map(|line| line.split_once("refs:"));
    let (_, line) = line.context("valgrind does not say how many instructions there were")?;
    Ok(Some(line.trim().replace(',', "").parse()?))
}

/// The time that so many rounds take.
fn timed(times: u64, mut round: impl FnMut(u64)) -> Duration {
    let began = Instant::now();
    (0..times).for_each(&mut round);
    began.elapsed()
}

fn parse(times: u64, line: &str) -> Result<Duration> {
    Ok(timed(times, |_| {
        black_box(Message::parse(black_box(line)).is_ok());
    }))
}

fn encode(times: u64, caps: CapSet) -> Result<Duration> {
    let event = said(7, 1_790_000_000_000);
    Ok(timed(times, |_| {
        black_box(chatd::encode::event(black_box(&event), "#room", HOST, caps));
    }))
}

fn append(times: u64, group: u64) -> Result<Duration> {
    let dir = tempfile::tempdir()?;
    let (_lock, store) = empty(dir.path())?;
    let mut core = Core::open(store, chatd::clock::now, settings(), &Directory::default(), &Roster::default())?;
    let intents: Vec<Intent> = (0..group).map(|_| say()).collect();
    let mut failed = false;
    let took = timed(times / group, |_| failed |= core.commit(&intents).failed);
    anyhow::ensure!(!failed, "a commit has failed");
    Ok(took)
}

/// From the submission until all cursors have put the line where it is written from.
fn fan_out(times: u64, readers: u64) -> Result<Duration> {
    let dir = tempfile::tempdir()?;
    let (_lock, store) = empty(dir.path())?;
    drop(store);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (log, running) = Log::start(dir.path(), chatd::clock::now, settings())?;
        let room = log.directory().by_id(RoomId(1)).context("the room is there")?;
        let mut cursors: Vec<(Arc<Mailbox>, Cursor)> = (0..readers)
            .map(|n| {
                let mailbox = Mailbox::new(n, AccountId(1));
                let cursor = Cursor::attach(room.clone(), &mailbox).0;
                (mailbox, cursor)
            })
            .collect();
        let mut out = Vec::new();
        let began = Instant::now();
        for _ in 0..times {
            let told = log.ask(say()).await;
            anyhow::ensure!(told.is_ok(), "a message was refused");
            for (mailbox, cursor) in &mut cursors {
                black_box(mailbox.take());
                cursor.heard();
                while let Ok(Some(entry)) = cursor.peek() {
                    let slot = chatd::encode::slot(&entry.event, CapSet::EMPTY);
                    let bytes =
                        entry.encoding(slot, || chatd::encode::event(&entry.event, "#room", HOST, CapSet::EMPTY));
                    out.extend_from_slice(bytes);
                    cursor.advance();
                }
                black_box(&out);
                out.clear();
            }
        }
        let took = began.elapsed();
        drop(cursors);
        log.stop().await;
        running.ended().await;
        Ok(took)
    })
}

fn page(times: u64) -> Result<Duration> {
    let dir = tempfile::tempdir()?;
    {
        let (_lock, mut store) = empty(dir.path())?;
        let tx = store.begin()?;
        let first = tx.next_event_id()?.0;
        for n in 0..LINES as i64 {
            tx.append(&said(first + n, 1_790_000_000_000 + n), &[(RoomId(1), n as u64 + 1)])?;
        }
        tx.commit()?;
    }
    let reader = Reader::open(dir.path())?;
    let mut lines = 0;
    let mut place = 1u64;
    let took = timed(times, |_| {
        place = place.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let before = 101 + (place >> 33) % (LINES as u64 - 101);
        for (_, event) in reader.read_back(RoomId(1), before, 100, Kinds::Spoken).unwrap_or_default() {
            black_box(chatd::encode::event(&event, "#room", HOST, ALL));
            lines += 1;
        }
    });
    anyhow::ensure!(lines == 100 * times, "a page was not whole");
    Ok(took)
}

/// A data folder with one account in one room.
fn empty(dir: &std::path::Path) -> Result<(Lock, Writer)> {
    let lock = Lock::take(dir)?;
    let mut writer = Writer::open(dir)?;
    let tx = writer.begin()?;
    let (name, key) = (Arc::from("alice"), "alice".to_owned());
    let hash = "no password opens this".to_owned().into();
    let (skeleton, created) = (key.clone(), Millis(1));
    let account = tx.create_account(&NewAccount { name, key, skeleton, hash, admin: false, bot: false, created })?;
    let room = tx.create_room(RoomKind::Channel, "#room", "#room", "+nt", Some(account), created)?;
    let nick = "alice".into();
    tx.set_member(room, &MemberRow { account, nick, op: true, voice: false, present: true, joined: 1 })?;
    tx.commit()?;
    Ok((lock, writer))
}

fn settings() -> Settings {
    Settings {
        host: HOST.into(),
        auto_join: Vec::new(),
        everyone_creates: true,
        rooms_per_account: 100,
        tail_memory: 64 << 20,
    }
}

fn alice() -> Who {
    Who { id: AccountId(1), nick: "alice".into() }
}

fn say() -> Intent {
    let wish =
        Wish::Say { speech: Speech::Privmsg, to: None, text: TEXT.into(), tags: "".into(), cuts: Default::default() };
    Intent::InRoom { room: RoomId(1), actor: Actor { who: alice(), admin: false }, wish }
}

fn said(id: i64, time: i64) -> Event {
    let body =
        Body::Said { speech: Speech::Privmsg, to: None, text: TEXT.into(), tags: "".into(), cuts: Default::default() };
    Event { id: EventId(id), time: Millis(time), actor: Some(alice()), body }
}
