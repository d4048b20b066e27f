//! A conversation as the screen has it: a window of lines around what is looked at, and what is known about the whole.
//!
//! Pure. Promises that the window has no hole and no line twice, whatever comes in which order, and that its memory is
//! bounded: what is too much is dropped at the end that is farther from what is looked at, and can be fetched again.

mod line;
mod marks;

use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::client::heard::{Page, Reacted};
use crate::client::text::{key, same};
use crate::event::Millis;
pub use line::{Entry, Line, Reaction, Taste, Words, happened_line, said_line};

/// Lines of one window, and their bytes.
pub const LINES_MAX: usize = 3000;
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// The same for a conversation that nobody looks at.
pub const LINES_ASIDE: usize = 200;
const BYTES_ASIDE: usize = 256 * 1024;
/// Lines that come while a gap before them is being filled; when there are more, they are fetched instead.
const LATE_MAX: usize = 500;
/// Reactions to messages that are not in the window; the oldest give way.
const ORPHANS_MAX: usize = 500;
/// Different reactions to one message, and people that gave one; more are not shown.
const REACTIONS_MAX: usize = 12;
const BY_MAX: usize = 100;
const MEMBERS_MAX: usize = 20_000;
const UNCOUNTED_FROM: usize = 60;

/// Which line stands lowest on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scroll {
    /// The newest, whatever it is.
    Bottom,
    /// This one, of which so many rows are below the edge.
    At { id: u64, hidden: usize },
}

/// Where a page goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// It is the newest there is, and takes the place of the window.
    Newest,
    Older,
    Newer,
    /// It takes the place of the window, somewhere in the past.
    Elsewhere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub nick: String,
    pub prefix: String,
    pub away: bool,
}

pub struct Buffer {
    pub name: String,
    pub is_room: bool,
    /// We are in the room; always so for a person.
    pub joined: bool,
    pub topic: String,
    pub members: BTreeMap<String, Member>,
    /// Of a person: whether they are here, and why they are away; as far as it is known.
    pub here: Option<bool>,
    pub away: Option<String>,
    lines: VecDeque<Line>,
    bytes: usize,
    /// Ids at both ends of what was fetched, also of what is no line.
    first: Option<String>,
    last: Option<String>,
    /// The window reaches back to the first message there is.
    pub start: bool,
    /// The window reaches to the newest message there is.
    pub live: bool,
    /// The newest id known, in the window or not.
    pub newest: Option<String>,
    late: Vec<Line>,
    late_lost: bool,
    orphans: VecDeque<Reacted>,
    pub unread: u32,
    pub mentions: u32,
    /// There may be more unread than were counted.
    pub uncounted: bool,
    pub read: Option<Millis>,
    /// The first message that came while we were here and did not look.
    pub new_from: Option<Millis>,
    /// Where "new" is shown: after the lines of this time.
    pub divider: Option<Millis>,
    pub scroll: Scroll,
    pub selected: Option<u64>,
    /// Who is typing, and until when that is believed.
    pub typing: Vec<(String, Millis)>,
    /// The text that was begun here.
    pub draft: String,
    /// A question about this window is open.
    pub asked: bool,
    /// What was said meanwhile is being fetched; nothing is sent there before it is known.
    pub catching_up: bool,
    /// Up to which message that is known.
    gap_from: Option<String>,
}

impl Buffer {
    pub fn new(name: &str, is_room: bool) -> Buffer {
        Buffer {
            name: name.to_owned(),
            is_room,
            joined: true,
            topic: String::new(),
            members: BTreeMap::new(),
            here: None,
            away: None,
            lines: VecDeque::new(),
            bytes: 0,
            first: None,
            last: None,
            start: false,
            live: false,
            newest: None,
            late: Vec::new(),
            late_lost: false,
            orphans: VecDeque::new(),
            unread: 0,
            mentions: 0,
            uncounted: false,
            read: None,
            new_from: None,
            divider: None,
            scroll: Scroll::Bottom,
            selected: None,
            typing: Vec::new(),
            draft: String::new(),
            asked: false,
            catching_up: false,
            gap_from: None,
        }
    }

    pub fn lines(&self) -> &VecDeque<Line> {
        &self.lines
    }

    pub fn line(&self, id: u64) -> Option<&Line> {
        self.lines.iter().find(|line| line.id == id)
    }

    pub fn by_msgid(&self, msgid: &str) -> Option<&Line> {
        self.lines.iter().rev().find(|line| line.msgid.as_deref() == Some(msgid))
    }

    /// The ids to page on from.
    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    pub fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// The time of the newest message in the window.
    pub fn last_said(&self) -> Option<Millis> {
        let said = self.lines.iter().rev().find(|line| matches!(line.entry, Entry::Said(_)));
        said.map(|line| line.at)
    }

    /// A remark of ours; it stands where it was made.
    pub fn remark(&mut self, line: Line) {
        if self.live || self.lines.is_empty() {
            self.push(line);
            self.trim(true);
        }
    }

