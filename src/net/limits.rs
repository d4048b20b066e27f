//! Who may connect, speak and try to log in how often.
//!
//! Pure but for a lock that is held for a few instructions; the time is handed in, knows nobody. Promises that
//! every table here is bounded, and says at each what happens when it is full.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::address::Place;

/// Counts open connections. When it is full, a new one is refused; the ones that are open stay.
#[derive(Debug, Clone)]
pub struct ConnectionLimiter(Arc<Mutex<Connections>>);

#[derive(Debug)]
struct Connections {
    per_place: u32,
    total: usize,
    /// Never longer than the number of open connections.
    open: HashMap<Place, u32>,
    count: usize,
}

/// Why a connection is refused, as the sentence that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionRefused {
    #[error("too many connections from your address: close one, or ask for a higher limits.connections_per_ip")]
    Address,
    #[error("the server is full: try again later")]
    Total,
}

/// A counted connection: dropped with it.
#[derive(Debug)]
pub struct ConnectionGuard {
    limiter: ConnectionLimiter,
    /// `None`: it is not known yet whose it is.
    place: Option<Place>,
}

impl ConnectionLimiter {
    pub fn new(per_address: u32, total: usize) -> ConnectionLimiter {
        let connections = Connections { per_place: per_address, total, open: HashMap::new(), count: 0 };
        ConnectionLimiter(Arc::new(Mutex::new(connections)))
    }

    /// Changes the limits; connections that are open already stay.
    pub fn set(&self, per_address: u32, total: usize) {
        let mut connections = lock(&self.0);
        connections.per_place = per_address;
        connections.total = total;
    }

    pub fn admit(&self, address: IpAddr) -> Result<ConnectionGuard, ConnectionRefused> {
        self.admit_unplaced()?.place(address)
    }

    /// The same for a connection of which it is not known yet whose it is: see [`ConnectionGuard::place`].
    pub fn admit_unplaced(&self) -> Result<ConnectionGuard, ConnectionRefused> {
        let mut connections = lock(&self.0);
        if connections.count >= connections.total {
            return Err(ConnectionRefused::Total);
        }
        connections.count += 1;
        Ok(ConnectionGuard { limiter: self.clone(), place: None })
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        lock(&self.0).count
    }
}

impl ConnectionGuard {
    /// Counts it for this address too; to be said once.
    pub fn place(mut self, address: IpAddr) -> Result<ConnectionGuard, ConnectionRefused> {
        let place = Place::of(address);
        let mut connections = lock(&self.limiter.0);
        let here = connections.open.get(&place).copied().unwrap_or(0);
        if here >= connections.per_place {
            drop(connections);
            return Err(ConnectionRefused::Address);
        }
        connections.open.insert(place, here + 1);
        drop(connections);
        self.place = Some(place);
        Ok(self)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let mut connections = lock(&self.limiter.0);
        connections.count -= 1;
        let Some(place) = self.place else { return };
        if let Some(here) = connections.open.get_mut(&place) {
            *here -= 1;
            if *here == 0 {
                connections.open.remove(&place);
            }
        }
    }
}

/// So many in a time, and so many at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// The time after which one more is allowed.
    interval: Duration,
    /// How far ahead of the time a full burst may run.
    ahead: Duration,
}

impl Rate {
    /// A burst of 0 counts as 1. `per_second` of zero or less (or not a number) allows nothing after the burst for
    /// a day.
    pub fn per_second(per_second: f64, burst: u32) -> Rate {
        let day = Duration::from_secs(24 * 60 * 60);
        let interval = Duration::try_from_secs_f64(1.0 / per_second.max(0.0)).unwrap_or(day).min(day);
        Rate { interval, ahead: interval.saturating_mul(burst.saturating_sub(1)) }
    }

    pub fn per_hour(per_hour: u32) -> Rate {
        Rate::per_second(f64::from(per_hour) / 3600.0, per_hour)
    }

