-- New entries of the journal lie one behind the other, whatever rows they belong to: those of one commit share pages, of the table and of
-- its only index, which grows at its end. Lying by owner, each had gone to a page of its own, which had to be found on the way down an
-- index that grows with the number of cards, and be written whole after each checkpoint.
--
-- The way back to a row's entries: the row names its last one, and each entry the one before it. (`entry_before` is what the row had
-- named: a statement can tell what it has written, and not what was there.) `journal` keeps what was written before, and what is copied
-- from a file; a row's journal is both.
-- works with: 4

ALTER TABLE card       ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE card_index ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE admission  ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE payment    ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE phone      ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE device     ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE activation ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;
ALTER TABLE node       ADD COLUMN last_entry BYTEA, ADD COLUMN entry_before BYTEA;

CREATE TABLE journal_in_line (
    shard       SMALLINT NOT NULL,
    id          BYTEA    NOT NULL CHECK (length(id) = 16),
    previous    BYTEA,
    owner       BYTEA    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    seq         BIGINT   NOT NULL CHECK (seq >= 1),
    at          BIGINT   NOT NULL,
    entry       BYTEA    NOT NULL,
    key_version BIGINT   NOT NULL,
    mac         BYTEA    NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (id, shard)
);
