//! The back office's client: what `ramz cards` and the lab speak to an issuer with.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use axum::body::Bytes;
use axum::http::{Method, Request, Response, StatusCode, header};
use ramz_api::back_office::{
    CARD, CARDS, CLOSE, CardBody, CardView, DEVICE, FIND, FIRST_PIN_OFF, LOCK, PHONE, PhoneBody, REISSUE,
    Reissue, UNLOCK, of_card,
};
use ramz_api::client::Http;
use ramz_api::problem::{Kind, Problem};
use ramz_domain::{CardId, DeviceId, Pan};
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

/// What became of one of many cards.
pub(crate) enum Sent {
    Added,
    Changed,
    /// It was there, and stays as it is.
    Existing,
    /// No, and why: the card's fault.
    Refused(Problem),
    /// The back office is away or overloaded. It may be there in a moment.
    NotNow(anyhow::Error),
}

/// An answer, told apart from what stops everything.
enum Answer {
    Good(Response<Bytes>),
    No(Problem),
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

    /// Adds one of many cards; one that is there stays as it is.
    pub(crate) async fn try_add(&self, card: &CardBody) -> anyhow::Result<Sent> {
        sent(self.ask(Method::POST, CARDS, &card.to_json()).await?, Sent::Added)
    }

    /// Adds one of many cards, or changes what the row says if it is there.
    pub(crate) async fn try_put(&self, card: &CardBody) -> anyhow::Result<Sent> {
        let find = CardBody { pan: card.pan.clone(), ..CardBody::default() };
        let found = match self.ask(Method::POST, FIND, &find.to_json()).await? {
            Answer::Good(found) => Some(id(&read::<Id>(found)?.card)?),
            Answer::No(problem) if problem.kind == Kind::NotFound => None,
            no => return sent(no, Sent::Changed),
        };
        if let Some(found) = found {
            let change = CardBody { pan: None, ..card.clone() };
            match self.ask(Method::PUT, &of_card(CARD, found), &change.to_json()).await? {
                // Its number has an id and no card: an addition was cut off between the two, and goes on now.
                Answer::No(problem) if problem.kind == Kind::NotFound => {}
                told => return sent(told, Sent::Changed),
            }
        }
        Ok(match self.try_add(card).await? {
            Sent::Existing => Sent::NotNow(anyhow!("somebody else adds the same cards")),
            told => told,
        })
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
        read(self.call(Method::GET, &of_card(CARD, card), Vec::new()).await?)
    }

    /// Changes what the bank knows of a card; the body names no number.
    pub(crate) async fn change(&self, card: CardId, change: &CardBody) -> anyhow::Result<CardView> {
        read(self.call(Method::PUT, &of_card(CARD, card), change.to_json().to_vec()).await?)
    }

    /// Gives a card a new number and expiry.
    pub(crate) async fn reissue(&self, card: CardId, new: &Reissue) -> anyhow::Result<CardView> {
        read(self.call(Method::POST, &of_card(REISSUE, card), new.to_json().to_vec()).await?)
    }

    /// Registers another phone, or none.
    pub(crate) async fn phone(&self, card: CardId, phone: &PhoneBody) -> anyhow::Result<CardView> {
        read(self.call(Method::PUT, &of_card(PHONE, card), phone.to_json().to_vec()).await?)
    }

    /// Locks a card's dynamic PIN.
    pub(crate) async fn lock(&self, card: CardId) -> anyhow::Result<CardView> {
        self.tell(LOCK, card).await
    }

    /// Unlocks it.
    pub(crate) async fn unlock(&self, card: CardId) -> anyhow::Result<CardView> {
        self.tell(UNLOCK, card).await
    }

    /// Ends a card for good.
    pub(crate) async fn close(&self, card: CardId) -> anyhow::Result<CardView> {
        self.tell(CLOSE, card).await
    }

    /// Makes the static first PIN the one that counts.
    pub(crate) async fn first_pin_off(&self, card: CardId) -> anyhow::Result<CardView> {
        self.tell(FIRST_PIN_OFF, card).await
    }

    /// Takes a device away, with all its cards.
    pub(crate) async fn revoke_device(&self, card: CardId, device: DeviceId) -> anyhow::Result<CardView> {
        let path = of_card(DEVICE, card).replacen("{device}", &device.to_string(), 1);
        read(self.call(Method::DELETE, &path, Vec::new()).await?)
    }

    /// What needs no more words than its path.
    async fn tell(&self, path: &str, card: CardId) -> anyhow::Result<CardView> {
        read(self.call(Method::POST, &of_card(path, card), Vec::new()).await?)
    }

    /// Calls for one of many cards: what is the card's fault stops no other.
    async fn ask(&self, method: Method, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        let answer = match self.call(method, path, body.to_vec()).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Answer::NotNow(error)),
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(Answer::Good(answer));
        }
        let of_the_card = [
            Kind::AlreadyExists,
            Kind::CardClosed,
            Kind::Malformed,
            Kind::NotFound,
            Kind::PhoneFull,
            Kind::UnknownIssuer,
        ];
        match Problem::read(status, answer.body()) {
            Some(problem) if of_the_card.contains(&problem.kind) => Ok(Answer::No(problem)),
            _ => {
                let error = read::<Id>(answer).err().context("no error")?;
                let later = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
                if later { Ok(Answer::NotNow(error)) } else { Err(error) }
            }
        }
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
            .context("the back office did not answer. Is the issuer running, is the URL right? If it was reached, what was asked may have been done: `ramz cards show` tells")
    }
}

fn id(text: &str) -> anyhow::Result<CardId> {
    CardId::parse(text).context("the issuer's answer has no card id")
}

/// What became of the card. If it is not found, the door is not: nobody looks for a card here.
fn sent(answer: Answer, good: Sent) -> anyhow::Result<Sent> {
    match answer {
        Answer::Good(_) => Ok(good),
        // With errors, it is not the card but its number that is there: of one that has another by now.
        Answer::No(problem) if problem.kind == Kind::AlreadyExists && problem.errors.is_empty() => {
            Ok(Sent::Existing)
        }
        Answer::No(problem) if problem.kind == Kind::NotFound => bail!(words(&problem)),
        Answer::No(problem) => Ok(Sent::Refused(problem)),
        Answer::NotNow(why) => Ok(Sent::NotNow(why)),
    }
}

/// A good answer's body, or the problem in words.
fn read<T: DeserializeOwned>(answer: Response<Bytes>) -> anyhow::Result<T> {
    let status = answer.status();
    if status.is_success() {
        return serde_json::from_slice(answer.body()).context("the issuer's answer is not what was expected");
    }
    let Some(problem) = Problem::read(status, answer.body()) else { bail!("the issuer answered {status}") };
    bail!(words(&problem))
}

/// A problem, with every error in what was sent.
pub(crate) fn words(problem: &Problem) -> String {
    let mut words = format!("{}. {}", problem.kind.title(), problem.detail);
    for error in &problem.errors {
        words.push_str(&format!("\n  {}: {}", error.pointer, error.detail));
    }
    words
}
