//! The command line: one file a group of commands, each a thin layer over `admin`, `store` and `server`.
//!
//! Promises: what a program reads goes to stdout, what people are told about trouble to stderr; exit codes are 0
//! (done), 1 (failed) and 2 (wrong usage or configuration); no password is ever an argument or shown twice.

mod audit;
mod backup;
mod ban;
mod cert;
mod completions;
mod config;
mod doctor;
mod history;
mod import;
mod invite;
mod man;
mod output;
mod password;
mod quickstart;
mod room;
mod serve;
mod status;
mod text;
mod transfer;
mod user;
mod user_cert;
mod user_devices;
mod user_erase;
mod user_export;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::admin::{self, By, Order};
use crate::config::{Config, ConfigFaults};
use crate::store::Reader;

/// A chat server that keeps every word: encrypted, logged in, nothing lost.
#[derive(Debug, Parser)]
#[command(name = "chatd", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage or configuration")]
pub struct Cli {
    /// The configuration file [default: ./config.toml, then /etc/chatd/config.toml, else built-in defaults]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve,
    /// Make everything from nothing (configuration, certificate, admin account), then run the server
    Quickstart(quickstart::Args),
    /// Accounts: add, list, show, new password, disable, enable, remove, export, erase
    #[command(subcommand)]
    User(user::Command),
    /// Codes with which newcomers make accounts for themselves: new, list, remove
    #[command(subcommand)]
    Invite(invite::Command),
    /// Accounts, addresses and networks that are kept out: add, list, remove
    #[command(subcommand)]
    Ban(ban::Command),
    /// Rooms: list, show, create, remove
    #[command(subcommand)]
    Room(room::Command),
    /// Print what was said in a room, with the server running or stopped
    History(history::Args),
    /// The server's certificate: make a self-signed one, show its fingerprint
    #[command(subcommand)]
    Cert(cert::Command),
    /// Copy the database into one compressed file, while the server runs or not
    Backup(backup::BackupArgs),
    /// Put a backup in the place of the database of a stopped server; what was there is kept aside
    Restore(backup::RestoreArgs),
    /// How the running server is: who is connected, how much is said, how fast it is stored
    Status(status::Args),
    /// Write the whole server as lines of JSON, while it runs or not
    Export(transfer::ExportArgs),
    /// Take what `chatd export` wrote, or logs of WeeChat, irssi, ZNC and Slack, into a new data directory
    Import(transfer::ImportArgs),
    /// What administrators did: who, what, when, from where
    Audit(audit::Args),
    /// Look for what goes wrong in practice: certificate, rights, disk, clock, database, limits, port
    Doctor(doctor::Args),
    /// The configuration: check it
    #[command(subcommand)]
    Config(config::Command),
    /// Print the completion script for a shell
    Completions(completions::Args),
    /// Print a manual page, or write all of them into a folder
    #[command(hide = true)]
    Man(man::Args),
}

