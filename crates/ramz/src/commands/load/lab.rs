//! A running lab as the target: everything is read from its `lab.json`.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use axum::http::Request;
use ramz_api::client::{Http, PinRequests};
use ramz_link::Shape;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::TIMEOUT;
use super::pair::{Payee, Target, switch};
use super::phones::Phones;
use crate::system::tcp::TcpConnector;
use crate::system::tls::{MutualTls, Tls, TlsConfig};

/// The first bank of the lab behind this portal, which must have so many cards.
pub(super) async fn target(
    portal: &str,
    cards: usize,
    shutdown: &CancellationToken,
) -> anyhow::Result<Target> {
    let plain = Http::new(Arc::new(TcpConnector), portal, TIMEOUT)?;
    let answer = plain.send(Request::get("/lab.json").body(Bytes::new())?).await;
    let answer = answer.with_context(|| format!("no lab at {portal}: start it with `ramz lab`"))?;
    let lab: Value = serde_json::from_slice(answer.body())?;
    // A card that is not there gets the same 202 as any other, and only its SMS would be waited for in vain.
    if let Some(there) = lab["measured_cards"].as_u64() {
        ensure!(
            cards as u64 <= there,
            "the lab has {there} cards for measuring, and {cards} are to be used: start it with `--measured-cards {cards}`, or say --cards"
        );
    }
    let text = |pointer: &str| -> anyhow::Result<String> {
        let found = lab.pointer(pointer).and_then(Value::as_str);
        found.map(str::to_owned).with_context(|| format!("lab.json has no {pointer}"))
    };
    let tls = TlsConfig {
        ca_file: text("/tls/ca")?.into(),
        cert_file: text("/tls/cert")?.into(),
        key_file: text("/tls/key")?.into(),
    };
    let router = Http::new(Arc::new(MutualTls::over(&Tls::load(&tls)?)), &text("/router/url")?, TIMEOUT)?;
    let shape = Shape::read(&text("/banks/0/iso8583/layout")?, &text("/banks/0/iso8583/header")?)?;
    let link = switch(&text("/banks/0/iso8583/address")?, shape, shutdown).await?;
    let payee = Payee {
        acquirer: text("/asker/acquirer")?,
        merchant: text("/asker/merchant")?,
        terminal: text("/asker/terminal")?,
        name: text("/asker/merchant_name")?,
        origin: text("/asker/origin")?,
    };
    Target::new(PinRequests::new(router), Phones::Portal(plain), link, &text("/banks/0/zone/key")?, payee)
}
