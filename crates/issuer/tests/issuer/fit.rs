//! A store and its key file: with another one nobody starts.

use ramz_issuer::{Unfit, keys_fit};
use ramz_keys::{KeyRing, SoftKeys};
use ramz_store::{Change, MemoryStore, Outcome, Sealed, Swap, Table};

use crate::bank::{Bank, Node, Told, on_both_stores, same};
use crate::doubles::Seeded;

on_both_stores! {
    only_the_stores_own_keys_fit,
    one_row_that_was_altered_keeps_no_bank_from_starting,
}

fn keys(ring: KeyRing) -> SoftKeys {
    SoftKeys::new(ring, Seeded::new(77))
}

async fn only_the_stores_own_keys_fit(bank: &Bank, _: Node) -> Told {
    let store = bank.store();
    same(keys_fit(&*store, &*bank.soft).await.is_ok(), true, "its own")?;
    let others = KeyRing::generate(&*Seeded::new(78));
    let told = keys_fit(&*store, &keys(others)).await;
    same(matches!(told, Err(Unfit::OtherKeys(cards)) if cards > 1), true, "another bank's")?;
    same(keys_fit(&MemoryStore::new(), &*bank.soft).await.is_ok(), true, "a new store")
}

async fn one_row_that_was_altered_keeps_no_bank_from_starting(bank: &Bank, _: Node) -> Told {
    let store = bank.store();
    let first = store.keys_after(Table::Card, &[], 1).await.unwrap().remove(0);
    let row = store.read(Table::Card, &first).await.unwrap().unwrap();
    let other = Sealed { column: "card.pan", bytes: Some(vec![1; 60]) };
    let altered = Swap {
        table: Table::Card,
        key: first,
        expected: Some(row.version),
        body: row.body,
        sealed: vec![other],
        head: row.head,
        journal: Vec::new(),
        outbox: Vec::new(),
        due: None,
        forget_after: None,
    };
    same(store.commit(vec![Change::Swap(altered)]).await.unwrap(), vec![Outcome::Won], "altered")?;
    same(keys_fit(&*store, &*bank.soft).await.is_ok(), true, "the others fit")
}
