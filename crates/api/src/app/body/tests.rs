//! Bodies read back as they were written, and every error of one is named.

use super::*;
use serde_json::{Value, json};

const KEY: &str = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#;

fn pointers<T>(result: Result<T, Problem>) -> Vec<String> {
    result.map(|_| Vec::new()).unwrap_or_else(|p| p.errors.into_iter().map(|e| e.pointer).collect())
}

fn activate(receipt: &str, sms: &str, name: &str) -> Result<Activate, Problem> {
    let body = json!({
        "receipt_code": receipt,
        "sms_code": sms,
        "device_key": serde_json::from_str::<Value>(KEY).unwrap(),
        "device_name": name,
    });
    Activate::parse(body.to_string().as_bytes())
}

fn add_card() -> Value {
    json!({
        "reference": "5a".repeat(16),
        "pan": "6104337000000016",
        "expiry": "2911",
        "seed": {
            "key": 1,
            "enc": URL_SAFE_NO_PAD.encode([4; ENC_BYTES]),
            "ciphertext": URL_SAFE_NO_PAD.encode([9; CIPHERTEXT_BYTES]),
        },
        "control": { "card": "a5".repeat(16), "code": "0472013" },
    })
}

#[test]
fn an_activation_is_read_as_people_type_it() {
    for typed in ["12345678", "۱۲۳۴ ۵۶۷۸", "١٢٣٤-٥٦٧٨", "\u{200E}1234\u{2013}5678\u{A0}"] {
        let read = activate(typed, "87654321", "  گوشی من ").unwrap();
        assert_eq!((read.receipt_code.expose(), read.sms_code.expose()), ("12345678", "87654321"), "{typed}");
        assert_eq!(read.device_name, "گوشی من");
        assert_eq!(read.device_key.jwk(), serde_json::from_str(KEY).unwrap());
        let again = Activate::parse(&read.to_json()).unwrap();
        assert_eq!(again.to_json(), read.to_json());
        // A text that grew would have left unwiped pieces behind.
        assert_eq!(read.to_json().capacity(), limits::BODY_BYTES_MAX);
        assert!(!format!("{read:?}").contains("12345678"));
    }
    for typed in ["", "1234567", "123456789", "1234567x", "1234.5678", &"1 ".repeat(40)] {
        assert_eq!(pointers(activate(typed, typed, "x")), ["/receipt_code", "/sms_code"], "{typed}");
    }
}

#[test]
fn a_device_has_a_name_that_can_be_shown() {
    let long = "x".repeat(limits::DEVICE_NAME_CHARS_MAX);
    for (name, kept) in
        [("e\u{301}", "\u{e9}"), ("می\u{200C}خواهم", "می\u{200C}خواهم"), (long.as_str(), long.as_str())]
    {
        let read = Rename::parse(json!({ "name": name }).to_string().as_bytes()).unwrap();
        assert_eq!(read.name, kept);
        assert_eq!(Rename::parse(&read.to_json()).unwrap(), read);
    }
    for name in ["", "  ", "a\nb", "a\u{202E}b", "a\u{2066}b", "a\u{200F}b", "@x", "#1", &format!("{long}x")]
    {
        assert_eq!(
            pointers(Rename::parse(json!({ "name": name }).to_string().as_bytes())),
            ["/name"],
            "{name:?}"
        );
    }
}

#[test]
fn every_error_of_an_activation_is_named() {
    assert_eq!(
        pointers(Activate::parse(b"{}")),
        ["/receipt_code", "/sms_code", "/device_key", "/device_name"]
    );
    let key = |key: Value| {
        let body = json!({ "receipt_code": "12345678", "sms_code": "12345678", "device_key": key, "device_name": "x" });
        pointers(Activate::parse(body.to_string().as_bytes()))
    };
    let right: Value = serde_json::from_str(KEY).unwrap();
    assert_eq!(key(right.clone()), Vec::<String>::new());
    assert_eq!(key(json!("x")), ["/device_key"]);
    assert_eq!(
        key(json!({ "kty": "OKP", "crv": "P-384", "x": "AA", "d": "AA" })),
        ["/device_key/d", "/device_key/kty", "/device_key/crv", "/device_key/x", "/device_key/y"]
    );
    let mut off_the_curve = right.clone();
    off_the_curve["x"] = right["y"].clone();
    assert_eq!(key(off_the_curve), ["/device_key"]);
}

#[test]
fn a_card_to_add_reads_back_as_it_was_written() {
    let mut body = add_card();
    for control in [true, false] {
        if !control {
            body.as_object_mut().unwrap().remove("control");
        }
        let read = AddCard::parse(body.to_string().as_bytes()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&read.to_json()).unwrap(), body);
        assert_eq!(read.control.is_some(), control);
        assert_eq!(read.seed.ciphertext, [9; CIPHERTEXT_BYTES]);
        let shown = format!("{read:?}");
        assert!(
            !shown.contains("610433700") && !shown.contains("0472013") && !shown.contains("9, 9"),
            "{shown}"
        );
    }
}

