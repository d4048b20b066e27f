//! What administrators ask the service about bans and mutes, as they do by `chatd ban` and `chatd user mute`.

use serde_json::json;

use crate::encode;
use crate::event::Millis;
use crate::log::Order;

use super::super::Session;
use super::Asked;
use super::admin::{Answer, PAGE};

impl Session {
    pub(super) async fn service_bans(&mut self, rest: &str) {
        let Some((words, to)) = self.asked_by_administrator(rest) else { return };
        let word = words.first().map(|word| word.to_ascii_lowercase());
        match (word.as_deref(), &words[..]) {
            (None, _) => self.list_bans(0, to).await,
            (Some("after"), [_, count]) => match count.parse() {
                Ok(after) => self.list_bans(after, to).await,
                Err(_) => self.not_clear(Asked::Bans, to),
            },
            (Some("add"), [_, kind, name, term @ ..]) if is_kind(kind) => self.ban_with(kind, name, term, to).await,
            (Some("remove"), [_, kind, name]) if is_kind(kind) => {
                let order = Order::RemoveBan { kind: kind.to_ascii_lowercase(), name: (*name).to_owned() };
                self.administer(order, &format!("{name} is no longer banned."), to).await;
            }
            _ => self.not_clear(Asked::Bans, to),
        }
    }

    /// `term`: `for`, a length of time, and the reason; each may be missing.
    pub(super) async fn ban_with(&mut self, kind: &str, name: &str, term: &[&str], to: Answer) {
        let (span, reason) = match term {
            [word, span, reason @ ..] if word.eq_ignore_ascii_case("for") => (Some(*span), reason),
            reason => (None, reason),
        };
        let span = span.map(|span| humantime::parse_duration(span).ok().filter(|span| !span.is_zero()));
        let expires = match span {
            None => None,
            Some(Some(span)) => {
                let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                Some((self.ctx.clock)().0.saturating_add(span))
            }
            Some(None) => {
                return self.service_outcome(to.json, false, "That is no length of time; write for example: for 2d");
            }
        };
        let kind = kind.to_ascii_lowercase();
        let done = if kind == "mute" { format!("{name} is muted.") } else { format!("{name} is banned.") };
        let order = Order::AddBan { kind, name: name.to_owned(), reason: reason.join(" "), expires };
        self.administer(order, &done, to).await;
    }

    async fn list_bans(&mut self, after: usize, to: Answer) {
        let Ok(mut rows) = self.ctx.log.readers().bans().await else { return self.service_cannot_read(to) };
        let now: Millis = (self.ctx.clock)();
        rows.retain(|row| row.holds(now));
        let more = rows.len() > after.saturating_add(PAGE);
        for row in rows.iter().skip(after).take(PAGE) {
            if to.json {
                let expires = row.expires.map(encode::iso);
                self.service_json(&json!({
                    "kind": row.kind.word(), "value": *row.shown, "created": encode::iso(row.created),
                    "expires": expires, "reason": *row.reason,
                }));
                continue;
            }
            let until = row.expires.map_or(String::new(), |time| format!(", until {} UTC", encode::stamp(time)));
            let reason = if row.reason.is_empty() { String::new() } else { format!(": {}", row.reason) };
            self.service_says(&format!("{} {}{until}{reason}", row.kind.word(), row.shown));
        }
        self.list_ended("bans", more.then(|| (after + PAGE).to_string()), to);
    }
}

fn is_kind(word: &str) -> bool {
    ["account", "address", "cidr"].iter().any(|kind| kind.eq_ignore_ascii_case(word))
}
