//! LIST: the rooms this account may know of, all or those that fit the filters `ELIST=CMNTU` announces: masks, what
//! fits no mask, how many are inside, minutes since the room was made or its topic set.
//! <https://modern.ircdocs.horse/#elist-parameter>

use crate::event::Millis;
use crate::proto::line::Message;
use crate::proto::masks::{fold, glob};
use crate::proto::numerics::*;
use crate::room::RoomState;

use super::Session;

/// Filters of one LIST at most; further ones are passed over.
const FILTERS_MAX: usize = 64;

enum Filter {
    Named(String),
    NotNamed(String),
    Fewer(usize),
    More(usize),
    /// Made, or its topic set, less than so many minutes ago (`C<n`, `T<n`), or more.
    Made {
        younger: bool,
        minutes: u32,
    },
    TopicSet {
        younger: bool,
        minutes: u32,
    },
}

impl Session {
    pub(super) fn list(&mut self, message: &Message<'_>) {
        let words = message.param(0).unwrap_or_default().split(',').filter(|word| !word.is_empty());
        let filters: Vec<Filter> = words.take(FILTERS_MAX).map(filter).collect();
        let now = (self.ctx.clock)();
        self.numeric(RPL_LISTSTART, &["Channel"], "Users  Name");
        for state in self.visible_rooms().into_iter().filter(|state| fits(&filters, state, now)) {
            let present = state.present().count().to_string();
            let topic = state.topic.as_ref().map_or("", |topic| &topic.text);
            self.numeric(RPL_LIST, &[&state.name, &present], topic);
        }
        self.numeric(RPL_LISTEND, &[], "End of /LIST");
    }
}

fn filter(word: &str) -> Filter {
    let number = |sign: char| word.strip_prefix(sign).and_then(|rest| rest.parse::<usize>().ok());
    let minutes = |letter: &str, sign: char| {
        let rest = word.strip_prefix(letter).and_then(|rest| rest.strip_prefix(sign));
        rest.and_then(|rest| rest.parse::<u32>().ok())
    };
    if let Some(count) = number('<') {
        return Filter::Fewer(count);
    }
    if let Some(count) = number('>') {
        return Filter::More(count);
    }
    for (sign, younger) in [('<', true), ('>', false)] {
        if let Some(minutes) = minutes("C", sign) {
            return Filter::Made { younger, minutes };
        }
        if let Some(minutes) = minutes("T", sign) {
            return Filter::TopicSet { younger, minutes };
        }
    }
    match word.strip_prefix('!') {
        Some(mask) => Filter::NotNamed(fold(mask)),
        None => Filter::Named(fold(word)),
    }
}

/// Names and masks add up, each other filter takes away.
fn fits(filters: &[Filter], state: &RoomState, now: Millis) -> bool {
    let name = fold(&state.name);
    let (mut wanted, mut named) = (false, false);
    for filter in filters {
        let fits = match filter {
            Filter::Named(mask) => {
                wanted = true;
                named |= glob(mask, &name);
                true
            }
            Filter::NotNamed(mask) => !glob(mask, &name),
            Filter::Fewer(count) => state.present().count() < *count,
            Filter::More(count) => state.present().count() > *count,
            Filter::Made { younger, minutes } => is_of_age(state.created, now, *younger, *minutes),
            Filter::TopicSet { younger, minutes } => {
                state.topic.as_ref().is_some_and(|topic| is_of_age(topic.at, now, *younger, *minutes))
            }
        };
        if !fits {
            return false;
        }
    }
    named || !wanted
}

fn is_of_age(since: Millis, now: Millis, younger: bool, minutes: u32) -> bool {
    let (age, limit) = (now.0.saturating_sub(since.0), i64::from(minutes) * 60_000);
    if younger { age < limit } else { age > limit }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::event::{RoomId, RoomKind};
    use crate::room::Topic;

    const MINUTE: i64 = 60_000;

    #[test]
    fn ages_are_minutes_up_to_now() {
        let mut room = RoomState::empty(RoomId(1), RoomKind::Channel, "#Room".into());
        room.created = Millis(7 * MINUTE);
        let now = Millis(10 * MINUTE);
        let fits = |room: &RoomState, text: &str| {
            let filters: Vec<Filter> = text.split(',').map(filter).collect();
            fits(&filters, room, now)
        };
        for (text, yes) in [
            ("C>2", true),
            ("C<2", false),
            ("C<4", true),
            ("C>3", false),
            ("C<3", false),
            ("C<0", false),
            ("C>0", true),
            ("T>0", false),
            ("T<100", false),
            ("#room,C>2", true),
            ("#other,C>2", false),
            ("#other,#r*", true),
            ("!#r*,#room", false),
            ("C<x", false),
        ] {
            assert_eq!(fits(&room, text), yes, "{text}");
        }
        room.topic = Some(Topic { text: "x".into(), by: Arc::from("anna"), at: Millis(9 * MINUTE) });
        for (text, yes) in [("T<2", true), ("T>2", false), ("T>0", true), ("T<0", false), ("T<1", false)] {
            assert_eq!(fits(&room, text), yes, "{text}");
        }
    }
}
