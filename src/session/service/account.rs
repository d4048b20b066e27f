//! What somebody asks the service about the own account: devices, and who one is here.

use std::sync::Arc;

use crate::encode;
use crate::log::{DEVICES_MAX, Intent};
use crate::proto::device::DeviceName;

use super::super::Session;
use super::Asked;

impl Session {
    pub(super) async fn service_devices(&mut self, rest: &str) {
        let mut words = rest.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (None, ..) => self.list_devices().await,
            (Some(word), Some(name), None) if word.eq_ignore_ascii_case("forget") => self.forget_device(name).await,
            _ => self.service_usage("That is not clear to me.", Asked::Devices),
        }
    }

    async fn list_devices(&mut self) {
        let Ok(devices) = self.ctx.log.readers().devices(self.person.id).await else { return self.service_trouble() };
        let me: Arc<str> = self.presence.place.device.clone();
        let default = self.person.sessions_on("");
        if default > 0 {
            let this = if me.is_empty() { "; this is where you write from" } else { "" };
            self.service_says(&format!("(without a name): connected{}{this}", times(default)));
        }
        for device in &devices {
            let here = self.person.sessions_on(&device.name);
            let last = match here {
                0 => format!("last here {} UTC", encode::stamp(device.last_seen)),
                _ => format!("connected{}", times(here)),
            };
            let this = if device.name == me { "; this is where you write from" } else { "" };
            let since = encode::stamp(device.first_seen);
            self.service_says(&format!("{}: {last}, known since {since} UTC{this}", device.name));
        }
        let nick = self.person.nick.clone();
        let more = match devices.is_empty() {
            true => {
                format!("None of your devices has a name. Log in as {nick}/phone, for example, to give one a name.")
            }
            false => format!("{} of {DEVICES_MAX} names. To forget one: devices forget <name>", devices.len()),
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

    /// The store could not be read.
    pub(super) fn service_trouble(&mut self) {
        self.service_says("The server cannot read its data just now; try again in a moment.");
    }
}

fn times(count: usize) -> String {
    if count == 1 { String::new() } else { format!(" {count} times") }
}
