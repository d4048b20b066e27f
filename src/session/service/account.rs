//! What somebody asks the service about the own account: devices, and who one is here.

use std::sync::Arc;

use serde_json::json;

use crate::auth::Token;
use crate::encode;
use crate::event::Millis;
use crate::log::{DEVICES_MAX, Device, Intent, Order, TokenRow};
use crate::proto::device::DeviceName;

use super::super::Session;
use super::Asked;

impl Session {
    pub(super) async fn service_devices(&mut self, rest: &str) {
        let (words, json) = asked(rest);
        match (words.first().map(|word| word.to_ascii_lowercase()).as_deref(), &words[..]) {
            (None, _) if json => self.list_devices_as_json().await,
            (None, _) => self.list_devices().await,
            (Some("add"), [_, name]) => self.add_token(name, json).await,
            (Some("remove"), [_, name]) => self.remove_token(name, json).await,
            (Some("forget"), [_, name]) if !json => self.forget_device(name).await,
            _ => self.service_usage("That is not clear to me.", Asked::Devices),
        }
    }

    /// Makes a token for a device, which is shown this once.
    async fn add_token(&mut self, name: &str, json: bool) {
        let device = match DeviceName::parse(name) {
            Ok(device) if !device.is_default() => device.shared(),
            Ok(_) => return self.service_outcome(json, false, "Which device? Give it a name, such as phone."),
            Err(error) => return self.service_outcome(json, false, &format!("Not done: {error}.")),
        };
        if self.mailbox.by_token {
            // Else revoking the token would not lock out who had it.
            let why = "Not done: log in with your password or a certificate first, not with a token.";
            return self.service_outcome(json, false, why);
        }
        let Ok(token) = Token::make() else {
            return self.service_outcome(json, false, "Not done: the system gives no random bytes.");
        };
        let name = self.person.nick.to_string();
        let order = Order::AddToken { name, device: device.to_string(), hash: token.hash() };
        self.acts += 1;
        if let Err(refusal) = self.ctx.log.ask(Intent::Order { row: None, order, by: None }).await {
            return self.service_outcome(json, false, &format!("Not done: {refusal}."));
        }
        tracing::info!(session = self.id, account = %self.person.nick, %device, "token made by its owner");
        if json {
            return self.service_json(&json!({ "ok": true, "device": *device, "token": token.expose() }));
        }
        self.service_says(&format!("The token of {device}, in place of your password; it is not shown again:"));
        self.service_says(token.expose());
        self.service_says(&format!("Who has it is you. To take it away: devices remove {device}"));
    }

    async fn remove_token(&mut self, name: &str, json: bool) {
        let Ok(device) = DeviceName::named(name) else {
            return self.service_outcome(json, false, "That is not the name of a device.");
        };
        let device = device.shared();
        let order = Order::RevokeToken { name: self.person.nick.to_string(), device: device.to_string() };
        self.acts += 1;
        match self.ctx.log.ask(Intent::Order { row: None, order, by: None }).await {
            Ok(_) => {
                tracing::info!(session = self.id, account = %self.person.nick, %device, "token revoked by its owner");
                let done = format!("The token of {device} is no login any more. Sessions that logged in with it end.");
                self.service_outcome(json, true, &done);
            }
            Err(refusal) => self.service_outcome(json, false, &format!("Not done: {refusal}.")),
        }
    }

    async fn list_devices_as_json(&mut self) {
        let (readers, account) = (self.ctx.log.readers(), self.person.id);
        let (Ok(devices), Ok(tokens)) = (readers.devices(account).await, readers.tokens(account).await) else {
            return self.service_outcome(true, false, "The server cannot read its data just now.");
        };
        let me = self.presence.place.device.clone();
        for device in device_table(devices, tokens) {
            let sessions = self.person.sessions_on(&device.name);
            self.service_json(&json!({
                "device": *device.name,
                "last_seen": device.last_seen.map(encode::iso),
                "token": device.token.is_some(),
                "token_used": device.token.and_then(|token| token.last_used).map(encode::iso),
                "sessions": sessions,
                "this": device.name == me,
            }));
        }
        self.service_json(&json!({ "ok": true }));
    }

