//! `chat bot`: a command is run for each message, and what it prints is said as the answer.
//!
//! Knows the dialer, the link and the outbox. Promises that a message reaches the command on its standard input and in
//! its environment alone, never in the words of a command line; that no bot is answered, nor our own account; and that
//! all that others can make grow is bounded.

mod work;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::dial::Dialer;
use super::fetch::come_back;
use super::heard::{Heard, Said, Speech};
use super::link::{Link, Lost};
use super::outbox::{News, Outbox};
use super::pipe::{PipeError, enter, next, settle};
use super::show::{json, rfc3339};
use super::text::{key, same};
pub use work::Groups;
use work::{Job, work};

/// Messages that wait for a command to end. When there are as many, further ones are passed over.
const WAITING_MAX: usize = 64;
/// Conversations whose answers are counted. When there are more, the counts begin anew.
const COUNTED_MAX: usize = 1024;
const MINUTE: Duration = Duration::from_secs(60);

/// What the bot is to do.
pub struct Plan {
    /// Rooms and people it listens to; none: all.
    pub targets: Vec<String>,
    /// Enter the rooms first, if need be.
    pub join: bool,
    pub exec: String,
    /// Only messages that begin with this word.
    pub on: Option<String>,
    /// Only messages that name us, and direct messages.
    pub mentions: bool,
    /// Hand over an object rather than the text.
    pub json: bool,
    pub timeout: Duration,
    pub at_once: usize,
    pub per_minute: usize,
}

/// Answers until something fails that no patience helps. `groups`: what runs, for whoever has to end it.
pub async fn bot(dialer: &Dialer, plan: &Plan, groups: &Groups, mut note: impl FnMut(&str)) -> Result<(), PipeError> {
    let mut desk =
        Desk { waiting: VecDeque::new(), running: JoinSet::new(), answers: VecDeque::new(), counts: HashMap::new() };
    let mut link = dialer.dial(|_| {}).await?;
    loop {
        let lost = match attend(&mut link, plan, groups, &mut desk, &mut note).await {
            Ok(()) => return Ok(()),
            Err(error @ (PipeError::Lost { .. } | PipeError::Closed(_))) => error,
            Err(error) => return Err(error),
        };
        // Closed before the pause: a server that stops waits for its clients' goodbyes.
        drop(link);
        link = come_back(dialer, &lost, &mut note).await?;
    }
}

/// What there is to do, over all connections.
struct Desk {
    waiting: VecDeque<Said>,
    running: JoinSet<Done>,
    answers: VecDeque<Answer>,
    /// When answers were begun in the last minute, by conversation.
    counts: HashMap<String, VecDeque<Instant>>,
}

struct Answer {
    target: String,
    text: String,
    reply_to: Option<String>,
}

/// The answer to a message, or why there is none.
type Done = (Said, Result<String, String>);

/// One connection's part.
async fn attend<S: AsyncRead + AsyncWrite>(
    link: &mut Link<S>,
    plan: &Plan,
    groups: &Groups,
    desk: &mut Desk,
    note: &mut impl FnMut(&str),
) -> Result<(), PipeError> {
    settle(link, |_| {}).await?;
    for target in &plan.targets {
        if plan.join {
            enter(link, target, |_| {}).await?;
        } else if link.session.is_room(target) && link.session.room(target).is_none() {
            return Err(PipeError::NotIn(target.clone()));
        }
    }
    link.session.mark_as_bot();
    let nick = link.session.nick().to_owned();
    note(&format!("listening as {nick}"));
    let mut outbox = Outbox::new();
    loop {
        while desk.running.len() < plan.at_once.max(1)
            && let Some(said) = desk.waiting.pop_front()
        {
            begin(said, plan, groups, &nick, desk);
        }
        if outbox.is_idle()
            && let Some(answer) = desk.answers.pop_front()
        {
            let reply_to = answer.reply_to.as_deref().filter(|_| link.session.has_replies());
            outbox.push_whole(&mut link.session, &answer.target, &answer.text, reply_to);
        }
        tokio::select! {
            heard = next(link) => {
                let heard = match heard {
                    Ok(heard) => heard,
                    Err(error) => {
                        if !outbox.is_idle() {
                            note("an answer was under way: it may be lost");
                        }
                        return Err(error);
                    }
                };
                if let News::Refused { why, .. } = outbox.hear(&heard, &mut link.session) {
                    note(&format!("an answer was refused: {why}"));
                }
                if let Heard::Said(said) = heard
                    && plan.concerns(&said, &nick)
                {
                    desk.take(said, plan, note);
                }
            }
            Some(done) = desk.running.join_next(), if !desk.running.is_empty() => match done {
                Ok((_, Ok(text))) if text.trim().is_empty() => {}
                Ok((said, Ok(text))) => {
                    desk.answers.push_back(Answer { target: said.with, text, reply_to: said.msgid });
                }
                Ok((said, Err(why))) => note(&format!("no answer to {} in {}: {why}", said.from, said.with)),
                Err(error) => note(&format!("no answer: {error}")),
            },
            waited = outbox.wait() => match waited {
                Ok(()) => outbox.pump(&mut link.session),
                Err(_) => return Err(PipeError::Lost { lost: Lost::Silent, unconfirmed: outbox.open() }),
            },
        }
    }
}

