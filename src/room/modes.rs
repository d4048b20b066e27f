//! The modes of a room: what they are set to, how a MODE event changes them, and how they are printed.

use std::fmt::Write;
use std::sync::Arc;

use crate::event::{Millis, Who};
use crate::proto::modes as table;

use super::masks::Masked;
use super::state::RoomState;

/// Flags, key and limit. Ranks (`o`, `v`) stand with the members.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Modes {
    /// `i`: only the invited come in.
    pub invite_only: bool,
    /// `m`: only operators and the voiced speak.
    pub moderated: bool,
    /// `n`: only members speak.
    pub members_only: bool,
    /// `s`: not shown to who is not in it.
    pub secret: bool,
    /// `t`: only operators set the topic.
    pub topic_locked: bool,
    /// `k`: the word that JOIN must give.
    pub key: Option<Arc<str>>,
    /// `l`: how many may be in it.
    pub limit: Option<u32>,
}

/// One wished change, names resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModeChange {
    Flag {
        letter: char,
        on: bool,
    },
    Key(Option<Arc<str>>),
    Limit(Option<u32>),
    Rank {
        letter: char,
        who: Who,
        on: bool,
    },
    /// The mask in its full form.
    List {
        letter: char,
        mask: Arc<str>,
        on: bool,
    },
}

impl Modes {
    /// The flag behind a letter; `None` for letters that are no flags.
    pub fn flag(&mut self, letter: char) -> Option<&mut bool> {
        match letter {
            'i' => Some(&mut self.invite_only),
            'm' => Some(&mut self.moderated),
            'n' => Some(&mut self.members_only),
            's' => Some(&mut self.secret),
            't' => Some(&mut self.topic_locked),
            _ => None,
        }
    }

    /// As a MODE line prints them: `+ntkl word 25`. Without `secrets` the key's word is a star.
    pub fn print(&self, secrets: bool) -> String {
        let flags = [
            ('i', self.invite_only),
            ('m', self.moderated),
            ('n', self.members_only),
            ('s', self.secret),
            ('t', self.topic_locked),
        ];
        let mut text = String::from("+");
        text.extend(flags.iter().filter(|(_, on)| *on).map(|(letter, _)| letter));
        let mut values = String::new();
        if let Some(key) = &self.key {
            text.push('k');
            values.push(' ');
            values.push_str(if secrets { key } else { "*" });
        }
        if let Some(limit) = self.limit {
            text.push('l');
            let _ = write!(values, " {limit}");
        }
        text + &values
    }
}

/// Prints changes as the event keeps them, which is how they are sent: `+o-v+k bob carol word`.
pub fn print_changes(changes: &[ModeChange]) -> String {
    let written: Vec<table::ModeChange> = changes
        .iter()
        .map(|change| match change {
            ModeChange::Flag { letter, on } => table::ModeChange::Flag(*letter, *on),
            ModeChange::Key(key) => table::ModeChange::Key(key.as_deref().map(str::to_owned)),
            ModeChange::Limit(limit) => table::ModeChange::Limit(*limit),
            ModeChange::Rank { letter, who, on } => {
                table::ModeChange::Member { letter: *letter, nick: who.nick.to_string(), on: *on }
            }
            ModeChange::List { letter, mask, on } => {
                table::ModeChange::List { letter: *letter, mask: mask.to_string(), on: *on }
            }
        })
        .collect();
    table::print(&written)
}

/// Takes the state past changes in the form that [`print_changes`] makes, by this nick at this time.
pub fn fold_modes(state: &mut RoomState, changes: &str, by: &Arc<str>, at: Millis) {
    let mut words = changes.split(' ');
    let letters = words.next().unwrap_or_default();
    let mut on = true;
    for letter in letters.chars() {
        match letter {
            '+' => on = true,
            '-' => on = false,
            'k' => {
                let word = words.next().unwrap_or_default();
                state.modes.key = on.then(|| Arc::from(word));
            }
            'l' => state.modes.limit = if on { words.next().and_then(|word| word.parse().ok()) } else { None },
            'o' | 'v' => {
                let nick = words.next().unwrap_or_default();
                let member = state.members.values_mut().find(|member| &*member.nick == nick);
                if let Some(member) = member {
                    *(if letter == 'o' { &mut member.op } else { &mut member.voice }) = on;
                }
            }
            _ if table::is_list(letter) => {
                let mask = words.next().unwrap_or_default();
                match on {
                    true => state.masks.set(letter, Masked { mask: mask.into(), by: by.clone(), at }),
                    false => state.masks.unset(letter, mask),
                }
            }
            flag => {
                if let Some(flag) = state.modes.flag(flag) {
                    *flag = on;
                }
            }
        }
    }
}
