//! `chatd config`.

use std::io::{self, Write};

use super::Setup;
use crate::net::tls::ServerTls;
use crate::server::certificate_files;

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
    let (cert, key) = certificate_files(&config);
    if let Err(error) = ServerTls::load(&cert, &key) {
        writeln!(io::stderr(), "note: {error}")?;
    }
    Ok(())
}
