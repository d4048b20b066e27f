-- The whole of the first schema. Never change this file once it has been released: write V2.
--
-- The big tables (events, log) have no further index and no foreign keys on purpose: ids and times both grow with seq
-- inside a room, so a place in a room's log is found by bisection, and a foreign key from log to events would need
-- an index on log(event_id) to make a deletion affordable.

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT NOT NULL,                -- as it is shown
    key        TEXT NOT NULL UNIQUE,         -- as it is compared
    skeleton   TEXT NOT NULL UNIQUE,         -- as it looks: look-alikes share it
    hash       TEXT NOT NULL,                -- argon2id, PHC string
    admin      INTEGER NOT NULL DEFAULT 0,
    bot        INTEGER NOT NULL DEFAULT 0,
    disabled   INTEGER NOT NULL DEFAULT 0,
    removed    INTEGER NOT NULL DEFAULT 0,   -- the row stays, so that nobody inherits the name and its history
    created    INTEGER NOT NULL,             -- milliseconds since 1970, as all times here
    last_seen  INTEGER,
    seen_event INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE rooms (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL CHECK (kind IN ('channel', 'direct')),
    name     TEXT NOT NULL,
    key      TEXT NOT NULL UNIQUE,
    topic    TEXT,
    topic_by TEXT,
    topic_at INTEGER,
    modes    TEXT NOT NULL DEFAULT '',
    founder  INTEGER REFERENCES accounts(id),
    created  INTEGER NOT NULL,
    pruned   INTEGER NOT NULL DEFAULT 0      -- the newest seq retention has taken away: seqs are never given twice
);

CREATE TABLE members (
    room_id    INTEGER NOT NULL REFERENCES rooms(id),
    account_id INTEGER NOT NULL REFERENCES accounts(id),
    op         INTEGER NOT NULL DEFAULT 0,
    voice      INTEGER NOT NULL DEFAULT 0,
    present    INTEGER NOT NULL DEFAULT 0,
    joined     INTEGER NOT NULL,             -- seq of the join
    PRIMARY KEY (room_id, account_id)
) WITHOUT ROWID;
CREATE INDEX members_account ON members(account_id);

CREATE TABLE invites (
    room_id    INTEGER NOT NULL REFERENCES rooms(id),
    account_id INTEGER NOT NULL REFERENCES accounts(id),
    PRIMARY KEY (room_id, account_id)
) WITHOUT ROWID;

CREATE TABLE markers (
    account_id INTEGER NOT NULL REFERENCES accounts(id),
    room_id    INTEGER NOT NULL REFERENCES rooms(id),
    time       INTEGER NOT NULL,             -- read up to here
    PRIMARY KEY (account_id, room_id)
) WITHOUT ROWID;
CREATE INDEX markers_room ON markers(room_id);

CREATE TABLE events (
    id        INTEGER PRIMARY KEY,           -- grows in commit order; never given twice
    time      INTEGER NOT NULL,              -- never goes back
    kind      INTEGER NOT NULL,              -- see the view history for the words
    room_id   INTEGER,                       -- the one room it happened in; NULL: in several
    places    INTEGER,                       -- in how many rooms' logs it still stands, if in several
    actor_id  INTEGER,
    actor     TEXT,                          -- the name as it was
    target_id INTEGER,
    target    TEXT,
    about     INTEGER,                       -- the event a redaction takes back
    text      TEXT,
    tags      TEXT
);

CREATE TABLE log (
    room_id  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    event_id INTEGER NOT NULL,
    spoken   INTEGER NOT NULL,               -- 1: a line of the conversation
    PRIMARY KEY (room_id, seq)
) WITHOUT ROWID;
CREATE INDEX log_spoken ON log(room_id, seq) WHERE spoken = 1;

-- Full text of what was spoken, rowid = events.id. It keeps no text and no positions. The program folds and cuts the text
-- itself (see src/store/words.rs), so that the tokenizer has nothing left to do but to split at blanks.
CREATE VIRTUAL TABLE search USING fts5(text, content='', detail=none, columnsize=0, tokenize='ascii');
-- What is deleted leaves the index, rather than being marked as gone.
INSERT INTO search(search, rank) VALUES ('secure-delete', 1);

-- What the commands ask of a running server.
CREATE TABLE orders (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    created INTEGER NOT NULL,
    body    TEXT NOT NULL,                   -- JSON; blanked when it is done
    done    INTEGER,
    result  TEXT
);
CREATE INDEX orders_open ON orders(id) WHERE done IS NULL;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value ANY
) WITHOUT ROWID;

-- For people: SELECT * FROM history WHERE room = '#lobby' ORDER BY seq DESC LIMIT 20;
CREATE VIEW history AS
SELECT rooms.name AS room,
       log.seq AS seq,
       strftime('%Y-%m-%d %H:%M:%f', events.time / 1000.0, 'unixepoch') AS time,
       CASE events.kind
           WHEN 1 THEN 'message' WHEN 2 THEN 'notice' WHEN 3 THEN 'tags'
           WHEN 10 THEN 'join' WHEN 11 THEN 'part' WHEN 12 THEN 'quit' WHEN 13 THEN 'kick' WHEN 14 THEN 'topic'
           WHEN 15 THEN 'mode' WHEN 16 THEN 'invite' WHEN 17 THEN 'redacted' WHEN 18 THEN 'created'
           WHEN 19 THEN 'reset' ELSE events.kind
       END AS kind,
       coalesce(events.actor, '*') AS who,
       events.target AS target,
       events.text AS text
FROM rooms JOIN log ON log.room_id = rooms.id JOIN events ON events.id = log.event_id;
