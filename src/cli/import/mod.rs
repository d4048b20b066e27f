//! `chatd import --from`: what was said on other systems becomes this server's history. The readers of the formats gather;
//! here it is decided who is who and which room is which, shown, and handed to the log: all of it or nothing.

mod clock;
mod gather;
mod logs;
mod slack;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use time::UtcOffset;

use self::clock::Zone;
use self::gather::{Deed, Found, FoundPerson, FoundRoom, Gathered};
use super::{Setup, text, usage};
use crate::admin;
use crate::clock::now;
use crate::encode;
use crate::event::{EventId, Millis, Speech, Who};
use crate::log::{Core, Imported, ImportedDeed, ImportedEntry, ImportedPlace, ImportedRoom, Story};
use crate::proto::line::BODY_MAX;
use crate::proto::names::{AccountName, RoomName};
use crate::store::{Lock, Reader, Writer, database_path};

/// Lines and bytes of one message; of a longer one the rest is the next.
const LINES_MAX: usize = 100;
const BYTES_MAX: usize = 16 * 1024;
/// People and rooms that the preview tells of one by one.
const TOLD_MAX: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Weechat,
    Irssi,
    Znc,
    Slack,
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Take over what was said on another system: files or folders of logs, or a Slack export
    #[arg(long, value_name = "SYSTEM", value_enum)]
    pub from: Option<Format>,
    /// Only say what would be imported
    #[arg(long, requires = "from")]
    dry_run: bool,
    /// A file that says whose nick is whose account: a nick and an account on each line
    #[arg(long, value_name = "FILE", requires = "from")]
    map: Option<PathBuf>,
    /// The time zone of the logs: Europe/Berlin, UTC, +02:00 [default: that of this machine]
    #[arg(long, value_name = "ZONE", requires = "from")]
    zone: Option<String>,
    /// Put all of it into this room, whatever the files are called
    #[arg(long, value_name = "ROOM", requires = "from")]
    room: Option<String>,
    /// Leave out the lines that cannot be understood
    #[arg(long, requires = "from")]
    skip: bool,
}

pub fn run(setup: &Setup, args: &Args, format: Format, files: &[PathBuf]) -> anyhow::Result<()> {
    let (config, _) = setup.load()?;
    let dir = &config.server.data_dir;
    let zone = Zone::parse(args.zone.as_deref())?;
    let program = match format {
        Format::Weechat => Some(logs::Program::WeeChat),
        Format::Irssi => Some(logs::Program::Irssi),
        Format::Znc => Some(logs::Program::Znc),
        Format::Slack => None,
    };
    let _lock = if args.dry_run { None } else { Some(Lock::take(dir)?) };
    let mut has_happened = false;
    if fs::exists(database_path(dir))? {
        // Of an older schema it is taken up now, but not for a mere look.
        has_happened = match args.dry_run {
            true => Reader::open(dir)?.next_event_id()? != EventId(1),
            false => Writer::open(dir)?.next_event_id()? != EventId(1),
        };
    }
    let refusal = format!(
        "something has happened on the server in {} already, and what is older cannot come after it: import into a new data_dir \
         (accounts may be there, rooms not), before anybody uses it",
        dir.display()
    );
    if has_happened && !args.dry_run {
        bail!(refusal);
    }
    let mut found = Gathered::default();
    match program {
        Some(program) => logs::read(program, files, args.room.as_deref(), &zone, now(), &mut found)?,
        None if args.room.is_some() || args.zone.is_some() => {
            return usage("a Slack export names its rooms and its times itself: leave --room and --zone out");
        }
        None => {
            let [file] = files else {
                return usage("a Slack export is one zip file, or the folder it was unpacked into");
            };
            slack::read(file, now(), &mut found)?;
        }
    }
    if found.entries.is_empty() && found.faults_in_all == 0 {
        bail!("there is nothing to import in {}; docs/import.md says how files are called", shown(files));
    }
    let map = args.map.as_deref().map(read_map).transpose()?.unwrap_or_default();
    let decided = Decided::of(&found, &map, Reader::open(dir).ok().as_ref())?;
    let story = tell(&found, &decided, program.map(|_| zone.name.as_str()), args)?;
    if args.dry_run {
        if has_happened {
            writeln!(io::stdout(), "It would be refused: {refusal}.")?;
        }
        return Ok(writeln!(io::stdout(), "Nothing was changed (--dry-run).")?);
    }
    if found.faults_in_all > 0 && !args.skip {
        bail!(
            "{} lines could not be understood (see above), so nothing was imported: mend them, or leave them out with --skip",
            found.faults_in_all
        );
    }
    drop(found);
    let story = cut(story, &config.server.name);
    let terminal = io::stderr().is_terminal();
    let word = format!("import --from {}", format!("{format:?}").to_lowercase());
    let all = story.entries.len();
    Core::import(dir, now, &story, &admin::author(), &word, |done| {
        if terminal {
            // Nobody is to lose an import over it.
            let _ = write!(io::stderr(), "\r\x1b[K{done} of {all}\r");
        }
    })?;
    let fresh = story.people.iter().filter(|person| matches!(person, Imported::New { .. })).count();
    writeln!(io::stdout(), "Imported: {all} entries in {} rooms into {}", story.rooms.len(), dir.display())?;
    if fresh > 0 {
        writeln!(
            io::stdout(),
            "{fresh} accounts were made, in which nobody can log in. To give one to its person: `chatd user passwd NAME`, then \
             `chatd user enable NAME`."
        )?;
    }
    Ok(())
}

