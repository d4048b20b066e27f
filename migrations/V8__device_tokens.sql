-- What a device logs in with in place of the password, for example a browser that must not keep one. A token is known by
-- its SHA-256 alone; each device has one at most.

CREATE TABLE tokens (
    hash       TEXT PRIMARY KEY,             -- lower-case hex
    account_id INTEGER NOT NULL REFERENCES accounts(id),
    device     TEXT NOT NULL,
    created    INTEGER NOT NULL,
    last_used  INTEGER,                      -- NULL: never
    UNIQUE (account_id, device)
) WITHOUT ROWID;
