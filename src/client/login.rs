//! The way in: capability negotiation and SASL (PLAIN, or EXTERNAL with a certificate), as a machine that is fed messages and says what to send.
//!
//! Pure. Knows the grammar of a line; promises that the password leaves it only once: inside AUTHENTICATE, after the
//! server has taken up SASL, or as PASS to a server that does not know SASL at all.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::heard::LoginError;
use super::session::multiline::MULTILINE;
use super::text::clean;
use crate::proto::line::{Line, Message};

/// What makes the client a better one, if the server has it. `sasl` is asked for apart: without it there is no login.
const WANTED: [&str; 17] = [
    "account-tag",
    "away-notify",
    "batch",
    "cap-notify",
    PASSIVE,
    HISTORY,
    "echo-message",
    "extended-join",
    "invite-notify",
    "labeled-response",
    "message-tags",
    "multi-prefix",
    MULTILINE,
    "server-time",
    "setname",
    SEARCH,
    "standard-replies",
];

/// What a screen can show beside that.
const WANTED_ON_SCREEN: [&str; 4] = [EVENTS, "extended-monitor", MARKERS, REDACTION];

/// For scripts: what they are sent does not count as seen, so that their account's person is told of it all the same.
pub const PASSIVE: &str = "chatd/passive";

/// Pages of the past hold what happened, too, and not only what was said.
pub const EVENTS: &str = "draft/event-playback";
pub const HISTORY: &str = "draft/chathistory";
pub const SEARCH: &str = "soju.im/search";
pub const MARKERS: &str = "draft/read-marker";
pub const REDACTION: &str = "draft/message-redaction";

/// What the connection is for, which decides what is asked of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reads for one purpose and shows nobody the rest.
    Script,
    /// Shows line after line as they come.
    Lines,
    /// Fetches what it shows.
    Screen,
}

/// Bytes of base64 in one AUTHENTICATE line.
const SASL_CHUNK: usize = 400;

/// What shows that it is us.
#[derive(Clone)]
pub enum Proof {
    Password(Zeroizing<String>),
    /// The client certificate of the connection.
    Certificate,
}

/// Who logs in. Printing it shows no password.
#[derive(Clone)]
pub struct Credentials {
    pub user: String,
    pub proof: Proof,
    /// A script that shows nobody the messages that wait for its account.
    pub passive: bool,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The capabilities the server has switched on for us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caps {
    on: Vec<&'static str>,
    /// What was said with the offer: `max-bytes=16384,max-lines=100`.
    values: BTreeMap<&'static str, String>,
    /// What only a chatd has was offered, whether we wanted it or not.
    chatd: bool,
}

impl Caps {
    /// Whether the server is chatd, or at least offers what chatd does.
    pub fn of_chatd(&self) -> bool {
        self.chatd
    }

    pub fn has(&self, name: &str) -> bool {
        self.on.contains(&name)
    }

    /// What the server said of a capability when it offered it; empty: nothing.
    pub fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Keeps what is said of the capabilities that are offered (`name=value`), as far as we want them.
    pub fn offered(&mut self, list: &str) {
        self.chatd |= list.split_ascii_whitespace().any(|cap| cap_name(cap) == PASSIVE);
        for (name, value) in list.split_ascii_whitespace().filter_map(|cap| cap.split_once('=')) {
            if let Some(known) = WANTED.iter().find(|wanted| **wanted == name) {
                self.values.insert(known, value.to_owned());
            }
        }
    }

    /// Capabilities we never asked for are not taken up.
    pub fn change(&mut self, list: &str) {
        for name in list.split_ascii_whitespace() {
            let (name, on) = match name.strip_prefix('-') {
                Some(name) => (name, false),
                None => (name, true),
            };
            self.on.retain(|known| *known != name);
            let mut wanted = WANTED.iter().chain(&WANTED_ON_SCREEN);
            if let (true, Some(known)) = (on, wanted.find(|wanted| **wanted == name)) {
                self.on.push(known);
            }
        }
    }
}

/// The wanted ones among what is offered (`name` or `name=value`, separated by blanks).
pub fn wanted_of(offered: &str, mode: Mode) -> Vec<&'static str> {
    let names: Vec<&str> = offered.split_ascii_whitespace().map(cap_name).collect();
    // A chatd shows whoever talks what they missed, direct messages too, and better than we could ask for it.
    let shown_unasked = mode == Mode::Lines && names.contains(&PASSIVE);
    let wanted = WANTED.into_iter().filter(|wanted| match *wanted {
        PASSIVE => mode == Mode::Script,
        HISTORY => !shown_unasked,
        _ => true,
    });
    let on_screen = WANTED_ON_SCREEN.into_iter().filter(|_| mode == Mode::Screen);
    let wanted = wanted.chain(on_screen);
    wanted.filter(|wanted| names.contains(wanted)).collect()
}

