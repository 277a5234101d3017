-- The journal's entries lie one behind the other, whatever rows they belong to: entries of one commit share a page. Lying by owner, each
-- had dirtied a page of its own, half of all that was written. The way back to a row's entries: the row names its last one, and each
-- entry the one before it.

ALTER TABLE card       ADD COLUMN last_entry INTEGER;
ALTER TABLE card_index ADD COLUMN last_entry INTEGER;
ALTER TABLE admission  ADD COLUMN last_entry INTEGER;
ALTER TABLE payment    ADD COLUMN last_entry INTEGER;
ALTER TABLE phone      ADD COLUMN last_entry INTEGER;
ALTER TABLE device     ADD COLUMN last_entry INTEGER;
ALTER TABLE activation ADD COLUMN last_entry INTEGER;
ALTER TABLE node       ADD COLUMN last_entry INTEGER;

ALTER TABLE journal RENAME TO journal_by_owner;
CREATE TABLE journal (
    id          INTEGER NOT NULL PRIMARY KEY,
    previous    INTEGER CHECK (previous < id),
    owner       BLOB    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    at          INTEGER NOT NULL,
    entry       BLOB    NOT NULL,
    key_version INTEGER NOT NULL,
    mac         BLOB    NOT NULL CHECK (length(mac) = 32)
) STRICT;
INSERT INTO journal (id, previous, owner, seq, at, entry, key_version, mac)
    SELECT n, lag(n) OVER (PARTITION BY owner ORDER BY seq), owner, seq, at, entry, key_version, mac
    FROM (SELECT row_number() OVER (ORDER BY owner, seq) AS n, * FROM journal_by_owner)
    ORDER BY n;
DROP TABLE journal_by_owner;

CREATE TEMP TABLE last AS SELECT owner, max(id) AS id FROM journal GROUP BY owner;
UPDATE card       SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE card_index SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE admission  SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE payment    SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE phone      SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE device     SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE activation SET last_entry = last.id FROM last WHERE last.owner = key;
UPDATE node       SET last_entry = last.id FROM last WHERE last.owner = key;
DROP TABLE last;
