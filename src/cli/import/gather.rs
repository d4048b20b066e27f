//! What the readers of all formats gather: rooms, people, entries, what was passed over on purpose and what could not be
//! understood, each with its file and line; and the lines of a file as text, whatever its bytes are.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::event::Speech;

/// Faults that are told one by one; of the others, how many.
pub const FAULTS_TOLD: usize = 20;

#[derive(Default)]
pub struct Gathered {
    pub rooms: Vec<FoundRoom>,
    pub people: Vec<FoundPerson>,
    pub entries: Vec<Found>,
    /// By what it was.
    pub passed: BTreeMap<&'static str, u64>,
    pub faults: Vec<Fault>,
    pub faults_in_all: u64,
    rooms_by_name: HashMap<String, usize>,
    people_by_name: HashMap<String, usize>,
}

pub struct FoundRoom {
    /// As it is called there, with its sign.
    pub name: String,
    /// On which network, where that is told.
    pub network: Option<String>,
    pub private: bool,
    pub members: Vec<usize>,
    pub created: Option<i64>,
    /// A conversation between two.
    pub between: Option<(usize, usize)>,
}

pub struct FoundPerson {
    pub name: String,
    pub bot: bool,
    pub display_name: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Milliseconds since 1970.
    pub time: i64,
    pub room: usize,
    pub who: usize,
    pub deed: Deed,
}

/// Entries are named by their places in [`Gathered::entries`].
#[derive(Debug, PartialEq, Eq)]
pub enum Deed {
    Said { speech: Speech, text: String, answers: Option<usize> },
    Topic(String),
    Reaction { emoji: String, to: usize },
}

pub struct Fault {
    pub file: String,
    pub line: usize,
    pub why: String,
}

impl Gathered {
    /// The room of this name, in whatever letter case. Two networks may each have one: that has to be told apart first.
    pub fn room(&mut self, name: &str, network: Option<&str>) -> anyhow::Result<usize> {
        if let Some(at) = self.rooms_by_name.get(&name.to_lowercase()) {
            let known = self.rooms[*at].network.as_deref();
            if known != network {
                let name_of = |network: Option<&str>| network.unwrap_or("a file of its own").to_owned();
                anyhow::bail!(
                    "there are two rooms {name}, of {} and of {}: import the logs of one network, or of one room with --room",
                    name_of(known),
                    name_of(network)
                );
            }
            return Ok(*at);
        }
        Ok(self.add_room(FoundRoom {
            name: name.to_owned(),
            network: network.map(str::to_owned),
            private: false,
            members: Vec::new(),
            created: None,
            between: None,
        }))
    }

    pub fn add_room(&mut self, room: FoundRoom) -> usize {
        self.rooms_by_name.insert(room.name.to_lowercase(), self.rooms.len());
        self.rooms.push(room);
        self.rooms.len() - 1
    }

    /// Whoever goes by this name, in whatever letter case.
    pub fn person(&mut self, name: &str) -> usize {
        let key = name.to_lowercase();
        if let Some(at) = self.people_by_name.get(&key) {
            return *at;
        }
        self.people_by_name.insert(key, self.people.len());
        self.people.push(FoundPerson { name: name.to_owned(), bot: false, display_name: None });
        self.people.len() - 1
    }

    pub fn pass(&mut self, what: &'static str) {
        *self.passed.entry(what).or_default() += 1;
    }

    pub fn fault(&mut self, file: &Path, line: usize, why: impl Into<String>) {
        self.faults_in_all += 1;
        if self.faults.len() < FAULTS_TOLD {
            self.faults.push(Fault { file: file.display().to_string(), line, why: why.into() });
        }
    }
}

/// All files below these places, in the order of their names.
pub fn files_below(places: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open: Vec<PathBuf> = places.to_vec();
    while let Some(place) = open.pop() {
        let name = || place.display().to_string();
        if fs::metadata(&place).with_context(name)?.is_dir() {
            for entry in fs::read_dir(&place).with_context(name)? {
                open.push(entry.with_context(name)?.path());
            }
        } else {
            files.push(place);
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// A line as text: UTF-8, or else what most clients without it wrote, Windows-1252.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().map(|byte| from_1252(*byte)).collect()),
    }
}

fn from_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => HIGH[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

/// What was said, fit for a line of the log: colours and other marks stay, what no client could send goes.
pub fn sayable(text: &str) -> String {
    const MARKS: &str = "\u{2}\u{3}\u{4}\u{f}\u{11}\u{16}\u{1d}\u{1e}\u{1f}\t\n";
    text.chars().filter(|c| !c.is_control() || MARKS.contains(*c)).collect()
}

/// A nick without the sign of its rank in front.
pub fn nick(text: &str) -> Option<&str> {
    let nick = text.trim().trim_start_matches(['@', '+', '%', '&', '~', '!']);
    (!nick.is_empty() && !nick.contains(char::is_whitespace)).then_some(nick)
}
