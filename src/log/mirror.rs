//! The tables beside the log: after each event the rows that changed with it, in the same transaction. So
//! `fold(log) = tables` holds at every commit.

use std::sync::Arc;

use crate::event::{AccountId, Body, Event, RoomId, Seq};
use crate::failpoint::{self, Step};
use crate::room::{Masks, Member, Modes, RoomState};
use crate::store::{MaskRow, MemberRow, RoomRow, StoreError, TopicRow, Tx};

use super::core::Effect;

/// Takes a room's state past the event, and the tables with it.
pub(super) fn apply(
    tx: &Tx<'_>,
    state: &mut Arc<RoomState>,
    key: &str,
    seq: Seq,
    event: &Event,
    effects: &mut Vec<Effect>,
) -> Result<(), StoreError> {
    failpoint::reached(Step::Mirror)?;
    let room = state.id;
    let actor = event.actor.as_ref().map(|who| who.id);
    // Looked up before, since holding the old state would make every change copy the whole room.
    let before = &**state;
    let was_invited = actor.is_some_and(|account| before.invited.contains(&account));
    let strangers: Vec<AccountId> = match &event.body {
        Body::Said { to, .. } => [actor, to.as_ref().map(|who| who.id)].into_iter().flatten().collect(),
        _ => Vec::new(),
    };
    let strangers: Vec<AccountId> = strangers.into_iter().filter(|id| before.member(*id).is_none()).collect();
    let ranks_before = matches!(event.body, Body::Mode { .. }).then(|| before.members.clone());
    let masks_before = matches!(event.body, Body::Mode { .. }).then(|| before.masks.clone()).unwrap_or_default();
    Arc::make_mut(state).apply(seq, event);
    let after = &**state;
    let save = |account: AccountId| match after.member(account) {
        Some(member) => tx.set_member(room, &member_row(account, member)),
        None => tx.remove_member(room, account),
    };
    let mut present = |account, inside| effects.push(Effect::Present { account, room, inside });
    match &event.body {
        Body::Said { .. } => {
            for account in strangers {
                save(account)?;
                present(account, true);
            }
        }
        Body::Join { .. } => {
            if let Some(account) = actor {
                save(account)?;
                present(account, true);
                if was_invited {
                    tx.set_invite(room, account, false)?;
                }
            }
        }
        Body::Part { .. } | Body::Quit { .. } => {
            if let Some(account) = actor {
                save(account)?;
                present(account, false);
            }
        }
        Body::Kick { target, .. } => {
            save(target.id)?;
            present(target.id, false);
        }
        Body::Topic { .. } | Body::Created { .. } | Body::Renamed { .. } => tx.save_room(&room_row(after, key))?,
        Body::Mode { .. } => {
            tx.save_room(&room_row(after, key))?;
            for (account, member) in &after.members {
                if ranks_before.as_ref().and_then(|ranks| ranks.get(account)) != Some(member) {
                    tx.set_member(room, &member_row(*account, member))?;
                }
            }
            save_masks(tx, room, &masks_before, &after.masks)?;
        }
        Body::Invite { target } => {
            if after.invited.contains(&target.id) {
                tx.set_invite(room, target.id, true)?;
            }
            if let Some(by) = event.actor.clone() {
                effects.push(Effect::Invited { target: target.id, by, room: after.name.clone() });
            }
        }
        Body::Reset => tx.set_all_absent(room)?,
        Body::Redacted { .. } => {}
    }
    Ok(())
}

pub(super) fn save_masks(tx: &Tx<'_>, room: RoomId, before: &Masks, after: &Masks) -> Result<(), StoreError> {
    for (list, old) in before.iter().filter(|(list, old)| after.find(*list, &old.mask) != Some(old)) {
        tx.remove_mask(room, list, &old.mask)?;
    }
    for (list, new) in after.iter().filter(|(list, new)| before.find(*list, &new.mask) != Some(new)) {
        let row = MaskRow { list, mask: new.mask.clone(), by: new.by.clone(), at: new.at };
        tx.set_mask(room, &row)?;
    }
    Ok(())
}

fn member_row(account: AccountId, member: &Member) -> MemberRow {
    MemberRow {
        account,
        nick: member.nick.clone(),
        op: member.op,
        voice: member.voice,
        present: member.present,
        joined: member.joined,
    }
}

fn room_row(state: &RoomState, key: &str) -> RoomRow {
    let modes: &Modes = &state.modes;
    RoomRow {
        id: state.id,
        kind: state.kind,
        name: state.name.clone(),
        key: key.to_owned(),
        topic: state.topic.as_ref().map(|t| TopicRow { text: t.text.clone(), by: t.by.clone(), at: t.at }),
        modes: modes.print(true).into(),
        founder: state.founder,
        created: state.created,
    }
}
