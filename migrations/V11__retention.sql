-- How long a room keeps what was said in it, and how far its log has been gone through for comings and goings whose
-- own, shorter term is over: none of those is left at or below that place.
ALTER TABLE rooms ADD COLUMN retention INTEGER;      -- milliseconds; 0: for ever; NULL: as the server does
ALTER TABLE rooms ADD COLUMN presence_pruned INTEGER NOT NULL DEFAULT 0;