    pub fn per_minute(per_minute: u32) -> Rate {
        Rate::per_second(f64::from(per_minute) / 60.0, per_minute)
    }
}

/// A token bucket kept as one point in time (GCRA): when all that was taken will have been earned.
#[derive(Debug, Clone, Copy)]
pub struct TokenBucket {
    rate: Rate,
    earned_at: Option<Instant>,
}

impl TokenBucket {
    /// Starts full.
    pub fn new(rate: Rate) -> TokenBucket {
        TokenBucket { rate, earned_at: None }
    }

    /// Takes one; if there is none, takes nothing and says how long to wait for it.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let earned_at = self.earned_at.unwrap_or(now).max(now);
        let ahead = earned_at - now;
        if ahead > self.rate.ahead {
            return Err(ahead - self.rate.ahead);
        }
        // A time too far away to be named is as good as never taking again.
        self.earned_at = Some(earned_at.checked_add(self.rate.interval).unwrap_or(earned_at));
        Ok(())
    }

    /// Takes so many more, whether they are there or not: what is missing has to be earned before the next.
    pub fn charge(&mut self, now: Instant, count: u32) {
        let earned_at = self.earned_at.unwrap_or(now).max(now);
        self.earned_at = Some(earned_at.checked_add(self.rate.interval.saturating_mul(count)).unwrap_or(earned_at));
    }

    /// Gives one back.
    pub fn give_back(&mut self) {
        self.earned_at = self.earned_at.and_then(|at| at.checked_sub(self.rate.interval));
    }

    pub fn set_rate(&mut self, rate: Rate) {
        self.rate = rate;
    }

    /// Whether it is as good as new.
    pub fn is_full(&self, now: Instant) -> bool {
        self.earned_at.is_none_or(|at| at <= now)
    }
}

/// Slows down the guessing of passwords, by address and by account.
///
/// An attempt is paid for before the password is looked at, and paid back if it was right: a thousand guesses at
/// once cost as much as a thousand one after another. Each table holds [`LoginThrottle::MAX`] entries; in a full one
/// a few are looked at and the one that would be forgotten first makes room, so that nobody is locked out by
/// somebody who fills it.
#[derive(Clone, Debug)]
pub struct LoginThrottle(Arc<Mutex<Attempts>>);

#[derive(Debug)]
struct Attempts {
    per_place: Rate,
    per_account: Rate,
    places: HashMap<Place, TokenBucket>,
    /// By a hash of the account's key: names that do not exist are guessed too, and may be of any length.
    accounts: HashMap<u64, TokenBucket>,
    hasher: RandomState,
    cleaned: Option<Instant>,
}

/// An attempt that is paid for. Dropped, it counts as failed.
#[derive(Debug)]
#[must_use = "give it to LoginThrottle::succeeded if the password was right"]
pub struct Attempt {
    place: Place,
    account: u64,
}

impl LoginThrottle {
    /// The most entries of each of the two tables.
    pub const MAX: usize = 65_536;

    /// The limits are of failed attempts in a minute.
    pub fn new(per_address: u32, per_account: u32) -> LoginThrottle {
        LoginThrottle(Arc::new(Mutex::new(Attempts {
            per_place: Rate::per_minute(per_address),
            per_account: Rate::per_minute(per_account),
            places: HashMap::new(),
            accounts: HashMap::new(),
            hasher: RandomState::new(),
            cleaned: None,
        })))
    }

    /// Changes the limits, also for those who have tried already.
    pub fn set(&self, per_address: u32, per_account: u32) {
        let mut attempts = lock(&self.0);
        attempts.per_place = Rate::per_minute(per_address);
        attempts.per_account = Rate::per_minute(per_account);
    }

