//! `decide`: the one place that says what may happen in a room. It runs in log order, on the state as it is at that
//! place in the log, so that "kicked, then spoke" has one outcome.

use std::sync::Arc;

use crate::event::{Body, EventId, Millis, RoomKind, Speech, Who};

use super::masks::LIST_MAX;
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
        cuts: Arc<[u32]>,
    },
    /// `author`: whose message it is; `None`: there is none of this id here that could be taken back. `late`: so many
    /// seconds after it was said people could have taken it back themselves, and no more. `with`: the other one, between
    /// two.
    Redact {
        target: EventId,
        author: Option<Who>,
        late: Option<u64>,
        with: Option<Who>,
        reason: Arc<str>,
    },
    /// Whether the name is free, the caller knows.
    Rename {
        name: Arc<str>,
        reason: Arc<str>,
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
    #[error("You are banned from the room (+b)")]
    Banned,
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
    #[error("You are banned from speaking in this room (+b or +q)")]
    Muted,
    #[error("There is no room for another mask; take some of them away first")]
    ListFull { letter: char },
    #[error("You are in too many rooms; leave one first")]
    TooManyRooms,
    #[error("Only administrators can make rooms on this server")]
    RoomCreation,
    #[error("This key is not set")]
    KeyNotSet,
    #[error("There are as many keys as there may be; take one away first")]
    TooManyKeys,
    #[error("There is no such message here, or it was taken back already")]
    NoSuchMessage,
    #[error("You can take back your own messages, and operators those of others in their rooms")]
    NotYourMessage,
    #[error("Messages can be taken back for {seconds} seconds; ask an operator of the room")]
    TooLate { seconds: u64 },
    #[error("There is another room of this name")]
    NameInUse,
    #[error("The room has this name already")]
    SameName,
    /// The log could not take it: nothing of it happened.
    #[error("{0}")]
    NotStored(Arc<str>),
}

/// What follows from the wish, in order; nothing, when all is as wished already. `host`: what stands behind the `@` of
/// everybody, for masks.
pub fn decide(state: &RoomState, host: &str, actor: &Actor, wish: &Wish) -> Result<Vec<Body>, Refusal> {
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
                None => may_come_in(state, host, actor, key.as_deref())?,
            }
            one(Body::Join { realname: realname.clone() })
        }
        Wish::Part { reason } => {
            me.ok_or(Refusal::NotInRoom)?;
            one(Body::Part { reason: reason.clone() })
        }
        Wish::Say { speech, to, text, tags, cuts } => {
            may_speak(state, host, actor)?;
            one(Body::Said {
                speech: *speech,
                to: to.clone(),
                text: text.clone(),
                tags: tags.clone(),
                cuts: cuts.clone(),
            })
        }
        Wish::Redact { target, author, late, with, reason } => {
            let between_two = state.kind == RoomKind::Direct;
            // First of all: who may not read here learns nothing of what is there.
            let reads = if between_two { me.is_some() } else { inside || actor.admin };
            if !reads {
                return Err(Refusal::NotInRoom);
            }
            let author = author.as_ref().ok_or(Refusal::NoSuchMessage)?;
            match (author.id == actor.who.id, operator && !between_two, late) {
                (_, true, _) | (true, _, None) => {}
                (true, _, Some(seconds)) => return Err(Refusal::TooLate { seconds: *seconds }),
                (false, false, _) => return Err(Refusal::NotYourMessage),
            }
            let of = if between_two { with.clone() } else { Some(author.clone()) };
            one(Body::Redacted { target: *target, of, reason: reason.clone() })
        }
        Wish::Rename { name, reason } => {
            may_rule(state, actor)?;
            if state.name == *name {
                return Err(Refusal::SameName);
            }
            one(Body::Renamed { old: state.name.clone(), new: name.clone(), reason: reason.clone() })
        }
        Wish::Kick { target, reason } => {
            may_rule(state, actor)?;
            if state.member(target.id).is_none() {
                return Err(Refusal::TargetNotInRoom { nick: target.nick.clone() });
            }
            one(Body::Kick { target: target.clone(), reason: reason.clone() })
        }
        Wish::Topic { text } => {
            if !inside && !actor.admin {
                return Err(Refusal::NotInRoom);
            }
            // Whoever may not speak may not speak by the topic either.
            if !operator && (state.modes.topic_locked || may_speak(state, host, actor).is_err()) {
                return Err(Refusal::NotOperator);
            }
            let old = state.topic.as_ref().map_or("", |topic| &topic.text);
            if old == &**text { Ok(Vec::new()) } else { one(Body::Topic { text: text.clone() }) }
        }
        Wish::Mode { changes } => {
            may_rule(state, actor)?;
            for change in changes {
                if let ModeChange::Rank { who, .. } = change
                    && state.member(who.id).is_none()
                {
                    return Err(Refusal::TargetNotInRoom { nick: who.nick.clone() });
                }
            }
            let changes = effective(state, changes)?;
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
            // An invitation opens the door, so it takes an operator where the door is shut.
            let shut = state.modes.invite_only || state.modes.key.is_some() || is_banned(state, host, target);
            if shut && !operator {
                return Err(Refusal::NotOperator);
            }
            one(Body::Invite { target: target.clone() })
        }
    }
}

