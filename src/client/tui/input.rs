//! What a person does: keys, the mouse, pasted text, commands. Pure; changes the model, which says what comes of it.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use time::Date;
use zeroize::Zeroizing;

use super::buffer::{Entry, Line};
use super::complete::{complete, with_emoji};
use super::model::{Effect, Key, Model};
use super::overlay::{Overlay, Pick, Picking, Search};
use super::paging::Goal;
use super::sending::State;
use super::view::Areas;
use crate::client::command::{self, Command, Done};
use crate::client::heard::Speech;
use crate::client::session::Session;
use crate::client::settings::Level;
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
                if let Some(of) = areas.conversation_at(event.column, event.row) {
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
            Overlay::Password { .. } => {}
        }
    }

    /// True: the key was for what lies on top.
    fn overlay_key(&mut self, event: KeyEvent, mut session: Option<&mut Session>, now: Millis) -> bool {
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let page = self.page_rows();
        let by = match event.code {
            KeyCode::Up => -1,
            KeyCode::Down => 1,
            KeyCode::Char('p') if ctrl => -1,
            KeyCode::Char('n') if ctrl => 1,
            KeyCode::PageUp => -page,
            KeyCode::PageDown => page,
            _ => 0,
        };
        if event.code == KeyCode::Esc || (ctrl && matches!(event.code, KeyCode::Char('c' | 'g'))) {
            self.overlay = Overlay::None;
            return true;
        }
        match &mut self.overlay {
            Overlay::None => return false,
            Overlay::Help { scroll } if by != 0 => *scroll = scroll.saturating_add_signed(by),
            Overlay::Help { .. } => self.overlay = Overlay::None,
            Overlay::Password { account, password } => match event.code {
                KeyCode::Enter => {
                    let (account, password) = (std::mem::take(account), std::mem::take(password));
                    self.overlay = Overlay::None;
                    match session {
                        Some(session) if !password.is_empty() => command::oper(session, &account, &password),
                        Some(_) => {}
                        None => self.hint("not connected", now),
                    }
                }
                KeyCode::Backspace => drop(password.pop()),
                KeyCode::Char(c) if !ctrl => password.push(c),
                _ => {}
            },
            Overlay::Pick(pick) => match event.code {
                _ if by != 0 => pick.step(by),
                KeyCode::Enter => self.picked(session, now),
                KeyCode::Backspace => {
                    pick.filter.pop();
                    pick.at = 0;
                }
                KeyCode::Char(c) if !ctrl => {
                    pick.filter.push(c);
                    pick.at = 0;
                }
                _ => {}
            },
            Overlay::Search(search) => match event.code {
                _ if by != 0 => {
                    search.step(by);
                    if search.at + 20 >= search.hits.len()
                        && let Some(session) = session.as_deref_mut()
                    {
                        search.ask(session);
                    }
                }
                KeyCode::Enter => {
                    let Some(said) = search.hits.get(search.at).cloned() else { return true };
                    self.overlay = Overlay::None;
                    if let Some(session) = session {
                        let of = self.open(&said.with, session);
                        self.bring(of.clone(), Some(session));
                        let goal = said.msgid.map_or(Goal::Time(said.at), Goal::Message);
                        self.jump(&of, goal, Some(session), now);
                    } else {
                        self.hint("not connected", now);
                    }
                }
                _ => {}
            },
        }
        true
    }

    fn picked(&mut self, session: Option<&mut Session>, now: Millis) {
        let Overlay::Pick(pick) = std::mem::replace(&mut self.overlay, Overlay::None) else { return };
        let chosen = pick.chosen();
        match pick.picking {
            Picking::Conversation => {
                let Some(name) = chosen else { return };
                if let Some(of) = self.find(&name) {
                    self.bring(of, session);
                }
            }
            Picking::Reaction(msgid) => {
                // What is no name is the reaction itself.
                let typed = pick.filter.trim().trim_matches(':').to_owned();
                let reaction = chosen.or((!typed.is_empty()).then_some(typed));
                self.unselect();
                if let Some(reaction) = reaction {
                    self.react(&msgid, &reaction, session, now);
                }
            }
        }
    }

    fn react(&mut self, msgid: &str, reaction: &str, session: Option<&mut Session>, now: Millis) {
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

    // --- the selected message ---

    fn selected(&self) -> Option<u64> {
        self.buffer().and_then(|buffer| buffer.selected)
    }

    /// Selects the message above or below, and scrolls so that it is seen.
    fn select(&mut self, by: isize) {
        let Some(flow) = self.flow() else { return };
        let is_message = |at: usize| match flow.buffer.lines().get(at) {
            Some(Line { entry: Entry::Said(_), .. }) => true,
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
    fn selection_key(&mut self, event: KeyEvent, session: Option<&mut Session>, now: Millis) -> bool {
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
            KeyCode::Esc => self.unselect(),
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

    fn unselect(&mut self) {
        if let Some(buffer) = self.buffer_mut() {
            buffer.selected = None;
        }
    }

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
            'f' if self.editor.is_empty() => drop(self.editor.set("/search ")),
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

    fn escape(&mut self) {
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

    fn enter(&mut self, session: Option<&mut Session>, now: Millis) {
        let text = self.editor.text().to_owned();
        if text.trim().is_empty() {
            return;
        }
        // Only one line can be a command: what is pasted with a slash somewhere is text.
        let is_command = text.starts_with('/') && !text.trim_end().contains('\n');
        if !is_command {
            if self.current.is_none() {
                return self.hint("you are in no room: /join ROOM", now);
            }
            self.speak(&with_emoji(&text), Speech::Message, now);
            self.editor.take(true);
            self.typed_at = None;
            return self.go_to_end(session);
        }
        if self.screen_command(&text, now) {
            self.editor.take(true);
            return self.finish_command(session, now, &text);
        }
        let Some(command) = command::parse(&text) else { return };
        let keep = command.may_be_kept();
        self.editor.take(keep);
        let target = self.buffer().map(|buffer| buffer.name.clone()).unwrap_or_default();
        match command {
            Command::Say(text) => self.speak(&text, Speech::Message, now),
            Command::Action(text) => self.speak(&with_emoji(&text), Speech::Action, now),
            Command::Message { target, text } => {
                if self.say(&target, Speech::Message, &text, None, now)
                    && let Some(session) = session
                {
                    self.open(&target, session);
                }
            }
            Command::Help => self.overlay = Overlay::Help { scroll: 0 },
            Command::Quit(reason) => self.effects.push(Effect::Quit(reason)),
            Command::Switch(name) if self.find(&name).is_some() => {
                if let Some(of) = self.find(&name) {
                    self.bring(of, session);
                }
            }
            command => {
                let Some(session) = session else {
                    self.editor.set(&text);
                    return self.hint("not connected: this needs the server", now);
                };
                match command::perform(command, &target, session) {
                    Done::Asked | Done::Said(_) => {}
                    Done::Joining(room) => match self.find(&room).filter(|of| self.buffers[of].joined) {
                        Some(of) => self.bring(of, Some(session)),
                        None => self.entering = Some(room),
                    },
                    Done::Target(name) => {
                        let of = self.open(&name, session);
                        self.bring(of, Some(session));
                    }
                    Done::Names => self.members_shown = true,
                    Done::Show(lines) => lines.into_iter().for_each(|line| self.remark(Entry::Note(line), now)),
                    Done::Password(account) => {
                        self.overlay = Overlay::Password { account, password: Zeroizing::default() };
                    }
                    Done::Quit(reason) => self.effects.push(Effect::Quit(reason)),
                    Done::Not(why) => self.remark(Entry::Alarm(why), now),
                }
            }
        }
    }

    fn speak(&mut self, text: &str, speech: Speech, now: Millis) {
        let answered = self.reply_to.take();
        let Some(buffer) = self.buffer() else { return self.hint("you are in no room: /join ROOM", now) };
        let name = buffer.name.clone();
        let reply_to = answered.and_then(|id| buffer.line(id)?.msgid.clone());
        self.say(&name, speech, text, reply_to, now);
    }

    /// Commands that only a screen has. True: it was one.
    fn screen_command(&mut self, text: &str, now: Millis) -> bool {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match word.to_lowercase().as_str() {
            "/joins" => {
                self.settings.presence = !self.settings.presence;
                let shown = if self.settings.presence { "shown" } else { "not shown" };
                self.hint(format!("who comes and goes is {shown}"), now);
            }
            "/members" => self.members_shown = !self.members_shown,
            "/notify" => {
                let level = match rest {
                    "all" => Level::All,
                    "mentions" => Level::Mentions,
                    "none" => Level::None,
                    _ => {
                        self.hint("write /notify all, /notify mentions or /notify none", now);
                        return true;
                    }
                };
                let Some(name) = self.buffer().map(|buffer| key(&buffer.name)) else { return true };
                self.hint(format!("{name} rings for: {rest}"), now);
                self.settings.levels.insert(name, level);
            }
            "/edit" => self.effects.push(Effect::Edit(String::new())),
            "/close" => match self.current.clone() {
                Some(of) if of.0 || self.buffers.get(&of).is_some_and(|buffer| !buffer.joined) => self.close(&of),
                _ => self.hint("/part leaves a room for good; /close is for persons", now),
            },
            "/search" | "/date" | "/unread" | "/end" | "/begin" => {}
            _ => return false,
        }
        true
    }

    /// Those of them that may need the server.
    fn finish_command(&mut self, mut session: Option<&mut Session>, now: Millis, text: &str) {
        let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = rest.trim();
        match word.to_lowercase().as_str() {
            "/unread" => self.go_to_unread(session, now),
            "/end" => self.go_to_end(session),
            "/begin" => self.go_to_begin(session, now),
            "/date" => {
                let Some(date) = parse_date(rest) else {
                    return self.hint("write a day like this: /date 2026-11-23", now);
                };
                let at = self.settings.zone.start_of(date);
                if let Some(of) = self.current.clone() {
                    self.jump(&of, Goal::Time(at), session, now);
                }
            }
            "/search" => {
                let (within, words) = match rest.strip_prefix("in:") {
                    Some(rest) => {
                        let (within, words) = rest.split_once(' ').unwrap_or((rest, ""));
                        (Some(within.to_owned()), words.trim())
                    }
                    None => (None, rest),
                };
                if words.is_empty() {
                    return self.hint("write /search WORDS, or /search in:#room WORDS", now);
                }
                let Some(session) = session.take() else { return self.hint("not connected", now) };
                if !session.has_search() {
                    return self.hint("this server cannot search", now);
                }
                let mut search = Search::new(words, within);
                search.ask(session);
                self.overlay = Overlay::Search(search);
            }
            _ => {}
        }
    }
}

/// `2026-11-23`
fn parse_date(text: &str) -> Option<Date> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    Date::parse(text, format).ok()
}
