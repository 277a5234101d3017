//! The handsets over HTTP.

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use http_body_util::BodyExt as _;
use ramz_sim::handsets;
use ramz_sms::port::Sender as _;
use tower::ServiceExt as _;

use crate::lab::{Lab, PHONE, until};

struct Answer {
    status: StatusCode,
    kind: String,
    body: String,
}

async fn ask(app: &axum::Router, request: Request<Body>) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let kind = response.headers().get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, kind, body: String::from_utf8(body.to_vec()).unwrap() }
}

async fn get(app: &axum::Router, path: &str) -> Answer {
    ask(app, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post(app: &axum::Router, path: &str, body: &str) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    ask(app, request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_phone_is_read_however_its_number_is_written() {
    let (lab, smsc, bank) = Lab::bound().await;
    let app = handsets::router(lab.handsets.clone(), vec![smsc]);
    assert_eq!(get(&app, "/handsets").await.body, "[]");
    bank.send("رمز:0472013").await.unwrap();
    let expect =
        r#"[{"id":"1","from":"Bank Mellat","text":"رمز:0472013","received_at":"2023-11-14T11:01:06.000Z"}]"#;
    for phone in [PHONE, "989121234567", "%2B989121234567", "0912-123-4567", "%DB%B0912%201234567"] {
        let answer = get(&app, &format!("/handsets/{phone}/messages")).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, expect), "{phone}");
    }
    assert_eq!(get(&app, "/handsets/09120000000/messages").await.body, "[]");
    assert_eq!(
        get(&app, "/handsets").await.body,
        r#"[{"phone":"989121234567","messages":1,"newest":{"id":"1","received_at":"2023-11-14T11:01:06.000Z"}}]"#
    );
}

#[tokio::test]
async fn a_phone_texts_a_short_code() {
    let (lab, smsc, _bank) = Lab::bound().await;
    let app = handsets::router(lab.handsets.clone(), vec![smsc]);
    let path = format!("/handsets/{PHONE}/messages");
    let answer = post(&app, &path, r#"{"to":"30003303","text":"۰۰۱۶"}"#).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::ACCEPTED, ""));
    until("the bank was told", || lab.tap.values("deliver_sm", "short_message") == ["… 8 octets"]).await;
}

#[tokio::test]
async fn what_is_wrong_is_a_problem() {
    let lab = Lab::new().await;
    let app = handsets::router(lab.handsets.clone(), vec![lab.open()]);
    let path = format!("/handsets/{PHONE}/messages");
    let long = format!(r#"{{"to":"30003303","text":"{}"}}"#, "x".repeat(2000));
    for (answer, status) in [
        (get(&app, "/handsets/0912/messages").await, StatusCode::BAD_REQUEST),
        (get(&app, "/handsets/x%0Ay/messages").await, StatusCode::BAD_REQUEST),
        (post(&app, "/handsets/0912/messages", r#"{"to":"1","text":""}"#).await, StatusCode::BAD_REQUEST),
        (post(&app, &path, "{").await, StatusCode::BAD_REQUEST),
        (post(&app, &path, r#"{"to":"30003303"}"#).await, StatusCode::BAD_REQUEST),
        (post(&app, &path, r#"{"to":"30009999","text":"x"}"#).await, StatusCode::NOT_FOUND),
        (post(&app, &path, r#"{"to":"","text":"x"}"#).await, StatusCode::NOT_FOUND),
        (post(&app, &path, r#"{"to":"30003303","text":"x"}"#).await, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        assert_eq!(
            (answer.status, answer.kind.as_str()),
            (status, "application/problem+json"),
            "{}",
            answer.body
        );
    }
    let bank = lab.bank(lab.config());
    until("the bank is bound", || bank.sender.is_up()).await;
    assert_eq!(post(&app, &path, &long).await.status, StatusCode::BAD_REQUEST);
}
