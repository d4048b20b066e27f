//! chatd: a chat server that keeps every word. See `ARCHITECTURE.md` for the map.

pub mod auth;
pub mod event;
pub mod net;
pub mod proto;
