//! Rooms, their members, invitations, lists of masks and read markers: read by [`Reads`], changed by [`Tx`].

use rusqlite::{OptionalExtension, Row, params};

use crate::event::{AccountId, Millis, RoomId};

use super::error::{Result, StoreError};
use super::write::Tx;
use super::{MaskRow, MemberRow, Reads, RoomKind, RoomRow, TopicRow, signed};

macro_rules! select_room {
    ($rest:literal) => {
        concat!(
            "SELECT rooms.id, kind, name, key, topic, topic_by, topic_at, modes, founder, created FROM rooms ",
            $rest
        )
    };
}

impl Reads {
    /// The channels by name; rooms of direct messages are only found by id, key or member.
    pub fn rooms(&self) -> Result<Vec<RoomRow>> {
        let mut statement = self.conn.prepare_cached(select_room!("WHERE kind = 'channel' ORDER BY key"))?;
        let rows = statement.query_map([], room)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub fn room(&self, id: RoomId) -> Result<Option<RoomRow>> {
        let mut statement = self.conn.prepare_cached(select_room!("WHERE id = ?1"))?;
        Ok(statement.query_row([id.0], room).optional()?)
    }

    pub fn room_by_key(&self, key: &str) -> Result<Option<RoomRow>> {
        let mut statement = self.conn.prepare_cached(select_room!("WHERE key = ?1"))?;
        Ok(statement.query_row([key], room).optional()?)
    }

    /// The rooms the account is a member of, direct ones included.
    pub fn rooms_of(&self, account: AccountId) -> Result<Vec<RoomRow>> {
        let mut statement = self.conn.prepare_cached(select_room!(
            "JOIN members ON members.room_id = rooms.id WHERE members.account_id = ?1 ORDER BY key"
        ))?;
        let rows = statement.query_map([account.0], room)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// In the order they joined.
    pub fn members(&self, room: RoomId) -> Result<Vec<MemberRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT account_id, name, op, voice, present, joined FROM members JOIN accounts ON accounts.id = account_id
             WHERE room_id = ?1 ORDER BY joined, account_id",
        )?;
        let rows = statement.query_map([room.0], |row| {
            Ok(MemberRow {
                account: AccountId(row.get(0)?),
                nick: row.get(1)?,
                op: row.get(2)?,
                voice: row.get(3)?,
                present: row.get(4)?,
                joined: row.get::<_, i64>(5)?.max(0).unsigned_abs(),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    pub fn invited(&self, room: RoomId) -> Result<Vec<AccountId>> {
        let mut statement = self.conn.prepare_cached("SELECT account_id FROM invites WHERE room_id = ?1")?;
        let rows = statement.query_map([room.0], |row| row.get(0).map(AccountId))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Everything that stands in the room's lists; bounded by who decides what may be set.
    pub fn masks(&self, room: RoomId) -> Result<Vec<MaskRow>> {
        let mut statement = self.conn.prepare_cached(
            "SELECT list, mask, set_by, set_at FROM room_masks WHERE room_id = ?1 ORDER BY list, set_at, mask",
        )?;
        let rows = statement.query_map([room.0], |row| {
            Ok(MaskRow {
                list: row.get_ref(0)?.as_str()?.chars().next().unwrap_or_default(),
                mask: row.get(1)?,
                by: row.get(2)?,
                at: Millis(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// How far the account has read in the room, if it ever said so.
    pub fn marker(&self, account: AccountId, room: RoomId) -> Result<Option<Millis>> {
        let mut statement =
            self.conn.prepare_cached("SELECT time FROM markers WHERE account_id = ?1 AND room_id = ?2")?;
        Ok(statement.query_row([account.0, room.0], |row| row.get(0).map(Millis)).optional()?)
    }
}

impl Tx<'_> {
    /// Refuses with [`StoreError::Taken`], and may go on, if the key is in use.
    pub fn create_room(
        &self,
        kind: RoomKind,
        name: &str,
        key: &str,
        modes: &str,
        founder: Option<AccountId>,
        created: Millis,
    ) -> Result<RoomId> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO rooms (kind, name, key, modes, founder, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![kind_word(kind), name, key, modes, founder.map(|id| id.0), created.0])?;
            Ok(RoomId(conn.last_insert_rowid()))
        })
    }

    /// Writes every field of the room `row.id`.
    pub fn save_room(&self, row: &RoomRow) -> Result<()> {
        self.step(|conn| {
            let topic = row.topic.as_ref();
            let changed = conn
                .prepare_cached(
                    "UPDATE rooms SET kind = ?2, name = ?3, key = ?4, topic = ?5, topic_by = ?6, topic_at = ?7, modes = ?8,
                     founder = ?9, created = ?10 WHERE id = ?1",
                )?
                .execute(params![
                    row.id.0,
                    kind_word(row.kind),
                    row.name,
                    row.key,
                    topic.map(|topic| &topic.text),
                    topic.map(|topic| &topic.by),
                    topic.map(|topic| topic.at.0),
                    row.modes,
                    row.founder.map(|id| id.0),
                    row.created.0,
                ])?;
            if changed == 0 { Err(StoreError::Missing("room")) } else { Ok(()) }
        })
    }

    /// Adds the member, or writes its flags anew.
    pub fn set_member(&self, room: RoomId, member: &MemberRow) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO members (room_id, account_id, op, voice, present, joined) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT DO UPDATE SET op = excluded.op, voice = excluded.voice, present = excluded.present,
                 joined = excluded.joined",
            )?
            .execute(params![
                room.0,
                member.account.0,
                member.op,
                member.voice,
                member.present,
                signed(member.joined)
            ])?;
            Ok(())
        })
    }

    pub fn remove_member(&self, room: RoomId, account: AccountId) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM members WHERE room_id = ?1 AND account_id = ?2")?
                .execute([room.0, account.0])?;
            Ok(())
        })
    }

    /// What a `Reset` says: nobody who seemed present is.
    pub fn set_all_absent(&self, room: RoomId) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("UPDATE members SET present = 0 WHERE room_id = ?1 AND present = 1")?
                .execute([room.0])?;
            Ok(())
        })
    }

    pub fn set_invite(&self, room: RoomId, account: AccountId, invited: bool) -> Result<()> {
        self.step(|conn| {
            let sql = if invited {
                "INSERT INTO invites (room_id, account_id) VALUES (?1, ?2) ON CONFLICT DO NOTHING"
            } else {
                "DELETE FROM invites WHERE room_id = ?1 AND account_id = ?2"
            };
            conn.prepare_cached(sql)?.execute([room.0, account.0])?;
            Ok(())
        })
    }

    pub fn set_mask(&self, room: RoomId, row: &MaskRow) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO room_masks (room_id, list, mask, set_by, set_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![room.0, row.list.to_string(), row.mask, row.by, row.at.0])?;
            Ok(())
        })
    }

    pub fn remove_mask(&self, room: RoomId, list: char, mask: &str) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached("DELETE FROM room_masks WHERE room_id = ?1 AND list = ?2 AND mask = ?3")?
                .execute(params![room.0, list.to_string(), mask])?;
            Ok(())
        })
    }

    /// Read markers only move forward.
    pub fn set_marker(&self, account: AccountId, room: RoomId, time: Millis) -> Result<()> {
        self.step(|conn| {
            conn.prepare_cached(
                "INSERT INTO markers (account_id, room_id, time) VALUES (?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET time = excluded.time WHERE excluded.time > time",
            )?
            .execute([account.0, room.0, time.0])?;
            Ok(())
        })
    }
}

fn room(row: &Row<'_>) -> rusqlite::Result<RoomRow> {
    let topic = match row.get(4)? {
        Some(text) => Some(TopicRow {
            text,
            by: row.get::<_, Option<_>>(5)?.unwrap_or_default(),
            at: Millis(row.get::<_, Option<_>>(6)?.unwrap_or_default()),
        }),
        None => None,
    };
    Ok(RoomRow {
        id: RoomId(row.get(0)?),
        kind: if row.get_ref(1)?.as_bytes()? == b"direct" { RoomKind::Direct } else { RoomKind::Channel },
        name: row.get(2)?,
        key: row.get(3)?,
        topic,
        modes: row.get(7)?,
        founder: row.get::<_, Option<i64>>(8)?.map(AccountId),
        created: Millis(row.get(9)?),
    })
}

fn kind_word(kind: RoomKind) -> &'static str {
    match kind {
        RoomKind::Channel => "channel",
        RoomKind::Direct => "direct",
    }
}