    /// A line that comes as it happens. False: it was known.
    pub fn hear(&mut self, line: Line, looked_at: bool) -> bool {
        if let Some(msgid) = &line.msgid {
            self.newest = Some(msgid.clone());
        }
        if !self.live {
            if self.late.len() < LATE_MAX {
                self.late.push(line);
            } else {
                self.late.clear();
                self.late_lost = true;
            }
            return true;
        }
        if self.knows(&line) {
            return false;
        }
        if let Some(msgid) = &line.msgid {
            self.last = Some(msgid.clone());
            self.first.get_or_insert_with(|| msgid.clone());
        }
        self.push(line);
        self.trim(looked_at);
        true
    }

    /// A question was sent whose answer will be joined to what comes from now on.
    pub fn ask(&mut self) {
        self.asked = true;
        if !self.live {
            self.late.clear();
            self.late_lost = false;
        }
    }

    /// Takes in a page: its lines (made of `page.heard`), and what was said about messages.
    /// Says whether nothing is missing at that end.
    pub fn take(&mut self, place: &Place, page: &Page, lines: Vec<Line>, looked_at: bool) -> bool {
        self.asked = false;
        let whole = empty_of(page) && !self.late_lost;
        let empty = empty_of(page);
        match place {
            Place::Newest | Place::Elsewhere => {
                self.lines.clear();
                self.bytes = 0;
                self.first.clone_from(&page.first);
                self.last.clone_from(&page.last);
                self.start = empty;
                self.live = *place == Place::Newest;
                self.selected = None;
                if self.live {
                    self.newest.clone_from(&page.last);
                    self.scroll = Scroll::Bottom;
                }
                lines.into_iter().for_each(|line| self.push(line));
            }
            Place::Older => {
                self.start |= empty;
                if page.first.is_some() {
                    self.first.clone_from(&page.first);
                }
                let known: HashSet<&str> = self.lines.iter().filter_map(|line| line.msgid.as_deref()).collect();
                let new: Vec<Line> = lines
                    .into_iter()
                    .filter(|line| line.msgid.as_deref().is_none_or(|id| !known.contains(id)))
                    .collect();
                for line in new.into_iter().rev() {
                    self.bytes += size(&line);
                    self.lines.push_front(line);
                }
            }
            Place::Newer => {
                if page.last.is_some() {
                    self.last.clone_from(&page.last);
                }
                lines.into_iter().for_each(|line| self.insert(line));
                self.live |= whole;
            }
        }
        for heard in &page.heard {
            self.mark(heard);
        }
        if matches!(place, Place::Older | Place::Elsewhere | Place::Newest) {
            let orphans = std::mem::take(&mut self.orphans);
            orphans.into_iter().for_each(|reacted| self.react(reacted));
        }
        if self.live {
            let late = std::mem::take(&mut self.late);
            for line in late {
                if let Some(msgid) = &line.msgid {
                    self.last = Some(msgid.clone());
                    self.first.get_or_insert_with(|| msgid.clone());
                    self.newest = Some(msgid.clone());
                }
                self.insert(line);
            }
        }
        self.late_lost = false;
        self.trim(looked_at);
        whole
    }

    /// Where to go on with filling the gap, if one is known.
    pub fn gap(&self) -> Option<&str> {
        self.gap_from.as_deref()
    }

    /// Takes in a page of the gap. True: the gap is filled.
    pub fn take_gap(&mut self, page: &Page, lines: Vec<Line>, looked_at: bool) -> bool {
        if page.last.is_some() && self.late.is_empty() {
            self.newest.clone_from(&page.last);
        }
        let done = if !self.live && self.last == self.gap_from {
            self.take(&Place::Newer, page, lines, looked_at)
        } else {
            // The window is elsewhere.
            let new = lines.iter().filter_map(|line| match &line.entry {
                Entry::Said(words) if !words.own && !words.ignored && self.read.is_none_or(|read| line.at > read) => {
                    Some(words.mention)
                }
                _ => None,
            });
            let (unread, mentions) = new.fold((0, 0), |(n, m), mention| (n + 1, m + u32::from(mention)));
            (self.unread, self.mentions) = (self.unread + unread, self.mentions + mentions);
            let done = empty_of(page) && !self.late_lost;
            (self.asked, self.late_lost) = (false, false);
            done
        };
        if page.last.is_some() {
            self.gap_from.clone_from(&page.last);
        }
        if done {
            (self.catching_up, self.gap_from) = (false, None);
        }
        done
    }

    /// The gap cannot be filled from where it began: what is newest takes the place of the window.
    pub fn forget_gap(&mut self) {
        (self.gap_from, self.newest, self.live) = (None, None, false);
    }

    /// The question came to nothing.
    pub fn give_up(&mut self) {
        self.asked = false;
    }

    /// The window may lack what was said since: the connection was gone.
    pub fn cut(&mut self) {
        self.asked = false;
        self.late.clear();
        self.late_lost = false;
        self.typing.clear();
    }

