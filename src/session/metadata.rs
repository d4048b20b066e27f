//! METADATA: what accounts and rooms say about themselves, and to which keys this session listens. Two drafts of one
//! specification are spoken, by what the client has asked for: `draft/metadata-2` and `draft/metadata-3`
//! (<https://ircv3.net/specs/extensions/metadata>, <https://github.com/ircv3/ircv3-specifications/pull/613>). They share
//! commands and rights, and differ in how changes are told and in the names of failures; [`Draft`] knows how.

mod failure;
mod sync;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use crate::event::{KeyChange, Note, NoteBody, Owner};
use crate::live::{Metadata, Person};
use crate::log::{Intent, Room};
use crate::net::limits::{Rate, TokenBucket};
use crate::proto::caps::Cap;
use crate::proto::line::{BODY_MAX, Line, Message};
use crate::proto::names::ACCOUNT_BYTES;
use crate::proto::numerics::*;
use crate::room::Refusal;

use super::Session;
use super::reply::splice;
use failure::Failure;
use sync::Syncing;

/// Keys a session may subscribe to; more are refused.
const SUBS_MAX: usize = 64;
/// Bytes of a key, and of a value; more are refused.
const KEY_BYTES: usize = 64;
const VALUE_BYTES: usize = 300;
/// Changes at once, and after that one in so many seconds: each is told to all who share a room.
const CHANGES_AT_ONCE: u32 = 20;
const CHANGE_SECONDS: f64 = 3.0;
/// Keys in one line that lists them: so many of the longest fit.
const KEYS_A_LINE: usize = 5;
/// What WHOIS tells of a person.
const WHOIS_KEYS: [&str; 4] = ["display-name", "homepage", "pronouns", "status"];

/// What a session keeps for METADATA, once its client has used it.
#[derive(Default)]
pub(super) struct Listening {
    subs: BTreeSet<Arc<str>>,
    changes: Option<TokenBucket>,
    syncing: Option<Syncing>,
}

/// Which draft of the specification a client has asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Draft {
    Two,
    Three,
}

/// Somebody or something that describes itself.
pub(super) enum Target {
    Person(Arc<Person>),
    Room(Arc<Room>),
}

impl Target {
    pub fn owner(&self) -> Owner {
        match self {
            Target::Person(person) => Owner::Account(person.id),
            Target::Room(room) => Owner::Room(room.id),
        }
    }

    pub fn name(&self) -> Arc<str> {
        match self {
            Target::Person(person) => person.nick.clone(),
            Target::Room(room) => room.name(),
        }
    }

    pub fn metadata(&self) -> &Metadata {
        match self {
            Target::Person(person) => &person.metadata,
            Target::Room(room) => &room.metadata,
        }
    }
}

impl Session {
    pub(super) async fn metadata(&mut self, message: &Message<'_>) {
        let (Some(name), Some(word)) = (message.param(0), message.param(1)) else {
            self.metadata_failed(Failure::Params("*"));
            return;
        };
        let rest = &message.params[2..];
        let subcommand = word.to_ascii_uppercase();
        let (least, most) = match subcommand.as_str() {
            "GET" | "SUB" | "UNSUB" => (1, usize::MAX),
            "SET" => (1, 2),
            "LIST" | "CLEAR" | "SUBS" | "SYNC" => (0, 0),
            _ => {
                self.metadata_failed(Failure::Unknown(word));
                return;
            }
        };
        // The older draft says nothing of parameters that are too many.
        if rest.len() < least || (rest.len() > most && self.draft() == Draft::Three) {
            self.metadata_failed(Failure::Params(&subcommand));
            return;
        }
        if subcommand == "SYNC" && name == "*ALL" && self.draft() == Draft::Three {
            self.sync_all();
            return;
        }
        let target = self.metadata_target(name);
        let own = matches!(&target, Some(Target::Person(person)) if person.id == self.person.id);
        let target = match subcommand.as_str() {
            "SUB" | "UNSUB" | "SUBS" => target.filter(|_| own),
            _ => target,
        };
        let Some(target) = target else {
            self.metadata_failed(Failure::Target(name));
            return;
        };
        match subcommand.as_str() {
            "GET" => self.metadata_get(&target, rest),
            "LIST" => self.metadata_list(&target),
            "SET" => self.metadata_set(&target, rest[0], rest.get(1).copied().unwrap_or_default()).await,
            "CLEAR" => self.metadata_clear(&target).await,
            "SUB" => self.metadata_sub(rest),
            "UNSUB" => self.metadata_unsub(rest),
            "SUBS" => self.metadata_subs(),
            _ => self.sync(&target),
        }
    }