/// What somebody does, as IRC says it.
fn action(text: &str) -> String {
    format!("\u{1}ACTION {text}\u{1}")
}

fn shown(files: &[PathBuf]) -> String {
    files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// `nick account`, one a line; `#` begins a remark.
fn read_map(file: &std::path::Path) -> anyhow::Result<HashMap<String, String>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut map = HashMap::new();
    for (line, number) in text.lines().zip(1..) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [] => {}
            [first, ..] if first.starts_with('#') => {}
            [nick, account] => {
                AccountName::parse(account).with_context(|| format!("{}, line {number}: {account}", file.display()))?;
                map.insert(nick.to_lowercase(), account.to_owned());
            }
            _ => bail!("{}, line {number}: write a nick and an account, with a blank between", file.display()),
        }
    }
    Ok(map)
}

/// Who is who, and which room is which.
struct Decided {
    people: Vec<Imported>,
    /// For each person of the log, the place in `people`.
    place_of: Vec<usize>,
    rooms: Vec<ImportedPlace>,
}

impl Decided {
    fn of(found: &Gathered, map: &HashMap<String, String>, reader: Option<&Reader>) -> anyhow::Result<Decided> {
        let mut decided = Decided { people: Vec::new(), place_of: Vec::new(), rooms: Vec::new() };
        let mut by_key: HashMap<String, usize> = HashMap::new();
        let mut looks: HashSet<String> = HashSet::new();
        // Those whose account is named come first, so that nobody else is given its name.
        let named = |person: &FoundPerson| map.get(&person.name.to_lowercase());
        let mut order: Vec<usize> = (0..found.people.len()).collect();
        order.sort_by_key(|at| named(&found.people[*at]).is_none());
        let mut place_of = vec![0; found.people.len()];
        for at in order {
            let person = &found.people[at];
            let wanted = named(person).map_or(person.name.as_str(), String::as_str);
            let certain = named(person).is_some();
            place_of[at] = decided.person(wanted, certain, person, reader, &mut by_key, &mut looks)?;
        }
        decided.place_of = place_of;
        let mut keys = HashSet::new();
        for room in &found.rooms {
            decided.rooms.push(match room.between {
                Some((one, other)) => ImportedPlace::Between(decided.place_of[one], decided.place_of[other]),
                None => {
                    let name = room_name(room)?;
                    if !keys.insert(name.key().to_owned()) {
                        bail!(
                            "two rooms would be called {}; import them one after the other's name with --room",
                            name.display()
                        );
                    }
                    ImportedPlace::Channel {
                        name: name.display().into(),
                        key: name.key().to_owned(),
                        private: room.private,
                    }
                }
            });
        }
        Ok(decided)
    }

