//! What a service manager (systemd) is told: that we serve, read anew, stop, and that we live. Nothing, if there is none.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::log::{Intent, Log};

pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// To be followed by [`ready`].
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "no clock for the service manager"),
    }
}

pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that we live as often as is asked for. Each time something goes through the runtime, the writer and back: if one
/// of them hangs, nothing is said, and the service manager starts the server again.
pub async fn watchdog(log: Log, stopping: CancellationToken) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return };
    tracing::info!(within = ?patience, "a watchdog wants to hear from us");
    let every = (patience / 4).max(Duration::from_millis(10));
    loop {
        // Refused or not, it was answered.
        let _ = log.ask(Intent::Nothing).await;
        tell(&[NotifyState::Watchdog]);
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stopping.cancelled() => return,
        }
    }
}

fn tell(state: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}
