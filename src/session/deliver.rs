//! From the log to the client: the drain over all rooms that have grown, in commit order; the replay when a room is
//! entered; notes. Nothing queues here: what the client does not take stays in the log, and the cursor stands still.

use std::borrow::Cow;
use std::sync::Arc;

use crate::encode::{self, View};
use crate::event::{Body, EventId, Millis, Note, NoteBody, RoomId, RoomKind, Seq, Who};
use crate::log::{Cursor, Entry, NotInMemory, Page, Room, Snapshot, StoreError};
use crate::proto::caps::Cap;
use crate::proto::line::Line;
use crate::proto::numerics::*;

use super::Session;
use super::reply::{Mark, lines, splice, tagged};

/// So many bytes are gathered before they are written; then the rest waits in the log.
pub(super) const OUT_HIGH: usize = 16 * 1024;

/// Lines told as news when a room is entered, at most: so much does not happen between a command and its answer.
const NEWS_MAX: usize = 1000;

/// From where on a room that is entered is told as news.
#[derive(Clone, Copy)]
pub(super) enum Since {
    /// All that was committed after this event.
    Event(EventId),
    /// The same, when the session begins: the client is told what it has missed.
    Login(EventId),
    /// All after the account became a member.
    Membership,
    /// It was in it all the time, but the room has another name since this event: only what came after is told.
    Renamed(EventId),
}

impl Session {
    /// Writes what the rooms have gained up to `goal`, in commit order, until the client is full or all of it is written.
    /// `goal` is a watermark that was read before the mail was taken: so all rooms that have something
    /// below it are known.
    pub(super) async fn drain(&mut self, goal: EventId) -> Result<(), StoreError> {
        while let Some(room) = self.drain_from_memory(goal) {
            if let Some(cursor) = self.cursors.get_mut(&room) {
                cursor.fetch(self.ctx.log.readers()).await?;
            }
        }
        Ok(())
    }

    /// The same, until something has to be fetched from the store: of this room.
    pub(super) fn drain_from_memory(&mut self, goal: EventId) -> Option<RoomId> {
        while self.out.len() < OUT_HIGH {
            let next = match self.next_entry(goal) {
                Ok(next) => next,
                Err(room) => return Some(room),
            };
            // Everything before the next entry is written: a slow client need not catch up with all to get its PONG.
            let written = next.as_ref().map_or(goal, |(_, entry)| EventId(entry.event.id.0 - 1));
            if let Some(fence) = self.fence.take_if(|fence| fence.goal <= written) {
                self.pong(*fence);
            }
            self.drained = self.drained.max(written.min(goal));
            let Some((room, entry)) = next else {
                self.drained = self.drained.max(goal);
                self.forget_mine(goal);
                break;
            };
            self.show(room, &entry);
            if !self.entering.is_empty() {
                // A room has another name, and is entered under it before anything else is told.
                break;
            }
        }
        None
    }

    /// The oldest entry that is due in any room, taken off its cursor; or the room whose next one is not in memory.
    fn next_entry(&mut self, goal: EventId) -> Result<Option<(RoomId, Arc<Entry>)>, RoomId> {
        let mut oldest: Option<(EventId, RoomId)> = None;
        let mut at = 0;
        while at < self.grown.len() {
            let id = self.grown[at];
            let Some(cursor) = self.cursors.get_mut(&id) else {
                self.grown.swap_remove(at);
                continue;
            };
            match cursor.peek() {
                Ok(Some(entry)) if entry.event.id <= goal => {
                    if oldest.is_none_or(|(event, _)| entry.event.id < event) {
                        oldest = Some((entry.event.id, id));
                    }
                    at += 1;
                }
                // Beyond the goal: its turn comes when the watermark has risen, which wakes.
                Ok(Some(_)) => at += 1,
                Ok(None) => {
                    self.grown.swap_remove(at);
                }
                Err(NotInMemory) => return Err(id),
            }
        }
        let Some((_, id)) = oldest else { return Ok(None) };
        let Some(cursor) = self.cursors.get_mut(&id) else { return Ok(None) };
        Ok(cursor.advance().map(|entry| (id, entry)))
    }

