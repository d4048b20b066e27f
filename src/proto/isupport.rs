//! What the server tells clients about itself in 005: read from the other tables, so that it cannot contradict them.
//!
//! Pure. Tokens: <https://modern.ircdocs.horse/#rplisupport-parameters>.

use std::fmt::Write as _;

use super::line::BODY_MAX;
use super::{masks, modes, names};

/// The most bytes of a topic, the reason of a kick and an away message: with all that stands before them they
/// still fit into one line.
pub const TEXT_MAX: usize = 390;

/// Rooms in one JOIN or PART at most; further ones are passed over.
pub const ROOMS_MAX: usize = 64;
/// People in one KICK at most.
pub const KICKS_MAX: usize = 4;

/// What the tables do not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits<'a> {
    /// The name of the network, as people see it.
    pub network: &'a str,
    /// The most bytes of a line without tags, CR LF included.
    pub line_bytes: usize,
    /// The most receivers of one message.
    pub targets: usize,
    /// The most rooms an account may be in; `None`: no limit.
    pub rooms: Option<usize>,
    /// The most lines of history of one question.
    pub history: usize,
    /// Whether a client that keeps to the rate of one message in two seconds is never slowed down.
    pub safe_rate: bool,
    /// Tokens of other parts of the server.
    pub extra: &'a [String],
}

/// The tokens of each 005 line, joined by blanks: at most 13 tokens and 350 bytes a line.
pub fn lines(limits: &Limits<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut count = 0;
    for token in tokens(limits) {
        match lines.last_mut() {
            Some(line) if count < 13 && line.len() + 1 + token.len() <= 350 => {
                line.push(' ');
                line.push_str(&token);
                count += 1;
            }
            _ => {
                lines.push(token);
                count = 1;
            }
        }
    }
    lines
}

fn tokens(limits: &Limits<'_>) -> Vec<String> {
    let targets = limits.targets;
    let mut tokens = vec![
        format!("NETWORK={}", escaped(limits.network)),
        "CASEMAPPING=ascii".to_owned(),
        "UTF8ONLY".to_owned(),
        "CHANTYPES=#".to_owned(),
        format!("PREFIX={}", modes::isupport_prefix()),
        format!("CHANMODES={}", modes::isupport_chanmodes()),
        format!("MODES={}", modes::CHANGES_MAX),
        format!("MAXLIST={}", modes::isupport_maxlist()),
        "EXCEPTS=e".to_owned(),
        "INVEX=I".to_owned(),
        format!("EXTBAN={},{}", masks::SPECIAL, masks::ACCOUNT),
        format!("ACCOUNTEXTBAN={}", masks::ACCOUNT),
        format!("NICKLEN={}", names::ACCOUNT_CHARS),
        format!("CHANNELLEN={}", names::ROOM_CHARS),
        format!("TOPICLEN={TEXT_MAX}"),
        format!("KICKLEN={TEXT_MAX}"),
        format!("AWAYLEN={TEXT_MAX}"),
        format!("KEYLEN={}", modes::KEY_BYTES),
        format!("MAXTARGETS={targets}"),
        format!(
            "TARGMAX=PRIVMSG:{targets},NOTICE:{targets},TAGMSG:{targets},JOIN:{ROOMS_MAX},PART:{ROOMS_MAX},NAMES:1,\
             KICK:{KICKS_MAX},WHOIS:{targets},WHOWAS:1,KILL:1,MONITOR:"
        ),
        "ELIST=CMNTU".to_owned(),
        "SAFELIST".to_owned(),
        "BOT=B".to_owned(),
        format!("CHATHISTORY={}", limits.history),
        "MSGREFTYPES=msgid,timestamp".to_owned(),
        "draft/ACCOUNTREQUIRED".to_owned(),
    ];
    if let Some(rooms) = limits.rooms {
        tokens.push(format!("CHANLIMIT=#:{rooms}"));
    }
    if limits.safe_rate {
        tokens.push("SAFERATE".to_owned());
    }
    if limits.line_bytes != BODY_MAX {
        tokens.push(format!("LINELEN={}", limits.line_bytes));
    }
    tokens.extend(limits.extra.iter().cloned());
    tokens
}

/// Blanks, `=`, `\` and control characters of a value are written as `\x20`. A value is cut at 100 bytes.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        if out.len() >= 100 {
            break;
        }
        if c == ' ' || c == '=' || c == '\\' || c.is_ascii_control() {
            let _ = write!(out, "\\x{:02X}", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits<'static> {
        Limits {
            network: "Our Team",
            line_bytes: 512,
            targets: 4,
            rooms: Some(200),
            history: 1000,
            safe_rate: true,
            extra: &[],
        }
    }

    #[test]
    fn every_line_is_short_and_the_tables_speak() {
        let extra: Vec<String> = (0..40).map(|n| format!("X{n}=1")).collect();
        let lines = lines(&Limits { extra: &extra, ..limits() });
        assert!(lines.iter().all(|line| line.split(' ').count() <= 13 && line.len() <= 350));
        let all = lines.join(" ");
        let tokens: Vec<&str> = all.split(' ').collect();
        for wanted in [
            "NETWORK=Our\\x20Team",
            "CASEMAPPING=ascii",
            "UTF8ONLY",
            "PREFIX=(ov)@+",
            "CHANMODES=beIq,k,l,imnst",
            "MAXLIST=beIq:100",
            "EXCEPTS=e",
            "INVEX=I",
            "EXTBAN=~,a",
            "ACCOUNTEXTBAN=a",
            "ELIST=CMNTU",
            "SAFELIST",
            "NICKLEN=32",
            "CHANNELLEN=64",
            "draft/ACCOUNTREQUIRED",
            "BOT=B",
            "CHATHISTORY=1000",
            "MSGREFTYPES=msgid,timestamp",
            "SAFERATE",
            "CHANLIMIT=#:200",
            "X39=1",
        ] {
            assert!(tokens.contains(&wanted), "{wanted}");
        }
        let most = tokens.iter().find_map(|token| token.strip_prefix("TARGMAX=")).expect("TARGMAX");
        assert!(
            ["JOIN:64", "PART:64", "KICK:4"].iter().all(|one| most.split(',').any(|other| other == *one)),
            "{most}"
        );
        assert!(!all.contains("LINELEN"));
        assert!(tokens_of(Limits { line_bytes: 2048, ..limits() }).contains(&"LINELEN=2048".to_owned()));
    }

    #[test]
    fn no_network_name_breaks_the_line() {
        for network in ["", "a\r\nb", &"ü ".repeat(500)] {
            let lines = lines(&Limits { network, ..limits() });
            assert!(lines.iter().all(|line| line.len() <= 350 && !line.contains(['\r', '\n'])));
        }
    }

    fn tokens_of(limits: Limits<'_>) -> Vec<String> {
        tokens(&limits)
    }
}
