//! `ramz keys` beside itself: whoever comes second waits, and finds what the first one wrote.

use std::fs;
use std::thread;

use crate::processes::bank::Bank;
use crate::processes::database::Kept;
use crate::processes::process::{Said, run};

/// The same command so many times at once.
fn at_once(times: usize, command: &[&str]) -> Vec<Said> {
    thread::scope(|scope| {
        let begun: Vec<_> = (0..times).map(|_| scope.spawn(|| run(command, ""))).collect();
        begun.into_iter().map(|command| command.join().unwrap()).collect()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn key_files_are_made_once_and_lose_no_key() {
    let bank = Bank::keeping(Kept::files).await;
    let path = |name: &str| bank.file(name).to_str().unwrap().to_owned();
    let of = ["--file", &path("new.keys"), "--passphrase-file", &path("passphrase")];
    let made = at_once(3, &[&["keys", "init"][..], &of].concat());
    assert_eq!(made.iter().filter(|said| said.code == Some(0)).count(), 1);
    let no = made.iter().filter(|said| said.code == Some(1) && said.err.contains("is there already"));
    assert_eq!(no.count(), 2);

    std::os::unix::fs::symlink(bank.file("new.keys"), bank.file("linked.keys")).unwrap();
    let of = ["--file", &path("linked.keys"), "--passphrase-file", &path("passphrase")];
    for said in at_once(3, &[&["keys", "rotate", "pin"][..], &of].concat()) {
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
    let shown = run([&["keys", "show"][..], &of].concat(), "");
    assert!(shown.out.contains("pin      versions 1, 2, 3, 4\n"), "{}{}", shown.out, shown.err);
    assert!(bank.file("linked.keys").symlink_metadata().unwrap().is_symlink());
    let left = fs::read_dir(bank.folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_str().unwrap().contains("new.keys")).collect();
    assert_eq!(left, ["new.keys"], "neither a lock nor the half of a file");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_passphrase_makes_no_key_file_and_opens_one_that_is_there() {
    let bank = Bank::keeping(Kept::files).await;
    let path = |name: &str| bank.file(name).to_str().unwrap().to_owned();
    let keys = |command: &[&str], passphrase: &str| {
        bank.write("passphrase", &format!("{passphrase}\n"));
        run([command, &["--file", &path("new.keys"), "--passphrase-file", &path("passphrase")]].concat(), "")
    };
    // Characters are counted, not bytes, and not what stands around them.
    for short in ["horse", "nineteen characters", "  nineteen characters  ", "رمز من اسب است باتر"]
    {
        let said = keys(&["keys", "init"], short);
        assert_eq!(said.code, Some(1), "{short}: {}", said.out);
        assert!(
            said.err.contains("too short: 20 characters at least") && !said.err.contains(short),
            "{}",
            said.err
        );
        assert!(!bank.file("new.keys").exists(), "{short}");
    }
    let said = keys(&["keys", "init"], "twenty characters ok");
    assert_eq!(said.code, Some(0), "{}", said.err);
    // One that was made before there was a rule.
    bank.write("passphrase", "horse\n");
    bank.quick_key_file("new.keys", &[]);
    for command in [&["keys", "show"][..], &["keys", "rotate", "pin"]] {
        let said = keys(command, "horse");
        assert_eq!(said.code, Some(0), "{}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_that_is_there_is_replaced_and_triple_des_has_three_names() {
    let bank = Bank::keeping(Kept::files).await;
    let path = |name: &str| bank.file(name).to_str().unwrap().to_owned();
    bank.quick_key_file("new.keys", &[]);
    let zone = |name: &str, cipher: &str, key: &str| {
        bank.write("zone", key);
        let of = ["--file", &path("new.keys"), "--passphrase-file", &path("passphrase")];
        let named = ["keys", "zone", name, "--cipher", cipher, "--key-file-hex", &path("zone")];
        let said = run([&named[..], &of].concat(), "");
        assert_eq!(said.code, Some(0), "{}", said.err);
        said.out
    };
    let (one, other) = ("0123456789ABCDEFFEDCBA9876543210", "1032547698BADCFEEFCDAB8967452301");
    assert!(zone("switch", "3des", one).starts_with("zone switch added, check value "));
    let said = zone("switch", "tdes", other);
    assert!(said.starts_with("zone switch replaced, check value "), "{said}");
    assert!(said.ends_with("; restart the role to use it\n"), "{said}");
    assert!(zone("host", "tdea", other).starts_with("zone host added, "));
}
