//! What a bank that answers is asked, and what its answers say.

use ramz_domain::Language;
use ramz_sim::terminal::{Machine, Patience, Service, Unanswered, reason};

use crate::issuer::{Branch, CARD, CARD_WITHOUT_PHONE, PIN, RECEIPT_HALF};

#[tokio::test]
async fn every_service_is_asked_over_both_layouts() {
    for layout in ["ascii", "bcd"] {
        let branch = Branch::open(layout, Patience::default()).await;
        for service in Service::ALL {
            let choice = service.takes_choice().then_some("2");
            let answer = branch.ask(CARD, PIN, *service, choice).await.unwrap();
            let expect = if *service == Service::AppOff { "12" } else { "00" };
            assert_eq!(answer.response_code, expect, "{layout} {service:?}");
        }
        let asked = branch.issuer.asked();
        assert_eq!(asked.len(), Service::ALL.len());
        for ([mti, code, _], service) in asked.iter().zip(Service::ALL) {
            assert_eq!((mti.as_str(), code.as_str()), ("0600", service.code()), "{layout}");
        }
        let mut traces: Vec<_> = asked.iter().map(|[_, _, trace]| trace).collect();
        traces.sort_unstable();
        traces.dedup();
        assert_eq!(traces.len(), Service::ALL.len(), "each has a trace number of its own");
    }
}

#[tokio::test]
async fn what_is_shown_and_printed_is_what_the_bank_said() {
    for layout in ["ascii", "bcd"] {
        let branch = Branch::open(layout, Patience::default()).await;
        let shown = branch.ask(CARD, PIN, Service::ShowPhone, None).await.unwrap();
        assert_eq!(shown.masked_phone.as_deref(), Some("0912***1101"));
        assert_eq!(shown.show.as_deref(), Some("آیا این موبایل شماست؟"));
        let done = branch.ask(CARD, PIN, Service::ActivateSms, None).await.unwrap();
        assert_eq!(done.print.as_deref(), Some("رمز پویای پیامکی\nفعال شد"));
        let app = branch.ask(CARD, PIN, Service::ActivateApp, None).await.unwrap();
        assert_eq!((app.receipt_half.as_deref(), app.show.as_deref()), (Some(RECEIPT_HALF), None));
        let devices = branch.ask(CARD, PIN, Service::ListDevices, None).await.unwrap();
        assert_eq!(devices.show.as_deref(), Some("۱ گوشی آبی\n۲ گوشی سبز"));
    }
}

#[tokio::test]
async fn a_wrong_pin_is_55_and_the_third_75() {
    let branch = Branch::open("ascii", Patience::default()).await;
    for (code, refusal, said) in [
        ("55", "wrong_pin", "The first PIN is wrong."),
        ("55", "wrong_pin", "The first PIN is wrong."),
        ("75", "tries_exceeded", "Too many wrong PINs: the PIN is locked."),
    ] {
        let answer = branch.ask(CARD, "4321", Service::ShowPhone, None).await.unwrap();
        assert!(!answer.is_done());
        assert_eq!((answer.response_code.as_str(), answer.refusal.as_deref()), (code, Some(refusal)));
        assert_eq!(reason(&answer.response_code, Language::English), said);
    }
}

#[tokio::test]
async fn a_card_without_a_phone_is_told_so_in_the_banks_words() {
    let branch = Branch::open("bcd", Patience::default()).await;
    let answer = branch.ask(CARD_WITHOUT_PHONE, PIN, Service::ShowPhone, None).await.unwrap();
    assert_eq!((answer.response_code.as_str(), answer.refusal.as_deref()), ("57", Some("no_phone")));
    assert_eq!(answer.show.as_deref(), Some("موبایلی برای این کارت ثبت نشده است."));
}

#[tokio::test]
async fn another_banks_card_is_asked_of_nobody() {
    let branch = Branch::open("ascii", Patience::default()).await;
    let refused = branch.ask("6037997000000019", PIN, Service::Unlock, None).await;
    assert!(matches!(refused, Err(Unanswered::UnknownBank)));
    assert!(branch.issuer.asked().is_empty());
}

#[tokio::test]
async fn the_trace_shows_request_and_answer_and_no_secret() {
    let branch = Branch::with("ascii", Patience::default(), Machine::Cashless).await;
    branch.ask(CARD, PIN, Service::ActivateApp, None).await.unwrap();
    let titles = branch.facts.titles();
    for title in ["0600 terminal service", "0610 terminal service 00"] {
        assert!(titles.iter().any(|told| told == title), "{titles:?}");
    }
    let whole = branch.facts.whole();
    assert!(whole.contains("610433****0016") && whole.contains("900000"), "{whole}");
    for secret in [CARD, RECEIPT_HALF, "0712"] {
        assert!(!whole.contains(secret), "{secret} is in the trace");
    }
}
