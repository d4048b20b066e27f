//! What is said about messages: reactions, and that one was taken back. Pure.

use super::{BY_MAX, Buffer, Entry, Line, ORPHANS_MAX, REACTIONS_MAX, Reaction};
use crate::client::heard::{Heard, Reacted};
use crate::client::text::same;

impl Buffer {
    /// What was said about a message: a reaction, that it was taken back.
    pub fn mark(&mut self, heard: &Heard) {
        match heard {
            Heard::Reacted(reacted) => self.react(reacted.clone()),
            Heard::Redacted { by, target, .. } => {
                let line = self.lines.iter_mut().rev().find(|line| line.msgid.as_deref() == Some(target));
                if let Some(Line { entry: Entry::Said(words), .. }) = line {
                    words.redacted = Some(by.clone());
                    self.bytes = self.bytes.saturating_sub(words.text.len());
                    words.text.clear();
                    words.reactions.clear();
                }
            }
            _ => {}
        }
    }

    pub(super) fn react(&mut self, reacted: Reacted) {
        let line = self.lines.iter_mut().rev().find(|line| line.msgid.as_deref() == Some(&reacted.target));
        let Some(Line { entry: Entry::Said(words), .. }) = line else {
            if self.orphans.len() >= ORPHANS_MAX {
                self.orphans.pop_front();
            }
            self.orphans.push_back(reacted);
            return;
        };
        let at = words.reactions.iter().position(|known| known.reaction == reacted.reaction);
        match (at, reacted.taken_back) {
            (Some(at), true) => {
                let by = &mut words.reactions[at].by;
                by.retain(|nick| !same(nick, &reacted.from));
                if by.is_empty() {
                    words.reactions.remove(at);
                }
            }
            (None, true) => {}
            (Some(at), false) => {
                let by = &mut words.reactions[at].by;
                if by.len() < BY_MAX && !by.iter().any(|nick| same(nick, &reacted.from)) {
                    by.push(reacted.from);
                }
            }
            (None, false) if words.reactions.len() < REACTIONS_MAX && words.redacted.is_none() => {
                words.reactions.push(Reaction { reaction: reacted.reaction, by: vec![reacted.from] });
            }
            (None, false) => {}
        }
    }

    /// When the line comes back, its reactions shall, too.
    pub(super) fn orphan(&mut self, line: Line) {
        let (Entry::Said(words), Some(msgid)) = (line.entry, line.msgid) else { return };
        for Reaction { reaction, by } in words.reactions {
            for from in by {
                if self.orphans.len() >= ORPHANS_MAX {
                    self.orphans.pop_front();
                }
                let (with, reaction, target) = (String::new(), reaction.clone(), msgid.clone());
                self.orphans.push_back(Reacted { with, from, own: false, target, reaction, taken_back: false });
            }
        }
    }
}
