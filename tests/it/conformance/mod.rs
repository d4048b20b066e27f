//! What the specifications ask for, clause by clause, as tables of small dialogues. A row names its clause; its script
//! is played on one server with a cast that stays logged in, and when a row fails it is shown with what came instead.
//!
//! A line of a script is `who`, a sign, and the rest:
//!
//! - `alice > LINE`: alice sends it, and all that comes until the server has answered is put into her inbox. In it
//!   `{4*xy}` stands for `xyxyxyxy`, `\xe9` for that byte, `$name` for what a pattern has called so.
//! - `alice >| LINE`: sends it and waits for nothing; `alice end`: the rest of what comes, to the connection's end.
//! - `alice = PATTERN`: the next line in the inbox is this one.
//! - `alice < PATTERN`: one of the next is; those before it are passed over.
//! - `alice ! PATTERN`: none of what is left is like this.
//! - `alice .`: nothing is left.
//!
//! A pattern is a line, `*` in it any text, `$name` a word that is the same wherever it is named in the row. All its
//! parameters are meant, unless the last is `...`; in front of the command `A|B` is "or". Tags need to be there only if
//! they are named, `!tag` must not be there, and `@-` is a line without any. Whoever is not of the cast is a new
//! connection that has not logged in.

mod buffering;
mod caps;
mod codes;
mod hostile;
mod labels;
mod names;
mod numerics;
mod presence;
mod refused;
mod registration;
mod tags;
mod utf8;

use std::collections::{HashMap, VecDeque};

use crate::harness::{Client, Line, Server, glob};

/// `(clause, script)`
pub type Row = (&'static str, &'static str);

/// Who plays: the name in the script, the account, the capabilities; [`PASS`] for a client that knows none.
pub type Cast<'a> = &'a [(&'a str, &'a str, &'a [&'a str])];

/// Logs in as clients did before there were capabilities.
pub const PASS: &[&str] = &["PASS"];

struct Player {
    client: Client,
    inbox: VecDeque<Line>,
    /// Others have done something since its last fence.
    stale: bool,
    ended: bool,
}

impl Player {
    fn new(client: Client) -> Player {
        Player { client, inbox: VecDeque::new(), stale: true, ended: false }
    }

    async fn settle(&mut self) {
        if std::mem::take(&mut self.stale) && !self.ended {
            // When the QUIT of a row's connection comes, is a matter of the grace: it would be found in any later row.
            self.inbox.extend(self.client.sync().await.into_iter().filter(|line| !line.is("QUIT")));
        }
    }
}

/// Plays all rows, then says which have failed.
pub async fn play(server: &Server, cast: Cast<'_>, rows: &[Row]) {
    let mut players = HashMap::new();
    for (name, account, caps) in cast {
        let client = match *caps {
            PASS => server.login_plain(account).await,
            caps => server.login_with(account, caps).await,
        };
        players.insert((*name).to_owned(), Player::new(client));
    }
    let mut failures = Vec::new();
    for (clause, script) in rows {
        // Seen if the row does not even come to its end.
        println!("--- {clause}");
        for player in players.values_mut() {
            player.stale = true;
            player.settle().await;
            player.inbox.clear();
        }
        if let Err(what) = row(server, &mut players, script).await {
            failures.push(format!("--- {clause}\n{what}"));
        }
        players.retain(|name, _| cast.iter().any(|(member, ..)| member == name));
    }
    assert!(failures.is_empty(), "{} of {} clauses fail:\n{}", failures.len(), rows.len(), failures.join("\n"));
}

