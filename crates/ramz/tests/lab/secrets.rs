//! After a busy run with the loudest log: no card number, PIN, phone or key in any file of the data folder nor in the log, as
//! text, as UTF-16 or packed. Exempt is what holds test data by design: `lab.json`, and the lab's own secret files as far as
//! their own secret goes.

use std::fs;
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use axum::http::Request;
use serde_json::{Value, json};

use crate::known::Lab;
use crate::processes::database::Kept;
use crate::processes::process::run;
use crate::processes::wires::{Site, fresh_key, with_json};

/// Something that must stand nowhere.
struct Needle {
    what: String,
    bytes: Vec<u8>,
    /// Too short to look for inside of longer words.
    word: bool,
}

/// What a run has used.
#[derive(Default)]
struct Used {
    pins: Vec<(String, String)>,
    pans: Vec<String>,
    phones: Vec<String>,
    words: Vec<(String, String)>,
}

impl Used {
    fn needles(&self) -> Vec<Needle> {
        let mut needles = Vec::new();
        let mut add = |what: String, bytes: Vec<u8>, word| needles.push(Needle { what, bytes, word });
        for pan in &self.pans {
            add(format!("PAN {pan} as text"), pan.clone().into_bytes(), false);
            add(format!("PAN {pan} in UTF-16"), wide(pan), false);
            add(format!("PAN {pan} packed"), hex::decode(pan).unwrap(), false);
            add(format!("PAN {pan} packed, shifted"), hex::decode(&pan[1..15]).unwrap(), false);
        }
        for phone in &self.phones {
            // Without the leading 0 or 98.
            let digits = &phone[1..];
            add(format!("phone {phone} as text"), digits.as_bytes().to_vec(), false);
            add(format!("phone {phone} in UTF-16"), wide(digits), false);
            add(format!("phone {phone} packed"), hex::decode(digits).unwrap(), false);
            add(format!("phone {phone} packed, shifted"), hex::decode(&phone[..10]).unwrap(), false);
        }
        for (pin, pan) in &self.pins {
            add(format!("PIN {pin} as text"), pin.clone().into_bytes(), true);
            add(format!("PIN {pin} in UTF-16"), wide(pin), false);
            let field = hex::decode(format!("{:F<16}", format!("0{}{pin}", pin.len()))).unwrap();
            let account = hex::decode(format!("0000{}", &pan[3..15])).unwrap();
            let block = field.iter().zip(&account).map(|(a, b)| a ^ b).collect();
            add(format!("PIN {pin} as a clear PIN field"), field, false);
            add(format!("PIN {pin} as a clear PIN block"), block, false);
        }
        for (what, word) in &self.words {
            add(what.clone(), word.clone().into_bytes(), false);
        }
        needles
    }
}

fn wide(text: &str) -> Vec<u8> {
    text.bytes().flat_map(|byte| [0, byte]).collect()
}

