//! `chatd user`.

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use super::{Setup, confirm, password, text};
use crate::admin::Order;
use crate::event::Owner;
use crate::proto::names::AccountName;
use crate::store::{AccountRow, Reader, RoomKind};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an account; asks for a password twice, unless told where it comes from
    Add {
        name: String,
        /// May act as operator everywhere
        #[arg(long)]
        admin: bool,
        /// Marked as a program to everybody
        #[arg(long)]
        bot: bool,
        #[command(flatten)]
        password: password::Args,
    },
    /// All accounts
    List {
        /// As JSON, one object a line
        #[arg(long)]
        json: bool,
    },
    /// All about one account
    Show { name: String },
    /// All that belongs to one person, as lines of JSON: account, rooms, devices, all that they said and did
    Export(super::user_export::Args),
    /// Give an account a new password; its sessions end
    Passwd {
        name: String,
        #[command(flatten)]
        password: password::Args,
    },
    /// Lock an account out, its sessions end; everything is kept
    Disable { name: String },
    /// Let a disabled account in again
    Enable { name: String },
    /// Take an account away for good; what it said is kept, and its name is not given to anybody else
    Remove {
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Erase a person: all that they said, their direct conversations, their account, and their name wherever it
    /// stands in the history; with the server running or stopped
    Erase {
        name: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// End an account's sessions; it may come back
    Kick {
        name: String,
        /// Why; it is told
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Let an account say nothing anywhere, though it may read
    Mute {
        name: String,
        #[command(flatten)]
        term: super::ban::Term,
    },
    /// Let a muted account speak again
    Unmute { name: String },
    /// Client certificates that an account may log in with: add, list, remove
    #[command(subcommand)]
    Cert(super::user_cert::Command),
    /// The devices of an account and their tokens: `devices NAME`, `devices revoke NAME DEVICE`
    Devices(super::user_devices::Args),
}

pub fn run(setup: &Setup, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add { name, admin, bot, password } => {
            let parsed = AccountName::parse(&name)?;
            let (config, _) = setup.load()?;
            // Before the password is asked for; whoever carries it out checks again.
            if let Ok(reader) = Reader::open(&config.server.data_dir)
                && let Ok(Some(there)) = reader.account_by_key(parsed.key())
                && !there.removed
            {
                anyhow::bail!(
                    "there is an account {} already; `chatd user passwd` gives it a new password",
                    there.name
                );
            }
            let obtained = password::obtain(&password, parsed.display())?;
            let hash = obtained.hash(&config)?;
            setup.order(&config, &Order::AddUser { name, hash, admin, bot }, password.generate)?;
            show_generated(&obtained)?;
        }
        Command::Passwd { name, password } => {
            let name = existing(&setup.reader()?, &name)?.name.to_string();
            let (config, _) = setup.load()?;
            let obtained = password::obtain(&password, &name)?;
            let hash = obtained.hash(&config)?;
            setup.order(&config, &Order::SetPassword { name, hash }, password.generate)?;
            show_generated(&obtained)?;
        }
        Command::Disable { name } => change(setup, Order::Disable { name })?,
        Command::Enable { name } => change(setup, Order::Enable { name })?,
        Command::Remove { name, yes } => {
            let name = existing(&setup.reader()?, &name)?.name.to_string();
            if !confirm(&format!("Remove the account {name} for good?"), yes)? {
                anyhow::bail!("nothing was changed");
            }
            change(setup, Order::RemoveUser { name })?;
        }
        Command::Erase { name, yes } => super::user_erase::run(setup, &name, yes)?,
        Command::Kick { name, reason } => change(setup, Order::KickUser { name, reason })?,
        Command::Mute { name, term } => {
            let (reason, expires) = term.read()?;
            change(setup, Order::AddBan { kind: "mute".into(), name, reason, expires })?;
        }
        Command::Unmute { name } => change(setup, Order::RemoveBan { kind: "mute".into(), name })?,
        Command::Cert(command) => super::user_cert::run(setup, command)?,
        Command::Devices(args) => super::user_devices::run(setup, args)?,
        Command::List { json } => list(&setup.reader()?, json)?,
        Command::Export(args) => super::user_export::run(setup, &args)?,
        Command::Show { name } => show(&setup.reader()?, &name)?,
    }
    Ok(())
}

/// The account that goes by this name, in whatever letter case.
pub fn existing(reader: &Reader, name: &str) -> anyhow::Result<AccountRow> {
    let advice = || format!("there is no account {:?}; `chatd user list` shows them all", text::clean(name));
    let parsed = AccountName::parse(name).ok().with_context(advice)?;
    reader.account_by_key(parsed.key())?.filter(|row| !row.removed).with_context(advice)
}

/// Without a database there is no account to change, and none is made just to find that out.
fn change(setup: &Setup, order: Order) -> anyhow::Result<()> {
    setup.reader()?;
    let (config, _) = setup.load()?;
    setup.order(&config, &order, false)
}

/// Alone on stdout, so that a script can take it from there.
fn show_generated(obtained: &password::Obtained) -> io::Result<()> {
    obtained.generated().map_or(Ok(()), |password| writeln!(io::stdout(), "{password}"))
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    admin: bool,
    bot: bool,
    disabled: bool,
    created: String,
    last_seen: Option<String>,
}

fn list(reader: &Reader, json: bool) -> anyhow::Result<()> {
    let accounts: Vec<AccountRow> = reader.accounts()?.into_iter().filter(|row| !row.removed).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        for row in &accounts {
            let listed = Listed {
                name: &row.name,
                admin: row.admin,
                bot: row.bot,
                disabled: row.disabled,
                created: text::rfc3339(row.created),
                last_seen: row.last_seen.map(text::rfc3339),
            };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        }
    } else if accounts.is_empty() {
        writeln!(out, "There are no accounts. `chatd user add NAME` makes one.")?;
    } else {
        let zone = text::zone();
        let row = |row: &AccountRow| {
            let seen = row.last_seen.map_or("never".into(), |time| text::local(time, zone));
            vec![row.name.to_string(), marks(row), text::local(row.created, zone), seen]
        };
        text::print_table(&mut out, &["NAME", "", "CREATED", "LAST SEEN"], accounts.iter().map(row).collect())?;
    }
    Ok(out.flush()?)
}