    /// Tells the client all of its own keys, as it learns that the server keeps them.
    pub(super) fn own_metadata(&mut self) {
        if !self.hears_metadata() {
            return;
        }
        let nick = self.person.nick.clone();
        let keys = self.person.metadata.all();
        let lines = keys.iter().map(|(key, value)| self.told_line(&nick, key, Some(value))).collect();
        self.say_batch("metadata", &[&nick], lines);
    }

    /// Which capabilities the client has may have changed: who no longer hears of changes has no subscriptions.
    pub(super) fn metadata_caps_changed(&mut self, had: bool) {
        match self.hears_metadata() {
            false => {
                if let Some(listening) = &mut self.listening {
                    listening.subs.clear();
                }
            }
            true if !had && self.draft() == Draft::Two => self.own_metadata(),
            true => {}
        }
    }

    /// Whether the client wants to be told of changes.
    pub(super) fn hears_metadata(&self) -> bool {
        let caps = self.caps();
        caps.contains(Cap::Metadata2) || (caps.contains(Cap::Metadata3) && caps.contains(Cap::Batch))
    }

    pub(super) fn draft(&self) -> Draft {
        if self.caps().contains(Cap::Metadata3) { Draft::Three } else { Draft::Two }
    }

    pub(super) fn subscribed(&self, key: &str) -> bool {
        self.listening.as_ref().is_some_and(|listening| listening.subs.contains(key))
    }

    /// Passes a change on, if the client listens to that key.
    pub(super) fn tell_metadata(&mut self, note: &Note, target: &str, changes: &[KeyChange]) {
        if note.session == self.id || !self.hears_metadata() {
            return;
        }
        for (key, value) in changes {
            if self.subscribed(key) {
                let line = self.told_line(target, key, value.as_deref());
                splice(&mut self.out, "", line.as_str().as_bytes());
            }
        }
    }

    /// Somebody has come into a room this client reads: what it listens to of them, unless it was told before, in
    /// another room they share.
    pub(super) fn tell_newcomer(&mut self, room: crate::event::RoomId, person: &Person) {
        let none = self.listening.as_ref().is_none_or(|listening| listening.subs.is_empty());
        if none || person.metadata.is_empty() || !self.hears_metadata() {
            return;
        }
        let channel = |id: &crate::event::RoomId| {
            self.cursors.get(id).is_some_and(|cursor| cursor.room.kind == crate::event::RoomKind::Channel)
        };
        if person.rooms().into_iter().find(channel) != Some(room) {
            return;
        }
        for (key, value) in person.metadata.all() {
            if self.subscribed(&key) {
                let line = self.told_line(&person.nick, &key, Some(&value));
                splice(&mut self.out, "", line.as_str().as_bytes());
            }
        }
    }

    /// What WHOIS adds for clients that know of metadata.
    pub(super) fn whois_metadata(&mut self, person: &Person) {
        if !self.hears_metadata() {
            return;
        }
        for key in WHOIS_KEYS {
            if let Some(value) = person.metadata.get(key) {
                self.numeric(RPL_WHOISKEYVALUE, &[&person.nick, key, "*"], &value);
            }
        }
    }

    /// A key as this client is told of it unasked.
    pub(super) fn told_line(&self, target: &str, key: &str, value: Option<&str>) -> Line {
        if self.draft() == Draft::Three {
            return self.key_line(target, key, value);
        }
        let line = Line::new().source(&self.ctx.info.name).command("METADATA").param(target).param(key).param("*");
        value.map_or_else(|| line.clone(), |value| line.clone().last(value))
    }

