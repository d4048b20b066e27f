//! History for those who ask the service for it: the questions as people write them, the answers as plain lines with
//! the time (UTC) in front.

use crate::encode;
use crate::event::{Body, Event, EventId, Millis};
use crate::log::{Mark, Past, Shown, Wanted};

use super::super::Session;
use super::super::rooms::clean;
use super::{Asked, LINES_MAX};

/// Lines shown if nobody says how many.
const LINES: usize = 20;
/// Bytes of text in one answer, about; of more, the newest lines that fit are shown.
const BYTES_MAX: usize = 48 * 1024;

/// `#room|nick [count] [before <time or id>]`
#[derive(Debug, PartialEq, Eq)]
struct Question<'a> {
    target: &'a str,
    count: usize,
    before: Option<Mark>,
}

impl<'a> Question<'a> {
    /// The error is a sentence.
    fn parse(text: &'a str) -> Result<Question<'a>, String> {
        let mut words = text.split_whitespace().peekable();
        let target = words.next().ok_or("Of which room, or with whom?")?;
        let mut question = Question { target, count: LINES, before: None };
        if let Some(number) = words.next_if(|word| word.bytes().all(|byte| byte.is_ascii_digit())) {
            question.count = number.parse().unwrap_or(usize::MAX).clamp(1, LINES_MAX);
        }
        match words.next() {
            None => return Ok(question),
            Some(word) if word.eq_ignore_ascii_case("before") => {}
            Some(word) => return Err(format!("I do not understand \"{}\" there.", clean(word))),
        }
        let before = words.collect::<Vec<&str>>().join(" ");
        question.before = Some(mark(&before).ok_or("After \"before\" write a time like 2026-11-23 15:20, or an id.")?);
        Ok(question)
    }
}

impl Session {
    pub(super) async fn service_history(&mut self, rest: &str) {
        let question = match Question::parse(rest) {
            Ok(question) => question,
            Err(wrong) => return self.service_usage(&wrong, Asked::History),
        };
        let Ok(whose) = self.whose(question.target).await else { return self.service_trouble() };
        let hidden = || format!("There is no room or conversation {} that you can read.", clean(question.target));
        let Some((whose, name)) = whose else { return self.service_says(&hidden()) };
        let wanted = question.before.map_or(Wanted::Latest, Wanted::Before);
        let past = self.ctx.log.readers().past(self.person.id, whose, wanted, question.count, Shown::Spoken).await;
        let (room, span) = match past {
            Ok(Past::Page(room, Some(span))) => (room, span),
            Ok(Past::Page(_, None) | Past::Nothing) => {
                let before = if question.before.is_some() { " before that" } else { "" };
                return self.service_says(&format!("Nothing was said in {name}{before}."));
            }
            Ok(Past::NoSuchMessage) => return self.service_says(&format!("There is no line with that id in {name}.")),
            Ok(Past::Hidden) => return self.service_says(&hidden()),
            Err(_) => return self.service_trouble(),
        };
        let Ok(page) = self.ctx.log.readers().page(room, span, LINES_MAX, Shown::Spoken).await else {
            return self.service_trouble();
        };
        let found = page.len();
        let events: Vec<&Event> = page.iter().map(|(_, event)| event).collect();
        let events = that_fit(&events);
        for event in events {
            self.service_shows(event, None);
        }
        match events.first() {
            Some(first) if events.len() < found || found >= question.count => {
                let count = question.count;
                let id = first.id.msgid();
                self.service_says(&format!("{name}: for what was said before: history {name} {count} before {id}"));
            }
            _ => self.service_says(&format!("{name}: that is the beginning. All times are UTC.")),
        }
    }

