//! Which bank a card is of: the router's directory, fetched at the start and from time to time, for the page to show.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use axum::http::{Request, StatusCode};
use bytes::Bytes;
use ramz_api::{
    client::Http,
    directory::{self, Banks},
};
use serde::Serialize;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often it is read anew.
const REFRESH: Duration = Duration::from_secs(15 * 60);
/// How soon after a failure.
const RETRY: Duration = Duration::from_secs(2);

/// What the page needs of the directory, as JSON.
#[derive(Clone)]
pub(crate) struct Directory {
    json: Arc<RwLock<Bytes>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    fa: &'a str,
    en: &'a str,
    iins: &'a [String],
    available: bool,
}

impl Directory {
    pub(crate) fn new() -> Directory {
        Directory { json: Arc::new(RwLock::new(Bytes::from_static(b"[]"))) }
    }

    /// A list of banks: `[{ id, fa, en, iins, available }]`; empty until the router has answered.
    pub(crate) fn json(&self) -> Bytes {
        self.json.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, banks: &Banks) {
        let shown: Vec<_> = banks
            .banks
            .iter()
            .map(|bank| Shown {
                id: &bank.id,
                fa: &bank.name_fa,
                en: &bank.name_en,
                iins: &bank.iins,
                available: bank.available,
            })
            .collect();
        let json = serde_json::to_vec(&shown).unwrap_or_else(|_| b"[]".to_vec());
        *self.json.write().unwrap_or_else(PoisonError::into_inner) = json.into();
    }

    /// Keeps the directory fresh until the shutdown.
    pub(crate) async fn follow(self, http: Http, shutdown: CancellationToken) {
        loop {
            let pause = match fetch(&http).await {
                Ok(banks) => {
                    self.put(&banks);
                    REFRESH
                }
                Err(why) => {
                    tracing::warn!(why, "the router's directory of banks cannot be read; trying again");
                    RETRY
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }
}

async fn fetch(http: &Http) -> Result<Banks, String> {
    let request = Request::get(directory::PATH).body(Bytes::new()).map_err(|error| error.to_string())?;
    let answer = http.send(request).await.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("status {}", answer.status()));
    }
    serde_json::from_slice(answer.body()).map_err(|error| error.to_string())
}
