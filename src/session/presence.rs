//! That an account is there, and how far its device has been shown the log. Knows the log and the roster; promises that
//! a session which has begun also ends, for the log and for the rooms, even if its task panics, and that a device's
//! place is never beyond what it was written: a line may be told twice after a lost connection, but none is missed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::EventId;
use crate::live::Person;
use crate::log::Intent;
use crate::proto::caps::{Cap, CapSet};
use crate::proto::line::Message;

use super::{Context, Session, submit_quietly};

/// How often a session whose place has moved asks its client for a sign that all of it has arrived, at most. After a
/// crash of the server or a lost connection so much may be told twice.
const RECEIPT_EVERY: Duration = Duration::from_secs(30);
/// In front of the event's id in such a PING.
const RECEIPT: &str = "seen-";

/// That the account is there by this session. However the session ends, when this is dropped the log is told; when it
/// was the account's last and none follows within the grace, the rooms see QUIT. Both this and the place end with what
/// each delivery looks at.
#[repr(C)]
pub(super) struct Presence {
    pub ctx: Arc<Context>,
    pub person: Arc<Person>,
    pub session: u64,
    /// The log was told of the beginning.
    pub begun: bool,
    pub grace: Duration,
    pub reason: Arc<str>,
    pub place: Place,
}

/// How far a session has brought its device.
#[repr(C)]
pub(super) struct Place {
    /// Empty: the default device.
    pub device: Arc<str>,
    /// All up to this event has arrived, as far as is known.
    arrived: EventId,
    /// What the log was last told.
    told: EventId,
    /// A PING is on its way whose PONG says that all up to this event has arrived.
    asked: Option<EventId>,
    next_receipt: Instant,
    every: Duration,
    /// The client ended the connection itself: what was written has arrived.
    pub orderly: bool,
    /// What the session shows counts as seen. Not with a client that fetches the history by itself, or is a script.
    counts: bool,
    /// All up to this event has been written to the client.
    written: EventId,
}

impl Place {
    /// `seen`: where the device stands; 0: nowhere yet. `patience`: how long a silent client is left alone.
    pub fn new(device: Arc<str>, seen: EventId, patience: Duration) -> Place {
        let every = RECEIPT_EVERY.min(patience);
        Place {
            device,
            counts: true,
            written: seen,
            arrived: seen,
            told: seen,
            asked: None,
            next_receipt: Instant::now() + every,
            every,
            orderly: false,
        }
    }

    /// All up to this event has been written.
    pub fn written(&mut self, caps: CapSet, up_to: EventId) {
        // For good: a client that stops fetching has not been told what it did not fetch.
        self.counts &= !fetches(caps) && !caps.contains(Cap::Passive);
        if self.counts {
            self.written = self.written.max(up_to);
        }
    }

    /// The line that asks for a receipt, if it is time for one.
    pub fn receipt_wanted(&mut self) -> Option<String> {
        let now = Instant::now();
        if self.asked.is_some() || self.written <= self.arrived || now < self.next_receipt {
            return None;
        }
        self.next_receipt = now + self.every;
        self.asked = Some(self.written);
        Some(format!("PING {RECEIPT}{}", self.written.msgid()))
    }

    /// Takes a PONG; the place to be kept, if it brings one.
    fn receipt(&mut self, token: &str) -> Option<EventId> {
        let event = EventId::from_msgid(token.strip_prefix(RECEIPT)?)?;
        self.asked.take_if(|asked| *asked == event)?;
        self.arrived = event;
        self.told = event;
        Some(event)
    }

    /// The device and where it would stand if all that is on its way arrived; `None`: that is clear already.
    pub fn unsure(&mut self, caps: CapSet, up_to: EventId) -> Option<(Arc<str>, EventId)> {
        if self.orderly {
            return None;
        }
        self.written(caps, up_to);
        (self.written > self.arrived).then(|| (self.device.clone(), self.written))
    }

    fn seen(&self) -> EventId {
        if self.orderly { self.written } else { self.arrived }
    }
}

/// Whether a client with these capabilities fetches the history by itself and is sent none unasked.
pub(super) fn fetches(caps: CapSet) -> bool {
    caps.contains(Cap::ChatHistory)
}

impl Session {
    /// A PONG may be a receipt. Then the device's place is kept, so that a crash of the server loses little of it.
    pub(super) async fn pong_came(&mut self, message: &Message<'_>) {
        let token = message.params.last().copied().unwrap_or_default();
        if let Some(seen) = self.presence.place.receipt(token) {
            let device = self.presence.place.device.clone();
            self.person.saw(&device, seen);
            submit_quietly(&self.ctx.log, Intent::Seen { account: self.person.id, device, seen }).await;
        }
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.begun {
            return;
        }
        let (ctx, person, reason) = (self.ctx.clone(), self.person.clone(), self.reason.clone());
        let (device, seen) = (self.place.device.clone(), self.place.seen());
        person.saw(&device, seen);
        person.leave(self.session);
        let grace = if person.is_online() { Duration::ZERO } else { self.grace };
        // Not left to the end of the grace, which a crash could come before.
        let early = !grace.is_zero() && seen > self.place.told;
        self.ctx.tasks.spawn(async move {
            if early {
                submit_quietly(&ctx.log, Intent::Seen { account: person.id, device: device.clone(), seen }).await;
            }
            tokio::select! {
                () = tokio::time::sleep(grace) => {}
                () = ctx.stopping.cancelled() => {}
            }
            super::monitor::settle(&ctx, &person);
            let seen = person.seen_by(&device);
            let offline = Intent::Offline { who: person.who(), reason, device, seen };
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

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: CapSet = CapSet::EMPTY;

    fn place() -> Place {
        Place::new("phone".into(), EventId(5), Duration::ZERO)
    }

    #[test]
    fn a_lost_connection_counts_what_has_arrived() {
        let mut place = place();
        place.written(NONE, EventId(40));
        assert_eq!(place.seen(), EventId(5));
        assert_eq!(place.receipt_wanted().as_deref(), Some("PING seen-18"));
        assert_eq!(place.receipt_wanted(), None, "one at a time");
        place.written(NONE, EventId(50));
        assert_eq!(place.receipt("seen-1j"), None, "not what was asked");
        assert_eq!(place.receipt("chat.test"), None);
        assert_eq!(place.receipt("seen-18"), Some(EventId(40)));
        assert_eq!(place.receipt("seen-18"), None, "once");
        assert_eq!(place.seen(), EventId(40));
        assert_eq!(place.unsure(NONE, EventId(60)), Some(("phone".into(), EventId(60))));
        place.orderly = true;
        assert_eq!((place.seen(), place.unsure(NONE, EventId(70))), (EventId(60), None));
    }

    #[test]
    fn who_fetches_or_is_a_script_moves_nothing() {
        for cap in [Cap::Passive, Cap::ChatHistory] {
            let mut place = place();
            place.written(CapSet::of(&[cap]), EventId(40));
            place.written(NONE, EventId(50));
            place.orderly = true;
            assert_eq!((place.seen(), place.receipt_wanted()), (EventId(5), None));
        }
    }

    #[test]
    fn nothing_new_is_not_asked_about() {
        let mut place = place();
        assert_eq!(place.receipt_wanted(), None);
        let mut place = Place::new("phone".into(), EventId(5), Duration::from_secs(90));
        place.written(NONE, EventId(40));
        assert_eq!(place.receipt_wanted(), None, "not yet");
    }
}
