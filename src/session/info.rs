//! What the server says of itself: the welcome, ISUPPORT, MOTD, LUSERS, VERSION, TIME, ADMIN, INFO, LINKS, STATS, TRACE.

use std::sync::atomic::Ordering;

use crate::encode;
use crate::live::WATCHED_MAX;
use crate::proto::caps::{Cap, CapSet};
use crate::proto::line::{BODY_MAX, Line, Message};
use crate::proto::numerics::*;
use crate::proto::{isupport, modes};

use super::people::{REALNAME_MAX, matches};
use super::rooms::clean;
use super::{Context, Session, Settings};

const VERSION: &str = concat!("chatd-", env!("CARGO_PKG_VERSION"));

impl Session {
    /// 001 to 005, LUSERS and MOTD: what a client waits for after its login.
    pub(super) fn welcome(&mut self) {
        let info = self.ctx.info.clone();
        let text = format!("Welcome to the {} network, {}", info.network, self.source());
        self.numeric(RPL_WELCOME, &[], &text);
        self.numeric(RPL_YOURHOST, &[], &format!("Your host is {}, running version {VERSION}", info.name));
        self.numeric(RPL_CREATED, &[], &format!("This server was started {} UTC", encode::stamp(info.started)));
        let params =
            [&info.name, VERSION, super::user_modes::LETTERS, &modes::all_letters(), &modes::letters_with_param()];
        let line = self.numeric_line(RPL_MYINFO, &params);
        self.say(line);
        self.isupport();
        self.lusers();
        self.own_metadata();
        self.motd();
    }

    /// RPL_ISUPPORT, in a batch of its own for who knows it (<https://ircv3.net/specs/extensions/extended-isupport>).
    pub(super) fn isupport(&mut self) {
        let batch = is_batched(self.caps()).then(|| self.batch_reference());
        let nick = self.person.nick.clone();
        let lines = isupport_lines(&self.ctx, &self.settings, &nick, batch.as_deref());
        lines.into_iter().for_each(|line| self.say(line));
    }

    pub(super) fn motd(&mut self) {
        let info = self.ctx.info.clone();
        let motd = self.settings.clone();
        let motd = &motd.motd;
        if motd.is_empty() {
            self.numeric(ERR_NOMOTD, &[], "There is no message of the day");
            return;
        }
        self.numeric(RPL_MOTDSTART, &[], &format!("- {} Message of the day -", info.name));
        for line in motd.lines() {
            self.numeric(RPL_MOTD, &[], &format!("- {line}"));
        }
        self.numeric(RPL_ENDOFMOTD, &[], "End of /MOTD command");
    }

    pub(super) fn ask_motd(&mut self, message: &Message<'_>) {
        if self.is_here(message.param(0)) {
            self.motd();
        }
    }

    /// `LUSERS [mask [server]]`
    pub(super) fn ask_lusers(&mut self, message: &Message<'_>) {
        if self.is_here(message.param(1)) {
            self.lusers();
        }
    }

    pub(super) fn lusers(&mut self) {
        let online = self.ctx.log.roster().online();
        let (people, admins) = (online.len(), online.iter().filter(|person| person.is_oper()).count());
        let hidden = online.iter().filter(|person| person.is_invisible()).count();
        let seen = people - hidden;
        let rooms = self.ctx.log.directory().channels().len();
        let unknown = self.ctx.unregistered.load(Ordering::Relaxed).to_string();
        self.numeric(RPL_LUSERCLIENT, &[], &format!("There are {seen} users and {hidden} invisible on 1 servers"));
        self.numeric(RPL_LUSEROP, &[&admins.to_string()], "operator(s) online");
        self.numeric(RPL_LUSERUNKNOWN, &[&unknown], "unknown connection(s)");
        self.numeric(RPL_LUSERCHANNELS, &[&rooms.to_string()], "channels formed");
        self.numeric(RPL_LUSERME, &[], &format!("I have {people} clients and 0 servers"));
        let most = self.ctx.count_online(people).to_string();
        let people = people.to_string();
        let text = format!("Current local users {people}, max {most}");
        self.numeric(RPL_LOCALUSERS, &[&people, &most], &text);
        let text = format!("Current global users {people}, max {most}");
        self.numeric(RPL_GLOBALUSERS, &[&people, &most], &text);
    }

    pub(super) fn version(&mut self, message: &Message<'_>) {
        if !self.is_here(message.param(0)) {
            return;
        }
        let name = self.ctx.info.name.clone();
        self.numeric(RPL_VERSION, &[VERSION, &name], "every word is kept");
        self.isupport();
    }

    pub(super) fn time(&mut self, message: &Message<'_>) {
        if !self.is_here(message.param(0)) {
            return;
        }
        let name = self.ctx.info.name.clone();
        let now = (self.ctx.clock)();
        let seconds = (now.0 / 1000).to_string();
        self.numeric(RPL_TIME, &[&name, &seconds, "0"], &format!("{} UTC", encode::stamp(now)));
    }

    pub(super) fn admin(&mut self, message: &Message<'_>) {
        if !self.is_here(message.param(0)) {
            return;
        }
        let info = self.ctx.info.clone();
        self.numeric(RPL_ADMINME, &[&info.name], "Administrative info");
        self.numeric(RPL_ADMINLOC1, &[], &format!("{} of the network {}", info.name, info.network));
        let admins = self.ctx.log.roster().everyone().into_iter().filter(|person| person.is_admin());
        let mut admins: Vec<String> = admins.map(|person| person.nick.to_string()).collect();
        admins.sort();
        self.numeric(RPL_ADMINLOC2, &[], &format!("Administrators: {}", admins.join(", ")));
        let settings = self.settings.clone();
        let contact = match settings.admin_contact.as_str() {
            "" => "Write to one of them here",
            contact => contact,
        };
        self.numeric(RPL_ADMINEMAIL, &[], contact);
    }

