//! The table of commands: name, parameters it needs, what it costs, what runs it. One row a command.

use crate::event::Speech;
use crate::proto::line::{Message, ParseError, Tags};
use crate::proto::numerics::*;

use super::Session;
use super::reply::Answer;
use super::rooms::clean;
use super::service;

/// Bytes of a label; a longer one is no label.
const LABEL_MAX: usize = 64;

pub(super) const NOT_UTF8: &str = "The line is not UTF-8 and was not taken; set your client to UTF-8";

/// What a command is charged to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nothing: the protocol's own upkeep.
    Free,
    /// Only reads; a wide allowance.
    Look,
    /// Writes to the log or to others.
    Act,
}

#[derive(Clone, Copy)]
pub(super) enum Command {
    Privmsg,
    Notice,
    Tagmsg,
    Batch,
    Redact,
    Rename,
    Join,
    Part,
    Topic,
    Names,
    List,
    Kick,
    Invite,
    Mode,
    Metadata,
    Who,
    Whois,
    Whowas,
    Ison,
    Userhost,
    Away,
    Setname,
    Nick,
    Oper,
    Kill,
    Wallops,
    Rehash,
    Monitor,
    Isupport,
    Links,
    Stats,
    Trace,
    Summon,
    Users,
    Ping,
    Pong,
    Quit,
    Cap,
    Authenticate,
    Register,
    Verify,
    Registered,
    Chathistory,
    Search,
    Markread,
    Motd,
    Lusers,
    Version,
    Time,
    Admin,
    Info,
    Help,
}

pub(super) struct Row {
    name: &'static str,
    params: usize,
    cost: Cost,
    command: Command,
}

const fn row(name: &'static str, params: usize, cost: Cost, command: Command) -> Row {
    Row { name, params, cost, command }
}

const TABLE: &[Row] = &[
    row("PRIVMSG", 0, Cost::Act, Command::Privmsg),
    row("NOTICE", 0, Cost::Act, Command::Notice),
    row("TAGMSG", 1, Cost::Act, Command::Tagmsg),
    row("BATCH", 1, Cost::Act, Command::Batch),
    row("REDACT", 2, Cost::Act, Command::Redact),
    row("RENAME", 2, Cost::Act, Command::Rename),
    row("JOIN", 1, Cost::Act, Command::Join),
    row("PART", 1, Cost::Act, Command::Part),
    row("TOPIC", 1, Cost::Act, Command::Topic),
    row("NAMES", 0, Cost::Look, Command::Names),
    row("LIST", 0, Cost::Look, Command::List),
    row("KICK", 2, Cost::Act, Command::Kick),
    row("INVITE", 0, Cost::Act, Command::Invite),
    row("MODE", 1, Cost::Act, Command::Mode),
    row("METADATA", 0, Cost::Look, Command::Metadata),
    row("WHO", 0, Cost::Look, Command::Who),
    row("WHOIS", 0, Cost::Look, Command::Whois),
    row("WHOWAS", 1, Cost::Look, Command::Whowas),
    row("ISON", 1, Cost::Look, Command::Ison),
    row("USERHOST", 1, Cost::Look, Command::Userhost),
    row("AWAY", 0, Cost::Act, Command::Away),
    row("SETNAME", 0, Cost::Act, Command::Setname),
    row("NICK", 0, Cost::Act, Command::Nick),
    row("OPER", 2, Cost::Act, Command::Oper),
    row("KILL", 1, Cost::Act, Command::Kill),
    row("WALLOPS", 1, Cost::Act, Command::Wallops),
    row("REHASH", 0, Cost::Act, Command::Rehash),
    row("MONITOR", 1, Cost::Look, Command::Monitor),
    row("ISUPPORT", 0, Cost::Look, Command::Isupport),
    row("LINKS", 0, Cost::Look, Command::Links),
    row("STATS", 1, Cost::Look, Command::Stats),
    row("TRACE", 0, Cost::Look, Command::Trace),
    row("SUMMON", 0, Cost::Look, Command::Summon),
    row("USERS", 0, Cost::Look, Command::Users),
    row("PING", 1, Cost::Free, Command::Ping),
    row("PONG", 0, Cost::Free, Command::Pong),
    row("QUIT", 0, Cost::Free, Command::Quit),
    row("CAP", 1, Cost::Free, Command::Cap),
    row("AUTHENTICATE", 1, Cost::Look, Command::Authenticate),
    row("REGISTER", 3, Cost::Look, Command::Register),
    row("VERIFY", 2, Cost::Look, Command::Verify),
    row("USER", 0, Cost::Look, Command::Registered),
    row("PASS", 0, Cost::Look, Command::Registered),
    row("CHATHISTORY", 1, Cost::Look, Command::Chathistory),
    row("MARKREAD", 0, Cost::Look, Command::Markread),
    row("SEARCH", 0, Cost::Act, Command::Search),
    row("MOTD", 0, Cost::Look, Command::Motd),
    row("LUSERS", 0, Cost::Look, Command::Lusers),
    row("VERSION", 0, Cost::Look, Command::Version),
    row("TIME", 0, Cost::Look, Command::Time),
    row("ADMIN", 0, Cost::Look, Command::Admin),
    row("INFO", 0, Cost::Look, Command::Info),
    row("HELP", 0, Cost::Look, Command::Help),
    row("HELPOP", 0, Cost::Look, Command::Help),
];

