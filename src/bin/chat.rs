//! The terminal client. All it does is in [`chatd::client`].

use std::process::ExitCode;

use chatd::client::args::Cli;
use clap::Parser;

fn main() -> ExitCode {
    chatd::client::run(Cli::parse())
}
