// seam: stands in until the server is there.
//! The server.

use std::future::Future;
use std::path::PathBuf;

use crate::config::Config;
use crate::logging::Logging;

/// Serves until `shutdown` ends, which yields the reason for the log.
pub async fn run(
    _config: Config,
    _file: Option<PathBuf>,
    _logging: Logging,
    shutdown: impl Future<Output = &'static str>,
) -> anyhow::Result<()> {
    tracing::info!(reason = shutdown.await, "stopping");
    Ok(())
}
