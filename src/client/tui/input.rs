//! What a person does: keys, the mouse, pasted text, commands. Pure; changes the model, which says what comes of it.

mod commands;
mod overlays;
mod selection;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::buffer::Entry;
use super::complete::complete;
use super::model::{Effect, Key, Model};
use super::overlay::{Overlay, Pick};
use super::paging::Goal;
use super::view::Areas;
use crate::client::session::Session;
use crate::client::text::{clean, key, same};
use crate::event::Millis;

const WHEEL: isize = 3;
/// While one types, others are told so this often.
const TYPING_EVERY: i64 = 3_000;

impl Model {
    /// A key was pressed. `session`: none while there is no connection.
    pub fn key(&mut self, event: KeyEvent, mut session: Option<&mut Session>, now: Millis) {
        if event.kind == KeyEventKind::Release {
            return;
        }
        if !matches!(self.overlay, Overlay::None) && self.overlay_key(event, session.as_deref_mut(), now) {
            return;
        }
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        if std::mem::take(&mut self.chord) && ctrl && event.code == KeyCode::Char('e') {
            return self.effects.push(Effect::Edit(self.editor.text().to_owned()));
        }
        if event.code != KeyCode::Tab {
            self.completion = None;
        }
        if !ctrl
            && self.selected().is_some()
            && self.editor.is_empty()
            && self.selection_key(event, session.as_deref_mut(), now)
        {
            return;
        }
        self.taking_back = None;
        match event.code {
            KeyCode::Enter if alt || event.modifiers.contains(KeyModifiers::SHIFT) => self.editor.insert("\n"),
            KeyCode::Enter => self.enter(session.as_deref_mut(), now),
            KeyCode::Esc => self.escape(),
            KeyCode::Tab => self.complete(),
            KeyCode::BackTab => {}
            KeyCode::F(1) => self.overlay = Overlay::Help { scroll: 0 },
            KeyCode::F(2) => self.members_shown = !self.members_shown,
            KeyCode::F(3) => self.show_presence(now),
            KeyCode::PageUp => self.scroll(self.page_rows()),
            KeyCode::PageDown => self.scroll(-self.page_rows()),
            KeyCode::Up if alt => self.step_conversation(-1, session.as_deref_mut()),
            KeyCode::Down if alt => self.step_conversation(1, session.as_deref_mut()),
            KeyCode::Up if ctrl => self.scroll(1),
            KeyCode::Down if ctrl => self.scroll(-1),
            KeyCode::Up if self.editor.is_empty() => self.select(-1),
            KeyCode::Up if !self.editor.up() => {
                self.editor.earlier();
            }
            KeyCode::Down if !self.editor.down() => {
                self.editor.later();
            }
            KeyCode::Home if self.editor.is_empty() || ctrl => self.go_to_begin(session.as_deref_mut(), now),
            KeyCode::End if self.editor.is_empty() || ctrl => self.go_to_end(session.as_deref_mut()),
            KeyCode::Home => self.editor.home(),
            KeyCode::End => self.editor.end(),
            KeyCode::Left if ctrl || alt => self.editor.word_left(),
            KeyCode::Right if ctrl || alt => self.editor.word_right(),
            KeyCode::Left => self.editor.left(),
            KeyCode::Right => self.editor.right(),
            KeyCode::Backspace if ctrl || alt => self.editor.cut_word_left(),
            KeyCode::Backspace => self.editor.backspace(),
            KeyCode::Delete => self.editor.delete(),
            KeyCode::Char(c) if ctrl => self.ctrl(c, session.as_deref_mut(), now),
            KeyCode::Char(c) if alt => self.alt(c, session.as_deref_mut(), now),
            KeyCode::Char(c) => {
                self.editor.insert(c.encode_utf8(&mut [0; 4]));
                self.types_here(session.as_deref_mut(), now);
            }
            _ => {}
        }
        if let Some(session) = session {
            self.pump(session, now);
        }
    }

    /// Text was pasted: it becomes part of the message, with its lines.
    pub fn paste(&mut self, text: &str) {
        match &mut self.overlay {
            Overlay::Password { password, .. } => password.push_str(text.lines().next().unwrap_or_default()),
            Overlay::Pick(pick) => pick.filter.push_str(&clean(text)),
            Overlay::None => self.editor.insert(text),
            _ => {}
        }
    }

