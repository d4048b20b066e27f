//! What administrators ask the service, with the powers of OPER: accounts, rooms, who is here, figures. Everything that
//! changes something is the order that the command line gives, carried out by the same code. With `json` behind a question
//! each line of the answer is an object; the last one says `ok`, and why not.

use serde_json::{Value, json};

use crate::auth::{Password, Secret, generate_password};
use crate::encode;
use crate::log::{Account, HashText, Intent, Order, parse_retention};
use crate::proto::device::DeviceName;
use crate::proto::names::{AccountName, RoomName};

use super::super::Session;
use super::account::{asked, device_table};
use super::{Asked, LINES_MAX};

/// Rows of a list at most; the answer says how to go on.
pub(super) const PAGE: usize = LINES_MAX / 2;
/// Bytes of a room's topic, and of somebody's devices, in a list: so a row fits into a line.
const TOPIC_MAX: usize = 100;
const DEVICES_BYTES: usize = 100;

/// The answer to a question: rows in words and as objects, and how it ended.
pub(super) struct Answer {
    pub json: bool,
}

impl Session {
    /// The words of a question that only administrators may ask, and how to answer; `None`: they may not, which has been
    /// said.
    pub(super) fn asked_by_administrator<'a>(&mut self, rest: &'a str) -> Option<(Vec<&'a str>, Answer)> {
        let (words, json) = asked(rest);
        if !self.powers() {
            let why = "That is for administrators; say OPER with your name and password first.";
            self.service_outcome(json, false, why);
            return None;
        }
        Some((words, Answer { json }))
    }

    pub(super) async fn service_users(&mut self, rest: &str) {
        let Some((words, to)) = self.asked_by_administrator(rest) else { return };
        let word = words.first().map(|word| word.to_ascii_lowercase());
        match (word.as_deref(), &words[..]) {
            (None, _) => self.list_users("", to).await,
            (Some("after"), [_, name]) => self.list_users(name, to).await,
            (Some("add"), [_, name, flags @ ..]) => self.add_user(name, flags, to).await,
            (Some("reset"), [_, name]) => self.reset_user(name, to).await,
            (Some("disable"), [_, name]) => {
                let order = Order::Disable { name: (*name).to_owned() };
                self.administer(order, &format!("{name} is disabled; its sessions end."), to).await;
            }
            (Some("enable"), [_, name]) => {
                let order = Order::Enable { name: (*name).to_owned() };
                self.administer(order, &format!("{name} is enabled."), to).await;
            }
            (Some("remove"), [_, name, yes]) if yes.eq_ignore_ascii_case("yes") => {
                let order = Order::RemoveUser { name: (*name).to_owned() };
                let done = format!("{name} is removed. What it wrote stays, and nobody else can take the name.");
                self.administer(order, &done, to).await;
            }
            (Some("remove"), [_, name]) => {
                let sure = format!("This takes {name} away for good. If you are sure: users remove {name} yes");
                self.service_outcome(to.json, false, &sure);
            }
            (Some("erase"), [_, name, yes]) if yes.eq_ignore_ascii_case("yes") => {
                let order = Order::EraseUser { name: (*name).to_owned() };
                let done = "The account is closed, and is being erased: all that it said, its direct conversations, its name. \
                            `chatd audit` on the server says when that is done.";
                self.administer(order, done, to).await;
            }
            (Some("erase"), [_, name]) => {
                let sure = format!(
                    "This takes away all that {name} said, their direct conversations and their name, for good. `chatd user \
                     export` on the server writes it down first. If you are sure: users erase {name} yes"
                );
                self.service_outcome(to.json, false, &sure);
            }
            (Some("kick"), [_, name, reason @ ..]) => {
                let order = Order::KickUser { name: (*name).to_owned(), reason: reason.join(" ") };
                self.administer(order, &format!("{name}'s sessions end; it may come back."), to).await;
            }
            (Some("mute"), [_, name, term @ ..]) => self.ban_with("mute", name, term, to).await,
            (Some("unmute"), [_, name]) => {
                let order = Order::RemoveBan { kind: "mute".to_owned(), name: (*name).to_owned() };
                self.administer(order, &format!("{name} may speak again."), to).await;
            }
            (Some("devices"), [_, name]) => self.list_devices_of(name, to).await,
            (Some("revoke"), [_, name, device]) => match DeviceName::named(device) {
                Ok(device) => {
                    let device = device.shared().to_string();
                    let done = format!("The token of {name}'s device {device} is revoked; its sessions end.");
                    self.administer(Order::RevokeToken { name: (*name).to_owned(), device }, &done, to).await;
                }
                Err(_) => self.service_outcome(to.json, false, "That is not the name of a device."),
            },
            _ => self.not_clear(Asked::Users, to),
        }
    }

    pub(super) async fn service_rooms(&mut self, rest: &str) {
        let Some((words, to)) = self.asked_by_administrator(rest) else { return };
        let word = words.first().map(|word| word.to_ascii_lowercase());
        match (word.as_deref(), &words[..]) {
            (None, _) => self.list_rooms("", to).await,
            (Some("after"), [_, name]) => self.list_rooms(name, to).await,
            (Some("create"), [_, name, topic @ ..]) => {
                let topic = (!topic.is_empty()).then(|| topic.join(" "));
                let order = Order::CreateRoom { name: (*name).to_owned(), topic };
                self.administer(order, &format!("{name} is made."), to).await;
            }
            (Some("retention"), [_, name, term @ ..]) => self.keep_room(name, &term.join(" "), to).await,
            (Some("remove"), [_, name, yes]) if yes.eq_ignore_ascii_case("yes") => {
                let order = Order::RemoveRoom { name: (*name).to_owned() };
                self.administer(order, &format!("{name} and its history are removed."), to).await;
            }
            (Some("remove"), [_, name]) => {
                let sure = format!(
                    "This takes {name} away with all that was said in it. If you are sure: rooms remove {name} yes"
                );
                self.service_outcome(to.json, false, &sure);
            }
            _ => self.not_clear(Asked::Rooms, to),
        }
    }

    /// How long a room keeps what is said in it, or another term.
    async fn keep_room(&mut self, name: &str, term: &str, to: Answer) {
        let term = term.to_ascii_lowercase();
        let (term, sure) = term.strip_suffix(" yes").map_or((&*term, false), |term| (term, true));
        let Some(retention) = parse_retention(term) else {
            let how = "Say how long: rooms retention #room 90d, or forever, or default (as the server does).";
            return self.service_outcome(to.json, false, how);
        };
        if retention.is_some_and(|term| term > 0) && !sure {
            let sure = format!(
                "This deletes what was said in {name} more than {term} ago, now and from now on. If you are sure: rooms \
                 retention {name} {term} yes"
            );
            return self.service_outcome(to.json, false, &sure);
        }
        let order = Order::KeepRoom { name: name.to_owned(), retention };
        self.administer(order, &format!("{name} keeps what is said in it: {term}."), to).await;
    }

    /// Who is connected.
    pub(super) fn service_connected(&mut self, rest: &str) {
        let Some((words, to)) = self.asked_by_administrator(rest) else { return };
        let after = match &words[..] {
            [] => "",
            [word, name] if word.eq_ignore_ascii_case("after") => name,
            _ => return self.not_clear(Asked::Connected, to),
        };
        let mut online = self.ctx.log.roster().online();
        online.retain(|person| after.is_empty() || *person.nick > *after);
        online.sort_by(|one, other| one.nick.cmp(&other.nick));
        let more = online.len() > PAGE;
        online.truncate(PAGE);
        for person in &online {
            let mut devices: Vec<String> = Vec::new();
            let mut sessions = 0;
            person.each_session_on(|_, device| {
                sessions += 1;
                let shown: usize = devices.iter().map(String::len).sum();
                if !device.is_empty()
                    && shown + device.len() <= DEVICES_BYTES
                    && !devices.iter().any(|d| **d == **device)
                {
                    devices.push(device.to_string());
                }
            });
            let (since, active) = person.times();
            let (away, powers) = (person.away().is_some(), person.is_oper());
            if to.json {
                self.service_json(&json!({
                    "account": *person.nick, "sessions": sessions, "devices": devices, "since": encode::iso(since),
                    "active": encode::iso(active), "away": away, "powers": powers,
                }));
                continue;
            }
            let marks = [(away, ", away"), (powers, ", with the powers of an administrator")];
            let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
            let on = if devices.is_empty() { String::new() } else { format!(" on {}", devices.join(", ")) };
            let (since, active) = (encode::stamp(since), encode::stamp(active));
            self.service_says(&format!(
                "{}: sessions {sessions}{on}, since {since}, last active {active} UTC{marks}",
                person.nick
            ));
        }
        let last = online.last().filter(|_| more).map(|person| person.nick.to_string());
        self.list_ended("connected", last, to);
    }

    /// The server in numbers.
    pub(super) fn service_figures(&mut self, rest: &str) {
        let Some((words, to)) = self.asked_by_administrator(rest) else { return };
        if !words.is_empty() {
            return self.not_clear(Asked::Figures, to);
        }
        let ctx = self.ctx.clone();
        let (log, figures) = (&ctx.log, ctx.log.figures());
        let online = log.roster().online();
        let sessions: usize = online.iter().map(|person| person.session_count()).sum();
        let order = std::sync::atomic::Ordering::Relaxed;
        let rows: [(&str, &str, Value); 13] = [
            ("version", "version", env!("CARGO_PKG_VERSION").into()),
            ("started", "started (UTC)", encode::iso(ctx.info.started).into()),
            ("sessions", "sessions that are logged in", sessions.into()),
            ("unregistered", "connections that are not", ctx.unregistered.load(order).into()),
            ("online", "accounts that are here", online.len().into()),
            ("most_online", "the most there were at once", ctx.count_online(online.len()).into()),
            ("accounts", "accounts", log.roster().everyone().len().into()),
            ("rooms", "rooms", log.directory().channels().len().into()),
            ("messages", "messages stored since the start", figures.messages.get().into()),
            ("logins", "logins since the start", ctx.figures.logins.get().into()),
            ("logins_failed", "failed logins since the start", ctx.figures.logins_failed.get().into()),
            ("commits_failed", "commits that failed", figures.commits_failed.get().into()),
            ("waiting", "submissions that wait for the writer", log.waiting().into()),
        ];
        if to.json {
            let mut object: serde_json::Map<String, Value> =
                rows.into_iter().map(|(key, _, value)| (key.to_owned(), value)).collect();
            object.insert("ok".into(), true.into());
            return self.service_json(&object.into());
        }
        for (_, words, value) in rows {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.service_says(&format!("{words}: {value}"));
        }
    }

    async fn list_users(&mut self, after: &str, to: Answer) {
        let Ok(mut rows) = self.ctx.log.readers().accounts().await else { return self.service_cannot_read(to) };
        // Somebody's key that is no name: from the beginning.
        let after = AccountName::parse(after).map(|name| name.key().to_owned()).unwrap_or_default();
        rows.retain(|row| !row.removed && row.key > after);
        let more = rows.len() > PAGE;
        rows.truncate(PAGE);
        for row in &rows {
            self.tell_user(row, &to);
        }
        let last = rows.last().filter(|_| more).map(|row| row.name.to_string());
        self.list_ended("users", last, to);
    }

    fn tell_user(&mut self, row: &Account, to: &Answer) {
        let sessions = self.ctx.log.roster().by_id(row.id).map_or(0, |person| person.session_count());
        if to.json {
            return self.service_json(&json!({
                "account": *row.name, "admin": row.admin, "bot": row.bot, "disabled": row.disabled,
                "created": encode::iso(row.created), "last_seen": row.last_seen.map(encode::iso), "sessions": sessions,
            }));
        }
        let marks = [(row.admin, ", administrator"), (row.bot, ", bot"), (row.disabled, ", disabled")];
        let marks: String = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect();
        let seen = match (sessions, row.last_seen) {
            (0, Some(seen)) => format!("last here {} UTC", encode::stamp(seen)),
            (0, None) => "never here".to_owned(),
            _ => "here".to_owned(),
        };
        self.service_says(&format!("{}: {seen}, made {} UTC{marks}", row.name, encode::stamp(row.created)));
    }

    async fn add_user(&mut self, name: &str, flags: &[&str], to: Answer) {
        let known = |flag: &&str| ["admin", "bot"].iter().any(|known| known.eq_ignore_ascii_case(flag));
        if !flags.iter().all(known) {
            return self.not_clear(Asked::Users, to);
        }
        let has = |wanted: &str| flags.iter().any(|flag| flag.eq_ignore_ascii_case(wanted));
        let (admin, bot) = (has("admin"), has("bot"));
        // Before a password is hashed for nothing; the order looks again.
        if let Err(error) = AccountName::parse(name) {
            return self.service_outcome(to.json, false, &format!("Not done: {error}."));
        }
        let Some((secret, hash)) = self.generated(&to).await else { return };
        let order = Order::AddUser { name: name.to_owned(), hash, admin, bot };
        self.administer_with(order, name, &secret, to).await;
    }

    async fn reset_user(&mut self, name: &str, to: Answer) {
        let Some((secret, hash)) = self.generated(&to).await else { return };
        let order = Order::SetPassword { name: name.to_owned(), hash };
        self.administer_with(order, name, &secret, to).await;
    }

    /// A password that is made up here, and its hash.
    async fn generated(&mut self, to: &Answer) -> Option<(Secret, HashText)> {
        let made = generate_password().ok().and_then(|secret| Some((Password::chosen(&secret).ok()?, secret)));
        let Some((password, secret)) = made else {
            self.service_outcome(to.json, false, "Not done: the system gives no random bytes.");
            return None;
        };
        let logins = self.ctx.logins.load_full();
        match logins.hash(password, self.peer).await {
            Ok(hash) => Some((secret, HashText(hash))),
            Err(error) => {
                self.service_outcome(to.json, false, &format!("Not done: {error}."));
                None
            }
        }
    }

    /// Has an order carried out that gives an account a password, which is shown this once.
    async fn administer_with(&mut self, order: Order, name: &str, secret: &Secret, to: Answer) {
        if !self.carry_out(order, &to).await {
            return;
        }
        if to.json {
            return self.service_json(&json!({ "ok": true, "account": name, "password": secret.expose() }));
        }
        self.service_says(&format!("The password of {name}, not shown again: {}", secret.expose()));
    }

    pub(super) async fn administer(&mut self, order: Order, done: &str, to: Answer) {
        if self.carry_out(order, &to).await {
            self.service_outcome(to.json, true, done);
        }
    }

    /// `false`: it was not done, which has been said.
    async fn carry_out(&mut self, order: Order, to: &Answer) -> bool {
        self.acts += 1;
        // Not all of it: a topic is for its room.
        let said = serde_json::to_value(&order).unwrap_or_default();
        let (what, name) = (&said["order"], &said["name"]);
        tracing::warn!(session = self.id, by = %self.person.nick, %what, %name, "order of an administrator");
        let by = Some(self.author());
        match self.ctx.log.ask(Intent::Order { row: None, order, by }).await {
            Ok(_) => true,
            Err(refusal) => {
                self.service_outcome(to.json, false, &format!("Not done: {refusal}."));
                false
            }
        }
    }

    async fn list_devices_of(&mut self, name: &str, to: Answer) {
        let person = AccountName::parse(name).ok().and_then(|name| self.ctx.log.roster().by_key(name.key()));
        let Some(person) = person else {
            return self.service_outcome(to.json, false, &format!("Not done: there is no account {name}."));
        };
        let readers = self.ctx.log.readers();
        let (Ok(devices), Ok(tokens)) = (readers.devices(person.id).await, readers.tokens(person.id).await) else {
            return self.service_cannot_read(to);
        };
        for device in device_table(devices, tokens).into_iter().take(LINES_MAX - 1) {
            let sessions = person.sessions_on(&device.name);
            let used = device.token.as_ref().and_then(|token| token.last_used);
            if to.json {
                self.service_json(&json!({
                    "account": *person.nick, "device": *device.name, "last_seen": device.last_seen.map(encode::iso),
                    "token": device.token.is_some(), "token_used": used.map(encode::iso), "sessions": sessions,
                }));
                continue;
            }
            let seen =
                device.last_seen.map_or("never here".into(), |seen| format!("last here {} UTC", encode::stamp(seen)));
            let token = match (device.token.is_some(), used) {
                (true, Some(used)) => format!(", token used {} UTC", encode::stamp(used)),
                (true, None) => ", token not used yet".into(),
                _ => String::new(),
            };
            self.service_says(&format!("{}: {seen}, sessions {sessions}{token}", device.name));
        }
        self.list_ended("users", None, to);
    }

    async fn list_rooms(&mut self, after: &str, to: Answer) {
        let after = RoomName::parse(after).map(|name| name.key().to_owned()).unwrap_or_default();
        let Ok(mut rooms) = self.ctx.log.readers().rooms_after(after, PAGE + 1).await else {
            return self.service_cannot_read(to);
        };
        let more = rooms.len() > PAGE;
        rooms.truncate(PAGE);
        for (room, stats) in &rooms {
            let topic = room.topic.as_ref().map_or("", |topic| &topic.text);
            let (topic, _) = encode::split(topic, TOPIC_MAX);
            if to.json {
                let mut row = json!({
                    "room": *room.name, "members": stats.members, "messages": stats.messages,
                    "created": encode::iso(room.created), "last": stats.last.map(encode::iso), "topic": topic,
                });
                if !self.service_fits(&row) {
                    row["topic"] = Value::Null;
                }
                self.service_json(&row);
                continue;
            }
            let last = stats.last.map_or(String::new(), |last| format!(", last {} UTC", encode::stamp(last)));
            let (members, messages) = (stats.members, stats.messages);
            self.service_says(&format!("{}: members {members}, messages {messages}{last}. {topic}", room.name));
        }
        let last = rooms.last().filter(|_| more).map(|(room, _)| room.name.to_string());
        self.list_ended("rooms", last, to);
    }

    /// The end of a list: `last` is given if there is more behind it.
    pub(super) fn list_ended(&mut self, question: &str, last: Option<String>, to: Answer) {
        match (to.json, last) {
            (true, last) => self.service_json(&json!({ "ok": true, "more_after": last })),
            (false, Some(last)) => self.service_says(&format!("There are more: {question} after {last}")),
            (false, None) => self.service_says("That is all."),
        }
    }

    pub(super) fn not_clear(&mut self, asked: Asked, to: Answer) {
        match to.json {
            true => self.service_outcome(true, false, "That is not clear to me."),
            false => self.service_usage("That is not clear to me.", asked),
        }
    }

    pub(super) fn service_cannot_read(&mut self, to: Answer) {
        self.service_outcome(to.json, false, "The server cannot read its data just now; try again in a moment.");
    }
}
