//! The gateway's own ways to say no over HTTP (RFC 9457), beside those that all services share.
//!
//! A problem never repeats a value that was sent. What is not here: the bank's refusals (`refusals`), which are
//! results of a payment and no errors of a request.

use std::fmt::Display;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use ramz_api::problem::{FieldError, MEDIA_TYPE, Problem, incident};
use ramz_domain::Entropy;
use serde::Serialize;

use crate::payment::Standing;

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident $slug:literal $status:literal $title:literal $detail:literal,)*) => {
        /// The types that only a gateway answers. Slugs and numbers never change.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            #[cfg(test)]
            const ALL: &'static [Kind] = &[$(Kind::$name),*];

            #[cfg(test)]
            pub(crate) fn has(slug: &str) -> bool {
                Kind::ALL.iter().any(|kind| kind.row().0 == slug)
            }

            const fn row(self) -> (&'static str, u16, &'static str, &'static str) {
                match self { $(Kind::$name => ($slug, $status, $title, $detail),)* }
            }
        }
    };
}

problems! {
    /// No API key, or none of ours.
    WrongKey "wrong-key" 401 "The API key is not known"
        "Send the header Authorization: Bearer with the merchant's API key.",
    /// The page's token does not fit the cookie.
    StalePage "stale-page" 403 "The page is out of date"
        "Load the page again.",
    /// No such payment, or another merchant's.
    NoSuchPayment "no-such-payment" 404 "There is no such payment"
        "Check the payment's id.",
    /// A payment in another state.
    WrongState "wrong-state" 409 "The payment is not in a state for this"
        "Read the payment; the member state says how it stands.",
    /// Verifying with an amount that was not paid.
    AmountMismatch "amount-mismatch" 409 "Another amount was paid"
        "Compare the order with the payment; do not deliver. An unverified payment is reversed by itself.",
    /// Another authorisation of the payment is in flight.
    InProgress "in-progress" 409 "The payment is being authorised"
        "Wait for the result; nothing is charged twice.",
    /// The same card, again, too soon.
    AskAgainLater "ask-again-later" 429 "A dynamic PIN was asked for already"
        "Wait for the seconds in Retry-After; another card may ask at once.",
    /// The page's five requests are used up.
    NoMoreAsks "no-more-asks" 429 "This page has asked for its last dynamic PIN"
        "Start the payment anew at the shop.",
    /// The bot check is missing, wrong or used.
    ProofNeeded "proof-needed" 403 "The bot check did not pass"
        "Solve the challenge in this answer and send it again.",
    /// The router or the bank cannot be reached.
    BankUnavailable "bank-unavailable" 503 "The card's bank cannot be reached"
        "Try again in a moment, or use another card.",
    /// The gateway's own store does not answer.
    StoreUnavailable "store-unavailable" 503 "Payments cannot be read or changed now"
        "Try again after the seconds in Retry-After. It may have been done: read the payment before you repeat a change.",
    /// No link leads to the card's bank.
    UnknownIssuer "unknown-issuer" 404 "This card's bank is not known here"
        "Use a card of another bank.",
}

/// An answer that says no.
#[derive(Debug)]
pub(crate) struct No {
    body: Box<Body>,
}

#[derive(Debug)]
enum Body {
    Shared(Problem),
    Own { kind: Kind, retry_after_s: Option<u64>, state: Option<&'static str>, challenge: Option<String> },
}

#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    challenge: Option<&'a str>,
}

impl No {
    pub(crate) fn new(kind: Kind) -> No {
        No::own(kind, None, None, None)
    }

    /// With the seconds after which it may be tried again.
    pub(crate) fn later(kind: Kind, retry_after_s: u64) -> No {
        No::own(kind, Some(retry_after_s.max(1)), None, None)
    }

    /// The payment stands otherwise, in the page's words.
    pub(crate) fn standing(standing: Standing) -> No {
        No::standing_as(standing, standing.code())
    }

    /// The same in the merchant's words.
    pub(crate) fn merchant_standing(standing: Standing) -> No {
        No::standing_as(standing, standing.merchant())
    }

    fn standing_as(standing: Standing, word: &'static str) -> No {
        let in_progress = standing == Standing::Authorising;
        let kind = if in_progress { Kind::InProgress } else { Kind::WrongState };
        No::own(kind, None, Some(word), None)
    }

    /// The bot check failed; here is a new challenge.
    pub(crate) fn proof(challenge: String) -> No {
        No::own(Kind::ProofNeeded, None, None, Some(challenge))
    }

    /// Members of the body are wrong: pointer and what to write.
    pub(crate) fn malformed(errors: &[(&str, &str)]) -> No {
        Problem::malformed(errors.iter().map(|(at, what)| FieldError::new(*at, *what)).collect()).into()
    }

    /// Our fault: the cause goes to the log under the incident, nothing of it into the answer.
    pub(crate) fn fault(entropy: &dyn Entropy, cause: &dyn Display) -> No {
        let incident = incident(entropy);
        tracing::error!(%incident, %cause, "the gateway failed");
        Problem::fault(incident).into()
    }

    /// Its kind, for the log.
    pub(crate) fn slug(&self) -> &'static str {
        match &*self.body {
            Body::Shared(problem) => problem.kind.slug(),
            Body::Own { kind, .. } => kind.row().0,
        }
    }

    /// Whether there is no such payment.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(&*self.body, Body::Own { kind: Kind::NoSuchPayment, .. })
    }

    fn own(
        kind: Kind,
        retry_after_s: Option<u64>,
        state: Option<&'static str>,
        challenge: Option<String>,
    ) -> No {
        No { body: Box::new(Body::Own { kind, retry_after_s, state, challenge }) }
    }
}

impl From<Problem> for No {
    fn from(problem: Problem) -> No {
        No { body: Box::new(Body::Shared(problem)) }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let (kind, retry_after_s, state, challenge) = match *self.body {
            Body::Shared(problem) => return problem.into_response(),
            Body::Own { kind, retry_after_s, state, challenge } => (kind, retry_after_s, state, challenge),
        };
        let (slug, status, title, detail) = kind.row();
        let challenge = challenge.as_deref();
        let wire = Wire {
            r#type: format!("/problems/{slug}"),
            title,
            status,
            detail,
            retry_after_s,
            state,
            challenge,
        };
        let body = serde_json::to_vec(&wire).unwrap_or_default();
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if kind == Kind::WrongKey {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_own_slug_an_error_status_and_says_what_to_do() {
        let mut slugs: Vec<_> = Kind::ALL.iter().map(|kind| kind.row().0).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            let (_, status, title, detail) = kind.row();
            assert!((400..600).contains(&status) && !title.is_empty() && detail.ends_with('.'), "{kind:?}");
        }
    }
}
