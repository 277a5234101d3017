//! What a customer sees: the window, the receipt, and what went wrong and what to do about it.

use std::{borrow::Borrow, sync::Arc};

use askama::Template;
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use ramz_domain::{Bill, Language, Rial, digits};
use serde::Deserialize;

use super::{
    PageOpens, Shop,
    basket::{self, Basket},
    goods::{GOODS, Good, shown},
    merchant,
    orders::{Order, Settled},
    services::{CREDITS, OPERATORS, SAMPLES, Typed},
};

const LANGUAGE_COOKIE: &str = "ramz_shop_lang";

/// The language asked for now, or before; Persian if never.
pub(super) fn language(headers: &HeaderMap, asked: Option<&str>) -> Language {
    asked.or_else(|| basket::cookie(headers, LANGUAGE_COOKIE)).and_then(Language::parse).unwrap_or_default()
}

/// What every page shows around its content.
struct Frame<'a> {
    shop: &'a str,
    language: Language,
    /// The path of this page.
    at: &'static str,
}

impl Frame<'_> {
    fn is_at(&self, path: &str) -> bool {
        self.at == path
    }

    fn code(&self) -> &'static str {
        self.language.code()
    }

    fn direction(&self) -> &'static str {
        self.pick("rtl", "ltr")
    }

    fn pick<'t>(&self, persian: &'t str, english: &'t str) -> &'t str {
        match self.language {
            Language::Persian => persian,
            Language::English => english,
        }
    }

    fn name(&self, good: &Good) -> &'static str {
        good.name(self.language)
    }

    fn detail(&self, good: &Good) -> &'static str {
        good.detail(self.language)
    }

    /// Templates hand fields over by reference and results by value.
    fn amount(&self, rial: impl Borrow<u64>) -> String {
        Rial::new(*rial.borrow()).map(|rial| shown(rial, self.language)).unwrap_or_default()
    }

    fn number(&self, text: &str) -> String {
        match self.language {
            Language::Persian => digits::persian(text),
            Language::English => text.to_owned(),
        }
    }
}

#[derive(Template)]
#[template(path = "shop/home.html")]
struct Home<'a> {
    frame: Frame<'a>,
    goods: &'static [Good],
    basket: &'a Basket,
    opens: PageOpens,
}

impl Home<'_> {
    fn held(&self, good: &Good) -> u64 {
        self.basket.0.iter().find(|(held, _)| held.id == good.id).map_or(0, |(_, quantity)| *quantity)
    }

    /// Where the forms that lead to the payment page open.
    fn target(&self) -> &'static str {
        self.opens.target()
    }

    fn count(&self) -> String {
        self.frame.number(&self.basket.0.iter().map(|(_, quantity)| quantity).sum::<u64>().to_string())
    }
}

#[derive(Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

/// `GET /?lang=fa|en`
pub(super) async fn home(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = asked.ok().and_then(|Query(Asked { lang })| lang);
    let language = language(&headers, asked.as_deref());
    let basket = Basket::of(&headers);
    let frame = Frame { shop: shop.names.of(language), language, at: "/" };
    let mut response =
        page(StatusCode::OK, &Home { frame, goods: &GOODS, basket: &basket, opens: shop.page_opens });
    let kept = basket::set_cookie(LANGUAGE_COOKIE, language.code());
    response.headers_mut().append(header::SET_COOKIE, kept);
    response
}

impl PageOpens {
    fn target(self) -> &'static str {
        match self {
            PageOpens::InPlace => "_self",
            PageOpens::InNewTab => "ramz-payment",
        }
    }
}

/// Which form of the services is to be mended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wrong {
    Amount,
    Bill,
    Phone,
}

struct SampleBill {
    name: &'static str,
    id: &'static str,
    payment: &'static str,
    amount: u64,
}

#[derive(Template)]
#[template(path = "shop/services.html")]
struct Services<'a> {
    frame: Frame<'a>,
    opens: PageOpens,
    typed: &'a Typed,
    wrong: Option<Wrong>,
    operators: &'static [(&'static str, [&'static str; 2])],
    credits: &'static [u64],
    bills: Vec<SampleBill>,
}

impl Services<'_> {
    fn target(&self) -> &'static str {
        self.opens.target()
    }

    fn is_wrong(&self, form: &str) -> bool {
        let wrong = self.wrong.map(|wrong| match wrong {
            Wrong::Amount => "transfer",
            Wrong::Bill => "bill",
            Wrong::Phone => "top_up",
        });
        wrong == Some(form)
    }

    /// What was typed into a field whose name two forms have.
    fn typed_for<'t>(&self, form: &str, typed: &'t str) -> &'t str {
        if self.is_wrong(form) { typed } else { "" }
    }

    fn is_operator(&self, code: &str) -> bool {
        self.typed.operator == code
    }

    fn is_credit(&self, credit: &u64) -> bool {
        self.is_wrong("top_up") && self.typed.amount == credit.to_string()
    }

    fn operator(&self, code: &str) -> &'static str {
        let found = OPERATORS.iter().find(|(known, _)| *known == code);
        found.map_or("", |(_, names)| names[self.frame.language as usize])
    }
}

