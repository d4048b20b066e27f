//! `chatd serve`: starts the log and the threads, then it is the server's turn until a signal comes.

use std::path::PathBuf;

use anyhow::Context;
use tokio::runtime::Runtime;
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
    let (entrance, inside) = (runtime("chatd-entrance", ENTRANCE)?, runtime("chatd-session", workers())?);
    let at = entrance.handle().clone();
    let ended = inside.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let shutdown = async move {
            tokio::select! { _ = term.recv() => "SIGTERM", _ = int.recv() => "SIGINT" }
        };
        server::run(config, file, logging, at, shutdown).await
    });
    entrance.shutdown_background();
    ended
}

/// Threads for handshakes. They have their own, so that a burst of those who come never stands in front of those who talk:
/// the system shares the processors between them.
const ENTRANCE: usize = 1;

/// Threads for the sessions: two at least. With a single one a delivery costs a tenth less on two processors, but those who
/// come back after a restart, all at once, stand in front of those who talk.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get()).max(2)
}

fn runtime(name: &str, threads: usize) -> anyhow::Result<Runtime> {
    let built =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build();
    built.context("cannot start the threads; does the machine limit processes or memory?")
}
