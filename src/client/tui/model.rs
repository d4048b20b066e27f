//! The state of the screen: conversations, what is in front, what is asked for and what waits to be sent. Fed with what
//! is heard and with the passing of time; [`super::input`] feeds it with what a person does.
//!
//! Pure: no terminal, no connection, no clock. What it wants said goes into the session, what it wants done on this
//! machine into [`Model::effects`].

mod hearing;

use std::collections::{BTreeMap, VecDeque};

use super::buffer::{Buffer, Entry, Line, Scroll, Taste};
use super::editor::Editor;
use super::layout::{Flow, Shape};
use super::overlay::{Overlay, Search};
use super::sending::{Outgoing, Queue, State};
use crate::client::choices::Choices;
use crate::client::heard::{Heard, Speech};
use crate::client::session::Session;
use crate::client::settings::{Colours, Config, Level, Screen, TimeFormat};
use crate::client::show::Zone;
use crate::client::text::{key, same};
use crate::event::Millis;

/// Conversations with persons that are kept open; the one unread for longest gives way.
const PERSONS_MAX: usize = 300;
const ROOMS_MAX: usize = 4096;
/// How far back conversations with persons are looked for, and how many are opened.
const CONVERSATIONS_SINCE: i64 = 90 * 24 * 3600 * 1000;
const CONVERSATIONS_MAX: u32 = 50;
/// Who is typing says so again within this time.
const TYPING_BELIEVED: i64 = 6_500;
const TYPING_MAX: usize = 20;
const LAG_EVERY: i64 = 20_000;
const HINT_SHOWN: i64 = 6_000;
/// The room in front at first, if one is in it.
const FIRST_ROOM: &str = "#lobby";

use super::paging::Question;

/// Rooms before persons, then by name.
pub type Key = (bool, String);

/// What this person likes.
#[derive(Debug, Clone)]
pub struct Settings {
    pub colours: bool,
    pub presence: bool,
    pub time: TimeFormat,
    pub zone: Zone,
    pub bell: bool,
    /// Per room, by key; else [`Settings::level`].
    pub levels: BTreeMap<String, Level>,
    pub level: Level,
    /// Words that count as mentions, beside our name.
    pub words: Vec<String>,
    /// What was chosen while talking: [`Settings::levels`] knows it too.
    pub choices: Choices,
    /// Others are told that we are typing.
    pub typing: bool,
    pub members: bool,
    pub mouse: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            colours: true,
            presence: false,
            time: TimeFormat::default(),
            zone: Zone::Local,
            bell: true,
            levels: BTreeMap::new(),
            level: Level::Mentions,
            words: Vec::new(),
            choices: Choices::default(),
            typing: true,
            members: false,
            mouse: true,
        }
    }
}

