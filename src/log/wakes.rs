//! When the readers of rooms that have grown are woken: at once, unless so many are to be woken all the time that it costs
//! the machine dearly. Then the wakes of a moment are gathered, so that several lines share one write to each reader.
//! Whoever said something is woken by its answer and never waits here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tail::Room;

/// So many readers a second are woken without being gathered: some hundredths of a processor.
const FREE_A_SECOND: f64 = 4_000.0;
/// What may be saved up of that.
const FREE_AT_ONCE: f64 = 4_000.0;
/// The time from one wake to the next when they are gathered.
const GATHER: Duration = Duration::from_millis(10);

/// Rooms whose readers are to be woken. Bounded by the rooms there are, each once.
pub(super) struct Wakes {
    waiting: Vec<Arc<Room>>,
    free: f64,
    counted: Instant,
    last: Instant,
}

impl Wakes {
    pub fn new(now: Instant) -> Wakes {
        Wakes { waiting: Vec::new(), free: FREE_AT_ONCE, counted: now, last: now }
    }

    /// Takes rooms that have grown, and wakes their readers or keeps them for a moment.
    pub fn add(&mut self, grown: Vec<Arc<Room>>, now: Instant) {
        let readers: usize = grown.iter().map(|room| room.readers()).sum();
        self.free += now.duration_since(self.counted).as_secs_f64() * FREE_A_SECOND;
        self.free = self.free.min(FREE_AT_ONCE) - readers as f64;
        // Not more in debt than a second pays off: it is the rate of now that counts.
        self.free = self.free.max(-FREE_A_SECOND);
        self.counted = now;
        for room in grown {
            if !self.waiting.iter().any(|waiting| Arc::ptr_eq(waiting, &room)) {
                self.waiting.push(room);
            }
        }
        if self.free >= 0.0 || now.duration_since(self.last) >= GATHER {
            self.wake(now);
        }
    }

    /// When [`Wakes::wake`] is to be called, if anybody waits.
    pub fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.last + GATHER)
    }

    pub fn wake(&mut self, now: Instant) {
        self.last = now;
        self.waiting.drain(..).for_each(|room| room.wake_readers());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AccountId, RoomId, RoomKind};
    use crate::live::{Bell, Mailbox};
    use crate::log::tail::TailBudget;
    use crate::room::RoomState;

    const MS: Duration = Duration::from_millis(1);

    fn room(readers: u64) -> (Arc<Room>, Vec<Arc<Mailbox>>) {
        let state = RoomState::empty(RoomId(1), RoomKind::Channel, "#a".into());
        let room = Room::new(Arc::new(state), 0, TailBudget::new(1_000));
        let mailboxes: Vec<_> = (0..readers).map(|n| Mailbox::new(n, AccountId(n as i64))).collect();
        mailboxes.iter().for_each(|mailbox| room.attach(Bell::new(mailbox.clone(), room.id)));
        (room, mailboxes)
    }

    fn all_woken(mailboxes: &[Arc<Mailbox>]) -> bool {
        use std::task::{Context, Waker};
        let woken = mailboxes.iter().filter(|mailbox| {
            let wait = std::pin::pin!(mailbox.wait());
            wait.poll(&mut Context::from_waker(Waker::noop())).is_ready()
        });
        match woken.count() {
            0 => false,
            all if all == mailboxes.len() => true,
            some => panic!("{some} of {} were woken", mailboxes.len()),
        }
    }

    #[test]
    fn few_are_woken_at_once_however_fast_they_talk() {
        let (room, mailboxes) = room(10);
        let mut now = Instant::now();
        let mut wakes = Wakes::new(now);
        for _ in 0..2_000 {
            now += 3 * MS;
            wakes.add(vec![room.clone()], now);
            assert!(all_woken(&mailboxes));
            assert_eq!(wakes.due(), None);
        }
    }

    #[test]
    fn many_are_gathered_when_it_goes_on_and_none_is_forgotten() {
        let (room, mailboxes) = room(100);
        let mut now = Instant::now();
        let mut wakes = Wakes::new(now);
        let (mut at_once, mut gathered) = (0, 0);
        for _ in 0..1_000 {
            now += 2 * MS;
            if wakes.due().is_some_and(|due| due <= now) {
                wakes.wake(now);
                assert!(all_woken(&mailboxes));
                gathered += 1;
            }
            wakes.add(vec![room.clone()], now);
            assert!(wakes.due().is_none_or(|due| due <= now + GATHER), "waits longer than it may");
            match wakes.due() {
                None => at_once += usize::from(all_woken(&mailboxes)),
                Some(_) => assert!(!all_woken(&mailboxes)),
            }
        }
        assert!(at_once + gathered < 260, "1,000 lines in 2 s took {} wakes", at_once + gathered);
        assert!(gathered > 150, "and came no slower than they may: {gathered}");
        // A quiet second later they are woken at once again.
        now += Duration::from_secs(2);
        wakes.wake(now);
        now += Duration::from_secs(2);
        wakes.add(vec![room.clone()], now);
        assert!(all_woken(&mailboxes) && wakes.due().is_none());
    }
}
