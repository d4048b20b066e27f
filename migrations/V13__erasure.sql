-- Persons who are being erased, and the names that nobody gets again because somebody who was erased had them.

CREATE TABLE erasures (
    account_id INTEGER PRIMARY KEY REFERENCES accounts(id),
    name       TEXT NOT NULL,                -- as it was: it is looked for in the log, and goes with this row
    through    INTEGER NOT NULL DEFAULT 0,   -- events up to this one have been gone through
    changed    INTEGER NOT NULL DEFAULT 0    -- entries that were blanked, renamed or deleted
);

-- Events that set masks with the name: they are changed all at once, with the rooms' lists.
CREATE TABLE erasure_masks (
    account_id INTEGER NOT NULL REFERENCES erasures(account_id),
    event_id   INTEGER NOT NULL,
    PRIMARY KEY (account_id, event_id)
) WITHOUT ROWID;

-- SHA-256 of the name's comparison form and of its skeleton, with the salt of this server (meta.name_salt).
CREATE TABLE erased_names (
    mark TEXT PRIMARY KEY CHECK (length(mark) = 64)
) WITHOUT ROWID;
