//! Requests: signed, numbered, sent once. A write's number is taken and kept before it is sent, so that no answer's loss makes
//! two writes with one number.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Method, Request, Response, header};
use ramz_api::app::{PROOF, TIME, TimeView, ToSign, authorization};
use ramz_api::client::CallError;
use ramz_api::problem::Problem;
use ramz_domain::Moment;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::{Phone, PhoneError};

/// An answer that took longer by the phone's clock was slept over, or the clock was set meanwhile.
const MEASURED_WITHIN: Duration = Duration::from_secs(20);

impl Phone {
    /// Asks for the bank's time and keeps how far it is from the phone's.
    ///
    /// # Errors
    /// No answer, or none that fits.
    pub async fn sync_time(&mut self) -> Result<(), PhoneError> {
        // Once more where the first answer tells nothing.
        for _ in 0..2 {
            let asked = self.clock.now();
            let answer = self.ask(bare(Method::GET, TIME), Zeroizing::default()).await?;
            let TimeView { now_ms } = read(&answer, "the question for its time")?;
            if self.learn_time(asked, now_ms) {
                return self.kept();
            }
        }
        Err(CallError::TimedOut.into())
    }

    /// Sends a signed request as the app would, with any body: for tests of what the app would not send. The answer is good.
    ///
    /// # Errors
    /// [`PhoneError::Problem`] if the bank says no; [`PhoneError::Call`] if it does not answer.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Response<Bytes>, PhoneError> {
        let device = self.state.activated()?.device;
        let counter = if method == Method::GET { None } else { Some(self.state.next_counter()) };
        if counter.is_some() {
            self.kept()?;
        }
        let url = format!("{}{path}", self.state.url());
        let to_sign = ToSign {
            method: method.as_str(),
            url: &url,
            device,
            body: &body,
            counter,
            now: self.bank_time(),
        };
        let proof = self.state.signer()?.sign(&to_sign, self.entropy.as_ref());
        let request =
            bare(method, path).header(header::AUTHORIZATION, authorization(device)).header(PROOF, proof);
        self.ask(request, body).await
    }

    /// Sends a request as it is.
    pub(super) async fn ask(
        &self,
        request: axum::http::request::Builder,
        body: Zeroizing<Vec<u8>>,
    ) -> Result<Response<Bytes>, PhoneError> {
        let request =
            if body.is_empty() { request } else { request.header(header::CONTENT_TYPE, "application/json") };
        // The copy that is sent is wiped, too.
        let request = request.body(Bytes::from_owner(body));
        let request = request.map_err(|error| CallError::Unreachable(error.to_string()))?;
        let answer = self.way.ask(request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        match Problem::read(answer.status(), answer.body()) {
            Some(problem) => Err(problem.into()),
            None => Err(CallError::Unexpected(answer.status()).into()),
        }
    }

    /// The bank's clock showed `bank_ms` at some time between `asked` and now: in the middle, as far as anybody knows. Says whether that
    /// tells the time: after forty minutes of sleep it would be off by twenty, and so would be every code.
    pub(super) fn learn_time(&mut self, asked: Moment, bank_ms: u64) -> bool {
        let now = self.clock.now();
        if now < asked || now.since(asked) > MEASURED_WITHIN {
            return false;
        }
        self.state.learn_time(asked.plus(now.since(asked) / 2), bank_ms);
        true
    }
}

fn bare(method: Method, path: &str) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(path)
        .header(header::ACCEPT, "application/json, application/problem+json")
}

/// A request without a proof.
pub(super) fn unsigned(path: &str) -> axum::http::request::Builder {
    bare(Method::POST, path)
}

/// The JSON of an answer.
pub(super) fn read<T: DeserializeOwned>(
    answer: &Response<Bytes>,
    what: &'static str,
) -> Result<T, PhoneError> {
    serde_json::from_slice(answer.body()).map_err(|_| PhoneError::Answer(what))
}
