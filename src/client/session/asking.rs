//! Questions to which a page of the past is the answer.

use super::{Frame, Session};
use crate::client::login::{EVENTS, HISTORY};
use crate::client::show::rfc3339;
use crate::event::Millis;
use crate::proto::line::{Line, Message, escape};

use super::super::heard::Heard;
use super::super::text::clean;

/// Questions without an answer yet; when there are as many, the oldest is given up.
const QUERIES_MAX: usize = 64;

/// Which page of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    Latest,
    /// What stands before the message of this id.
    Before(String),
    After(String),
    Around(String),
    AroundTime(Millis),
}

impl Session {
    /// Asks for a page; what comes carries the number that is given back. Only where [`Session::has_chathistory`].
    pub fn page(&mut self, with: &str, which: &Which, count: u32) -> u64 {
        let id = |id: &String| format!("msgid={id}");
        let (word, mark) = match which {
            Which::Latest => ("LATEST", "*".to_owned()),
            Which::Before(msgid) => ("BEFORE", id(msgid)),
            Which::After(msgid) => ("AFTER", id(msgid)),
            Which::Around(msgid) => ("AROUND", id(msgid)),
            Which::AroundTime(at) => ("AROUND", format!("timestamp={}", rfc3339(*at))),
        };
        let (query, line) = self.query();
        let count = count.min(self.history_max).to_string();
        self.out.push(line.command("CHATHISTORY").param(word).param(with).param(&mark).param(&count));
        query
    }

    /// Pages shall hold what happened, too, if the server can do that.
    pub fn ask_for_events(&mut self) {
        self.command("CAP", &["REQ", EVENTS]);
    }

    pub fn has_events(&self) -> bool {
        self.caps.has(EVENTS)
    }

    /// The most lines that a page may have.
    pub fn page_max(&self) -> u32 {
        self.history_max
    }

    /// Asks what conversations there were between two times, each told as a [`Heard::Conversation`].
    pub fn conversations(&mut self, from: Millis, to: Millis, count: u32) {
        let time = |at| format!("timestamp={}", rfc3339(at));
        let line = Line::new().command("CHATHISTORY").param("TARGETS").param(&time(from)).param(&time(to));
        self.out.push(line.param(&count.to_string()));
    }

    /// Like [`Session::search`], with an answer that carries the number.
    pub fn find(&mut self, attributes: &[(&str, &str)]) -> u64 {
        let (query, line) = self.query();
        self.out.push(line.command("SEARCH").last(&joined(attributes)));
        query
    }

    fn query(&mut self) -> (u64, Line) {
        let query = self.new_id();
        if self.queries.len() >= QUERIES_MAX {
            self.queries.pop_front();
        }
        self.queries.push_back(query);
        let labels = self.labels();
        (query, if labels { Line::new().tag("label", &query.to_string()) } else { Line::new() })
    }

    /// The question that this is the answer to: by its label, or where there are none the oldest, if `of_page`.
    pub(super) fn settle_query(&mut self, label: Option<u64>, of_page: bool) -> Option<u64> {
        let at = match label {
            Some(label) => self.queries.iter().position(|query| *query == label)?,
            None if of_page && !self.labels() && !self.queries.is_empty() => 0,
            None => return None,
        };
        self.queries.remove(at)
    }

    /// False: it was no question that was refused.
    pub(super) fn query_refused(&mut self, label: Option<u64>, why: &str) -> bool {
        let Some(query) = self.settle_query(label, false) else { return false };
        self.heard.push_back(Heard::Unanswered { query, why: why.to_owned() });
        true
    }

    /// Lines that a page has, and where it begins and ends.
    pub(super) fn count_into_page(&mut self, frame: &Frame) {
        let page = frame.page.as_ref().and_then(|id| self.batches.iter_mut().find(|batch| batch.id == *id));
        let Some(page) = page.map(|batch| &mut batch.page) else { return };
        page.lines += 1;
        if let Some(msgid) = &frame.msgid {
            page.first.get_or_insert_with(|| msgid.clone());
            page.last = Some(msgid.clone());
        }
    }

    /// `CHATHISTORY TARGETS name time`
    pub(super) fn conversation(&mut self, message: &Message) {
        if message.param(0) != Some("TARGETS") || !self.caps.has(HISTORY) {
            return;
        }
        let (Some(with), Some(at)) = (message.param(1), message.param(2).and_then(super::marks::moment)) else {
            return;
        };
        self.heard.push_back(Heard::Conversation { with: clean(with), at });
    }
}

/// The attributes of SEARCH, as one parameter.
pub(super) fn joined(attributes: &[(&str, &str)]) -> String {
    let mut all = String::new();
    for (name, value) in attributes {
        if !all.is_empty() {
            all.push(';');
        }
        all.push_str(name);
        all.push('=');
        escape(value, &mut all);
    }
    all
}
