//! chatd: a chat server that keeps every word. See `ARCHITECTURE.md` for the map.

pub mod clock;
pub mod encode;
pub mod event;
pub mod live;
pub mod log;
pub mod proto;
pub mod room;
