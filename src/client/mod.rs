//! What `chat` is made of: the terminal client.

pub mod address;
pub mod heard;
pub mod login;
pub mod pins;
pub mod session;
pub mod text;
pub mod trust;
