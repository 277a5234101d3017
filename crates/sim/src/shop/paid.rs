//! `GET /paid?payment=…`: the payer is back. What was paid is the gateway's to say, not the address's.

use std::sync::Arc;

use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;

use super::{
    Shop, checkout,
    merchant::{self, MerchantError},
    orders::{Order, Settled},
    pages::{self, Notice},
};

#[derive(Deserialize)]
pub(super) struct Back {
    payment: String,
}

/// Where an order stands after the gateway was asked.
enum Standing {
    Settled(Settled),
    NotPaid(merchant::State),
    /// Paid, but not what was ordered: not settled, so the gateway gives it back.
    OtherThanOrdered,
    /// Not known; the same address may be asked again.
    Unknown,
}

pub(super) async fn paid(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    back: Result<Query<Back>, QueryRejection>,
) -> Response {
    let language = pages::language(&headers, None);
    let payment = back.ok().map(|Query(Back { payment })| payment).filter(|p| checkout::is_payment_id(p));
    let Some(order) = payment.and_then(|payment| shop.orders.of(&payment)) else {
        return pages::notice(&shop, language, Notice::NoSuchOrder);
    };
    match standing(&shop, &order).await {
        Standing::Settled(settled) => {
            // Later, when its receipt is looked at again, the basket is another.
            let empties_basket = order.from_basket && order.settled.is_none();
            pages::receipt(&shop, language, &order, &settled, empties_basket)
        }
        Standing::NotPaid(state) => pages::notice(&shop, language, Notice::NotPaid { state, order: &order }),
        Standing::OtherThanOrdered => {
            pages::notice(&shop, language, Notice::OtherThanOrdered { order: &order })
        }
        Standing::Unknown => {
            let retry = format!("/paid?payment={}", order.payment);
            pages::notice(&shop, language, Notice::GatewayAway { retry: &retry })
        }
    }
}

async fn standing(shop: &Shop, order: &Order) -> Standing {
    if let Some(settled) = &order.settled {
        return Standing::Settled(settled.clone());
    }
    let told = match shop.merchant.read(&order.payment).await {
        Ok(told) => told,
        Err(error) => {
            tracing::warn!(%error, "a payment could not be read");
            return Standing::Unknown;
        }
    };
    if told.order != order.number || told.amount != order.amount.get() {
        tracing::warn!("the gateway tells another order or amount than this payment's");
        return Standing::OtherThanOrdered;
    }
    if told.state != merchant::State::Paid {
        return Standing::NotPaid(told.state);
    }
    match shop.merchant.verify(&order.payment, order.amount).await {
        Ok(()) => {
            let settled = Settled { rrn: told.rrn, at: shop.clock.now() };
            shop.orders.settle(&order.payment, settled.clone());
            Standing::Settled(settled)
        }
        // It found the payment and would not settle it: another amount, or too late.
        Err(MerchantError::Refused(
            status @ (StatusCode::BAD_REQUEST | StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY),
            kind,
        )) => {
            tracing::warn!(%status, kind, "a payment was not settled");
            Standing::OtherThanOrdered
        }
        Err(error) => {
            tracing::warn!(%error, "a payment could not be settled");
            Standing::Unknown
        }
    }
}
