//! The one place where a session is woken. A doorbell carries no payload ("room R has grown"): rings merge, and a
//! session that is slow finds one ring, however much has happened. Answers to what the session itself submitted lie
//! here too, and passing notes.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// A session's mailbox.
pub struct Mailbox {
    /// Unique in this process.
    pub session: u64,
    pub account: AccountId,
    /// The certificate that its connection showed.
    pub certificate: Option<Certificate>,
    /// It logged in with its device's token, and ends when that no longer counts.
    pub by_token: bool,
    /// Whether the session wants all the notes of those it watches.
    extended: AtomicBool,
    /// Somebody wants the session to look; and what wakes it, if it sleeps.
    rung: AtomicBool,
    waker: AtomicWaker,
    /// Something was put in since the last [`Mailbox::take`].
    fresh: AtomicBool,
    mail: Mutex<Mail>,
}

/// What lay in the mailbox.
#[derive(Default)]
pub struct Mail {
    /// Rooms that have grown; each at most once (see [`Bell`]).
    pub grown: SmallVec<[RoomId; 2]>,
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
            session,
            account,
            certificate,
            by_token,
            extended: AtomicBool::new(false),
            rung: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            fresh: AtomicBool::new(false),
            mail: Mutex::default(),
        })
    }

    /// See [`super::Watches`]: told of away messages and names too, not of coming and going alone.
    pub fn is_extended(&self) -> bool {
        self.extended.load(Ordering::Relaxed)
    }

    pub fn set_extended(&self, extended: bool) {
        self.extended.store(extended, Ordering::Relaxed);
    }

    /// Waits until somebody wants the session to look ([`Mailbox::wake`]); one session waits, in one task. Calls merge.
    pub async fn wait(&self) {
        std::future::poll_fn(|cx| self.poll_wait(cx)).await;
    }

    pub fn poll_wait(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_rung() {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        // Whoever rang before the waker was there has woken nobody.
        if self.is_rung() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire) && self.rung.swap(false, Ordering::AcqRel)
    }

    /// Whether [`Mailbox::take`] would find anything. What was put in before the watermark rose is seen by whoever has
    /// read that watermark.
    pub fn has_mail(&self) -> bool {
        self.fresh.load(Ordering::Acquire)
    }

    /// Takes everything out.
    pub fn take(&self) -> Mail {
        self.fresh.store(false, Ordering::Release);
        std::mem::take(&mut *self.mail.lock().unwrap_or_else(PoisonError::into_inner))
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
        put(&mut self.mail.lock().unwrap_or_else(PoisonError::into_inner));
        self.fresh.store(true, Ordering::Release);
    }
}

/// A room's bell at one session. Ringing has two halves: first all bells of all rooms that grew are marked, then the
/// watermark rises, then the sessions wake. So a session that sees a watermark finds every room marked that has
/// something below it, and can show all rooms in one order.
pub struct Bell {
    mailbox: Arc<Mailbox>,
    room: RoomId,
    rung: AtomicBool,
}

impl Bell {
    pub fn new(mailbox: Arc<Mailbox>, room: RoomId) -> Arc<Bell> {
        Arc::new(Bell { mailbox, room, rung: AtomicBool::new(false) })
    }

    /// Notes that the room has grown. Always an exchange, never a look beforehand: so either this mark is left, or the
    /// session that has heard the last one sees what this one is for.
    pub fn mark(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.mailbox.put(|mail| mail.grown.push(self.room));
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

    fn note(n: i64) -> Arc<Note> {
        let actor = Who { id: AccountId(2), nick: "bela".into() };
        Arc::new(Note { time: Millis(n), actor, session: 1, body: NoteBody::Away { message: None } })
    }

    async fn is_woken(mailbox: &Mailbox) -> bool {
        tokio::time::timeout(Duration::from_millis(20), mailbox.wait()).await.is_ok()
    }

    #[test]
    fn notes_are_bounded_and_the_oldest_give_way() {
        let mailbox = mailbox();
        (0..1_000).for_each(|n| mailbox.note(note(n)));
        let times: Vec<i64> = mailbox.take().notes.iter().map(|note| note.time.0).collect();
        assert_eq!(times, (1_000 - NOTES_MAX as i64..1_000).collect::<Vec<_>>());
        assert!(mailbox.take().notes.is_empty());
    }

    #[test]
    fn marks_merge_until_they_are_heard() {
        let mailbox = mailbox();
        let (one, two) = (Bell::new(mailbox.clone(), RoomId(1)), Bell::new(mailbox.clone(), RoomId(2)));
        for _ in 0..100 {
            one.mark();
            two.mark();
        }
        assert_eq!(mailbox.take().grown[..], [RoomId(1), RoomId(2)]);
        one.mark();
        assert!(mailbox.take().grown.is_empty(), "not heard yet: the session has still to look");
        one.heard();
        two.mark();
        one.mark();
        assert_eq!(mailbox.take().grown[..], [RoomId(1)]);
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
        let mail = mailbox.take();
        assert_eq!((mail.grown.len(), mail.acks.len(), mail.notes.len()), (1, 1, 2));
        assert!(mail.rooms_changed);
        assert_eq!(mail.end.as_deref(), Some("over"), "the first reason counts");
    }
}
