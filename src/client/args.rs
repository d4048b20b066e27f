//! The command line of `chat`. Syntax only; what it means is decided in [`super::run`].

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::pins::Fingerprint;
use crate::when::When;

/// Talk on a chatd server, or any IRC server with TLS and SASL, from the terminal.
///
/// On a terminal it shows the rooms and lets you talk; in a pipe it sends the lines of standard input and prints
/// messages plainly. /help lists the commands you can type.
#[derive(Debug, Parser)]
#[command(name = "chat", version, max_term_width = 100, subcommand_negates_reqs = true)]
#[command(
    after_help = "Files: ~/.config/chat/config.toml (servers, passwords), ~/.local/share/chat/known_hosts (pins)\n\
    Exit codes: 0 done (what was sent is stored), 1 failed, 2 wrong usage or configuration"
)]
pub struct Cli {
    /// Where to connect and as whom, or the name of a server in the configuration [default: the configuration's, else the
    /// last server; user: $USER; port: 6697]
    #[arg(value_name = "[USER@]HOST[:PORT]")]
    pub place: Option<String>,

    /// On a terminal: line after line, instead of the full screen (for screen readers and simple terminals)
    #[arg(long)]
    pub plain: bool,

    /// On the full screen: a shell command that is run when a message rings; it is told CHAT_ROOM, CHAT_FROM, CHAT_TEXT
    #[arg(long, value_name = "COMMAND")]
    pub notify_command: Option<String>,

    #[command(flatten)]
    pub common: Common,

    #[command(subcommand)]
    pub task: Option<Task>,
}

#[derive(Debug, Args)]
pub struct Common {
    /// The server, or its name in the configuration, for the commands
    #[arg(long, global = true, value_name = "[USER@]HOST[:PORT]", env = "CHAT_SERVER")]
    pub server: Option<String>,

