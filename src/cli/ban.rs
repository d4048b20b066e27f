//! `chatd ban`: accounts, addresses and networks that are kept out.

use std::io::{self, Write};

use serde::Serialize;

use super::{Setup, text, usage};
use crate::admin::Order;
use crate::clock;
use crate::event::Millis;
use crate::store::{BanKind, BanRow};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Keep an account, an address or a network out; its sessions end
    Add {
        kind: Kind,
        /// A name, 192.0.2.7, or 192.0.2.0/24
        value: String,
        #[command(flatten)]
        term: Term,
    },
    /// The bans there are, and who is muted
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a ban back
    Remove { kind: Kind, value: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Whatever address it comes from
    Account,
    /// One address, IPv4 or IPv6
    Address,
    /// A network, such as 192.0.2.0/24 or 2001:db8::/48
    Cidr,
}

/// How long, and why.
#[derive(Debug, clap::Args)]
pub struct Term {
    /// How long ("2d", "12h"); else until it is taken back
    #[arg(long = "for", value_name = "T")]
    span: Option<String>,
    /// Why; whoever it is about is told
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Term {
    /// The reason, and when it is over.
    pub fn read(self) -> anyhow::Result<(String, Option<i64>)> {
        let Some(span) = self.span else { return Ok((self.reason, None)) };
        match humantime::parse_duration(&span) {
            Ok(span) if !span.is_zero() => {
                let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                Ok((self.reason, Some(clock::now().0.saturating_add(span))))
            }
            _ => usage("--for wants a length of time, such as \"2d\" or \"12h\""),
        }
    }
}

impl Kind {
    fn word(self) -> String {
        let kind = match self {
            Kind::Account => BanKind::Account,
            Kind::Address => BanKind::Address,
            Kind::Cidr => BanKind::Cidr,
        };
        kind.word().to_owned()
    }
}

pub fn run(setup: &Setup, command: Command) -> anyhow::Result<()> {
    let order = match command {
        Command::Add { kind, value, term } => {
            let (reason, expires) = term.read()?;
            Order::AddBan { kind: kind.word(), name: value, reason, expires }
        }
        Command::Remove { kind, value } => Order::RemoveBan { kind: kind.word(), name: value },
        Command::List { json } => return list(setup, json),
    };
    setup.reader()?;
    let (config, _) = setup.load()?;
    setup.order(&config, &order, false)
}

#[derive(Serialize)]
struct Listed<'a> {
    kind: &'a str,
    value: &'a str,
    reason: &'a str,
    created: String,
    expires: Option<String>,
}

fn list(setup: &Setup, json: bool) -> anyhow::Result<()> {
    let now: Millis = clock::now();
    let mut rows = setup.reader()?.bans()?;
    rows.retain(|row| row.holds(now));
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        for row in &rows {
            let listed = Listed {
                kind: row.kind.word(),
                value: &row.shown,
                reason: &row.reason,
                created: text::rfc3339(row.created),
                expires: row.expires.map(text::rfc3339),
            };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        }
    } else if rows.is_empty() {
        writeln!(out, "Nobody is banned or muted. `chatd ban add` keeps somebody out.")?;
    } else {
        let zone = text::zone();
        let row = |row: &BanRow| {
            let expires = row.expires.map_or("never".into(), |time| text::local(time, zone));
            vec![row.kind.word().to_owned(), text::clean(&row.shown), expires, text::clean(&row.reason)]
        };
        text::print_table(&mut out, &["KIND", "WHO", "EXPIRES", "REASON"], rows.iter().map(row).collect())?;
    }
    Ok(out.flush()?)
}
