//! Our own reversal: a host that was asked and is silent is answered 91 for, and undone until it acknowledges. At the end the
//! books agree: what the switch was told, what the host has booked, and what the journal says.

use std::sync::Arc;

use ramz_domain::card::{Answer, Command, Entry};
use ramz_iso8583::Message;
use ramz_issuer::config::OnSilence;
use ramz_issuer::engine::Job;
use ramz_issuer::undo::original;
use ramz_store::faults::{Failing, FaultyStore};
use ramz_store::{Change, MemoryStore, OutboxNew, Outcome, Swap, Table};

use crate::bank::{Bank, Build, CARD, Node, OTHER_CARD, Told, same, tried, until};
use crate::doubles::Mood;
use crate::messages::{Wish, code, pan, refusal, repeated, reversal};
use crate::wires::http;

/// Each scenario as two tests, at a bank that reverses itself.
macro_rules! where_the_bank_reverses {
    ($($scenario:ident),* $(,)?) => {$(
        mod $scenario {
            use super::{Build, OnSilence, tried};

            #[tokio::test]
            async fn in_memory() {
                let build = Build { on_silence: OnSilence::Reverse, ..Build::default() };
                assert_eq!(tried(build, super::$scenario).await, Ok(()));
            }

            #[tokio::test]
            async fn durably() {
                let build = Build { on_silence: OnSilence::Reverse, ..Build::durable() };
                assert_eq!(tried(build, super::$scenario).await, Ok(()));
            }
        }
    )*};
}

where_the_bank_reverses! {
    a_silent_host_is_91_and_is_undone,
    the_switchs_own_reversal_is_answered_and_undoes_nothing_twice,
    a_reversal_outlives_the_node_and_the_hosts_outage,
    a_reversal_without_an_answer_is_repeated_as_0421,
    a_late_approval_is_not_relayed,
    of_two_nodes_one_gives_up,
    an_answer_that_comes_after_another_node_gave_up_is_reversed_again,
    a_payment_in_doubt_is_given_up_while_the_host_is_away,
    a_repeat_that_says_another_time_is_undone_by_its_firsts,
    a_host_that_was_not_asked_is_not_reversed,
    the_books_agree_after_a_bad_day,
}

/// Loses the host's answer to one message: it did what was asked.
async fn lose_the_answer(bank: &Bank, asked: u32) -> Told {
    bank.host_was_asked(asked).await?;
    bank.host.drop_connections();
    Ok(())
}

/// A payment that the host booked and did not answer, and what the switch was told.
async fn unanswered(bank: &Bank, node: &Node, wish: &Wish) -> Result<(Message, String), String> {
    let pin = bank.pin(node, CARD, wish).await?;
    let payment = bank.payment(CARD, wish, &pin);
    bank.host.silence_next(1);
    let asked = bank.host.asked_in_all().times + 1;
    let answer = node.asking(0, &payment);
    lose_the_answer(bank, asked).await?;
    let told = code(&answer.await?);
    Ok((payment, told))
}

/// Moves the clock until our reversals are acknowledged: slowly, so that the card does not forget meanwhile.
async fn undone(bank: &Bank) -> Told {
    let store = bank.store();
    let end = bank.now().plus(std::time::Duration::from_secs(20 * 365 * 86_400));
    let polls = std::cell::Cell::new(0u32);
    until("the reversals are acknowledged", async || {
        polls.set(polls.get() + 1);
        if polls.get().is_multiple_of(50) {
            bank.advance(1);
        }
        store.outbox_due(end, 1).await.is_ok_and(|rows| rows.is_empty())
    })
    .await
}

