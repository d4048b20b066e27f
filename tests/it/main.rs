//! Tests of the whole: the real programs, spoken to from outside. One module a noun; each says what belongs there.

mod admin;
mod bad_input;
mod chat_client;
mod chathistory;
mod devices;
mod disk_full;
mod durable;
mod event_playback;
mod external;
mod harness;
mod join_in_flow;
mod layers;
mod limits;
mod metadata;
mod oper;
mod operator;
mod people;
mod race;
mod real_clients;
mod registration;
mod replay;
mod rooms;
mod secrecy;
mod slow_readers;
mod talk;
mod tls;
