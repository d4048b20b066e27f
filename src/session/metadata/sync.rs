//! Synchronisation of metadata: the present values of the keys a session listens to, of all that its client sees. What
//! comes unasked is short, or the client is told to ask later; what it asks for comes in pieces, as it reads. So a room
//! of thousands costs no more memory than its list of members.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::event::{AccountId, Owner};
use crate::log::Room;
use crate::proto::caps::Cap;
use crate::proto::line::Line;
use crate::proto::numerics::*;

use crate::session::Session;
use crate::session::reply::{label_tag, splice};

use super::{Draft, Target};

/// Lines that are told unasked, at most; otherwise the client is told to ask.
const UNASKED_MAX: usize = 100;
/// After so many seconds.
const LATER: &str = "5";
/// Owners that are looked at in one go.
const AT_ONCE: usize = 64;

/// A synchronisation that is under way. While it is, no further lines of the client are taken.
pub(super) struct Syncing {
    /// Those that are left, the next one last.
    owners: Vec<Owner>,
    /// The batch, and the one around it that carries the label.
    batch: Option<String>,
    labelled: Option<String>,
}

impl Session {
    pub(in crate::session) fn is_syncing(&self) -> bool {
        self.listening.as_ref().is_some_and(|listening| listening.syncing.is_some())
    }

    /// `METADATA target SYNC`.
    pub(super) fn sync(&mut self, target: &Target) {
        let owners = match target {
            Target::Person(person) => vec![Owner::Account(person.id)],
            Target::Room(room) => self.owners_in(room),
        };
        self.begin_sync(&target.name(), owners);
    }

    /// `METADATA *ALL SYNC`.
    pub(super) fn sync_all(&mut self) {
        let owners = self.visible_owners();
        self.begin_sync("*ALL", owners);
    }

    /// What the client listens to in a room it has just entered.
    pub(in crate::session) fn sync_entered(&mut self, room: &Arc<Room>) {
        if !self.hears_metadata() {
            return;
        }
        let lines = self.listening.as_ref().is_none_or(|listening| listening.subs.is_empty()).then(Vec::new);
        let lines = lines.or_else(|| self.lines_of(&self.owners_in(room), |key| self.subscribed(key)));
        let (name, draft) = (room.name(), self.draft());
        match lines {
            Some(lines) if lines.is_empty() && draft == Draft::Two => {}
            Some(lines) => self.say_batch("metadata", &[&name], lines),
            None => self.sync_later(&name),
        }
    }

