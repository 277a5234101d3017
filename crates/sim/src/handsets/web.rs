//! The phones over HTTP, for the lab's page and for outside programs.
//!
//! | | |
//! |---|---|
//! | `GET /handsets` | `[{"phone","messages","newest"}]`: the phones that received something, how many are kept, and `{"id","received_at"}` of the newest |
//! | `GET /handsets/{phone}/messages` | what a phone received, oldest first; empty for one that received nothing |
//! | `POST /handsets/{phone}/messages` | `{"to","text"}`: the phone texts a short code; 202 once it is on its way |

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use ramz_api::{
    problem::{FieldError, Kind, Problem},
    serve::JsonBody,
};
use ramz_domain::Phone;
use ramz_sms::port::SmsText;
use serde::{Deserialize, Serialize};

use super::{Handsets, Message, time::rfc3339};
use crate::smsc::{Smsc, TextError};

#[derive(Clone)]
struct Lab {
    handsets: Arc<Handsets>,
    operators: Arc<[Arc<Smsc>]>,
}

/// The routes. A text from a phone goes to the first of the operators' SMSCs that knows its short code.
pub fn router(handsets: Arc<Handsets>, operators: Vec<Arc<Smsc>>) -> Router {
    Router::new()
        .route("/handsets", get(phones))
        .route("/handsets/{phone}/messages", get(messages).post(text))
        .with_state(Lab { handsets, operators: operators.into() })
}

#[derive(Serialize)]
struct PhoneRow {
    phone: String,
    messages: usize,
    newest: Option<Newest>,
}

/// As [`Message`] has them. Ids begin anew with each process: only both together tell two messages apart.
#[derive(Serialize)]
struct Newest {
    id: String,
    received_at: String,
}

async fn phones(State(lab): State<Lab>) -> Json<Vec<PhoneRow>> {
    let rows = lab.handsets.phones().into_iter().map(|(phone, messages)| {
        let newest = lab
            .handsets
            .newest(&phone)
            .map(|(id, at)| Newest { id: id.to_string(), received_at: rfc3339(at) });
        PhoneRow { phone, messages, newest }
    });
    Json(rows.collect())
}

async fn messages(State(lab): State<Lab>, Path(phone): Path<String>) -> Result<Json<Vec<Message>>, Problem> {
    Ok(Json(lab.handsets.messages(&read_phone(&phone)?)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextBody {
    to: String,
    text: String,
}

async fn text(
    State(lab): State<Lab>,
    Path(phone): Path<String>,
    body: JsonBody,
) -> Result<StatusCode, Problem> {
    let phone = read_phone(&phone)?;
    let Ok(TextBody { to, text }) = serde_json::from_slice(&body.0) else {
        return Err(malformed("", "Send {\"to\": short code, \"text\": words}."));
    };
    let text = SmsText::new(text);
    for operator in lab.operators.iter() {
        match operator.text(&phone, &to, &text) {
            Ok(()) => return Ok(StatusCode::ACCEPTED),
            Err(TextError::NoSuchShortCode) => {}
            Err(TextError::NotBound) => {
                return Err(Problem {
                    detail: "The bank of this short code is not bound to its operator. Try again later."
                        .into(),
                    ..Problem::issuer_unavailable(1)
                });
            }
            Err(TextError::TooLong) => return Err(malformed("/text", "Send a shorter text.")),
        }
    }
    Err(Problem::new(Kind::NotFound, "No bank has this short code; lab.json lists them."))
}

fn read_phone(text: &str) -> Result<Phone, Problem> {
    let detail = "Write the phone as 09121234567 or 989121234567.";
    Phone::parse(text).map_err(|_| Problem::new(Kind::Malformed, detail))
}

fn malformed(pointer: &str, detail: &str) -> Problem {
    Problem::malformed(vec![FieldError::new(pointer, detail)])
}
