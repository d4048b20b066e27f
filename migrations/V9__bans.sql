-- Who is kept out, and who may not speak. What has expired counts no more, and is deleted when the next one comes.

CREATE TABLE bans (
    id      INTEGER PRIMARY KEY,
    kind    TEXT NOT NULL CHECK (kind IN ('account', 'address', 'cidr', 'mute')),
    target  TEXT NOT NULL,               -- the account's key; the address or network as it is written canonically
    shown   TEXT NOT NULL,               -- the account's name; else the same
    reason  TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL,
    expires INTEGER,                     -- NULL: never
    UNIQUE (kind, target)
);
