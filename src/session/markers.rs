//! MARKREAD (<https://ircv3.net/specs/extensions/read-marker>): how far the account has read, on whichever device.

use std::sync::Arc;

use crate::encode;
use crate::event::{Millis, RoomKind};
use crate::log::{Intent, Place, Room, StoreError, Whose};
use crate::proto::caps::Cap;
use crate::proto::line::{Line, Message};
use crate::proto::names::{AccountName, RoomName};

use super::Session;
use super::rooms::clean;

impl Session {
    pub(super) async fn markread(&mut self, message: &Message<'_>) {
        let Some(target) = message.param(0).filter(|target| !target.is_empty()) else {
            self.fail("MARKREAD", "NEED_MORE_PARAMS", &[], "Missing parameters");
            return;
        };
        let valid = match target.starts_with('#') {
            true => RoomName::parse(target).is_ok(),
            false => AccountName::parse(target).is_ok(),
        };
        if !valid {
            self.fail("MARKREAD", "INVALID_PARAMS", &[&clean(target)], "Not the name of a room or a person");
            return;
        }
        let outcome = match message.param(1) {
            None => self.told_marker(target).await,
            Some(text) => match text.strip_prefix("timestamp=").and_then(encode::moment) {
                Some(time) => self.set_marker(target, time).await,
                None => {
                    let text = clean(text);
                    self.fail(
                        "MARKREAD",
                        "INVALID_PARAMS",
                        &[&text],
                        "Not a time like timestamp=2026-11-23T15:20:06.123Z",
                    );
                    return;
                }
            },
        };
        match outcome {
            Ok(Some((name, time))) => {
                let line = encode::marker(&self.ctx.info.name, &name, time);
                self.say(line);
            }
            Ok(None) => {
                let target = clean(target);
                self.fail("MARKREAD", "INVALID_PARAMS", &[&target], "There is no such conversation for you to read");
            }
            Err(error) => {
                tracing::error!(account = %self.person.nick, %error, "a read marker cannot be kept or read");
                let target = clean(target);
                self.fail("MARKREAD", "INTERNAL_ERROR", &[&target], "The read timestamp could not be set or read");
            }
        }
    }

    /// The line that says how far a channel was read, for a client that follows that.
    pub(super) async fn marker_line(&self, room: &Room) -> Result<Option<Line>, StoreError> {
        if room.kind != RoomKind::Channel || !self.caps().contains(Cap::ReadMarker) {
            return Ok(None);
        }
        let time = self.ctx.log.readers().marker(self.person.id, room.id).await?;
        Ok(Some(encode::marker(&self.ctx.info.name, &room.name(), time)))
    }

    /// What is known of any name: of one that is not there, or not for this account, the same as of one never read.
    async fn told_marker(&self, target: &str) -> Result<Option<(Arc<str>, Option<Millis>)>, StoreError> {
        let Some((whose, name)) = self.whose(target).await? else { return Ok(Some((target.into(), None))) };
        let readers = self.ctx.log.readers();
        let time = match whose {
            Whose::Room(room) => readers.marker(self.person.id, room).await?,
            Whose::With(other) => readers.direct_marker(self.person.id, other).await?,
        };
        Ok(Some((name, time)))
    }

    async fn set_marker(&self, target: &str, time: Millis) -> Result<Option<(Arc<str>, Option<Millis>)>, StoreError> {
        let (place, name) = match self.whose(target).await? {
            Some((Whose::Room(room), name)) => (Place::Room(room), name),
            Some((Whose::With(_), _)) => match self.find_person(target) {
                Some(person) => (Place::With(person.who()), person.nick.clone()),
                None => return Ok(None),
            },
            None => return Ok(None),
        };
        let intent = Intent::Mark { reader: self.person.who(), place, time, session: self.id };
        let Ok(receipt) = self.ctx.log.ask(intent).await else {
            return Err(StoreError::other("the log has not taken it"));
        };
        let Some(room) = receipt.room else { return Ok(None) };
        // What is stored, which another device may have moved on.
        Ok(Some((name, self.ctx.log.readers().marker(self.person.id, room).await?)))
    }
}
