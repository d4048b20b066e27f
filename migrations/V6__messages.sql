-- Messages of several lines: where the text was cut without a line feed, as byte offsets ("100 220"). NULL: nowhere.
ALTER TABLE events ADD COLUMN cuts TEXT;

-- As in V1, with the kind that is new: a room has another name.
DROP VIEW history;
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