    /// From now on lines wait until the gap before them has been filled.
    pub fn catch_up(&mut self) {
        if !self.catching_up {
            self.catching_up = true;
            self.gap_from.clone_from(&self.newest);
            if self.live {
                self.live = false;
                self.last.clone_from(&self.newest);
            }
        }
    }

    /// Hides what this person said, or shows it again.
    pub fn ignore(&mut self, name: &str, ignored: bool) {
        for line in self.lines.iter_mut().chain(&mut self.late) {
            if let Entry::Said(words) = &mut line.entry
                && same(&words.from, name)
            {
                words.ignored = ignored && !words.own;
            }
        }
    }

    /// Counts what is unread in the window by how far it was read.
    pub fn count(&mut self) {
        match self.read_to() {
            Some(read) => self.count_after(read),
            // Never read, and nobody kept count: in a room what is old is not new. Between two all of it is.
            None if self.is_room => (self.unread, self.mentions, self.uncounted) = (0, 0, false),
            None => self.count_after(Millis(i64::MIN)),
        }
    }

    /// Up to when it was read. Where no device has said that: up to one's own last words, or to what came while one was
    /// elsewhere.
    pub fn read_to(&self) -> Option<Millis> {
        let own = || self.lines.iter().rev().find(|line| matches!(&line.entry, Entry::Said(words) if words.own));
        let new = || self.new_from.map(|at| Millis(at.0 - 1));
        self.read.or_else(|| own().map(|line| line.at)).or_else(new)
    }

    fn count_after(&mut self, read: Millis) {
        let new = self.lines.iter().chain(&self.late).filter(|line| line.at > read);
        let new = new.filter_map(|line| match &line.entry {
            Entry::Said(words) if !words.own && !words.ignored => Some(words.mention),
            _ => None,
        });
        (self.unread, self.mentions) =
            new.fold((0, 0), |(unread, mentions), mention| (unread + 1, mentions + u32::from(mention)));
        let all = self.start || self.lines.front().is_none_or(|line| line.at <= read);
        // A short page is all there is, as far as a guess goes; this is only a sign beside a number.
        self.uncounted = !all && self.unread > 0 && self.lines.len() >= UNCOUNTED_FROM;
    }

    pub fn join(&mut self, nick: &str, prefix: &str) {
        if self.members.len() < MEMBERS_MAX {
            let (nick, prefix) = (nick.to_owned(), prefix.to_owned());
            self.members.insert(key(&nick), Member { nick, prefix, away: false });
        }
    }

    pub fn typing_stops(&mut self, nick: &str) {
        self.typing.retain(|(who, _)| !same(who, nick));
    }

    /// Drops what is too much. `looked_at`: it is in front.
    pub fn trim(&mut self, looked_at: bool) {
        let (lines_max, bytes_max) = if looked_at { (LINES_MAX, BYTES_MAX) } else { (LINES_ASIDE, BYTES_ASIDE) };
        while self.lines.len() > 1 && (self.lines.len() > lines_max || self.bytes > bytes_max) {
            let at = match self.scroll {
                Scroll::Bottom => self.lines.len(),
                Scroll::At { id, .. } => self.lines.iter().position(|line| line.id == id).unwrap_or(self.lines.len()),
            };
            let oldest = at * 2 >= self.lines.len();
            let gone = if oldest { self.lines.pop_front() } else { self.lines.pop_back() };
            let Some(gone) = gone else { break };
            self.bytes = self.bytes.saturating_sub(size(&gone));
            if oldest {
                self.start = false;
                self.first = self.lines.iter().find_map(|line| line.msgid.clone()).or(self.first.take());
            } else {
                self.live = false;
                self.last = self.lines.iter().rev().find_map(|line| line.msgid.clone()).or(self.last.take());
            }
            self.orphan(gone);
        }
    }

    fn knows(&self, line: &Line) -> bool {
        match &line.msgid {
            Some(_) => self.lines.iter().rev().take(LATE_MAX * 2).any(|known| known.msgid == line.msgid),
            None => false,
        }
    }

    /// Puts a line behind the last one of the server's, but before our own remarks that are younger.
    fn insert(&mut self, line: Line) {
        if self.knows(&line) {
            return;
        }
        let behind = |known: &Line| {
            known.msgid.is_some() || !matches!(known.entry, Entry::Note(_) | Entry::Alarm(_)) || known.at <= line.at
        };
        let at = self.lines.iter().rposition(behind).map_or(0, |at| at + 1);
        self.bytes += size(&line);
        self.lines.insert(at, line);
    }

    fn push(&mut self, line: Line) {
        self.bytes += size(&line);
        self.lines.push_back(line);
    }
}

fn empty_of(page: &Page) -> bool {
    page.lines == 0
}

fn size(line: &Line) -> usize {
    64 + match &line.entry {
        Entry::Said(words) => words.text.len() + words.from.len(),
        Entry::Presence(text) | Entry::Event(text) | Entry::Note(text) | Entry::Alarm(text) => text.len(),
    }
}
