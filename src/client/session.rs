//! One login, from the first line to the last: fed with the server's lines, it says what to send and what was heard.
//!
//! Pure, no IO and no clock. Promises that everything in a [`Heard`] is clean to print; that each text given to
//! [`Session::say`] ends as `Stored` or `Refused` (or in [`Session::unconfirmed`], if the connection ends first); and
//! that its memory is bounded, whatever the server sends.

mod asking;
mod batches;
mod happenings;
mod marks;
pub mod multiline;
mod numerics;
mod persons;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::heard::{Heard, Page, Said, Speech};
use super::login::{Caps, Credentials, HISTORY, Login, Mode, SEARCH, Step, wanted_of};
use super::text::{clean, key, same, split};
use crate::event::Millis;
use crate::proto::line::{BODY_MAX, Line, Message};
pub use asking::Which;
use multiline::Gathered;

/// Texts under way to the server at one time. When there are as many, [`Session::say`] takes no more.
pub const PENDING_MAX: usize = 256;
const BATCHES_MAX: usize = 64;
const ROOMS_MAX: usize = 4096;
const NAMES_MAX: usize = 20_000;
/// What one page may hold; what a server sends beyond that is passed over.
const PAGE_MAX: usize = 2000;
/// What the server puts before a message of ours, as long as we have not seen it: nick, user and a full host name.
const MASK_GUESS: usize = 63 + 20 + 2;

pub struct Session {
    login: Option<Login>,
    mode: Mode,
    nick: String,
    caps: Caps,
    /// Lines of history to ask for at joining, from a server that leaves that to us; 0: none.
    fetch: u32,
    /// Rooms we are in, by key.
    rooms: BTreeMap<String, String>,
    /// Keys of rooms just joined, whose history is to be asked for after their names.
    unread: BTreeSet<String>,
    mask_len: Option<usize>,
    room_signs: String,
    /// The user mode with which a program says that it is one.
    bot_mode: Option<String>,
    history_max: u32,
    batches: Vec<Batch>,
    names: BTreeMap<String, Vec<String>>,
    pending: VecDeque<Pending>,
    /// Persons of whom it is told whether they are here, by key, and how many these may be.
    watched: BTreeSet<String>,
    watching_max: usize,
    /// What has come of an answer to WHOIS, in words.
    whois: Vec<String>,
    /// Pages asked for and not yet here.
    queries: VecDeque<u64>,
    last_id: u64,
    out: Vec<Line>,
    heard: VecDeque<Heard>,
}

/// A text that the server has not yet said to have stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub ticket: u64,
    pub target: String,
    pub text: String,
}

struct Batch {
    id: String,
    parent: Option<String>,
    kind: BatchKind,
    /// What came in it, for a screen.
    page: Page,
}

enum BatchKind {
    Replay {
        with: String,
        count: usize,
        oldest: Option<String>,
    },
    Answer {
        label: u64,
    },
    /// What a search has found.
    Found,
    /// A message of several lines that is coming in.
    Lines(Box<Gathered>),
    Other,
}

/// What the tags and the batch of a line say about it.
#[derive(Clone)]
struct Frame {
    at: Millis,
    msgid: Option<String>,
    replayed: bool,
    label: Option<u64>,
    /// The line stands for itself: its label is not that of a batch around it.
    alone: bool,
    /// The batch that is a page of the past, if the line belongs to one.
    page: Option<String>,
}

impl Session {
    /// `fetch`: how many old lines to ask for in each room, where the server leaves that to us.
    pub fn new(who: Credentials, fetch: u32) -> Session {
        let mode = if who.passive { Mode::Script } else { Mode::Lines };
        Session::with_mode(who, fetch, mode)
    }

    /// For a screen: what is old comes as a [`Page`], when it is asked for.
    pub fn for_screen(who: Credentials) -> Session {
        Session::with_mode(who, 0, Mode::Screen)
    }