pub struct Login {
    who: Credentials,
    mode: Mode,
    offered: String,
    caps: Caps,
    /// CAP REQs without an answer yet.
    open: usize,
    introduced: bool,
    authenticated: bool,
    ended: bool,
    /// The last thing the server said about it: goes into the error.
    said: String,
}

/// What a message made of the login.
pub enum Step {
    Going,
    /// For the person to read.
    Info(String),
    In {
        nick: String,
        caps: Caps,
    },
    Failed(LoginError),
}

/// More than any server offers; what comes beyond is not looked at.
const OFFER_MAX: usize = 16 * 1024;

impl Login {
    pub fn new(who: Credentials, mode: Mode) -> Login {
        let caps = Caps::default();
        Login {
            who,
            mode,
            offered: String::new(),
            caps,
            open: 0,
            introduced: false,
            authenticated: false,
            ended: false,
            said: String::new(),
        }
    }

    /// The first lines.
    pub fn start(&self, out: &mut Vec<Line>) {
        out.push(Line::new().command("CAP").param("LS").param("302"));
    }

    /// Who we are, for a server whose offer is known: a PASS has to come before that.
    fn introduce(&mut self, out: &mut Vec<Line>) {
        self.introduced = true;
        out.push(Line::new().command("NICK").param(&self.who.user));
        out.push(Line::new().command("USER").param(&self.who.user).param("0").param("*").last(&self.who.user));
    }

    pub fn hear(&mut self, message: &Message, out: &mut Vec<Line>) -> Step {
        let last = message.params.last().map(|text| clean(text)).unwrap_or_default();
        match message.command.to_ascii_uppercase().as_str() {
            "CAP" => return self.hear_cap(message, out),
            "AUTHENTICATE" => return self.authenticate(message, out),
            "903" => {
                self.authenticated = true;
                self.end_if_done(out);
            }
            "902" | "904" | "905" | "906" | "464" => {
                let said = if self.said.is_empty() { last } else { std::mem::take(&mut self.said) };
                return Step::Failed(match self.who.proof {
                    Proof::Password(_) => LoginError::Denied(said),
                    Proof::Certificate => LoginError::Refused(said),
                });
            }
            "432" | "433" | "436" | "437" | "465" | "462" => return Step::Failed(LoginError::Refused(last)),
            "ERROR" => {
                let said = if self.said.is_empty() { last } else { std::mem::take(&mut self.said) };
                return Step::Failed(LoginError::Refused(said));
            }
            // It knows no capabilities.
            "421" | "451" if !self.introduced => return self.request(out),
            "FAIL" => self.said = last,
            "NOTICE" | "NOTE" | "WARN" => return Step::Info(last),
            "001" => {
                let nick = clean(message.param(0).unwrap_or(&self.who.user));
                return Step::In { nick, caps: std::mem::take(&mut self.caps) };
            }
            _ => {}
        }
        Step::Going
    }

    fn hear_cap(&mut self, message: &Message, out: &mut Vec<Line>) -> Step {
        let list = message.params.last().copied().unwrap_or_default();
        match message.param(1).unwrap_or_default().to_ascii_uppercase().as_str() {
            "LS" => {
                if self.offered.len() < OFFER_MAX {
                    self.offered.push(' ');
                    self.offered.push_str(list);
                }
                let more = message.params.len() > 3 && message.param(2) == Some("*");
                if !more && self.open == 0 && !self.ended {
                    return self.request(out);
                }
            }
            "ACK" => {
                self.open = self.open.saturating_sub(1);
                self.caps.change(list);
                if list.split_ascii_whitespace().any(|name| name == "sasl") {
                    out.push(Line::new().command("AUTHENTICATE").param(self.mechanism()));
                }
                self.end_if_done(out);
            }
            "NAK" => {
                self.open = self.open.saturating_sub(1);
                let names: Vec<&str> = list.split_ascii_whitespace().collect();
                if names.contains(&"sasl") {
                    return Step::Failed(LoginError::NoSasl);
                }
                // One it will not have spoils the whole list: ask for each.
                if names.len() > 1 {
                    for name in names.iter().filter(|name| WANTED.contains(*name) || WANTED_ON_SCREEN.contains(*name)) {
                        self.open += 1;
                        out.push(Line::new().command("CAP").param("REQ").last(name));
                    }
                }
                self.end_if_done(out);
            }
            _ => {}
        }
        Step::Going
    }

