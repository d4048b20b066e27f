//! PRIVMSG, NOTICE and TAGMSG. What is to be kept is handed to the log without waiting; the echo comes from there.

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::encode;
use crate::event::{EventId, Note, NoteBody, RoomId, RoomKind, Speech, pieces};
use crate::live::{Person, Receipt};
use crate::log::{Intent, Reply, Room};
use crate::proto::caps::Cap;
use crate::proto::line::{BODY_MAX, Message};
use crate::proto::names::{AccountName, RoomName};
use crate::proto::numerics::*;
use crate::proto::tags::is_passing;
use crate::room::{Wish, may_speak};

use super::reply::{Mark, Mine, lines, tagged};
use super::rooms::clean;
use super::{Pending, Session, service};

/// Receivers of one command at most (`TARGMAX`).
pub(super) const TARGETS_MAX: usize = 4;

/// What is said.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub speech: Speech,
    pub text: &'a str,
    pub tags: &'a str,
    pub cuts: &'a [u32],
}

impl Session {
    pub(super) async fn talk(&mut self, message: &Message<'_>, speech: Speech) {
        let command = word(speech);
        let text = match speech {
            Speech::Tagmsg => "",
            _ => message.params.get(1).copied().unwrap_or_default(),
        };
        let Some(targets) = message.param(0) else {
            if speech != Speech::Notice {
                self.numeric(ERR_NORECIPIENT, &[], &format!("No recipient given ({command})"));
            }
            return;
        };
        if text.is_empty() && speech != Speech::Tagmsg {
            if speech == Speech::Privmsg {
                self.numeric(ERR_NOTEXTTOSEND, &[], "No text to send");
            }
            return;
        }
        if speech != Speech::Tagmsg {
            self.person.active((self.ctx.clock)());
        }
        let tags = self.settings.client_tags.relayed(&message.tags);
        if self.open.is_some() {
            self.interrupted();
        }
        if speech == Speech::Tagmsg && (tags.is_empty() || !self.caps().contains(Cap::MessageTags)) {
            return;
        }
        let targets: SmallVec<[&str; 1]> = targets.split(',').filter(|target| !target.is_empty()).collect();
        if targets.len() > TARGETS_MAX {
            self.numeric(
                ERR_TOOMANYTARGETS,
                &[&clean(targets[TARGETS_MAX])],
                "Too many receivers; nothing was sent to this one",
            );
        }
        let label = self.answer.label.clone();
        let alone = targets.len() == 1;
        for target in targets.into_iter().take(TARGETS_MAX) {
            self.talk_to(target, Words { speech, text, tags: &tags, cuts: &[] }, label.as_deref().filter(|_| alone))
                .await;
        }
    }

    pub(super) async fn talk_to(&mut self, target: &str, words: Words<'_>, label: Option<&str>) {
        let Words { speech, text, tags, cuts } = words;
        if service::is_service(target) {
            // Boxed: it is rare, and an idle session must not be larger for it.
            return Box::pin(self.say_to_service(speech, text)).await;
        }
        let command = word(speech);
        let passing = speech == Speech::Tagmsg && is_passing(tags);
        let tags = &*self.marked(tags);
        if target.starts_with('#') {
            let Some(room) = self.find_room(target).filter(|room| self.may_address(room)) else {
                if speech != Speech::Notice {
                    self.numeric(ERR_NOSUCHCHANNEL, &[&clean(target)], "There is no such room");
                }
                return;
            };
            let name = room.name();
            if !self.fits(command, &name, text, cuts) {
                return;
            }
            if passing {
                self.pass_to_room(&room, &name, tags);
                return;
            }
            let wish = Wish::Say {
                speech,
                to: None,
                text: text.into(),
                tags: shared(tags, tags.is_empty()),
                cuts: shared(cuts, cuts.is_empty()),
            };
            let intent = Intent::InRoom { room: room.id, actor: self.actor(), wish };
            let inside = self.cursors.contains_key(&room.id);
            self.submit(intent, command, &name, label, inside.then_some(room.id)).await;
            return;
        }
        if target.starts_with('$') {
            if speech != Speech::Notice {
                self.numeric(ERR_NOPRIVILEGES, &[], "Nobody can speak to all of a server; make a room for it");
            }
            return;
        }
        let Some(person) = self.find_person(target) else {
            if speech != Speech::Notice {
                self.numeric(ERR_NOSUCHNICK, &[&clean(target)], "There is no account of this name");
            }
            return;
        };
        if !self.fits(command, &person.nick, text, cuts) {
            return;
        }
        if passing {
            self.pass_to_person(&person, tags);
            return;
        }
        let (actor, to) = (self.actor(), person.who());
        let intent = Intent::Direct {
            actor,
            to,
            speech,
            text: text.into(),
            tags: shared(tags, tags.is_empty()),
            cuts: shared(cuts, cuts.is_empty()),
        };
        if speech == Speech::Privmsg
            && let Some(text) = absence(&person)
        {
            self.numeric(RPL_AWAY, &[&person.nick.clone()], &text);
        }
        self.submit(intent, command, &person.nick, label, None).await;
    }

