//! Tries at activation codes: whose they are counted as, and how many there are.

use ramz_api::app;
use ramz_issuer::config::LimitsConfig;

use crate::app::{activate, ok, problem};
use crate::bank::{Bank, Build, CARD, Node, same, tried};
use crate::phone::{activation, halves, signer};
use crate::wires::{Reply, http};

/// From this address a wrong try may be made.
const V4: &str = "203.0.113.7";
const V6: &str = "2001:db8::7";

/// A bank behind a proxy, where an IPv6 network has so many tries.
fn behind_a_proxy(activation_address_in_hour: u32) -> Build {
    let limits = LimitsConfig { activation_address_in_hour, ..crate::settings::limits() };
    Build { limits, address_header: "X-Real-IP", ..Build::default() }
}

/// Both halves as they come through the proxy, which says this of where they are from.
async fn from(node: &Node, says: &str, receipt: &str, sms: &str) -> Reply {
    let headers = [("content-type", "application/json"), ("x-real-ip", says)];
    let body = activation(receipt, sms, signer(1).public());
    http(node.running.app.unwrap(), "POST", app::ACTIVATIONS, &headers, &body).await
}

/// Two halves that nobody was given, each time others.
async fn a_wrong_one(node: &Node, says: &str, n: u32) -> Reply {
    from(node, says, &format!("{:08}", 70_000_000 + n), &format!("{:08}", 80_000_000 + n)).await
}

#[tokio::test]
async fn an_address_and_all_of_them_have_so_many_tries() {
    let build = Build {
        limits: LimitsConfig { activation_address_in_hour: 5, ..crate::settings::limits() },
        address_header: "X-Real-IP",
        ..Build::default()
    };
    let told = tried(build, async |_: &Bank, node: Node| {
        for _ in 0..5 {
            same(from(&node, V6, "12345678", "12345678").await.status, 403, "a try")?;
        }
        let refused = from(&node, V6, "12345678", "12345678").await;
        same(problem(&refused), ok(429, "too-many-requests"), "the sixth")?;
        same(refused.head.to_lowercase().contains("retry-after: 720"), true, "and when the next")
    });
    assert_eq!(told.await, Ok(()));
    let limits =
        LimitsConfig { activation_address_in_hour: 1000, activation_per_s: 4, ..crate::settings::limits() };
    let told = tried(Build { limits, ..Build::default() }, async |_: &Bank, node: Node| {
        let mut refused = 0;
        for _ in 0..5 {
            refused += u32::from(activate(&node, "12345678", "12345678", 1).await.status == 429);
        }
        same(refused, 1, "of all addresses together")
    });
    assert_eq!(told.await, Ok(()));
}

/// Behind one address of a carrier phone after phone is activated; and none of them makes room for more wrong tries.
#[tokio::test]
async fn an_activation_that_went_well_takes_no_try() {
    for (address, most) in [(V6, 2), (V4, 20)] {
        let told = tried(behind_a_proxy(2), async |bank: &Bank, node: Node| {
            let (receipt, sms) = halves(bank, &node, CARD).await?;
            for _ in 0..most + 5 {
                same(from(&node, address, &receipt, &sms).await.status, 201, "a right one")?;
            }
            for n in 0..most {
                same(a_wrong_one(&node, address, n).await.status, 403, "a wrong one")?;
            }
            same(from(&node, address, &receipt, &sms).await.status, 429, "any, once they are used up")
        });
        assert_eq!(told.await, Ok(()), "{address}");
    }
}

#[tokio::test]
async fn a_header_that_is_no_address_is_nobody_new() {
    let told = tried(behind_a_proxy(1), async |_: &Bank, node: Node| {
        let mut wrong = 0;
        for n in 0..12 {
            let list = format!("198.51.100.{n}, 203.0.113.7");
            wrong += u32::from(a_wrong_one(&node, &list, n).await.status == 403);
        }
        same(wrong, 10, "whatever the asker wrote before the proxy did")?;
        for n in 0..4 {
            same(a_wrong_one(&node, &format!("198.51.{n}.1"), n).await.status, 403, "an address of its own")?;
        }
        let metrics = http(node.metrics, "GET", "/metrics", &[], "").await.body;
        for line in ["told\"} 4", "missing\"} 0", "unusable\"} 12"] {
            let line = format!("ramz_app_addresses_total{{header=\"{line}");
            same(metrics.contains(&line), true, &line)?;
        }
        Ok(())
    });
    assert_eq!(told.await, Ok(()));
}

/// Each receipt that is guessed at has a row and three tries of its own: what is known to whoever has read the SMS is its own half.
#[tokio::test]
async fn whoever_has_read_one_half_has_ten_guesses_at_the_other() {
    let told = tried(behind_a_proxy(30), async |bank: &Bank, node: Node| {
        let (_, sms) = halves(bank, &node, CARD).await?;
        let mut statuses = Vec::new();
        for n in 0..12 {
            // From everywhere, so that no address is over its own limit.
            let address = format!("2001:db8:{n}::7");
            statuses.push(from(&node, &address, &format!("{:08}", 70_000_000 + n), &sms).await.status);
        }
        same(statuses, [[403; 10].as_slice(), &[429; 2]].concat(), "guesses")?;
        same(a_wrong_one(&node, V6, 1).await.status, 403, "other halves are not held up")?;
        let (receipt, sms) = halves(bank, &node, CARD).await?;
        same(from(&node, V6, &receipt, &sms).await.status, 201, "nor is a new activation of the card")
    });
    assert_eq!(told.await, Ok(()));
}