/// Parses the arguments, runs the command, tells of an error. All that `main` does.
pub fn main() -> ExitCode {
    // For libraries that ask for a default; ours always names its provider. Failing means that there is one already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        // `chatd history | head`: whoever read us has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "chatd: {}", in_one_line(&error));
            let is_usage = error.downcast_ref::<Usage>().is_some() || error.downcast_ref::<ConfigFaults>().is_some();
            ExitCode::from(if is_usage { 2 } else { 1 })
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let setup = Setup { explicit: cli.config };
    match cli.command {
        Command::Serve => serve::run(&setup),
        Command::Quickstart(args) => quickstart::run(&setup, args),
        Command::User(command) => user::run(&setup, command),
        Command::Invite(command) => invite::run(&setup, command),
        Command::Ban(command) => ban::run(&setup, command),
        Command::Room(command) => room::run(&setup, command),
        Command::History(args) => history::run(&setup, args),
        Command::Cert(command) => cert::run(&setup, command),
        Command::Backup(args) => backup::backup(&setup, &args),
        Command::Restore(args) => backup::restore(&setup, &args),
        Command::Status(args) => status::run(&setup, &args),
        Command::Export(args) => transfer::export(&setup, &args),
        Command::Import(args) => transfer::import(&setup, &args),
        Command::Audit(args) => audit::run(&setup, args),
        Command::Doctor(args) => doctor::run(&setup, &args),
        Command::Config(command) => config::run(&setup, command),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Where a command works: the configuration it was pointed at, read when it is needed.
struct Setup {
    explicit: Option<PathBuf>,
}

impl Setup {
    fn load(&self) -> anyhow::Result<(Config, Option<PathBuf>)> {
        Ok(Config::load(self.explicit.as_deref())?)
    }

    /// The database, to look at.
    fn reader(&self) -> anyhow::Result<Reader> {
        let (config, file) = self.load()?;
        Reader::open(&config.server.data_dir).with_context(|| match file {
            Some(file) => format!("with the configuration {}", file.display()),
            None => "without a configuration file (is there one to give with --config?)".to_owned(),
        })
    }

    /// Has an order carried out and says how it went: on stdout, or on stderr if stdout is for something else.
    fn order(&self, config: &Config, order: &Order, stdout_is_taken: bool) -> anyhow::Result<()> {
        let done = admin::submit(&config.server.data_dir, order)?;
        let how = match done.by {
            By::RunningServer => "done by the running server",
            By::Ourselves => "done; the server is not running",
        };
        let line = format!("{} ({how}; its data is in {})", done.message, config.server.data_dir.display());
        if stdout_is_taken {
            writeln!(io::stderr(), "{line}")?
        } else {
            writeln!(io::stdout(), "{line}")?
        }
        Ok(())
    }
}

/// A wrong use of the command line that the parser cannot see: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn usage<T>(text: impl Into<String>) -> anyhow::Result<T> {
    Err(Usage(text.into()).into())
}

/// Asks before something is lost. Without a terminal to ask on, `--yes` has to say it.
fn confirm(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return usage(format!("{question} Say so with --yes, since there is no terminal to ask on"));
    }
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |cause: &&(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(|cause| broken(&cause))
}

/// The error and its causes. Many say what their cause said; nobody wants to read it twice.
fn in_one_line(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        said if said.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_is_named_before_or_after_the_command() {
        for line in ["chatd --config x.toml serve", "chatd serve --config x.toml", "chatd user list --config x.toml"] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(cli.config, Some(PathBuf::from("x.toml")), "{line}");
        }
    }

    #[test]
    fn every_command_of_the_contract_is_understood() {
        for line in [
            "serve",
            "quickstart",
            "quickstart --dir d",
            "user add a",
            "user add a --admin --bot --generate",
            "user add a --password-stdin",
            "user list",
            "user list --json",
            "user show a",
            "user export a",
            "user export a f.jsonl",
            "user passwd a --password-stdin",
            "user passwd a --generate",
            "user disable a",
            "user enable a",
            "user remove a --yes",
            "user erase a --yes",
            "user kick a --reason t",
            "user mute a --for 1h --reason t",
            "user unmute a",
            "ban add account a --for 2d --reason t",
            "ban add address 192.0.2.7",
            "ban add cidr 192.0.2.0/24",
            "ban list --json",
            "ban remove cidr 192.0.2.0/24",
            "user cert add a c.pem --name laptop",
            "user cert list a --json",
            "user cert remove a c.pem",
            "invite new --uses 3 --expires 2days --json",
            "invite list --json",
            "invite remove 0123abcd",
            "room list --json",
            "room create #a --topic t",
            "room show #a",
            "room remove #a --yes",
            "history #a",
            "history #a --last 20 --since 2h --until 2026-11-23 --from a --search t --format json",
            "history a,b --format csv",
            "history #a --follow --format text",
            "history #a --format html",
            "cert new --name a --name b --force",
            "cert show",
            "config check",
            "room retention #a 90d --yes",
            "doctor --json",
            "status --json",
            "status --watch",
            "export",
            "export f.jsonl --with-secrets",
            "import f.jsonl",
            "import --from weechat d --dry-run --zone Europe/Berlin --map m --skip",
            "import --from irssi d e",
            "import --from znc d --room #a",
            "import --from slack f.zip",
            "audit --last 5 --since 2d --who root --json",
            "backup f.gz",
            "restore f.gz --check",
            "restore f.gz --yes",
            "completions bash",
            "man chatd-user-add",
            "man --dir d",
        ] {
            let line = format!("chatd {line}");
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
        for line in ["", "user", "user add", "user add a --generate --password-stdin", "history", "history #a --last x"]
        {
            assert!(Cli::try_parse_from(format!("chatd {line}").trim().split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let gone = || Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe));
        assert!(is_broken_pipe(&gone().context("printing").unwrap_err()));
        assert!(!is_broken_pipe(&anyhow::anyhow!("other")));
    }
}
