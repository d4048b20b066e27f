//! The only place that makes order. A room is a log; one writer thread decides, stores and commits in groups; what is
//! committed appears in the rooms' tails, and then the bells ring. Readers are cursors over those tails, and over the
//! store below them. Knows events, rooms, the store and who is alive; nothing of sessions or of IRC's lines.

mod audit;
mod bans;
mod core;
mod credentials;
mod cursor;
mod devices;
mod directory;
mod erase;
mod figures;
mod import;
mod markers;
mod metadata;
mod mirror;
mod orders;
mod pace;
mod past;
mod readers;
mod tail;
mod tokens;
mod world;
mod writer;

#[cfg(test)]
mod laws;

pub use self::core::{Commit, Core, Effect, Growth, INDEX_AT, Settings};
pub use audit::{Author, Posted};
pub use bans::{BANS_MAX, REASON_BYTES};
pub use credentials::{CERTIFICATES_MAX, Proof, Which};
pub use cursor::{Cursor, NotInMemory};
pub use devices::DEVICES_MAX;
pub use directory::Directory;
pub use erase::EraseStep;
pub use figures::Figures;
pub use import::{Imported, ImportedDeed, ImportedEntry, ImportedPlace, ImportedRoom, Story};
pub use markers::Place;
pub use orders::{HashText, Order, OrderResult, parse_retention};
pub use past::{Hit, Past, Question, Whose, peer_of};
pub use readers::Readers;
pub use tail::{ENCODINGS, Entry, Page, Room, Snapshot, TailBudget};
pub use tokens::TOKENS_MAX;
pub use world::Intent;
pub use writer::{Log, LogClosed, Reply, Running};

// What a reader of the log has to know of the store below it, so that nobody above knows the store itself.
pub use crate::store::{
    AccountRow as Account, AuditQuery, AuditRow, BanKind, BanRow, CertificateRow, Conversation, DeviceRow as Device,
    Due, Erasure, Gap, InvitationRow, MORE_MAX, Mark, Missed, RoomRow, RoomStats, Shown, Span, StoreError, Terms,
    TokenRow, Wanted,
};