    async fn list_devices(&mut self) {
        let Ok(devices) = self.ctx.log.readers().devices(self.person.id).await else { return self.service_trouble() };
        let Ok(tokens) = self.ctx.log.readers().tokens(self.person.id).await else { return self.service_trouble() };
        let me: Arc<str> = self.presence.place.device.clone();
        let default = self.person.sessions_on("");
        if default > 0 {
            let this = if me.is_empty() { "; this is where you write from" } else { "" };
            self.service_says(&format!("(without a name): connected{}{this}", times(default)));
        }
        let count = devices.len();
        for device in device_table(devices, tokens) {
            let here = self.person.sessions_on(&device.name);
            let last = match (here, device.last_seen) {
                (0, Some(last)) => format!("last here {} UTC", encode::stamp(last)),
                (0, None) => "never here".to_owned(),
                _ => format!("connected{}", times(here)),
            };
            let since = device.first_seen.map(|since| format!(", known since {} UTC", encode::stamp(since)));
            let token = if device.token.is_some() { ", has a token" } else { "" };
            let this = if device.name == me { "; this is where you write from" } else { "" };
            self.service_says(&format!("{}: {last}{}{token}{this}", device.name, since.unwrap_or_default()));
        }
        let nick = self.person.nick.clone();
        let more = match count == 0 {
            true => {
                format!("None of your devices has a name. Log in as {nick}/phone, for example, to give one a name.")
            }
            false => format!("{count} of {DEVICES_MAX} names. To forget one: devices forget <name>"),
        };
        self.service_says(&more);
    }

    async fn forget_device(&mut self, name: &str) {
        let Ok(device) = DeviceName::named(name) else {
            return self.service_usage("That is not the name of a device.", Asked::Devices);
        };
        let device = device.shared();
        let Ok(devices) = self.ctx.log.readers().devices(self.person.id).await else { return self.service_trouble() };
        if !devices.iter().any(|row| row.name == device) {
            return self.service_says(&format!("You have no device {device}. To see them: devices"));
        }
        if self.person.sessions_on(&device) > 0 {
            return self.service_says(&format!("{device} is connected; disconnect it first, then forget it."));
        }
        self.acts += 1;
        let intent = Intent::ForgetDevice { account: self.person.id, device: device.clone() };
        match self.ctx.log.ask(intent).await {
            Ok(_) => {
                self.person.forget_device(&device);
                self.service_says(&format!("{device} is forgotten. When it comes back it is a new one."));
            }
            Err(refusal) => self.service_says(&refusal.to_string()),
        }
    }

    pub(super) fn service_whoami(&mut self) {
        let kind = match (self.person.is_bot(), self.powers(), self.person.is_admin()) {
            (true, ..) => ", a bot",
            (_, true, _) => ", an administrator with all powers in this session",
            (_, _, true) => ", an administrator (OPER gives a session the powers)",
            _ => "",
        };
        let device = self.presence.place.device.clone();
        let device = if device.is_empty() { "a device without a name".to_owned() } else { format!("device {device}") };
        let sessions = self.person.session_count();
        let rooms = self.channels().len();
        let nick = self.person.nick.clone();
        self.service_says(&format!(
            "You are {nick}{kind}, on {device}. Sessions of yours: {sessions}. Rooms you are in: {rooms}."
        ));
    }

    /// What came of it, in words or for a program.
    pub(super) fn service_outcome(&mut self, json: bool, ok: bool, words: &str) {
        match json {
            // In one line, even if every sign of it had to be escaped.
            true => self.service_json(&json!({ "ok": ok, "message": encode::split(words, 160).0 })),
            false => self.service_says(words),
        }
    }

    /// A line for a program.
    pub(super) fn service_json(&mut self, value: &serde_json::Value) {
        self.service_says(&value.to_string());
    }

    /// The store could not be read.
    pub(super) fn service_trouble(&mut self) {
        self.service_says("The server cannot read its data just now; try again in a moment.");
    }
}

/// The words of a question; the last may be "json".
pub(super) fn asked(rest: &str) -> (Vec<&str>, bool) {
    let mut words: Vec<&str> = rest.split_whitespace().collect();
    let json = words.last().is_some_and(|word| word.eq_ignore_ascii_case("json"));
    if json {
        words.pop();
    }
    (words, json)
}

/// What there is of a device: the place it has been shown the log to, a token, or both.
pub(super) struct Row {
    pub name: Arc<str>,
    pub first_seen: Option<Millis>,
    pub last_seen: Option<Millis>,
    pub token: Option<TokenRow>,
}

/// Those that have been here, then those that have a token alone.
pub(super) fn device_table(devices: Vec<Device>, mut tokens: Vec<TokenRow>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(devices.len() + tokens.len());
    for device in devices {
        let at = tokens.iter().position(|token| token.device == device.name);
        let (first_seen, last_seen) = (Some(device.first_seen), Some(device.last_seen));
        rows.push(Row { name: device.name, first_seen, last_seen, token: at.map(|at| tokens.swap_remove(at)) });
    }
    let new =
        |token: TokenRow| Row { name: token.device.clone(), first_seen: None, last_seen: None, token: Some(token) };
    rows.extend(tokens.into_iter().map(new));
    rows
}

fn times(count: usize) -> String {
    if count == 1 { String::new() } else { format!(" {count} times") }
}