    fn with_mode(who: Credentials, fetch: u32, mode: Mode) -> Session {
        let nick = who.user.clone();
        let login = Login::new(who, mode);
        let mut out = Vec::new();
        login.start(&mut out);
        Session {
            login: Some(login),
            mode,
            nick,
            caps: Caps::default(),
            fetch,
            rooms: BTreeMap::new(),
            unread: BTreeSet::new(),
            mask_len: None,
            room_signs: "#&".to_owned(),
            bot_mode: None,
            history_max: 100,
            batches: Vec::new(),
            names: BTreeMap::new(),
            pending: VecDeque::new(),
            watched: BTreeSet::new(),
            watching_max: 0,
            whois: Vec::new(),
            queries: VecDeque::new(),
            last_id: 0,
            out,
            heard: VecDeque::new(),
        }
    }

    /// Takes in one line of the server, without its line end. Lines that are no messages are passed over.
    pub fn hear(&mut self, line: &str, now: Millis) {
        let Ok(message) = Message::parse(line) else { return };
        if message.command.eq_ignore_ascii_case("PING") {
            let pong = Line::new().command("PONG");
            self.out.push(message.params.last().into_iter().fold(pong, |pong, token| pong.last(token)));
        } else if let Some(login) = &mut self.login {
            match login.hear(&message, &mut self.out) {
                Step::Going => {}
                Step::Info(text) => self.heard.push_back(Heard::Info(text)),
                Step::Failed(error) => self.heard.push_back(Heard::LoginFailed(error)),
                Step::In { nick, caps } => {
                    self.login = None;
                    self.caps = caps;
                    self.nick = nick.clone();
                    self.heard.push_back(Heard::LoggedIn { nick });
                    self.out.push(Line::new().command("PING").param("settled"));
                }
            }
        } else {
            let frame = self.frame(&message, now);
            self.live(&message, &frame);
        }
    }

    /// The next thing that was heard.
    pub fn next_heard(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    /// The lines to send now, in order.
    pub fn take_out(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.out)
    }

    pub fn nick(&self) -> &str {
        &self.nick
    }

    /// The names of the rooms we are in, sorted.
    pub fn rooms(&self) -> impl Iterator<Item = &str> {
        self.rooms.values().map(String::as_str)
    }

    /// The room of this name as the server writes it, if we are in it.
    pub fn room(&self, name: &str) -> Option<&str> {
        self.rooms.get(&key(name)).map(String::as_str)
    }

    /// Whether this is how a room is named, and not a person.
    pub fn is_room(&self, name: &str) -> bool {
        name.starts_with(|c| self.room_signs.contains(c))
    }

    /// Whether the server is chatd, or at least says so by what it offers scripts.
    pub fn is_chatd(&self) -> bool {
        self.caps.of_chatd()
    }

    /// Whether history has to be asked for; else it comes unasked at joining.
    pub fn has_chathistory(&self) -> bool {
        self.caps.has(HISTORY) && self.caps.has("batch")
    }

    /// The messages that it takes to say a text.
    pub fn pieces(&self, target: &str, speech: Speech, text: &str) -> Vec<String> {
        split(text, self.room_for_text(target, speech)).into_iter().map(str::to_owned).collect()
    }

    /// Sends a text, cut into as many messages as it takes, and gives a ticket for each. `None`: too much is under way,
    /// or the text is empty.
    pub fn say(&mut self, target: &str, speech: Speech, text: &str) -> Option<Vec<u64>> {
        let pieces = self.pieces(target, speech, text);
        if pieces.is_empty() || (!self.pending.is_empty() && self.pending.len() + pieces.len() > PENDING_MAX) {
            return None;
        }
        let tickets = pieces.into_iter().map(|piece| self.say_piece(target, speech, piece, None)).collect();
        Some(tickets)
    }

    /// What was said and neither stored nor refused as far as we know, in order.
    pub fn unconfirmed(&self) -> impl ExactSizeIterator<Item = &Pending> {
        self.pending.iter()
    }

    /// Asks for a [`Heard::Fence`] once all that was asked before has been answered.
    pub fn fence(&mut self) -> u64 {
        let id = self.new_id();
        self.out.push(Line::new().command("PING").param(&format!("fence-{id}")));
        id
    }

    /// Asks for a sign of life.
    pub fn probe(&mut self) {
        self.out.push(Line::new().command("PING").param("alive"));
    }

