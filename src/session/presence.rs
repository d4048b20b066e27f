//! That an account is there. Knows the log and the roster; promises that a session which has begun also ends, for the
//! log and for the rooms, even if its task panics.

use std::sync::Arc;
use std::time::Duration;

use crate::event::EventId;
use crate::live::Person;
use crate::log::Intent;

use super::Context;

/// That the account is there by this session. However the session ends, when this is dropped the log is told; when it
/// was the account's last and none follows within the grace, the rooms see QUIT.
pub(super) struct Presence {
    pub ctx: Arc<Context>,
    pub person: Arc<Person>,
    pub session: u64,
    /// The log was told of the beginning.
    pub begun: bool,
    pub grace: Duration,
    pub reason: Arc<str>,
    /// All up to this event has been written to the client.
    pub delivered: EventId,
}

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.begun {
            return;
        }
        let (ctx, person, reason) = (self.ctx.clone(), self.person.clone(), self.reason.clone());
        person.saw(self.delivered);
        person.leave(self.session);
        let grace = if person.is_online() { Duration::ZERO } else { self.grace };
        self.ctx.tasks.spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(grace) => {}
                () = ctx.stopping.cancelled() => {}
            }
            let offline = Intent::Offline { who: person.who(), reason, seen: person.seen() };
            // A full disk must not leave somebody online for ever: it is said again until it is stored.
            while let Err(refusal) = ctx.log.ask(offline.clone()).await {
                tracing::warn!(account = %person.nick, %refusal, "the end of a session is not stored yet");
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(5)) => {}
                    () = ctx.stopping.cancelled() => return,
                }
            }
        });
    }
}
