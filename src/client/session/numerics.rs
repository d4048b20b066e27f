//! Answers that are numbers: what matters is taken in, the rest is told to the person.

use super::persons::WATCHING_MAX;
use super::{Frame, NAMES_MAX, ROOMS_MAX, Session};
use crate::client::heard::Heard;
use crate::client::text::{clean, key};
use crate::proto::line::Message;

impl Session {
    pub(super) fn numeric(&mut self, numeric: &str, message: &Message, frame: &Frame) {
        // The first parameter is our own name.
        let param = |at: usize| message.params.get(at).map(|text| clean(text)).unwrap_or_default();
        let rest = |from: usize| {
            let words: Vec<String> = message.params.iter().skip(from).map(|text| clean(text)).collect();
            words.join(" ")
        };
        match numeric {
            "005" => self.isupport(message),
            // Greetings, counts, ends of lists, "no message of the day", topic's author, creation time.
            "001" | "002" | "003" | "004" | "250" | "251" | "252" | "253" | "254" | "255" | "265" | "266" | "315"
            | "329" | "333" | "375" | "376" | "422" | "305" | "306" | "900" | "903" | "321" => {}
            "332" => self.heard.push_back(Heard::Topic { room: param(1), text: param(2) }),
            "331" => self.heard.push_back(Heard::Topic { room: param(1), text: String::new() }),
            "353" => {
                let room = key(&param(2));
                if self.names.len() < ROOMS_MAX {
                    let names = self.names.entry(room).or_default();
                    let more = message.params.get(3).copied().unwrap_or_default().split_ascii_whitespace();
                    let left = NAMES_MAX.saturating_sub(names.len());
                    names.extend(more.take(left).map(clean));
                }
            }
            "366" => {
                let room = param(1);
                let nicks = self.names.remove(&key(&room)).unwrap_or_default();
                if self.unread.remove(&key(&room)) {
                    self.fetch(&room, None, self.fetch);
                }
                self.heard.push_back(Heard::Names { room, nicks });
            }
            "372" => self.heard.push_back(Heard::Info(param(1))),
            "322" => {
                let members = param(2).parse().unwrap_or(0);
                self.heard.push_back(Heard::Listed { room: param(1), members, topic: rest(3) });
            }
            "323" => self.heard.push_back(Heard::AllListed),
            "324" => self.heard.push_back(Heard::Info(format!("{} has the modes {}", param(1), rest(2)))),
            "341" => self.heard.push_back(Heard::Info(format!("{} is invited to {}", param(1), param(2)))),
            "367" => {
                let by = if param(3).is_empty() { String::new() } else { format!(" (by {})", param(3)) };
                self.heard.push_back(Heard::Info(format!("kept out of {}: {}{by}", param(1), param(2))));
            }
            "368" => self.heard.push_back(Heard::Info(format!("these are all that are kept out of {}", param(1)))),
            // nick and room, then the realname behind the distance
            "352" => {
                let realname = param(7);
                let realname = realname.split_once(' ').map_or("", |(_, name)| name);
                self.heard.push_back(Heard::Info(format!("{}  {}  {realname}", param(5), param(1))));
            }
            _ if self.person(numeric, message) => {}
            _ if numeric.starts_with(['4', '5']) && self.query_refused(frame.label, &rest(2)) => {}
            _ if numeric.starts_with(['4', '5']) || matches!(numeric, "902" | "904" | "905" | "906") => {
                let about = (message.params.len() > 2).then(|| param(1));
                let why = if message.params.len() > 2 { param(message.params.len() - 1) } else { rest(1) };
                self.refused(frame.label, about, why, false);
            }
            _ => self.heard.push_back(Heard::Info(rest(1))),
        }
    }

    fn isupport(&mut self, message: &Message) {
        for word in message.params.iter().skip(1) {
            match word.split_once('=') {
                Some(("CHANTYPES", signs)) if !signs.is_empty() => self.room_signs = clean(signs),
                Some(("MONITOR", max)) => self.watching_max = max.parse().unwrap_or(WATCHING_MAX).min(WATCHING_MAX),
                Some(("BOT", mode)) if !mode.is_empty() => self.bot_mode = Some(clean(mode)),
                Some(("CHATHISTORY", max)) => {
                    // 0 means: as many as you like.
                    self.history_max = max.parse().ok().filter(|max| *max > 0).unwrap_or(100);
                }
                _ => {}
            }
        }
    }
}
