//! Whether a certificate is one that people's clients believe: this machine's list of authorities stands for theirs.

use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls_platform_verifier::Verifier;

use super::provider;
use crate::event::Millis;
use crate::net::cert;

/// Until when this chain is believed for this name; `None`: it is not. Reads the machine's list, so it blocks.
pub(super) fn until(chain: &[CertificateDer<'_>], name: &str, now: Millis) -> Option<Millis> {
    let (first, others) = chain.split_first()?;
    let name = ServerName::try_from(name).ok()?;
    let time = UnixTime::since_unix_epoch(Duration::from_millis(now.0.max(0).unsigned_abs()));
    let verifier = Verifier::new(provider()).ok()?;
    verifier.verify_server_cert(first, others, &name, &[], time).ok()?;
    Some(cert::facts(first)?.not_after)
}
