//! What a person sees of the lab: portal, shop and handsets, and `lab.json` for programs.

use std::sync::Arc;
use std::time::Duration;

use ramz_api::client::Http;
use ramz_api::serve::serve;
use ramz_domain::{Bill, Clock as _, Service};
use ramz_sim::handsets::{self, Handsets};
use ramz_sim::portal::{self, PortalState};
use ramz_sim::shop::{self, Names, PageOpens, ShopConfig};
use ramz_sim::terminal::{self, Terminals};
use ramz_sim::trace::Trace;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::bank::{AllCards, Bank};
use super::certificates::ASKER;
use super::folder::Folder;
use super::pinned::{ACQUIRER, MERCHANT, MERCHANT_EN, MERCHANT_FA, ORIGIN, Ports, TERMINAL};
use crate::roles::Surroundings;
use crate::system::clock::LabClock;
use crate::system::tcp::{TcpConnector, TcpDoor};

impl portal::LabClock for LabClock {
    fn advance(&self, by: Duration) {
        LabClock::advance(self, by);
    }
}

/// Starts shop, portal and the terminals, which are returned: their links may not be up yet.
#[expect(clippy::too_many_arguments, reason = "everything the lab has comes together here, once")]
pub(crate) async fn start(
    folder: &Folder,
    ports: &Ports,
    banks: &[Bank],
    measured_cards: usize,
    handsets: &Arc<Handsets>,
    trace: Arc<Trace>,
    clock: Arc<LabClock>,
    around: &Surroundings,
    shutdown: &CancellationToken,
) -> anyhow::Result<Arc<Terminals>> {
    let at = |port: u16| format!("http://localhost:{port}");
    let (portal_url, shop_url, gateway_url) = (at(ports.portal()), at(ports.shop()), at(ports.gateway()));
    let door =
        |port: u16| async move { anyhow::Ok(Arc::new(TcpDoor::bind(&format!("127.0.0.1:{port}")).await?)) };
    let http = Http::new(Arc::new(TcpConnector), &gateway_url, Duration::from_secs(20))?;
    let config = ShopConfig {
        gateway_url,
        api_key: folder.secret("api-key")?,
        public_url: shop_url.clone(),
        names: Names { persian: MERCHANT_FA.into(), english: MERCHANT_EN.into() },
        frame_ancestors: vec![portal_url],
        page_opens: PageOpens::InPlace,
        tap: Arc::clone(&around.tap),
    };
    let shop = shop::router(config, http, Arc::clone(&around.entropy), Arc::clone(&around.clock));
    let entropy = || Arc::clone(&around.entropy);
    tokio::spawn(serve(door(ports.shop()).await?, shop, entropy(), shutdown.child_token()));

    let lab_json = lab_json(folder, ports, banks, measured_cards)?;
    std::fs::write(folder.file("lab.json"), serde_json::to_string_pretty(&lab_json)?)?;
    let cards = AllCards(banks.iter().map(Bank::watched).collect());
    let operators = banks.iter().map(|bank| Arc::clone(&bank.smsc)).collect();
    tracing::debug!(now = %clock.now().rfc3339(), "the lab's clock");
    let state =
        PortalState { lab_json, trace: Arc::clone(&trace), clock, cards: Some(Arc::new(cards)), shop_url };
    let terminals = super::terminals::start(folder, around, shutdown)?;
    let portal = portal::router(state)
        .merge(handsets::router(Arc::clone(handsets), operators))
        .merge(terminal::router(Arc::clone(&terminals)));
    tokio::spawn(serve(door(ports.portal()).await?, portal, entropy(), shutdown.child_token()));
    // Open event streams would hold the drain up.
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        trace.end_streams();
    });
    Ok(terminals)
}

fn bills() -> Vec<Value> {
    let read = |(id, payment): &(&str, &str)| Bill::parse(id, payment).ok();
    let json = |bill: Bill| {
        json!({
            "service": bill.service().map(Service::code),
            "bill": bill.expose(),
            "payment": bill.payment_id(),
            "amount": bill.amount().get(),
        })
    };
    shop::SAMPLE_BILLS.iter().filter_map(read).map(json).collect()
}

fn lab_json(folder: &Folder, ports: &Ports, banks: &[Bank], measured_cards: usize) -> anyhow::Result<Value> {
    let portal = format!("http://localhost:{}", ports.portal());
    let each: anyhow::Result<Vec<Value>> = banks.iter().map(|bank| bank.json(ports, folder)).collect();
    Ok(json!({
        "version": 1,
        "portal": portal,
        "handsets": format!("{portal}/handsets"),
        "terminals": {
            "atm": format!("{portal}/atm"),
            "cashless": format!("{portal}/cashless-terminal"),
            "pos": format!("{portal}/pos"),
            "services": format!("{portal}/terminal/services"),
            "payments": format!("{portal}/terminal/payments"),
        },
        "gateway": {
            "url": format!("http://localhost:{}", ports.gateway()),
            "merchant": MERCHANT,
            "api_key": folder.secret("api-key")?.as_str(),
        },
        "router": {
            "url": format!("https://localhost:{}", ports.router()),
            "directory": format!("http://localhost:{}", ports.directory()),
        },
        "tls": {
            "ca": folder.file("ca.pem"),
            "cert": folder.file(&format!("{ASKER}.pem")),
            "key": folder.file(&format!("{ASKER}.key")),
        },
        "asker": {
            "acquirer": ACQUIRER,
            "merchant": MERCHANT,
            "terminal": TERMINAL,
            "merchant_name": MERCHANT_FA,
            "origin": ORIGIN,
        },
        // Made-up subscribers, for programs that pay a bill.
        "bills": bills(),
        "banks": each?,
        // How many more the first bank has, for `ramz load`.
        "measured_cards": measured_cards,
        "cards": banks.iter().flat_map(Bank::cards_json).collect::<Vec<Value>>(),
    }))
}