async fn row(server: &Server, players: &mut HashMap<String, Player>, script: &str) -> Result<(), String> {
    let mut vars = HashMap::new();
    let mut received: HashMap<String, Vec<String>> = HashMap::new();
    for step in script.lines().map(str::trim).filter(|step| !step.is_empty() && !step.starts_with('#')) {
        let (who, rest) = step.split_once(' ').ok_or_else(|| format!("not a step: {step}"))?;
        let (sign, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if !players.contains_key(who) {
            players.insert(who.to_owned(), Player::new(server.connect_raw().await));
        }
        if sign.starts_with('>') {
            players.values_mut().for_each(|player| player.stale = true);
        }
        let player = players.get_mut(who).expect("just put there");
        let known = player.inbox.len();
        match sign {
            ">" | ">|" => {
                let mut bytes = said(rest, &vars);
                bytes.extend_from_slice(b"\r\n");
                player.client.send_bytes(&bytes).await;
                if sign == ">" {
                    player.settle().await;
                }
            }
            "end" => {
                player.ended = true;
                let rest = player.client.expect_end().await;
                player.inbox.extend(rest);
            }
            _ => player.settle().await,
        }
        let news = player.inbox.iter().skip(known).map(|line| line.raw.clone());
        received.entry(who.to_owned()).or_default().extend(news);
        let fits = match sign {
            ">" | ">|" | "end" => true,
            "=" => player.inbox.pop_front().is_some_and(|line| matches(rest, &line, &mut vars)),
            "<" => {
                let at = player.inbox.iter().position(|line| matches(rest, line, &mut vars));
                player.inbox.drain(..at.map_or(0, |at| at + 1));
                at.is_some()
            }
            "!" => !player.inbox.iter().any(|line| matches(rest, line, &mut vars.clone())),
            "." => player.inbox.is_empty(),
            _ => return Err(format!("not a step: {step}")),
        };
        if !fits {
            let received = received.get(who).map(|lines| lines.join("\n    ")).unwrap_or_default();
            return Err(format!("  failed: {step}\n  {who} had received in this row:\n    {received}"));
        }
    }
    Ok(())
}

/// The names of all the commands there are, read from their table.
fn commands() -> Vec<String> {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/session/commands.rs");
    let text = std::fs::read_to_string(file).expect("the table of commands");
    let rows = text.lines().filter_map(|line| line.trim().strip_prefix("row(\"")?.split('"').next());
    let names: Vec<String> = rows.map(str::to_owned).collect();
    assert!(names.len() > 30 && names.iter().any(|name| name == "PRIVMSG"), "{names:?}");
    names
}

/// What a script says, as bytes.
fn said(text: &str, vars: &HashMap<String, String>) -> Vec<u8> {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once('{') {
        let (times, after) = rest.split_once('}').expect("a closing brace");
        let (count, piece) = times.split_once('*').expect("{number*text}");
        text = format!("{before}{}{after}", piece.repeat(count.parse().expect("a number")));
    }
    for (name, value) in vars {
        text = text.replace(&format!("${name}"), value);
    }
    let mut bytes = Vec::new();
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).expect("two hexadecimal digits"));
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Whether a line is what the pattern says; learns the words it names if so.
fn matches(pattern: &str, line: &Line, vars: &mut HashMap<String, String>) -> bool {
    let (tags, body) = match pattern.strip_prefix('@') {
        Some(tagged) => tagged.split_once(' ').expect("a command after the tags"),
        None => ("", pattern),
    };
    let wanted = Line::parse(body).unwrap_or_else(|| panic!("{pattern:?} is not a pattern"));
    let mut learnt = vars.clone();
    let tags_fit = tags.split(';').filter(|tag| !tag.is_empty()).all(|tag| match tag.split_once('=') {
        _ if tag == "-" => line.tags.is_empty(),
        None if tag.starts_with('!') => line.tag(&tag[1..]).is_none(),
        None => line.tag(tag).is_some(),
        Some((key, value)) => line.tag(key).is_some_and(|have| fits(value, have, &mut learnt)),
    });
    let source_fits = wanted.source.as_deref().is_none_or(|source| {
        let whole = if source.contains('!') { line.source.as_deref().unwrap_or_default() } else { line.nick() };
        fits(source, whole, &mut learnt)
    });
    let command_fits = wanted.command.split('|').any(|command| line.is(command));
    let (params, more) = match wanted.params.split_last() {
        Some((last, params)) if last == "..." => (params, true),
        _ => (wanted.params.as_slice(), false),
    };
    let count_fits = params.len() == line.params.len() || (more && params.len() < line.params.len());
    let fit = tags_fit
        && source_fits
        && command_fits
        && count_fits
        && params.iter().zip(&line.params).all(|(want, have)| fits(want, have, &mut learnt));
    if fit {
        *vars = learnt;
    }
    fit
}

/// `$word`, maybe with something in front of it, or a text with `*` in it.
fn fits(pattern: &str, text: &str, vars: &mut HashMap<String, String>) -> bool {
    let Some((before, name)) = pattern.split_once('$').filter(|(_, name)| is_name(name)) else {
        return glob(pattern, text);
    };
    let Some(word) = text.strip_prefix(before) else { return false };
    word == vars.entry(name.to_owned()).or_insert_with(|| word.to_owned())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase())
}

#[test]
fn the_language_of_the_scripts() {
    let mut vars = HashMap::new();
    let line = |raw: &str| Line::parse(raw).expect("a line");
    let start = line("@label=x;time=1 :chat.test BATCH +b7 labeled-response");
    assert!(matches("@label=x;time;!batch :chat.test BATCH +$ref labeled-response", &start, &mut vars));
    assert_eq!(vars["ref"], "b7");
    for no in [
        "@label=y BATCH +$ref ...",
        "@!time BATCH ...",
        "BATCH +$ref",
        "BATCH -$ref labeled-response",
        "@- BATCH ...",
        ":alice BATCH ...",
        "BATCH +$ref labeled-response extra ...",
    ] {
        assert!(!matches(no, &start, &mut vars.clone()), "{no}");
    }
    assert!(matches(
        "@batch=$ref :alice!*@h PRIVMSG #a :*lo",
        &line("@batch=b7 :alice!a@h PRIVMSG #a hello"),
        &mut vars
    ));
    assert!(!matches("@batch=$ref PRIVMSG ...", &line("@batch=b8 :alice!a@h PRIVMSG #a hello"), &mut vars));
    assert_eq!(said("PRIVMSG $ref :{3*ab}\\xff!", &vars), b"PRIVMSG b7 :ababab\xff!");
}
