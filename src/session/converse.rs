//! The conversation of a session, round by round: mail is taken, lines are run, what is due is written, and then it sleeps
//! until something moves. Owns the bounds on what a client may send ahead; what the commands do is told elsewhere.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::live::Mail;
use crate::log::StoreError;
use crate::net::conn::{Conn, Turn};
use crate::net::framing::{Frame, LineReader};
use crate::proto::line::{Line, Message};

use super::commands::{self, Cost};
use super::deliver::OUT_HIGH;
use super::{Deferred, Session, upkeep};

/// Messages handed to the log and not yet answered; when so many are, no more of the client's lines are taken.
const PENDING_MAX: usize = 128;
/// Messages whose echo the client has not been shown; as above. This is what bounds a client that sends and never reads,
/// and how far ahead of its readers a room can get by few who send as fast as they can: not beyond what its tail keeps.
const MINE_MAX: usize = 128;
/// Bytes of answers that wait for the client; as above.
const UNREAD_MAX: usize = 64 * 1024;
/// What a session that waits is woken by.
enum Wake {
    Mail,
    Turn(std::io::Result<Turn>),
    Timer,
}

impl Session {
    /// The conversation, until one side ends it; returns the reason.
    pub(super) async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        conn: &mut Conn<S>,
        lines: &mut LineReader,
    ) -> Arc<str> {
        let timer = tokio::time::sleep_until(self.pulse.wakes_at().into());
        tokio::pin!(timer);
        // The connection and the timer wake by this, so that whoever was rung for need not ask them.
        let other = Waker::from(self.mailbox.clone());
        // Whether they will; and whether the connection will when there is something to be read.
        let (mut armed, mut armed_to_read) = (false, false);
        loop {
            self.take_mail();
            // What a command wrote is delivered before the next is taken; there may be more lines at hand then.
            let mut again = false;
            while let Some(stop) = self.take_line(conn, lines).await {
                if stop {
                    again = true;
                    break;
                }
            }
            let waited = !self.wants_lines(conn);
            if !self.deliver_from_memory(conn)
                && let Err(error) = Box::pin(self.deliver(conn)).await
            {
                self.store_failed(&error);
            }
            conn.push_all(&mut self.out);
            // Written at once: whoever takes it costs one round, not two.
            let moved = match conn.write_now().await {
                Ok(moved) => moved,
                Err(error) => return error.to_string().into(),
            };
            if moved {
                self.pulse.moved();
            }
            if !conn.is_busy() {
                self.presence.place.written(self.caps(), self.drained);
            }
            // A line that was not taken may be at hand already; nothing else would come to say so.
            if self.rooms_changed || again || (waited && self.wants_lines(conn)) {
                continue;
            }
            // What it said itself is passed first: its own words are not news to it when it comes back.
            if let Some(reason) = self.ending.clone()
                && self.pending.is_empty()
                && (self.mine.is_empty() || conn.is_busy())
            {
                let farewell = Line::new().command("ERROR").last(&format!("Closing link: {reason}"));
                conn.push_line(farewell.as_str());
                return reason;
            }
            let resumes = self.deferred.as_ref().and_then(|deferred| deferred.until);
            let patience = self.open.as_ref().and_then(|open| open.until());
            if let Some(deadline) = self.pulse.wakes_before([resumes, patience]) {
                timer.as_mut().reset(deadline.into());
                armed = false;
            }
            let read = self.wants_lines(conn) && self.deferred.is_none() && conn.takes_input();
            armed &= read == armed_to_read && !conn.is_busy();
            armed_to_read = read;
            debug_assert!(!read || !conn.input.is_empty() || lines.is_idle(), "who is silent holds a buffer");
            // What did not fit the last write: the next round tells it. Reading has its turn in between.
            let more = moved && self.has_more();
            // Most who are woken were rung for: then nothing else need be asked before the next sleep.
            let mut slept = false;
            let wake = std::future::poll_fn(|cx| {
                if slept && self.mailbox.take_rung() {
                    return Poll::Ready(Wake::Mail);
                }
                if self.mailbox.take_stirred() || !armed {
                    armed = false;
                    let mut other = Context::from_waker(&other);
                    if let Poll::Ready(turn) = conn.poll_turn(&mut other, read) {
                        return Poll::Ready(Wake::Turn(turn));
                    }
                    if timer.as_mut().poll(&mut other).is_ready() {
                        return Poll::Ready(Wake::Timer);
                    }
                    armed = true;
                }
                if more || self.mailbox.poll_wait(cx).is_ready() {
                    return Poll::Ready(Wake::Mail);
                }
                slept = true;
                Poll::Pending
            });
            match wake.await {
                Wake::Mail => {}
                Wake::Turn(turn) => match turn {
                    Ok(Turn::Read(_)) => self.pulse.heard(),
                    Ok(Turn::Wrote(_)) => self.pulse.moved(),
                    Ok(Turn::Drained) => {
                        self.pulse.moved();
                        self.presence.place.written(self.caps(), self.drained);
                    }
                    Ok(Turn::Eof) => {
                        self.presence.place.orderly = true;
                        return "Connection closed".into();
                    }
                    Err(error) => return error.to_string().into(),
                },
                Wake::Timer => {
                    self.batch_timeout(Instant::now());
                    if let Some(until) = resumes
                        && until <= Instant::now()
                        && let Some(deferred) = &mut self.deferred
                    {
                        deferred.until = None;
                    }
                    if self.deferred.is_some() {
                        // It has said more than it may at once; its PONG may stand behind that.
                        self.pulse.heard();
                    }
                    if let Some(line) = self.presence.place.receipt_wanted() {
                        conn.push_line(&line);
                    }
                    match self.pulse.check(conn.is_busy()) {
                        upkeep::Check::Fine => {}
                        upkeep::Check::Ping => conn.push_line(&format!("PING {}", self.ctx.info.name)),
                        upkeep::Check::Dead(reason) => {
                            if !conn.is_busy() {
                                conn.push_line(
                                    Line::new().command("ERROR").last(&format!("Closing link: {reason}")).as_str(),
                                );
                            }
                            return reason.into();
                        }
                    }
                }
            }
        }
    }

    /// Whether the last round may have left something untold that nothing will wake it for.
    fn has_more(&self) -> bool {
        !self.grown.is_empty() || self.fence.is_some() || self.is_telling()
    }

    /// Something of the past is being told: rooms that are entered, what was missed, a page of history, metadata.
    fn is_telling(&self) -> bool {
        !self.entering.is_empty()
            || !self.missing.is_empty()
            || !self.missed.is_empty()
            || self.telling.is_some()
            || self.is_syncing()
    }

    /// Whether one more line of the client may be taken.
    fn wants_lines<S: AsyncRead + AsyncWrite + Unpin>(&self, conn: &Conn<S>) -> bool {
        self.ending.is_none()
            && self.fence.is_none()
            && !self.is_telling()
            && self.pending.len() < PENDING_MAX
            && self.mine.len() < MINE_MAX
            && self.out.len() + conn.pending_out() < UNREAD_MAX
    }

    /// Takes and runs the next line. `None`: there is none, or it may not be taken now. `Some(true)`: let the log's
    /// answers in before the next.
    async fn take_line<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        conn: &mut Conn<S>,
        lines: &mut LineReader,
    ) -> Option<bool> {
        if !self.wants_lines(conn) {
            return None;
        }
        if let Some(deferred) = self.deferred.take() {
            if deferred.until.is_some() {
                self.deferred = Some(deferred);
                return None;
            }
            return Box::pin(self.run_line(&deferred.line, true)).await;
        }
        if conn.input.is_empty() && !self.reading {
            return None;
        }
        let frame = lines.next(&mut conn.input);
        self.reading = frame.is_some();
        match frame? {
            // Boxed: what runs for a moment must not make what waits all day larger.
            Frame::Line(line) => Box::pin(self.run_line(line, false)).await,
            Frame::TooLong => {
                self.numeric(crate::proto::numerics::ERR_INPUTTOOLONG, &[], "Input line was too long");
                self.finish_answer();
                Some(false)
            }
            Frame::NotUtf8(line) => {
                self.not_utf8(line);
                Some(false)
            }
        }
    }

    /// `waited`: the line was held back before.
    async fn run_line(&mut self, line: &str, waited: bool) -> Option<bool> {
        let message = match Message::parse(line) {
            Ok(message) => message,
            Err(error) => {
                self.complain(line, error);
                return Some(false);
            }
        };
        let row = commands::find(message.command);
        let pipelined = row.is_some_and(|row| row.is_pipelined(&message));
        // Commands take effect in order: what is not pipelined waits for what is.
        if !pipelined && !self.pending.is_empty() {
            self.deferred = Some(Box::new(Deferred { line: line.to_owned(), until: None }));
            return None;
        }
        let cost = match row {
            // Paid for when it is whole.
            Some(row) if self.in_batch(&message, row) => Cost::Look,
            row => row.map_or(Cost::Look, |row| row.cost(&message)),
        };
        if let Err(wait) = self.pay(cost) {
            let now = Instant::now();
            let since = *self.slow_since.get_or_insert(now);
            let speech = pipelined && cost == Cost::Act;
            if speech && now.duration_since(since) + wait > self.settings.flood_delay_max {
                self.too_fast(&message);
                return Some(false);
            }
            self.deferred = Some(Box::new(Deferred { line: line.to_owned(), until: Some(now + wait) }));
            return None;
        }
        if !waited {
            self.slow_since = None;
        }
        self.acts = 0;
        self.run(&message, row).await;
        // One command may do several things: a list of receivers, of rooms, of people. The next ones wait for that.
        let paid = u32::from(cost == Cost::Act);
        self.acting.charge(Instant::now(), self.acts.saturating_sub(paid));
        Some(!pipelined)
    }

    fn pay(&mut self, cost: Cost) -> Result<(), Duration> {
        let now = Instant::now();
        match cost {
            Cost::Free => Ok(()),
            Cost::Look => self.looking.take(now),
            Cost::Act => self.acting.take(now),
        }
    }

    fn take_mail(&mut self) {
        if !self.mailbox.has_mail() {
            return;
        }
        let (grown, mail) = self.mailbox.take();
        for room in grown {
            if let Some(cursor) = self.cursors.get(&room) {
                cursor.heard();
                if !self.grown.contains(&room) {
                    self.grown.push(room);
                }
            }
        }
        if let Some(mail) = mail {
            self.take_rest(*mail);
        }
    }

    fn take_rest(&mut self, mail: Mail) {
        for ack in mail.acks {
            self.acknowledged(ack);
        }
        for note in mail.notes {
            self.tell_note(&note);
        }
        self.rooms_changed |= mail.rooms_changed;
        if mail.address_in_doubt {
            self.look_at_address();
        }
        if let Some(reason) = mail.end {
            self.ending.get_or_insert(reason);
        }
    }

    /// Writes what is due, as far as the client has room for it. False: there is more to it, see [`Session::deliver`].
    fn deliver_from_memory<S: AsyncRead + AsyncWrite + Unpin>(&mut self, conn: &Conn<S>) -> bool {
        // The watermark first: whatever is below it has marked its bells, or said that there is a new room.
        let goal = self.ctx.log.watermark();
        self.take_mail();
        let is_full = |out: usize| !conn.has_room() || out >= OUT_HIGH;
        !self.rooms_changed
            && (is_full(self.out.len()) || (!self.is_telling() && self.drain_from_memory(goal).is_none()))
    }

    /// The same; what is not in memory is fetched, and rooms are entered.
    async fn deliver<S: AsyncRead + AsyncWrite + Unpin>(&mut self, conn: &Conn<S>) -> Result<(), StoreError> {
        let mut goal = self.ctx.log.watermark();
        self.take_mail();
        while self.rooms_changed {
            self.sync_rooms();
            goal = self.ctx.log.watermark();
            self.take_mail();
        }
        while conn.has_room() && self.out.len() < OUT_HIGH {
            if !self.is_telling() {
                return self.drain(goal).await;
            }
            if self.sync_more() {
                continue;
            }
            if !Box::pin(self.tell_past()).await? && !Box::pin(self.enter_next()).await? {
                return self.drain(goal).await;
            }
        }
        Ok(())
    }
}