/// `GET /services?lang=fa|en`
pub(super) async fn services(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let asked = asked.ok().and_then(|Query(Asked { lang })| lang);
    let language = language(&headers, asked.as_deref());
    let mut response = services_with(&shop, language, &Typed::default(), None);
    let kept = basket::set_cookie(LANGUAGE_COOKIE, language.code());
    response.headers_mut().append(header::SET_COOKIE, kept);
    response
}

/// The services, with what was typed and what is wrong with it.
pub(super) fn services_with(
    shop: &Shop,
    language: Language,
    typed: &Typed,
    wrong: Option<Wrong>,
) -> Response {
    let bill = |(id, payment): &(&'static str, &'static str)| {
        let bill = Bill::parse(id, payment).ok()?;
        let name = bill.service()?.text(language);
        Some(SampleBill { name, id, payment, amount: bill.amount().get() })
    };
    let template = Services {
        frame: Frame { shop: shop.names.of(language), language, at: "/services" },
        opens: shop.page_opens,
        typed,
        wrong,
        operators: &OPERATORS,
        credits: &CREDITS,
        bills: SAMPLES.iter().filter_map(bill).collect(),
    };
    page(if wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }, &template)
}

/// Any other path.
pub(super) async fn nothing_here(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Response {
    notice(&shop, language(&headers, None), Notice::NothingHere)
}

#[derive(Template)]
#[template(path = "shop/receipt.html")]
struct Receipt<'a> {
    frame: Frame<'a>,
    order: &'a Order,
    rrn: &'a str,
    time: String,
}

impl Receipt<'_> {
    fn is_of_goods(&self) -> bool {
        self.order.kind == "purchase"
    }

    /// What was paid for: what the customer reads first and second, and where they go on.
    fn said(&self) -> (&'static str, &'static str, &'static str) {
        let [persian, english] = match self.order.kind {
            "transfer" => [
                ("انتقال انجام شد", "پول به کارت مقصد رفت.", "/services"),
                ("Transferred", "The money is on its way to the card.", "/services"),
            ],
            "bill" => [
                ("قبض پرداخت شد", "رسید این پرداخت را نگه دارید.", "/services"),
                ("Bill paid", "Keep the receipt of this payment.", "/services"),
            ],
            "top_up" => [
                ("شارژ خریده شد", "خط شما شارژ شد.", "/services"),
                ("Credit bought", "The line is charged.", "/services"),
            ],
            "balance" => [
                ("مانده گرفته شد", "مانده را صفحه‌ی پرداخت به شما نشان داد؛ ما آن را نمی‌بینیم.", "/services"),
                ("Balance told", "The payment page showed it to you; we do not see it.", "/services"),
            ],
            _ => [
                ("پرداخت شد", "سپاس! سفارش شما ثبت شد.", "/"),
                ("Paid", "Thank you! Your order is placed.", "/"),
            ],
        };
        if self.frame.language == Language::Persian { persian } else { english }
    }
}

/// The order is paid. If it came from the basket, that is emptied; one paid for something else is still wanted.
pub(super) fn receipt(
    shop: &Shop,
    language: Language,
    order: &Order,
    settled: &Settled,
    empties_basket: bool,
) -> Response {
    let frame = Frame { shop: shop.names.of(language), language, at: "" };
    let time = frame.number(&settled.at.tehran_hms());
    let rrn = settled.rrn.as_deref().unwrap_or_default();
    let mut response = page(StatusCode::OK, &Receipt { frame, order, rrn, time });
    if empties_basket {
        response.headers_mut().append(header::SET_COOKIE, Basket::default().set_cookie());
    }
    response
}

