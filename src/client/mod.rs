//! What `chat` is made of: the terminal client.

pub mod address;
pub mod args;
pub mod command;
pub mod dial;
pub mod heard;
pub mod link;
pub mod login;
pub mod password;
pub mod pins;
pub mod session;
pub mod settings;
pub mod show;
pub mod text;
pub mod trust;
pub mod view;