impl Needle {
    fn stands_in(&self, hay: &[u8]) -> bool {
        let mut at = 0;
        while let Some(found) = find(&hay[at..], &self.bytes) {
            let (from, to) = (at + found, at + found + self.bytes.len());
            let wordy = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
            let inside = wordy(from.checked_sub(1).and_then(|before| hay.get(before))) || wordy(hay.get(to));
            if !(self.word && inside) {
                return true;
            }
            at = from + 1;
        }
        false
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(self::files(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

/// Every file that tells one, and which.
fn told(lab: &Lab, needles: &[Needle], when: &str) -> Vec<String> {
    let mut told = Vec::new();
    let data = lab.folder.path().join("data");
    for path in files(&data).into_iter().chain([lab.process.errors.clone()]) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // SQLite may take a file away between the listing and the reading.
        let Ok(bytes) = fs::read(&path) else { continue };
        if name == "lab.json" {
            continue;
        }
        for needle in needles.iter().filter(|needle| needle.stands_in(&bytes)) {
            let own = needle.what == format!("the secret of {name}");
            if !own {
                told.push(format!("{when}: {name}: {}", needle.what));
            }
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_in_any_file_after_a_busy_run() {
    let mut lab = Lab::open("trace").await;
    let mut used = busy(&lab).await;
    let data = lab.folder.path().join("data");
    for name in [
        "passphrase",
        "smpp-password",
        "api-key",
        "mellat-switch-zone",
        "mellat-host-zone",
        "melli-switch-zone",
    ] {
        let secret = fs::read_to_string(data.join(name)).unwrap().trim().to_owned();
        used.words.push((format!("the secret of {name}"), secret));
    }
    let needles = used.needles();
    assert!(used.pins.len() >= 8 && used.pans.len() >= 10, "not busy enough");
    // The harness finds what there is: the file with test data by design.
    let by_design = fs::read(data.join("lab.json")).unwrap();
    assert!(needles.iter().filter(|needle| needle.stands_in(&by_design)).count() >= 10);

    let mut faults = told(&lab, &needles, "while it ran");
    let (status, _) = lab.process.terminate();
    assert_eq!(status.code(), Some(0));
    faults.extend(told(&lab, &needles, "after it ended"));
    faults.sort();
    faults.dedup();
    assert_eq!(faults, Vec::<String>::new());
    let names: Vec<String> =
        files(&data).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    let kept: &[&str] = match lab.kept {
        Kept::Files(_) => &["mellat.db", "melli.db", "gateway.db", "mellat.keys"],
        Kept::Database(_) => &["mellat.keys"],
    };
    for &name in kept {
        assert!(names.contains(&name.to_owned()), "{names:?}");
    }
    assert!(fs::metadata(&lab.process.errors).unwrap().len() > 10_000, "the log is loud");
    let journal = run(["journal", "verify", "--config", data.join("mellat.toml").to_str().unwrap()], "");
    assert_eq!(journal.code, Some(0), "{}{}", journal.out, journal.err);
}

/// Everything that a lab is used for, and misused.
async fn busy(lab: &Lab) -> Used {
    let mut used = Used::default();
    for bank in 0..2 {
        for card in lab.cards(bank) {
            used.pans.push(card["pan"].as_str().unwrap().to_owned());
            used.phones.extend(card["phone"].as_str().map(str::to_owned));
        }
    }
    let unknown = crate::processes::wires::pan(lab.text("/banks/0/iins/0"), 31_415_926);
    used.pans.push(unknown.expose().to_owned());
    // Wrong by its last digit: what is refused is told no more than what is taken.
    let wrong = format!("{}{}", &unknown.expose()[..15], (unknown.expose().as_bytes()[15] - b'0' + 1) % 10);
    used.pans.push(wrong.clone());
    used.phones.push("09351112233".into());
    let router = lab.secured("/router/url");
    for bank in 0..2 {
        let (api, switch) = (lab.secured(&format!("/banks/{bank}/api")), lab.switch(bank).await);
        for card in lab.cards(bank).iter().filter(|card| card["state"] == "active") {
            let pan = card["pan"].as_str().unwrap().to_owned();
            for door in [&router, &api] {
                // Two cards share a phone: the amount tells their texts apart.
                let amount = 60_000 + lab.trace();
                let (_, pin) = lab.pin(door, card, amount).await;
                assert_eq!(lab.pay(&switch, card, amount, &pin).await, "00");
                assert_eq!(lab.pay(&switch, card, amount, &pin).await, "55");
                used.pins.push((pin, pan.clone()));
            }
        }
        // One is locked by wrong PINs.
        let card = lab.card(bank, "active");
        let (_, pin) = lab.pin(&router, &card, 63_000).await;
        let guess = if pin == "8675309" { "8675308" } else { "8675309" };
        for code in ["55", "55", "75", "75"] {
            assert_eq!(lab.pay(&switch, &card, 63_000, guess).await, code);
        }
        let pan = card["pan"].as_str().unwrap().to_owned();
        used.pins.extend([(pin, pan.clone()), (guess.to_owned(), pan)]);
    }
    for site in [&router, &lab.secured("/banks/0/api")] {
        for pan in used.pans.clone() {
            let _ = site.ask(fresh_key(), &lab.payee.request(&pan, 64_000)).await.unwrap();
        }
        in_wrong_places(site, &unknown).await;
    }
    in_wrong_places(&lab.portal, &unknown).await;
    let gateway = Site::plain(lab.text("/gateway/url"));
    in_wrong_places(&gateway, &unknown).await;
    in_wrong_places(&Site::plain(&format!("http://localhost:{}", lab.port + 1)), &unknown).await;
    // A phone that nobody has texted yet, and a text to a bank.
    let text = json!({ "to": lab.text("/banks/0/short_code"), "text": "0016" });
    let _ = lab.portal.post("/handsets/09351112233/messages", &text).await;
    assert_eq!(lab.texts("09351112233").await, Vec::<String>::new());
    used
}

/// A card number where none belongs.
async fn in_wrong_places(site: &Site, pan: &ramz_domain::Pan) {
    let pan = pan.expose();
    let bodies: [Value; 5] = [
        json!(pan),
        json!({ "pan": [pan] }),
        json!({ pan: pan }),
        json!({ "pan": format!(" {pan}"), "payment": pan }),
        json!({ "pan": pan.parse::<u64>().unwrap(), "payment": { "kind": pan, "amount": pan, "origin": pan } }),
    ];
    for path in ["/v1/pin-requests", "/v1/payments", "/admin/v1/cards", "/lab/clock"] {
        for body in &bodies {
            let mut request = with_json(axum::http::Method::POST, path, body);
            request.headers_mut().insert("idempotency-key", fresh_key().to_string().parse().unwrap());
            let _ = site.call(request).await.unwrap();
        }
    }
    for header in ["idempotency-key", "authorization", "cookie", "ramz-asker"] {
        let request = with_json(axum::http::Method::POST, "/v1/pin-requests", &bodies[1]);
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(header, pan.parse().unwrap());
        let _ = site.call(Request::from_parts(parts, body)).await.unwrap();
    }
    for path in [
        format!("/{pan}"),
        format!("/v1/payments/{pan}"),
        format!("/handsets/{pan}/messages"),
        format!("/?pan={pan}"),
    ] {
        let _ = site.call(Request::get(path).body(Bytes::new()).unwrap()).await.unwrap();
    }
}
