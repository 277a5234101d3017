//! What a role says when it cannot start: exit code 1, one line that names the thing, no panic.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::House;
use crate::page::Page;
use crate::processes::bank::{Bank, IIN, OPERATOR, card};
use crate::processes::database::Kept;
use crate::processes::process::{RAMZ, Said, run};
use crate::processes::wires::pan;

/// What stands on standard error beside logs: one line.
#[track_caller]
fn one_line(said: &Said, what: &str) -> String {
    let words = words(said, what);
    assert_eq!(words.lines().count(), 1, "{what}: not one line:\n{words}");
    words
}

/// What stands on standard error beside logs. It begins with our name, and is no panic.
#[track_caller]
fn words(said: &Said, what: &str) -> String {
    assert_eq!(said.code, Some(1), "{what}: {}", said.err);
    assert!(!said.err.contains("panicked") && !said.err.contains("RUST_BACKTRACE"), "{what}: {}", said.err);
    assert_eq!(said.out, "", "{what}");
    let lines: Vec<&str> = said.err.lines().filter(|line| !line.starts_with('{')).collect();
    assert!(lines.first().is_some_and(|line| line.starts_with("ramz: ")), "{what}: {}", said.err);
    lines.join("\n")
}

fn issuer(bank: &Bank, settings: &Value) -> Said {
    let file = bank.settings("broken.toml", &json!({ "issuer": settings }));
    run(["issuer", "--config", file.to_str().unwrap()], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_cannot_start_says_why_in_one_line() {
    let bank = Bank::keeping(Kept::files).await;
    bank.quick_keys();
    bank.write("wrong-passphrase", "wrong horse\n");
    bank.write("empty", "\n");
    bank.write("nonsense", "nonsense");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let path = |name: &str| bank.file(name).to_str().unwrap().to_owned();
    for (pointer, value, names) in [
        ("/bank/colour", json!("blue"), vec!["colour"]),
        ("/bank/policy", json!({ "digit": 7 }), vec!["digit"]),
        ("/sms/password", json!("x"), vec!["password"]),
        ("/bank/policy", json!({ "digits": 5 }), vec!["1e-5", "more digits"]),
        ("/bank/policy", json!({ "failures_until_locked": 6 }), vec!["failures_until_locked"]),
        ("/bank/policy", json!({ "valid_for_s": "long" }), vec!["valid_for_s"]),
        ("/bank/iins", json!(["61043"]), vec!["61043", "IIN"]),
        ("/bank/id", json!(""), vec!["bank.id", "empty"]),
        ("/bank/short_code", json!("*737#"), vec!["bank.short_code", "digits"]),
        ("/bank/askers/0/kinds", json!(["gift"]), vec!["bank.askers", "gift"]),
        (
            "/bank/askers/0/origins",
            json!(["https://pay.example"]),
            vec!["https://pay.example", "without scheme"],
        ),
        ("/bank/verifiers/0/pin_block_format", json!(9), vec!["bank.verifiers", "format 9"]),
        ("/bank/switch/layout", json!("ebcdic"), vec!["ebcdic", "ascii"]),
        ("/bank/switch/zone", json!("elsewhere"), vec!["elsewhere", "ramz keys zone"]),
        ("/bank/switch/pin_block_format", json!(4), vec!["switch", "format 4"]),
        ("/bank/switch/header", json!("zz"), vec!["zz", "hexadecimal"]),
        ("/keys/file", json!(path("nowhere.keys")), vec!["nowhere.keys", "ramz keys init"]),
        ("/keys/file", json!(path("nonsense")), vec!["nonsense"]),
        ("/keys/passphrase_file", json!(path("wrong-passphrase")), vec!["issuer.keys", "passphrase"]),
        ("/keys/passphrase_file", json!(path("no-passphrase")), vec!["no-passphrase"]),
        ("/keys/passphrase_file", json!(path("empty")), vec!["empty", "no secret"]),
        ("/store/path", json!(path("no/folder/issuer.db")), vec!["no/folder"]),
        ("/store/path", json!(path("nonsense")), vec!["nonsense"]),
        ("/tls/cert_file", json!(path("tls/none.pem")), vec!["none.pem"]),
        ("/tls/cert_file", json!(path("nonsense")), vec!["nonsense"]),
        ("/tls/key_file", json!(path("tls/router.test.key")), vec!["issuer.test.pem"]),
        ("/tls/ca_file", json!(path("tls/none.pem")), vec!["none.pem"]),
        ("/listen/api", json!(taken), vec![&taken]),
        ("/listen/switch", json!(taken), vec![&taken]),
        ("/listen/admin", json!(taken), vec![&taken]),
        ("/listen/metrics", json!(taken), vec![&taken]),
        ("/listen/api", json!("nowhere"), vec!["nowhere"]),
        ("/sms/password_file", json!(path("none")), vec!["none"]),
        ("/sms/address", json!("smsc"), vec!["address", "host:port"]),
        ("/sms/sender", json!("A sender that is too long"), vec!["sender"]),
    ] {
        let mut settings = bank.issuer_settings();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        settings.pointer_mut(parent).unwrap()[member] = value.clone();
        let line = one_line(&issuer(&bank, &settings), &format!("{pointer} = {value}"));
        for name in names {
            assert!(line.contains(name), "{pointer} = {value}: does not name {name:?}: {line}");
        }
    }
    // None of that has spoilt anything.
    let mut issuer = bank.start();
    assert_eq!(issuer.terminate().0.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_no_settings_are_refused_by_name() {
    let bank = Bank::keeping(Kept::files).await;
    for (name, text, names) in [
        ("table.toml", "[isuer]\n", vec!["isuer", "issuer"]),
        ("broken.toml", "[issuer\n", vec!["broken.toml"]),
        ("twice.toml", "[issuer.bank]\nid = \"a\"\nid = \"b\"\n", vec!["twice.toml"]),
    ] {
        let file = bank.write(name, text);
        for command in
            [vec!["issuer"], vec!["router"], vec!["gateway"], vec!["config", "check"], vec!["cards", "show"]]
        {
            let said = run([command.clone(), vec!["--config", file.to_str().unwrap()]].concat(), "");
            // A file that is no TOML is shown where it breaks, on lines of its own.
            let words = words(&said, name);
            for name in &names {
                assert!(words.contains(name), "{command:?} {name}: {words}");
            }
        }
    }
    // Another command's file. Nobody wrote what the defaults would be blamed for.
    for (command, file, says) in [
        (&["issuer"][..], "operator.toml", "operator.toml has no table [issuer]; it has: operator"),
        (&["gateway"], "operator.toml", "has no table [gateway]"),
        (&["store", "migrate"], "operator.toml", "has no table [issuer]"),
        (&["doctor", "gateway"], "operator.toml", "has no table [gateway]"),
        (&["cards", "show"], "issuer.toml", "issuer.toml has no table [operator]; it has: issuer"),
    ] {
        let said = run([command, &["--config", bank.file(file).to_str().unwrap()]].concat(), "");
        assert!(one_line(&said, file).contains(says), "{command:?}: {}", said.err);
    }
    let said = run(["issuer", "--config", bank.file("none.toml").to_str().unwrap()], "");
    assert!(one_line(&said, "missing").contains("none.toml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_shown_is_what_is_accepted() {
    let bank = Bank::open().await;
    let check = |file: &str| {
        let said = run(["config", "check", "--config", file], "");
        assert_eq!((said.code, said.out.as_str()), (Some(0), "the configuration is good\n"), "{}", said.err);
    };
    let defaults = run(["config", "show"], "");
    assert_eq!(defaults.code, Some(0), "{}", defaults.err);
    check(bank.write("defaults.toml", &defaults.out).to_str().unwrap());
    let ours = bank.file("issuer.toml");
    check(ours.to_str().unwrap());
    let shown = run(["config", "show", "--config", ours.to_str().unwrap()], "");
    let whole = bank.write("whole.toml", &shown.out);
    check(whole.to_str().unwrap());
    assert_eq!(run(["config", "show", "--config", whole.to_str().unwrap()], "").out, shown.out);
    // What was shown is in force: the issuer starts from it.
    bank.quick_keys();
    fs::rename(&whole, &ours).unwrap();
    assert_eq!(bank.start().terminate().0.code(), Some(0));
    let weak = bank.write("weak.toml", "[issuer.bank.policy]\ndigits = 5\n");
    let said = run(["config", "check", "--config", weak.to_str().unwrap()], "");
    assert!(one_line(&said, "weak").contains("1e-5"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_role_starts_from_is_not_shown_and_a_secret_in_it_neither() {
    let bank = Bank::keeping(Kept::files).await;
    let merchant = "[[gateway.page.merchants]]\nid = \"shop\"\nname_fa = \"shop\"\nname_en = \"shop\"\nmerchant = \"1\"\n\
                    terminal = \"1\"\ncallbacks = [\"https://shop.example\"]\n";
    for (text, names) in [
        ("[issuer.bank.policy]\ndigits = 5\n", "[issuer.bank] policy"),
        (
            "[issuer.store]\nurl = \"postgresql://ramz:s3cr3t-word@localhost/ramz?sslmode=disable\"\n",
            "[issuer.store] url",
        ),
        ("[issuer.sms]\npassword = \"s3cr3t-word\"\n", "[issuer.sms] password"),
        (&format!("{merchant}api_key = \"s3cr3t-word-of-a-merchant\"\n"), "[gateway.page] merchants"),
    ] {
        let file = bank.write("unsound.toml", text);
        let [shown, checked] = ["show", "check"]
            .map(|command| words(&run(["config", command, "--config", file.to_str().unwrap()], ""), command));
        assert!(shown.contains(names) && !shown.contains("s3cr3t"), "{text}: {shown}");
        assert_eq!(shown, checked);
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error_and_a_closed_pipe_is_none() {
    let show = || {
        let mut show = Command::new(RAMZ);
        show.args(["config", "show"]).stderr(Stdio::piped());
        show
    };
    let full = show().stdout(fs::File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
    let err = String::from_utf8(full.stderr).unwrap();
    assert_eq!(full.status.code(), Some(1), "{err}");
    assert!(
        err.starts_with("ramz: standard output cannot be written to: ") && err.lines().count() == 1,
        "{err}"
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let closed = show().stdout(writer).output().unwrap();
    assert_eq!((closed.status.code(), closed.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn a_command_line_that_makes_no_sense_is_no_panic() {
    for arguments in [
        &["nonsense"][..],
        &["lab", "--port", "x"],
        &["lab", "--port", "0"],
        &["issuer", "--colour"],
        &["cards"],
    ] {
        let said = run(arguments, "");
        assert!(matches!(said.code, Some(1 | 2)), "{arguments:?}: {:?} {}", said.code, said.err);
        assert!(!said.err.is_empty() && !said.err.contains("panicked"), "{arguments:?}: {}", said.err);
    }
    assert!(fs::metadata(RAMZ).unwrap().is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_does_not_start_on_anothers_store() {
    let mut house = House::quick().await;
    let bank = &house.bank;
    let added = bank.site(2, OPERATOR).post("/admin/v1/cards", &card(&pan(IIN, 1), "09120001301")).await;
    assert_eq!(added.status, 201, "{}", added.text);
    Page::open(&house).await;
    assert_eq!(house.issuer.terminate().0.code(), Some(0));
    assert_eq!(house.gateway.terminate().0.code(), Some(0));
    for (role, other, words) in [
        ("gateway", "issuer", "its table card has rows, and payment has none"),
        ("issuer", "gateway", "its table payment has rows, and card has none"),
    ] {
        let named = fs::read_to_string(bank.file(&format!("{role}.toml"))).unwrap();
        let mut settings: Value = toml::from_str(&named).unwrap();
        settings[role]["store"] = bank.kept.settings(other);
        let file = bank.settings("anothers.toml", &settings);
        let said = run([role, "--config", file.to_str().unwrap()], "");
        let line = one_line(&said, role);
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn a_lab_whose_ports_are_taken_says_how_to_take_others() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = run(["lab", "--no-open", "--port", &port], "");
    let line = one_line(&said, "a lab");
    // Whichever of its ports it was that somebody has.
    assert!(line.contains("cannot listen on 127.0.0.1:") && line.contains("--port"), "{line}");
}
