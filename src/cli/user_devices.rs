//! `chatd user devices`: what an account logs in from, and the tokens that let devices in without its password.

use std::io::{self, Write};

use anyhow::Context as _;
use serde::Serialize;

use super::user::existing;
use super::{Setup, text};
use crate::admin::Order;
use crate::proto::device::DeviceName;
use crate::store::{DeviceRow, TokenRow};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[arg(required = true)]
    name: Option<String>,
    /// As JSON, one object a line
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Take the token of a device away; sessions that logged in with it end
    Revoke { name: String, device: String },
}

pub fn run(setup: &Setup, args: Args) -> anyhow::Result<()> {
    match (args.command, args.name) {
        (Some(Command::Revoke { name, device }), _) => {
            let name = existing(&setup.reader()?, &name)?.name.to_string();
            let device = DeviceName::named(&device).context("this is not the name of a device")?.shared().to_string();
            let (config, _) = setup.load()?;
            setup.order(&config, &Order::RevokeToken { name, device }, false)
        }
        (None, Some(name)) => list(setup, &name, args.json),
        (None, None) => Ok(()),
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    account: &'a str,
    device: &'a str,
    first_seen: Option<String>,
    last_seen: Option<String>,
    token_created: Option<String>,
    token_used: Option<String>,
}

type Row<'a> = (&'a str, Option<&'a DeviceRow>, Option<&'a TokenRow>);

/// Devices that have been here with the tokens they may have, then those that have a token alone.
pub fn rows<'a>(devices: &'a [DeviceRow], tokens: &'a [TokenRow]) -> Vec<Row<'a>> {
    let token_of = |device: &DeviceRow| tokens.iter().find(|token| token.device == device.name);
    let of_devices = devices.iter().map(|device| (&*device.name, Some(device), token_of(device)));
    let only = |token: &&TokenRow| !devices.iter().any(|device| device.name == token.device);
    let others = tokens.iter().filter(only).map(|token| (&*token.device, None, Some(token)));
    of_devices.chain(others).collect()
}

fn list(setup: &Setup, name: &str, json: bool) -> anyhow::Result<()> {
    let reader = setup.reader()?;
    let account = existing(&reader, name)?;
    let (devices, tokens) = (reader.devices(account.id)?, reader.tokens(account.id)?);
    let rows = rows(&devices, &tokens);
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        for (name, device, token) in &rows {
            let listed = Listed {
                account: &account.name,
                device: name,
                first_seen: device.map(|device| text::rfc3339(device.first_seen)),
                last_seen: device.map(|device| text::rfc3339(device.last_seen)),
                token_created: token.map(|token| text::rfc3339(token.created)),
                token_used: token.and_then(|token| token.last_used).map(text::rfc3339),
            };
            writeln!(out, "{}", serde_json::to_string(&listed)?)?;
        }
    } else if rows.is_empty() {
        writeln!(out, "No device of {} has a name or a token.", text::clean(&account.name))?;
    } else {
        let zone = text::zone();
        let row = |(name, device, token): &Row<'_>| {
            let seen = device.map_or("never".into(), |device| text::local(device.last_seen, zone));
            let token = match token {
                None => String::new(),
                Some(TokenRow { last_used: Some(used), .. }) => format!("used {}", text::local(*used, zone)),
                Some(TokenRow { created, .. }) => format!("made {}, not used", text::local(*created, zone)),
            };
            vec![text::clean(name), seen, token]
        };
        text::print_table(&mut out, &["DEVICE", "LAST SEEN", "TOKEN"], rows.iter().map(row).collect())?;
    }
    Ok(out.flush()?)
}
