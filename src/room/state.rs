//! The state of a room and the fold that makes it: `apply` takes one event further. The tables hold the same state,
//! and a test holds the two together: `fold(log) = tables`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{AccountId, Body, Event, Millis, RoomId, RoomKind, Seq};

use super::masks::Masks;
use super::modes::{Modes, fold_modes};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub text: Arc<str>,
    /// The nick of who set it.
    pub by: Arc<str>,
    pub at: Millis,
}

/// A member, online or not: membership is the account's and outlives its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub nick: Arc<str>,
    pub op: bool,
    pub voice: bool,
    /// Has at least one session. Only members who are present are listed.
    pub present: bool,
    /// The place of the JOIN that made it a member.
    pub joined: Seq,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomState {
    pub id: RoomId,
    pub kind: RoomKind,
    pub name: Arc<str>,
    pub topic: Option<Topic>,
    pub modes: Modes,
    pub founder: Option<AccountId>,
    pub created: Millis,
    pub members: BTreeMap<AccountId, Member>,
    /// Who may come in although the room is invite-only, until they did.
    pub invited: BTreeSet<AccountId>,
    /// Bans, exceptions, who needs no invitation, mutes.
    pub masks: Masks,
}

impl RoomState {
    /// The state before the first event.
    pub fn empty(id: RoomId, kind: RoomKind, name: Arc<str>) -> RoomState {
        RoomState {
            id,
            kind,
            name,
            topic: None,
            modes: Modes::default(),
            founder: None,
            created: Millis(0),
            members: BTreeMap::new(),
            invited: BTreeSet::new(),
            masks: Masks::default(),
        }
    }

    pub fn member(&self, account: AccountId) -> Option<&Member> {
        self.members.get(&account)
    }

    /// The member with exactly this nick (as events spell it).
    pub fn member_by_nick(&self, nick: &str) -> Option<(AccountId, &Member)> {
        self.members.iter().find(|(_, member)| &*member.nick == nick).map(|(id, member)| (*id, member))
    }

    pub fn present(&self) -> impl Iterator<Item = (AccountId, &Member)> {
        self.members.iter().filter(|(_, member)| member.present).map(|(id, member)| (*id, member))
    }

    /// Whether `apply` would change anything but the length of the log.
    pub fn concerns(event: &Event, kind: RoomKind) -> bool {
        match event.body {
            Body::Said { .. } => kind == RoomKind::Direct,
            Body::Redacted { .. } => false,
            _ => true,
        }
    }

    /// Takes the state past `event`, which stands at `seq` in this room's log.
    pub fn apply(&mut self, seq: Seq, event: &Event) {
        match &event.body {
            Body::Said { to, .. } if self.kind == RoomKind::Direct => {
                for who in [event.actor.as_ref(), to.as_ref()].into_iter().flatten() {
                    self.members.entry(who.id).or_insert_with(|| Member {
                        nick: who.nick.clone(),
                        op: false,
                        voice: false,
                        present: false,
                        joined: seq,
                    });
                }
            }
            Body::Said { .. } | Body::Redacted { .. } => {}
            Body::Created { modes } => {
                self.modes = Modes::default();
                fold_modes(self, modes, &nick_of(event), event.time);
                self.founder = event.actor.as_ref().map(|who| who.id);
                self.created = event.time;
            }
            Body::Join { .. } => {
                let Some(who) = &event.actor else { return };
                let op = self.founder == Some(who.id);
                let member = self.members.entry(who.id).or_insert_with(|| Member {
                    nick: who.nick.clone(),
                    op,
                    voice: false,
                    present: true,
                    joined: seq,
                });
                member.present = true;
                self.invited.remove(&who.id);
            }
            Body::Part { .. } => {
                if let Some(who) = &event.actor {
                    self.members.remove(&who.id);
                }
            }
            Body::Kick { target, .. } => {
                self.members.remove(&target.id);
            }
            Body::Quit { .. } => {
                if let Some(member) = event.actor.as_ref().and_then(|who| self.members.get_mut(&who.id)) {
                    member.present = false;
                }
            }
            Body::Topic { text } => {
                let by = nick_of(event);
                self.topic = (!text.is_empty()).then(|| Topic { text: text.clone(), by, at: event.time });
            }
            Body::Mode { changes } => fold_modes(self, changes, &nick_of(event), event.time),
            Body::Invite { target } => {
                if !self.members.contains_key(&target.id) {
                    self.invited.insert(target.id);
                }
            }
            Body::Renamed { new, .. } => self.name = new.clone(),
            Body::Reset => self.members.values_mut().for_each(|member| member.present = false),
        }
    }
}

/// Who did it, for people to read.
fn nick_of(event: &Event) -> Arc<str> {
    event.actor.as_ref().map_or_else(|| Arc::from("server"), |who| who.nick.clone())
}
