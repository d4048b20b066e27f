//! `chatd config`.

use std::io::{self, Write};

use super::Setup;
use crate::net::tls::ServerTls;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Tell all that is wrong with the configuration; exit code 2 if anything is
    Check,
}

pub fn run(setup: &Setup, Command::Check: Command) -> anyhow::Result<()> {
    let (config, file) = setup.load()?;
    match file {
        Some(file) => writeln!(io::stdout(), "{} is in order", file.display())?,
        None => writeln!(io::stdout(), "there is no configuration file; the built-in defaults are in order")?,
    }
    // Not a fault of the file: the pair may come later. But whoever checks wants to know before they start.
    if let Err(error) = ServerTls::load(&config.tls.cert, &config.tls.key) {
        writeln!(io::stderr(), "note: {error}")?;
    }
    Ok(())
}
