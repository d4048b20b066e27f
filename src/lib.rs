//! chatd: a chat server that keeps every word. See `ARCHITECTURE.md` for the map.

pub mod event;
pub mod proto;
pub mod store;