impl Settings {
    /// By the configuration, and `NO_COLOR`.
    pub fn of(config: &Config, choices: Choices) -> Settings {
        let colours = match config.screen.colours {
            Colours::Auto => std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            Colours::Always => true,
            Colours::Never => false,
        };
        let levels = config.notify.rooms.iter().map(|(room, level)| (key(room), *level));
        let levels = levels.chain(choices.rooms.clone()).collect();
        let (bell, level, words) = (config.notify.bell, config.notify.default, config.notify.words.clone());
        let Screen { time, joins: presence, members, mouse, typing, .. } = config.screen;
        let zone = Zone::Local;
        Settings { colours, presence, time, zone, bell, levels, level, words, choices, typing, members, mouse }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conn {
    Up,
    /// Gone, because of this; tried again at that time (`None`: being tried).
    Down {
        why: String,
        again: Option<Millis>,
    },
}

/// Something to do on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Quit(String),
    /// Ring, and show this where the terminal can: where, from whom, what.
    Ring {
        with: String,
        from: String,
        text: String,
    },
    /// Let the text be edited in the person's own editor.
    Edit(String),
    /// Try to connect at once.
    Hurry,
    /// Put this into the clipboard.
    Copy(String),
    /// Keep what was chosen for the next time.
    Remember,
    /// Show this page, if there is something here to show it with.
    Open(String),
    /// The mouse is ours, or the terminal's.
    Mouse(bool),
    /// Let the shell have the terminal until it gives it back.
    Suspend,
    Redraw,
}

pub struct Model {
    pub nick: String,
    pub place: String,
    pub buffers: BTreeMap<Key, Buffer>,
    pub current: Option<Key>,
    /// The one before, to go back to.
    pub previous: Option<Key>,
    pub editor: Editor,
    pub queue: Queue,
    pub overlay: Overlay,
    /// The search whose hits are being walked through.
    pub found: Option<Search>,
    pub conn: Conn,
    pub lag: Option<i64>,
    pub focused: bool,
    pub members_shown: bool,
    /// Nothing stands beside the messages, so that the terminal's mouse selects only them.
    pub bare: bool,
    pub settings: Settings,
    /// The message that the text will answer.
    pub reply_to: Option<u64>,
    /// A passing word, and until when it is shown.
    pub hint: Option<(String, Millis)>,
    /// Words for somebody who is here for the first time, shown below the first messages.
    pub welcome: Vec<String>,
    /// The size of the part with the messages, as it was drawn last.
    pub size: (usize, usize),
    pub effects: Vec<Effect>,
    pub(super) typed_at: Option<(Key, Millis)>,
    pub(super) completion: Option<super::complete::Completion>,
    /// The message that is taken back if the key comes again.
    pub(super) taking_back: Option<u64>,
    pub(super) chord: bool,
    pub(super) questions: Vec<Question>,
    /// Where to go once the page that is on its way has come.
    pub(super) later: Option<(Key, super::paging::Goal)>,
    pub(super) fill: VecDeque<Key>,
    /// A room that the person wants to be in: it comes to the front when we are.
    pub(super) entering: Option<String>,
    pub(super) fence: Option<(u64, Millis)>,
    pub(super) lag_asked: Option<Millis>,
    pub(super) next_id: u64,
    pub(super) settled: bool,
    pub(super) quiet_until: BTreeMap<Key, Millis>,
}

impl Model {
    pub fn new(nick: &str, place: &str, settings: Settings) -> Model {
        Model {
            nick: nick.to_owned(),
            place: place.to_owned(),
            buffers: BTreeMap::new(),
            current: None,
            previous: None,
            editor: Editor::default(),
            queue: Queue::default(),
            overlay: Overlay::None,
            found: None,
            conn: Conn::Up,
            lag: None,
            focused: true,
            members_shown: settings.members,
            bare: false,
            settings,
            reply_to: None,
            hint: None,
            welcome: Vec::new(),
            size: (80, 20),
            effects: Vec::new(),
            typed_at: None,
            completion: None,
            taking_back: None,
            chord: false,
            questions: Vec::new(),
            later: None,
            fill: VecDeque::new(),
            entering: None,
            fence: None,
            lag_asked: None,
            next_id: 0,
            settled: false,
            quiet_until: BTreeMap::new(),
        }
    }

    pub fn buffer(&self) -> Option<&Buffer> {
        self.current.as_ref().and_then(|key| self.buffers.get(key))
    }

    pub fn buffer_mut(&mut self) -> Option<&mut Buffer> {
        self.current.as_ref().and_then(|key| self.buffers.get_mut(key))
    }

    /// The conversation in front as rows.
    pub fn flow(&self) -> Option<Flow<'_>> {
        let buffer = self.buffer()?;
        let outgoing: Vec<&Outgoing> = if buffer.live || buffer.catching_up || matches!(self.conn, Conn::Down { .. }) {
            self.queue.of(&buffer.name).collect()
        } else {
            Vec::new()
        };
        Some(Flow { buffer, outgoing, shape: self.shape() })
    }

    pub fn shape(&self) -> Shape {
        let (width, height) = self.size;
        let name_width = match width {
            0..=50 => 8,
            51..=90 => 11,
            _ => 15,
        };
        let Settings { presence, zone, time, .. } = self.settings;
        Shape { width, height, name_width, presence, zone, time }
    }

    /// What rings from a conversation.
    pub fn level_of(&self, buffer: &Buffer) -> Level {
        let usual = if buffer.is_room { self.settings.level } else { Level::All };
        self.settings.levels.get(&key(&buffer.name)).copied().unwrap_or(usual)
    }