    /// Several lines as one answer: in a batch, where the client knows batches.
    pub(super) fn say_batch(&mut self, kind: &str, params: &[&str], lines: Vec<Line>) {
        let host = self.ctx.info.name.clone();
        if !self.caps().contains(Cap::Batch) {
            lines.into_iter().for_each(|line| self.say(line));
            return;
        }
        let reference = self.batch_reference();
        let start = Line::new().source(&host).command("BATCH").param(&format!("+{reference}")).param(kind);
        self.say(params.iter().fold(start, |line, param| line.param(param)));
        for line in lines {
            self.answer.lines.push(format!("@batch={reference} {}", line.as_str()).into_bytes());
        }
        self.say(Line::new().source(&host).command("BATCH").param(&format!("-{reference}")));
    }

    fn metadata_get(&mut self, target: &Target, keys: &[&str]) {
        let name = target.name();
        let line = |key: &&str| match is_key(key) {
            true => self.key_line(&name, key, target.metadata().get(key).as_deref()),
            false => self.failure_line(&Failure::OneKey(key)),
        };
        let lines = keys.iter().map(line).collect();
        self.say_batch("metadata", &[&name], lines);
    }

    fn metadata_list(&mut self, target: &Target) {
        let name = target.name();
        let keys = target.metadata().all();
        let lines = keys.iter().map(|(key, value)| self.key_line(&name, key, Some(value))).collect();
        self.say_batch("metadata", &[&name], lines);
    }

    /// An empty value takes the key away.
    async fn metadata_set(&mut self, target: &Target, key: &str, value: &str) {
        let name = target.name();
        if !is_key(key) {
            self.metadata_failed(Failure::Key(key));
            return;
        }
        // The longest line that anybody is told of it.
        let line = ":  761    * :\r\n".len() + self.ctx.info.name.len() + ACCOUNT_BYTES + name.len() + key.len();
        if value.len() > VALUE_BYTES || line + value.len() > BODY_MAX {
            self.metadata_failed(Failure::Value(key));
            return;
        }
        if let Err(seconds) = self.pay_for_change() {
            self.metadata_failed(Failure::TooFast { target: &name, key, seconds, value });
            return;
        }
        let value: Option<Arc<str>> = (!value.is_empty()).then(|| value.into());
        let strict = self.draft() == Draft::Two;
        if self.describe(target, key, vec![(key.into(), value.clone())], strict).await {
            let line = self.key_line(&name, key, value.as_deref());
            self.say(line);
        }
    }

    async fn metadata_clear(&mut self, target: &Target) {
        let name = target.name();
        if let Err(seconds) = self.pay_for_change() {
            self.metadata_failed(Failure::TooFast { target: &name, key: "*", seconds, value: "" });
            return;
        }
        let keys = target.metadata().all();
        let changes = keys.iter().map(|(key, _)| (key.clone(), None)).collect();
        if self.describe(target, "*", changes, false).await {
            let lines = keys.iter().map(|(key, _)| self.key_line(&name, key, None)).collect();
            self.say_batch("metadata", &[&name], lines);
        }
    }

    /// Has a change stored; says why not, if it was not.
    async fn describe(&mut self, target: &Target, key: &str, changes: Vec<KeyChange>, strict: bool) -> bool {
        let (owner, name) = (target.owner(), target.name());
        let intent = Intent::Describe { actor: self.actor(), session: self.id, owner, changes, strict };
        let Err(refusal) = self.ctx.log.ask(intent).await else { return true };
        match refusal {
            Refusal::NotOperator => self.metadata_failed(Failure::Permission(&name, key)),
            Refusal::NoSuchRoom | Refusal::NotInRoom => self.metadata_failed(Failure::Target(&name)),
            Refusal::KeyNotSet => self.metadata_failed(Failure::NotSet(&name, key)),
            Refusal::TooManyKeys => self.metadata_failed(Failure::TooManyKeys(&name)),
            other => self.refuse(&other, "METADATA", &name),
        }
        false
    }

    /// Takes one change from the allowance; the error is how many seconds to wait for it.
    fn pay_for_change(&mut self) -> Result<(), u64> {
        let rate = Rate::per_second(1.0 / CHANGE_SECONDS, CHANGES_AT_ONCE);
        let bucket = self.listening().changes.get_or_insert_with(|| TokenBucket::new(rate));
        bucket.take(Instant::now()).map_err(|wait| wait.as_secs() + 1)
    }

