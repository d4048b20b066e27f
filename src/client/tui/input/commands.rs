//! What Enter does: text is said, a command is done. Pure.

use time::Date;
use zeroize::Zeroizing;

use crate::client::command::{self, Command, Done};
use crate::client::heard::Speech;
use crate::client::session::Session;
use crate::client::settings::Level;
use crate::client::text::{key, same};
use crate::client::tui::buffer::Entry;
use crate::client::tui::complete::with_emoji;
use crate::client::tui::model::{Effect, Model};
use crate::client::tui::overlay::{Overlay, Pick, Search};
use crate::client::tui::paging::Goal;
use crate::event::Millis;

impl Model {
    pub(super) fn enter(&mut self, session: Option<&mut Session>, now: Millis) {
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
                    Done::Listing => self.overlay = Overlay::Pick(Pick::rooms()),
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
            "/joins" => self.show_presence(now),
            "/mouse" => self.lend_mouse(now),
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
                self.settings.levels.insert(name.clone(), level);
                self.settings.choices.rooms.insert(name, level);
                self.effects.push(Effect::Remember);
            }
            "/ignore" if rest.is_empty() => {
                let names: Vec<&str> = self.settings.choices.ignored.iter().map(String::as_str).collect();
                let text = match names.as_slice() {
                    [] => "you ignore nobody; write /ignore NAME".to_owned(),
                    names => format!("you ignore {} (/unignore NAME)", names.join(", ")),
                };
                self.hint(text, now);
            }
            "/ignore" | "/unignore" => self.ignore(rest, word.eq_ignore_ascii_case("/ignore"), now),
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

    /// Shows nothing more of what this person says, or all of it again.
    fn ignore(&mut self, name: &str, ignored: bool, now: Millis) {
        if name.is_empty() || name.contains(char::is_whitespace) || same(name, &self.nick) {
            return self.hint("write /ignore NAME or /unignore NAME", now);
        }
        let list = &mut self.settings.choices.ignored;
        if ignored {
            list.insert(key(name));
        } else if !list.remove(&key(name)) {
            return self.hint(format!("you do not ignore {name}"), now);
        }
        self.buffers.values_mut().for_each(|buffer| buffer.ignore(name, ignored));
        let text = if ignored { "what they say is not shown (/unignore)" } else { "what they say is shown again" };
        self.hint(format!("{name}: {text}"), now);
        self.effects.push(Effect::Remember);
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
