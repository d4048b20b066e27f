//! `chatd history`: reads a room's log page by page, whether or not the server runs. Memory does not grow with it.

mod format;

use std::io::{self, BufWriter, Write};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use super::text::{self, Edge, When};
use super::{Setup, room, usage, user};
use crate::clock;
use crate::event::{AccountId, Event, EventId, Millis, RoomId, Seq};
use crate::proto::names::AccountName;
use crate::store::{Kinds, Reader, RoomKind, RoomRow, Search};
pub use format::content;
use format::{Format, Printer};

/// Rows in memory at a time.
const PAGE: usize = 500;
const FOLLOW_EVERY: Duration = Duration::from_millis(250);
/// What `--follow` shows of the past unless told, as `tail -f` does.
const FOLLOW_LAST: u64 = 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The room, in quotes for the shell: '#name'; or two accounts for their direct messages: alice,bob
    room: String,
    /// Only the newest N
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// Only from this time on: 2026-11-23, "2026-11-23 15:04", 2026-11-23T15:04:05Z, or how long ago: 2h, 3d
    #[arg(long, value_name = "T", value_parser = When::parse)]
    since: Option<When>,
    /// Only before this time; a day is meant with all its hours
    #[arg(long, value_name = "T", value_parser = When::parse)]
    until: Option<When>,
    /// Only what this account did
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// Only messages with all these words
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// All that happened (joins, topics, kicks…), not only what was said
    #[arg(long, conflicts_with = "search")]
    all: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Go on with what is said from now on, until Ctrl-C
    #[arg(long, conflicts_with = "until")]
    follow: bool,
}

pub fn run(setup: &Setup, args: Args) -> anyhow::Result<()> {
    if args.follow && args.format == Format::Html {
        return usage("--follow has no end, and a page needs one; choose --format text, json or csv");
    }
    let reader = setup.reader()?;
    let (room, label) = find(&reader, &args.room)?;
    let (now, zone) = (clock::now(), text::zone());
    let question = Question {
        room: room.id,
        last: args.last.or((args.follow && args.since.is_none()).then_some(FOLLOW_LAST)),
        since: args.since.map(|when| when.resolve(now, zone, Edge::Start)),
        until: args.until.map(|when| when.resolve(now, zone, Edge::End)),
        from: args.from.map(|name| by(&reader, &name)).transpose()?,
        search: args.search,
        kinds: if args.all { Kinds::All } else { Kinds::Spoken },
    };
    let mut printer = Printer::start(BufWriter::new(io::stdout().lock()), args.format, &label, zone)?;
    // The head first: what is added while the past is printed is found by following.
    let head = reader.head(room.id)?;
    question.past(&reader, head, &mut |seq, event| printer.print(seq, event))?;
    if args.follow {
        question.follow(&reader, head, &mut printer)?;
    }
    Ok(printer.finish()?)
}

/// What is asked of one room.
struct Question {
    room: RoomId,
    last: Option<u64>,
    since: Option<Millis>,
    until: Option<Millis>,
    from: Option<By>,
    search: Option<String>,
    kinds: Kinds,
}

struct By {
    id: AccountId,
    key: String,
}

type Print<'a> = &'a mut dyn FnMut(Seq, &Event) -> io::Result<()>;

impl Question {
    /// Prints what is asked for up to `head`, oldest first.
    fn past(&self, reader: &Reader, head: Seq, print: Print) -> anyhow::Result<()> {
        if self.search.is_some() {
            // Newest first from the index; the numbers are kept to turn the order round, not the rows.
            let mut found: Vec<Seq> = Vec::new();
            self.search(reader, |seq, _| {
                if seq <= head {
                    found.push(seq);
                }
                self.last.is_none_or(|last| (found.len() as u64) < last)
            })?;
            for seq in found.into_iter().rev() {
                // It may have been taken away meanwhile.
                if let Some((at, event)) = reader.read(self.room, seq, 1)?.pop().filter(|(at, _)| *at == seq) {
                    print(at, &event)?;
                }
            }
            return Ok(());
        }
        let end = match self.until {
            Some(until) => reader.seq_at_time(self.room, until)?.saturating_sub(1).min(head),
            None => head,
        };
        let start = match self.since {
            Some(since) => reader.seq_at_time(self.room, since)?,
            None => 1,
        };
        let start = match self.last {
            Some(last) => self.start_of_last(reader, last, start, end)?,
            None => start,
        };
        self.forward(reader, start.saturating_sub(1), end, print).map(drop)
    }

