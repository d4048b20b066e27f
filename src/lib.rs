//! chatd: a chat server that keeps every word. See `ARCHITECTURE.md` for the map.

pub mod auth;
pub mod config;
pub mod event;
pub mod logging;
pub mod net;
pub mod proto;
pub mod store;
