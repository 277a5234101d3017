//! The page itself: one document, its styles and modules, and headers that let nothing else in.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use ramz_domain::{Language, PaymentId, PaymentKind, digits};
use serde::Deserialize;

use crate::{
    about::About,
    gateway::Gateway,
    labels::{self, Labels},
    payment::Payment,
    problem::No,
    proof,
    token::Browser,
    words::{rial_words, toman_words},
};

/// Nothing from elsewhere, nothing inline. Who may show the page in a frame is added: nobody, if nobody is configured.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors ";

#[derive(Deserialize)]
pub(crate) struct Asked {
    lang: Option<String>,
}

#[derive(Template)]
#[template(path = "pay.html")]
struct Pay<'a> {
    lang: &'static str,
    dir: &'static str,
    other_lang: &'static str,
    t: &'static Labels,
    id: PaymentId,
    about: &'a Shown<'a>,
    token: String,
    bits: u32,
    merchant: &'a str,
    order: &'a str,
    description: &'a str,
    host: &'a str,
    amount: String,
    amount_plain: u64,
    words: String,
    toman: String,
    seen: String,
    /// Within which the merchant verifies, or the amount goes back.
    verify_minutes: u64,
}

/// What the slip says of the kind.
struct Shown<'a> {
    kind: &'static str,
    eyebrow: &'static str,
    heading: String,
    /// A masked number reads from left to right.
    heading_is_number: bool,
    asks_destination: bool,
    has_amount: bool,
    /// The destination, bill id or telephone, masked; and whose it is.
    payee: &'a str,
    whose: &'static str,
    facts: Vec<Fact<'a>>,
    pay: &'static str,
}

struct Fact<'a> {
    name: &'static str,
    value: std::borrow::Cow<'a, str>,
    is_number: bool,
}

impl<'a> Shown<'a> {
    fn of(about: &'a About, merchant: &'a str, language: Language) -> Shown<'a> {
        let t = labels::of(language);
        let payee = about.payee.as_deref().unwrap_or_default();
        let shown = Shown {
            kind: about.kind.code(),
            eyebrow: t.pay_to,
            heading: merchant.to_owned(),
            heading_is_number: false,
            asks_destination: about.asks_destination(),
            has_amount: true,
            payee,
            whose: "",
            facts: vec![Fact { name: t.through, value: merchant.into(), is_number: false }],
            pay: t.pay,
        };
        match about.kind {
            PaymentKind::Purchase => Shown { facts: Vec::new(), ..shown },
            PaymentKind::Transfer => Shown {
                eyebrow: t.transfer_to,
                heading: masked(payee, language),
                heading_is_number: true,
                pay: t.transfer,
                ..shown
            },
            PaymentKind::Bill => {
                let service = about.service().map_or(t.bill, |service| service.text(language));
                let number = Fact { name: t.bill_id, value: masked(payee, language).into(), is_number: true };
                let facts = std::iter::once(number).chain(shown.facts).collect();
                Shown { eyebrow: t.pay_bill, heading: service.to_owned(), whose: service, facts, ..shown }
            }
            PaymentKind::TopUp => {
                let operator = about.operator.map_or("", |operator| operator.text(language));
                let number =
                    Fact { name: t.credit_for, value: masked(payee, language).into(), is_number: true };
                let facts = std::iter::once(number).chain(shown.facts).collect();
                Shown { eyebrow: t.buy_credit, heading: operator.to_owned(), whose: operator, facts, ..shown }
            }
            PaymentKind::Balance => Shown {
                eyebrow: t.ask_balance,
                has_amount: false,
                facts: Vec::new(),
                pay: t.show_balance,
                ..shown
            },
        }
    }
}

#[derive(Template)]
#[template(path = "missing.html")]
struct Missing {
    lang: &'static str,
    dir: &'static str,
    t: &'static Labels,
    title: &'static str,
    text: &'static str,
}