fn show(reader: &Reader, name: &str) -> anyhow::Result<()> {
    let row = existing(reader, name)?;
    let zone = text::zone();
    let rooms: Vec<String> = reader
        .rooms_of(row.id)?
        .into_iter()
        .filter(|room| room.kind == RoomKind::Channel)
        .map(|room| text::clean(&room.name))
        .collect();
    let mut out = io::stdout().lock();
    writeln!(out, "name        {}", text::clean(&row.name))?;
    writeln!(out, "account     {}", if row.disabled { "disabled" } else { "enabled" })?;
    writeln!(out, "admin       {}", yes_no(row.admin))?;
    writeln!(out, "bot         {}", yes_no(row.bot))?;
    writeln!(out, "created     {}", text::local(row.created, zone))?;
    writeln!(out, "last seen   {}", row.last_seen.map_or("never".into(), |time| text::local(time, zone)))?;
    let keys: Vec<String> = reader.metadata(Owner::Account(row.id))?.keys().map(|key| text::clean(key)).collect();
    writeln!(out, "metadata    {}", if keys.is_empty() { "none".into() } else { keys.join(" ") })?;
    writeln!(out, "rooms       {}", if rooms.is_empty() { "none".into() } else { rooms.join(" ") })?;
    Ok(())
}

fn marks(row: &AccountRow) -> String {
    let marks = [(row.admin, "admin"), (row.bot, "bot"), (row.disabled, "disabled")];
    marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect::<Vec<_>>().join(", ")
}

fn yes_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}
