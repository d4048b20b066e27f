//! What the server says of itself: the welcome, MOTD, LUSERS, VERSION, TIME, ADMIN, INFO, HELP.

use crate::encode;
use crate::proto::line::Message;
use crate::proto::numerics::*;
use crate::proto::{isupport, modes};

use super::Session;

const VERSION: &str = concat!("chatd-", env!("CARGO_PKG_VERSION"));

impl Session {
    /// 001 to 005, LUSERS and MOTD: what a client waits for after its login.
    pub(super) fn welcome(&mut self) {
        let info = self.ctx.info.clone();
        let text = format!("Welcome to the {} network, {}", info.network, self.source());
        self.numeric(RPL_WELCOME, &[], &text);
        self.numeric(RPL_YOURHOST, &[], &format!("Your host is {}, running version {VERSION}", info.name));
        self.numeric(RPL_CREATED, &[], &format!("This server was started {} UTC", encode::stamp(info.started)));
        let params = [&info.name, VERSION, "Biow", &modes::all_letters(), &modes::letters_with_param()];
        let line = self.numeric_line(RPL_MYINFO, &params);
        self.say(line);
        self.isupport();
        self.lusers();
        self.own_metadata();
        self.motd();
    }

    pub(super) fn isupport(&mut self) {
        let extra: Vec<String> = self.settings.client_tags.token().into_iter().collect();
        let limits = isupport::Limits {
            network: &self.ctx.info.network,
            line_bytes: crate::proto::line::BODY_MAX,
            targets: super::talk::TARGETS_MAX,
            rooms: Some(self.settings.rooms_per_account),
            history: self.settings.page_lines,
            safe_rate: true,
            extra: &extra,
        };
        for tokens in isupport::lines(&limits) {
            let words: Vec<&str> = tokens.split(' ').collect();
            self.numeric(RPL_ISUPPORT, &words, "are supported by this server");
        }
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

    pub(super) fn lusers(&mut self) {
        let online = self.ctx.log.roster().online();
        let (people, admins) = (online.len(), online.iter().filter(|person| person.is_oper()).count());
        let sessions: usize = online.iter().map(|person| person.session_count()).sum();
        let rooms = self.ctx.log.directory().channels().len();
        self.numeric(RPL_LUSERCLIENT, &[], &format!("There are {people} users and 0 invisible on 1 servers"));
        self.numeric(RPL_LUSEROP, &[&admins.to_string()], "operator(s) online");
        self.numeric(RPL_LUSERUNKNOWN, &["0"], "unknown connection(s)");
        self.numeric(RPL_LUSERCHANNELS, &[&rooms.to_string()], "channels formed");
        self.numeric(RPL_LUSERME, &[], &format!("I have {sessions} clients and 0 servers"));
        let most = self.ctx.count_online(people).to_string();
        let people = people.to_string();
        let text = format!("Current local users {people}, max {most}");
        self.numeric(RPL_LOCALUSERS, &[&people, &most], &text);
        let text = format!("Current global users {people}, max {most}");
        self.numeric(RPL_GLOBALUSERS, &[&people, &most], &text);
    }

    pub(super) fn version(&mut self) {
        let name = self.ctx.info.name.clone();
        self.numeric(RPL_VERSION, &[VERSION, &name], "every word is kept");
        self.isupport();
    }

    pub(super) fn time(&mut self) {
        let name = self.ctx.info.name.clone();
        let now = encode::stamp((self.ctx.clock)());
        self.numeric(RPL_TIME, &[&name], &format!("{now} UTC"));
    }

    pub(super) fn admin(&mut self) {
        let name = self.ctx.info.name.clone();
        self.numeric(RPL_ADMINME, &[&name], "Administrative info");
        let admins = self.ctx.log.roster().everyone().into_iter().filter(|person| person.is_admin());
        let mut admins: Vec<String> = admins.map(|person| person.nick.to_string()).collect();
        admins.sort();
        self.numeric(RPL_ADMINLOC1, &[], &format!("Administrators here: {}", admins.join(", ")));
    }

    pub(super) fn info(&mut self) {
        self.numeric(RPL_INFO, &[], &format!("{VERSION}: a chat server that keeps every word"));
        self.numeric(RPL_ENDOFINFO, &[], "End of /INFO list");
    }

    pub(super) fn help(&mut self, message: &Message<'_>) {
        let subject = message.param(0).map_or_else(|| "*".to_owned(), super::rooms::clean);
        self.numeric(RPL_HELPSTART, &[&subject], "You are logged in; say something with PRIVMSG #room :text");
        self.numeric(RPL_HELPTXT, &[&subject], "JOIN #room, PART #room, LIST, NAMES #room, TOPIC #room, WHOIS name");
        self.numeric(RPL_ENDOFHELP, &[&subject], "What you missed is shown when you come back");
    }
}
