//! The page as a document: its headers, its escaping, and that only it may call.

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use ramz_store::faults::FaultyStore;
use ramz_store::{MemoryStore, Store};
use serde_json::{Value, json};

use crate::rig::{PAN, call, card, order, rig, rig_on};

#[tokio::test]
async fn the_page_lets_nothing_in_and_is_not_kept() {
    let rig = rig().await;
    let mut wanted = order();
    wanted["description"] = json!("\"><script>alert(1)</script>");
    let opened = rig.shop(Method::POST, "/v1/payments", &wanted).await;
    let id = opened.json["payment"].as_str().unwrap();
    assert_eq!(opened.json["page"], format!("http://localhost:8702/pay/{id}"));
    let page = rig.call(Method::GET, &format!("/pay/{id}"), &[], &Value::Null).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'")
            && !policy.contains("unsafe")
    );
    for (header, value) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.headers[header], value);
    }
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(
        cookie.contains("SameSite=Strict")
            && cookie.contains("HttpOnly")
            && cookie.contains(&format!("Path=/pay/{id}"))
    );
    assert!(!page.text.contains("<script>") && page.text.contains("&#60;script&#62;"), "escaped");
    assert!(!page.text.contains("style=\"") && !page.text.contains("onclick"));
    assert!(page.text.contains("<html lang=\"fa\" dir=\"rtl\">"));
    assert!(page.text.contains("۱٬۲۵۰٬۰۰۰") && page.text.contains("یک میلیون و دویست و پنجاه هزار ریال"));
    let english = rig.call(Method::GET, &format!("/pay/{id}?lang=en"), &[], &Value::Null).await.text;
    assert!(english.contains("<html lang=\"en\" dir=\"ltr\">") && english.contains("1,250,000"));
    for name in [
        "pan",
        "expiry-month",
        "expiry-year",
        "cvv2",
        "pin",
        "request-pin",
        "pay",
        "result",
        "countdown",
        "bank-name",
        "amount-words",
        "lang",
    ] {
        assert_eq!(english.matches(&format!(" id=\"{name}\"")).count(), 1, "{name}");
    }
}

#[tokio::test]
async fn all_that_the_page_names_is_served() {
    let rig = rig().await;
    let id = rig.payment().await;
    let page = rig.call(Method::GET, &format!("/pay/{id}"), &[], &Value::Null).await.text;
    let mut named: Vec<String> =
        page.split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned).collect();
    for at in 0.. {
        let Some(path) = named.get(at).cloned() else { break };
        let asset = rig.call(Method::GET, &path, &[], &Value::Null).await;
        assert_eq!(asset.status, StatusCode::OK, "{path}");
        let imports = asset
            .text
            .split('"')
            .filter_map(|text| text.strip_prefix("./"))
            .filter(|text| text.ends_with(".js"));
        let linked = asset.text.split('"').filter(|text| text.starts_with("/assets/")).map(str::to_owned);
        for next in imports.map(|file| format!("/assets/{file}")).chain(linked) {
            if !named.contains(&next) {
                named.push(next);
            }
        }
    }
    assert!(named.len() > 12, "{named:?}");
    let banks = crate::rig::until("banks", async || {
        rig.call(Method::GET, "/pay/banks.json", &[], &Value::Null).await.json[0]["id"] == "mellat"
    });
    banks.await;
    assert_eq!(
        rig.call(Method::GET, "/assets/../Cargo.toml", &[], &Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn only_the_page_itself_may_call() {
    let rig = rig().await;
    let browser = rig.browse(&rig.payment().await).await;
    let other = rig.browse(&rig.payment().await).await;
    let (cookie, token) = (browser.cookie.as_str(), browser.token.as_str());
    for headers in [
        vec![],
        vec![("cookie", cookie)],
        vec![("ramz-page", token)],
        vec![("cookie", other.cookie.as_str()), ("ramz-page", token)],
        vec![("cookie", cookie), ("ramz-page", other.token.as_str())],
    ] {
        for action in ["authorise", "cancel", "pin", "state"] {
            let method = if action == "state" { Method::GET } else { Method::POST };
            let no =
                call(rig.address, method, &format!("/pay/{}/{action}", browser.id), &headers, &card(PAN))
                    .await;
            assert_eq!(
                (no.status, no.problem()),
                (StatusCode::FORBIDDEN, "stale-page"),
                "{action} {headers:?}"
            );
        }
    }
    assert!(rig.bank.seen("0200").is_empty());
}

#[tokio::test]
async fn an_unknown_payment_is_a_page_too() {
    let rig = rig().await;
    for id in ["0123456789abcdef0123456789abcdef", "x"] {
        let page = rig.call(Method::GET, &format!("/pay/{id}"), &[], &Value::Null).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(page.text.contains("چنین پرداختی نیست"));
    }
}

#[tokio::test]
async fn while_payments_cannot_be_read_there_is_a_page_that_says_so() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let rig = rig_on(Arc::clone(&store) as Arc<dyn Store>).await;
    let path = format!("/pay/{}", rig.payment().await);
    store.fail_reads(true);
    for (query, words) in [("", "درگاه اکنون پاسخ نمی‌دهد"), ("?lang=en", "Load this page again in a moment")]
    {
        let page = rig.call(Method::GET, &format!("{path}{query}"), &[], &Value::Null).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
        assert_eq!(page.headers["retry-after"], "1");
        assert!(
            page.headers.contains_key("content-security-policy") && page.text.contains(words),
            "{}",
            page.text
        );
    }
    store.fail_reads(false);
    assert_eq!(rig.call(Method::GET, &path, &[], &Value::Null).await.status, StatusCode::OK);
}