pub(crate) async fn a_silent_host_is_91_and_is_undone(bank: &Bank, node: Node) -> Told {
    let (payment, told) = unanswered(bank, &node, &Wish::purchase(11_000)).await?;
    same(told, "91".into(), "the switch is told")?;
    same(code(&node.ask(&repeated(&payment)).await?), "91".into(), "and told again")?;
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")?;
    same(code(&node.ask(&repeated(&payment)).await?), "91".into(), "and again, when it is undone")?;
    let story = ["Created", "PinIssued", "PinSpent", "GaveUp", "Undone"].map(String::from).to_vec();
    same(bank.story(CARD).await, story, "story")?;
    let metrics = http(node.metrics, "GET", "/metrics", &[], "").await.body;
    for state in ["committed", "acknowledged"] {
        let line = format!("ramz_reversals_total{{state=\"{state}\"}} 1\n");
        same(metrics.contains(&line), true, &line)?;
    }
    let seen = bank.host_trace.last("host", "0420").or(bank.host_trace.last("host", "0421"));
    let seen = seen.ok_or("the host saw no reversal")?;
    same(crate::doubles::shown(&seen, 52), None, "a PIN block in it")
}

async fn the_switchs_own_reversal_is_answered_and_undoes_nothing_twice(bank: &Bank, node: Node) -> Told {
    let (payment, told) = unanswered(bank, &node, &Wish::purchase(12_000)).await?;
    same(told, "91".into(), "the switch is told")?;
    bank.way.cut_off(true);
    bank.host.drop_connections();
    let own = reversal(&payment);
    for own in [own.clone(), repeated(&own)] {
        same(code(&node.ask(&own).await?), "00".into(), "its reversal, also while the host is away")?;
    }
    let again = refusal(&node.ask(&repeated(&payment)).await?);
    same(again, ("12".into(), "reversed_before".into()), "the payment, repeated after it")?;
    bank.way.cut_off(false);
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")
}

