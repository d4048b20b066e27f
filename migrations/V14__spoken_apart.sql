-- What was said and what else happened in a room lie apart, each in the order of seq: a page of one is read in one
-- stretch, however much of the other is in between, and no second index has to be written with each message.
CREATE TABLE log_apart (
    room_id  INTEGER NOT NULL,
    seq      INTEGER NOT NULL,               -- once in a room, whichever of the two it is
    event_id INTEGER NOT NULL,
    spoken   INTEGER NOT NULL,               -- 1: a line of the conversation
    PRIMARY KEY (room_id, spoken, seq)
) WITHOUT ROWID;
INSERT INTO log_apart (room_id, seq, event_id, spoken)
SELECT room_id, seq, event_id, spoken FROM log ORDER BY room_id, spoken, seq;

DROP VIEW history;
DROP TABLE log;
ALTER TABLE log_apart RENAME TO log;

-- As in V6.
CREATE VIEW history AS
SELECT rooms.name AS room,
       log.seq AS seq,
       strftime('%Y-%m-%d %H:%M:%f', events.time / 1000.0, 'unixepoch') AS time,
       CASE events.kind
           WHEN 1 THEN 'message' WHEN 2 THEN 'notice' WHEN 3 THEN 'tags'
           WHEN 10 THEN 'join' WHEN 11 THEN 'part' WHEN 12 THEN 'quit' WHEN 13 THEN 'kick' WHEN 14 THEN 'topic'
           WHEN 15 THEN 'mode' WHEN 16 THEN 'invite' WHEN 17 THEN 'redacted' WHEN 18 THEN 'created'
           WHEN 19 THEN 'reset' WHEN 20 THEN 'renamed' ELSE events.kind
       END AS kind,
       coalesce(events.actor, '*') AS who,
       events.target AS target,
       events.text AS text
FROM rooms JOIN log ON log.room_id = rooms.id JOIN events ON events.id = log.event_id;
