//! The screen as a person sees it: a session that is told a server's lines, keys, and the picture that comes of it.

#[cfg(test)]
mod finding;
#[cfg(test)]
mod persons;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use zeroize::Zeroizing;

use super::buffer::{Buffer, LINES_MAX, Place, Scroll, said_line};
use super::model::{Conn, Effect, Model, Settings};
use super::view::{draw, message_size};
use crate::client::heard::{Heard, Page, Said, Speech};
use crate::client::login::{Credentials, Proof};
use crate::client::session::Session;
use crate::client::show::Zone;
use crate::event::Millis;

const CAPS: &str = "sasl=PLAIN message-tags server-time batch echo-message labeled-response draft/chathistory \
    draft/event-playback draft/read-marker draft/multiline=max-bytes=4096,max-lines=20 draft/message-redaction \
    soju.im/search standard-replies";
/// 2026-11-23 12:00 UTC
const NOON: i64 = 1_795_435_200_000;

struct Person {
    model: Model,
    session: Session,
    terminal: Terminal<TestBackend>,
    now: i64,
}

impl Person {
    /// alice, logged in, in the rooms #lobby and #ops, nothing answered yet.
    fn new(columns: u16, rows: u16) -> Person {
        let settings = Settings { zone: Zone::Utc, colours: false, ..Settings::default() };
        let mut person = Person {
            model: Model::new("alice", "chat.test", settings),
            session: session(),
            terminal: Terminal::new(TestBackend::new(columns, rows)).unwrap(),
            now: NOON,
        };
        person.log_in();
        person
    }

    fn log_in(&mut self) {
        self.hear(&format!(":s CAP * LS :{CAPS}"));
        let wanted: Vec<String> =
            self.out().iter().filter_map(|line| line.strip_prefix("CAP REQ ").map(str::to_owned)).collect();
        wanted.iter().for_each(|list| self.hear(&format!(":s CAP * ACK {list}")));
        self.hear("AUTHENTICATE +");
        self.hear(":s 903 alice :ok\n:s 001 alice :hello\n:s 005 alice CHATHISTORY=100 CHANTYPES=# :ok");
        for room in ["#lobby", "#ops"] {
            self.hear(&format!(":alice!a@h JOIN {room}\n:s MARKREAD {room} timestamp=2026-11-23T11:59:30.000Z"));
            self.hear(&format!(
                ":s 332 alice {room} :about {room}\n:s 353 alice = {room} :@alice bob\n:s 366 alice {room} :end"
            ));
        }
        self.hear(":s PONG s settled");
    }

    fn hear(&mut self, lines: &str) {
        for line in lines.lines() {
            self.session.hear(line.trim_start(), Millis(self.now));
            while let Some(heard) = self.session.next_heard() {
                self.model.hear(heard, &mut self.session, Millis(self.now));
            }
        }
    }

    /// What was sent since.
    fn out(&mut self) -> Vec<String> {
        self.session.take_out().into_iter().map(|line| line.into_string()).collect()
    }