    /// Whether the line will reach the others whole. Cutting it would lose words without a word.
    fn fits(&mut self, command: &str, target: &str, text: &str, cuts: &[u32]) -> bool {
        let (nick, host) = (&self.person.nick, &self.ctx.info.name);
        let lines = pieces(text, cuts).map(|(line, _)| encode::said_len(nick, host, command, target, line));
        let len = lines.max().unwrap_or(0);
        if len > BODY_MAX && (!cuts.is_empty() || text.contains('\n')) {
            let text = format!("A line is {} bytes too long; the message was not sent", len - BODY_MAX);
            self.fail("BATCH", "MULTILINE_INVALID", &[], &text);
        } else if len > BODY_MAX {
            let over = len - BODY_MAX;
            let text = format!("The message is {over} bytes too long and was not sent; send it in two parts");
            self.numeric(ERR_INPUTTOOLONG, &[], &text);
        }
        len <= BODY_MAX
    }

    /// Hands a message to the log. In a room this session reads, the echo comes by itself, and the session goes on;
    /// otherwise (speaking into a room from outside, several receivers under one label) it waits for the outcome.
    async fn submit(
        &mut self,
        intent: Intent,
        command: &'static str,
        target: &Arc<str>,
        label: Option<&str>,
        room: Option<RoomId>,
    ) {
        self.acts += 1;
        let direct = matches!(intent, Intent::Direct { .. });
        let alone = self.answer.lines.is_empty();
        let pipelined = (room.is_some() || direct) && (self.answer.label.is_none() || (label.is_some() && alone));
        if pipelined {
            let nonce = self.next_nonce();
            let reply = Reply::Mailbox { mailbox: self.mailbox.clone(), nonce };
            let pending = Pending { nonce, label: label.map(str::to_owned), command, target: target.clone() };
            if label.is_some() {
                // The answer is on its way: the echo, the refusal or the acknowledgement carries the label.
                self.answer.label = None;
            }
            self.pending.push_back(pending);
            // Boxed, as below: it is rare, and each line would carry a place for it.
            if let Err((intent, reply)) = self.ctx.log.try_submit(intent, reply)
                && Box::pin(self.ctx.log.submit(intent, reply)).await.is_err()
            {
                self.pending.pop_back();
                self.ending = Some("The server is stopping".into());
            }
            return;
        }
        match Box::pin(self.ctx.log.ask(intent)).await {
            Ok(receipt) => self.settle(&receipt, direct, target),
            Err(refusal) => self.refuse(&refusal, command, target),
        }
    }

    /// What was said is stored: its echo is part of the answer.
    pub(super) fn settle(&mut self, receipt: &Receipt, direct: bool, target: &str) {
        let inside = receipt.room.is_some_and(|room| self.cursors.contains_key(&room));
        match receipt.event {
            Some(event) if (inside || direct) && self.caps().contains(Cap::EchoMessage) => {
                self.answer.caused.push(event);
            }
            Some(event) if inside || direct => self.mine.push_back(Mine { event, mark: Mark::Nothing }),
            Some(event) => self.echo_from_outside(receipt.room, event, target),
            None => {}
        }
    }

    /// The echo of what was said into a room that this session does not read.
    fn echo_from_outside(&mut self, room: Option<RoomId>, event: EventId, target: &str) {
        if !self.caps().contains(Cap::EchoMessage) {
            return;
        }
        let entry = room.and_then(|room| self.ctx.log.directory().by_id(room)).and_then(|room| room.entry(event));
        if let Some(entry) = entry {
            let bytes = encode::event(&entry.event, target, &self.ctx.info.name, self.caps());
            self.answer.lines.extend(lines("", &bytes, false).map(|(tags, line)| tagged(tags, line)));
        }
    }

    /// Whether this session's client is a bot, by its account or by its own word.
    pub(super) fn is_bot(&self) -> bool {
        self.bot || self.person.is_bot()
    }

