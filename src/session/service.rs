//! The service account `chatd`, built into the server: whoever has a client that knows nothing but PRIVMSG asks it for
//! history, searches, and looks after the own account. What is said to it is kept nowhere and shown to nobody else,
//! since it may hold a password; it answers by NOTICE, to the session that asked alone.

mod account;
mod admin;
mod audit;
mod bans;
mod credentials;
mod past;
mod search;

use crate::encode;
use crate::event::Speech;
use crate::proto::caps::Cap;
use crate::proto::line::{BODY_MAX, Line, Message};
use crate::proto::names::SERVICE;
use crate::proto::numerics::*;

use super::Session;
use super::commands::Cost;

/// Lines of one answer at most, the long ones counted once.
const LINES_MAX: usize = 100;

/// What stands where people have their display name.
pub(super) const SELF: &str = "The server itself; say help to it";

/// Something the service can be asked for. To add one: a variant, a row, an arm in `run_service`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Help,
    History,
    Search,
    Devices,
    Whoami,
    Cert,
    Passwd,
    Users,
    Rooms,
    Bans,
    Connected,
    Figures,
    Audit,
}

impl Asked {
    /// Whether it is for administrators alone, after OPER.
    fn is_for_administrators(self) -> bool {
        matches!(self, Asked::Users | Asked::Rooms | Asked::Bans | Asked::Connected | Asked::Figures | Asked::Audit)
    }
}

struct Row {
    name: &'static str,
    /// What may stand behind it.
    usage: &'static str,
    summary: &'static str,
    details: &'static [&'static str],
    cost: Cost,
    asked: Asked,
}

const TABLE: &[Row] = &[
    Row {
        name: "help",
        usage: "[command]",
        summary: "says what there is, or all about one command",
        details: &[],
        cost: Cost::Look,
        asked: Asked::Help,
    },
    Row {
        name: "history",
        usage: "#room|nick [count] [before <time or id>]",
        summary: "shows what was said in a room, or between you and somebody",
        details: &[
            "history #lobby               the last 20 lines",
            "history bob 50               the last 50 direct messages between you and bob",
            "history #lobby 50 before 2026-11-23             what was said before that day",
            "history #lobby before 2026-11-23 15:20          before that time (all times are UTC)",
            "history #lobby before 9z3k   before the line with this id; each answer says how to go on",
            "At most 100 lines at a time. Only rooms that you are in.",
        ],
        cost: Cost::Look,
        asked: Asked::History,
    },
    Row {
        name: "search",
        usage: "<words> [in:#room] [from:nick] [after:time] [before:time]",
        summary: "finds what was said, in all your rooms and direct messages",
        details: &[
            "search coffee machine        lines that hold both words, the newest 20",
            "search coffee in:#lobby      in one room; in:bob for the direct messages between you and bob",
            "search coffee from:bob after:2026-11-01 before:2026-11-23",
            "search in:#lobby from:bob    without words: everything bob said there",
            "Times are UTC: 2026-11-23 or 2026-11-23T15:20. With after: the oldest are shown, else the newest.",
        ],
        cost: Cost::Act,
        asked: Asked::Search,
    },
    Row {
        name: "devices",
        usage: "[add <name> | remove <name> | forget <name>] [json]",
        summary: "lists your devices, and lets one in without your password",
        details: &[
            "A device is a client that logs in as account/name, alice/phone for example. It is shown exactly what it missed.",
            "devices forget phone         when it comes back it is a new one",
            "devices add browser          makes a token, which the device logs in with in place of your password",
            "devices remove browser       its token is no login any more, and its sessions end; so with your next password",
            JSON,
        ],
        cost: Cost::Act,
        asked: Asked::Devices,
    },
    Row {
        name: "whoami",
        usage: "",
        summary: "says who you are here",
        details: &[],
        cost: Cost::Look,
        asked: Asked::Whoami,
    },
    Row {
        name: "cert",
        usage: "[list | add [fingerprint] [name] | remove <fingerprint>]",
        summary: "looks after the client certificates you log in with",
        details: &[
            "A client that connects with one of them needs no password: SASL EXTERNAL. It is known by its SHA-256.",
            "cert add my laptop           adds the certificate that this connection has shown",
            "cert remove 3fdc...          takes one away; sessions that logged in with it end",
        ],
        cost: Cost::Act,
        asked: Asked::Cert,
    },
    Row {
        name: "passwd",
        usage: "<old> <new> [json]",
        summary: "gives you another password",
        details: &[
            "A password with blanks or quotes stands in \"double quotes\"; \\\" is a quote in it, \\\\ a backslash.",
            "Your other sessions that logged in with the old one end. Certificates stay. Your client may show or keep",
            "what you type: chat passwd, the command, asks without showing.",
        ],
        cost: Cost::Act,
        asked: Asked::Passwd,
    },
    Row {
        name: "users",
        usage: "[after <name> | add <name> [admin] [bot] | reset|disable|enable|devices|remove|erase <name> | revoke <name> <device> | kick <name> [reason] | mute <name> [for <time>] [reason] | unmute <name>] [json]",
        summary: "looks after accounts (for administrators)",
        details: &[
            "users add carol              makes an account with a password that is made up and shown once; with admin or bot behind it",
            "users reset carol            another password; sessions and tokens end",
            "users disable carol          locks it out; users enable lets it in again",
            "users remove carol           asks first; what it said stays. users erase carol takes that and the name away, too",
            "users kick carol reason      ends its sessions; users mute carol for 1h lets it say nothing that long",
            "users devices carol          its devices and their tokens; users revoke carol phone takes one away",
            JSON,
        ],
        cost: Cost::Act,
        asked: Asked::Users,
    },
    Row {
        name: "rooms",
        usage: "[after #room | create #room [topic] | retention #room <time>|forever|default | remove #room] [json]",
        summary: "looks after rooms (for administrators)",
        details: &[
            "rooms remove #old            asks first; it takes away all that was said in it",
            "rooms retention #talk 90d    asks first; what was said there more than 90 days ago is deleted, now and later",
            JSON,
        ],
        cost: Cost::Act,
        asked: Asked::Rooms,
    },
    Row {
        name: "bans",
        usage: "[after <n> | add account|address|cidr <value> [for <time>] [reason] | remove account|address|cidr <value>] [json]",
        summary: "keeps accounts and addresses out (for administrators)",
        details: &[
            "bans add account mallory for 2d spam in #lobby    its sessions end, and it may not log in for two days",
            "bans add cidr 192.0.2.0/24                        nobody from there may connect, until it is taken back",
            "Who is muted stands in the list too; see help users.",
            JSON,
        ],
        cost: Cost::Act,
        asked: Asked::Bans,
    },
    Row {
        name: "connected",
        usage: "[after <name>] [json]",
        summary: "says who is connected (for administrators)",
        details: &[JSON],
        cost: Cost::Act,
        asked: Asked::Connected,
    },
    Row {
        name: "figures",
        usage: "[json]",
        summary: "says how the server is (for administrators)",
        details: &[JSON],
        cost: Cost::Act,
        asked: Asked::Figures,
    },
    Row {
        name: "audit",
        usage: "[after <id>] [json]",
        summary: "says what administrators did (for administrators)",
        details: &["The newest acts, the newest last; each answer says how to see older ones.", JSON],
        cost: Cost::Act,
        asked: Asked::Audit,
    },
];

