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

/// Threads for those who come: handshakes and logins. They have their own, so that a burst of them never stands in front of
/// those who talk: the system shares the processors between them. One: then a step of a handshake, which costs about a
/// millisecond, is in nobody's way but of other steps.
const ENTRANCE: usize = 1;

/// Threads for the sessions: one processor is left to the writer of the log and to those who come. Two threads on two processors
/// would spend a tenth more on a delivery, with waking each other.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() - 1).max(1)
}

fn runtime(name: &str, threads: usize) -> anyhow::Result<Runtime> {
    let built =
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build();
    built.context("cannot start the threads; does the machine limit processes or memory?")
}