pub(crate) async fn a_reversal_outlives_the_node_and_the_hosts_outage(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(13_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.settled().await?;
    (bank.build.attack)();
    bank.host.silence_next(1);
    let answer = node.asking(0, &payment);
    bank.host_was_asked(1).await?;
    // Away before the answer: nothing can have been sent when the node dies.
    bank.cut_off(&node).await?;
    same(code(&answer.await?), "91".into(), "the switch is told")?;
    bank.crash(node);
    same(bank.spent(CARD), 13_000, "debited, and told that it is not")?;
    let stored = bank.stored().await;
    for secret in [pan(CARD), pan(CARD)[6..15].to_owned()] {
        let found = stored.windows(secret.len()).any(|window| window == secret.as_bytes());
        same(found, false, "a card number in the store, while the reversal waits")?;
    }
    bank.way.cut_off(false);
    let node = bank.node().await;
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host after the crash")?;
    same(code(&node.ask(&repeated(&payment)).await?), "91".into(), "the payment, repeated")
}

async fn a_reversal_without_an_answer_is_repeated_as_0421(bank: &Bank, node: Node) -> Told {
    let (_, told) = unanswered(bank, &node, &Wish::purchase(14_000)).await?;
    same(told, "91".into(), "the switch is told")?;
    let store = bank.store();
    for _ in 0..2 {
        bank.host.silence_next(1);
        let seen = || {
            bank.host_trace.facts().iter().filter(|f| f.to == "host" && f.title.starts_with("042")).count()
        };
        let before = seen();
        until("the host has a reversal", async || {
            bank.advance(1);
            seen() > before
        })
        .await?;
        bank.host.drop_connections();
    }
    undone(bank).await?;
    drop(store);
    let titles: Vec<String> = bank
        .host_trace
        .facts()
        .into_iter()
        .filter(|fact| fact.to == "host" && fact.title.starts_with("042"))
        .map(|fact| fact.title[..4].to_owned())
        .collect();
    same(
        titles.len() >= 3 && titles[1..].iter().all(|title| title == "0421"),
        true,
        "0421 from the second on",
    )?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")
}

async fn a_late_approval_is_not_relayed(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(15_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.hold();
    let answer = node.asking(0, &payment);
    // As long as a host may take.
    same(code(&answer.await?), "91".into(), "the switch is told")?;
    bank.host.release();
    same(code(&node.ask(&repeated(&payment)).await?), "91".into(), "after the late approval")?;
    undone(bank).await?;
    same(code(&node.ask(&repeated(&payment)).await?), "91".into(), "after the end")?;
    let asked = bank.host.asked(&payment);
    same((asked.debits, asked.credits, bank.spent(CARD)), (1, 1, 0), "at the host")
}

async fn of_two_nodes_one_gives_up(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    let wish = Wish::purchase(16_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.hold();
    let first = node.asking(0, &payment);
    bank.host_was_asked(1).await?;
    let again = second.asking(0, &repeated(&payment));
    bank.host_was_asked(2).await?;
    bank.host.drop_connections();
    bank.host.release();
    same((code(&first.await?), code(&again.await?)), ("91".into(), "91".into()), "both are told")?;
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")?;
    let gave_up = bank.story(CARD).await.into_iter().filter(|entry| entry == "GaveUp").count();
    same(gave_up, 1, "reversals")
}

async fn an_answer_that_comes_after_another_node_gave_up_is_reversed_again(bank: &Bank, node: Node) -> Told {
    let second = bank.node().await;
    let wish = Wish::purchase(16_500);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    bank.host.hold();
    let answer = node.asking(0, &payment);
    bank.host_was_asked(1).await?;
    let spent = bank.entries(CARD).await.into_iter().find_map(|entry| match entry {
        Entry::PinSpent { identity, .. } => Some(identity),
        _ => None,
    });
    let identity = spent.ok_or("nothing was spent")?;
    let reversal = Some(original(&payment).map_err(|fault| fault.to_string())?);
    let job = Job { reversal, ..Job::from(Command::GiveUp { identity }) };
    let told = second.running.engine.tell(bank.card(CARD), job).await;
    same(matches!(told, Ok(Answer::Again(_))), true, "the second node gives up")?;
    bank.host.release();
    same(code(&answer.await?), "91".into(), "the first node, with the host's approval in hand")?;
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")?;
    let story = bank.story(CARD).await;
    let count = |name: &str| story.iter().filter(|entry| *entry == name).count();
    same((count("GaveUp"), count("AnsweredLate"), count("Undone")), (1, 1, 2), "in the journal")
}

/// The node dies with the payment at the host, and nobody was told anything. The next node, whose host is away.
async fn died_with_it_at_the_host(bank: &Bank, node: Node, payment: &Message) -> Result<Node, String> {
    bank.host.hold();
    drop(node.asking(0, payment));
    bank.host_was_asked(1).await?;
    bank.crash(node);
    bank.host.drop_connections();
    bank.host.release();
    let node = bank.node().await;
    bank.cut_off(&node).await?;
    Ok(node)
}

async fn a_payment_in_doubt_is_given_up_while_the_host_is_away(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(17_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let payment = bank.payment(CARD, &wish, &pin);
    let node = died_with_it_at_the_host(bank, node, &payment).await?;
    same(code(&node.ask(&repeated(&payment)).await?), "91".into(), "the payment, repeated")?;
    bank.reconnect(&node).await?;
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")
}

/// Some switches give a repeat a transmission time of its own. The host knows the payment by the first one.
async fn a_repeat_that_says_another_time_is_undone_by_its_firsts(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(17_500);
    let pin = bank.pin(&node, CARD, &wish).await?;
    let mut payment = bank.payment(CARD, &wish, &pin);
    // Without it there is only field 90 to find a payment by.
    payment.remove(37);
    let node = died_with_it_at_the_host(bank, node, &payment).await?;
    let mut repeat = repeated(&payment);
    repeat.set(7, "1231235959");
    let answer = node.ask(&repeat).await?;
    same(code(&answer), "91".into(), "the payment, repeated")?;
    same(answer.get(7), Some("1231235959"), "the time of the message that is answered")?;
    bank.reconnect(&node).await?;
    undone(bank).await?;
    same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")
}

async fn a_host_that_was_not_asked_is_not_reversed(bank: &Bank, node: Node) -> Told {
    let wish = Wish::purchase(18_000);
    let pin = bank.pin(&node, CARD, &wish).await?;
    bank.cut_off(&node).await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "91".into(), "while it is away")?;
    bank.reconnect(&node).await?;
    bank.settled().await?;
    same(bank.pay(&node, CARD, &wish, &pin).await?, "00".into(), "the PIN is not spent")?;
    let reversed = bank.host_trace.facts().iter().any(|fact| fact.title.starts_with("042"));
    same(reversed, false, "reversed")
}

/// Payments of two cards, some answered, some lost on the way back; then everything is asked for.
async fn the_books_agree_after_a_bad_day(bank: &Bank, node: Node) -> Told {
    let mut approved = [0, 0];
    let mut given_up = 0;
    for round in 0..8u64 {
        for (at, n) in [CARD, OTHER_CARD].into_iter().enumerate() {
            let amount = 1_000 + round * 10 + u64::from(n);
            let wish = Wish::purchase(amount);
            let pin = bank.pin(&node, n, &wish).await?;
            let payment = bank.payment(n, &wish, &pin);
            let lost = (round + u64::from(n)).is_multiple_of(3);
            if lost {
                bank.host.silence_next(1);
            }
            let asked = bank.host.asked_in_all().times + 1;
            let answer = node.asking(0, &payment);
            if lost {
                lose_the_answer(bank, asked).await?;
            }
            match code(&answer.await?).as_str() {
                "00" => approved[at] += amount,
                "91" => given_up += 1,
                other => return Err(format!("told {other}")),
            }
            until("the host's link is up", async || node.running.host.is_up()).await?;
        }
    }
    undone(bank).await?;
    same([bank.spent(CARD), bank.spent(OTHER_CARD)], approved, "what the host booked, and what was told")?;
    let host = bank.host.asked_in_all();
    same((host.debits, host.credits), (16, given_up), "debits and credits")?;
    let mut journal = (0, 0, 0);
    for n in [CARD, OTHER_CARD] {
        for entry in bank.story(n).await {
            match entry.as_str() {
                "HostAnswered" => journal.0 += 1,
                "GaveUp" => journal.1 += 1,
                "Undone" => journal.2 += 1,
                _ => {}
            }
        }
    }
    same(journal.0, 16 - given_up, "answers in the journal")?;
    same(journal.1, given_up, "reversals in the journal")?;
    same(journal.2 >= given_up, true, "acknowledgements in the journal")
}

async fn faulty(scenario: impl AsyncFn(&Bank, Node, &FaultyStore) -> Told) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let build = Build { on_silence: OnSilence::Reverse, ..Build::over(store.clone()) };
    let told = tried(build, async |bank, node| scenario(bank, node, &store).await);
    assert_eq!(told.await, Ok(()));
}

#[tokio::test]
async fn an_approval_that_cannot_be_kept_is_91_and_undone() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(19_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        // The spend is kept, the host's answer is not.
        store.next_commits([None, Some(Failing::Unavailable)]);
        same(bank.pay(&node, CARD, &wish, &pin).await?, "91".into(), "the switch is told")?;
        undone(bank).await?;
        let host = bank.host.asked_in_all();
        same((host.debits, host.credits, bank.spent(CARD)), (1, 1, 0), "at the host")
    })
    .await;
}

