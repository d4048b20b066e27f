//! Bytes and connections: certificates, TLS, framing, limits.

pub mod cert;
pub mod tls;
