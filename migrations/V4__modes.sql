-- The lists of a room: bans (b), exceptions (e), who needs no invitation (I), mutes (q).
CREATE TABLE room_masks (
    room_id INTEGER NOT NULL REFERENCES rooms(id),
    list    TEXT NOT NULL,                   -- the letter of the mode
    mask    TEXT NOT NULL,                   -- nick!user@host with * and ?, or ~a:account
    set_by  TEXT NOT NULL,                   -- the name as it was
    set_at  INTEGER NOT NULL,
    PRIMARY KEY (room_id, list, mask)
) WITHOUT ROWID;
