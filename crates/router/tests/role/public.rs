//! The directory as the public reads it: the page without a script, what it lets in, the JSON, and the file behind it.

use std::{fs, path::Path, sync::Arc, time::Duration};

use axum::http::Response;
use bytes::Bytes;
use ramz_api::directory::Banks;
use ramz_domain::limits;
use ramz_router::Config;
use serde_json::Value;

use crate::world::*;

async fn public(world: &World, path: &str) -> Response<Bytes> {
    http(world.running.directory_address.unwrap()).send(get(path)).await.unwrap()
}

async fn text(world: &World, path: &str) -> String {
    String::from_utf8(public(world, path).await.body().to_vec()).unwrap()
}

/// The part of the page that is one bank's.
fn bank<'a>(page: &'a str, id: &str) -> &'a str {
    let from = page.split(&format!("<tbody id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no bank {id}"));
    from.split("</tbody>").next().unwrap()
}

#[tokio::test]
async fn the_page_is_a_plain_table_in_both_languages() {
    let mellat = Bank::fine().await;
    let world = router(&[("mellat", mellat.address)]).await;
    let persian = text(&world, "/").await;
    assert!(persian.contains("<html lang=\"fa\" dir=\"rtl\">"));
    assert_eq!(persian.matches("<tbody id=").count(), 37);
    let row = bank(&persian, "mellat");
    for said in [
        "بانک ملت",
        "رمزنگار ملت",
        "30003303",
        "خودپرداز",
        "<b>۷</b> رقم",
        "۶۰ ثانیه",
        "۱۲۰ ثانیه",
        "پاسخ می‌دهد",
        "۹ دی ۱۳۹۸",
    ] {
        assert!(row.contains(said), "{said} in\n{row}");
    }
    let unknown = bank(&persian, "tejarat");
    assert!(unknown.contains("دانسته نیست؛ هریم کار می‌کند") && unknown.contains("وصل نیست"));
    assert!(bank(&persian, "ansar").contains("<a href=\"#sepah\">بانک سپه</a>"));

    let english = text(&world, "/?lang=en").await;
    assert!(english.contains("<html lang=\"en\" dir=\"ltr\">"));
    let row = bank(&english, "mellat");
    for said in [
        "Bank Mellat",
        "Ramznegar Mellat",
        "30003303",
        "Cashless terminal",
        "<b>7</b> digits",
        "60 seconds",
        "120 seconds",
        "answers",
        "30 Dec 2019",
    ] {
        assert!(row.contains(said), "{said} in\n{row}");
    }
    assert!(bank(&english, "tejarat").contains("not known; Harim works"));
}

/// No form, no inline code, nothing from elsewhere; and the askers' and operators' doors are others.
#[tokio::test]
async fn the_page_lets_nothing_in_and_nothing_out() {
    let world = router(&[]).await;
    let answer = public(&world, "/").await;
    let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("form-action 'none'"), "{policy}");
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(answer.headers()["referrer-policy"], "no-referrer");
    let page = text(&world, "/").await;
    assert!(!page.contains("<form") && !page.contains("<style") && !page.contains(" style="));
    for input in page.split("<input").skip(1) {
        assert!(
            !input.split('>').next().unwrap().contains(" name="),
            "what is typed has no name to be sent by"
        );
    }
    for script in page.split("<script").skip(1) {
        assert!(script.contains(" src=\"/assets/"), "{script}");
    }
    for asset in page.split("/assets/").skip(1) {
        let name = asset.split('"').next().unwrap();
        assert_eq!(public(&world, &format!("/assets/{name}")).await.status(), 200, "{name}");
    }
    assert_eq!(public(&world, "/assets/../banks.json").await.status(), 404);
    for closed in ["/v1/pin-requests", "/metrics", "/readyz", "/v1/openapi.json"] {
        assert_eq!(public(&world, closed).await.status(), 404, "{closed}");
    }
}

