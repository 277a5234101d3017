//! The merchant API refuses what it should, and says where.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::rig::{API_KEY, OTHER_KEY, order, rig};

#[tokio::test]
async fn without_the_right_key_there_is_nothing() {
    let rig = rig().await;
    let id = rig.payment().await;
    let wrong = ["", "Bearer", "Bearer x", &format!("Basic {API_KEY}"), &format!("Bearer {API_KEY}x")];
    for key in wrong {
        for (method, path) in [
            (Method::POST, "/v1/payments".to_owned()),
            (Method::GET, format!("/v1/payments/{id}")),
            (Method::POST, format!("/v1/payments/{id}/verify")),
        ] {
            let no = rig.call(method, &path, &[("authorization", key)], &order()).await;
            assert_eq!((no.status, no.problem()), (StatusCode::UNAUTHORIZED, "wrong-key"), "{key:?}");
            assert_eq!(no.headers["www-authenticate"], "Bearer");
        }
    }
}

#[tokio::test]
async fn a_payment_of_another_merchant_is_not_there() {
    let rig = rig().await;
    let id = rig.payment().await;
    let other = [("authorization", format!("Bearer {OTHER_KEY}"))];
    let other = other.each_ref().map(|(name, value)| (*name, value.as_str()));
    let no = rig.call(Method::GET, &format!("/v1/payments/{id}"), &other, &Value::Null).await;
    assert_eq!((no.status, no.problem()), (StatusCode::NOT_FOUND, "no-such-payment"));
    let verify = format!("/v1/payments/{id}/verify");
    assert_eq!(
        rig.call(Method::POST, &verify, &other, &json!({ "amount": 1 })).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_wrong_order_is_refused_by_its_member() {
    let rig = rig().await;
    for (member, value, place) in [
        ("amount", json!(0), "/amount"),
        ("amount", json!(1_000_000_000_000_u64), "/amount"),
        ("kind", json!("gift"), "/kind"),
        ("order", json!(""), "/order"),
        ("order", json!("a\u{202e}b"), "/order"),
        ("description", json!("x".repeat(201)), "/description"),
        ("callback", json!("https://evil.example/back"), "/callback"),
        ("callback", json!("https://shop.example.evil.example/"), "/callback"),
        ("callback", json!("javascript:alert(1)"), "/callback"),
        ("amount", json!("5"), ""),
        ("amount", json!(-5), ""),
        ("colour", json!("red"), ""),
    ] {
        let mut wrong = order();
        wrong[member] = value;
        let no = rig.shop(Method::POST, "/v1/payments", &wrong).await;
        assert_eq!(no.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(no.json["errors"][0]["pointer"], place, "{wrong}");
    }
}
