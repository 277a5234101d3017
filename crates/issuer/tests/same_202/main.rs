//! Is the 202 the same? Not its bytes (`every_card_gets_the_same_202`) but its time: whether an asker can tell a known card
//! from an unknown, locked, phoneless or limited one by how long the answer takes.
//!
//! What is asserted is a probability and no duration: that a request of one class takes longer than one of another must be
//! one half, within five standard errors of the rank test at the number of requests. A slow or busy machine is slow for all
//! of them. With 300 requests a class that bound is 0.12: this finds work that is done before the answer, and not the few
//! hundredths that the example `same_202` finds with 2,000 on an idle bank (`docs/performance.md`).

#[cfg(test)]
#[path = "../issuer/bank.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "a part of the surroundings is used")]
mod bank;
#[cfg(test)]
#[path = "../issuer/doubles.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod doubles;
#[cfg(test)]
#[path = "../issuer/durable.rs"]
mod durable;
#[cfg(test)]
mod held;
#[cfg(test)]
mod leaky;
#[cfg(test)]
mod line;
#[cfg(test)]
mod measure;
#[cfg(test)]
#[path = "../issuer/messages.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod messages;
#[cfg(test)]
mod rank;
// Without `cfg(test)`: the file has its own exception from the lints.
#[path = "../../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod server;
#[cfg(test)]
#[path = "../issuer/settings.rs"]
mod settings;
#[cfg(test)]
#[path = "../issuer/wire.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod wire;
#[cfg(test)]
#[path = "../issuer/wires.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod wires;

#[cfg(test)]
mod tests {
    use tokio::sync::Mutex;

    use crate::measure::{Condition, Measured, Plan, measure};

    /// Beyond this many standard errors it is not chance: one run in two million, for one pair.
    const SIGMA: f64 = 5.0;
    const CALM: Plan =
        Plan { condition: Condition::Calm, per_class: 300, askers: 1, load: 0, leaky: false, seed: 1 };

    /// One at a time: they are about time.
    static ALONE: Mutex<()> = Mutex::const_new(());

    async fn measured(plan: Plan) -> Measured {
        let _alone = ALONE.lock().await;
        measure(plan).await.unwrap()
    }

    async fn check(plan: Plan) {
        let measured = measured(plan).await;
        assert_eq!(measured.same_within(SIGMA), Ok(()), "{}", measured.table());
    }

    #[tokio::test]
    async fn a_202_takes_as_long_for_every_card() {
        check(CALM).await;
    }

    #[tokio::test]
    async fn a_202_takes_as_long_for_every_card_under_contention_without_an_operator() {
        check(Plan { condition: Condition::Contention, askers: 4, load: 4, ..CALM }).await;
    }

    #[tokio::test]
    async fn a_202_takes_as_long_for_every_card_near_overload() {
        check(Plan { condition: Condition::Overload, askers: 8, load: 16, ..CALM }).await;
    }

    #[tokio::test]
    async fn a_door_that_does_the_cards_work_before_it_answers_is_caught() {
        let measured = measured(Plan { leaky: true, per_class: 100, ..CALM }).await;
        let told = measured.same_within(SIGMA);
        let caught = told.as_ref().is_err_and(|why| why.contains("Unknown is told from Known"));
        assert!(caught, "{}", measured.table());
    }
}