    /// Trust the certificates in this PEM file, and those they have signed
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "fingerprint")]
    pub ca: Option<PathBuf>,

    /// Trust exactly the certificate with this SHA-256 fingerprint
    #[arg(long, global = true, value_name = "SHA256")]
    pub fingerprint: Option<Fingerprint>,

    /// Read the password from the first line of standard input
    #[arg(long, global = true, conflicts_with = "password_file")]
    pub password_stdin: bool,

    /// Read the password from the first line of this file [env: CHAT_PASSWORD_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,

    /// Take the first line that this shell command prints for the password: 'pass show chat'
    #[arg(long, global = true, value_name = "COMMAND", conflicts_with_all = ["password_stdin", "password_file"])]
    pub password_command: Option<String>,

    /// Write the server into the configuration once the login has worked, under its host's name or this one
    ///
    /// With it what was said of the certificate and where the password comes from. The password itself only with
    /// --save-password.
    #[arg(long, global = true, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub save: Option<String>,

    /// With --save: the password too, readable for you (and whoever administers this machine)
    #[arg(long, global = true)]
    pub save_password: bool,

    /// Log in with this client certificate (PEM) instead of a password
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["password_stdin", "password_file"])]
    pub cert: Option<PathBuf>,

    /// The private key of --cert (PEM) [default: it is in the same file]
    #[arg(long, global = true, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    /// Send a message, or the lines of standard input; done when the server has stored them
    ///
    /// A text on the command line is one message, whatever lines it has. Of standard input each line is a message of its
    /// own, sent as it comes; with --multiline all of it is one message. A server that knows no messages of several
    /// lines gets them line by line.
    #[command(override_usage = "chat send [OPTIONS] [USER@HOST[:PORT]] TARGET [TEXT]...")]
    Send {
        /// A room ('#ops') or a person
        target: String,
        /// Enter the room first, if you are not in it
        #[arg(long)]
        join: bool,
        /// Send all of standard input as one message of several lines
        #[arg(long, short)]
        multiline: bool,
        /// Send it as the answer to this message (of several, the first)
        #[arg(long, value_name = "MSGID")]
        reply_to: Option<String>,
        /// The text; '-' or nothing: standard input
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Print the last messages, then new ones as they come, until interrupted
    ///
    /// Comes back by itself when the connection is lost, and prints what was said meanwhile.
    #[command(override_usage = "chat tail [OPTIONS] [USER@HOST[:PORT]] TARGET")]
    Tail {
        /// A room ('#ops') or a person
        target: String,
        #[arg(hide = true)]
        second: Option<String>,
        /// Enter the room first, if you are not in it
        #[arg(long)]
        join: bool,
        /// How many messages to begin with
        #[arg(long, value_name = "N", default_value_t = 10)]
        last: u32,
        /// Also who comes and goes, topics and modes
        #[arg(long)]
        events: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Print what was said in a room or with a person
    ///
    /// The last 50 messages; with --since or --after all from there on.
    #[command(override_usage = "chat history [OPTIONS] [USER@HOST[:PORT]] TARGET")]
    History {
        /// A room ('#ops') or a person
        target: String,
        #[arg(hide = true)]
        second: Option<String>,
        /// Only the newest N [default: 50, or all after --since and --after]
        #[arg(long, value_name = "N")]
        last: Option<u32>,
        /// Only from this time on: 2026-11-23, "2026-11-23 15:04", 2026-11-23T15:04:05Z, or how long ago: 2h, 3d
        #[arg(long, value_name = "T", value_parser = When::parse)]
        since: Option<When>,
        /// Only before this time; a day is meant with all its hours
        #[arg(long, value_name = "T", value_parser = When::parse)]
        until: Option<When>,
        /// Only what came after this message
        #[arg(long, value_name = "MSGID", conflicts_with = "since")]
        after: Option<String>,
        /// Only what came before this message
        #[arg(long, value_name = "MSGID", conflicts_with = "until")]
        before: Option<String>,
        /// What was said around this message or time, before and after it (as many as --last, or 50)
        #[arg(long, value_name = "MSGID|T", conflicts_with_all = ["since", "until", "after", "before"])]
        around: Option<String>,
        /// Also who came and went, topics and modes
        #[arg(long)]
        events: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Print the rooms of the server: '*' before those you are in, how many are there now, the topic
    #[command(override_usage = "chat [USER@HOST[:PORT]] rooms [OPTIONS]")]
    Rooms {
        /// Only those you are in
        #[arg(long)]
        joined: bool,
        #[command(flatten)]
        print: Print,
    },
    /// Print what was said with all these words, in the rooms you are in and in your direct messages
    #[command(override_usage = "chat [USER@HOST[:PORT]] search [OPTIONS] WORD...")]
    Search {
        /// Words that must all occur; the last may be the beginning of one
        #[arg(required_unless_present_any = ["within", "from"])]
        words: Vec<String>,
        /// Only in this room, or with this person
        #[arg(long = "in", value_name = "TARGET")]
        within: Option<String>,
        /// Only what this person said
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
        /// Only from this time on (see chat history --help)
        #[arg(long, value_name = "T", value_parser = When::parse)]
        since: Option<When>,
        /// Only before this time; a day is meant with all its hours
        #[arg(long, value_name = "T", value_parser = When::parse)]
        until: Option<When>,
        /// How many messages, the newest
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: u32,
        #[command(flatten)]
        print: Print,
    },
    /// Run a command for each message and say what it prints: a bot in one line of shell
    ///
    /// The message comes on the command's standard input and in its environment: CHAT_TEXT, CHAT_FROM, CHAT_ROOM,
    /// CHAT_ARGS (the text without the word of --on), CHAT_DIRECT, CHAT_MSGID, CHAT_REPLY_TO, CHAT_TIME, CHAT_NICK. What
    /// it prints is the answer, several lines are one message; nothing is said if it prints nothing or fails. Messages
    /// of bots (the server marks them), notices and what the own account says are not answered. Comes back by itself
    /// when the connection is lost; what was said meanwhile is not answered.
    #[command(override_usage = "chat bot [OPTIONS] --exec COMMAND [USER@HOST[:PORT]] [TARGET]...")]
    Bot {
        /// Rooms and people to listen to [default: all rooms the account is in, and everybody]
        targets: Vec<String>,
        /// The command, for sh -c
        #[arg(long, value_name = "COMMAND")]
        exec: String,
        /// Only messages that begin with this word, such as '!date'
        #[arg(long, value_name = "WORD")]
        on: Option<String>,
        /// Only messages that name the bot, and direct messages
        #[arg(long)]
        mentions: bool,
        /// Give the command an object (as chat tail --json prints it) on standard input instead of the text
        #[arg(long)]
        json: bool,
        /// Enter the rooms first, if the account is not in them
        #[arg(long)]
        join: bool,
        /// How long the command may take; then it is ended
        #[arg(long, value_name = "T", default_value = "30s", value_parser = span)]
        timeout: Duration,
        /// How many commands may run at once; further messages wait
        #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
        at_once: u16,
        /// How many messages are answered in a minute in one conversation
        #[arg(long, value_name = "N", default_value_t = 30)]
        per_minute: u16,
    },
    /// Change your password on a chatd server; asks for the old one and twice for the new one
    ///
    /// In a pipe the new one is the next line of standard input, after the old one with --password-stdin.
    Passwd {
        #[arg(value_name = "[USER@]HOST[:PORT]")]
        place: Option<String>,
    },
    /// Make an account for yourself, where the server lets newcomers do that
    ///
    /// Asks for the password, twice, and if need be for the code of your invitation. In a pipe they are the lines of
    /// standard input.
    Register {
        #[arg(value_name = "[NAME@]HOST[:PORT]")]
        place: Option<String>,
    },
    /// Forget the pinned certificate of a server, to be asked again
    Forget {
        #[arg(value_name = "HOST[:PORT]")]
        place: String,
    },
    /// Print the completion script for a shell
    Completions {
        /// For bash: `chat completions bash > ~/.local/share/bash-completion/completions/chat`
        shell: Shell,
    },
    /// Print a manual page, or write all of them into a folder
    #[command(hide = true)]
    Man {
        /// chat-send, for example
        #[arg(default_value = "chat")]
        page: String,
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).ok().filter(|span| !span.is_zero());
    span.ok_or_else(|| "is no span of time; write 30s or 2m".to_owned())
}

/// How messages are printed.
#[derive(Debug, Clone, Copy, Args)]
pub struct Print {
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

impl Print {
    pub fn format(self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// DATE TIME <name> text
    Text,
    /// One object a line: room, msgid, time, from, kind, text, and where there is one reply_to
    Json,
    /// The same columns with a header line, for spreadsheets
    Csv,
}
