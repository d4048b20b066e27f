//! The one place that asks the machine what time it is. Everybody else is handed the time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Millis;

/// Now; 0 on a machine whose clock stands before 1970.
#[allow(clippy::disallowed_methods)]
pub fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
