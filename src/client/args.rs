//! The command line of `chat`. Syntax only; what it means is decided in [`super::run`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::pins::Fingerprint;

/// Talk on a chatd server, or any IRC server with TLS and SASL, from the terminal.
///
/// On a terminal it shows the rooms and lets you talk; in a pipe it sends the lines of standard input and prints
/// messages plainly. /help lists the commands you can type.
#[derive(Debug, Parser)]
#[command(name = "chat", version, max_term_width = 100, subcommand_negates_reqs = true)]
#[command(
    after_help = "Files: ~/.config/chat/config.toml (password_command), ~/.local/share/chat/known_hosts (pins)\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage"
)]
pub struct Cli {
    /// Where to connect and as whom [default: the last server; user: $USER; port: 6697]
    #[arg(value_name = "[USER@]HOST[:PORT]")]
    pub place: Option<String>,

    #[command(flatten)]
    pub common: Common,

    #[command(subcommand)]
    pub task: Option<Task>,
}

#[derive(Debug, Args)]
pub struct Common {
    /// The server for send, tail, history and search [default: the last one used interactively]
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

    /// Log in with this client certificate (PEM) instead of a password
    #[arg(long, global = true, value_name = "FILE", conflicts_with_all = ["password_stdin", "password_file"])]
    pub cert: Option<PathBuf>,

    /// The private key of --cert (PEM) [default: it is in the same file]
    #[arg(long, global = true, value_name = "FILE")]
    pub key: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Task {
    /// Send a message, or each line of standard input; done when the server has stored them
    #[command(override_usage = "chat send [OPTIONS] [USER@HOST[:PORT]] TARGET [TEXT]...")]
    Send {
        /// A room ('#ops') or a person
        target: String,
        /// Enter the room first, if you are not in it
        #[arg(long)]
        join: bool,
        /// The text; '-' or nothing: the lines of standard input
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        text: Vec<String>,
    },
    /// Print the last messages, then new ones as they come, until interrupted
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
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Print the last messages of a room or with a person
    #[command(override_usage = "chat history [OPTIONS] [USER@HOST[:PORT]] TARGET")]
    History {
        /// A room ('#ops') or a person
        target: String,
        #[arg(hide = true)]
        second: Option<String>,
        /// How many messages
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: u32,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
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
        /// How many messages, the newest
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: u32,
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// DATE TIME <name> text
    Text,
    /// One JSON object a line
    Json,
}
