-- Nodes that share the database, and what they tell each other.
-- works with: 1

CREATE TABLE node (
    shard        SMALLINT NOT NULL CHECK (shard = get_byte(key, length(key) - 1)),
    key          BYTEA    NOT NULL CHECK (length(key) BETWEEN 1 AND 64),
    version      BIGINT   NOT NULL CHECK (version >= 1),
    body         BYTEA    NOT NULL,
    head_seq     BIGINT   NOT NULL CHECK (head_seq >= 0),
    head_mac     BYTEA    NOT NULL CHECK (length(head_mac) = 32),
    due          BIGINT,
    forget_after BIGINT,
    PRIMARY KEY (key, shard)
) WITH (fillfactor = 70);
CREATE INDEX node_due ON node (due, key) WHERE due IS NOT NULL;
CREATE INDEX node_forget ON node (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE node_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);