    /// What somebody said, as one line or several; `at`: where, if that is not clear.
    pub(super) fn service_shows(&mut self, event: &Event, at: Option<&str>) {
        let Body::Said { text, .. } = &event.body else { return };
        let time = encode::stamp(event.time);
        let nick = event.actor.as_ref().map_or("*", |who| &who.nick);
        let at = at.map(|at| format!("{at} ")).unwrap_or_default();
        let text = match text.strip_prefix("\x01ACTION ") {
            Some(act) => format!("[{time}] {at}* {nick} {}", act.trim_end_matches('\x01')),
            None => format!("[{time}] {at}<{nick}> {}", text.trim_matches('\x01')),
        };
        for (number, line) in text.split('\n').filter(|line| !line.trim().is_empty()).enumerate() {
            match number {
                0 => self.service_says(line),
                _ => self.service_says(&format!("    {line}")),
            }
        }
    }
}

/// As many of the newest as an answer may hold; at least one.
pub(super) fn that_fit<'a, 'b>(events: &'a [&'b Event]) -> &'a [&'b Event] {
    let mut left = BYTES_MAX;
    let mut first = events.len();
    for event in events.iter().rev() {
        let Body::Said { text, .. } = &event.body else { continue };
        if text.len() > left && first < events.len() {
            break;
        }
        left = left.saturating_sub(text.len());
        first -= 1;
    }
    &events[first.min(events.len())..]
}

/// A time, or a message's id.
fn mark(text: &str) -> Option<Mark> {
    match text.contains('-') {
        true => moment(text).map(Mark::Time),
        false => EventId::from_msgid(&text.to_ascii_lowercase()).map(Mark::Event),
    }
}

/// A time as people write it, in UTC: `2026-11-23`, `2026-11-23 15:20`, `2026-11-23T15:20:06`.
pub(super) fn moment(text: &str) -> Option<Millis> {
    const MIDNIGHT: &str = "T00:00:00.000Z";
    let text = text.trim().trim_end_matches(['Z', 'z']).replacen([' ', 't'], "T", 1);
    // A day, to the minute, to the second, in full.
    let rest = [10, 16, 19, 23].contains(&text.len()).then(|| MIDNIGHT.get(text.len() - 10..))??;
    encode::moment(&format!("{text}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AccountId, Speech, Who};

    fn said(text: &str) -> Event {
        let actor = Some(Who { id: AccountId(1), nick: "anna".into() });
        let body = Body::Said {
            speech: Speech::Privmsg,
            to: None,
            text: text.into(),
            tags: "".into(),
            cuts: Default::default(),
        };
        Event { id: EventId(1), time: Millis(0), actor, body }
    }

    #[test]
    fn times_as_people_write_them() {
        let full = |text: &str| encode::moment(text).unwrap();
        for (text, meant) in [
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
            ("2026-11-23 15:20", "2026-11-23T15:20:00.000Z"),
            ("2026-11-23T15:20:06", "2026-11-23T15:20:06.000Z"),
            ("2026-11-23t15:20:06z", "2026-11-23T15:20:06.000Z"),
            ("2026-11-23T15:20:06.123Z", "2026-11-23T15:20:06.123Z"),
        ] {
            assert_eq!(moment(text), Some(full(meant)), "{text}");
        }
        for text in ["", "now", "2026", "2026-13-01", "2026-11-23 25:00", "äääää", "2026-11-23 15"] {
            assert_eq!(moment(text), None, "{text}");
        }
    }

    #[test]
    fn questions() {
        let parse = |text| Question::parse(text);
        let question = |target, count, before| Ok(Question { target, count, before });
        assert_eq!(parse("#lobby"), question("#lobby", LINES, None));
        assert_eq!(parse("bob 5"), question("bob", 5, None));
        assert_eq!(parse("bob 0"), question("bob", 1, None));
        assert_eq!(parse("bob 99999999999999999999999"), question("bob", LINES_MAX, None));
        assert_eq!(parse("#a 5 before z8"), question("#a", 5, Some(Mark::Event(EventId(1000)))));
        let time = Mark::Time(encode::moment("2026-11-23T15:20:00.000Z").unwrap());
        assert_eq!(parse("#a BEFORE 2026-11-23 15:20"), question("#a", LINES, Some(time)));
        for bad in ["", "#a five", "#a before", "#a 5 before you", "#a 5 after z8"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_is_bounded_and_never_empty() {
        let long = said(&"x".repeat(BYTES_MAX + 1));
        let short = said("y");
        assert_eq!(that_fit(&[&short, &long]).len(), 1);
        assert_eq!(that_fit(&[&long, &short, &short]).len(), 2);
        assert_eq!(that_fit(&[]).len(), 0);
    }
}
