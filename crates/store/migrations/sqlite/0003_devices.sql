-- The app: devices with their keys, and activations as their receipts find them. Both are hints; the card's own row decides.

CREATE TABLE device (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT;
CREATE INDEX device_due ON device (due, key) WHERE due IS NOT NULL;
CREATE INDEX device_forget ON device (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE device_sealed (
    key   BLOB NOT NULL REFERENCES device (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE activation (
    key          BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 64),
    version      INTEGER NOT NULL CHECK (version >= 1),
    body         BLOB    NOT NULL,
    head_seq     INTEGER NOT NULL CHECK (head_seq >= 0),
    head_mac     BLOB    NOT NULL CHECK (length(head_mac) = 32),
    due          INTEGER,
    forget_after INTEGER
) STRICT;
CREATE INDEX activation_due ON activation (due, key) WHERE due IS NOT NULL;
CREATE INDEX activation_forget ON activation (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE activation_sealed (
    key   BLOB NOT NULL REFERENCES activation (key) ON DELETE CASCADE,
    name  TEXT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (key, name)
) STRICT, WITHOUT ROWID;
