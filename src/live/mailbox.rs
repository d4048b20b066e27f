//! The one place where a session is woken. A doorbell carries no payload ("room R has grown"): rings merge, and a
//! session that is slow finds one ring, however much has happened. Answers to what the session itself submitted lie
//! here too, and passing notes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;
use smallvec::SmallVec;

use crate::event::{AccountId, EventId, Note, RoomId};
use crate::room::Refusal;

/// Notes that wait at most; the oldest give way, since a newer state replaces them.
const NOTES_MAX: usize = 64;

/// What came of something submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// `None`: everything was as wished already.
    pub event: Option<EventId>,
    pub room: Option<RoomId>,
}

/// The answer to the submission that carried this nonce.
#[derive(Clone, Debug)]
pub struct Ack {
    pub nonce: u64,
    pub outcome: Result<Receipt, Refusal>,
}

/// The client certificate of a session's connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of its DER form, lower-case hex.
    pub fingerprint: Arc<str>,
    /// The session logged in with it; it ends when the certificate no longer counts.
    pub is_login: bool,
}

/// A session's mailbox. It is also the waker by which the session's connection and its timer wake it: see
/// [`Mailbox::take_stirred`]. What each delivery looks at stands in one line of the processor's cache: up to
/// [`Inside::mail`], which is looked at only if there is some.
#[repr(C, align(64))]
pub struct Mailbox {
    /// Somebody wants the session to look; and what wakes it, if it sleeps.
    rung: AtomicBool,
    /// It was used as a waker.
    stirred: AtomicBool,
    /// What was put in since the last [`Mailbox::take`]: [`GROWN`], [`MAIL`].
    fresh: AtomicU8,
    /// Whether the session wants all the notes of those it watches.
    extended: AtomicBool,
    /// It logged in with its device's token, and ends when that no longer counts.
    pub by_token: bool,
    waker: AtomicWaker,
    inside: Mutex<Inside>,
    /// Unique in this process.
    pub session: u64,
    pub account: AccountId,
    /// The certificate that its connection showed.
    pub certificate: Option<Certificate>,
}

const GROWN: u8 = 1;
const MAIL: u8 = 2;

/// Mostly there is nothing in it but one room that has grown.
#[derive(Default)]
#[repr(C)]
struct Inside {
    /// Rooms that have grown; each at most once (see [`Bell`]).
    grown: SmallVec<[RoomId; 2]>,
    mail: Option<Box<Mail>>,
}

/// What lay in the mailbox, beside rooms that have grown.
#[derive(Default)]
pub struct Mail {
    /// Bounded by what the session has outstanding.
    pub acks: Vec<Ack>,
    pub notes: VecDeque<Arc<Note>>,
    /// The account came into a room or left one.
    pub rooms_changed: bool,
    /// Addresses were banned: is this session's among them?
    pub address_in_doubt: bool,
    /// The session must end, and why.
    pub end: Option<Arc<str>>,
}

impl Mailbox {
    pub fn new(session: u64, account: AccountId) -> Arc<Mailbox> {
        Mailbox::of_login(session, account, None, false)
    }

    pub fn of_login(
        session: u64,
        account: AccountId,
        certificate: Option<Certificate>,
        by_token: bool,
    ) -> Arc<Mailbox> {
        Arc::new(Mailbox {
            rung: AtomicBool::new(false),
            stirred: AtomicBool::new(false),
            fresh: AtomicU8::new(0),
            extended: AtomicBool::new(false),
            by_token,
            waker: AtomicWaker::new(),
            inside: Mutex::default(),
            session,
            account,
            certificate,
        })
    }

    /// See [`super::Watches`]: told of away messages and names too, not of coming and going alone.
    pub fn is_extended(&self) -> bool {
        self.extended.load(Ordering::Relaxed)
    }

    pub fn set_extended(&self, extended: bool) {
        self.extended.store(extended, Ordering::Relaxed);
    }

    /// Waits until somebody wants the session to look ([`Mailbox::wake`]), or its connection or timer does, until
    /// [`Mailbox::take_stirred`] has been asked; one session waits, in one task. Calls merge.
    pub async fn wait(&self) {
        std::future::poll_fn(|cx| self.poll_wait(cx)).await;
    }

