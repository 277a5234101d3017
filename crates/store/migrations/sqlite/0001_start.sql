-- The first schema: four kinds of versioned rows, their sealed columns, the journal, the outbox.
--
-- Written to carry over to PostgreSQL: there INTEGER is BIGINT, BLOB is BYTEA, and STRICT and WITHOUT ROWID go.
-- Every key begins with the aggregate's key, so that each table can be distributed by it. Instants are milliseconds
-- since the Unix epoch. Bodies, entries and sealed bytes are opaque here.
--
-- Tables whose bodies may be large keep their rowid (a body is then never moved with the index); the others do not.

CREATE TABLE card (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER CHECK (forget_after IS NULL)
) STRICT;
CREATE INDEX card_due ON card (due, key) WHERE due IS NOT NULL;

CREATE TABLE card_index (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX card_index_due ON card_index (due, key) WHERE due IS NOT NULL;
CREATE INDEX card_index_forget ON card_index (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE admission (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT;
CREATE INDEX admission_due ON admission (due, key) WHERE due IS NOT NULL;
CREATE INDEX admission_forget ON admission (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE payment (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT;
CREATE INDEX payment_due ON payment (due, key) WHERE due IS NOT NULL;
CREATE INDEX payment_forget ON payment (forget_after, key) WHERE forget_after IS NOT NULL;

-- Sealed columns lie apart, so that a swap which leaves them alone does not write them again.
CREATE TABLE card_sealed (
    key   BLOB NOT NULL REFERENCES card (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE card_index_sealed (
    key   BLOB NOT NULL REFERENCES card_index (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE admission_sealed (
    key   BLOB NOT NULL REFERENCES admission (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE payment_sealed (
    key   BLOB NOT NULL REFERENCES payment (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;

-- Entries chained per row: each MAC covers the one before, the row's head holds the last.
CREATE TABLE journal (
    owner       BLOB    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    seq         INTEGER NOT NULL CHECK (seq >= 1),
    at          INTEGER NOT NULL,
    entry       BLOB    NOT NULL,
    key_version INTEGER NOT NULL,
    mac         BLOB    NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (owner, seq)
) STRICT, WITHOUT ROWID;

-- Messages to be sent, as ids. The lease says who works on one: claims are compare-and-swap on leased_until.
CREATE TABLE outbox (
    owner        BLOB    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    body         BLOB    NOT NULL,
    expires      INTEGER NOT NULL,
    leased_until INTEGER NOT NULL,
    attempts     INTEGER NOT NULL CHECK (attempts >= 1),
    PRIMARY KEY (owner, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_lease ON outbox (leased_until, owner, id);
