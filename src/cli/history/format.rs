//! How an entry of a room's log is printed: for people, for programs, as a page.

use std::io::{self, Write};

use clap::ValueEnum;
use serde::Serialize;
use time::UtcOffset;

use crate::cli::text;
use crate::event::{Body, Event, Seq, Speech};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for people, in local time
    Text,
    /// One object a line: room, seq, msgid, time, from, kind, text
    Json,
    /// The same columns with a header line, for spreadsheets
    Csv,
    /// A page that stands by itself
    Html,
}

/// Prints entries of one room in one format, one after the other.
pub struct Printer<W: Write> {
    out: W,
    format: Format,
    room: String,
    zone: UtcOffset,
}

/// The contract with programs: these keys, in this order.
#[derive(Serialize)]
struct Row<'a> {
    room: &'a str,
    seq: Seq,
    msgid: String,
    time: String,
    from: Option<&'a str>,
    kind: &'static str,
    text: &'a str,
}

const COLUMNS: &str = "room,seq,msgid,time,from,kind,text";

impl<W: Write> Printer<W> {
    pub fn start(mut out: W, format: Format, room: &str, zone: UtcOffset) -> io::Result<Self> {
        match format {
            Format::Text | Format::Json => {}
            Format::Csv => write!(out, "{COLUMNS}\r\n")?,
            Format::Html => page_head(&mut out, room)?,
        }
        Ok(Printer { out, format, room: room.to_owned(), zone })
    }

    pub fn print(&mut self, seq: Seq, event: &Event) -> io::Result<()> {
        let content = content(event);
        let row = || Row {
            room: &self.room,
            seq,
            msgid: event.id.msgid().to_string(),
            time: text::rfc3339(event.time),
            from: event.actor.as_ref().map(|who| &*who.nick),
            kind: event.kind().word(),
            text: &content,
        };
        match self.format {
            Format::Json => writeln!(self.out, "{}", serde_json::to_string(&row())?),
            Format::Csv => {
                let row = row();
                let seq = row.seq.to_string();
                let fields = [row.room, &seq, &row.msgid, &row.time, row.from.unwrap_or_default(), row.kind, row.text];
                write!(self.out, "{}\r\n", fields.map(csv_field).join(","))
            }
            Format::Text => {
                let sentence = sentence(event);
                let mut lines = sentence.split('\n').map(text::clean);
                let first = lines.next().unwrap_or_default();
                writeln!(self.out, "{}  {first}", text::local(event.time, self.zone))?;
                lines.try_for_each(|line| writeln!(self.out, "    {line}"))
            }
            Format::Html => {
                let said = event.kind().is_spoken();
                let (class, line) = (if said { "said" } else { "event" }, lines_of_html(&sentence(event)));
                let (exact, local) = (text::rfc3339(event.time), text::local(event.time, self.zone));
                let id = event.id.msgid();
                writeln!(
                    self.out,
                    "<p class=\"{class}\" id=\"m-{id}\"><time datetime=\"{exact}\">{local}</time> {line}</p>"
                )
            }
        }
    }

    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    pub fn finish(mut self) -> io::Result<()> {
        if self.format == Format::Html {
            self.out.write_all(b"</main>\n</body>\n</html>\n")?;
        }
        self.out.flush()
    }
}

/// What was said or written, bare; whom or what it was done to first.
pub fn content(event: &Event) -> String {
    let with = |first: &str, then: &str| match (first.is_empty(), then.is_empty()) {
        (_, true) => first.to_owned(),
        (true, _) => then.to_owned(),
        _ => format!("{first} {then}"),
    };
    match &event.body {
        Body::Said { speech: Speech::Tagmsg, tags, .. } => tags.to_string(),
        Body::Said { text, .. } | Body::Topic { text } => text.to_string(),
        Body::Join { .. } | Body::Reset => String::new(),
        Body::Part { reason } | Body::Quit { reason } => reason.to_string(),
        Body::Kick { target, reason } => with(&target.nick, reason),
        Body::Invite { target } => target.nick.to_string(),
        Body::Mode { changes } => changes.to_string(),
        Body::Redacted { target, reason, .. } => with(&target.msgid().to_string(), reason),
        Body::Created { modes } => modes.to_string(),
        Body::Renamed { old, new, reason } => with(&format!("{old} {new}"), reason),
    }
}

