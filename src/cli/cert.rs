//! `chatd cert`.

use std::io::{self, Write};

use super::Setup;
use crate::clock;
use crate::net::cert;
use crate::net::tls::{self, Fingerprint, pem};
use crate::server::certificate_files;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a self-signed certificate and its key where [tls] cert and key say
    New {
        /// A further host name or address it is for, beside localhost and this host's name; may be repeated
        #[arg(long = "name", value_name = "NAME")]
        names: Vec<String>,
        /// Replace certificate and key that are there; everyone who pinned the old one has to be told
        #[arg(long)]
        force: bool,
    },
    /// Show the certificate's file and fingerprint
    Show,
}

pub fn run(setup: &Setup, command: Command) -> anyhow::Result<()> {
    let (config, _) = setup.load()?;
    let (cert_path, key_path) = (&config.tls.cert, &config.tls.key);
    let mut out = io::stdout().lock();
    match command {
        Command::New { names, force } => {
            let made = cert::make(&names, clock::now())?;
            made.write(cert_path, key_path, force)?;
            writeln!(out, "certificate   {}", cert_path.display())?;
            writeln!(out, "key           {} (mode 0600: keep it secret)", key_path.display())?;
            writeln!(out, "names         {}", made.names.join(", "))?;
            print(&mut out, made.fingerprint)
        }
        Command::Show => {
            // What an authority has issued stands elsewhere.
            let cert_path = &certificate_files(&config).0;
            let chain = pem::certs(cert_path)?;
            let first = chain.first().map(|first| first.as_ref()).unwrap_or_default();
            writeln!(out, "certificate   {}", cert_path.display())?;
            print(&mut out, tls::fingerprint(first))
        }
    }
}

fn print(out: &mut impl Write, fingerprint: Fingerprint) -> anyhow::Result<()> {
    writeln!(out, "SHA-256       {}   (irssi, openssl)", fingerprint.colons())?;
    writeln!(out, "              {}   (chat, WeeChat)", fingerprint.hex())?;
    Ok(())
}
