-- The full-text index follows the log: what was said up to this event is in it, what came later is not yet.
INSERT INTO meta (key, value) VALUES ('indexed', coalesce((SELECT max(id) FROM events), 0));
