//! What is over the wire: ports of our own, and whether the neighbours can be reached.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, StatusCode};
use ramz_api::client::Http;
use ramz_api::net::Connector as _;
use ramz_api::openapi;
use ramz_api::pin_request::{self, RAMZ_ASKER};
use ramz_api::problem::Kind;
use ramz_api::tap::NoTap;
use ramz_domain::limits;
use ramz_link::{Link, LinkConfig, Names, Shape};
use ramz_sms::smpp::{LinkState, SmppSender, Surroundings};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::Findings;
use crate::config::IssuerConfig;
use crate::system::SystemEntropy;
use crate::system::clock::SystemClock;
use crate::system::files::read_secret;
use crate::system::tcp::{TcpConnector, TcpDoor, Unbound};
use crate::system::tls::{MutualTls, Tls};

/// A neighbour that takes longer is as good as away.
const REACH_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks whether a bind has come up.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Whether the role's doors can be opened. An empty address is no door.
pub(super) async fn ports(role: &str, addresses: &[&str], findings: &mut Findings) {
    for address in addresses.iter().filter(|address| !address.is_empty()) {
        let what = format!("{role} port {address}");
        match TcpDoor::bind(address).await {
            Ok(_) => findings.good(what, "is free"),
            Err(error) => shut(what, &error, async || reach(address).await.is_ok(), findings).await,
        }
    }
}

/// A door that cannot be opened, and whether somebody answers there.
async fn shut(what: String, error: &Unbound, answers: impl AsyncFnOnce() -> bool, findings: &mut Findings) {
    // Whoever answers at another machine's address is no role of this one.
    if error.is_elsewhere() {
        findings.bad(what, error.to_string(), "choose an address of this machine");
    } else if answers().await {
        let todo = "well, if that is this role, running; otherwise stop the other";
        findings.warn(what, "is in use", todo);
    } else {
        findings.bad(what, error.to_string(), "choose an address of this machine, and a free port");
    }
}

/// Whether a neighbour without TLS is there.
pub(super) async fn plain(role: &str, name: &str, address: &str, findings: &mut Findings) {
    let what = format!("{role} → {name}");
    match reach(address).await {
        Ok(()) => findings.good(what, format!("{address} is reached")),
        Err(why) => findings.bad(
            what,
            format!("{address}: {why}"),
            "is it running, is the address right, is a firewall between?",
        ),
    }
}

/// What a neighbour with TLS is asked, so that it looks at our name and does nothing.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// Of whoever takes requests for PINs, a router or a bank: a request without a key. A door looks at the name first and then misses the
    /// key, before there is a card; it counts as one of our requests.
    Pin,
    /// Of a back office: what it can do. It tells nobody whom it does not know.
    Resources,
}

impl Asked {
    fn request(self) -> Result<Request<Bytes>, axum::http::Error> {
        match self {
            Asked::Pin => {
                let request = Request::post(pin_request::PATH).header(CONTENT_TYPE, "application/json");
                // A router asks in somebody's name: here in one of which nobody else's requests are counted.
                request.header(RAMZ_ASKER, "doctor").body(Bytes::new())
            }
            Asked::Resources => Request::get(openapi::PATH).body(Bytes::new()),
        }
    }

    /// Whether this is the answer to who is known.
    fn is_known(self, answer: &Response<Bytes>) -> bool {
        let told = || serde_json::from_slice::<serde_json::Value>(answer.body()).ok();
        let kind = || Kind::from_uri(told()?["type"].as_str()?);
        match self {
            Asked::Pin => matches!(kind(), Some(Kind::KeyMissing | Kind::TooManyRequests)),
            Asked::Resources => answer.status() == StatusCode::OK,
        }
    }
}

/// Whether a neighbour takes our certificate, shows one that we take, and knows our name.
pub(super) async fn secured(
    role: &str,
    name: &str,
    url: &str,
    ask: Asked,
    tls: Option<&Arc<Tls>>,
    findings: &mut Findings,
) {
    let what = format!("{role} → {name}");
    let Some(tls) = tls else {
        findings.bad(what, format!("{url}: not tried without a certificate"), "mend the certificate first");
        return;
    };
    // One request, for in TLS 1.3 a client learns only with the first answer whether its certificate was taken.
    let http = match Http::new(Arc::new(MutualTls::over(tls)), url, REACH_WITHIN) {
        Ok(http) => http,
        Err(error) => return findings.bad(what, error.to_string(), "mend the URL"),
    };
    let Ok(request) = ask.request() else { return };
    match http.send(request).await {
        Ok(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
            let todo = "have the name in our certificate registered there";
            findings.bad(what, format!("{url} is reached, over TLS, and does not know our name"), todo);
        }
        Ok(answer) if ask.is_known(&answer) => {
            findings.good(what, format!("{url} is reached, over TLS, and knows our name"));
        }
        Ok(answer) => {
            let found = format!("{url} is reached, over TLS, and answers {}", answer.status().as_u16());
            let todo = "is this the address of the role that is meant, and of its right door? If it is, its log says what it lacks";
            findings.bad(what, found, todo);
        }
        Err(error) => {
            let todo = "is it running? If TLS failed: has each side the other's authority, is the name in its certificate?";
            findings.bad(what, format!("{url} {error}"), todo);
        }
    }
}

