//! `chatd invite`: codes with which newcomers make accounts for themselves, where `[auth] registration` is "invite".

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::{Setup, text, usage};
use crate::admin::Order;
use crate::auth::Invitation;
use crate::clock;
use crate::config::Registration;
use crate::event::Millis;
use crate::store::InvitationRow;

/// More is a slip: a code that is used so often is no secret any more.
const USES_MAX: u32 = 10_000;
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a code and print it, once: it is kept nowhere
    New {
        /// How many accounts can be made with it
        #[arg(long, value_name = "N", default_value_t = 1)]
        uses: u32,
        /// How long it is good for ("7days", "12h"), or "never"
        #[arg(long, value_name = "T", default_value = "7days")]
        expires: String,
        /// As JSON, one object
        #[arg(long)]
        json: bool,
    },
    /// The codes there are, by their first digits
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a code back; accounts it has made stay
    Remove {
        /// As `invite list` shows it
        id: String,
    },
}

pub fn run(setup: &Setup, command: Command) -> anyhow::Result<()> {
    match command {
        Command::New { uses, expires, json } => new(setup, uses, &expires, json),
        Command::List { json } => list(setup, json),
        Command::Remove { id } => {
            setup.reader()?;
            let (config, _) = setup.load()?;
            setup.order(&config, &Order::RemoveInvitation { id: id.to_lowercase() }, false)
        }
    }
}

#[derive(Serialize)]
struct Made<'a> {
    id: &'a str,
    code: &'a str,
    uses: u32,
    expires: Option<String>,
}

fn new(setup: &Setup, uses: u32, expires: &str, json: bool) -> anyhow::Result<()> {
    if !(1..=USES_MAX).contains(&uses) {
        return usage(format!("--uses {uses} is out of range; write a number from 1 to {USES_MAX}"));
    }
    let expires = match expires {
        "never" => None,
        span => match humantime::parse_duration(span) {
            Ok(span) if !span.is_zero() && span <= LONGEST => {
                Some(Millis(clock::now().0 + i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
            }
            _ => return usage("--expires wants a length of time up to a year, such as \"7days\", or \"never\""),
        },
    };
    setup.reader()?;
    let (config, _) = setup.load()?;
    let made = Invitation::make()?;
    let order = Order::NewInvitation { hash: made.hash(), uses, expires: expires.map(|time| time.0) };
    setup.order(&config, &order, true)?;
    if config.auth.registration != Registration::Invite {
        writeln!(io::stderr(), "note: it can be used once [auth] registration is \"invite\" in the configuration")?;
    }
    let mut out = io::stdout().lock();
    if json {
        let id = &made.hash()[..crate::store::INVITATION_ID];
        let made = Made { id, code: made.expose(), uses, expires: expires.map(text::rfc3339) };
        writeln!(out, "{}", serde_json::to_string(&made)?)?;
    } else {
        writeln!(out, "{}", made.expose())?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    created: String,
    expires: Option<String>,
    uses: u32,
    used: u32,
    good: bool,
}

fn list(setup: &Setup, json: bool) -> anyhow::Result<()> {
    let rows = setup.reader()?.invitations()?;
    let now = clock::now();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        for row in &rows {
            let listed = Listed {
                id: row.id(),
                created: text::rfc3339(row.created),
                expires: row.expires.map(text::rfc3339),
                uses: row.uses,
                used: row.used,
                good: row.is_good(now),
            };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        }
    } else if rows.is_empty() {
        writeln!(out, "There are no invitations. `chatd invite new` makes one.")?;
    } else {
        let zone = text::zone();
        let row = |row: &InvitationRow| {
            let expires = row.expires.map_or("never".into(), |time| text::local(time, zone));
            let state = if row.is_good(now) { "" } else { "no longer good" };
            vec![row.id().to_owned(), format!("{} of {}", row.used, row.uses), expires, state.to_owned()]
        };
        text::print_table(&mut out, &["ID", "USED", "EXPIRES", ""], rows.iter().map(row).collect())?;
    }
    Ok(out.flush()?)
}
