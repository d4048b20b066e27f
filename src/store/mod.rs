//! The database: all SQL is here, and no SQLite type leaves.
//!
//! One [`Writer`] (the holder of the [`Lock`]) changes it in transactions, any number of [`Reader`]s look on; both
//! share the reading functions of [`Reads`]. Knows `event` alone: no IRC, no async, no clock. Promises that what a
//! committed [`Tx`] wrote survives a crash, that a dropped or failed one leaves nothing, and that a page of history
//! costs the same wherever it lies and however long the log is.

mod accounts;
mod audit;
mod backup;
mod bans;
mod credentials;
mod devices;
mod erase;
mod error;
mod history;
mod index;
mod metadata;
mod missed;
mod open;
mod past;
mod remnants;
mod retention;
mod rooms;
mod search;
mod tokens;
mod transfer;
mod words;
mod write;

#[cfg(test)]
mod story;
#[cfg(test)]
mod story_past;
#[cfg(test)]
mod story_retention;
#[cfg(test)]
mod story_search;

use std::fmt;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::event::{AccountId, EventId, Millis, RoomId, Seq};

pub use audit::{AUDIT_KEPT, AuditQuery, AuditRow};
pub use backup::{Examined, Pace, copy_whole, examine};
pub use bans::{BanKind, BanRow};
pub use credentials::{CertificateRow, INVITATION_ID, InvitationRow};
pub use erase::Erasure;
pub use error::{Result, StoreError};
pub use history::{Counts, Kinds, RoomStats};
pub use missed::{Gap, MORE_MAX, Missed};
pub use open::{CHECKPOINT_AT, Holder, Lock, database_path, post_order};
pub use past::{Conversation, Found, Mark, Shown, Span, Wanted};
pub use remnants::Littered;
pub use retention::{Due, Keep, Terms};
pub use search::Search;
pub use tokens::TokenRow;
pub use transfer::{Head, Imported, TransferError};
pub use write::{Tx, Writer};

/// A connection that only looks: many may be open beside the writer, one a thread.
pub struct Reader(Reads);

impl Reader {
    /// Opens the database of a running or a stopped server. Never creates or upgrades it.
    pub fn open(data_dir: &Path) -> Result<Reader> {
        open::reader(data_dir).map(|conn| Reader(Reads { conn }))
    }
}

impl Deref for Reader {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.0
    }
}

/// The questions that [`Reader`], [`Writer`] and [`Tx`] answer.
pub struct Reads {
    conn: rusqlite::Connection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub id: AccountId,
    pub name: Arc<str>,
    pub key: String,
    pub skeleton: String,
    pub hash: PasswordHashText,
    pub admin: bool,
    pub bot: bool,
    pub disabled: bool,
    /// Gone for good; the row keeps the name from being taken by somebody else.
    pub removed: bool,
    pub created: Millis,
    pub last_seen: Option<Millis>,
    /// The newest event that was delivered to the account when it was last here.
    pub seen: EventId,
}

/// What an account is made from.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub name: Arc<str>,
    pub key: String,
    pub skeleton: String,
    pub hash: PasswordHashText,
    pub admin: bool,
    pub bot: bool,
    pub created: Millis,
}

/// A password's hash (PHC string). Not the password, but nothing for a log either: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHashText(pub String);

impl PasswordHashText {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for PasswordHashText {
    fn from(text: String) -> PasswordHashText {
        PasswordHashText(text)
    }
}

impl fmt::Debug for PasswordHashText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHashText(..)")
    }
}

/// A device of an account, by the name its owner gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    pub name: Arc<str>,
    pub first_seen: Millis,
    pub last_seen: Millis,
    /// The newest event up to which everything was delivered to it; 0: none yet.
    pub seen: EventId,
}

pub use crate::event::RoomKind;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRow {
    pub text: Arc<str>,
    pub by: Arc<str>,
    pub at: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomRow {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: Arc<str>,
    pub key: String,
    pub topic: Option<TopicRow>,
    pub modes: Arc<str>,
    pub founder: Option<AccountId>,
    pub created: Millis,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    pub account: AccountId,
    /// The account's name; not written by [`Tx::set_member`].
    pub nick: Arc<str>,
    pub op: bool,
    pub voice: bool,
    pub present: bool,
    pub joined: Seq,
}

/// A mask in one of a room's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskRow {
    /// The letter of the list's mode.
    pub list: char,
    pub mask: Arc<str>,
    pub by: Arc<str>,
    pub at: Millis,
}

/// SQLite counts in signed numbers. A seq or limit beyond them means "as far as there is".
fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