    fn request(&mut self, out: &mut Vec<Line>) -> Step {
        let sasl = self.offered.split_ascii_whitespace().find(|cap| cap_name(cap) == "sasl");
        if let (None, Proof::Password(password)) = (sasl, &self.who.proof)
            && !password.contains(['\0', '\r', '\n'])
        {
            out.push(Line::new().command("PASS").last(password));
            self.introduce(out);
            self.authenticated = true;
            self.request_wanted(out);
            self.end_if_done(out);
            return Step::Going;
        }
        let wanted = self.mechanism();
        let there = sasl.is_some_and(|cap| match cap.split_once('=') {
            Some((_, mechanisms)) if !mechanisms.is_empty() => mechanisms.split(',').any(|m| m == wanted),
            _ => true,
        });
        if !there {
            return Step::Failed(match self.who.proof {
                Proof::Password(_) => LoginError::NoSasl,
                Proof::Certificate => LoginError::NoExternal,
            });
        }
        self.introduce(out);
        self.request_wanted(out);
        self.open += 1;
        out.push(Line::new().command("CAP").param("REQ").last("sasl"));
        Step::Going
    }

    fn request_wanted(&mut self, out: &mut Vec<Line>) {
        self.caps.offered(&self.offered);
        let wanted = wanted_of(&self.offered, self.mode);
        if !wanted.is_empty() {
            self.open += 1;
            out.push(Line::new().command("CAP").param("REQ").last(&wanted.join(" ")));
        }
    }

    fn authenticate(&mut self, message: &Message, out: &mut Vec<Line>) -> Step {
        if message.param(0) != Some("+") || self.authenticated {
            return Step::Going;
        }
        let user = &self.who.user;
        let plain = match &self.who.proof {
            Proof::Password(password) if user.contains('\0') || password.contains('\0') => {
                return Step::Failed(LoginError::Nul);
            }
            Proof::Password(password) => Zeroizing::new(format!("\0{user}\0{}", password.as_str())),
            // The account is named, so that a certificate of another one is an error and no surprise.
            Proof::Certificate => Zeroizing::new(user.clone()),
        };
        let encoded = Zeroizing::new(STANDARD.encode(plain.as_bytes()));
        let chunks = encoded.as_bytes().chunks(SASL_CHUNK).map(|chunk| std::str::from_utf8(chunk).unwrap_or_default());
        out.extend(chunks.map(|chunk| Line::new().command("AUTHENTICATE").param(chunk)));
        if encoded.len() % SASL_CHUNK == 0 {
            out.push(Line::new().command("AUTHENTICATE").param("+"));
        }
        Step::Going
    }

    fn mechanism(&self) -> &'static str {
        match self.who.proof {
            Proof::Password(_) => "PLAIN",
            Proof::Certificate => "EXTERNAL",
        }
    }

    fn end_if_done(&mut self, out: &mut Vec<Line>) {
        if self.authenticated && self.open == 0 && !self.ended {
            self.ended = true;
            out.push(Line::new().command("CAP").param("END"));
        }
    }
}

fn cap_name(cap: &str) -> &str {
    cap.split_once('=').map_or(cap, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_is_asked_for_where_nobody_shows_it_unasked() {
        let has = |offered: &str, mode| wanted_of(offered, mode).contains(&HISTORY);
        let (chatd, other) = ("batch chatd/passive draft/chathistory", "batch draft/chathistory=x");
        assert!(has(chatd, Mode::Script), "a script reads nothing that was meant for its person");
        assert!(!has(chatd, Mode::Lines), "who talks is shown what waits, direct messages too");
        assert!(has(chatd, Mode::Screen), "a screen fetches what it shows");
        assert!(has(other, Mode::Script) && has(other, Mode::Lines));
    }
}
