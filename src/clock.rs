//! The one place that asks the system what time it is.
//!
//! Everything else is handed the time, so that tests can say what "now" is.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Millis;

/// Milliseconds since 1970-01-01T00:00:00Z; a clock before that reads as zero.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
