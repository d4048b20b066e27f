//! How closely commits may follow each other: as they come, unless so many readers are to be woken all the time that it
//! costs the machine dearly. Then what comes in a moment shares one commit, one wake and one write for each reader.
//! Pure: it is told the time.

use std::time::{Duration, Instant};

/// So many readers a second are woken as the lines come: some hundredths of a processor.
const FREE_A_SECOND: f64 = 4_000.0;
/// What may be saved up of that.
const FREE_AT_ONCE: f64 = 4_000.0;
/// The time from one commit to the next when there are more.
const GATHER: Duration = Duration::from_millis(10);

pub(super) struct Pace {
    free: f64,
    counted: Instant,
    /// When the last commit began.
    last: Option<Instant>,
}

impl Pace {
    pub fn new(now: Instant) -> Pace {
        Pace { free: FREE_AT_ONCE, counted: now, last: None }
    }

    /// How long the next commit should wait for others to share it. The first after a pause waits for nobody.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let due = self.last? + GATHER;
        (self.free < 0.0 && due > now).then(|| due - now)
    }

    /// A commit that began at `began` wakes so many readers, besides those who wait for what came of it themselves.
    pub fn committed(&mut self, began: Instant, readers: usize) {
        let gained = began.duration_since(self.counted).as_secs_f64() * FREE_A_SECOND;
        self.free = (self.free + gained).min(FREE_AT_ONCE) - readers as f64;
        // Not more in debt than a second pays off: it is the rate of now that counts.
        self.free = self.free.max(-FREE_A_SECOND);
        self.counted = began;
        self.last = Some(began);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Plays lines that come every `gap` for as many readers, and says how many commits they took.
    fn commits(pace: &mut Pace, now: &mut Instant, gap: Duration, lines: usize, readers: usize) -> usize {
        let mut commits = 0;
        let mut due = None;
        for _ in 0..lines {
            *now += gap;
            if due.take_if(|due| due <= now).is_some() {
                commits += 1;
                pace.committed(*now, readers);
            }
            if due.is_some() {
                continue;
            }
            match pace.wait(*now) {
                None => {
                    commits += 1;
                    pace.committed(*now, readers);
                }
                Some(wait) => {
                    assert!(wait <= GATHER, "waits longer than it may");
                    due = Some(*now + wait);
                }
            }
        }
        commits
    }

    #[test]
    fn few_are_woken_at_once_however_fast_they_talk() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(commits(&mut pace, &mut now, 3 * MS, 2_000, 10), 2_000);
    }

    #[test]
    fn who_waits_for_the_answer_alone_is_never_held_up() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(commits(&mut pace, &mut now, MS / 10, 20_000, 0), 20_000);
    }

    #[test]
    fn many_share_their_commits_when_it_goes_on() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let taken = commits(&mut pace, &mut now, 2 * MS, 1_000, 100);
        assert!(taken < 260, "1,000 lines in 2 s took {taken} commits");
        assert!(taken > 150, "and came no slower than they may: {taken}");
        // A quiet second later they are woken at once again.
        now += Duration::from_secs(2);
        assert_eq!(pace.wait(now), None);
        pace.committed(now, 100);
        now += MS;
        assert_eq!(pace.wait(now), None);
    }
}
