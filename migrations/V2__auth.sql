-- Ways in beside the password: client certificates, and codes with which newcomers make accounts themselves.

CREATE TABLE certificates (
    fingerprint TEXT PRIMARY KEY CHECK (length(fingerprint) = 64),  -- SHA-256 of the DER, lower-case hex; one owner
    account_id  INTEGER NOT NULL REFERENCES accounts(id),
    label       TEXT NOT NULL DEFAULT '',    -- for people: "laptop"
    created     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX certificates_account ON certificates(account_id, created);

CREATE TABLE invitations (
    hash    TEXT PRIMARY KEY CHECK (length(hash) = 64),  -- SHA-256 of the code, lower-case hex; the code is kept nowhere
    created INTEGER NOT NULL,
    expires INTEGER,                         -- NULL: never
    uses    INTEGER NOT NULL,                -- how many accounts it may make
    used    INTEGER NOT NULL DEFAULT 0       -- how many it has made
) WITHOUT ROWID;