    /// The line sent that has all these words.
    #[track_caller]
    fn sent(&mut self, words: &str) -> String {
        let out = self.out();
        out.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("no {words} in {out:#?}")).clone()
    }

    /// Answers a question with these lines.
    fn answer(&mut self, question: &str, room: &str, lines: &str) {
        let label = question.strip_prefix("@label=").and_then(|rest| rest.split(' ').next()).expect("a label");
        self.hear(&format!("@label={label} :s BATCH +{label} chathistory {room}"));
        for line in lines.lines().map(str::trim_start).filter(|line| !line.is_empty()) {
            self.hear(&format!("@batch={label};{}", line.strip_prefix('@').expect("tags")));
        }
        self.hear(&format!(":s BATCH -{label}"));
    }

    /// Answers whatever is asked of a room that has no past.
    fn answer_all_with_nothing(&mut self) {
        self.answer_all_with_nothing_but("", "");
    }

    /// The same, but the newest of this room are these.
    fn answer_all_with_nothing_but(&mut self, room: &str, lines: &str) {
        let past = |question: &str| question.contains(&format!("LATEST {room} ")) && !room.is_empty();
        loop {
            let out = self.out();
            let asked: Vec<&String> =
                out.iter().filter(|line| line.contains("CHATHISTORY") && !line.contains("TARGETS")).collect();
            if asked.is_empty() {
                break;
            }
            for question in asked {
                let asked = question.split(' ').nth(3).unwrap();
                self.answer(question, asked, if past(question) { lines } else { "" });
            }
        }
    }

    fn key(&mut self, code: KeyCode) {
        self.press(code, KeyModifiers::NONE);
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.look();
        let session = (self.model.conn == Conn::Up).then_some(&mut self.session);
        self.model.key(KeyEvent::new(code, modifiers), session, Millis(self.now));
    }

    fn types(&mut self, text: &str) {
        text.chars().for_each(|c| self.key(KeyCode::Char(c)));
    }

    fn says(&mut self, text: &str) {
        self.types(text);
        self.key(KeyCode::Enter);
    }

    fn lose(&mut self) {
        self.model.lost("the server closed the connection", &self.session);
        self.session = session();
    }

    /// The screen, row by row.
    fn look(&mut self) -> Vec<String> {
        let area = *self.terminal.backend().buffer().area();
        self.model.size = message_size(&self.model, area);
        let model = &self.model;
        self.terminal.draw(|frame| drop(draw(model, frame))).unwrap();
        let cells = self.terminal.backend().buffer();
        let row = |y: u16| {
            let (mut text, mut x) = (String::new(), 0);
            while x < area.width {
                let symbol = cells[(x, y)].symbol();
                text.push_str(symbol);
                x += super::layout::width(symbol).max(1) as u16;
            }
            text.replace('\u{200e}', "").trim_end().to_owned()
        };
        (0..area.height).map(row).collect()
    }

    #[track_caller]
    fn shows(&mut self, text: &str) {
        let screen = self.look();
        assert!(screen.iter().any(|row| row.contains(text)), "no {text:?} on\n{}", screen.join("\n"));
    }

    #[track_caller]
    fn hides(&mut self, text: &str) {
        let screen = self.look();
        assert!(!screen.iter().any(|row| row.contains(text)), "{text:?} is on\n{}", screen.join("\n"));
    }
}

fn session() -> Session {
    let proof = Proof::Password(Zeroizing::new("secret".into()));
    Session::for_screen(Credentials { user: "alice".into(), proof, passive: false })
}

fn label(line: &str) -> &str {
    line.strip_prefix("@label=").and_then(|rest| rest.split([' ', ';']).next()).expect(line)
}

const PAST: &str = "
    @time=2026-11-22T10:00:00.000Z;msgid=k1 :bob!b@h PRIVMSG #lobby :a day ago
    @time=2026-11-23T11:59:00.000Z;msgid=k2 :bob!b@h PRIVMSG #lobby :早安, 大家好
    @time=2026-11-23T11:59:20.000Z;msgid=k3 :alice!a@h PRIVMSG #lobby :good morning
    @time=2026-11-23T11:59:40.000Z;msgid=k4 :bob!b@h PRIVMSG #lobby :alice: is the new release out, and is it really as good as everybody says?
    @time=2026-11-23T11:59:50.000Z;msgid=k5;+draft/react=👍;+draft/reply=k3 :bob!b@h TAGMSG #lobby";

/// alice with a past in #lobby, and nothing in #ops.
fn at_ease(columns: u16, rows: u16) -> Person {
    let mut person = Person::new(columns, rows);
    let question = person.sent("LATEST #lobby");
    person.answer(&question, "#lobby", PAST);
    person.answer_all_with_nothing();
    // #ops was asked at the same time.
    person.lose();
    person.log_in();
    person.answer_all_with_nothing();
    person
}

