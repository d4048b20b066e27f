//! The byte layer: certificates, TLS, connections, lines, limits. Knows the protocol's line lengths and nobody above it.
//!
//! Everything a peer can make grow is bounded here, and an idle connection holds next to nothing.

pub mod cert;
pub mod conn;
pub mod framing;
pub mod limits;
pub mod listener;
pub mod proxy;
pub mod tls;
