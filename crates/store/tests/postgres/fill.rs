//! Very many cards, made at the server.

use crate::server::Server;

/// How many cards the smaller of two tables has.
pub(crate) fn cards() -> u64 {
    std::env::var("RAMZ_CARDS").map_or(20_000, |text| text.parse().unwrap())
}

/// Cards as they are when they have paid once, made at the server.
pub(crate) fn fill(server: &Server, schema: &str, cards: u64) {
    let numbered = format!(
        "SELECT substr(sha256(n::text::bytea), 1, 16) AS key, decode(lpad(to_hex(n), 32, '0'), 'hex') AS entry
         FROM generate_series(1, {cards}) AS n"
    );
    let shard = "get_byte(key, 15)";
    server.sql(
        "ramz",
        &format!(
            "SET search_path = {schema}; SET synchronous_commit = off;
             INSERT INTO card SELECT {shard}, key, 1, decode(repeat('c3', 400), 'hex'), 1, sha256('1'), NULL, NULL, entry, NULL
                FROM ({numbered}) AS n;
             INSERT INTO card_sealed SELECT {shard}, key, 'card.pan', decode(repeat('5e', 60), 'hex') FROM ({numbered}) AS n;
             INSERT INTO journal_in_line SELECT {shard}, entry, NULL, key, 1, 1, decode(repeat('5a', 80), 'hex'), 1, sha256('1')
                FROM ({numbered}) AS n"
        ),
    );
    server.sql("ramz", &format!("VACUUM ANALYZE {schema}.card; "));
    server.sql("ramz", "CHECKPOINT");
}