#[test]
fn eighty_by_twenty_four() {
    let mut person = at_ease(80, 16);
    let expected = "
 #lobby  about #lobby                                                    2 here
 #lobby       1! │
 #ops            │
                 │
                 │
                 │────────────────── Sunday, 22 November 2026 ──────────────────
                 │10:00         bob a day ago
                 │────────────────── Monday, 23 November 2026 ──────────────────
                 │11:59         bob 早安, 大家好
                 │11:59       alice good morning
                 │                  👍 bob
                 │──────────────────────────── new ─────────────────────────────
                 │11:59         bob alice: is the new release out, and is it
                 │                  really as good as everybody says?
─ ● alice@chat.test ────────────────────────────────────────────────── F1 help ─
> write to #lobby";
    assert_eq!(person.look().join("\n").trim(), expected.trim());
    // Looked at, it is read, here and on the other devices.
    person.model.tick(Some(&mut person.session), Millis(person.now));
    person.sent("MARKREAD #lobby timestamp=2026-11-23T11:59:40.000Z");
    person.hides("1!");
    person.shows("── new ──");
}

#[test]
fn narrow_wide_and_tiny() {
    for (columns, rows) in [(40, 10), (300, 50), (10, 5), (3, 2), (1, 1)] {
        let mut person = at_ease(columns, rows);
        person.model.members_shown = true;
        let screen = person.look();
        assert_eq!(screen.len(), usize::from(rows));
        if columns >= 40 {
            person.shows("good morning");
        }
        for code in [KeyCode::F(1), KeyCode::Esc, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Up] {
            person.key(code);
            person.look();
        }
        person.press(KeyCode::Char('k'), KeyModifiers::CONTROL);
        person.look();
    }
}

#[test]
fn a_message_is_pending_until_its_echo_and_says_why_it_was_refused() {
    let mut person = at_ease(80, 16);
    person.says("first :tada:");
    let sent = person.sent("PRIVMSG #lobby :first 🎉");
    person.says("second");
    person.shows("    …       alice first 🎉");
    assert!(!person.out().iter().any(|line| line.contains("second")), "one at a time");
    person.hear(&format!(
        "@label={};time=2026-11-23T12:00:01.000Z;msgid=k9 :alice!a@h PRIVMSG #lobby :first 🎉",
        label(&sent)
    ));
    person.shows("12:00       alice first 🎉");
    let sent = person.sent("PRIVMSG #lobby :second");
    person.hear(&format!("@label={} :s 404 alice #lobby :You are muted", label(&sent)));
    person.shows("not sent: You are muted");
    person.key(KeyCode::Up);
    person.shows("not sent: r try again");
    person.types("e");
    person.hides("You are muted");
    assert_eq!(person.model.editor.text(), "second");
}

#[test]
fn what_was_under_way_is_looked_for_before_it_is_sent_again() {
    for arrived in [true, false] {
        let mut person = at_ease(80, 16);
        person.says("is it there?");
        person.sent("PRIVMSG #lobby :is it there?");
        person.lose();
        person.says("and this one later");
        person.shows("○");
        person.shows("2 to be sent");
        person.log_in();
        let question = person.sent("AFTER #lobby msgid=k5");
        let found = "@time=2026-11-23T12:00:01.000Z;msgid=k9 :alice!a@h PRIVMSG #lobby :is it there?";
        // What comes live meanwhile waits for the gap to be filled.
        person.hear("@time=2026-11-23T12:00:05.000Z;msgid=kb :bob!b@h PRIVMSG #lobby :live");
        person.hides("live");
        if arrived {
            person.answer(&question, "#lobby", found);
            let question = person.sent("AFTER #lobby msgid=k9");
            let last = "@time=2026-11-23T12:00:05.000Z;msgid=kb :bob!b@h PRIVMSG #lobby :live";
            person.answer(&question, "#lobby", last);
            let question = person.sent("AFTER #lobby msgid=kb");
            person.answer(&question, "#lobby", "");
        } else {
            person.answer(&question, "#lobby", "");
        }
        let out = person.out();
        let again = out.iter().any(|line| line.contains("PRIVMSG #lobby :is it there?"));
        assert_eq!(again, !arrived, "{out:#?}");
        assert_eq!(out.iter().any(|line| line.contains("and this one later")), arrived, "in order: {out:#?}");
        let screen = person.look();
        for text in ["is it there?", "live"] {
            assert_eq!(screen.iter().filter(|row| row.contains(text)).count(), 1, "{text}\n{}", screen.join("\n"));
        }
    }
}