    /// Asks to look at a password. Refused: how long to wait before the next try.
    pub fn attempt(&self, address: IpAddr, account_key: &str, now: Instant) -> Result<Attempt, Duration> {
        let mut attempts = lock(&self.0);
        let attempts = &mut *attempts;
        attempts.clean(now);
        let place = Place::of(address);
        let account = attempts.hasher.hash_one(account_key);
        // The address first: whoever is slowed down there cannot fill the table of accounts.
        take(&mut attempts.places, place, attempts.per_place, now)?;
        if let Err(wait) = take(&mut attempts.accounts, account, attempts.per_account, now) {
            give_back(&mut attempts.places, place);
            return Err(wait);
        }
        Ok(Attempt { place, account })
    }

    /// The password was right: the attempt costs nothing.
    pub fn succeeded(&self, attempt: Attempt) {
        let mut attempts = lock(&self.0);
        give_back(&mut attempts.places, attempt.place);
        give_back(&mut attempts.accounts, attempt.account);
    }
}

/// Slows down what costs the server much and may be asked by anybody, by address. Bounded and kept like a table of
/// [`LoginThrottle`].
#[derive(Debug)]
pub struct PlaceThrottle(Mutex<Places>);

#[derive(Debug)]
struct Places {
    rate: Rate,
    places: HashMap<Place, TokenBucket>,
    cleaned: Option<Instant>,
}

impl PlaceThrottle {
    pub fn new(rate: Rate) -> PlaceThrottle {
        PlaceThrottle(Mutex::new(Places { rate, places: HashMap::new(), cleaned: None }))
    }

    /// Changes the limit, also for those who have tried already.
    pub fn set(&self, rate: Rate) {
        lock(&self.0).rate = rate;
    }

    /// Refused: how long to wait before the next try.
    pub fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut places = lock(&self.0);
        let Places { rate, places, cleaned } = &mut *places;
        if cleaned.is_none_or(|at| now.saturating_duration_since(at) >= Duration::from_secs(60)) {
            *cleaned = Some(now);
            places.retain(|_, bucket| !bucket.is_full(now));
        }
        take(places, Place::of(address), *rate, now)
    }
}

impl Attempts {
    fn clean(&mut self, now: Instant) {
        let due = self.cleaned.is_none_or(|at| now.saturating_duration_since(at) >= Duration::from_secs(60));
        if due {
            self.cleaned = Some(now);
            self.places.retain(|_, bucket| !bucket.is_full(now));
            self.accounts.retain(|_, bucket| !bucket.is_full(now));
            self.places.shrink_to(2 * self.places.len());
            self.accounts.shrink_to(2 * self.accounts.len());
        }
    }
}

fn take<K: Eq + Hash + Copy>(
    table: &mut HashMap<K, TokenBucket>,
    key: K,
    rate: Rate,
    now: Instant,
) -> Result<(), Duration> {
    if table.len() >= LoginThrottle::MAX && !table.contains_key(&key) {
        let soonest = table.iter().take(16).min_by_key(|(_, bucket)| bucket.earned_at).map(|(key, _)| *key);
        soonest.and_then(|key| table.remove(&key));
    }
    let bucket = table.entry(key).or_insert_with(|| TokenBucket::new(rate));
    bucket.set_rate(rate);
    bucket.take(now)
}

fn give_back<K: Eq + Hash>(table: &mut HashMap<K, TokenBucket>, key: K) {
    if let Some(bucket) = table.get_mut(&key) {
        bucket.give_back();
    }
}

