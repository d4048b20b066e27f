-- Eight segments of the full-text index are merged into one, not four: what was said is copied a third less often on its way
-- into a large one. See https://www.sqlite.org/fts5.html#the_automerge_configuration_option
INSERT INTO search (search, rank) VALUES ('automerge', 8);
