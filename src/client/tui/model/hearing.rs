//! What is heard while one is in: messages, who comes and goes, what was read elsewhere, what became of one's own. Pure.

use crate::client::heard::{Happened, Heard, Said, Speech, What};
use crate::client::session::Session;
use crate::client::settings::Level;
use crate::client::text::{key, same};
use crate::client::tui::buffer::{Entry, Line, Scroll, happened_line, said_line};
use crate::client::tui::model::{Effect, Key, Model, TYPING_BELIEVED, TYPING_MAX, room_key};
use crate::client::tui::overlay::{Overlay, Picking};
use crate::client::tui::sending::Outgoing;
use crate::event::Millis;

impl Model {
    pub(super) fn said(&mut self, said: &Said, session: &mut Session, now: Millis) {
        if let Some(ticket) = said.ticket {
            self.queue.stored(ticket);
        }
        if said.with.is_empty() {
            return self.remark(Entry::Note(said.text.clone()), now);
        }
        let ignored = !said.own && self.settings.choices.ignored.contains(&key(&said.from));
        if ignored && !session.is_room(&said.with) {
            return;
        }
        let of = self.open(&said.with, session);
        let line = said_line(self.new_id(), said, self.taste());
        let mention = matches!(&line.entry, Entry::Said(words) if words.mention);
        let watched = self.is_watched(&of);
        let current = self.is_current(&of);
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        buffer.typing_stops(&said.from);
        let before = buffer.last_said();
        let new = buffer.hear(line, current);
        if said.own || said.replayed || ignored {
            if said.own && new && buffer.read.is_none_or(|read| read < said.at) {
                // Who answers has read.
                (buffer.unread, buffer.mentions, buffer.uncounted) = (0, 0, false);
            }
            return;
        }
        // A page that was on its way may have brought it already, and counted it; nobody was called by that.
        if new && !watched && buffer.read.is_none_or(|read| said.at > read) {
            buffer.unread += 1;
            buffer.new_from.get_or_insert(said.at);
            buffer.mentions += u32::from(mention);
            if current && buffer.divider.is_none() && !self.focused {
                buffer.divider = before.or(Some(Millis(said.at.0 - 1)));
            }
        }
        let rings = match self.buffers.get(&of).map_or(Level::None, |buffer| self.level_of(buffer)) {
            Level::All => true,
            Level::Mentions => mention,
            Level::None => false,
        };
        if rings && said.speech != Speech::Notice && !(self.focused && watched) {
            let (with, from, text) = (said.with.clone(), said.from.clone(), said.text.clone());
            self.effects.push(Effect::Ring { with, from, text });
        }
    }

    /// Whether the person sees what comes there.
    fn is_watched(&self, of: &Key) -> bool {
        self.is_current(of)
            && self.focused
            && self.buffers.get(of).is_some_and(|buffer| buffer.scroll == Scroll::Bottom)
    }

    pub(super) fn happened(&mut self, happened: &Happened, session: &mut Session, now: Millis) {
        let Happened { room, who, own, what, replayed, .. } = happened;
        if *replayed {
            return;
        }
        let Some(room) = room else { return self.happened_everywhere(happened, now) };
        if let What::Invite { target } = what
            && same(target, &self.nick)
        {
            return self.remark(Entry::Note(format!("{who} invites you to {room}: /join {room}")), now);
        }
        let of = match what {
            What::Join if *own => {
                let of = self.open(room, session);
                if let Some(buffer) = self.buffers.get_mut(&of) {
                    buffer.joined = true;
                }
                if session.has_chathistory() {
                    self.want(of.clone());
                }
                if self.entering.as_ref().is_some_and(|entering| same(entering, room)) {
                    self.entering = None;
                    self.bring(of.clone(), Some(session));
                }
                of
            }
            _ => room_key(room),
        };
        let line = happened_line(self.new_id(), happened);
        let current = self.is_current(&of);
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        match what {
            What::Join => buffer.join(who, ""),
            What::Part { .. } => drop(buffer.members.remove(&key(who))),
            What::Kick { target, .. } => drop(buffer.members.remove(&key(target))),
            What::Topic { text } => buffer.topic.clone_from(text),
            What::Mode { .. } => session.command("NAMES", &[room]),
            _ => {}
        }
        let gone = match what {
            What::Part { .. } => *own,
            What::Kick { target, .. } => same(target, &self.nick),
            _ => false,
        };
        if let Some(line) = line {
            buffer.hear(line, current);
        }
        if gone {
            buffer.joined = false;
            if matches!(what, What::Part { .. }) {
                self.close(&of);
            }
        }
    }

