-- The schema on PostgreSQL: what the embedded store has after its first three migrations.
-- works with: 1
--
-- `shard` is the last byte of the aggregate's key, a random one in every kind of key. A distributed engine places rows by it, so a
-- batch of one shard is one place's; elsewhere it is two bytes that nobody reads. No sequence, no foreign key: nothing here needs to be
-- known in two places at once. Instants are milliseconds since the Unix epoch. Bodies, entries and sealed bytes are opaque.
--
-- Rows that are changed in place leave room in their page, so that a change need not touch the index.

CREATE TABLE card (
    shard        SMALLINT NOT NULL CHECK (shard = get_byte(key, length(key) - 1)),
    key          BYTEA    NOT NULL CHECK (length(key) BETWEEN 1 AND 64),
    version      BIGINT   NOT NULL CHECK (version >= 1),
    body         BYTEA    NOT NULL,
    head_seq     BIGINT   NOT NULL CHECK (head_seq >= 0),
    head_mac     BYTEA    NOT NULL CHECK (length(head_mac) = 32),
    due          BIGINT,
    forget_after BIGINT CHECK (forget_after IS NULL),
    PRIMARY KEY (key, shard)
) WITH (fillfactor = 70);
CREATE INDEX card_due ON card (due, key) WHERE due IS NOT NULL;

CREATE TABLE card_index (
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
CREATE INDEX card_index_due ON card_index (due, key) WHERE due IS NOT NULL;
CREATE INDEX card_index_forget ON card_index (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE admission (
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
CREATE INDEX admission_due ON admission (due, key) WHERE due IS NOT NULL;
CREATE INDEX admission_forget ON admission (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE payment (
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
CREATE INDEX payment_due ON payment (due, key) WHERE due IS NOT NULL;
CREATE INDEX payment_forget ON payment (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE phone (
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
CREATE INDEX phone_due ON phone (due, key) WHERE due IS NOT NULL;
CREATE INDEX phone_forget ON phone (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE device (
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
CREATE INDEX device_due ON device (due, key) WHERE due IS NOT NULL;
CREATE INDEX device_forget ON device (forget_after, key) WHERE forget_after IS NOT NULL;

CREATE TABLE activation (
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
CREATE INDEX activation_due ON activation (due, key) WHERE due IS NOT NULL;
CREATE INDEX activation_forget ON activation (forget_after, key) WHERE forget_after IS NOT NULL;

-- Sealed columns lie apart, so that a swap which leaves them alone does not write them again.

CREATE TABLE card_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

CREATE TABLE card_index_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

CREATE TABLE admission_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

CREATE TABLE payment_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

CREATE TABLE phone_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

CREATE TABLE device_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

CREATE TABLE activation_sealed (
    shard SMALLINT NOT NULL,
    key   BYTEA    NOT NULL,
    name  TEXT     NOT NULL,
    bytes BYTEA    NOT NULL,
    PRIMARY KEY (key, name, shard)
);

-- Entries chained per row: each MAC covers the one before, the row's head holds the last.
CREATE TABLE journal (
    shard       SMALLINT NOT NULL,
    owner       BYTEA    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    seq         BIGINT   NOT NULL CHECK (seq >= 1),
    at          BIGINT   NOT NULL,
    entry       BYTEA    NOT NULL,
    key_version BIGINT   NOT NULL,
    mac         BYTEA    NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (owner, seq, shard)
);

-- Messages to be sent, as ids. The lease says who works on one: claims are compare-and-swap on leased_until.
CREATE TABLE outbox (
    shard        SMALLINT NOT NULL,
    owner        BYTEA    NOT NULL CHECK (length(owner) BETWEEN 1 AND 64),
    id           BYTEA    NOT NULL CHECK (length(id) = 16),
    body         BYTEA    NOT NULL,
    expires      BIGINT   NOT NULL,
    leased_until BIGINT   NOT NULL,
    attempts     BIGINT   NOT NULL CHECK (attempts >= 1),
    PRIMARY KEY (owner, id, shard)
);
CREATE INDEX outbox_lease ON outbox (leased_until, owner, id);
