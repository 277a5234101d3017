//! What must be true in the end, whatever happened: of the history, of the card host, of every journal.

use std::collections::{BTreeMap, HashSet};

use ramz_domain::card::Entry;
use ramz_issuer::engine::{JournalRecord, verify_journal};
use ramz_keys::SoftKeys;
use ramz_store::Store;

use crate::card::Answer;
use crate::load::Load;

/// Everything that is wrong, in words.
pub(crate) async fn wrong(load: &Load, store: &dyn Store, keys: &SoftKeys) -> Vec<String> {
    let mut wrong = load.faults.lock().unwrap().clone();
    wrong.extend(load.history.wrong());
    wrong.extend(at_the_host(load));
    for card in 0..load.cards.len() {
        wrong.extend(in_the_journal(load, store, keys, card).await);
    }
    wrong
}

/// Each PIN was debited at most once, and exactly what was approved was.
fn at_the_host(load: &Load) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut debits: BTreeMap<(usize, u64), u32> = BTreeMap::new();
    for paid in load.paid.lock().unwrap().iter() {
        let asked = load.bank.host.asked(&paid.message).debits;
        *debits.entry((paid.card, paid.amount)).or_default() += asked;
        if (asked == 1) != (paid.answer == Answer::Approved) {
            wrong.push(format!("card {}: answered {:?}, and debited {asked} times", paid.card, paid.answer));
        }
    }
    let twice = debits.into_iter().filter(|(_, debits)| *debits > 1);
    wrong.extend(twice.map(|((card, amount), debits)| {
        format!("the PIN for {amount} rial of card {card} was debited {debits} times")
    }));
    wrong
}

/// The chain is whole; every request that was admitted and every approval is in it; no PIN was spent twice.
async fn in_the_journal(load: &Load, store: &dyn Store, keys: &SoftKeys, card: usize) -> Vec<String> {
    let id = load.cards[card].id;
    let mut wrong: Vec<String> = verify_journal(store, keys, id)
        .await
        .err()
        .map(|why| format!("card {card}: {why}"))
        .into_iter()
        .collect();
    let entries = store.journal(&id.0, 0, 10_000).await.unwrap();
    let (mut requests, mut spent, mut approved) = (HashSet::new(), HashSet::new(), HashSet::new());
    for entry in &entries {
        match JournalRecord::read(&entry.entry).unwrap().entry {
            Entry::PinIssued { admission, .. }
            | Entry::PinResent { admission, .. }
            | Entry::PinNotSent { admission, .. } => _ = requests.insert(admission.0),
            Entry::PinSpent { challenge, .. } if !spent.insert(challenge) => {
                wrong.push(format!("card {card}: {challenge} was spent twice"));
            }
            Entry::HostAnswered { identity, response_code } if response_code == "00" => {
                approved.insert(identity);
            }
            _ => {}
        }
    }
    // Who was left in the middle has perhaps a request whose work is not done yet, or an approval that he has not heard of.
    let left = load.left.lock().unwrap().contains(&card);
    let admitted = load.admitted.lock().unwrap();
    let lost = admitted.iter().filter(|(of, id)| *of == card && !left && !requests.contains(id.as_bytes()));
    wrong.extend(lost.map(|(_, id)| format!("card {card}: request {id} is not in its journal")));
    let paid = load.paid.lock().unwrap();
    let told = paid.iter().filter(|paid| paid.card == card && paid.answer == Answer::Approved).count();
    if told > approved.len() || told < approved.len() && !left {
        wrong
            .push(format!("card {card}: {told} approvals were answered, its journal has {}", approved.len()));
    }
    wrong
}