#[tokio::test]
async fn how_the_banks_stand_is_told_live() {
    // On an address where no other test listens: its port is free for whoever asks next.
    let down = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
    let world = router(&[("mellat", down)]).await;
    let now = async |id: &str| -> String {
        let now: Value = serde_json::from_slice(public(&world, "/now.json").await.body()).unwrap();
        now[id].as_str().unwrap().to_owned()
    };
    assert_eq!((now("mellat").await, now("melli").await), ("up".into(), "none".into()));
    for _ in 0..limits::BREAKER_IN_A_ROW {
        world.send(asked(bytes(&purchase(MELLAT)))).await;
    }
    assert_eq!(now("mellat").await, "down");
    assert!(bank(&text(&world, "/").await, "mellat").contains("data-now=\"down\">پاسخ نمی‌دهد"));
    let banks: Banks = serde_json::from_slice(public(&world, "/v1/banks").await.body()).unwrap();
    assert_eq!((banks.banks[0].connected, banks.banks[0].available), (true, false));
    assert_eq!((banks.banks[1].connected, banks.banks[1].available), (false, false));
    world.clock.advance(limits::BREAKER_OPEN_FIRST);
    assert_eq!(now("mellat").await, "up", "it would be asked again");
}

fn directory(id: &str, iin: &str) -> String {
    format!(r#"{{"banks":[{{"id":"{id}","name_fa":"بانک","name_en":"Bank {id}","iins":["{iin}"]}}]}}"#)
}

/// As an editor replaces a file: whole, under its name.
fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// Waits until a metric has this line, as long as a busy machine may take.
async fn until(world: &World, line: &str) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    loop {
        let metrics = world.metrics("/metrics").await;
        if String::from_utf8_lossy(metrics.body()).lines().any(|l| l == line) {
            return;
        }
        assert!(std::time::Instant::now() < end, "never: {line}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_file_is_read_again_and_a_bad_one_is_refused() {
    let bank = Bank::fine().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("banks.json");
    put(&file, &directory("mellat", "610433"));
    let config = Config { directory: Some(file.clone()), ..config(&[("mellat", bank.address)]) };
    let world = router_over(Arc::new(Dial), config).await;
    assert_eq!(world.send(asked(bytes(&purchase(MELLAT)))).await.status(), 202);
    assert_eq!(world.send(asked(bytes(&purchase(MELLI)))).await.status(), 404);

    // The IIN moves to another bank's cards; requests follow without a restart.
    put(&file, &directory("mellat", "603799"));
    until(&world, "ramz_router_directory_reads_total{outcome=\"used\"} 1").await;
    assert_eq!(world.send(asked(bytes(&purchase(MELLAT)))).await.status(), 404);
    assert_eq!(world.send(asked(bytes(&purchase(MELLI)))).await.status(), 202);
    assert!(text(&world, "/").await.contains("603799"));

    for (n, bad) in [
        "{".to_owned(),
        directory("mellat", "60379"),
        directory("other", "610433"),
        format!("{}{}", directory("mellat", "610433"), " ".repeat(limits::DIRECTORY_BYTES_MAX as usize)),
    ]
    .iter()
    .enumerate()
    {
        put(&file, bad);
        until(&world, &format!("ramz_router_directory_reads_total{{outcome=\"refused\"}} {}", n + 1)).await;
        until(&world, "ramz_router_directory_current 0").await;
        assert_eq!(world.send(asked(bytes(&purchase(MELLI)))).await.status(), 202, "the old one stays");
        let ready = world.metrics("/readyz").await;
        let said = String::from_utf8(ready.body().to_vec()).unwrap();
        assert!(ready.status() == 200 && said.contains("directory of banks refused"), "{said}");
    }
    fs::remove_file(&file).unwrap();
    until(&world, "ramz_router_directory_reads_total{outcome=\"refused\"} 5").await;
    put(&file, &directory("mellat", "610433"));
    until(&world, "ramz_router_directory_current 1").await;
    assert_eq!(world.send(asked(bytes(&purchase(MELLAT)))).await.status(), 202);
    assert_eq!(world.metrics("/readyz").await.body(), "ready\n");
}
