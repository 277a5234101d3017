-- Nodes that share a store, and what they tell each other. A file has one node only; the table is there so that both stores are one.

CREATE TABLE node (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT;
CREATE INDEX node_due ON node (due, key) WHERE due IS NOT NULL;
CREATE INDEX node_forget ON node (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE node_sealed (
    key   BLOB NOT NULL REFERENCES node (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;