/// The tags of a line that is not UTF-8 (only good where they are), and its command; `*` if there is none to be read.
pub(super) fn blame(line: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(line).replace(['\r', '\0'], " ");
    let tags = text.split_once(' ').filter(|_| text.starts_with('@')).map_or("", |(tags, _)| tags);
    // A tag whose value was repaired says what nobody said.
    let tags = if tags.contains(char::REPLACEMENT_CHARACTER) { "" } else { tags };
    let command = Message::parse(&text).ok().map(|message| message.command.to_ascii_uppercase());
    let command = command.filter(|command| command.len() <= 64 && command.bytes().all(|b| b.is_ascii_alphanumeric()));
    (tags.to_owned(), command.unwrap_or_else(|| "*".to_owned()))
}

/// The row of a command, whatever the case it is written in.
pub(super) fn find(name: &str) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

impl Row {
    pub(super) fn cost(&self, message: &Message<'_>) -> Cost {
        // Clients ask for a room's modes and for its lists when they join it.
        let asks = match message.params.get(1) {
            None => true,
            Some(letters) => message.params.len() == 2 && letters.chars().all(|c| "+-beIq".contains(c)),
        };
        match self.command {
            Command::Mode if asks => Cost::Look,
            Command::Privmsg if service::is_addressed(message) => service::cost(message),
            // What is gathered is paid for when it is whole.
            Command::Batch if message.params.first().is_some_and(|param| param.starts_with('+')) => Cost::Look,
            _ => self.cost,
        }
    }

    /// The names of all commands, for HELP.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        TABLE.iter().map(|row| row.name)
    }

    /// Whether the session goes on before the log has answered.
    pub(super) fn is_pipelined(&self, message: &Message<'_>) -> bool {
        if matches!(self.command, Command::Privmsg) && service::is_addressed(message) {
            return false;
        }
        self.is_speech() || matches!(self.command, Command::Batch | Command::Pong)
    }

    /// Whether others hear words by it that whoever is muted may not say.
    fn is_heard(&self, message: &Message<'_>) -> bool {
        match self.command {
            Command::Privmsg => !message.params.first().is_some_and(|to| service::is_service(to)),
            Command::Notice | Command::Tagmsg | Command::Batch | Command::Invite | Command::Rename => true,
            Command::Setname | Command::Wallops | Command::Kick => true,
            Command::Topic | Command::Away => {
                message.params.len() > usize::from(matches!(self.command, Command::Topic))
            }
            Command::Metadata => message.params.get(1).is_some_and(|word| word.eq_ignore_ascii_case("SET")),
            _ => false,
        }
    }

    pub(super) fn is_speech(&self) -> bool {
        matches!(self.command, Command::Privmsg | Command::Notice | Command::Tagmsg)
    }
}

impl Session {
    /// Runs one command to its end. What it appends without waiting is answered later.
    pub(super) async fn run(&mut self, message: &Message<'_>, row: Option<&'static Row>) {
        self.answer = Answer { label: self.label_of(&message.tags), ..Answer::default() };
        match row {
            None => self.numeric(ERR_UNKNOWNCOMMAND, &[&clean(message.command)], "Unknown command"),
            Some(row) if message.params.len() < row.params || (row.params > 0 && message.params[0].is_empty()) => {
                self.numeric(ERR_NEEDMOREPARAMS, &[row.name], "Not enough parameters");
            }
            Some(row)
                if row.is_heard(message)
                    && let Some(ban) = self.mute() =>
            {
                self.hush(message, &ban)
            }
            Some(row) if self.in_batch(message, row) => self.gather(message),
            Some(row) => match row.command {
                Command::Privmsg => self.talk(message, Speech::Privmsg).await,
                Command::Notice => self.talk(message, Speech::Notice).await,
                Command::Tagmsg => self.talk(message, Speech::Tagmsg).await,
                // Boxed: what is rare must not make every idle session larger.
                _ => Box::pin(self.run_rare(message, row.command)).await,
            },
        }
        if !std::mem::take(&mut self.answered) {
            self.finish_answer();
        }
    }

