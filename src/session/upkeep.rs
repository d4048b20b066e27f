//! The protocol's own upkeep: PING and PONG, QUIT, CAP after registration, and whether the peer is still there.

use std::time::{Duration, Instant};

use crate::proto::caps::{Cap, pack};
use crate::proto::line::{BODY_MAX, Line, Message};
use crate::proto::numerics::*;

use super::reply::{label_tag, splice};
use super::{Fence, Session, Settings};

impl Session {
    /// PONG is a fence: before it is written, all that was committed in this session's rooms before the PING came.
    pub(super) async fn ping(&mut self, message: &Message<'_>) {
        self.ctx.log.catch_up().await;
        let token = message.params[0].to_owned();
        let goal = self.ctx.log.watermark();
        self.fence = Some(Box::new(Fence { goal, token, label: self.answer.label.take() }));
        self.answered = true;
    }

    pub(super) fn pong(&mut self, fence: Fence) {
        let host = &self.ctx.info.name;
        let line = Line::new().source(host).command("PONG").param(host).last(&fence.token);
        let tags = fence.label.filter(|_| self.caps().contains(Cap::LabeledResponse)).map(|label| label_tag(&label));
        splice(&mut self.out, &tags.unwrap_or_default(), line.as_str().as_bytes());
    }

    pub(super) fn quit(&mut self, message: &Message<'_>) {
        let words = message.param(0).filter(|_| self.mute().is_none());
        let reason = words.map_or_else(|| "Quit".to_owned(), |text| format!("Quit: {}", super::rooms::cut(text)));
        self.ending = Some(reason.into());
        self.presence.place.orderly = true;
    }

    pub(super) fn cap(&mut self, message: &Message<'_>) {
        let (host, nick) = (self.ctx.info.name.clone(), self.person.nick.clone());
        let heard = self.hears_metadata();
        match cap_reply(&mut self.negotiation, message, &host, &nick) {
            Some(lines) => lines.into_iter().for_each(|line| self.say(line)),
            None => self.numeric(ERR_INVALIDCAPCMD, &[&super::rooms::clean(message.params[0])], "Invalid CAP command"),
        }
        self.metadata_caps_changed(heard);
        self.mailbox.set_extended(self.caps().contains(Cap::ExtendedMonitor));
    }

    /// More messages than the rate for longer than they may be held back.
    pub(super) fn too_fast(&mut self, message: &Message<'_>) {
        let target = message.param(0).map_or_else(|| "*".to_owned(), super::rooms::clean);
        let command = message.command.to_ascii_uppercase();
        // A message of several lines is refused as a whole, under the label it came with.
        let whole = if command == "BATCH" { self.open.take() } else { None };
        let text = "You are sending too fast; this message was not sent";
        self.answer.label = whole.and_then(|open| open.into_label()).or_else(|| self.label_of(&message.tags));
        if self.caps().contains(Cap::StandardReplies) || !target.starts_with('#') {
            self.fail_own(&command, "RATE_LIMITED", &[&target], text);
        } else {
            self.numeric(ERR_CANNOTSENDTOCHAN, &[&target], text);
        }
        self.finish_answer();
    }
}

