//! Erases who is to be erased, a little at a time: what is to be done is found on a connection for reading, and each step
//! keeps the writer from the chat for a moment only. What was begun before a stop is finished after the start.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::log::{Intent, Log};

/// Entries that a step changes or deletes; each costs about a millisecond at most.
const STEP: usize = 50;
/// The pause after a step: at least this, and so many times what the step took.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_TIMES: u32 = 2;
/// The pause after one that failed: the disk may be full.
const AGAIN: Duration = Duration::from_secs(10);

/// Goes on until the server stops.
pub async fn keep(log: Log, stopping: CancellationToken) {
    loop {
        tokio::select! {
            () = finish(&log) => {}
            () = stopping.cancelled() => return,
        }
        tokio::select! {
            () = log.erasing() => {}
            () = stopping.cancelled() => return,
        }
    }
}

async fn finish(log: &Log) {
    loop {
        let step = match log.readers().erase_step(STEP).await {
            Ok(Some(step)) => step,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, "an erasure is behind; it will be tried again");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let began = Instant::now();
        match log.ask(Intent::Erase(step)).await {
            Ok(_) => tokio::time::sleep((began.elapsed() * PAUSE_TIMES).max(PAUSE_MIN)).await,
            // The writer has said why, in the server's log.
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}
