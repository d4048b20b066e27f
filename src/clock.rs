//! The one place that reads the wall clock. Everything else is handed a clock, so that tests can hold it still.

use crate::event::Millis;

/// A source of wall time.
pub type Clock = fn() -> Millis;

/// Now, by the system's clock, which may go back; the log sees to it that its times do not.
#[allow(clippy::disallowed_methods, reason = "this is the clock that is handed in")]
pub fn now() -> Millis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
