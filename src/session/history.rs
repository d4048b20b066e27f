//! CHATHISTORY (<https://ircv3.net/specs/extensions/chathistory>): pages of the past for clients that ask. A page is
//! found at once and told bit by bit, as the client takes it, so that it is never in memory as a whole.

use std::sync::Arc;

use crate::encode::{self, View};
use crate::event::{Event, EventId, Kind, RoomId};
use crate::log::{Mark, Past, Shown, Span, StoreError, Wanted, Whose};
use crate::proto::caps::Cap;
use crate::proto::line::{Line, Message};
use crate::proto::names::AccountName;
use crate::proto::numerics::*;

use super::Session;
use super::reply::{label_tag, lines, splice};
use super::rooms::clean;

/// Lines of a page that are read at a time.
const CHUNK: usize = 64;

/// A page that is being told.
pub(super) struct Telling {
    room: RoomId,
    target: Arc<str>,
    /// What is left of it; `None`: only the end of the batch.
    span: Option<Span>,
    shown: Shown,
    batch: Option<String>,
}

/// What is wrong with a question.
struct Wrong {
    code: &'static str,
    context: Vec<String>,
    text: &'static str,
}

impl Session {
    pub(super) async fn chathistory(&mut self, message: &Message<'_>) {
        if !self.caps().contains(Cap::ChatHistory) {
            self.numeric(ERR_UNKNOWNCOMMAND, &["CHATHISTORY"], "Ask for the capability draft/chathistory first");
            return;
        }
        let asked = match message.params[0].to_ascii_uppercase().as_str() {
            "TARGETS" => self.targets(message).await,
            _ => self.page(message).await,
        };
        if let Err(wrong) = asked {
            let context: Vec<&str> = wrong.context.iter().map(String::as_str).collect();
            self.fail("CHATHISTORY", wrong.code, &context, wrong.text);
        }
    }

    async fn page(&mut self, message: &Message<'_>) -> Result<(), Wrong> {
        let command = clean(message.params[0]);
        let bad = |context: Option<&str>, text| Wrong {
            code: "INVALID_PARAMS",
            context: [command.clone()].into_iter().chain(context.map(clean)).collect(),
            text,
        };
        let marks = match command.to_ascii_uppercase().as_str() {
            "LATEST" | "BEFORE" | "AFTER" | "AROUND" => 1,
            "BETWEEN" => 2,
            _ => return Err(bad(None, "Unknown command")),
        };
        count(&message.params, 3 + marks).map_err(|text| bad(None, text))?;
        let target = message.params[1];
        let mark = |at: usize| parse_mark(message.params[at], &command, target);
        let wanted = match command.to_ascii_uppercase().as_str() {
            "LATEST" if message.params[2] == "*" => Wanted::Latest,
            "LATEST" => Wanted::LatestAfter(mark(2)?),
            "BEFORE" => Wanted::Before(mark(2)?),
            "AFTER" => Wanted::After(mark(2)?),
            "AROUND" => Wanted::Around(mark(2)?),
            _ => Wanted::Between(mark(2)?, mark(3)?),
        };
        let limit = self
            .limit(message.params[2 + marks])
            .ok_or_else(|| bad(Some(message.params[2 + marks]), "The number of lines is not a number"))?;
        let trouble = |code, context: Option<&str>, text| Wrong {
            code,
            context: [command.clone(), clean(target)].into_iter().chain(context.map(clean)).collect(),
            text,
        };
        let hidden = || trouble("INVALID_TARGET", None, "There is no such conversation for you to read");
        let Some((whose, name)) =
            self.whose(target).await.map_err(|error| self.unreadable(&error, &command, target))?
        else {
            return Err(hidden());
        };
        let shown = self.shown();
        let past = self.ctx.log.readers().past(self.person.id, whose, wanted, limit, shown).await;
        let (room, span) = match past {
            Ok(Past::Page(room, span)) => (room, span),
            Ok(Past::Nothing) => (RoomId(0), None),
            Ok(Past::Hidden) => return Err(hidden()),
            Ok(Past::NoSuchMessage) => {
                return Err(trouble("MESSAGE_ERROR", Some(message.params[2]), "There is no such message there"));
            }
            Err(error) => return Err(self.unreadable(&error, &command, target)),
        };
        let batch = self.begin_batch("chathistory", &[&name]);
        self.telling = Some(Box::new(Telling { room, target: name, span, shown, batch }));
        Ok(())
    }

    async fn targets(&mut self, message: &Message<'_>) -> Result<(), Wrong> {
        let bad = |context: Option<&str>, text| Wrong {
            code: "INVALID_PARAMS",
            context: ["TARGETS".to_owned()].into_iter().chain(context.map(clean)).collect(),
            text,
        };
        count(&message.params, 4).map_err(|text| bad(None, text))?;
        let time = |at: usize| {
            let text = message.params[at];
            let time = text.strip_prefix("timestamp=").and_then(encode::moment);
            time.ok_or_else(|| bad(Some(text), "Not a time like timestamp=2026-11-23T15:20:06.123Z"))
        };
        let (from, to) = (time(1)?, time(2)?);
        let limit = message.params[3];
        let limit = self.limit(limit).ok_or_else(|| bad(Some(limit), "The number of conversations is not a number"))?;
        let between = (from.min(to), from.max(to));
        let found = self.ctx.log.readers().conversations(self.person.id, between, limit, from > to).await;
        let found = found.map_err(|error| self.unreadable(&error, "TARGETS", "*"))?;
        let batch = self.begin_batch("draft/chathistory-targets", &[]);
        let tags = batch.as_ref().map(|reference| format!("batch={reference}")).unwrap_or_default();
        for conversation in found {
            let line = Line::new().source(&self.ctx.info.name).command("CHATHISTORY").param("TARGETS");
            let line = line.param(&conversation.name).param(&encode::iso(conversation.newest));
            splice(&mut self.out, &tags, line.as_str().as_bytes());
        }
        if let Some(batch) = batch {
            self.end_batch(&batch);
        }
        Ok(())
    }

