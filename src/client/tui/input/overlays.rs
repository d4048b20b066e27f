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
}
