//! chatd: a chat server that keeps every word. See `ARCHITECTURE.md` for the map.

pub mod client;
pub mod clock;
pub mod event;
pub mod proto;