    pub(super) fn info(&mut self, message: &Message<'_>) {
        if !self.is_here(message.param(0)) {
            return;
        }
        let started = encode::stamp(self.ctx.info.started);
        self.numeric(RPL_INFO, &[], &format!("{VERSION}: a chat server that keeps every word"));
        self.numeric(RPL_INFO, &[], &format!("Running since {started} UTC"));
        self.numeric(RPL_ENDOFINFO, &[], "End of INFO list");
    }

    /// `LINKS [[server] mask]`: there is one server.
    pub(super) fn links(&mut self, message: &Message<'_>) {
        let (server, mask) = match message.param(1) {
            Some(mask) => (message.param(0), Some(mask)),
            None => (None, message.param(0)),
        };
        if !self.is_here(server) {
            return;
        }
        let info = self.ctx.info.clone();
        if mask.is_none_or(|mask| matches(mask, &info.name)) {
            self.numeric(RPL_LINKS, &[&info.name, &info.name], &format!("0 {}", info.network));
        }
        let mask = mask.map_or_else(|| "*".to_owned(), clean);
        self.numeric(RPL_ENDOFLINKS, &[&mask], "End of /LINKS list");
    }

    /// `STATS <letter> [server]`: how long the server has been up (u), and, for administrators, who they are (o).
    pub(super) fn stats(&mut self, message: &Message<'_>) {
        if !self.is_here(message.param(1)) {
            return;
        }
        let letter = clean(message.params[0].get(..1).unwrap_or("*"));
        match letter.as_str() {
            "u" => {
                let up = ((self.ctx.clock)().0 - self.ctx.info.started.0).max(0) / 1000;
                let (days, hours, minutes, seconds) = (up / 86_400, up / 3600 % 24, up / 60 % 60, up % 60);
                let text = format!("Server up {days} days {hours}:{minutes:02}:{seconds:02}");
                self.numeric(RPL_STATSUPTIME, &[], &text);
            }
            "o" | "O" if self.must_be_oper() => {
                let mut people = self.ctx.log.roster().everyone();
                people.retain(|person| person.is_admin());
                people.sort_by(|a, b| a.nick.cmp(&b.nick));
                for person in people {
                    let line = self.numeric_line(RPL_STATSOLINE, &["O", "*", "*", &person.nick]);
                    self.say(line);
                }
            }
            // The rest would tell of connections and addresses, or of links that there are none of.
            "l" | "L" | "k" | "K" | "i" | "I" => {
                self.must_be_oper();
            }
            _ => {}
        }
        self.numeric(RPL_ENDOFSTATS, &[&letter], "End of /STATS report");
    }

    /// There are no ways to trace on a server that stands alone.
    pub(super) fn trace(&mut self, message: &Message<'_>) {
        if self.is_here(message.param(0)) {
            let name = self.ctx.info.name.clone();
            self.numeric(RPL_TRACEEND, &[&name, VERSION], "End of TRACE");
        }
    }

    /// Whether a question is for this server: it names none, this one (masks count), or somebody who is on it. If not,
    /// that is said.
    pub(super) fn is_here(&mut self, server: Option<&str>) -> bool {
        let Some(server) = server else { return true };
        let here =
            matches(server, &self.ctx.info.name) || self.find_person(server).is_some_and(|person| person.is_online());
        if !here {
            self.numeric(ERR_NOSUCHSERVER, &[&clean(server)], "There is no such server");
        }
        here
    }
}

/// Whether RPL_ISUPPORT goes into a batch.
pub(super) fn is_batched(caps: CapSet) -> bool {
    caps.contains(Cap::Batch) && caps.contains(Cap::ExtendedIsupport)
}

/// The lines of RPL_ISUPPORT, in a batch if there is a reference for one.
pub(super) fn isupport_lines(ctx: &Context, settings: &Settings, nick: &str, batch: Option<&str>) -> Vec<Line> {
    let mut extra = vec![format!("MONITOR={WATCHED_MAX}"), "WHOX".to_owned(), format!("NAMELEN={REALNAME_MAX}")];
    extra.extend(settings.client_tags.token());
    if !settings.icon.is_empty() {
        extra.push(format!("draft/ICON={}", settings.icon));
    }
    let limits = isupport::Limits {
        network: &ctx.info.network,
        line_bytes: BODY_MAX,
        targets: super::talk::TARGETS_MAX,
        rooms: Some(settings.rooms_per_account),
        history: settings.page_lines,
        safe_rate: true,
        extra: &extra,
    };
    let host = &ctx.info.name;
    let edge = |sign: char| {
        batch.map(|reference| Line::new().source(host).command("BATCH").param(&format!("{sign}{reference}")))
    };
    let tokens = isupport::lines(&limits).into_iter().map(|tokens| {
        let line = batch.map_or_else(Line::new, |reference| Line::new().tag("batch", reference));
        let line = line.source(host).command(RPL_ISUPPORT).param(nick);
        tokens.split(' ').fold(line, |line, token| line.param(token)).last("are supported by this server")
    });
    let start = edge('+').map(|line| line.param("draft/isupport"));
    start.into_iter().chain(tokens).chain(edge('-')).collect()
}
