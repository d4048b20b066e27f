//! What a person types: text, or a command after a slash. Pure.

use super::heard::Speech;
use super::session::Session;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    Say(String),
    Action(String),
    Join {
        room: String,
        key: Option<String>,
    },
    Part {
        room: Option<String>,
        reason: String,
    },
    Message {
        target: String,
        text: String,
    },
    /// Talk to this room or person from now on.
    Switch(String),
    Names(Option<String>),
    Topic {
        room: Option<String>,
        text: Option<String>,
    },
    /// Who is in this room, by what it knows of them.
    Who(Option<String>),
    /// Who this person is.
    Whois(String),
    List,
    Invite {
        name: String,
        room: Option<String>,
    },
    /// Put this person out of the room.
    Kick {
        room: Option<String>,
        name: String,
        reason: String,
    },
    /// Give or take one mode of the room, once for each of these: `+o`, `-b`.
    Grant {
        room: Option<String>,
        sign: char,
        mode: char,
        names: Vec<String>,
    },
    /// Modes as the protocol has them; with nothing: which there are.
    Mode {
        room: Option<String>,
        changes: Vec<String>,
    },
    Nick(String),
    Notice {
        target: String,
        text: String,
    },
    /// A line for the server, as it stands.
    Raw(String),
    Away(String),
    /// Become an administrator by this account's password; by one's own.
    Oper(Option<String>),
    Quit(String),
    Help,
    Unknown(String),
    /// A known command, wrongly used: how it is used.
    Usage(&'static str),
}

pub const HELP: [&str; 22] = [
    "/join ROOM          enter a room and talk there",
    "/switch NAME        talk in another room, or with a person (also /room, /query)",
    "/part [ROOM] [WHY]  leave a room for good",
    "/msg NAME TEXT      say something to a person or in another room",
    "/me TEXT            say what you do",
    "/topic [TEXT]       show or change the topic",
    "/names [ROOM]       who is in the room",
    "/who [ROOM]         the same, with what they call themselves",
    "/whois NAME         who somebody is",
    "/list               the rooms of the server",
    "/invite NAME [ROOM] ask somebody in",
    "/away [WHY]         say that you are away, or back",
    "/kick NAME [WHY]    put somebody out of the room",
    "/ban NAME, /unban   keep somebody out, no longer; /ban alone: who is kept out",
    "/op NAME, /deop     make somebody an operator, no longer; the same: /voice, /devoice",
    "/mode [CHANGES]     the modes of the room: /mode +i",
    "/notice NAME TEXT   say something that no program answers",
    "/raw LINE           send a line of IRC as it stands",
    "/oper [ACCOUNT]     act as an administrator (asks for the password) until you leave",
    "/quit [WHY]         leave (also Ctrl-D); you stay a member of your rooms",
    "//TEXT              a text that begins with a slash",
    "Tab completes names; the arrow keys bring back what you typed",
];

impl Command {
    /// Whether the arrow keys may bring it back: not where a password was typed too early.
    pub fn may_be_kept(&self) -> bool {
        let secret = |line: &str| {
            let word = line.split(' ').next().unwrap_or_default().to_uppercase();
            matches!(word.as_str(), "OPER" | "PASS" | "AUTHENTICATE")
        };
        *self != Command::Usage(OPER_USAGE) && !matches!(self, Command::Raw(line) if secret(line))
    }
}

/// How to use /oper.
pub const OPER_USAGE: &str = "/oper ACCOUNT, and you are asked for the password";

