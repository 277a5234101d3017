//! The orders this shop sent to payment: what each costs, and how it ended.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ramz_domain::{Moment, Rial};

/// Orders remembered; the oldest goes first.
pub(super) const ORDERS_MAX: usize = 512;

/// One order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Order {
    /// The gateway's name for its payment.
    pub(super) payment: String,
    /// Ours.
    pub(super) number: String,
    /// The gateway's word for what it is: `purchase`, `transfer`, …
    pub(super) kind: &'static str,
    /// What it costs.
    pub(super) amount: Rial,
    /// Whether it is what the basket held.
    pub(super) from_basket: bool,
    /// Set once it is settled.
    pub(super) settled: Option<Settled>,
}

/// A payment that arrived.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Settled {
    /// The retrieval reference number, if the gateway told one.
    pub(super) rrn: Option<String>,
    /// When this shop settled it.
    pub(super) at: Moment,
}

/// The last orders, by payment.
#[derive(Default)]
pub(super) struct Orders(Mutex<VecDeque<Order>>);

impl Orders {
    /// Remembers an order.
    pub(super) fn keep(&self, order: Order) {
        let mut orders = self.lock();
        if orders.len() == ORDERS_MAX {
            orders.pop_front();
        }
        orders.push_back(order);
    }

    /// The order this payment is for.
    pub(super) fn of(&self, payment: &str) -> Option<Order> {
        self.lock().iter().find(|order| order.payment == payment).cloned()
    }

    /// Notes that it is paid; the first note stays.
    pub(super) fn settle(&self, payment: &str, settled: Settled) {
        if let Some(order) = self.lock().iter_mut().find(|order| order.payment == payment) {
            order.settled.get_or_insert(settled);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_order_goes_first() {
        let orders = Orders::default();
        for i in 0..=ORDERS_MAX {
            let order = Order {
                payment: i.to_string(),
                number: String::new(),
                kind: "purchase",
                amount: Rial::ZERO,
                from_basket: false,
                settled: None,
            };
            orders.keep(order);
        }
        assert!(orders.of("0").is_none());
        assert!(orders.of("1").is_some() && orders.of(&ORDERS_MAX.to_string()).is_some());
    }
}