/// Nothing under these locks can panic half-way, so a poisoned one still guards good data.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn v4(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(n))
    }

    #[test]
    fn connections_are_counted_while_they_live() {
        let limiter = ConnectionLimiter::new(2, 3);
        let first = limiter.admit(v4(1)).unwrap();
        let _second = limiter.admit(v4(1)).unwrap();
        assert_eq!(limiter.admit(v4(1)).unwrap_err(), ConnectionRefused::Address);
        let _third = limiter.admit(v4(2)).unwrap();
        assert_eq!(limiter.admit(v4(3)).unwrap_err(), ConnectionRefused::Total);
        drop(first);
        let _again = limiter.admit(v4(1)).unwrap();
        assert_eq!(limiter.count(), 3);
        limiter.set(5, 10);
        let _more = limiter.admit(v4(1)).unwrap();
    }

    #[test]
    fn nothing_is_left_of_closed_connections() {
        let limiter = ConnectionLimiter::new(2, 100);
        let guards: Vec<_> = (0..50).map(|n| limiter.admit(v4(n)).unwrap()).collect();
        drop(guards);
        assert!(lock(&limiter.0).open.is_empty());
        assert_eq!(limiter.count(), 0);
    }

    #[test]
    fn a_burst_then_the_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(Rate::per_second(2.0, 3));
        for _ in 0..3 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        assert_eq!(bucket.take(start), Err(Duration::from_millis(500)));
        assert_eq!(bucket.take(start + Duration::from_millis(499)), Err(Duration::from_millis(1)));
        assert_eq!(bucket.take(start + Duration::from_millis(500)), Ok(()));
        assert!(bucket.take(start + Duration::from_millis(500)).is_err());
        assert!(bucket.is_full(start + Duration::from_secs(10)));
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(TokenBucket::new(Rate::per_second(odd, 1)).take(start), Ok(()));
        }
    }

    #[test]
    fn guesses_at_once_cost_as_much_as_one_after_another() {
        let now = Instant::now();
        let throttle = LoginThrottle::new(5, 100);
        let running: Vec<_> = (0..20).filter_map(|_| throttle.attempt(v4(1), "alice", now).ok()).collect();
        assert_eq!(running.len(), 5);
        drop(running);
        assert_eq!(throttle.attempt(v4(1), "bob", now).unwrap_err(), Duration::from_secs(12));
        assert!(throttle.attempt(v4(2), "alice", now).is_ok());
        assert!(throttle.attempt(v4(1), "alice", now + Duration::from_secs(12)).is_ok());
    }

    #[test]
    fn an_account_is_guarded_against_many_addresses() {
        let now = Instant::now();
        let throttle = LoginThrottle::new(100, 5);
        let tried = (0..50).filter(|n| throttle.attempt(v4(*n), "alice", now).is_ok()).count();
        assert_eq!(tried, 5);
        assert!(throttle.attempt(v4(1), "bob", now).is_ok());
    }

    #[test]
    fn right_passwords_cost_nothing() {
        let now = Instant::now();
        let throttle = LoginThrottle::new(2, 2);
        for _ in 0..100 {
            let attempt = throttle.attempt(v4(1), "alice", now).unwrap();
            throttle.succeeded(attempt);
        }
    }

    #[test]
    fn the_tables_are_bounded_and_forget() {
        let now = Instant::now();
        let throttle = LoginThrottle::new(5, 5);
        for n in 0..LoginThrottle::MAX as u32 + 1000 {
            assert!(throttle.attempt(v4(n), &n.to_string(), now).is_ok());
        }
        assert_eq!(lock(&throttle.0).places.len(), LoginThrottle::MAX);
        assert_eq!(lock(&throttle.0).accounts.len(), LoginThrottle::MAX);
        let _ = throttle.attempt(v4(1), "x", now + Duration::from_secs(120));
        assert_eq!(lock(&throttle.0).places.len(), 1);
        assert!(lock(&throttle.0).places.capacity() < 100);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_and_rate(
            per_second in 1u32..20,
            burst in 1u32..20,
            steps in proptest::collection::vec(0u64..300, 1..200),
        ) {
            let start = Instant::now();
            let mut bucket = TokenBucket::new(Rate::per_second(f64::from(per_second), burst));
            let mut at = 0;
            let mut taken = 0u32;
            for step in steps {
                at += step;
                let now = start + Duration::from_millis(at);
                match bucket.take(now) {
                    Ok(()) => taken += 1,
                    // Whoever waits as long as told is served.
                    Err(wait) => prop_assert_eq!(bucket.clone().take(now + wait), Ok(())),
                }
                let allowed = f64::from(burst) + f64::from(per_second) * at as f64 / 1000.0;
                prop_assert!(f64::from(taken) <= allowed + 1e-3);
            }
        }
    }
}
