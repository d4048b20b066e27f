-- Whether anybody has shown that they hold the key of a certificate: its connection, or an administrator's word. One that
-- was only named logs in with the account's name beside it, and gives way to whoever holds the key.
ALTER TABLE certificates ADD COLUMN proven INTEGER NOT NULL DEFAULT 1;
