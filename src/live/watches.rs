//! Who wants to know of whose coming and going (MONITOR), whether they share a room or not. Keyed by the comparison
//! form of a name, since one may wait for an account that does not exist yet. Promises that what a watcher is told
//! when it begins to watch and what it is told afterwards fit together: both happen under one lock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::Note;

use super::mailbox::Mailbox;
use super::roster::Person;

/// Names that one session may watch; the session refuses more.
pub const WATCHED_MAX: usize = 100;

/// Bounded by [`WATCHED_MAX`] a session: a watcher takes itself out.
#[derive(Default)]
pub struct Watches {
    table: Mutex<HashMap<String, Vec<Arc<Mailbox>>>>,
}

impl Watches {
    /// From now on the session behind this mailbox is told. Whether the one of that name is here.
    pub fn add(&self, key: &str, mailbox: &Arc<Mailbox>, person: Option<&Person>) -> bool {
        let mut table = self.lock();
        let watchers = table.entry(key.to_owned()).or_default();
        if watchers.iter().all(|other| other.session != mailbox.session) {
            watchers.push(mailbox.clone());
        }
        person.is_some_and(Person::is_shown)
    }

    pub fn remove(&self, key: &str, session: u64) {
        let mut table = self.lock();
        if let Some(watchers) = table.get_mut(key) {
            watchers.retain(|mailbox| mailbox.session != session);
            if watchers.is_empty() {
                table.remove(key);
            }
        }
    }

    pub fn each(&self, key: &str, act: impl FnMut(&Arc<Mailbox>)) {
        self.lock().get(key).into_iter().flatten().for_each(act);
    }

    /// Makes known whether the account is here: `note` says so to its watchers. Whether it was news.
    pub fn settle(&self, key: &str, person: &Person, note: impl FnOnce(bool) -> Note) -> bool {
        let table = self.lock();
        let news = person.settle();
        if let Some(here) = news {
            let note = Arc::new(note(here));
            table.get(key).into_iter().flatten().for_each(|mailbox| mailbox.note(note.clone()));
        }
        news.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Arc<Mailbox>>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AccountId, EventId, Millis, NoteBody, Who};

    fn here(here: bool) -> Note {
        let actor = Who { id: AccountId(1), nick: "anna".into() };
        Note { time: Millis(0), actor, session: 0, body: NoteBody::Here { here } }
    }

    fn told(mailbox: &Mailbox) -> Vec<NoteBody> {
        mailbox.take().1.unwrap_or_default().notes.iter().map(|note| note.body.clone()).collect()
    }

    #[test]
    fn watchers_are_told_what_is_news_until_they_stop() {
        let watches = Watches::default();
        let anna = Person::new(AccountId(1), "anna".into(), false, false, EventId(0));
        let (one, two) = (Mailbox::new(11, AccountId(2)), Mailbox::new(12, AccountId(3)));
        assert!(!watches.add("anna", &one, Some(&anna)));
        assert!(!watches.add("anna", &one, Some(&anna)), "twice is once");
        assert!(!watches.add("nobody", &two, None));
        anna.enter(Mailbox::new(1, AccountId(1)), &Arc::from("Anna"), None, Millis(1));
        watches.settle("anna", &anna, here);
        watches.settle("anna", &anna, here);
        assert_eq!(told(&one), [NoteBody::Here { here: true }]);
        assert!(watches.add("anna", &two, Some(&anna)));
        anna.leave(1);
        assert!(watches.add("anna", &two, Some(&anna)), "until it is settled, others believe that she is here");
        watches.remove("anna", 11);
        watches.settle("anna", &anna, here);
        assert_eq!((told(&one), told(&two)), (vec![], vec![NoteBody::Here { here: false }]));
        watches.remove("anna", 12);
        watches.remove("nobody", 12);
        assert!(watches.lock().is_empty(), "nothing is left behind");
    }
}