const JSON: &str =
    "With json behind it, the answer is for a program: one object a line, the last with \"ok\". Times are UTC.";

fn find(word: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(word))
}

/// Whether a nick is the service's.
pub(super) fn is_service(nick: &str) -> bool {
    nick.eq_ignore_ascii_case(SERVICE)
}

/// Whether a message is for the service, among others or alone.
pub(super) fn is_addressed(message: &Message<'_>) -> bool {
    message.params.first().is_some_and(|targets| targets.split(',').any(is_service))
}

/// What a PRIVMSG to the service is charged to.
pub(super) fn cost(message: &Message<'_>) -> Cost {
    let word = message.params.get(1).and_then(|text| text.split_whitespace().next());
    word.and_then(find).map_or(Cost::Look, |row| row.cost)
}

impl Session {
    /// Something was said to the service. Notices and tags it passes over, as one program does another's.
    pub(super) async fn say_to_service(&mut self, speech: Speech, text: &str) {
        if speech != Speech::Privmsg || text.starts_with('\x01') {
            return;
        }
        if self.caps().contains(Cap::EchoMessage) {
            let mut line = Line::new();
            if self.caps().contains(Cap::ServerTime) {
                line = line.tag("time", &encode::iso((self.ctx.clock)()));
            }
            if self.caps().contains(Cap::AccountTag) {
                line = line.tag("account", &self.person.nick);
            }
            self.say(line.source(&self.source()).command("PRIVMSG").param(SERVICE).last(text));
        }
        // Whoever says something and then asks for it finds it.
        self.ctx.log.catch_up().await;
        let (word, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
        let rest = rest.trim();
        match find(word) {
            Some(row) => self.run_service(row, rest).await,
            None => {
                let word: String = word.chars().take(40).collect();
                let start = if word.is_empty() { String::new() } else { format!("I do not know \"{word}\". ") };
                self.service_says(&format!("{start}This is what you can ask me:"));
                self.service_help("");
            }
        }
    }

    async fn run_service(&mut self, row: &'static Row, rest: &str) {
        match row.asked {
            Asked::Help => self.service_help(rest),
            Asked::History => self.service_history(rest).await,
            Asked::Search => self.service_search(rest).await,
            Asked::Devices => self.service_devices(rest).await,
            Asked::Whoami => self.service_whoami(),
            Asked::Cert => self.service_cert(rest).await,
            Asked::Passwd => self.service_passwd(rest).await,
            // Rare, and no reason for every session to be bigger.
            Asked::Users => Box::pin(self.service_users(rest)).await,
            Asked::Rooms => Box::pin(self.service_rooms(rest)).await,
            Asked::Bans => Box::pin(self.service_bans(rest)).await,
            Asked::Connected => self.service_connected(rest),
            Asked::Figures => self.service_figures(rest),
            Asked::Audit => Box::pin(self.service_audit(rest)).await,
        }
    }

    fn service_help(&mut self, rest: &str) {
        let word = rest.split_whitespace().next().unwrap_or_default();
        if let Some(row) = find(word) {
            self.service_says(&format!("{} {}", row.name, row.usage));
            self.service_says(&format!("    {}", row.summary));
            row.details.iter().for_each(|line| self.service_says(line));
            return;
        }
        let powers = self.powers();
        for row in TABLE.iter().filter(|row| powers || !row.asked.is_for_administrators()) {
            self.service_says(&format!("{} {}: {}", row.name, row.usage, row.summary).replace(" :", ":"));
        }
        self.service_says(&format!("Write for example: /msg {SERVICE} help history"));
    }

    /// How one of the commands is used, after a sentence on what is wrong.
    fn service_usage(&mut self, wrong: &str, asked: Asked) {
        self.service_says(wrong);
        if let Some(row) = TABLE.iter().find(|row| row.asked == asked) {
            self.service_says(&format!("Write: {} {}   (more: help {})", row.name, row.usage, row.name));
        }
    }

    /// A line from the service to this session; a long one goes on in further lines.
    pub(super) fn service_says(&mut self, text: &str) {
        let source = encode::source(SERVICE, &self.ctx.info.name);
        let room = self.service_room();
        let mut rest = text;
        loop {
            let (part, more) = encode::split(rest, room);
            let mut line = Line::new();
            if self.caps().contains(Cap::ServerTime) {
                line = line.tag("time", &encode::iso((self.ctx.clock)()));
            }
            self.say(line.source(&source).command("NOTICE").param(&self.person.nick).last(part));
            if more.is_empty() {
                return;
            }
            rest = more;
        }
    }

    /// Bytes of text that one line of the service has room for.
    fn service_room(&self) -> usize {
        BODY_MAX.saturating_sub(encode::said_len(SERVICE, &self.ctx.info.name, "NOTICE", &self.person.nick, ""))
    }

    /// Whether an object can be said in one line.
    fn service_fits(&self, value: &serde_json::Value) -> bool {
        value.to_string().len() <= self.service_room()
    }

    /// WHOIS of the service.
    pub(super) fn whois_service(&mut self) {
        let info = self.ctx.info.clone();
        self.numeric(RPL_WHOISUSER, &[SERVICE, SERVICE, &info.name, "*"], SELF);
        self.numeric(RPL_WHOISSERVER, &[SERVICE, &info.name], &info.network);
        self.numeric(RPL_WHOISBOT, &[SERVICE], "is a bot");
        let since = (info.started.0 / 1000).to_string();
        self.numeric(RPL_WHOISIDLE, &[SERVICE, "0", &since], "seconds idle, signon time");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        for (at, row) in TABLE.iter().enumerate() {
            assert!(!row.summary.is_empty() && !row.name.contains(' '), "{}", row.name);
            assert!(TABLE[..at].iter().all(|other| other.name != row.name && other.asked != row.asked), "{}", row.name);
        }
    }

    #[test]
    fn it_is_addressed_in_any_case() {
        let addressed = |line: &str| is_addressed(&Message::parse(line).unwrap());
        assert!(addressed("PRIVMSG CHATD :help") && addressed("PRIVMSG #a,chatd :help"));
        assert!(!addressed("PRIVMSG chatty :help") && !addressed("PRIVMSG"));
    }
}
