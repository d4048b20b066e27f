//! `chatd user cert`: the client certificates that an account may log in with (SASL EXTERNAL).

use std::io::{self, Write};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::user::existing;
use super::{Setup, text};
use crate::admin::Order;
use crate::net::tls::{Fingerprint, fingerprint, pem};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Let an account log in with a client certificate
    Add {
        name: String,
        /// SHA-256 of the certificate in hexadecimal, or a PEM file with the certificate
        #[arg(value_name = "FINGERPRINT|FILE.pem")]
        certificate: String,
        /// What to call it, such as "laptop"
        #[arg(long = "name", value_name = "LABEL", default_value = "")]
        label: String,
    },
    /// The certificates of an account
    List {
        name: String,
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a certificate away; sessions that logged in with it end
    Remove {
        name: String,
        #[arg(value_name = "FINGERPRINT|FILE.pem")]
        certificate: String,
    },
}

pub fn run(setup: &Setup, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add { name, certificate, label } => change(setup, &name, &certificate, |name, fingerprint| {
            Order::AddCertificate { name, fingerprint, label, proven: true }
        }),
        Command::Remove { name, certificate } => {
            change(setup, &name, &certificate, |name, fingerprint| Order::RemoveCertificate { name, fingerprint })
        }
        Command::List { name, json } => list(setup, &name, json),
    }
}

fn change(
    setup: &Setup,
    name: &str,
    certificate: &str,
    order: impl FnOnce(String, String) -> Order,
) -> anyhow::Result<()> {
    let fingerprint = read(certificate)?;
    let name = existing(&setup.reader()?, name)?.name.to_string();
    let (config, _) = setup.load()?;
    setup.order(&config, &order(name, fingerprint.hex()), false)
}

/// A fingerprint as it is, or that of the first certificate in a file.
fn read(text: &str) -> anyhow::Result<Fingerprint> {
    if let Some(fingerprint) = Fingerprint::parse(text) {
        return Ok(fingerprint);
    }
    let advice = "this is neither a fingerprint (SHA-256, 64 hexadecimal digits) nor a PEM file with a certificate";
    let chain = pem::certs(Path::new(text)).context(advice)?;
    Ok(fingerprint(chain.first().map(|first| first.as_ref()).unwrap_or_default()))
}

#[derive(Serialize)]
struct Listed<'a> {
    account: &'a str,
    fingerprint: &'a str,
    name: &'a str,
    created: String,
}

fn list(setup: &Setup, name: &str, json: bool) -> anyhow::Result<()> {
    let reader = setup.reader()?;
    let account = existing(&reader, name)?;
    let rows = reader.certificates(account.id)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        for row in &rows {
            let created = text::rfc3339(row.created);
            let listed = Listed { account: &account.name, fingerprint: &row.fingerprint, name: &row.label, created };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        }
    } else if rows.is_empty() {
        writeln!(out, "{} has no certificates. `chatd user cert add` gives it one.", text::clean(&account.name))?;
    } else {
        let zone = text::zone();
        let row = |row: &crate::store::CertificateRow| {
            vec![row.fingerprint.to_string(), text::clean(&row.label), text::local(row.created, zone)]
        };
        text::print_table(&mut out, &["SHA-256", "NAME", "ADDED"], rows.iter().map(row).collect())?;
    }
    Ok(out.flush()?)
}
