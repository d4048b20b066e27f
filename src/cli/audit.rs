//! `chatd audit`: what administrators did, from where, and what came of it.

use std::io::{self, Write};

use serde::Serialize;

use super::Setup;
use super::text::{self, Edge, When};
use crate::clock;
use crate::store::{AuditQuery, AuditRow};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the newest N
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: usize,
    /// Only from this time on: 2026-11-23, "2026-11-23 15:04", or how long ago: 2h, 3d
    #[arg(long, value_name = "T", value_parser = When::parse)]
    since: Option<When>,
    /// Only what this account, or user of the machine, did
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: i64,
    time: String,
    who: &'a str,
    from: &'a str,
    what: &'a str,
    done: bool,
    result: &'a str,
}

pub fn run(setup: &Setup, args: Args) -> anyhow::Result<()> {
    let (now, zone) = (clock::now(), text::zone());
    let since = args.since.map(|when| when.resolve(now, zone, Edge::Start));
    let query = AuditQuery { since, who: args.who, before: None, limit: args.last };
    let rows = setup.reader()?.audit(&query)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if args.json {
        for row in &rows {
            let AuditRow { id, time, who, place, what, done, result } = row;
            let listed = Listed { id: *id, time: text::rfc3339(*time), who, from: place, what, done: *done, result };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        }
    } else if rows.is_empty() {
        writeln!(out, "Nothing of the kind was done.")?;
    } else {
        let row = |row: &AuditRow| {
            let outcome = if row.done { String::new() } else { format!("refused: {}", row.result) };
            vec![text::local(row.time, zone), row.who.clone(), row.place.clone(), row.what.clone(), outcome]
        };
        text::print_table(&mut out, &["TIME", "WHO", "FROM", "WHAT", ""], rows.iter().map(row).collect())?;
    }
    Ok(out.flush()?)
}