    /// The account of this name, or of the one that comes nearest among those that can be.
    fn person(
        &mut self,
        wanted: &str,
        certain: bool,
        person: &FoundPerson,
        reader: Option<&Reader>,
        by_key: &mut HashMap<String, usize>,
        looks: &mut HashSet<String>,
    ) -> anyhow::Result<usize> {
        let base: String = wanted
            .chars()
            .map(|c| if c.is_whitespace() || c.is_control() || " ,*?!@./:#$%\"".contains(c) { '-' } else { c })
            .collect();
        let base = base.trim_start_matches(['~', '&', '+', '%', '@', '-']);
        let short: String = base.chars().take(24).collect();
        for n in 0..10_000 {
            let text = match n {
                0 if !base.is_empty() => base.to_owned(),
                _ if short.is_empty() => format!("somebody-{}", n + 1),
                n => format!("{short}-{}", n + 1),
            };
            let Ok(name) = AccountName::parse(&text) else { continue };
            if let Some(at) = by_key.get(name.key()) {
                // Two nicks of one person, by the map; or the name of somebody else.
                if certain || *wanted == *text {
                    return Ok(*at);
                }
                continue;
            }
            if let Some(reader) = reader {
                if let Some(row) = reader.account_by_key(name.key())?
                    && !row.removed
                {
                    by_key.insert(name.key().to_owned(), self.people.len());
                    self.people.push(Imported::Known(Who { id: row.id, nick: row.name }));
                    return Ok(self.people.len() - 1);
                }
                if reader.account_by_key(name.key())?.is_some()
                    || reader.accounts_by_skeleton(name.skeleton())?.is_some()
                    || reader.is_erased_name(name.key(), name.skeleton())?
                {
                    continue;
                }
            }
            if !looks.insert(name.skeleton().to_owned()) {
                continue;
            }
            by_key.insert(name.key().to_owned(), self.people.len());
            self.people.push(Imported::New {
                name: name.shared(),
                key: name.key().to_owned(),
                skeleton: name.skeleton().to_owned(),
                bot: person.bot,
                display_name: person.display_name.as_deref().map(Arc::from),
            });
            return Ok(self.people.len() - 1);
        }
        bail!("there is no name left that is like {wanted:?}; give the person one with --map")
    }
}

fn room_name(room: &FoundRoom) -> anyhow::Result<RoomName> {
    let fit: String =
        room.name.chars().map(|c| if c == ',' || c.is_whitespace() || c.is_control() { '-' } else { c }).collect();
    let fit = if fit.starts_with('#') { fit } else { format!("#{fit}") };
    RoomName::parse(&fit).with_context(|| format!("the room {}; give it another name with --room", room.name))
}

