//! Looks through the pages of the database for what SQLite has left behind, after something was taken away, and has the
//! writer zero it: a slice at a time, with pauses, so that nobody who talks waits for it. A stop in the middle is no harm:
//! the next start begins anew.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::log::{Intent, Log};
use crate::store::StoreError;

/// How often it is looked whether there is something to do.
const EVERY: Duration = Duration::from_secs(1);
/// Pages that are looked through at once: a megabyte of the usual size.
const SLICE: u32 = 256;
/// Pages that the writer cleans in one commit.
const STEP: usize = 32;
/// The pause after a slice, and after all of them: so many times what it took.
const PAUSE_TIMES: u32 = 3;
const REST_TIMES: u32 = 10;
/// The pause after one that failed: the disk may be full.
const AGAIN: Duration = Duration::from_secs(60);

/// Goes on until the server stops.
pub async fn keep(log: Log, stopping: CancellationToken) {
    match log.readers().can_sweep().await {
        Ok(true) => {}
        Ok(false) => {
            tracing::warn!(
                "this program's SQLite cannot show its pages (SQLITE_ENABLE_DBPAGE_VTAB), or there are too many of them: \
                 copies of deleted text that it makes inside the database file cannot be looked for"
            );
            return;
        }
        Err(error) => tracing::warn!(%error, "whether the database can be swept is not known"),
    }
    let mut rest = EVERY;
    loop {
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stopping.cancelled() => return,
        }
        let swept = tokio::select! {
            swept = sweep(&log) => swept,
            () = stopping.cancelled() => return,
        };
        rest = swept.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was deleted may have left copies inside the database file; it will be tried again");
            AGAIN
        });
    }
}

/// All pages, if need be. Says how long to rest.
async fn sweep(log: &Log) -> Result<Duration, StoreError> {
    let Some(taken) = log.readers().unswept().await? else { return Ok(EVERY) };
    let began = Instant::now();
    let (mut next, mut cleaned) = (Some(1), 0);
    while let Some(from) = next {
        let slice = Instant::now();
        let found = log.readers().littered(from, SLICE).await?;
        for pages in found.pages.chunks(STEP) {
            cleaned += pages.len();
            submit(log, Intent::Sweep { pages: pages.to_vec() }).await?;
        }
        tokio::time::sleep(slice.elapsed() * PAUSE_TIMES).await;
        next = found.next;
    }
    submit(log, Intent::Swept { taken }).await?;
    let took = began.elapsed();
    tracing::debug!(?took, cleaned, "pages swept");
    Ok((took * REST_TIMES).max(EVERY))
}

async fn submit(log: &Log, intent: Intent) -> Result<(), StoreError> {
    match log.ask(intent).await {
        Ok(_) => Ok(()),
        Err(refusal) => Err(StoreError::other(refusal.to_string())),
    }
}
