//! `ramz doctor` and `ramz config check`: what is wrong is found before a start, named, and nothing is changed by looking.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use serde_json::{Value, json};

use crate::house::House;
use crate::processes::bank::{ASKER, Bank, IIN, OPERATOR, STRANGER, card};
use crate::processes::certificates::Authority;
use crate::processes::database::Kept;
use crate::processes::process::{Said, run};
use crate::processes::wires::pan;

fn doctor(bank: &Bank, file: &str, more: &[&str]) -> (Said, Value) {
    let settings = bank.file(file);
    let said = run([&["doctor", "--config", settings.to_str().unwrap(), "--json"][..], more].concat(), "");
    let json =
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}{}", said.out, said.err));
    (said, json)
}

/// The findings with this verdict: `what`.
fn of(json: &Value, verdict: &str) -> Vec<String> {
    let findings = json["findings"].as_array().unwrap().iter();
    let these = findings.filter(|finding| finding["verdict"] == verdict);
    these.map(|finding| finding["what"].as_str().unwrap().to_owned()).collect()
}

/// Files as an operator would keep them.
fn tidy(bank: &Bank) {
    for name in ["passphrase", "smpp-password", "issuer.keys", "tls/issuer.test.key"] {
        fs::set_permissions(bank.file(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_bank_is_well_and_nothing_was_made() {
    let bank = Bank::keeping(Kept::files).await;
    bank.quick_keys();
    tidy(&bank);
    let before: Vec<_> = fs::read_dir(bank.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    let (said, json) = doctor(&bank, "issuer.toml", &["--connect"]);
    assert_eq!((said.code, of(&json, "bad")), (Some(0), vec![]), "{json:#}");
    assert_eq!(of(&json, "warning"), Vec::<String>::new(), "{json:#}");
    let good = of(&json, "good");
    for what in [
        "clock",
        "issuer certificate",
        "issuer authority",
        "issuer private key",
        "issuer keys",
        "issuer zone switch",
        "issuer zone host",
        "issuer SMPP password",
        "issuer store",
        "issuer disk",
        "issuer → card host",
        "issuer → SMSC",
        "issuer binds to the SMSC",
        "issuer signs on at the card host",
    ] {
        assert!(good.contains(&what.to_owned()), "{what}: {good:?}");
    }
    assert_eq!(good.iter().filter(|what| what.starts_with("issuer port")).count(), 4, "{good:?}");
    let after: Vec<_> = fs::read_dir(bank.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(before, after);
    // The same for people.
    let settings = bank.file("issuer.toml");
    let said = run(["doctor", "--config", settings.to_str().unwrap()], "");
    assert!(said.code == Some(0) && said.out.contains("✓ issuer keys"), "{}{}", said.out, said.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_banks_keys_are_found_out_before_anything_is_written() {
    let bank = Bank::open().await;
    bank.quick_keys();
    tidy(&bank);
    let mut issuer = bank.start();
    bank.ready().await;
    let body = card(&pan(IIN, 1), "09120001101");
    assert_eq!(bank.site(2, OPERATOR).post("/admin/v1/cards", &body).await.status, 201);
    assert_eq!(issuer.terminate().0.code(), Some(0));
    let what = "issuer store's keys".to_owned();
    assert!(of(&doctor(&bank, "issuer.toml", &[]).1, "good").contains(&what));

    bank.quick_keys();
    tidy(&bank);
    let (said, json) = doctor(&bank, "issuer.toml", &[]);
    assert_eq!((said.code, of(&json, "bad")), (Some(1), vec![what]), "{json:#}");
    let settings = bank.file("issuer.toml");
    let said = run(["issuer", "--config", settings.to_str().unwrap()], "");
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("this key file is not the store's"), "{}", said.err);
}

/// What a role does not start on is no good store, whatever its file looks like.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_the_role_does_not_start_on_is_told() {
    let bank = Bank::keeping(Kept::files).await;
    bank.quick_keys();
    tidy(&bank);
    let mut issuer = bank.start();
    bank.ready().await;
    issuer.terminate();
    let (rows, keys) = ("issuer store's rows".to_owned(), "issuer store's keys".to_owned());
    let (said, json) = doctor(&bank, "issuer.toml", &[]);
    assert!(of(&json, "good").contains(&rows) && said.out.contains("has no cards yet"), "{json:#}");
    assert!(!said.out.contains(&keys), "{json:#}");

    let mut issuer = bank.start();
    bank.ready().await;
    let body = card(&pan(IIN, 1), "09120001101");
    assert_eq!(bank.site(2, OPERATOR).post("/admin/v1/cards", &body).await.status, 201);
    issuer.terminate();
    let good = of(&doctor(&bank, "issuer.toml", &[]).1, "good");
    assert!(good.contains(&rows) && good.contains(&keys), "{good:?}");
    // The issuer's is no gateway's.
    let gateway = json!({ "store": { "path": bank.file("issuer.db") }, "tls": bank.tls(ASKER).settings() });
    bank.settings("gateway.toml", &json!({ "gateway": gateway }));
    let (said, json) = doctor(&bank, "gateway.toml", &["gateway"]);
    assert!(of(&json, "bad").contains(&"gateway store's rows".to_owned()), "{json:#}");
    assert!(said.out.contains("table card has rows, and payment has none"), "{json:#}");
    // Nobody may write what lies beside it: for a superuser as well, a folder is none to write to.
    let lock = bank.file("issuer.db.lock");
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let (said, json) = doctor(&bank, "issuer.toml", &[]);
    assert_eq!((said.code, of(&json, "bad")), (Some(1), vec![rows.clone()]), "{json:#}");
    fs::remove_dir(&lock).unwrap();

    // A log that is later than the clock is looked at, and left for whoever sets the clock.
    let log = fs::File::create(bank.file("issuer.db-wal")).unwrap();
    log.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(4_000_000_000)).unwrap();
    let (said, json) = doctor(&bank, "issuer.toml", &[]);
    assert_eq!((said.code, of(&json, "bad")), (Some(1), vec!["clock".to_owned()]), "{json:#}");
    assert!(!said.out.contains(&rows) && !lock.exists(), "{json:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_with_what_to_do() {
    let bank = Bank::keeping(Kept::files).await;
    bank.quick_keys();
    tidy(&bank);
    bank.write("nonsense", "nonsense");
    bank.write("wrong", "wrong horse\n");
    let path = |name: &str| json!(bank.file(name));
    bank.start().terminate();
    for (file, change) in [
        ("newer.db", "INSERT INTO migration VALUES (99, 'x')"),
        ("altered.db", "UPDATE migration SET checksum = 'x' WHERE number = 1"),
    ] {
        bank.kept.sql("issuer", &format!("VACUUM INTO '{}'", bank.file(file).display()));
        rusqlite::Connection::open(bank.file(file)).unwrap().execute(change, []).unwrap();
    }
    let late = Authority::new(&bank.file("late")).certify_until("issuer.test", 2001);
    for (pointer, value, what, says) in [
        ("/tls/key_file", path("tls/router.test.key"), "issuer certificate", "do not fit"),
        ("/tls/cert_file", path("tls/none.pem"), "issuer certificate", "none.pem"),
        ("/tls/ca_file", path("nonsense"), "issuer certificate", "nonsense"),
        ("/tls", late.settings(), "issuer certificate", "ran out on 2001-01-01"),
        ("/keys/file", path("none.keys"), "issuer key file", "none.keys"),
        ("/keys/passphrase_file", path("wrong"), "issuer keys", "passphrase"),
        ("/bank/switch/zone", json!("elsewhere"), "issuer zone elsewhere", "no key"),
        ("/sms/password_file", path("none"), "issuer SMPP password", "none"),
        ("/store/path", path("no/issuer.db"), "issuer store", "folder is missing"),
        ("/store/path", path("nonsense"), "issuer store", "nonsense"),
        ("/store/path", path("newer.db"), "issuer store", "schema 99, this release knows"),
        ("/store/path", path("altered.db"), "issuer store", "migration 1 was altered"),
        ("/sms/address", json!("127.0.0.1:1"), "issuer → SMSC", "127.0.0.1:1"),
        ("/bank/host/address", json!("127.0.0.1:1"), "issuer → card host", "127.0.0.1:1"),
        ("/listen/api", json!("192.0.2.1:1"), "issuer port 192.0.2.1:1", "192.0.2.1:1"),
    ] {
        let mut settings = bank.issuer_settings();
        *settings.pointer_mut(pointer).unwrap() = value;
        bank.settings("broken.toml", &json!({ "issuer": settings }));
        let (said, json) = doctor(&bank, "broken.toml", &[]);
        assert_eq!(said.code, Some(1), "{pointer}: {json:#}");
        let findings = json["findings"].as_array().unwrap();
        let found = findings.iter().find(|finding| finding["verdict"] == "bad" && finding["what"] == what);
        let found = found.unwrap_or_else(|| panic!("{pointer}: {what} is not bad: {json:#}"));
        assert!(found["found"].as_str().unwrap().contains(says), "{pointer}: {found}");
        let todo = found["todo"].as_str().unwrap();
        assert!(!todo.is_empty() && todo.contains("newer release") == says.contains("schema 99"), "{found}");
    }
    // Known to others, and about to run out.
    fs::set_permissions(bank.file("passphrase"), fs::Permissions::from_mode(0o644)).unwrap();
    let (said, json) = doctor(&bank, "issuer.toml", &[]);
    assert_eq!(
        (said.code, of(&json, "warning")),
        (Some(0), vec!["issuer passphrase".to_owned()]),
        "{json:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_peers_would_not_take_is_told() {
    let bank = Bank::keeping(Kept::files).await;
    bank.quick_keys();
    tidy(&bank);
    let router = json!({ "url": "https://localhost:1", "id": "mellat" });
    let router = json!({ "listen": { "api": "127.0.0.1:0" }, "harim": { "banks": [router] } });
    let authority = Authority::new(&bank.file("others"));
    let (none, server, client) = (&[][..], &[ServerAuth][..], &[ClientAuth][..]);
    for (role, mut settings, hosts, uses, says) in [
        ("issuer", bank.issuer_settings(), false, none, Some("names no host")),
        ("issuer", bank.issuer_settings(), true, client, Some("lacks serverAuth")),
        ("issuer", bank.issuer_settings(), true, server, None),
        ("issuer", bank.issuer_settings(), true, none, None),
        ("router", router.clone(), true, server, Some("lacks clientAuth")),
        ("router", router.clone(), true, client, Some("lacks serverAuth")),
        ("router", router.clone(), false, none, Some("names no host")),
        ("router", router, true, none, None),
        ("operator", json!({ "url": "https://localhost:1" }), false, client, None),
        ("operator", json!({ "url": "https://localhost:1" }), false, server, Some("lacks clientAuth")),
    ] {
        let made = authority.certify_as(role, |params| {
            params.extended_key_usages = uses.to_vec();
            if !hosts {
                params.subject_alt_names.clear();
            }
        });
        settings["tls"] = made.settings();
        bank.settings("made.toml", &json!({ role: settings }));
        let json = doctor(&bank, "made.toml", &[]).1;
        let what = format!("{role} certificate");
        let findings = json["findings"].as_array().unwrap().iter().filter(|found| found["what"] == *what);
        let findings: Vec<&Value> = findings.collect();
        assert_eq!(findings.len(), 1, "{role} {uses:?}: {json:#}");
        let found = findings[0]["found"].as_str().unwrap();
        let verdict = if says.is_some() { "bad" } else { "good" };
        assert_eq!(findings[0]["verdict"], verdict, "{role} {uses:?}: {found}");
        assert!(found.contains(says.unwrap_or("its key fits")), "{role} {uses:?}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_house_is_seen_through_its_peers() {
    let house = House::quick().await;
    let (said, json) = doctor(&house.bank, "router.toml", &[]);
    assert_eq!(said.code, Some(0), "{json:#}");
    assert!(of(&json, "good").contains(&"router → bank mellat".to_owned()), "{json:#}");
    assert!(of(&json, "warning").iter().any(|what| what.starts_with("router port")), "{json:#}");
    let (_, json) = doctor(&house.bank, "issuer.toml", &[]);
    // A file is another process's; a database is everybody's.
    let store = if matches!(house.bank.kept, Kept::Files(_)) { "warning" } else { "good" };
    assert!(of(&json, store).contains(&"issuer store".to_owned()), "{json:#}");
    let (_, json) = doctor(&house.bank, "gateway.toml", &[]);
    for what in ["gateway → router", "gateway → bank mellat"] {
        assert!(of(&json, "good").contains(&what.to_owned()), "{json:#}");
    }
    // An operator whom the back office does not know can do nothing there.
    let stranger = json!({ "url": house.bank.at("https", 2), "tls": house.bank.tls(STRANGER).settings() });
    house.bank.settings("stranger.toml", &json!({ "operator": stranger }));
    let (said, json) = doctor(&house.bank, "stranger.toml", &[]);
    assert_eq!(
        (said.code, of(&json, "bad")),
        (Some(1), vec!["operator → back office".to_owned()]),
        "{json:#}"
    );
    // A certificate of another authority is not taken, which only the first answer shows.
    let forged = Authority::new(&house.bank.file("forged")).certify("gateway.test");
    let forged = json!({
        "ca_file": house.bank.tls("gateway.test").ca, "cert_file": forged.cert, "key_file": forged.key,
    });
    let url = format!("https://localhost:{}", house.router_port);
    house.bank.settings("forged.toml", &json!({ "operator": { "url": url, "tls": forged } }));
    let (said, json) = doctor(&house.bank, "forged.toml", &[]);
    assert_eq!(
        (said.code, of(&json, "bad")),
        (Some(1), vec!["operator → back office".to_owned()]),
        "{json:#}"
    );
}

/// Each speaks TLS well with its neighbour, which has never heard of it, or is another than was meant.
#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_that_does_not_know_our_name_is_found_out() {
    let mut house = House::quick().await;
    let settings = |file: &str| -> Value {
        let text = fs::read_to_string(house.bank.file(file)).unwrap();
        serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap()
    };
    let (bank, office) = (house.bank.at("https", 0), house.bank.at("https", 2));
    let router = format!("https://localhost:{}", house.router_port);
    for (role, name, pointer, url, what, says) in [
        ("router", STRANGER, "/harim/banks/0/url", &bank, "router → bank mellat", "does not know our name"),
        ("router", OPERATOR, "/harim/banks/0/url", &office, "router → bank mellat", "answers 404"),
        ("gateway", STRANGER, "/page/router", &router, "gateway → router", "does not know our name"),
    ] {
        let mut other = settings(&format!("{role}.toml"));
        other[role]["tls"] = house.bank.tls(name).settings();
        *other[role].pointer_mut(pointer).unwrap() = json!(url);
        house.bank.settings("other.toml", &other);
        let (said, json) = doctor(&house.bank, "other.toml", &[]);
        assert_eq!((said.code, of(&json, "bad")), (Some(1), vec![what.to_owned()]), "{name}: {json:#}");
        assert!(said.out.contains(says), "{name}: {json:#}");
    }
    // Nor does the question leave anything where the name is known.
    let (said, json) = doctor(&house.bank, "router.toml", &[]);
    assert!(said.code == Some(0) && said.out.contains("and knows our name"), "{json:#}");
    house.issuer.terminate();
    assert_eq!(house.bank.kept.sql("issuer", "SELECT count(*) FROM admission"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_of_a_file_is_told_at_once() {
    let bank = Bank::open().await;
    let file = bank.write(
        "many.toml",
        "[issuer.bank]\ncolour = \"blue\"\n[issuer.bank.policy]\nvalid_for_s = \"long\"\n[routr]\n",
    );
    let said = run(["config", "check", "--config", file.to_str().unwrap()], "");
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    for place in [
        "many.toml: [issuer.bank] colour:",
        "many.toml: [issuer.bank.policy] valid_for_s:",
        "many.toml: [routr]:",
    ] {
        assert!(said.err.contains(place), "{place}: {}", said.err);
    }
    let risky = bank.write(
        "risky.toml",
        &format!("[issuer.bank]\niins = [\"{IIN}\"]\n[issuer.listen]\nswitch = \"0.0.0.0:8721\"\n"),
    );
    let said = run(["config", "check", "--config", risky.to_str().unwrap()], "");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("warning: ") && said.err.contains("[issuer.listen] switch: "), "{}", said.err);
    let shown = run(["config", "show", "--config", risky.to_str().unwrap()], "").out;
    assert!(
        shown.contains("switch = \"0.0.0.0:8721\"\n") && shown.contains("digits = 7  # default\n"),
        "{shown}"
    );
}
