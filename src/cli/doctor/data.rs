//! The database and the clock.

use std::thread;
use std::time::Duration;

use super::Finding;
use crate::cli::text;
use crate::clock;
use crate::config::Config;
use crate::store::{Holder, Reader, StoreError};

/// Clocks of two programs on one machine do not differ by more.
const AHEAD: i64 = 5_000;
/// A server takes orders several times a second.
const ORDERS_WITHIN: Duration = Duration::from_secs(2);
/// The index is a second behind, or a few hundred messages.
const UNINDEXED_MAX: usize = 10_000;

pub fn all(config: &Config, running: Holder) -> Vec<Finding> {
    const CHECK: &str = "integrity";
    let reader = match Reader::open(&config.server.data_dir) {
        Ok(reader) => reader,
        Err(error @ StoreError::NotFound { .. }) if running == Holder::Nobody => {
            return vec![Finding::warn(CHECK, error.to_string(), "nothing to do if the server is new")];
        }
        // So damaged that it cannot even be opened.
        Err(error @ StoreError::Damaged(_)) => return vec![Finding::fail(CHECK, error.to_string(), RESTORE)],
        Err(error) => return vec![Finding::fail(CHECK, error.to_string(), "see the message")],
    };
    let mut findings = vec![clock_of(&reader)];
    if running != Holder::Nobody {
        findings.push(orders(&reader));
    }
    findings.push(match reader.quick_check() {
        Ok(None) => Finding::ok(CHECK, "the database is whole"),
        Ok(Some(damage)) => Finding::fail(CHECK, format!("the database is damaged: {damage}"), RESTORE),
        Err(error) => Finding::fail(CHECK, error.to_string(), RESTORE),
    });
    findings.push(match reader.unindexed() {
        Ok(behind) if behind > UNINDEXED_MAX => {
            let found = format!("the index of words is {behind} messages behind; searching is slow meanwhile");
            Finding::warn("index", found, "start the server, and look into its log for what keeps it from catching up")
        }
        Ok(_) => Finding::ok("index", "the index of words is up to date"),
        Err(error) => Finding::fail("index", error.to_string(), RESTORE),
    });
    findings
}

const RESTORE: &str = "stop the server, keep chat.db and chat.db-wal aside, and `chatd restore` the newest backup";

fn clock_of(reader: &Reader) -> Finding {
    const CHECK: &str = "clock";
    let now = clock::now();
    match reader.last_time() {
        Ok(last) if last.0 > now.0 + AHEAD => Finding::fail(
            CHECK,
            format!("this machine says {}, and the newest event is of {}", text::rfc3339(now), text::rfc3339(last)),
            "set the clock (timedatectl); until it gets there, all new messages bear the time of that event",
        ),
        Ok(_) => Finding::ok(CHECK, format!("it is {}", text::rfc3339(now))),
        Err(error) => Finding::fail(CHECK, error.to_string(), RESTORE),
    }
}

/// Whether the server does what it is asked: an order that stays open is a server that hangs.
fn orders(reader: &Reader) -> Finding {
    const CHECK: &str = "orders";
    let first = |reader: &Reader| reader.open_orders().map(|orders| orders.first().map(|(row, _)| *row));
    let waiting = match first(reader) {
        Ok(None) => return Finding::ok(CHECK, "none waits for the server"),
        Ok(Some(row)) => row,
        Err(error) => return Finding::fail(CHECK, error.to_string(), RESTORE),
    };
    thread::sleep(ORDERS_WITHIN);
    match first(reader) {
        Ok(Some(row)) if row == waiting => Finding::fail(
            CHECK,
            "the server does not carry out what `chatd user`, `room` and `ban` ask of it",
            "look into its log; if it hangs, restart it (nothing that was confirmed is lost)",
        ),
        Ok(_) => Finding::ok(CHECK, "the server carries them out"),
        Err(error) => Finding::fail(CHECK, error.to_string(), RESTORE),
    }
}
