//! Every account as the living server knows it: its sessions, the rooms it is present in, whether it is away.
//! The accounts themselves are rows; the roster holds one small `Person` for each, so that a name is resolved
//! without a query.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use rustc_hash::FxHashMap;

use crate::event::{AccountId, EventId, Millis, Note, RoomId, Who};

use super::mailbox::Mailbox;
use super::metadata::Metadata;

/// Named devices of one account whose places are remembered here.
const DEVICES_KEPT: usize = 64;

/// An account, alive.
pub struct Person {
    pub id: AccountId,
    pub nick: Arc<str>,
    admin: AtomicBool,
    bot: AtomicBool,
    /// Counts up when everything that was raised with the account's password has to fall.
    round: AtomicU64,
    pub metadata: Metadata,
    life: Mutex<Life>,
}

#[derive(Default)]
struct Life {
    sessions: Vec<Session>,
    rooms: BTreeSet<RoomId>,
    realname: Option<Arc<str>>,
    away: Option<Arc<str>>,
    /// What others were told: that the account is here. It follows the sessions, the grace included.
    shown: bool,
    /// Up to which event everything has been written to some session on the default device.
    seen: EventId,
    /// The same of the named devices that have been here in this process; at most [`DEVICES_KEPT`], the one that has seen
    /// least gives way: the store knows it too, a moment later.
    devices: Vec<(Arc<str>, EventId)>,
    last_active: Millis,
    online_since: Millis,
}

struct Session {
    mailbox: Arc<Mailbox>,
    /// Empty: the default device.
    device: Arc<str>,
    away: Option<Arc<str>>,
    grant: Option<Grant>,
    modes: UserModes,
}

impl Session {
    /// Whether it is there by itself: nobody sits before it, and it does not make its account present.
    fn is_background(&self) -> bool {
        self.away.as_deref() == Some(BACKGROUND)
    }

    fn is_raised(&self) -> bool {
        self.grant.as_ref().is_some_and(Grant::holds)
    }
}

/// The away message that says: not there, for no reason that is told
/// (<https://ircv3.net/specs/extensions/pre-away>). A session that has it counts as if it were not.
const BACKGROUND: &str = "*";

/// What somebody has set for one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserModes {
    /// Its client said that it is a bot.
    pub bot: bool,
    /// Not found by those who search with masks and share no room.
    pub invisible: bool,
    /// Wants the words of administrators to everybody.
    pub wallops: bool,
}

/// Powers of an administrator, given to one session for the password of an account. They hold until the account is
/// no administrator any more, gets another password, or is disabled, removed or killed.
#[derive(Clone)]
pub struct Grant {
    by: Arc<Person>,
    round: u64,
}

impl Grant {
    /// To be made before the account's row is read: whatever changes the row later ends the grant.
    pub fn of(by: Arc<Person>) -> Grant {
        let round = by.round.load(Ordering::Acquire);
        Grant { by, round }
    }

    pub fn holds(&self) -> bool {
        self.by.is_admin() && self.by.round.load(Ordering::Acquire) == self.round
    }
}

impl Life {
    /// Away is who is away with every session; the message is that of the latest. Sessions in the background count
    /// only if there are no others.
    fn agree_on_away(&mut self) -> Option<Option<Arc<str>>> {
        let mut seen: Vec<&Session> = self.sessions.iter().filter(|session| !session.is_background()).collect();
        if seen.is_empty() {
            seen = self.sessions.iter().collect();
        }
        let all = seen.iter().all(|session| session.away.is_some());
        let now = seen.last().filter(|_| all).and_then(|session| session.away.clone());
        let changed = self.away != now;
        self.away.clone_from(&now);
        changed.then_some(now)
    }
}

impl Person {
    pub fn new(id: AccountId, nick: Arc<str>, admin: bool, bot: bool, seen: EventId) -> Arc<Person> {
        let life = Life { seen, ..Life::default() };
        let (admin, bot, round, metadata) = (admin.into(), bot.into(), 0.into(), Metadata::default());
        Arc::new(Person { id, nick, admin, bot, round, metadata, life: Mutex::new(life) })
    }

