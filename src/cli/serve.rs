//! `chatd serve`: starts the log and the threads, then it is the server's turn until a signal comes.

use std::path::PathBuf;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::Setup;
use crate::config::Config;
use crate::{logging, server};

pub fn run(setup: &Setup) -> anyhow::Result<()> {
    let (config, file) = setup.load()?;
    serve(config, file)
}

/// Serves until SIGTERM or SIGINT. SIGHUP is the server's own business.
pub fn serve(config: Config, file: Option<PathBuf>) -> anyhow::Result<()> {
    let logging = logging::init(&config.log.level, config.log.format)?;
    match &file {
        Some(file) => tracing::info!(file = %file.display(), "configuration"),
        None => tracing::info!("no configuration file: built-in defaults"),
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
        .context("cannot start the threads; does the machine limit processes or memory?")?;
    runtime.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = async move {
            tokio::select! { _ = term.recv() => "SIGTERM", _ = int.recv() => "SIGINT" }
        };
        server::run(config, file, logging, shutdown).await
    })
}

/// Threads for the sessions: two at least. On a single one a burst of handshakes, logins and goodbyes stands in front of those
/// who talk, whatever turns it takes.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get()).max(2)
}
