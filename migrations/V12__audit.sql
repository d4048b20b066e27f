-- What administrators did or tried, one row an act, in the transaction of the act. Bounded: the oldest go.
CREATE TABLE audit (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    time   INTEGER NOT NULL,
    who    TEXT NOT NULL,                    -- an account, or a user of the machine
    place  TEXT NOT NULL,                    -- "command line", or the address of a session
    what   TEXT NOT NULL,                    -- in words, without secrets
    done   INTEGER NOT NULL,                 -- 0: it was refused
    result TEXT NOT NULL
);