    /// Prints what comes in, from `after` on, until printing fails.
    fn follow<W: Write>(&self, reader: &Reader, after: Seq, printer: &mut Printer<W>) -> anyhow::Result<()> {
        let mut after = after;
        loop {
            printer.flush()?;
            thread::sleep(FOLLOW_EVERY);
            let head = reader.head(self.room)?;
            if head <= after {
                continue;
            }
            if self.search.is_some() {
                let mut found = Vec::new();
                self.search(reader, |seq, event| {
                    let is_new = seq > after;
                    if is_new && seq <= head {
                        found.push((seq, event.clone()));
                    }
                    is_new
                })?;
                for (seq, event) in found.iter().rev() {
                    printer.print(*seq, event)?;
                }
            } else {
                self.forward(reader, after, head, &mut |seq, event| printer.print(seq, event))?;
            }
            after = head;
        }
    }

    /// Prints what fits in `(after, end]`.
    fn forward(&self, reader: &Reader, after: Seq, end: Seq, print: Print) -> anyhow::Result<()> {
        let mut after = after;
        loop {
            let page = reader.read_forward(self.room, after, PAGE, self.kinds)?;
            let Some((newest, _)) = page.last() else { return Ok(()) };
            after = *newest;
            for (seq, event) in &page {
                if *seq > end {
                    return Ok(());
                }
                if self.fits(event) {
                    print(*seq, event)?;
                }
            }
        }
    }

    /// Where the newest `last` that fit begin, counted back from `end`, but not before `start`.
    fn start_of_last(&self, reader: &Reader, last: u64, start: Seq, end: Seq) -> anyhow::Result<Seq> {
        let (mut before, mut left, mut found) = (end + 1, last, end + 1);
        while left > 0 {
            let page = reader.read_back(self.room, before, PAGE, self.kinds)?;
            let Some((oldest, _)) = page.first() else { break };
            before = *oldest;
            for (seq, event) in page.iter().rev() {
                if *seq < start || left == 0 {
                    return Ok(found);
                }
                if self.fits(event) {
                    (found, left) = (*seq, left - 1);
                }
            }
        }
        Ok(found)
    }

    fn fits(&self, event: &Event) -> bool {
        self.from.as_ref().is_none_or(|by| event.actor.as_ref().is_some_and(|who| who.id == by.id))
    }

    /// Shows matches of the search, newest first, until `more` has enough.
    fn search(&self, reader: &Reader, mut more: impl FnMut(Seq, &Event) -> bool) -> anyhow::Result<()> {
        let mut before: Option<EventId> = None;
        loop {
            let page = reader.search(&Search {
                rooms: Some(vec![self.room]),
                text: self.search.clone().unwrap_or_default(),
                from: self.from.as_ref().map(|by| by.key.clone()),
                since: self.since,
                until: self.until,
                before,
                limit: PAGE,
                from_oldest: false,
            })?;
            for (_, seq, event) in &page {
                if !more(*seq, event) {
                    return Ok(());
                }
            }
            match page.last() {
                Some((_, _, oldest)) => before = Some(oldest.id),
                None => return Ok(()),
            }
        }
    }
}

/// The room, and how to call it.
fn find(reader: &Reader, name: &str) -> anyhow::Result<(RoomRow, String)> {
    let Some((one, other)) = name.split_once(',').filter(|_| !name.starts_with('#')) else {
        let room = room::existing(reader, name)?;
        let label = room.name.to_string();
        return Ok((room, label));
    };
    let (one, other) = (user::existing(reader, one.trim())?, user::existing(reader, other.trim())?);
    let label = format!("{},{}", one.name, other.name);
    for room in reader.rooms_of(one.id)?.into_iter().filter(|room| room.kind == RoomKind::Direct) {
        let members = reader.members(room.id)?;
        let is_member = |id| members.iter().any(|member| member.account == id);
        if is_member(other.id) && members.len() == if one.id == other.id { 1 } else { 2 } {
            return Ok((room, label));
        }
    }
    anyhow::bail!("{} and {} have sent each other no direct messages", one.name, other.name)
}