impl Plan {
    /// Whether this message is for the command. Bots mark their messages, and what is said as a notice wants no answer
    /// from a program: so no two bots talk to each other for ever.
    fn concerns(&self, said: &Said, nick: &str) -> bool {
        let for_us = !said.replayed && !said.own && !said.bot && said.speech != Speech::Notice && !said.with.is_empty();
        let here = self.targets.is_empty() || self.targets.iter().any(|target| same(target, &said.with));
        let direct = same(&said.with, &said.from);
        let asked = self.on.as_ref().is_none_or(|on| arguments(&said.text, on).is_some());
        let called = !self.mentions || direct || mentions(&said.text, nick);
        for_us && here && asked && called
    }
}

impl Desk {
    fn take(&mut self, said: Said, plan: &Plan, note: &mut impl FnMut(&str)) {
        if self.waiting.len() >= WAITING_MAX {
            note(&format!("too many messages wait: one of {} is passed over", said.from));
            return;
        }
        if self.counts.len() >= COUNTED_MAX {
            self.counts.clear();
        }
        let now = Instant::now();
        let count = self.counts.entry(key(&said.with)).or_default();
        count.retain(|begun| now.duration_since(*begun) < MINUTE);
        if count.len() >= plan.per_minute {
            note(&format!(
                "more than {} messages a minute in {}: one of {} is passed over (--per-minute)",
                plan.per_minute, said.with, said.from
            ));
            return;
        }
        count.push_back(now);
        self.waiting.push_back(said);
    }
}

fn begin(said: Said, plan: &Plan, groups: &Groups, nick: &str, desk: &mut Desk) {
    let direct = same(&said.with, &said.from);
    let args = plan.on.as_ref().and_then(|on| arguments(&said.text, on)).unwrap_or(&said.text);
    let variables = [
        ("CHAT_TEXT", said.text.clone()),
        ("CHAT_ARGS", args.to_owned()),
        ("CHAT_FROM", said.from.clone()),
        ("CHAT_ROOM", said.with.clone()),
        ("CHAT_DIRECT", u8::from(direct).to_string()),
        ("CHAT_MSGID", said.msgid.clone().unwrap_or_default()),
        ("CHAT_REPLY_TO", said.reply_to.clone().unwrap_or_default()),
        ("CHAT_TIME", rfc3339(said.at)),
        ("CHAT_NICK", nick.to_owned()),
    ];
    let input = format!("{}\n", if plan.json { json(&said) } else { said.text.clone() });
    let job = Job { exec: plan.exec.clone(), variables: variables.into(), input, timeout: plan.timeout };
    let groups = groups.clone();
    desk.running.spawn_blocking(move || (said, work(job, &groups)));
}

/// What stands behind the word `on` at the beginning of a text; `None`: the text does not begin with it.
fn arguments<'a>(text: &'a str, on: &str) -> Option<&'a str> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    same(word, on).then_some(rest.trim_start())
}

/// Whether a text names somebody: the name as a word of its own.
fn mentions(text: &str, nick: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    text.split(|c: char| !is_name(c)).any(|word| same(word, nick))
        || (nick.contains(|c| !is_name(c)) && key(text).contains(&key(nick)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Millis;

    fn said(with: &str, from: &str, text: &str) -> Said {
        Said {
            with: with.into(),
            from: from.into(),
            own: from == "robo",
            speech: Speech::Message,
            text: text.into(),
            at: Millis(0),
            msgid: None,
            reply_to: None,
            bot: false,
            replayed: false,
            ticket: None,
        }
    }

    fn plan() -> Plan {
        Plan {
            targets: vec!["#ops".into(), "bob".into()],
            join: false,
            exec: String::new(),
            on: None,
            mentions: false,
            json: false,
            timeout: MINUTE,
            at_once: 1,
            per_minute: 3,
        }
    }

    #[test]
    fn whom_a_bot_answers() {
        let plan = plan();
        let hello = said("#OPS", "bob", "hello");
        assert!(plan.concerns(&hello, "robo"));
        assert!(plan.concerns(&said("bob", "bob", "hello"), "robo"));
        assert!(!plan.concerns(&said("#other", "bob", "hello"), "robo"));
        assert!(!plan.concerns(&said("#ops", "robo", "hello"), "robo"), "itself on another device");
        assert!(!plan.concerns(&Said { bot: true, ..hello.clone() }, "robo"));
        assert!(!plan.concerns(&Said { speech: Speech::Notice, ..hello.clone() }, "robo"));
        assert!(!plan.concerns(&Said { replayed: true, ..hello }, "robo"));
        let plan = Plan { mentions: true, on: Some("!Do".into()), ..plan };
        assert!(plan.concerns(&said("bob", "bob", "!do"), "robo"));
        assert!(plan.concerns(&said("#ops", "bob", "!do it, ROBO!"), "robo"));
        assert!(!plan.concerns(&said("#ops", "bob", "!do robots"), "robo"));
        assert!(!plan.concerns(&said("#ops", "bob", "!dont robo"), "robo"));
    }

    #[test]
    fn arguments_stand_behind_the_word() {
        assert_eq!(arguments("!do  this  now", "!do"), Some("this  now"));
        assert_eq!(arguments("!do", "!do"), Some(""));
        assert_eq!(arguments("!done", "!do"), None);
    }

    #[tokio::test]
    async fn a_desk_has_room_for_so_much() {
        let mut desk = Desk {
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            answers: VecDeque::new(),
            counts: HashMap::new(),
        };
        let mut notes = 0;
        for _ in 0..5 {
            desk.take(said("#ops", "bob", "x"), &plan(), &mut |_| notes += 1);
        }
        assert_eq!((desk.waiting.len(), notes), (3, 2), "so many a minute");
        for n in 0..100 {
            desk.take(said(&format!("#{n}"), "bob", "x"), &plan(), &mut |_| notes += 1);
        }
        assert_eq!(desk.waiting.len(), WAITING_MAX);
    }
}
