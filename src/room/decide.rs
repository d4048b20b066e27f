//! `decide`: the one place that says what may happen in a room. It runs in log order, on the state as it is at that
//! place in the log, so that "kicked, then spoke" has one outcome.

use std::sync::Arc;

use crate::event::{Body, RoomKind, Speech, Who};

use super::modes::{ModeChange, print_changes};
use super::state::RoomState;

/// Who wishes something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub who: Who,
    /// Acts as operator everywhere.
    pub admin: bool,
}

/// What an actor wishes to do in one room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `forced`: put there by the server (automatic rooms), whatever the modes say.
    Join {
        realname: Arc<str>,
        key: Option<String>,
        forced: bool,
    },
    Part {
        reason: Arc<str>,
    },
    Say {
        speech: Speech,
        to: Option<Who>,
        text: Arc<str>,
        tags: Arc<str>,
    },
    Kick {
        target: Who,
        reason: Arc<str>,
    },
    Topic {
        text: Arc<str>,
    },
    Mode {
        changes: Vec<ModeChange>,
    },
    Invite {
        target: Who,
    },
}

/// Why it may not be. A value, not an error: one place in the session turns it into a numeric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("There is no such room")]
    NoSuchRoom,
    #[error("You are not in that room")]
    NotInRoom,
    #[error("{nick} is not in that room")]
    TargetNotInRoom { nick: Arc<str> },
    #[error("{nick} is in the room already")]
    AlreadyInRoom { nick: Arc<str> },
    #[error("You are not an operator of the room")]
    NotOperator,
    #[error("The room is invite-only (+i); an operator can invite you")]
    InviteOnly,
    #[error("The room needs a key (+k), and this is not it")]
    WrongKey,
    #[error("The room is full (+l)")]
    RoomFull,
    #[error("Only members can speak in this room (+n); join it first")]
    MembersOnly,
    #[error("Only operators and voiced members can speak in this room (+m)")]
    Moderated,
    #[error("You are in too many rooms; leave one first")]
    TooManyRooms,
    #[error("Only administrators can make rooms on this server")]
    RoomCreation,
    #[error("This key is not set")]
    KeyNotSet,
    #[error("There are as many keys as there may be; take one away first")]
    TooManyKeys,
    /// The log could not take it: nothing of it happened.
    #[error("{0}")]
    NotStored(Arc<str>),
}

/// What follows from the wish, in order; nothing, when all is as wished already.
pub fn decide(state: &RoomState, actor: &Actor, wish: &Wish) -> Result<Vec<Body>, Refusal> {
    let me = state.member(actor.who.id);
    let operator = actor.admin || me.is_some_and(|member| member.op);
    let inside = me.is_some_and(|member| member.present);
    let one = |body| Ok(vec![body]);
    match wish {
        Wish::Join { realname, key, forced } => {
            match me {
                Some(member) if member.present => return Ok(Vec::new()),
                Some(_) => {}
                None if *forced || actor.admin => {}
                None => may_come_in(state, actor, key.as_deref())?,
            }
            one(Body::Join { realname: realname.clone() })
        }
        Wish::Part { reason } => {
            me.ok_or(Refusal::NotInRoom)?;
            one(Body::Part { reason: reason.clone() })
        }
        Wish::Say { speech, to, text, tags } => {
            if state.kind == RoomKind::Channel && !operator {
                if state.modes.members_only && !inside {
                    return Err(Refusal::MembersOnly);
                }
                if state.modes.moderated && !me.is_some_and(|member| member.voice) {
                    return Err(Refusal::Moderated);
                }
            }
            one(Body::Said { speech: *speech, to: to.clone(), text: text.clone(), tags: tags.clone() })
        }
        Wish::Kick { target, reason } => {
            must_rule(inside, operator, actor.admin)?;
            if state.member(target.id).is_none() {
                return Err(Refusal::TargetNotInRoom { nick: target.nick.clone() });
            }
            one(Body::Kick { target: target.clone(), reason: reason.clone() })
        }
        Wish::Topic { text } => {
            if !inside && !actor.admin {
                return Err(Refusal::NotInRoom);
            }
            if state.modes.topic_locked && !operator {
                return Err(Refusal::NotOperator);
            }
            let old = state.topic.as_ref().map_or("", |topic| &topic.text);
            if old == &**text { Ok(Vec::new()) } else { one(Body::Topic { text: text.clone() }) }
        }
        Wish::Mode { changes } => {
            must_rule(inside, operator, actor.admin)?;
            for change in changes {
                if let ModeChange::Rank { who, .. } = change
                    && state.member(who.id).is_none()
                {
                    return Err(Refusal::TargetNotInRoom { nick: who.nick.clone() });
                }
            }
            let changes = effective(state, changes);
            if changes.is_empty() {
                return Ok(Vec::new());
            }
            one(Body::Mode { changes: print_changes(&changes).into() })
        }
        Wish::Invite { target } => {
            if !inside && !actor.admin {
                return Err(Refusal::NotInRoom);
            }
            if state.member(target.id).is_some_and(|member| member.present) {
                return Err(Refusal::AlreadyInRoom { nick: target.nick.clone() });
            }
            if state.modes.invite_only && !operator {
                return Err(Refusal::NotOperator);
            }
            one(Body::Invite { target: target.clone() })
        }
    }
}

fn may_come_in(state: &RoomState, actor: &Actor, key: Option<&str>) -> Result<(), Refusal> {
    let invited = state.invited.contains(&actor.who.id);
    if state.modes.invite_only && !invited {
        return Err(Refusal::InviteOnly);
    }
    if let Some(word) = &state.modes.key
        && key != Some(&**word)
        && !invited
    {
        return Err(Refusal::WrongKey);
    }
    if state.modes.limit.is_some_and(|limit| state.members.len() >= limit as usize) && !invited {
        return Err(Refusal::RoomFull);
    }
    Ok(())
}

fn must_rule(inside: bool, operator: bool, admin: bool) -> Result<(), Refusal> {
    match (inside || admin, operator) {
        (false, _) => Err(Refusal::NotInRoom),
        (true, false) => Err(Refusal::NotOperator),
        (true, true) => Ok(()),
    }
}

/// The changes that change something, each seen after those before it.
fn effective(state: &RoomState, changes: &[ModeChange]) -> Vec<ModeChange> {
    let mut after = state.clone();
    let mut kept = Vec::new();
    for change in changes {
        let before = (after.modes.clone(), rank(&after, change));
        super::modes::fold_modes(&mut after, &print_changes(std::slice::from_ref(change)));
        if before != (after.modes.clone(), rank(&after, change)) {
            kept.push(change.clone());
        }
    }
    kept
}

fn rank(state: &RoomState, change: &ModeChange) -> Option<(bool, bool)> {
    match change {
        ModeChange::Rank { who, .. } => state.member(who.id).map(|member| (member.op, member.voice)),
        _ => None,
    }
}