/// `GET /pay/{payment}` → the page.
pub(crate) async fn page(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let language = asked.lang.as_deref().and_then(Language::parse).unwrap_or_default();
    match gateway.read(&id).await {
        Ok((id, payment)) => match gateway.render(id, &payment, language, &headers) {
            Ok(response) => response,
            Err(error) => gateway.fault(&error).into_response(),
        },
        Err(no) => gateway.instead(no, language),
    }
}

impl Gateway {
    fn render(
        &self,
        id: PaymentId,
        payment: &Payment,
        language: Language,
        headers: &HeaderMap,
    ) -> Result<Response, askama::Error> {
        let merchant = match self.merchant_of(payment) {
            Ok(merchant) => merchant,
            Err(no) => return Ok(self.instead(no, language)),
        };
        let (lang, dir) = direction(language);
        let known = Browser::of(headers);
        let fresh = known.is_none();
        let browser = known.unwrap_or_else(|| Browser::fresh(&*self.entropy));
        let commas = payment.amount.with_commas();
        let about = payment.about();
        let name = if language == Language::Persian { &merchant.name_fa } else { &merchant.name_en };
        let about = Shown::of(&about, name, language);
        let page = Pay {
            lang,
            dir,
            other_lang: if language == Language::Persian { "en" } else { "fa" },
            t: labels::of(language),
            id,
            token: browser.token(payment),
            bits: proof::BITS,
            about: &about,
            merchant: name,
            order: &payment.order,
            description: &payment.description,
            host: &self.config.public_url,
            amount: if language == Language::Persian {
                digits::persian(&commas).replace(',', "٬")
            } else {
                commas
            },
            amount_plain: payment.amount.get(),
            words: rial_words(payment.amount, language),
            toman: toman_words(payment.amount, language),
            seen: serde_json::to_string(&self.seen(id, payment)).unwrap_or_default(),
            verify_minutes: self.config.verify_within_s.div_ceil(60),
        };
        let mut response = self.dressed(Html(page.render()?).into_response());
        let secure = self.config.public_url.starts_with("https:");
        if fresh && let Ok(cookie) = HeaderValue::from_str(&browser.cookie(id, secure)) {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(response)
    }

    /// A page for a person, where a program would get a problem: there is no such payment, or it cannot be read now.
    fn instead(&self, no: No, language: Language) -> Response {
        let (t, (lang, dir)) = (labels::of(language), direction(language));
        let (title, text) =
            if no.is_missing() { (t.missing, t.missing_text) } else { (t.trouble, t.trouble_text) };
        let html = match (Missing { lang, dir, t, title, text }).render() {
            Ok(html) => html,
            Err(error) => return self.fault(&error).into_response(),
        };
        let told = no.into_response();
        let mut response = (told.status(), Html(html)).into_response();
        if let Some(seconds) = told.headers().get(header::RETRY_AFTER) {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.clone());
        }
        self.dressed(response)
    }

    /// The headers of every document.
    fn dressed(&self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
            (
                HeaderName::from_static("permissions-policy"),
                "camera=(), microphone=(), geolocation=(), payment=(), otp-credentials=(self)",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let frames = &self.config.frame_ancestors;
        let ancestors = if frames.is_empty() { "'none'".to_owned() } else { frames.join(" ") };
        if frames.is_empty() {
            // For browsers that do not know frame-ancestors; it cannot name a single origin.
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        let policy = HeaderValue::from_str(&format!("{POLICY}{ancestors}"));
        let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    }
}

/// A masked number in the page's figures: `603799 •••••• 0012`.
fn masked(number: &str, language: Language) -> String {
    let dots = format!(" {} ", "•".repeat(number.matches('*').count()));
    let (head, tail) =
        (number.split('*').next().unwrap_or_default(), number.rsplit('*').next().unwrap_or_default());
    if !number.contains('*') {
        return number.to_owned();
    }
    let shown = format!("{head}{dots}{tail}");
    if language == Language::Persian { digits::persian(&shown) } else { shown }
}

fn direction(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::Persian => ("fa", "rtl"),
        Language::English => ("en", "ltr"),
    }
}
