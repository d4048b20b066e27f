//! `chatd doctor`: looks for what goes wrong in practice, and says what to do about it. It changes nothing, and works
//! with the server running or stopped.

mod data;
mod files;
mod network;

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

use super::{Setup, text};
use crate::config::Config;
use crate::store::{Holder, Lock};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
}

/// How it is with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Works today.
    Warn,
    Fail,
}

/// What one check has found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    found: String,
    /// What to do; empty if nothing.
    advice: String,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            State::Ok => "ok",
            State::Warn => "WARN",
            State::Fail => "FAIL",
        })
    }
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Finding {
        Finding { check, state: State::Ok, found: found.into(), advice: String::new() }
    }

    fn warn(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { check, state: State::Warn, found: found.into(), advice: advice.into() }
    }

    fn fail(check: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { check, state: State::Fail, found: found.into(), advice: advice.into() }
    }
}

pub fn run(setup: &Setup, args: &Args) -> anyhow::Result<()> {
    let (config, file) = setup.load()?;
    let mut out = io::stdout().lock();
    let mut wrong = 0;
    let mut tell = |finding: Finding| -> anyhow::Result<()> {
        wrong += usize::from(finding.state == State::Fail);
        if args.json {
            return Ok(writeln!(out, "{}", serde_json::to_string(&finding)?)?);
        }
        let Finding { check, state, found, advice } = finding;
        writeln!(out, "{state:<5} {check:<12} {}", text::clean(&found))?;
        if !advice.is_empty() {
            writeln!(out, "{:18} -> {}", "", text::clean(&advice))?;
        }
        Ok(out.flush()?)
    };
    tell(Finding::ok(
        "config",
        file.map_or("no configuration file: the built-in defaults".to_owned(), |file| file.display().to_string()),
    ))?;
    let (running, finding) = server(&config);
    tell(finding)?;
    // Each check is told as soon as it is done: reading all of a big database takes its time.
    for finding in network::certificate(&config) {
        tell(finding)?;
    }
    for finding in files::all(&config, running) {
        tell(finding)?;
    }
    for finding in network::ports(&config, running) {
        tell(finding)?;
    }
    for finding in data::all(&config, running) {
        tell(finding)?;
    }
    match wrong {
        0 => Ok(()),
        1 => anyhow::bail!("one thing is wrong; see FAIL above"),
        more => anyhow::bail!("{more} things are wrong; see FAIL above"),
    }
}

fn server(config: &Config) -> (Holder, Finding) {
    const CHECK: &str = "server";
    let dir = &config.server.data_dir;
    if !dir.exists() {
        let advice = "`chatd quickstart` or `chatd serve` makes it; or the configuration means another server";
        return (Holder::Nobody, Finding::fail(CHECK, format!("there is no data directory {}", dir.display()), advice));
    }
    match Lock::holder(dir) {
        Ok(Holder::Nobody) => (Holder::Nobody, Finding::ok(CHECK, "is not running")),
        Ok(Holder::Process(pid)) => {
            let which = pid.map_or(String::new(), |pid| format!(" (process {pid})"));
            (Holder::Process(pid), Finding::ok(CHECK, format!("is running{which}")))
        }
        Err(error) => {
            (Holder::Nobody, Finding::fail(CHECK, error.to_string(), "run this as the user of the server, or as root"))
        }
    }
}
