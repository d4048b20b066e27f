//! `chatd man`: the manual pages, and what they say beyond the grammar of the command line.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::usage;
use crate::man::{self, Sections};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// chatd-user-add, for example
    #[arg(default_value = "chatd")]
    page: String,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let pages = man::pages(super::Cli::command(), SECTIONS)?;
    if let Some(dir) = &args.dir {
        return man::write(&pages, dir).with_context(|| format!("cannot write to {}", dir.display()));
    }
    let Some((_, page)) = pages.iter().find(|(name, _)| name.strip_suffix(".1") == Some(&args.page)) else {
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.trim_end_matches(".1")).collect();
        return usage(format!("there is no such page; there are {}", names.join(", ")));
    };
    Ok(io::stdout().write_all(page)?)
}

const SECTIONS: Sections = &[
    (
        "chatd",
        "EXAMPLES",
        "    chatd quickstart
Makes a server from nothing in ./chatd-data and runs it.

    chatd --config /etc/chatd/config.toml user add alice
    chatd --config /etc/chatd/config.toml history '#lobby' --last 20
An account for alice, whose password it asks for; what was said last. Both work while the server runs.",
    ),
    (
        "chatd",
        "FILES",
        "config.toml: the configuration; --config names another one. Without it ./config.toml, then /etc/chatd/config.toml, else
the built-in defaults. config.example.toml of the source explains every key.

chat.db in the data folder: everything that is kept, one SQLite file. Whoever may write to it may give the server orders:
that is how the commands reach a running server.",
    ),
    (
        "chatd",
        "ENVIRONMENT",
        "CHATD_SERVER__NAME and the like: a key of the configuration, here name in the table [server].",
    ),
    (
        "chatd-serve",
        "SIGNALS",
        "HUP: read the configuration and the certificate again; what is wrong is refused, and the old stays.

TERM, INT: tell everybody, store what is under way, end.",
    ),
    (
        "chatd-user-add",
        "EXAMPLES",
        "    chatd user add alice
    chatd user add --admin --generate root
    printf '%s\\n' \"$WORD\" | chatd user add --bot --password-stdin weather",
    ),
    (
        "chatd-history",
        "EXAMPLES",
        "    chatd history '#ops' --since 2d
    chatd history alice,bob --format json
    chatd history '#ops' --search 'deploy failed' --format csv > found.csv
    chatd history '#ops' --follow",
    ),
    ("*", "EXIT STATUS", "0: done. 1: it failed, and standard error says why and what to do. 2: wrong usage or configuration."),
    ("*", "SEE ALSO", "chatd(1), chat(1)"),
];