    /// Goes on with the page that is being told; false if there is none.
    pub(super) async fn tell_past(&mut self) -> Result<bool, StoreError> {
        let Some(mut telling) = self.telling.take() else { return Ok(false) };
        let mut more = None;
        if let Some(span) = telling.span {
            let entries = self.ctx.log.readers().page(telling.room, span, CHUNK, telling.shown).await?;
            let last = entries.last().map(|(seq, _)| *seq).filter(|seq| entries.len() == CHUNK && *seq < span.last);
            more = last.map(|seq| Span { first: seq + 1, last: span.last });
            for (_, event) in &entries {
                self.tell_event(event, &telling.target, telling.batch.as_deref());
            }
        }
        match more {
            Some(_) => {
                telling.span = more;
                self.telling = Some(telling);
            }
            None => {
                if let Some(batch) = &telling.batch {
                    self.end_batch(batch);
                }
            }
        }
        Ok(true)
    }

    /// Writes one event of the past, as it looked when it happened; with the time in front of the text for those who
    /// know no other way to be told it.
    pub(super) fn tell_event(&mut self, event: &Event, room: &str, batch: Option<&str>) {
        let (host, caps) = (&self.ctx.info.name, self.caps());
        if event.is_redacted() {
            return;
        }
        let dated = !caps.contains(Cap::ServerTime);
        let bytes = match dated {
            false => encode::event(event, room, host, caps),
            true => encode::dated(event, room, host, caps),
        };
        let tags = batch.map(|reference| format!("batch={reference}")).unwrap_or_default();
        let whole = !dated && encode::is_batch(event, caps);
        lines(&tags, &bytes, whole).for_each(|(tags, line)| splice(&mut self.out, tags, line));
    }

    /// Begins an answer that is a batch as a whole, so that the label stands on it. Without batches: nothing.
    pub(super) fn begin_batch(&mut self, kind: &str, params: &[&str]) -> Option<String> {
        if !self.caps().contains(Cap::Batch) {
            return None;
        }
        let reference = self.batch_reference();
        let line = Line::new().source(&self.ctx.info.name).command("BATCH").param(&format!("+{reference}")).param(kind);
        let line = params.iter().fold(line, |line, param| line.param(param));
        let label = self.answer.label.take().map(|label| label_tag(&label)).unwrap_or_default();
        splice(&mut self.out, &label, line.as_str().as_bytes());
        self.answered = true;
        Some(reference)
    }

    /// What this client is shown of the past.
    fn shown(&self) -> Shown {
        let caps = self.caps();
        match caps.contains(Cap::EventPlayback) {
            true => {
                Shown::Kinds(Kind::ALL.into_iter().filter(|kind| encode::shows(*kind, caps, View::History)).collect())
            }
            false => Shown::Spoken,
        }
    }

    /// The conversation of this name, and how it is called; `None`: there is none that this account may know of.
    pub(super) async fn whose(&self, target: &str) -> Result<Option<(Whose, Arc<str>)>, StoreError> {
        if target.starts_with('#') {
            let room = self.find_room(target).filter(|room| room.snapshot().state.member(self.person.id).is_some());
            return Ok(room.map(|room| (Whose::Room(room.id), room.name())));
        }
        let Ok(name) = AccountName::parse(target) else { return Ok(None) };
        let id = match self.ctx.log.roster().by_key(name.key()) {
            Some(person) => Some(person.id),
            // One who is no longer here: what was said stays.
            None => self.ctx.log.readers().account(name.key().to_owned()).await?.map(|account| account.id),
        };
        // As it was asked for: clients look for the answer under the name they know.
        Ok(id.map(|id| (Whose::With(id), target.into())))
    }

    /// How many lines are wanted: as many as are given at most, if more.
    fn limit(&self, text: &str) -> Option<usize> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(usize::MAX).min(self.settings.page_lines))
    }

    fn unreadable(&self, error: &StoreError, command: &str, target: &str) -> Wrong {
        tracing::error!(account = %self.person.nick, %error, "the history cannot be read");
        Wrong {
            code: "MESSAGE_ERROR",
            context: vec![clean(command), clean(target)],
            text: "The messages could not be read; try again in a moment",
        }
    }
}

fn count(params: &[&str], wanted: usize) -> Result<(), &'static str> {
    match params.len() {
        given if given < wanted => Err("Insufficient parameters"),
        given if given > wanted => Err("Too many parameters"),
        _ => Ok(()),
    }
}

fn parse_mark(text: &str, command: &str, target: &str) -> Result<Mark, Wrong> {
    let invalid = |text| Wrong {
        code: "INVALID_PARAMS",
        context: vec![clean(command), clean(text)],
        text: "Not a message and not a time",
    };
    let (kind, value) = text.split_once('=').ok_or_else(|| invalid(text))?;
    match kind {
        "timestamp" => encode::moment(value).map(Mark::Time).ok_or_else(|| invalid(text)),
        "msgid" if value.is_empty() => Err(invalid(text)),
        // What cannot be an id of ours is a message that is not there.
        "msgid" => Ok(Mark::Event(EventId::from_msgid(value).unwrap_or(EventId(0)))),
        _ => Err(Wrong {
            code: "INVALID_MSGREFTYPE",
            context: vec![clean(command), clean(target), clean(text)],
            text: "Only msgid= and timestamp= are understood",
        }),
    }
}
