//! Deletes what is older than its term, a little at a time: whether there is anything is asked of a connection for
//! reading, and each step keeps the writer from the chat for a moment only.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::Config;
use crate::event::RoomId;
use crate::log::{Due, Intent, Log, Terms};

/// How often it is looked for something that is too old.
const EVERY: Duration = Duration::from_secs(60);
/// Messages that a step deletes; each costs about a millisecond at most.
const STEP: usize = 50;
/// The pause after a step: at least this, and so many times what the step took.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_TIMES: u32 = 4;

/// How long the server keeps things, by its configuration.
pub fn terms(config: &Config) -> Terms {
    Terms { messages: config.history.retention, presence: config.history.presence_retention }
}

/// Goes on until the server stops. New terms hold at once.
pub async fn keep(log: Log, mut terms: watch::Receiver<Terms>, stopping: CancellationToken) {
    loop {
        let now = *terms.borrow_and_update();
        tokio::select! {
            () = go_through(&log, now) => {}
            Ok(()) = terms.changed() => continue,
            () = stopping.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            Ok(()) = terms.changed() => {}
            () = stopping.cancelled() => return,
        }
    }
}

/// All rooms once.
async fn go_through(log: &Log, terms: Terms) {
    let mut from = RoomId(0);
    loop {
        let due = match log.readers().due(terms, clock::now(), from).await {
            Ok(Some(due)) => due,
            Ok(None) => return,
            Err(error) => return tracing::warn!(%error, "what is too old could not be looked for; again in a minute"),
        };
        if !empty(log, due).await {
            return;
        }
        from = RoomId(due.room.0 + 1);
    }
}

/// Deletes what is due in a room. `false`: it did not go.
async fn empty(log: &Log, due: Due) -> bool {
    loop {
        let began = Instant::now();
        let more = match log.ask(Intent::Prune { due, limit: STEP }).await {
            Ok(receipt) => receipt.room.is_some(),
            // The writer has said why, in the server's log.
            Err(_) => return false,
        };
        tokio::time::sleep((began.elapsed() * PAUSE_TIMES).max(PAUSE_MIN)).await;
        if !more {
            return true;
        }
    }
}