    async fn run_rare(&mut self, message: &Message<'_>, command: Command) {
        match command {
            Command::Batch => self.batch(message).await,
            Command::Redact => self.redact(message).await,
            Command::Rename => self.rename(message).await,
            Command::Join => self.join(message).await,
            Command::Part => self.part(message).await,
            Command::Topic => self.topic(message).await,
            Command::Names => self.names(message),
            Command::List => self.list(message),
            Command::Kick => self.kick(message).await,
            Command::Invite => self.invite(message).await,
            Command::Mode => self.mode(message).await,
            Command::Metadata => self.metadata(message).await,
            Command::Who => self.who(message),
            Command::Whois => self.whois(message),
            Command::Whowas => self.whowas(message).await,
            Command::Ison => self.ison(message),
            Command::Userhost => self.userhost(message),
            Command::Away => self.away(message),
            Command::Setname => self.setname(message),
            Command::Nick => self.nick(message),
            Command::Oper => self.oper(message).await,
            // Rare, and no reason for every session to be bigger.
            Command::Kill => Box::pin(self.kill(message)).await,
            Command::Wallops => self.wallops(message),
            Command::Rehash => Box::pin(self.rehash()).await,
            Command::Monitor => self.monitor(message),
            Command::Isupport => self.isupport(),
            Command::Links => self.links(message),
            Command::Stats => self.stats(message),
            Command::Trace => self.trace(message),
            Command::Summon => self.numeric(ERR_SUMMONDISABLED, &[], "SUMMON has been disabled"),
            Command::Users => self.numeric(ERR_USERSDISABLED, &[], "USERS has been disabled"),
            Command::Ping => self.ping(message).await,
            Command::Pong => self.pong_came(message).await,
            Command::Quit => self.quit(message),
            Command::Cap => self.cap(message),
            Command::Authenticate => self.numeric(ERR_SASLALREADY, &[], "You are logged in already"),
            Command::Register => self.has_account("REGISTER", message),
            Command::Verify => self.has_account("VERIFY", message),
            Command::Registered => self.numeric(ERR_ALREADYREGISTERED, &[], "You may not reregister"),
            Command::Chathistory => self.chathistory(message).await,
            Command::Search => self.search(message).await,
            Command::Markread => self.markread(message).await,
            Command::Motd => self.ask_motd(message),
            Command::Lusers => self.ask_lusers(message),
            Command::Version => self.version(message),
            Command::Time => self.time(message),
            Command::Admin => self.admin(message),
            Command::Info => self.info(message),
            Command::Help => self.help(message),
            Command::Privmsg | Command::Notice | Command::Tagmsg => {}
        }
    }

    /// Says what is wrong with a line that is no message.
    pub(super) fn complain(&mut self, line: &str, error: ParseError) {
        if error != ParseError::Empty {
            self.answer.label = self.label_of(&Tags::of(line));
            self.numeric(ERR_UNKNOWNERROR, &["*"], &format!("The line was not understood: {error}"));
            self.finish_answer();
        }
    }

    /// The same for a line that is not UTF-8 (<https://ircv3.net/specs/extensions/utf8-only>).
    pub(super) fn not_utf8(&mut self, line: &[u8]) {
        let (label, command) = blame(line);
        self.answer.label = self.label_of(&Tags::of(&label));
        self.fail(&command, "INVALID_UTF8", &[], NOT_UTF8);
        self.finish_answer();
    }

    pub(super) fn label_of(&self, tags: &Tags<'_>) -> Option<String> {
        if tags.is_empty() || !self.caps().contains(crate::proto::caps::Cap::LabeledResponse) {
            return None;
        }
        // The tags of a line that is no message may hold a NUL, which no line can give back.
        tags.value("label").filter(|label| !label.is_empty() && label.len() <= LABEL_MAX && !label.contains('\0'))
    }
}