    /// Shows one entry, if this client is to see it. A QUIT stands in the logs of several rooms and is shown once.
    fn show(&mut self, room: RoomId, entry: &Arc<Entry>) {
        let event = &entry.event;
        if event.id == self.last_shown {
            return;
        }
        self.last_shown = event.id;
        self.forget_mine(EventId(event.id.0 - 1));
        if event.is_redacted() {
            // Taken back before this client came to it.
            self.forget_mine(event.id);
            return;
        }
        let mark = self.take_mine(event.id);
        let me = self.me;
        let by_me = event.actor.as_ref().is_some_and(|who| who.id == me);
        let echo = self.caps().contains(Cap::EchoMessage);
        let copies = match &event.body {
            Body::Said { to: None, .. } => usize::from(mark.is_none() || echo),
            // One as its sender, one as its receiver: to oneself, both.
            Body::Said { to: Some(to), .. } if to.id == me => usize::from(mark.is_some() && echo) + 1,
            Body::Said { to: Some(_), .. } => usize::from(!by_me || echo),
            Body::Redacted { .. } if self.caps().contains(Cap::MessageRedaction) => usize::from(mark.is_none() || echo),
            // Told when the room was entered, or by the numeric.
            Body::Join { .. } | Body::Invite { .. } => usize::from(!by_me),
            _ => 1,
        };
        let shown = copies > 0 && encode::shows(event.kind(), self.caps(), View::Live);
        if shown {
            let Some(cursor) = self.cursors.get(&room) else { return };
            let bytes = self.encoded(entry, &cursor.name, cursor.room.is_called(&cursor.name));
            let batch = encode::is_batch(event, self.caps());
            if self.out.is_empty() {
                // Most lines of a room are about as long: room for all that follow is made at once.
                self.out.reserve((bytes.len() * (cursor.ahead() + 1)).min(OUT_HIGH));
            }
            for copy in 0..copies {
                let tags = mark.as_ref().filter(|_| copy == 0).map(Mark::tags).unwrap_or_default();
                if tags.is_empty() {
                    // What most lines are to most readers: bytes that are ready.
                    self.out.extend_from_slice(&bytes);
                    continue;
                }
                lines(&tags, &bytes, batch).for_each(|(tags, line)| splice(&mut self.out, tags, line));
            }
        }
        if let Body::Renamed { old, new, reason } = &event.body {
            self.show_renamed(room, event, [old, new, reason]);
        }
        match mark {
            Some(Mark::Batch { reference, last: true }) => self.end_batch(&reference),
            Some(Mark::Label(label)) if !shown => self.acknowledge(&label),
            _ => {}
        }
        if let (Body::Join { .. }, Some(who), false) = (&event.body, &event.actor, by_me) {
            self.tell_if_away(who, event.time);
        }
        if let (Body::Join { .. }, Some(who), false) = (&event.body, &event.actor, by_me)
            && self.listening.is_some()
            && let Some(person) = self.ctx.log.roster().by_id(who.id)
        {
            self.tell_newcomer(room, &person);
        }
        let gone = match &event.body {
            Body::Part { .. } => by_me,
            Body::Kick { target, .. } => target.id == me,
            _ => false,
        };
        if gone {
            self.cursors.remove(&room);
            // It may have come back in the meantime.
            self.rooms_changed = true;
        }
    }

    /// Who comes in and is away, is said to be: that is all a client can know of it without asking (away-notify).
    fn tell_if_away(&mut self, who: &Who, time: Millis) {
        let away = self.ctx.log.roster().by_id(who.id).and_then(|person| person.away());
        if let Some(message) = away {
            let body = NoteBody::Away { message: Some(message) };
            self.tell_note(&Note { time, actor: who.clone(), session: 0, body });
        }
    }

