//! `chatd user erase`: nothing of a person stays, but that somebody was there.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, bail};

use super::{Setup, confirm, text};
use crate::admin::{self, Order};
use crate::proto::names::AccountName;
use crate::store::{AccountRow, Reader, RoomKind};

pub fn run(setup: &Setup, name: &str, yes: bool) -> anyhow::Result<()> {
    let reader = setup.reader()?;
    let row = there(&reader, name)?;
    let shown = text::clean(&row.name);
    if !yes && io::stdin().is_terminal() {
        tell_what_goes(&reader, &row, &shown)?;
    }
    if !confirm(&format!("Erase {shown} for good?"), yes)? {
        bail!("nothing was changed");
    }
    let (config, _) = setup.load()?;
    let dir = &config.server.data_dir;
    setup.order(&config, &Order::EraseUser { name: name.to_owned() }, false)?;
    let terminal = io::stderr().is_terminal();
    let finished = admin::finish_erasures(dir, |percent| {
        if terminal {
            // Nobody is to lose the rest over it.
            let _ = write!(io::stderr(), "\r\x1b[Kthe history: {percent} %\r");
        }
    });
    if terminal {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    finished.context("the account is closed; the rest is done by the server, or by its next start")?;
    Ok(writeln!(
        io::stdout(),
        "erased from the history and the index; a running server wipes what is left in its files in the next seconds. Backups and \
         exports made before still have it: delete them too"
    )?)
}

/// Those who were removed can be erased, too.
fn there(reader: &Reader, name: &str) -> anyhow::Result<AccountRow> {
    let advice = || format!("there is no account {:?}; `chatd user list` shows them all", text::clean(name));
    let parsed = AccountName::parse(name).ok().with_context(advice)?;
    reader.account_by_key(parsed.key())?.with_context(advice)
}

fn tell_what_goes(reader: &Reader, row: &AccountRow, shown: &str) -> anyhow::Result<()> {
    let with = reader.rooms_of(row.id)?.iter().filter(|room| room.kind == RoomKind::Direct).count();
    let topics: Vec<String> = reader
        .rooms()?
        .iter()
        .filter(|room| room.topic.as_ref().is_some_and(|topic| topic.by == row.name))
        .map(|room| text::clean(&room.name))
        .collect();
    let mut out = io::stderr().lock();
    writeln!(out, "All that {shown} said goes, in every room, and cannot be brought back:")?;
    writeln!(out, "- messages, reactions, reasons and topics; others' logs keep an empty place")?;
    if !topics.is_empty() {
        writeln!(out, "- among them what is the topic now of {}", topics.join(" "))?;
    }
    writeln!(out, "- direct conversations with what the others said in them, so many: {with}")?;
    writeln!(out, "- password, devices, certificates, display name and all else of the account")?;
    writeln!(out, "- the name, which becomes a neutral one wherever it stands; nobody can take it again")?;
    writeln!(out, "What others wrote about {shown} stays: it is theirs. Take single messages back with REDACT.")?;
    Ok(writeln!(out, "`chatd user export {shown} FILE` writes all of it down first, for them to keep.")?)
}