/// Reads one line. Blank lines give `None`.
pub fn parse(line: &str) -> Option<Command> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() {
        return None;
    }
    let Some(command) = line.strip_prefix('/') else { return Some(Command::Say(line.to_owned())) };
    if command.starts_with('/') {
        return Some(Command::Say(command.to_owned()));
    }
    let (word, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    let rest = rest.trim();
    let (first, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let more = more.trim_start();
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Some(match word.to_lowercase().as_str() {
        "join" | "j" if first.is_empty() => Command::Usage("/join ROOM"),
        "join" | "j" => Command::Join { room: first.to_owned(), key: some(more) },
        "part" | "leave" if is_room(first) => Command::Part { room: some(first), reason: more.to_owned() },
        "part" | "leave" => Command::Part { room: None, reason: rest.to_owned() },
        "msg" | "m" if more.is_empty() => Command::Usage("/msg NAME TEXT"),
        "msg" | "m" => Command::Message { target: first.to_owned(), text: more.to_owned() },
        "switch" | "room" | "query" | "q" if first.is_empty() => Command::Usage("/switch NAME"),
        "switch" | "room" | "query" | "q" => Command::Switch(first.to_owned()),
        "me" if rest.is_empty() => Command::Usage("/me TEXT"),
        "me" => Command::Action(rest.to_owned()),
        "names" => Command::Names(some(first)),
        "topic" if is_room(first) => Command::Topic { room: some(first), text: some(more) },
        "topic" => Command::Topic { room: None, text: some(rest) },
        "who" if first.is_empty() || is_room(first) => Command::Who(some(first)),
        "who" | "whois" | "wi" if first.is_empty() => Command::Usage("/whois NAME"),
        "who" | "whois" | "wi" => Command::Whois(first.to_owned()),
        "list" => Command::List,
        "invite" if first.is_empty() => Command::Usage("/invite NAME, or /invite NAME ROOM"),
        "invite" => Command::Invite { name: first.to_owned(), room: some(more) },
        "kick" | "k" => {
            let (room, rest) = room_first(rest);
            let (name, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            match name {
                "" => Command::Usage("/kick NAME, or /kick NAME WHY"),
                name => Command::Kick { room, name: name.to_owned(), reason: reason.trim_start().to_owned() },
            }
        }
        "ban" | "unban" | "op" | "deop" | "voice" | "devoice" => {
            let word = word.to_lowercase();
            let (room, rest) = room_first(rest);
            let (sign, mode) = match word.as_str() {
                "ban" => ('+', 'b'),
                "unban" => ('-', 'b'),
                "op" => ('+', 'o'),
                "deop" => ('-', 'o'),
                "voice" => ('+', 'v'),
                _ => ('-', 'v'),
            };
            let names: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
            match (names.is_empty(), word.as_str()) {
                (true, "ban") | (false, _) => Command::Grant { room, sign, mode, names },
                (true, "unban") => Command::Usage("/unban NAME; /ban alone shows who is kept out"),
                (true, "op" | "deop") => Command::Usage("/op NAME, /deop NAME"),
                (true, _) => Command::Usage("/voice NAME, /devoice NAME"),
            }
        }
        "mode" => {
            let (room, rest) = room_first(rest);
            Command::Mode { room, changes: rest.split_whitespace().map(str::to_owned).collect() }
        }
        "nick" if first.is_empty() => Command::Usage("/nick NAME"),
        "nick" => Command::Nick(first.to_owned()),
        "notice" if more.is_empty() => Command::Usage("/notice NAME TEXT"),
        "notice" => Command::Notice { target: first.to_owned(), text: more.to_owned() },
        "raw" | "quote" if rest.is_empty() => Command::Usage("/raw LINE"),
        "raw" | "quote" => Command::Raw(rest.to_owned()),
        "away" => Command::Away(rest.to_owned()),
        // A password in the line would stay in what the arrow keys bring back.
        "oper" if !more.is_empty() => Command::Usage(OPER_USAGE),
        "oper" => Command::Oper(some(first)),
        "quit" | "exit" => Command::Quit(rest.to_owned()),
        "help" | "h" | "?" => Command::Help,
        other => Command::Unknown(other.to_owned()),
    })
}

/// What doing a command came to, as far as it is known at once.
#[derive(Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing to see yet.
    Asked,
    /// Texts are on their way, with these tickets.
    Said(Vec<u64>),
    /// A room will be entered; talk there then.
    Joining(String),
    /// From now on talk with these.
    Target(String),
    Names,
    /// The rooms of the server will come.
    Listing,
    Show(Vec<String>),
    /// The password of this account is needed; then [`oper`] goes on.
    Password(String),
    Quit(String),
    /// Nothing was sent, because of this.
    Not(String),
}

/// Does a command in the conversation `target` (empty: in none).
pub fn perform(command: Command, target: &str, session: &mut Session) -> Done {
    let room_or_target = |room: Option<String>| room.unwrap_or_else(|| target.to_owned());
    match command {
        Command::Say(text) => say(session, target, Speech::Message, &text),
        Command::Action(text) => say(session, target, Speech::Action, &text),
        Command::Message { target, text } => say(session, &target, Speech::Message, &text),
        Command::Join { room, key } => {
            let room = if session.is_room(&room) { room } else { format!("#{room}") };
            match key {
                Some(key) => session.command("JOIN", &[&room, &key]),
                None => session.command("JOIN", &[&room]),
            }
            Done::Joining(room)
        }
        Command::Part { room, reason } => {
            let room = room_or_target(room);
            if !session.is_room(&room) {
                return Done::Not("/part needs a room: /part ROOM".to_owned());
            }
            if reason.is_empty() {
                session.command("PART", &[&room]);
            } else {
                session.command("PART", &[&room, &reason]);
            }
            Done::Asked
        }
        Command::Switch(name) => match session.room(&name).or_else(|| session.room(&format!("#{name}"))) {
            Some(room) => Done::Target(room.to_owned()),
            None if session.is_room(&name) => Done::Not(format!("you are not in {name}: /join {name}")),
            None => Done::Target(name),
        },
        Command::Names(room) => {
            session.command("NAMES", &[&room_or_target(room)]);
            Done::Names
        }
        Command::Topic { room, text } => {
            let room = room_or_target(room);
            match text {
                Some(text) => session.command("TOPIC", &[&room, &text]),
                None => session.command("TOPIC", &[&room]),
            }
            Done::Asked
        }
        Command::Who(name) => {
            session.command("WHO", &[&room_or_target(name)]);
            Done::Asked
        }
        Command::Whois(name) => {
            // Twice the name: the person's own server is asked, who alone knows how long they have been silent.
            session.command("WHOIS", &[&name, &name]);
            Done::Asked
        }
        Command::List => {
            session.command("LIST", &[]);
            Done::Listing
        }
        Command::Invite { name, room } => {
            in_room(room_or_target(room), session, "/invite NAME ROOM", |room, session| {
                session.command("INVITE", &[&name, room]);
            })
        }
        Command::Kick { room, name, reason } => {
            in_room(room_or_target(room), session, "/kick ROOM NAME", |room, session| {
                let params = [room, name.as_str(), reason.as_str()];
                session.command("KICK", if reason.is_empty() { &params[..2] } else { &params });
            })
        }
        Command::Grant { room, sign, mode, names } => {
            in_room(room_or_target(room), session, "/op ROOM NAME, for example", |room, session| {
                if names.is_empty() {
                    session.command("MODE", &[room, &format!("+{mode}")]);
                }
                for name in names {
                    let name = if mode == 'b' { mask_of(&name) } else { name };
                    session.command("MODE", &[room, &format!("{sign}{mode}"), &name]);
                }
            })
        }
        Command::Mode { room, changes } => {
            in_room(room_or_target(room), session, "/mode ROOM CHANGES", |room, session| {
                let params: Vec<&str> = std::iter::once(room).chain(changes.iter().map(String::as_str)).collect();
                session.command("MODE", &params);
            })
        }
        Command::Nick(name) => {
            session.command("NICK", &[&name]);
            Done::Asked
        }
        Command::Notice { target, text } => say(session, &target, Speech::Notice, &text),
        Command::Raw(line) => match session.raw(&line) {
            true => Done::Asked,
            false => Done::Not("that is no line of IRC: /raw COMMAND PARAMETERS".to_owned()),
        },
        Command::Away(reason) if reason.is_empty() => {
            session.command("AWAY", &[]);
            Done::Show(vec!["you are back".to_owned()])
        }
        Command::Away(reason) => {
            session.command("AWAY", &[&reason]);
            Done::Show(vec![format!("you are away: {}", super::text::clean(&reason))])
        }
        Command::Oper(account) => Done::Password(account.unwrap_or_else(|| session.nick().to_owned())),
        Command::Quit(reason) => Done::Quit(reason),
        Command::Help => Done::Show(HELP.map(str::to_owned).to_vec()),
        Command::Unknown(word) => {
            Done::Not(format!("there is no command /{}: /help lists them", super::text::clean(&word)))
        }
        Command::Usage(usage) => Done::Not(format!("write {usage}")),
    }
}

/// Asks the server for an administrator's powers.
pub fn oper(session: &mut Session, account: &str, password: &str) {
    session.command("OPER", &[account, password]);
}

fn say(session: &mut Session, target: &str, speech: Speech, text: &str) -> Done {
    if target.is_empty() {
        return Done::Not("you are in no room: /join ROOM".to_owned());
    }
    match session.say(target, speech, text) {
        Some(tickets) => Done::Said(tickets),
        None => Done::Not("too much is on its way to the server: wait a moment".to_owned()),
    }
}

/// Does something in a room, if it is one.
fn in_room(room: String, session: &mut Session, usage: &str, act: impl FnOnce(&str, &mut Session)) -> Done {
    if !session.is_room(&room) {
        return Done::Not(format!("this needs a room: write {usage}"));
    }
    act(&room, session);
    Done::Asked
}

/// A name as a mask that fits nobody else; what is a mask stays.
fn mask_of(name: &str) -> String {
    if name.contains(['!', '@', '*', '?', ':', '~']) { name.to_owned() } else { format!("{name}!*@*") }
}

/// The room at the beginning, if there is one, and the rest.
fn room_first(text: &str) -> (Option<String>, &str) {
    let (first, more) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if is_room(first) { (Some(first.to_owned()), more.trim_start()) } else { (None, text) }
}

fn is_room(word: &str) -> bool {
    word.starts_with(['#', '&'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_commands() {
        let is = |line: &str, command: Command| assert_eq!(parse(line), Some(command), "{line}");
        assert_eq!(parse("  \n"), None);
        is(" hello /x", Command::Say(" hello /x".into()));
        is("//etc/passwd", Command::Say("/etc/passwd".into()));
        is("/me waves  twice", Command::Action("waves  twice".into()));
        is("/JOIN #a key", Command::Join { room: "#a".into(), key: Some("key".into()) });
        is("/part", Command::Part { room: None, reason: String::new() });
        is("/part #a so long", Command::Part { room: Some("#a".into()), reason: "so long".into() });
        is("/part so long", Command::Part { room: None, reason: "so long".into() });
        is("/msg bob  hi  you", Command::Message { target: "bob".into(), text: "hi  you".into() });
        is("/msg bob", Command::Usage("/msg NAME TEXT"));
        is("/topic", Command::Topic { room: None, text: None });
        is("/topic #a b c", Command::Topic { room: Some("#a".into()), text: Some("b c".into()) });
        is("/oper", Command::Oper(None));
        is("/oper root", Command::Oper(Some("root".into())));
        is("/oper root secret", Command::Usage(OPER_USAGE));
        is("/whois bob", Command::Whois("bob".into()));
        is("/who bob", Command::Whois("bob".into()));
        is("/who #a", Command::Who(Some("#a".into())));
        let kick = |room: Option<&str>, reason: &str| Command::Kick {
            room: room.map(str::to_owned),
            name: "bob".into(),
            reason: reason.into(),
        };
        is("/kick bob", kick(None, ""));
        is("/kick #a bob too  loud", kick(Some("#a"), "too  loud"));
        is("/kick #a", Command::Usage("/kick NAME, or /kick NAME WHY"));
        let names = || vec!["bob".to_owned(), "carol".to_owned()];
        is("/deop bob carol", Command::Grant { room: None, sign: '-', mode: 'o', names: names() });
        is("/ban", Command::Grant { room: None, sign: '+', mode: 'b', names: Vec::new() });
        is("/unban", Command::Usage("/unban NAME; /ban alone shows who is kept out"));
        is("/mode #a +k key", Command::Mode { room: Some("#a".into()), changes: vec!["+k".into(), "key".into()] });
        is("/raw VERSION", Command::Raw("VERSION".into()));
        is("/quit", Command::Quit(String::new()));
        is("/frob x", Command::Unknown("frob".into()));
    }
}