    /// Asks for old lines of a conversation: the newest, or those before the message of this id. Only where
    /// [`Session::has_chathistory`].
    pub fn fetch(&mut self, with: &str, before: Option<&str>, count: u32) {
        let line = Line::new().command("CHATHISTORY");
        let line = match before {
            Some(msgid) => line.param("BEFORE").param(with).param(&format!("msgid={msgid}")),
            None => line.param("LATEST").param(with).param("*"),
        };
        self.out.push(line.param(&count.min(self.history_max).to_string()));
    }

    /// Tells the server that we are a program, if it knows a mode for that.
    pub fn mark_as_bot(&mut self) {
        if let Some(mode) = self.bot_mode.take() {
            let nick = self.nick.clone();
            self.command("MODE", &[&nick, &format!("+{mode}")]);
        }
    }

    /// Asks for a page of the past in the words of CHATHISTORY. Only where [`Session::has_chathistory`].
    pub fn past(&mut self, command: &str, with: &str, marks: &[&str], count: u32) {
        let line = Line::new().command("CHATHISTORY").param(command).param(with);
        let line = marks.iter().fold(line, |line, mark| line.param(mark));
        self.out.push(line.param(&count.min(self.history_max).to_string()));
    }

    /// Whether the server searches for us.
    pub fn has_search(&self) -> bool {
        self.caps.has(SEARCH) && self.caps.has("batch")
    }

    /// Asks for what was said and has all these attributes (`text`, `in`, `from`, `before`, `limit`); it comes marked
    /// as replayed. Only where [`Session::has_search`].
    pub fn search(&mut self, attributes: &[(&str, &str)]) {
        self.out.push(Line::new().command("SEARCH").last(&asking::joined(attributes)));
    }

    /// Sends a command: the last parameter may hold blanks, the others should not.
    pub fn command(&mut self, command: &str, params: &[&str]) {
        let mut line = Line::new().command(command);
        for (at, param) in params.iter().enumerate() {
            line = if at + 1 == params.len() { line.last(param) } else { line.param(param) };
        }
        self.out.push(line);
    }

    /// Sends a line as a person wrote it. False: it is none.
    pub fn raw(&mut self, line: &str) -> bool {
        let Ok(message) = Message::parse(line) else { return false };
        if line.len() > BODY_MAX || message.source.is_some() {
            return false;
        }
        self.command(message.command, &message.params);
        true
    }