async fn reach(address: &str) -> Result<(), String> {
    let (host, port) = address.rsplit_once(':').ok_or("write host:port")?;
    let port = port.parse().map_err(|_| "write host:port")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match timeout(REACH_WITHIN, TcpConnector.connect(host, port)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("does not answer".to_owned()),
    }
}

/// Binds to the SMSC as the role does, and unbinds.
pub(super) async fn bind(config: &IssuerConfig, findings: &mut Findings) {
    let (what, sms) = ("issuer binds to the SMSC", &config.sms);
    let binds = match sms.binds("doctor", |file| read_secret(file)) {
        Ok(binds) => binds,
        Err(error) => return findings.bad(what, format!("{error:#}"), "mend [issuer.sms]"),
    };
    let shutdown = CancellationToken::new();
    let around = Surroundings {
        connector: Arc::new(TcpConnector),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        tap: Arc::new(NoTap),
    };
    let sender = SmppSender::start(binds, &around, shutdown.child_token());
    let is_bound = |(_, state): &(String, LinkState)| matches!(state, LinkState::Bound);
    let deadline = Instant::now() + REACH_WITHIN;
    while !sender.states().iter().all(is_bound) && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
    }
    for (bind, state) in sender.states() {
        match state {
            LinkState::Bound => findings.good(what, bind),
            LinkState::Down(why) => findings.bad(
                what,
                format!("{bind}: {why}"),
                "ask the operator: system id, password, address, number of binds",
            ),
        }
    }
    shutdown.cancel();
}

/// Signs on at the card host as the role does, and goes.
pub(super) async fn sign_on(config: &IssuerConfig, findings: &mut Findings) {
    let (what, host) = ("issuer signs on at the card host", &config.bank.host);
    let shape = match Shape::read(&host.layout, &host.header) {
        Ok(shape) => shape,
        Err(error) => return findings.bad(what, error.to_string(), "mend [issuer.bank.host]"),
    };
    let link = LinkConfig {
        name: "doctor → card host".into(),
        address: host.address.clone(),
        layout: shape.layout,
        header: shape.header,
        sign_on: host.sign_on,
        echo_every: limits::LINK_ECHO_EVERY,
        answer_timeout: REACH_WITHIN,
    };
    let (shutdown, names) =
        (CancellationToken::new(), Names { ours: "doctor".into(), theirs: "card host".into() });
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let link =
        Link::start(link, Arc::new(TcpConnector), clock, entropy, Arc::new(NoTap), names, shutdown.clone());
    match timeout(REACH_WITHIN, link.came_up()).await {
        Ok(()) => findings.good(what, format!("{} answers", host.address)),
        Err(_) => {
            let todo = "do both sides use the same layout and header, does it want a sign-on?";
            findings.bad(what, format!("{} does not answer", host.address), todo);
        }
    }
    shutdown.cancel();
    let _ = timeout(REACH_WITHIN, link.closed()).await;
}

#[cfg(test)]
mod tests {
    use ramz_api::net::Door as _;

    use super::super::Verdict;
    use super::*;

    #[tokio::test]
    async fn who_answers_at_an_address_elsewhere_is_not_this_role() {
        let mine = TcpDoor::bind("127.0.0.1:0").await.unwrap();
        let taken = mine.address().to_string();
        for (address, answers, verdict) in [
            ("192.0.2.1:1", true, Verdict::Bad),
            ("192.0.2.1:1", false, Verdict::Bad),
            (taken.as_str(), true, Verdict::Warning),
            (taken.as_str(), false, Verdict::Bad),
        ] {
            let (error, mut findings) = (TcpDoor::bind(address).await.err().unwrap(), Findings::default());
            shut("port".into(), &error, async || answers, &mut findings).await;
            assert_eq!(findings.0[0].verdict, verdict, "{address}, {answers}: {findings:?}");
        }
    }
}
