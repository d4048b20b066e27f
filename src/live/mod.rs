//! What dies with the process: who is connected (roster), how a session is woken (mailbox), what accounts and rooms
//! say about themselves (metadata). Knows events and the
//! refusals of rooms; nothing of IRC, nothing of the log. All of it is bounded, and no lock is held for longer than
//! a few moves in memory.

mod bans;
mod mailbox;
mod metadata;
mod roster;
mod watches;

pub use bans::{Ban, Bans, Outlaw};
pub use mailbox::{Ack, Bell, Certificate, Mail, Mailbox, Receipt};
pub use metadata::{METADATA_KEYS_MAX, Metadata};
pub use roster::{Grant, Person, Roster, UserModes};
pub use watches::{WATCHED_MAX, Watches};
