-- Messages lie by their own names, which sort by when they were written: those of one commit share pages, and so do those that are
-- settled together. Lying by their owners, they had each dirtied a page of their own, a fifth of all that was written.

ALTER TABLE outbox RENAME TO outbox_by_owner;
CREATE TABLE outbox (
    owner        BLOB    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    body         BLOB    NOT NULL,
    expires      INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    attempts     INTEGER NOT NULL CHECK (attempts >= 1),
    PRIMARY KEY (id, owner)
) STRICT, WITHOUT ROWID;
INSERT INTO outbox SELECT * FROM outbox_by_owner;
DROP TABLE outbox_by_owner;
CREATE INDEX outbox_lease ON outbox (leased_until, owner, id);
