//! Is the 202 the same? How long a PIN request's answer takes for known, unknown, locked, phoneless and limited cards, as a
//! table: calm, under contention without an operator, and near overload.
//!
//!     cargo run --release -p ramz-issuer --example same_202 [requests of each class] [seed]
//!
//! The measurement is the one of the test `same_202`, with more requests. `superiority` is the probability that an answer
//! takes longer than one for a known card, with its standard error, and how many of these it is away from one half.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement stops where it cannot go on, and prints"
)]

#[path = "../tests/issuer/bank.rs"]
#[expect(dead_code, unused_imports, unused_macros, reason = "a part of the surroundings is used")]
mod bank;
#[path = "../tests/issuer/doubles.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod doubles;
#[path = "../tests/issuer/durable.rs"]
mod durable;
#[path = "../tests/same_202/held.rs"]
mod held;
#[path = "../tests/same_202/leaky.rs"]
mod leaky;
#[path = "../tests/same_202/line.rs"]
mod line;
#[path = "../tests/same_202/measure.rs"]
mod measure;
#[path = "../tests/issuer/messages.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod messages;
#[path = "../tests/same_202/rank.rs"]
mod rank;
#[path = "../../store/tests/postgres/server.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod server;
#[path = "../tests/issuer/settings.rs"]
mod settings;
#[path = "../tests/issuer/wire.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod wire;
#[path = "../tests/issuer/wires.rs"]
#[expect(dead_code, reason = "a part of the surroundings is used")]
mod wires;

use measure::{Condition, Plan, measure};

/// As in the test: beyond this many standard errors it is not chance.
const SIGMA: f64 = 5.0;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let number = |at: usize, or: u32| std::env::args().nth(at).map_or(or, |text| text.parse().unwrap());
    let (per_class, seed) = (number(1, 2_000), u64::from(number(2, 1)));
    let calm = Plan { condition: Condition::Calm, per_class, askers: 1, load: 0, leaky: false, seed };
    for plan in [
        calm,
        Plan { condition: Condition::Contention, askers: 8, load: 16, ..calm },
        Plan { condition: Condition::Overload, askers: 32, load: 64, ..calm },
        Plan { leaky: true, ..calm },
    ] {
        if plan.leaky {
            println!(
                "Through a door that does the card's work before it answers, to show what would be found:"
            );
        }
        let measured = measure(plan).await.unwrap();
        print!("{}", measured.table());
        match measured.same_within(SIGMA) {
            Ok(()) => println!("  no class can be told from a known card\n"),
            Err(why) => println!("  NOT THE SAME: {why}\n"),
        }
    }
}