/// Removed accounts too: what they said is kept.
fn by(reader: &Reader, name: &str) -> anyhow::Result<By> {
    let advice = || format!("there is no account {:?}; `chatd user list` shows them all", text::clean(name));
    let parsed = AccountName::parse(name).ok().with_context(advice)?;
    let row = reader.account_by_key(parsed.key())?.with_context(advice)?;
    Ok(By { id: row.id, key: row.key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Body, Speech, Who};
    use crate::store::{NewAccount, PasswordHashText, Writer};

    const NAMES: [&str; 3] = ["alice", "bob", "carol"];

    /// A room with 1,200 entries, a second apart: messages by alice and bob in turn, each tenth entry a join.
    struct Story {
        dir: tempfile::TempDir,
        reader: Reader,
        room: RoomId,
    }

    fn story() -> Story {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path()).unwrap();
        let tx = writer.begin().unwrap();
        let ids: Vec<AccountId> = NAMES
            .iter()
            .map(|name| {
                tx.create_account(&NewAccount {
                    name: (*name).into(),
                    key: (*name).into(),
                    skeleton: (*name).into(),
                    hash: PasswordHashText(String::new()),
                    admin: false,
                    bot: false,
                    created: Millis(0),
                })
                .unwrap()
            })
            .collect();
        let room = tx.create_room(RoomKind::Channel, "#lobby", "#lobby", "+nt", None, Millis(0)).unwrap();
        for seq in 1..=1200u64 {
            let who = (seq % 2) as usize;
            let body = match seq % 10 {
                0 => Body::Join { realname: "".into() },
                _ => {
                    let text = format!("line {seq} {}", if seq % 7 == 0 { "苹果" } else { "pears" });
                    Body::Said {
                        speech: Speech::Privmsg,
                        to: None,
                        text: text.into(),
                        tags: "".into(),
                        cuts: Default::default(),
                    }
                }
            };
            let actor = Some(Who { id: ids[who], nick: NAMES[who].into() });
            let event = Event { id: EventId(seq as i64), time: Millis(seq as i64 * 1000), actor, body };
            tx.append(&event, &[(room, seq)]).unwrap();
        }
        tx.commit().unwrap();
        Story { reader: Reader::open(dir.path()).unwrap(), room, dir }
    }

    impl Story {
        fn ask(&self) -> Question {
            Question {
                room: self.room,
                last: None,
                since: None,
                until: None,
                from: None,
                search: None,
                kinds: Kinds::Spoken,
            }
        }

        fn seqs(&self, question: Question) -> Vec<Seq> {
            let mut seqs = Vec::new();
            let head = self.reader.head(self.room).unwrap();
            question
                .past(&self.reader, head, &mut |seq, _| {
                    seqs.push(seq);
                    Ok(())
                })
                .unwrap();
            seqs
        }

        fn by(&self, name: &str) -> Option<By> {
            Some(by(&self.reader, name).unwrap())
        }
    }

    #[test]
    fn every_question_agrees_with_a_plain_count() {
        let story = story();
        let spoken = |seq: &Seq| !seq.is_multiple_of(10);
        let newest = |n: usize, all: Vec<Seq>| all[all.len() - n.min(all.len())..].to_vec();
        let all: Vec<Seq> = (1..=1200).filter(spoken).collect();
        assert_eq!(story.seqs(story.ask()), all);
        assert_eq!(story.seqs(Question { kinds: Kinds::All, ..story.ask() }), (1..=1200).collect::<Vec<Seq>>());
        for last in [0, 1, 20, 499, 500, 501, 1079, 1080, 5000] {
            let question = Question { last: Some(last as u64), ..story.ask() };
            assert_eq!(story.seqs(question), newest(last, all.clone()), "last {last}");
        }
        let window = Question { since: Some(Millis(100_000)), until: Some(Millis(900_000)), ..story.ask() };
        let within: Vec<Seq> = (100..900).filter(spoken).collect();
        assert_eq!(story.seqs(window), within);
        for last in [3, 600, 5000] {
            let since = Some(Millis(100_500));
            let question = Question { since, until: Some(Millis(900_000)), last: Some(last), ..story.ask() };
            assert_eq!(story.seqs(question), newest(last as usize, (101..900).filter(spoken).collect()));
        }
        let bobs: Vec<Seq> = all.iter().copied().filter(|seq| seq % 2 == 1).collect();
        assert_eq!(story.seqs(Question { from: story.by("BOB"), ..story.ask() }), bobs);
        assert_eq!(story.seqs(Question { from: story.by("bob"), last: Some(7), ..story.ask() }), newest(7, bobs));
        assert!(story.seqs(Question { from: story.by("carol"), ..story.ask() }).is_empty());
        assert!(story.seqs(Question { since: Some(Millis(9_000_000)), ..story.ask() }).is_empty());
    }

    #[test]
    fn searching_finds_the_words_oldest_first() {
        let story = story();
        let search = |text: &str| Question { search: Some(text.into()), ..story.ask() };
        let apples: Vec<Seq> = (1..=1200).filter(|seq| seq % 10 != 0 && seq % 7 == 0).collect();
        assert_eq!(story.seqs(search("苹果")), apples);
        let pears: Vec<Seq> = (1..=1200).filter(|seq| seq % 10 != 0 && seq % 7 != 0).collect();
        assert_eq!(story.seqs(search("pears")), pears, "more than a page");
        assert_eq!(story.seqs(Question { last: Some(2), ..search("苹果") }), apples[apples.len() - 2..]);
        let bobs: Vec<Seq> = apples.iter().copied().filter(|seq| seq % 2 == 1).collect();
        assert_eq!(story.seqs(Question { from: story.by("bob"), ..search("苹果") }), bobs);
        let late = Question { since: Some(Millis(1_000_000)), until: Some(Millis(1_100_000)), ..search("苹果") };
        assert_eq!(story.seqs(late), apples.iter().copied().filter(|s| (1000..1100).contains(s)).collect::<Vec<_>>());
        assert!(story.seqs(search("nothing OR \"")).is_empty());
    }

    /// Takes three lines, then is gone, like `head -3`.
    struct Three(Vec<u8>);

    impl Write for &mut Three {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.iter().filter(|&&byte| byte == b'\n').count() == 3 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn following_shows_what_comes_in_and_ends_when_nobody_reads() {
        for search in [None, Some("new".to_owned())] {
            let story = story();
            let (place, room) = (story.dir.path().to_owned(), story.room);
            let speaker = thread::spawn(move || {
                let mut writer = Writer::open(&place).unwrap();
                for seq in 1201..=1205u64 {
                    let body = Body::Said {
                        speech: Speech::Privmsg,
                        to: None,
                        text: "new".into(),
                        tags: "".into(),
                        cuts: Default::default(),
                    };
                    let event = Event { id: EventId(seq as i64), time: Millis(seq as i64 * 1000), actor: None, body };
                    let tx = writer.begin().unwrap();
                    tx.append(&event, &[(room, seq)]).unwrap();
                    tx.commit().unwrap();
                    thread::sleep(Duration::from_millis(40));
                }
            });
            let mut out = Three(Vec::new());
            let mut printer = Printer::start(&mut out, Format::Json, "#lobby", time::UtcOffset::UTC).unwrap();
            let error = Question { search, ..story.ask() }.follow(&story.reader, 1200, &mut printer).unwrap_err();
            assert!(crate::cli::is_broken_pipe(&error));
            let text = String::from_utf8(out.0).unwrap();
            let seqs: Vec<bool> =
                text.lines().zip(1201..).map(|(l, seq)| l.contains(&format!("\"seq\":{seq},"))).collect();
            assert_eq!(seqs, [true; 3], "{text}");
            speaker.join().unwrap();
        }
    }

    #[test]
    fn a_room_is_found_by_its_names() {
        let story = story();
        for name in ["#lobby", "lobby", "#LOBBY"] {
            assert_eq!(find(&story.reader, name).unwrap().0.id, story.room, "{name}");
        }
        for name in ["#nowhere", "alice,bob", "alice,nobody", "", "#a b"] {
            assert!(find(&story.reader, name).is_err(), "{name}");
        }
    }
}