#[test]
fn hostile_text_stays_text() {
    let mut person = at_ease(80, 16);
    person.hear("@time=2026-11-23T12:00:01.000Z;msgid=k9 :bo\x1b[2Jb!b@h PRIVMSG #lobby :\x1b[31mred\x1b]0;owned\x07 \u{202e}evil\u{9b}2J\x08\x08 done");
    person.hear(":s TOPIC #lobby :\x1b[5mblink\u{2066}");
    person.shows("bob red evil done");
    person.shows("#lobby  blink");
    let screen = person.look().concat();
    assert!(!screen.contains(|c: char| c.is_control() || c == '\u{202e}' || c == '\u{2066}'), "{screen:?}");
}

#[test]
fn who_is_called_is_rung() {
    let mut person = at_ease(80, 16);
    let rings = |person: &mut Person, lines: &str| {
        person.hear(lines);
        let effects = std::mem::take(&mut person.model.effects);
        effects.into_iter().filter(|effect| matches!(effect, Effect::Ring { .. })).count()
    };
    assert_eq!(rings(&mut person, "@msgid=a1 :bob!b@h PRIVMSG #ops :hello"), 0);
    assert_eq!(rings(&mut person, "@msgid=a2 :bob!b@h PRIVMSG #ops :Alice, hello"), 1);
    assert_eq!(rings(&mut person, "@msgid=a3 :bob!b@h PRIVMSG #ops :malice"), 0);
    assert_eq!(rings(&mut person, "@msgid=a4 :bob!b@h PRIVMSG alice :psst"), 1);
    assert_eq!(rings(&mut person, "@msgid=a5 :bob!b@h PRIVMSG #lobby :alice is looking"), 0);
    // What a page has brought a moment before, calls when it comes.
    let early = "@time=2026-11-23T12:30:00.000Z;msgid=a9 :bob!b@h PRIVMSG alice :are you there?";
    person.answer_all_with_nothing_but("bob", early);
    assert_eq!(rings(&mut person, early), 1);
    person.model.focus(false);
    assert_eq!(rings(&mut person, "@msgid=a6 :bob!b@h PRIVMSG #lobby :alice looks away"), 1);
    person.shows(" #ops       3 1!");
    person.shows(" bob           1");
    person.press(KeyCode::Char('2'), KeyModifiers::ALT);
    person.says("/notify none");
    assert_eq!(rings(&mut person, "@msgid=a7 :bob!b@h PRIVMSG #ops :alice?"), 0);
}

#[test]
fn a_reply_a_reaction_and_taking_back() {
    let mut person = at_ease(80, 16);
    person.key(KeyCode::Up);
    person.types("r");
    person.shows("answer bob (Esc: not)");
    person.says("it is");
    person.sent("+draft/reply=k4 PRIVMSG #lobby :it is");
    person.key(KeyCode::Up);
    person.key(KeyCode::Up);
    person.types("e");
    person.types("heart_eyes");
    person.key(KeyCode::Enter);
    person.sent("@+draft/react=😍;+draft/reply=k4 TAGMSG #lobby");
    // Nothing is selected any more: from the newest, which is on its way, up again.
    (0..3).for_each(|_| person.key(KeyCode::Up));
    person.types("dd");
    person.sent("REDACT #lobby :k3");
    person.hear(":alice!a@h REDACT #lobby k3");
    person.hides("good morning");
    person.shows("alice took this back");
}

