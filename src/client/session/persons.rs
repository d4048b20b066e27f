//! Persons: who somebody is (WHOIS), and whether those we talk with are here (MONITOR).

use std::time::Duration;

use super::Session;
use crate::client::heard::Heard;
use crate::client::text::{clean, key};
use crate::proto::line::Message;

/// Persons that are watched at a time; of others it is not known whether they are here.
pub(super) const WATCHING_MAX: usize = 100;
/// Lines that are kept of one answer about a person.
const WHOIS_MAX: usize = 100;

impl Session {
    /// From now on says whether this person is here, where the server can.
    pub fn watch(&mut self, name: &str) {
        if self.watched.len() < self.watching_max && self.watched.insert(key(name)) {
            self.command("MONITOR", &["+", name]);
        }
    }

    /// Takes in an answer about a person. False: it was none.
    pub(super) fn person(&mut self, numeric: &str, message: &Message) -> bool {
        // The first parameter is our own name, the second who it is about.
        let param = |at: usize| message.params.get(at).map(|text| clean(text)).unwrap_or_default();
        let who = param(1);
        let told = match numeric {
            "730" | "731" => {
                for name in param(1).split(',').filter(|name| !name.is_empty()) {
                    let who = name.split('!').next().unwrap_or(name).to_owned();
                    self.heard.push_back(Heard::Here { who, here: numeric == "730" });
                }
                return true;
            }
            "732" | "733" => return true,
            "734" => {
                self.watching_max = self.watched.len();
                return true;
            }
            "301" => {
                let away = param(2);
                // What a server says of the absent reads as a sentence; what they left themselves does not.
                let text =
                    if away.starts_with("is ") { format!("{who} {away}") } else { format!("{who} is away: {away}") };
                if self.whois.is_empty() {
                    self.heard.push_back(Heard::Away { who, why: away, text });
                    return true;
                }
                text
            }
            "311" | "314" => {
                let realname = param(5);
                let known_as =
                    if realname.is_empty() || realname == who { String::new() } else { format!(": {realname}") };
                format!("{who} ({}@{}){known_as}", param(2), param(3))
            }
            "319" => format!("{who} is in {}", param(2).trim_end()),
            "317" => {
                let idle = param(2).parse().map_or(Duration::ZERO, Duration::from_secs);
                match idle.as_secs() {
                    0..60 => format!("{who} has just said something"),
                    seconds => {
                        let rounded = Duration::from_secs(seconds - seconds % 60);
                        format!("{who} has been silent for {}", humantime::format_duration(rounded))
                    }
                }
            }
            "313" | "320" | "335" | "276" | "378" | "379" => format!("{who} {}", param(2)),
            "338" => {
                format!("{who} {}", message.params.iter().skip(2).map(|text| clean(text)).collect::<Vec<_>>().join(" "))
            }
            "330" if key(&param(2)) == key(&who) => return true,
            "330" => format!("{who} is logged in as {}", param(2)),
            // Where, and that it is over TLS: says little on a server that lets nobody in without.
            "312" | "671" | "307" => return true,
            "318" | "369" => {
                let lines = std::mem::take(&mut self.whois);
                if !lines.is_empty() {
                    self.heard.push_back(Heard::Person { who, lines });
                }
                return true;
            }
            _ => return false,
        };
        if self.whois.len() < WHOIS_MAX {
            self.whois.push(told);
        }
        true
    }
}
