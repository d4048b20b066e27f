-- The named devices of an account (alice/phone), and how far each has been shown what was said, over all rooms. Of the
-- device without a name, accounts.seen_event tells.

CREATE TABLE devices (
    account_id INTEGER NOT NULL REFERENCES accounts(id),
    name       TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen  INTEGER NOT NULL,
    seen_event INTEGER NOT NULL DEFAULT 0,   -- 0: never shown anything to its end
    PRIMARY KEY (account_id, name)
) WITHOUT ROWID;