/// Says what there is, and makes a story of it.
fn tell(found: &Gathered, decided: &Decided, zone: Option<&str>, args: &Args) -> anyhow::Result<Story> {
    let mut out = io::stdout().lock();
    let mut order: Vec<usize> = (0..found.entries.len()).collect();
    order.sort_by_key(|at| found.entries[*at].time);
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(now, was)| place[*was] = now);

    let mut of_room = vec![(0u64, i64::MAX, i64::MIN); found.rooms.len()];
    let mut of_person = vec![0u64; found.people.len()];
    for entry in &found.entries {
        let (count, first, last) = &mut of_room[entry.room];
        (*count, *first, *last) = (*count + 1, (*first).min(entry.time), (*last).max(entry.time));
        of_person[entry.who] += 1;
    }
    let utc = |time: i64| text::local(Millis(time), UtcOffset::UTC);
    if let Some(zone) = zone {
        let how = if args.zone.is_some() { "" } else { " (this machine's; --zone names another)" };
        writeln!(out, "Times in the logs are read as {zone}{how}; here they are in UTC.")?;
    }
    let mut rows = Vec::new();
    for (at, room) in found.rooms.iter().enumerate() {
        let (count, first, last) = of_room[at];
        let name = match (&decided.rooms[at], room.between) {
            (ImportedPlace::Channel { name, .. }, _) => name.to_string(),
            (_, Some((one, other))) => format!("{}, {}", found.people[one].name, found.people[other].name),
            _ => room.name.clone(),
        };
        let marks = if room.private && room.between.is_none() { "private" } else { "" };
        let times = if count == 0 { [String::new(), String::new()] } else { [utc(first), utc(last)] };
        let [first, last] = times;
        rows.push(vec![name, count.to_string(), first, last, marks.to_owned()]);
    }
    let more_rooms = rows.len().saturating_sub(TOLD_MAX);
    rows.truncate(TOLD_MAX);
    text::print_table(&mut out, &["ROOM", "ENTRIES", "FROM", "TO", ""], rows)?;
    let mut rows = Vec::new();
    for (at, person) in found.people.iter().enumerate().filter(|(at, _)| of_person[*at] > 0) {
        let (account, how) = match &decided.people[decided.place_of[at]] {
            Imported::Known(who) => (who.nick.to_string(), "is there"),
            Imported::New { name, .. } => (name.to_string(), "new, locked"),
        };
        rows.push(vec![person.name.clone(), account, how.to_owned(), of_person[at].to_string()]);
    }
    let more_people = rows.len().saturating_sub(TOLD_MAX);
    rows.truncate(TOLD_MAX);
    text::print_table(&mut out, &["THERE", "ACCOUNT HERE", "", "ENTRIES"], rows)?;
    for (more, what) in [(more_rooms, "rooms"), (more_people, "people")] {
        if more > 0 {
            writeln!(out, "and {more} {what} more")?;
        }
    }
    for (what, count) in &found.passed {
        writeln!(out, "not taken over: {count} {what}")?;
    }
    for fault in &found.faults {
        writeln!(out, "not understood: {}:{}: {}", text::clean(&fault.file), fault.line, fault.why)?;
    }
    if found.faults_in_all > found.faults.len() as u64 {
        writeln!(out, "not understood: {} lines more", found.faults_in_all - found.faults.len() as u64)?;
    }
    let rooms = found.rooms.iter().zip(&decided.rooms).enumerate().map(|(at, (room, place))| ImportedRoom {
        place: place.clone(),
        created: Millis(room.created.unwrap_or_else(|| of_room[at].1.min(now().0))),
        members: members(room, decided),
    });
    let entries = order.iter().map(|at| entry(&found.entries[*at], decided, &place));
    Ok(Story { people: decided.people.clone(), rooms: rooms.collect(), entries: entries.collect() })
}

fn members(room: &FoundRoom, decided: &Decided) -> Vec<usize> {
    let places: BTreeMap<usize, ()> = room.members.iter().map(|at| (decided.place_of[*at], ())).collect();
    places.into_keys().collect()
}

fn entry(found: &Found, decided: &Decided, place: &[usize]) -> ImportedEntry {
    let deed = match &found.deed {
        Deed::Said { speech, text, answers } => ImportedDeed::Said {
            speech: *speech,
            text: text.as_str().into(),
            cuts: Arc::default(),
            answers: answers.map(|at| place[at]),
        },
        Deed::Topic(text) => ImportedDeed::Topic(text.as_str().into()),
        Deed::Reaction { emoji, to } => ImportedDeed::Reaction { emoji: emoji.as_str().into(), to: place[*to] },
    };
    ImportedEntry { time: Millis(found.time), room: found.room, who: decided.place_of[found.who], deed }
}

