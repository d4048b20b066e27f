//! What the log counts of itself, for whoever shows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use super::core::Commit;

/// Clones count together.
#[derive(Clone, Debug)]
pub struct Figures {
    pub messages: Counter,
    pub commits_failed: Counter,
    pub commit_intents: Histogram,
    pub commit_duration: Histogram,
    /// Questions to the store: what memory could not answer.
    pub store_reads: Counter,
    last_failed: Arc<AtomicBool>,
}

impl Figures {
    pub(super) fn new() -> Figures {
        Figures {
            messages: Counter::default(),
            commits_failed: Counter::default(),
            // 1 to 2048, and half a millisecond to 16 seconds.
            commit_intents: Histogram::new(exponential_buckets(1.0, 4.0, 6).chain([2048.0])),
            commit_duration: Histogram::new(exponential_buckets(0.0005, 2.0, 16)),
            store_reads: Counter::default(),
            last_failed: Arc::default(),
        }
    }

    /// Whether the newest commit came to nothing; the next one that succeeds ends it.
    pub fn last_commit_failed(&self) -> bool {
        self.last_failed.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, commit: &Commit, took: Duration) {
        self.last_failed.store(commit.failed, Ordering::Relaxed);
        if commit.failed {
            self.commits_failed.inc();
        }
        self.commit_intents.observe(commit.outcomes.len() as f64);
        self.commit_duration.observe(took.as_secs_f64());
        let entries = commit.growth.iter().flat_map(|growth| &growth.entries);
        self.messages.inc_by(entries.filter(|entry| entry.event.kind().is_spoken()).count() as u64);
    }
}
