//! What administrators ask the service about the acts of administrators, as they do by `chatd audit`.

use serde_json::{Value, json};

use crate::encode;
use crate::log::AuditQuery;

use super::super::Session;
use super::Asked;
use super::admin::PAGE;

/// Bytes of an act that is told in part.
const WHAT_MAX: usize = 100;

impl Session {
    /// The newest acts, or those before one.
    pub(super) async fn service_audit(&mut self, rest: &str) {
        let Some((words, to)) = self.asked_by_administrator(rest) else { return };
        let before = match &words[..] {
            [] => None,
            [word, id] if word.eq_ignore_ascii_case("after") => match id.parse() {
                Ok(id) => Some(id),
                Err(_) => return self.not_clear(Asked::Audit, to),
            },
            _ => return self.not_clear(Asked::Audit, to),
        };
        let query = AuditQuery { before, limit: PAGE + 1, ..AuditQuery::default() };
        let Ok(mut rows) = self.ctx.log.readers().audit(query).await else { return self.service_cannot_read(to) };
        let more = rows.len() > PAGE;
        if more {
            rows.remove(0);
        }
        for row in &rows {
            if to.json {
                let mut object = json!({
                    "id": row.id, "time": encode::iso(row.time), "who": row.who, "from": row.place, "what": row.what,
                    "done": row.done, "result": row.result,
                });
                // A program reads a line as one object; what is too long for one stands whole in `chatd audit`.
                let (begin, _) = encode::split(&row.what, WHAT_MAX);
                for (key, less) in [("result", Value::Null), ("what", begin.into()), ("what", "".into())] {
                    if !self.service_fits(&object) {
                        object[key] = less;
                    }
                }
                self.service_json(&object);
                continue;
            }
            let refused = if row.done { String::new() } else { format!(" (refused: {})", row.result) };
            let time = encode::stamp(row.time);
            self.service_says(&format!("{time} UTC {} from {}: {}{refused}", row.who, row.place, row.what));
        }
        // Older ones are behind the newest, here.
        let oldest = rows.first().filter(|_| more).map(|row| row.id.to_string());
        self.list_ended("audit", oldest, to);
    }
}
