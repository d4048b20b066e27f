//! chatd: a chat server that keeps every word. See `ARCHITECTURE.md` for the map.

pub mod acme;
pub mod address;
pub mod admin;
pub mod auth;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod encode;
pub mod event;
pub mod failpoint;
pub mod live;
pub mod log;
pub mod logging;
pub mod man;
pub mod metrics;
pub mod net;
pub mod proto;
pub mod room;
pub mod server;
pub mod session;
pub mod store;
pub mod web;
pub mod when;