#[test]
fn every_error_of_a_card_to_add_is_named() {
    assert_eq!(pointers(AddCard::parse(b"{}")), ["/reference", "/pan", "/expiry", "/seed"]);
    let bad = json!({
        "reference": "5A".repeat(16), "pan": "1", "expiry": "2913",
        "seed": { "key": -1, "enc": "AA", "ciphertext": "A+==", "iv": 1 },
        "control": { "card": "x", "code": "123456" }, "card": 1,
    });
    assert_eq!(
        pointers(AddCard::parse(bad.to_string().as_bytes())),
        [
            "/card",
            "/reference",
            "/pan",
            "/expiry",
            "/seed/iv",
            "/seed/key",
            "/seed/enc",
            "/seed/ciphertext",
            "/control/card",
            "/control/code",
        ]
    );
    let mut body = add_card();
    body["control"] = Value::Null;
    assert_eq!(pointers(AddCard::parse(body.to_string().as_bytes())), ["/control"]);
}

#[test]
fn ceilings_and_switches_read_back() {
    for code in [None, Some("0472013"), Some("04720131")] {
        for (slot, ceiling) in [("first", 0), ("second", 4)] {
            let mut body = json!({ "slot": slot, "ceiling": ceiling });
            let mut switch = json!({ "on": ceiling == 4 });
            if let Some(code) = code {
                body["control_code"] = json!(code);
                switch["control_code"] = json!(code);
            }
            let read = Ceiling::parse(body.to_string().as_bytes()).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&read.to_json()).unwrap(), body);
            let read = Switch::parse(switch.to_string().as_bytes()).unwrap();
            assert_eq!(serde_json::from_slice::<Value>(&read.to_json()).unwrap(), switch);
        }
    }
    let bad = br#"{"slot":"third","ceiling":5,"control_code":"123456"}"#;
    assert_eq!(pointers(Ceiling::parse(bad)), ["/slot", "/ceiling", "/control_code"]);
    assert_eq!(pointers(Ceiling::parse(b"{}")), ["/slot", "/ceiling"]);
    for on in ["1", "\"true\"", "null"] {
        assert_eq!(pointers(Switch::parse(format!("{{\"on\":{on}}}").as_bytes())), ["/on"], "{on}");
    }
    assert_eq!(pointers(Switch::parse(b"{}")), ["/on"]);
    assert_eq!(pointers(Switch::parse(br#"{"on":true,"control_code":null}"#)), ["/control_code"]);
}

#[test]
fn control_codes_are_seven_or_eight_digits() {
    for (code, good) in
        [("0472013", true), ("04720131", true), ("047201", false), ("047201311", false), ("047201x", false)]
    {
        let body = json!({ "control_code": code }).to_string();
        assert_eq!(pointers(Check::parse(body.as_bytes())).is_empty(), good, "{code}");
        let body = json!({ "codes": ["1234567", code] }).to_string();
        let told = pointers(Resync::parse(body.as_bytes()));
        assert_eq!(told, if good { vec![] } else { vec!["/codes/1"] }, "{code}");
    }
    let read = Check::parse(br#"{"control_code":"0472013"}"#).unwrap();
    assert_eq!(read.to_json().as_slice(), br#"{"control_code":"0472013"}"#);
    let read = Resync::parse(br#"{"codes":["0472013","1234567"]}"#).unwrap();
    assert_eq!(read.to_json().as_slice(), br#"{"codes":["0472013","1234567"]}"#);
    assert!(!format!("{read:?}").contains("0472013"));
    for codes in ["[]", r#"["0472013"]"#, r#"["0472013","0472013","0472013"]"#, r#""0472013""#, "{}"] {
        assert_eq!(
            pointers(Resync::parse(format!("{{\"codes\":{codes}}}").as_bytes())),
            ["/codes"],
            "{codes}"
        );
    }
    assert_eq!(pointers(Resync::parse(br#"{"codes":[1,"x"]}"#)), ["/codes/0", "/codes/1"]);
    assert_eq!(pointers(Resync::parse(b"{}")), ["/codes"]);
}

#[test]
fn no_error_repeats_what_was_sent() {
    let body = br#"{"receipt_code":"9182736","sms_code":"9182736","device_key":"9182736","device_name":"9\n182736"}"#;
    let problem = Activate::parse(body).unwrap_err();
    assert!(problem.errors.len() == 4 && !format!("{problem:?}").contains("9182736"));
}
