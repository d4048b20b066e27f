//! `chat` on a terminal: the full screen.
//!
//! A pure [`model`] is fed with what is heard and what a person does ([`input`]); a pure [`view`] draws it; [`run`] is the
//! only part that knows a terminal and a connection. A [`buffer`] is a window of a conversation, which is as long as the
//! server's memory: it is paged in and out.

pub mod buffer;
mod complete;
mod editor;
mod emoji;
mod input;
mod layout;
pub mod model;
mod overlay;
mod paging;
mod palette;
pub mod run;
mod sending;
mod terminal;
mod view;

pub use layout::wrap;

#[cfg(test)]
mod tests;