    pub fn mouse(&mut self, event: MouseEvent, areas: &Areas, session: Option<&mut Session>) {
        match event.kind {
            MouseEventKind::ScrollUp => self.wheel(WHEEL),
            MouseEventKind::ScrollDown => self.wheel(-WHEEL),
            MouseEventKind::Down(MouseButton::Left) if matches!(self.overlay, Overlay::None) => {
                if areas.is_end(event.column, event.row) {
                    self.go_to_end(session);
                } else if let Some(of) = areas.conversation_at(event.column, event.row) {
                    self.bring(of, session);
                } else if let Some(id) = areas.line_at(event.column, event.row)
                    && let Some(buffer) = self.buffer_mut()
                {
                    buffer.selected = if buffer.selected == Some(id) { None } else { Some(id) };
                }
            }
            MouseEventKind::Down(MouseButton::Left) => self.overlay = Overlay::None,
            _ => {}
        }
    }

    /// The person looks at the terminal, or no longer.
    pub fn focus(&mut self, focused: bool) {
        self.focused = focused;
        if !focused && let Some(buffer) = self.buffer_mut() {
            buffer.divider = None;
        }
    }

    /// The text comes back from the person's own editor.
    pub fn edited(&mut self, text: &str) {
        self.editor.set(text.trim_end_matches('\n'));
    }

    fn wheel(&mut self, by: isize) {
        match &mut self.overlay {
            Overlay::None => self.scroll(by),
            Overlay::Help { scroll } => *scroll = scroll.saturating_add_signed(-by),
            Overlay::Pick(pick) => pick.step(-by.signum()),
            Overlay::Search(search) => search.step(-by.signum()),
            Overlay::Told { .. } | Overlay::Password { .. } => {}
        }
    }

    // --- the selected message ---

    // --- keys ---

    fn ctrl(&mut self, c: char, session: Option<&mut Session>, now: Millis) {
        match c {
            'a' => self.editor.home(),
            'e' => self.editor.end(),
            'b' => self.editor.left(),
            'd' if self.editor.is_empty() => self.effects.push(Effect::Quit(String::new())),
            'd' => self.editor.delete(),
            'h' => self.editor.backspace(),
            'w' => self.editor.cut_word_left(),
            'u' => self.editor.cut_left(),
            'y' => self.editor.yank(),
            'j' => self.editor.insert("\n"),
            'p' => drop(self.editor.earlier()),
            'n' => drop(self.editor.later()),
            'x' => self.chord = true,
            'l' => self.effects.push(Effect::Redraw),
            'r' => self.effects.push(Effect::Hurry),
            'k' if self.editor.is_empty() => self.pick_conversation(),
            'k' => self.editor.cut_right(),
            'f' if self.editor.is_empty() => match self.found.take() {
                Some(found) => self.overlay = Overlay::Search(found),
                None => drop(self.editor.set("/search ")),
            },
            'z' => self.effects.push(Effect::Suspend),
            'f' => self.editor.right(),
            'o' => {
                if let Some(of) = self.previous.clone() {
                    self.bring(of, session);
                }
            }
            'c' if self.editor.is_empty() => self.hint("Ctrl-D or /quit leaves", now),
            'c' => drop(self.editor.take(true)),
            _ => {}
        }
    }

    fn alt(&mut self, c: char, session: Option<&mut Session>, now: Millis) {
        match c {
            'b' => self.editor.word_left(),
            'f' => self.editor.word_right(),
            'd' => self.editor.cut_word_right(),
            'k' => self.pick_conversation(),
            'u' => self.go_to_unread(session, now),
            'm' => self.lend_mouse(now),
            '<' => self.go_to_begin(session, now),
            '>' => self.go_to_end(session),
            'a' => {
                let next = self.buffers.iter().filter(|(_, buffer)| buffer.unread > 0);
                let next = next.max_by_key(|(of, buffer)| (buffer.mentions > 0, of.0)).map(|(of, _)| of.clone());
                if let Some(of) = next {
                    self.bring(of, session);
                }
            }
            '1'..='9' => {
                let at = c as usize - '1' as usize;
                if let Some(of) = self.buffers.keys().nth(at).cloned() {
                    self.bring(of, session);
                }
            }
            _ => {}
        }
    }

    /// Shows who comes and goes, or no longer.
    fn show_presence(&mut self, now: Millis) {
        self.settings.presence = !self.settings.presence;
        let shown = if self.settings.presence { "shown" } else { "not shown" };
        self.hint(format!("who comes and goes is {shown}"), now);
    }

    /// Gives the mouse to the terminal, which can select text with it, or takes it back.
    fn lend_mouse(&mut self, now: Millis) {
        self.settings.mouse = !self.settings.mouse;
        self.bare = !self.settings.mouse;
        self.effects.push(Effect::Mouse(self.settings.mouse));
        self.hint(
            match self.settings.mouse {
                true => "the mouse scrolls and clicks here",
                false => "the mouse selects text of the terminal (Alt-M: as before)",
            },
            now,
        );
    }