    fn metadata_sub(&mut self, keys: &[&str]) {
        let (mut done, mut new, mut failures) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys {
            if !is_key(key) {
                failures.push(self.failure_line(&Failure::OneKey(key)));
                continue;
            }
            if !self.subscribed(key) {
                if self.listening().subs.len() >= SUBS_MAX {
                    failures.push(self.failure_line(&Failure::TooManySubs(key)));
                    break;
                }
                self.listening().subs.insert(Arc::from(*key));
                new.push(*key);
            }
            done.push(*key);
        }
        self.say_keys(RPL_METADATASUBOK, &done);
        failures.into_iter().for_each(|line| self.say(line));
        if !new.is_empty() && self.hears_metadata() {
            self.tell_subscribed(&new);
        }
    }

    fn metadata_unsub(&mut self, keys: &[&str]) {
        let (valid, invalid): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| is_key(key));
        for key in &valid {
            self.listening().subs.remove(*key);
        }
        self.say_keys(RPL_METADATAUNSUBOK, &valid);
        for key in invalid {
            self.metadata_failed(Failure::OneKey(key));
        }
    }

    fn metadata_subs(&mut self) {
        let subs: Vec<Arc<str>> = self.listening.iter().flat_map(|listening| listening.subs.iter().cloned()).collect();
        let line = |keys: &[Arc<str>]| {
            let line = self.numeric_line(RPL_METADATASUBS, &[]);
            keys.iter().fold(line, |line, key| line.param(key))
        };
        let lines = subs.chunks(KEYS_A_LINE).map(line).collect();
        self.say_batch("metadata-subs", &[], lines);
    }

    fn say_keys(&mut self, code: &str, keys: &[&str]) {
        for keys in keys.chunks(KEYS_A_LINE) {
            let line = self.numeric_line(code, keys);
            self.say(line);
        }
    }

    /// The one who is meant, if this account may know what it says about itself: everybody may of accounts, members of
    /// rooms. For others the room might as well not be there.
    fn metadata_target(&self, name: &str) -> Option<Target> {
        if name == "*" {
            return Some(Target::Person(self.person.clone()));
        }
        if !name.starts_with('#') {
            return self.find_person(name).map(Target::Person);
        }
        let room = self.find_room(name)?;
        let member = room.snapshot().state.member(self.person.id).is_some();
        (member || self.actor().admin).then_some(Target::Room(room))
    }

    /// RPL_KEYVALUE, or RPL_KEYNOTSET where there is none.
    fn key_line(&self, target: &str, key: &str, value: Option<&str>) -> Line {
        match value {
            Some(value) => self.numeric_line(RPL_KEYVALUE, &[target, key, "*"]).last(value),
            None => self.numeric_line(RPL_KEYNOTSET, &[target, key]).last("Key not set"),
        }
    }

    pub(super) fn listening(&mut self) -> &mut Listening {
        self.listening.get_or_insert_default()
    }
}

fn is_key(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'/' | b'-');
    (1..=KEY_BYTES).contains(&text.len()) && text.bytes().all(fits)
}

/// The note of a change, taken apart.
pub(super) fn changes_of(note: &Note) -> Option<(&Arc<str>, &[KeyChange])> {
    match &note.body {
        NoteBody::Metadata { target, changes } => Some((target, changes)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::METADATA_KEYS_MAX;
    use crate::proto::caps::TABLE;

    #[test]
    fn the_limits_are_those_that_clients_are_told() {
        let limits = format!("max-subs={SUBS_MAX},max-keys={METADATA_KEYS_MAX}");
        let value = |cap| TABLE.iter().find(|row| row.cap == cap).unwrap().value;
        assert_eq!(value(Cap::Metadata2), format!("{limits},max-value-bytes={VALUE_BYTES}"));
        let three = format!("{limits},max-key-bytes={KEY_BYTES},max-value-bytes={VALUE_BYTES}");
        assert_eq!(value(Cap::Metadata3), three);
    }

    #[test]
    fn keys() {
        for key in ["avatar", "display-name", "im.xmpp", "x", "draft/a_b", "0"] {
            assert!(is_key(key), "{key}");
        }
        for key in ["", "Avatar", "a b", ":a", "a:b", "ä", "$a$", &"k".repeat(KEY_BYTES + 1)] {
            assert!(!is_key(key), "{key}");
        }
    }
}