/// The answer to a CAP command; `None` if there is no such subcommand.
pub(super) fn cap_reply(
    negotiation: &mut crate::proto::caps::Negotiation,
    message: &Message<'_>,
    host: &str,
    nick: &str,
) -> Option<Vec<Line>> {
    let head = |word: &str| Line::new().source(host).command("CAP").param(nick).param(word);
    let list = |word: &str, texts: Vec<String>| {
        let last = texts.len().saturating_sub(1);
        let line = |(at, text): (usize, String)| {
            let line = head(word);
            if at < last { line.param("*").last(&text) } else { line.last(&text) }
        };
        texts.into_iter().enumerate().map(line).collect::<Vec<Line>>()
    };
    // What is left of a line; the longest head is that of `LIST`, with the star of a list that goes on.
    let room = BODY_MAX.saturating_sub(head("LIST").param("*").as_str().len() + " :\r\n".len());
    let argument = message.params.get(1).copied().unwrap_or_default();
    match message.params.first()?.to_ascii_uppercase().as_str() {
        "LS" => {
            let texts = negotiation.ls(message.param(1), room);
            Some(list("LS", texts))
        }
        "LIST" => Some(list("LIST", negotiation.list(room))),
        "REQ" => {
            if negotiation.request(argument) {
                // Word for word, in several lines if it must be: a client counts on what is acknowledged.
                let whole = argument.len() <= room;
                let texts = if whole { vec![argument.to_owned()] } else { pack(argument.split(' '), room) };
                return Some(texts.iter().map(|text| head("ACK").last(text)).collect());
            }
            // A refusal may be cut, by the specification.
            Some(vec![head("NAK").last(argument)])
        }
        "END" => Some(Vec::new()),
        _ => None,
    }
}

/// Whether the peer lives: it speaks, or it answers PING, or it takes what it is sent. First what each delivery looks at.
#[repr(C)]
pub(super) struct Pulse {
    next_check: Instant,
    /// What the timer is set to: the next check, or something before it.
    wakes_at: Instant,
    /// Since when the peer has taken nothing of what waits for it.
    stuck: Option<Instant>,
    pinged: Option<Instant>,
    heard: Instant,
    ping_interval: Duration,
    ping_timeout: Duration,
    write_deadline: Duration,
}

pub(super) enum Check {
    Fine,
    Ping,
    Dead(&'static str),
}

impl Pulse {
    pub fn new(settings: &Settings) -> Pulse {
        let now = Instant::now();
        let mut pulse = Pulse {
            ping_interval: settings.ping_interval,
            ping_timeout: settings.ping_timeout,
            write_deadline: settings.write_deadline,
            heard: now,
            pinged: None,
            stuck: None,
            next_check: now,
            wakes_at: now,
        };
        pulse.schedule(now);
        pulse.wakes_at = pulse.next_check;
        pulse
    }

    pub fn wakes_at(&self) -> Instant {
        self.wakes_at
    }

    /// What the timer must be set to, if that has changed: the next check, or the first of these moments.
    pub fn wakes_before(&mut self, others: [Option<Instant>; 2]) -> Option<Instant> {
        let next = others.into_iter().flatten().fold(self.next_check, Instant::min);
        if next == self.wakes_at {
            return None;
        }
        self.wakes_at = next;
        Some(next)
    }

    pub fn heard(&mut self) {
        self.heard = Instant::now();
        self.pinged = None;
    }

    /// The peer took something. Whoever takes slowly answers slowly: the time for its PONG starts anew.
    pub fn moved(&mut self) {
        self.stuck = None;
        if let Some(pinged) = &mut self.pinged {
            *pinged = Instant::now();
        }
    }

    /// `busy`: something waits to be taken by the peer.
    pub fn check(&mut self, busy: bool) -> Check {
        let now = Instant::now();
        if now < self.next_check {
            return Check::Fine;
        }
        self.schedule(now);
        if busy {
            let stuck = *self.stuck.get_or_insert(now);
            let dead = now.duration_since(stuck) >= self.write_deadline;
            return if dead { Check::Dead("Nothing was read for too long") } else { Check::Fine };
        }
        self.stuck = None;
        match self.pinged {
            Some(at) if now.duration_since(at) >= self.ping_timeout => Check::Dead("Ping timeout"),
            Some(_) => Check::Fine,
            None if now.duration_since(self.heard) >= self.ping_interval => {
                self.pinged = Some(now);
                Check::Ping
            }
            None => Check::Fine,
        }
    }

    /// Often enough that no deadline is missed by more than a quarter of itself.
    fn schedule(&mut self, now: Instant) {
        let shortest = self.ping_interval.min(self.ping_timeout).min(self.write_deadline);
        self.next_check = now + (shortest / 4).clamp(Duration::from_millis(50), Duration::from_secs(15));
    }
}