    /// The mark of an event that this session caused.
    fn take_mine(&mut self, event: EventId) -> Option<Mark> {
        let at = self.mine.iter().position(|mine| mine.event == event)?;
        self.mine.remove(at).map(|mine| mine.mark)
    }

    /// What was caused up to here and did not come by, will not come: the room was left.
    fn forget_mine(&mut self, up_to: EventId) {
        while self.mine.front().is_some_and(|mine| mine.event <= up_to) {
            match self.mine.pop_front().map(|mine| mine.mark) {
                Some(Mark::Batch { reference, last: true }) => self.end_batch(&reference),
                // Whoever gave a label waits for an answer.
                Some(Mark::Label(label)) => self.acknowledge(&label),
                _ => {}
            }
        }
    }

    /// Brings the cursors in line with the rooms the account is in.
    pub(super) fn sync_rooms(&mut self) {
        self.rooms_changed = false;
        for id in self.person.rooms() {
            if !self.cursors.contains_key(&id)
                && !self.entering.iter().any(|(room, _)| room.id == id)
                && let Some(room) = self.ctx.log.directory().by_id(id)
            {
                self.entering.push_back((room, Since::Membership));
            }
        }
        let removed: Vec<RoomId> =
            self.cursors.iter().filter(|(_, cursor)| cursor.room.is_removed()).map(|(id, _)| *id).collect();
        for id in removed {
            // Between two there is nothing to be thrown out of.
            if let Some(cursor) = self.cursors.remove(&id).filter(|cursor| cursor.room.kind == RoomKind::Channel) {
                let line = Line::new().source(&self.ctx.info.name).command("KICK").param(&cursor.room.name());
                self.say(line.param(&self.person.nick).last("The room was removed by an administrator"));
                self.finish_answer();
            }
        }
    }

    /// Tells a page of what was missed, or enters one of the rooms that wait; direct messages come last. False if nothing
    /// waits.
    pub(super) async fn enter_next(&mut self) -> Result<bool, StoreError> {
        if self.tell_missing().await? {
            return Ok(true);
        }
        if let Some((room, since)) = self.entering.pop_front() {
            self.enter(room, since).await?;
            self.finish_answer();
            return Ok(true);
        }
        let missed = std::mem::take(&mut self.missed);
        let any = !missed.is_empty();
        if any {
            self.will_tell_direct(missed).await?;
        }
        Ok(any)
    }

    /// Enters a room with this session. A channel: JOIN, topic, names, then the recent lines, and from there the cursor
    /// follows; the state that is printed and the place where the cursor starts are one snapshot. Direct messages: the
    /// cursor alone, from the first that is news.
    pub(super) async fn enter(&mut self, room: Arc<Room>, since: Since) -> Result<(), StoreError> {
        if self.cursors.contains_key(&room.id) {
            return Ok(());
        }
        let (cursor, snapshot) = Cursor::attach(room.clone(), &self.mailbox);
        // Between the two, somebody else's hand may have taken the account out again.
        let Some(member) = snapshot.state.member(self.person.id) else { return Ok(()) };
        let first = match since {
            Since::Membership if room.kind == RoomKind::Direct => 1,
            Since::Membership => member.joined + 1,
            Since::Event(event) | Since::Login(event) | Since::Renamed(event) => match room.after(event) {
                Some(seq) => seq,
                None => self.ctx.log.readers().place_after(room.id, event).await?,
            },
        };
        if room.kind == RoomKind::Direct {
            self.cursors.insert(room.id, cursor.starting_at(first));
            self.grown.push(room.id);
            return Ok(());
        }
        self.cursors.insert(room.id, cursor);
        let marker = self.marker_line(&room).await?;
        if let Since::Login(before) = since
            && self.is_told_the_past()
        {
            self.tell_room(&snapshot, marker);
            let joined = member.joined;
            return self.will_tell(room, &snapshot, joined, before).await;
        }
        let news = self.news(&room, first, snapshot.head).await?;
        self.tell_room(&snapshot, marker);
        if self.is_told_the_past() && self.settings.replay_lines > 0 && !matches!(since, Since::Renamed(_)) {
            let wanted = news.len().max(self.settings.replay_lines);
            let past = self.recent(&room, snapshot.head, wanted).await?;
            self.replay(&snapshot.state.name, &past, room.is_called(&snapshot.state.name));
        } else {
            self.tell_news(&snapshot.state.name, &news, room.is_called(&snapshot.state.name));
        }
        self.sync_entered(&room);
        Ok(())
    }