    /// What is made of a message: whether it calls us, and whether it is to be seen.
    pub fn taste(&self) -> Taste<'_> {
        let Settings { words, choices, .. } = &self.settings;
        Taste { nick: &self.nick, words, ignored: &choices.ignored }
    }

    pub fn is_current(&self, of: &Key) -> bool {
        self.current.as_ref() == Some(of)
    }

    // --- what is heard ---

    pub fn hear(&mut self, heard: Heard, session: &mut Session, now: Millis) {
        match heard {
            Heard::LoggedIn { nick } => self.nick = nick,
            Heard::Settled => self.settled(session, now),
            Heard::Said(said) => self.said(&said, session, now),
            Heard::Happened(happened) => self.happened(&happened, session, now),
            Heard::Reacted(_) | Heard::Redacted { .. } => self.marked(&heard),
            Heard::Typing { with, from, going } => self.types(&with, &from, going, now),
            Heard::Read { with, at } => self.read(&with, at, session),
            Heard::Conversation { with, .. } => {
                if !session.is_room(&with) && !same(&with, &self.nick) {
                    self.open(&with, session);
                }
            }
            Heard::Page(page) => self.page(page, session, now),
            Heard::Unanswered { query, why } => self.unanswered(query, &why, now),
            Heard::Topic { room, text } => {
                if let Some(buffer) = self.buffers.get_mut(&room_key(&room)) {
                    buffer.topic = text;
                }
            }
            Heard::Names { room, nicks } => self.names(&room, &nicks),
            Heard::Listed { room, members, topic } => self.listed(room, members, &topic),
            Heard::AllListed => {
                if let Overlay::Pick(pick) = &mut self.overlay {
                    pick.coming = false;
                }
            }
            Heard::Person { who, lines } => self.overlay = Overlay::Told { title: who, lines },
            Heard::Here { who, here } => {
                if let Some(buffer) = self.buffers.get_mut(&(true, key(&who))) {
                    buffer.here = Some(here);
                    if here {
                        buffer.away = None;
                    }
                }
            }
            Heard::Away { who, why, text } => self.away(&who, why, text, now),
            Heard::Stored { ticket } => self.stored(ticket, now),
            Heard::Refused { said, about, why, again } => self.refused(said.map(|(t, _)| t), about, why, again, now),
            Heard::Fence(id) => {
                if let Some((_, at)) = self.fence.take_if(|(fence, _)| *fence == id) {
                    self.lag = Some((now.0 - at.0).max(0));
                }
            }
            Heard::Info(text) => self.remark(Entry::Note(text), now),
            Heard::Closed(why) => self.remark(Entry::Alarm(format!("the server ends the connection: {why}")), now),
            Heard::LoginFailed(error) => self.remark(Entry::Alarm(error.to_string()), now),
            // Pages come whole.
            Heard::Earlier { .. } | Heard::Now { .. } => {}
        }
        self.pump(session, now);
        if self.settled && !self.welcome.is_empty() && self.buffer().is_some_and(|buffer| buffer.live) {
            let welcome = std::mem::take(&mut self.welcome);
            welcome.into_iter().for_each(|text| self.remark(Entry::Note(text), now));
        }
    }

    /// The connection is gone.
    pub fn lost(&mut self, why: &str, session: &Session) {
        self.conn = Conn::Down { why: why.to_owned(), again: None };
        (self.lag, self.fence, self.lag_asked, self.settled) = (None, None, None, false);
        self.questions.clear();
        self.later = None;
        self.fill.clear();
        self.quiet_until.clear();
        self.queue.cut();
        for buffer in self.buffers.values_mut() {
            buffer.cut();
            if session.has_chathistory() {
                buffer.catch_up();
            }
        }
        if let Overlay::Search(search) = &mut self.overlay {
            search.query = None;
        }
        if let Some(search) = &mut self.found {
            search.query = None;
        }
    }

    fn settled(&mut self, session: &mut Session, now: Millis) {
        self.conn = Conn::Up;
        self.settled = true;
        self.nick = session.nick().to_owned();
        for buffer in self.buffers.values_mut().filter(|buffer| buffer.is_room) {
            let was = std::mem::replace(&mut buffer.joined, session.room(&buffer.name).is_some());
            // Only a chatd knows the rooms of an account by itself.
            if was && !buffer.joined && !session.is_chatd() {
                session.command("JOIN", &[&buffer.name]);
            }
        }
        for buffer in self.buffers.values_mut().filter(|buffer| !buffer.is_room) {
            buffer.here = None;
            session.watch(&buffer.name);
        }
        if session.has_chathistory() {
            let all: Vec<Key> = self.buffers.keys().cloned().collect();
            all.into_iter().for_each(|of| self.want(of));
            // The newest first.
            session.conversations(now, Millis(now.0 - CONVERSATIONS_SINCE), CONVERSATIONS_MAX);
        } else {
            for target in self.queue.targets_unsure() {
                self.queue.unknowable(&target);
            }
            for buffer in self.buffers.values_mut() {
                (buffer.live, buffer.start, buffer.catching_up) = (true, true, false);
            }
        }
        if self.current.is_none() {
            let first = room_key(FIRST_ROOM);
            let first =
                if self.buffers.contains_key(&first) { Some(first) } else { self.buffers.keys().next().cloned() };
            match first {
                Some(first) => self.bring(first, Some(session)),
                None => {
                    session.command("JOIN", &[FIRST_ROOM]);
                    self.entering = Some(FIRST_ROOM.to_owned());
                }
            }
        }
        self.lag_asked = None;
    }

    /// The conversation of this name; made if there is none.
    pub fn open(&mut self, with: &str, session: &mut Session) -> Key {
        let is_room = session.is_room(with);
        let of = (!is_room, key(with));
        if !self.buffers.contains_key(&of) {
            self.make_room(is_room);
            let mut buffer = Buffer::new(with, is_room);
            if !is_room && self.settled {
                session.watch(with);
            }
            if session.has_chathistory() {
                if !is_room && session.has_markers() {
                    session.ask_read(with);
                }
            } else {
                (buffer.live, buffer.start) = (true, true);
            }
            self.buffers.insert(of.clone(), buffer);
            if session.has_chathistory() {
                self.want(of.clone());
            }
        }
        of
    }

    /// Drops a conversation that nobody misses, if there are too many.
    fn make_room(&mut self, is_room: bool) {
        let max = if is_room { ROOMS_MAX } else { PERSONS_MAX };
        if self.buffers.keys().filter(|(person, _)| *person != is_room).count() < max {
            return;
        }
        let current = self.current.clone();
        let candidates = self.buffers.iter().filter(|(of, _)| of.0 != is_room && Some(*of) != current.as_ref());
        let oldest = candidates.min_by_key(|(_, buffer)| (buffer.unread > 0, buffer.last_said()));
        if let Some(of) = oldest.map(|(of, _)| of.clone()) {
            self.close(&of);
        }
    }

    pub fn close(&mut self, of: &Key) {
        self.buffers.remove(of);
        self.fill.retain(|wanted| wanted != of);
        self.questions.retain(|question| question.of != *of);
        if self.is_current(of) {
            self.current = None;
            let next = self.previous.take().filter(|of| self.buffers.contains_key(of));
            if let Some(next) = next.or_else(|| self.buffers.keys().next().cloned()) {
                self.bring(next, None);
            }
        }
    }

    /// Brings a conversation to the front.
    pub fn bring(&mut self, of: Key, session: Option<&mut Session>) {
        if self.is_current(&of) || !self.buffers.contains_key(&of) {
            return;
        }
        self.stop_typing(session);
        let text = self.editor.set("");
        self.reply_to = None;
        self.taking_back = None;
        if let Some(before) = self.current.take() {
            if let Some(buffer) = self.buffers.get_mut(&before) {
                buffer.draft = text;
                buffer.divider = None;
                buffer.selected = None;
                if buffer.live {
                    buffer.scroll = Scroll::Bottom;
                }
                buffer.trim(false);
            }
            self.previous = Some(before);
        }
        if let Some(buffer) = self.buffers.get_mut(&of) {
            let draft = std::mem::take(&mut buffer.draft);
            self.editor.set(&draft);
            buffer.divider = if buffer.unread > 0 { Some(buffer.read_to().unwrap_or(Millis(i64::MIN))) } else { None };
        }
        if let Some(at) = self.fill.iter().position(|wanted| *wanted == of) {
            self.fill.remove(at);
            self.fill.push_front(of.clone());
        }
        self.current = Some(of);
    }

    /// A word of the program or the server, shown in front.
    pub fn remark(&mut self, entry: Entry, now: Millis) {
        let id = self.new_id();
        match self.buffer_mut() {
            Some(buffer) if buffer.live || buffer.lines().is_empty() => {
                buffer.remark(Line { id, at: now, msgid: None, entry });
            }
            _ => {
                let (Entry::Note(text) | Entry::Alarm(text)) = entry else { return };
                self.hint(text, now);
            }
        }
    }

    pub fn hint(&mut self, text: impl Into<String>, now: Millis) {
        self.hint = Some((text.into(), Millis(now.0 + HINT_SHOWN)));
    }

    pub fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    // --- time ---

    /// Something may be due: called a few times a second. True: the screen may look different now.
    pub fn tick(&mut self, session: Option<&mut Session>, now: Millis) -> bool {
        let mut changed = false;
        for buffer in self.buffers.values_mut() {
            let before = buffer.typing.len();
            buffer.typing.retain(|(_, until)| until.0 > now.0);
            changed |= buffer.typing.len() != before;
        }
        changed |= self.hint.take_if(|(_, until)| until.0 <= now.0).is_some();
        let Some(session) = session else { return changed };
        if self.settled && self.lag_asked.is_none_or(|at| now.0 - at.0 >= LAG_EVERY) {
            self.lag_asked = Some(now);
            if self.fence.is_none() {
                self.fence = Some((session.fence(), now));
            }
        }
        changed |= self.mark_read(session);
        self.pump(session, now);
        changed || self.queue.open() > 0
    }

    /// Tells the server, and so the other devices, what has been seen here. True: something was not read before.
    fn mark_read(&mut self, session: &mut Session) -> bool {
        if !self.settled || !self.focused || !matches!(self.overlay, Overlay::None) {
            return false;
        }
        let Some(buffer) = self.buffer_mut() else { return false };
        if !buffer.live || buffer.scroll != Scroll::Bottom {
            return false;
        }
        let changed = buffer.unread > 0;
        (buffer.unread, buffer.mentions, buffer.uncounted) = (0, 0, false);
        let Some(at) = buffer.last_said().filter(|at| buffer.read.is_none_or(|read| *at > read)) else {
            return changed;
        };
        buffer.read = Some(at);
        if session.has_markers() {
            let name = buffer.name.clone();
            session.mark_read(&name, at);
        }
        changed
    }

    /// Sends what can be sent and asks for what is wanted.
    pub fn pump(&mut self, session: &mut Session, now: Millis) {
        if self.settled {
            let Model { queue, buffers, next_id, .. } = self;
            let ready = |target: &str| {
                let key = key(target);
                let buffer = buffers.get(&(false, key.clone())).or_else(|| buffers.get(&(true, key)));
                buffer.is_none_or(|buffer| !buffer.catching_up)
            };
            queue.pump(session, now, ready, || {
                *next_id += 1;
                *next_id
            });
        }
        self.ask(session, now);
    }

    /// Takes a text to be sent to somebody.
    pub fn say(&mut self, target: &str, speech: Speech, text: &str, reply_to: Option<String>, now: Millis) -> bool {
        let (id, from) = (self.new_id(), self.nick.clone());
        let (target, text) = (target.to_owned(), text.to_owned());
        let taken = self.queue.push(Outgoing { id, from, target, speech, text, reply_to, state: State::Waiting });
        if !taken {
            self.hint("too much waits to be sent: wait a moment", now);
        }
        taken
    }

    pub(super) fn stop_typing(&mut self, session: Option<&mut Session>) {
        if let (Some((of, _)), Some(session)) = (self.typed_at.take(), session)
            && let Some(buffer) = self.buffers.get(&of)
            && session.has_tags()
        {
            let name = buffer.name.clone();
            session.typing(&name, false);
        }
    }

    /// What waits and was never sent, for a last word.
    pub fn unsent(&self) -> Vec<String> {
        self.queue.unsent()
    }

    /// What the window is called.
    pub fn title(&self) -> String {
        let (unread, mentions) = self.buffers.values().fold((0, 0), |(unread, mentions), buffer| {
            let calls = if buffer.is_room { buffer.mentions } else { buffer.unread };
            (unread + buffer.unread, mentions + calls)
        });
        let count = match (unread, mentions) {
            (0, _) => String::new(),
            (_, 0) => "* ".to_owned(),
            (_, calls) => format!("({calls}) "),
        };
        format!("{count}{} - chat", self.buffer().map_or(self.place.as_str(), |buffer| buffer.name.as_str()))
    }
}

pub fn room_key(room: &str) -> Key {
    (false, key(room))
}