    /// The tags of what this session says: `bot` stands before those of a bot.
    fn marked<'a>(&self, tags: &'a str) -> Cow<'a, str> {
        match (self.is_bot(), tags.is_empty()) {
            (false, _) => Cow::Borrowed(tags),
            (true, true) => Cow::Borrowed("bot"),
            (true, false) => Cow::Owned(format!("bot;{tags}")),
        }
    }

    fn pass_to_room(&mut self, room: &Arc<Room>, name: &Arc<str>, tags: &str) {
        let state = room.snapshot().state;
        if let Err(refusal) = may_speak(&state, &self.ctx.info.name, &self.actor()) {
            self.refuse(&refusal, "TAGMSG", name);
            return;
        }
        let note = self.tags_note(Some(room.id), name.clone(), tags);
        room.each_reader(|mailbox| mailbox.note(note.clone()));
        self.echo_note(&note);
    }

    fn pass_to_person(&mut self, person: &Arc<Person>, tags: &str) {
        let note = self.tags_note(None, person.nick.clone(), tags);
        person.tell(&note);
        self.echo_note(&note);
    }

    fn tags_note(&mut self, room: Option<RoomId>, target: Arc<str>, tags: &str) -> Arc<Note> {
        let time = (self.ctx.clock)();
        // The ids of events have no "u".
        let nonce = self.next_nonce();
        let msgid = format!("u{:x}-{:x}-{nonce:x}", time.0, self.id).into();
        let body = NoteBody::Tags { room, target, tags: tags.into(), msgid };
        Arc::new(Note { time, actor: self.person.who(), session: self.id, body })
    }

    fn echo_note(&mut self, note: &Note) {
        if self.caps().contains(Cap::EchoMessage)
            && let Some(mut line) = encode::note(note, &self.ctx.info.name, self.caps())
        {
            line.truncate(line.len() - 2);
            self.answer.lines.push(line);
        }
    }

    /// An answer of the log to something pipelined.
    pub(super) fn acknowledged(&mut self, ack: crate::live::Ack) {
        let Some(at) = self.pending.iter().position(|pending| pending.nonce == ack.nonce) else { return };
        let Some(pending) = self.pending.remove(at) else { return };
        match ack.outcome {
            Ok(receipt) => {
                let Some(event) = receipt.event else { return };
                let echo = self.caps().contains(Cap::EchoMessage);
                let labeled = self.caps().contains(Cap::LabeledResponse);
                let mark = match pending.label.filter(|_| labeled) {
                    Some(label) if echo => Mark::Label(label),
                    Some(label) => {
                        self.acknowledge(&label);
                        Mark::Nothing
                    }
                    None => Mark::Nothing,
                };
                self.mine.push_back(Mine { event, mark });
            }
            Err(refusal) => {
                self.answer.label = pending.label;
                self.refuse(&refusal, pending.command, &pending.target);
                self.finish_answer();
            }
        }
    }

    pub(super) fn find_room(&self, name: &str) -> Option<Arc<Room>> {
        let name = RoomName::parse(name).ok()?;
        self.ctx.log.directory().by_key(name.key()).filter(|room| room.kind == RoomKind::Channel)
    }

    /// Who may not know of a secret room learns nothing by speaking into it, unless it listens to everybody.
    fn may_address(&self, room: &Room) -> bool {
        self.cursors.contains_key(&room.id) || {
            let state = room.snapshot().state;
            self.may_see(&state) || !state.modes.members_only
        }
    }

    pub(super) fn find_person(&self, nick: &str) -> Option<Arc<Person>> {
        let key = AccountName::key_of(nick).ok()?;
        self.ctx.log.roster().by_key(&key)
    }
}

/// What the sender of a direct message should know of the receiver.
fn absence(person: &Person) -> Option<String> {
    if !person.is_online() {
        return Some("is offline and will see the message at the next login".to_owned());
    }
    person.away().map(|message| message.to_string())
}

/// Most lines have neither tags nor cuts: what is empty takes no memory of its own.
fn shared<'a, T: ?Sized>(some: &'a T, empty: bool) -> Arc<T>
where
    Arc<T>: From<&'a T> + Default,
{
    if empty { Arc::default() } else { some.into() }
}

pub(super) fn word(speech: Speech) -> &'static str {
    match speech {
        Speech::Privmsg => "PRIVMSG",
        Speech::Notice => "NOTICE",
        Speech::Tagmsg => "TAGMSG",
    }
}