    /// At login: the rooms the account is in, then what it missed in direct messages. `before`: the newest event before
    /// the session began.
    /// They are entered one after the other as the client takes what they say: many rooms with long lines would be much
    /// to hold for one that does not.
    pub(super) fn enter_all(&mut self, before: EventId) {
        let directory = self.ctx.log.directory();
        let mut rooms: Vec<Arc<Room>> = self.person.rooms().into_iter().filter_map(|id| directory.by_id(id)).collect();
        rooms.sort_by_key(|room| room.name());
        for room in rooms {
            match room.kind {
                RoomKind::Direct if self.is_told_the_past() => {
                    let (cursor, snapshot) = Cursor::attach(room.clone(), &self.mailbox);
                    self.missed.push((room.id, snapshot.head));
                    self.cursors.insert(room.id, cursor);
                }
                _ => self.entering.push_back((room, Since::Login(before))),
            }
        }
    }

    /// What was said from place `first` to place `head`: between the entering and the snapshot.
    async fn news(&self, room: &Arc<Room>, first: Seq, head: Seq) -> Result<Vec<Arc<Entry>>, StoreError> {
        if first > head {
            return Ok(Vec::new());
        }
        let count = (head + 1 - first) as usize;
        let mut entries = match room.read(first, count) {
            Page::Entries(entries) => entries,
            Page::End => Vec::new(),
            Page::Below(_) => {
                let rows = self.ctx.log.readers().range(room.id, first, count.min(NEWS_MAX)).await?;
                rows.into_iter().map(|(_, entry)| entry).collect()
            }
        };
        entries.retain(|entry| matches!(entry.event.body, Body::Said { .. }) && !entry.event.is_redacted());
        Ok(entries)
    }

    /// The newest `wanted` lines that people said up to (and with) `head`.
    async fn recent(&self, room: &Arc<Room>, head: Seq, wanted: usize) -> Result<Vec<Arc<Entry>>, StoreError> {
        if let Some(recent) = room.recent_spoken(head, wanted) {
            return Ok(recent);
        }
        self.ctx.log.readers().spoken_before(room.id, head + 1, wanted).await
    }

    /// The beginning of a line that says what this account does, with the tags that the client takes.
    pub(super) fn own_line(&self, time: Millis) -> Line {
        let (nick, host) = (&self.person.nick, &self.ctx.info.name);
        let mut line = Line::new();
        if self.caps().contains(Cap::ServerTime) {
            line = line.tag("time", &encode::iso(time));
        }
        if self.caps().contains(Cap::AccountTag) {
            line = line.tag("account", nick);
        }
        line.source(&encode::source(nick, host))
    }

    fn tell_room(&mut self, snapshot: &Snapshot, marker: Option<Line>) {
        let state = &snapshot.state;
        let nick = self.person.nick.clone();
        let mut line = self.own_line((self.ctx.clock)()).command("JOIN").param(&state.name);
        if self.caps().contains(Cap::ExtendedJoin) {
            line = line.param(&nick).last(&self.person.realname());
        }
        self.say(line);
        if let Some(topic) = &state.topic {
            self.numeric(RPL_TOPIC, &[&state.name], &topic.text);
            let at = (topic.at.0 / 1000).to_string();
            let line = self.numeric_line(RPL_TOPICWHOTIME, &[&state.name, &topic.by, &at]);
            self.say(line);
        }
        marker.into_iter().for_each(|line| self.say(line));
        if !self.caps().contains(Cap::NoImplicitNames) {
            self.names_of(state);
        }
    }

