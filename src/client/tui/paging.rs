//! Which pages of which conversation are asked for, and what becomes of them: the newest at the start, what is missing
//! after a lost connection, what comes next where the person scrolls, a jump to somewhere else. Pure.

use super::buffer::{Entry, Line, Place, Scroll, happened_line, said_line};
use super::model::{Key, Model};
use super::overlay::{Overlay, Search};
use crate::client::heard::{Heard, Page};
use crate::client::session::{Session, Which};
use crate::event::Millis;

/// Lines of a page.
const PAGE_LINES: u32 = 100;
/// Pages asked for at a time.
const QUESTIONS_MAX: usize = 4;
/// After a question that came to nothing.
const ASK_AGAIN_AFTER: i64 = 5_000;

pub(super) struct Question {
    query: u64,
    pub(super) of: Key,
    purpose: Purpose,
}

enum Purpose {
    Page(Place),
    Gap,
    /// Then this message is looked at, or the first one not before this time.
    Jump(Goal),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    Message(String),
    Time(Millis),
    /// The newest message.
    End,
}

impl Model {
    /// The newest of this conversation is wanted, or what is missing of it.
    pub(super) fn want(&mut self, of: Key) {
        if !self.fill.contains(&of) {
            match self.is_current(&of) {
                true => self.fill.push_front(of),
                false => self.fill.push_back(of),
            }
        }
    }

    /// Asks for what is wanted most.
    pub(super) fn ask(&mut self, session: &mut Session, now: Millis) {
        while self.settled && self.questions.len() < QUESTIONS_MAX {
            let Some(of) = self.fill.pop_front() else { break };
            let Some(buffer) = self.buffers.get(&of).filter(|buffer| !buffer.asked) else { continue };
            match buffer.gap().filter(|_| buffer.catching_up) {
                Some(gap) => {
                    let which = Which::After(gap.to_owned());
                    self.question(of, &which, Purpose::Gap, session);
                }
                None if buffer.live => {}
                None => self.question(of, &Which::Latest, Purpose::Page(Place::Newest), session),
            }
        }
        self.ask_around(session, now);
    }

    /// Asks for what comes next where the person looks.
    fn ask_around(&mut self, session: &mut Session, now: Millis) {
        if !self.settled || !session.has_chathistory() {
            return;
        }
        if let Some((of, goal)) = self.later.take()
            && self.is_current(&of)
        {
            // Still not: it is kept for the next time.
            self.jump(&of, goal, Some(session), now);
        }
        let Some(of) = self.current.clone() else { return };
        let Some(flow) = self.flow() else { return };
        let buffer = flow.buffer;
        if buffer.asked || buffer.catching_up || self.quiet_until.get(&of).is_some_and(|until| until.0 > now.0) {
            return;
        }
        let ahead = flow.shape.height + 60;
        let anchor = flow.anchor();
        if let (false, Some(first)) = (buffer.start, buffer.first())
            && flow.rows_above(anchor, ahead) < ahead
        {
            let which = Which::Before(first.to_owned());
            return self.question(of, &which, Purpose::Page(Place::Older), session);
        }
        if let (false, Some(last)) = (buffer.live, buffer.last())
            && flow.len() < anchor.0 + ahead
        {
            let which = Which::After(last.to_owned());
            self.question(of, &which, Purpose::Page(Place::Newer), session);
        }
    }

    fn question(&mut self, of: Key, which: &Which, purpose: Purpose, session: &mut Session) {
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        buffer.ask();
        let query = session.page(&buffer.name, which, PAGE_LINES);
        self.questions.push(Question { query, of, purpose });
    }

    /// The search that asked this.
    fn searching(&mut self, query: u64) -> Option<&mut Search> {
        let over = match &mut self.overlay {
            Overlay::Search(search) => Some(search),
            _ => None,
        };
        over.into_iter().chain(&mut self.found).find(|search| search.query == Some(query))
    }

    pub(super) fn page(&mut self, page: Page, session: &mut Session, now: Millis) {
        if let Some(search) = page.query.and_then(|query| self.searching(query)) {
            return search.take(page);
        }
        let at = self.questions.iter().position(|question| Some(question.query) == page.query);
        let (of, purpose) = match at.map(|at| self.questions.swap_remove(at)) {
            Some(Question { of, purpose, .. }) => (of, purpose),
            // Unasked: what an old server shows at joining.
            None if page.with.is_empty() || page.query.is_some() => return,
            None => (self.open(&page.with.clone(), session), Purpose::Page(Place::Newer)),
        };
        let mut lines = Vec::new();
        for heard in &page.heard {
            let id = self.new_id();
            match heard {
                Heard::Said(said) => {
                    if said.own {
                        self.queue.found(said);
                    }
                    lines.push(said_line(id, said, self.taste()));
                }
                Heard::Happened(happened) => lines.extend(happened_line(id, happened)),
                _ => {}
            }
        }
        let current = self.is_current(&of);
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        match purpose {
            Purpose::Gap => {
                let done = buffer.take_gap(&page, lines, current);
                if done {
                    let name = buffer.name.clone();
                    if buffer.live && !current {
                        buffer.count();
                    }
                    self.queue.not_found(&name);
                } else {
                    self.fill.push_front(of);
                }
            }
            Purpose::Page(place) => {
                buffer.take(&place, &page, lines, current);
                if place == Place::Newest {
                    buffer.catching_up = false;
                    buffer.count();
                    if current && buffer.divider.is_none() && buffer.unread > 0 {
                        buffer.divider = Some(buffer.read_to().unwrap_or(Millis(i64::MIN)));
                    }
                    let name = buffer.name.clone();
                    self.queue.not_found(&name);
                }
            }
            Purpose::Jump(goal) => {
                if page.lines == 0 {
                    buffer.give_up();
                    return self.hint("there is nothing there", now);
                }
                buffer.take(&Place::Elsewhere, &page, lines, current);
                self.look_at(&of, &goal);
            }
        }
    }