    pub fn poll_wait(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.take_rung() {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        // Whoever rang before the waker was there has woken nobody.
        if self.take_rung() || self.stirred.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether something has woken the session by the mailbox's own waker since this was asked last. To be asked before
    /// the connection and the timer are: what moves afterwards stirs again.
    pub fn take_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire) && self.stirred.swap(false, Ordering::AcqRel)
    }

    /// Whether somebody has rung since this was asked last.
    pub fn take_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether [`Mailbox::take`] would find anything. What was put in before the watermark rose is seen by whoever has
    /// read that watermark.
    pub fn has_mail(&self) -> bool {
        self.fresh.load(Ordering::Acquire) != 0
    }

    /// Takes everything out: the rooms that have grown, and the rest, if there is any.
    pub fn take(&self) -> (SmallVec<[RoomId; 2]>, Option<Box<Mail>>) {
        // What is put in from here on marks it anew.
        let fresh = self.fresh.swap(0, Ordering::AcqRel);
        let mut inside = self.lock();
        let mail = if fresh & MAIL == 0 { None } else { inside.mail.take() };
        (std::mem::take(&mut inside.grown), mail)
    }

    /// Puts an answer in without waking: the ring for what it caused follows, or [`Mailbox::wake`].
    pub fn ack(&self, ack: Ack) {
        self.put(|mail| mail.acks.push(ack));
    }

