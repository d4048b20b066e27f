//! The past of a room, of a conversation between two, of all an account may read: asked of the store, with the right to
//! read checked in the same breath.

use std::collections::HashMap;
use std::sync::Arc;

use crate::event::{AccountId, Body, Event, EventId, Millis, RoomId, RoomKind, Seq};
use crate::store::{Conversation, Found, Search, Shown, Span, StoreError, Wanted};

use super::readers::Readers;

/// Whose past is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Room(RoomId),
    /// What the reader and this account said to each other.
    With(AccountId),
}

/// What a reader gets to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    Page(RoomId, Option<Span>),
    /// The page is asked for from a message that is not in this room.
    NoSuchMessage,
    /// Nobody has said anything there.
    Nothing,
    /// It is not for this reader.
    Hidden,
}

/// What is looked for in all that an account may read; everything given must hold.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Words that must all occur; empty: any text.
    pub text: String,
    pub within: Option<Whose>,
    /// Only by this account, by the key of its name.
    pub from: Option<String>,
    /// At this time or later; then the oldest are found, else the newest.
    pub after: Option<Millis>,
    /// At this time or earlier.
    pub before: Option<Millis>,
    /// Said before this message, wherever that was: the next page.
    pub older_than: Option<EventId>,
    pub limit: usize,
}

/// Something that was said, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The room, or the other person of a direct conversation.
    pub with: Arc<str>,
    pub event: Event,
}

impl Readers {
    /// Finds a page; only members may read a room.
    pub async fn past(
        &self,
        reader: AccountId,
        whose: Whose,
        wanted: Wanted,
        limit: usize,
        shown: Shown,
    ) -> Result<Past, StoreError> {
        self.read(move |store| {
            let room = match whose {
                Whose::Room(room) if store.is_member(room, reader)? => room,
                Whose::Room(_) => return Ok(Past::Hidden),
                Whose::With(other) => match store.room_by_key(&direct_key(reader, other))? {
                    Some(room) => room.id,
                    // A message that is named cannot be there.
                    None => return Ok(if names_a_message(wanted) { Past::NoSuchMessage } else { Past::Nothing }),
                },
            };
            Ok(match store.find_page(room, wanted, limit, shown)? {
                Found::Page(span) => Past::Page(room, span),
                Found::NoSuchMessage(_) => Past::NoSuchMessage,
            })
        })
        .await
    }

    /// At most `limit` lines of a page that was found.
    pub async fn page(
        &self,
        room: RoomId,
        span: Span,
        limit: usize,
        shown: Shown,
    ) -> Result<Vec<(Seq, Event)>, StoreError> {
        self.read(move |store| store.read_page(room, span, limit, shown)).await
    }

    /// What was said and answers the question, in all rooms and direct conversations of the reader; the oldest first.
    /// One search runs at a time, so that searching takes no connection from those who follow their rooms.
    pub async fn search(&self, reader: AccountId, question: Question) -> Result<Vec<Hit>, StoreError> {
        let _turn = self.turn_to_search().await?;
        self.read(move |store| {
            let mut names: HashMap<RoomId, (RoomKind, Arc<str>)> =
                store.rooms_of(reader)?.into_iter().map(|row| (row.id, (row.kind, row.name))).collect();
            let only = match question.within {
                None => None,
                Some(Whose::Room(room)) => Some(Some(room)),
                Some(Whose::With(other)) => Some(store.room_by_key(&direct_key(reader, other))?.map(|row| row.id)),
            };
            if let Some(only) = only {
                names.retain(|room, _| Some(*room) == only);
            }
            let search = Search {
                rooms: Some(names.keys().copied().collect()),
                text: question.text,
                from: question.from,
                since: question.after,
                until: question.before.map(|time| Millis(time.0.saturating_add(1))),
                before: question.older_than,
                limit: question.limit,
                from_oldest: question.after.is_some(),
            };
            let mut hits = Vec::new();
            for (room, _, event) in store.search(&search)? {
                let Some((kind, name)) = names.get(&room) else { continue };
                let with = match kind {
                    RoomKind::Channel => name.clone(),
                    RoomKind::Direct => peer_of(&event, reader).unwrap_or_else(|| name.clone()),
                };
                hits.push(Hit { with, event });
            }
            if !search.from_oldest {
                hits.reverse();
            }
            Ok(hits)
        })
        .await
    }

    /// The conversations of an account in which something was last said between these times.
    pub async fn conversations(
        &self,
        account: AccountId,
        between: (Millis, Millis),
        limit: usize,
        from_newest: bool,
    ) -> Result<Vec<Conversation>, StoreError> {
        self.read(move |store| store.conversations(account, between.0, between.1, limit, from_newest)).await
    }
}

/// With whom a direct message was exchanged, as the name was then.
pub fn peer_of(event: &Event, me: AccountId) -> Option<Arc<str>> {
    let Body::Said { to: Some(to), .. } = &event.body else { return None };
    let from = event.actor.as_ref()?;
    Some(if from.id == me { to.nick.clone() } else { from.nick.clone() })
}

/// The key of the room of two accounts.
pub(super) fn direct_key(a: AccountId, b: AccountId) -> String {
    format!("direct:{}:{}", a.0.min(b.0), a.0.max(b.0))
}

fn names_a_message(wanted: Wanted) -> bool {
    use crate::store::Mark::Event;
    match wanted {
        Wanted::Latest => false,
        Wanted::LatestAfter(mark) | Wanted::Before(mark) | Wanted::After(mark) | Wanted::Around(mark) => {
            matches!(mark, Event(_))
        }
        Wanted::Between(a, b) => matches!(a, Event(_)) || matches!(b, Event(_)),
    }
}
