-- Phones: which cards a mobile is registered for, and the texts that came from it. A row is a hint; the card's own row decides.

CREATE TABLE phone (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT;
CREATE INDEX phone_due ON phone (due, key) WHERE due IS NOT NULL;
CREATE INDEX phone_forget ON phone (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE phone_sealed (
    key   BLOB NOT NULL REFERENCES phone (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;
