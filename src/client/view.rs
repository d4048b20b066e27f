//! What one sees on a terminal of what is heard: lines of text, one for each message, old ones apart from new ones.
//!
//! Knows no terminal: it makes texts and remembers what was shown, a bounded number of ids.

use std::collections::{HashSet, VecDeque};

use time::Date;

use super::heard::{Happened, Heard, Said, What};
use super::show::{Style, Zone, day_in_words, utterance};
use super::text::same;
use crate::event::Millis;

/// The messages of which it is known that they were shown. Of older ones a replay could show some again.
const SEEN_MAX: usize = 8192;
/// Names shown when one enters a room; `/names` shows all.
const NAMES_SHOWN: usize = 30;

pub struct View {
    style: Style,
    zone: Zone,
    target: String,
    seen: Seen,
    day: Option<Date>,
    replay: Replay,
    /// Names were asked for: show all.
    pub all_names: bool,
}

enum Replay {
    No,
    /// Old lines of this conversation may follow; none was new to us yet.
    Announced(String),
    Shown,
}

impl View {
    pub fn new(style: Style, zone: Zone) -> View {
        let (seen, target) = (Seen::default(), String::new());
        View { style, zone, target, seen, day: None, replay: Replay::No, all_names: false }
    }

    /// The room or person that is talked to; empty: none.
    pub fn target(&self) -> &str {
        &self.target
    }

    pub fn talk_to(&mut self, target: &str) {
        target.clone_into(&mut self.target);
    }

    pub fn prompt(&self) -> String {
        if self.target.is_empty() { "> ".to_owned() } else { format!("{}> ", self.target) }
    }

    /// A remark of the program itself.
    pub fn remark(&self, text: &str, out: &mut String) {
        for part in text.lines() {
            line(out, &self.style.dim(&format!("· {part}")));
        }
    }

    pub fn alarm(&self, text: &str, out: &mut String) {
        for part in text.lines() {
            line(out, &self.style.alarm(&format!("! {part}")));
        }
    }

    /// A connection has ended: what was half shown is over.
    pub fn cut(&mut self) {
        self.replay = Replay::No;
    }

    /// Adds to `out` the lines that show what was heard.
    pub fn show(&mut self, heard: &Heard, nick: &str, out: &mut String) {
        match heard {
            Heard::Said(said) => self.said(said, nick, out),
            Heard::Happened(happened) => self.happened(happened, nick, out),
            Heard::Earlier { with } => self.replay = Replay::Announced(with.clone()),
            Heard::Now { .. } => {
                if let Replay::Shown = std::mem::replace(&mut self.replay, Replay::No) {
                    line(out, &self.style.dim("── now ──"));
                }
            }
            Heard::Topic { room, text } if text.is_empty() => self.remark(&format!("{room} has no topic"), out),
            Heard::Topic { room, text } => self.remark(&format!("topic of {room}: {text}"), out),
            Heard::Names { room, nicks } => {
                let shown = if std::mem::take(&mut self.all_names) { nicks.len() } else { NAMES_SHOWN };
                let mut text = format!("in {room}: {}", nicks[..shown.min(nicks.len())].join(", "));
                if nicks.len() > shown {
                    text.push_str(&format!(" and {} more (/names)", nicks.len() - shown));
                }
                self.remark(&text, out);
            }
            Heard::Refused { said: Some((_, text)), why, .. } => {
                self.alarm(&format!("not sent ({why}): {text}"), out);
            }
            Heard::Refused { about: Some(about), why, .. } => self.alarm(&format!("{about}: {why}"), out),
            Heard::Refused { why, .. } => self.alarm(why, out),
            Heard::Listed { room, members, topic } => self.remark(&listed(room, *members, topic), out),
            Heard::Person { lines, .. } => lines.iter().for_each(|text| self.remark(text, out)),
            Heard::Info(text) | Heard::Away { text, .. } => self.remark(text, out),
            Heard::Closed(why) => self.alarm(&format!("the server ends the connection: {why}"), out),
            Heard::LoggedIn { .. }
            | Heard::LoginFailed(_)
            | Heard::Settled
            | Heard::AllListed
            | Heard::Here { .. }
            | Heard::Stored { .. }
            | Heard::Reacted(_)
            | Heard::Redacted { .. }
            | Heard::Typing { .. }
            | Heard::Read { .. }
            | Heard::Conversation { .. }
            | Heard::Page(_)
            | Heard::Unanswered { .. }
            | Heard::Fence(_) => {}
        }
    }

