-- What accounts and rooms say about themselves: a display name, the address of a picture, a status, whatever key a client knows.

CREATE TABLE metadata (
    owner  TEXT NOT NULL CHECK (owner IN ('account', 'room')),
    id     INTEGER NOT NULL,                 -- of the account or the room
    key    TEXT NOT NULL,
    value  TEXT NOT NULL,
    at     INTEGER NOT NULL,                 -- when it was set
    PRIMARY KEY (owner, id, key)
) WITHOUT ROWID;
