//! The past of a room, of a conversation between two, of all an account may read: asked of the store, with the right to
//! read checked in the same breath.

use crate::event::{AccountId, Event, Millis, RoomId, Seq};
use crate::store::{Conversation, Found, Shown, Span, StoreError, Wanted};

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