    fn escape(&mut self) {
        self.found = None;
        if self.reply_to.take().is_none() {
            self.unselect();
        }
    }

    fn page_rows(&self) -> isize {
        isize::try_from(self.size.1.saturating_sub(2).max(1)).unwrap_or(1)
    }

    fn step_conversation(&mut self, by: isize, session: Option<&mut Session>) {
        let all: Vec<Key> = self.buffers.keys().cloned().collect();
        let Some(at) = self.current.as_ref().and_then(|of| all.iter().position(|known| known == of)) else { return };
        let next = (at as isize + by).rem_euclid(all.len() as isize) as usize;
        self.bring(all[next].clone(), session);
    }

    fn pick_conversation(&mut self) {
        let mut all: Vec<_> = self.buffers.values().collect();
        all.sort_by_key(|buffer| (buffer.mentions == 0, buffer.unread == 0));
        let shown = |name: &str, unread: u32| if unread > 0 { format!("{name}  ({unread})") } else { name.to_owned() };
        let all = all.iter().map(|buffer| (shown(&buffer.name, buffer.unread), buffer.name.clone())).collect();
        self.overlay = Overlay::Pick(Pick::conversation(all));
    }

    fn go_to_begin(&mut self, session: Option<&mut Session>, now: Millis) {
        if let Some(of) = self.current.clone() {
            self.jump(&of, Goal::Time(Millis(0)), session, now);
        }
    }

    fn go_to_unread(&mut self, session: Option<&mut Session>, now: Millis) {
        let Some(of) = self.current.clone() else { return };
        let since = self.buffer().and_then(|buffer| buffer.divider.or(buffer.read));
        match since {
            Some(at) if at.0 > 0 => self.jump(&of, Goal::Time(Millis(at.0 + 1)), session, now),
            _ => self.hint("nothing is unread here", now),
        }
    }

    fn types_here(&mut self, session: Option<&mut Session>, now: Millis) {
        let (Some(of), Some(session)) = (self.current.clone(), session) else { return };
        if !self.settings.typing || !session.has_tags() || self.editor.text().starts_with('/') {
            return;
        }
        let due = self.typed_at.as_ref().is_none_or(|(there, at)| *there != of || now.0 - at.0 >= TYPING_EVERY);
        if due && let Some(buffer) = self.buffers.get(&of) {
            session.typing(&buffer.name, true);
            self.typed_at = Some((of, now));
        }
    }

    fn complete(&mut self) {
        let again = self.completion.take_if(|completion| completion.text == self.editor.text());
        let mut completion = match again {
            Some(mut completion) => {
                completion.at = (completion.at + 1) % completion.choices.len();
                completion
            }
            None => {
                let (nicks, rooms) = (self.nicks(), self.rooms());
                let Some(found) = complete(self.editor.text(), self.editor.cursor(), &nicks, &rooms) else { return };
                found
            }
        };
        let choice = completion.choices[completion.at].clone();
        self.editor.replace(completion.from, &choice);
        self.editor.text().clone_into(&mut completion.text);
        self.completion = Some(completion);
    }

    /// Who may be meant: who spoke last first, then the other members.
    fn nicks(&self) -> Vec<String> {
        let Some(buffer) = self.buffer() else { return Vec::new() };
        let mut nicks: Vec<String> = Vec::new();
        for line in buffer.lines().iter().rev().take(200) {
            if let Entry::Said(words) = &line.entry
                && !words.own
                && !nicks.contains(&words.from)
            {
                nicks.push(words.from.clone());
            }
        }
        let members = buffer.members.values().map(|member| &member.nick).filter(|nick| !same(nick, &self.nick));
        let others: Vec<String> = members.filter(|nick| !nicks.contains(nick)).cloned().collect();
        nicks.extend(others);
        if !buffer.is_room && !nicks.contains(&buffer.name) {
            nicks.push(buffer.name.clone());
        }
        nicks
    }

    fn rooms(&self) -> Vec<String> {
        self.buffers.values().filter(|buffer| buffer.is_room).map(|buffer| buffer.name.clone()).collect()
    }

    /// The conversation of this name; a room also without its sign.
    fn find(&self, name: &str) -> Option<Key> {
        let key = key(name);
        let all = [(false, key.clone()), (true, key.clone()), (false, format!("#{key}"))];
        all.into_iter().find(|of| self.buffers.contains_key(of))
    }

    // --- Enter ---
}
