//! The selected message, and what can be done with it: answered, reacted to, taken back, copied. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::client::session::Session;
use crate::client::text::same;
use crate::client::tui::buffer::{Entry, Line};
use crate::client::tui::model::{Effect, Model};
use crate::client::tui::overlay::{Overlay, Pick};
use crate::client::tui::sending::State;
use crate::event::Millis;

impl Model {
    pub(super) fn react(&mut self, msgid: &str, reaction: &str, session: Option<&mut Session>, now: Millis) {
        let Some(buffer) = self.buffer() else { return };
        let Some(session) = session else { return self.hint("not connected: nothing was sent", now) };
        if !session.has_tags() {
            return self.hint("this server knows no reactions", now);
        }
        let given = buffer.by_msgid(msgid).is_some_and(|line| match &line.entry {
            Entry::Said(words) => words
                .reactions
                .iter()
                .any(|known| known.reaction == reaction && known.by.iter().any(|nick| same(nick, &self.nick))),
            _ => false,
        });
        let name = buffer.name.clone();
        session.react(&name, msgid, reaction, given);
    }

    pub(super) fn selected(&self) -> Option<u64> {
        self.buffer().and_then(|buffer| buffer.selected)
    }

    /// Selects the message above or below, and scrolls so that it is seen.
    pub(super) fn select(&mut self, by: isize) {
        let Some(flow) = self.flow() else { return };
        let is_message = |at: usize| match flow.buffer.lines().get(at) {
            Some(Line { entry: Entry::Said(words), .. }) => !words.ignored,
            Some(_) => false,
            None => true,
        };
        let from = flow.buffer.selected.and_then(|id| flow.position(id));
        let next = match (from, by < 0) {
            (Some(at), true) => (0..at).rev().find(|at| is_message(*at)),
            (Some(at), false) => (at + 1..flow.len()).find(|at| is_message(*at)),
            (None, _) => {
                let (bottom, _) = flow.anchor();
                (0..flow.len().min(bottom + 1)).rev().find(|at| is_message(*at))
            }
        };
        let Some(next) = next else {
            if by > 0
                && let Some(buffer) = self.buffer_mut()
            {
                buffer.selected = None;
            }
            return;
        };
        let (id, height) = (flow.id(next), flow.shape.height);
        // How far it is off the screen.
        let (bottom, hidden) = flow.anchor();
        let below =
            if next > bottom { (bottom + 1..=next).map(|at| flow.rows(at).len()).sum::<usize>() + hidden } else { 0 };
        let up_to = flow.rows_above((bottom, hidden), usize::MAX / 2).min(100_000);
        let above_it = if next > 0 { flow.rows_above((next - 1, 0), usize::MAX / 2).min(100_000) } else { 0 };
        let distance = up_to.saturating_sub(above_it);
        if let Some(buffer) = self.buffer_mut() {
            buffer.selected = Some(id);
        }
        if below > 0 {
            self.scroll(-isize::try_from(below).unwrap_or(0));
        } else if distance > height {
            self.scroll(isize::try_from(distance - height).unwrap_or(0));
        }
    }

    /// True: the key meant the selected message.
    pub(super) fn selection_key(&mut self, event: KeyEvent, session: Option<&mut Session>, now: Millis) -> bool {
        let Some(id) = self.selected() else { return false };
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        let taking_back = self.taking_back.take();
        if let Some(outgoing) = self.queue.get(id).cloned() {
            if !matches!(outgoing.state, State::Refused(_)) {
                return false;
            }
            match event.code {
                KeyCode::Char('r') => self.queue.again(id),
                KeyCode::Char('e') | KeyCode::Enter => {
                    self.queue.remove(id);
                    self.editor.set(&outgoing.text);
                }
                KeyCode::Char('d') => drop(self.queue.remove(id)),
                _ => return false,
            }
            self.unselect();
            return true;
        }
        let Some(buffer) = self.buffer() else { return false };
        let Some(line) = buffer.line(id) else {
            self.unselect();
            return false;
        };
        let (msgid, name) = (line.msgid.clone(), buffer.name.clone());
        let Entry::Said(words) = &line.entry else { return false };
        let (own, is_room, text) = (words.own, buffer.is_room, words.text.clone());
        match event.code {
            KeyCode::Up if !alt => self.select(-1),
            KeyCode::Down if !alt => self.select(1),
            KeyCode::Esc => {
                self.found = None;
                self.unselect();
            }
            KeyCode::Char('n') if self.found.is_some() => self.go_to_hit(1, session, now),
            KeyCode::Char('p') if self.found.is_some() => self.go_to_hit(-1, session, now),
            KeyCode::Char('o') => match link_in(&text) {
                Some(link) => self.effects.push(Effect::Open(link.to_owned())),
                None => self.hint("there is no link in this message", now),
            },
            KeyCode::Char('y') => {
                self.effects.push(Effect::Copy(text));
                self.hint("copied", now);
            }
            KeyCode::Char('r') | KeyCode::Enter => {
                if msgid.is_none() {
                    self.hint("this message has no id to answer to", now);
                } else {
                    self.reply_to = Some(id);
                    self.unselect();
                }
            }
            KeyCode::Char('e') => match msgid {
                Some(msgid) => self.overlay = Overlay::Pick(Pick::reaction(msgid)),
                None => self.hint("this message has no id to react to", now),
            },
            KeyCode::Char('d') => {
                let Some(session) = session else {
                    self.hint("not connected", now);
                    return true;
                };
                match msgid {
                    _ if !session.has_redaction() => self.hint("this server cannot take messages back", now),
                    None => self.hint("this message has no id", now),
                    Some(_) if !own && !is_room => self.hint("only your own messages can be taken back here", now),
                    Some(msgid) if taking_back == Some(id) => {
                        session.command("REDACT", &[&name, &msgid]);
                        self.unselect();
                    }
                    Some(_) => {
                        self.taking_back = Some(id);
                        self.hint("d again takes this message back for everybody", now);
                    }
                }
            }
            _ => return false,
        }
        true
    }

    pub(super) fn unselect(&mut self) {
        if let Some(buffer) = self.buffer_mut() {
            buffer.selected = None;
        }
    }
}

/// The first link to a page in a text.
fn link_in(text: &str) -> Option<&str> {
    let at = ["https://", "http://"].iter().filter_map(|scheme| text.find(scheme)).min()?;
    let link = text[at..].split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).next()?;
    // What ends a sentence, or a parenthesis that was opened before it, is not part of it.
    let link = link.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'']);
    Some(if link.contains('(') { link } else { link.trim_end_matches(')') })
}

#[cfg(test)]
mod tests {
    use super::link_in;

    #[test]
    fn links_end_where_sentences_do() {
        assert_eq!(link_in("see (https://a.example/x?y=1), or not"), Some("https://a.example/x?y=1"));
        assert_eq!(link_in("https://a.example/x_(y). So"), Some("https://a.example/x_(y)"));
        assert_eq!(link_in("a <http://b.example/> c https://d.example"), Some("http://b.example/"));
        assert_eq!(link_in("nothing: htp://x"), None);
    }
}