    /// Somebody did something that concerns each room they are in.
    fn happened_everywhere(&mut self, happened: &Happened, now: Millis) {
        let who = key(&happened.who);
        if let (What::Nick { new }, true) = (&happened.what, happened.own) {
            self.nick.clone_from(new);
        }
        if let (What::Away { reason }, Some(buffer)) = (&happened.what, self.buffers.get_mut(&(true, who.clone()))) {
            buffer.away.clone_from(reason);
        }
        let mut shown = false;
        for of in self.buffers.keys().cloned().collect::<Vec<_>>() {
            let line = happened_line(self.new_id(), happened);
            let current = self.is_current(&of);
            let Some(buffer) = self.buffers.get_mut(&of) else { continue };
            let Some(member) = buffer.members.get_mut(&who) else { continue };
            match &happened.what {
                What::Quit { .. } => drop(buffer.members.remove(&who)),
                What::Away { reason } => member.away = reason.is_some(),
                What::Nick { new } => {
                    let prefix = member.prefix.clone();
                    buffer.members.remove(&who);
                    buffer.join(new, &prefix);
                }
                _ => {}
            }
            if let Some(line) = line {
                shown |= buffer.hear(line, current);
            }
        }
        if !shown
            && happened.own
            && let What::Nick { new } = &happened.what
        {
            self.remark(Entry::Note(format!("you are called {new} now")), now);
        }
    }

    pub(super) fn marked(&mut self, heard: &Heard) {
        let with = match heard {
            Heard::Reacted(reacted) => &reacted.with,
            Heard::Redacted { with, .. } => with,
            _ => return,
        };
        let key = key(with);
        for person in [false, true] {
            if let Some(buffer) = self.buffers.get_mut(&(person, key.clone())) {
                buffer.mark(heard);
            }
        }
    }

    pub(super) fn types(&mut self, with: &str, from: &str, going: bool, now: Millis) {
        let key = key(with);
        let buffer = match self.buffers.contains_key(&(false, key.clone())) {
            true => self.buffers.get_mut(&(false, key)),
            false => self.buffers.get_mut(&(true, key)),
        };
        let Some(buffer) = buffer else { return };
        buffer.typing_stops(from);
        let ignored = self.settings.choices.ignored.contains(&crate::client::text::key(from));
        if going && !ignored && buffer.typing.len() < TYPING_MAX {
            buffer.typing.push((from.to_owned(), Millis(now.0 + TYPING_BELIEVED)));
        }
    }

    pub(super) fn read(&mut self, with: &str, at: Option<Millis>, session: &mut Session) {
        let of = (!session.is_room(with), key(with));
        let current = self.is_current(&of);
        let Some(buffer) = self.buffers.get_mut(&of) else { return };
        if at.is_some() && at >= buffer.read {
            buffer.read = at;
            buffer.count();
            if current && buffer.divider.is_none() && buffer.unread > 0 {
                buffer.divider = at;
            }
        }
    }

    pub(super) fn names(&mut self, room: &str, nicks: &[String]) {
        let Some(buffer) = self.buffers.get_mut(&room_key(room)) else { return };
        let away: Vec<String> =
            buffer.members.iter().filter(|(_, member)| member.away).map(|(key, _)| key.clone()).collect();
        buffer.members.clear();
        for nick in nicks {
            let bare = nick.trim_start_matches(['~', '&', '@', '%', '+']);
            buffer.join(bare, &nick[..nick.len() - bare.len()]);
        }
        for key in away {
            if let Some(member) = buffer.members.get_mut(&key) {
                member.away = true;
            }
        }
    }

    /// A room of the server: for the list that was asked for.
    pub(super) fn listed(&mut self, room: String, members: u32, topic: &str) {
        // If the list was closed before all had come, nobody wants the rest.
        if let Overlay::Pick(pick) = &mut self.overlay
            && matches!(pick.picking, Picking::Room)
        {
            pick.room(room, members, topic);
        }
    }

    /// Somebody to whom something was said is away: told once, for as long as it is true.
    pub(super) fn away(&mut self, who: &str, why: String, text: String, now: Millis) {
        let id = self.new_id();
        match self.buffers.get_mut(&(true, key(who))) {
            Some(buffer) if buffer.away.as_ref() == Some(&why) => {}
            Some(buffer) => {
                buffer.away = Some(why);
                buffer.remark(Line { id, at: now, msgid: None, entry: Entry::Note(text) });
            }
            None => self.remark(Entry::Note(text), now),
        }
    }

    pub(super) fn stored(&mut self, ticket: u64, now: Millis) {
        // Without an echo nothing else shows it.
        let Some(outgoing) = self.queue.stored(ticket) else { return };
        let Outgoing { id, from, target, speech, text, reply_to, .. } = outgoing;
        let (with, msgid) = (target.clone(), None);
        let said = Said {
            with,
            from,
            own: true,
            speech,
            text,
            at: now,
            msgid,
            replayed: false,
            ticket: None,
            reply_to,
            bot: false,
        };
        let line = said_line(id, &said, self.taste());
        let key = key(&target);
        for person in [false, true] {
            if let Some(buffer) = self.buffers.get_mut(&(person, key.clone())) {
                buffer.hear(line.clone(), true);
            }
        }
    }

    pub(super) fn refused(
        &mut self,
        ticket: Option<u64>,
        about: Option<String>,
        why: String,
        again: bool,
        now: Millis,
    ) {
        if let Some(ticket) = ticket
            && self.queue.refused(ticket, &why, again, now)
        {
            return;
        }
        if let (Some(entering), Some(about)) = (&self.entering, &about)
            && same(entering, about)
        {
            self.entering = None;
        }
        let text = match about {
            Some(about) => format!("{about}: {why}"),
            None => why,
        };
        self.remark(Entry::Alarm(text), now);
    }
}
