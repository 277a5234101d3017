//! The back office's client: what `ramz cards` and the lab speak to an issuer with.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::body::Bytes;
use axum::http::{Method, Request, Response, StatusCode, header};
use ramz_api::back_office::{CARDS, CardBody, CardView, FIND};
use ramz_api::client::Http;
use ramz_api::problem::{Kind, Problem};
use ramz_domain::{CardId, Pan};
use serde::de::DeserializeOwned;

use crate::config::OperatorConfig;
use crate::system::tls::{MutualTls, Tls};

const TIMEOUT: Duration = Duration::from_secs(10);

/// A back office over mutual TLS.
pub(crate) struct BackOffice(Http);

#[derive(serde::Deserialize)]
struct Id {
    card: String,
}

/// What became of a card that was to be added.
pub(crate) enum Adding {
    Added,
    Existing,
    /// No, and why: the card's fault.
    Refused(Problem),
    /// The back office is away or overloaded. It may be there in a moment.
    NotNow(anyhow::Error),
}

impl BackOffice {
    /// Reads certificate and key; connects at the first call.
    pub(crate) fn new(config: &OperatorConfig) -> anyhow::Result<BackOffice> {
        let connector = Arc::new(MutualTls::over(&Tls::load(&config.tls)?));
        Ok(BackOffice(Http::new(connector, &config.url, TIMEOUT)?))
    }

    /// Adds a card.
    pub(crate) async fn add(&self, card: &CardBody) -> anyhow::Result<CardId> {
        let Id { card } = read(self.call(Method::POST, CARDS, card.to_json().to_vec()).await?)?;
        id(&card)
    }

    /// Adds one of many cards: what is an answer is told apart from what stops everything.
    pub(crate) async fn try_add(&self, card: &CardBody) -> anyhow::Result<Adding> {
        let answer = match self.call(Method::POST, CARDS, card.to_json().to_vec()).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Adding::NotNow(error)),
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(Adding::Added);
        }
        match Problem::read(status, answer.body()) {
            Some(problem) if problem.kind == Kind::AlreadyExists => Ok(Adding::Existing),
            Some(problem) if matches!(problem.kind, Kind::Malformed | Kind::UnknownIssuer) => {
                Ok(Adding::Refused(problem))
            }
            _ => {
                let error = read::<Id>(answer).err().context("no error")?;
                let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                if later { Ok(Adding::NotNow(error)) } else { Err(error) }
            }
        }
    }

    /// Finds a card by its number.
    pub(crate) async fn find(&self, pan: &Pan) -> anyhow::Result<Option<CardId>> {
        let body = CardBody { pan: Some(pan.clone()), ..CardBody::default() };
        let answer = self.call(Method::POST, FIND, body.to_json().to_vec()).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        let Id { card } = read(answer)?;
        id(&card).map(Some)
    }

    /// Shows a card.
    pub(crate) async fn show(&self, card: CardId) -> anyhow::Result<CardView> {
        read(self.call(Method::GET, &format!("{CARDS}/{card}"), Vec::new()).await?)
    }

    /// Locks a card's dynamic PIN.
    pub(crate) async fn lock(&self, card: CardId) -> anyhow::Result<CardView> {
        read(self.call(Method::POST, &format!("{CARDS}/{card}/lock"), Vec::new()).await?)
    }

    /// Unlocks it.
    pub(crate) async fn unlock(&self, card: CardId) -> anyhow::Result<CardView> {
        read(self.call(Method::POST, &format!("{CARDS}/{card}/unlock"), Vec::new()).await?)
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Response<Bytes>> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body))?;
        self.0
            .send(request)
            .await
            .context("the back office cannot be reached: is the issuer running, is the URL right?")
    }
}

fn id(text: &str) -> anyhow::Result<CardId> {
    CardId::parse(text).context("the issuer's answer has no card id")
}

/// A good answer's body, or the problem in words.
fn read<T: DeserializeOwned>(answer: Response<Bytes>) -> anyhow::Result<T> {
    let status = answer.status();
    if status.is_success() {
        return serde_json::from_slice(answer.body()).context("the issuer's answer is not what was expected");
    }
    let Some(problem) = Problem::read(status, answer.body()) else { bail!("the issuer answered {status}") };
    let mut words = format!("{}. {}", problem.kind.title(), problem.detail);
    for error in &problem.errors {
        words.push_str(&format!("\n  {}: {}", error.pointer, error.detail));
    }
    bail!(words)
}