/// Why there is no receipt.
pub(super) enum Notice<'a> {
    Malformed,
    EmptyBasket,
    NothingHere,
    NoSuchOrder,
    NotPaid { state: merchant::State, order: &'a Order },
    OtherThanOrdered { order: &'a Order },
    GatewayAway { retry: &'a str },
}

/// A title and what to do, in Persian and in English.
type Said = [[&'static str; 2]; 2];

impl Notice<'_> {
    fn status(&self) -> StatusCode {
        match self {
            Notice::Malformed | Notice::EmptyBasket => StatusCode::BAD_REQUEST,
            Notice::NothingHere | Notice::NoSuchOrder => StatusCode::NOT_FOUND,
            Notice::NotPaid { .. } => StatusCode::OK,
            Notice::OtherThanOrdered { .. } => StatusCode::CONFLICT,
            Notice::GatewayAway { .. } => StatusCode::BAD_GATEWAY,
        }
    }

    fn said(&self) -> Said {
        match self {
            Notice::Malformed => [
                [
                    "این سفارش خوانا نبود",
                    "به فروشگاه برگردید و دوباره انتخاب کنید؛ از هر کالا تا ۹ عدد، و مبلغ به ریال.",
                ],
                [
                    "This order could not be read",
                    "Go back and choose again: up to nine of each, amounts in whole rials.",
                ],
            ],
            Notice::EmptyBasket => [
                ["سبد شما خالی است", "یک کالا بردارید، سپس پرداخت کنید."],
                ["Your basket is empty", "Take something first, then pay."],
            ],
            Notice::NothingHere => [
                ["این‌جا چیزی نیست", "از ویترین فروشگاه شروع کنید."],
                ["There is nothing here", "Start from the shop's window."],
            ],
            Notice::NoSuchOrder => [
                [
                    "چنین پرداختی را نمی‌شناسیم",
                    "این نشانی به هیچ سفارشی از این فروشگاه نمی‌خورد. اگر مبلغی از حساب شما رفته باشد، تا ۲۰ دقیقه برمی‌گردد.",
                ],
                [
                    "We do not know this payment",
                    "This address belongs to no order of this shop. If money left your account, it comes back within 20 minutes.",
                ],
            ],
            Notice::NotPaid { state: merchant::State::Created, .. } => [
                [
                    "هنوز پرداخت نشده است",
                    "شاید پرداخت هنوز در جریان باشد. آن را در صفحه‌ی پرداخت تمام کنید، یا کمی بعد همین صفحه را دوباره باز کنید.",
                ],
                [
                    "Not paid yet",
                    "The payment may still be under way. Finish it on the payment page, or look here again in a while.",
                ],
            ],
            Notice::NotPaid { state: merchant::State::Expired, .. } => [
                ["مهلت پرداخت گذشت", "چیزی از حساب شما کم نشده است. می‌توانید دوباره سفارش دهید."],
                ["The time to pay ran out", "Nothing was taken from your account. You can order again."],
            ],
            Notice::NotPaid { state: merchant::State::Reversed, .. } => [
                // Also while the bank has not yet acknowledged it.
                [
                    "پرداخت کامل نشد",
                    "اگر مبلغی از حساب شما برداشته شده باشد، در حال برگشت است. موجودی خود را ببینید.",
                ],
                [
                    "The payment was not completed",
                    "If money was taken from your account, it is being returned. Look at your balance.",
                ],
            ],
            Notice::NotPaid { .. } => [
                ["پرداخت نشد", "چیزی از حساب شما کم نشده است. می‌توانید دوباره تلاش کنید."],
                ["Not paid", "Nothing was taken from your account. You can try again."],
            ],
            Notice::OtherThanOrdered { .. } => [
                [
                    "این پرداخت با سفارش نمی‌خواند",
                    "مبلغ یا سفارش آن دیگر است، یا دیر رسیده است؛ پس تسویه نشد و پول برمی‌گردد.",
                ],
                [
                    "This payment is not what was ordered",
                    "Its amount or order is another, or it came too late: it was not settled, and the money goes back.",
                ],
            ],
            Notice::GatewayAway { .. } => [
                ["درگاه پرداخت پاسخ نمی‌دهد", "چند لحظه‌ی دیگر دوباره بکوشید. سفارش شما دو بار پرداخت نمی‌شود."],
                [
                    "The payment gateway does not answer",
                    "Try again in a moment. Your order is never paid twice.",
                ],
            ],
        }
    }
}

#[derive(Template)]
#[template(path = "shop/notice.html")]
struct NoticePage<'a> {
    frame: Frame<'a>,
    title: &'a str,
    what_to_do: &'a str,
    tone: &'a str,
    order: Option<&'a Order>,
    retry: Option<&'a str>,
}

/// A page that says what happened and what to do.
pub(super) fn notice(shop: &Shop, language: Language, notice: Notice<'_>) -> Response {
    let [title, what_to_do] = notice.said()[language as usize];
    let (order, retry) = match &notice {
        Notice::NotPaid { order, .. } | Notice::OtherThanOrdered { order } => (Some(*order), None),
        Notice::GatewayAway { retry } => (None, Some(*retry)),
        _ => (None, None),
    };
    let tone = match &notice {
        Notice::NotPaid { .. } | Notice::OtherThanOrdered { .. } => "bad",
        _ => "wait",
    };
    let frame = Frame { shop: shop.names.of(language), language, at: "" };
    page(notice.status(), &NoticePage { frame, title, what_to_do, tone, order, retry })
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => {
            let fresh = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (status, fresh, Html(html)).into_response()
        }
        // Rendering into a string fails only if a value's own writer does, and these are texts and numbers.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