    pub fn who(&self) -> Who {
        Who { id: self.id, nick: self.nick.clone() }
    }

    pub fn is_admin(&self) -> bool {
        self.admin.load(Ordering::Relaxed)
    }

    pub fn is_bot(&self) -> bool {
        self.bot.load(Ordering::Relaxed)
    }

    pub fn is_online(&self) -> bool {
        !self.lock().sessions.is_empty()
    }

    pub fn session_count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Adds a session. What the account's being away became, if that changed.
    pub fn enter(
        &self,
        mailbox: Arc<Mailbox>,
        realname: &Arc<str>,
        away: Option<Arc<str>>,
        now: Millis,
    ) -> Option<Option<Arc<str>>> {
        let mut life = self.lock();
        let first = life.sessions.is_empty();
        if first {
            life.online_since = now;
        }
        let session = Session { mailbox, device: Arc::default(), away, grant: None, modes: UserModes::default() };
        if first || !session.is_background() {
            life.realname = Some(realname.clone());
            life.last_active = now;
        }
        life.sessions.push(session);
        life.agree_on_away()
    }

    /// Takes a session out. What the account's being away became, if that changed.
    pub fn leave(&self, session: u64) -> Option<Option<Arc<str>>> {
        let mut life = self.lock();
        life.sessions.retain(|other| other.mailbox.session != session);
        // With the last one nothing changes: others learn of it by the QUIT, or from the session that follows in time.
        if life.sessions.is_empty() { None } else { life.agree_on_away() }
    }

    pub fn each_session(&self, mut act: impl FnMut(&Arc<Mailbox>)) {
        for session in &self.lock().sessions {
            act(&session.mailbox);
        }
    }

    pub fn tell(&self, note: &Arc<Note>) {
        self.each_session(|mailbox| mailbox.note(note.clone()));
    }

    /// Ends the account's sessions, and what others were granted for its password.
    pub fn end_sessions(&self, reason: &Arc<str>) {
        self.end_grants();
        self.each_session(|mailbox| mailbox.end(reason.clone()));
    }

