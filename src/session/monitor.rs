//! MONITOR (<https://ircv3.net/specs/extensions/monitor>): this session is told when the people on its list come and
//! go; with `extended-monitor` also of their away messages and names. Coming and going is what rooms see of it: whoever
//! is back within the grace was not away.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{Note, NoteBody, Who};
use crate::live::WATCHED_MAX;
use crate::proto::line::Message;
use crate::proto::names::{AccountName, SERVICE};
use crate::proto::numerics::*;

use super::rooms::clean;
use super::service::is_service;
use super::{Context, Session};

/// The list of one session. When it is dropped, nobody is watched any more.
pub(super) struct Monitored {
    ctx: Arc<Context>,
    session: u64,
    /// Comparison form, and the name as it was written.
    names: Vec<(String, String)>,
}

impl Drop for Monitored {
    fn drop(&mut self) {
        self.names.iter().for_each(|(key, _)| self.ctx.watches.remove(key, self.session));
    }
}

impl Session {
    pub(super) fn monitor(&mut self, message: &Message<'_>) {
        let targets = message.params.get(1).copied().unwrap_or_default();
        match message.params[0] {
            "+" | "-" if targets.is_empty() => {
                self.numeric(ERR_NEEDMOREPARAMS, &["MONITOR"], "Not enough parameters");
            }
            "+" => self.monitor_add(targets),
            "-" => self.monitor_remove(targets),
            "C" | "c" => self.monitored = None,
            "L" | "l" => {
                let names: Vec<String> = self.monitored_names().into_iter().map(|(_, name)| name).collect();
                if !names.is_empty() {
                    self.numeric_list(RPL_MONLIST, &[], &names, ",");
                }
                self.numeric(RPL_ENDOFMONLIST, &[], "End of MONITOR list");
            }
            "S" | "s" => {
                let (here, gone) = self.monitored_names().into_iter().partition(|(key, _)| self.is_shown(key));
                self.monitor_status(here, gone);
            }
            other => self.numeric(ERR_UNKNOWNERROR, &["MONITOR", &clean(other)], "Write MONITOR +, -, C, L or S"),
        }
    }

    fn monitor_add(&mut self, targets: &str) {
        let (mut here, mut gone, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for target in targets.split(',') {
            // What cannot be a nick is nobody; masks among them.
            let Some(key) = key_of(target) else { continue };
            let person = self.ctx.log.roster().by_key(&key);
            let (ctx, session) = (&self.ctx, self.id);
            let list = self
                .monitored
                .get_or_insert_with(|| Box::new(Monitored { ctx: ctx.clone(), session, names: Vec::new() }));
            if list.names.iter().any(|(other, _)| *other == key) {
                continue;
            }
            if list.names.len() >= WATCHED_MAX {
                left.push(target.to_owned());
                continue;
            }
            let shown = person.as_ref().map_or_else(|| target.to_owned(), |person| person.nick.to_string());
            list.names.push((key.clone(), shown.clone()));
            let is_here = ctx.watches.add(&key, &self.mailbox, person.as_deref()) || is_service(&key);
            if is_here { &mut here } else { &mut gone }.push((key, shown));
        }
        self.monitor_status(here, gone);
        if !left.is_empty() {
            let limit = WATCHED_MAX.to_string();
            self.numeric(ERR_MONLISTFULL, &[&limit, &left.join(",")], "Monitor list is full.");
        }
    }

    fn monitor_remove(&mut self, targets: &str) {
        let Some(list) = &mut self.monitored else { return };
        for gone in targets.split(',').filter_map(key_of) {
            list.names.retain(|(key, _)| *key != gone);
            self.ctx.watches.remove(&gone, self.id);
        }
    }

    fn monitor_status(&mut self, here: Vec<(String, String)>, gone: Vec<(String, String)>) {
        if !here.is_empty() {
            let host = &self.ctx.info.name;
            let sources: Vec<String> = here.iter().map(|(_, nick)| crate::encode::source(nick, host)).collect();
            self.numeric_list(RPL_MONONLINE, &[], &sources, ",");
        }
        let keys = here.iter().map(|(key, _)| key.as_str());
        self.sync_watched(keys);
        if !gone.is_empty() {
            let gone: Vec<String> = gone.into_iter().map(|(_, nick)| nick).collect();
            self.numeric_list(RPL_MONOFFLINE, &[], &gone, ",");
        }
    }

    /// Those on the list: comparison form, and the name as it was written.
    pub(super) fn monitored_names(&self) -> Vec<(String, String)> {
        self.monitored.as_ref().map_or_else(Vec::new, |list| list.names.clone())
    }

    pub(super) fn is_shown(&self, key: &str) -> bool {
        is_service(key) || self.ctx.log.roster().by_key(key).is_some_and(|person| person.is_shown())
    }

    /// Tells this client of somebody's coming or going, if it still wants to know.
    pub(super) fn tell_here(&mut self, who: &Who, here: bool) {
        let Some(key) = key_of(&who.nick) else { return };
        if self.monitored.as_ref().is_some_and(|list| list.names.iter().any(|(other, _)| *other == key)) {
            let one = vec![(key, who.nick.to_string())];
            if here {
                self.monitor_status(one, Vec::new())
            } else {
                self.monitor_status(Vec::new(), one)
            }
            self.finish_answer();
        }
    }

    /// Tells nobody but those who watch this account.
    pub(super) fn tell_only_watchers(&self, body: NoteBody) {
        let note = Note { time: (self.ctx.clock)(), actor: self.person.who(), session: self.id, body };
        self.tell_watchers(&Arc::new(note), BTreeSet::from([self.id]));
    }

    /// Tells those who watch this account and want more than its coming and going; `told`: not these sessions.
    pub(super) fn tell_watchers(&self, note: &Arc<Note>, mut told: BTreeSet<u64>) {
        let Some(key) = key_of(&self.person.nick) else { return };
        self.ctx.watches.each(&key, |mailbox| {
            if mailbox.is_extended() && told.insert(mailbox.session) {
                mailbox.note(note.clone());
            }
        });
    }
}

/// Lets the watchers of an account know whether it is here. Whether it was news.
pub(super) fn settle(ctx: &Context, person: &crate::live::Person) -> bool {
    let Some(key) = key_of(&person.nick) else { return false };
    ctx.watches.settle(&key, person, |here| Note {
        time: (ctx.clock)(),
        actor: person.who(),
        session: 0,
        body: NoteBody::Here { here },
    })
}

/// What a name is watched by; none for what can be nobody's.
fn key_of(nick: &str) -> Option<String> {
    if is_service(nick) {
        return Some(SERVICE.to_owned());
    }
    AccountName::parse(nick).ok().map(|name| name.key().to_owned())
}