    fn labels(&self) -> bool {
        self.caps.has("labeled-response") && self.caps.has("batch")
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The bytes a text may have, so that the line with which the server passes it on fits.
    fn room_for_text(&self, target: &str, speech: Speech) -> usize {
        let mask = self.mask_len.unwrap_or(self.nick.len() + MASK_GUESS);
        let around = ":".len() + mask + " PRIVMSG ".len() + target.len() + " :".len() + "\r\n".len();
        let action = if speech == Speech::Action { "\u{1}ACTION \u{1}".len() } else { 0 };
        BODY_MAX.saturating_sub(around + action)
    }

    fn say_piece(&mut self, target: &str, speech: Speech, text: String, reply_to: Option<&str>) -> u64 {
        let ticket = self.new_id();
        let labels = self.labels();
        let line = if labels { Line::new().tag("label", &ticket.to_string()) } else { Line::new() };
        let line = reply_to.into_iter().fold(line, |line, msgid| line.tag(multiline::REPLY, msgid));
        let line = line.command(if speech == Speech::Notice { "NOTICE" } else { "PRIVMSG" }).param(target);
        self.out.push(match speech {
            Speech::Action => line.last(&format!("\u{1}ACTION {text}\u{1}")),
            _ => line.last(&text),
        });
        if !labels && !self.caps.has("echo-message") {
            // No sign comes but that nothing was refused by the time a later question is answered.
            self.out.push(Line::new().command("PING").param(&format!("said-{ticket}")));
        }
        self.pending.push_back(Pending { ticket, target: target.to_owned(), text });
        ticket
    }

    fn frame(&self, message: &Message, now: Millis) -> Frame {
        let time = message.tags.value("time").and_then(|time| OffsetDateTime::parse(&time, &Rfc3339).ok());
        let at = time.map_or(now, |time| Millis(time.unix_timestamp() * 1000 + i64::from(time.millisecond())));
        let msgid = message.tags.value("msgid").map(|id| clean(&id)).filter(|id| !id.is_empty());
        let own_label = message.tags.value("label").and_then(|label| label.parse().ok());
        let mut frame = Frame { at, msgid, replayed: false, label: own_label, alone: own_label.is_some(), page: None };
        // A batch inside a batch inside a batch: as deep as there are batches, and no deeper.
        let mut around = message.tags.value("batch");
        for _ in 0..self.batches.len() {
            let Some(batch) = around.and_then(|id| self.batches.iter().find(|batch| batch.id == id)) else { break };
            match batch.kind {
                BatchKind::Replay { .. } | BatchKind::Found => {
                    frame.replayed = true;
                    if self.mode == Mode::Screen {
                        frame.page = Some(batch.id.clone());
                    }
                }
                BatchKind::Answer { label } => frame.label = frame.label.or(Some(label)),
                BatchKind::Lines(_) | BatchKind::Other => {}
            }
            around = batch.parent.clone();
        }
        frame
    }

    fn live(&mut self, message: &Message, frame: &Frame) {
        self.count_into_page(frame);
        let from = clean(message.source.map_or("", |source| source.split(['!', '@']).next().unwrap_or_default()));
        match message.command.to_ascii_uppercase().as_str() {
            "PRIVMSG" | "NOTICE" if self.gather(message) => {}
            "PRIVMSG" => self.said(message, frame, from, Speech::Message),
            "NOTICE" => self.said(message, frame, from, Speech::Notice),
            "JOIN" | "PART" | "QUIT" | "KICK" | "TOPIC" | "MODE" | "NICK" | "INVITE" | "AWAY" | "SETNAME" => {
                self.happened(message, frame, from);
            }
            "BATCH" => self.batch(message, frame),
            "TAGMSG" => self.tagged(message, frame, from),
            "REDACT" => self.redacted(message, frame, from),
            "MARKREAD" => self.marked(message),
            "CHATHISTORY" => self.conversation(message),
            "PONG" => self.pong(message.params.last().copied().unwrap_or_default()),
            "ACK" => self.stored(frame.label),
            "CAP" => self.cap(message),
            "FAIL" => {
                let about = (message.params.len() > 3).then(|| clean(message.params[2]));
                let why = clean(message.params.last().copied().unwrap_or_default());
                let again = message.param(1).is_some_and(|code| code == "RATE_LIMITED");
                let of_page = message.param(0).is_some_and(|command| ["CHATHISTORY", "SEARCH"].contains(&command));
                if let Some(query) = self.settle_query(frame.label, of_page) {
                    self.heard.push_back(Heard::Unanswered { query, why });
                    return;
                }
                self.refused(frame.label, about, why, again);
            }
            "WARN" | "NOTE" => {
                self.heard.push_back(Heard::Info(clean(message.params.last().copied().unwrap_or_default())));
            }
            "ERROR" => {
                self.heard.push_back(Heard::Closed(clean(message.params.last().copied().unwrap_or_default())));
            }
            numeric if numeric.starts_with(|c: char| c.is_ascii_digit()) => self.numeric(numeric, message, frame),
            _ => {}
        }
    }

    fn said(&mut self, message: &Message, frame: &Frame, from: String, speech: Speech) {
        let (Some(target), Some(text)) = (message.params.first(), message.params.get(1)) else { return };
        let around = message.tags.value("batch");
        self.tell(Gathered::of(message, frame.clone(), around, from, target), speech, text);
    }

    /// Somebody said something, in one line or in several.
    fn tell(&mut self, gathered: Gathered, speech: Speech, text: &str) {
        let Gathered { frame, around, from, source, target, reply_to, bot, .. } = gathered;
        let own = same(&from, &self.nick);
        let (speech, text) = match text.strip_prefix('\u{1}') {
            Some(ctcp) => match ctcp.strip_prefix("ACTION") {
                Some(action) => (Speech::Action, action.trim_end_matches('\u{1}').trim_start_matches(' ')),
                // Other requests of that kind are for programs, and ours answers none.
                None => return,
            },
            None => (speech, text),
        };
        let with = self.with(&target, &from, own, source.as_deref());
        let ticket = if own && !frame.replayed { self.settle_echo(&frame, &target, text) } else { None };
        if own && let Some(source) = source {
            self.mask_len = Some(source.len());
        }
        if frame.replayed
            && let Some(batch) = around
            && let Some(batch) = self.batches.iter_mut().find(|known| known.id == batch)
            && let BatchKind::Replay { count, oldest, .. } = &mut batch.kind
        {
            *count += 1;
            if oldest.is_none() {
                oldest.clone_from(&frame.msgid);
            }
        }
        let lines: Vec<String> = text.split('\n').map(clean).collect();
        let said = Said {
            with,
            from,
            own,
            speech,
            text: lines.join("\n"),
            at: frame.at,
            msgid: frame.msgid.clone(),
            reply_to,
            bot,
            replayed: frame.replayed,
            ticket,
        };
        self.emit(&frame, Heard::Said(said));
        if let Some(ticket) = ticket {
            self.heard.push_back(Heard::Stored { ticket });
        }
    }

    /// The conversation that a line from `from` to `target` belongs to; empty: the server itself speaks.
    fn with(&self, target: &str, from: &str, own: bool, source: Option<&str>) -> String {
        let bare = target.trim_start_matches(['~', '@', '%', '+']);
        if self.is_room(bare) {
            clean(bare)
        } else if own {
            clean(target)
        } else if source.is_some_and(|source| source.contains('!')) {
            from.to_owned()
        } else {
            String::new()
        }
    }

    /// Passes on what was heard: at once, or with its page.
    fn emit(&mut self, frame: &Frame, heard: Heard) {
        let page = frame.page.as_ref().and_then(|id| self.batches.iter_mut().find(|batch| batch.id == *id));
        match page {
            Some(batch) if batch.page.heard.len() < PAGE_MAX => batch.page.heard.push(heard),
            Some(_) => {}
            None => self.heard.push_back(heard),
        }
    }

    /// Takes from the pending texts the one that this echo belongs to: by label, or where there are none by content.
    fn settle_echo(&mut self, frame: &Frame, target: &str, text: &str) -> Option<u64> {
        let at = match frame.label {
            Some(label) => self.pending.iter().position(|p| p.ticket == label),
            None if self.labels() => None,
            None => self.pending.iter().position(|p| same(&p.target, target) && p.text == text),
        };
        at.and_then(|at| self.pending.remove(at)).map(|p| p.ticket)
    }

    fn stored(&mut self, label: Option<u64>) {
        if let Some(at) = label.and_then(|label| self.pending.iter().position(|p| p.ticket == label))
            && let Some(pending) = self.pending.remove(at)
        {
            self.heard.push_back(Heard::Stored { ticket: pending.ticket });
        }
    }

    fn refused(&mut self, label: Option<u64>, about: Option<String>, why: String, again: bool) {
        let labels = self.labels();
        let at = match (label, &about) {
            (Some(label), _) => self.pending.iter().position(|p| p.ticket == label),
            (None, Some(about)) if !labels => self.pending.iter().position(|p| same(&p.target, about)),
            _ => None,
        };
        let said = at.and_then(|at| self.pending.remove(at)).map(|p| (p.ticket, clean(&p.text)));
        self.heard.push_back(Heard::Refused { said, about, why, again });
    }

    fn pong(&mut self, token: &str) {
        if token == "settled" {
            self.heard.push_back(Heard::Settled);
        } else if let Some(id) = token.strip_prefix("fence-").and_then(|id| id.parse().ok()) {
            self.heard.push_back(Heard::Fence(id));
        } else if let Some(id) = token.strip_prefix("said-").and_then(|id| id.parse().ok()) {
            self.stored(Some(id));
        }
    }

    fn cap(&mut self, message: &Message) {
        let list = message.params.last().copied().unwrap_or_default();
        match message.param(1).unwrap_or_default().to_ascii_uppercase().as_str() {
            "ACK" => self.caps.change(list),
            "NEW" => {
                self.caps.offered(list);
                let wanted = wanted_of(list, self.mode).join(" ");
                if !wanted.is_empty() {
                    self.out.push(Line::new().command("CAP").param("REQ").last(&wanted));
                }
            }
            "DEL" => {
                let off: Vec<String> = list.split_ascii_whitespace().map(|name| format!("-{name}")).collect();
                self.caps.change(&off.join(" "));
            }
            _ => {}
        }
    }
}