    pub(super) fn unanswered(&mut self, query: u64, why: &str, now: Millis) {
        if let Some(search) = self.searching(query) {
            return search.fail(why);
        }
        let Some(at) = self.questions.iter().position(|question| question.query == query) else { return };
        let Question { of, purpose, .. } = self.questions.swap_remove(at);
        self.quiet_until.insert(of.clone(), Millis(now.0 + ASK_AGAIN_AFTER));
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        buffer.give_up();
        let name = buffer.name.clone();
        match purpose {
            // The message may be gone: begin again with what is there.
            Purpose::Gap => {
                buffer.forget_gap();
                self.want(of);
            }
            Purpose::Page(Place::Newest) => {
                (buffer.live, buffer.start, buffer.catching_up) = (true, true, false);
                self.queue.unknowable(&name);
            }
            Purpose::Page(_) => {}
            Purpose::Jump(_) => self.hint(format!("cannot go there: {why}"), now),
        }
    }

    /// Looks at a message or a time, wherever it is; fetches it if need be.
    pub fn jump(&mut self, of: &Key, goal: Goal, session: Option<&mut Session>, now: Millis) {
        let Some(buffer) = self.buffers.get(of) else { return };
        let here = match &goal {
            Goal::End => return self.go_to_end(session),
            Goal::Message(msgid) => buffer.by_msgid(msgid).is_some(),
            Goal::Time(at) => {
                let lines = buffer.lines();
                let after = lines.back().is_some_and(|last| last.at >= *at) || buffer.live;
                after && (buffer.start || lines.front().is_some_and(|first| first.at < *at))
            }
        };
        if here {
            return self.look_at(of, &goal);
        }
        let Some(session) = session.filter(|session| session.has_chathistory()) else {
            return self.hint("not here, and the server cannot be asked", now);
        };
        if buffer.asked || buffer.catching_up {
            // Lines are still coming: then.
            self.later = Some((of.clone(), goal));
            return;
        }
        let which = match &goal {
            Goal::Message(msgid) => Which::Around(msgid.clone()),
            Goal::Time(at) => Which::AroundTime(*at),
            Goal::End => Which::Latest,
        };
        self.question(of.clone(), &which, Purpose::Jump(goal), session);
    }

    /// Puts a line of the window into the middle and selects it.
    fn look_at(&mut self, of: &Key, goal: &Goal) {
        let current = self.is_current(of);
        let half = self.size.1 / 2;
        let Some(buffer) = self.buffers.get_mut(of) else { return };
        let line = match goal {
            Goal::End => None,
            Goal::Message(msgid) => buffer.by_msgid(msgid),
            Goal::Time(at) => {
                let lines = buffer.lines();
                let said = |line: &&Line| matches!(line.entry, Entry::Said(_));
                lines.iter().filter(said).find(|line| line.at >= *at).or(lines.back())
            }
        };
        let Some(id) = line.map(|line| line.id) else { return };
        buffer.selected = Some(id);
        buffer.scroll = Scroll::At { id, hidden: 0 };
        if current {
            self.scroll(-isize::try_from(half).unwrap_or(0));
            // Near the start of the window the page is filled from above.
            self.scroll(0);
        }
    }

    /// Scrolls by rows, upwards if positive.
    pub fn scroll(&mut self, by: isize) {
        let Some(flow) = self.flow() else { return };
        let scroll = match flow.scrolled(by) {
            Some((at, hidden)) if by >= 0 || !flow.buffer.live || at + 1 < flow.len() || hidden > 0 => {
                Scroll::At { id: flow.id(at), hidden }
            }
            None if !flow.buffer.live && flow.len() > 0 => Scroll::At { id: flow.id(flow.len() - 1), hidden: 0 },
            _ => Scroll::Bottom,
        };
        let at_end =
            flow.buffer.live && flow.len() > 0 && scroll == Scroll::At { id: flow.id(flow.len() - 1), hidden: 0 };
        if let Some(buffer) = self.buffer_mut() {
            buffer.scroll = if at_end { Scroll::Bottom } else { scroll };
        }
    }

    /// To the newest message.
    pub fn go_to_end(&mut self, session: Option<&mut Session>) {
        let Some(of) = self.current.clone() else { return };
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        buffer.selected = None;
        buffer.scroll = Scroll::Bottom;
        self.found = None;
        if !buffer.live && buffer.asked {
            self.later = Some((of, Goal::End));
            return;
        }
        if !buffer.live
            && !buffer.catching_up
            && !buffer.asked
            && let Some(session) = session.filter(|session| session.has_chathistory())
        {
            self.question(of, &Which::Latest, Purpose::Page(Place::Newest), session);
        }
    }

    /// Whether a page is on its way there: above, below.
    pub fn loading(&self) -> bool {
        self.current.as_ref().is_some_and(|of| self.questions.iter().any(|question| question.of == *of))
    }
}