    /// What the client listens to of people it watches who are here.
    pub(in crate::session) fn sync_watched<'a>(&mut self, keys: impl Iterator<Item = &'a str>) {
        if !self.hears_metadata() {
            return;
        }
        let mut left = UNASKED_MAX;
        for key in keys {
            let Some(person) = self.ctx.log.roster().by_key(key) else { continue };
            let lines = self.lines_of_one(Owner::Account(person.id), |key| self.subscribed(key));
            match self.draft() {
                _ if lines.len() > left => self.sync_later(&person.nick),
                Draft::Two if lines.is_empty() => {}
                _ => {
                    left -= lines.len();
                    self.say_batch("metadata", &[&person.nick], lines);
                }
            }
        }
    }

    /// The present values of keys the client has just subscribed to.
    pub(super) fn tell_subscribed(&mut self, keys: &[&str]) {
        let lines = self.lines_of(&self.visible_owners(), |key| keys.contains(&key));
        match (lines, self.draft()) {
            (Some(lines), Draft::Two) if lines.is_empty() => {}
            (Some(lines), Draft::Two) => {
                let nick = self.person.nick.clone();
                self.say_batch("metadata", &[&nick], lines);
            }
            (Some(lines), Draft::Three) => self.say_batch("metadata", &["*ALL"], lines),
            (None, Draft::Two) => {
                for room in self.channels() {
                    self.sync_later(&room.name());
                }
            }
            (None, Draft::Three) => self.sync_later("*ALL"),
        }
    }

    /// Writes the next piece; false if there is nothing to synchronise.
    pub(in crate::session) fn sync_more(&mut self) -> bool {
        let Some(mut syncing) = self.listening.as_mut().and_then(|listening| listening.syncing.take()) else {
            return false;
        };
        let tag = syncing.batch.as_ref().map(|batch| format!("batch={batch}")).unwrap_or_default();
        for _ in 0..AT_ONCE {
            let Some(owner) = syncing.owners.pop() else {
                if let Some(batch) = syncing.batch {
                    let around = syncing.labelled.as_ref().map(|outer| format!("batch={outer}")).unwrap_or_default();
                    let end = format!(":{} BATCH -{batch}", self.ctx.info.name);
                    splice(&mut self.out, &around, end.as_bytes());
                }
                if let Some(outer) = syncing.labelled {
                    self.end_batch(&outer);
                }
                return true;
            };
            for line in self.lines_of_one(owner, |key| self.subscribed(key)) {
                splice(&mut self.out, &tag, line.as_str().as_bytes());
            }
        }
        self.listening().syncing = Some(syncing);
        true
    }

    fn begin_sync(&mut self, name: &str, mut owners: Vec<Owner>) {
        owners.reverse();
        let host = self.ctx.info.name.clone();
        let label = self.answer.label.take();
        let (mut batch, mut labelled) = (None, None);
        if self.caps().contains(Cap::Batch) {
            let mut around = String::new();
            if let Some(label) = label {
                let reference = self.batch_reference();
                let start = format!(":{host} BATCH +{reference} labeled-response");
                splice(&mut self.out, &label_tag(&label), start.as_bytes());
                around = format!("batch={reference}");
                labelled = Some(reference);
            }
            let reference = self.batch_reference();
            let start = Line::new().source(&host).command("BATCH").param(&format!("+{reference}")).param("metadata");
            splice(&mut self.out, &around, start.param(name).as_str().as_bytes());
            batch = Some(reference);
        }
        self.listening().syncing = Some(Syncing { owners, batch, labelled });
        self.answered = true;
    }

    fn sync_later(&mut self, name: &str) {
        self.numeric(RPL_METADATASYNCLATER, &[name, LATER], "There is much to tell; ask for it with METADATA SYNC");
    }

    /// The room, and everybody else who is in it.
    fn owners_in(&self, room: &Room) -> Vec<Owner> {
        let state = room.snapshot().state;
        let others = state.present().map(|(id, _)| id).filter(|id| *id != self.person.id);
        std::iter::once(Owner::Room(room.id)).chain(others.map(Owner::Account)).collect()
    }

    /// Everybody and everything whose changes this session is told of, itself included.
    fn visible_owners(&self) -> Vec<Owner> {
        let mut people: BTreeSet<AccountId> = BTreeSet::from([self.person.id]);
        let mut owners = Vec::new();
        for room in self.channels() {
            owners.push(Owner::Room(room.id));
            people.extend(room.snapshot().state.present().map(|(id, _)| id));
        }
        let watched = self.monitored_names().into_iter().filter(|(key, _)| self.is_shown(key));
        people.extend(watched.filter_map(|(key, _)| Some(self.ctx.log.roster().by_key(&key)?.id)));
        owners.sort();
        owners.extend(people.into_iter().map(Owner::Account));
        owners
    }

    /// The lines about these owners, unless they are too many.
    fn lines_of(&self, owners: &[Owner], wanted: impl Fn(&str) -> bool) -> Option<Vec<Line>> {
        let mut lines = Vec::new();
        for owner in owners {
            lines.extend(self.lines_of_one(*owner, &wanted));
            if lines.len() > UNASKED_MAX {
                return None;
            }
        }
        Some(lines)
    }

    fn lines_of_one(&self, owner: Owner, wanted: impl Fn(&str) -> bool) -> Vec<Line> {
        let target = match owner {
            Owner::Account(id) => self.ctx.log.roster().by_id(id).map(Target::Person),
            Owner::Room(id) => self.ctx.log.directory().by_id(id).map(Target::Room),
        };
        let Some(target) = target.filter(|target| !target.metadata().is_empty()) else { return Vec::new() };
        let name = target.name();
        let keys = target.metadata().all().into_iter().filter(|(key, _)| wanted(key));
        keys.map(|(key, value)| self.told_line(&name, &key, Some(&value))).collect()
    }
}