    /// Lines of the past: in a batch for who knows batches, with times as tags or in front of the text. `shared`: see
    /// [`Session::encoded`].
    fn replay(&mut self, target: &str, entries: &[Arc<Entry>], shared: bool) {
        let (host, caps) = (self.ctx.info.name.clone(), self.caps());
        let shown = entries.iter().filter(|entry| encode::shows(entry.event.kind(), caps, View::History));
        let shown: Vec<&Arc<Entry>> = shown.filter(|entry| !entry.event.is_redacted()).collect();
        if shown.is_empty() {
            return;
        }
        let batch = caps.contains(Cap::Batch).then(|| self.batch_reference());
        if let Some(reference) = &batch {
            self.say(
                Line::new()
                    .source(&host)
                    .command("BATCH")
                    .param(&format!("+{reference}"))
                    .param("chathistory")
                    .param(target),
            );
        }
        let tags = batch.as_ref().map(|reference| format!("batch={reference}")).unwrap_or_default();
        for entry in shown {
            let dated = !caps.contains(Cap::ServerTime);
            let bytes = match dated {
                false => self.encoded(entry, target, shared),
                true => Cow::Owned(encode::dated(&entry.event, target, &host, caps)),
            };
            let batch = !dated && encode::is_batch(&entry.event, caps);
            self.answer.lines.extend(lines(&tags, &bytes, batch).map(|(tags, line)| tagged(tags, line)));
        }
        if let Some(reference) = &batch {
            self.say(Line::new().source(&host).command("BATCH").param(&format!("-{reference}")));
        }
    }

    /// Lines that came just before the cursor's start, told as what they are: news.
    fn tell_news(&mut self, target: &str, entries: &[Arc<Entry>], shared: bool) {
        let caps = self.caps();
        for entry in entries.iter().filter(|entry| encode::shows(entry.event.kind(), caps, View::Live)) {
            let bytes = self.encoded(entry, target, shared);
            self.answer.lines.extend(lines("", &bytes, false).map(|(tags, line)| tagged(tags, line)));
        }
    }

    /// An entry as this client reads it. `shared`: the room is called so by all who read it now, so that they can share
    /// the bytes; asked after the entry was taken, since a room that gets another name gets new entries with it.
    fn encoded<'a>(&self, entry: &'a Entry, name: &str, shared: bool) -> Cow<'a, [u8]> {
        let (host, caps) = (&self.ctx.info.name, self.caps());
        let encode = || encode::event(&entry.event, name, host, caps);
        match shared {
            true => Cow::Borrowed(entry.encoding(encode::slot(&entry.event, caps), encode)),
            false => Cow::Owned(encode()),
        }
    }

    /// Tells a passing thing, if this client wants to know of it.
    pub(super) fn tell_note(&mut self, note: &Note) {
        if let NoteBody::Here { here } = note.body {
            self.tell_here(&note.actor, here);
            return;
        }
        if let Some((target, changes)) = super::metadata::changes_of(note) {
            self.tell_metadata(note, target, changes);
            return;
        }
        let by_this = note.session == self.id;
        if by_this && !self.caps().contains(Cap::EchoMessage) {
            return;
        }
        if by_this && matches!(note.body, NoteBody::Tags { .. } | NoteBody::Marked { .. }) {
            return;
        }
        if let NoteBody::Tags { room: Some(room), .. } = note.body
            && !self.cursors.contains_key(&room)
        {
            return;
        }
        if let Some(line) = encode::note(note, &self.ctx.info.name, self.caps()) {
            splice(&mut self.out, "", &line);
        }
    }
}