/// Cuts messages so that each of their lines fits into one of the protocol's, and those that are too long into several.
fn cut(story: Story, host: &str) -> Story {
    let mut cut = Story { people: story.people, rooms: story.rooms, entries: Vec::with_capacity(story.entries.len()) };
    let names: Vec<Arc<str>> = cut
        .people
        .iter()
        .map(|person| match person {
            Imported::Known(who) => who.nick.clone(),
            Imported::New { name, .. } => name.clone(),
        })
        .collect();
    // Where each entry stands now.
    let mut place = Vec::with_capacity(story.entries.len());
    for mut entry in story.entries {
        place.push(cut.entries.len());
        let (time, at, who) = (entry.time, entry.room, entry.who);
        match &mut entry.deed {
            ImportedDeed::Reaction { to, .. } => *to = place.get(*to).copied().unwrap_or_default(),
            ImportedDeed::Topic(_) => {}
            ImportedDeed::Said { speech, text, answers, .. } => {
                let (nick, speech) = (&*names[entry.who], *speech);
                let target = match &cut.rooms[entry.room].place {
                    ImportedPlace::Channel { name, .. } => name.to_string(),
                    ImportedPlace::Between(one, other) => {
                        let longer = std::cmp::max_by_key(*one, *other, |at| names[*at].len());
                        names[longer].to_string()
                    }
                };
                let word = if speech == Speech::Notice { "NOTICE" } else { "PRIVMSG" };
                let room = BODY_MAX.saturating_sub(encode::said_len(nick, host, word, &target, "")).max(64);
                let answers = answers.map(|at| place.get(at).copied().unwrap_or_default());
                let spelled_out;
                let text = match text.strip_prefix("\u{1}ACTION ").filter(|_| text.len() > room) {
                    // What is done in many words is said.
                    Some(done) => {
                        spelled_out = format!("* {nick} {}", done.trim_end_matches('\u{1}'));
                        &*spelled_out
                    }
                    None => &**text,
                };
                for part in parts(text) {
                    let (text, cuts) = (Arc::from(part), cuts(part, room).into());
                    let deed = ImportedDeed::Said { speech, text, cuts, answers };
                    cut.entries.push(ImportedEntry { time, room: at, who, deed });
                }
                continue;
            }
        }
        cut.entries.push(entry);
    }
    cut
}

/// A text in pieces that each may be one message.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    loop {
        let lines = rest.match_indices('\n').nth(LINES_MAX - 1).map_or(rest.len(), |(at, _)| at);
        let bytes = rest.floor_char_boundary(BYTES_MAX);
        let end = match lines.min(bytes) {
            end if end == rest.len() || end == lines => end,
            // In the middle of a line: at the end of the one before, if there is one.
            end => rest[..end].rfind('\n').filter(|at| *at > 0).unwrap_or(end),
        };
        parts.push(&rest[..end]);
        rest = rest[end..].strip_prefix('\n').unwrap_or(&rest[end..]);
        if rest.is_empty() {
            return parts;
        }
    }
}

/// Where lines longer than this many bytes are cut, as offsets in the text: behind a blank, where there is one.
fn cuts(text: &str, most: usize) -> Vec<u32> {
    let (mut cuts, mut start) = (Vec::new(), 0);
    for line in text.split('\n') {
        let mut at = 0;
        while line.len() - at > most {
            let end = line.floor_char_boundary(at + most);
            let blank = line[at..end].rfind(' ').map(|blank| at + blank + 1).filter(|cut| *cut > at + most / 2);
            at = blank.unwrap_or(end);
            cuts.extend(u32::try_from(start + at));
        }
        start += line.len() + 1;
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_cut_and_long_messages_parted() {
        assert_eq!(cuts("one two three", 100), [0u32; 0]);
        assert_eq!(cuts("one two three\nfour five six", 8), [8, 19]);
        assert_eq!(cuts("äääää", 4), [4, 8]);
        assert_eq!(parts("a\nb"), ["a\nb"]);
        let long = vec!["x"; 250].join("\n");
        let cut = parts(&long);
        assert_eq!(cut.iter().map(|part| part.lines().count()).collect::<Vec<_>>(), [100, 100, 50]);
        let wide = "y".repeat(40_000);
        assert_eq!(parts(&wide).concat(), wide);
        assert!(parts(&wide).iter().all(|part| part.len() <= BYTES_MAX));
    }
}
