//! Who may read a secret in the clear. `expose()` is the only way to the digits of a PAN, a PIN or a phone number, and
//! every file that calls it is listed here with the reason, in a word.

use std::collections::BTreeMap;

use crate::{File, assert_none, tree};

/// File, and why it must see the digits.
const MAY_EXPOSE: &[(&str, &str)] = &[
    // On the wire, to whom it is for.
    ("crates/api/src/app/body.rs", "JSON"),
    ("crates/api/src/back_office/body.rs", "JSON"),
    ("crates/api/src/pin_request.rs", "JSON"),
    ("crates/gateway/src/about.rs", "JSON"),
    ("crates/gateway/src/message.rs", "DE2"),
    ("crates/sim/src/terminal/message.rs", "DE2"),
    ("crates/sms/src/smpp/mod.rs", "submit"),
    ("crates/sms/src/smpp/submit.rs", "address"),
    // On the receipt, to the cardholder.
    ("crates/issuer/src/inline/terminal/mod.rs", "receipt"),
    // From the cardholder's SMS.
    ("crates/sms/src/texts/asked.rs", "digits"),
    // In the cardholder's SMS.
    ("crates/issuer/src/outbox/words.rs", "text"),
    ("crates/sms/src/texts/en.rs", "text"),
    ("crates/sms/src/texts/fa.rs", "text"),
    ("crates/sms/src/texts/mod.rs", "autofill"),
    // Computed for its holder, who types it.
    ("crates/ramz/src/commands/token/told.rs", "shown"),
    // Into a keyed hash or a sealed column.
    ("crates/gateway/src/ask.rs", "index"),
    ("crates/gateway/src/payee.rs", "index"),
    ("crates/issuer/src/admission.rs", "index"),
    ("crates/issuer/src/cards.rs", "seal"),
    ("crates/issuer/src/devices/activate.rs", "index"),
    ("crates/issuer/src/devices/mod.rs", "index"),
    ("crates/issuer/src/engine/mod.rs", "index"),
    ("crates/issuer/src/engine/outgoing.rs", "seal"),
    ("crates/issuer/src/fit.rs", "index"),
    ("crates/issuer/src/inline/transaction.rs", "index"),
    ("crates/issuer/src/limits.rs", "index"),
    ("crates/issuer/src/phones/mod.rs", "index"),
    ("crates/issuer/src/web/verifications.rs", "index"),
    // Hashed with a seed, to know the same card again.
    ("crates/sim/src/phone/state.rs", "index"),
    // Compared with what its cardholder texts.
    ("crates/issuer/src/phones/texts.rs", "digits"),
    // Compared with what a token's codes are.
    ("crates/keys/src/soft/codes.rs", "number"),
    // Into a PIN block.
    ("crates/keys/src/pinblock/field.rs", "block"),
    ("crates/keys/src/pinblock/iso4.rs", "block"),
    // Typed by the operator, sent to the back office.
    ("crates/ramz/src/commands/cards.rs", "prompt"),
    // Made-up cards and phones.
    ("crates/ramz/src/commands/load/pair.rs", "measure"),
    ("crates/ramz/src/commands/load/phones.rs", "measure"),
    ("crates/ramz/src/lab/bank.rs", "lab"),
    ("crates/ramz/src/lab/portal.rs", "lab"),
    ("crates/sim/src/shop/services.rs", "JSON"),
    ("crates/sim/examples/smpp_peer.rs", "peer"),
    ("crates/sim/src/handsets/mod.rs", "phone"),
    ("crates/sim/src/host/ledger.rs", "host"),
    ("crates/sim/src/smsc/deliver.rs", "phone"),
    ("crates/sim/src/smsc/texts.rs", "phone"),
];

/// Whether the part of the file that ships reads a secret. Tests may.
fn exposes(file: &File) -> bool {
    let in_tests = file.path.contains("/tests/") || file.path.ends_with("tests.rs");
    let ships = file.text.split("#[cfg(test)]").next().unwrap_or_default();
    let code = ships.lines().filter(|line| !line.trim_start().starts_with("//"));
    !in_tests && code.into_iter().any(|line| line.contains(".expose()") || line.contains("::expose"))
}

fn faults(files: &[File], allowed: &[(&str, &str)]) -> Vec<String> {
    let allowed: BTreeMap<&str, &str> = allowed.iter().copied().collect();
    let exposing = files.iter().filter(|file| file.has_extension(&["rs"]) && exposes(file));
    let exposing: Vec<&str> = exposing.map(|file| file.path.as_str()).collect();
    let new = exposing.iter().filter(|path| !allowed.contains_key(**path));
    let new =
        new.map(|path| format!("{path}: reads a secret; list it in tests/tidy/exposed.rs, with the reason"));
    let gone = allowed.keys().filter(|path| !exposing.contains(path));
    new.chain(gone.map(|path| format!("{path}: is listed as reading a secret, and does not"))).collect()
}

#[test]
fn secrets_are_read_only_where_listed() {
    assert_none(&faults(tree(), MAY_EXPOSE));
}

#[test]
fn a_new_reader_of_secrets_is_noticed() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let files = [
        file("a.rs", "log(pan.expose());"),
        file("b.rs", "pan.masked();\n#[cfg(test)]\nmod tests { pan.expose() }"),
        file("c/tests/d.rs", "pan.expose()"),
        file("e.rs", "// not .expose() here"),
        file("f.rs", "pan.map(Pan::expose)"),
    ];
    assert_eq!(
        faults(&files, &[("b.rs", "hash"), ("f.rs", "hash")]),
        [
            "a.rs: reads a secret; list it in tests/tidy/exposed.rs, with the reason",
            "b.rs: is listed as reading a secret, and does not",
        ]
    );
}
