//! A small model of rooms: who is in, who may do what, who is told what. Written from the documents, in the plainest way
//! there is, and knowing nothing of chatd's code, so that it can judge it: `src/log/laws/model.rs` compares it with the
//! log, `tests/it/model.rs` with a server over the wire.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

pub const PEOPLE: [&str; 4] = ["anna", "bela", "carl", "dora"];
/// Acts as operator everywhere.
pub const ADMIN: Person = 3;
/// Everybody is put into the first one.
pub const ROOMS: [&str; 4] = ["#auto", "#one", "#two", "#three"];
/// How many rooms one may be in by one's own wish.
pub const ROOMS_EACH: usize = 3;

pub type Person = usize;
/// A room keeps its number under every name.
pub type RoomNo = usize;
/// Messages are counted over all rooms.
pub type MessageNo = usize;

/// What somebody does. Rooms are named by their place in [`ROOMS`].
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Another device comes; the only thing that somebody who is away can do.
    Connect,
    /// The newest device goes.
    Quit,
    Join(usize, Option<&'static str>),
    Part(usize),
    Say(usize, Speech),
    Tell(Person, Speech),
    Kick(usize, Person),
    Invite(usize, Person),
    Topic(usize, &'static str),
    Mode(usize, Vec<Change>),
    /// The message so many before the newest one, as if it stood in this room.
    Redact(usize, usize),
    RedactWith(Person, usize),
    Rename(usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    Message,
    Notice,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Flag(char, bool),
    Key(Option<&'static str>),
    Limit(Option<u32>),
    Rank(char, Person, bool),
    /// The last one: whether it is set or taken away; `loud`: in capitals, which is the same mask.
    List {
        letter: char,
        mask: Mask,
        loud: bool,
        on: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mask {
    Everybody,
    /// Looks like the beginning of a name, and is nobody's.
    Nobody,
    Nick(Person),
    User(Person),
    Account(Person),
}

impl Mask {
    fn means(self, who: Person) -> bool {
        match self {
            Mask::Everybody => true,
            Mask::Nobody => false,
            Mask::Nick(person) | Mask::User(person) | Mask::Account(person) => person == who,
        }
    }

    pub fn text(self, loud: bool) -> String {
        let name = |person: Person| if loud { PEOPLE[person].to_uppercase() } else { PEOPLE[person].to_owned() };
        match self {
            Mask::Everybody => "*!*@*".to_owned(),
            Mask::Nobody => "ann!*@*".to_owned(),
            Mask::Nick(person) => format!("{}!*@*", name(person)),
            Mask::User(person) => format!("*!{}@*", name(person)),
            // The beginning is enough: no two begin alike.
            Mask::Account(person) => format!("~a:{}*", &name(person)[..2]),
        }
    }
}

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    UnknownRoom,
    NotIn,
    TargetNotIn,
    AlreadyIn,
    NotOperator,
    Banned,
    InviteOnly,
    WrongKey,
    Full,
    CannotSpeak,
    TooManyRooms,
    UnknownMessage,
    NotYours,
    NameInUse,
    SameName,
}

/// A line that some people are told, each of their devices once.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub by: Person,
    pub command: &'static str,
    /// The room by its name then, or the person who is spoken to; empty for QUIT.
    pub target: String,
    pub rest: String,
    pub to: BTreeSet<Person>,
    /// Whoever does it from outside is told too, on the device that did it.
    pub doer: bool,
}

#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    pub refused: Vec<No>,
    pub told: Vec<Told>,
}

impl From<No> for Outcome {
    fn from(no: No) -> Outcome {
        Outcome { refused: vec![no], told: Vec::new() }
    }
}

impl From<Told> for Outcome {
    fn from(told: Told) -> Outcome {
        Outcome { refused: Vec::new(), told: vec![told] }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranks {
    pub op: bool,
    pub voice: bool,
}

/// What stands in the log of a room.
#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Line(Person, String),
    Message(MessageNo),
}

#[derive(Clone, Debug)]
pub struct Room {
    pub name: &'static str,
    founder: Option<Person>,
    /// Membership is the person's: whoever is away is a member still.
    pub members: BTreeMap<Person, Ranks>,
    pub topic: &'static str,
    pub flags: BTreeSet<char>,
    pub key: Option<&'static str>,
    pub limit: Option<u32>,
    /// Each mask as it was first spelled.
    pub lists: BTreeMap<(char, Mask), String>,
    pub invited: BTreeSet<Person>,
    log: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
struct Message {
    by: Person,
    place: Place,
    command: &'static str,
    text: String,
    taken_back: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Room(RoomNo),
    Between(Person, Person),
}

#[derive(Debug, Default)]
pub struct Model {
    pub rooms: Vec<Room>,
    /// How many devices of each are connected.
    pub devices: [usize; PEOPLE.len()],
    was_here: [bool; PEOPLE.len()],
    messages: Vec<Message>,
    /// Clients name rooms, and a secret one is not there for who may not know of it. The log is asked by number.
    by_name: bool,
}

impl Model {
    /// For the wire, where rooms are called by name.
    #[allow(dead_code, reason = "the log is asked by number")]
    pub fn by_name() -> Model {
        Model { by_name: true, ..Model::default() }
    }

    pub fn is_here(&self, who: Person) -> bool {
        self.devices[who] > 0
    }

    /// The power goes: nobody is here, and everything else is as it was.
    pub fn crash(&mut self) {
        self.devices = Default::default();
    }

    /// The room that a command is about, looked up when it is given (and not when it is done).
    pub fn find(&self, who: Person, command: &Command) -> Option<RoomNo> {
        let (name, speaks) = match command {
            Command::Say(name, _) => (name, true),
            Command::Part(name)
            | Command::Kick(name, _)
            | Command::Invite(name, _)
            | Command::Topic(name, _)
            | Command::Mode(name, _)
            | Command::Redact(name, _)
            | Command::Rename(name, _) => (name, false),
            _ => return None,
        };
        let no = self.room_called(ROOMS[*name])?;
        let room = &self.rooms[no];
        let known = !room.flags.contains(&'s') || who == ADMIN || room.members.contains_key(&who);
        let open = speaks && !room.flags.contains(&'n');
        (!self.by_name || known || open).then_some(no)
    }

    /// The message a command is about.
    pub fn message(&self, back: usize) -> Option<MessageNo> {
        self.messages.len().checked_sub(back + 1)
    }

    /// Makes a room that belongs to nobody.
    pub fn create(&mut self, name: &'static str, founder: Option<Person>) -> RoomNo {
        self.rooms.push(Room {
            name,
            founder,
            members: BTreeMap::new(),
            topic: "",
            flags: BTreeSet::from(['n', 't']),
            key: None,
            limit: None,
            lists: BTreeMap::new(),
            invited: BTreeSet::new(),
            log: Vec::new(),
        });
        self.rooms.len() - 1
    }

    /// What stands in the log of a room in the end: who, and what. What was taken back has no text.
    pub fn log(&self, no: RoomNo) -> Vec<String> {
        self.log_of(&self.rooms[no].log)
    }

    fn log_of(&self, log: &[Entry]) -> Vec<String> {
        let line = |entry: &Entry| match entry {
            Entry::Line(by, line) => format!("{} {line}", PEOPLE[*by]),
            Entry::Message(no) => {
                let Message { by, command, text, taken_back, .. } = &self.messages[*no];
                format!("{} {command} {}", PEOPLE[*by], if *taken_back { "" } else { text })
            }
        };
        log.iter().map(line).collect()
    }

    /// Everybody that a list of names shows, with the signs of their ranks.
    pub fn names(&self, no: RoomNo) -> BTreeSet<String> {
        let here = self.rooms[no].members.iter().filter(|(who, _)| self.is_here(**who));
        here.map(|(who, ranks)| {
            let signs = [(ranks.op, '@'), (ranks.voice, '+')];
            signs.iter().filter(|(on, _)| *on).map(|(_, sign)| *sign).chain(PEOPLE[*who].chars()).collect()
        })
        .collect()
    }

    /// What comes of a command. `at` is what [`Model::find`] said when it was given, `message` what [`Model::message`] did.
    pub fn perform(
        &mut self,
        who: Person,
        command: &Command,
        at: Option<RoomNo>,
        message: Option<MessageNo>,
    ) -> Outcome {
        match command {
            Command::Connect => return self.connect(who),
            Command::Quit => return self.quit(who),
            Command::Join(name, word) => return self.join(who, ROOMS[*name], *word, false),
            Command::Tell(to, speech) => return self.tell(who, *to, *speech),
            Command::RedactWith(with, _) => return self.redact_with(who, *with, message),
            _ => {}
        }
        let Some(no) = at else { return No::UnknownRoom.into() };
        match command {
            Command::Part(_) => self.part(who, no),
            Command::Say(_, speech) => self.say(who, no, *speech),
            Command::Kick(_, whom) => self.kick(who, no, *whom),
            Command::Invite(_, whom) => self.invite(who, no, *whom),
            Command::Topic(_, text) => self.topic(who, no, text),
            Command::Mode(_, changes) => self.mode(who, no, changes),
            Command::Redact(..) => self.redact(who, no, message),
            Command::Rename(_, to) => self.rename(who, no, ROOMS[*to]),
            _ => unreachable!("done above"),
        }
    }

    fn room_called(&self, name: &str) -> Option<RoomNo> {
        self.rooms.iter().position(|room| room.name == name)
    }

    /// Who reads a room now.
    fn readers(&self, no: RoomNo) -> BTreeSet<Person> {
        self.rooms[no].members.keys().copied().filter(|who| self.is_here(*who)).collect()
    }

    fn is_in(&self, who: Person, no: RoomNo) -> bool {
        self.rooms[no].members.contains_key(&who)
    }

    fn is_operator(&self, who: Person, no: RoomNo) -> bool {
        who == ADMIN || self.rooms[no].members.get(&who).is_some_and(|ranks| ranks.op)
    }

    /// Whoever is not in a room rules nothing there, unless it is an administrator.
    fn may_rule(&self, who: Person, no: RoomNo) -> Result<(), No> {
        match (self.is_operator(who, no), self.is_in(who, no)) {
            (true, _) => Ok(()),
            (false, true) => Err(No::NotOperator),
            (false, false) => Err(No::NotIn),
        }
    }

    fn is_on(&self, no: RoomNo, letter: char, who: Person) -> bool {
        self.rooms[no].lists.keys().any(|(of, mask)| *of == letter && mask.means(who))
    }

    fn may_speak(&self, who: Person, no: RoomNo) -> bool {
        let room = &self.rooms[no];
        let outside = room.flags.contains(&'n') && !self.is_in(who, no);
        let voiced = room.members.get(&who).is_some_and(|ranks| ranks.voice);
        let silenced = (self.is_on(no, 'b', who) || self.is_on(no, 'q', who)) && !self.is_on(no, 'e', who);
        self.is_operator(who, no) || !outside && (voiced || !room.flags.contains(&'m') && !silenced)
    }

    fn is_banned(&self, who: Person, no: RoomNo) -> bool {
        self.is_on(no, 'b', who) && !self.is_on(no, 'e', who)
    }

    /// Writes a line into the log of a room, and says who is told.
    fn tell_room(&mut self, no: RoomNo, by: Person, command: &'static str, rest: String, to: BTreeSet<Person>) -> Told {
        let line = format!("{command} {rest}");
        self.rooms[no].log.push(Entry::Line(by, line));
        Told { by, command, target: self.rooms[no].name.to_owned(), rest, to, doer: false }
    }

    fn connect(&mut self, who: Person) -> Outcome {
        self.devices[who] += 1;
        let mut outcome = Outcome::default();
        if self.devices[who] > 1 {
            return outcome;
        }
        // By the names they have now.
        let mut rooms: Vec<RoomNo> = (0..self.rooms.len()).filter(|no| self.is_in(who, *no)).collect();
        rooms.sort_by_key(|no| self.rooms[*no].name);
        for no in rooms {
            let readers = self.readers(no);
            outcome.told.push(self.tell_room(no, who, "JOIN", String::new(), readers));
        }
        if !std::mem::replace(&mut self.was_here[who], true) {
            outcome.told.extend(self.join(who, ROOMS[0], None, true).told);
        }
        outcome
    }

    fn quit(&mut self, who: Person) -> Outcome {
        self.devices[who] -= 1;
        let rooms: Vec<RoomNo> = (0..self.rooms.len()).filter(|no| self.is_in(who, *no)).collect();
        if self.is_here(who) || rooms.is_empty() {
            return Outcome::default();
        }
        rooms.iter().for_each(|no| self.rooms[*no].log.push(Entry::Line(who, "QUIT ".to_owned())));
        // Once, in however many rooms they meet.
        let to = rooms.iter().flat_map(|no| self.readers(*no)).collect();
        Told { by: who, command: "QUIT", target: String::new(), rest: String::new(), to, doer: false }.into()
    }

    fn join(&mut self, who: Person, name: &'static str, word: Option<&'static str>, forced: bool) -> Outcome {
        let known = self.room_called(name);
        if known.is_some_and(|no| self.is_in(who, no)) {
            return Outcome::default();
        }
        if !forced && (0..self.rooms.len()).filter(|no| self.is_in(who, *no)).count() >= ROOMS_EACH {
            return No::TooManyRooms.into();
        }
        let no = known.unwrap_or_else(|| self.create(name, Some(who).filter(|_| !forced)));
        let room = &self.rooms[no];
        let welcome = forced || who == ADMIN || room.invited.contains(&who) || room.founder == Some(who);
        if !welcome {
            if self.is_banned(who, no) {
                return No::Banned.into();
            }
            if room.flags.contains(&'i') && !self.is_on(no, 'I', who) {
                return No::InviteOnly.into();
            }
            if room.key.is_some() && room.key != word {
                return No::WrongKey.into();
            }
            if room.limit.is_some_and(|limit| room.members.len() >= limit as usize) {
                return No::Full.into();
            }
        }
        let room = &mut self.rooms[no];
        room.invited.remove(&who);
        room.members.insert(who, Ranks { op: room.founder == Some(who), voice: false });
        let readers = self.readers(no);
        self.tell_room(no, who, "JOIN", String::new(), readers).into()
    }

    fn part(&mut self, who: Person, no: RoomNo) -> Outcome {
        if !self.is_in(who, no) {
            return No::NotIn.into();
        }
        let readers = self.readers(no);
        self.rooms[no].members.remove(&who);
        self.tell_room(no, who, "PART", String::new(), readers).into()
    }

    fn add_message(&mut self, by: Person, place: Place, speech: Speech) -> (MessageNo, &'static str, String) {
        let (no, command) = match speech {
            Speech::Message => (self.messages.len(), "PRIVMSG"),
            Speech::Notice => (self.messages.len(), "NOTICE"),
        };
        let text = format!("words-{no}");
        self.messages.push(Message { by, place, command, text: text.clone(), taken_back: false });
        (no, command, text)
    }

    fn say(&mut self, who: Person, no: RoomNo, speech: Speech) -> Outcome {
        if !self.may_speak(who, no) {
            return No::CannotSpeak.into();
        }
        let (message, command, rest) = self.add_message(who, Place::Room(no), speech);
        self.rooms[no].log.push(Entry::Message(message));
        let to = self.readers(no);
        // From outside, too, one sees what one said.
        Told { by: who, command, target: self.rooms[no].name.to_owned(), rest, to, doer: true }.into()
    }

    fn tell(&mut self, who: Person, to: Person, speech: Speech) -> Outcome {
        let (_, command, rest) = self.add_message(who, Place::Between(who, to), speech);
        let both = [who, to].into_iter().filter(|person| self.is_here(*person)).collect();
        Told { by: who, command, target: PEOPLE[to].to_owned(), rest, to: both, doer: false }.into()
    }

    fn kick(&mut self, who: Person, no: RoomNo, whom: Person) -> Outcome {
        if let Err(no) = self.may_rule(who, no) {
            return no.into();
        }
        if !self.is_in(whom, no) {
            return No::TargetNotIn.into();
        }
        let readers = self.readers(no);
        self.rooms[no].members.remove(&whom);
        self.tell_room(no, who, "KICK", PEOPLE[whom].to_owned(), readers).into()
    }

    fn invite(&mut self, who: Person, no: RoomNo, whom: Person) -> Outcome {
        if !self.is_in(who, no) && who != ADMIN {
            return No::NotIn.into();
        }
        if self.is_in(whom, no) && self.is_here(whom) {
            return No::AlreadyIn.into();
        }
        let room = &self.rooms[no];
        let shut = room.flags.contains(&'i') || room.key.is_some() || self.is_banned(whom, no);
        if shut && !self.is_operator(who, no) {
            return No::NotOperator.into();
        }
        if !self.is_in(whom, no) {
            self.rooms[no].invited.insert(whom);
        }
        // Whoever invites has the answer, on this device.
        let mut to = self.readers(no);
        to.remove(&who);
        to.extend(Some(whom).filter(|whom| self.is_here(*whom)));
        self.tell_room(no, who, "INVITE", PEOPLE[whom].to_owned(), to).into()
    }

    fn topic(&mut self, who: Person, no: RoomNo, text: &'static str) -> Outcome {
        if !self.is_in(who, no) && who != ADMIN {
            return No::NotIn.into();
        }
        if !self.is_operator(who, no) && (self.rooms[no].flags.contains(&'t') || !self.may_speak(who, no)) {
            return No::NotOperator.into();
        }
        if self.rooms[no].topic == text {
            return Outcome::default();
        }
        self.rooms[no].topic = text;
        let readers = self.readers(no);
        self.tell_room(no, who, "TOPIC", text.to_owned(), readers).into()
    }

    fn mode(&mut self, who: Person, no: RoomNo, changes: &[Change]) -> Outcome {
        if !self.by_name {
            return self.mode_at_once(who, no, changes);
        }
        // What is about somebody who is not there fails by itself, and not the rest with it.
        let outside = |change: &Change| matches!(change, Change::Rank(_, whom, _) if !self.is_in(*whom, no));
        let (alone, together): (Vec<Change>, Vec<Change>) = changes.iter().cloned().partition(outside);
        let mut outcome = Outcome::default();
        if let Err(no) = self.may_rule(who, no) {
            return no.into();
        }
        for changes in
            Some(together).filter(|some| !some.is_empty()).into_iter().chain(alone.into_iter().map(|c| vec![c]))
        {
            let more = self.mode_at_once(who, no, &changes);
            outcome.refused.extend(more.refused);
            outcome.told.extend(more.told);
        }
        outcome
    }

    fn mode_at_once(&mut self, who: Person, no: RoomNo, changes: &[Change]) -> Outcome {
        if let Err(no) = self.may_rule(who, no) {
            return no.into();
        }
        if changes.iter().any(|change| matches!(change, Change::Rank(_, whom, _) if !self.is_in(*whom, no))) {
            return No::TargetNotIn.into();
        }
        let (mut letters, mut words, mut sign) = (String::new(), String::new(), ' ');
        for change in changes {
            let Some((letter, on, word)) = self.rooms[no].change(change) else { continue };
            let now = if on { '+' } else { '-' };
            if std::mem::replace(&mut sign, now) != now {
                letters.push(now);
            }
            letters.push(letter);
            words.extend(word.map(|word| format!(" {word}")));
        }
        if letters.is_empty() {
            return Outcome::default();
        }
        let readers = self.readers(no);
        self.tell_room(no, who, "MODE", letters + &words, readers).into()
    }

    fn redact(&mut self, who: Person, no: RoomNo, message: Option<MessageNo>) -> Outcome {
        if !self.is_in(who, no) && who != ADMIN {
            return No::NotIn.into();
        }
        let here = |message: &Message| message.place == Place::Room(no) && !message.taken_back;
        let Some(target) = message.filter(|message| here(&self.messages[*message])) else {
            return No::UnknownMessage.into();
        };
        if self.messages[target].by != who && !self.is_operator(who, no) {
            return No::NotYours.into();
        }
        let text = self.messages[target].text.clone();
        self.messages[target].taken_back = true;
        let readers = self.readers(no);
        Told { doer: true, ..self.tell_room(no, who, "REDACT", text, readers) }.into()
    }

    fn redact_with(&mut self, who: Person, with: Person, message: Option<MessageNo>) -> Outcome {
        let between = |message: &Message| {
            let pairs = [Place::Between(who, with), Place::Between(with, who)];
            pairs.contains(&message.place) && !message.taken_back
        };
        let Some(target) = message.filter(|message| between(&self.messages[*message])) else {
            return No::UnknownMessage.into();
        };
        // Between two everybody takes back their own alone.
        if self.messages[target].by != who {
            return No::NotYours.into();
        }
        self.messages[target].taken_back = true;
        let rest = self.messages[target].text.clone();
        let to = [who, with].into_iter().filter(|person| self.is_here(*person)).collect();
        Told { by: who, command: "REDACT", target: PEOPLE[with].to_owned(), rest, to, doer: false }.into()
    }

    fn rename(&mut self, who: Person, no: RoomNo, name: &'static str) -> Outcome {
        if let Err(no) = self.may_rule(who, no) {
            return no.into();
        }
        match self.room_called(name) {
            Some(other) if other == no => return No::SameName.into(),
            Some(_) => return No::NameInUse.into(),
            None => {}
        }
        let readers = self.readers(no);
        let told = Told { doer: true, ..self.tell_room(no, who, "RENAME", name.to_owned(), readers) };
        self.rooms[no].name = name;
        told.into()
    }
}

impl Room {
    /// Makes a change; the letter, the direction and the word to be printed, if anything changed.
    fn change(&mut self, change: &Change) -> Option<(char, bool, Option<String>)> {
        match change {
            Change::Flag(letter, on) => {
                let changed = if *on { self.flags.insert(*letter) } else { self.flags.remove(letter) };
                changed.then_some((*letter, *on, None))
            }
            Change::Key(key) => {
                let changed = std::mem::replace(&mut self.key, *key) != *key;
                changed.then(|| ('k', key.is_some(), Some(key.unwrap_or("*").to_owned())))
            }
            Change::Limit(limit) => {
                let changed = std::mem::replace(&mut self.limit, *limit) != *limit;
                changed.then(|| ('l', limit.is_some(), limit.map(|limit| limit.to_string())))
            }
            Change::Rank(letter, whom, on) => {
                let ranks = self.members.get_mut(whom)?;
                let rank = if *letter == 'o' { &mut ranks.op } else { &mut ranks.voice };
                let changed = std::mem::replace(rank, *on) != *on;
                changed.then(|| (*letter, *on, Some(PEOPLE[*whom].to_owned())))
            }
            Change::List { letter, mask, loud, on: true } => {
                let text = mask.text(*loud);
                let new = !self.lists.contains_key(&(*letter, *mask));
                new.then(|| self.lists.insert((*letter, *mask), text.clone()));
                new.then_some((*letter, true, Some(text)))
            }
            // As it stands in the list, so that clients find it there.
            Change::List { letter, mask, on: false, .. } => {
                self.lists.remove(&(*letter, *mask)).map(|text| (*letter, false, Some(text)))
            }
        }
    }
}

/// Anybody does anything. `secrets`: rooms may be made secret; `selves`: people may talk to themselves.
pub fn any_command(secrets: bool, selves: bool) -> impl Strategy<Value = (Person, Command)> {
    let person = 0..PEOPLE.len();
    // Most of it in one room: what people do to each other matters more than where.
    let room = prop_oneof![3 => Just(1), 2 => 0..ROOMS.len()].boxed();
    let speech = prop_oneof![3 => Just(Speech::Message), 1 => Just(Speech::Notice)];
    let word = prop::option::weighted(0.4, prop::sample::select(&["word", "wrong"][..]));
    let topic = prop::sample::select(&["", "tea", "cake"][..]);
    let changes = prop::collection::vec(any_change(secrets), 1..4);
    let command = prop_oneof![
        3 => Just(Command::Connect),
        4 => Just(Command::Quit),
        12 => (room.clone(), word).prop_map(|(room, word)| Command::Join(room, word)),
        4 => room.clone().prop_map(Command::Part),
        14 => (room.clone(), speech.clone()).prop_map(|(room, speech)| Command::Say(room, speech)),
        3 => (person.clone(), speech).prop_map(|(to, speech)| Command::Tell(to, speech)),
        4 => (room.clone(), person.clone()).prop_map(|(room, whom)| Command::Kick(room, whom)),
        5 => (room.clone(), person.clone()).prop_map(|(room, whom)| Command::Invite(room, whom)),
        5 => (room.clone(), topic).prop_map(|(room, text)| Command::Topic(room, text)),
        14 => (room.clone(), changes).prop_map(|(room, changes)| Command::Mode(room, changes)),
        5 => (room.clone(), 0..5usize).prop_map(|(room, back)| Command::Redact(room, back)),
        2 => (person.clone(), 0..5usize).prop_map(|(with, back)| Command::RedactWith(with, back)),
        4 => (room.clone(), room).prop_map(|(room, to)| Command::Rename(room, to)),
    ];
    (person, command).prop_map(move |(who, command)| match command {
        Command::Tell(to, speech) if to == who && !selves => (who, Command::Tell((who + 1) % PEOPLE.len(), speech)),
        Command::RedactWith(with, back) if with == who && !selves => {
            (who, Command::RedactWith((who + 1) % PEOPLE.len(), back))
        }
        command => (who, command),
    })
}

fn any_change(secrets: bool) -> impl Strategy<Value = Change> {
    let flags: &[char] = if secrets { &['i', 'm', 'n', 't', 's'] } else { &['i', 'm', 'n', 't'] };
    let person = 0..PEOPLE.len();
    let mask = prop_oneof![
        1 => Just(Mask::Everybody),
        1 => Just(Mask::Nobody),
        2 => person.clone().prop_map(Mask::Nick),
        1 => person.clone().prop_map(Mask::User),
        1 => person.clone().prop_map(Mask::Account),
    ];
    prop_oneof![
        4 => (prop::sample::select(flags), any::<bool>()).prop_map(|(letter, on)| Change::Flag(letter, on)),
        1 => prop::option::of(Just("word")).prop_map(Change::Key),
        1 => prop::option::of(1..4u32).prop_map(Change::Limit),
        4 => (prop::sample::select(&['o', 'v'][..]), person, any::<bool>())
            .prop_map(|(letter, whom, on)| Change::Rank(letter, whom, on)),
        5 => (prop::sample::select(&['b', 'e', 'I', 'q'][..]), mask, any::<bool>(), prop::bool::weighted(0.7))
            .prop_map(|(letter, mask, loud, on)| {
                let loud = loud && matches!(mask, Mask::Nick(_) | Mask::User(_));
                Change::List { letter, mask, loud, on }
            }),
    ]
}

/// Tries many programs and says of one that fails, made as short as it gets, by which seed it comes again. The number of
/// programs and the seed can be given: `PROPTEST_CASES=5000 PROPTEST_RNG_SEED=1`.
pub fn try_all<P: Strategy>(cases: u32, programs: P, law: impl Fn(P::Value) -> Result<(), TestCaseError>) {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), "a seed"),
    };
    config.rng_seed = RngSeed::Fixed(seed);
    config.failure_persistence = None;
    config.max_shrink_iters = 4_000;
    let tried = config.cases;
    if let Err(error) = TestRunner::new(config).run(&programs, law) {
        panic!("{error}\nTo see it again: PROPTEST_RNG_SEED={seed} PROPTEST_CASES={tried}");
    }
}