#[test]
fn several_lines_are_one_message_and_a_slash_in_them_is_no_command() {
    let mut person = at_ease(80, 16);
    person.model.paste("/quit\nis a command\n");
    person.key(KeyCode::Enter);
    let out = person.out();
    assert!(out.iter().any(|line| line.contains("draft/multiline #lobby")), "{out:#?}");
    assert!(person.model.effects.is_empty());
}

fn said(id: u32) -> Said {
    Said {
        with: "#x".into(),
        from: "bob".into(),
        own: false,
        speech: Speech::Message,
        text: format!("number {id}"),
        at: Millis(i64::from(id) * 1000),
        msgid: Some(format!("{id:06}")),
        reply_to: None,
        bot: false,
        replayed: true,
        ticket: None,
    }
}

fn nobody() -> super::buffer::Taste<'static> {
    static NOBODY: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
    super::buffer::Taste { nick: "alice", words: &[], ignored: &NOBODY }
}

fn page(ids: std::ops::Range<u32>) -> Page {
    let id = |id: u32| Some(format!("{id:06}"));
    let (first, last) = if ids.is_empty() { (None, None) } else { (id(ids.start), id(ids.end - 1)) };
    let heard = ids.clone().map(|id| Heard::Said(said(id))).collect();
    Page { query: None, with: "#x".into(), heard, lines: ids.len(), first, last }
}

fn take(buffer: &mut Buffer, place: Place, ids: std::ops::Range<u32>) {
    let page = page(ids.clone());
    let lines = ids.map(|id| said_line(u64::from(id), &said(id), nobody())).collect();
    buffer.take(&place, &page, lines, true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is scrolled, jumped and heard: what is in the window stands together without a hole, and is bounded.
    #[test]
    fn a_window_has_no_hole_and_no_double(steps in proptest::collection::vec((0u8..6, 0u32..20_000), 1..80)) {
        let mut newest = 10_000u32;
        let mut buffer = Buffer::new("#x", true);
        take(&mut buffer, Place::Newest, newest - 100..newest);
        for (step, at) in steps {
            let number = |id: Option<&str>| id.and_then(|id| id.parse::<u32>().ok()).unwrap();
            match step {
                0 => {
                    let first = number(buffer.first());
                    buffer.ask();
                    take(&mut buffer, Place::Older, first.saturating_sub(700)..first);
                }
                1 if !buffer.live => {
                    let last = number(buffer.last());
                    buffer.ask();
                    // One comes while the page is on its way.
                    buffer.hear(said_line(u64::from(newest), &said(newest), nobody()), true);
                    newest += 1;
                    take(&mut buffer, Place::Newer, last + 1..newest.min(last + 700));
                }
                2 => {
                    let middle = at % newest;
                    buffer.ask();
                    take(&mut buffer, Place::Elsewhere, middle.saturating_sub(50)..(middle + 50).min(newest));
                }
                3 => {
                    buffer.ask();
                    take(&mut buffer, Place::Newest, newest - 100..newest);
                }
                4 => {
                    let lines = buffer.lines();
                    let id = lines[at as usize % lines.len()].id;
                    buffer.scroll = Scroll::At { id, hidden: 0 };
                }
                _ => {
                    buffer.hear(said_line(u64::from(newest), &said(newest), nobody()), true);
                    newest += 1;
                }
            }
            let ids: Vec<u64> = buffer.lines().iter().map(|line| line.id).collect();
            prop_assert!(ids.windows(2).all(|two| two[0] + 1 == two[1]), "{:?}", ids);
            prop_assert!(ids.len() <= LINES_MAX);
            prop_assert!(!buffer.live || ids.last() == Some(&u64::from(newest - 1)), "live at {:?} of {newest}", ids.last());
        }
    }
}
