//! Keys while something lies over the conversation: a list, what a search found, a password. Pure.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::client::command;
use crate::client::session::Session;
use crate::client::tui::model::Model;
use crate::client::tui::overlay::{Overlay, Picking};
use crate::client::tui::paging::Goal;
use crate::event::Millis;

impl Model {
    /// True: the key was for what lies on top.
    pub(super) fn overlay_key(&mut self, event: KeyEvent, mut session: Option<&mut Session>, now: Millis) -> bool {
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
            // It was read: the key is for what is below.
            Overlay::Told { .. } => {
                self.overlay = Overlay::None;
                return false;
            }
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
                    if search.hits.is_empty() {
                        return true;
                    }
                    if let Overlay::Search(search) = std::mem::replace(&mut self.overlay, Overlay::None) {
                        self.found = Some(search);
                    }
                    self.go_to_hit(0, session, now);
                }
                KeyCode::Char('f') if ctrl => {
                    self.overlay = Overlay::None;
                    self.editor.set("/search ");
                }
                _ => {}
            },
        }
        true
    }

    /// Goes to a hit of the search, so many further back than the one that was looked at last.
    pub(super) fn go_to_hit(&mut self, by: isize, session: Option<&mut Session>, now: Millis) {
        let Some(search) = &mut self.found else { return };
        let before = search.at;
        search.step(by);
        if by != 0 && search.at == before {
            let what = if by > 0 { "nothing older was found" } else { "nothing newer was found" };
            return self.hint(what, now);
        }
        let Some(said) = search.hits.get(search.at).cloned() else { return };
        let text = format!("{} of {} found", search.at + 1, search.hits.len());
        let Some(session) = session else { return self.hint("not connected", now) };
        if search.at + 20 >= search.hits.len() {
            search.ask(session);
        }
        let of = self.open(&said.with, session);
        self.bring(of.clone(), Some(session));
        let goal = said.msgid.map_or(Goal::Time(said.at), Goal::Message);
        self.hint(text, now);
        self.jump(&of, goal, Some(session), now);
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
            Picking::Room => {
                // A name that is not in the list may be one all the same.
                let typed = pick.filter.trim().to_owned();
                let Some(room) = chosen.or((!typed.is_empty()).then_some(typed)) else { return };
                match self.find(&room).filter(|of| self.buffers[of].joined) {
                    Some(of) => self.bring(of, session),
                    None => match session {
                        Some(session) => {
                            session.command("JOIN", &[&room]);
                            self.entering = Some(room);
                        }
                        None => self.hint("not connected", now),
                    },
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
}