    fn said(&mut self, said: &Said, nick: &str, out: &mut String) {
        if said.msgid.as_deref().is_some_and(|id| !self.seen.is_new(id)) {
            return;
        }
        if said.replayed {
            if let Replay::Announced(with) = &self.replay {
                line(out, &self.style.dim(&format!("── earlier in {with} ──")));
                self.replay = Replay::Shown;
            }
        } else if let Replay::Shown = self.replay {
            // A line of now amid lines of then: do not let it look old.
            line(out, &self.style.dim("── now ──"));
            self.replay = Replay::Announced(said.with.clone());
        }
        self.date(said.at, out);
        let plain = said.replayed;
        let name = if plain { said.from.clone() } else { self.style.name(&said.from) };
        // Further lines of a message stand under the first.
        let body = utterance(said, &name).replace('\n', "\n      ");
        let place = if said.with.is_empty() || same(&said.with, &self.target) {
            String::new()
        } else if said.with.starts_with(|c: char| !c.is_alphanumeric()) {
            format!("{} ", said.with)
        } else if said.own {
            format!("[to {}] ", said.with)
        } else {
            format!("[to {nick}] ")
        };
        let time = self.zone.minute(said.at);
        if plain {
            line(out, &self.style.dim(&format!("{time} {place}{body}")));
        } else {
            line(out, &format!("{} {}{body}", self.style.dim(&time), self.style.bold(&place)));
        }
    }

    fn happened(&mut self, happened: &Happened, nick: &str, out: &mut String) {
        let Happened { room, who, own, what, .. } = happened;
        let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let you = |name: &str| if same(name, nick) { "you".to_owned() } else { name.to_owned() };
        let here = room.as_deref().unwrap_or_default();
        let text = match what {
            What::Join if *own => format!("you are in {here}"),
            What::Part { .. } if *own => format!("you have left {here}"),
            What::Join => format!("→ {who} is here"),
            What::Part { reason } => format!("← {who} has left the room{}", because(reason)),
            What::Quit { .. } | What::Away { .. } | What::Realname { .. } if *own => return,
            What::Quit { reason } => format!("← {who} is gone{}", because(reason)),
            What::Kick { target, reason } => {
                let verb = if same(target, nick) { "were" } else { "was" };
                format!("← {} {verb} put out by {}{}", you(target), you(who), because(reason))
            }
            What::Topic { text } if text.is_empty() => format!("{} took the topic away", you(who)),
            What::Topic { text } => format!("{} set the topic: {text}", you(who)),
            What::Mode { changes } => format!("{} set {changes}", you(who)),
            What::Nick { new } => format!("{who} is now {new}"),
            What::Invite { target } => format!("{} invited {} to {here}", you(who), you(target)),
            What::Away { reason: Some(reason) } => format!("{who} is away{}", because(reason)),
            What::Away { reason: None } => format!("{who} is back"),
            What::Realname { text } => format!("{who} is now called {text}"),
        };
        if happened.replayed {
            return;
        }
        self.date(happened.at, out);
        let named = matches!(what, What::Join | What::Part { .. } if *own) || matches!(what, What::Invite { .. });
        let place = if named || here.is_empty() || same(here, &self.target) { "" } else { here };
        let blank = if place.is_empty() { "" } else { " " };
        line(out, &self.style.dim(&format!("{} {place}{blank}{text}", self.zone.minute(happened.at))));
    }

    fn date(&mut self, at: Millis, out: &mut String) {
        let day = self.zone.day(at);
        if self.day != Some(day) {
            self.day = Some(day);
            line(out, &self.style.dim(&format!("── {} ──", day_in_words(day))));
        }
    }
}

/// The newest ids that were shown; the oldest go first when there are too many.
#[derive(Default)]
pub struct Seen {
    order: VecDeque<String>,
    ids: HashSet<String>,
}

impl Seen {
    /// Whether this id comes for the first time.
    pub fn is_new(&mut self, id: &str) -> bool {
        if !self.ids.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

/// `#ops  12  what it is about`
pub fn listed(room: &str, members: u32, topic: &str) -> String {
    format!("{room}  {members}  {topic}").trim_end().to_owned()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