#[tokio::test]
async fn a_reversal_that_cannot_be_kept_is_never_a_91() {
    faulty(async |bank, node, store| {
        let wish = Wish::purchase(20_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        let payment = bank.payment(CARD, &wish, &pin);
        bank.host.hold();
        drop(node.asking(0, &payment));
        bank.host_was_asked(1).await?;
        store.poison(Table::Card, &bank.card(CARD).0);
        bank.host.release();
        node.was_silent(1).await?;
        store.heal();
        // The switch, having heard nothing, repeats or reverses.
        same(code(&node.ask(&reversal(&payment)).await?), "00".into(), "its reversal")?;
        same(bank.spent(CARD), 0, "left with the host")
    })
    .await;
}

#[tokio::test]
async fn a_reversal_of_unknown_outcome_goes_out_once_committed() {
    for failing in [Failing::UnknownWritten, Failing::UnknownNotWritten] {
        faulty(async |bank, node, store| {
            let wish = Wish::purchase(21_000);
            let pin = bank.pin(&node, CARD, &wish).await?;
            bank.settled().await?;
            let payment = bank.payment(CARD, &wish, &pin);
            bank.host.silence_next(1);
            let answer = node.asking(0, &payment);
            bank.host_was_asked(1).await?;
            store.next_commits([Some(failing)]);
            bank.host.drop_connections();
            same(code(&answer.await?), "91".into(), "the switch is told")?;
            undone(bank).await?;
            same((bank.spent(CARD), bank.host.asked_in_all().credits), (0, 1), "left with the host")
        })
        .await;
    }
}

/// The line to the operator is down, and more texts wait for it than the sweeper takes at once.
pub(crate) async fn more_texts_than_a_page(bank: &Bank, node: &Node) -> Told {
    bank.operator.is_in(Mood::Down);
    same(bank.ask_pin(node, OTHER_CARD, &Wish::purchase(17_000)).await.status, 202, "a request")?;
    let store = bank.store();
    let due = async || store.outbox_due(bank.now(), 1_000).await.map_err(|fault| fault.to_string());
    until("its text is given back, for others to send", async || {
        due().await.is_ok_and(|rows| rows.len() == 1)
    })
    .await?;
    // As many more of it as are a page.
    let text = due().await?.remove(0);
    let row = store.read(Table::Card, &text.owner).await.unwrap().unwrap();
    let another = |n: u16| OutboxNew {
        id: [&[7; 14][..], &n.to_be_bytes()].concat().try_into().unwrap(),
        body: text.body.clone(),
        expires: text.expires,
        leased_until: text.leased_until,
    };
    let swap = Swap {
        table: Table::Card,
        key: text.owner.clone(),
        expected: Some(row.version),
        body: row.body,
        sealed: Vec::new(),
        head: row.head,
        journal: Vec::new(),
        outbox: (0..300).map(another).collect(),
        due: None,
        forget_after: None,
    };
    same(store.commit(vec![Change::Swap(swap)]).await.unwrap(), vec![Outcome::Won], "more texts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_is_found_behind_more_texts_than_a_page_that_no_node_can_send() {
    let build = Build { on_silence: OnSilence::Reverse, ..Build::over(Arc::new(MemoryStore::shared())) };
    let told = tried(build, async |bank, node| {
        let wish = Wish::purchase(16_000);
        let pin = bank.pin(&node, CARD, &wish).await?;
        bank.settled().await?;
        more_texts_than_a_page(bank, &node).await?;
        bank.advance(20);
        bank.host.silence_next(1);
        let answer = node.asking(0, &bank.payment(CARD, &wish, &pin));
        bank.host_was_asked(1).await?;
        bank.cut_off(&node).await?;
        same(code(&answer.await?), "91".into(), "the switch is told")?;
        bank.way.cut_off(false);
        // The texts' PINs must not run out: what has would be settled, and hide nothing.
        let last = bank.now().plus(std::time::Duration::from_secs(60));
        let polls = std::cell::Cell::new(0u32);
        until("the reversal comes to the host", async || {
            polls.set(polls.get() + 1);
            if polls.get().is_multiple_of(50) && bank.now() < last {
                bank.advance(1);
            }
            bank.host.asked_in_all().credits == 1
        })
        .await
    });
    assert_eq!(told.await, Ok(()));
}