/// Whether somebody may say something in a room. What is passing and not stored is asked of this too.
pub fn may_speak(state: &RoomState, host: &str, actor: &Actor) -> Result<(), Refusal> {
    let me = state.member(actor.who.id);
    if state.kind == RoomKind::Direct || actor.admin || me.is_some_and(|member| member.op) {
        return Ok(());
    }
    if state.modes.members_only && !me.is_some_and(|member| member.present) {
        return Err(Refusal::MembersOnly);
    }
    if me.is_some_and(|member| member.voice) {
        return Ok(());
    }
    if state.modes.moderated {
        return Err(Refusal::Moderated);
    }
    if state.masks.mean(&['b', 'q'], &actor.who, host) { Err(Refusal::Muted) } else { Ok(()) }
}

fn may_come_in(state: &RoomState, host: &str, actor: &Actor, key: Option<&str>) -> Result<(), Refusal> {
    // The founder cannot be shut out of a room that is hers, by whatever mistake.
    if state.invited.contains(&actor.who.id) || state.founder == Some(actor.who.id) {
        return Ok(());
    }
    if is_banned(state, host, &actor.who) {
        return Err(Refusal::Banned);
    }
    if state.modes.invite_only && !state.masks.let_in(&actor.who, host) {
        return Err(Refusal::InviteOnly);
    }
    if state.modes.key.as_ref().is_some_and(|word| key != Some(&**word)) {
        return Err(Refusal::WrongKey);
    }
    if state.modes.limit.is_some_and(|limit| state.members.len() >= limit as usize) {
        return Err(Refusal::RoomFull);
    }
    Ok(())
}

fn is_banned(state: &RoomState, host: &str, who: &Who) -> bool {
    state.masks.mean(&['b'], who, host)
}

/// Whether somebody may change modes and take others out.
pub fn may_rule(state: &RoomState, actor: &Actor) -> Result<(), Refusal> {
    match state.member(actor.who.id) {
        _ if actor.admin => Ok(()),
        Some(member) if !member.present => Err(Refusal::NotInRoom),
        Some(member) if !member.op => Err(Refusal::NotOperator),
        Some(_) => Ok(()),
        None => Err(Refusal::NotInRoom),
    }
}

/// The changes that change something, each seen after those before it. Masks are taken away as they are spelled in the
/// list, so that clients find them there.
fn effective(state: &RoomState, changes: &[ModeChange]) -> Result<Vec<ModeChange>, Refusal> {
    let by: Arc<str> = Arc::from("");
    let mut after = state.clone();
    let mut kept = Vec::new();
    for change in changes {
        let before = standing(&after, change);
        let change = match (change, &before.2) {
            (ModeChange::List { letter, on: false, .. }, Some(mask)) => {
                ModeChange::List { letter: *letter, mask: mask.clone(), on: false }
            }
            _ => change.clone(),
        };
        super::modes::fold_modes(&mut after, &print_changes(std::slice::from_ref(&change)), &by, Millis(0));
        if before == standing(&after, &change) {
            continue;
        }
        if let ModeChange::List { letter, on: true, .. } = change
            && after.masks.len() > LIST_MAX
        {
            return Err(Refusal::ListFull { letter });
        }
        kept.push(change);
    }
    Ok(kept)
}

/// Everything that a change may touch.
type Standing = (super::modes::Modes, Option<(bool, bool)>, Option<Arc<str>>);

fn standing(state: &RoomState, change: &ModeChange) -> Standing {
    let rank = match change {
        ModeChange::Rank { who, .. } => state.member(who.id).map(|member| (member.op, member.voice)),
        _ => None,
    };
    let mask = match change {
        ModeChange::List { letter, mask, .. } => state.masks.find(*letter, mask).map(|masked| masked.mask.clone()),
        _ => None,
    };
    (state.modes.clone(), rank, mask)
}