    /// Ends what was granted for the account's password, to whichever session.
    pub fn end_grants(&self) {
        self.round.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether some session of the account has the powers of an administrator.
    pub fn is_oper(&self) -> bool {
        self.lock().sessions.iter().any(Session::is_raised)
    }

    /// Whether some session of the account asked not to be found.
    pub fn is_invisible(&self) -> bool {
        self.lock().sessions.iter().any(|session| session.modes.invisible)
    }

    pub fn modes(&self, session: u64) -> UserModes {
        let life = self.lock();
        life.sessions
            .iter()
            .find(|other| other.mailbox.session == session)
            .map_or_else(Default::default, |own| own.modes)
    }

    pub fn set_modes(&self, session: u64, modes: UserModes) {
        let mut life = self.lock();
        if let Some(own) = life.sessions.iter_mut().find(|other| other.mailbox.session == session) {
            own.modes = modes;
        }
    }

    /// The sessions that are told what administrators say to everybody.
    pub fn each_wallops(&self, mut act: impl FnMut(&Arc<Mailbox>)) {
        let life = self.lock();
        let told = life.sessions.iter().filter(|session| session.modes.wallops || session.is_raised());
        told.for_each(|session| act(&session.mailbox));
    }

    /// Whether others believe that the account is here: until the grace is over, whoever has gone is.
    pub fn is_shown(&self) -> bool {
        self.lock().shown
    }

    /// Brings what others believe in line with what is; the truth, if it is news. See [`super::Watches::settle`].
    pub(super) fn settle(&self) -> Option<bool> {
        let mut life = self.lock();
        let here = !life.sessions.is_empty();
        let news = life.shown != here;
        life.shown = here;
        news.then_some(here)
    }

    /// Gives one session powers, or takes them.
    pub fn set_grant(&self, session: u64, grant: Option<Grant>) {
        let mut life = self.lock();
        if let Some(mine) = life.sessions.iter_mut().find(|other| other.mailbox.session == session) {
            mine.grant = grant;
        }
    }

    /// Whether others are told that it is a bot: by its account, or by the word of one of its clients.
    pub fn shows_as_bot(&self) -> bool {
        self.is_bot() || self.lock().sessions.iter().any(|session| session.modes.bot)
    }

    /// The rooms the account is present in, direct ones included.
    pub fn rooms(&self) -> Vec<RoomId> {
        self.lock().rooms.iter().copied().collect()
    }

    pub fn is_in(&self, room: RoomId) -> bool {
        self.lock().rooms.contains(&room)
    }

    /// Sets whether the account is present in a room, and tells its sessions if that is news.
    pub fn set_in(&self, room: RoomId, inside: bool) {
        let mut life = self.lock();
        let news = if inside { life.rooms.insert(room) } else { life.rooms.remove(&room) };
        if news {
            life.sessions.iter().for_each(|session| session.mailbox.rooms_changed());
        }
    }

    pub fn realname(&self) -> Arc<str> {
        self.lock().realname.clone().unwrap_or_else(|| self.nick.clone())
    }

    pub fn set_realname(&self, realname: Arc<str>) {
        self.lock().realname = Some(realname);
    }

    /// The account is away when every session of it is.
    pub fn away(&self) -> Option<Arc<str>> {
        self.lock().away.clone()
    }

    /// Sets one session's state; what the account's became, if that changed.
    pub fn set_away(&self, session: u64, message: Option<Arc<str>>) -> Option<Option<Arc<str>>> {
        let mut life = self.lock();
        if let Some(mine) = life.sessions.iter_mut().find(|other| other.mailbox.session == session) {
            mine.away = message;
        }
        life.agree_on_away()
    }

    /// With the device that each is on.
    pub fn each_session_on(&self, mut act: impl FnMut(&Arc<Mailbox>, &Arc<str>)) {
        for session in &self.lock().sessions {
            act(&session.mailbox, &session.device);
        }
    }

    /// Says which device a session is on.
    pub fn set_device(&self, session: u64, device: &Arc<str>) {
        if let Some(mine) = self.lock().sessions.iter_mut().find(|other| other.mailbox.session == session) {
            mine.device = device.clone();
        }
    }

    /// How many sessions are on this device (empty: the default one).
    pub fn sessions_on(&self, device: &str) -> usize {
        self.lock().sessions.iter().filter(|session| &*session.device == device).count()
    }

    /// Up to which event everything has been written to this device, as far as this process knows; 0: nothing.
    pub fn seen_by(&self, device: &str) -> EventId {
        let life = self.lock();
        match device.is_empty() {
            true => life.seen,
            false => life.devices.iter().find(|(name, _)| &**name == device).map_or(EventId(0), |(_, seen)| *seen),
        }
    }

    /// The same of the device that has seen most.
    pub fn seen_by_any(&self) -> EventId {
        let life = self.lock();
        life.devices.iter().map(|(_, seen)| *seen).chain([life.seen]).max().unwrap_or_default()
    }

    /// Everything up to this event has been written to this device.
    pub fn saw(&self, device: &Arc<str>, up_to: EventId) {
        let mut life = self.lock();
        if device.is_empty() {
            life.seen = life.seen.max(up_to);
        } else if let Some((_, seen)) = life.devices.iter_mut().find(|(name, _)| name == device) {
            *seen = up_to.max(*seen);
        } else if up_to > EventId(0) {
            if life.devices.len() >= DEVICES_KEPT
                && let Some(least) = (0..life.devices.len()).min_by_key(|at| life.devices[*at].1)
            {
                life.devices.swap_remove(least);
            }
            life.devices.push((device.clone(), up_to));
        }
    }

    pub fn forget_device(&self, device: &str) {
        self.lock().devices.retain(|(name, _)| &**name != device);
    }

    pub fn active(&self, now: Millis) {
        self.lock().last_active = now;
    }

    /// When it last said something, and since when it has been online.
    pub fn times(&self) -> (Millis, Millis) {
        let life = self.lock();
        (life.last_active, life.online_since)
    }

    pub fn set_flags(&self, admin: bool, bot: bool) {
        self.admin.store(admin, Ordering::Relaxed);
        self.bot.store(bot, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All accounts by id and by the key of their name. Grows with the accounts, which administrators make.
#[derive(Default)]
pub struct Roster {
    people: RwLock<People>,
}

#[derive(Default)]
struct People {
    by_id: FxHashMap<AccountId, Arc<Person>>,
    by_key: HashMap<String, Arc<Person>>,
}

impl Roster {
    pub fn add(&self, key: &str, person: Arc<Person>) {
        let mut people = self.people.write().unwrap_or_else(PoisonError::into_inner);
        people.by_id.insert(person.id, person.clone());
        people.by_key.insert(key.to_owned(), person);
    }

    pub fn remove(&self, id: AccountId) -> Option<Arc<Person>> {
        let mut people = self.people.write().unwrap_or_else(PoisonError::into_inner);
        people.by_key.retain(|_, person| person.id != id);
        people.by_id.remove(&id)
    }

    pub fn by_id(&self, id: AccountId) -> Option<Arc<Person>> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// By the comparison form of a name (`AccountName::key`).
    pub fn by_key(&self, key: &str) -> Option<Arc<Person>> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).by_key.get(key).cloned()
    }

    pub fn everyone(&self) -> Vec<Arc<Person>> {
        self.people.read().unwrap_or_else(PoisonError::into_inner).by_id.values().cloned().collect()
    }

    /// Those with a session.
    pub fn online(&self) -> Vec<Arc<Person>> {
        let mut online = self.everyone();
        online.retain(|person| person.is_online());
        online
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: i64) -> Arc<Person> {
        Person::new(AccountId(id), "anna".into(), false, false, EventId(5))
    }

    /// The mailbox of a new session, and what came of the account's being away.
    fn enter(person: &Person, session: u64) -> (Arc<Mailbox>, Option<Option<Arc<str>>>) {
        let mailbox = Mailbox::new(session, person.id);
        let back = person.enter(mailbox.clone(), &Arc::from("Anna"), None, Millis(10 * session as i64));
        (mailbox, back)
    }

    #[test]
    fn an_account_is_online_from_the_first_to_the_last_session() {
        let anna = person(1);
        assert!(!anna.is_online());
        enter(&anna, 1);
        enter(&anna, 2);
        assert_eq!((anna.session_count(), anna.times()), (2, (Millis(20), Millis(10))));
        anna.leave(1);
        anna.leave(99);
        assert!(anna.is_online());
        anna.leave(2);
        assert!(!anna.is_online());
        enter(&anna, 3);
        assert_eq!(anna.times(), (Millis(30), Millis(30)));
    }

    #[test]
    fn an_account_is_away_when_every_session_is() {
        let anna = person(1);
        enter(&anna, 1);
        assert_eq!(anna.set_away(1, Some("tea".into())), Some(Some("tea".into())));
        assert_eq!(anna.set_away(1, Some("tea".into())), None);
        assert_eq!(enter(&anna, 2).1, Some(None), "a second session, and it is there");
        assert_eq!(anna.set_away(2, Some("cake".into())), Some(Some("cake".into())));
        assert_eq!(anna.set_away(1, None), Some(None));
        assert_eq!(anna.set_away(2, None), None);
        assert_eq!(anna.away(), None);
    }

    #[test]
    fn who_is_away_and_goes_comes_back_present() {
        let anna = person(1);
        enter(&anna, 1);
        anna.set_away(1, Some("tea".into()));
        assert_eq!(anna.leave(1), None, "a short absence is not shown, so what others believe stays true for now");
        assert_eq!(enter(&anna, 2).1, Some(None), "and they are told with the session that follows");
        assert_eq!(anna.away(), None);
        enter(&anna, 3);
        assert_eq!(anna.set_away(3, Some("cake".into())), None);
        assert_eq!(anna.leave(2), Some(Some("cake".into())), "only the one that is away is left");
        assert_eq!(anna.away().as_deref(), Some("cake"));
    }

    #[test]
    fn a_session_in_the_background_makes_nobody_present() {
        let anna = person(1);
        let enter_away = |session: u64, away: &str| {
            anna.enter(Mailbox::new(session, anna.id), &Arc::from("Robot"), Some(away.into()), Millis(session as i64))
        };
        assert_eq!(enter_away(1, "*"), Some(Some("*".into())), "alone it is all there is");
        assert_eq!(enter(&anna, 2).1, Some(None));
        assert_eq!(enter_away(3, "*"), None);
        assert_eq!(anna.realname().as_ref(), "Anna", "it does not speak for her");
        assert_eq!(anna.set_away(2, Some("tea".into())), Some(Some("tea".into())), "hers is the message");
        assert_eq!(anna.leave(2), Some(Some("*".into())));
    }

    #[test]
    fn a_grant_holds_until_the_sessions_are_ended() {
        let (anna, root) = (person(1), Person::new(AccountId(2), "root".into(), true, false, EventId(0)));
        enter(&anna, 1);
        anna.set_grant(1, Some(Grant::of(root.clone())));
        assert!(anna.is_oper());
        root.set_flags(false, false);
        assert!(!anna.is_oper());
        root.set_flags(true, false);
        assert!(anna.is_oper());
        root.end_sessions(&Arc::from("over"));
        assert!(!anna.is_oper());
    }

    #[test]
    fn only_news_of_rooms_is_told() {
        let anna = person(1);
        let (mailbox, _) = enter(&anna, 1);
        anna.set_in(RoomId(3), true);
        assert!(anna.is_in(RoomId(3)) && mailbox.take().1.unwrap_or_default().rooms_changed);
        anna.set_in(RoomId(3), true);
        assert!(!mailbox.take().1.unwrap_or_default().rooms_changed);
        anna.set_in(RoomId(3), false);
        assert!(!anna.is_in(RoomId(3)) && mailbox.take().1.unwrap_or_default().rooms_changed);
    }

    #[test]
    fn what_was_seen_never_goes_back() {
        let (anna, phone): (_, Arc<str>) = (person(1), "phone".into());
        anna.saw(&"".into(), EventId(3));
        assert_eq!(anna.seen_by(""), EventId(5));
        anna.saw(&"".into(), EventId(9));
        assert_eq!((anna.seen_by(""), anna.seen_by("phone")), (EventId(9), EventId(0)));
        anna.saw(&phone, EventId(12));
        anna.saw(&phone, EventId(7));
        assert_eq!(
            (anna.seen_by(""), anna.seen_by("phone"), anna.seen_by_any()),
            (EventId(9), EventId(12), EventId(12))
        );
    }

    #[test]
    fn devices_are_many_but_not_without_end() {
        let anna = person(1);
        for n in 1..=i64::try_from(DEVICES_KEPT).unwrap() + 10 {
            anna.saw(&format!("device-{n}").into(), EventId(n));
        }
        assert_eq!(anna.lock().devices.len(), DEVICES_KEPT);
        assert_eq!((anna.seen_by("device-10"), anna.seen_by("device-11")), (EventId(0), EventId(11)));
        enter(&anna, 1);
        anna.set_device(1, &"device-11".into());
        assert_eq!((anna.sessions_on("device-11"), anna.sessions_on("")), (1, 0));
        anna.forget_device("device-11");
        assert_eq!(anna.seen_by("device-11"), EventId(0));
    }

    #[test]
    fn people_are_found_by_id_and_by_key() {
        let roster = Roster::default();
        roster.add("anna", person(1));
        roster.add("bela", person(2));
        assert_eq!(roster.by_key("bela").unwrap().id, AccountId(2));
        assert_eq!(roster.everyone().len(), 2);
        assert_eq!(roster.online().len(), 0);
        enter(&roster.by_id(AccountId(1)).unwrap(), 1);
        assert_eq!(roster.online().len(), 1);
        roster.remove(AccountId(1));
        assert!(roster.by_id(AccountId(1)).is_none() && roster.by_key("anna").is_none());
    }
}