/// The entry as a person would tell it.
fn sentence(event: &Event) -> String {
    let who = event.actor.as_ref().map_or("the server", |who| &who.nick);
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    match &event.body {
        Body::Said { .. } if event.is_redacted() => format!("<{who}> (taken back)"),
        Body::Said { speech: Speech::Tagmsg, tags, .. } => format!("* {who} marked a message: {tags}"),
        Body::Said { speech, text, .. } => {
            let action = text.strip_prefix("\u{1}ACTION ").map(|text| text.strip_suffix('\u{1}').unwrap_or(text));
            match (action, speech) {
                (Some(action), _) => format!("* {who} {action}"),
                (None, Speech::Notice) => format!("-{who}- {text}"),
                (None, _) => format!("<{who}> {text}"),
            }
        }
        Body::Join { .. } => format!("* {who} came in"),
        Body::Part { reason } => format!("* {who} left{}", because(reason)),
        Body::Quit { reason } => format!("* {who} went offline{}", because(reason)),
        Body::Kick { target, reason } => format!("* {who} put {} out{}", target.nick, because(reason)),
        Body::Topic { text } if text.is_empty() => format!("* {who} took the topic away"),
        Body::Topic { text } => format!("* {who} set the topic: {text}"),
        Body::Mode { changes } => format!("* {who} set the modes {changes}"),
        Body::Invite { target } => format!("* {who} invited {}", target.nick),
        Body::Redacted { target, reason, .. } => {
            format!("* {who} took back message {}{}", target.msgid(), because(reason))
        }
        Body::Created { modes } => format!("* {who} made the room ({modes})"),
        Body::Renamed { old, new, reason } => format!("* {who} renamed the room {old} to {new}{}", because(reason)),
        Body::Reset => "* the server came back after a crash".to_owned(),
    }
}

/// RFC 4180.
fn csv_field(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn lines_of_html(text: &str) -> String {
    text.split('\n').map(|line| html(&text::clean(line))).collect::<Vec<_>>().join("<br>")
}

fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn page_head(out: &mut impl Write, room: &str) -> io::Result<()> {
    let room = html(&text::clean(room));
    // Nothing may be loaded and nothing may run: the page shows what others wrote.
    write!(
        out,
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{room}</title>\n<style>\n\
         body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; \
         color-scheme: light dark }}\n\
         p {{ margin: .2rem 0; overflow-wrap: anywhere; unicode-bidi: isolate }}\n\
         time {{ opacity: .6; font-size: .8em; margin-right: .5em }}\n.event {{ opacity: .7 }}\n\
         </style>\n</head>\n<body>\n<h1>{room}</h1>\n<main>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{AccountId, EventId, Millis, Who};

    fn event(body: Body) -> Event {
        let actor = Some(Who { id: AccountId(1), nick: "alice".into() });
        Event { id: EventId(33), time: Millis(1_795_446_245_007), actor, body }
    }

    fn said(text: &str) -> Event {
        event(Body::Said {
            speech: Speech::Privmsg,
            to: None,
            text: text.into(),
            tags: "".into(),
            cuts: Default::default(),
        })
    }

    fn printed(format: Format, events: &[Event]) -> String {
        let mut out = Vec::new();
        let mut printer = Printer::start(&mut out, format, "#lobby", UtcOffset::UTC).unwrap();
        for (seq, event) in (1..).zip(events) {
            printer.print(seq, event).unwrap();
        }
        printer.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_has_the_promised_keys_and_the_text_as_it_was() {
        assert_eq!(
            printed(Format::Json, &[said("hi \"you\" \u{1b}[0m 你好")]),
            "{\"room\":\"#lobby\",\"seq\":1,\"msgid\":\"11\",\"time\":\"2026-11-23T15:04:05.007Z\",\"from\":\"alice\",\
             \"kind\":\"message\",\"text\":\"hi \\\"you\\\" \\u001b[0m 你好\"}\n"
        );
        let reset = Event { actor: None, ..event(Body::Reset) };
        assert!(printed(Format::Json, &[reset]).contains("\"from\":null,\"kind\":\"reset\",\"text\":\"\""));
    }

    #[test]
    fn text_is_for_people_and_safe() {
        let bob = Who { id: AccountId(2), nick: "bob".into() };
        let text = printed(
            Format::Text,
            &[
                said("hi \u{1b}[31mred"),
                said("\u{1}ACTION waves\u{1}"),
                said(""),
                said("one\ntwo"),
                event(Body::Said {
                    speech: Speech::Notice,
                    to: None,
                    text: "note".into(),
                    tags: "".into(),
                    cuts: Default::default(),
                }),
                event(Body::Kick { target: bob, reason: "spam".into() }),
                event(Body::Quit { reason: "".into() }),
            ],
        );
        let lines = text.lines().map(|line| line.strip_prefix("2026-11-23 15:04:05  ").unwrap_or(line));
        let lines: Vec<&str> = lines.collect();
        assert_eq!(
            lines,
            [
                "<alice> hi [31mred",
                "* alice waves",
                "<alice> (taken back)",
                "<alice> one",
                "    two",
                "-alice- note",
                "* alice put bob out (spam)",
                "* alice went offline"
            ]
        );
    }

    #[test]
    fn csv_quotes_what_it_must() {
        let text = printed(Format::Csv, &[said("a, \"b\""), said("plain")]);
        assert_eq!(
            text,
            "room,seq,msgid,time,from,kind,text\r\n\
             #lobby,1,11,2026-11-23T15:04:05.007Z,alice,message,\"a, \"\"b\"\"\"\r\n\
             #lobby,2,11,2026-11-23T15:04:05.007Z,alice,message,plain\r\n"
        );
    }

    #[test]
    fn html_runs_nothing() {
        let page = printed(Format::Html, &[said("<script>alert('1')</script> & \"q\"")]);
        assert!(page.contains("&lt;alice&gt; &lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; &quot;q&quot;"));
        assert!(!page.contains("<script"));
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    }
}