    pub fn wake(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    pub fn note(&self, note: Arc<Note>) {
        self.put(|mail| {
            if mail.notes.len() == NOTES_MAX {
                mail.notes.pop_front();
            }
            mail.notes.push_back(note);
        });
        self.wake();
    }

    pub fn rooms_changed(&self) {
        self.put(|mail| mail.rooms_changed = true);
        self.wake();
    }

    pub fn doubt_address(&self) {
        self.put(|mail| mail.address_in_doubt = true);
        self.wake();
    }

    pub fn end(&self, reason: Arc<str>) {
        self.put(|mail| {
            mail.end.get_or_insert(reason);
        });
        self.wake();
    }

    fn put(&self, put: impl FnOnce(&mut Mail)) {
        put(self.lock().mail.get_or_insert_default());
        self.fresh.fetch_or(MAIL, Ordering::AcqRel);
    }

    fn has_grown(&self, room: RoomId) {
        self.lock().grown.push(room);
        self.fresh.fetch_or(GROWN, Ordering::AcqRel);
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For what is no mail. By its path, since there is a [`Mailbox::wake`] for mail.
impl std::task::Wake for Mailbox {
    fn wake(self: Arc<Self>) {
        std::task::Wake::wake_by_ref(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stirred.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// A room's bell at one session. Ringing has two halves: first all bells of all rooms that grew are marked, then the
/// watermark rises, then the sessions wake. So a session that sees a watermark finds every room marked that has
/// something below it, and can show all rooms in one order.
#[repr(C)]
pub struct Bell {
    rung: AtomicBool,
    mailbox: Arc<Mailbox>,
    room: RoomId,
}

impl Bell {
    pub fn new(mailbox: Arc<Mailbox>, room: RoomId) -> Arc<Bell> {
        Arc::new(Bell { mailbox, room, rung: AtomicBool::new(false) })
    }

    /// Notes that the room has grown. Always an exchange, never a look beforehand: so either this mark is left, or the
    /// session that has heard the last one sees what this one is for.
    pub fn mark(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.mailbox.has_grown(self.room);
        }
    }

    /// Wakes the session; also one that was marked before, since it may have looked before the watermark rose.
    pub fn wake(&self) {
        self.mailbox.wake();
    }

    /// To be called before the session looks at the room: what comes after rings again.
    pub fn heard(&self) {
        self.rung.swap(false, Ordering::AcqRel);
    }

    /// Whether the session has yet to look; for figures.
    pub fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Relaxed)
    }

    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Millis, NoteBody, Who};
    use std::time::Duration;

    fn mailbox() -> Arc<Mailbox> {
        Mailbox::new(7, AccountId(1))
    }

    fn mail(mailbox: &Mailbox) -> Mail {
        mailbox.take().1.map(|mail| *mail).unwrap_or_default()
    }

    fn note(n: i64) -> Arc<Note> {
        let actor = Who { id: AccountId(2), nick: "bela".into() };
        Arc::new(Note { time: Millis(n), actor, session: 1, body: NoteBody::Away { message: None } })
    }

    #[test]
    fn what_a_delivery_looks_at_is_in_one_line_of_the_cache() {
        let hot = std::mem::offset_of!(Mailbox, inside) + size_of::<Mutex<Inside>>() - size_of::<Option<Box<Mail>>>();
        assert!(hot <= align_of::<Mailbox>(), "{hot}");
    }

    /// What a connection that was asked in vain, or a timer, does later.
    #[tokio::test]
    async fn as_a_waker_it_wakes_without_mail() {
        let mailbox = mailbox();
        let waker = std::task::Waker::from(mailbox.clone());
        assert!(!is_woken(&mailbox).await);
        // Also where it was used before anybody waits.
        waker.wake_by_ref();
        assert!(is_woken(&mailbox).await);
        assert!(is_woken(&mailbox).await, "until it is asked what for");
        assert!(!mailbox.has_mail() && mailbox.take_stirred() && !mailbox.take_stirred());
        assert!(!is_woken(&mailbox).await);
        let waiting = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.wait().await }
        });
        tokio::task::yield_now().await;
        waker.wake();
        waiting.await.unwrap();
        assert!(mailbox.take_stirred());
    }

    async fn is_woken(mailbox: &Mailbox) -> bool {
        tokio::time::timeout(Duration::from_millis(20), mailbox.wait()).await.is_ok()
    }

    #[test]
    fn notes_are_bounded_and_the_oldest_give_way() {
        let mailbox = mailbox();
        (0..1_000).for_each(|n| mailbox.note(note(n)));
        let times: Vec<i64> = mail(&mailbox).notes.iter().map(|note| note.time.0).collect();
        assert_eq!(times, (1_000 - NOTES_MAX as i64..1_000).collect::<Vec<_>>());
        assert!(mail(&mailbox).notes.is_empty());
    }

    #[test]
    fn marks_merge_until_they_are_heard() {
        let mailbox = mailbox();
        let (one, two) = (Bell::new(mailbox.clone(), RoomId(1)), Bell::new(mailbox.clone(), RoomId(2)));
        for _ in 0..100 {
            one.mark();
            two.mark();
        }
        assert_eq!(mailbox.take().0[..], [RoomId(1), RoomId(2)]);
        one.mark();
        assert!(mailbox.take().0.is_empty(), "not heard yet: the session has still to look");
        one.heard();
        two.mark();
        one.mark();
        assert_eq!(mailbox.take().0[..], [RoomId(1)]);
    }

    #[tokio::test]
    async fn marks_and_answers_wake_nobody_and_the_rest_does() {
        let mailbox = mailbox();
        let bell = Bell::new(mailbox.clone(), RoomId(1));
        bell.mark();
        mailbox.ack(Ack { nonce: 1, outcome: Err(Refusal::NotInRoom) });
        assert!(!is_woken(&mailbox).await);
        let acts: [&dyn Fn(); 4] =
            [&|| bell.mailbox().wake(), &|| mailbox.note(note(1)), &|| mailbox.rooms_changed(), &|| {
                mailbox.end("over".into())
            }];
        for act in acts {
            act();
            act();
            assert!(is_woken(&mailbox).await);
            assert!(!is_woken(&mailbox).await, "woken twice for what lies there once");
        }
        mailbox.end("later".into());
        let (grown, mail) = mailbox.take();
        let mail = mail.expect("more than rooms");
        assert_eq!((grown.len(), mail.acks.len(), mail.notes.len()), (1, 1, 2));
        assert!(mail.rooms_changed);
        assert_eq!(mail.end.as_deref(), Some("over"), "the first reason counts");
    }
}
